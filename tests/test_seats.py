"""An aggregator whose every call hangs, beside others: its lane is its own, and a shared lane is its own to a share."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib import attempts, channels, depths, ledger, pacing, queues, seats, sending
from chalicelib.attempts import Aside, Hold, Standing
from chalicelib.clock import now_ms
from chalicelib.records import LaneRecord
from chalicelib.settings import SettingsError, settings
from local.lambdas import Mapping
from tests.lane import DAY, Scripted
from tests.support import CHANNEL, Aws, Context
from tests.web import Asked, Site, serve

SHARED = "lane-shared.fifo"
SICK, SMALL, OWN = (CHANNEL.replace("6f1d", digits) for digits in ("1111", "2222", "3333"))
NOW = 1_800_000_000_000


def accepted(asked: Asked) -> tuple[int, str]:
    return 200, json.dumps({"outcome": "accepted", "id": f"x{asked.form['id']}"})


class Hanging:
    """An aggregator that takes every request and answers none until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.at_once = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> tuple[int, str]:
        with self._lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.let_go.wait(60)
        with self._lock:
            self.at_once -= 1
        raise ConnectionAbortedError


class Sites:
    """Three aggregators: one hangs and one is quick on the shared lane, a third has a lane of its own."""

    def __init__(self, sick: Site, small: Site, own: Site) -> None:
        self.sick, self.small, self.own = sick, small, own


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    one = Hanging()
    yield one
    one.let_go.set()


@pytest.fixture
def sites(aws: Aws, hanging: Hanging, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sites]:
    known = channels.load
    monkeypatch.setattr(channels, "load", lambda code: Scripted if code == "XX" else known(code))
    with serve(hanging) as sick, serve(accepted) as small, serve(accepted) as own:
        for name, uuid, site, lane in (
            ("sick", SICK, sick, "shared"), ("small", SMALL, small, "shared"), ("fast", OWN, own, "own"),
        ):  # fmt: skip
            aws.aggregator(name, "XX", lane=lane, config={"url": site.url})
            aws.channel(uuid, type="XX", aggregator=name, address=f"80{name}")
        yield Sites(sick, small, own)
        hanging.let_go.set()


def put(channel: str, aggregator: str, number: str, to: str, lane: str = "lane-shared") -> None:
    """Into a lane, as λ route does."""
    now = now_ms()
    key = ledger.open_message(channel, number, aggregator=aggregator, lane=lane, destination=to, now=now).key
    message: Any = {"id": number, "text": "m", "to": to, "from": "8080", "channel": channel}
    record = LaneRecord(
        key=key, message=message, aggregator=aggregator, lane=lane, first_seen=now, expires_at=now + DAY
    )
    queues.send(queues.lane_queue(lane), queues.lane_entry(record))


def phone(number: int) -> str:
    return f"+25078800{number:04d}"


def kept(queue: str) -> tuple[int, int, int]:
    """Messages of a queue: visible, in flight, delayed."""
    depth = depths.of(queue)
    assert depth is not None
    return depth.visible, depth.in_flight, depth.delayed


def until(condition: Any, what: str, seconds: float = 120) -> None:
    """Await a condition that other threads bring about."""
    look = threading.Event()
    for _ in range(round(seconds / 0.02)):
        if condition():
            return
        look.wait(0.02)
    raise AssertionError(f"never: {what}")


def test_one_that_hangs_takes_its_share_of_a_shared_lane_and_nothing_of_another(
    aws: Aws, sites: Sites, hanging: Hanging
) -> None:
    """Four runs at a time, and enough for the one that hangs to fill them all; every other contact gets two messages,
    the second of which waits for the first to leave the lane."""
    for number in range(45):
        put(SICK, "sick", f"s{number}", phone(number))
    for number in range(20):
        put(SMALL, "small", f"a{number}", phone(number))
        put(OWN, "fast", f"o{number}", phone(number), "lane-fast")
    for number in range(20):
        put(SMALL, "small", f"b{number}", phone(number))
    stop = threading.Event()
    runs = [Mapping(queue, sending.send, stop) for queue in [SHARED] * 4 + ["lane-fast.fifo"] * 2]
    try:
        for run in runs:
            run.start()
        until(lambda: hanging.at_once >= 1, "the hanging aggregator is asked")
        until(lambda: len(sites.own.asked) == 20, "the lane beside it is done")
        until(lambda: len(sites.small.asked) == 40, "the others on its lane are done")
        assert not hanging.let_go.is_set()  # nobody has waited for it
        assert 1 <= hanging.most <= 10  # one run: ten contacts side by side
    finally:
        stop.set()
        hanging.let_go.set()
        for run in runs:
            run.join(60)
    ids = [asked.form["id"] for asked in sites.small.asked]
    assert sorted(ids) == sorted([f"{kind}{number}" for kind in "ab" for number in range(20)])
    assert all(ids.index(f"a{number}") < ids.index(f"b{number}") for number in range(20))
    told = [event["event"] for event in aws.bodies(queues.EVENTS)]
    assert {event["aggregator"] for event in told if event["kind"] == "outcome"} == {"small", "fast"}
    assert sum(kept(SHARED)) + sum(kept(queues.LATER)) == 45  # nothing is lost


