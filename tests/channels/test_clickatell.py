"""Clickatell: https://docs.clickatell.com"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import Json, Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="CT",
    config={"api_key": "k-1&23 é"},
    url="https://platform.clickatell.com/messages/http/send",
    method="GET",
    answer=(202, {"messages": [{"apiMessageId": "5f2c7d90", "accepted": True, "error": None}], "error": None}),
    external_id="5f2c7d90",
)
MO = {"integrationId": "ff80", "messageId": "996f7b28", "replyMessageId": None, "apiKey": "", "charset": "UTF-8",
      "fromNumber": "27820001122", "toNumber": "27600003344", "timestamp": 1772360000000, "text": "Join"}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "996f7b28", "received_at": 1_772_360_000_000}
UTF16 = "".join(f"%{octet:02X}" for octet in "Ñandú í 😀 ✓".encode("utf-16-be"))


def receive(data: Any = None, **changes: Any) -> Request:
    return request("CT", "receive", Json({**(MO if data is None else data), **changes}))


def status(data: Any) -> Request:
    return request("CT", "status", Json(data))


@pytest.mark.parametrize(
    ("text", "charset", "expected"),
    [
        pytest.param("Join", "UTF-8", "Join", id="plain"),
        pytest.param("50%25 + 1 ✓", "UTF-8", "50%25 + 1 ✓", id="plain-is-not-decoded"),
        pytest.param("50%25", None, "50%25", id="no-charset"),
        pytest.param("50%25", "", "50%25", id="empty-charset"),
        pytest.param("", "UTF-8", "", id="empty-text-is-a-message"),
        pytest.param("Ol%E1%21", "ISO-8859-1", "Olá!", id="latin-1"),
        pytest.param("a+b%2Bc", "iso-8859-1", "a b+c", id="latin-1-plus-is-a-space"),
        pytest.param("50% off", "ISO-8859-1", "50% off", id="latin-1-bare-percent"),
        pytest.param("Olá%21", "ISO-8859-1", "Olá!", id="latin-1-partly-decoded"),
        pytest.param(UTF16, "UTF-16BE", "Ñandú í 😀 ✓", id="utf-16"),
        pytest.param(quote_plus("Hi í +".encode("utf-16-be")), "UTF-16BE", "Hi í +", id="utf-16-as-a-form"),
        pytest.param("%00H%00", "UTF-16BE", "H\ufffd", id="utf-16-half-a-character"),
        pytest.param("✓ done", "UTF-16BE", "✓ done", id="utf-16-decoded-on-the-way"),
        pytest.param("%D8%3D", "UTF-16BE", "\ufffd", id="utf-16-half-a-surrogate-pair"),
    ],
)
def test_texts(text: str, charset: str | None, expected: str) -> None:
    reply = make("CT").receive(receive(text=text, charset=charset))
    assert (reply.status, reply.events) == (200, (mo("+27820001122", expected, **KNOWN),))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(fromNumber="0700111222"), mo("+254700111222", "Join", **KNOWN), id="national"),
        pytest.param(receive(fromNumber="40404"), mo("40404", "Join", **KNOWN), id="short-code"),
        pytest.param(receive(toNumber="1", new=1), mo("+27820001122", "Join", **KNOWN), id="others"),
        pytest.param(receive({name.upper(): value for name, value in MO.items()}),
                     mo("+27820001122", "Join", **KNOWN), id="names-in-any-case"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("CT").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted"')


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(receive(without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in ("messageId", "fromNumber", "timestamp", "text")],
        pytest.param(receive(timestamp=0), "field 'timestamp' required", id="time-0"),
        pytest.param(receive(timestamp="1772360000000"), "field 'timestamp' must be an integer", id="quoted-time"),
        pytest.param(receive(timestamp=-5), "invalid date", id="bad-time"),
        pytest.param(receive(fromNumber="Acme"), "not a possible number", id="bad-sender"),
        pytest.param(receive(text=7), "field 'text' must be a string", id="wrong-type"),
        pytest.param(request("CT", "receive", b"{"), "unable to parse request JSON", id="no-json"),
        pytest.param(status({"statusCode": 4}), "field 'messageId' required", id="status-no-id"),
        pytest.param(status({"messageId": "1"}), "field 'statusCode' required", id="status-no-code"),
        pytest.param(status({"messageId": "1", "statusCode": "4"}), "must be an integer", id="status-quoted"),
        *[pytest.param(status({"messageId": "1", "statusCode": code}), "unknown status", id=f"status-{code}")
          for code in (0, 13, 15, -1)],
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("CT").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("code", "expected"),
    [(2, "wired"), (8, "wired"), (11, "wired"), (3, "sent"), (4, "delivered"),
     *[(code, "failed") for code in (1, 5, 6, 7, 9, 10, 12, 14)]],
)  # fmt: skip
def test_statuses(code: int, expected: str) -> None:
    reply = make("CT").receive(status({"messageId": "5f2c7d90", "statusCode": code, "status": "WORDS"}))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.reason) == ("5f2c7d90", "WORDS")
    assert update.code == (str(code) if expected == "failed" else "")


def query(call: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(call.url).query, keep_blank_values=True)


def test_request() -> None:
    done = offer("CT", text="Habari ✓ é", address="+27600003344", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert query(done.request) == {"apiKey": ["k-1&23 é"], "content": ["Habari ✓ é\nhttps://x.org/a.jpg"],
                                   "from": ["27600003344"], "to": ["254700111222"]}  # fmt: skip
    assert done.request.headers["Accept"] == "application/json"
    assert done.request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert done.request.body is None


def test_every_part_keeps_its_id() -> None:
    done = offer("CT", text="word " * 200)
    assert done.outcomes == [Accepted("5f2c7d90")] * 2
    assert max(len(query(call)["content"][0]) for call in done.calls) <= 640


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param({"messages": [{"apiMessageId": None, "error": "no"}]}, "", id="null"),
        pytest.param({"messages": [{"apiMessageId": ""}]}, "", id="empty"),
        pytest.param({"messages": [{"apiMessageId": 7, "errorCode": 105}]}, "105", id="number"),
        pytest.param({"messages": []}, "", id="nothing"),
        pytest.param({"error": "no"}, "", id="no-messages"),
        pytest.param("ok", "", id="no-json"),
    ],
)
def test_what_is_no_acceptance(answer: Any, code: str) -> None:
    outcome = offer("CT", (200, answer)).outcome
    assert isinstance(outcome, NotAccepted)
    assert (type(outcome), outcome.reason, outcome.code) == (Permanent, "response_content", code)
