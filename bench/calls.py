"""A door in front of the emulated AWS that counts what passes, by operation, as AWS would bill it."""

from __future__ import annotations

import http.client
import json
import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from local.emulator import Emulator

CHUNK: Final = 65_536  # octets of a payload that SQS bills as one request
# What is called whatever the traffic is.
IGNORED: Final = ("leases", "ListTables", "DescribeTable", "GetQueueAttributes", "GetQueueUrl")

Counts = dict[str, float]


def size(value: Any) -> int:
    """Octets of an item or of one attribute value (DynamoDB developer guide, "Item sizes and formats")."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("S", "N", "B", "BOOL", "NULL", "M", "L"):
        ((kind, inner),) = value.items()
        if kind == "B":
            return len(inner) * 3 // 4
        if kind == "N":
            return len(inner) // 2 + 1
        if kind in ("M", "L"):
            return 3 + sum(size(one) for one in (inner.values() if kind == "M" else inner))
        return len(str(inner).encode()) if kind == "S" else 1
    return sum(len(name.encode()) + size(one) for name, one in value.items())


def units(operation: str, asked: dict[str, Any]) -> tuple[str, float]:
    """What an operation of DynamoDB is billed as: "write" or "read", and how many request units.

    An update is taken for one unit: state items are below 1 KB. An item with `parked` is written to its index too.
    """

    def written(item: dict[str, Any]) -> int:
        return max(1, math.ceil(size(item) / 1024)) * (2 if "parked" in item else 1)

    if operation == "PutItem":
        return "write", written(asked["Item"])
    if operation in ("UpdateItem", "DeleteItem"):
        return "write", 1
    if operation == "BatchWriteItem":
        requests = [one for table in asked["RequestItems"].values() for one in table]
        return "write", sum(written(one["PutRequest"]["Item"]) if "PutRequest" in one else 1 for one in requests)
    if operation == "TransactWriteItems":
        puts = [one["Put"]["Item"] if "Put" in one else {} for one in asked["TransactItems"]]
        return "write", sum(2 * written(item) for item in puts)
    if operation == "BatchGetItem":
        keys = sum(len(one["Keys"]) for one in asked["RequestItems"].values())
        return "read", keys * 0.5
    return "read", 1 if asked.get("ConsistentRead") else 0.5


def counted(target: str, asked: dict[str, Any], answer: dict[str, Any]) -> Counts:
    """What one call adds to the counts."""
    service, _, operation = target.partition(".")
    if service.startswith("DynamoDB"):
        kind, number = units(operation, asked)
        return {f"dynamodb {operation}": 1, f"dynamodb {kind} units": number}
    if service != "AmazonSQS":
        return {f"{service} {operation}": 1}
    queue = str(asked.get("QueueUrl", "")).rsplit("/", 1)[-1].removeprefix("jangada-local-")
    if operation == "ReceiveMessage":
        taken = len(answer.get("Messages") or ())
        return {"sqs requests": 1, f"receives {queue}": 1, f"received {queue}": taken} if taken else {}
    octets = sum(len(str(one.get("MessageBody", ""))) for one in asked.get("Entries") or [asked])
    return {"sqs requests": max(1, math.ceil(octets / CHUNK)), f"sqs {operation}": 1}


class CountedEmulator(Emulator):
    """The emulator, behind a door that counts."""

    def start(self) -> CountedEmulator:
        """Start both."""
        super().start()
        self._counts: dict[str, float] = {}
        self._lock = threading.Lock()
        behind, emulator = ("127.0.0.1", self.port), self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                self.inner = http.client.HTTPConnection(*behind, timeout=60)

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.inner.request(self.command, self.path, body, dict(self.headers.items()))
                answer = self.inner.getresponse()
                data = answer.read()
                emulator.note(self.headers.get("X-Amz-Target", ""), body, data)
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815 - http.server's names

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                """A client that ends while it polls is none."""

        self._server = Server(("127.0.0.1", 0), Door)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def stop(self) -> None:
        """Both."""
        server = getattr(self, "_server", None)
        if server is not None:
            server.shutdown()
            server.server_close()
        super().stop()

    def note(self, target: str, body: bytes, answer: bytes) -> None:
        """Count a call; what goes on whatever the traffic is not counted."""
        if not target or any(one in target or one.encode() in body[:400] for one in IGNORED):
            return
        found = counted(target, json.loads(body or b"{}"), json.loads(answer or b"{}"))
        with self._lock:
            for name, value in found.items():
                self._counts[name] = self._counts.get(name, 0) + value

    def taken(self) -> Counts:
        """The counts since the last time."""
        with self._lock:
            found, self._counts = self._counts, {}
        return found

    def total(self) -> float:
        """Of everything counted so far: the same as before when nothing is going on."""
        with self._lock:
            return sum(self._counts.values())
