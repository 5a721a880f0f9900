"""Operations of ours that wait for their results, by transaction number.

There are a hundred numbers, used in turn. One whose result has not come in time is not used again until that has come
late or has been waited for long enough: the result would be taken for another operation's.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import inf
from typing import Any

from smsc_relay.ucp.constants import TRNS


@dataclass(slots=True)
class Sent:
    """An operation. `automatic`: the session's own, of no interest outside."""

    trn: int
    ot: int
    context: Any
    at: float
    automatic: bool = False
    timed_out_at: float | None = None


class Transactions:
    """Those in flight, for `timeout` seconds, and after that remembered for `late_memory` seconds."""

    __slots__ = ("_in_flight", "_last", "_late", "_late_memory", "_timeout")

    def __init__(self, timeout: float, late_memory: float) -> None:
        self._timeout = timeout
        self._late_memory = late_memory
        self._in_flight: OrderedDict[int, Sent] = OrderedDict()
        self._late: OrderedDict[int, Sent] = OrderedDict()
        self._last = TRNS - 1

    def __len__(self) -> int:
        """In flight."""
        return len(self._in_flight)

    @property
    def full(self) -> bool:
        """No number is free."""
        return len(self._in_flight) + len(self._late) >= TRNS

    @property
    def choked(self) -> bool:
        """No number is free, nor will one be soon: all are late ones'."""
        return len(self._late) >= TRNS

    def add(self, ot: int, context: Any, now: float, *, automatic: bool = False) -> Sent:
        """An operation goes out, with the next free number; there must be one."""
        trn = self._last
        while True:
            trn = (trn + 1) % TRNS
            if trn not in self._in_flight and trn not in self._late:
                break
        self._last = trn
        sent = self._in_flight[trn] = Sent(trn, ot, context, now, automatic)
        return sent

    def take(self, trn: int, ot: int, now: float) -> Sent | None:
        """The operation that a result answers, which is no longer in flight then; None: there is none."""
        self._forget(now)
        for table in (self._in_flight, self._late):
            sent = table.get(trn)
            if sent is not None and sent.ot == ot:
                del table[trn]
                return sent
        return None

    def next_deadline(self) -> float:
        """When the oldest times out; infinite when there is none."""
        for sent in self._in_flight.values():
            return sent.at + self._timeout
        return inf

    def expire(self, now: float) -> list[Sent]:
        """Those whose time is up, oldest first; they become late ones."""
        expired = []
        while self.next_deadline() <= now:
            trn, sent = self._in_flight.popitem(last=False)
            sent.timed_out_at = now
            self._late[trn] = sent
            expired.append(sent)
        self._forget(now)
        return expired

    def abandon(self) -> tuple[Any, ...]:
        """No result can come any more: contexts of what was in flight, in order, without the session's own."""
        lost = tuple(sent.context for sent in self._in_flight.values() if not sent.automatic)
        self._in_flight.clear()
        self._late.clear()
        return lost

    def _forget(self, now: float) -> None:
        late = self._late
        while late:
            oldest = next(iter(late.values()))
            if now - (oldest.timed_out_at or 0.0) < self._late_memory:
                return
            late.popitem(last=False)
