"""UCP through a relay as it is deployed: lanes and events.fifo on one side, the simulated SMSC on the other."""

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

ACCOUNT = "1234"


def account(world: World, smsc: Simulator, **config: Any) -> None:
    """The aggregator `fast` is a UCP account on the simulator."""
    given = {"host": "127.0.0.1", "port": smsc.ucp_port, "username": ACCOUNT, "response_timeout": 5,
             "reconnect_min": 0.1, **config}  # fmt: skip
    version = time.time_ns() // 1_000_000
    world.aws.aggregator("fast", "UCP", config=given, secrets={"password": "secret"}, version=version)
    world.channel(CHANNEL)
    world.aws.channel(CHANNEL, type="UCP")
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


async def test_messages_and_their_receipts_have_one_name(world: World) -> None:
    """Also parts of one message, and messages to one phone, though all of them are of the same second."""
    async with simulator({"receipts": {"delay": 0}}) as smsc:
        account(world, smsc)
        world.put(1, text="Love is patient. {€}")
        world.put(2, to="+250788123123", text="☀" * 150)
        world.put(3, to="+250788123123", text="x" * 300)
        async with relaying():
            await world.lane_empty()
            await smsc.wait_for(lambda it: it.stats[ACCOUNT].get("delivered") == 6, 20)
            events: list[dict[str, Any]] = []
            await eventually(lambda: _all(world, events, 12))
    assert [message.text for message in smsc.messages if message.to != "250788123123"] == ["Love is patient. {€}"]
    assert Counter(message.text for message in smsc.messages)["☀" * 150] == 1
    accepted = [event["external_id"] for event in events if event["kind"] == "outcome" and event["accepted"]]
    told = [event["update"]["external_id"] for event in events if event["kind"] == "status"]
    assert len(set(accepted)) == 6
    assert sorted(accepted) == sorted(told)
    assert {event["update"]["status"] for event in events if event["kind"] == "status"} == {"delivered"}


def _all(world: World, events: list[dict[str, Any]], count: int) -> bool:
    events += [body["event"] for body in world.aws.bodies(queues.EVENTS)]
    return len(events) >= count


async def test_mos_are_answered_once_they_are_queued(world: World) -> None:
    async with simulator() as smsc:
        account(world, smsc)
        async with relaying():
            await smsc.wait_for(lambda it: bool(it.sessions), 20)
            for text in ("STOP", "☀", "x" * 400):
                smsc.inject(source="250788123123", to="8080", text=text)
            await smsc.wait_for(lambda it: all(mo.state == "acknowledged" for mo in it.mos), 20)
            events = [body["event"] for body in world.aws.bodies(queues.EVENTS)]
    assert [event["message"]["text"] for event in events][:2] == ["STOP", "☀"]
    assert [event["piece"]["sequence"] for event in events[2:]] == [1, 2, 3]
    assert {event["message"]["sender"] for event in events} == {"+250788123123"}
    assert {event["to"] for event in events} == {"8080"}


@pytest.mark.parametrize(
    ("suffix", "reason"),
    [pytest.param("0011", "AdC invalid", id="permanent"), pytest.param("0010", "operation not allowed", id="sender")],
)
async def test_a_refusal_is_an_outcome(world: World, suffix: str, reason: str) -> None:
    async with simulator() as smsc:
        account(world, smsc)
        world.put(1, to=f"+25078812{suffix}")
        async with relaying():
            await world.lane_empty()
    ((_, _, accepted, told),) = world.outcomes()
    assert not accepted
    assert reason in told


async def test_too_fast_is_tried_again(world: World) -> None:
    async with simulator() as smsc:
        account(world, smsc)
        world.put(1, to="+250788120089")
        async with relaying():
            await world.lane_empty()
    assert [one[2] for one in world.outcomes()] == [True]
    assert smsc.stats[ACCOUNT]["refused.ESME_RTHROTTLED"] == 3


@pytest.mark.parametrize("window", [1, 100])
async def test_the_window_is_kept(world: World, window: int) -> None:
    slow = {"answers": {"delay": [0, 0.01], "over_window": "RSYSERR"}}
    async with simulator(slow, mishaps=False, window=window) as smsc:
        account(world, smsc, window=window)
        world.put_many(120)
        async with relaying():
            await world.lane_empty(seconds=60)
    assert len(smsc.messages) == 120
    assert len(world.outcomes()) == 120
    assert not any(name.startswith("refused") for name in smsc.stats[ACCOUNT])


async def test_the_connection_fails_and_comes_back(world: World) -> None:
    async with simulator(mishaps=False) as smsc:
        account(world, smsc)
        async with relaying():
            await smsc.wait_for(lambda it: bool(it.sessions), 20)
            smsc.disconnect("reset")
            world.put_many(20)
            await world.lane_empty()
    assert len(smsc.messages) == 20


async def test_what_waits_for_its_gap_survives_the_connection(world: World) -> None:
    """The second message to a phone waits in the conversation; it is not in doubt when the connection goes."""
    async with simulator(mishaps=False) as smsc:
        account(world, smsc, recipient_gap=3, in_doubt="fail")
        world.put(1, to="+250788123123", text="1")
        world.put(2, to="+250788123123", text="2")
        async with relaying():
            await smsc.wait_for(lambda it: len(it.messages) == 1, 20)
            await eventually(lambda: world.in_lane()[1] == 1)
            smsc.disconnect("reset")
            await world.lane_empty()
    assert [message.text for message in smsc.messages] == ["1", "2"]
    assert [one[2] for one in world.outcomes()] == [True, True]


async def test_frames_in_pieces_with_line_ends_between_them(world: World) -> None:
    odd = {"ucp": {"crlf": True}, "link": {"chunk": 7}, "receipts": {"delay": 0}}
    async with simulator(odd, mishaps=False) as smsc:
        account(world, smsc)
        world.put_many(10)
        async with relaying():
            await world.lane_empty()
            await smsc.wait_for(lambda it: it.stats[ACCOUNT].get("delivered") == 10, 20)
    assert len(smsc.messages) == 10


async def test_an_account_without_login_and_operation_30(world: World) -> None:
    async with simulator({"ucp": {"trusts": ACCOUNT, "mo_operation": "01"}, "receipts": {"delay": 0}}) as smsc:
        version = time.time_ns() // 1_000_000
        config = {"host": "127.0.0.1", "port": smsc.ucp_port, "operation": "30", "response_timeout": 5}
        world.aws.aggregator("fast", "UCP", config=config, version=version)
        world.aws.channel(CHANNEL, type="UCP")
        registry.reset()
        world.put(1, text="Hi")
        async with relaying():
            await world.lane_empty()
            smsc.inject(source="250788123123", to="8080", text="STOP")
            await smsc.wait_for(lambda it: it.mos[0].state == "acknowledged", 20)
            await smsc.wait_for(lambda it: it.stats[ACCOUNT].get("delivered") == 2, 20)
    (message,) = smsc.messages
    assert message.text == "Hi"
    assert message.first.shown()["operation"] == 30
