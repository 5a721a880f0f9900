"""Termii: https://developers.termii.com"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.channels.signatures import hmac_of
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary
from tests.channels.support import Json, Sample, make, mo, offer, request, told, without

KEY = "secret&key"


def sign(asked: Request, key: str = KEY) -> Request:
    headers = {"x-termii-signature": (hmac_of(key, asked.body, algorithm="sha512"),)}
    return dataclasses.replace(asked, headers={**asked.headers, **headers})


SAMPLE = Sample(
    code="TRM",
    config={"api_key": "k-1&23", "secret": KEY},
    url="https://api.ng.termii.com/api/sms/send",
    answer=(200, {"message_id": "5964465985113503104", "message": "Successfully Sent", "balance": 9, "user": "Acme"}),
    external_id="5964465985113503104",
    sign=sign,
)
MO = {"type": "inbound", "id": "8248611476370959319", "message_id": "3905204342778053557", "receiver": "20990",
      "sender": "2347069549232", "message": "Yes ", "received_at": "2024-05-02T10:00:00.000000Z", "cost": None,
      "command": "Received", "status": "Received", "channel": None}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "3905204342778053557", "received_at": 1_714_644_000_000}
REPORT = {"type": "outbound", "message_id": "5964465985113503104", "receiver": "2347069549232", "sender": "N-Alert",
          "message": "Hello", "sent_at": "2024-05-02 11:00:36", "cost": "3.9", "command": "deliver",
          "status": "DELIVERED | Message delivered to handset", "channel": "Number Api"}  # fmt: skip


def receive(value: Any, action: str = "receive") -> Request:
    return sign(request("TRM", action, Json(value)))


@pytest.mark.parametrize("action", ["receive", "status"])
@pytest.mark.parametrize(
    ("value", "address", "expected"),
    [
        pytest.param(MO, "20990", mo("+2347069549232", "Yes ", **KNOWN), id="as-documented"),
        pytest.param({**MO, "receiver": "12022214837"}, "+12022214837", mo("+2347069549232", "Yes ", **KNOWN),
                     id="with-plus"),
        pytest.param({**MO, "receiver": "12022214837"}, "N-Alert", mo("+2347069549232", "Yes ", **KNOWN),
                     id="name-as-address"),
        pytest.param({**MO, "message": ""}, "20990", mo("+2347069549232", "", **KNOWN), id="empty-text"),
        pytest.param({**MO, "message": "Ẹ káàárọ̀ 😀\x00"}, "20990", mo("+2347069549232", "Ẹ káàárọ̀ 😀", **KNOWN),
                     id="unicode"),
        pytest.param({**MO, "received_at": None}, "20990",
                     mo("+2347069549232", "Yes ", external_id="3905204342778053557"), id="no-date"),
        pytest.param({**MO, "sender": "40404"}, "20990", mo("40404", "Yes ", **KNOWN), id="short-code"),
    ],
)  # fmt: skip
def test_messages(action: str, value: Any, address: str, expected: Incoming) -> None:
    reply = make("TRM", address=address).receive(receive(value, action))
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({**MO, "receiver": "12022214837"}, id="for-another-number"),
        pytest.param({"type": "device_offline"}, id="another-type"),
        pytest.param({**REPORT, "status": "On its way"}, id="unknown-status"),
        pytest.param({**REPORT, "status": None}, id="no-status"),
    ],
)
def test_ignored(value: Any) -> None:
    reply = make("TRM").receive(receive(value))
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("value", "why"),
    [
        *[pytest.param(without(MO, name), f"field '{name}' required", id=f"no-{name}")
          for name in ("type", "message_id", "sender", "receiver", "message")],
        pytest.param({**MO, "sender": "Acme"}, "not a possible number", id="alphanumeric"),
        pytest.param({**MO, "received_at": "soon"}, "invalid date", id="bad-date"),
        pytest.param({**MO, "message": 7}, "field 'message' must be a string", id="wrong-type"),
        pytest.param(without(REPORT, "message_id"), "external id", id="report-without-id"),
        pytest.param([], "must be an object", id="array"),
    ],
)  # fmt: skip
def test_refused(value: Any, why: str) -> None:
    reply = make("TRM").receive(receive(value))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("action", ["receive", "status"])
@pytest.mark.parametrize(
    ("raw", "expected", "code"),
    [
        ("DELIVERED | Message delivered to handset", "delivered", ""),
        ("Delivered", "delivered", ""),
        ("Message Sent", "sent", ""),
        ("Message Failed", "failed", "message failed"),
        ("DND Active on Phone Number", "failed", "DND"),
        ("DND Active on Phone Number | Not delivered", "failed", "DND"),
        ("Rejected", "failed", "rejected"),
        (" EXPIRED | too late", "failed", "expired"),
    ],
)
def test_statuses(action: str, raw: str, expected: str, code: str) -> None:
    reply = make("TRM").receive(receive({**REPORT, "status": raw}, action))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.destination) == ("5964465985113503104", "2347069549232")
    assert (update.code, update.reason) == (code, raw.strip())


PLAIN = request("TRM", "receive", Json(MO))
SHOUTED = {"x-termii-signature": (hmac_of(KEY, PLAIN.body, algorithm="sha512").upper(),)}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        pytest.param(sign(PLAIN), 200, id="good"),
        pytest.param(dataclasses.replace(PLAIN, headers={**PLAIN.headers, **SHOUTED}), 200, id="upper-case"),
        pytest.param(PLAIN, 401, id="unsigned"),
        pytest.param(sign(PLAIN, key="other"), 401, id="another-key"),
        pytest.param(dataclasses.replace(sign(PLAIN), body=PLAIN.body + b" "), 401, id="another-body"),
    ],
)
def test_signatures(asked: Request, status: int) -> None:
    reply = make("TRM").receive(asked)
    assert (reply.status, len(reply.events)) == (status, status == 200)


def test_without_a_secret_key() -> None:
    assert make("TRM", secret=None).receive(PLAIN).status == 200


# --- sending --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "channel", "base"),
    [
        ({}, "generic", "https://api.ng.termii.com"),
        ({"channel": "dnd", "base_url": "https://v3.api.termii.com/"}, "dnd", "https://v3.api.termii.com"),
    ],
)
def test_request(config: dict[str, Any], channel: str, base: str) -> None:
    done = offer("TRM", address="N-Alert", text="Káàárọ̀ ✓", config=config, url=f"{base}/api/sms/send",
                 attachments=["image/jpeg:https://x.org/a.jpg"])  # fmt: skip
    assert json.loads(done.request.body) == {
        "api_key": "k-1&23", "to": "254700111222", "from": "N-Alert", "type": "plain", "channel": channel,
        "sms": "Káàárọ̀ ✓\nhttps://x.org/a.jpg",
    }  # fmt: skip
    assert done.request.headers["Content-Type"] == "application/json"


def test_a_route_that_is_none() -> None:
    with pytest.raises(ConfigError, match="channel: "):
        make("TRM", channel="pigeon")


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"message_id": 5964465985113503104}), Accepted("5964465985113503104"), None, id="a-number"),
        pytest.param((200, {"message": "Successfully Sent"}), Permanent, "", id="no-id"),
        pytest.param((400, {"message": "Sender not registered"}), Permanent, "400", id="refused"),
        pytest.param((400, {"message": "Insufficient balance"}), ChannelDown, "400", id="no-balance"),
        pytest.param((401, {"message": "Invalid API Key"}), ChannelDown, "401", id="bad-key"),
        pytest.param((500, {"message": "insufficient balance"}), Temporary, "500", id="their-trouble"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: Accepted | type[NotAccepted], code: str | None) -> None:
    outcome = offer("TRM", answer).outcome
    assert outcome == expected or type(outcome) is expected
    assert getattr(outcome, "code", None) == code
