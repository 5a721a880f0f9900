"""The UCP side of the simulated SMSC: its listening port."""

from __future__ import annotations

import asyncio

from smsc_relay.simulator.centre import Centre
from smsc_relay.simulator.ucp import UcpConnection
from smsc_relay.simulator.ucp_messages import Stamps

_BACKLOG = 1024


class UcpServer:
    """All UCP connections."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._server: asyncio.Server | None = None
        self._connections: set[UcpConnection] = set()
        self.stamps = Stamps()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port.

        Raises:
            OSError: it cannot be had.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: UcpConnection(self._centre, self), host, port, backlog=_BACKLOG)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Close every connection."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.disconnect("close")

    def opened(self, connection: UcpConnection) -> None:
        """A connection is there."""
        self._connections.add(connection)

    def closed(self, connection: UcpConnection) -> None:
        """It is gone."""
        self._connections.discard(connection)

    def send_raw(self, session: int, data: bytes) -> bool:
        """Send octets over a connection, logged in or not; False: there is no such connection here."""
        for connection in self._connections:
            if connection.number == session:
                connection.send_raw(data)
                return True
        return False
