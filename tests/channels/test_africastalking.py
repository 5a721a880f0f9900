"""Africa's Talking: https://developers.africastalking.com/docs/sms/overview"""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent
from tests.channels.support import UUID, Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="AT",
    config={"username": "acme", "api_key": "k-1&23 \u00e9"},
    url="https://api.africastalking.com/version1/messaging",
    answer=(201, {"SMSMessageData": {"Recipients": [{"status": "Success", "messageId": "ATX", "statusCode": 101}]}}),
    external_id="ATX",
)
MO = {"id": "a1", "from": "+254700111222", "to": "20990", "text": "Join now", "date": "2026-03-01T10:11:12Z"}
KNOWN: dict[str, Any] = {"external_id": "a1", "received_at": 1_772_359_872_000}


def receive(**changes: str) -> Request:
    return request("AT", "receive", {**MO, **changes})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+254700111222", "Join now", **KNOWN), id="as-documented"),
        pytest.param(request("AT", "callback", MO), mo("+254700111222", "Join now", **KNOWN), id="other-path"),
        pytest.param(receive(date="2026-03-01 10:11:12"), mo("+254700111222", "Join now", **KNOWN), id="other-date"),
        pytest.param(receive(date="2026-03-01T10:11:12.987654Z"),
                     mo("+254700111222", "Join now", external_id="a1", received_at=1_772_359_872_987), id="fraction"),
        pytest.param(receive(text=""), mo("+254700111222", "", **KNOWN), id="empty-text-is-a-message"),
        pytest.param(receive(text="Ünï 😀\x00"), mo("+254700111222", "Ünï 😀", **KNOWN), id="unicode-less-nul"),
        pytest.param(receive(**{"from": "40404"}), mo("40404", "Join now", **KNOWN), id="short-code"),
        pytest.param(receive(**{"from": "0700 111 222"}), mo("+254700111222", "Join now", **KNOWN), id="national"),
        pytest.param(request("AT", "receive", {k.upper(): v for k, v in MO.items()}),
                     mo("+254700111222", "Join now", **KNOWN), id="names-in-any-case"),
        pytest.param(request("AT", "receive", without(MO, "text"), query="text=in+query"),
                     mo("+254700111222", "in query", **KNOWN), id="query-is-merged"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("AT").receive(asked)
    assert (reply.status, reply.events, reply.ids) == (200, (expected,), ("ev-1",))


def test_the_standard_reply_is_exact() -> None:
    reply = make("AT").receive(receive(text="<b>&"))
    assert reply.content_type == "application/json"
    assert reply.body.decode() == (
        '{"message":"Message Accepted","data":[{"type":"msg","channel_uuid":"' + UUID + '","msg_uuid":"ev-1",'
        '"text":"\\u003cb\\u003e\\u0026","urn":"tel:+254700111222","external_id":"a1",'
        '"received_on":"2026-03-01T10:11:12Z"}]}\n'
    )


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(request("AT", "receive", without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in MO],
        *[pytest.param(receive(**{name: ""}), f"field '{name}' required", id=f"empty-{name}")
          for name in MO if name != "text"],
        pytest.param(receive(date="2026-03-01T10:11:12+03:00"), "invalid date", id="date-with-offset"),
        pytest.param(receive(date="01.03.2026"), "invalid date", id="bad-date"),
        pytest.param(receive(date="2026-02-30 10:11:12"), "invalid date", id="no-such-day"),
        pytest.param(receive(**{"from": "MTN Info"}), "not a possible number", id="alphanumeric"),
        pytest.param(receive(**{"from": "0254700111222"}), "not a possible number", id="bad-number"),
        pytest.param(request("AT", "status", {"status": "Sent"}), "field 'id' required", id="status-no-id"),
        pytest.param(request("AT", "status", {"id": "x"}), "field 'status' required", id="status-no-status"),
        pytest.param(request("AT", "status", {"id": "x", "status": "success"}), "unknown status", id="status-case"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("AT").receive(asked)
    assert (reply.status, reply.events, reply.kind) == (400, (), "refused")
    assert why in reply.reason
    assert reply.body.startswith(b'{"message":"Error","data":[{"type":"error","error":"')


@pytest.mark.parametrize("action", ["status", "delivery"])
@pytest.mark.parametrize(
    ("raw", "expected"),
    [("Success", ["delivered"]), ("Sent", ["sent"]), ("Buffered", ["sent"]), ("Rejected", ["failed"]),
     ("Failed", ["failed"]), ("Expired", ["failed"]), ("AbsentSubscriber", ["failed"]), ("Submitted", [])],
)  # fmt: skip
def test_statuses(action: str, raw: str, expected: list[str]) -> None:
    reply = make("AT").receive(request("AT", action, {"id": "ATX", "status": raw, "phoneNumber": "+254700111222"}))
    assert (reply.status, told(reply)) == (200, expected)


def test_a_failure_keeps_its_reason() -> None:
    data = {"id": "ATX", "status": "Failed", "failureReason": "UserInBlackList", "phoneNumber": "+254700111222"}
    (update,) = make("AT").receive(request("AT", "status", data)).events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.code, update.reason) == ("ATX", "Failed", "UserInBlackList")
    assert update.destination == "+254700111222"


def test_request() -> None:
    done = offer("AT", text="Habari ✓", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert done.request.headers["Accept"] == "application/json"
    assert done.request.headers["apikey"].encode("latin-1").decode("latin-1") == "k-1&23 \u00e9"
    assert done.form == {"username": ["acme"], "to": ["+254700111222"], "from": ["20990"],
                         "message": ["Habari ✓\nhttps://x.org/a.jpg"]}  # fmt: skip


def test_a_shared_short_code_is_not_named() -> None:
    assert "from" not in offer("AT", config={"is_shared": True}).form


def test_another_url() -> None:
    done = offer("AT", config={"send_url": "https://sandbox.example.org/m"}, url="https://sandbox.example.org/m")
    assert done.outcomes == [Accepted("ATX")]


@pytest.mark.parametrize(
    ("config", "why"),
    [({"is_shared": "true"}, "is_shared: "), ({"send_url": ""}, "send_url: "), ({"send_url": "x"}, "send_url: ")],
)
def test_settings_that_cannot_be_used(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        make("AT", **config)


def recipients(*items: Any) -> dict[str, Any]:
    return {"SMSMessageData": {"Message": "Sent to ...", "Recipients": list(items)}}


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param(recipients({"status": "Success"}), Accepted, None, id="no-id-is-accepted"),
        pytest.param(recipients(), Permanent, "", id="nobody"),
        pytest.param(recipients({"status": "InvalidPhoneNumber"}), Permanent, "InvalidPhoneNumber", id="refused"),
        pytest.param(recipients({"status": "success"}), Permanent, "success", id="other-case"),
        pytest.param(recipients({"status": 1, "statusCode": 403}), Permanent, "403", id="code-only"),
        pytest.param(recipients({"status": "InsufficientBalance"}), ChannelDown, "InsufficientBalance", id="balance"),
        pytest.param("The supplied API key is invalid", Permanent, "", id="no-json"),
    ],
)
def test_answers(answer: Any, expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("AT", (201, answer)).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
