"""Plivo: https://www.plivo.com/docs/"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.channels.signatures import hmac_of
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import UUID, Sample, make, mo, multipart, offer, request, told, without

TOKEN = "tok-1&23"
NONCE = "05429567804466091622"
MAIN = "x-plivo-signature-ma-v2"


def sign(asked: Request, token: str = TOKEN, url: str = "", header: str = "x-plivo-signature-v2") -> Request:
    base = url or asked.url.partition("?")[0]
    value = hmac_of(token, (base + NONCE).encode(), encoding="base64")
    return dataclasses.replace(
        asked, headers={**asked.headers, header: (value,), "x-plivo-signature-v2-nonce": (NONCE,)}
    )


SAMPLE = Sample(
    code="PL",
    config={"PLIVO_AUTH_ID": "MAACME", "PLIVO_AUTH_TOKEN": TOKEN, "PLIVO_APP_ID": "2222"},
    url="https://api.plivo.com/v1/Account/MAACME/Message/",
    answer=(202, {"message": "message(s) queued", "message_uuid": ["83876bdb"], "api_id": "58b26e10"}),
    external_id="83876bdb",
    sign=sign,
)
MO = {"To": "14155550188", "From": "14155550123", "TotalRate": "0", "Units": "1", "Text": "Hello", "TotalAmount": "0",
      "Type": "sms", "MessageUUID": "7a242edc"}  # fmt: skip
DLR = {"Status": "delivered", "From": "14155550188", "To": "14155550123", "ParentMessageUUID": "83876bdb",
       "MessageUUID": "83876bdb-2", "PartInfo": "2 of 2", "ErrorCode": "", "MCC": "310"}  # fmt: skip


def channel(**config: Any) -> Any:
    return make("PL", address="+14155550188", country="US", **config)


def receive(**changes: str) -> Request:
    return sign(request("PL", "receive", {**MO, **changes}))


def report(**changes: str) -> Request:
    return sign(request("PL", "status", {**DLR, **changes}))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+14155550123", "Hello", external_id="7a242edc"), id="as-documented"),
        pytest.param(receive(To="+14155550188"), mo("+14155550123", "Hello", external_id="7a242edc"), id="plus"),
        pytest.param(receive(Text="Ünï 😀"), mo("+14155550123", "Ünï 😀", external_id="7a242edc"), id="unicode"),
        pytest.param(receive(Text=""), mo("+14155550123", "", external_id="7a242edc"), id="empty"),
        pytest.param(receive(From="40404"), mo("40404", "Hello", external_id="7a242edc"), id="short-code"),
        pytest.param(sign(request("PL", "receive", {k.lower(): v for k, v in MO.items()})),
                     mo("+14155550123", "Hello", external_id="7a242edc"), id="names-in-any-case"),
        pytest.param(sign(request("PL", "receive", multipart(MO)[0], headers=multipart(MO)[1])),
                     mo("+14155550123", "Hello", external_id="7a242edc"), id="multipart"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = channel().receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted"')


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(sign(request("PL", "receive", without(MO, name))), f"field '{name}' required", id=f"no-{name}")
          for name in ("From", "To", "MessageUUID")],
        pytest.param(receive(To="14155550199"), "field 'To' must be this channel's number", id="for-another-number"),
        pytest.param(receive(From="Acme"), "not a possible number", id="bad-sender"),
        *[pytest.param(sign(request("PL", "status", without(DLR, name))), f"field '{name}' required",
                       id=f"status-no-{name}") for name in ("From", "To", "MessageUUID", "Status")],
        pytest.param(report(From="14155550199"), "field 'From' must be this channel's number", id="of-another-number"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = channel().receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("queued", ["wired"]), ("sent", ["sent"]), ("delivered", ["delivered"]), ("undelivered", ["failed"]),
     ("rejected", ["failed"]), ("failed", ["failed"]), ("Delivered", []), ("received", [])],
)  # fmt: skip
def test_statuses(raw: str, expected: list[str]) -> None:
    reply = channel().receive(report(Status=raw))
    assert (reply.status, told(reply)) == (200, expected)
    assert all(event.external_id == "83876bdb" for event in reply.events)


def test_an_unknown_status_is_ignored_whoever_sent_it() -> None:
    assert channel().receive(report(Status="other", From="14155550199")).kind == "ignored"


def test_a_failure_without_a_parent() -> None:
    (update,) = channel().receive(report(Status="undelivered", ParentMessageUUID="", ErrorCode="30")).events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.code, update.destination) == ("83876bdb-2", "30", "14155550123")


# --- signatures -----------------------------------------------------------------------------------------------------

PLAIN = request("PL", "receive", MO)
BASE = f"https://sms.example.org/c/pl/{UUID}/receive"


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(sign(PLAIN), id="subaccount"),
        pytest.param(sign(PLAIN, header=MAIN), id="main-account"),
        pytest.param(sign(sign(PLAIN, "another"), header=MAIN), id="either"),
        pytest.param(sign(request("PL", "receive", MO, query="a=b")), id="without-the-query"),
        pytest.param(sign(dataclasses.replace(PLAIN, url=BASE.replace("sms.example.org", "10.0.0.1")), url=BASE),
                     id="behind-a-proxy"),
    ],
)  # fmt: skip
def test_signatures(asked: Request) -> None:
    assert channel().receive(asked).status == 200


def test_a_signature_that_openssl_made() -> None:
    made = "2JOdheKHePCFP8wHtgZGJAqjaC4kHueNu3v4CzPm0Wg="
    assert sign(PLAIN).header("x-plivo-signature-v2") == made


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(PLAIN, id="missing"),
        pytest.param(dataclasses.replace(PLAIN, headers={"x-plivo-signature-v2": ("x",)}), id="no-nonce"),
        pytest.param(sign(PLAIN, "another"), id="another-token"),
        pytest.param(sign(PLAIN, url=BASE + "x"), id="another-url"),
        pytest.param(dataclasses.replace(PLAIN, headers={**sign(PLAIN).headers, "x-plivo-signature-v2-nonce": ("1",)}),
                     id="another-nonce"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("action", ["receive", "status"])
def test_bad_signatures(asked: Request, action: str) -> None:
    reply = channel().receive(dataclasses.replace(asked, action=action))
    assert (reply.status, reply.kind, reply.events) == (401, "forbidden", ())


def test_signatures_can_be_left_unchecked() -> None:
    assert channel(verify_signature=False).receive(PLAIN).status == 200


# --- sending --------------------------------------------------------------------------------------------------------


def test_request() -> None:
    done = offer("PL", text="Hello ✓", to="+14155550123", address="+14155550188",
                 attachments=["image/png:https://x.org/a"])  # fmt: skip
    assert json.loads(done.request.body) == {
        "src": "14155550188", "dst": "14155550123", "text": "Hello ✓\nhttps://x.org/a",
        "url": f"https://sms.example.org/c/pl/{UUID}/status", "method": "POST",
    }  # fmt: skip
    assert done.request.headers["Authorization"] == "Basic TUFBQ01FOnRvay0xJjIz"
    assert done.request.headers["Accept"] == "application/json"


def test_parts() -> None:
    done = offer("PL", text="word " * 400)
    assert done.outcomes == [Accepted("83876bdb")] * 2
    assert max(len(json.loads(call.body)["text"]) for call in done.calls) <= 1600


@pytest.mark.parametrize("key", ["PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN", "PLIVO_APP_ID"])
def test_required_settings(key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}: required key is missing"):
        channel(**{key: None})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param({"message_uuid": ["a", "b"]}, Accepted, id="more-of-them"),
        pytest.param({"message_uuid": []}, Permanent, id="none"),
        pytest.param({"message_uuid": [7]}, Permanent, id="no-string"),
        pytest.param({"message_uuid": "83876bdb"}, Permanent, id="no-list"),
        pytest.param({"error": "no"}, Permanent, id="error"),
        pytest.param("ok", Permanent, id="no-json"),
    ],
)
def test_answers(answer: Any, expected: type[Accepted | NotAccepted]) -> None:
    assert type(offer("PL", (202, answer)).outcome) is expected
