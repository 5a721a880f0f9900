"""Sinch: https://developers.sinch.com/docs/sms/api-reference/"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.channels.signatures import hmac_of
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Throttled
from tests.channels.support import MESSAGE, NOW, UUID, Json, Sample, make, mo, offer, request, told, without

KEY = "webhook&secret"


def sign(asked: Request, key: str = KEY, at: str = str(NOW // 1000), nonce: str = "n0") -> Request:
    value = hmac_of(key, asked.body + f".{nonce}.{at}".encode(), encoding="base64")
    name = "x-sinch-webhook-signature"
    headers = {name: (value,), f"{name}-nonce": (nonce,), f"{name}-timestamp": (at,)}
    return dataclasses.replace(asked, headers={**asked.headers, **headers})


SAMPLE = Sample(
    code="SNC",
    config={"username": "plan77", "auth_token": "t-1&k n", "secret": KEY},
    url="https://us.sms.api.sinch.com/xms/v1/plan77/batches",
    answer=(201, {"id": "01HXDE4QQ7", "to": ["254700111222"], "canceled": False, "type": "mt_text"}),
    external_id="01HXDE4QQ7",
    sign=sign,
)
MO = {"body": "ja", "from": "46701112233", "id": "01HXDE4D5NQ8Z2", "operator_id": "24001", "to": "46760112233",
      "received_at": "2024-05-02T10:00:00.123Z", "type": "mo_text"}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "01HXDE4D5NQ8Z2", "received_at": 1_714_644_000_123}
PICTURE = {"url": "https://x.org/a.jpg", "content_type": "image/jpeg", "status": "Uploaded", "code": 0}
LOST = {"content_type": "image/png", "status": "Failed", "code": 5}
REPORT = {"at": "2024-05-02T10:01:00.000Z", "batch_id": "01HXDE4QQ7", "code": 0, "recipient": "46701112233",
          "status": "Delivered", "type": "recipient_delivery_report_sms"}  # fmt: skip
BATCH = {"type": "delivery_report_sms", "batch_id": "01HXDE4QQ7", "total_message_count": 1,
         "statuses": [{"code": 402, "status": "Aborted", "count": 1, "recipients": ["46701112233"]}]}  # fmt: skip


def receive(value: Any, action: str = "receive") -> Request:
    return sign(request("SNC", action, Json(value)))


def mms(*media: Any, **body: Any) -> dict[str, Any]:
    return {**MO, "type": "mo_media", "body": {**body, "media": list(media)}}


@pytest.mark.parametrize("action", ["receive", "status"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(MO, mo("+46701112233", "ja", **KNOWN), id="as-documented"),
        pytest.param({**MO, "body": "åäö 😀\x00"}, mo("+46701112233", "åäö 😀", **KNOWN), id="unicode"),
        pytest.param({**MO, "body": ""}, mo("+46701112233", "", **KNOWN), id="empty-text"),
        pytest.param({**MO, "from": "40404"}, mo("40404", "ja", **KNOWN), id="short-code"),
        pytest.param({**MO, "received_at": "2024-05-02T10:00:00.1234567"}, mo("+46701112233", "ja", **KNOWN),
                     id="no-zone-is-utc"),
        pytest.param({**MO, "received_at": "2024-05-02T12:00:00.123456789+02:00"}, mo("+46701112233", "ja", **KNOWN),
                     id="another-zone"),
        pytest.param(mms(PICTURE, LOST, message="look", subject="s"),
                     mo("+46701112233", "look", attachments=("image/jpeg:https://x.org/a.jpg",), **KNOWN), id="mms"),
        pytest.param(mms(without(PICTURE, "content_type"), subject="s"),
                     mo("+46701112233", "s", attachments=("https://x.org/a.jpg",), **KNOWN), id="mms-of-no-type"),
        pytest.param(mms(LOST, message="look"), mo("+46701112233", "look", **KNOWN), id="mms-without-its-file"),
    ],
)  # fmt: skip
def test_messages(action: str, value: Any, expected: Incoming) -> None:
    reply = make("SNC").receive(receive(value, action))
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({**MO, "type": "mo_binary"}, id="binary"),
        pytest.param({"type": "something_new"}, id="unknown-type"),
        pytest.param(mms(LOST), id="mms-of-nothing"),
        pytest.param({**REPORT, "status": "Queued"}, id="nothing-new"),
    ],
)
def test_ignored(value: Any) -> None:
    reply = make("SNC").receive(receive(value))
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("value", "why"),
    [
        *[pytest.param(without(MO, name), f"field '{name}' required", id=f"no-{name}")
          for name in ("type", "id", "from", "body", "received_at")],
        pytest.param({**MO, "received_at": "soon"}, "invalid date", id="bad-date"),
        pytest.param({**MO, "from": "Acme"}, "not a possible number", id="bad-sender"),
        pytest.param({**MO, "body": 7}, "field 'body' must be a string", id="wrong-type"),
        pytest.param(without(REPORT, "batch_id"), "external id", id="report-without-id"),
        pytest.param({**REPORT, "status": "Dancing"}, "unknown status", id="unknown-status"),
        pytest.param(without(BATCH, "statuses"), "field 'statuses' required", id="batch-without-statuses"),
        pytest.param([], "must be an object", id="array"),
    ],
)  # fmt: skip
def test_refused(value: Any, why: str) -> None:
    reply = make("SNC").receive(receive(value))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("kind", ["recipient_delivery_report_sms", "recipient_delivery_report_mms"])
@pytest.mark.parametrize(
    ("raw", "expected"),
    [("Queued", []), ("Dispatched", ["sent"]), ("Delivered", ["delivered"]), ("DELIVERED", ["delivered"]),
     ("Aborted", ["failed"]), ("Rejected", ["failed"]), ("Deleted", ["failed"]), ("Failed", ["failed"]),
     ("Expired", ["failed"]), ("Cancelled", ["failed"]), ("Unknown", ["sent"])],
)  # fmt: skip
def test_statuses(kind: str, raw: str, expected: list[str]) -> None:
    reply = make("SNC").receive(receive({**REPORT, "type": kind, "status": raw}, "status"))
    assert (reply.status, told(reply)) == (200, expected)


def named(update: Any) -> tuple[str, int | None, str, str, str]:
    assert isinstance(update, StatusUpdate)
    return update.id, update.part, update.external_id, update.destination, update.code


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(REPORT, ("", None, "01HXDE4QQ7", "46701112233", ""), id="by-their-id"),
        pytest.param({**REPORT, "client_reference": "8812.2"}, ("8812", 1, "01HXDE4QQ7", "46701112233", ""),
                     id="by-ours"),
        pytest.param({**REPORT, "client_reference": "8812~2"}, ("", None, "01HXDE4QQ7", "46701112233", ""),
                     id="resent-by-theirs"),
        pytest.param({**REPORT, "status": "Failed", "code": 404}, ("", None, "01HXDE4QQ7", "46701112233", "404"),
                     id="code"),
        pytest.param({**REPORT, "status": "Failed"}, ("", None, "01HXDE4QQ7", "46701112233", "failed"), id="no-code"),
        pytest.param(BATCH, ("", None, "01HXDE4QQ7", "46701112233", "402"), id="batch"),
        pytest.param({**BATCH, "statuses": [{"status": "Delivered"}]}, ("", None, "01HXDE4QQ7", "", ""),
                     id="batch-without-recipients"),
    ],
)  # fmt: skip
def test_what_a_report_is_of(value: Any, expected: tuple[Any, ...]) -> None:
    (update,) = make("SNC").receive(receive(value, "status")).events
    assert named(update) == expected


PLAIN = request("SNC", "receive", Json(MO))
DAY = 86_400


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        pytest.param(sign(PLAIN), 200, id="good"),
        pytest.param(sign(PLAIN, at=str(NOW // 1000 - DAY)), 200, id="repeated-for-a-day"),
        pytest.param(sign(PLAIN, at=str(NOW // 1000 - DAY - 1)), 401, id="replayed"),
        pytest.param(sign(PLAIN, at="soon"), 401, id="no-time"),
        pytest.param(PLAIN, 401, id="unsigned"),
        pytest.param(sign(PLAIN, key="other"), 401, id="another-key"),
        pytest.param(dataclasses.replace(sign(PLAIN), body=PLAIN.body + b" "), 401, id="another-body"),
    ],
)
def test_signatures(asked: Request, status: int) -> None:
    reply = make("SNC").receive(asked)
    assert (reply.status, len(reply.events)) == (status, status == 200)


def test_accounts_without_signing() -> None:
    assert make("SNC", secret=None).receive(PLAIN).status == 200


# --- sending --------------------------------------------------------------------------------------------------------

COMMON = {"from": "20990", "to": ["254700111222"], "delivery_report": "per_recipient",
          "callback_url": f"https://sms.example.org/c/snc/{UUID}/status"}  # fmt: skip


def test_request() -> None:
    done = offer("SNC", text="Hej ${name} ✓", address="+20990", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert json.loads(done.request.body) == {
        **COMMON, "body": "Hej ${name} ✓\nhttps://x.org/a.jpg", "type": "mt_text", "client_reference": MESSAGE,
    }  # fmt: skip
    assert done.request.headers["Authorization"] == "Bearer t-1&k n"
    assert done.request.headers["Content-Type"] == "application/json"


def test_mms() -> None:
    done = offer("SNC", config={"mms": True}, text="Hej",
                 attachments=["image/jpeg:https://x.org/a.jpg", "image/png:https://x.org/b.png"])  # fmt: skip
    assert [json.loads(call.body) for call in done.calls] == [
        {**COMMON, "body": {"url": "https://x.org/a.jpg"}, "type": "mt_media", "client_reference": MESSAGE},
        {**COMMON, "body": {"url": "https://x.org/b.png"}, "type": "mt_media", "client_reference": MESSAGE + ".2"},
        {**COMMON, "body": "Hej", "type": "mt_text", "client_reference": MESSAGE + ".3"},
    ]


@pytest.mark.parametrize(
    ("config", "host"),
    [
        ({"region": "eu"}, "https://eu.sms.api.sinch.com"),
        ({"region": "br"}, "https://br.sms.api.sinch.com"),
        ({"base_url": "https://sinch.example.org/"}, "https://sinch.example.org"),
    ],
)
def test_regions(config: dict[str, Any], host: str) -> None:
    assert offer("SNC", config=config, url=f"{host}/xms/v1/plan77/batches").outcome == Accepted("01HXDE4QQ7")


def test_a_region_that_is_none() -> None:
    with pytest.raises(ConfigError, match="region: "):
        make("SNC", region="mars")


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"id": "b"}), Accepted, None, id="any-2xx"),
        pytest.param((201, {}), Permanent, "", id="no-id"),
        pytest.param((400, {"code": "syntax_invalid_parameter_format", "text": "No valid recipients"}), Permanent,
                     "syntax_invalid_parameter_format", id="refused"),
        pytest.param((401, {"code": "x"}), ChannelDown, "401", id="bad-token"),
        pytest.param((403, {"code": "forbidden"}), ChannelDown, "403", id="not-allowed"),
        pytest.param((429, {"code": "x"}), Throttled, "429", id="too-fast"),
    ],
)  # fmt: skip
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("SNC", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
