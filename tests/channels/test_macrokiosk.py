"""Macrokiosk."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted
from tests.channels.support import Sample, make, mo, multipart, offer, request, told, without

SAMPLE = Sample(
    code="MK",
    config={"username": "acc", "password": "pw-1&23 é", "macrokiosk_sender_id": "RPRO",
            "macrokiosk_service_id": "SV01"},
    url="https://www.etracker.cc/bulksms/send",
    answer=(200, {"MsgID": "MT55210"}),
    external_id="MT55210",
)  # fmt: skip
SHORT = {"shortcode": "20990", "from": "+60123456789", "text": "Ya", "msgid": "MO7781", "time": "2024-06-1116:15:02"}
LONG = {"longcode": "20990", "msisdn": "60123456789", "text": "Ya", "msgid": "MO7781", "time": "2024-06-1116:15:02"}
KNOWN: dict[str, Any] = {"external_id": "MO7781", "received_at": 1_718_093_702_000}


def receive(data: dict[str, str] | None = None, **changes: str) -> Request:
    return request("MK", "receive", {**(data or SHORT), **changes})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(request("MK", "receive", method="GET", query=urlencode(SHORT)), mo("+60123456789", "Ya", **KNOWN),
                     id="as-documented"),
        pytest.param(receive(), mo("+60123456789", "Ya", **KNOWN), id="post"),
        pytest.param(receive(LONG), mo("+60123456789", "Ya", **KNOWN), id="long-code"),
        pytest.param(receive(LONG, shortcode=""), mo("+60123456789", "Ya", **KNOWN), id="empty-short-code"),
        pytest.param(receive({**without(SHORT, "msgid"), "msgId": "MO7781"}), mo("+60123456789", "Ya", **KNOWN),
                     id="msgId"),
        pytest.param(request("MK", "receive", multipart(SHORT)[0], headers=multipart(SHORT)[1]),
                     mo("+60123456789", "Ya", **KNOWN), id="multipart"),
        pytest.param(receive(without(SHORT, "text")), mo("+60123456789", "", **KNOWN), id="no-text"),
        pytest.param(receive(without(SHORT, "msgid")),
                     mo("+60123456789", "Ya", received_at=KNOWN["received_at"]), id="no-id"),
        pytest.param(receive(text="Ünï 😀\x00"), mo("+60123456789", "Ünï 😀", **KNOWN), id="unicode"),
        pytest.param(receive({**SHORT, "from": "40404"}), mo("40404", "Ya", **KNOWN), id="from-a-short-code"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("MK").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert (reply.content_type, reply.body) == ("text/plain", b"-1")


def test_our_number_may_have_its_plus() -> None:
    for address in ("+60380001122", "60380001122"):
        assert make("MK", address=address).receive(receive(LONG, longcode="60380001122")).status == 200


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(receive(without(SHORT, name)), f"field '{name}' required", id=f"no-{name}")
          for name in ("from", "time")],
        *[pytest.param(receive(without(LONG, name)), f"field '{name}' required", id=f"long-no-{name}")
          for name in ("longcode", "msisdn", "time")],
        pytest.param(receive({**without(LONG, "msisdn"), "from": "60123456789"}), "field 'msisdn' required",
                     id="mixed"),
        pytest.param(receive(shortcode="36600"), "another number", id="another-number"),
        pytest.param(receive(time="2024-06-11 16:15:02"), "invalid date", id="date-with-a-space"),
        pytest.param(receive(time="2024-02-3016:15:02"), "invalid date", id="no-such-day"),
        pytest.param(receive({**SHORT, "from": "Acme"}), "not a possible number", id="bad-sender"),
        pytest.param(request("MK", "status", {"status": "DELIVERED"}), "field 'msgid' required", id="report-no-id"),
        pytest.param(request("MK", "status", {"msgid": "1"}), "field 'status' required", id="report-no-status"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("MK").receive(asked)
    assert (reply.status, reply.events, reply.content_type) == (400, (), "application/json")
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("ACCEPTED", "sent"), ("DELIVERED", "delivered"), ("UNDELIVERED", "failed"), ("PROCESSING", "wired"),
     ("delivered", None), ("DANCING", None)],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_statuses(raw: str, expected: str | None, method: str) -> None:
    given = {"msgid": "MT55210", "status": raw}
    query = urlencode(given) if method == "GET" else ""
    reply = make("MK").receive(request("MK", "status", None if query else given, method=method, query=query))
    assert (reply.status, told(reply)) == (200, [expected] if expected else [])
    assert (reply.content_type, reply.body[:3]) == ("application/json", b'{"m')
    assert [event.external_id for event in reply.events if isinstance(event, StatusUpdate)] == (
        ["MT55210"] if expected else []
    )


def test_request() -> None:
    done = offer("MK", text="Terima kasih", to="+60123456789", attachments=["image/png:https://x/a"])
    assert json.loads(done.request.body) == {
        "user": "acc", "pass": "pw-1&23 é", "to": "60123456789", "text": "Terima kasih\nhttps://x/a", "from": "RPRO",
        "servid": "SV01", "type": "0",
    }  # fmt: skip
    assert done.request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("text", "sent", "kind"),
    [
        ("“Olá” – ç\u00a0€", '"Ola" - c €', "0"),
        ("é {}", "é {}", "0"),
        ("“你好”", "“你好”", "5"),
    ],
)
def test_encodings(text: str, sent: str, kind: str) -> None:
    body = json.loads(offer("MK", text=text).request.body)
    assert (body["text"], body["type"]) == (sent, kind)


def test_every_part_keeps_its_id() -> None:
    done = offer("MK", text="word " * 400)
    assert done.outcomes == [Accepted("MT55210")] * 2


@pytest.mark.parametrize(
    ("answer", "external_id"), [({"MsgID": 7}, "7"), ({"MsgID": None}, ""), ({}, ""), ("accepted", "")]
)
def test_accepted_without_an_id_is_accepted(answer: Any, external_id: str) -> None:
    assert offer("MK", (200, answer)).outcomes == [Accepted(external_id)]
