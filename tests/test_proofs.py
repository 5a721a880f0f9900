"""Receipts that prove that a submit without an answer was accepted, in a real ledger."""

from __future__ import annotations

import pytest

from chalicelib import clock, ledger, proofs, recording, rendezvous
from chalicelib.ledger_items import PartState
from chalicelib.messages import NAMELESS, Status
from chalicelib.records import MessageKey
from tests.support import Aws
from tests.test_recording import OTHER, PHONE, opened, outcome, receipt, state, tell, told
from tests.test_recording import gateway as gateway  # a fixture

EARLIER = 60_000  # ms


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is parked has been for long enough, unless a test says otherwise."""
    monkeypatch.setattr(proofs, "SETTLED", 0)


def ago(ms: int = 1000) -> int:
    return clock.now_ms() - ms


def take(to: str, since: int, key: MessageKey, part: int = 0) -> str:
    """As somebody who reads the receipts for this part alone."""
    doubt = PartState.in_doubt(since, since + 1, silent=False)
    return proofs.take(proofs.Receipts("fast", since), to, key, part, doubt)


def doubtful(to: str, key: MessageKey, *parts: int) -> None:
    proofs.note("fast", to, [proofs.name_of(key, part) for part in parts])


def test_a_receipt_that_nobody_has_proves_the_submit_and_ends_its_message(gateway: Aws) -> None:
    submitted, key = ago(), opened()
    doubtful(PHONE, key, 0)
    tell(gateway, receipt("lost", destination=PHONE.lstrip("+")))
    assert take(PHONE, submitted, key) == "lost"
    assert proofs.in_doubt("fast", PHONE, 0) == set()
    assert take(PHONE, submitted, key) == "lost", "the one who asked may have died meanwhile"
    tell(gateway, outcome(key, "lost", at=submitted))
    assert told(gateway) == [("delivered", "7")]
    assert rendezvous.unmatched("fast") == []
    assert take(PHONE, submitted, opened(8)) == ""


def test_that_it_has_failed_proves_it_too(gateway: Aws) -> None:
    submitted, key = ago(), opened()
    tell(gateway, receipt("lost", Status.FAILED, destination=PHONE))
    assert take(PHONE, submitted, key) == "lost"


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
    assert take(PHONE, ago(), opened()) == ""


def test_what_has_just_come_proves_nothing_yet(gateway: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be ahead of its own answer."""
    submitted, key = ago(), opened()
    tell(gateway, receipt("early", destination=PHONE))
    monkeypatch.setattr(proofs, "SETTLED", 60_000)
    assert take(PHONE, submitted, key) == ""
    monkeypatch.setattr(proofs, "SETTLED", 0)
    assert take(PHONE, submitted, key) == "early"


