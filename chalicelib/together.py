"""Entries that several threads have for one queue at about the same moment go to SQS in as few calls as they fit into.

A call costs about as much for ten entries as for one. Who comes while a call is under way goes with the next; and while
others of its company may come as well, it waits `LINGER` for them, no longer.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib import queues
from chalicelib.queues import Entry

LINGER: Final = 0.03  # s: as long as ten threads need, side by side, to get here after answers of the same moment


@dataclass(slots=True)
class _Ticket:
    entries: Sequence[Entry]
    results: list[Exception | None] | None = None


class Together:
    """`send` is `queues.send_many`, shared by the threads of one invocation."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._waiting: list[_Ticket] = []
        self._company = 1
        self._changed = threading.Condition()
        self._sending = threading.Lock()

    def expect(self, company: int) -> None:
        """So many threads are at work from now on, each until it says `leave`: nobody waits where all are here."""
        self._company = company

    def leave(self) -> None:
        """A thread will send no more."""
        with self._changed:
            self._company -= 1
            if self._all_here():
                self._changed.notify()

    def send(self, entries: Sequence[Entry]) -> list[Exception | None]:
        """As `queues.send_many`: for each entry, None or why it is not in the queue."""
        mine = _Ticket(entries)
        with self._changed:
            self._waiting.append(mine)
            self._changed.wait_for(lambda: mine.results is not None or self._all_here(), LINGER)
        with self._sending:
            if mine.results is None:
                with self._changed:
                    taken, self._waiting = self._waiting, []
                self._send(taken)
                with self._changed:
                    self._changed.notify_all()
        assert mine.results is not None  # noqa: S101 - for the type checker: whoever took it has answered it
        return mine.results

    def _all_here(self) -> bool:
        return len(self._waiting) >= self._company

    def _send(self, taken: list[_Ticket]) -> None:
        everything = [entry for ticket in taken for entry in ticket.entries]
        try:
            results = queues.send_many(self._queue, everything)
        except Exception as error:
            results = [error] * len(everything)  # each of them is told, not only the one who made the call
        start = 0
        for ticket in taken:
            ticket.results = results[start : start + len(ticket.entries)]
            start += len(ticket.entries)
