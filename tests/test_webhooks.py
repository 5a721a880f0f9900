"""Webhooks through chalice, from the REST proxy events that API Gateway writes (payload format 1.0, tests/events).

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib import aws as clients
from chalicelib import queues, registry, trace, webhooks
from chalicelib.settings import settings
from tests.channels.support import jwt
from tests.lane import logged
from tests.support import CHANNEL, Aws, Context

EVENTS = Path(__file__).parent / "events"
TWILIO = {"account_sid": "AC00000000000000000000000000000000"}
FORM = b"from=%2B250788112233&text=Ubuntu+%26+%C3%A9%F0%9F%98%80&date=2026-03-01T10%3A11%3A12.5Z"


@pytest.fixture
def gateway(aws: Aws) -> Aws:
    """An External channel."""
    aws.platform()
    aws.aggregator(config={"send_url": "https://x.example.org"}, secrets={"send_authorization": "Token s3cret"})
    aws.channel()
    return aws


def event(name: str, **changes: Any) -> dict[str, Any]:
    """An event as recorded, changed."""
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return {**found, **changes}


def asked(method: str = "POST", body: bytes = FORM, kind: str = "ex", action: str = "receive", **headers: Any) -> Any:
    """The event of another request than the recorded ones."""
    context = event("form")["requestContext"]
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return event(
        "form",
        httpMethod=method,
        path=f"/c/{kind}/{CHANNEL}/{action}",
        pathParameters={"kind": kind, "channel": CHANNEL, "action": action},
        requestContext={**context, "httpMethod": method},
        headers=given or None,
        multiValueHeaders={name: [value] for name, value in given.items()} or None,
        body=base64.b64encode(body).decode(),
    )


def call(made: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
    """Status, body and headers of chalice's answer; API Gateway decodes what is marked as Base64."""
    answer = app.app(made, Context())
    body = base64.b64decode(answer["body"]) if answer.get("isBase64Encoded") else answer["body"].encode()
    return answer["statusCode"], body.decode(), {name.lower(): value for name, value in answer["headers"].items()}


def message(reply: str) -> str:
    """The reason in a standard error body."""
    data = json.loads(reply)["data"]
    assert [entry["type"] for entry in data] == ["error"]
    return str(data[0]["error"])


def queued(aws: Aws) -> list[dict[str, Any]]:
    return [body["event"] for body in aws.bodies(queues.EVENTS)]


# --- as AWS writes them ---------------------------------------------------------------------------------------------

RECEIVED = "2026-03-01T10:11:12.5Z"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("form", "Ubuntu & é😀", id="a form over a custom domain"),
        pytest.param("edge", "Ubuntu & é😀", id="through CloudFront"),
        pytest.param("mapped", "Ubuntu & é😀", id="under a base path mapping"),
        pytest.param("bare", "Ubuntu & é😀", id="no headers at all"),
        pytest.param("get", "Ubuntu & é=😀+1", id="a GET on the API's own host, with its stage"),
        pytest.param("binary", "café ÿ!", id="octets that are no UTF-8"),
        pytest.param("multipart", "Ubuntu é", id="multipart"),
        pytest.param("text", "Ubuntu é", id="a body that came as text"),
    ],
)
def test_events_become_messages(gateway: Aws, name: str, text: str) -> None:
    status, body, headers = call(event(name))
    (told,) = queued(gateway)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert (told["message"]["sender"], told["message"]["text"]) == ("+250788112233", text)
    (data,) = json.loads(body)["data"]
    assert (data["type"], data["channel_uuid"], data["msg_uuid"], data["text"], data["urn"]) == (
        "msg", CHANNEL, told["event_id"], text, "tel:+250788112233",
    )  # fmt: skip


def test_a_request_is_what_the_caller_sent(aws: Aws) -> None:
    request = webhooks.request_from(event("edge"), "receive")
    assert request.url == f"https://sms.example.org/c/ex/{CHANNEL}/receive"
    assert (request.method, request.body, request.source_ip) == ("POST", FORM, "192.0.2.44")
    assert request.headers["x-many"] == ("one", "two")
    assert (request.header("X-LOWER"), request.header("via")) == (
        "x",
        "2.0 0123456789abcdef.cloudfront.net (CloudFront)",
    )


