"""When a bind is mute: it is up, keepalives are answered, and submits are not. No I/O, no clock.

A bind is mute when its submits have timed out in a row, as many as its window is wide, three at the least and twenty
at the most, and nothing that was submitted over it after the first of them has been answered. An answer that comes
late is one, and so is a refusal. Below three it may be chance: with a window of 1 a single slow message must stop
nobody; and of a window of a thousand twenty are enough. Meanwhile the places of those in a row are not taken again: no
more than a window goes in vain.

From then on until its first answer the bind has a window of 1, and one time-out is enough. What was on its way when it
was found mute says nothing new.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from smsc_relay.bind import Bind

LEAST: Final = 3  # time-outs in a row
ENOUGH: Final = 20


class _Run:
    """Time-outs of a bind without an answer. Times are those of submits, but for `found`."""

    __slots__ = ("answered", "count", "first", "found", "mute")

    def __init__(self) -> None:
        self.answered = -inf  # the last submit that was
        self.found = -inf  # mute, the last time
        self.mute = False
        self.count, self.first = 0, inf  # in a row, and the first of them


class Silence:
    """Of one link. Times are of one monotonic clock."""

    def __init__(self) -> None:
        self._runs: dict[Bind, _Run] = {}

    def _of(self, bind: Bind) -> _Run:
        return self._runs.get(bind) or self._runs.setdefault(bind, _Run())

    def answered(self, bind: Bind, submitted: float) -> None:
        """What was submitted at that time has been accepted, or refused."""
        run = self._of(bind)
        run.answered = max(run.answered, submitted)
        run.count, run.mute = 0, False

    def timed_out(self, bind: Bind, submitted: float, now: float) -> bool:
        """It has not been answered in time; answers whether the bind is mute because of it."""
        run = self._of(bind)
        if submitted <= max(run.answered, run.found):
            return False
        run.first = run.first if run.count else submitted
        run.count += 1
        if run.count < (1 if run.mute else max(LEAST, min(bind.window, ENOUGH))):
            return False
        run.mute, run.found, run.count = True, now, 0
        return True

    def since(self, bind: Bind) -> float:
        """When the first of the submits was made that made it mute."""
        return self._of(bind).first

    def alone(self, bind: Bind) -> bool:
        """A mute bind is the only one: another's submits have been answered that were made later than its own."""
        first = self._of(bind).first
        return any(run.answered > first for other, run in self._runs.items() if other is not bind)

    def window(self, bind: Bind) -> int:
        """Submits that may be without an answer."""
        run = self._of(bind)
        return 1 if run.mute else max(1, bind.window - run.count)

    def room(self, bind: Bind) -> int:
        """Segments that may be submitted now; below 0 as 0."""
        return bind.room - bind.window + self.window(bind)
