"""The relay: a link for every SMSC account in the registry, started, replaced and stopped as the registry changes."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from chalicelib import freezes, telemetry
from chalicelib.freezes import Freezes
from smsc_relay.accounts import Account, Found, Kind, kind_of, load
from smsc_relay.desk import Desk
from smsc_relay.gauges import watch
from smsc_relay.journal import Journal
from smsc_relay.link import LOOK, Link, Shared, Timing
from smsc_relay.outbox import Outbox
from smsc_relay.permits import Free, Permits
from smsc_relay.publishing import Publisher
from smsc_relay.queue_client import Queues, describe

THREADS: Final = 8  # for look-ups: what is rare


class Relay:
    """All links of one process. `only`: names of aggregators, empty for all."""

    def __init__(
        self,
        only: Collection[str] = (),
        *,
        kinds: Callable[[str], Kind] = kind_of,
        permits: Permits | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._only, self._kinds = frozenset(only), kinds
        self._permits, self._timing = permits or Free(), timing or Timing()
        self._links: dict[str, Link] = {}
        self._replacing: dict[str, asyncio.Task[None]] = {}
        self._wanted: dict[str, Account] = {}
        self._unusable: dict[str, str] = {}
        self._freezes: Freezes | None = None  # not read yet: no link is started
        self.started = asyncio.Event()  # the clients are made and the registry has been read: binds are opened from now
        self._stop = asyncio.Event()
        self._clean = True

    def stop(self) -> None:
        """Have `run` finish what is under way, and return."""
        self._stop.set()

    async def run(self) -> bool:
        """Run until `stop`; answers whether all that was under way is safe."""
        threads = ThreadPoolExecutor(THREADS, "relay")
        async with Queues() as sqs, self._permits:
            journal = Journal()
            shared = Shared(sqs, Outbox(sqs), journal, threads, self._permits, self._timing)
            flushing = asyncio.create_task(journal.run())
            publisher = Publisher(self._permits.task, lambda: self._links, threads, self._timing.publish)
            desk = Desk(self._permits.task, lambda: self._links, threads, self._timing.orders)
            publishing = asyncio.create_task(publisher.run(), name="publishing")
            ordered = asyncio.create_task(desk.run(), name="orders")
            watching = asyncio.create_task(self._watch_freezes(threads), name="freezes")
            depths = watch(sqs, lambda: [link.gauges for link in self._links.values()], self._timing.publish)
            looking = asyncio.create_task(depths, name="depths")
            while not self._stop.is_set():
                await self._refresh(shared)
                self.started.set()
                await _either(self._stop.wait(), self._timing.refresh)
            await self._end()
            await _until_sent(shared.outbox, self._timing.record)
            tasks = [flushing, publishing, ordered, watching, looking]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await publisher.close()
            await journal.close()
        threads.shutdown(wait=False, cancel_futures=True)
        return self._clean

    # --- following the registry ---------------------------------------------------------------------------------------

    async def _refresh(self, shared: Shared) -> None:
        reading = functools.partial(load, self._only, self._kinds)
        try:
            if self._freezes is None:
                await self._read_freezes(shared.threads)
            found = await asyncio.get_running_loop().run_in_executor(shared.threads, reading)
        except Exception as error:
            telemetry.logger().warning("registry_unavailable", extra={"error": describe(error)})
            return
        self._follow(found, shared)

    async def _watch_freezes(self, threads: Executor) -> None:
        while True:
            await asyncio.sleep(self._timing.freezes)
            try:
                await self._read_freezes(threads)
            except Exception as error:
                telemetry.logger().warning("freezes_stale", extra={"error": describe(error)})

    async def _read_freezes(self, threads: Executor) -> None:
        """Have every link obey what is frozen now."""
        found = await asyncio.get_running_loop().run_in_executor(threads, freezes.load)
        if found != self._freezes:
            self._freezes = found
            for name, link in self._links.items():
                try:
                    link.freeze(found)
                except Exception:
                    telemetry.logger().exception("relay_fault", extra={"aggregator": name})

    def _follow(self, found: Found, shared: Shared) -> None:
        for name, reason in found.unusable.items():
            if self._unusable.get(name) != reason:  # a link that runs goes on as it is
                telemetry.logger().error("channel_down", extra={"aggregator": name, "reason": reason})
                if name in found.faults:
                    telemetry.logger().error("relay_fault", exc_info=found.faults[name], extra={"aggregator": name})
        self._unusable = dict(found.unusable)
        kept = {name: self._wanted[name] for name in found.unusable if name in self._wanted}
        self._wanted = {**kept, **found.accounts}
        for name in self._wanted.keys() | self._links.keys():
            if name not in self._replacing:
                self._guarded(name, shared)

    def _guarded(self, name: str, shared: Shared) -> None:
        """A fault of ours costs this link, and no other."""
        try:
            self._adjust(name, shared)
        except Exception:
            telemetry.logger().exception("relay_fault", extra={"aggregator": name})

    def _adjust(self, name: str, shared: Shared) -> None:
        """Have the link `name` be as wanted: begun, ended, replaced, or told of what has changed."""
        link, wanted = self._links.get(name), self._wanted.get(name)
        if link is not None and wanted is not None and link.account.serves(wanted):
            if keys := link.account.differs(wanted):
                telemetry.logger().info("link_changed", extra={"aggregator": name, "keys": keys})
            link.change(wanted)
        elif link is not None:
            task = asyncio.get_running_loop().create_task(self._replace(name, link, shared))
            self._replacing[name] = task
        elif wanted is not None:
            self._links[name] = link = Link(wanted, shared)
            link.freeze(self._freezes or freezes.NOTHING)
            telemetry.logger().info("link_started", extra={"aggregator": name})
            link.start()

    async def _replace(self, name: str, link: Link, shared: Shared) -> None:
        """End a link, and begin another where one is wanted."""
        try:
            self._clean = await link.stop() and self._clean
        except Exception:
            telemetry.logger().exception("link_not_stopped", extra={"aggregator": name})
            self._clean = False
        finally:
            del self._links[name], self._replacing[name]
        if not self._stop.is_set():
            self._guarded(name, shared)

    async def _end(self) -> None:
        """End all links side by side."""
        ends = [link.stop() for name, link in self._links.items() if name not in self._replacing]
        replacing = list(self._replacing.values())
        results = await asyncio.gather(*ends, return_exceptions=True)
        for fault in (one for one in results if isinstance(one, Exception)):
            telemetry.logger().error("link_not_stopped", exc_info=fault)
        await asyncio.gather(*replacing, return_exceptions=True)
        self._clean = self._clean and all(result is True for result in results)

    # --- for people ---------------------------------------------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        """How the links are."""
        return {
            "status": "stopping" if self._stop.is_set() else "running",
            "links": {name: link.gauges.report() for name, link in sorted(self._links.items())},
            "unusable": self._unusable,
            "leases": self._permits.report(),
        }


async def _until_sent(outbox: Outbox, seconds: float) -> None:
    """Wait for what the links have said last, no longer than that: the end of their sessions."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while outbox.pending:
                await asyncio.sleep(LOOK)


async def _either(event: Any, seconds: float) -> None:
    """Wait for `event`, no longer than that."""
    try:
        async with asyncio.timeout(seconds):
            await event
    except TimeoutError:
        return
