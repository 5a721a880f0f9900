"""`/send/<channel>` through chalice: every form that RapidPro's External channel sends, and who may."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

import app
from chalicelib import aws as clients
from chalicelib import canaries, clock, ledger, registry, registry_store, sendapi
from chalicelib.messages import Outgoing, Status
from chalicelib.records import LaneRecord
from chalicelib.settings import settings
from tests.lane import logged
from tests.support import CHANNEL, Aws, Context

LANE = "lane-fast.fifo"
EVENT = json.loads((Path(__file__).parent / "events" / "send.json").read_text())
PHONE = "+250788123123"
PLATFORM = {"id": 1241244, "text": "Ubuntu & é😀", "to": PHONE, "from": "8080", "channel": 346}
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@pytest.fixture
def gateway(aws: Aws) -> Aws:
    """A channel of the workspace `unicef`."""
    aws.platform()
    aws.aggregator(lane="own")
    aws.channel(id=346)
    return aws


@pytest.fixture
def token(gateway: Aws) -> str:
    return str(registry_store.new_token("unicef"))


def ask(
    token: str,
    body: Any = PLATFORM,
    *,
    method: str = "POST",
    kind: str = JSON,
    ref: str = "346",
    query: str = "",
    **headers: str,
) -> tuple[int, Any, dict[str, str]]:
    """Status, JSON body and headers of one request."""
    octets = json.dumps(body).encode() if isinstance(body, dict) else body
    given = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if token:
        given.setdefault("Authorization", f"Token {token}")
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    made = {
        **EVENT,
        "httpMethod": method,
        "path": f"/send/{ref}",
        "pathParameters": {"channel": ref},
        "headers": given,
        "multiValueHeaders": {name: [value] for name, value in given.items()},
        "multiValueQueryStringParameters": values or None,
        "queryStringParameters": None,
        "requestContext": {**EVENT["requestContext"], "httpMethod": method},
        "body": base64.b64encode(octets).decode() if octets else None,
        "isBase64Encoded": bool(octets),
    }
    answer = app.app(made, Context())
    text = base64.b64decode(answer["body"]).decode() if answer.get("isBase64Encoded") else answer["body"]
    return answer["statusCode"], json.loads(text), {name.lower(): value for name, value in answer["headers"].items()}


def reason(answer: tuple[int, Any, dict[str, str]]) -> tuple[int, str]:
    return answer[0], answer[1]["data"][0]["error"]


def sent(aws: Aws, queue: str = LANE) -> list[Outgoing]:
    return [LaneRecord.model_validate(found).message for found in aws.bodies(queue)]


# --- forms of a message ---------------------------------------------------------------------------------------------

XML = "<m><id>1241244</id><text>Ubuntu &amp; é😀</text><to>+250788123123</to><from>8080</from></m>".encode()
PAIRS = {name: value for name, value in PLATFORM.items() if name != "channel"}


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({}, id="JSON"),
        pytest.param({"kind": "application/json; charset=utf-8"}, id="JSON with a charset"),
        pytest.param({"kind": ""}, id="JSON of no type"),
        pytest.param({"kind": "text/plain"}, id="JSON of another type"),
        pytest.param({"method": "PUT"}, id="PUT"),
        pytest.param({"body": urlencode(PAIRS).encode(), "kind": FORM}, id="a form"),
        pytest.param({"body": urlencode(PAIRS).encode(), "kind": ""}, id="a form of no type"),
        pytest.param({"body": XML, "kind": "text/xml; charset=utf-8"}, id="XML"),
        pytest.param({"body": XML, "kind": "application/xml"}, id="XML of another type"),
        pytest.param({"body": XML, "kind": ""}, id="XML of no type"),
        pytest.param({"body": b"", "method": "GET", "kind": "", "query": urlencode(PAIRS)}, id="a GET"),
        pytest.param({"body": urlencode({"id": 1241244, "to": PHONE}).encode(), "kind": FORM,
                      "query": urlencode({"text": PLATFORM["text"], "from": "8080"})}, id="a form and a query"),
        pytest.param({"ref": CHANNEL}, id="the channel by UUID"),
        pytest.param({"ref": CHANNEL.upper()}, id="the UUID in capitals"),
    ],
)  # fmt: skip
def test_every_form_is_the_same_message(gateway: Aws, token: str, request_: dict[str, Any]) -> None:
    status, body, _ = ask(token, **{"body": PLATFORM, **request_})
    assert (status, {**body, "id": str(body["id"])}) == (
        202, {"id": "1241244", "status": "queued", "generation": 1},
    )  # fmt: skip
    (message,) = sent(gateway)
    assert (message.key, message.text, message.to, message.from_) == ("1241244", PLATFORM["text"], PHONE, "8080")


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"body": {"id": 1, "to": PHONE, "attachments": ["image/png:http://a"],
                               "quick_replies": ["Yes", "No"]}}, id="JSON"),
        pytest.param({"body": b"id=1&to=%2B250788123123&attachments=image/png:http://a&quick_reply=Yes&quick_reply=No",
                      "kind": FORM}, id="a form"),
        pytest.param({"body": b"<m><id>1</id><to>+250788123123</to><attachment>image/png:http://a</attachment>"
                      b"<quick_replies><item>Yes</item><item>No</item></quick_replies></m>", "kind": "text/xml"},
                     id="XML"),
    ],
)  # fmt: skip
def test_lists(gateway: Aws, token: str, request_: dict[str, Any]) -> None:
    assert ask(token, **request_)[0] == 202
    (message,) = sent(gateway)
    assert (message.attachments, message.quick_replies) == (("image/png:http://a",), ("Yes", "No"))


@pytest.mark.parametrize(
    ("fields", "queue"),
    [
        pytest.param({}, "lane-fast.fifo", id="a reply"),
        pytest.param({"bulk": True}, "lane-fast-bulk.fifo", id="bulk"),
        pytest.param({"bulk": "false"}, "lane-fast.fifo", id="no bulk"),
        pytest.param({"priority": "bulk"}, "lane-fast-bulk.fifo", id="priority"),
        pytest.param({"priority": " LOW "}, "lane-fast-bulk.fifo", id="low"),
        pytest.param({"priority": "high"}, "lane-fast.fifo", id="high"),
    ],
)
def test_bulk(gateway: Aws, token: str, fields: dict[str, Any], queue: str) -> None:
    assert ask(token, {**PLATFORM, **fields})[0] == 202
    assert len(sent(gateway, queue)) == 1


# --- again ----------------------------------------------------------------------------------------------------------


def test_the_same_id_is_sent_once_and_its_status_told(gateway: Aws, token: str) -> None:
    assert [ask(token)[1] for _ in range(2)] == [{"id": 1241244, "status": "queued", "generation": 1}] * 2
    state = ledger.get(CHANNEL, "1241244")
    assert state is not None
    ledger.settle(state.key, Status.DELIVERED)
    assert ask(token)[:2] == (202, {"id": 1241244, "status": "delivered", "generation": 1})
    assert len(sent(gateway)) == 1
    assert [body["kind"] for body in gateway.bodies("deliver-main.fifo")] == ["delivered"]


@pytest.mark.parametrize("resend", [True, "1", "true", "yes"])
def test_a_resend_is_a_new_generation(gateway: Aws, token: str, resend: Any) -> None:
    ask(token)
    assert ask(token, {**PLATFORM, "resend": resend})[1]["generation"] == 2
    assert len(sent(gateway)) == 2


def test_a_resend_under_one_idempotency_key_is_one_resend(gateway: Aws, token: str) -> None:
    ask(token)
    for _ in range(2):  # the caller did not see our answer and asks again
        assert ask(token, {**PLATFORM, "resend": True}, Idempotency_Key="k-1")[1]["generation"] == 2
    assert len(sent(gateway)) == 2


# --- who may --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Token {}", "token {}", "Bearer {}", "  TOKEN   {} "])
def test_tokens_in_the_header(gateway: Aws, token: str, scheme: str) -> None:
    assert ask("", Authorization=scheme.format(token))[0] == 202


def test_a_token_in_the_query_is_no_field_of_the_message(gateway: Aws, token: str) -> None:
    assert ask("", b"", method="GET", kind="", query=urlencode({**PAIRS, "token": token}))[0] == 202
    (message,) = sent(gateway)
    assert token not in message.model_dump_json()


@pytest.mark.parametrize("header", [None, "", "Token", "Token ", "Basic dTpw", "jgd_x"])
def test_without_a_token(gateway: Aws, header: str | None) -> None:
    status, body, headers = ask("", **({"Authorization": header} if header is not None else {}))
    assert (status, body["message"], headers["www-authenticate"]) == (401, "Unauthorized", "Token")


def test_all_who_may_not_look_the_same(gateway: Aws, token: str) -> None:
    """Nobody learns which channels there are."""
    foreign, revoked = registry_store.new_token("somebody-else"), registry_store.new_token("unicef")
    known = registry.token(revoked)
    assert known is not None
    registry_store.revoke_token(known)
    registry.reset()
    unknown = "00000000-0000-4000-8000-000000000000"
    answers = [
        ask("jgd_nonsense"), ask(foreign), ask(revoked), ask(token, ref="347"), ask(token, ref=unknown),
        ask(token, ref="nonsense"), ask("jgd_nonsense", ref="347"), ask(token, ref="٣٤٦"),
    ]  # fmt: skip
    assert {json.dumps(answer) for answer in answers} == {json.dumps(answers[0])}
    assert reason(answers[0]) == (403, "this token opens no such channel")
    assert sent(gateway) == []


def test_a_channel_that_was_added_a_moment_ago_is_found(
    gateway: Aws, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(token, ref="400")[0] == 403
    monkeypatch.setattr(registry, "reset", lambda: None)  # it is added by another process than this
    registry_store.put_channel(
        registry.channel(CHANNEL).model_copy(
            update={"uuid": CHANNEL.replace("6f1d", "7f1d"), "id": 400, "address": "4000"}
        )
    )
    assert ask(token, {**PLATFORM, "channel": 400}, ref="400")[0] == 202


@pytest.mark.parametrize(
    ("age", "status"),
    [pytest.param(0, 503, id="in the making"), pytest.param(sendapi.YOUNG + 1, 403, id="switched off")],
)
def test_a_disabled_channel(gateway: Aws, token: str, age: int, status: int) -> None:
    gateway.channel(id=346, enabled=False, created_at=clock.now_ms() - age)
    registry.reset()
    assert reason(ask(token)) == (status, "the channel is disabled")


# --- what is wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "status", "text"),
    [
        pytest.param({"body": {"id": 5}}, 400, "to: Field required", id="a field missing"),
        pytest.param({"body": {"to": "", "id": True}}, 400,
                     "id: must be the platform's message id, an integer or a non-empty string; "
                     "to: String should have at least 1 character", id="every bad field"),
        pytest.param({"body": {**PLATFORM, "channel": 347}}, 400,
                     "channel: the body names another channel than the URL; leave it out of the body",
                     id="two channels"),
        pytest.param({"body": b"{"}, 400, "JSON", id="broken JSON"),
        pytest.param({"body": b"[]"}, 400, "object", id="no object"),
        pytest.param({"body": b"<m><id>", "kind": "text/xml"}, 400, "XML", id="broken XML"),
        pytest.param({"body": b'<!DOCTYPE m [<!ENTITY e SYSTEM "file:///etc/hostname">]><m><id>1</id><to>&e;</to></m>',
                      "kind": "text/xml"}, 400, "XML", id="XML with a DTD"),
        pytest.param({"body": b""}, 400, "id: ", id="nothing"),
        pytest.param({"body": b"x" * 1_048_577}, 413, "the body has 1048577 octets", id="too long"),
        pytest.param({"Content_Encoding": "gzip"}, 415, "Content-Encoding gzip: send the body as it is", id="gzip"),
        pytest.param({"body": f'{{"id": 1, "to": "{PHONE}", "text": "{"я" * 200_000}"}}'.encode()}, 400,
                     "text: the record has ", id="longer than SQS takes"),
        pytest.param({"method": "DELETE"}, 405, "method not allowed, use POST or GET or PUT", id="DELETE"),
        pytest.param({"method": "HEAD"}, 405, "method not allowed, use POST or GET or PUT", id="HEAD"),
        pytest.param({"method": "OPTIONS"}, 405, "method not allowed, use POST or GET or PUT", id="OPTIONS"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(gateway: Aws, token: str, request_: dict[str, Any], status: int, text: str) -> None:
    found, why = reason(answer := ask(token, **request_))
    assert found == status
    assert text in why
    if status == 405:
        assert answer[2]["allow"] == "POST, GET, PUT"
    assert sent(gateway) == []


# --- our own faults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["lane", "ledger", "registry", "aggregator"])
def test_our_own_faults_are_503_for_a_4xx_would_be_the_messages_end(
    gateway: Aws, token: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "lane":
        clients.sqs().delete_queue(QueueUrl=settings().queue_url(LANE))
    elif fault == "aggregator":
        gateway.channel(id=346, aggregator="gone")
    else:
        if fault == "ledger":
            ask(token, {**PLATFORM, "id": 1})
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
        clients.reset()
    with logged() as lines:
        status, body, headers = ask(token)
    assert (status, headers["retry-after"]) == (503, "5")
    assert body["data"] == [{"type": "error", "error": "temporarily unavailable, try again"}]
    assert not [private for private in (PHONE, "Ubuntu", token) if private in lines.getvalue()]


def test_202_comes_after_sqs_has_it(gateway: Aws, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    depths = []
    monkeypatch.setattr("chalicelib.trace.flush", lambda: depths.append(gateway.depth(LANE)))
    assert ask(token)[0] == 202
    assert depths == [1]


def test_ids_of_canaries_are_the_gateways_own(token: str, gateway: Aws) -> None:
    """Nobody would be told of such a message: it is refused, not sent."""
    status, said, _ = ask(token, {**PLATFORM, "id": f"{canaries.PREFIX}fast-20260101T0000"})
    assert status == 400
    assert "which is the gateway's own" in json.dumps(said)
    assert gateway.depth(LANE) == 0
