"""What tests say of the emulated AWS: register, put, run a Lambda on what is in a queue, look at what came."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib import aws, queues, registry_store
from chalicelib.registry import Aggregator, Channel, Platform
from chalicelib.settings import settings

CHANNEL = "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass
class Context:
    """A Lambda context with time left."""

    seconds: float = 120.0
    function_name: str = "test"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:000000000000:function:test"
    aws_request_id: str = "test"

    def get_remaining_time_in_millis(self) -> int:
        return round(self.seconds * 1000)


class Aws:
    """The deployment under test."""

    def aggregator(self, name: str = "fast", type: str = "EX", **fields: Any) -> Aggregator:  # noqa: A002
        """Register an aggregator; `secrets` values go to SSM."""
        hidden = fields.pop("secrets", {})
        if hidden:
            registry_store.put_secret("aggregators", name, json.dumps(hidden))
        found = Aggregator(name=name, type=type, secrets=tuple(hidden), **fields)
        registry_store.put_aggregator(found)
        return found

    def channel(self, uuid: str = CHANNEL, **fields: Any) -> Channel:
        """Register a channel (platform `main`, aggregator `fast`) and its platform."""
        values = {"aggregator": "fast", "type": "EX", "address": "8080", "country": "RW", "platform": "main",
                  "workspace": "unicef"}  # fmt: skip
        found = Channel(uuid=uuid, **{**values, **fields})
        registry_store.put_channel(found)
        return found

    def platform(self, name: str = "main", base_url: str = "http://127.0.0.1:9", **fields: Any) -> Platform:
        """Register a platform."""
        found = Platform(name=name, base_url=base_url, **fields)
        registry_store.put_platform(found)
        return found

    def receive(self, queue: str, most: int = 10) -> dict[str, Any]:
        """What Lambda would be handed from `queue` now: an SQS event, perhaps without records."""
        answer = aws.sqs().receive_message(
            QueueUrl=settings().queue_url(queue),
            MaxNumberOfMessages=most,
            WaitTimeSeconds=0,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message.get("Attributes", {}),
                    "messageAttributes": message.get("MessageAttributes", {}),
                    "eventSource": "aws:sqs",
                    "eventSourceARN": f"arn:aws:sqs:eu-west-1:000000000000:{settings().prefix}{queue}",
                    "awsRegion": "eu-west-1",
                }
                for message in answer.get("Messages", [])
            ]
        }

    def run(self, queue: str, handler: Handler, context: Any = None) -> list[str]:
        """One invocation of `handler` on what is in `queue`; done records are deleted. Answers the failed ids."""
        event = self.receive(queue)
        if not event["Records"]:
            return []
        answer = handler(event, context or Context())
        failed = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
        for record in event["Records"]:
            if record["messageId"] not in failed:
                aws.sqs().delete_message(QueueUrl=settings().queue_url(queue), ReceiptHandle=record["receiptHandle"])
        return failed

    def drain(self, queue: str, handler: Handler) -> int:
        """Run `handler` until `queue` shows nothing more; answers how many invocations that took."""
        runs = 0
        while self.depth(queue):
            self.run(queue, handler)
            runs += 1
        return runs

    def depth(self, queue: str) -> int:
        """Visible messages."""
        attributes = aws.sqs().get_queue_attributes(
            QueueUrl=settings().queue_url(queue), AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"])

    def bodies(self, queue: str) -> list[Any]:
        """Take everything visible out of `queue`; the bodies as JSON, in order."""
        found: list[Any] = []
        while True:
            event = self.receive(queue)
            if not event["Records"]:
                return found
            for record in event["Records"]:
                found.append(json.loads(record["body"]))
                aws.sqs().delete_message(QueueUrl=settings().queue_url(queue), ReceiptHandle=record["receiptHandle"])

    def put_raw(self, queue: str, body: str, group: str = "g", dedup: str = "") -> None:
        """Enqueue as a platform would."""
        queues.send(
            queue, queues.Entry(body=body, group=group, dedup=dedup or queues.digest(body, str(time.time_ns())))
        )
