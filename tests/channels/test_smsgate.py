"""SMS Gateway for Android: https://docs.sms-gate.app"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.channels.signatures import hmac_of
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary
from tests.channels.support import MESSAGE, NOW, Json, Sample, make, mo, offer, request, told, without

KEY = "signing&key"


def sign(asked: Request, key: str = KEY, at: str = str(NOW // 1000)) -> Request:
    headers = {"x-timestamp": (at,), "x-signature": (hmac_of(key, asked.body + at.encode()),)}
    return dataclasses.replace(asked, headers={**asked.headers, **headers})


SAMPLE = Sample(
    code="SGA",
    config={"username": "u7", "password": "p&w d", "secret": KEY},
    url=re.compile(r"https://api\.sms-gate\.app/3rdparty/v1/messages(\?skipPhoneValidation=true)?$"),
    answer=(202, {"id": MESSAGE, "deviceId": "d1", "state": "Pending", "recipients": [], "states": {}}),
    external_id=MESSAGE,
    sign=sign,
)
PAYLOAD = {"messageId": "abc123", "message": "ndiyo", "sender": "+255713000111", "recipient": "+255765000222",
           "simNumber": 1, "receivedAt": "2026-05-02T10:00:00.000+03:00"}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "Ey6E", "received_at": 1_777_705_200_000}
MMS = {"messageId": "m1", "body": "look", "subject": "s", "sender": "+255713000111", "recipient": None,
       "attachments": [{"partId": 1, "contentType": "image/jpeg", "name": "a.jpg", "size": 3, "data": "AAAA"}],
       "simNumber": None, "receivedAt": "2026-05-02T07:00:00Z"}  # fmt: skip


def event(kind: str = "sms:received", payload: Any = PAYLOAD, **top: Any) -> dict[str, Any]:
    return {"deviceId": "d1", "event": kind, "id": "Ey6E", "webhookId": "w1", "payload": payload, **top}


def receive(value: Any, action: str = "receive") -> Request:
    return sign(request("SGA", action, Json(value)))


def of(**changes: Any) -> dict[str, Any]:
    return event(payload={**PAYLOAD, **changes})


@pytest.mark.parametrize("action", ["receive", "status"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(event(), mo("+255713000111", "ndiyo", **KNOWN), id="as-documented"),
        pytest.param(of(sender=None, phoneNumber="+255713000111"), mo("+255713000111", "ndiyo", **KNOWN),
                     id="older-app"),
        pytest.param(of(recipient=None, simNumber=None), mo("+255713000111", "ndiyo", **KNOWN), id="nulls"),
        pytest.param(of(sender="0713000111"), mo("+255713000111", "ndiyo", **KNOWN), id="national"),
        pytest.param(of(sender="M-PESA"), mo("M-PESA", "ndiyo", **KNOWN), id="from-a-name"),
        pytest.param(of(message=""), mo("+255713000111", "", **KNOWN), id="empty-text"),
        pytest.param(of(message="ëndio 😀\x00"), mo("+255713000111", "ëndio 😀", **KNOWN), id="unicode"),
        pytest.param(of(receivedAt=None), mo("+255713000111", "ndiyo", external_id="Ey6E"), id="no-date"),
        pytest.param(event("mms:downloaded", MMS), mo("+255713000111", "s\nlook", **KNOWN), id="mms"),
        pytest.param(event("mms:downloaded", {**MMS, "body": None, "subject": ""}), mo("+255713000111", "", **KNOWN),
                     id="mms-without-text"),
    ],
)  # fmt: skip
def test_messages(action: str, value: Any, expected: Incoming) -> None:
    reply = make("SGA", country="TZ").receive(receive(value, action))
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("value", "config"),
    [
        *[pytest.param(event(kind, {}), {}, id=kind) for kind in
          ("mms:received", "sms:data-received", "system:ping", "app:started", "sms:something-new")],
        pytest.param(event(deviceId="d2"), {"device_id": "d1"}, id="another-phone"),
        pytest.param(of(simNumber=2), {"sim_number": 1}, id="another-sim"),
    ],
)  # fmt: skip
def test_ignored(value: Any, config: dict[str, Any]) -> None:
    reply = make("SGA", country="TZ", **config).receive(receive(value))
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    "value", [event(), event(deviceId=None), of(simNumber=None)], ids=["own", "no-phone", "no-sim"]
)
def test_of_this_phone_and_sim(value: Any) -> None:
    reply = make("SGA", country="TZ", device_id="d1", sim_number=1).receive(receive(value))
    assert (reply.status, len(reply.events)) == (200, 1)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        pytest.param(without(event(), "event"), "field 'event' required", id="no-event"),
        pytest.param(without(event(), "id"), "field 'id' required", id="no-id"),
        pytest.param(of(sender=None), "field 'payload.sender' required", id="no-sender"),
        pytest.param(of(message=None), "field 'payload.message' required", id="no-message"),
        pytest.param(of(sender="+00"), "not a possible number", id="bad-number"),
        pytest.param(of(receivedAt="soon"), "invalid date", id="bad-date"),
        pytest.param(of(message=7), "field 'payload.message' must be a string", id="wrong-type"),
        pytest.param(event("sms:sent", {}), "external id", id="report-without-id"),
        pytest.param([], "must be an object", id="array"),
    ],
)
def test_refused(value: Any, why: str) -> None:
    reply = make("SGA", country="TZ").receive(receive(value))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("action", ["receive", "status"])
@pytest.mark.parametrize(
    ("kind", "fields", "expected", "at"),
    [
        ("sms:sent", {"sentAt": "2026-05-02T10:00:00+03:00", "partsCount": 1}, "sent", 1_777_705_200_000),
        ("sms:delivered", {"deliveredAt": "2026-05-02T07:00:00.5Z"}, "delivered", 1_777_705_200_500),
        ("sms:failed", {"failedAt": "soon", "reason": "no signal"}, "failed", None),
        ("sms:cancelled", {}, "failed", None),
    ],
)
def test_statuses(action: str, kind: str, fields: dict[str, Any], expected: str, at: int | None) -> None:
    payload = {"messageId": MESSAGE, "sender": None, "recipient": "+255713000111", **fields}
    reply = make("SGA").receive(receive(event(kind, payload), action))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.destination, update.at) == (MESSAGE, "+255713000111", at)
    assert update.reason == fields.get("reason", "")


PLAIN = request("SGA", "receive", Json(event()))


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
        pytest.param(dataclasses.replace(sign(PLAIN), body=PLAIN.body + b" "), 401, id="another-body"),
    ],
)
def test_signatures(asked: Request, status: int) -> None:
    reply = make("SGA", country="TZ").receive(asked)
    assert (reply.status, len(reply.events)) == (status, status == 200)


def test_without_a_signing_key() -> None:
    assert make("SGA", country="TZ", secret=None).receive(PLAIN).status == 200


# --- sending --------------------------------------------------------------------------------------------------------


def test_request() -> None:
    done = offer("SGA", text="Habari ✓", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert json.loads(done.request.body) == {
        "id": MESSAGE, "textMessage": {"text": "Habari ✓\nhttps://x.org/a.jpg"}, "phoneNumbers": ["+254700111222"],
        "ttl": 86_400,
    }  # fmt: skip
    assert done.request.headers["Authorization"] == "Basic dTc6cCZ3IGQ="
    assert "skipPhoneValidation" not in done.request.url


def test_short_codes_are_not_checked() -> None:
    assert offer("SGA", to="40404").request.url.endswith("/messages?skipPhoneValidation=true")


def test_one_phone_one_sim_one_token() -> None:
    config = {"device_id": "d1", "sim_number": 2, "ttl": 60, "auth_token": "jwt.1", "username": None}
    sent = offer("SGA", config=config).request
    body = json.loads(sent.body)
    assert (body["deviceId"], body["simNumber"], body["ttl"]) == ("d1", 2, 60)
    assert sent.headers["Authorization"] == "Bearer jwt.1"


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"username": None}, "username: required key is missing"),
        ({"password": None}, "username: required key is missing"),
        ({"sim_number": 4}, "sim_number: "),
        ({"ttl": 4}, "ttl: "),
    ],
)
def test_settings_that_cannot_be_used(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        make("SGA", **config)


def test_ids_are_short_and_each_parts_own() -> None:
    """A retry is the same request; every part, and every wanted resend, is another."""
    first, again = offer("SGA", text="x" * 1700), offer("SGA", text="x" * 1700)
    resent = offer("SGA", text="x" * 1700, generation=2)
    ids = [[json.loads(call.body)["id"] for call in done.calls] for done in (first, again, resent)]
    assert ids[0] == ids[1]
    assert len({*ids[0], *ids[2]}) == 4
    assert {len(name) for name in ids[0] + ids[2]} == {36}


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((202, {"id": "their-own"}), Accepted("their-own"), None, id="their-id"),
        pytest.param((202, {}), Accepted(MESSAGE), None, id="no-id-is-ours"),
        pytest.param((409, {"message": "exists", "id": "x"}), Accepted(MESSAGE), None, id="had-it-already"),
        pytest.param((400, {"message": "bad"}), Permanent, "400", id="invalid"),
        pytest.param((401, {}), ChannelDown, "401", id="credentials"),
        pytest.param((403, {}), ChannelDown, "403", id="scope"),
        pytest.param((503, {"error": "QueueLimitExceeded"}), Temporary, "503", id="phone-offline"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: Accepted | type[NotAccepted], code: str | None) -> None:
    outcome = offer("SGA", answer).outcome
    assert outcome == expected or type(outcome) is expected
    assert getattr(outcome, "code", None) == code
