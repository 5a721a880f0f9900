"""What a link does, it does alike over SMPP, UCP and CIMD2: pace, slowing down, coming back, giving up a bind,
draining, TLS, and what it tells of itself."""

from __future__ import annotations

import ssl
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chalicelib import attempts, registry, telemetry
from smsc_relay.accounts import kind_of
from smsc_relay.relay import Relay
from smsc_relay.simulator import Simulator
from tests.lane import logged
from tests.relay.conftest import World, eventually, relaying
from tests.relay.test_announced import lines
from tests.relay.test_giving_up import Hand
from tests.relay.test_links import certificate  # noqa: F401 - a fixture
from tests.support import CHANNEL

ACCOUNT = "1234"
QUIET: dict[str, Any] = {"receipts": {"when": "never"}}


@dataclass(frozen=True)
class Protocol:
    """What differs: the name of the type, where the simulator speaks it, and how an account is named."""

    name: str
    port: Callable[[Simulator], int]
    user: str

    def account(self, world: World, smsc: Simulator, **config: Any) -> None:
        """The aggregator `fast`."""
        given = {"host": "127.0.0.1", "port": self.port(smsc), self.user: ACCOUNT, "response_timeout": 5,
                 "reconnect_min": 0.1, "window": 4, "in_doubt_wait": 1, **config}  # fmt: skip
        version = time.time_ns() // 1_000_000
        world.aws.aggregator("fast", self.name, config=given, secrets={"password": "secret"}, version=version)
        world.aws.channel(CHANNEL, type=self.name)
        registry.reset()


PROTOCOLS = [
    Protocol("SMPP", lambda smsc: smsc.smpp_port, "system_id"),
    Protocol("UCP", lambda smsc: smsc.ucp_port, "username"),
    Protocol("CIMD2", lambda smsc: smsc.cimd2_port, "username"),
]


@pytest.fixture(params=PROTOCOLS, ids=[one.name for one in PROTOCOLS])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    found: Protocol = request.param
    return found


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The metrics of the aggregator `fast`, by name."""
    found: Counter[str] = Counter()

    def count(name: str, subject: str, value: int = 1) -> None:
        found[name] += value * (subject == "fast")

    monkeypatch.setattr(telemetry, "count", count)
    return found


def simulator(
    behaviour: dict[str, Any] | None = None, tls: ssl.SSLContext | None = None, script: dict[str, Any] | None = None,
    **account: Any
) -> Simulator:  # fmt: skip
    accounts = {ACCOUNT: {"password": "secret", **account}}
    given = {"accounts": accounts, "behaviour": {**QUIET, **(behaviour or {})}, "built_in": False, **(script or {})}
    return Simulator(given, control_port=None, tls=tls)


def sent(smsc: Simulator) -> Counter[str]:
    return Counter(segment.to for segment in smsc.submits)


def phones(count: int) -> Counter[str]:
    return Counter(f"2507881{number:05d}" for number in range(1, count + 1))


async def test_the_pace_is_kept(world: World, protocol: Protocol) -> None:
    """The SMSC refuses what is faster than 6 a second."""
    async with simulator(tps=6, window=100) as smsc:
        protocol.account(world, smsc, max_tps=4, window=20)
        world.put_many(12)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
    assert sent(smsc) == phones(12)
    assert not any(name.startswith("refused") for name in smsc.stats[ACCOUNT])


async def test_throttled_it_slows_down_and_fails_nothing(
    world: World, protocol: Protocol, counted: Counter[str]
) -> None:
    full = ("7", "8", "9")  # of one phone it might be its own queue
    async with simulator(script={"destinations": {one: {"status": "ESME_RTHROTTLED"} for one in full}}) as smsc:
        protocol.account(world, smsc)
        world.put_many(10)
        with logged() as log:
            async with relaying(kinds=kind_of) as relay:
                await smsc.wait_for(lambda it: len(it.submits) == 7, 30)
                await eventually(lambda: relay.report()["links"]["fast"]["allowed"] is not None)
                assert relay.report()["links"]["fast"]["error"]
                smsc.configure({"destinations": {one: {"status": "ESME_RTHROTTLED", "times": 1} for one in full}})
                await world.lane_empty()
                assert len(lines(log.getvalue(), "smsc_throttles")) == 1, "in a minute"
    assert sent(smsc) == phones(10)
    assert all(accepted for _, _, accepted, _ in world.outcomes())
    assert counted["throttled"] >= 1
    assert {"claimed", "throttled", "wired"} <= set(world.hops("7"))


async def test_a_connection_that_breaks_is_made_again(
    world: World, protocol: Protocol, counted: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SMSC takes a message and hangs up: what was open is in doubt, and goes again."""
    monkeypatch.setattr(attempts, "BACKOFF", (1, 1, 1))
    async with simulator(script={"destinations": {"05": {"link": "close", "times": 1}}}) as smsc:
        protocol.account(world, smsc)
        world.put_many(10)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
    assert set(sent(smsc)) == set(phones(10))
    assert sum(sent(smsc).values()) - 10 <= 4
    assert len(world.outcomes()) == 10
    assert 1 <= counted["in_doubt"] <= 4
    assert "in_doubt" in world.hops("5")


