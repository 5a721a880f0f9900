"""Throttled segments that wait for their next try, each by itself: the link goes on without them. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Final

from smsc_relay.jobs import Part

FIRST: Final = 0.25  # s until a throttled segment is submitted again; doubled each time
LONGEST: Final = 2.5  # s
ALTOGETHER: Final = 20.0  # s of being throttled after which a message goes back to its lane, and makes room


class Deferred:
    """By when they are due."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Part]] = []
        self._number = count()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def next(self) -> float | None:
        """When the first is due."""
        return self._waiting[0][0] if self._waiting else None

    def defer(self, part: Part, now: float, spread: float) -> float | None:
        """Have a segment wait; answers until when, None where it has been throttled for long enough.

        `spread`: a random number in [0, 1).
        """
        part.since = part.since or now
        at = now + min(LONGEST, FIRST * 2.0**part.tries) * (0.5 + spread)
        if at - part.since > ALTOGETHER:
            return None
        part.tries += 1
        heappush(self._waiting, (at, next(self._number), part))
        return at

    def due(self, now: float) -> Iterator[Part]:
        """Take out those whose time has come."""
        while self._waiting and self._waiting[0][0] <= now:
            yield heappop(self._waiting)[2]
