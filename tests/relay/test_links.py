"""Links side by side: up, down, refused, changed; and the socket they speak over."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
from math import inf
from pathlib import Path
from typing import Any

import pytest

from chalicelib import aws, depths, registry
from chalicelib.settings import settings
from smsc_relay import bind, health, logins
from smsc_relay.accounts import Kind
from smsc_relay.connection import Connection
from smsc_relay.protocol import Refused
from smsc_relay.relay import Relay
from smsc_relay.retry import wait_after
from tests.lane import logged
from tests.relay.conftest import LANE, World, eventually, relaying
from tests.relay.smsc import Smsc
from tests.relay.test_giving_up import Hand
from tests.relay.toy import ToyConfig, kinds
from tests.support import CHANNEL

SLOW = CHANNEL.replace("6f1d", "8f1d")
CONFIG = ToyConfig(host="smsc.example.org", port=1, reconnect_min=2, reconnect_max=60, refused_delay=60)
CREDENTIALS = Refused("wrong password", credentials=True)


def state(relay: Relay, name: str = "fast") -> list[str]:
    """Of the binds of a link."""
    link = relay.report()["links"].get(name)
    return [bind["state"] for bind in link["binds"]] if link else []


@pytest.mark.parametrize("trouble", ["silent", "nobody there", "drops", "answers nothing"])
async def test_a_dead_smsc_delays_no_other(world: World, trouble: str) -> None:
    world.channel(SLOW, aggregator="slow", address="9090")
    async with Smsc() as smsc, Smsc(lambda said: None) as dead:
        dead.login = lambda said: {} if trouble == "silent" else {"op": "welcome"}
        if trouble == "nobody there":
            await dead.stop()
        elif trouble == "drops":
            dead.answer = lambda said: dead.drop()
        world.account(smsc)
        world.account(dead, "slow", response_timeout=60)
        for number in range(1, 31):
            world.put(number)
            world.put(100 + number, aggregator="slow", channel=SLOW)
        async with relaying():
            await world.lane_empty(LANE)
            assert sum(world.in_lane("lane-slow.fifo")) == 30
            dead.drop()
            dead.login = lambda said: {"op": "refused", "reason": "closed"}
    assert len(smsc.submits) == 30


async def test_an_smsc_that_answers_after_seconds_delays_no_other(world: World) -> None:
    """One has taken and told everything, both ways, when the other has answered a few."""
    world.channel(SLOW, aggregator="slow", address="9090")
    async with Smsc() as smsc, Smsc(lambda said: None) as slow:
        loop = asyncio.get_running_loop()

        def later(said: dict[str, Any]) -> None:
            loop.call_later(2, slow.answer_open)

        slow.answer = later
        world.account(smsc)
        world.account(slow, "slow", window=1, response_timeout=60)
        for number in range(200, 220):
            world.put(number, aggregator="slow", channel=SLOW)
        async with relaying():
            await slow.until(lambda: slow.submits)
            await smsc.until(lambda: smsc.logins)
            world.put_many(100)
            for number in range(20):
                smsc.deliver({"from": f"+2507880000{number:02d}", "text": "hi"})
            await world.lane_empty(LANE)
            await smsc.until(lambda: len(smsc.answers) == 20)
            assert 1 <= len(slow.submits) < 20
            assert slow.most_open == 1
    assert set(smsc.answers) == {("got", number) for number in range(1, 21)}
    assert sorted(map(int, smsc.ids())) == list(range(1, 101)), "each once"


# --- logging in -----------------------------------------------------------------------------------------------------


async def test_a_link_comes_back(world: World) -> None:
    """An SMSC that goes away and comes back gets what has come meanwhile."""
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying() as relay:
            await smsc.until(lambda: smsc.logins)
            await smsc.stop()
            await eventually(lambda: state(relay) != ["up"])
            world.put(1)
            await smsc.start()
            await world.lane_empty()
    assert smsc.ids() == ["1"]


@pytest.mark.parametrize(("restart_after", "rates"), [(0.001, [10, 20, 40]), (600, [40])])
async def test_after_an_outage_the_rate_grows_by_steps_and_bulk_has_its_share(
    world: World, restart_after: float, rates: list[float]
) -> None:
    async with Smsc() as smsc:
        world.account(smsc, max_tps=40, restart_after=restart_after, restart_step=0.5, window=20)
        async with relaying() as relay:
            await smsc.until(lambda: smsc.logins)
            assert relay.report()["links"]["fast"]["allowed"] == 40
            await smsc.stop()
            await eventually(lambda: state(relay) == ["waiting"])
            for number in range(1, 31):
                world.put(number)
                world.put(100 + number, bulk=True)
            seen: dict[float, None] = {}
            smsc.answer = lambda said: seen.setdefault(relay.report()["links"]["fast"]["allowed"]) or {"id": said["id"]}
            await smsc.start()
            await world.lane_empty(LANE, "lane-fast-bulk.fifo")
            await eventually(lambda: relay.report()["links"]["fast"]["allowed"] == 40)
    assert [rate for rate in rates if rate in seen] == list(seen)
    assert min(seen) == rates[0]
    assert sum(int(one) > 100 for one in smsc.ids()[:40]) >= 3


async def test_what_was_no_outage_is_no_reason_to_be_slow(world: World) -> None:
    """A bind that another task had: it was up all the time, elsewhere."""
    hand = Hand()
    async with Smsc() as smsc:
        world.account(smsc, max_tps=40, restart_after=0.001, restart_step=600)
        async with relaying(permits=hand) as relay:
            await eventually(lambda: state(relay) == ["standby"])
            hand.allow(1)
            await smsc.until(lambda: smsc.logins)
            hand.take_back(1).give_up()
            await eventually(lambda: state(relay) == ["standby"] and not smsc.sessions)
            hand.allow(1)
            await eventually(lambda: state(relay) == ["up"])
            assert relay.report()["links"]["fast"]["allowed"] == 40


async def test_a_busy_smsc_is_asked_again_soon(world: World) -> None:
    """It still holds the session of a relay that was killed."""
    async with Smsc() as smsc:
        smsc.login = lambda said: {"op": "refused", "reason": "already bound", "busy": True}
        world.account(smsc)
        async with relaying():
            await smsc.until(lambda: len(smsc.logins) >= 3)


async def test_refused_credentials_wait_until_they_are_changed(world: World) -> None:
    async with Smsc() as smsc:
        right: Any = {"op": "welcome"}
        wrong: Any = {"op": "refused", "reason": "wrong password", "credentials": True}
        smsc.login = lambda said: right if said["password"] == "new" else wrong
        world.account(smsc, secrets={"password": "old"})
        async with relaying() as relay:
            await eventually(lambda: state(relay) == ["refused"])
            assert "wrong password" in json.dumps(relay.report())
            world.account(smsc, secrets={"password": "new"})
            await eventually(lambda: state(relay) == ["up"])
    assert [said["password"] for said in smsc.logins] == ["old", "new"]


async def test_wrong_credentials_are_tried_by_one_bind_of_an_account(world: World) -> None:
    """Five at once would lock it at many an SMSC; when they are right, all log in without waiting any longer."""
    async with Smsc() as smsc:
        wrong: Any = {"op": "refused", "reason": "wrong password", "credentials": True}
        answers: list[Any] = [wrong, wrong]
        smsc.login = lambda said: answers.pop() if answers else {"op": "welcome"}
        world.account(smsc, binds=5, refused_delay=0.2)
        async with relaying() as relay:
            await eventually(lambda: state(relay) == ["refused"] * 5)
            assert len(smsc.logins) == 1
            await smsc.until(lambda: len(smsc.logins) == 2)
            await eventually(lambda: state(relay) == ["up"] * 5)
    assert len(smsc.logins) == 2 + 5


async def test_a_bind_too_many_that_is_refused_keeps_no_other_back(world: World) -> None:
    """While others are logged in the credentials are right: one whose connection is lost comes back at once."""
    async with Smsc() as smsc:
        full: Any = {"op": "refused", "reason": "bind failed", "credentials": True}
        smsc.login = lambda said: full if sum(bool(one.user) for one in smsc.sessions) > 2 else {"op": "welcome"}
        world.account(smsc, binds=3, refused_delay=3600)
        async with relaying() as relay:
            await eventually(lambda: sorted(state(relay)) == ["refused", "up", "up"])
            smsc.sessions[0].writer.transport.abort()
            await eventually(lambda: len(smsc.logins) == 4 and sorted(state(relay)) == ["refused", "up", "up"])


async def test_a_login_that_is_not_answered_does_not_keep_the_others_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "PATIENCE", 0.1)
    async with Smsc() as smsc:
        smsc.login = lambda said: {"op": "welcome" if len(smsc.logins) > 1 else "silence"}
        world.account(smsc, binds=3, login_timeout=20)
        async with relaying() as relay:
            await eventually(lambda: sorted(state(relay)) == ["logging in", "up", "up"])


@pytest.mark.parametrize(
    ("lasted", "spread", "seconds"),
    [
        pytest.param(0, 0.0, 1, id="at once, at the least"),
        pytest.param(0, 1.0, 2, id="at once, at the most"),
        pytest.param(15, 1.0, 2, id="a restart: no longer than at first"),
        pytest.param(100, 1.0, 10, id="a tenth of the outage"),
        pytest.param(100, 0.0, 5, id="jitter there too"),
        pytest.param(86_400, 1.0, 60, id="no longer than reconnect_max"),
    ],
)
def test_waits_while_nobody_answers(lasted: float, spread: float, seconds: float) -> None:
    assert wait_after(CONFIG, 40, 0, None, lasted, spread) == seconds


async def test_an_smsc_that_is_away_is_asked_often(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifteen times: with waits that double from a hundredth of a second it would be minutes."""
    tried = list[float]()

    def wait(*given: Any) -> float:
        tried.append(given[1])
        return wait_after(*given)

    monkeypatch.setattr(bind, "wait_after", wait)
    async with Smsc() as smsc:
        world.account(smsc, reconnect_min=0.01)
        async with relaying():
            await smsc.until(lambda: smsc.logins)
            await smsc.stop()
            await eventually(lambda: len(tried) >= 15)
            await smsc.start()
            await smsc.until(lambda: len(smsc.logins) == 2)


