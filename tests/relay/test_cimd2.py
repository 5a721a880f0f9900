"""CIMD2 through a relay as it is deployed: lanes and events.fifo on one side, the simulated SMSC on the other."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chalicelib import queues, registry
from smsc_relay.relay import Relay
from smsc_relay.simulator import Simulator
from tests.relay.conftest import QUICK, World, eventually
from tests.support import CHANNEL

ACCOUNT = "ilha"
QUIET = {"receipts": {"when": "never"}}


def account(world: World, smsc: Simulator, **config: Any) -> None:
    """The aggregator `fast` is a CIMD2 account on the simulator."""
    given = {"host": "127.0.0.1", "port": smsc.cimd2_port, "username": ACCOUNT, "response_timeout": 5,
             "reconnect_min": 0.1, "window": 10, **config}  # fmt: skip
    version = time.time_ns() // 1_000_000
    world.aws.aggregator("fast", "CIMD2", config=given, secrets={"password": "secret"}, version=version)
    world.aws.channel(CHANNEL, type="CIMD2")
    registry.reset()


@asynccontextmanager
async def relaying() -> AsyncIterator[Relay]:
    """A relay of the deployed protocols, which must end well."""
    relay = Relay(timing=QUICK)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        relay.stop()
        clean = await asyncio.wait_for(task, 40)
    assert clean


@asynccontextmanager
async def simulator(
    behaviour: dict[str, Any] | None = None, *, mishaps: bool = True, **settings: Any
) -> AsyncIterator[Simulator]:
    accounts = {ACCOUNT: {"password": "secret", **settings}}
    script = {"accounts": accounts, "behaviour": behaviour or {}, "built_in": mishaps}
    async with Simulator(script, control_port=None) as running:
        yield running


@pytest.mark.parametrize("timestamps", ["unique", "second"])
async def test_messages_and_their_reports_have_one_name(world: World, timestamps: str) -> None:
    """Also parts of one message, though an old SMSC has one time stamp for all of them."""
    async with simulator({"receipts": {"delay": 0}, "cimd2": {"timestamps": timestamps}}) as smsc:
        account(world, smsc)
        world.put(1, text="Love is patient. {€}")
        world.put(2, to="+250788123123", text="☀" * 150)
        world.put(3, to="+250788123123", text="x" * 300)
        async with relaying():
            await world.lane_empty()
            await smsc.wait_for(lambda it: it.stats[ACCOUNT].get("delivered") == 6, 20)
            events: list[dict[str, Any]] = []
            await eventually(lambda: _all(world, events, 12))
    texts = Counter(message.text for message in smsc.messages)
    assert texts == {"Love is patient. {€}": 1, "☀" * 150: 1, "x" * 300: 1}
    accepted = [event["external_id"] for event in events if event["kind"] == "outcome" and event["accepted"]]
    told = [event["update"]["external_id"] for event in events if event["kind"] == "status"]
    assert len(set(accepted)) == 6 or timestamps == "second"
    assert sorted(accepted) == sorted(told)
    assert {event["update"]["status"] for event in events if event["kind"] == "status"} == {"delivered"}


def _all(world: World, events: list[dict[str, Any]], count: int) -> bool:
    events += [body["event"] for body in world.aws.bodies(queues.EVENTS)]
    return len(events) >= count


@pytest.mark.parametrize("characters", ["escapes", "latin1"])
async def test_mos_are_answered_once_they_are_queued(world: World, characters: str) -> None:
    async with simulator({"cimd2": {"characters": characters}}) as smsc:
        account(world, smsc)
        texts = ["STOP", "☀", "Öl @ $5 {€} _x", "x" * 400]
        async with relaying():
            await smsc.wait_for(lambda it: bool(it.sessions), 20)
            for text in texts:
                smsc.inject(source="250788123123", to="8080", text=text)
            smsc.inject(source="250788123123", to="8080", text="packed {€}", alphabet="gsm7_packed")
            await smsc.wait_for(lambda it: all(mo.state == "acknowledged" for mo in it.mos), 20)
            events: list[dict[str, Any]] = []
            await eventually(lambda: _all(world, events, 7))
    found = [event["message"]["text"] for event in events]
    assert found[:3] == texts[:3]
    assert "".join(found[3:6]) == texts[3]
    assert found[6] == "packed {€}"
    assert [event["piece"]["sequence"] for event in events[3:6]] == [1, 2, 3]
    assert {event["message"]["sender"] for event in events} == {"+250788123123"}
    assert {event["to"] for event in events} == {"8080"}


@pytest.mark.parametrize(
    ("suffix", "reason"),
    [pytest.param("0011", "incorrect destination address", id="destination"),
     pytest.param("0010", "incorrect use of originator address", id="sender")],
)  # fmt: skip
async def test_a_refusal_is_an_outcome(world: World, suffix: str, reason: str) -> None:
    async with simulator() as smsc:
        account(world, smsc)
        world.put(1, to=f"+25078812{suffix}")
        async with relaying():
            await world.lane_empty()
    assert world.outcomes() == [("1", 0, False, reason)]


async def test_too_fast_is_tried_again(world: World) -> None:
    async with simulator() as smsc:
        account(world, smsc)
        world.put(1, to="+250788120089")
        async with relaying():
            await world.lane_empty()
    assert [one[2] for one in world.outcomes()] == [True]
    assert smsc.stats[ACCOUNT]["refused.ESME_RTHROTTLED"] == 3


@pytest.mark.parametrize(
    ("window", "cimd2"),
    [pytest.param(1, {}, id="1"), pytest.param(100, {}, id="100"),
     pytest.param(100, {"window_max": None}, id="the SMSC has none")],
)  # fmt: skip
async def test_the_window_is_kept(world: World, window: int, cimd2: dict[str, Any]) -> None:
    slow = {"answers": {"delay": [0, 0.01], "over_window": "RSYSERR"}, "cimd2": cimd2, **QUIET}
    async with simulator(slow, mishaps=False, window=1 if cimd2 else window) as smsc:
        account(world, smsc, window=window)
        world.put_many(300 if window > 1 else 60)
        async with relaying() as relay:
            await world.lane_empty(seconds=60)
            assert relay.report()["links"]["fast"]["window"] == (1 if cimd2 else window), "what the SMSC grants"
    assert len(smsc.messages) == len(world.outcomes()) == (300 if window > 1 else 60)
    assert not any(name.startswith("refused") for name in smsc.stats[ACCOUNT])


async def test_two_sessions_of_one_user(world: World) -> None:
    async with simulator(QUIET, mishaps=False) as smsc:
        account(world, smsc, binds=2, subaddresses=[4, 7])
        async with relaying():
            await smsc.wait_for(lambda it: len(it.sessions) == 2, 20)
            assert sorted(one["subaddress"] for one in smsc.sessions) == ["4", "7"]
            smsc.disconnect("reset", smsc.sessions[0]["session"])
            await smsc.wait_for(lambda it: len(it.sessions) == 2 and it.stats[ACCOUNT]["sessions"] == 2, 20)
            world.put_many(20)
            await world.lane_empty()
            assert sorted(one["subaddress"] for one in smsc.sessions) == ["4", "7"]
    assert len(smsc.messages) == 20


async def test_the_connection_fails_and_comes_back(world: World) -> None:
    async with simulator(QUIET, mishaps=False) as smsc:
        account(world, smsc)
        async with relaying():
            await smsc.wait_for(lambda it: bool(it.sessions), 20)
            smsc.disconnect("reset")
            world.put_many(20)
            await world.lane_empty()
    assert len(smsc.messages) == 20


async def test_an_smsc_with_every_habit(world: World) -> None:
    """No greeting, no checksums, noise, pieces, answers in any order, nacks, a stray now and then, no reports."""
    odd = {
        "cimd2": {"greeting": "", "checksum": "none", "noise": "\r\n", "prohibited": [56]},
        "link": {"chunk": 7},
        "answers": {"delay": [0, 0.01], "nack_every": 7, "stray_every": 5},
    }
    async with simulator(odd, mishaps=False) as smsc:
        account(world, smsc, greeting_wait=0.05)
        world.put_many(40)
        async with relaying():
            await world.lane_empty(seconds=60)
    assert len(smsc.messages) == 40
    assert all(accepted for _, _, accepted, _ in world.outcomes())


async def test_a_stop_logs_out(world: World) -> None:
    async with simulator(QUIET) as smsc:
        account(world, smsc)
        async with relaying():
            await smsc.wait_for(lambda it: bool(it.sessions), 20)
        await smsc.wait_for(lambda it: not it.sessions)
    assert smsc.stats[ACCOUNT]["closed.peer logged out"] == 1
