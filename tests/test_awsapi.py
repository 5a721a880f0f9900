"""The lean AWS calls, beside botocore's clients: the same signature, the same answers, the same errors."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from botocore.exceptions import ClientError, HTTPClientError
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import aws
from chalicelib.awsapi import calls, sigv4
from chalicelib.awsapi.calls import Answer, Damaged, Service
from chalicelib.awsapi.client import Client, tls
from chalicelib.awsapi.sigv4 import Credentials
from chalicelib.settings import settings
from local.emulator import free_port
from smsc_relay.aws_client import AwsClient
from tests.tools import openssl

KEY = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


# --- signatures -----------------------------------------------------------------------------------------------------


@given(
    SECRETS,
    SECRETS | st.just(""),
    st.binary(max_size=100),
    st.sampled_from(("dynamodb", "sqs", "ssm")),
    st.sampled_from(("eu-west-1", "af-south-1")),
)
def test_a_signature_is_botocores(secret: str, token: str, body: bytes, name: str, region: str) -> None:
    host = f"{name}.{region}.amazonaws.com"
    headers = {"content-type": "application/x-amz-json-1.0", "host": host, "x-amz-target": "T.Put"}
    theirs = AWSRequest("POST", f"https://{host}/", headers=dict(headers), data=body)
    SigV4Auth(TheirCredentials("AKID", secret, token or None), name, region).add_auth(theirs)
    moment = theirs.context["timestamp"]
    ours = sigv4.signed(Credentials("AKID", secret, token), region, name, headers, body, _unix(moment))
    assert ours["authorization"] == theirs.headers["Authorization"]
    assert ours["x-amz-date"] == moment


def _unix(moment: str) -> float:
    from datetime import UTC, datetime

    return datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def test_a_key_is_of_its_day() -> None:
    at = [sigv4.signed(KEY, "eu-west-1", "sqs", {"host": "x"}, b"", day * 86_400)["authorization"] for day in (1, 2, 1)]
    assert at[0] == at[2] != at[1]


def test_credentials_do_not_show_their_secret() -> None:
    assert "wJalr" not in repr(Credentials("AKID", KEY.secret, "token-of-the-session"))
    assert "token" not in repr(Credentials("AKID", KEY.secret, "token-of-the-session"))


# --- where ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        pytest.param({"AWS_REGION": "eu-west-1"}, "https://sqs.eu-west-1.amazonaws.com/", id="region"),
        pytest.param(
            {"AWS_DEFAULT_REGION": "af-south-1"}, "https://sqs.af-south-1.amazonaws.com/", id="default-region"
        ),
        pytest.param({"AWS_REGION": "cn-north-1"}, "https://sqs.cn-north-1.amazonaws.com.cn/", id="china"),
        pytest.param(
            {"AWS_REGION": "x", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "http://127.0.0.1:4566/", id="url"
        ),
        pytest.param(
            {"AWS_REGION": "x", "AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_SQS": "http://b:1"},
            "http://b:1/",
            id="own",
        ),
    ],
)
def test_an_endpoint_is_found_as_the_sdks_find_it(environment: dict[str, str], url: str) -> None:
    assert calls.service("sqs", environment).url == url


def test_no_region_is_an_error_that_says_what_to_set() -> None:
    with pytest.raises(ValueError, match="AWS_REGION"):
        calls.service("sqs", {})


@pytest.mark.parametrize(
    ("name", "value"),
    [("AWS_PROFILE", "work"), ("HTTPS_PROXY", "http://proxy:3128"), ("AWS_REGION", "")],
)
def test_botocore_serves_where_the_environment_asks_for_more(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    for other in ("AWS_DEFAULT_REGION", "AWS_PROFILE", "HTTPS_PROXY", "https_proxy", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(other, raising=False)
    assert aws.plain("sqs")
    monkeypatch.setenv(name, value)
    assert not aws.plain("sqs")


def test_a_tasks_role_is_asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ECS gives it, at an address of the task's: kept by botocore, which renews it."""

    def answer(number: int) -> tuple[int, dict[str, str], bytes]:
        told = {
            "AccessKeyId": "ASIA1", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z",
        }  # fmt: skip
        return 200, {"content-type": "application/json"}, json.dumps(told).encode()

    with site(answer) as url:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/role")
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        aws.reset()
        try:
            assert aws.plain("sqs")
            assert aws.credentials()() == Credentials("ASIA1", "s", "t")
        finally:
            aws.reset()


# --- beside botocore ------------------------------------------------------------------------------------------------

ITEM = {"pk": {"S": "awsapi#1"}, "sk": {"S": "é\u2028 \U0001f600"}, "d": {"B": b"\0\xff"}, "n": {"N": "1.5"},
        "m": {"M": {"B": {"B": b"x"}, "l": {"L": [{"BOOL": True}, {"NULL": True}]}}}}  # fmt: skip


@pytest.fixture
def gateway(request: pytest.FixtureRequest) -> None:
    """The deployment's queues and tables."""
    request.getfixturevalue("aws")


