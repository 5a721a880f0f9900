"""Requests that wait for their answers: ours (`Window`), late ones included, and the peer's (`Owed`).

Every request of ours waits for the same time, so insertion order is the order of deadlines: one OrderedDict by
sequence number is both the correlation table and the deadline queue, and nothing is ever scanned. (A plain dict would
do for the first, but finding its oldest entry takes longer and longer as entries before it are deleted.)
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import inf
from typing import Any

from smsc_relay.smpp.constants import RESPONSE_BIT
from smsc_relay.smpp.errors import LocalProtocolError
from smsc_relay.smpp.events import Lost
from smsc_relay.smpp.pdus import GenericNack, Pdu


@dataclass(slots=True)
class Sent:
    """A request that wants a `response`, or a generic_nack. `automatic`: the session's own, of no interest outside.
    `aside`: it takes no place from messages."""

    sequence: int
    context: Any
    at: float
    response: type[Pdu]
    automatic: bool = False
    aside: bool = False
    timed_out_at: float | None = None


class Window:
    """Requests in flight, for `timeout` seconds, and after that remembered for late answers: for `late_memory` seconds
    and `late_max` requests at most."""

    __slots__ = ("_in_flight", "_late", "_late_max", "_late_memory", "_timeout", "aside")

    def __init__(self, timeout: float, late_memory: float, late_max: int) -> None:
        self._timeout = timeout
        self._late_memory = late_memory
        self._late_max = late_max
        self._in_flight: OrderedDict[int, Sent] = OrderedDict()
        self._late: OrderedDict[int, Sent] = OrderedDict()
        self.aside = 0  # of those in flight

    def __len__(self) -> int:
        return len(self._in_flight)

    def __contains__(self, sequence: int) -> bool:
        """An answer with this sequence number would be taken for one of these requests."""
        return sequence in self._in_flight or sequence in self._late

    def add(self, sent: Sent) -> None:
        """A request goes out; its sequence number must be free."""
        self._in_flight[sent.sequence] = sent
        self.aside += sent.aside

    def find(self, sequence: int, now: float) -> Sent | None:
        """The request with this number: in flight, or late and not forgotten yet."""
        sent = self._in_flight.get(sequence)
        if sent is None and self._late:
            self._forget(now)
            sent = self._late.get(sequence)
        return sent

    def remove(self, sent: Sent) -> None:
        """It has been answered."""
        if sent.timed_out_at is None:
            del self._in_flight[sent.sequence]
            self.aside -= sent.aside
        else:
            del self._late[sent.sequence]

    def next_deadline(self) -> float:
        """When the oldest request times out; infinite when there is none."""
        for sequence in self._in_flight:
            return self._in_flight[sequence].at + self._timeout
        return inf

    def expire(self, now: float) -> list[Sent]:
        """Take those out whose time is up, oldest first; they become late ones."""
        expired = []
        while self.next_deadline() <= now:
            sequence, sent = self._in_flight.popitem(last=False)
            self.aside -= sent.aside
            sent.timed_out_at = now
            self._late[sequence] = sent
            expired.append(sent)
        self._forget(now)
        return expired

    def abandon(self, now: float) -> tuple[Lost, ...]:
        """No answer can come any more: what was in flight, in order, without the session's own requests."""
        lost = tuple(
            Lost(sent.sequence, sent.context, now - sent.at) for sent in self._in_flight.values() if not sent.automatic
        )
        self._in_flight.clear()
        self._late.clear()
        self.aside = 0
        return lost

    def _forget(self, now: float) -> None:
        late = self._late
        while late:
            oldest = next(iter(late.values()))
            if len(late) <= self._late_max and now - (oldest.timed_out_at or 0.0) < self._late_memory:
                return
            late.popitem(last=False)


class Owed:
    """Requests of the peer that we owe an answer. Its sequence numbers are its own affair: real peers use 0, numbers
    out of range, and the same one twice."""

    __slots__ = ("_command_ids", "_count")

    def __init__(self) -> None:
        self._command_ids: dict[int, list[int]] = {}  # by sequence, in order of arrival
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, sequence: int, command_id: int) -> None:
        """A request has come."""
        self._command_ids.setdefault(sequence, []).append(command_id)
        self._count += 1

    def matching(self, sequence: int, response: Pdu) -> int:
        """command_id of the request that `response` answers; the oldest for a generic_nack.

        Raises:
            LocalProtocolError: there is none.
        """
        waiting = self._command_ids.get(sequence)
        if waiting is None:
            raise LocalProtocolError(f"no request {sequence} waits for an answer")
        if isinstance(response, GenericNack):
            return waiting[0]
        command_id = response.command_id ^ RESPONSE_BIT
        if command_id not in waiting:
            raise LocalProtocolError(f"{type(response).__name__} does not answer request {sequence}")
        return command_id

    def remove(self, sequence: int, command_id: int) -> None:
        """It has been answered."""
        waiting = self._command_ids[sequence]
        waiting.remove(command_id)
        if not waiting:
            del self._command_ids[sequence]
        self._count -= 1

    def clear(self) -> None:
        """No answer can go any more."""
        self._command_ids.clear()
        self._count = 0