@pytest.mark.parametrize(
    ("name", "url"),
    [
        pytest.param("form", f"https://sms.example.org/c/ex/{CHANNEL}/receive", id="custom domain"),
        pytest.param("mapped", f"https://sms.example.org/hooks/c/ex/{CHANNEL}/receive", id="base path mapping"),
        pytest.param("bare", f"https://sms.example.org/c/ex/{CHANNEL}/receive", id="no Host header"),
        pytest.param(
            "get",
            f"https://sms.example.org/c/ex/{CHANNEL}/receive"
            "?from=%2B250788112233&text=Ubuntu%20%26%20%C3%A9%3D%F0%9F%98%80%2B1&flag=&list=a&list=b%20c",
            id="the API's own host: our domain, without the stage, the query encoded again",
        ),
        pytest.param(
            "twilio", f"https://sms.example.org/c/t/{CHANNEL}/receive?token=a/b", id="what callers leave as it is"
        ),
    ],
)
def test_the_url_is_the_public_one(aws: Aws, name: str, url: str) -> None:
    assert webhooks.request_from(event(name), "receive").url == url


@pytest.mark.parametrize("octets", [b"", b"\x00\xff\xfe", bytes(range(256)), "é😀".encode(), b"=+/&%"], ids=repr)
def test_body_octets_come_through_base64(aws: Aws, octets: bytes) -> None:
    body = base64.b64encode(octets).decode() if octets else None
    assert webhooks.request_from(event("form", body=body, isBase64Encoded=bool(octets)), "receive").body == octets


def test_a_trailing_slash_is_taken(gateway: Aws) -> None:
    assert call(event("form", path=f"/c/ex/{CHANNEL}/receive/"))[0] == 200


def test_the_type_in_the_path_is_taken_in_either_case(gateway: Aws) -> None:
    assert call(asked(kind="EX"))[0] == 200


def test_the_local_server_of_chalice(gateway: Aws) -> None:
    """Its events leave out parts of what API Gateway writes."""
    with Client(app.app) as client:
        path = f"/c/ex/{CHANNEL}/receive?from=%2B250788112233&text=caf%C3%A9"
        got = client.http.get(path)
        posted = client.http.post(path.partition("?")[0], body=FORM, headers={"Content-Type": "x/odd", "Accept": "a/b"})
    assert (got.status_code, posted.status_code) == (200, 400)
    assert [told["message"]["text"] for told in queued(gateway)] == ["café"]


# --- signatures -----------------------------------------------------------------------------------------------------


@pytest.fixture
def twilio(aws: Aws) -> Aws:
    aws.platform()
    aws.aggregator(type="T", config=TWILIO, secrets={"auth_token": "twilio-auth-token", "secret": "a/b"})
    aws.channel(type="T", address="+14155550100", country="US")
    return aws


def test_a_twilio_signature_holds_for_the_rebuilt_url(twilio: Aws) -> None:
    """https://www.twilio.com/docs/usage/security: HMAC-SHA1 over our public URL and the sorted parameters."""
    status, _, _ = call(event("twilio"))
    assert status == 200
    (told,) = queued(twilio)
    assert (told["message"]["sender"], told["message"]["text"]) == ("+14155552671", "Ubuntu & é")


def changed_query(made: dict[str, Any]) -> None:
    made["multiValueQueryStringParameters"]["x"] = ["1"]


def changed_body(made: dict[str, Any]) -> None:
    octets = base64.b64decode(made["body"]).replace(b"Ubuntu", b"ubuntu")
    made["body"] = base64.b64encode(octets).decode()


def changed_path(made: dict[str, Any]) -> None:
    made["path"] = "/other" + made["path"]


def no_signature(made: dict[str, Any]) -> None:
    for headers in (made["headers"], made["multiValueHeaders"]):
        del headers["X-Twilio-Signature"]


