"""A listening port of the simulated SMSC, whatever its protocol."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

BACKLOG: Final = 1024
GOODBYE: Final = 1.0  # seconds for the clients to answer a logout


class _Connection(Protocol):
    @property
    def number(self) -> int: ...

    def disconnect(self, how: str) -> None: ...

    def send_raw(self, data: bytes) -> None: ...


C = TypeVar("C", bound=_Connection)


class Server(Generic[C]):
    """All connections of one protocol. `make` is given this server, and makes one for a client that has come."""

    def __init__(self, make: Callable[[Server[C]], asyncio.Protocol]) -> None:
        self._make = make
        self._server: asyncio.Server | None = None
        self._at: tuple[str, int, ssl.SSLContext | None] = ("", 0, None)
        self._connections: set[C] = set()
        self._all_closed = asyncio.Event()
        self._all_closed.set()

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen, over TLS with a context; the port.

        Raises:
            OSError: it cannot be had.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: self._make(self), host, port, backlog=BACKLOG, ssl=tls)
        found: int = self._server.sockets[0].getsockname()[1]
        self._at = host, found, tls
        return found

    async def restart(self, down: float) -> None:
        """End all connections, as a machine that loses power does, and listen again after `down` seconds."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.disconnect("reset")
        await asyncio.sleep(down)
        await self.start(*self._at)

    async def stop(self) -> None:
        """Log all sessions out where the protocol can, wait a moment for the answers, close."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.disconnect("unbind")
        try:
            await asyncio.wait_for(self._all_closed.wait(), GOODBYE)
        except TimeoutError:
            for connection in list(self._connections):
                connection.disconnect("reset")

    def opened(self, connection: C) -> None:
        """A connection is there."""
        self._connections.add(connection)
        self._all_closed.clear()

    def closed(self, connection: C) -> None:
        """It is gone."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()

    def send_raw(self, session: int, data: bytes) -> bool:
        """Send octets over a connection, logged in or not; False: it is none of these."""
        for connection in self._connections:
            if connection.number == session:
                connection.send_raw(data)
                return True
        return False
