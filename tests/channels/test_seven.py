"""seven: https://docs.seven.io/en/rest-api/endpoints/sms"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any
from urllib.parse import parse_qs

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.signatures import hmac_of
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import MESSAGE, NOW, Json, Sample, make, mo, offer, request, told, without

KEY = "s1gning&secret"


def sign(asked: Request, key: str = KEY, at: str = str(NOW // 1000), url: str = "") -> Request:
    digest = hashlib.md5(asked.body).hexdigest()
    signed = f"{at}\nn0nce\n{asked.method}\n{url or asked.url}\n{digest}"
    headers = {"x-timestamp": (at,), "x-nonce": ("n0nce",), "x-signature": (hmac_of(key, signed.encode()),)}
    return dataclasses.replace(asked, headers={**asked.headers, **headers})


ENTRY = {"id": "77149480123", "sender": "20990", "recipient": "254700111222", "text": "Hello", "encoding": "gsm",
         "parts": 1, "price": 0.075, "success": True, "error": None, "error_text": None}  # fmt: skip
SAMPLE = Sample(
    code="SVN",
    config={"api_key": "k-1&23", "secret": KEY},
    url="https://gateway.seven.io/api/sms",
    answer=(200, {"success": "100", "total_price": 0.075, "debug": "false", "messages": [ENTRY]}),
    external_id="77149480123",
    sign=sign,
)
DATA = {"id": "681590", "sender": "491771112233", "system": "20990", "text": "ja", "time": "1714644000",
        "message_type": "SMS"}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "681590", "received_at": 1_714_644_000_000}


def event(kind: str = "sms_mo", data: Any = DATA) -> Json:
    return Json({"data": data, "webhook_event": kind, "webhook_timestamp": "2024-05-02 12:00:00"})


def receive(value: Json | None = None, action: str = "receive") -> Request:
    return sign(request("SVN", action, value or event()))


def report(status: Any, **fields: Any) -> Json:
    return event("dlr", {"msg_id": "77149480123", "status": status, "timestamp": "2024-05-02 12:00:09.0", **fields})


@pytest.mark.parametrize("action", ["receive", "status"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(event(), mo("+491771112233", "ja", **KNOWN), id="as-documented"),
        pytest.param(event(data={**DATA, "time": 1714644000}), mo("+491771112233", "ja", **KNOWN), id="time-a-number"),
        pytest.param(event(data=without(DATA, "time")), mo("+491771112233", "ja", external_id="681590"), id="no-time"),
        pytest.param(event(data=without(DATA, "text")), mo("+491771112233", "", **KNOWN), id="no-text"),
        pytest.param(event(data=without(DATA, "system")), mo("+491771112233", "ja", **KNOWN), id="no-number-of-ours"),
        pytest.param(event(data=without(DATA, "message_type")), mo("+491771112233", "ja", **KNOWN), id="no-type"),
        pytest.param(event(data={**DATA, "text": "größe 😀\x00"}), mo("+491771112233", "größe 😀", **KNOWN),
                     id="unicode"),
        pytest.param(event(data={**DATA, "sender": "40404"}), mo("40404", "ja", **KNOWN), id="short-code"),
    ],
)  # fmt: skip
def test_messages(action: str, value: Json, expected: Incoming) -> None:
    reply = make("SVN").receive(receive(value, action))
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    "value",
    [
        *[pytest.param(event(kind), id=kind) for kind in ("tracking", "voice_call", "voice_status", "rcs")],
        pytest.param(event(data={**DATA, "message_type": "RCS"}), id="rcs-message"),
        pytest.param(event(data={**DATA, "system": "4915790000123"}), id="for-another-number"),
    ],
)
def test_ignored(value: Json) -> None:
    reply = make("SVN").receive(receive(value))
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("value", "why"),
    [
        pytest.param(Json({"data": DATA}), "field 'webhook_event' required", id="no-event"),
        pytest.param(event(data=None), "field 'data.sender' required", id="no-data"),
        *[pytest.param(event(data=without(DATA, name)), f"field 'data.{name}' required", id=f"no-{name}")
          for name in ("id", "sender")],
        pytest.param(event(data={**DATA, "time": "soon"}), "invalid date", id="bad-date"),
        pytest.param(event(data={**DATA, "sender": "Acme"}), "not a possible number", id="bad-sender"),
        pytest.param(event(data={**DATA, "text": 7}), "field 'data.text' must be a string", id="wrong-type"),
        pytest.param(report("SLEEPING"), "unknown status", id="unknown-status"),
        pytest.param(report("DELIVERED", msg_id=""), "external id", id="report-without-id"),
        pytest.param(Json([]), "must be an object", id="array"),
    ],
)  # fmt: skip
def test_refused(value: Json, why: str) -> None:
    reply = make("SVN").receive(receive(value))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("DELIVERED", ["delivered"]), ("TRANSMITTED", ["sent"]), ("ACCEPTED", ["sent"]), ("BUFFERED", []),
     ("UNKNOWN", []), ("NOTDELIVERED", ["failed"]), ("EXPIRED", ["failed"]), ("REJECTED", ["failed"]),
     ("FAILED", ["failed"])],
)  # fmt: skip
def test_statuses(raw: str, expected: list[str]) -> None:
    reply = make("SVN").receive(receive(report(raw), "status"))
    assert (reply.status, told(reply)) == (200, expected)
    for update in reply.events:
        assert isinstance(update, StatusUpdate)
        assert update.external_id == "77149480123"


# --- signatures -----------------------------------------------------------------------------------------------------

PLAIN = request("SVN", "receive", event(), query="a=b%20c")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        pytest.param(sign(PLAIN), 200, id="good"),
        pytest.param(sign(PLAIN, at=str(NOW // 1000 - 300)), 200, id="five-minutes-old"),
        pytest.param(sign(PLAIN, at=str(NOW // 1000 - 301)), 401, id="replayed"),
        pytest.param(sign(PLAIN, at=str(NOW // 1000 + 301)), 401, id="from-the-future"),
        pytest.param(sign(PLAIN, at="soon"), 401, id="no-time"),
        pytest.param(PLAIN, 401, id="unsigned"),
        pytest.param(sign(PLAIN, key="other"), 401, id="another-key"),
        pytest.param(sign(PLAIN, url=PLAIN.url.partition("?")[0]), 401, id="without-the-query"),
        pytest.param(dataclasses.replace(sign(PLAIN), body=PLAIN.body + b" "), 401, id="another-body"),
        pytest.param(dataclasses.replace(sign(PLAIN), url=PLAIN.url + "&x=1"), 401, id="another-url"),
        pytest.param(
            dataclasses.replace(sign(PLAIN), url=PLAIN.url.replace("sms.example", "proxy.example")), 200, id="proxied"
        ),
    ],
)
def test_signatures(asked: Request, status: int) -> None:
    reply = make("SVN").receive(asked)
    assert (reply.status, len(reply.events)) == (status, status == 200)


def test_without_a_secret_nothing_is_signed() -> None:
    assert make("SVN", secret=None).receive(PLAIN).status == 200
    assert "X-Signature" not in offer("SVN", config={"secret": None}).request.headers


# --- sending --------------------------------------------------------------------------------------------------------


def test_request() -> None:
    sent = offer("SVN", text="Größe & ✓", attachments=["image/jpeg:https://x.org/a.jpg"]).request
    assert parse_qs(sent.body.decode()) == {"to": ["+254700111222"], "from": ["20990"], "foreign_id": [MESSAGE],
                                            "text": ["Größe & ✓\nhttps://x.org/a.jpg"]}  # fmt: skip
    assert sent.headers["X-Api-Key"] == "k-1&23"
    assert sent.headers["Accept"] == "application/json"
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    digest = hashlib.md5(sent.body).hexdigest()
    signed = f"{sent.headers['X-Timestamp']}\n{sent.headers['X-Nonce']}\nPOST\n{SAMPLE.url}\n{digest}"
    assert sent.headers["X-Signature"] == hmac_of(KEY, signed.encode())


def test_no_nonce_is_used_twice() -> None:
    assert len({call.headers["X-Nonce"] for call in offer("SVN", text="x" * 3000).calls}) == 2


@pytest.mark.parametrize(("given", "named"), [(8812, True), ("a.b_c", False), ("a" * 65, False)])
def test_our_id_is_in_characters_that_seven_takes(given: Any, named: bool) -> None:
    (name,) = parse_qs(offer("SVN", id=given).request.body.decode())["foreign_id"]
    assert (name == str(given)) is named
    assert name.isalnum()
    assert len(name) <= 64


def answer(code: Any, **entry: Any) -> tuple[int, Any]:
    return 200, {"success": code, "messages": [{**ENTRY, **entry}]}


@pytest.mark.parametrize(
    ("given", "expected", "code"),
    [
        pytest.param(answer("100"), Accepted, None, id="accepted"),
        pytest.param(answer("101"), Accepted, None, id="some-of-several"),
        pytest.param(answer(100), Accepted, None, id="code-as-a-number"),
        pytest.param(answer("100", success=False, error="202"), Permanent, "202", id="refused-inside"),
        pytest.param(answer("100", success=False), Permanent, "", id="refused-without-a-word"),
        pytest.param(answer("100", success="true"), Permanent, "", id="a-string-is-not-true"),
        *[pytest.param((200, code), Permanent, code, id=f"bare-{code}")
          for code in ("201", "202", "301", "304", "305", "306", "307", "400", "401", "402", "999")],
        *[pytest.param((200, code), Temporary, code, id=f"bare-{code}") for code in ("403", "600", "700")],
        *[pytest.param((200, code), ChannelDown, code, id=f"bare-{code}")
          for code in ("300", "500", "900", "902", "903")],
        pytest.param((200, {"success": "500", "messages": []}), ChannelDown, "500", id="no-credit"),
        pytest.param((401, "900"), ChannelDown, "900", id="code-and-status"),
        pytest.param((500, "500"), Temporary, "500", id="an-error-is-not-a-lack-of-credit"),
        pytest.param((429, "x"), Throttled, "429", id="too-fast"),
        pytest.param((200, {"success": "100", "messages": []}), Permanent, "", id="no-message"),
    ],
)  # fmt: skip
def test_answers(given: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("SVN", given).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code


@pytest.mark.parametrize(("code", "credentials"), [("900", True), ("300", True), ("500", False), ("903", False)])
def test_which_trouble_may_be_a_new_key(code: str, credentials: bool) -> None:
    outcome = offer("SVN", (200, code)).outcome
    assert isinstance(outcome, ChannelDown)
    assert outcome.credentials is credentials
