"""Nothing is lost, and little comes twice, whatever happens to relay, links, SMSC, SQS and clocks: `make chaos`.

JANGADA_CHAOS is how many messages there are each way, and thereby how long the storm lasts.

Lost is what was sent less what arrived: of messages to phones, of their statuses, of what phones send, and of their
short answers, which are honest repetitions ("1", and "1" again). What may come twice is reckoned from the troubles
that were. Only a kill -9 may bring a message to a phone twice, window and unrecorded at most: of what was in doubt when
a link dropped, receipts tell (`chalicelib.proofs`); a deployment and a change of the account leave nothing in doubt.
What the SMSC has read of our answers it says itself (`smsc_relay.ends`); a short answer whose link was reset before it
could say is told again, and such copies must fit in what the kills allow.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.gateway import Gateway
from tests.chaos.reckoning import Direction, Strike, blame, copies, directions, troubles
from tests.chaos.weather import Weather, stopwatch
from tests.e2e.crowd import (
    dead_letters,
    enqueue,
    first_of_each,
    gateway,
    phone,
    platform_file,
    told,
    under_way,
    until,
)
from tests.e2e.test_smpp import ask, message, smsc_file
from tests.web import Site, serve

COUNT = int(os.environ.get("JANGADA_CHAOS", "400"))
CHUNK = max(100, COUNT // 40)  # messages that are given at a time, each way
ROUNDS = 2  # of each kind of trouble, at least: there is trouble for as long as there are messages to give
PATIENCE = 300 + COUNT / 5  # seconds: under trouble some five messages a second pass
QUEUES = ("outbound.fifo", "lane-smsc.fifo", "events.fifo", "deliver-main.fifo")

# s: no function is killed, and a platform that the machine makes slow must not be told again meanwhile. The relay
# says itself for how long it takes its records.
VISIBILITY = 360
# s of silence until the relay asks whether the SMSC lives; `response_timeout` later a half-open link is dead.
KEEPALIVE = 2
PROOF = 8  # s with a link for which what is in doubt waits for a receipt: the simulated SMSC tells at once
ANSWER = "1"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2 * PATIENCE)]


def reply(number: int) -> dict[str, str]:
    """Two of four that a phone sends are a short answer, one after the other; where a phone begins differs."""
    repeated = (number % 100 + number // 100) % 4 in (1, 2)
    return {"from": phone(number).lstrip("+"), "to": "8090", "text": ANSWER if repeated else f"mo {number}"}


class Traffic:
    """What has been given and what has come, each way. `look` takes in what is new since the last look."""

    def __init__(self, running: Gateway, platform: Site) -> None:
        self._running, self._platform = running, platform
        self._seen, self._read = 0, 0
        self.phones, self.statuses = Direction("phones"), Direction("statuses")
        self.replies, self.answers = Direction("replies"), Direction("short answers")
        self.texts: dict[str, list[str]] = defaultdict(list)  # by phone, in order of arrival
        self.times: dict[str, list[int]] = defaultdict(list)  # by text, in ms

    @property
    def all(self) -> tuple[Direction, ...]:
        """The directions."""
        return self.phones, self.statuses, self.replies, self.answers

    def _sent_by_phones(self, text: str) -> Direction:
        return self.answers if text == ANSWER else self.replies

    def give(self, numbers: range) -> None:
        """To the platform's queue and to the phones."""
        replies = [reply(number) for number in numbers]
        self.phones.sent.update(f"mt {number}" for number in numbers)
        self.statuses.sent.update(str(number) for number in numbers)
        for one in replies:
            self._sent_by_phones(one["text"]).sent[one["from"], one["text"]] += 1
        enqueue([message(number) for number in numbers])
        ask(self._running, "/mo", replies)

    def look(self) -> list[int]:
        """How many have arrived: on phones, of their statuses, and from phones."""
        for one in ask(self._running, f"/messages?after={self._seen}&limit={10 * COUNT}")["messages"]:
            self._seen = max(self._seen, one["number"])
            self.phones.arrived[one["text"]] += 1
            self.texts[one["to"]].append(one["text"])
            self.times[one["text"]].append(one["at"])
        fresh = self._platform.asked[self._read :]
        self._read += len(fresh)
        for asked in fresh:
            kind = asked.path.rpartition("/")[2]
            if kind == "delivered":
                self.statuses.arrived[asked.form["id"]] += 1
            elif kind == "receive":
                name = asked.form["from"].lstrip("+"), asked.form["text"]
                self._sent_by_phones(name[1]).arrived[name] += 1
        return [self.phones.there, self.statuses.there, self.replies.there + self.answers.there]

    def passes(self, number: int, weather: Weather) -> Callable[[], bool]:
        """So many have arrived, each way, or the weather is over."""
        return lambda: min(self.look()) >= number or weather.over

    def quiet(self) -> bool:
        """All has arrived, and nothing is under way that could come twice."""
        return self.look() == [COUNT] * 3 and not self._waiting() and not under_way(*QUEUES)

    def _waiting(self) -> int:
        stats: dict[str, Any] = ask(self._running, "/stats")
        return sum(account["waiting"] for account in stats.values())

    def reckon(self, strikes: list[Strike]) -> tuple[Counter[str], int]:
        """What may come twice, of these troubles; which of them have made the copies that came to phones, and how
        many no trouble can have made. Statuses have names, and longer texts are told from copies: none may."""
        self.phones.allowed = sum(one.trouble.doubt for one in strikes)
        self.answers.allowed = sum(one.trouble.answers for one in strikes)
        return blame(strikes, copies(self.times))


def test_nothing_is_lost_in_a_storm(tmp_path: Path) -> None:
    throttled = {"behaviour": {"answers": {"burst": {"after": 8, "length": 2}}}}  # a fifth of the submits
    began = stopwatch()
    with serve() as platform:
        files = [
            platform_file(tmp_path, main=platform.url),
            smsc_file(tmp_path, keepalive=KEEPALIVE, in_doubt_wait=PROOF),
        ]
        with (
            gateway(tmp_path, files, visibility=VISIBILITY) as running,
            Weather(running, rounds=ROUNDS, calm=1.5) as weather,
        ):
            ask(running, "/script", throttled)
            traffic = Traffic(running, platform)
            for start in range(1, COUNT + 1, CHUNK):
                chunk = range(start, min(start + CHUNK, COUNT + 1))
                traffic.give(chunk)
                # Some of it is under way in every kind of trouble: the next is given when half of this has passed.
                if not until(traffic.passes(start - 1 + len(chunk) // 2, weather), PATIENCE):
                    break  # too much is lost: the tables tell
            weather.clear_up()
            until(lambda: weather.over and traffic.quiet(), PATIENCE)
            letters = dead_letters(*QUEUES)
    found, nobody = traffic.reckon(weather.strikes)
    print(f"\n{COUNT:,} messages each way in {stopwatch() - began:.0f} s, {len(weather.strikes):,} troubles\n")
    print(troubles(weather.strikes, found, nobody), directions(traffic.all), sep="\n\n")
    assert traffic.phones.sent.total() == COUNT, "given up before all was given"
    for one in traffic.all:
        assert one.lost == 0, f"{one.name}: {list((one.sent - one.arrived).elements())[:20]}"
        assert one.twice <= one.allowed, f"{one.name}: {list((one.arrived - one.sent).elements())[:20]}"
    assert nobody == 0, "copies that no trouble can have made"
    assert letters == 0
    assert told(platform, "failed") == [], "throttling fails nothing"
    for texts in traffic.texts.values():
        order = [int(text.split()[1]) for text in first_of_each(texts)]
        assert order == sorted(order), "of one contact"
