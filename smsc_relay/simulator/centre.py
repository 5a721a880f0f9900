"""The message centre behind the protocols: accounts, phones, script and clock. Everything runs in one event loop."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from smsc_relay.simulator.account import Account, Link
from smsc_relay.simulator.deliveries import REFUSED, Delivery, Mo, MoRequest
from smsc_relay.simulator.judge import Rules
from smsc_relay.simulator.phones import Phones
from smsc_relay.simulator.script import Outbind, Script
from smsc_relay.simulator.timers import Timers


class Unknown(LookupError):  # noqa: N818 - says what it is
    """There is no such account or session."""


class Centre:
    """One SMSC. `script` is what it does now; `reset` takes it back to what it was told first."""

    def __init__(self, script: Script) -> None:
        self._first_script = script
        self.timers = Timers()  # of messages
        self.link_timers = Timers()  # of sessions, which outlive a reset
        self.accounts: dict[str, Account] = {}
        self.outbind: Callable[[Account, Outbind], None] | None = None  # a protocol that can call its clients
        self._waiters: set[asyncio.Future[None]] = set()
        self._sessions = 0
        self._start(script)

    def _start(self, script: Script) -> None:
        self.script = script
        self.rules = Rules(script.rules)
        self._random = random.Random(script.seed)
        self.phones = Phones(script.keep, self.changed)
        self.mos: deque[Mo] = deque(maxlen=script.keep)
        self._unclaimed: deque[Mo] = deque()  # MOs that came before any account
        self._mo_count = 0
        self._reference = 0
        self._senders: dict[str, str] = {}  # who has last sent a message from an address
        # Ids must not come again after a restart: clients remember them for weeks.
        first = script.behaviour.ids.first
        self._last_id = (first or random.SystemRandom().randrange(1_000_000_000, 0xF0000000)) - 1

    # --- script -------------------------------------------------------------------------------------------------------

    def configure(self, patch: Mapping[str, Any] | Script) -> None:
        """Change the script; sessions and messages stay.

        Raises:
            ScriptError: the result is no script; nothing has changed.
        """
        self.script = patch if isinstance(patch, Script) else self.script.patched(patch)
        self.rules = Rules(self.script.rules)
        for account in self.accounts.values():
            account.renew()

    def reset(self) -> None:
        """Forget messages, MOs, receipts to come and counters, and take the script back; sessions stay."""
        self.timers.clear()
        # What is in flight must not come back when its session ends.
        for delivery in (*(part for mo in self.mos for part in mo.parts), *self._receipts()):
            delivery.state = REFUSED
        self._start(self._first_script)
        for account in self.accounts.values():
            account.renew()
            account.forget()
        self.changed()

    def _receipts(self) -> Iterator[Delivery]:
        for segment in self.phones.submits:
            yield from segment.receipts

    # --- what protocols use -------------------------------------------------------------------------------------------

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def draw(self, span: tuple[float, float]) -> float:
        """A time out of a range."""
        low, high = span
        return low if low == high else self._random.uniform(low, high)

    def next_id(self) -> int:
        """For a message."""
        self._last_id += 1
        return self._last_id

    def next_session(self) -> int:
        """For a session."""
        self._sessions += 1
        return self._sessions

    def account(self, name: str) -> Account | None:
        """The account of this name; None: the script has none."""
        known = self.accounts.get(name)
        if self.script.account(name) is None:
            return None
        if known is None:
            known = self.accounts[name] = Account(name, self)
        return known

    def sent_from(self, address: str, account: str) -> None:
        """An account has sent from this address: MOs to it are for that account, unless the script says otherwise."""
        self._senders[address] = account

    def claimed(self, account: Account, link: Link) -> None:
        """A session of this account is there: MOs that have had no account are its own."""
        self.changed()
        while self._unclaimed and link.takes:
            mo = self._unclaimed.popleft()
            mo.account = account.name
            account.enqueue(mo.parts)

    def wanted(self, account: Account, outbind: Outbind) -> None:
        """Something waits for the account, it has no receiver, and its client can be called."""
        if self.outbind is not None:
            self.outbind(account, outbind)

    def changed(self) -> None:
        """Something has happened that somebody may wait for."""
        if self._waiters:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Until the condition holds; False: it did not in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not condition():
            left = deadline - loop.time()
            if left <= 0:
                return False
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.add(waiter)
            try:
                await asyncio.wait([waiter], timeout=left)
            finally:
                self._waiters.discard(waiter)
        return True

    # --- sessions and MOs ---------------------------------------------------------------------------------------------

    def links(self) -> Iterator[tuple[Account, Link]]:
        """All sessions that have logged in."""
        for account in self.accounts.values():
            for link in list(account.links):
                yield account, link

    def link(self, number: int) -> tuple[Account, Link]:
        """A session by its number.

        Raises:
            Unknown: there is none.
        """
        for account, link in self.links():
            if link.number == number:
                return account, link
        raise Unknown(f"no session {number} is logged in")

    def inject(self, request: MoRequest) -> Mo:
        """A phone sends a message.

        Raises:
            Unknown: there is no such account or session, or nothing says whose the message is.
            ContentError: the message cannot be made.
        """
        account = self.addressee(request)
        alphabet = account.settings.alphabet if account else "gsm7"
        parts = [Delivery(part, only=request.session) for part in request.cut(self._reference + 1, alphabet)]
        self._reference = (self._reference + 1) & 0xFFFF
        self._mo_count += 1
        name = account.name if account else None
        mo = Mo(self._mo_count, self.wall_ms(), name, parts, request.source, request.to)
        self.mos.append(mo)
        if account is None:
            self._unclaimed.append(mo)
        else:
            account.enqueue(mo.parts)
        return mo

    def addressee(self, request: MoRequest) -> Account | None:
        """Whose client gets it; None: there is no account yet, and the first one will be it.

        Raises:
            Unknown: as `inject`.
        """
        if request.session is not None:
            account, link = self.link(request.session)
            if request.account not in (None, account.name):
                raise Unknown(f"session {request.session} is not one of the account {request.account!r}")
            if not link.takes:
                raise Unknown(f"session {request.session} is no receiver")
            return account
        if request.account is not None:
            named = self.account(request.account)
            if named is None:
                raise Unknown(f"no account {request.account!r}")
            return named
        serving = [name for name, account in self.script.accounts.items() if account.serves(request.to)]
        names = {*self.accounts, *self.script.accounts}
        if not serving and (last := self._senders.get(request.to)):
            serving = [last]
        if not serving and len(names) == 1:
            serving = list(names)
        if serving:
            return self.account(serving[0])
        if names:
            raise Unknown(f"none of the accounts serves this number: say which of {', '.join(sorted(names))} it is for")
        return None

    def stats(self) -> dict[str, Any]:
        """Counters by account."""
        return {
            name: {"sessions": len(account.links), "waiting": account.waiting, **account.counts}
            for name, account in sorted(self.accounts.items())
        }