async def test_a_bind_whose_lease_is_wanted_is_given_up_when_its_answers_are_in(
    world: World, protocol: Protocol
) -> None:
    hand = Hand()
    hand.allow(1)
    async with simulator({"answers": {"delay": 0.5}}) as smsc:
        protocol.account(world, smsc)
        world.put_many(12)
        async with relaying(kinds=kind_of, permits=hand):
            await smsc.wait_for(lambda it: len(it.submits) >= 1, 30)
            hand.take_back(1).give_up()
            await smsc.wait_for(lambda it: not it.sessions, 30)
            await eventually(lambda: hand.returned == [1])
            hand.allow(1)
            await world.lane_empty()
    assert sent(smsc) == phones(12)


def _in_flight(relay: Relay) -> int:
    links = relay.report()["links"]
    return sum(bind["in_flight"] for bind in links["fast"]["binds"]) if "fast" in links else 0


def _link(relay: Relay) -> dict[str, Any]:
    """What the relay says of `fast`; without binds before it is there."""
    found: dict[str, Any] = relay.report()["links"].get("fast", {"binds": [], "allowed": None})
    return found


async def test_a_change_that_no_connection_knows_of_closes_none(world: World, protocol: Protocol) -> None:
    """Another rate is obeyed at once, over the session that there is."""
    async with simulator(tps=30, window=100) as smsc:
        protocol.account(world, smsc, window=20)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: [bind["state"] for bind in _link(relay)["binds"]] == ["up"])
            (session,) = smsc.sessions
            world.put_many(5)
            await world.lane_empty()
            protocol.account(world, smsc, window=20, max_tps=4, restart_step=1)
            await eventually(lambda: _link(relay)["allowed"] == 4)
            world.put_many(12, first=6)
            await smsc.wait_for(lambda it: len(it.submits) == 17)
            last = [segment.at for segment in smsc.submits][-12:]
            protocol.account(world, smsc, window=20)
            await eventually(lambda: _link(relay)["allowed"] is None)
            await world.lane_empty()
            assert [one["since"] for one in smsc.sessions] == [session["since"]]
    assert last[-1] - last[0] > 2_000
    assert sent(smsc) == phones(17)


async def test_a_stop_waits_for_the_window_and_what_came_of_it(world: World, protocol: Protocol) -> None:
    async with simulator({"answers": {"delay": 1}}) as smsc:
        protocol.account(world, smsc)
        world.put_many(4)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: _in_flight(relay))
        await smsc.wait_for(lambda it: not it.sessions, 20)
    outcomes = world.outcomes()
    assert max(sent(smsc).values()) == 1
    assert [one[2] for one in outcomes] == [True] * len(smsc.submits)
    assert world.in_lane() == (4 - len(outcomes), 0)


async def test_tls(world: World, protocol: Protocol, certificate: tuple[str, str]) -> None:  # noqa: F811
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    trusted = {"tls": True, "tls_ca": Path(certificate[0]).read_text(), "tls_server_name": "localhost"}
    async with simulator({"receipts": {"delay": 0}}, tls=context) as smsc:
        protocol.account(world, smsc, **trusted)
        world.put(1)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
            smsc.inject(source="250788123123", to="8080", text="ok")
            await smsc.wait_for(lambda it: it.mos[0].state == "acknowledged", 20)
            await smsc.wait_for(lambda it: it.stats[ACCOUNT].get("delivered") == 2, 20)
    assert len(smsc.messages) == 1