@pytest.mark.parametrize(
    ("failures", "refusals", "refused", "spread", "seconds"),
    [
        pytest.param(1, 0, None, 0.0, 1, id="first, at the least"),
        pytest.param(1, 0, None, 1.0, 2, id="first, at the most"),
        pytest.param(3, 0, None, 1.0, 8, id="doubles"),
        pytest.param(9, 0, None, 1.0, 60, id="no longer than that"),
        pytest.param(9_999, 0, None, 0.0, 30, id="jitter at the end too"),
        pytest.param(1, 0, CREDENTIALS, 0.5, 60, id="credentials: a minute"),
        pytest.param(1, 1, CREDENTIALS, 0.5, 300, id="credentials again: five"),
        pytest.param(1, 2, CREDENTIALS, 0.5, 900, id="credentials again: fifteen"),
        pytest.param(1, 7, CREDENTIALS, 0.5, 900, id="and so on"),
        pytest.param(2, 0, Refused("no", busy=True), 1.0, 4, id="busy: as a lost connection"),
        pytest.param(1, 5, Refused("no"), 0.5, 60, id="refused for another reason"),
    ],
)
def test_waits(failures: int, refusals: int, refused: Refused | None, spread: float, seconds: float) -> None:
    assert wait_after(CONFIG, failures, refusals, refused, inf, spread) == seconds