@pytest.mark.parametrize("change", [changed_query, changed_body, changed_path, no_signature])
def test_a_twilio_signature_of_something_else_is_refused(twilio: Aws, change: Any) -> None:
    made = event("twilio")
    change(made)
    assert call(made)[0] == 401
    assert queued(twilio) == []


def test_a_wrong_token_in_the_url_is_refused(twilio: Aws) -> None:
    made = event("twilio", multiValueQueryStringParameters={"token": ["c"]}, queryStringParameters={"token": "c"})
    status, body, _ = call(made)
    assert (status, json.loads(body)["message"]) == (401, "Unauthorized")


def test_a_signature_over_the_octets_of_the_body_holds(aws: Aws) -> None:
    """MessageBird hashes the body as it is; octets that are no text would not survive being made one."""
    body = (
        b"id=c0ff&originator=31612345678&body=caf\xe9 \xff&createdDatetime=2026-03-01T10:11:12%2B00:00&recipient=8080"
    )
    claims = {
        "url_hash": hashlib.sha256(f"https://sms.example.org/c/mbd/{CHANNEL}/receive".encode()).hexdigest(),
        "payload_hash": hashlib.sha256(body).hexdigest(),
    }
    aws.platform()
    aws.aggregator(type="MBD", secrets={"auth_token": "k", "secret": "signing-key"})
    aws.channel(type="MBD")
    header = {
        "MessageBird_Signature_JWT": jwt(claims, "signing-key"),
        "Content_Type": "application/x-www-form-urlencoded",
    }
    assert call(asked(kind="mbd", body=body, **header))[0] == 200
    assert len(queued(aws)) == 1
    assert call(asked(kind="mbd", body=body.replace(b"\xe9", b"\xc3\xa9"), **header))[0] == 401


# --- replies --------------------------------------------------------------------------------------------------------


def test_a_status_reply(gateway: Aws) -> None:
    status, body, _ = call(asked(action="delivered", body=b"id=1241244"))
    assert (status, json.loads(body)) == (
        200,
        {
            "message": "Status Update Accepted",
            "data": [{"type": "status", "channel_uuid": CHANNEL, "status": "D"}],
        },
    )
    assert body.endswith("\n")


def test_a_stop_reply(gateway: Aws) -> None:
    status, body, _ = call(asked(action="stopped", body=b"from=%2B250788112233"))
    answer = json.loads(body)
    (entry,) = answer["data"]
    assert (status, answer["message"], entry["event_type"], entry["urn"]) == (
        200, "Event Accepted", "stop_contact", "tel:+250788112233",
    )  # fmt: skip


def test_replies_are_escaped_as_the_field_expects(gateway: Aws) -> None:
    _, body, _ = call(asked(body=b"from=%2B250788112233&text=%3Ca%3E%26"))
    assert "\\u003ca\\u003e\\u0026" in body


CHANGES = [
    pytest.param({"action": "nonsense"}, 404, "Not Found", "no such action: nonsense", id="no such action"),
    pytest.param({"kind": "at"}, 404, "Not Found", "channel type wrong", id="type wrong"),
    pytest.param({"method": "PATCH"}, 405, "Method Not Allowed", "method not allowed, use POST or GET", id="PATCH"),
    pytest.param({"method": "HEAD"}, 405, "Method Not Allowed", "method not allowed, use POST or GET", id="HEAD"),
    pytest.param({"method": "OPTIONS"}, 405, "Method Not Allowed", "method not allowed, use POST or GET", id="OPTIONS"),
    pytest.param({"body": b"text=x"}, 400, "Error", "must have one of 'sender' or 'from' set", id="no sender"),
    pytest.param({"body": b"from=MTN&text=x"}, 400, "Error", "phone number supplied is not a possible number",
                 id="no number"),
    pytest.param({"body": b"x" * 1_048_577}, 413, "Error", "the body has 1048577 octets, at most 1048576 are taken",
                 id="too long"),
    pytest.param({"body": gzip.compress(FORM), "Content_Encoding": "GZIP"}, 415, "Error",
                 "Content-Encoding gzip: send the body as it is", id="compressed"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "status", "title", "reason"), CHANGES)
