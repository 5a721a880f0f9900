"""Burst SMS: https://developer.transmitsms.com"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import Sample, make, mo, offer, request, told

SAMPLE = Sample(
    code="BS",
    config={"username": "apikey", "password": "secret-1&23"},
    url="https://api.transmitsms.com/send-sms.json",
    answer=(200, {"message_id": 40558812, "recipients": 1, "error": {"code": "SUCCESS", "description": "OK"}}),
    external_id="40558812",
)


def ask(action: str, **values: str) -> Request:
    return request("BS", action, method="GET", query=urlencode(values))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(ask("receive", mobile="61411222333", response="Yes please"), mo("+61411222333", "Yes please"),
                     id="as-documented"),
        pytest.param(ask("receive", mobile="61411222333"), mo("+61411222333", ""), id="no-text"),
        pytest.param(ask("receive", mobile="61411222333", response="è 😀\x00"), mo("+61411222333", "è 😀"), id="utf-8"),
        pytest.param(ask("receive", mobile="0700111222", response="a", message_id="1", longcode="2"),
                     mo("+254700111222", "a"), id="national-and-others"),
        pytest.param(ask("receive", mobile="40404", response="a"), mo("40404", "a"), id="short-code"),
        pytest.param(request("BS", "receive", method="GET", query="mobile=61411222333&response=a&response=b"),
                     mo("+61411222333", "a"), id="first-value-wins"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("BS").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted"')


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(ask("receive", response="a"), "field 'mobile' required", id="no-sender"),
        pytest.param(ask("receive", Mobile="61411222333"), "field 'mobile' required", id="name-in-another-case"),
        pytest.param(ask("receive", mobile="Acme"), "not a possible number", id="bad-sender"),
        pytest.param(ask("status", status="delivered"), "field 'message_id' required", id="status-no-id"),
        pytest.param(ask("status", message_id="1"), "unknown status", id="no-status"),
        pytest.param(ask("status", message_id="1", status="Delivered"), "unknown status", id="status-other-case"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("BS").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("delivered", "delivered"), ("pending", "sent"), ("soft-bounce", "failed"), ("hard-bounce", "failed")],
)
def test_statuses(raw: str, expected: str) -> None:
    reply = make("BS").receive(ask("status", message_id="40558812", status=raw, mobile="61411222333"))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.destination) == ("40558812", "61411222333")


def test_a_soft_bounce_can_be_left_alone() -> None:
    channel = make("BS", retry_errored=True)
    assert channel.receive(ask("status", message_id="1", status="soft-bounce")).kind == "ignored"
    assert told(channel.receive(ask("status", message_id="1", status="hard-bounce"))) == ["failed"]


def test_request() -> None:
    done = offer("BS", text="Hello ✓", address="+61400111222", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert done.form == {"to": ["254700111222"], "from": ["+61400111222"],
                         "message": ["Hello ✓\nhttps://x.org/a.jpg"]}  # fmt: skip
    assert done.request.headers["Authorization"] == "Basic YXBpa2V5OnNlY3JldC0xJjIz"
    assert done.request.headers["Accept"] == "application/json"


def test_every_part_keeps_its_id() -> None:
    done = offer("BS", text="word " * 200)
    assert done.outcomes == [Accepted("40558812")] * 2
    assert max(len(form["message"][0]) for form in done.forms()) <= 612


def error(code: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"code": code, "description": "no"}, **fields}


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"message_id": 7, "recipients": 0}), Accepted, None, id="no-recipient-is-accepted"),
        pytest.param((200, {"message_id": "40558812"}), Accepted, None, id="id-as-text"),
        pytest.param((200, error("SUCCESS", message_id=0)), Permanent, "SUCCESS", id="id-0"),
        pytest.param((200, error("BAD_CALLER_ID")), Permanent, "BAD_CALLER_ID", id="no-id"),
        pytest.param((200, error("LEDGER_ERROR")), ChannelDown, "LEDGER_ERROR", id="balance-in-a-200"),
        pytest.param((400, error("LEDGER_ERROR")), ChannelDown, "LEDGER_ERROR", id="balance"),
        pytest.param((401, error("AUTH_FAILED")), ChannelDown, "AUTH_FAILED", id="credentials"),
        pytest.param((401, error("AUTH_FAILED_NO_DATA")), ChannelDown, "AUTH_FAILED_NO_DATA", id="no-credentials"),
        pytest.param((400, error("NO_ACCESS")), ChannelDown, "NO_ACCESS", id="no-access"),
        pytest.param((429, error("OVER_LIMIT")), Throttled, "OVER_LIMIT", id="throttled"),
        pytest.param((400, error("FIELD_INVALID")), Permanent, "FIELD_INVALID", id="bad-field"),
        pytest.param((500, error("X")), Temporary, "500", id="server-error-with-code"),
        pytest.param((200, "ok"), Permanent, "", id="no-json"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("BS", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