async def test_a_fault_of_ours_while_connecting_is_told_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, faults = bind.Bind._new_connection, [ZeroDivisionError()]

    def fail(one: bind.Bind) -> Connection:
        if faults:
            raise faults.pop()
        return make(one)

    monkeypatch.setattr(bind.Bind, "_new_connection", fail)
    async with Smsc() as smsc:
        world.account(smsc, reconnect_max=0.2)
        with logged() as log:
            async with relaying():
                await smsc.until(lambda: smsc.logins)
    assert [one for one in map(json.loads, log.getvalue().splitlines()) if one["message"] == "relay_fault"]


async def test_another_host_is_tried(world: World) -> None:
    async with Smsc() as gone, Smsc() as smsc:
        await gone.stop()
        world.account(gone, fallback_hosts=[f"127.0.0.1:{smsc.port}"])
        world.put(1)
        async with relaying():
            await world.lane_empty()
    assert smsc.ids() == ["1"]


# --- the socket -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Paths of a certificate for localhost and its key, made now."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = str(folder / "cert.pem"), str(folder / "key.pem")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
async def test_small_requests_are_not_held_back(world: World, certificate: tuple[str, str], tls: bool) -> None:
    """TCP_NODELAY: otherwise a receipt's answer waits 40 ms for the peer's delayed ACK."""
    context: ssl.SSLContext | None = None
    config: dict[str, Any] = {}
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
        config = {"tls": True, "tls_ca": Path(certificate[0]).read_text(), "tls_server_name": "localhost"}
    async with Smsc(tls=context) as smsc:
        world.account(smsc, **config)
        world.put(1)
        async with relaying() as relay:
            await smsc.until(lambda: smsc.submits)
            (bind,) = relay._links["fast"]._binds
            assert bind.connection is not None
            assert bind.connection._transport is not None
            sock = bind.connection._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert (bind.connection._transport.get_extra_info("cipher") is not None) is tls
            await world.lane_empty()