def both(name: str) -> list[Any]:
    client = getattr(aws, name)()
    assert isinstance(client, Client)
    return [client, aws._of_botocore(name, 5)]


def told(call: Any, **request: Any) -> Any:
    """The answer, or the error's parts."""
    try:
        answer = dict(call(**request))
    except ClientError as error:
        response: Any = error.response
        metadata = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return error.operation_name, response["Error"]["Code"], metadata, response.get("Item"), str(error)
    answer.pop("ResponseMetadata", None)
    return answer


@pytest.mark.parametrize("text", ["Muraho", "\u0635\u0628\u0627\u062d", '"\\\n\x00\x7f', "lone \ud83d surrogate"])
@pytest.mark.parametrize("name", ["sqs", "dynamodb"])
def test_any_text_is_what_the_service_reads(name: str, text: str) -> None:
    to = Service(name, "eu-west-1", "https", "aws.example.org", 0)
    _, body = calls.request(to, "send_message", {"MessageBody": text}, Credentials("id", "secret"), 0)
    assert json.loads(body) == {"MessageBody": text}


def test_octets_are_base64() -> None:
    """As AWS has it: of DynamoDB alone, whose octets may well be text."""
    to = Service("dynamodb", "eu-west-1", "https", "aws.example.org", 0)
    _, body = calls.request(to, "put_item", {"B": b"text\xfb\xff"}, Credentials("id", "secret"), 0)
    assert json.loads(body) == {"B": "dGV4dPv/"}


@pytest.mark.usefixtures("gateway")
def test_dynamodb_answers_alike() -> None:
    table = settings().table("trace")
    key = {"pk": ITEM["pk"], "sk": ITEM["sk"]}
    twice = {
        "TableName": table, "Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }  # fmt: skip
    for ours, theirs in (both("dynamodb"),):
        assert told(ours.put_item, **twice) == {}
        assert told(ours.put_item, **twice) == told(theirs.put_item, **twice)
        assert told(ours.get_item, TableName=table, Key=key) == told(theirs.get_item, TableName=table, Key=key)
        assert ours.get_item(TableName=table, Key=key)["Item"] == ITEM
        for wrong in ({"TableName": "no-such-table", "Key": key}, {"TableName": table, "Key": {"pk": {"N": "1"}}}):
            assert told(ours.get_item, **wrong) == told(theirs.get_item, **wrong)
        transaction = {"TransactItems": [{"Put": {k: v for k, v in twice.items() if k != "ReturnValues"}}]}
        assert (
            told(ours.transact_write_items, **transaction)[:3] == told(theirs.transact_write_items, **transaction)[:3]
        )


@pytest.mark.usefixtures("gateway")
def test_sqs_and_ssm_answer_alike() -> None:
    ours, theirs = both("sqs")
    for request in ({"QueueUrl": settings().queue_url("no-such-queue.fifo")},):
        assert told(ours.receive_message, **request)[:3] == told(theirs.receive_message, **request)[:3]
    queue = {"QueueUrl": settings().queue_url("outbound.fifo")}
    asked = {**queue, "AttributeNames": ["FifoQueue"]}
    assert told(ours.get_queue_attributes, **asked) == told(theirs.get_queue_attributes, **asked)
    ours, theirs = both("ssm")
    ours.put_parameter(Name="/jangada/one", Value="ü", Type="SecureString", Overwrite=True)
    for name in ("/jangada/one", "/jangada/two"):
        asked = {"Name": name, "WithDecryption": True}
        found = [told(client.get_parameter, **asked) for client in (ours, theirs)]
        if name == "/jangada/one":
            assert [one["Parameter"]["Value"] for one in found] == ["ü", "ü"]
        else:
            assert found[0] == found[1]


@pytest.mark.usefixtures("gateway")
def test_pages_are_read_to_the_last() -> None:
    table = settings().table("trace")
    for number in range(5):
        item = {"pk": {"S": "awsapi#pages"}, "sk": {"S": str(number)}}
        aws.dynamodb().put_item(TableName=table, Item=item)
    found = aws.pages(
        aws.dynamodb().query,
        TableName=table,
        Limit=2,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "awsapi#pages"}},
    )
    assert [item["sk"]["S"] for page in found for item in page["Items"]] == ["0", "1", "2", "3", "4"]


# --- trouble --------------------------------------------------------------------------------------------------------


