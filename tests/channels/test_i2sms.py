"""i2SMS: https://www.i2sms.com/"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import Sample, make, mo, multipart, offer, request

SAMPLE = Sample(
    code="I2",
    config={"username": "acc", "password": "pw-1&23", "channel_hash": "9f2c41/aa=07"},
    url="https://mx2.i2sms.net/mxapi.php",
    answer=(200, {"result": {"submit_result": "OK", "session_id": "6a10bd", "status_code": "00",
                             "status_message": "Submitted ok"}, "error_code": "00", "error_desc": "Completed OK"}),
    external_id="6a10bd",
)  # fmt: skip
MO = {"mobile": "27821234567", "message": "Yes please"}
FIELDS, HEADERS = multipart(MO)


def receive(**changes: str) -> Request:
    return request("I2", "receive", {**MO, **changes})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+27821234567", "Yes please"), id="as-documented"),
        pytest.param(request("I2", "receive", query="mobile=27821234567&message=a"), mo("+27821234567", "a"),
                     id="query"),
        pytest.param(request("I2", "receive", MO, query="mobile=27821234568&message=b"),
                     mo("+27821234567", "Yes please"), id="the-body-comes-first"),
        pytest.param(request("I2", "receive", {"mobile": "27821234567"}), mo("+27821234567", ""), id="no-text"),
        pytest.param(receive(message="Ünï 😀\x00"), mo("+27821234567", "Ünï 😀"), id="unicode"),
        pytest.param(receive(message="a" * 1000), mo("+27821234567", "a" * 1000), id="long"),
        pytest.param(receive(mobile="082 123 4567"), mo("+27821234567", "Yes please"), id="national"),
        pytest.param(receive(mobile="3151"), mo("3151", "Yes please"), id="short-code"),
    ],
)  # fmt: skip
def test_messages_are_answered_with_nothing(asked: Request, expected: Incoming) -> None:
    reply = make("I2", country="ZA").receive(asked)
    assert reply.events == (expected,)
    assert (reply.status, reply.content_type, reply.body) == (200, "text/plain", b"")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(request("I2", "receive", {"message": "a"}), "field 'mobile' required", id="no-sender"),
        pytest.param(receive(mobile=""), "field 'mobile' required", id="empty-sender"),
        pytest.param(request("I2", "receive", {"Mobile": "27821234567"}), "field 'mobile' required", id="other-case"),
        pytest.param(request("I2", "receive", FIELDS, headers=HEADERS), "field 'mobile' required", id="multipart"),
        pytest.param(receive(mobile="i2SMS"), "not a possible number", id="alphanumeric"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("I2", country="ZA").receive(asked)
    assert (reply.status, reply.events, reply.content_type) == (400, (), "application/json")
    assert why in reply.reason


def test_request() -> None:
    done = offer("I2", text="Thanks ✓", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert done.form == {"action": ["send_single"], "mobile": ["254700111222"], "channel": ["9f2c41/aa=07"],
                         "message": ["Thanks ✓\nhttps://x.org/a.jpg"]}  # fmt: skip
    headers = done.request.headers
    assert headers["Authorization"] == "Basic YWNjOnB3LTEmMjM="
    assert (headers["Content-Type"], headers["Accept"]) == ("application/x-www-form-urlencoded", "application/json")
    trace = json.dumps(done.http.exchanges)
    assert [form for form in ("9f2c41/aa=07", "9f2c41%2Faa%3D07", "YWNjOnB3LTEmMjM=") if form in trace] == []


def test_every_part_keeps_its_id() -> None:
    done = offer("I2", text="word " * 200)
    assert done.outcomes == [Accepted("6a10bd")] * 2
    assert max(len(form["message"][0]) for form in done.forms()) <= 640


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"error_code": "00"}), Accepted, None, id="no-id-is-accepted"),
        pytest.param((200, {"error_code": "00", "result": {"status_code": "05"}}), Accepted, None, id="inner-code"),
        pytest.param((200, {"error_code": "10", "result": {"status_code": "00"}}), Permanent, "10", id="refused"),
        pytest.param((200, {"error_code": 0}), Permanent, "0", id="a-number-is-no-code"),
        pytest.param((200, {}), Permanent, "", id="no-code"),
        pytest.param((200, "[]"), Permanent, "", id="no-object"),
        pytest.param((400, ""), Permanent, "400", id="bad-request"),
        pytest.param((401, ""), ChannelDown, "401", id="credentials"),
        pytest.param((429, ""), Throttled, "429", id="throttled"),
        pytest.param((500, ""), Temporary, "500", id="server-error"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("I2", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code


def test_an_answer_that_cannot_be_read() -> None:
    outcome = offer("I2", (200, "OK")).outcome
    assert (type(outcome), str(outcome)) == (Permanent, "response_unparseable")
