"""Between two peers: passes octets on and keeps them, as a capture that a dissector of others can judge."""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.tools import tool

_US, _THEM = b"\x7f\0\0\1", b"\x7f\0\0\2"
_MOST: Final = 16_384  # octets of a segment
_RAW_IP: Final = 101  # link type of the capture
_BETWEEN: Final = "|"  # two values of one field


class Tee:
    """Listens on `port` within `async with`; what comes goes on to `upstream`, and back.

    `framed`: frames are between STX and ETX, and are kept as a packet each, since tshark's dissector of CIMD2 reads
    only the first frame of a packet.
    """

    def __init__(self, upstream: int, *, framed: bool = False) -> None:
        self._upstream = upstream
        self._framed = framed
        self.port = 0
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._connections = 0
        self._packets: list[bytes] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        client = 40_000 + self._connections
        there, back = await asyncio.open_connection("127.0.0.1", self._upstream)
        self._writers += (writer, back)
        sent = [1, 1]  # next sequence number of either side
        for task in (self._pass(reader, back, client, sent, 0), self._pass(there, writer, client, sent, 1)):
            running = asyncio.get_running_loop().create_task(task)
            self._tasks.add(running)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: int, sent: list[int], side: int
    ) -> None:
        begun = b""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_MOST):
                *frames, begun = self._frames(begun + data)
                for frame in frames:
                    self._packets.append(self._packet(frame, client, sent, side))
                    sent[side] += len(frame)
                writer.write(data)
                await writer.drain()
        writer.close()

    def _frames(self, data: bytes) -> list[bytes]:
        """The whole frames, and what has begun of the next one."""
        if not self._framed:
            return [data, b""]
        pieces = re.findall(b"\x02[^\x03]*\x03?|[^\x02]+", data)  # what is between frames: a banner
        whole = not pieces[-1].startswith(b"\x02") or pieces[-1].endswith(b"\x03")
        return [*pieces, b""] if whole else pieces

    def _packet(self, data: bytes, client: int, sent: list[int], side: int) -> bytes:
        ports = (client, self.port) if side == 0 else (self.port, client)
        addresses = (_US, _THEM) if side == 0 else (_THEM, _US)
        tcp = struct.pack(">HHIIBBHHH", *ports, sent[side], sent[1 - side], 0x50, 0x18, 0xFFFF, 0, 0)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(data), 0, 0, 64, 6, 0, *addresses)
        return ip + tcp + data

    # --- what a dissector says ----------------------------------------------------------------------------------------

    def dissected(self, capture: Path, protocol: str, field: str) -> list[str]:
        """The values of a field in all frames, as tshark finds them (raises as `frames`)."""
        return [value for frame in self.frames(capture, protocol, field) for value in frame[field]]

    def frames(self, capture: Path, protocol: str, *fields: str) -> list[dict[str, list[str]]]:
        """The values of fields in each packet, as tshark finds them. `protocol`: smpp, ucp, cimd.

        Raises:
            AssertionError: a frame is malformed, or has a wrong checksum.
        """
        with capture.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, _RAW_IP))
            for packet in self._packets:
                file.write(struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet)
        names = ("_ws.col.Info", *fields)
        found = tool("tshark").run(
            "-r", capture, "-d", f"tcp.port=={self.port},{protocol}", "-T", "fields", "-E", f"aggregator={_BETWEEN}",
            *(word for name in names for word in ("-e", name)),
        )  # fmt: skip
        frames: list[dict[str, list[str]]] = []
        for line in found.splitlines():
            summary, *values = line.split("\t")
            assert "Malformed" not in summary, summary
            assert "invalid" not in summary, summary  # checksum
            told = zip(fields, values, strict=True)
            frames.append({name: [one for one in value.split(_BETWEEN) if one] for name, value in told})
        return frames
