"""SQS for the event loop: the calls that `chalicelib.queues` makes, with the entries that it makes.

Batch calls take up to ten; for each entry they answer None, or why it is not done. A call that fails as a whole raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, Self

from chalicelib import aws, depths, queues
from chalicelib.queues import Entry, Received
from chalicelib.settings import settings
from smsc_relay.aws_client import AwsClient, client

Results = list[Exception | None]
LONGEST_POLL: Final = 20  # s: WaitTimeSeconds of ReceiveMessage


class HandleExpired(Exception):  # noqa: N818 - says what happened
    """The record is no longer ours: its visibility has ended, and SQS gives it to whoever asks."""


class Queues:
    """One pair of SQS clients, open within `async with`."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._polls: AwsClient
        self._calls: AwsClient

    async def __aenter__(self) -> Self:
        def made(read_timeout: float) -> AwsClient:
            return client("sqs", connect_timeout=3, read_timeout=read_timeout, attempts=2)

        self._polls = await self._stack.enter_async_context(made(LONGEST_POLL + 5))
        self._calls = await self._stack.enter_async_context(made(8))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def receive(self, queue: str, most: int, *, wait: int, visibility: int, attempt: str) -> list[Received]:
        """Up to `most` (1 to 10) records, hidden from others for `visibility` seconds.

        `attempt` names this wish: asked again under the same name, after an answer that was lost on its way, SQS gives
        the same records (ReceiveRequestAttemptId).
        """
        answer = await self._polls.call(
            "receive_message",
            QueueUrl=settings().queue_url(queue),
            MaxNumberOfMessages=most,
            WaitTimeSeconds=wait,
            VisibilityTimeout=visibility,
            ReceiveRequestAttemptId=attempt,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "MessageGroupId", "SentTimestamp"],
        )
        return queues.received_in(queue, answer)

    async def send(self, queue: str, entries: Sequence[Entry]) -> Results:
        """Put entries into a queue."""
        batch = [{"Id": str(index), **queues.message(queue, entry)} for index, entry in enumerate(entries)]
        answer = await self._calls.call("send_message_batch", QueueUrl=settings().queue_url(queue), Entries=batch)
        return _results(queue, answer, len(entries))

    async def delete(self, queue: str, handles: Sequence[str]) -> Results:
        """Take records out of their queue for good."""
        batch = [{"Id": str(index), "ReceiptHandle": handle} for index, handle in enumerate(handles)]
        answer = await self._calls.call("delete_message_batch", QueueUrl=settings().queue_url(queue), Entries=batch)
        return _expired(answer, len(handles))

    async def hide(self, queue: str, wishes: Sequence[tuple[str, int]]) -> Results:
        """Hide records (handle, seconds from now) from others; 0 gives them back at once."""
        batch = [
            {"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for index, (handle, seconds) in enumerate(wishes)
        ]
        answer = await self._calls.call(
            "change_message_visibility_batch", QueueUrl=settings().queue_url(queue), Entries=batch
        )
        return _expired(answer, len(wishes))

    async def depth(self, queue: str) -> int:
        """Messages that nobody has taken, roughly."""
        answer = await self._calls.call("get_queue_attributes", **depths.question(queue))
        return depths.told(answer).untaken

    async def bury(self, queue: str, body: str, group: str, reason: str) -> None:
        """As `chalicelib.queues.bury`."""
        await self._calls.call("send_message", **queues.burial(queue, body, group, reason))


def _results(queue: str, answer: dict[str, Any], count: int) -> Results:
    failed = queues.problems(queue, answer)
    return [failed.get(index) for index in range(count)]


def _expired(answer: dict[str, Any], count: int) -> Results:
    """A SenderFault of these calls is a handle that is no good any more."""
    found: Results = [None] * count
    for failed in answer.get("Failed") or ():
        kind = HandleExpired if failed.get("SenderFault") else ConnectionError
        found[int(failed["Id"])] = kind(failed.get("Code", ""))
    return found


def describe(error: BaseException) -> str:
    """Kind of an error, for a log: its text may quote what it could not take."""
    code = aws.error_code(error)
    return f"{type(error).__name__} {code}".strip()
