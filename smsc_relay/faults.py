"""Which faults of a peer are worth a line of the log. No I/O, no clock: `now` is of the event loop's.

Each once a minute, however often it happens. A reason may hold what the peer has written, so there may be as many as it
likes: no more than twenty of them a minute have their lines, and then one line says that there are more.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

EVERY: Final = 60.0  # s between two lines on the same fault
MOST: Final = 20  # faults with a line in that time


class Faults:
    """Of one peer."""

    def __init__(self) -> None:
        self._told: OrderedDict[str, float] = OrderedDict()  # the oldest first
        self._more_at = -EVERY
        self._untold = 0

    def may_tell(self, reason: str, now: float) -> bool:
        """A fault has happened; answers whether it is to have its line."""
        while self._told and now - next(iter(self._told.values())) >= EVERY:
            self._told.popitem(last=False)
        if reason in self._told:
            return False
        if len(self._told) >= MOST:
            self._untold += 1
            return False
        self._told[reason] = now
        return True

    def may_tell_of_more(self, now: float) -> bool:
        """The last one has no line, since there are too many; answers whether to say so."""
        if not self._untold or now - self._more_at < EVERY:
            return False
        self._more_at = now
        return True

    def take_untold(self) -> int:
        """How many have had no line because there were too many, since the last call."""
        found, self._untold = self._untold, 0
        return found
