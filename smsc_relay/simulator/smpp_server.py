"""The SMPP side of the simulated SMSC: its listening port, and its calls to clients (outbind)."""

from __future__ import annotations

import asyncio

from smsc_relay.simulator.account import Account
from smsc_relay.simulator.centre import Centre, Unknown
from smsc_relay.simulator.script import Outbind
from smsc_relay.simulator.smpp import SmppConnection

_BACKLOG = 1024


class SmppServer:
    """All SMPP connections."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._server: asyncio.Server | None = None
        self._connections: set[SmppConnection] = set()
        self._calls: dict[str, asyncio.Task[None]] = {}  # by account
        self._all_closed = asyncio.Event()
        self._all_closed.set()
        centre.outbind = self.outbind

    async def start(self, host: str, port: int) -> int:
        """Listen; the port.

        Raises:
            OSError: it cannot be had.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SmppConnection(self._centre, self), host, port, backlog=_BACKLOG
        )  # fmt: skip
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Unbind all sessions, wait a moment for the answers, close."""
        if self._server is not None:
            self._server.close()
        for call in self._calls.values():
            call.cancel()
        for connection in list(self._connections):
            connection.disconnect("unbind")
        try:
            await asyncio.wait_for(self._all_closed.wait(), 1.0)
        except TimeoutError:
            for connection in list(self._connections):
                connection.disconnect("reset")

    def opened(self, connection: SmppConnection) -> None:
        """A connection is there."""
        self._connections.add(connection)
        self._all_closed.clear()

    def closed(self, connection: SmppConnection) -> None:
        """It is gone."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()

    def send_raw(self, session: int, data: bytes) -> None:
        """Send octets over a connection, logged in or not.

        Raises:
            Unknown: there is no such connection.
        """
        for connection in self._connections:
            if connection.number == session:
                connection.send_raw(data)
                return
        raise Unknown(f"there is no session {session}")

    # --- outbind ------------------------------------------------------------------------------------------------------

    def outbind(self, account: Account, settings: Outbind) -> None:
        """Call the client, unless a call is on its way: it is expected to bind as a receiver (SMPP 3.4 2.2.1)."""
        if account.name not in self._calls:
            task = asyncio.get_running_loop().create_task(self._call(account, settings))
            self._calls[account.name] = task

    async def _call(self, account: Account, settings: Outbind) -> None:
        loop = asyncio.get_running_loop()
        account.counts["outbinds"] += 1
        try:
            _, connection = await loop.create_connection(
                lambda: SmppConnection(self._centre, self, settings), settings.host, settings.port
            )
            await connection.ended.wait()
        except OSError:
            account.counts["outbinds_failed"] += 1
        finally:
            del self._calls[account.name]
        # What still waits is a reason to call again.
        self._centre.timers.after(account.behaviour.mo.retry, account.pump)
