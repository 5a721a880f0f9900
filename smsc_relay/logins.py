"""Whose turn it is to log in: credentials that an account's SMSC refuses are tried by one bind, not by each.

SMSCs lock an account after three to five wrong logins. So until a login has been accepted, and from the moment on that
one is refused, the binds of an account log in one after the other, and after a refusal all wait for the same time.
While a bind is logged in the credentials are right: a refusal is then of the one bind, such as one more than the SMSC
allows, and keeps no other back.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

PATIENCE: Final = 5.0  # s for which the others wait for a login that is neither accepted nor refused


class Logins:
    """For the binds of one account in this process. `refusals`: of its credentials, since one was accepted;
    `reason`: of the last."""

    def __init__(self) -> None:
        self.refusals = 0
        self.reason = ""
        self._accepted = False  # by the SMSC, and none refused since
        self._refused_until = 0.0
        self._trying: object | None = None
        self._since = 0.0  # when that began
        self._in: set[object] = set()  # binds that are logged in
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def resting(self) -> float:
        """Seconds until credentials that were refused may be tried again."""
        return max(0.0, self._refused_until - asyncio.get_running_loop().time())

    def may(self, bind: object) -> bool:
        """`bind` may log in now. It must say `done` in the end."""
        now = asyncio.get_running_loop().time()
        if not self._accepted:
            if now < self._from_when(bind):
                return False
            self._trying, self._since = bind, now
        return True

    async def change(self, bind: object) -> None:
        """Wait until `bind` may ask again."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._from_when(bind)):
                    await waiter
        finally:
            self._waiting.discard(waiter)

    def _from_when(self, bind: object) -> float:
        free = self._trying is None or self._trying is bind
        return max(self._refused_until, 0.0 if free else self._since + PATIENCE)

    def accepted(self, bind: object) -> None:
        """The SMSC knows the credentials: all may log in."""
        self._in.add(bind)
        self.refusals, self.reason = 0, ""
        self._accepted, self._refused_until = True, 0.0
        self._end()

    def refused(self, reason: str, seconds: float) -> None:
        """The SMSC has refused them: nobody tries them again for so long, unless somebody is logged in by them."""
        self.refusals += 1
        if self._in:
            return
        self.reason = reason
        self._accepted, self._refused_until = False, asyncio.get_running_loop().time() + seconds
        self._end()

    def done(self, bind: object) -> None:
        """Its attempt is over, or its session, whatever came of it."""
        self._in.discard(bind)
        if self._trying is bind:
            self._end()

    def _end(self) -> None:
        self._trying = None
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
