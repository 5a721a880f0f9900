"""What AWS Lambda does for the gateway, on one machine: event source mappings, and contexts whose time runs down.

A mapping takes batches of ten out of a queue, calls the handler in this process and deletes what was not reported as
failed. An answer that Lambda would not accept, or an exception, fails the whole batch, as on AWS.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chalicelib import aws, telemetry
from chalicelib.settings import settings
from local.emulator import ACCOUNT, REGION

Handler = Callable[[dict[str, Any], Any], Any]


@dataclass
class Context:
    """A Lambda context whose time runs down."""

    function_name: str
    timeout: float = 60.0
    aws_request_id: str = "local"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:000000000000:function:local"
    began: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function would be stopped."""
        return max(0, round((self.timeout - (time.monotonic() - self.began)) * 1000))


def failed_ids(answer: Any, given: set[str]) -> set[str]:
    """The message ids that a handler reports as failed; all of them where Lambda would not accept the answer."""
    if not answer:
        return set()
    items = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        return given
    ids = {item.get("itemIdentifier") if isinstance(item, dict) else None for item in items}
    return {str(one) for one in ids} if ids <= given else given


class Mapping(threading.Thread):
    """An event source mapping: one queue, one handler, one batch at a time."""

    def __init__(self, queue: str, handler: Handler, stop: threading.Event) -> None:
        super().__init__(name=f"mapping-{queue}", daemon=True)
        self.queue = queue
        self._handler = handler
        self._halt = stop

    def run(self) -> None:
        """Poll until told to stop; trouble with SQS is waited out."""
        while not self._halt.is_set():
            try:
                self._batch()
            except Exception as error:
                telemetry.logger().warning("mapping_trouble", extra={"queue": self.queue, "error": str(error)[:200]})
                self._halt.wait(1)

    def _batch(self) -> None:
        url = settings().queue_url(self.queue)
        messages = (
            aws.sqs()
            .receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageSystemAttributeNames=["All"]
            )
            .get("Messages", [])
        )
        if not messages:
            return
        handles = {message["MessageId"]: message["ReceiptHandle"] for message in messages}
        try:
            answer = self._handler({"Records": [self._record(message) for message in messages]}, Context(self.queue))
            failed = failed_ids(answer, set(handles))
        except Exception as error:
            telemetry.logger().exception("handler_failed", extra={"queue": self.queue, "error": type(error).__name__})
            failed = set(handles)
        entries = [
            {"Id": str(index), "ReceiptHandle": handle}
            for index, (name, handle) in enumerate(handles.items())
            if name not in failed
        ]
        if entries:
            aws.sqs().delete_message_batch(QueueUrl=url, Entries=entries)

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {},
            "md5OfBody": message.get("MD5OfBody", ""),
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{settings().prefix}{self.queue}",
            "awsRegion": REGION,
        }