def test_what_came_before_proves_nothing(gateway: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor what has waited under its id since then."""
    now = clock.now_ms()
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now_ms", lambda: now - EARLIER)
        tell(gateway, receipt("old", destination=PHONE))
    tell(gateway, receipt("old", destination=PHONE).model_copy(update={"at": now - EARLIER}))
    assert [one.external_id for one in rendezvous.unmatched("fast")] == ["old"] * 2
    assert take(PHONE, now, opened()) == ""
    assert take(PHONE, now - EARLIER, opened()) == "old"


def test_a_receipt_of_a_submit_that_is_known_proves_nothing(gateway: Aws) -> None:
    known, lost = opened(1), opened(2)
    tell(gateway, outcome(known), receipt(destination=PHONE), receipt("x", destination=OTHER))
    assert take(PHONE, ago(), lost) == ""
    assert take(OTHER, ago(), lost) == "", "the id has been given, to another phone"


def test_of_several_in_doubt_none_is_proven_by_what_may_be_another_s(gateway: Aws) -> None:
    """The SMSC has taken one of two, and nobody knows which."""
    submitted, first, second = ago(), opened(1), opened(2)
    doubtful(PHONE, first, 0)
    doubtful(PHONE, second, 0)
    tell(gateway, receipt("a", destination=PHONE))
    assert [take(PHONE, submitted, key) for key in (first, second)] == ["", ""]
    tell(gateway, receipt("b", destination=PHONE))
    assert sorted(take(PHONE, submitted, key) for key in (first, second)) == ["a", "b"]


def test_what_was_sent_again_is_another_of_what_was_in_doubt_by_then(gateway: Aws) -> None:
    """Its first copy may have been taken. What comes into doubt later is not held up by it."""
    submitted, first, second = ago(), opened(1), opened(2)
    doubtful(PHONE, first, 0, 1)
    doubtful(PHONE, second, 0)
    tell(gateway, receipt("a", destination=PHONE))
    assert take(PHONE, submitted, second) == ""
    names = [proofs.name_of(first, part) for part in (0, 1)]
    proofs.resent("fast", PHONE, names, submitted + 1)
    assert take(PHONE, submitted, second) == ""
    proofs.resent("fast", PHONE, [], submitted + 2 + proofs.PASSED)
    assert proofs.in_doubt("fast", PHONE, 0) == {proofs.name_of(second, 0)}
    assert take(PHONE, submitted, second) == "a"


def test_what_was_sent_again_before_holds_nothing_up(gateway: Aws) -> None:
    submitted, first, second = ago(), opened(1), opened(2)
    doubtful(PHONE, first, 0)
    proofs.resent("fast", PHONE, [proofs.name_of(first, 0)], submitted)
    tell(gateway, receipt("a", destination=PHONE))
    assert take(PHONE, submitted, second) == "a"


def test_two_receipts_of_one_id_are_one(gateway: Aws) -> None:
    """Buffered, and then delivered."""
    submitted, first, second = ago(), opened(1), opened(2)
    doubtful(PHONE, first, 0)
    doubtful(PHONE, second, 0)
    tell(gateway, receipt("a", Status.SENT, destination=PHONE), receipt("a", destination=PHONE))
    assert take(PHONE, submitted, first) == ""


def test_each_receipt_proves_one_part_of_one_message(gateway: Aws) -> None:
    submitted, keys = ago(), [opened(1), opened(2)]
    tell(gateway, receipt("a", destination=PHONE), receipt("b", destination=PHONE), receipt("c", destination=PHONE))
    found = [take(PHONE, submitted, key, part) for key in keys for part in (0, 1)]
    assert sorted(found) == ["", "a", "b", "c"]


@pytest.mark.parametrize(("misfits", "expected"), [(3, "lost"), (4, "")], ids=["few", "many"])
def test_where_receipts_fit_nothing_as_a_rule_they_prove_nothing(
    gateway: Aws, monkeypatch: pytest.MonkeyPatch, misfits: int, expected: str
) -> None:
    """The account's ids are written in two ways, and nobody has noticed."""
    monkeypatch.setattr(proofs, "DISTRUST", 3)
    now = clock.now_ms()
    with monkeypatch.context() as patch:
        patch.setattr(recording, "now_ms", lambda: now - EARLIER)
        tell(gateway, *(receipt(f"old{number}", destination=OTHER) for number in range(misfits)))
    tell(gateway, receipt("lost", destination=PHONE))
    assert take(PHONE, now, opened()) == expected


@pytest.mark.parametrize(("most", "expected"), [(3, "lost"), (2, "")], ids=["few", "many"])
def test_where_too_many_wait_none_proves_anything(
    gateway: Aws, monkeypatch: pytest.MonkeyPatch, most: int, expected: str
) -> None:
    monkeypatch.setattr(proofs, "MOST", most)
    submitted = ago()
    tell(gateway, receipt("lost", destination=PHONE), receipt("b", destination=OTHER), receipt("c", destination=OTHER))
    assert take(PHONE, submitted, opened()) == expected


# --- doubts in the ledger ---------------------------------------------------------------------------------------------


def test_of_several_doubts_the_first_submit_counts_and_the_last_doubt(gateway: Aws) -> None:
    key = opened()
    ledger.note_doubt(key, 1, PartState.in_doubt(100, 200, silent=True))
    ledger.note_doubt(key, 1, PartState.in_doubt(300, 400, silent=True))
    (part,) = state().parts.values()
    assert (part.until, part.trouble_since, part.silent, part.doubtful) == (100, 400, True, True)


def test_what_is_concluded_is_in_no_doubt(gateway: Aws) -> None:
    key = opened()
    tell(gateway, outcome(key))
    ledger.note_doubt(key, 0, PartState.in_doubt(100, 200, silent=False))
    assert state().parts[0].kind == "accepted"


def test_what_was_in_doubt_is_concluded(gateway: Aws) -> None:
    key = opened()
    ledger.note_doubt(key, 0, PartState.in_doubt(100, 200, silent=False))
    tell(gateway, outcome(key))
    assert (state().parts[0].kind, state().parts[0].doubtful) == ("accepted", False)


def test_a_claim_of_a_sender_is_no_doubt_of_the_relays(gateway: Aws) -> None:
    key = opened()
    ledger.claim(key, 0, 1, owner="λ", until=100, now=50)
    ledger.note_doubt(key, 0, PartState.in_doubt(100, 200, silent=False))
    assert not state().parts[0].doubtful


def test_a_sender_to_whom_the_message_moves_finds_the_doubt(gateway: Aws) -> None:
    key = opened()
    ledger.note_doubt(key, 0, PartState.in_doubt(100, 200, silent=False))
    assert ledger.claim(key, 0, 1, owner="λ", until=2**42, now=clock.now_ms()).in_doubt


def test_a_part_in_doubt_that_a_message_has_no_more_holds_nothing_up(gateway: Aws) -> None:
    """It was cut otherwise when it was sent again."""
    key = opened()
    for part in range(3):
        ledger.note_doubt(key, part, PartState.in_doubt(100, 200, silent=False))
    tell(gateway, *(outcome(key, f"x{part}", part=part, total=2) for part in range(2)))
    tell(gateway, *(receipt(f"x{part}") for part in range(2)))
    assert told(gateway) == [("delivered", "7")]
