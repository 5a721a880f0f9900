"""`max_tps` holds for all processes together: several that run λ send at once, what they were granted, what arrived."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from chalicelib import ledger, queues
from chalicelib.clock import now_ms
from chalicelib.records import LaneRecord
from tests.lane import DAY
from tests.support import CHANNEL, Aws
from tests.web import Asked, Site, serve

LANE = "lane-fast.fifo"
PROCESSES = 3
FAST, SLOW = CHANNEL, CHANNEL.replace("6f1d", "7f1d")

# Each says what it was granted, as [account, ms of the slot]; it runs until its standard input is closed.
SENDER = """
import json, sys, threading
from chalicelib import pacing, sending
from local.lambdas import Mapping

granted, book = [], pacing.book

def told(account, wants, rate, now):
    turns = book(account, wants, rate, now)
    for want, turn in zip(wants, turns):
        granted.extend([account, turn.at + n * turn.apart] for n in range(want.requests) if turn.booked)
    return turns

pacing.book = told
stop = threading.Event()
mapping = Mapping("lane-fast.fifo", sending.send, stop)
mapping.start()
print("ready", flush=True)
sys.stdin.read()
stop.set()
mapping.join(30)
print(json.dumps(granted))
"""


class Arrivals:
    """An External aggregator that remembers when each channel's requests came (ms)."""

    def __init__(self) -> None:
        self.at: dict[str, list[int]] = {FAST: [], SLOW: []}
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> tuple[int, str]:
        with self._lock:
            self.at[asked.form["channel"]].append(time.time_ns() // 1_000_000)
        return 200, "ok"


@pytest.fixture
def arrivals() -> Arrivals:
    return Arrivals()


@pytest.fixture
def site(aws: Aws, arrivals: Arrivals) -> Iterator[Site]:
    with serve(arrivals) as running:
        body = "id={{id}}&text={{text}}&to={{to}}&channel={{channel}}"
        config = {"send_url": running.url, "body": body, "max_tps": 25}
        aws.aggregator("fast", lane="own", config=config)
        aws.channel(FAST)
        aws.channel(SLOW, address="9090", config={"max_tps": 10})
        yield running


def put(channel: str, number: str, to: str, text: str = "m") -> None:
    now = now_ms()
    key = ledger.open_message(channel, number, aggregator="fast", lane="lane-fast", destination=to, now=now).key
    message = {"id": number, "text": text, "to": to, "from": "8080", "channel": channel}
    record = LaneRecord(
        key=key, message=message, aggregator="fast", lane="lane-fast", first_seen=now, expires_at=now + DAY
    )
    queues.send(LANE, queues.lane_entry(record))


def senders() -> list[subprocess.Popen[str]]:
    started = [
        subprocess.Popen([sys.executable, "-c", SENDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    return started


def test_an_accounts_rate_and_a_channels_own_hold_for_several_processes(
    aws: Aws, site: Site, arrivals: Arrivals
) -> None:
    running = senders()
    for number in range(30):
        put(FAST, f"f{number}", f"+25078800{number:04d}")
    for number in range(15):
        put(SLOW, f"s{number}", f"+25078801{number:04d}")
    put(FAST, "long", "+250788020000", "word " * 60)  # two parts, each with a slot of its own
    look = threading.Event()
    for _ in range(3_000):
        if len(site.asked) >= 47:
            break
        look.wait(0.02)
    granted: list[tuple[str, float]] = []
    for one in running:
        out, _ = one.communicate(timeout=60)
        assert one.returncode == 0
        granted += [(account, at) for account, at in json.loads(out)]
    for account, channel, count, apart in (("fast", FAST, 32, 40.0), (SLOW, SLOW, 15, 100.0)):
        slots = sorted(at for whose, at in granted if whose == account)
        assert len(slots) == count
        # slots are told in whole ms
        assert min(later - earlier for earlier, later in itertools.pairwise(slots)) >= apart - 1
        assert slots[-1] - slots[0] >= (count - 1) * apart - 1
        # nobody starts before its slot, so that no more have come at any moment than had been granted until then
        came = sorted(arrivals.at[channel])
        assert [arrival >= int(slot) for arrival, slot in zip(came, slots, strict=True)] == [True] * count
    assert {whose for whose, _ in granted} == {"fast", SLOW}
