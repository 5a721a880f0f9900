"""The event loop's AWS calls: connections that are kept, what is tried again, what is told."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib import aws as clients
from chalicelib.awsapi.calls import Damaged, service
from chalicelib.awsapi.sigv4 import Credentials
from chalicelib.settings import settings
from smsc_relay import aws_client
from smsc_relay.aws_client import AwsClient, AwsTimeout

KEY = Credentials("AKID", "secret")
Serve = Callable[[int, dict[str, Any]], Awaitable[bytes | None]]


def said(body: bytes, status: int = 200, *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Site:
    """Answers the n-th request (from 1) with `serve(n, parameters)`; None closes the connection."""

    def __init__(self, serve: Serve) -> None:
        self.serve, self.requests, self.connections = serve, 0, 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
                parameters = json.loads(await reader.readexactly(length))
                self.requests += 1
                answer = await self.serve(self.requests, parameters)
                if answer is None:
                    break
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def against(serve: Serve, **options: Any) -> AsyncIterator[tuple[AwsClient, Site]]:
    site = Site(serve)
    server = await asyncio.start_server(site.handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    to = service("sqs", {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})
    timeouts = {"connect_timeout": 2.0, "read_timeout": 5.0, "attempts": 2, **options}
    async with AwsClient(to, lambda: KEY, **timeouts) as client:
        yield client, site
    server.close()


async def test_calls_side_by_side_get_their_own_answers_over_connections_that_are_kept() -> None:
    async def echo(number: int, parameters: dict[str, Any]) -> bytes:
        return said(json.dumps(parameters).encode())

    async with against(echo) as (client, site):
        for _ in range(3):
            asked = [client.call("send_message", number=number) for number in range(20)]
            assert [answer["number"] for answer in await asyncio.gather(*asked)] == list(range(20))
        assert site.requests == 60
        assert site.connections <= 20


async def test_a_connection_that_the_service_closes_is_not_used_again() -> None:
    async def once(number: int, parameters: dict[str, Any]) -> bytes:
        return said(b"{}", 200, "connection: close")

    async with against(once, attempts=1) as (client, site):
        for _ in range(3):
            assert await client.call("send_message") == {}
        assert site.connections == 3


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(None, id="closed"),
        pytest.param(said(b"busy", 503), id="503"),
        pytest.param(said(b'{"__type":"x#ThrottlingException"}', 400), id="throttled"),
        pytest.param(said(b"{}", 200, "x-amz-crc32: 1"), id="damaged"),
        pytest.param(b"SSH-2.0-x\r\n\r\n", id="no-http"),
    ],
)
async def test_what_may_pass_is_tried_again_as_often_as_is_said(bad: bytes | None) -> None:
    async def second(number: int, parameters: dict[str, Any]) -> bytes | None:
        return bad if number == 1 else said(b"{}")

    async with against(second) as (client, _):
        assert await client.call("send_message") == {}
    async with against(second, attempts=1) as (client, _):
        with pytest.raises((ClientError, OSError, Damaged)):
            await client.call("send_message")


async def test_what_will_not_pass_is_told_at_once() -> None:
    async def no(number: int, parameters: dict[str, Any]) -> bytes:
        error = b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"why"}'
        return said(error, 400, "x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender")

    async with against(no) as (client, site):
        with pytest.raises(ClientError, match="why") as caught:
            await client.call("receive_message")
        assert clients.error_code(caught.value) == "AWS.SimpleQueueService.NonExistentQueue"
        assert site.requests == 1


async def test_no_answer_in_time_is_told_and_its_connection_is_not_used_again() -> None:
    async def never(number: int, parameters: dict[str, Any]) -> bytes:
        if number == 1:
            await asyncio.Event().wait()
        return said(b"{}")

    async with against(never, read_timeout=0.05, attempts=1) as (client, site):
        with pytest.raises(AwsTimeout, match="receive_message at http://127"):
            await client.call("receive_message")
        assert await client.call("receive_message") == {}
        assert site.connections == 2


async def test_a_call_that_is_given_up_leaves_no_answer_for_the_next() -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def late(number: int, parameters: dict[str, Any]) -> bytes:
        asked.set()
        await go.wait()
        return said(json.dumps(parameters).encode())

    async with against(late) as (client, _):
        first = asyncio.create_task(client.call("send_message", n=1))
        await asked.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        go.set()
        assert await client.call("send_message", n=2) == {"n": 2}


async def test_credentials_are_asked_for_outside_the_loop_and_not_for_each_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    async def yes(number: int, parameters: dict[str, Any]) -> bytes:
        return said(b"{}")

    def renewed() -> Credentials:
        asked.append(threading.get_ident())
        return KEY

    async with against(yes) as (client, _):
        client._credentials = renewed
        for _ in range(3):
            await client.call("send_message")
        assert len(asked) == 1
        assert threading.get_ident() not in asked
        monkeypatch.setattr(aws_client, "_KEYS", 0.0)
        await client.call("send_message")
        assert len(asked) == 2


@pytest.mark.usefixtures("aws")
async def test_the_service_itself_answers_as_to_botocore() -> None:
    queue = settings().queue_url("events.fifo")
    theirs = clients._of_botocore("sqs", 5)
    async with aws_client.client("sqs", connect_timeout=2, read_timeout=5, attempts=2) as ours:
        entry = {"Id": "0", "MessageBody": "é 😀", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
        sent = await ours.call("send_message_batch", QueueUrl=queue, Entries=[entry])
        assert [one["Id"] for one in sent["Successful"]] == ["0"]
        got = await ours.call("receive_message", QueueUrl=queue, MessageSystemAttributeNames=["MessageGroupId"])
        assert [one["Body"] for one in got["Messages"]] == ["é 😀"]
        handle = {"Id": "0", "ReceiptHandle": got["Messages"][0]["ReceiptHandle"]}
        gone = await ours.call("delete_message_batch", QueueUrl=queue, Entries=[handle])
        assert [one["Id"] for one in gone["Successful"]] == ["0"]
        assert "Messages" not in theirs.receive_message(QueueUrl=queue)
