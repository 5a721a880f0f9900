"""textbee: https://textbee.dev"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.signatures import hmac_of
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import Json, Sample, make, mo, offer, request, told, without

KEY = "a signing secret of 20+"
DEVICE = "6650a1b2c3d4e5f600000001"
BATCH = "6650a1b2c3d4e5f609999999"


def sign(asked: Request, key: str = KEY) -> Request:
    return dataclasses.replace(asked, headers={**asked.headers, "x-signature": (hmac_of(key, asked.body),)})


SAMPLE = Sample(
    code="TXB",
    config={"api_key": "k-1&23", "device_id": DEVICE, "secret": KEY},
    url=f"https://api.textbee.dev/api/v1/gateway/devices/{DEVICE}/send-sms",
    answer=(201, {"data": {"success": True, "message": "SMS added to queue for processing", "smsBatchId": BATCH}}),
    external_id=BATCH,
    sign=sign,
)
MO = {"smsId": "6650a1b2c3d4e5f601234567", "message": "yego", "deviceId": DEVICE, "webhookSubscriptionId": "w1",
      "webhookEvent": "MESSAGE_RECEIVED", "idempotencyKey": "8c1c0f5e-1111-4222-8333-944455566677",
      "sender": "+250788111222", "receivedAt": "2026-05-02T10:00:00.208Z"}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "6650a1b2c3d4e5f601234567", "received_at": 1_777_716_000_208}


def receive(value: Any, action: str = "receive") -> Request:
    return sign(request("TXB", action, Json(value)))


def report(kind: str, **fields: Any) -> dict[str, Any]:
    return {"webhookEvent": kind, "smsId": "s1", "smsBatchId": BATCH, "deviceId": DEVICE,
            "recipient": "+250788111222", **fields}  # fmt: skip


@pytest.mark.parametrize("action", ["receive", "status"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(MO, mo("+250788111222", "yego", **KNOWN), id="as-documented"),
        pytest.param({**MO, "sender": "0788111222"}, mo("+250788111222", "yego", **KNOWN), id="national"),
        pytest.param({**MO, "sender": "MTN Rwanda"}, mo("MTN Rwanda", "yego", **KNOWN), id="from-a-name"),
        pytest.param({**MO, "message": ""}, mo("+250788111222", "", **KNOWN), id="empty-text"),
        pytest.param({**MO, "message": "yégo 😀\x00"}, mo("+250788111222", "yégo 😀", **KNOWN), id="unicode"),
        pytest.param(without(MO, "idempotencyKey"), mo("+250788111222", "yego", **KNOWN), id="no-idempotency-key"),
    ],
)
def test_messages(action: str, value: Any, expected: Incoming) -> None:
    reply = make("TXB", country="RW").receive(receive(value, action))
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({**MO, "deviceId": "6650a1b2c3d4e5f600000002"}, id="another-phone"),
        *[pytest.param(report(kind), id=kind) for kind in ("UNKNOWN_STATE", "SMS_STATUS_UPDATED", "SOMETHING_NEW")],
    ],
)
def test_ignored(value: Any) -> None:
    reply = make("TXB").receive(receive(value))
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("value", "why"),
    [
        *[pytest.param(without(MO, name), f"field '{name}' required", id=f"no-{name}")
          for name in ("webhookEvent", "smsId", "sender", "message", "receivedAt", "deviceId")],
        pytest.param({**MO, "receivedAt": "soon"}, "invalid date", id="bad-date"),
        pytest.param({**MO, "sender": "+00"}, "not a possible number", id="bad-number"),
        pytest.param({**MO, "message": 7}, "field 'message' must be a string", id="wrong-type"),
        pytest.param(without(report("MESSAGE_SENT"), "smsBatchId"), "external id", id="report-without-id"),
        pytest.param([], "must be an object", id="array"),
    ],
)  # fmt: skip
def test_refused(value: Any, why: str) -> None:
    reply = make("TXB", country="RW").receive(receive(value))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("action", ["receive", "status"])
@pytest.mark.parametrize(
    ("value", "expected", "at", "code", "reason"),
    [
        (report("MESSAGE_SENT", sentAt="2026-05-02T10:00:00.208Z"), "sent", 1_777_716_000_208, "", ""),
        (report("MESSAGE_DELIVERED", deliveredAt="soon"), "delivered", None, "", ""),
        (report("MESSAGE_FAILED", errorCode=4, errorMessage="No service", failedAt="2026-05-02T10:00:00Z"), "failed",
         1_777_716_000_000, "4", "No service"),
        (report("MESSAGE_FAILED", errorCode="RADIO_OFF"), "failed", None, "RADIO_OFF", ""),
        (report("MESSAGE_FAILED"), "failed", None, "MESSAGE_FAILED", ""),
    ],
)  # fmt: skip
def test_statuses(action: str, value: Any, expected: str, at: int | None, code: str, reason: str) -> None:
    reply = make("TXB").receive(receive(value, action))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.destination) == (BATCH, "+250788111222")
    assert (update.at, update.code, update.reason) == (at, code, reason)


PLAIN = request("TXB", "receive", Json(MO))


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        pytest.param(sign(PLAIN), 200, id="good"),
        pytest.param(PLAIN, 401, id="unsigned"),
        pytest.param(sign(PLAIN, key="other"), 401, id="another-key"),
        pytest.param(dataclasses.replace(sign(PLAIN), body=PLAIN.body + b" "), 401, id="another-body"),
    ],
)
def test_signatures(asked: Request, status: int) -> None:
    reply = make("TXB", country="RW").receive(asked)
    assert (reply.status, len(reply.events)) == (status, status == 200)


def test_without_a_signing_secret() -> None:
    assert make("TXB", country="RW", secret=None).receive(PLAIN).status == 200


# --- sending --------------------------------------------------------------------------------------------------------


def test_request() -> None:
    done = offer("TXB", text="Muraho ✓", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert json.loads(done.request.body) == {"recipients": ["+254700111222"],
                                             "message": "Muraho ✓\nhttps://x.org/a.jpg"}  # fmt: skip
    assert done.request.headers["x-api-key"] == "k-1&23"


def test_one_sim_of_another_server() -> None:
    config = {"sim_subscription_id": 0, "base_url": "https://bee.example.org/", "device_id": "a/b"}
    url = "https://bee.example.org/api/v1/gateway/devices/a%2Fb/send-sms"
    assert json.loads(offer("TXB", config=config, url=url).request.body)["simSubscriptionId"] == 0


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"data": {"success": True}}), Accepted(""), None, id="without-a-queue"),
        pytest.param((201, {"data": {"success": False}}), Permanent, "", id="no-success"),
        pytest.param((201, {"data": {"success": "true"}}), Permanent, "", id="a-string-is-not-true"),
        pytest.param((400, {"success": False, "error": "Device is not enabled"}), Permanent, "400", id="device-off"),
        pytest.param((400, {"success": False, "error": "Failed to send SMS"}), Temporary, "400", id="push-failed"),
        pytest.param((400, {"success": False, "error": "Failed to add SMS to queue"}), Temporary, "400", id="queue"),
        pytest.param((401, {"error": "Unauthorized"}), ChannelDown, "401", id="credentials"),
        pytest.param((429, {"message": "monthly limit"}), Throttled, "429", id="limit"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: Accepted | type[NotAccepted], code: str | None) -> None:
    outcome = offer("TXB", answer).outcome
    assert outcome == expected or type(outcome) is expected
    assert getattr(outcome, "code", None) == code
