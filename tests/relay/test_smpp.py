"""The same relay with SMPP: what the toy protocol has shown holds for the SMSC that the project simulates."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from chalicelib import attempts, queues, registry, rendezvous
from chalicelib.records import MessageKey, ReceiptEvent
from smsc_relay.accounts import kind_of
from smsc_relay.pace import Pace
from smsc_relay.simulator.simulator import Simulator
from tests.relay.conftest import World, eventually, relaying
from tests.support import CHANNEL

LONG = "Love is patient. Love is kind. It does not envy, it does not boast. " * 6


def register(world: World, smsc: Simulator, **config: Any) -> None:
    """The account `fast` speaks SMPP."""
    given = {"host": "127.0.0.1", "port": smsc.smpp_port, "system_id": "ilha", "response_timeout": 5, **config}
    given |= {"reconnect_min": 0.1}
    world.aws.aggregator("fast", "SMPP", config=given, version=time.time_ns() // 1_000_000)
    world.aws.channel(CHANNEL, type="SMPP")
    registry.reset()


async def test_a_long_message_its_receipts_and_an_answer(world: World) -> None:
    async with Simulator() as smsc:
        register(world, smsc)
        world.put(1, to="+250788123123", text=LONG)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
            await smsc.wait_for(lambda smsc: bool(smsc.messages))
            smsc.inject(source="250788123123", to="8080", text="ok")
            await eventually(lambda: world.aws.depth(queues.EVENTS) == 3 + 3 + 1)
    assert [message.text for message in smsc.messages] == [LONG]
    events = [body["event"] for body in world.aws.bodies(queues.EVENTS)]
    outcomes = {event["external_id"] for event in events if event["kind"] == "outcome"}
    receipts = {event["update"]["external_id"] for event in events if event["kind"] == "status"}
    assert len(outcomes) == 3
    assert receipts == outcomes
    (answer,) = [event for event in events if event["kind"] == "incoming"]
    assert (answer["message"]["text"], answer["to"]) == ("ok", "8080")


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        pytest.param({}, [1, 1, 1], id="parts of ours"),
        pytest.param({"long_messages": "sar"}, [1, 1, 1], id="sar"),
        pytest.param({"long_messages": "payload"}, [3], id="payload"),
    ],
)
async def test_what_the_smsc_cuts_counts_for_the_pace(
    world: World, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], counts: list[int]
) -> None:
    """max_tps is of segments, whoever makes them."""
    spent: list[int] = []
    spend = Pace.spend

    def noted(self: Pace, now: float, segments: int = 1) -> None:
        spent.append(segments)
        spend(self, now, segments)

    monkeypatch.setattr(Pace, "spend", noted)
    async with Simulator() as smsc:
        register(world, smsc, max_tps=50, **more)
        world.put(1, to="+250788123123", text=LONG)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
    assert spent == counts
    assert [message.text for message in smsc.messages] == [LONG]


async def test_numbers_that_the_smsc_writes_in_its_own_way(world: World) -> None:
    """A channel's own rule changes the recipient, the account's bring back who a receipt and an answer are from."""
    phone, theirs = "+250788123123", "9788123123"
    async with Simulator() as smsc:
        # It gives what arrives TON 1, which rules see as +.
        back = [{"match": r"\+?9(7[0-9]{8})", "replace": r"+250\1"}]
        register(world, smsc, mo_source_rules=back, mo_dest_rules=[{"match": "98080", "replace": "8080"}])
        own = {"dest_rules": [{"match": r"\+250(7[0-9]{8})", "replace": r"9\1", "ton": 2}]}
        world.aws.channel(CHANNEL, type="SMPP", config=own)
        registry.reset()
        world.put(1, to=phone)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
            await smsc.wait_for(lambda smsc: bool(smsc.messages))
            smsc.inject(source=theirs, to="98080", text="ok")
            await eventually(lambda: world.aws.depth(queues.EVENTS) == 3)
    assert [segment.to for segment in smsc.submits] == [theirs]
    events = [body["event"] for body in world.aws.bodies(queues.EVENTS)]
    (outcome,) = [event for event in events if event["kind"] == "outcome"]
    (receipt,) = [ReceiptEvent.model_validate(event) for event in events if event["kind"] == "status"]
    submit = rendezvous.Submit(MessageKey(channel=CHANNEL, id="1"), 0, outcome["destination"], 1)
    rendezvous.meet_outcome("fast", outcome["external_id"], submit)
    assert rendezvous.meet_receipt(receipt, 2) == submit
    (answer,) = [event for event in events if event["kind"] == "incoming"]
    assert (answer["message"]["sender"], answer["to"]) == (phone, "8080")


async def test_throttling_slows_the_link_and_fails_nothing(world: World) -> None:
    async with Simulator({"built_in": False, "destinations": {"7": {"status": "ESME_RTHROTTLED", "times": 1}}}) as smsc:
        register(world, smsc)
        world.put_many(40)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
    assert Counter(segment.to for segment in smsc.submits) == Counter(f"2507881{n:05d}" for n in range(1, 41))
    assert all(accepted for _, _, accepted, _ in world.outcomes())


async def test_a_link_that_is_dropped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SMSC takes a message and closes the connection: what was open is in doubt, and goes again."""
    monkeypatch.setattr(attempts, "BACKOFF", (1, 1, 1))
    async with Simulator({"built_in": False, "destinations": {"05": {"link": "close", "times": 1}}}) as smsc:
        register(world, smsc, window=4)
        world.put_many(10)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
    counts = Counter(segment.to for segment in smsc.submits)
    assert set(counts) == {f"2507881{n:05d}" for n in range(1, 11)}
    assert sum(counts.values()) - 10 <= 4
    assert len(world.outcomes()) == 10
    assert "in_doubt" in world.hops("5")
