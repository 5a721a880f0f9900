"""Leases: a bind is opened only by who holds its lease, so that no SMSC ever sees more binds than it allows.

A lease has no time in it. Its holder renews it, and lets go by its own monotonic clock when it cannot; others take it
when they have seen it untouched for longer than that (`terms.py`). A jump of the wall clock changes nothing. AWS that
does not answer costs the bind: whoever cannot renew must assume that somebody else is about to take it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Self

from chalicelib import queues, telemetry
from smsc_relay.lease_table import LEASE, TASK, DynamoTable, Table
from smsc_relay.permits import Claim, Holder
from smsc_relay.queue_client import describe
from smsc_relay.sharing import Item, Watch, holdings, may_take, must_give
from smsc_relay.terms import Terms

AILING: Final = 3  # attempts in a row without a session, after which others may have what they can reach and we cannot


class _Lease:
    """One that we hold. `good`: when the call began that last made or kept it ours."""

    __slots__ = ("_timers", "claim", "giving", "good", "holder", "keeping", "key", "over")

    def __init__(self, key: str, claim: Claim, good: float) -> None:
        self.key, self.claim, self.good = key, claim, good
        self.holder: Holder | None = None
        self.keeping: asyncio.Task[None] | None = None
        self.giving = False  # it is being given up
        self.over = False  # its time has run out, or it is another's
        self._timers: list[asyncio.TimerHandle] = []

    def renewed(self, good: float, terms: Terms) -> None:
        """It is ours for so long again."""
        loop = asyncio.get_running_loop()
        self.good = good
        self.disarm()
        self._timers = [loop.call_at(good + terms.fade, self.give_up), loop.call_at(good + terms.close, self.drop)]

    def disarm(self) -> None:
        """No time-out any more."""
        for timer in self._timers:
            timer.cancel()

    def give_up(self) -> None:
        """Have its holder let go when it can."""
        if not self.giving:
            self.giving = True
            if self.holder is not None:
                self.holder.give_up()

    def drop(self) -> None:
        """Have its holder let go now."""
        self.over = True
        if self.holder is not None:
            self.holder.drop()


@dataclass(slots=True)
class _Shares:
    """A pool as this task sees it."""

    account: str
    role: str
    size: int = 0
    closed: bool = False
    resting_until: float = 0.0  # it could not be reached
    leased: int = 0  # at most so many are held, by anybody
    leased_at: float = 0.0
    part: float = 0.0  # of these, ours
    tasks: int = 0

    @property
    def keys(self) -> list[str]:
        """Of its leases."""
        return [_key(Claim(self.account, self.role, number, self.size)) for number in range(1, self.size + 1)]


@dataclass(slots=True)
class _Waiter:
    claim: Claim
    granted: asyncio.Future[_Lease] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Leases:
    """The leases of one task (a process). Implements `Permits`."""

    def __init__(self, terms: Terms | None = None, table: Table | None = None, task: str = "") -> None:
        self._terms = terms or Terms()
        self._table: Table = table or DynamoTable(self._terms.call)
        self.task = task or queues.new_id()
        self._versions = count(1)
        self._watch = Watch(self._terms)
        self._pools: dict[str, _Shares] = {}
        self._waiting: dict[str, _Waiter] = {}
        self._held: dict[str, _Lease] = {}
        self._returning: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._trouble = ""
        self._looked_at: float | None = None
        self._looks = 0

    async def __aenter__(self) -> Self:
        await self._table.__aenter__()
        self._looking = asyncio.get_running_loop().create_task(self._look_on(), name="leases")
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        if self._returning:
            await asyncio.wait(list(self._returning.values()), timeout=self._terms.renew)
        with suppress(Exception):
            await self._in_time(self._table.forget(TASK + self.task))
        await self._table.__aexit__(*error)

    # --- for binds ----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def hold(self, claim: Claim, holder: Holder, failures: int) -> AsyncIterator[None]:
        """As `Permits`."""
        pool = self._pools.setdefault(_pool(claim), _Shares(claim.account, claim.role))
        pool.size, pool.closed = claim.of, False
        now = asyncio.get_running_loop().time()
        if not failures or self._holds(_pool(claim)):
            pool.resting_until = 0.0
        elif failures >= AILING:
            pool.resting_until = now + self._terms.rest
        lease = await self._granted(claim)
        try:
            lease.holder = holder
            if lease.over:  # while the holder was on its way here
                holder.drop()
            elif lease.giving:
                holder.give_up()
            holder.shared(pool.part)
            yield
        finally:
            lease.holder = None
            self._return(lease)

    def close(self, account: str) -> None:
        """As `Permits`."""
        for pool in self._pools.values():
            pool.closed = pool.closed or pool.account == account
        self._wake.set()  # for the others to hear of it

    async def _granted(self, claim: Claim) -> _Lease:
        key = _key(claim)
        waiter = self._waiting[key] = _Waiter(claim)
        self._wake.set()
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            if waiter.granted.done() and not waiter.granted.cancelled():
                self._return(waiter.granted.result())
            raise
        finally:
            if self._waiting.get(key) is waiter:
                del self._waiting[key]

    def _holds(self, pool: str) -> int:
        return sum(_pool(lease.claim) == pool for lease in self._held.values())

    # --- a lease that is ours -----------------------------------------------------------------------------------------

    async def _keep(self, lease: _Lease) -> None:
        """Renew it until cancelled, or another's."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, lease.good + self._terms.renew - loop.time()))
            began = loop.time()
            try:
                ours = await self._in_time(self._table.renew(lease.key, self.task, self._version()))
            except Exception as error:
                self._in_trouble(error)
                await asyncio.sleep(self._terms.again)
                continue
            if lease.over:
                return
            if not ours:
                telemetry.logger().error("lease_lost", extra={"lease": lease.key, "task": self.task})
                lease.drop()
                return
            lease.renewed(began, self._terms)

    def _return(self, lease: _Lease) -> None:
        """It is held no longer."""
        lease.over = True
        lease.disarm()
        if lease.keeping is not None:
            lease.keeping.cancel()
        del self._held[lease.key]
        task = asyncio.get_running_loop().create_task(self._release(lease.key))
        self._returning[lease.key] = task
        self._tell_parts()

    async def _release(self, key: str) -> None:
        """Let others have it at once. Where that fails they have it when they have watched it for long enough."""
        try:
            for _ in range(2):
                try:
                    await self._in_time(self._table.release(key, self.task))
                    return
                except Exception as error:
                    self._in_trouble(error)
        finally:
            del self._returning[key]
            self._wake.set()

    def _version(self) -> str:
        return str(next(self._versions))

    def _item(self, key: str, pools: Collection[str] = ()) -> Item:
        return Item(key, self.task, self._version(), self._terms.ttl, frozenset(pools))

    async def _in_time(self, call: Coroutine[Any, Any, Any]) -> Any:
        async with asyncio.timeout(self._terms.call):
            return await call

    def _in_trouble(self, error: Exception) -> None:
        """Logged when it begins."""
        if not self._trouble:
            telemetry.logger().warning("leases_unavailable", extra={"error": describe(error), "task": self.task})
        self._trouble = describe(error)

    # --- the others ---------------------------------------------------------------------------------------------------

    async def _look_on(self) -> None:
        """Look at the table again and again: at once when a bind is wanted."""
        while True:
            if not self._pools:
                await self._wake.wait()
            self._wake.clear()
            try:
                await self._look()
            except Exception as error:
                self._in_trouble(error)
            await asyncio.sleep(self._terms.again)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._terms.renew - self._terms.again):
                    await self._wake.wait()

    async def _look(self) -> None:
        """Say that we are there, see who else is, take what is ours to take, give what is another's."""
        loop = asyncio.get_running_loop()
        await self._in_time(self._table.beat(self._item(TASK + self.task, self._joined(loop.time()))))
        began = loop.time()
        items = await self._in_time(self._table.look())
        self._watch.saw(items, began, loop.time())
        if self._trouble:
            telemetry.logger().info("leases_available", extra={"task": self.task})
        self._trouble, self._looked_at = "", began
        self._looks += 1
        tasks = [item for item in items if item.key.startswith(TASK)]
        leases = [item for item in items if item.key.startswith(LEASE)]
        alive = [item for item in tasks if not self._watch.dead(item.key)]
        calls = [self._table.forget(item.key, item.version) for item in tasks if item not in alive]
        calls += [
            call for name, pool in self._pools.items() for call in self._share(name, pool, leases, alive, loop.time())
        ]
        for problem in await asyncio.gather(*map(self._in_time, calls), return_exceptions=True):
            if isinstance(problem, Exception):
                self._in_trouble(problem)
        self._tell_parts()

    def _joined(self, now: float) -> list[str]:
        """Pools that we take part in."""
        return [
            name
            for name, pool in self._pools.items()
            if not pool.closed and (now >= pool.resting_until or self._holds(name))
        ]

    def _share(
        self, name: str, pool: _Shares, leases: list[Item], alive: list[Item], now: float
    ) -> list[Coroutine[Any, Any, Any]]:
        """Decide for one pool: answers the calls that take leases; one to be given up is asked to go."""
        keys = set(pool.keys)
        items = {item.key: item for item in leases if item.key in keys}
        held = holdings((item for item in items.values() if item.owner != self.task), self._watch)
        others = sum(held.values())
        held[self.task] = mine = self._holds(name) + sum(key in keys for key in self._returning)
        members = {item.owner for item in alive if name in item.pools}
        pool.tasks = len(members)
        # It falls late: what has just been given up is about to be taken by somebody who counts on his part.
        if others + mine >= pool.leased or now - pool.leased_at > 1.5 * self._terms.renew:
            pool.leased, pool.leased_at = others + mine, now
        if pool.closed:
            return []
        if must_give(self.task, held, members, pool.size):
            self._give_one(name)
        calls: list[Coroutine[Any, Any, Any]] = []
        allowed = may_take(self.task, held, members, pool.size)
        for key, waiter in self._waiting.items():
            item = items.get(key)
            free = item is None or item.owner == self.task or self._watch.dead(key)
            if _pool(waiter.claim) == name and free and len(calls) < allowed and key not in self._returning:
                calls.append(self._take(key, item, waiter))
        return calls

    def _give_one(self, pool: str) -> None:
        ours = [lease for lease in self._held.values() if _pool(lease.claim) == pool]
        if ours and not any(lease.giving for lease in ours):
            telemetry.logger().info("lease_given_up", extra={"lease": ours[-1].key, "task": self.task})
            ours[-1].give_up()

    async def _take(self, key: str, seen: Item | None, waiter: _Waiter) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        if not await self._table.take(self._item(key), seen):
            self._wake.set()  # another was first
            return
        lease = self._held[key] = _Lease(key, waiter.claim, began)
        if waiter.granted.done():  # nobody waits any more
            self._return(lease)
            return
        lease.renewed(began, self._terms)
        lease.keeping = loop.create_task(self._keep(lease), name=key)
        pool = self._pools[_pool(lease.claim)]
        pool.leased = min(pool.size, pool.leased + 1)
        extra = {"lease": key, "task": self.task, "from": seen.owner if seen is not None else ""}
        telemetry.logger().info("lease_taken", extra=extra)
        self._tell_parts()
        waiter.granted.set_result(lease)

    def _tell_parts(self) -> None:
        """Tell the binds what part of their pool is ours."""
        for name, pool in self._pools.items():
            mine = self._holds(name)
            part = mine / max(pool.leased, mine, 1)
            if part != pool.part:
                pool.part = part
                for lease in self._held.values():
                    if _pool(lease.claim) == name and lease.holder is not None:
                        lease.holder.shared(part)

    # --- for people ---------------------------------------------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        """As `Permits`."""
        looked = None
        if self._looked_at is not None:
            looked = round(asyncio.get_running_loop().time() - self._looked_at, 1)
        return {
            "task": self.task,
            "trouble": self._trouble,
            "looked_s_ago": looked,
            "looks": self._looks,
            "pools": {
                name: {"binds": pool.size, "leased": pool.leased, "ours": self._holds(name), "tasks": pool.tasks}
                for name, pool in sorted(self._pools.items())
            },
        }


def _pool(claim: Claim) -> str:
    """The binds that are shared out together."""
    return f"{claim.account}/{claim.role}"


def _key(claim: Claim) -> str:
    return f"{LEASE}{claim.account}#{claim.bind}"
