"""Kannel on the bench's SMSC: messages by HTTP, receipts to a URL; one connection, nothing stored on disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from bench.figures import TEXT
from tests.peers.kannel import Group, Kannel

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_CALLERS = 20  # requests at a time


class _Receipts:
    """Counts the calls that say "delivered"."""

    def __init__(self, count: int) -> None:
        self._left = count
        self.done = asyncio.get_running_loop().create_future()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of Kannel."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(OK)
                self._left -= b"state=1 " in head
                if not self._left and not self.done.done():
                    self.done.set_result(None)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()


def connection(port: int, window: int) -> Group:
    """Its group `smsc`: one connection to an SMSC of the bench."""
    return {
        "smsc": "smpp", "port": port, "smsc-username": "bench", "smsc-password": "bench", "system-type": "VMA",
        "transceiver-mode": "true", "max-pending-submits": window, "msg-id-type": 0,
    }  # fmt: skip


async def measure(
    work: Path, port: int, window: int, count: int, used: Callable[[int], tuple[float, float]]
) -> dict[str, float]:
    """As `bench.engine.measure`; CPU and RSS are those of its two processes together."""
    receipts = _Receipts(count)
    server = await asyncio.start_server(receipts.talk, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with Kannel(work, connection(port, window), url, log_level=3) as kannel:
        before, began = [used(pid) for pid in kannel.pids], time.perf_counter()
        numbers = iter(range(count))

        async def call() -> None:
            for number in numbers:
                await kannel.send(TEXT, f"2507881{number:05d}", number=number, states=1)

        await asyncio.gather(*(call() for _ in range(_CALLERS)))
        await receipts.done
        took, after = time.perf_counter() - began, [used(pid) for pid in kannel.pids]
    server.close()
    cpu = sum(end[0] - start[0] for start, end in zip(before, after, strict=True))
    nothing = float("nan")
    return {"rate": count / took, "cpu": cpu * 100_000 / count, "rss": sum(end[1] for end in after), "p50": nothing,
            "p99": nothing}  # fmt: skip
