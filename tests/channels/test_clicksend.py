"""ClickSend: https://developers.clicksend.com/docs"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary
from tests.channels.support import Json, Sample, make, mo, multipart, offer, request, without


def answered(status: Any = "SUCCESS", message_id: Any = "BF7AD270-0DE2", code: str = "SUCCESS") -> dict[str, Any]:
    message = {"to": "+12065550111", "message_id": message_id, "message_parts": 1, "status": status}
    return {"http_code": 200, "response_code": code, "data": {"queued_count": 1, "messages": [message]}}


SAMPLE = Sample(
    code="CS",
    config={"username": "acme", "password": "key-1&23"},
    url="https://rest.clicksend.com/v3/sms/send",
    answer=(200, answered()),
    external_id="BF7AD270-0DE2",
)
MO = {"from": "+12065550111", "to": "+12065550100", "body": "Hi there", "message_id": "9F6B-11"}
BODY, HEADERS = multipart(MO)


def receive(data: Any = None, **changes: str) -> Request:
    return request("CS", "receive", {**(MO if data is None else data), **changes})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+12065550111", "Hi there", external_id="9F6B-11"), id="as-documented"),
        pytest.param(receive(**{"from": "12065550111"}), mo("+12065550111", "Hi there", external_id="9F6B-11"),
                     id="no-plus"),
        pytest.param(receive(**{"from": "40404"}), mo("40404", "Hi there", external_id="9F6B-11"), id="short-code"),
        pytest.param(receive(without(MO, "body")), mo("+12065550111", "", external_id="9F6B-11"), id="no-text"),
        pytest.param(receive(without(MO, "message_id")), mo("+12065550111", "Hi there"), id="no-id"),
        pytest.param(receive(body="Ünï 😀\x00"), mo("+12065550111", "Ünï 😀", external_id="9F6B-11"), id="unicode"),
        pytest.param(request("CS", "receive", b"from=%2B12065550111&body=one&body=two",
                             headers={"content-type": "application/x-www-form-urlencoded"}),
                     mo("+12065550111", "one"), id="first-value-wins"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("CS").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted"')


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(without(MO, "from")), "field 'from' required", id="no-sender"),
        pytest.param(receive(**{"from": ""}), "field 'from' required", id="empty-sender"),
        pytest.param(receive({"From": "+12065550111"}), "field 'from' required", id="name-in-another-case"),
        pytest.param(receive(**{"from": "Acme"}), "not a possible number", id="bad-sender"),
        pytest.param(request("CS", "receive", Json(MO)), "field 'from' required", id="json"),
        pytest.param(request("CS", "receive", BODY, headers=HEADERS), "field 'from' required", id="multipart"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("CS").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


def test_request() -> None:
    done = offer("CS", text="Hello ✓", address="+12065550100", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert json.loads(done.request.body) == {"messages": [
        {"to": "+254700111222", "from": "+12065550100", "body": "Hello ✓\nhttps://x.org/a.jpg", "source": "jangada"},
    ]}  # fmt: skip
    assert done.request.headers["Authorization"] == "Basic YWNtZTprZXktMSYyMw=="
    assert (done.request.headers["Accept"], done.request.headers["Content-Type"]) == ("application/json",) * 2


def test_long_texts_are_cut() -> None:
    done = offer("CS", text="word " * 300)
    assert [len(json.loads(call.body)["messages"][0]["body"]) <= 1224 for call in done.calls] == [True, True]
    assert done.outcomes == [Accepted("BF7AD270-0DE2")] * 2


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param(answered("INVALID_RECIPIENT"), Permanent, "INVALID_RECIPIENT", id="refused-within-a-success"),
        pytest.param(answered("INSUFFICIENT_CREDIT"), ChannelDown, "INSUFFICIENT_CREDIT", id="no-credit"),
        pytest.param(answered("ACCOUNT_NOT_ACTIVATED"), ChannelDown, "ACCOUNT_NOT_ACTIVATED", id="not-active"),
        pytest.param(answered("INVALID_CREDENTIALS"), ChannelDown, "INVALID_CREDENTIALS", id="credentials"),
        pytest.param(answered("MISSING_CREDENTIALS"), ChannelDown, "MISSING_CREDENTIALS", id="no-credentials"),
        pytest.param(answered("THROTTLED"), Temporary, "THROTTLED", id="same-text-again"),
        pytest.param(answered("success"), Permanent, "success", id="other-case"),
        pytest.param(answered(message_id=""), Permanent, "SUCCESS", id="no-id"),
        pytest.param(answered(message_id=None), Permanent, "SUCCESS", id="null-id"),
        pytest.param(answered(None), Permanent, "", id="no-status"),
        pytest.param({"response_code": "SUCCESS", "data": {"messages": []}}, Permanent, "", id="nothing"),
        pytest.param("ok", Permanent, "", id="no-json"),
    ],
)
def test_answers(answer: Any, expected: type[NotAccepted], code: str) -> None:
    outcome = offer("CS", (200, answer)).outcome
    assert isinstance(outcome, NotAccepted)
    assert (type(outcome), outcome.code) == (expected, code)


def test_only_the_messages_own_status_counts() -> None:
    assert offer("CS", (200, answered(code="QUEUED"))).outcomes == [Accepted("BF7AD270-0DE2")]
