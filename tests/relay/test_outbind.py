"""An SMSC that opens the connection itself (SMPP outbind), and whoever else calls on that port."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from chalicelib import registry
from local.emulator import free_port
from smsc_relay import bind, connecting
from smsc_relay.accounts import kind_of
from smsc_relay.journal import Journal
from smsc_relay.simulator import Simulator
from smsc_relay.smpp.codec import encode
from smsc_relay.smpp.pdus import BindTransceiver
from tests.lane import logged
from tests.relay.conftest import World, eventually, relaying
from tests.relay.crowd import PATIENCE, Balancer, Node
from tests.relay.test_giving_up import Hand
from tests.relay.test_links import certificate  # noqa: F401 - a fixture
from tests.support import CHANNEL

ACCOUNT: Final = "1234"


@pytest.fixture
def port() -> int:
    """One that nobody has at the moment."""
    return free_port()


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Reasons of those counted of `fast`."""
    found: list[str] = []
    counted = Journal.fault

    def fault(self: Journal, aggregator: str, reason: str, now: float, form: str) -> None:
        found.append(reason)
        counted(self, aggregator, reason, now, form)

    monkeypatch.setattr(Journal, "fault", fault)
    return found


def simulator(port: int, **outbind: Any) -> Simulator:
    """Calls when something waits for the account, until it is bound."""
    calls = {"port": port, "password": "wave", **outbind}
    script = {
        "accounts": {ACCOUNT: {"password": "secret", "addresses": ["8080"], "outbind": calls}},
        "behaviour": {"receipts": {"delay": 0}, "mo": {"retry": 0.1}},
        "built_in": False,
    }
    return Simulator(script, control_port=None)


def account(world: World, smsc: Simulator, port: int, **config: Any) -> None:
    given = {
        "host": "127.0.0.1",
        "port": smsc.smpp_port,
        "system_id": ACCOUNT,
        "response_timeout": 5,
        "reconnect_min": 0.1,
        "outbind_port": port,
        "outbind_networks": ["127.0.0.0/8"],
        "outbind_system_id": "SMSC",
        **config,
    }
    secrets = {"password": "secret", "outbind_password": "wave"}
    world.aws.aggregator("fast", "SMPP", config=given, secrets=secrets, version=time.time_ns() // 1_000_000)
    world.aws.channel(CHANNEL, type="SMPP")
    registry.reset()


async def an_mo_arrives(smsc: Simulator) -> None:
    mo = smsc.inject(source="250788123123", to="8080", text="ok")
    await smsc.wait_for(lambda it: mo.state == "acknowledged", PATIENCE)


async def call(port: int, said: bytes = b"") -> bytes:
    """Call, say that, and answer what is heard until the other end hangs up."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
            continue
        try:
            writer.write(said)
            return await asyncio.wait_for(reader.read(), 20)
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


async def hang_up(port: int) -> None:
    """Call, and say nothing."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return


@pytest.mark.parametrize(
    ("binds", "tls"),
    [
        pytest.param("transceiver", False, id="transceiver"),
        pytest.param("transceiver", True, id="transceiver over TLS"),
        pytest.param("receiver", False, id="receiver"),
        pytest.param("pair", False, id="receiver, and a transmitter that we connect"),
    ],
)
async def test_the_smsc_calls_and_it_is_a_bind_like_any_other(
    world: World, port: int, binds: str, tls: bool, certificate: tuple[str, str]  # noqa: F811
) -> None:  # fmt: skip
    config: dict[str, Any] = {"bind": binds}
    if tls:
        config |= {"tls": True, "tls_cert": Path(certificate[0]).read_text(), "tls_key": certificate[1]}
    async with simulator(port, tls=tls) as smsc:
        account(world, smsc, port, **config)
        async with relaying(kinds=kind_of) as relay:
            await an_mo_arrives(smsc)
            if binds != "receiver":
                world.put(1, to="+250788123123")
                await world.lane_empty()
                await smsc.wait_for(lambda it: it.stats[ACCOUNT].get("delivered") == 2)
            smsc.disconnect("close")
            await an_mo_arrives(smsc)
            await eventually(lambda: relay.report()["links"]["fast"]["binds"][-1]["state"] == "up")
        assert smsc.stats[ACCOUNT]["outbinds"] >= 2
        assert not smsc.sessions, "they have logged out"
    events = [body["event"]["kind"] for body in world.aws.bodies("events.fifo")]
    assert events.count("incoming") == 2
    assert events.count("status") == (binds != "receiver")


@pytest.mark.parametrize(
    ("config", "outbind", "reason"),
    [
        pytest.param({}, {"password": "wove"}, "outbind with a wrong system_id or password", id="password"),
        pytest.param({}, {"system_id": "SMS"}, "outbind with a wrong system_id or password", id="system_id"),
        pytest.param({}, {"password": None}, "outbind with a wrong system_id or password", id="no password"),
        pytest.param(
            {"outbind_networks": ["10.64.10.0/24", "2001:db8::/32"]}, {}, "a call from a network that is not allowed",
            id="network",
        ),
    ],
)  # fmt: skip
async def test_who_is_not_the_smsc_is_hung_up_on(
    world: World, port: int, faults: list[str], config: dict[str, Any], outbind: dict[str, Any], reason: str
) -> None:
    async with simulator(port, **outbind) as smsc:
        account(world, smsc, port, **config)
        async with relaying(kinds=kind_of):
            mo = smsc.inject(source="250788123123", to="8080", text="ok")
            await eventually(lambda: len(faults) >= 2)
            assert mo.state != "acknowledged"
            smsc.configure({"accounts": {ACCOUNT: {"outbind": {"password": "wave", "system_id": "SMSC"}}}})
            account(world, smsc, port)
            await smsc.wait_for(lambda it: mo.state == "acknowledged")
    assert set(faults) == {reason}


@pytest.mark.parametrize(
    ("said", "heard", "reason"),
    [
        pytest.param(b"", "", "no outbind: ", id="silence"),
        pytest.param(encode(BindTransceiver(), 1), "00000010800000090000000400000001", "BindTransceiver is not for",
                     id="a bind"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "00000010800000000000000200000000", "", id="HTTP"),
    ],
)  # fmt: skip
async def test_what_is_no_outbind_is_closed_in_time(
    world: World, port: int, faults: list[str], said: bytes, heard: str, reason: str
) -> None:
    async with simulator(port) as smsc:
        account(world, smsc, port, login_timeout=0.5)
        async with relaying(kinds=kind_of):
            assert (await call(port, said)).hex() == heard
            await an_mo_arrives(smsc)
    assert any(one.startswith(reason) for one in faults)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param(None, "a call without TLS: it has hung up", id="closed at once"),
        pytest.param(b"", "a call without TLS: none in 0.2 s", id="silence"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "a call without TLS: http request", id="HTTP"),
    ],
)
async def test_calls_without_tls_are_no_trouble_of_the_smsc(
    world: World, port: int, faults: list[str], monkeypatch: pytest.MonkeyPatch, said: bytes | None, reason: str,
    certificate: tuple[str, str]  # noqa: F811
) -> None:  # fmt: skip
    """A scanner's, say: they are counted, and have a line a minute; the SMSC is not kept out for long by one, and the
    link does not begin slowly after many."""
    monkeypatch.setattr(connecting, "CALLED", 0.2)
    tls = {"tls": True, "tls_cert": Path(certificate[0]).read_text(), "tls_key": certificate[1]}
    with logged() as log:
        async with simulator(port, tls=True) as smsc:
            account(world, smsc, port, **tls, connect_timeout=60, max_tps=40, restart_after=0.001)
            async with relaying(kinds=kind_of) as relay:
                for number in range(1, 4):
                    if said is None:
                        await hang_up(port)
                    else:
                        await call(port, said)
                    await eventually(lambda number=number: len(faults) >= number)
                await an_mo_arrives(smsc)
                await eventually(lambda: relay.report()["links"]["fast"]["binds"][0]["state"] == "up")
                assert relay.report()["links"]["fast"]["allowed"] == 40
                told = [json.loads(line) for line in log.getvalue().splitlines()]
    assert set(faults) - {"a call that no bind waits for"} == {reason}
    assert [one["reason"] for one in told if one.get("reason") == reason] == [reason]
    assert not [one for one in told if one["message"] == "bind_down"]


