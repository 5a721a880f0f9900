"""Entries that several threads have for one queue at the same moment go to SQS in as few calls as they fit into.

A call costs about as much for ten entries as for one. Nobody waits for company: the first goes at once, and whoever
comes while its call is under way goes with the next.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib import queues
from chalicelib.queues import Entry


@dataclass(slots=True)
class _Ticket:
    entries: Sequence[Entry]
    results: list[Exception | None] | None = None


class Together:
    """`send` is `queues.send_many`, shared by the threads of one invocation."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._waiting: list[_Ticket] = []
        self._lock = threading.Lock()
        self._sending = threading.Lock()

    def send(self, entries: Sequence[Entry]) -> list[Exception | None]:
        """As `queues.send_many`: for each entry, None or why it is not in the queue."""
        mine = _Ticket(entries)
        with self._lock:
            self._waiting.append(mine)
        with self._sending:
            if mine.results is None:
                with self._lock:
                    taken, self._waiting = self._waiting, []
                self._send(taken)
        assert mine.results is not None  # noqa: S101 - for the type checker: whoever took it has answered it
        return mine.results

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
