"""Writes down how the links are, and their metrics. At best effort, by threads: no message waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Final

from chalicelib import telemetry
from chalicelib.clock import now_ms
from smsc_relay import status
from smsc_relay.queue_client import describe
from smsc_relay.status import LinkStatus

if TYPE_CHECKING:
    from smsc_relay.gauges import Measures
    from smsc_relay.link import Link

METRICS: Final = 60.0  # s from one line of metrics to the next


class Publisher:
    """For all links of a task. `links`: those that there are now."""

    def __init__(self, task: str, links: Callable[[], Mapping[str, Link]], threads: Executor, every: float) -> None:
        self._task, self._links, self._threads, self._every = task, links, threads, every
        self._written: dict[str, tuple[float, LinkStatus]] = {}
        self._measured = 0.0
        self._trouble = ""

    async def run(self) -> None:
        """Publish until cancelled."""
        self._measured = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.publish()
            except Exception:
                telemetry.logger().exception("relay_fault")

    async def publish(self) -> None:
        """Write what has changed, or was last written a while ago."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        links = dict(self._links())
        for link in links.values():
            await self._write(link.gauges.status(self._task), now)
        for name in [name for name in self._written if name not in links]:
            await self.stopped(name)
        if now - self._measured >= METRICS:
            self._measured = now
            measured = {name: (link.gauges.measures(), link.gauges.remarks()) for name, link in links.items()}
            await loop.run_in_executor(self._threads, _measure, measured)

    async def stopped(self, name: str) -> None:
        """The task has the link no more."""
        found = self._written.pop(name, None)
        if found is not None:
            last = found[1].model_copy(update={"state": "stopped", "at": now_ms(), "binds": ()})
            await self._write(last, asyncio.get_running_loop().time())
            self._written.pop(name, None)

    async def close(self) -> None:
        """The task ends."""
        for name in list(self._written):
            await self.stopped(name)

    def _due(self, said: LinkStatus, now: float) -> bool:
        """It is news, or the last word is old."""
        at, before = self._written.get(said.link, (0.0, None))
        changed = before is None or said.model_copy(update={"at": before.at}) != before
        return changed or now - at >= status.LATEST - self._every / 2

    async def _write(self, said: LinkStatus, now: float) -> None:
        if not self._due(said, now):
            return
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, status.write, said)
        except Exception as error:
            if not self._trouble:
                telemetry.logger().warning("status_not_written", extra={"error": describe(error)})
            self._trouble = describe(error)
            return
        self._trouble = ""
        self._written[said.link] = now, said


def _measure(measured: Mapping[str, tuple[Measures, Mapping[str, str | int]]]) -> None:
    for name, (values, remarks) in measured.items():
        telemetry.gauges(name, values, remarks)
