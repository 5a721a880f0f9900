"""Calls that take ten entries at a time: what comes within a few milliseconds shares one, and keeps its order.

Items have a key. Of one key there is never more than one item under way, and the next goes only when the one before it
is done with: so a contact's MOs stay in order though several calls run side by side, and whatever part of one fails.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from chalicelib import telemetry
from chalicelib.queues import MAX_BATCH, MAX_BATCH_OCTETS
from smsc_relay.queue_client import Results, describe

T = TypeVar("T")

LINGER: Final = 0.004  # s that the first of a batch waits for others
_BACKOFF: Final = 0.1  # s after a failure, doubled with each
_LONGEST: Final = 5.0  # s


class Batches(Generic[T]):
    """`send` makes one call for up to ten items; `settled` is told what became of each, and answers whether the item
    is done with; otherwise it goes again."""

    def __init__(
        self,
        name: str,
        send: Callable[[Sequence[T]], Awaitable[Results]],
        settled: Callable[[T, Exception | None], bool],
        *,
        at_a_time: int = 4,
        linger: float = LINGER,
        octets: Callable[[T], int] = lambda item: 0,
    ) -> None:
        self._name, self._send, self._settled, self._octets = name, send, settled, octets
        self._at_a_time, self._linger = at_a_time, linger
        self._lines: dict[str, deque[T]] = {}  # key -> its items, the first of which is ready or under way
        self._ready: deque[str] = deque()  # keys of which nothing is under way
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0
        self._paused_until = 0.0
        self._idle: list[asyncio.Future[None]] = []
        self.pending = 0  # items that are not done with

    def put(self, key: str, item: T) -> None:
        """Have `item` sent after those of its key before it."""
        self.pending += 1
        line = self._lines.get(key)
        if line is not None:
            line.append(item)
            return
        self._lines[key] = deque((item,))
        self._ready.append(key)
        self._schedule()

    async def idle(self) -> None:
        """Wait until nothing is pending."""
        if self.pending:
            waiter = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            await waiter

    def _schedule(self) -> None:
        if not self._ready or len(self._running) >= self._at_a_time:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if len(self._ready) >= MAX_BATCH and now >= self._paused_until:
            self._start()
        elif self._timer is None:
            self._timer = loop.call_at(max(now + self._linger, self._paused_until), self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        if asyncio.get_running_loop().time() < self._paused_until:
            self._schedule()
        else:
            self._start()

    def _start(self) -> None:
        while self._ready and len(self._running) < self._at_a_time:
            task = asyncio.get_running_loop().create_task(self._run(self._take()), name=self._name)
            self._running.add(task)

    def _take(self) -> list[str]:
        """The keys whose first items make the next call."""
        keys: list[str] = []
        octets = 0
        while self._ready and len(keys) < MAX_BATCH:
            octets += self._octets(self._lines[self._ready[0]][0])
            if keys and octets > MAX_BATCH_OCTETS:
                break
            keys.append(self._ready.popleft())
        return keys

    async def _run(self, keys: list[str]) -> None:
        items = [self._lines[key][0] for key in keys]
        try:
            results = await self._send(items)
        except Exception as error:
            results = [error] * len(items)
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._running.discard(task)
        left = [self._conclude(key, item, problem) for key, item, problem in zip(keys, items, results, strict=True)]
        self._trouble(next((problem for problem in left if problem is not None), None))
        self._schedule()

    def _conclude(self, key: str, item: T, problem: Exception | None) -> Exception | None:
        """The problem again where the item must go again."""
        line = self._lines[key]
        done = self._is_done(item, problem)
        if done:
            line.popleft()
            self.pending -= 1
        if line:
            self._ready.append(key)
        else:
            del self._lines[key]
        if not self.pending:
            waiting, self._idle = self._idle, []
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(None)
        return None if done else problem

    def _is_done(self, item: T, problem: Exception | None) -> bool:
        try:
            return self._settled(item, problem)
        except Exception:
            telemetry.logger().exception("settling_failed", extra={"calls": self._name})
            return True

    def _trouble(self, problem: Exception | None) -> None:
        if problem is None:
            self._failures, self._paused_until = 0, 0.0
            return
        now = asyncio.get_running_loop().time()
        if now >= self._paused_until:  # calls that fail side by side fail once
            self._paused_until = now + min(_LONGEST, _BACKOFF * 2**self._failures)
            self._failures = min(self._failures + 1, 10)
            telemetry.logger().warning("aws_trouble", extra={"calls": self._name, "error": describe(problem)})
