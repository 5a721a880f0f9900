"""A port that an SMSC calls us on, where it is the SMSC that opens the connection.

Every task listens, so that it does not matter to whom a load balancer brings the call; who may answer, the lease says
when the call is there. A call from elsewhere, or one that no bind waits for, is closed at once.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from chalicelib import telemetry
from smsc_relay.config import Listening

AGAIN: Final = 1.0  # s until a port that another process has is tried again, or the system has room again
_WAITING: Final = 16  # calls that the system keeps for us


class Gate:
    """One port of an account. `refused` is told why a call has been closed."""

    def __init__(self, account: str, listening: Listening, host: str, refused: Callable[[str], None]) -> None:
        self._account, self._listening, self._host, self._refused = account, listening, host, refused
        self._binds: deque[asyncio.Future[socket.socket]] = deque()

    async def run(self) -> None:
        """Listen until cancelled."""
        where, trouble = (self._host or "0.0.0.0", self._listening.port), ""  # noqa: S104 - `networks` may call
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        while True:
            try:
                with socket.create_server(where, family=family, backlog=_WAITING) as listener:
                    listener.setblocking(False)
                    trouble = ""
                    await self._listen(listener)
            except OSError as error:
                if trouble != type(error).__name__ + str(error.errno):
                    trouble = type(error).__name__ + str(error.errno)
                    extra = {"aggregator": self._account, "port": self._listening.port, "error": error.strerror}
                    telemetry.logger().error("cannot_listen", extra=extra)
            await asyncio.sleep(AGAIN)

    async def call(self) -> socket.socket:
        """Wait for the SMSC's next call. The socket is the caller's."""
        waiting: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
        self._binds.append(waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                waiting.result().close()
            raise
        finally:
            with suppress(ValueError):
                self._binds.remove(waiting)

    async def _listen(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            called, peer = await loop.sock_accept(listener)
            reason = self._answered(called, peer[0])
            if reason:
                called.close()
                self._refused(reason)

    def _answered(self, called: socket.socket, peer: str) -> str:
        """Give the call to a bind that waits; answers why not."""
        address = ipaddress.ip_address(peer)
        if not any(address in network for network in self._listening.networks):
            return "a call from a network that is not allowed"
        while self._binds:
            waiting = self._binds.popleft()
            if not waiting.done():
                waiting.set_result(called)
                return ""
        return "a call that no bind waits for"
