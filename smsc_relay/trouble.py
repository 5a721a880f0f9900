"""An SMSC account in trouble: nothing is submitted for a while, longer each time, until it shows that it is well.

Either the SMSC says so, or it says nothing at all. Silence is over with the first answer, whatever it is, and so is the
wait; what the SMSC has said is over when it accepts something.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chalicelib import telemetry
from smsc_relay.journal import Journal
from smsc_relay.retry import REFUSED_STEPS
from smsc_relay.steady import now_ms


class Trouble:
    """Of one link. `begins` is called soon after a wait has begun, `over` when it ends."""

    def __init__(self, aggregator: str, journal: Journal, begins: Callable[[], None], over: Callable[[], None]) -> None:
        self._aggregator, self._journal = aggregator, journal
        self._begins, self._over = begins, over
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None  # while it is waited for
        self._silent = False
        self.setbacks = 0  # waits since the account was last well

    @property
    def waiting(self) -> bool:
        """Nothing is to be submitted."""
        return self._timer is not None

    def until(self) -> int:
        """When the account is tried again, in ms since the epoch; now, where it is not waited for."""
        return now_ms() + (round(1000 * max(0.0, self._timer.when() - self._loop.time())) if self._timer else 0)

    def refused(self, reason: str, delay: float) -> None:
        """The SMSC has said that it will accept nothing: wait `delay` s, and a multiple of it the next times."""
        if self._timer is None:
            self._silent = False
            self._wait(reason, delay)

    def silent(self, reason: str, delay: float) -> None:
        """It answers nothing: the same."""
        if self._timer is None:
            self._silent = True
            self._wait(reason, delay)

    def _wait(self, reason: str, delay: float) -> None:
        seconds = delay * REFUSED_STEPS[min(self.setbacks, len(REFUSED_STEPS) - 1)]
        self.setbacks += 1
        self._timer = self._loop.call_later(seconds, self._ends)
        extra = {"aggregator": self._aggregator, "reason": reason, "retry_in_s": round(seconds, 1)}
        telemetry.logger().error("channel_down", extra=extra)
        self._journal.count("channel_down", self._aggregator)
        self._loop.call_soon(self._begins)

    def answered(self) -> None:
        """The SMSC has answered something."""
        if self._silent:
            self.well()
            if self._timer is not None:
                self._timer.cancel()
                self._ends()

    def well(self) -> None:
        """It has accepted something, or refused it for its own sake."""
        self.setbacks, self._silent = 0, False

    def _ends(self) -> None:
        self._timer = None
        self._over()
