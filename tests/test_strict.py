"""The emulated SQS refuses what AWS refuses, so that every other test of ours runs under AWS's rules."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib import aws as clients
from chalicelib import queues
from chalicelib.settings import settings
from local.strict import Handles, Refusal
from tests.support import Aws

FIFO = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}


def url(queue: str = queues.EVENTS) -> str:
    return settings().queue_url(queue)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({"MessageGroupId": "MTN Info"}, "InvalidParameterValue", id="space-in-group"),
        pytest.param({"MessageGroupId": "g" * 129}, "InvalidParameterValue", id="long-group"),
        pytest.param({"MessageGroupId": "قناة"}, "InvalidParameterValue", id="arabic-group"),
        pytest.param({"MessageDeduplicationId": "a b"}, "InvalidParameterValue", id="space-in-dedup"),
        pytest.param({"MessageBody": "\x00"}, "InvalidMessageContents", id="nul"),
        pytest.param({"MessageBody": "\ufffe"}, "InvalidMessageContents", id="no-character"),
        pytest.param({"MessageBody": "x" * 1_048_577}, "InvalidParameterValue", id="too-long"),
        pytest.param({"MessageBody": "é" * 600_000}, "InvalidParameterValue", id="too-long-in-octets"),
        pytest.param({"DelaySeconds": 5}, "InvalidParameterValue", id="delay-on-fifo"),
    ],
)
def test_messages_that_sqs_refuses(aws: Aws, fields: dict[str, Any], code: str) -> None:
    message = {"MessageBody": "x", **FIFO, **fields}
    with pytest.raises(ClientError) as caught:
        clients.sqs().send_message(QueueUrl=url(), **message)
    assert clients.error_code(caught.value) == code
    good = {"Id": "good", "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "other"}
    if len(message["MessageBody"].encode()) < 1_000_000:
        answer = clients.sqs().send_message_batch(QueueUrl=url(), Entries=[{"Id": "bad", **message}, good])
        assert [(one["Id"], one["Code"], one["SenderFault"]) for one in answer["Failed"]] == [("bad", code, True)]
        assert [one["Id"] for one in answer["Successful"]] == ["good"]


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([{"Id": "a"}, {"Id": "a"}], "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
        ([{"Id": str(n)} for n in range(11)], "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
        ([{"Id": "a b"}], "AWS.SimpleQueueService.InvalidBatchEntryId"),
        ([], "AWS.SimpleQueueService.EmptyBatchRequest"),
        ([{"Id": str(n), "MessageBody": "x" * 600_000} for n in range(2)],
         "AWS.SimpleQueueService.BatchRequestTooLong"),
    ],
)  # fmt: skip
def test_batches_that_sqs_refuses(aws: Aws, entries: list[dict[str, Any]], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        clients.sqs().send_message_batch(QueueUrl=url(), Entries=[{"MessageBody": "x", **FIFO, **e} for e in entries])
    assert clients.error_code(caught.value) == code


def test_an_expired_handle_is_refused(aws: Aws) -> None:
    aws.put_raw(queues.EVENTS, "x")
    (record,) = aws.receive(queues.EVENTS)["Records"]
    handle = record["receiptHandle"]
    clients.sqs().change_message_visibility(QueueUrl=url(), ReceiptHandle=handle, VisibilityTimeout=0)
    for _ in range(2):
        with pytest.raises(ClientError, match="expired"):
            clients.sqs().delete_message(QueueUrl=url(), ReceiptHandle=handle)
    answer = clients.sqs().delete_message_batch(QueueUrl=url(), Entries=[{"Id": "0", "ReceiptHandle": handle}])
    assert [one["Id"] for one in answer["Failed"]] == ["0"]
    (again,) = aws.receive(queues.EVENTS)["Records"]
    clients.sqs().delete_message(QueueUrl=url(), ReceiptHandle=again["receiptHandle"])
    assert aws.receive(queues.EVENTS)["Records"] == []


def test_deleting_again_is_no_error_and_hiding_what_is_gone_is_one(aws: Aws) -> None:
    aws.put_raw(queues.EVENTS, "x")
    (record,) = aws.receive(queues.EVENTS)["Records"]
    handle = record["receiptHandle"]
    for _ in range(2):
        clients.sqs().delete_message(QueueUrl=url(), ReceiptHandle=handle)
    answer = clients.sqs().delete_message_batch(QueueUrl=url(), Entries=[{"Id": "0", "ReceiptHandle": handle}])
    assert [one["Id"] for one in answer["Successful"]] == ["0"]
    with pytest.raises(ClientError):
        clients.sqs().change_message_visibility(QueueUrl=url(), ReceiptHandle=handle, VisibilityTimeout=9)


def test_a_group_in_flight_gives_nothing_more(aws: Aws) -> None:
    for text in ("one", "two"):
        aws.put_raw(queues.EVENTS, text)
    aws.put_raw(queues.EVENTS, "other", group="h")
    assert [record["body"] for record in aws.receive(queues.EVENTS, 1)["Records"]] == ["one"]
    assert [record["body"] for record in aws.receive(queues.EVENTS)["Records"]] == ["other"]
    assert aws.receive(queues.EVENTS)["Records"] == []


def test_handles_expire_and_a_full_queue_is_silent() -> None:
    now = [0.0]
    handles = Handles(cap=2, clock=lambda: now[0])
    handles.queue("q.fifo", {"VisibilityTimeout": "60"})
    handles.given("q.fifo", ["a", "b"], None)
    assert handles.full("q.fifo")
    handles.changed("q.fifo", "a", 0)
    assert not handles.full("q.fifo")
    now[0] = 59.9
    handles.check("q.fifo", "b")
    now[0] = 60.0
    with pytest.raises(Refusal, match="expired"):
        handles.check("q.fifo", "b")
    with pytest.raises(Refusal, match="invalid"):
        handles.check("q.fifo", "c")
