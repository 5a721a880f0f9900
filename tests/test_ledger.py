"""The ledger on a real table: who may send which part, what has become of it, and that it never goes back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from chalicelib import aws as clients
from chalicelib import clock, ledger, pauses
from chalicelib.ledger import Claim, LostClaim, Opened
from chalicelib.ledger_items import PartState
from chalicelib.messages import Status
from chalicelib.records import MessageKey
from chalicelib.settings import settings
from tests.support import CHANNEL

pytestmark = pytest.mark.usefixtures("aws")
T = TypeVar("T")
NOW = clock.now_ms()
KEY = MessageKey(channel=CHANNEL, id="7")
PK = {"pk": {"S": f"m#{CHANNEL}#7"}}
THREADS = 8


def opened(resend: bool = False, request: str = "", now: int = NOW, message_id: str = "7") -> Opened:
    return ledger.open_message(
        CHANNEL, message_id, aggregator="fast", lane="lane-fast", destination="+250788123123", now=now, resend=resend,
        request=request,
    )  # fmt: skip


def claim(part: int = 0, *, owner: str = "a", at: int = 0, lasts: int = 30_000, total: int = 3, **more: Any) -> Claim:
    """Claim a part at `at` ms after NOW."""
    key = more.pop("key", KEY)
    return ledger.claim(key, part, total, owner=owner, until=NOW + at + lasts, now=NOW + at, **more)


def state() -> ledger.MessageState:
    found = ledger.get(CHANNEL, "7")
    assert found is not None
    return found


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Run the calls on threads that start together."""
    barrier, found, wrong = threading.Barrier(len(calls)), [], []

    def run(call: Callable[[], T]) -> None:
        barrier.wait(30)
        try:
            found.append(call())
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    return found


# --- opening --------------------------------------------------------------------------------------------------------


def test_a_message_is_opened_once() -> None:
    first = opened()
    assert first == Opened(KEY, True, False, Status.QUEUED)
    assert opened() == Opened(KEY, False, False, Status.QUEUED, "fast", "lane-fast")
    ledger.mark_forwarded(KEY)
    assert opened() == Opened(KEY, False, True, Status.QUEUED, "fast", "lane-fast")
    found = state()
    assert (found.aggregator, found.lane, found.destination, found.opened_at) == (
        "fast", "lane-fast", "+250788123123", NOW,
    )  # fmt: skip


def test_the_same_id_of_another_channel_is_another_message() -> None:
    opened()
    other = CHANNEL.replace("6f1d", "7f1d")
    assert ledger.open_message(other, "7", aggregator="fast", lane="l", destination="1", now=NOW).fresh


@pytest.mark.parametrize("rank", [Status.WIRED, Status.SENT, Status.DELIVERED])
def test_an_accepted_message_tells_how_far_it_is(rank: Status) -> None:
    opened()
    ledger.settle(KEY, rank)
    assert opened() == Opened(KEY, False, False, rank, "fast", "lane-fast")


def test_after_a_failure_the_same_id_is_a_new_generation() -> None:
    opened()
    claim(0, total=1)
    ledger.fail(KEY, 0, 1, "a", "no route", "7", NOW)
    ledger.settle(KEY, Status.FAILED)
    ledger.mark_forwarded(KEY)
    again = opened(now=NOW + 5)
    assert again == Opened(KEY.model_copy(update={"generation": 2}), True, False, Status.QUEUED)
    found = state()
    assert (found.parts, found.total, found.shape, found.status, found.forwarded, found.opened_at) == (
        {}, 0, "", Status.QUEUED, False, NOW + 5,
    )  # fmt: skip
    assert opened() == Opened(again.key, False, False, Status.QUEUED, "fast", "lane-fast")


def test_resend_is_a_new_generation_whatever_has_become_of_the_last() -> None:
    opened()
    ledger.settle(KEY, Status.DELIVERED)
    assert opened(resend=True).key.generation == 2
    assert opened(resend=True).key.generation == 3


def test_one_request_given_twice_opens_one_generation() -> None:
    """SQS may give the record of a resend again."""
    opened(request="m-1")
    assert opened(resend=True, request="m-2").key.generation == 2
    again = opened(resend=True, request="m-2")
    assert (again.key.generation, again.fresh) == (2, False)
    ledger.settle(again.key, Status.FAILED)
    assert opened(request="m-2").key.generation == 2
    assert opened(request="m-3").key.generation == 3


