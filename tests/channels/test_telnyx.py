"""Telnyx: https://developers.telnyx.com/docs/messaging/messages/send-message"""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming, OptOut, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, OptedOut, Permanent, Temporary, Throttled
from tests.channels.ed25519_support import public_key, signature
from tests.channels.support import MESSAGE, NOW, UUID, Json, Sample, make, mo, offer, request, told, without

SEED = b"a seed of thirty-two octets long"
KEY = base64.b64encode(public_key(SEED)).decode()


def sign(asked: Request, at: str = str(NOW // 1000), seed: bytes = SEED) -> Request:
    value = base64.b64encode(signature(seed, at.encode() + b"|" + asked.body)).decode()
    signed = {"telnyx-signature-ed25519": (value,), "telnyx-timestamp": (at,)}
    return dataclasses.replace(asked, headers={**asked.headers, **signed})


SAMPLE = Sample(
    code="TLX",
    config={"api_key": "KEY0-1&23", "public_key": KEY},
    url="https://api.telnyx.com/v2/messages",
    answer=(200, {"data": {"id": "40385f64", "to": [{"status": "queued"}], "errors": []}}),
    external_id="40385f64",
    sign=sign,
)
PAYLOAD = {
    "direction": "inbound", "id": "7bb0b6c1", "type": "SMS", "text": "yes", "media": [],
    "from": {"phone_number": "+13125550111", "carrier": "T-MOBILE"}, "to": [{"phone_number": "+18445550122"}],
    "received_at": "2024-05-02T10:00:00.100+00:00",
}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "7bb0b6c1", "received_at": 1_714_644_000_100}
DLR = {"direction": "outbound", "id": "40385f64", "to": [{"phone_number": "+13125550111", "status": "delivered"}],
       "errors": []}  # fmt: skip


def event(kind: str, payload: dict[str, Any], action: str = "receive") -> Request:
    data = {"id": "0b54", "event_type": kind, "occurred_at": "2024-05-02T10:00:00.120+00:00", "payload": payload}
    return sign(request("TLX", action, Json({"data": data, "meta": {"attempt": 1}})))


def receive(**changes: Any) -> Request:
    return event("message.received", {**PAYLOAD, **changes})


def report(status: str, kind: str = "message.finalized", action: str = "status", **changes: Any) -> Request:
    to = [{"phone_number": "+13125550111", "status": status}]
    return event(kind, {**DLR, "to": to, **changes}, action)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+13125550111", "yes", **KNOWN), id="as-documented"),
        pytest.param(event("message.received", PAYLOAD, "status"), mo("+13125550111", "yes", **KNOWN), id="other-url"),
        pytest.param(receive(text="Ünï 😀"), mo("+13125550111", "Ünï 😀", **KNOWN), id="unicode"),
        pytest.param(receive(type="MMS", text=None, media=[
            {"url": "https://m/a", "content_type": "image/png"}, {"url": "https://m/b"}, {"size": 1}]),
            mo("+13125550111", "", attachments=("image/png:https://m/a", "https://m/b"), **KNOWN), id="mms"),
        pytest.param(receive(received_at="2024-05-02T10:00:00.100Z"), mo("+13125550111", "yes", **KNOWN), id="z"),
        pytest.param(receive(received_at=None), mo("+13125550111", "yes", external_id="7bb0b6c1",
                     received_at=1_714_644_000_120), id="the-events-date"),
        pytest.param(receive(**{"from": {"phone_number": "40404"}}), mo("40404", "yes", **KNOWN), id="short-code"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("TLX", country="US").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


def test_a_stop_is_a_message_and_an_opt_out() -> None:
    reply = make("TLX").receive(receive(text="STOP", autoresponse_type="STOP"))
    assert reply.events == (
        mo("+13125550111", "STOP", **KNOWN),
        OptOut(channel=UUID, sender="+13125550111", received_at=1_714_644_000_100),
    )
    assert len(make("TLX").receive(receive(text="START", autoresponse_type="START")).events) == 1


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(receive(type="WHATSAPP"), id="whatsapp"),
        pytest.param(receive(type="RCS"), id="rcs"),
        pytest.param(receive(direction="outbound"), id="outbound"),
        pytest.param(event("messaging-profile.spend-limit-reached", {}), id="other-event"),
        *[pytest.param(report(status), id=status) for status in ("queued", "sending", "webhook_delivered")],
    ],
)
def test_ignored(asked: Request) -> None:
    reply = make("TLX").receive(asked)
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(sign(request("TLX", "receive", b"{")), "unable to parse", id="no-json"),
        pytest.param(sign(request("TLX", "receive", Json({"data": {}}))), "data.event_type' required", id="no-event"),
        pytest.param(event("message.received", without(PAYLOAD, "id")), "field 'data.payload.id' required", id="no-id"),
        pytest.param(event("message.received", without(PAYLOAD, "from")), "phone_number' required", id="no-sender"),
        pytest.param(receive(**{"from": {"phone_number": "Acme"}}), "not a possible number", id="bad-sender"),
        pytest.param(receive(received_at="yesterday"), "invalid date", id="bad-date"),
        pytest.param(receive(media=["x"]), "must be a list of objects", id="bad-media"),
        pytest.param(report("dancing"), "unknown status: 'dancing'", id="unknown-status"),
        pytest.param(report("sent", id=""), "field 'data.payload.id' required", id="status-no-id"),
        pytest.param(report("sent", to=[]), "field 'data.payload.to' required", id="status-of-nobody"),
        pytest.param(report("delivery_failed", errors=[{"code": "40300"}], to=[{"status": "delivery_failed"}]),
                     "not a possible number", id="opt-out-of-nobody"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("TLX", country="").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("sent", "sent"), ("delivered", "delivered"), ("sending_failed", "failed"), ("delivery_failed", "failed"),
     ("expired", "failed"), ("delivery_unconfirmed", "sent"), ("read", "delivered")],
)  # fmt: skip
@pytest.mark.parametrize(
    ("kind", "action"), [("message.sent", "status"), ("message.finalized", "status"), ("message.finalized", "receive")]
)
def test_statuses(raw: str, expected: str, kind: str, action: str) -> None:
    reply = make("TLX").receive(report(raw, kind, action))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.destination) == ("40385f64", "+13125550111")


