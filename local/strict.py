"""What AWS does and the emulator does not: a layer in front of it, in its own process, for SQS.

Refused, as AWS refuses it (SQS API reference and developer guide, "Amazon SQS message quotas"): group, dedup and batch
ids outside their alphabets, bodies with characters outside XML 1.0 or over 1 MiB, a delay on a FIFO message, batches
that are empty, too long, too large or name an id twice, numbers out of range; a receipt handle of a FIFO queue whose
visibility time-out has passed. A FIFO queue with too many messages in flight gives none, without an error.

Plain ASGI, standard library only: it runs in the emulator's environment.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY: Final = 1_048_576  # octets of a message, and of a batch
MAX_BATCH: Final = 10
IN_FLIGHT: Final = 120_000  # of a FIFO queue
_ID = re.compile(r"[!-~]{1,128}")
_BATCH_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FORGET: Final = 3600.0  # seconds for which a handle is known to have expired; later it is unknown


class Refusal(Exception):  # noqa: N818 - what SQS answers
    """An error of the SQS API."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Handles:
    """The receipt handles given out, by queue, and until when each one counts."""

    def __init__(self, cap: int = IN_FLIGHT, clock: Callable[[], float] = time.monotonic) -> None:
        self.cap = cap
        self._clock = clock
        self._visibility: dict[str, float] = {}
        self._until: dict[str, dict[str, float]] = {}
        self._gone: dict[str, dict[str, float]] = {}

    def forget(self) -> None:
        """Everything: the emulator has been emptied."""
        self._until.clear()
        self._gone.clear()
        self._visibility.clear()

    def queue(self, name: str, attributes: dict[str, str]) -> None:
        """A queue has been made, or changed."""
        if "VisibilityTimeout" in attributes:
            self._visibility[name] = float(attributes["VisibilityTimeout"])

    def full(self, name: str) -> bool:
        """A FIFO queue with as many messages in flight as it may have."""
        now = self._clock()
        known = self._until.setdefault(name, {})
        for handles in (known, self._gone.get(name, {})):
            for handle in [handle for handle, until in handles.items() if until < now - _FORGET]:
                del handles[handle]
        return sum(until > now for until in known.values()) >= self.cap

    def given(self, name: str, handles: list[str], visibility: float | None) -> None:
        """Messages have been handed out."""
        until = self._clock() + (self._visibility.get(name, 30.0) if visibility is None else visibility)
        self._until.setdefault(name, {}).update(dict.fromkeys(handles, until))

    def check(self, name: str, handle: str) -> None:
        """Raises Refusal where the handle is unknown or has expired."""
        until = self._until.get(name, {}).get(handle)
        if until is None:
            raise Refusal("ReceiptHandleIsInvalid", f"The input receipt handle is invalid: {name}")
        if until <= self._clock():
            text = "Value for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
            raise Refusal("InvalidParameterValue", text)

    def changed(self, name: str, handle: str, visibility: float) -> None:
        """The message is hidden for `visibility` seconds from now."""
        self._until[name][handle] = self._clock() + visibility

    def deleted(self, name: str, handle: str) -> None:
        """The message is gone."""
        until = self._until.get(name, {}).pop(handle, None)
        if until is not None:
            self._gone.setdefault(name, {})[handle] = until

    def is_gone(self, name: str, handle: str) -> bool:
        """It has been deleted with this handle: deleting it again is no error (SQS API reference, DeleteMessage)."""
        return handle in self._gone.get(name, {})


