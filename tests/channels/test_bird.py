"""Bird: https://bird.com/docs"""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.channels.signatures import hmac_of
from chalicelib.messages import Incoming, OptOut, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, OptedOut, Permanent, Temporary, Throttled
from tests.channels.support import MESSAGE, NOW, UUID, Json, Sample, make, mo, offer, request, told, without

KEY = b"signing key, octets"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def sign(asked: Request, key: bytes = KEY, name: str = "msg_1", at: str = str(NOW // 1000), extra: str = "") -> Request:
    signed = f"{name}.{at}.".encode() + asked.body
    value = f"{extra}v1,{hmac_of(key, signed, encoding='base64')}"
    headers = {"webhook-id": (name,), "webhook-timestamp": (at,), "webhook-signature": (value,)}
    return dataclasses.replace(asked, headers={**asked.headers, **headers})


SAMPLE = Sample(
    code="BRD",
    config={"api_key": "bk_us1_k-1&23", "secret": SECRET, "base_url": "https://bird.example.org/"},
    url="https://bird.example.org/v1/sms/messages",
    answer=(202, {"id": "sms_01", "status": "accepted"}),
    external_id="sms_01",
    sign=sign,
)
DATA = {"sms_id": "sms_02", "workspace_id": "ws_1", "to": "20990", "from": "+31612345678", "text": "ja",
        "segments": {"count": 1, "encoding": "GSM_7BIT", "characters": 2}, "tags": None, "cost": None}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "sms_02", "received_at": 1_779_364_800_000}


def event(kind: Any = "sms.received", data: Any = DATA, at: Any = "2026-05-21 12:00:00+00:00", **top: Any) -> Json:
    return Json({"type": kind, "timestamp": at, "data": data, **top})


def receive(value: Json | None = None, action: str = "receive") -> Request:
    return sign(request("BRD", action, value or event()))


def report(kind: str, **fields: Any) -> Request:
    return receive(event(kind, {"sms_id": "sms_01", "to": "+31612345678", "error": None, **fields}), "status")


@pytest.mark.parametrize("action", ["receive", "status"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(event(), mo("+31612345678", "ja", **KNOWN), id="as-documented"),
        pytest.param(event(at="2026-05-21T14:00:00.5+02:00"),
                     mo("+31612345678", "ja", external_id="sms_02", received_at=1_779_364_800_500), id="other-date"),
        pytest.param(event(at="2026-05-21 12:00:00Z"), mo("+31612345678", "ja", **KNOWN), id="zone-z"),
        pytest.param(event(data=without(DATA, "text")), mo("+31612345678", "", **KNOWN), id="no-text"),
        pytest.param(event(data={**DATA, "text": "héé 😀\x00"}), mo("+31612345678", "héé 😀", **KNOWN), id="unicode"),
        pytest.param(event(data={**DATA, "to": "+20990"}), mo("+31612345678", "ja", **KNOWN), id="with-plus"),
        pytest.param(event(extra=1), mo("+31612345678", "ja", **KNOWN), id="new-fields"),
    ],
)  # fmt: skip
def test_messages(action: str, value: Json, expected: Incoming) -> None:
    reply = make("BRD").receive(receive(value, action))
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(event(data={**DATA, "to": "+3197000000112"}), id="for-another-number"),
        pytest.param(event("sms.something_new"), id="unknown-type"),
        pytest.param(event("whatsapp.received", {}), id="another-channel"),
        pytest.param(event("sms.accepted", {"sms_id": "sms_01"}), id="nothing-new"),
    ],
)
def test_ignored(value: Json) -> None:
    reply = make("BRD").receive(receive(value))
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("value", "why"),
    [
        *[pytest.param(event(data=without(DATA, name)), f"field 'data.{name}' required", id=f"no-{name}")
          for name in ("sms_id", "from", "to")],
        pytest.param(Json({}), "field 'type' required", id="no-type"),
        pytest.param(event(data=None), "field 'data.sms_id' required", id="no-data"),
        pytest.param(event(at=None), "field 'timestamp' required", id="no-date"),
        pytest.param(event(at="soon"), "invalid date", id="bad-date"),
        pytest.param(event(at="2026-05-21 12:00:00"), "invalid date", id="date-without-zone"),
        pytest.param(event(data={**DATA, "from": "Acme"}), "not a possible number", id="bad-sender"),
        pytest.param(event(data={**DATA, "text": 7}), "field 'data.text' must be a string", id="wrong-type"),
        pytest.param(event("sms.sent", {}), "external id", id="report-without-id"),
        pytest.param(Json([]), "must be an object", id="array"),
    ],
)  # fmt: skip
def test_refused(value: Json, why: str) -> None:
    reply = make("BRD").receive(receive(value))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("action", ["receive", "status"])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [("sms.accepted", []), ("sms.sent", ["sent"]), ("sms.delivered", ["delivered"]), ("sms.undelivered", ["failed"]),
     ("sms.failed", ["failed"]), ("sms.rejected", ["failed"]), ("sms.expired", ["failed"])],
)  # fmt: skip
def test_statuses(action: str, kind: str, expected: list[str]) -> None:
    reply = make("BRD").receive(dataclasses.replace(report(kind), action=action))
    assert (reply.status, told(reply)) == (200, expected)


