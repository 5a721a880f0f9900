"""Our requests that wait for their answers, by packet number.

There are 128 numbers, used in turn. One whose answer has not come in time is not used again until that has come late or
has been waited for long enough: the answer would be taken for another request's. The last free one is for a logout.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from math import inf
from typing import Any

from smsc_relay.cimd2.codec import Packet
from smsc_relay.cimd2.constants import NUMBERS, Operation
from smsc_relay.cimd2.errors import LocalProtocolError

_ROUND = 2 * NUMBERS


@dataclass(slots=True)
class Sent:
    """A request. `automatic`: the session's own, of no interest outside."""

    packet: Packet
    context: Any = field(repr=False)
    at: float  # first sent
    since: float  # last sent
    automatic: bool = False
    resent: int = 0
    late_since: float | None = None

    @property
    def aside(self) -> bool:
        """It takes no place from messages."""
        return self.automatic or self.packet.operation == Operation.ALIVE


class Window:
    """Requests in flight, for `timeout` seconds; after that they are remembered for `late_memory` seconds."""

    def __init__(self, first: int, timeout: float, late_memory: float) -> None:
        self._first = self._next = first
        self._timeout, self._late_memory = timeout, late_memory
        self._in_flight: OrderedDict[int, Sent] = OrderedDict()  # in the order of their deadlines
        self._late: OrderedDict[int, Sent] = OrderedDict()
        self._aside = 0

    def __len__(self) -> int:
        """Requests in flight, without the session's own and those that ask whether the peer lives."""
        return len(self._in_flight) - self._aside

    @property
    def has_number(self) -> bool:
        """There is a free one, beside that for a logout."""
        return len(self._in_flight) + len(self._late) < NUMBERS - 1

    @property
    def choked(self) -> bool:
        """There is none, nor will one be soon: all are late ones'."""
        return len(self._late) >= NUMBERS - 1

    def number(self) -> int:
        """The next free one, which `add` uses up.

        Raises:
            LocalProtocolError: there is none.
        """
        if len(self._in_flight) + len(self._late) >= NUMBERS:
            raise LocalProtocolError("all packet numbers wait for an answer")
        while self._next in self._in_flight or self._next in self._late:
            self._next = (self._next + 2) % _ROUND
        return self._next

    def add(self, sent: Sent) -> None:
        """A request goes out, with the number that `number` gave."""
        self._in_flight[sent.packet.number] = sent
        self._next = (sent.packet.number + 2) % _ROUND
        self._aside += sent.aside

    def find(self, number: int, now: float) -> Sent | None:
        """The request with this number: in flight, or late and not forgotten yet."""
        found = self._in_flight.get(number)
        if found is None:
            self._forget(now)
            found = self._late.get(number)
        return found

    def remove(self, sent: Sent) -> None:
        """It has been answered."""
        if sent.late_since is None:
            del self._in_flight[sent.packet.number]
            self._aside -= sent.aside
        else:
            del self._late[sent.packet.number]

    def again(self, number: int, now: float) -> Sent | None:
        """The request that a nack for `number` is about, about to be sent again; None: that cannot be told.

        A nack has the number that the peer expects. When that is one of ours, free, and there is only one request in
        flight, it is about that one, which takes the number.
        """
        sent = self._in_flight.get(number)
        ours = number < _ROUND and number % 2 == self._first % 2
        if sent is None and len(self._in_flight) == 1 and ours and number not in self._late:
            (sent,) = self._in_flight.values()
            del self._in_flight[sent.packet.number]
            sent.packet = Packet(sent.packet.operation, number, sent.packet.parameters)
            self._in_flight[number] = sent
            self._next = (number + 2) % _ROUND
        if sent is None:
            return None
        sent.resent += 1
        sent.since = now
        self._in_flight.move_to_end(number)
        return sent

    def next_deadline(self) -> float:
        """When the oldest request times out; infinite when there is none."""
        for sent in self._in_flight.values():
            return sent.since + self._timeout
        return inf

    def expire(self, now: float) -> list[Sent]:
        """Take those out whose time is up, oldest first; they become late ones."""
        expired: list[Sent] = []
        while self.next_deadline() <= now:
            number, sent = self._in_flight.popitem(last=False)
            self._aside -= sent.aside
            sent.late_since = now
            self._late[number] = sent
            expired.append(sent)
        self._forget(now)
        return expired

    def abandon(self) -> tuple[Sent, ...]:
        """No answer can come any more: what was in flight, in order, without the session's own requests."""
        lost = tuple(sorted((sent for sent in self._in_flight.values() if not sent.automatic), key=lambda one: one.at))
        self._in_flight.clear()
        self._late.clear()
        self._aside = 0
        return lost

    def _forget(self, now: float) -> None:
        late = self._late
        while late:
            oldest = next(iter(late.values()))
            if now - (oldest.late_since or 0.0) < self._late_memory:
                return
            late.popitem(last=False)