def test_a_failure_keeps_its_reason() -> None:
    errors = [{"code": "40008", "title": "Undeliverable", "detail": "The carrier did not accept it."}]
    (update,) = make("TLX").receive(report("delivery_failed", errors=errors)).events
    assert isinstance(update, StatusUpdate)
    assert (update.code, update.reason) == ("40008", "The carrier did not accept it.")


def test_a_message_blocked_after_acceptance_is_an_opt_out_too() -> None:
    errors = [{"code": "40300", "title": "Blocked due to STOP message"}]
    update, optout = make("TLX").receive(report("sending_failed", errors=errors)).events
    assert isinstance(update, StatusUpdate)
    assert (update.status.value, update.reason) == ("failed", "Blocked due to STOP message")
    assert optout == OptOut(channel=UUID, sender="+13125550111")


def test_a_carrier_that_is_down_is_a_temporary_failure() -> None:
    asked = report("delivery_failed", errors=[{"code": "40006"}])
    assert told(make("TLX").receive(asked)) == ["failed"]
    assert make("TLX", retry_errored=True).receive(asked).kind == "ignored"
    assert told(make("TLX", retry_errored=True).receive(report("delivery_failed"))) == ["failed"]


# --- signatures -----------------------------------------------------------------------------------------------------

PLAIN = request("TLX", "receive", receive().body, headers={"content-type": "application/json"})


