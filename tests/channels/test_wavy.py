"""Wavy: https://docs-en.sinch.com/technical-documentation/api-and-integrations/sms-api"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import Json, Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="WV",
    config={"username": "acme", "auth_token": "t-1&k n"},
    url="https://api-messaging.movile.com/v1/send-sms",
    answer=(200, {"id": "cc30dd40-0000-4f11-8f11-0000000000d2"}),
    external_id="cc30dd40-0000-4f11-8f11-0000000000d2",
)
MO = {"id": "aa10bb20", "source": "5511988887777", "shortCode": "28800", "messageText": "Sim",
      "receivedAt": 1718006240386, "carrierId": 1, "correlatedMessageId": None}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "aa10bb20", "received_at": 1_718_006_240_386}
REPORT = {"id": "x", "correlationId": "cc30dd40", "sentStatus": "SENT_SUCCESS"}


def receive(**changes: Any) -> Request:
    return request("WV", "receive", Json({**MO, **changes}))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+5511988887777", "Sim", **KNOWN), id="as-documented"),
        pytest.param(receive(messageText="Não 😀\x00"), mo("+5511988887777", "Não 😀", **KNOWN), id="unicode"),
        pytest.param(receive(messageText=""), mo("+5511988887777", "", **KNOWN), id="empty-text-is-a-message"),
        pytest.param(receive(source="11988887777"), mo("+5511988887777", "Sim", **KNOWN), id="national"),
        pytest.param(receive(source="4040"), mo("4040", "Sim", **KNOWN), id="short-code"),
    ],
)
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("WV", country="BR").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(request("WV", "receive", Json(without(MO, name))), f"field '{name}' required", id=f"no-{name}")
          for name in ("id", "source", "shortCode", "messageText", "receivedAt")],
        *[pytest.param(receive(**{name: ""}), f"field '{name}' required", id=f"empty-{name}")
          for name in ("id", "source", "shortCode")],
        pytest.param(receive(receivedAt=0), "field 'receivedAt' required", id="time-0"),
        pytest.param(receive(receivedAt=1.5), "field 'receivedAt' must be an integer", id="time-with-fraction"),
        pytest.param(receive(receivedAt="1718006240386"), "must be an integer", id="time-as-text"),
        pytest.param(receive(receivedAt=-5), "invalid date", id="bad-time"),
        pytest.param(receive(id=7), "field 'id' must be a string", id="wrong-type"),
        pytest.param(receive(source="Claro"), "not a possible number", id="alphanumeric"),
        pytest.param(request("WV", "receive", b"{"), "unable to parse request JSON", id="no-json"),
        pytest.param(request("WV", "sent", Json({"sentStatusCode": 2})), "'correlationId' required", id="sent-no-id"),
        pytest.param(request("WV", "sent", Json(REPORT)), "'sentStatusCode' required", id="sent-no-code"),
        pytest.param(request("WV", "sent", Json({**REPORT, "sentStatusCode": 0})), "'sentStatusCode' required",
                     id="code-0"),
        pytest.param(request("WV", "sent", Json({**REPORT, "sentStatusCode": 206})), "unknown status", id="code-206"),
        pytest.param(request("WV", "delivered", Json({**REPORT, "sentStatusCode": 2})),
                     "'deliveredStatusCode' required", id="the-other-field"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("WV", country="BR").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(("action", "field"), [("sent", "sentStatusCode"), ("delivered", "deliveredStatusCode")])
@pytest.mark.parametrize(
    ("raw", "expected"),
    [(2, "sent"), (4, "delivered"), (101, "failed"), (102, "failed"), (103, "failed"), (104, "sent"), (201, "failed"),
     (202, "failed"), (203, "failed"), (204, "failed"), (205, "failed"), (207, "failed"), (301, "failed")],
)  # fmt: skip
def test_statuses(action: str, field: str, raw: int, expected: str) -> None:
    reply = make("WV").receive(request("WV", action, Json({**REPORT, field: raw})))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.code) == ("cc30dd40", str(raw) if expected == "failed" else "")


def test_a_temporary_failure_can_be_left_alone() -> None:
    asked = request("WV", "sent", Json({**REPORT, "sentStatusCode": 301}))
    reply = make("WV", retry_errored=True).receive(asked)
    assert (reply.status, reply.kind) == (200, "ignored")


def test_request() -> None:
    text = "Olá ✓ " * 100
    done = offer("WV", text=text, attachments=["image/jpeg:https://x.org/a.jpg"])
    (sent,) = done.calls
    assert json.loads(sent.body) == {"destination": "254700111222", "messageText": f"{text}\nhttps://x.org/a.jpg"}
    assert sent.headers["username"] == "acme"
    assert sent.headers["authenticationtoken"] == "t-1&k n"
    assert sent.headers["Content-Type"] == "application/json"


def test_another_url() -> None:
    url = "https://wavy.example.org/v1/send-sms"
    assert offer("WV", config={"send_url": url}, url=url).outcome == Accepted(SAMPLE.external_id)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param((200, {}), Accepted(""), id="no-id"),
        pytest.param((200, "ok"), Accepted(""), id="no-json"),
        pytest.param((400, {"errorCode": 1}), Permanent, id="refused"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: Accepted | type[NotAccepted]) -> None:
    outcome = offer("WV", answer).outcome
    assert outcome == expected or type(outcome) is expected
