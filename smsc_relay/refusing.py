"""When a bind refuses everything, and others of its link do not. No I/O, no clock.

A bind that refuses at once always has the most room: nearly all messages would go over it, to be refused. It counts as
refusing when as many submits over it as `ENOUGH` have been throttled or refused for the moment, in a row, and another
bind has accepted something since the first of them. Then it rests for a second, and after that one submit at a time is
tried over it: each that is refused doubles the rest, up to a minute, and the first that is not ends it.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from smsc_relay.bind import Bind

ENOUGH: Final = 10  # refusals in a row: where a fifth of all is throttled, that happens to one submit in ten million
FIRST: Final = 1.0  # s of rest
LONGEST: Final = 60.0


class _Run:
    """Refusals of a bind without an acceptance."""

    __slots__ = ("accepted", "count", "rest", "since", "until")

    def __init__(self) -> None:
        self.accepted = -inf  # the last time
        self.count, self.since = 0, inf
        self.rest, self.until = 0.0, -inf


class Refusing:
    """Of one link. Times are of one monotonic clock."""

    def __init__(self) -> None:
        self._runs: dict[Bind, _Run] = {}
        self._resting = 0  # binds with a rest

    def accepted(self, bind: Bind, now: float) -> None:
        """A submit has been accepted over it, or refused for its own sake."""
        run = self._runs.get(bind) or self._runs.setdefault(bind, _Run())
        run.accepted = now
        if run.count or run.rest:
            self._resting -= run.rest > 0
            run.count, run.since, run.rest, run.until = 0, inf, 0.0, -inf

    def refused(self, bind: Bind, now: float) -> float:
        """A submit has been throttled, or refused for the moment; answers how long the rest is that begins with it, 0
        where none does."""
        run = self._runs.get(bind) or self._runs.setdefault(bind, _Run())
        if now < run.until:
            return 0.0
        run.count, run.since = run.count + 1, min(run.since, now)
        if not run.rest:
            others = (other.accepted for known, other in self._runs.items() if known is not bind)
            if run.count < ENOUGH or max(others, default=-inf) < run.since:
                return 0.0
            self._resting += 1
        run.rest = min(run.rest * 2 or FIRST, LONGEST)
        run.until = now + run.rest
        return run.rest

    def ended(self, bind: Bind) -> None:
        """Its session is over, and with it what was known of it."""
        run = self._runs.pop(bind, None)
        self._resting -= run is not None and run.rest > 0

    def rests(self, bind: Bind) -> bool:
        """It is refusing."""
        return self._resting > 0 and bind in self._runs and self._runs[bind].rest > 0

    def rooms(self, rooms: dict[Bind, int], binds: Iterable[Bind], now: float) -> dict[Bind, int]:
        """Of the room that some of the binds have, what may be used now. Where all are refusing, it is no matter of
        one of them."""
        if not self._resting or all(map(self.rests, binds)):
            return rooms
        return {bind: room for bind, whole in rooms.items() if (room := self._room(bind, whole, now)) > 0}

    def _room(self, bind: Bind, room: int, now: float) -> int:
        if not self.rests(bind):
            return room
        return 0 if now < self._runs[bind].until or bind.in_flight else 1

    def next(self, binds: Iterable[Bind], now: float) -> float | None:
        """When the next rest is over."""
        if not self._resting:
            return None
        return min(
            (until for bind in binds if self.rests(bind) and (until := self._runs[bind].until) > now), default=None
        )
