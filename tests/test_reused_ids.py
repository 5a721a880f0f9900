"""λ record and external ids that several messages have: used again, or shared by what is sent in one second."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib import clock, queues, recording, rendezvous, telemetry
from chalicelib.messages import Status
from chalicelib.records import ReceiptEvent
from tests.support import Aws
from tests.test_recording import OTHER, PHONE, opened, outcome, receipt, state, tell, told
from tests.test_recording import gateway as gateway  # a fixture

DAYS = 86_400_000


def test_an_id_that_is_used_again_goes_by_the_phone_it_names(gateway: Aws) -> None:
    tell(gateway, outcome(opened(1, PHONE)), outcome(opened(2, OTHER), destination=OTHER))
    tell(gateway, receipt(destination=PHONE.lstrip("+")))
    assert told(gateway) == [("delivered", "1")]
    tell(gateway, receipt(status=Status.FAILED))  # names no phone: the newest
    assert told(gateway) == [("failed", "2")]


@pytest.mark.parametrize(
    ("came", "done", "phone", "expected"),
    [
        pytest.param(20, 19, PHONE, "1", id="done before the newer was accepted"),
        pytest.param(20, 19, "", "1", id="and it names no phone"),
        pytest.param(20, 20, PHONE, "2", id="done after it"),
        pytest.param(20, 19.5, PHONE, "2", id="half a day off: a time zone"),
        pytest.param(19, 0, PHONE, "1", id="came before the newer, without a date"),
        pytest.param(20, -400, PHONE, "2", id="a date before either: a clock that is wrong"),
        pytest.param(20, 400, PHONE, "2", id="a date to come"),
        pytest.param(-2, 0, PHONE, None, id="came before either"),
    ],
)
def test_an_id_that_is_used_again_goes_by_age(
    gateway: Aws, came: float, done: float, phone: str, expected: str | None
) -> None:
    start = clock.now_ms()
    for number, day in ((1, 0), (2, 20)):
        tell(gateway, outcome(opened(number), at=start + day * DAYS))
    late = receipt(destination=phone, at=int(start + done * DAYS) if done else 0)
    tell(gateway, late.model_copy(update={"at": int(start + came * DAYS) + 1_000}))
    assert told(gateway) == ([("delivered", expected)] if expected else [])
    assert len(rendezvous.unmatched("fast")) == (0 if expected else 1)


def test_a_receipt_that_was_taken_is_given_to_no_other_message(gateway: Aws) -> None:
    first = outcome(opened(1))
    early = receipt(destination=PHONE)
    tell(gateway, early, first)
    for delay in (1_000, 3 * DAYS):  # the id again, at once and days later
        tell(gateway, outcome(opened(2 + delay), at=clock.now_ms() + delay))
    for event in (early, first):
        gateway.put_raw(queues.EVENTS, queues.event_entry(event).body)
    assert gateway.run(queues.EVENTS, recording.record) == []
    assert told(gateway) == [("delivered", "1")]
    assert rendezvous.unmatched("fast") == []


@pytest.mark.parametrize(("waited", "expected"), [(60_000, True), (3_600_000, False)], ids=["a minute", "an hour"])
def test_an_orphan_waits_for_a_new_submit_only_as_long_as_a_race_lasts(
    gateway: Aws, waited: int, expected: bool
) -> None:
    tell(gateway, receipt(destination=PHONE), outcome(opened(), at=clock.now_ms() + waited))
    assert told(gateway) == ([("delivered", "7")] if expected else [])
    assert len(rendezvous.unmatched("fast")) == (0 if expected else 1)


# --- an id that several messages have: recipient and second ----------------------------------------------------------


def notice(status: Status = Status.DELIVERED, **fields: Any) -> ReceiptEvent:
    """A receipt of UCP or CIMD2, whose id is a recipient and a second."""
    return receipt(status=status, destination=PHONE, **fields).model_copy(update={"shared": True})


def test_each_receipt_of_a_shared_id_ends_the_oldest_that_has_not_ended(gateway: Aws) -> None:
    tell(gateway, *(outcome(opened(number)) for number in (1, 2, 3)))
    tell(gateway, notice(), notice(Status.SENT), notice(Status.FAILED), notice())
    assert told(gateway) == [("delivered", "1"), ("sent", "2"), ("failed", "2"), ("delivered", "3")]
    tell(gateway, notice())  # the SMSC repeats itself
    assert told(gateway) == []


def test_a_receipt_of_a_shared_id_given_again_finds_the_same_message(gateway: Aws) -> None:
    first = notice(Status.FAILED)
    tell(gateway, outcome(opened(1)), first, outcome(opened(2)))
    gateway.put_raw(queues.EVENTS, queues.event_entry(first).body)
    assert gateway.run(queues.EVENTS, recording.record) == []
    assert told(gateway) == [("failed", "1")]
    tell(gateway, notice())
    assert told(gateway) == [("delivered", "2")]


def test_parked_receipts_of_a_shared_id_are_dealt_out_one_by_one(gateway: Aws) -> None:
    tell(gateway, notice(Status.SENT), notice(), notice(Status.FAILED))
    first = outcome(opened(1))
    tell(gateway, first)
    assert len(rendezvous.unmatched("fast")) == 1
    gateway.put_raw(queues.EVENTS, queues.event_entry(first).body)
    assert gateway.run(queues.EVENTS, recording.record) == []
    tell(gateway, outcome(opened(2)))
    assert (state(1).status, state(2).status) == (Status.DELIVERED, Status.FAILED)
    assert rendezvous.unmatched("fast") == []


def test_all_parts_of_a_long_message_may_share_an_id(gateway: Aws) -> None:
    key = opened()
    tell(gateway, *(outcome(key, part=part, total=12) for part in range(12)), *(notice() for _ in range(11)))
    assert told(gateway) == []
    tell(gateway, notice())
    assert told(gateway) == [("delivered", "7")]


def test_what_is_forgotten_of_an_id_is_logged_and_counted(
    gateway: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    counted: list[tuple[str, str]] = []
    monkeypatch.setattr(telemetry, "count", lambda name, subject: counted.append((name, subject)))
    for number in range(5):  # an id that the SMSC gives anew every day
        submit = rendezvous.Submit(opened(number), 0, PHONE, clock.now_ms() + number * DAYS)
        assert rendezvous.meet_outcome("fast", "1", submit) == []
    assert [one.key.id for one in rendezvous.find("fast", "1")] == ["2", "3", "4"]
    for _ in range(rendezvous.MOST_PARKED + 1):
        assert rendezvous.meet_receipt(receipt("lost"), clock.now_ms()) is None
    assert len(rendezvous.unmatched("fast")) == rendezvous.MOST_PARKED
    assert counted == [("submits_forgotten", "fast")] * 2 + [("receipts_dropped", "fast")]
    logged = [record.getMessage() for record in caplog.records]
    assert logged == ["submit_forgotten"] * 2 + ["receipt_dropped"]
