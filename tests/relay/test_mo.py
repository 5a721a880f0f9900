"""MOs and DLRs: acknowledged to the SMSC when SQS has them, and not before."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chalicelib import queues, waypoints
from chalicelib.queues import Entry
from smsc_relay import arrivals
from smsc_relay import ends as ends_of_sessions
from tests.relay.conftest import World, eventually, relaying
from tests.relay.smsc import Smsc


def mo(text: str, sender: str = "+250788000001") -> dict[str, Any]:
    return {"from": sender, "text": text}


def told(world: World) -> list[dict[str, Any]]:
    """What phones and SMSC have sent: the events but the ends of sessions. Takes all out."""
    return [event for event in events(world) if event["kind"] != "session_end"]


def events(world: World) -> list[dict[str, Any]]:
    return [body["event"] for body in world.aws.bodies(queues.EVENTS)]


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
    found = told(world)
    assert sorted(event["kind"] for event in found) == ["incoming", "status"]
    incoming = next(event for event in found if event["kind"] == "incoming")
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
    messages = [event["message"] for event in told(world)]
    for phone in range(3):
        texts = [int(event["text"]) for event in messages if event["sender"].endswith(f"{phone}")]
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
    assert len(told(world)) == 1


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
    assert [event["message"]["text"] for event in told(world)] == ["0", "1", "2"]


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
    assert [event["message"]["text"] for event in told(world)] == ["good"]


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
    found = {event["message"]["text"]: event for event in told(world)}
    assert found["after"]["session"] != found["before"]["session"]
    assert found["before"]["at"] <= found["after"]["session_since"]


# --- what may come again --------------------------------------------------------------------------------------------


def ends(found: list[dict[str, Any]]) -> dict[str, tuple[int, int, int]]:
    """Of sessions: from when on an answer may not have arrived, from when on there was none, and when they ended."""
    return {
        one["session"]: (one["doubtful"], one["unanswered"], one["at"]) for one in found if one["kind"] == "session_end"
    }


def mos(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {event["message"]["text"]: event for event in found if event["kind"] == "incoming"}


async def test_what_had_no_answer_may_come_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQS is away, and then the connection is gone."""
    monkeypatch.setattr(ends_of_sessions, "HEARD", -1e9)  # all answers that were given have arrived
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying():
            await smsc.until(lambda: smsc.logins)
            smsc.deliver(mo("answered"))
            await smsc.until(lambda: smsc.answers)
            before = mos(events(world))["answered"]
            bring_back = world.without_events()
            smsc.deliver(mo("1"))
            smsc.deliver()  # the relay has read the one before when it answers this
            await smsc.until(lambda: len(smsc.answers) == 2)
            smsc.drop()
            await smsc.until(lambda: len(smsc.logins) == 2)
            bring_back()
            smsc.deliver(mo("again"))
            await smsc.until(lambda: len(smsc.answers) == 3)
    found = events(world)
    again = mos(found)["again"]
    doubtful, unanswered, end = again["ended"][before["session"]]
    assert before["at"] <= unanswered <= end < doubtful
    assert ends(found)[before["session"]] == (doubtful, unanswered, end)
    assert again["relay"] == before["relay"]


@pytest.mark.parametrize(
    ("heard", "doubted"),
    [pytest.param(1e9, True, id="just before the end"), pytest.param(-1e9, False, id="long before the last sign")],
)
async def test_an_answer_is_certain_when_the_smsc_was_heard_long_after(
    world: World, monkeypatch: pytest.MonkeyPatch, heard: float, *, doubted: bool
) -> None:
    monkeypatch.setattr(ends_of_sessions, "HEARD", heard)
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying():
            await smsc.until(lambda: smsc.logins)
            smsc.deliver(mo("1"))
            await smsc.until(lambda: smsc.answers)
            smsc.drop()
            await smsc.until(lambda: len(smsc.logins) == 2)
            smsc.deliver(mo("2"))
            await smsc.until(lambda: len(smsc.answers) == 2)
    found = events(world)
    first, second = mos(found)["1"], mos(found)["2"]
    assert (first["session"] in second.get("ended", {})) is doubted
    doubtful, unanswered, end = ends(found)[first["session"]]
    assert (doubtful <= first["at"]) is doubted
    assert unanswered > end
    assert doubted or doubtful > end


async def test_a_logout_that_is_answered_leaves_no_doubt(world: World) -> None:
    """The next task has another relay: it need not doubt what came just before it."""
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying():
            await smsc.until(lambda: smsc.logins)
            smsc.deliver(mo("1"))
            await smsc.until(lambda: smsc.answers)
        async with relaying():
            await smsc.until(lambda: len(smsc.logins) == 2)
            smsc.deliver(mo("2"))
            await smsc.until(lambda: len(smsc.answers) == 2)
    found = events(world)
    first, second = mos(found)["1"], mos(found)["2"]
    doubtful, unanswered, end = ends(found)[first["session"]]
    assert doubtful > end
    assert unanswered > end
    assert first["relay"] != second["relay"]
