"""`GET /`: 200 while the event loop is alive, with the state of the links for people to read.

A link that is down, or AWS that does not answer, is no reason to restart the relay, so neither changes the status.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

_TIMEOUT: Final = 5.0  # s for a request
_LONGEST: Final = 16_384  # octets of a request's head


async def serve(port: int, host: str, report: Callable[[], dict[str, Any]]) -> asyncio.Server:
    """Answer health checks on that port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_reply(head, report))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port, limit=_LONGEST)


def _reply(head: bytes, report: Callable[[], dict[str, Any]]) -> bytes:
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if method not in (b"GET", b"HEAD"):
        status, body = "405 Method Not Allowed", b"{}"
    elif path not in (b"/", b"/health"):
        status, body = "404 Not Found", b"{}"
    else:
        status, body = "200 OK", json.dumps(report()).encode()
    fields = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close"
    return fields.encode() + b"\r\n\r\n" + (b"" if method == b"HEAD" else body)
