"""8x8 Connect: https://developer.8x8.com/connect/docs/getting-started-with-sms-api"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming, Status, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import MESSAGE, UUID, Json, Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="E8X",
    config={"api_key": "k-1&23", "username": "Acme_hq"},
    url="https://sms.8x8.com/api/v1/subaccounts/Acme_hq/messages",
    answer=(200, {"umid": "9e09ac86", "status": {"code": "QUEUED", "description": "SMS is accepted"}}),
    external_id="9e09ac86",
)
MO = {"umid": "u-1", "subAccountId": "Acme_hq", "timestamp": "2024-05-02T10:00:00.017Z", "source": "+639171112233",
      "destination": "+6531580000", "body": "Opo", "encoding": "GSM7", "smsCount": 1,
      "price": {"total": 0.0, "perSms": 0.0, "currency": "USD"}}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "u-1", "received_at": 1_714_644_000_017}


def event(kind: str, payload: Any, action: str = "receive", space: str = "SMS") -> Request:
    return request("E8X", action, Json({"namespace": space, "eventType": kind, "description": "x", "payload": payload}))


def message(**changes: Any) -> Request:
    return event("inbound_message_received", {**MO, **changes})


def receipt(action: str = "status", **status: Any) -> Request:
    payload = {"umid": "u-2", "clientMessageId": MESSAGE, "destination": "+639171112233", "smsCount": 1,
               "status": {"timestamp": "2024-05-02T10:00:09Z", **status}}  # fmt: skip
    return event("outbound_message_status_changed", payload, action)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(message(), mo("+639171112233", "Opo", **KNOWN), id="as-documented"),
        pytest.param(event("inbound_message_received", MO, "status"), mo("+639171112233", "Opo", **KNOWN),
                     id="other-path"),
        pytest.param(message(body="Ünï 😀\x00", encoding="UCS2"), mo("+639171112233", "Ünï 😀", **KNOWN), id="unicode"),
        pytest.param(message(body=""), mo("+639171112233", "", **KNOWN), id="empty"),
        pytest.param(message(body="a" * 1000, smsCount=7), mo("+639171112233", "a" * 1000, **KNOWN), id="long"),
        pytest.param(message(destination="6531580000"), mo("+639171112233", "Opo", **KNOWN), id="ours-without-plus"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("E8X", "+6531580000").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(message(destination="+6531589999"), id="for-another-number"),
        pytest.param(event("inbound_message_received", MO, space="ChatApps"), id="chat"),
        pytest.param(event("something_else", MO), id="other-event"),
        pytest.param(receipt(state="queued"), id="queued"),
    ],
)
def test_ignored(asked: Request) -> None:
    reply = make("E8X", "+6531580000").receive(asked)
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[
            pytest.param(
                event("inbound_message_received", without(MO, name)),
                f"field 'payload.{name}' required",
                id=f"no-{name}",
            )
            for name in ("umid", "source", "destination", "body", "timestamp")
        ],
        pytest.param(request("E8X", "receive", Json({"eventType": "x"})), "field 'namespace' required", id="no-space"),
        pytest.param(request("E8X", "receive", Json({"namespace": "SMS"})), "field 'eventType' required", id="no-type"),
        pytest.param(event("inbound_message_received", []), "field 'payload' must be an object", id="list"),
        pytest.param(message(timestamp="2024-05-02 10:00:00"), "invalid date", id="bad-date"),
        pytest.param(message(source="8x8"), "not a possible number", id="alphanumeric"),
        pytest.param(request("E8X", "receive", b"a=1"), "unable to parse request JSON", id="no-json"),
        pytest.param(
            event("outbound_message_status_changed", {"status": {"state": "sent"}}),
            "field 'payload.umid' required",
            id="receipt-no-id",
        ),
        pytest.param(event("outbound_message_status_changed", {"umid": "u"}), "unknown status: ''", id="no-state"),
        pytest.param(receipt(state="DELIVERED"), "unknown status", id="state-in-another-case"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("E8X", "+6531580000").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("action", ["status", "receive"])
@pytest.mark.parametrize(
    ("state", "detail", "expected"),
    [
        ("sent", None, "sent"),
        ("delivered", "delivered_to_operator", "sent"),
        ("delivered", "delivered_to_recipient", "delivered"),
        ("delivered", None, "delivered"),
        ("read", None, "delivered"),
        ("undelivered", "rejected_by_operator", "failed"),
        ("undelivered", "undelivered_to_recipient", "failed"),
        ("rejected", None, "failed"),
    ],
)
def test_statuses(action: str, state: str, detail: str | None, expected: str) -> None:
    reply = make("E8X").receive(receipt(action, state=state, detail=detail))
    assert (reply.status, told(reply)) == (200, [expected])


def test_a_failure_keeps_its_reason() -> None:
    asked = receipt(state="undelivered", errorCode=15, errorMessage="Invalid destination")
    (update,) = make("E8X").receive(asked).events
    assert update == StatusUpdate(channel=UUID, status=Status.FAILED, external_id="u-2", code="15",
                                  reason="Invalid destination", destination="+639171112233",
                                  at=1_714_644_009_000)  # fmt: skip
    (update,) = make("E8X").receive(receipt(state="rejected", errorCode=0, timestamp="soon")).events
    assert isinstance(update, StatusUpdate)
    assert (update.code, update.at) == ("rejected", None)


def test_request() -> None:
    done = offer("E8X", text="Kumusta ✓", address="Acme", config={"secret": "t&k"},
                 attachments=["image/jpeg:https://x.org/a.jpg"])  # fmt: skip
    assert json.loads(done.request.body) == {
        "source": "Acme", "destination": "+254700111222", "text": "Kumusta ✓\nhttps://x.org/a.jpg",
        "encoding": "AUTO", "clientMessageId": MESSAGE,
        "dlrCallbackUrl": f"https://sms.example.org/c/e8x/{UUID}/status?token=t%26k",
    }  # fmt: skip
    headers = done.request.headers
    assert (headers["Authorization"], headers["Content-Type"]) == ("Bearer k-1&23", "application/json")


@pytest.mark.parametrize(
    ("text", "lengths"),
    [("a" * 1600, [1530, 70]), ("ж" * 800, [670, 130]), ("{" * 900, [760, 140])],
    ids=["gsm7", "ucs2", "extension-characters"],
)
def test_no_part_is_longer_than_8x8_sends(text: str, lengths: list[int]) -> None:
    bodies = [json.loads(call.body) for call in offer("E8X", text=text).calls]
    assert [len(body["text"]) for body in bodies] == lengths
    assert len({body["clientMessageId"] for body in bodies}) == len(bodies)
    assert max(len(body["clientMessageId"]) for body in bodies) <= 50


def test_another_region() -> None:
    url = "https://sms.us.8x8.com/api/v1/subaccounts/Acme_hq/messages"
    assert offer("E8X", config={"base_url": "https://sms.us.8x8.com/"}, url=url).outcomes == [Accepted("9e09ac86")]
    with pytest.raises(ConfigError, match="base_url: "):
        make("E8X", base_url="sms.8x8.uk")


def error(code: int) -> dict[str, Any]:
    return {"code": code, "message": "no", "errorId": "e-1", "timestamp": "2024-05-02T10:00:00Z"}


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"status": {"code": "QUEUED"}}), Accepted, None, id="no-id-is-accepted"),
        pytest.param(
            (200, {"umid": "x", "status": {"code": "REJECTED", "description": "no"}}),
            Permanent,
            "REJECTED",
            id="rejected-with-200",
        ),
        pytest.param((200, {"umid": "x", "status": {"code": "queued"}}), Permanent, "queued", id="other-case"),
        pytest.param((200, {"umid": "x"}), Permanent, "", id="no-status"),
        pytest.param((200, "ok"), Permanent, "", id="no-json"),
        pytest.param((400, error(1002)), Permanent, "1002", id="bad-number"),
        pytest.param((404, error(1001)), ChannelDown, "1001", id="no-sub-account"),
        pytest.param((401, error(1200)), ChannelDown, "401", id="key"),
        pytest.param((403, error(1200)), ChannelDown, "403", id="forbidden"),
        pytest.param((422, error(1003)), Permanent, "1003", id="unprocessable"),
        pytest.param((426, ""), ChannelDown, "426", id="old-tls"),
        pytest.param((429, error(1004)), Throttled, "429", id="throttled"),
        pytest.param((500, error(1001)), Temporary, "500", id="server-error"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("E8X", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