def test_refusals(gateway: Aws, changes: dict[str, Any], status: int, title: str, reason: str) -> None:
    found, body, headers = call(asked(**changes))
    assert (found, json.loads(body)["message"], message(body)) == (status, title, reason)
    assert headers["content-type"] == "application/json"
    if status == 405:
        assert headers["allow"] == "POST, GET"
    assert queued(gateway) == []


@pytest.mark.parametrize(
    "uuid", ["00000000-0000-4000-8000-000000000000", CHANNEL.upper(), CHANNEL.replace("-", ""), "346", "../x", ""]
)
def test_unknown_channels(gateway: Aws, uuid: str) -> None:
    made = event("form", pathParameters={"kind": "ex", "channel": uuid, "action": "receive"})
    status, body, _ = call(made)
    assert (status, message(body)) == (404, "channel not found")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"Accept": "image/png"}, id="Accept: image/png"),
        pytest.param({"Accept": "application/json;q=0.9, text/html"}, id="Accept: several"),
        pytest.param({"Accept": ""}, id="Accept: empty"),
        pytest.param({"Accept_Encoding": "gzip"}, id="Accept-Encoding: gzip"),
        pytest.param({"Content_Type": "application/x-www-form-urlencoded;charset=utf-8"}, id="charset"),
        pytest.param({"Content_Type": "APPLICATION/X-WWW-FORM-URLENCODED"}, id="upper case"),
        pytest.param({"Content_Type": ""}, id="Content-Type: empty"),
        pytest.param({"Content_Encoding": "UTF-8"}, id="a charset as Content-Encoding"),
    ],
)
def test_headers_that_say_odd_things_do_no_harm(gateway: Aws, headers: dict[str, Any]) -> None:
    status, body, answered = call(asked(**headers))
    assert status == 200
    assert json.loads(body)["message"] == "Message Accepted"
    assert "content-encoding" not in answered
    assert len(queued(gateway)) == 1


def test_a_content_type_that_says_otherwise_is_a_400_in_our_own_words(gateway: Aws) -> None:
    """Not chalice's 415, which says nothing of what is wrong."""
    status, body, _ = call(asked(Content_Type="application/json"))
    assert (status, message(body)) == (400, "must have one of 'sender' or 'from' set")


def test_health() -> None:
    context = {**event("form")["requestContext"], "resourcePath": "/health", "httpMethod": "GET"}
    status, body, _ = call(event("form", requestContext=context, pathParameters=None, httpMethod="GET"))
    assert (status, body) == (200, "ok\n")


# --- durable before it is answered ----------------------------------------------------------------------------------


