"""Writing to a connection: all at once, in small pieces, or gathered into larger ones."""

from __future__ import annotations

import asyncio
import socket
import struct

from smsc_relay.simulator.settings import Link

_NOW = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: closing resets the connection


class Wire:
    """The sending side of one connection. `chunk` octets go out in one write each; TCP_NODELAY, which asyncio sets,
    makes each one a segment of its own unless the network is busy."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()
        self._handle: asyncio.Handle | None = None
        self._closing = False

    def write(self, data: bytes, how: Link) -> None:
        """Send octets, after those that wait."""
        if not data or self._closing:
            return
        if not self._waiting and not how.chunk and not how.gather:
            self._transport.write(data)
            return
        self._waiting += data
        if self._handle is None:
            self._handle = self._loop.call_later(how.gather, self._pump, how)

    def close(self) -> None:
        """Close when all has been written."""
        self._closing = True
        if not self._waiting:
            self._transport.close()

    def reset(self) -> None:
        """Close at once, with a TCP reset."""
        self.lost()
        connection: socket.socket | None = self._transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
        self._transport.abort()

    def lost(self) -> None:
        """The connection is gone."""
        self._closing = True
        self._waiting.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _pump(self, how: Link) -> None:
        size = how.chunk or len(self._waiting)
        self._transport.write(bytes(self._waiting[:size]))
        del self._waiting[:size]
        self._handle = self._loop.call_later(how.chunk_pause, self._pump, how) if self._waiting else None
        if self._closing and not self._waiting:
            self._transport.close()
