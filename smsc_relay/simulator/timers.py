"""Calls at later times: one heap and one timer of the event loop for all of them."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Any


class Timers:
    """Calls in order of their times; those of the same time in order of their making."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0
        self._handle: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._heap)

    def now(self) -> float:
        """The clock that counts here, in seconds."""
        return self._loop.time()

    def after(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        """Call after so long, never at once."""
        when = self._loop.time() + seconds
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, call, arguments))
        if self._handle is None or when < self._handle.when():
            self._arm(when)

    def clear(self) -> None:
        """Forget all of them."""
        self._heap.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_at(when, self._run)

    def _run(self) -> None:
        self._handle = None
        heap, last = self._heap, self._number
        now = self._loop.time()
        try:
            # What these calls add is for the next turn of the loop, so that a delay of 0 cannot keep it busy.
            while heap and heap[0][0] <= now and heap[0][1] <= last:
                _, _, call, arguments = heapq.heappop(heap)
                call(*arguments)
        finally:
            if heap and self._handle is None:
                self._arm(heap[0][0])