def late(seconds: int) -> Request:
    return sign(PLAIN, str(NOW // 1000 + seconds))


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(PLAIN, id="missing"),
        pytest.param(sign(PLAIN, seed=b"another" * 5), id="another-key"),
        pytest.param(dataclasses.replace(sign(PLAIN), body=PLAIN.body + b" "), id="body"),
        pytest.param(dataclasses.replace(late(1), headers={**late(1).headers, "telnyx-timestamp": (str(NOW // 1000),)}),
                     id="timestamp"),
        pytest.param(dataclasses.replace(PLAIN, headers={"telnyx-signature-ed25519": ("é",)}), id="no-base64"),
        pytest.param(late(-301), id="replayed"),
        pytest.param(late(301), id="from-the-future"),
        pytest.param(sign(PLAIN, "x"), id="no-timestamp"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("action", ["receive", "status"])
def test_bad_signatures(asked: Request, action: str) -> None:
    reply = make("TLX").receive(dataclasses.replace(asked, action=action))
    assert (reply.status, reply.kind, reply.events) == (401, "forbidden", ())


@pytest.mark.parametrize("asked", [late(-300), late(300)])
def test_good_signatures(asked: Request) -> None:
    assert make("TLX").receive(asked).status == 200


def test_without_a_key_nothing_is_checked() -> None:
    assert make("TLX", public_key=None).receive(PLAIN).status == 200


@pytest.mark.parametrize("key", ["x", base64.b64encode(b"short").decode(), "é"])
def test_a_key_that_is_none(key: str) -> None:
    with pytest.raises(ConfigError, match="public_key: must be the Base64 of 32 octets"):
        make("TLX", public_key=key)


# --- sending --------------------------------------------------------------------------------------------------------

STATUS_URL = f"https://sms.example.org/c/tlx/{UUID}/status"


@pytest.mark.parametrize(
    ("fields", "config", "expected"),
    [
        pytest.param({"text": "Hi ✓"}, {}, {"from": "+18445550122", "text": "Hi ✓"}, id="sms"),
        pytest.param({"text": "Hi", "address": "Acme"}, {"messaging_profile_id": "p1"},
                     {"from": "Acme", "text": "Hi", "messaging_profile_id": "p1"}, id="profile"),
        pytest.param({"text": "Hi", "address": ""}, {"messaging_profile_id": "p1"},
                     {"text": "Hi", "messaging_profile_id": "p1"}, id="number-pool"),
        pytest.param({"text": "Hi", "attachments": ["image/png:https://x/a", "image/png:https://x/b"]}, {},
                     {"from": "+18445550122", "text": "Hi", "type": "MMS", "media_urls": ["https://x/a", "https://x/b"]},
                     id="mms"),
        pytest.param({"text": "", "attachments": ["image/png:https://x/a"]}, {},
                     {"from": "+18445550122", "type": "MMS", "media_urls": ["https://x/a"]}, id="media-alone"),
    ],
)  # fmt: skip
def test_request(fields: dict[str, Any], config: dict[str, Any], expected: dict[str, Any]) -> None:
    done = offer("TLX", **{"address": "+18445550122", **fields}, to="+13125550111", config=config)
    assert json.loads(done.request.body) == {"to": "+13125550111", "webhook_url": STATUS_URL, **expected}
    assert done.request.headers["Authorization"] == "Bearer KEY0-1&23"
    assert done.request.headers["Idempotency-Key"] == MESSAGE


def test_parts() -> None:
    done = offer("TLX", text="word " * 400, attachments=["image/png:https://x/a"], generation=2)
    first, second = (json.loads(call.body) for call in done.calls)
    assert ("media_urls" in first, "media_urls" in second) == (True, False)
    assert [call.headers["Idempotency-Key"] for call in done.calls] == [f"{MESSAGE}~2", f"{MESSAGE}.2~2"]


def test_another_base() -> None:
    url = "https://api.example.org/v2/messages"
    assert offer("TLX", config={"base_url": "https://api.example.org/v2/"}, url=url).outcomes == [Accepted("40385f64")]


def error(code: str, title: str = "No") -> dict[str, Any]:
    return {"errors": [{"code": code, "title": title, "detail": "..."}]}


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"data": {}}), Permanent, "", id="no-id"),
        *[pytest.param((status, error("40300", "Blocked due to STOP message")), OptedOut, "40300", id=f"stop-{status}")
          for status in (400, 403, 422)],
        pytest.param((400, error("40009", "Blocked due to STOP message")), OptedOut, "40009", id="stop-by-title"),
        pytest.param((429, error("10011")), Throttled, "10011", id="too-many"),
        pytest.param((400, error("10011")), Throttled, "10011", id="too-many-by-code"),
        pytest.param((429, error("40333")), ChannelDown, "40333", id="spend-limit"),
        pytest.param((401, error("10009")), ChannelDown, "10009", id="credentials"),
        pytest.param((403, error("10010")), ChannelDown, "10010", id="not-authorised"),
        pytest.param((403, {}), ChannelDown, "403", id="forbidden-without-code"),
        pytest.param((402, error("20100")), ChannelDown, "402", id="payment"),
        pytest.param((403, error("40312")), Permanent, "40312", id="refused"),
        pytest.param((400, error("10002")), Permanent, "10002", id="bad-number"),
        pytest.param((422, error("10016")), Permanent, "10016", id="not-e164"),
        pytest.param((404, "no"), Permanent, "404", id="no-json"),
        pytest.param((500, error("10007")), Temporary, "500", id="server-error"),
    ],
)  # fmt: skip
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str) -> None:
    outcome = offer("TLX", answer).outcome
    assert type(outcome) is expected
    assert outcome.code == code  # type: ignore[union-attr]
    if isinstance(outcome, ChannelDown):
        assert outcome.credentials is (code in ("10009", "10010"))