@contextmanager
def site(answer: Any, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Answers the n-th request (from 1) with `answer(n)`: status, headers, body; None closes without one."""
    count = iter(range(1, 1000))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            found = answer(next(count))
            if found is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, headers, body = found
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = handle_any  # noqa: N815 - as the base class calls them

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def secured(answer: Any, folder: Path, name: str) -> Iterator[tuple[int, Path]]:
    """`site` over TLS, with a certificate for `name`: its port, and the certificate."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    make = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -addext subjectAltName=DNS:{name}"
    openssl(*make.split(), "-keyout", key, "-out", certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with site(answer, context) as url:
        yield int(url.rpartition(":")[2]), certificate


def client(url: str) -> Client:
    service = calls.service("dynamodb", {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": url})
    return Client(service, lambda: KEY, connect_timeout=2, read_timeout=0.5)


def failure(status: int, kind: str) -> tuple[int, dict[str, str], bytes]:
    return status, {}, json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{kind}", "message": "why"}).encode()


GOOD = (200, {}, b'{"Item":{}}')


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(failure(500, "InternalServerError"), id="500"),
        pytest.param((503, {}, b"<html>busy</html>"), id="503-of-a-proxy"),
        pytest.param(failure(400, "ThrottlingException"), id="throttled"),
        pytest.param(failure(400, "ProvisionedThroughputExceededException"), id="over-capacity"),
        pytest.param(None, id="closed"),
        pytest.param((200, {"x-amz-crc32": "1"}, b"{}"), id="damaged"),
        pytest.param((200, {}, b'{"Item":'), id="cut"),
    ],
)
def test_what_may_pass_is_tried_again(bad: Any) -> None:
    with site(lambda number: bad if number < 3 else GOOD) as url:
        assert client(url).get_item(TableName="t") == {"Item": {}}


def test_what_does_not_pass_is_told_after_the_third_time() -> None:
    asked: list[int] = []

    def answer(number: int) -> Any:
        asked.append(number)
        return failure(500, "InternalServerError")

    with site(answer) as url, pytest.raises(ClientError, match=r"InternalServerError.*GetItem.*why"):
        client(url).get_item(TableName="t")
    assert asked == [1, 2, 3]


@pytest.mark.parametrize("code", ["ConditionalCheckFailedException", "ValidationException", "AccessDeniedException"])
def test_what_will_not_pass_is_told_at_once(code: str) -> None:
    asked: list[int] = []

    def answer(number: int) -> Any:
        asked.append(number)
        return failure(400, code)

    with site(answer) as url, pytest.raises(ClientError) as caught:
        client(url).put_item(TableName="t")
    assert aws.error_code(caught.value) == code
    assert asked == [1]


def test_nobody_there_is_told_without_the_request() -> None:
    port = free_port()
    with pytest.raises(
        HTTPClientError, match=f"put_item at http://127.0.0.1:{port}/: ConnectionRefusedError"
    ) as caught:
        client(f"http://127.0.0.1:{port}").put_item(TableName="t", Item={"secret": {"S": "s3cret"}})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(("name", "good"), [("localhost", True), ("elsewhere.example", False)])
def test_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, good: bool) -> None:
    with secured(lambda number: GOOD, tmp_path, name) as (port, certificate):
        url = f"https://localhost:{port}"
        with pytest.raises(HTTPClientError, match="certificate verify failed"):
            client(url).get_item(TableName="t")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        tls.cache_clear()
        try:
            if good:
                assert client(url).get_item(TableName="t") == {"Item": {}}
                assert asyncio.run(called(url)) == {"Item": {}}
            else:
                with pytest.raises(HTTPClientError, match="certificate verify failed"):
                    client(url).get_item(TableName="t")
                with pytest.raises(ssl.SSLCertVerificationError):
                    asyncio.run(called(url))
        finally:
            tls.cache_clear()


async def called(url: str) -> dict[str, Any]:
    """The same by the relay's client."""
    to = calls.service("dynamodb", {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": url})
    async with AwsClient(to, lambda: KEY, connect_timeout=2, read_timeout=2, attempts=1) as one:
        return await one.call("get_item", TableName="t")


def test_a_connection_that_was_closed_while_idle_is_not_used() -> None:
    closing = {"connection": "close"}  # told after the fact: the first answer does not say so
    with site(lambda number: GOOD) as url:
        one = client(url)
        one.get_item(TableName="t")
        (_, connection), *_ = one._idle
        connection.shutdown(socket.SHUT_RDWR)
        assert one.get_item(TableName="t") == {"Item": {}}
        assert connection.fileno() == -1
    with site(lambda number: (200, closing, GOOD[2])) as url:
        one = client(url)
        assert [one.get_item(TableName="t") for _ in range(2)] == [{"Item": {}}] * 2
        assert one._idle == []


def test_threads_share_connections_and_get_their_own_answers() -> None:
    def answer(number: int) -> Any:
        body = json.dumps({"n": number}).encode()
        return 200, {"x-amz-crc32": str(zlib.crc32(body))}, body

    found: list[int] = []
    with site(answer) as url:
        one = client(url)
        threads = [
            threading.Thread(target=lambda: found.extend(one.get_item()["n"] for _ in range(20))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == list(range(1, 161))
        assert 1 <= len(one._idle) <= 8
        one.close()


@given(st.binary(max_size=60), st.sampled_from((200, 400, 500)), st.text(max_size=10))
def test_any_answer_is_a_result_or_a_declared_error(body: bytes, status: int, kind: str) -> None:
    to = Service("dynamodb", "eu-west-1", "http", "localhost", 0)
    for octets in (body, json.dumps({"__type": kind}).encode(), b"[1]", b"null"):
        try:
            calls.result(to, "get_item", Answer(status, {}, octets))
        except (ClientError, Damaged):
            continue
        assert status == 200
