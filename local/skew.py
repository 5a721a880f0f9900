"""A wall clock that jumps, for tests: SIGUSR1 puts this process's clock forward by an hour, SIGUSR2 back."""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Final

JUMP: Final = 3600  # seconds


def install() -> None:
    """Have `time.time` and `time.time_ns` follow the signals; the monotonic clock stays, as a machine's does."""
    shift = [0]
    seconds, nanoseconds = time.time, time.time_ns

    def jump(number: int, frame: FrameType | None) -> None:
        shift[0] += JUMP if number == signal.SIGUSR1 else -JUMP

    time.time = lambda: seconds() + shift[0]
    time.time_ns = lambda: nanoseconds() + shift[0] * 1_000_000_000
    for name in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(name, jump)