async def test_a_certificate_of_somebody_else_is_not_trusted(world: World, certificate: tuple[str, str]) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    async with Smsc(tls=context) as smsc:
        world.account(smsc, tls=True, tls_server_name="localhost")
        async with relaying() as relay:
            await eventually(lambda: "is not accepted: self-signed certificate" in json.dumps(relay.report()))
    assert not smsc.logins


# --- the registry changes -------------------------------------------------------------------------------------------


async def test_a_change_begins_that_link_anew_and_no_other(world: World) -> None:
    async with Smsc() as one, Smsc() as other:
        world.account(one)
        world.account(other, "slow")
        async with relaying() as relay:
            await eventually(lambda: (state(relay), state(relay, "slow")) == (["up"], ["up"]))
            world.channel(SLOW, address="9091")  # channels come and go without it
            world.account(one, user="somebody else")
            await one.until(lambda: len(one.logins) == 2)
            assert one.byes == 1
            world.put(1)
            await world.lane_empty()
    assert [said["user"] for said in one.logins] == ["toy", "somebody else"]
    assert len(other.logins) == 1


async def test_an_account_that_is_removed_is_left(world: World) -> None:
    async with Smsc() as smsc, Smsc() as other:
        world.account(smsc)
        async with relaying() as relay:
            await eventually(lambda: state(relay) == ["up"])
            world.account(other, "slow")
            await eventually(lambda: state(relay, "slow") == ["up"])
            key = {"pk": {"S": "agg#fast"}, "sk": {"S": "-"}}
            aws.dynamodb().delete_item(TableName=settings().table("registry"), Key=key)
            registry.reset()
            await eventually(lambda: "fast" not in relay.report()["links"])
    assert smsc.byes == 1


async def test_settings_that_cannot_be_used_stop_nothing_else(world: World) -> None:
    """And an account that is up stays up when its new settings are no good."""
    async with Smsc() as smsc:
        world.account(smsc)
        world.account(smsc, "slow", windw=3)
        async with relaying() as relay:
            await eventually(lambda: state(relay) == ["up"])
            assert "windw: unknown key" in relay.report()["unusable"]["slow"]
            world.account(smsc, window="many")
            await eventually(lambda: "fast" in relay.report()["unusable"])
            world.put(1)
            await world.lane_empty()
    assert len(smsc.logins) == 1


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "-----BEGIN \ud800"], ids=["NUL", "path", "text"])
@pytest.mark.parametrize("key", ["tls_ca", "tls_cert"])
async def test_a_certificate_that_no_system_can_read_stops_nothing_else(world: World, key: str, text: str) -> None:
    async with Smsc() as smsc:
        world.account(smsc)
        more = {"secrets": {"tls_key": "x"}} if key == "tls_cert" else {}
        world.account(smsc, "slow", tls=True, **{key: text}, **more)
        async with relaying() as relay:
            await eventually(lambda: state(relay) == ["up"])
            assert relay.report()["unusable"]["slow"].startswith(key)


