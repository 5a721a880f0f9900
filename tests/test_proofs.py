"""Receipts that prove that a submit without an answer was accepted, in a real ledger."""

from __future__ import annotations

import pytest

from chalicelib import clock, ledger, proofs, rendezvous
from chalicelib.ledger_items import PartState
from chalicelib.messages import NAMELESS, Status
from tests.support import Aws
from tests.test_recording import OTHER, PHONE, opened, outcome, receipt, state, tell, told
from tests.test_recording import gateway as gateway  # a fixture

EARLIER = 60_000  # ms


def since(ago: int = 1000) -> int:
    return clock.now_ms() - ago


def test_a_receipt_that_nobody_has_proves_the_submit_and_ends_its_message(gateway: Aws) -> None:
    submitted, key = since(), opened()
    tell(gateway, receipt("lost", destination=PHONE.lstrip("+")))
    assert proofs.take("fast", PHONE, submitted, key, 0) == "lost"
    assert proofs.take("fast", PHONE, submitted, key, 0) == "lost", "the one who asked may have died meanwhile"
    tell(gateway, outcome(key, "lost", at=submitted))
    assert told(gateway) == [("delivered", "7")]
    assert rendezvous.unmatched("fast") == []
    assert proofs.take("fast", PHONE, submitted, opened(8), 0) == ""


def test_that_it_has_failed_proves_it_too(gateway: Aws) -> None:
    submitted, key = since(), opened()
    tell(gateway, receipt("lost", Status.FAILED, destination=PHONE))
    assert proofs.take("fast", PHONE, submitted, key, 0) == "lost"


@pytest.mark.parametrize(
    ("external_id", "destination"),
    [
        pytest.param("lost", OTHER, id="of another phone"),
        pytest.param("lost", "", id="of it does not say which phone"),
        pytest.param(f"{NAMELESS} 1", PHONE, id="without an id"),
    ],
)
def test_what_proves_nothing(gateway: Aws, external_id: str, destination: str) -> None:
    tell(gateway, receipt(external_id, destination=destination))
    assert proofs.take("fast", PHONE, since(), opened(), 0) == ""


def test_what_came_before_proves_nothing(gateway: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor what has waited under its id since then."""
    now = clock.now_ms()
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now_ms", lambda: now - EARLIER)
        tell(gateway, receipt("old", destination=PHONE))
    assert [one.external_id for one in rendezvous.unmatched("fast")] == ["old"]
    assert proofs.take("fast", PHONE, now, opened(), 0) == ""
    assert proofs.take("fast", PHONE, now - EARLIER, opened(), 0) == "old"


def test_a_receipt_of_a_submit_that_is_known_proves_nothing(gateway: Aws) -> None:
    known, doubtful = opened(1), opened(2)
    tell(gateway, outcome(known), receipt(destination=PHONE), receipt("x", destination=OTHER))
    assert proofs.take("fast", PHONE, since(), doubtful, 0) == ""
    assert proofs.take("fast", OTHER, since(), doubtful, 0) == "", "the id has been given, to another phone"


def test_each_receipt_proves_one_part_of_one_message(gateway: Aws) -> None:
    submitted, keys = since(), [opened(1), opened(2)]
    tell(gateway, receipt("a", destination=PHONE), receipt("b", destination=PHONE), receipt("c", destination=PHONE))
    found = [proofs.take("fast", PHONE, submitted, key, part) for key in keys for part in (0, 1)]
    assert sorted(found) == ["", "a", "b", "c"]


# --- doubts in the ledger ---------------------------------------------------------------------------------------------


def test_of_several_doubts_the_first_submit_counts_and_the_last_doubt(gateway: Aws) -> None:
    key = opened()
    ledger.note_doubt(key, 1, 3, PartState.in_doubt(100, 200, silent=True))
    ledger.note_doubt(key, 1, 3, PartState.in_doubt(300, 400, silent=True))
    (part,) = state().parts.values()
    assert (part.until, part.trouble_since, part.silent, part.doubtful, state().total) == (100, 400, True, True, 3)


def test_what_is_concluded_is_in_no_doubt(gateway: Aws) -> None:
    key = opened()
    tell(gateway, outcome(key))
    ledger.note_doubt(key, 0, 1, PartState.in_doubt(100, 200, silent=False))
    assert state().parts[0].kind == "accepted"


def test_what_was_in_doubt_is_concluded(gateway: Aws) -> None:
    key = opened()
    ledger.note_doubt(key, 0, 1, PartState.in_doubt(100, 200, silent=False))
    tell(gateway, outcome(key))
    assert (state().parts[0].kind, state().parts[0].doubtful) == ("accepted", False)


def test_a_claim_of_a_sender_is_no_doubt_of_the_relays(gateway: Aws) -> None:
    key = opened()
    ledger.claim(key, 0, 1, owner="λ", until=100, now=50)
    ledger.note_doubt(key, 0, 1, PartState.in_doubt(100, 200, silent=False))
    assert not state().parts[0].doubtful


def test_a_sender_to_whom_the_message_moves_finds_the_doubt(gateway: Aws) -> None:
    key = opened()
    ledger.note_doubt(key, 0, 1, PartState.in_doubt(100, 200, silent=False))
    assert ledger.claim(key, 0, 1, owner="λ", until=2**42, now=clock.now_ms()).in_doubt