async def test_a_second_call_while_one_is_bound_is_closed(world: World, port: int, faults: list[str]) -> None:
    async with simulator(port) as smsc:
        account(world, smsc, port)
        async with relaying(kinds=kind_of):
            await an_mo_arrives(smsc)
            (before,) = smsc.sessions
            assert await call(port) == b""
            await an_mo_arrives(smsc)
            assert [one["session"] for one in smsc.sessions] == [before["session"]]
    assert faults == ["a call that no bind waits for"]


async def test_a_call_is_for_the_task_that_gets_the_lease(
    world: World, port: int, faults: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bind, "CALL_WAITS", 0.2)
    hand = Hand()
    async with simulator(port) as smsc:
        account(world, smsc, port)
        async with relaying(kinds=kind_of, permits=hand) as relay:
            mo = smsc.inject(source="250788123123", to="8080", text="ok")
            await eventually(lambda: len(faults) >= 2)
            assert not smsc.sessions
            hand.allow(1)
            await smsc.wait_for(lambda it: mo.state == "acknowledged")
            hand.take_back(1).give_up()
            await eventually(lambda: hand.returned == [1])
            assert json.loads(json.dumps(relay.report()))["links"]["fast"]["binds"][0]["state"] == "awaiting"
    assert set(faults) == {"a call while another task has the bind"}


@pytest.mark.timeout(300)
async def test_any_task_may_be_called_and_another_is_when_that_one_is_killed(world: World, port: int) -> None:
    hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]  # each listens on the same port, as tasks do behind a balancer
    async with Balancer(port, hosts) as balancer, simulator(balancer.port) as smsc, AsyncExitStack() as running:
        account(world, smsc, port)
        nodes = [await running.enter_async_context(Node("--host", host)) for host in hosts]
        for number in (1, 2, 3):
            await an_mo_arrives(smsc)
            [called] = [node for node in nodes if await node.up()]
            assert len(smsc.sessions) == 1
            world.put(number, to=f"+25078812312{number}")
            await world.lane_empty()
            called.send(signal.SIGKILL)
            await called.ended()
            nodes.remove(called)
    events = [body["event"]["kind"] for body in world.aws.bodies("events.fifo")]
    assert events.count("incoming") == 3
    assert len(smsc.submits) == 3
