"""Nothing is lost, and little comes twice, whatever happens to relay, links, SMSC, SQS and clocks: `make chaos`.

JANGADA_CHAOS is how many messages there are each way, and thereby how long the storm lasts.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

from local.gateway import Gateway
from tests.chaos.weather import Weather, stopwatch
from tests.e2e.crowd import dead_letters, enqueue, first_of_each, gateway, phone, platform_file, told, twice, until
from tests.e2e.test_smpp import UNRECORDED, WINDOW, ask, message, smsc_file
from tests.web import Site, serve

COUNT = int(os.environ.get("JANGADA_CHAOS", "400"))
CHUNK = max(100, COUNT // 40)  # messages that are given at a time, each way
ROUNDS = 2  # of each kind of trouble, at least: there is trouble for as long as there are messages to give
PATIENCE = 300 + COUNT / 5  # seconds: under trouble some five messages a second pass

# s: no function is killed, and a platform that the machine makes slow must not be told again meanwhile. The relay
# says itself for how long it takes its records.
VISIBILITY = 360

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2 * PATIENCE)]


class Progress:
    """How many messages are on phones, have been told how they ended, and have come from phones. Each call looks at
    what is new since the last."""

    def __init__(self, running: Gateway, platform: Site) -> None:
        self._running, self._platform = running, platform
        self._seen, self._read = 0, 0
        self._on_phones, self._ended, self._received = set[str](), set[str](), set[str]()

    def __call__(self) -> tuple[int, int, int]:
        for one in ask(self._running, f"/messages?after={self._seen}&limit={10 * COUNT}")["messages"]:
            self._seen = max(self._seen, one["number"])
            self._on_phones.add(one["text"])
        fresh = self._platform.asked[self._read :]
        self._read += len(fresh)
        for asked in fresh:
            kind = asked.path.rpartition("/")[2]
            if kind in ("delivered", "failed"):
                self._ended.add(asked.form["id"])
            elif kind == "receive":
                self._received.add(asked.form["text"])
        return len(self._on_phones), len(self._ended), len(self._received)


def test_nothing_is_lost_in_a_storm(tmp_path: Path) -> None:
    throttled = {"behaviour": {"answers": {"burst": {"after": 8, "length": 2}}}}  # a fifth of the submits
    numbers = range(1, COUNT + 1)
    began = stopwatch()
    with serve() as platform:
        files = [platform_file(tmp_path, main=platform.url), smsc_file(tmp_path)]
        with (
            gateway(tmp_path, files, visibility=VISIBILITY) as running,
            Weather(running, rounds=ROUNDS, calm=1.5) as weather,
        ):
            ask(running, "/script", throttled)

            progress = Progress(running, platform)
            for start in range(0, COUNT, CHUNK):
                chunk = numbers[start : start + CHUNK]
                enqueue([message(number) for number in chunk])
                ask(running, "/mo", [{"from": phone(n).lstrip("+"), "to": "8090", "text": f"mo {n}"} for n in chunk])
                # Some of it is under way in every kind of trouble: the next is given when half of this has passed.
                passed = start + len(chunk) // 2
                assert until(lambda passed=passed: min(progress()) >= passed or weather.over, PATIENCE), progress()
            weather.clear_up()
            assert until(lambda: weather.over and progress() == (COUNT,) * 3, PATIENCE), progress()
            messages = ask(running, f"/messages?limit={10 * COUNT}")["messages"]
            sessions = ask(running, "/stats")
            letters = dead_letters("outbound.fifo", "lane-smsc.fifo", "events.fifo", "deliver-main.fifo")
    kills = weather.counts["relay killed"]
    drops = weather.counts["links reset"] + weather.counts["SMSC restarted"]
    doubled = {
        "to phones": twice([one["text"] for one in messages]),
        "statuses": twice([form["id"] for form in told(platform, "delivered")]),
        "replies": twice([form["text"] for form in told(platform, "receive")]),
    }
    print(f"\n{COUNT:,} messages each way in {stopwatch() - began:.0f} s; lost: 0; came twice: {doubled}")
    print("".join(f"{what:22} {count:5}\n" for what, count in sorted(weather.counts.items())), sessions)
    assert letters == 0
    assert told(platform, "failed") == [], "throttling fails nothing"
    # A submit whose answer was lost with its connection is in doubt, and is sent again: the channel's `in_doubt`.
    assert doubled["to phones"] <= kills * (WINDOW + UNRECORDED) + drops * WINDOW
    assert doubled["statuses"] == doubled["replies"] == 0
    by_contact: dict[str, list[str]] = defaultdict(list)
    for one in messages:
        by_contact[one["to"]].append(one["text"])
    for texts in by_contact.values():
        order = [int(text.split()[1]) for text in first_of_each(texts)]
        assert order == sorted(order), "of one contact"
