"""An aggregator and a platform that say yes, after a while: `python -m bench.stub MILLISECONDS` prints its URL.

HTTP/1.1 over asyncio, as little as the benches need, in a process of its own so that its CPU is not counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys

# what an External channel, Africa's Talking and Twilio's API take for an acceptance
BODY = json.dumps(
    {"SMSMessageData": {"Recipients": [{"status": "Success", "messageId": "ATXid_1", "statusCode": 101}]}, "sid": "SM1"}
).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


async def serve(milliseconds: int) -> None:
    """Answer every request `milliseconds` after it has come, until stdin is closed."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                await reader.readexactly(int(length.group(1)) if length else 0)
                if milliseconds:
                    await asyncio.sleep(milliseconds / 1000)
                writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # connections are still open, and nobody waits for their end


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