def test_who_finds_no_seat_waits_books_nothing_and_asks_nobody(aws: Aws, sites: Sites) -> None:
    aws.aggregator("small", "XX", config={"url": sites.small.url, "max_tps": 1})
    taken = seats.take(SHARED, "small", "another run", now_ms() + 60_000, now_ms())
    assert taken is not None
    put(SMALL, "small", "1", phone(1))
    event = aws.receive(SHARED)
    assert len(sending.send(event, Context())["batchItemFailures"]) == 1
    assert sites.small.asked == []
    before = now_ms() - 60_000
    assert pacing.book("small", [pacing.Want()], 1.0, before) == [pacing.Turn(before, 1000.0)]  # nobody has booked
    seats.leave(taken)
    queues.hold(queues.received_from(event), 0)
    assert aws.run(SHARED, sending.send) == []
    assert len(sites.small.asked) == 1
    assert seats.take(SHARED, "small", "the next run", now_ms() + 60_000, now_ms())  # it has left


def test_a_seat_is_free_as_soon_as_its_own_aggregator_is_through(aws: Aws, sites: Sites, hanging: Hanging) -> None:
    put(SICK, "sick", "1", phone(1))
    put(SMALL, "small", "2", phone(2))
    run = threading.Thread(target=sending.send, args=(aws.receive(SHARED), Context()))
    run.start()
    until(lambda: hanging.at_once and sites.small.asked, "both are asked")
    until(lambda: seats.take(SHARED, "small", "another", now_ms() + 60_000, now_ms()), "a seat for the quick one")
    assert seats.take(SHARED, "sick", "another", now_ms() + 60_000, now_ms()) is None
    until(lambda: kept(SHARED) == (0, 1, 0), "what is done has left the lane")
    hanging.let_go.set()
    run.join(60)
    assert seats.take(SHARED, "sick", "another", now_ms() + 60_000, now_ms())


# --- seats --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "queue", "expected"),
    [
        pytest.param("5", "lane-shared.fifo", 5, id="shared"),
        pytest.param("5", "lane-shared-bulk.fifo", 2, id="bulk has half the runs"),
        pytest.param("1", "lane-shared-bulk.fifo", 1, id="never none"),
        pytest.param("", "lane-shared.fifo", 2, id="where nobody has said"),
        pytest.param("5", "lane-fast.fifo", 0, id="a lane of its own has no shares"),
        pytest.param("5", "lane-fast-bulk.fifo", 0, id="nor has its bulk lane"),
    ],
)
def test_shares(aws: Aws, monkeypatch: pytest.MonkeyPatch, share: str, queue: str, expected: int) -> None:
    monkeypatch.setenv("JANGADA_SHARE", share)
    settings.cache_clear()
    assert seats.share_of(queue) == expected


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_a_share_that_is_none_is_named(aws: Aws, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("JANGADA_SHARE", value)
    settings.cache_clear()
    with pytest.raises(SettingsError, match=f"JANGADA_SHARE is '{value}': a whole number from 1"):
        settings()


def test_many_at_once_take_as_many_seats_as_there_are(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JANGADA_SHARE", "3")
    settings.cache_clear()
    with ThreadPoolExecutor(12) as threads:
        got = list(threads.map(lambda n: seats.take(SHARED, "a", f"run {n}", NOW + 1_000, NOW), range(12)))
    assert sorted(seat.number for seat in got if seat) == [0, 1, 2]
    assert seats.take(SHARED, "b", "another's seats are others", NOW + 1_000, NOW)
    assert seats.take("lane-shared-bulk.fifo", "a", "so are those of bulk", NOW + 1_000, NOW)


def test_the_seat_of_a_run_that_was_killed_lapses_and_is_not_given_away_by_it(aws: Aws) -> None:
    first = seats.take(SHARED, "a", "first", NOW + 1_000, NOW)
    assert first is not None
    assert seats.take(SHARED, "a", "second", NOW + 3_000, NOW + 999) is None
    assert seats.take(SHARED, "a", "second", NOW + 3_000, NOW + 1_001) is not None
    seats.leave(first)  # it was not dead after all
    assert seats.take(SHARED, "a", "third", NOW + 4_000, NOW + 2_000) is None


@pytest.mark.parametrize(
    ("receives", "expected"),
    [
        pytest.param(1, Hold(0.85), id="a moment at first"),
        pytest.param(3, Hold(3.4), id="then longer"),
        pytest.param(5, Hold(12.75), id="and longer"),
        pytest.param(6, Aside(NOW + 102_000, 3, 7), id="aside, without counting as an attempt"),
    ],
)
def test_how_long_one_waits_for_a_seat(receives: int, expected: attempts.Wait) -> None:
    standing = Standing(attempt=3, trouble_since=7, expires_at=NOW + DAY, receive_count=receives)
    assert attempts.while_crowded(standing, NOW, 0.0) == expected
