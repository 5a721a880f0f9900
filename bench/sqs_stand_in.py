"""FIFO queues on a socket, as fast as one process of Python gives them, and the little of DynamoDB that a relay asks
for: `python -m bench.sqs_stand_in` prints its URL, and ends when stdin is closed.

It knows the calls that the relay makes, in the JSON protocol of AWS, and believes every caller. One message of a group
is in flight at a time, as in SQS; what is not deleted comes back when its visibility ends. Its ledger has the outcomes
that are in events.fifo. Not kept: anything on disk, retention, dead letters.

`PUT /rows` sets the registry (a list of `{"pk": ..., "data": {...}}`); `PUT /fill/QUEUE` puts `[group, body]` pairs;
`GET /wait/SECONDS/QUEUE/COUNT` answers when so many have been put into a queue; `GET /told` has each queue's counts
and, by message id, the milliseconds from a lane to its outcome in events.fifo.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from chalicelib.ledger_items import PartKind, PartState, part_value
from chalicelib.messages import Status

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"\r\nx-amz-target: *[A-Za-z0-9_]+\.([A-Za-z]+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 %d OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n%b"
EVENTS = "events.fifo"


@dataclass(slots=True)
class Message:
    """One message; `until`: when it is visible again, 0 where it is."""

    number: int
    group: str
    body: str
    sent_at: int
    receives: int = 0
    until: float = 0.0


class Fifo:
    """One queue."""

    def __init__(self) -> None:
        self._groups: dict[str, deque[Message]] = {}
        self._ready: deque[str] = deque()
        self._flying: dict[int, Message] = {}
        self._returns: list[tuple[float, int]] = []  # when one in flight may be visible again, the first first
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._seen: set[str] = set()
        self.counts: Counter[str] = Counter()

    def put(self, message: Message, dedup: str = "") -> bool:
        """Add a message; False: it has been there before."""
        if dedup and dedup in self._seen:
            return False
        self._seen.add(dedup)
        self.counts["sent"] += 1
        line = self._groups.get(message.group)
        if line is None:
            line = self._groups[message.group] = deque()
            self._ready.append(message.group)
        line.append(message)
        self._wake()
        return True

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def receive(self, most: int, wait: float, visibility: float) -> list[Message]:
        """Up to `most`, one of a group."""
        deadline = time.monotonic() + wait
        while True:
            self._return_late()
            found = self._take(most, visibility)
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            soonest = self._returns[0][0] - time.monotonic() if self._returns else left
            try:
                await asyncio.wait_for(waiter, max(0.0, min(left, soonest)))
            except TimeoutError:
                continue

    def _take(self, most: int, visibility: float) -> list[Message]:
        found: list[Message] = []
        while self._ready and len(found) < most:
            message = self._groups[self._ready.popleft()][0]
            message.receives += 1
            self._flying[message.number] = message
            self._keep(message, visibility)
            found.append(message)
        if self._ready:
            self._wake()
        return found

    def _keep(self, message: Message, seconds: float) -> None:
        message.until = time.monotonic() + seconds
        heapq.heappush(self._returns, (message.until, message.number))

    def _return_late(self) -> None:
        """What is visible again."""
        now = time.monotonic()
        while self._returns and self._returns[0][0] <= now:
            _, number = heapq.heappop(self._returns)
            message = self._flying.get(number)
            if message is not None and message.until <= now:
                self.hide(number, 0)

    def delete(self, number: int) -> None:
        """It is done with: the next of its group may go."""
        message = self._flying.pop(number, None)
        if message is None:
            return
        self.counts["deleted"] += 1
        line = self._groups[message.group]
        line.popleft()
        if line:
            self._ready.append(message.group)
            self._wake()
        else:
            del self._groups[message.group]

    def hide(self, number: int, seconds: float) -> None:
        """Hide it for so long; 0: it is visible."""
        message = self._flying.get(number)
        if message is None:
            return
        if seconds:
            self._keep(message, seconds)
            return
        del self._flying[number]
        self._ready.append(message.group)
        self._wake()


class StandIn:
    """All queues, and the registry."""

    def __init__(self) -> None:
        self._queues: dict[str, Fifo] = {}
        self._rows: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)
        self._put_at: dict[str, float] = {}  # by message id: when it came into a lane
        self._took: dict[str, float] = {}
        self._ledger: dict[str, dict[str, Any]] = {}  # the outcomes in events.fifo, as λ record writes them down
        self._changed = asyncio.Event()
        self._calls: Counter[str] = Counter()

    def queue(self, url: str) -> Fifo:
        """By its URL, or the end of it: what follows the last `-local-`."""
        name = url.rsplit("/", 1)[-1].rsplit("-local-", 1)[-1]
        return self._queues.setdefault(name, Fifo())

    async def answer(self, call: str, path: str, body: bytes) -> dict[str, Any]:
        """What a request is answered."""
        self._calls[call or path.split("/")[1]] += 1
        if call == "ReceiveMessage":
            return await self._receive(json.loads(body))
        handler: Callable[[Any], dict[str, Any]] | None = getattr(self, f"_on_{call}", None)
        if handler is not None:
            return handler(json.loads(body))
        parts = path.split("/")
        if parts[1] == "rows":
            self._rows = json.loads(body)
        elif parts[1] == "fill":
            for group, text in json.loads(body):
                self._put_at[json.loads(text)["key"]["id"]] = time.monotonic()
                self.queue(parts[2]).put(self._message(group, text))
        elif parts[1] == "wait":
            return {"reached": await self._wait(float(parts[2]), self.queue(parts[3]), int(parts[4]))}
        elif parts[1] == "told":
            counts = {name: dict(queue.counts) for name, queue in self._queues.items()}
            return {"queues": counts, "took": self._took, "calls": dict(self._calls)}
        return {}

    def _message(self, group: str, body: str) -> Message:
        return Message(next(self._numbers), group, body, round(time.time() * 1000))

    async def _wait(self, seconds: float, queue: Fifo, count: int) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while queue.counts["sent"] < count:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _receive(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = await self.queue(asked["QueueUrl"]).receive(
            asked.get("MaxNumberOfMessages", 1), asked.get("WaitTimeSeconds", 0), asked.get("VisibilityTimeout", 30)
        )
        return {"Messages": [_shown(message) for message in found]} if found else {}

    def _on_SendMessageBatch(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - the call's name
        for entry in asked["Entries"]:
            self._send(asked["QueueUrl"], entry)
        return {"Successful": [{"Id": entry["Id"], "MessageId": "m"} for entry in asked["Entries"]]}

    def _on_SendMessage(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._send(asked["QueueUrl"], asked)
        return {"MessageId": "m"}

    def _send(self, url: str, entry: dict[str, Any]) -> None:
        body = entry["MessageBody"]
        queue = self.queue(url)
        queue.put(self._message(entry.get("MessageGroupId", ""), body), entry.get("MessageDeduplicationId", ""))
        if url.endswith(EVENTS):
            event = json.loads(body)["event"]
            queue.counts[event["kind"]] += 1
            if event["kind"] == "outcome":
                since = self._put_at.get(event["key"]["id"])
                if since is not None:
                    self._took[event["key"]["id"]] = round((time.monotonic() - since) * 1000, 3)
                self._ledger[f"m#{event['key']['channel']}#{event['key']['id']}"] = event
            self._changed.set()

    def _on_DeleteMessageBatch(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        queue = self.queue(asked["QueueUrl"])
        for entry in asked["Entries"]:
            queue.delete(int(entry["ReceiptHandle"]))
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]]}

    def _on_ChangeMessageVisibilityBatch(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        queue = self.queue(asked["QueueUrl"])
        for entry in asked["Entries"]:
            queue.hide(int(entry["ReceiptHandle"]), entry["VisibilityTimeout"])
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]]}

    def _on_Scan(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        kind = asked["ExpressionAttributeValues"][":kind"]["S"]
        found = [
            {"pk": {"S": row["pk"]}, "data": {"S": json.dumps(row["data"])}}
            for row in self._rows
            if row["pk"].startswith(kind)
        ]
        return {"Items": found, "Count": len(found), "ScannedCount": len(found)}

    def _on_GetItem(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        pk = asked["Key"]["pk"]
        event = self._ledger.get(pk["S"])
        if event is None:
            return {}
        kind, status = ("accepted", Status.WIRED) if event["accepted"] else ("failed", Status.FAILED)
        rank = status.rank
        part = part_value(PartState(cast("PartKind", kind), external_id=event.get("external_id", ""), rank=rank))
        numbers = {"g": event["key"].get("generation", 0), "rk": rank, "tot": 1, "ttl": 1 << 40}
        return {"Item": {"pk": pk, "p": {"M": {"0": part}}, **{name: {"N": str(n)} for name, n in numbers.items()}}}


def _shown(message: Message) -> dict[str, Any]:
    return {
        "MessageId": str(message.number),
        "ReceiptHandle": str(message.number),
        "Body": message.body,
        "Attributes": {
            "MessageGroupId": message.group,
            "ApproximateReceiveCount": str(message.receives),
            "SentTimestamp": str(message.sent_at),
        },
    }


async def _serve() -> None:
    stand_in = StandIn()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length, target = _LENGTH.search(head), _TARGET.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                path = head.split(b" ", 2)[1].decode()
                said = await stand_in.answer(target[1].decode() if target else "", path, body)
                data = json.dumps(said, separators=(",", ":")).encode()
                writer.write(_ANSWER % (200, len(data), data))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=1 << 24)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
