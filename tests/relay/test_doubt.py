"""Submits that nobody knows the end of, and records that may be second copies."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest

from chalicelib import attempts, clock, ledger, queues
from chalicelib.ledger_items import PartState
from chalicelib.records import MessageKey
from tests.relay.conftest import LANE, World, eventually, received, relaying
from tests.relay.smsc import Smsc
from tests.support import CHANNEL


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "BACKOFF", (1, 1, 1))


async def test_a_dropped_link_fails_its_window_at_once_and_the_messages_go_again(world: World) -> None:
    """Only what was on the wire goes twice; nothing waits for answers that cannot come (response_timeout: 5 s)."""
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, window=4)
        world.put_many(10)
        async with relaying():
            await smsc.until(lambda: len(smsc.submits) == 4)
            smsc.answer = lambda said: {"id": said["id"]}
            open_window = smsc.ids()
            smsc.drop()
            await world.lane_empty()
    assert Counter(smsc.ids()) == Counter([*map(str, range(1, 11)), *open_window])
    assert "in_doubt" in world.hops(open_window[0])
    assert len(world.outcomes()) == 10


@pytest.mark.parametrize("policy", ["fail", "ask"])
async def test_in_doubt_otherwise(world: World, policy: str) -> None:
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, in_doubt=policy)
        world.put(1)
        async with relaying():
            await smsc.until(lambda: smsc.submits)
            smsc.drop()
            await world.lane_empty()
    outcomes = world.outcomes()
    dead = queues.receive(queues.dlq_of(LANE), 30)
    assert len(smsc.submits) == 1
    if policy == "fail":
        assert outcomes == [("1", 0, False, "in doubt: the SMSC has not answered")]
        assert not dead
    else:
        assert not outcomes
        assert [one.reason for one in dead] == ["in doubt: the SMSC has not answered, and the channel says ask"]


async def test_a_late_answer_is_an_outcome_and_the_message_is_not_sent_again(world: World) -> None:
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, response_timeout=1)
        world.put(1)
        async with relaying():
            await eventually(partial(_hop, world, "1", "in_doubt"))
            smsc.answer_open()
            await world.lane_empty()
    assert len(smsc.submits) == 1
    assert world.outcomes() == [("1", 0, True, "x1-0")]


async def test_a_late_refusal_is_an_outcome_too(world: World) -> None:
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, response_timeout=1)
        world.put(1)
        async with relaying():
            await eventually(partial(_hop, world, "1", "in_doubt"))
            smsc.answer_open("permanent")
            await world.lane_empty()
    assert len(smsc.submits) == 1
    assert world.outcomes() == [("1", 0, False, "as told")]


async def test_a_late_answer_counts_though_it_comes_when_its_message_is_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window opens, and what would be submitted then is the message that the same octets tell is accepted."""
    came = received(monkeypatch)
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, window=1, response_timeout=3)
        world.put_many(2)
        async with relaying():
            await eventually(lambda: came.count("1") == 2 and smsc.ids() == ["1", "2"])
            smsc.answer_open(first="2")
            await world.lane_empty()
    assert smsc.ids() == ["1", "2"]
    assert world.outcomes() == [("1", 0, True, "x1-0"), ("2", 0, True, "x2-0")]


def _hop(world: World, message_id: str, name: str) -> bool:
    return name in world.hops(message_id)


async def test_parts_that_were_accepted_are_not_sent_again(world: World) -> None:
    """The connection drops between the parts of one message: the ledger is told before the record goes back."""
    async with Smsc(lambda said: {"id": "first"} if said["part"] == 0 else None) as smsc:
        world.account(smsc, part=1, window=2)
        world.put(1, text="abc")
        async with relaying():
            await smsc.until(lambda: len(smsc.submits) >= 3)
            smsc.answer = lambda said: {"id": f"again{said['part']}"}
            smsc.drop()
            await world.lane_empty()
    assert Counter(said["part"] for said in smsc.submits) == Counter([0, 1, 2, 1, 2])
    assert [one[1:] for one in world.outcomes()] == [
        (0, True, "first"),
        (1, True, "again1"),
        (2, True, "again2"),
    ]
    state = ledger.get(CHANNEL, "1")
    assert state is not None
    assert state.parts[0].external_id == "first"