def test_an_older_generation_changes_nothing() -> None:
    opened()
    claim(0, total=1)
    new = opened(resend=True).key
    assert claim(0).kind == "stale"
    claim(0, key=new, owner="a", total=1)
    claimed = state().parts
    with pytest.raises(LostClaim):
        ledger.accept(KEY, 0, 1, "a", "x", NOW)
    ledger.mark_forwarded(KEY)
    assert not ledger.settle(KEY, Status.FAILED)
    assert ledger.raise_status(KEY, None, Status.DELIVERED) is None
    assert ledger.conclude_unclaimed(KEY, 0, 1, PartState("failed", rank=5), NOW) is None
    found = state()
    assert (found.key, found.parts, found.status, found.forwarded) == (new, claimed, Status.QUEUED, False)
    assert claimed[0].kind == "claimed"


# --- claims ---------------------------------------------------------------------------------------------------------


def test_a_claim_keeps_others_out_until_it_ends() -> None:
    opened()
    assert claim(owner="a").kind == "granted"
    held = claim(owner="b", at=30_000)
    assert (held.kind, held.held_until) == ("held", NOW + 30_000)
    assert claim(owner="a", at=1).kind == "held"  # nor does its owner get it twice
    late = claim(owner="b", at=30_001)
    assert (late.kind, late.in_doubt) == ("granted", True)


def test_a_fresh_claim_is_not_in_doubt() -> None:
    opened()
    assert not claim().in_doubt


def test_the_first_claim_decides_how_the_message_is_cut() -> None:
    opened()
    first = claim(0, total=3, shape="ucs2:abc")
    assert (first.total, first.shape) == (3, "ucs2:abc")
    second = claim(1, total=2, shape="gsm7:def")
    assert (second.kind, second.total, second.shape) == ("granted", 3, "ucs2:abc")
    assert (state().total, state().shape) == (3, "ucs2:abc")


def test_an_accepted_part_stays_so_and_tells_its_id() -> None:
    opened()
    claim(0, shape="s")
    ledger.accept(KEY, 0, 3, "a", "x-1", NOW)
    found = claim(0, owner="b", at=99_000)
    assert (found.kind, found.external_id, found.shape, found.total) == ("accepted", "x-1", "s", 3)
    assert state().parts[0] == PartState("accepted", external_id="x-1", rank=Status.WIRED.rank, until=NOW)


def test_a_failed_part_stays_so_and_says_why() -> None:
    opened()
    claim(0)
    ledger.fail(KEY, 0, 3, "a", "no route", "7", NOW)
    found = claim(0, owner="b", at=99_000)
    assert (found.kind, found.reason, found.code) == ("failed", "no route", "7")


def test_a_part_that_was_given_back_is_free_and_remembers_its_trouble() -> None:
    opened()
    claim(0)
    ledger.release(KEY, 0, "a", NOW + 5_000, "busy", NOW, trouble_since=NOW - 1)
    found = claim(0, owner="b", at=1)
    assert (found.kind, found.in_doubt, found.trouble_since) == ("granted", False, NOW - 1)


@pytest.mark.parametrize(
    "conclude",
    [
        pytest.param(lambda: ledger.accept(KEY, 0, 1, "a", "x", NOW), id="accept"),
        pytest.param(lambda: ledger.fail(KEY, 0, 1, "a", "no", "", NOW), id="fail"),
        pytest.param(lambda: ledger.release(KEY, 0, "a", NOW, "busy", NOW), id="release"),
    ],
)
@pytest.mark.parametrize("lost", ["never claimed", "another's", "concluded", "unknown message"])
def test_only_the_owner_concludes(conclude: Callable[[], None], lost: str) -> None:
    if lost != "unknown message":
        opened()
    if lost == "another's":
        claim(owner="a", total=1)
        claim(owner="b", at=30_001, total=1)
    if lost == "concluded":
        claim(owner="a", total=1)
        ledger.accept(KEY, 0, 1, "a", "first", NOW)
    before = ledger.get(CHANNEL, "7")
    with pytest.raises(LostClaim):
        conclude()
    assert ledger.get(CHANNEL, "7") == before


def test_a_record_older_than_the_ledgers_memory_is_sent_once_not_never() -> None:
    old = KEY.model_copy(update={"generation": 4})
    assert claim(key=old).kind == "granted"
    assert claim(key=old, owner="b").kind == "held"
    ledger.accept(old, 0, 3, "a", "x", NOW)
    assert claim(key=old, owner="b", at=99_000).kind == "accepted"
    assert state().key == old


def test_an_item_past_its_time_is_gone_though_dynamodb_has_not_yet_removed_it() -> None:
    opened(now=NOW - (ledger.KEEP + 60) * 1000)
    assert ledger.get(CHANNEL, "7") is None


