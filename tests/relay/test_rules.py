"""The link's rules without sockets: pace, order, places, batches."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import pytest

from chalicelib.queues import Received
from chalicelib.records import LaneRecord, MessageKey
from smsc_relay.batches import Batches
from smsc_relay.deferred import ALTOGETHER, Deferred
from smsc_relay.jobs import Job, Memory, Part, reference
from smsc_relay.lanes import Places
from smsc_relay.order import Order
from smsc_relay.pace import Pace
from smsc_relay.protocol import Segment
from smsc_relay.returns import Hold
from tests.relay.toy import ToyConfig

CONFIG = ToyConfig(host="smsc.example.org", port=1)


def job(number: int, contact: str = "a", *, bulk: bool = False) -> Job:
    """A job of one contact."""
    key = MessageKey(channel="c", id=str(number))
    message: Any = {"id": number, "text": "m", "to": "+250788123123", "channel": 1}
    record = LaneRecord(key=key, message=message, aggregator="fast", lane="lane-fast", first_seen=1, expires_at=2)
    queue = "lane-fast-bulk.fifo" if bulk else "lane-fast.fifo"
    return Job(Received(f"m{number}", "h", "{}", contact, 1, 0, queue), record, CONFIG, 100.0, bulk=bulk)


def numbers(jobs: Sequence[Job]) -> list[int]:
    return [int(one.record.key.id) for one in jobs]


# --- pace -----------------------------------------------------------------------------------------------------------


def run(pace: Pace, seconds: float, takes: Callable[[float], bool], start: float = 0.0) -> tuple[int, int]:
    """Submit as fast as the pace allows to an SMSC that answers at once; (taken, throttled) in the last half."""
    now, taken, throttled = start, 0, 0
    while now < start + seconds:
        wait = pace.wait(now)
        if wait:
            now += wait
            continue
        pace.spend(now)
        good = takes(now)
        (pace.taken if good else pace.throttled)(now)
        if now >= start + seconds / 2:
            taken, throttled = taken + good, throttled + (not good)
        now += 0.0005
    return taken, throttled


def limited(rate: float) -> Callable[[float], bool]:
    """An SMSC that takes so many in each second of the clock."""
    seen: dict[int, int] = {}

    def takes(now: float) -> bool:
        seen[int(now)] = seen.get(int(now), 0) + 1
        return seen[int(now)] <= rate

    return takes


@pytest.mark.parametrize("rate", [0.5, 1, 7.5, 50, 400])
def test_the_pace_is_kept(rate: float) -> None:
    pace = Pace(rate, 0.0)
    taken, _ = run(pace, 40, lambda now: True)
    assert taken == pytest.approx(rate * 20, rel=0.02, abs=1)


@pytest.mark.parametrize("segments", [1, 3, 40])
def test_what_becomes_several_segments_takes_as_long(segments: int) -> None:
    pace, now, sent = Pace(10, 0.0), 0.0, 0
    while now < 40:
        pace.spend(now, segments)
        pace.taken(now, segments)
        sent += segments
        now += pace.wait(now)
    assert sent == pytest.approx(400, rel=0.02, abs=segments)
    assert pace.rate == 10


def test_segments_that_are_throttled_together_are_one_refusal_among_many() -> None:
    """The share is of segments, an epoch of submits."""
    pace = Pace(100, 0.0)
    for n in range(19):
        pace.taken(n / 19)
    pace.throttled(1.1, 19)
    assert pace.rate == pytest.approx(100 * 0.75, rel=0.05)


@pytest.mark.parametrize(("rate", "wait"), [(20, 2.0), (10, 4.0), (5, 4.0)], ids=["doubled", "as it was", "halved"])
def test_another_rate_shortens_the_wait_for_what_was_sent_before(rate: float, wait: float) -> None:
    pace = Pace(10, 0.0)
    pace.spend(0.0, 40)
    pace.limit_to(rate, 0.0)
    assert pace.wait(0.0) == pytest.approx(wait, abs=0.05)


@pytest.mark.parametrize(
    ("before", "after", "rate", "wait"),
    [
        pytest.param(None, 10, 10, 0.0, id="limited"),
        pytest.param(10, None, inf, 0.0, id="limited no more"),
        pytest.param(None, None, inf, 0.0, id="never limited"),
        pytest.param(10, 10, 10, 2.0, id="the same"),
    ],
)
def test_a_rate_comes_and_goes(before: float | None, after: float | None, rate: float, wait: float) -> None:
    pace = Pace(before, 0.0)
    pace.spend(0.0, 20)
    pace.limit_to(after, 0.0)
    assert (pace.limit, pace.rate) == (after or inf, rate)
    assert pace.wait(0.0) == pytest.approx(wait, abs=0.05)


def test_an_unlimited_rate_that_was_throttled_stays_so_when_a_limit_comes_and_goes() -> None:
    pace = Pace(None, 0.0)
    for n in range(100):
        pace.taken(n / 100)
    pace.throttled(1.0)
    slow = pace.rate
    pace.limit_to(2 * slow, 1.0)
    assert pace.rate == slow
    pace.limit_to(slow / 2, 1.0)
    assert pace.rate == slow / 4
    pace.limit_to(None, 1.0)
    assert pace.rate == slow / 4


def test_a_pace_that_was_not_used_is_not_saved_up() -> None:
    pace = Pace(10, 0.0)
    sent = 0
    while not pace.wait(100.0):
        pace.spend(100.0)
        sent += 1
    assert sent == 1


@pytest.mark.parametrize(
    ("configured", "limit", "least"),
    [
        pytest.param(100, 50, 0.9, id="configured too high"),
        pytest.param(None, 200, 0.9, id="not configured"),
        pytest.param(20, 50, 1.0, id="configured lower than the SMSC's"),
    ],
)
def test_it_settles_near_what_the_smsc_takes(configured: float | None, limit: float, least: float) -> None:
    taken, throttled = run(Pace(configured, 0.0), 120, limited(limit))
    assert taken / 60 >= least * min(limit, configured or inf) - 1
    assert throttled <= 0.35 * taken


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("configured", [100, None])
def test_stray_refusals_do_not_stop_it(configured: float | None, seed: int) -> None:
    """A fifth of all is throttled, whatever the rate: most of what the SMSC takes is sent."""
    dice = random.Random(seed)
    pace = Pace(configured, 0.0)
    taken, _ = run(pace, 240, lambda now: dice.random() >= 0.2)
    assert taken / 120 >= 0.6 * 0.8 * (configured or 100)


def test_what_looked_like_stray_refusals_may_become_a_limit() -> None:
    dice = random.Random(1)
    pace = Pace(None, 0.0)
    run(pace, 60, lambda now: dice.random() >= 0.2)
    taken, throttled = run(pace, 240, limited(50), start=60)
    assert taken / 120 >= 45
    assert throttled <= 0.5 * taken


@pytest.mark.parametrize("phase", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("configured", [400, None])
def test_when_the_smsc_takes_more_again_the_rate_follows_in_seconds(configured: float | None, phase: float) -> None:
    pace = Pace(configured, 0.0)
    run(pace, 30 + phase, limited(100))
    assert pace.rate < 200
    run(pace, 5, lambda now: True, start=30 + phase)
    assert pace.rate >= 400


@pytest.mark.parametrize("configured", [400, None])
def test_a_rate_below_the_limit_is_not_taken_for_the_end_of_it(configured: float | None) -> None:
    """That nothing is refused of less than is taken says nothing: the rate grows as slowly as ever."""
    smsc, pace = limited(100), Pace(configured, 0.0)
    run(pace, 30, smsc)
    pace.rate = 60.0
    run(pace, 3.5, smsc, start=30)
    assert 60 < pace.rate < 100


@pytest.mark.parametrize(
    ("configured", "granted", "seconds"), [(10, inf, 6.0), (50, inf, 5.0), (200, inf, 5.0), (None, 200, 5.0)]
)
@pytest.mark.parametrize("lasted", [25, 300.4])
def test_when_all_was_refused_the_rate_is_back_within_seconds(
    configured: float | None, granted: float, lasted: float, seconds: float
) -> None:
    smsc, pace = limited(granted), Pace(configured, 0.0)
    run(pace, 20, smsc)
    run(pace, lasted, lambda now: False, start=20)
    start = 20 + lasted
    run(pace, seconds, smsc, start=start)
    assert pace.rate >= 0.9 * (configured or granted)


@pytest.mark.parametrize("configured", [50, None])
def test_a_phone_whose_queue_is_full_slows_nobody(configured: float | None) -> None:
    """It is tried again and again, and nothing else is there to be sent."""
    pace = Pace(configured, 0.0)
    for at in (0.0, 0.3, 0.8, 2.0, 4.1, 6.4, 9.0, 11.5, 14.0, 17.0):
        pace.throttled(at, 1, "+250788123123")
    assert pace.rate >= 0.9 * (configured or inf)


def test_when_all_is_refused_it_asks_seldom_and_recovers() -> None:
    pace = Pace(100, 0.0)
    _, asked = run(pace, 60, lambda now: False)
    assert asked / 30 <= 10
    taken, _ = run(pace, 120, lambda now: True, start=60)
    assert taken / 60 == pytest.approx(100, rel=0.05)


def test_an_unlimited_link_is_unlimited_again() -> None:
    pace = Pace(None, 0.0)
    assert pace.wait(0.0) == 0
    for phone in ("1", "2", "3"):
        assert pace.rate == inf
        pace.throttled(0.0, 1, phone)
    assert pace.rate < inf
    run(pace, 60, lambda now: True)
    assert pace.rate == inf


@pytest.mark.parametrize(
    ("limit", "step", "at", "rate"),
    [
        pytest.param(100, 10, 0, 25, id="a quarter"),
        pytest.param(100, 10, 9.9, 25, id="for a step"),
        pytest.param(100, 10, 10, 50, id="then half"),
        pytest.param(100, 10, 20, 100, id="then all"),
        pytest.param(100, 3, 7, 100, id="sooner"),
        pytest.param(100, 10, 3600, 100, id="looked at late"),
        pytest.param(100, 0, 0, 100, id="not wanted"),
        pytest.param(None, 10, 0, 50, id="of what was taken before"),
        pytest.param(None, 10, 20, inf, id="unlimited in the end"),
    ],
)
def test_after_an_outage_the_rate_doubles_until_it_is_full(
    limit: float | None, step: float, at: float, rate: float
) -> None:
    pace = Pace(limit, 0.0, step)
    for n in range(201):
        pace.taken(n / 200)
    pace.restart(100.0)
    assert pace.allowed(100.0 + at) == pytest.approx(rate, rel=0.02)


def test_after_an_outage_no_more_is_sent_than_the_step_allows() -> None:
    pace = Pace(100, 0.0, 10)
    pace.restart(0.0)
    taken, _ = run(pace, 10, lambda now: True)
    assert taken == pytest.approx(125, rel=0.03)


def test_throttled_after_an_outage_it_goes_on_from_there() -> None:
    pace = Pace(100, 0.0, 10)
    pace.restart(0.0)
    pace.throttled(0.1)
    assert pace.allowed(30.0) <= 26
    run(pace, 60, lambda now: True, start=30)
    assert pace.rate == 100


def test_a_full_smsc_is_given_a_moment() -> None:
    pace = Pace(None, 0.0)
    pace.congested(89, 0.0)
    assert (pace.rate, pace.wait(0.0)) == (inf, 0)
    pace.congested(100, 0.0)
    assert pace.wait(0.0) > 0.9


# --- order ----------------------------------------------------------------------------------------------------------


def test_one_of_a_contact_at_a_time() -> None:
    order = Order()
    for one in (job(1), job(2), job(3, "b")):
        order.add(one)
    first, other = order.take(), order.take()
    assert first is not None
    assert other is not None
    assert numbers([first, other]) == [1, 3]
    assert order.take() is None
    order.remove(first)
    second = order.take()
    assert second is not None
    assert numbers([second]) == [2]


def test_what_must_be_looked_up_holds_up_its_contact_only() -> None:
    order = Order()
    suspect, behind, other = job(1), job(2), job(3, "b")
    suspect.checked = False
    for one in (suspect, behind, other):
        order.add(one)
    assert order.take() is other
    assert order.take() is None
    order.check_done(suspect)
    assert order.take() is suspect


def test_the_same_contact_in_the_other_lane_is_another_line() -> None:
    order = Order()
    order.add(job(1))
    order.add(job(2, bulk=True))
    assert len([one for one in (order.take(), order.take()) if one]) == 2


def test_removed_with_all_behind_it() -> None:
    order = Order()
    jobs = [job(number) for number in (1, 2, 3, 4)]
    for one in jobs:
        order.add(one)
    assert numbers(order.remove_from(jobs[1])) == [2, 3, 4]
    assert numbers(list(order)) == [1]


def test_bulk_has_each_tenth() -> None:
    order = Order()
    for number in range(60):
        order.add(job(number, f"r{number}"))
        order.add(job(100 + number, f"b{number}", bulk=True))
    taken = [order.take() for _ in range(60)]
    assert sum(one.bulk for one in taken if one) == 6


# --- places ---------------------------------------------------------------------------------------------------------


def test_no_more_is_asked_for_than_there_is_room() -> None:
    """However polls and answers come one after the other; and both lanes get their turn."""
    dice = random.Random(2)
    for window in (1, 3, 10, 100):
        capacity = window + 10
        places = Places(lambda capacity=capacity: capacity)  # type: ignore[misc]
        held: list[Job] = []
        polls: list[tuple[bool, int]] = []
        received = {False: 0, True: 0}
        for step in range(2000):
            bulk = dice.random() < 0.5
            if polls and dice.random() < 0.5:
                was_bulk, asked = polls.pop(dice.randrange(len(polls)))
                found = dice.choice((0, asked, dice.randint(0, asked)))
                places.answered(asked, found, bulk=was_bulk)
                for number in range(found):
                    held.append(job(step * 10 + number, bulk=was_bulk))
                    places.enter(held[-1])
                received[was_bulk] += found
            elif count := places.may_ask(bulk=bulk):
                places.asking(count, bulk=bulk)
                polls.append((bulk, count))
            assert len(held) + sum(count for _, count in polls) <= capacity
            while held and dice.random() < 0.5:
                places.weigh(held.pop(dice.randrange(len(held))), 0)
        assert min(received.values()) > 50


@pytest.mark.parametrize("capacity", [2, 11, 20, 110])
def test_neither_lane_shuts_out_the_other(capacity: int) -> None:
    """One lane takes all that it may have: the other may still ask."""
    for greedy in (False, True):
        places = Places(lambda: capacity)
        places.asking(0, bulk=False)
        places.answered(0, 0 if greedy else 5, bulk=False)  # replies are quiet, or not
        while count := places.may_ask(bulk=greedy):
            for number in range(count):
                places.enter(job(number, bulk=greedy))
        assert places.may_ask(bulk=not greedy) >= 1


def test_polls_go_side_by_side_while_they_find_enough() -> None:
    places = Places(lambda: 110)
    places.asking(10, bulk=True)
    assert places.may_ask(bulk=True) == 0, "nobody knows yet whether there is more"
    places.answered(10, 10, bulk=True)
    for _ in range(3):
        assert places.may_ask(bulk=True) == 10
        places.asking(10, bulk=True)
    places.answered(10, 3, bulk=True)
    assert places.may_ask(bulk=True) == 0


def test_without_a_bind_nothing_is_asked_for() -> None:
    places = Places(lambda: 0)
    assert [places.may_ask(bulk=bulk) for bulk in (False, True)] == [0, 0]


# --- batches --------------------------------------------------------------------------------------------------------


class Calls:
    """A call that fails as it is told, and notes what it was given."""

    def __init__(self, fails: Callable[[str], bool] = lambda item: False) -> None:
        self.fails = fails
        self.sent: list[list[str]] = []
        self.done: list[str] = []
        self.under_way: set[str] = set()

    async def send(self, items: Sequence[str]) -> list[Exception | None]:
        keys = [item[0] for item in items]
        assert not self.under_way & set(keys), "two of a key under way"
        assert len(set(keys)) == len(keys)
        self.under_way |= set(keys)
        await asyncio.sleep(0)
        self.under_way -= set(keys)
        self.sent.append(list(items))
        return [ConnectionError("no") if self.fails(item) else None for item in items]

    def settled(self, item: str, problem: Exception | None) -> bool:
        if problem is None:
            self.done.append(item)
        return problem is None


async def test_items_share_calls_and_keep_their_order_by_key() -> None:
    dice = random.Random(3)
    failed: set[str] = set()

    def fails(item: str) -> bool:
        if item in failed or dice.random() > 0.1:
            return False
        failed.add(item)
        return True

    calls = Calls(fails)
    batches: Batches[str] = Batches("test", calls.send, calls.settled)
    items = [f"{dice.choice('abcdefghijklmnop')}{number:03d}" for number in range(100)]
    for item in items:
        batches.put(item[0], item)
    await asyncio.wait_for(batches.idle(), 30)
    assert sorted(calls.done) == sorted(items)
    assert failed
    for key in "abcdefghijklmnop":
        assert [one for one in calls.done if one[0] == key] == [one for one in items if one[0] == key]
    assert max(len(call) for call in calls.sent) == 10


async def test_no_call_is_larger_than_sqs_takes() -> None:
    calls = Calls()
    batches: Batches[str] = Batches("test", calls.send, calls.settled, octets=lambda item: 400_000)
    for key in "abcde":
        batches.put(key, key)
    await batches.idle()
    assert [len(call) for call in calls.sent] == [2, 2, 1]


async def test_a_call_that_raises_goes_again() -> None:
    calls = Calls()
    raised: list[int] = []

    async def send(items: Sequence[str]) -> list[Exception | None]:
        if not raised:
            raised.append(1)
            raise OSError("AWS is away")
        return await calls.send(items)

    batches: Batches[str] = Batches("test", send, calls.settled)
    for item in ("a1", "a2", "b1"):
        batches.put(item[0], item)
    await asyncio.wait_for(batches.idle(), 10)
    assert calls.done == ["a1", "b1", "a2"]


# --- small ones -----------------------------------------------------------------------------------------------------


def test_throttled_segments_come_back_in_time_and_not_for_ever() -> None:
    deferred = Deferred()
    part = Part(job(1), Segment(0, 1, None))
    now, tries = 100.0, 0
    while (at := deferred.defer(part, now, 0.5)) is not None:
        assert not list(deferred.due(at - 0.001))
        assert list(deferred.due(at)) == [part]
        assert at <= 100 + ALTOGETHER
        now, tries = at, tries + 1
    assert tries >= 5


def test_a_reference_depends_on_the_message_alone() -> None:
    key = MessageKey(channel="c", id="1")
    assert reference(key) == reference(MessageKey(channel="c", id="1"))
    others = {reference(MessageKey(channel="c", id=str(number))) for number in range(200)}
    assert len(others) > 190
    assert all(0 <= one <= 0xFFFF for one in others)


def test_what_is_known_is_shared_by_all_copies_of_a_message() -> None:
    memory = Memory()
    key = MessageKey(channel="c", id="1")
    assert memory.of(key) is memory.of(MessageKey(channel="c", id="1"))
    assert memory.of(key) is not memory.of(MessageKey(channel="c", id="1", generation=2))


@pytest.mark.parametrize("response_timeout", [1.0, 5.0, 60.0, 600.0, 86_400.0])
def test_records_are_hidden_for_long_enough(response_timeout: float) -> None:
    """When a record is hidden for longer, what remains is enough for a submit; SQS takes twelve hours at most."""
    hold = Hold.over(response_timeout, spare=10, poll=10)
    assert hold.visibility <= 43_200
    remaining = hold.visibility - 10 - hold.half  # it may have been on its way for a poll's time
    assert remaining >= hold.needed
    assert hold.needed == response_timeout + 10 or hold.visibility == 43_200
