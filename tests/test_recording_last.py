"""λ record and long messages of which a receipt of the last part alone was asked for: the other parts are silent."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from chalicelib import clock, ledger, queues, recording, rendezvous
from chalicelib.messages import Status
from chalicelib.records import Event, EventRecord, MessageKey, Outcome, ReceiptEvent
from tests.support import CHANNEL, Aws
from tests.test_recording import PHONE, opened, tell, told
from tests.test_recording import gateway as gateway  # a fixture
from tests.test_recording import receipt as recording_receipt

ACCEPTED = ("accepted", "accepted", "accepted")


def outcomes(key: MessageKey, *ends: str, name: str = "", **fields: Any) -> list[Event]:
    """The parts of a message as the relay tells them: accepted, or why not. Their ids are 0, 1, ... or all `name`."""
    last = len(ends) - 1
    return [
        Outcome(
            key=key, aggregator="fast", part=part, total=len(ends), destination=PHONE, at=clock.now_ms(),
            accepted=end == "accepted", external_id=(name or str(part)) if end == "accepted" else "",
            reason="" if end == "accepted" else end, **{"silent": part < last, **fields},
        )
        for part, end in enumerate(ends)
    ]  # fmt: skip


def receipt(external_id: int | str, status: Status = Status.DELIVERED, *, shared: bool = False) -> ReceiptEvent:
    told = recording_receipt(str(external_id), status, destination=PHONE)
    return told.model_copy(update={"shared": shared})


def test_the_last_parts_receipt_delivers_the_message_whatever_comes_first(gateway: Aws) -> None:
    """Every order of three acceptances and one receipt: told once, and not before the last of the four."""
    for number, order in enumerate(itertools.permutations(range(4))):
        events = [
            event.model_copy(update={"external_id": f"{number}-{part}"})
            for part, event in enumerate(outcomes(opened(number), *ACCEPTED))
            if isinstance(event, Outcome)
        ]
        all_of_them: list[Event] = [*events, receipt(f"{number}-2")]
        tell(gateway, *(all_of_them[index] for index in order[:-1]))
        assert told(gateway) == []
        tell(gateway, all_of_them[order[-1]])
        assert told(gateway) == [("delivered", str(number))]
    assert rendezvous.unmatched("fast") == []


@pytest.mark.parametrize(
    ("ends", "receipts", "expected"),
    [
        pytest.param(ACCEPTED, [], [], id="accepted alone"),
        pytest.param(ACCEPTED, [(2, Status.SENT), (2, Status.DELIVERED)], ["sent", "delivered"], id="sent first"),
        pytest.param(ACCEPTED, [(2, Status.FAILED)], ["failed"], id="the last part failed"),
        pytest.param(("no route", "accepted", "accepted"), [(2, Status.DELIVERED)], ["failed"], id="a part refused"),
        pytest.param(("accepted", "accepted", "no route"), [], ["failed"], id="the last part refused"),
        pytest.param(ACCEPTED, [(0, Status.DELIVERED), (2, Status.DELIVERED)], ["delivered"], id="one not asked for"),
        pytest.param(ACCEPTED, [(0, Status.DELIVERED), (1, Status.DELIVERED)], [], id="only those not asked for"),
        pytest.param(ACCEPTED, [(0, Status.SENT), (2, Status.DELIVERED)], ["delivered"], id="sent, not asked for"),
        pytest.param(ACCEPTED, [(1, Status.FAILED), (2, Status.DELIVERED)], ["failed"], id="failed, not asked for"),
        pytest.param(ACCEPTED, [(2, Status.DELIVERED), (1, Status.FAILED)], ["delivered"], id="failed too late"),
    ],
)
def test_a_message_is_as_far_as_the_parts_whose_receipt_was_asked_for(
    gateway: Aws, ends: tuple[str, ...], receipts: list[tuple[int, Status]], expected: list[str]
) -> None:
    tell(gateway, *outcomes(opened(), *ends), *(receipt(part, status) for part, status in receipts))
    assert told(gateway) == [(kind, "7") for kind in expected]
    found = ledger.get(CHANNEL, "7")
    assert found is not None
    assert found.status.value == (expected[-1] if expected else "wired")


def test_an_event_given_again_tells_nothing_again(gateway: Aws) -> None:
    events = [*outcomes(opened(), *ACCEPTED), receipt(2)]
    tell(gateway, *events)
    assert told(gateway) == [("delivered", "7")]
    for event in events:
        gateway.put_raw(queues.EVENTS, queues.event_entry(event).body)
    assert gateway.run(queues.EVENTS, recording.record) == []
    assert told(gateway) == []


def test_every_part_of_an_outcome_that_does_not_say_is_waited_for(gateway: Aws) -> None:
    """As outcomes of relays were before they said it."""
    before = outcomes(opened(), *ACCEPTED, silent=False)
    assert not any("silent" in EventRecord(event=event).to_body() for event in before)
    tell(gateway, *before, receipt(2), receipt(1))
    assert told(gateway) == []
    tell(gateway, receipt(0))
    assert told(gateway) == [("delivered", "7")]


def test_parts_submitted_before_and_after_the_account_was_changed(gateway: Aws) -> None:
    """The first was asked about, the second no more."""
    first, second, third = outcomes(opened(), *ACCEPTED)
    tell(gateway, first.model_copy(update={"silent": False}), second, third, receipt(2))
    assert told(gateway) == []
    tell(gateway, receipt(0))
    assert told(gateway) == [("delivered", "7")]


# --- one id for several parts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(4), ids=["receipt first", "early", "late", "receipt last"])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_the_one_receipt_of_a_shared_id_is_the_last_parts(gateway: Aws, order: tuple[int, ...], first: int) -> None:
    """A recipient and a second, of UCP and CIMD2: the parts of a message share them, and those of one that follows."""
    for number, status in ((7, Status.DELIVERED), (8, Status.FAILED)):
        parts = outcomes(opened(number), *ACCEPTED, name="x")
        events = [parts[index] for index in order]
        tell(gateway, *events[:first], receipt("x", status, shared=True), *events[first:])
        assert told(gateway) == [(status.value, str(number))]
        first = max(first, 1)  # before all of a message's outcomes, it is a repetition of that of the one before
    assert rendezvous.unmatched("fast") == []


def test_a_receipt_that_was_not_asked_for_and_shares_its_id_with_silent_parts_alone(gateway: Aws) -> None:
    """The last part went a second later, so that its id is another: what nobody waits for is parked."""
    *silent, last = outcomes(opened(), *ACCEPTED, name="x")
    tell(gateway, *silent, receipt("x", Status.SENT, shared=True), receipt("x", shared=True))
    assert [parked.external_id for parked in rendezvous.unmatched("fast")] == ["x"]
    tell(gateway, last.model_copy(update={"external_id": "y"}), receipt("y", shared=True))
    assert told(gateway) == [("delivered", "7")]


def test_receipts_of_a_shared_id_that_were_not_asked_for(gateway: Aws) -> None:
    """The SMSC tells of all three: the last part's first, as far as anybody can know."""
    key = opened()
    tell(gateway, *outcomes(key, *ACCEPTED, name="x"), *(receipt("x", shared=True) for _ in range(3)))
    assert told(gateway) == [("delivered", "7")]
    found = ledger.get(CHANNEL, "7")
    assert found is not None
    assert {part.rank for part in found.parts.values()} == {Status.DELIVERED.rank}
    first = receipt("x", Status.FAILED, shared=True)
    tell(gateway, *outcomes(opened(8), *ACCEPTED, name="x"), first, receipt("x", shared=True))
    gateway.put_raw(queues.EVENTS, queues.event_entry(first).body)  # finds the part that it ended
    assert gateway.run(queues.EVENTS, recording.record) == []
    assert told(gateway) == [("failed", "8")]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
@pytest.mark.parametrize("first", [True, False], ids=["outcomes first", "receipt first"])
def test_an_smsc_that_gives_all_parts_one_id(gateway: Aws, order: tuple[int, ...], first: bool) -> None:
    parts = outcomes(opened(), *ACCEPTED, name="x")
    events = [parts[index] for index in order]
    tell(gateway, *([*events, receipt("x")] if first else [receipt("x"), *events]))
    assert told(gateway) == [("delivered", "7")]
    assert rendezvous.unmatched("fast") == []