# --- copies ---------------------------------------------------------------------------------------------------------


def _conclude(key: MessageKey, total: int, **parts: str) -> None:
    for index, external_id in parts.items():
        state = PartState("accepted", external_id=external_id, rank=2, until=clock.now_ms())
        ledger.conclude_unclaimed(key, int(index[1:]), total, state, clock.now_ms())


@pytest.mark.parametrize("fields", [pytest.param({}, id="in time"), pytest.param({"expires_at": 1}, id="too old")])
async def test_a_copy_of_a_message_that_has_been_sent_is_told_again_not_sent(
    world: World, fields: dict[str, Any]
) -> None:
    """Nor has it failed because the copy came too late."""
    async with Smsc() as smsc:
        world.account(smsc)
        record, queue = world.record(1, suspect=True, **fields)
        _conclude(record.key, 1, p0="known")
        queues.send(queue, queues.lane_entry(record))
        world.put(2)
        async with relaying():
            await world.lane_empty()
    assert smsc.ids() == ["2"]
    events = [body["event"] for body in world.aws.bodies(queues.EVENTS)]
    (again,) = [event for event in events if event["key"]["id"] == "1"]
    assert again["external_id"] == "known"
    assert again["recorded"] is True  # what is in the ledger is not counted again


async def test_a_copy_of_a_message_sent_in_part_sends_the_rest(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc, part=1)
        record, queue = world.record(1, text="abc", suspect=True)
        _conclude(record.key, 3, p1="known")
        queues.send(queue, queues.lane_entry(record))
        async with relaying():
            await world.lane_empty()
    assert [said["part"] for said in smsc.submits] == [0, 2]
    assert [one[1] for one in world.outcomes()] == [0, 2]


async def test_a_message_cut_otherwise_meanwhile_is_not_mixed(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc, part=2)
        record, queue = world.record(1, text="abc", suspect=True)
        _conclude(record.key, 3, p1="known")
        queues.send(queue, queues.lane_entry(record))
        async with relaying():
            await world.lane_empty()
    assert not smsc.submits
    assert [(part, accepted) for _, part, accepted, _ in world.outcomes()] == [(0, False)]


async def test_a_record_of_an_older_generation_is_dropped(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc)
        record, queue = world.record(1, suspect=True)
        ledger.open_message(
            CHANNEL, "1", aggregator="fast", lane="lane-fast", destination="+1", now=clock.now_ms(), resend=True
        )
        queues.send(queue, queues.lane_entry(record))
        async with relaying():
            await world.lane_empty()
    assert not smsc.submits
    assert not world.outcomes()


async def test_a_record_given_a_second_time_is_looked_up(world: World) -> None:
    """It may have been sent by a relay that is no more."""
    async with Smsc() as smsc:
        world.account(smsc)
        record = world.put(1)
        _conclude(record.key, 1, p0="known")
        queues.hold(queues.received_from(world.aws.receive(LANE)), 0)
        async with relaying():
            await world.lane_empty()
    assert not smsc.submits
    assert world.outcomes() == [("1", 0, True, "known")]


async def test_two_copies_in_a_lane_are_one_message(world: World) -> None:
    """λ record may not have written the first one's outcome yet: the process remembers."""
    async with Smsc() as smsc:
        world.account(smsc)
        record, queue = world.record(1)
        copy = record.model_copy(update={"suspect": True})
        assert not any(queues.send_many(queue, [queues.lane_entry(record), queues.lane_entry(copy, copy="again")]))
        async with relaying():
            await world.lane_empty()
    assert len(smsc.submits) == 1
    assert len(world.outcomes()) == 1
