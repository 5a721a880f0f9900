"""MOs and DLRs: acknowledged to the SMSC when SQS has them, and not before."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chalicelib import queues, waypoints
from chalicelib.queues import Entry
from smsc_relay import arrivals
from tests.relay.conftest import World, eventually, relaying
from tests.relay.smsc import Smsc


def mo(text: str, sender: str = "+250788000001") -> dict[str, Any]:
    return {"from": sender, "text": text}


async def test_what_arrives_is_queued_and_then_acknowledged(world: World) -> None:
    """At the moment when SQS has it, the SMSC has no answer yet."""
    seen: list[tuple[int, list[Any]]] = []

    async with Smsc() as smsc:
        world.account(smsc)

        def look(name: str) -> None:
            if name == "relay.mo_queued":
                seen.append((world.aws.depth(queues.EVENTS), list(smsc.answers)))

        waypoints.install(look)
        try:
            async with relaying():
                await smsc.until(lambda: smsc.logins)
                smsc.deliver(mo("hello"), {"id": "x1", "status": "delivered"})
                await smsc.until(lambda: smsc.answers)
        finally:
            waypoints.install(None)
    assert seen == [(2, []), (2, [])]
    assert smsc.answers == [("got", 1)]
    events = [body["event"] for body in world.aws.bodies(queues.EVENTS)]
    assert sorted(event["kind"] for event in events) == ["incoming", "status"]
    incoming = next(event for event in events if event["kind"] == "incoming")
    assert (incoming["aggregator"], incoming["to"], incoming["message"]["text"]) == ("fast", "8080", "hello")


async def test_nothing_for_us_is_acknowledged_too(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying():
            await smsc.until(lambda: smsc.logins)
            smsc.deliver()
            await smsc.until(lambda: smsc.answers)
    assert smsc.answers == [("got", 1)]


async def test_a_contacts_messages_stay_in_order(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying():
            await smsc.until(lambda: smsc.logins)
            for number in range(60):
                smsc.deliver(mo(f"{number}", f"+25078800000{number % 3}"))
            await smsc.until(lambda: len(smsc.answers) == 60)
    events = [body["event"]["message"] for body in world.aws.bodies(queues.EVENTS)]
    for phone in range(3):
        texts = [int(event["text"]) for event in events if event["sender"].endswith(f"{phone}")]
        assert texts == list(range(phone, 60, 3))


async def test_an_outage_of_sqs_is_waited_out(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying():
            await smsc.until(lambda: smsc.logins)
            bring_back = world.without_events()
            smsc.deliver(mo("hello"))
            smsc.deliver()  # what is not for us is answered meanwhile
            await smsc.until(lambda: smsc.answers)
            assert smsc.answers == [("got", 2)]
            bring_back()
            await smsc.until(lambda: len(smsc.answers) == 2)
    assert smsc.answers == [("got", 2), ("got", 1)]
    assert world.aws.depth(queues.EVENTS) == 1


async def test_in_a_long_outage_the_smsc_is_told_to_keep_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "PATIENCE", 0.5)
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying():
            await smsc.until(lambda: smsc.logins)
            bring_back = world.without_events()
            smsc.deliver(mo("hello"), mo("hello again"))
            await smsc.until(lambda: smsc.answers)
            bring_back()
    assert smsc.answers == [("keep", 1)]


async def test_more_than_can_be_kept_is_declined_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "MOST", 3)
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying():
            await smsc.until(lambda: smsc.logins)
            bring_back = world.without_events()
            for number in range(5):
                smsc.deliver(mo(f"{number}"))
            await smsc.until(lambda: len(smsc.answers) == 2)
            assert smsc.answers == [("keep", 4), ("keep", 5)]
            bring_back()
            await smsc.until(lambda: len(smsc.answers) == 5)
    assert [body["event"]["message"]["text"] for body in world.aws.bodies(queues.EVENTS)] == ["0", "1", "2"]


async def test_an_event_that_sqs_calls_invalid_is_kept_for_a_human_and_acknowledged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing stays without an answer because of what it says, and what came with it is not held up."""
    real = queues.event_entry

    def entry(event: Any) -> Entry:
        made = real(event)
        bad = '"bad"' in made.body  # not as digits of an id
        return Entry(made.body, "a group with spaces" if bad else made.group, made.dedup)

    monkeypatch.setattr(queues, "event_entry", entry)
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying():
            await smsc.until(lambda: smsc.logins)
            smsc.deliver(mo("bad"))
            smsc.deliver(mo("good", "+250788000002"))
            await smsc.until(lambda: len(smsc.answers) == 2)
            await eventually(lambda: world.aws.depth(queues.dlq_of(queues.EVENTS)) == 1)
    (dead,) = queues.receive(queues.dlq_of(queues.EVENTS), 30)
    assert '"bad"' in dead.body
    assert dead.reason.startswith("SQS refuses") or "did not take" in dead.reason
    assert [body["event"]["message"]["text"] for body in world.aws.bodies(queues.EVENTS)] == ["good"]


async def test_a_clock_that_jumps_does_not_move_what_arrives(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next session is known to have begun after what came in the one before."""
    real = time.time_ns
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying():
            await smsc.until(lambda: smsc.logins)
            monkeypatch.setattr(time, "time_ns", lambda: real() + 3_600_000_000_000)
            smsc.deliver(mo("before"))
            await smsc.until(lambda: smsc.answers)
            monkeypatch.setattr(time, "time_ns", real)
            smsc.drop()
            await smsc.until(lambda: len(smsc.logins) == 2)
            smsc.deliver(mo("after"))
            await smsc.until(lambda: len(smsc.answers) == 2)
    events = {body["event"]["message"]["text"]: body["event"] for body in world.aws.bodies(queues.EVENTS)}
    assert events["after"]["session"] != events["before"]["session"]
    assert events["before"]["at"] <= events["after"]["session_since"]
