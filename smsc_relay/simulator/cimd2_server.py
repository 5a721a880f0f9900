"""The CIMD2 side of the simulated SMSC: its listening port."""

from __future__ import annotations

import asyncio

from smsc_relay.simulator.centre import Centre
from smsc_relay.simulator.cimd2 import Cimd2Connection

_BACKLOG = 1024


class Cimd2Server:
    """All CIMD2 connections."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._server: asyncio.Server | None = None
        self._connections: set[Cimd2Connection] = set()
        self._all_closed = asyncio.Event()
        self._all_closed.set()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port.

        Raises:
            OSError: it cannot be had.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Cimd2Connection(self._centre, self), host, port, backlog=_BACKLOG
        )  # fmt: skip
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Close all sessions: an SMSC cannot log out."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.disconnect("close")
        try:
            await asyncio.wait_for(self._all_closed.wait(), 1.0)
        except TimeoutError:
            for connection in list(self._connections):
                connection.disconnect("reset")

    def opened(self, connection: Cimd2Connection) -> None:
        """A connection is there."""
        self._connections.add(connection)
        self._all_closed.clear()

    def closed(self, connection: Cimd2Connection) -> None:
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
