"""The time of day for what is compared with the time of day: a clock that is set while messages are under way does
not change their order.

Which of two copies of an MO came first, and whether the session of the second began after the first was there, is
decided by times; so is whether a message has expired. A clock that is put right by an hour would make honest messages
of redeliveries, and have messages given up. So time goes on as the monotonic clock does: what the clock gains or loses
bit by bit (NTP slews) is followed at once, a jump only after it has lasted for longer than such decisions look back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

SLEW: Final = 500_000_000  # ns: a greater difference at once is a jump
BELIEVED: Final = 300_000_000_000  # ns after which a jump is the truth


class Steady:
    """A clock in ms since the epoch, made of two in ns: one that may be set, and one that only goes on."""

    def __init__(self, wall: Callable[[], int], monotonic: Callable[[], int]) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._ahead = wall() - monotonic()  # of the one to the other
        self._apart_since: int | None = None  # by the monotonic one

    def __call__(self) -> int:
        """Milliseconds since the epoch."""
        now = self._monotonic()
        ahead = self._wall() - now
        if -SLEW <= ahead - self._ahead <= SLEW:
            self._ahead, self._apart_since = ahead, None
        elif self._apart_since is None:
            self._apart_since = now
        elif now - self._apart_since >= BELIEVED:
            self._ahead, self._apart_since = ahead, None
        return (now + self._ahead) // 1_000_000


# Looked up at each call: a test has its process's clock jump by putting another in its place.
now_ms: Final = Steady(lambda: time.time_ns(), time.monotonic_ns)
