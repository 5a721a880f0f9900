"""When to ask the peer whether it lives, and when silence means that it is dead: enquire_link (SMPP 3.4 sections 4.11
and 7.2), the alive of CIMD2, the alert of UCP."""

from __future__ import annotations

from enum import Enum
from math import inf


class Step(Enum):
    """What is due."""

    NOTHING = "nothing"
    PROBE = "probe"  # ask
    DEAD = "dead"


class Keepalive:
    """Anything from the peer is a sign of life. Times in seconds; `interval` None: never probe.

    With `fixed`, a probe goes out every `interval`, as some operators demand; otherwise only after that much silence.
    """

    __slots__ = (
        "_answer_by",
        "_answer_timeout",
        "_fixed",
        "_heard_at",
        "_interval",
        "_misses",
        "_misses_max",
        "_probed_at",
    )

    def __init__(self, interval: float | None, fixed: bool, answer_timeout: float, misses: int, now: float) -> None:
        self._interval = inf if interval is None else interval
        self._fixed = fixed
        self._answer_timeout = answer_timeout
        self._misses_max = misses
        self._probed_at = now
        self.heard(now)

    def heard(self, now: float) -> None:
        """Something has come."""
        self._heard_at = now
        self._answer_by = inf
        self._misses = 0

    def start(self, now: float) -> None:
        """Logged in: the intervals count from now."""
        self._probed_at = now
        self.heard(now)

    def next_deadline(self) -> float:
        """When `step` is due; may be infinite."""
        return min(self._answer_by, self._probe_at())

    def step(self, now: float) -> Step:
        """What is due now. After PROBE, the question counts as sent."""
        missed = self._answer_by <= now
        if missed:
            self._misses += 1
            if self._misses >= self._misses_max:
                return Step.DEAD
            self._answer_by = inf
        elif self._probe_at() > now:
            return Step.NOTHING
        self._probed_at = now
        self._answer_by = min(self._answer_by, now + self._answer_timeout)
        return Step.PROBE

    def _probe_at(self) -> float:
        if self._fixed:
            return self._probed_at + self._interval
        return self._heard_at + self._interval if self._answer_by == inf else inf