class Strict:
    """ASGI middleware around the emulator."""

    def __init__(self, app: App, cap: int | None = None) -> None:
        self._app = app
        self.handles = Handles(cap or int(os.environ.get("JANGADA_IN_FLIGHT", IN_FLIGHT)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the calls of SQS; everything else passes."""
        headers = dict(scope.get("headers") or ())
        target = headers.get(b"x-amz-target", b"").decode("latin-1")
        if scope["type"] == "http" and scope["path"].endswith("/_ministack/reset"):
            self.handles.forget()
        if scope["type"] != "http" or not target.startswith("AmazonSQS."):
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        try:
            asked = json.loads(body or b"{}")
            answer = await self._call(target.removeprefix("AmazonSQS."), asked, body, scope)
        except Refusal as refusal:
            told = json.dumps({"__type": f"com.amazonaws.sqs#{refusal.code}", "message": str(refusal)}).encode()
            query = ("AWS.SimpleQueueService." if "Batch" in refusal.code else "") + refusal.code
            extra = (b"x-amzn-query-error", f"{query};Sender".encode())
            answer = (400, [(b"content-type", b"application/x-amz-json-1.0"), extra], told)
        await _write(send, *answer)

    async def _call(self, action: str, asked: dict[str, Any], body: bytes, scope: Scope) -> _Answer:
        name = str(asked.get("QueueUrl", "")).rsplit("/", 1)[-1]
        fifo = name.endswith(".fifo")
        if action in ("CreateQueue", "SetQueueAttributes"):
            self.handles.queue(asked.get("QueueName") or name, asked.get("Attributes") or {})
        elif action == "SendMessage":
            check_message(asked, fifo)
        elif action == "ReceiveMessage":
            _within(asked, "MaxNumberOfMessages", 1, 10)
            _within(asked, "WaitTimeSeconds", 0, 20)
            if fifo and self.handles.full(name):
                return 200, [(b"content-type", b"application/x-amz-json-1.0")], b"{}"
        elif action == "DeleteMessage" and self.handles.is_gone(name, asked.get("ReceiptHandle", "")):
            return 200, [(b"content-type", b"application/x-amz-json-1.0")], b"{}"  # the emulator would refuse it
        elif action in ("DeleteMessage", "ChangeMessageVisibility") and fifo:
            self._check_one(action, name, asked)
        elif action.endswith("Batch"):
            return await self._batch(action, name, asked, scope)
        answer = await _ask(self._app, scope, body)
        self._note(action, name, fifo, asked, answer)
        return answer

    def _note(self, action: str, name: str, fifo: bool, asked: dict[str, Any], answer: _Answer) -> None:
        if not fifo or answer[0] != 200:
            return
        if action == "ReceiveMessage":
            found = [message["ReceiptHandle"] for message in json.loads(answer[2] or b"{}").get("Messages") or ()]
            self.handles.given(name, found, asked.get("VisibilityTimeout"))
        elif action == "DeleteMessage":
            self.handles.deleted(name, asked["ReceiptHandle"])
        elif action == "ChangeMessageVisibility":
            self.handles.changed(name, asked["ReceiptHandle"], float(asked["VisibilityTimeout"]))

    def _check_one(self, action: str, name: str, entry: dict[str, Any]) -> None:
        if action.startswith("Change"):
            _within(entry, "VisibilityTimeout", 0, 43_200)
        self.handles.check(name, entry.get("ReceiptHandle", ""))

    async def _batch(self, action: str, name: str, asked: dict[str, Any], scope: Scope) -> _Answer:
        """A batch: what is wrong with an entry is told of that entry, the others go on."""
        fifo = name.endswith(".fifo")
        entries = asked.get("Entries") or []
        check_batch(entries)
        good, gone, failed = [], [], []
        for entry in entries:
            if action == "DeleteMessageBatch" and self.handles.is_gone(name, entry.get("ReceiptHandle", "")):
                gone.append({"Id": entry["Id"]})
                continue
            try:
                if action == "SendMessageBatch":
                    check_message(entry, fifo)
                elif fifo:
                    self._check_one(action.removesuffix("Batch"), name, entry)
                good.append(entry)
            except Refusal as refusal:
                failed.append({"Id": entry["Id"], "SenderFault": True, "Code": refusal.code, "Message": str(refusal)})
        told: dict[str, Any] = {"Successful": [], "Failed": []}
        if good:
            status, headers, body = await _ask(self._app, scope, json.dumps({**asked, "Entries": good}).encode())
            if status != 200:
                return status, headers, body
            told |= json.loads(body)
        done = {entry["Id"] for entry in told["Successful"]}
        for entry in good if fifo else ():
            if entry["Id"] in done and action == "DeleteMessageBatch":
                self.handles.deleted(name, entry["ReceiptHandle"])
            elif entry["Id"] in done and action == "ChangeMessageVisibilityBatch":
                self.handles.changed(name, entry["ReceiptHandle"], float(entry["VisibilityTimeout"]))
        told["Successful"] = [*(told.get("Successful") or []), *gone]
        told["Failed"] = [*(told.get("Failed") or []), *failed]
        return 200, [(b"content-type", b"application/x-amz-json-1.0")], json.dumps(told).encode()


def check_batch(entries: list[dict[str, Any]]) -> None:
    """Raises Refusal where SQS takes no part of the batch."""
    if not entries:
        raise Refusal("EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(entries) > MAX_BATCH:
        raise Refusal("TooManyEntriesInBatchRequest", f"Maximum number of entries per request are {MAX_BATCH}.")
    ids = [str(entry.get("Id", "")) for entry in entries]
    if len(set(ids)) < len(ids):
        raise Refusal("BatchEntryIdsNotDistinct", "Two or more batch entries have the same Id in the request.")
    if not all(_BATCH_ID.fullmatch(one) for one in ids):
        raise Refusal("InvalidBatchEntryId", "A batch entry id has 1 to 80 letters, digits, hyphens and underscores.")
    if sum(len(str(entry.get("MessageBody", "")).encode("utf-8", "surrogatepass")) for entry in entries) > MAX_BODY:
        raise Refusal("BatchRequestTooLong", f"Batch requests cannot be longer than {MAX_BODY} bytes.")


def check_message(message: dict[str, Any], fifo: bool) -> None:
    """Raises Refusal where SQS does not take the message."""
    body = message.get("MessageBody")
    if not body:
        raise Refusal("MissingParameter", "The request must contain the parameter MessageBody.")
    if len(body.encode("utf-8", "surrogatepass")) > MAX_BODY:
        raise Refusal("InvalidParameterValue", f"One or more parameters are invalid. Message longer than {MAX_BODY}.")
    if _FORBIDDEN.search(body):
        raise Refusal("InvalidMessageContents", "Invalid binary character in the message body.")
    for name in ("MessageGroupId", "MessageDeduplicationId") if fifo else ():
        if not message.get(name):
            raise Refusal("MissingParameter", f"The request must contain the parameter {name}.")
        if not _ID.fullmatch(message[name]):
            raise Refusal("InvalidParameterValue", f"{name} can only include alphanumeric and punctuation, 1 to 128.")
    if fifo and message.get("DelaySeconds"):
        raise Refusal("InvalidParameterValue", "The request include parameter that is not valid for this queue type.")
    _within(message, "DelaySeconds", 0, 900)


def _within(asked: dict[str, Any], name: str, least: int, most: int) -> None:
    value = asked.get(name)
    if value is not None and not least <= int(value) <= most:
        raise Refusal("InvalidParameterValue", f"Value {value} for parameter {name} is invalid: {least} to {most}.")


_Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


async def _ask(app: App, scope: Scope, body: bytes) -> _Answer:
    """What the emulator answers to `body`."""
    status, headers, chunks = 500, [], []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    length = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
    await app({**scope, "headers": [*length, (b"content-length", str(len(body)).encode())]}, receive, send)
    return status, headers, b"".join(chunks)


async def _write(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    kept = [(name, value) for name, value in headers if name.lower() != b"content-length"]
    kept.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": kept})
    await send({"type": "http.response.body", "body": body})