def octets(value: Any) -> int:
    """Size of an attribute as DynamoDB counts it (developer guide, "DynamoDB item sizes and formats")."""
    ((kind, content),) = value.items()
    if kind == "M":
        return 3 + sum(1 + len(name) + octets(inner) for name, inner in content.items())
    return {"S": len(str(content).encode()), "N": len(str(content)) // 2 + 1, "BOOL": 1}[kind]


def test_an_item_stays_below_the_unit_that_a_write_costs() -> None:
    """1 KiB, for a message of five parts under ids as long as UUIDs."""
    opened(request="9a7f1d2c-9a44-4e0b-8c55-2f7a90b1d3e4")
    for part in range(5):
        claim(part, total=5, shape="gsm7:" + "0" * 16)
        ledger.accept(KEY, part, 5, "a", f"{part}a7f1d2c-9a44-4e0b-8c55-2f7a90b1d3e4", NOW)
    item = clients.dynamodb().get_item(TableName=settings().table("ledger"), Key=PK)["Item"]
    assert sum(len(name) + octets(value) for name, value in item.items()) < 1024


# --- one wins -------------------------------------------------------------------------------------------------------


def test_of_many_that_open_one_is_first() -> None:
    found = at_once(*[lambda: opened(request="r")] * THREADS)
    assert sorted(one.fresh for one in found) == [False] * (THREADS - 1) + [True]
    assert {one.key for one in found} == {KEY}


def test_of_many_that_open_after_a_failure_one_is_first() -> None:
    opened()
    ledger.settle(KEY, Status.FAILED)
    found = at_once(*[lambda n=n: opened(request=f"r{n}") for n in range(THREADS)])
    assert sorted(one.fresh for one in found) == [False] * (THREADS - 1) + [True]
    assert {one.key.generation for one in found} == {2}


def test_of_many_that_claim_one_gets_it() -> None:
    opened()
    found = at_once(*[lambda n=n: claim(owner=f"o{n}") for n in range(THREADS)])
    assert sorted(one.kind for one in found) == ["granted"] + ["held"] * (THREADS - 1)


def test_of_many_that_take_over_a_lapsed_claim_one_gets_it() -> None:
    opened()
    claim(owner="dead")
    found = at_once(*[lambda n=n: claim(owner=f"o{n}", at=31_000) for n in range(THREADS)])
    granted = [one for one in found if one.kind == "granted"]
    assert len(granted) == 1
    assert granted[0].in_doubt


def test_many_parts_at_once_all_count() -> None:
    opened()

    def send(part: int) -> str:
        kind = claim(part, owner=f"o{part}", total=THREADS).kind
        ledger.accept(KEY, part, THREADS, f"o{part}", f"x{part}", NOW)
        return kind

    assert at_once(*[lambda n=n: send(n) for n in range(THREADS)]) == ["granted"] * THREADS
    assert {n: part.external_id for n, part in state().parts.items()} == {n: f"x{n}" for n in range(THREADS)}
    assert state().overall() is Status.WIRED


def test_of_many_probes_one_goes() -> None:
    pauses.pause_lane("fast", "no balance", NOW)
    due = NOW + pauses.PROBE_EVERY
    assert sorted(at_once(*[lambda: pauses.claim_probe("fast", due)] * THREADS)) == [False] * (THREADS - 1) + [True]


# --- ranks ----------------------------------------------------------------------------------------------------------


def wired(parts: int = 1) -> None:
    opened()
    for part in range(parts):
        claim(part, total=parts)
        ledger.accept(KEY, part, parts, "a", f"x{part}", NOW)


@pytest.mark.parametrize(
    ("told", "overall"),
    [
        pytest.param([Status.SENT, Status.DELIVERED], Status.DELIVERED, id="in order"),
        pytest.param([Status.DELIVERED, Status.SENT], Status.DELIVERED, id="sent after delivered"),
        pytest.param([Status.DELIVERED, Status.FAILED], Status.DELIVERED, id="delivered is final"),
        pytest.param([Status.FAILED, Status.DELIVERED], Status.FAILED, id="failed is final"),
        pytest.param([Status.SENT, Status.WIRED, Status.QUEUED], Status.SENT, id="lower ones"),
        pytest.param([Status.SENT, Status.SENT], Status.SENT, id="twice"),
    ],
)
@pytest.mark.parametrize("part", [0, None])
def test_a_status_never_goes_back(told: list[Status], overall: Status, part: int | None) -> None:
    wired()
    found = [ledger.raise_status(KEY, part, status) for status in told][-1]
    assert found is not None
    assert found.overall() is overall
    assert state().overall() is overall


@pytest.mark.parametrize(
    ("ranks", "whole", "overall"),
    [
        pytest.param([Status.DELIVERED, Status.DELIVERED], None, Status.DELIVERED, id="all delivered"),
        pytest.param([Status.DELIVERED, Status.SENT], None, Status.SENT, id="as far as the least"),
        pytest.param([Status.DELIVERED], None, Status.WIRED, id="the other is wired"),
        pytest.param([Status.DELIVERED, Status.FAILED], None, Status.FAILED, id="failed when one is"),
        pytest.param([], Status.DELIVERED, Status.DELIVERED, id="told of the whole message"),
        pytest.param([Status.FAILED], Status.DELIVERED, Status.FAILED, id="a part failed"),
        pytest.param([Status.SENT], Status.FAILED, Status.FAILED, id="the whole message failed"),
    ],
)
def test_a_message_is_as_far_as_its_parts(ranks: list[Status], whole: Status | None, overall: Status) -> None:
    wired(2)
    for part, status in enumerate(ranks):
        ledger.raise_status(KEY, part, status)
    if whole:
        ledger.raise_status(KEY, None, whole)
    assert state().overall() is overall


def test_parts_that_were_not_tried_hold_the_message_back() -> None:
    opened()
    claim(0, total=2)
    ledger.accept(KEY, 0, 2, "a", "x0", NOW)
    ledger.raise_status(KEY, 0, Status.DELIVERED)
    assert state().overall() is Status.QUEUED


def test_a_receipts_code_is_kept() -> None:
    wired()
    ledger.raise_status(KEY, 0, Status.FAILED, "c" * 100)
    assert state().parts[0].code == "c" * 64


def test_what_the_ledger_does_not_know_it_does_not_raise() -> None:
    assert ledger.raise_status(KEY, None, Status.SENT) is None
    assert ledger.raise_status(KEY, 0, Status.SENT) is None
    wired()
    assert ledger.raise_status(KEY, 5, Status.SENT) is None
    assert set(state().parts) == {0}


def test_a_status_is_settled_once_and_upwards() -> None:
    opened()
    assert [ledger.settle(KEY, status) for status in (
        Status.WIRED, Status.SENT, Status.SENT, Status.WIRED, Status.DELIVERED, Status.DELIVERED, Status.FAILED,
    )] == [True, True, False, False, True, False, False]  # fmt: skip
    assert state().status is Status.DELIVERED


# --- outcomes of the relay ------------------------------------------------------------------------------------------

ACCEPTED = PartState("accepted", external_id="x", rank=Status.WIRED.rank, until=NOW)
FAILED = PartState("failed", reason="no route", rank=Status.FAILED.rank, until=NOW)


def test_an_outcome_without_a_claim_is_recorded_once() -> None:
    opened()
    for part in (ACCEPTED, FAILED):
        found = ledger.conclude_unclaimed(KEY, 0, 1, part, NOW)
        assert found is not None
        assert (found.parts[0], found.total) == (ACCEPTED, 1)


def test_an_outcome_of_a_message_that_the_ledger_has_forgotten_is_kept() -> None:
    found = ledger.conclude_unclaimed(KEY, 0, 1, FAILED, NOW)
    assert found is not None
    assert (found.overall(), state().parts[0]) == (Status.FAILED, FAILED)


# --- pauses ---------------------------------------------------------------------------------------------------------


def test_a_pause_keeps_its_beginning_and_takes_the_newest_reason() -> None:
    assert pauses.lane_pause("fast") is None
    pauses.pause_lane("fast", "no balance", NOW)
    pauses.pause_lane("fast", "wrong password", NOW + 10)
    expected = pauses.Pause("fast", "wrong password", NOW, NOW + 10 + pauses.PROBE_EVERY)
    assert pauses.lane_pause("fast") == expected
    pauses.pause_lane("slow", "no balance", NOW + 20)
    assert [(pause.aggregator, pause.reason) for pause in pauses.lanes_paused()] == [
        ("fast", "wrong password"), ("slow", "no balance"),
    ]  # fmt: skip
    pauses.resume_lane("fast")
    assert pauses.lane_pause("fast") is None
    assert [pause.aggregator for pause in pauses.lanes_paused()] == ["slow"]


def test_a_probe_goes_when_it_is_due_and_the_next_a_minute_later() -> None:
    assert not pauses.claim_probe("fast", NOW)  # nothing is paused
    pauses.pause_lane("fast", "no balance", NOW)
    due = NOW + pauses.PROBE_EVERY
    assert [pauses.claim_probe("fast", at) for at in (due - 1, due, due, due + pauses.PROBE_EVERY)] == [
        False, True, False, True,
    ]  # fmt: skip
