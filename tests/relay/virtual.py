"""An event loop whose clock jumps to the next timer, and tables and SMSCs in memory: hours of leases in a second."""

from __future__ import annotations

import asyncio
import selectors
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from smsc_relay.lease import Leases
from smsc_relay.permits import Claim
from smsc_relay.sharing import Item
from smsc_relay.terms import Terms

T = TypeVar("T")


class _Skipping(selectors.SelectSelector):
    """Waits for nothing: the loop's clock goes on by what it would have waited."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        self.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time() begins at 0."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class Store:
    """The table, as all tasks share it."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}


class View:
    """The table as one task reaches it. `cut`: nothing comes through; `deaf`: calls are done, and no answer comes."""

    def __init__(self, store: Store) -> None:
        self._items = store.items
        self.cut = self.deaf = False
        self.latency = 0.005
        self.calls: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        return

    async def _call(self, name: str) -> None:
        self.calls[name] += 1
        await asyncio.sleep(self.latency / 2)
        if self.cut:
            await asyncio.sleep(3600)

    async def _answer(self) -> None:
        await asyncio.sleep(3600 if self.deaf else self.latency / 2)

    async def look(self) -> list[Item]:
        await self._call("look")
        items = list(self._items.values())
        await self._answer()
        return items

    async def take(self, lease: Item, seen: Item | None) -> bool:
        await self._call("take")
        there = self._items.get(lease.key)
        same = there is None if seen is None else (there is not None and there.version == seen.version)
        if same and (seen is None or (there is not None and there.owner == seen.owner)):
            self._items[lease.key] = lease
        await self._answer()
        return bool(same)

    async def renew(self, key: str, owner: str, version: str) -> bool:
        await self._call("renew")
        there = self._items.get(key)
        ours = there is not None and there.owner == owner
        if there is not None and ours:
            self._items[key] = Item(key, owner, version, there.ttl)
        await self._answer()
        return ours

    async def release(self, key: str, owner: str) -> None:
        await self._call("release")
        there = self._items.get(key)
        if there is not None and there.owner == owner:
            del self._items[key]
        await self._answer()

    async def beat(self, task: Item) -> None:
        await self._call("beat")
        self._items[task.key] = task
        await self._answer()

    async def forget(self, task: str, version: str = "") -> None:
        await self._call("forget")
        there = self._items.get(task)
        if there is not None and version in ("", there.version):
            del self._items[task]
        await self._answer()


class Smsc:
    """Counts the binds of an account. `down`: nobody can log in."""

    def __init__(self) -> None:
        self.open: Counter[str] = Counter()  # by the bind's name
        self.most = 0  # of one bind at one time
        self.down = False

    def enter(self, bind: str) -> None:
        self.open[bind] += 1
        self.most = max(self.most, self.open[bind])

    def leave(self, bind: str) -> None:
        self.open[bind] -= 1


class Bind:
    """Keeps a bind as the relay does. `drain`: s from being asked to give up until it is logged out."""

    def __init__(self, task: Task, claim: Claim) -> None:
        self._task, self.claim = task, claim
        self._go = asyncio.Event()
        self.part = 0.0
        self.up = False
        self.given_up = self.dropped = 0
        self._timer: asyncio.TimerHandle | None = None

    def drop(self) -> None:
        self.dropped += 1
        self._go.set()

    def give_up(self) -> None:
        self.given_up += 1
        self._timer = asyncio.get_running_loop().call_later(self._task.drain, self._go.set)

    def shared(self, part: float) -> None:
        self.part = part

    async def run(self) -> None:
        failures = 0
        while True:
            self._go.clear()
            async with self._task.leases.hold(self.claim, self, failures):
                if self._task.smsc.down or self._task.shut_out:
                    failures += 1
                else:
                    failures = 0
                    await self._session()
            if self._timer is not None:
                self._timer.cancel()
            await asyncio.sleep(1.0)

    async def _session(self) -> None:
        self._task.smsc.enter(self.claim.bind)
        self.up = True
        try:
            await self._go.wait()
        finally:
            self.up = False
            self._task.smsc.leave(self.claim.bind)


class Task:
    """A relay process. `shut_out`: it cannot reach the SMSC."""

    def __init__(self, name: str, store: Store, smsc: Smsc, binds: int, ttl: float = 20.0, drain: float = 0.5) -> None:
        self.name, self.smsc, self.drain = name, smsc, drain
        self.view = View(store)
        self.leases = Leases(Terms(ttl), self.view, name)
        self.shut_out = False
        self.binds = [Bind(self, Claim("ilha", "transceiver", number, binds)) for number in range(1, binds + 1)]
        self._running: list[asyncio.Task[None]] = []

    @property
    def up(self) -> int:
        """Binds that are logged in."""
        return sum(bind.up for bind in self.binds)

    async def start(self) -> Self:
        await self.leases.__aenter__()
        self._running = [asyncio.create_task(bind.run()) for bind in self.binds]
        return self

    async def stop(self) -> None:
        """SIGTERM."""
        self.leases.close("ilha")
        for task in self._running:
            task.cancel()
        await asyncio.wait(self._running)
        await self.leases.__aexit__()

    async def kill(self) -> None:
        """SIGKILL: the table hears nothing of it."""
        self.view.cut = True
        for task in self._running:
            task.cancel()
        await asyncio.wait(self._running)
        self._remains = asyncio.create_task(self.leases.__aexit__())