def test_an_answer_of_200_comes_after_sqs_has_it(gateway: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    depths = []
    real = webhooks._trace  # the last thing before the answer

    def look(*given: Any) -> None:
        depths.append(gateway.depth(queues.EVENTS))
        real(*given)

    monkeypatch.setattr(webhooks, "_trace", look)
    assert call(event("form"))[0] == 200
    assert depths == [1]


def test_without_its_queue_the_caller_is_asked_to_come_again(gateway: Aws) -> None:
    url = settings().queue_url(queues.EVENTS)
    clients.sqs().delete_queue(QueueUrl=url)
    status, body, headers = call(event("form"))
    assert (status, message(body), headers["retry-after"]) == (503, "temporarily unavailable, try again", "5")
    assert "Traceback" not in body


def test_a_batch_that_sqs_takes_in_part_is_not_answered_200(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Infobip sends all of it again: what SQS has is known by its id then."""
    aws.platform()
    aws.aggregator(type="IB", secrets={"api_key": "k"})
    aws.channel(type="IB")
    items = [{"from": "250788112233", "text": f"m{n}", "messageId": f"id-{n}", "to": "8080"} for n in range(12)]
    made = asked(kind="ib", body=json.dumps({"results": items}).encode(), Content_Type="application/json")
    real = queues.send_many

    def send_many(queue: str, entries: Any) -> list[Exception | None]:
        return [*real(queue, entries[:-1]), ConnectionError("SQS did not take the record")]

    monkeypatch.setattr(queues, "send_many", send_many)
    assert call(made)[0] == 503
    monkeypatch.setattr(queues, "send_many", real)
    assert call(made)[0] == 200
    aws.drain(queues.EVENTS, app.record)
    assert [body["fields"]["text"] for body in aws.bodies("deliver-main.fifo")] == [f"m{n}" for n in range(12)]


def test_what_sqs_calls_invalid_is_kept_for_a_human_and_answered(gateway: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator is kinder than AWS: its refusal is played here."""
    refusal = queues.RefusedBySqs("SQS did not take the record: InvalidMessageContents")
    monkeypatch.setattr(queues, "send_many", lambda queue, entries: [refusal for _ in entries])
    assert call(event("form"))[0] == 200
    (dead,) = gateway.receive("events-dlq.fifo")["Records"]
    assert json.loads(dead["body"])["event"]["message"]["text"] == "Ubuntu & é😀"
    clients.sqs().delete_queue(QueueUrl=settings().queue_url("events-dlq.fifo"))
    assert call(event("form"))[0] == 503


def test_a_message_longer_than_a_queue_takes_is_refused(gateway: Aws) -> None:
    body = b"from=%2B250788112233&text=" + "я".encode() * 400_000
    status, text, _ = call(asked(body=body))
    assert (status, message(text)) == (413, "one message of the request is longer than can be taken")


def test_the_registry_away(gateway: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(event("form"))[0] == 200
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    clients.reset()
    assert call(event("form"))[0] == 200  # what it knew still serves
    registry.reset()
    status, body, headers = call(event("form"))
    assert (status, message(body), headers["retry-after"]) == (503, "temporarily unavailable, try again", "5")


def test_settings_that_cannot_be_used_are_our_fault(gateway: Aws) -> None:
    gateway.channel(config={"no_such_key": "s3cret"})
    registry.reset()
    with logged() as lines:
        status, body, _ = call(event("form"))
    assert (status, message(body)) == (500, "internal error, try again")
    assert "s3cret" not in body + lines.getvalue()
    assert "ConfigError" in lines.getvalue()


def test_a_disabled_channel(gateway: Aws) -> None:
    gateway.channel(enabled=False)
    registry.reset()
    status, body, _ = call(event("form"))
    assert (status, message(body)) == (404, "channel is disabled")


# --- the trace ------------------------------------------------------------------------------------------------------


def test_the_trace_keeps_the_exchange_without_secrets_and_proxies(gateway: Aws) -> None:
    headers: dict[str, Any] = {
        "Authorization": "Token s3cret",
        "X_Forwarded_For": "192.0.2.44",
        "X_Amzn_Trace_Id": "Root=1",
        "X_Own": "1",
    }
    assert call(asked(body=FORM + b"&key=Token%20s3cret&other=Token+s3cret", **headers))[0] == 200
    (told,) = queued(gateway)
    (hop,) = [hop for hop in trace.read(told["event_id"]) if hop["hop"] == "received"]
    (exchange,) = hop["exchanges"]
    assert (exchange["method"], exchange["status"]) == ("POST", 200)
    assert "Ubuntu" in exchange["request"]
    assert "x-own: 1" in exchange["request"]
    assert not [word for word in ("s3cret", "x-forwarded", "x-amzn") if word in exchange["request"]]


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [(b"text=x", "refused", "must have one of 'sender' or 'from' set")],
)
def test_what_is_turned_down_is_kept_under_its_channel(gateway: Aws, body: bytes, kind: str, reason: str) -> None:
    call(asked(body=body))
    assert [(hop["hop"], hop["reason"]) for hop in trace.read(CHANNEL)] == [(kind, reason)]


def test_a_trace_that_cannot_be_written_endangers_nothing(gateway: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "_exchange", lambda *given: 1 / 0)
    assert call(event("form"))[0] == 200
    assert len(queued(gateway)) == 1
