"""GatewayAPI: https://gatewayapi.com/docs/apis/rest/"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, Status, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import MESSAGE, NOW, UUID, Json, Sample, jwt, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="GWA",
    config={"auth_token": "tok-1&23"},
    url="https://gatewayapi.com/rest/mtsms",
    answer=(200, {"ids": [421332671], "usage": {"countries": {"DK": 1}, "currency": "DKK", "total_cost": 0.15}}),
    external_id="421332671",
)
MO = {"id": 1000201, "msisdn": 4512345678, "receiver": 451204, "message": "foo ja tak", "senttime": 1714644000,
      "webhook_label": "test", "country_code": "DK", "country_prefix": 45}  # fmt: skip
DLR = {"id": 421332671, "msisdn": 4512345678, "time": 1714644010, "status": "DELIVERED", "userref": "8812"}
KNOWN: dict[str, Any] = {"external_id": "1000201", "received_at": 1_714_644_000_000}
KEY = "webhook-token"


def ask(action: str, values: Any, **headers: str) -> Request:
    return request("GWA", action, Json(values), headers=headers)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, mo("+4512345678", "foo ja tak", **KNOWN), id="as-documented"),
        pytest.param({"message": "Smørrebrød 😀\x00"}, mo("+4512345678", "Smørrebrød 😀", **KNOWN), id="unicode"),
        pytest.param({"message": ""}, mo("+4512345678", "", **KNOWN), id="empty"),
        pytest.param({"message": "a" * 1000}, mo("+4512345678", "a" * 1000, **KNOWN), id="long"),
        pytest.param({"sender": "Acme"}, mo("Acme", "foo ja tak", **KNOWN), id="alphanumeric"),
        pytest.param({"sender": "Acme", "msisdn": None}, mo("Acme", "foo ja tak", **KNOWN), id="alphanumeric-alone"),
        pytest.param({"sender": "4512345678"}, mo("+4512345678", "foo ja tak", **KNOWN), id="number-as-sender"),
        pytest.param({"msisdn": 1204}, mo("1204", "foo ja tak", **KNOWN), id="short-code"),
        pytest.param({"id": 2**60 + 1}, mo("+4512345678", "foo ja tak", external_id=str(2**60 + 1),
                                           received_at=1_714_644_000_000), id="large-id"),
    ],
)  # fmt: skip
def test_messages(changes: dict[str, Any], expected: Incoming) -> None:
    reply = make("GWA", country="DK").receive(ask("receive", {**MO, **changes}))
    assert (reply.status, reply.events) == (200, (expected,))


def test_a_binary_message_is_ignored() -> None:
    reply = make("GWA").receive(ask("receive", {**without(MO, "message"), "payload": "AQID"}))
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(ask("receive", without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in ("id", "msisdn", "message", "senttime")],
        pytest.param(ask("receive", {**MO, "msisdn": "4512345678"}), "'msisdn' must be an integer", id="text"),
        pytest.param(ask("receive", {**MO, "senttime": -1}), "invalid date", id="bad-date"),
        pytest.param(ask("receive", {**MO, "msisdn": 12}), "not a possible number", id="bad-number"),
        pytest.param(ask("receive", [MO]), "must be an object", id="array"),
        pytest.param(request("GWA", "receive", b"id=1"), "unable to parse request JSON", id="no-json"),
        *[pytest.param(ask("status", without(DLR, name)), f"field '{name}' required", id=f"status-no-{name}")
          for name in ("id", "status")],
        pytest.param(ask("status", {**DLR, "status": "Delivered"}), "unknown status", id="status-in-another-case"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("GWA", country="DK").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("UNKNOWN", []), ("SCHEDULED", []), ("BUFFERED", []), ("ENROUTE", ["sent"]), ("ACCEPTED", ["sent"]),
     ("DELIVERED", ["delivered"]), ("EXPIRED", ["failed"]), ("DELETED", ["failed"]), ("UNDELIVERABLE", ["failed"]),
     ("REJECTED", ["failed"]), ("SKIPPED", ["failed"])],
)  # fmt: skip
def test_statuses(raw: str, expected: list[str]) -> None:
    reply = make("GWA").receive(ask("status", {**DLR, "status": raw}))
    assert (reply.status, told(reply)) == (200, expected)


def test_a_failure_keeps_its_reason() -> None:
    report = {**DLR, "status": "UNDELIVERABLE", "error": "Unknown subscriber", "code": "0x1010"}
    assert make("GWA").receive(ask("status", report)).events == (
        StatusUpdate(channel=UUID, status=Status.FAILED, external_id="421332671", destination="4512345678",
                     at=1_714_644_010_000, code="0x1010", reason="Unknown subscriber"),
    )  # fmt: skip


# --- signatures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "values", "claims"),
    [
        pytest.param("receive", MO, MO, id="message"),
        pytest.param("receive", MO, {"id": MO["id"], "msisdn": MO["msisdn"]}, id="less-claims"),
        pytest.param("status", DLR, {**DLR, "callback_url": "https://x", "api": "rest"}, id="receipt"),
    ],
)
def test_good_signatures(action: str, values: dict[str, Any], claims: dict[str, Any]) -> None:
    reply = make("GWA", secret=KEY).receive(ask(action, values, **{"X-Gwapi-Signature": jwt(claims, KEY)}))
    assert (reply.status, len(reply.events)) == (200, 1)


@pytest.mark.parametrize(
    ("action", "values", "header"),
    [
        pytest.param("receive", MO, "", id="none"),
        pytest.param("receive", MO, "x.y.z", id="nonsense"),
        pytest.param("receive", MO, jwt(MO, "other"), id="other-key"),
        pytest.param("receive", MO, jwt(MO, KEY).rpartition(".")[0] + ".", id="unsigned"),
        pytest.param("receive", MO, jwt({**MO, "exp": NOW // 1000 - 100}, KEY), id="expired"),
        pytest.param("receive", {**MO, "id": 7}, jwt(MO, KEY), id="replayed-with-another-id"),
        pytest.param("receive", {**MO, "msisdn": 4511111111}, jwt(MO, KEY), id="replayed-with-another-sender"),
        pytest.param("receive", {**MO, "message": "nej"}, jwt(MO, KEY), id="replayed-with-another-text"),
        pytest.param("status", {**DLR, "status": "SKIPPED"}, jwt(DLR, KEY), id="replayed-with-another-status"),
        pytest.param("receive", without(MO, "id"), jwt(without(MO, "id"), KEY), id="no-id"),
        pytest.param("receive", MO, jwt({}, KEY), id="no-claims"),
    ],
)
def test_bad_signatures(action: str, values: dict[str, Any], header: str) -> None:
    reply = make("GWA", secret=KEY).receive(ask(action, values, **{"X-Gwapi-Signature": header}))
    assert (reply.status, reply.kind, reply.events) == (401, "forbidden", ())


# --- sending --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "encoding"), [("Hej { æøå €", "UTF8"), ("Hej ✓", "UCS2"), ("Ç", "UTF8")])
def test_request(text: str, encoding: str) -> None:
    done = offer("GWA", text=text, address="+451204", config={"secret": KEY})
    assert json.loads(done.request.body) == {
        "message": text, "recipients": [{"msisdn": 254700111222}], "sender": "451204", "encoding": encoding,
        "userref": MESSAGE, "callback_url": f"https://sms.example.org/c/gwa/{UUID}/status",
    }  # fmt: skip
    assert done.request.headers["Authorization"] == "Basic dG9rLTEmMjM6"
    assert done.request.headers["Content-Type"] == "application/json"


def test_each_part_is_named() -> None:
    done = offer("GWA", text="word " * 400, generation=2, attachments=["image/jpeg:https://x.org/a.jpg"],
                 config={"base_url": "https://gatewayapi.eu/"}, url="https://gatewayapi.eu/rest/mtsms")  # fmt: skip
    assert done.outcomes == [Accepted("421332671")] * 2
    bodies = [json.loads(call.body) for call in done.calls]
    assert [body["userref"] for body in bodies] == [f"{MESSAGE}~2", f"{MESSAGE}.2~2"]
    assert max(len(body["message"]) for body in bodies) <= 1600
    assert bodies[1]["message"].endswith("\nhttps://x.org/a.jpg")


def error(code: str | None) -> dict[str, Any]:
    return {"code": code, "incident_uuid": "d8127429", "message": "no %1", "variables": ["x"]}


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"ids": []}), Permanent, "", id="no-ids"),
        pytest.param((200, "ok"), Permanent, "", id="no-json"),
        pytest.param((400, error("0x0204")), Permanent, "0x0204", id="refused"),
        pytest.param((401, error("0x0229")), ChannelDown, "0x0229", id="token"),
        pytest.param((401, error(None)), ChannelDown, "401", id="no-code"),
        pytest.param((403, error("0x0213")), ChannelDown, "0x0213", id="our-address"),
        pytest.param((403, error("0x0214")), Permanent, "0x0214", id="blacklisted"),
        pytest.param((403, error("0x0215")), Permanent, "0x0215", id="blacklisted-too"),
        pytest.param((403, error("0x0216")), ChannelDown, "0x0216", id="credit"),
        pytest.param((403, error("0x0217")), Permanent, "0x0217", id="country"),
        pytest.param((403, error("0x022A")), ChannelDown, "0x022A", id="frozen"),
        pytest.param((403, error("0x0999")), ChannelDown, "403", id="other-403"),
        pytest.param((422, error("0x0312")), Permanent, "0x0312", id="filtered"),
        pytest.param((429, error("0x0999")), Throttled, "429", id="throttled"),
        pytest.param((500, error("0x0229")), Temporary, "500", id="server-error"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[NotAccepted], code: str) -> None:
    outcome = offer("GWA", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
    assert getattr(outcome, "credentials", False) == (answer[0] == 401)