async def test_an_entry_that_cannot_be_read_stops_nothing_else(world: World) -> None:
    """A newer version's, or one that somebody has written by hand."""
    async with Smsc() as smsc:
        world.account(smsc)
        for key, data in (("agg#slow", '{"name": "slow"}'), ("agg#other", "no JSON"), ("chan#7f1d", "{}")):
            item = {"pk": {"S": key}, "sk": {"S": "-"}, "data": {"S": data}}
            aws.dynamodb().put_item(TableName=settings().table("registry"), Item=item)
        async with relaying() as relay:
            await eventually(lambda: state(relay) == ["up"])
            unusable = relay.report()["unusable"]
            assert sorted(unusable) == ["channel 7f1d", "other", "slow"]
            assert unusable["slow"] == "its entry in the registry cannot be read: type: Field required"
            world.put(1)
            await world.lane_empty()


async def test_a_fault_of_ours_in_settings_costs_that_account_alone(world: World) -> None:
    """And is told once, without what is in them."""
    read = 0

    def kind(code: str) -> Kind:
        nonlocal read
        if code == "SMPP":
            read += 1
            raise ZeroDivisionError("hunter2")
        return kinds(code)

    async with Smsc() as smsc:
        world.account(smsc)
        world.aws.aggregator("slow", "SMPP", config={"host": "127.0.0.1", "system_id": "a"}, secrets={})
        registry.reset()
        with logged() as log:
            async with relaying(kinds=kind) as relay:
                await eventually(lambda: state(relay) == ["up"] and read >= 3)
                assert relay.report()["unusable"]["slow"].startswith(
                    "a fault of ours: ZeroDivisionError at test_links.py"
                )
                world.account(smsc, max_tps=7)
                await eventually(lambda: relay.report()["links"]["fast"]["allowed"] == 7)
    told = [json.loads(line) for line in log.getvalue().splitlines()]
    (fault,) = [one for one in told if one["message"] == "relay_fault"]
    assert (fault["aggregator"], fault["exception_name"]) == ("slow", "ZeroDivisionError")
    assert [one["aggregator"] for one in told if one["message"] == "channel_down"] == ["slow"]
    assert "hunter2" not in log.getvalue()


async def test_only_those_that_are_asked_for_are_served(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc)
        world.account(smsc, "slow")
        async with relaying(only=["slow"]) as relay:
            await eventually(lambda: state(relay, "slow") == ["up"])
            assert list(relay.report()["links"]) == ["slow"]


# --- health ---------------------------------------------------------------------------------------------------------


async def ask(port: int, line: str) -> tuple[str, str]:
    """Status line and body of a request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{line} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return head.splitlines()[0], body


async def test_health_is_that_the_loop_runs(world: World) -> None:
    """Neither an SMSC nor AWS that is away changes it: restarting the relay would help neither."""
    async with Smsc() as smsc:
        await smsc.stop()
        world.account(smsc)
        async with relaying() as relay:
            server = await health.serve(0, "127.0.0.1", relay.report)
            port = server.sockets[0].getsockname()[1]
            await eventually(lambda: state(relay) == ["waiting"])
            status, body = await ask(port, "GET /")
            assert status == "HTTP/1.1 200 OK"
            assert json.loads(body)["links"]["fast"]["binds"][0]["state"] == "waiting"
            assert (await ask(port, "GET /other"))[0] == "HTTP/1.1 404 Not Found"
            assert (await ask(port, "POST /"))[0] == "HTTP/1.1 405 Method Not Allowed"
            server.close()
    assert depths.of(LANE) is not None