def test_a_failure_keeps_its_reason() -> None:
    error = {"code": "unreachable", "description": "Phone is off", "carrier_error_code": "27", "occurred_at": None}
    (update,) = make("BRD").receive(report("sms.failed", error=error)).events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.code, update.reason) == ("sms_01", "unreachable", "Phone is off")
    assert update.destination == "+31612345678"
    (bare,) = make("BRD").receive(report("sms.expired")).events
    assert isinstance(bare, StatusUpdate)
    assert bare.code == "sms.expired"


def test_an_opted_out_recipient_is_a_failure_and_an_opt_out() -> None:
    reply = make("BRD").receive(report("sms.rejected", error={"code": "recipient_opted_out", "description": None}))
    assert told(reply) == ["failed"]
    assert reply.events[1] == OptOut(channel=UUID, sender="+31612345678")


# --- signatures -----------------------------------------------------------------------------------------------------

PLAIN = request("BRD", "receive", event())


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(sign(PLAIN), id="good"),
        pytest.param(sign(PLAIN, extra="v1,AAAA v1a,xyz "), id="one-of-several"),
        pytest.param(sign(PLAIN, at=str(NOW // 1000 - 300)), id="five-minutes-old"),
        pytest.param(sign(PLAIN, at=str(NOW // 1000 + 300)), id="five-minutes-early"),
    ],
)
def test_good_signatures(asked: Request) -> None:
    assert make("BRD").receive(asked).status == 200


def altered(name: str, value: str) -> Request:
    signed = sign(PLAIN)
    return dataclasses.replace(signed, headers={**signed.headers, name: (value,)})


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(PLAIN, id="missing"),
        pytest.param(sign(PLAIN, key=b"another"), id="another-key"),
        pytest.param(sign(PLAIN, key=SECRET.encode()), id="the-secret-as-it-is-written"),
        pytest.param(dataclasses.replace(sign(PLAIN), body=PLAIN.body + b" "), id="another-body"),
        pytest.param(altered("webhook-id", "msg_2"), id="another-id"),
        pytest.param(altered("webhook-timestamp", str(NOW // 1000 + 1)), id="another-time"),
        pytest.param(altered("webhook-timestamp", ""), id="no-time"),
        pytest.param(altered("webhook-timestamp", "soon"), id="bad-time"),
        pytest.param(altered("webhook-signature", ""), id="empty"),
        pytest.param(altered("webhook-signature", "v1,é"), id="not-ascii"),
        pytest.param(sign(PLAIN, at=str(NOW // 1000 - 301)), id="replayed"),
        pytest.param(sign(PLAIN, at=str(NOW // 1000 + 301)), id="from-the-future"),
    ],
)
@pytest.mark.parametrize("action", ["receive", "status"])
def test_bad_signatures(asked: Request, action: str) -> None:
    reply = make("BRD").receive(dataclasses.replace(asked, action=action))
    assert (reply.status, reply.kind, reply.events) == (401, "forbidden", ())


def test_without_a_secret_nothing_is_checked() -> None:
    assert make("BRD", secret=None).receive(PLAIN).status == 200


@pytest.mark.parametrize("secret", ["whsec_", "whsec_%%%", "plain words"])
def test_a_secret_that_is_none_is_named(secret: str) -> None:
    reply = make("BRD", secret=secret).receive(sign(PLAIN))
    assert reply.status == 401
    assert "whsec_" in reply.reason


# --- sending --------------------------------------------------------------------------------------------------------


def test_request() -> None:
    done = offer("BRD", text="Hoi ✓", attachments=["image/jpeg:https://x.org/a.jpg"], address="+3197000000111")
    assert json.loads(done.request.body) == {
        "from": "+3197000000111", "to": "+254700111222", "text": "Hoi ✓\nhttps://x.org/a.jpg",
        "category": "transactional", "metadata": {"msg_id": MESSAGE},
    }  # fmt: skip
    headers = done.request.headers
    assert headers["Authorization"] == "Bearer bk_us1_k-1&23"
    assert (headers["Accept"], headers["Content-Type"]) == ("application/json", "application/json")
    assert headers["Idempotency-Key"] == MESSAGE


def test_each_part_has_an_idempotency_key_of_its_own() -> None:
    done = offer("BRD", text="word " * 400, generation=2)
    assert [call.headers["Idempotency-Key"] for call in done.calls] == [f"{MESSAGE}~2", f"{MESSAGE}.2~2"]
    assert max(len(json.loads(call.body)["text"]) for call in done.calls) <= 1600


def test_no_part_is_over_twelve_segments() -> None:
    texts = [json.loads(call.body)["text"] for call in offer("BRD", text="ж" * 1600).calls]
    assert [len(text) for text in texts] == [804, 796]


def test_the_key_names_the_region() -> None:
    config = {"api_key": "bk_eu1_abc", "base_url": None, "category": "marketing"}
    done = offer("BRD", config=config, url="https://eu1.platform.bird.com/v1/sms/messages")
    assert done.outcomes == [Accepted("sms_01")]
    assert json.loads(done.request.body)["category"] == "marketing"


@pytest.mark.parametrize(
    ("config", "why"),
    [({"api_key": "k", "base_url": None}, "base_url: required key is missing"), ({"category": "x"}, "category: "),
     ({"base_url": "x"}, "base_url: ")],
)  # fmt: skip
def test_settings_that_cannot_be_used(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        make("BRD", **config)


def error(kind: str, code: Any = "x", **more: Any) -> dict[str, Any]:
    return {"error": {"type": kind, "code": code, "message": "no", **more}}


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((429, error("rate_limit_error")), Throttled, "x", id="rate-limit"),
        pytest.param((500, error("internal_error")), Temporary, "x", id="internal"),
        pytest.param((503, error("service_unavailable_error", None)), Temporary, "service_unavailable_error", id="503"),
        pytest.param((402, error("billing_error")), ChannelDown, "x", id="billing"),
        pytest.param((401, error("auth_error")), ChannelDown, "x", id="auth"),
        pytest.param((403, error("permission_error")), ChannelDown, "x", id="permission"),
        pytest.param((421, error("misdirected_error")), ChannelDown, "x", id="wrong-region"),
        pytest.param((422, error("validation_error", "unreachable")), Permanent, "unreachable", id="422"),
        pytest.param((400, error("bad_request_error")), Permanent, "x", id="bad-request"),
        pytest.param((404, error("not_found_error")), Permanent, "x", id="not-found"),
        pytest.param((409, error("conflict_error")), Permanent, "x", id="conflict"),
        pytest.param((422, error("validation_error", "recipient_opted_out")), OptedOut, "recipient_opted_out",
                     id="opted-out"),
        pytest.param((422, error("validation_error", 9, name="recipient_opted_out")), OptedOut, "9", id="by-name"),
        pytest.param((403, error("something_new")), ChannelDown, "403", id="unknown-type-403"),
        pytest.param((200, {"status": "accepted"}), Permanent, "", id="no-id"),
    ],
)  # fmt: skip
def test_answers(answer: tuple[int, Any], expected: type[NotAccepted], code: str) -> None:
    outcome = offer("BRD", answer, headers={"Retry-After": "3"}).outcome
    assert isinstance(outcome, NotAccepted)
    assert (type(outcome), outcome.code) == (expected, code)
    if isinstance(outcome, Throttled):
        assert outcome.retry_after == 3
    if isinstance(outcome, ChannelDown):
        assert outcome.credentials is (outcome.code == "x" and "refuses" in outcome.reason)
