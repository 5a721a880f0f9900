"""Mblox: what differs from Sinch, whose tests have the rest of XMS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import MESSAGE, UUID, Json, Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="MB",
    config={"username": "plan77", "password": "tok-1&23 é"},
    url="https://api.mblox.com/xms/v1/plan77/batches",
    answer=(201, {"id": "Qa81Vn3cXe0T", "to": ["447700900123"], "canceled": False, "type": "mt_text"}),
    external_id="Qa81Vn3cXe0T",
)
MO = {"type": "mo_text", "id": "Kd72hRq0ZpLm", "from": "447700900123", "to": "447537400400", "body": "Yes",
      "received_at": "2024-06-11T08:15:02.120Z"}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "Kd72hRq0ZpLm", "received_at": 1_718_093_702_120}
REPORT = {"type": "recipient_delivery_report_sms", "batch_id": "Qa81Vn3cXe0T", "recipient": "447700900123", "code": 0,
          "status": "Delivered", "at": "2024-06-11T08:16:00.000Z"}  # fmt: skip


def receive(data: dict[str, Any]) -> Request:
    return request("MB", "receive", Json(data))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(MO), mo("+447700900123", "Yes", **KNOWN), id="as-documented"),
        pytest.param(receive({**MO, "body": ""}), mo("+447700900123", "", **KNOWN), id="empty-text-is-a-message"),
        pytest.param(receive({**MO, "body": "Ünï 😀\x00"}), mo("+447700900123", "Ünï 😀", **KNOWN), id="unicode"),
        pytest.param(receive({**MO, "from": "40404"}), mo("40404", "Yes", **KNOWN), id="short-code"),
    ],
)
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("MB").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        *[pytest.param(without(MO, name), f"field '{name}' required", id=f"no-{name}")
          for name in ("type", "id", "from", "body", "received_at")],
        pytest.param({**MO, "received_at": "yesterday"}, "invalid date", id="bad-date"),
        pytest.param({**MO, "from": "Acme"}, "not a possible number", id="bad-sender"),
        pytest.param({**REPORT, "status": "Dancing"}, "unknown status", id="another-status"),
        pytest.param(without(REPORT, "batch_id"), "external id", id="report-no-id"),
    ],
)  # fmt: skip
def test_refused(data: dict[str, Any], why: str) -> None:
    reply = make("MB").receive(receive(data))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


def test_other_types_are_ignored() -> None:
    reply = make("MB").receive(receive({**MO, "type": "mo_binary"}))
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("Queued", ""), ("Dispatched", "sent"), ("Delivered", "delivered"), ("Unknown", "sent"), ("Aborted", "failed"),
     ("Rejected", "failed"), ("Deleted", "failed"), ("Failed", "failed"), ("Expired", "failed"),
     ("Cancelled", "failed")],
)  # fmt: skip
def test_statuses(raw: str, expected: str) -> None:
    reply = make("MB").receive(receive({**REPORT, "status": raw}))
    assert (reply.status, told(reply)) == (200, [expected] if expected else [])
    for update in reply.events:
        assert isinstance(update, StatusUpdate)
        assert (update.external_id, update.destination) == ("Qa81Vn3cXe0T", "447700900123")


def test_nothing_is_signed_and_the_secret_is_a_token() -> None:
    channel = make("MB", secret="tok")
    assert channel.receive(receive(MO)).status == 401
    assert channel.receive(request("MB", "receive", Json(MO), query="token=tok")).status == 200


def test_request() -> None:
    done = offer("MB", text="Thanks ✓", address="+447537400400", attachments=["image/png:https://x/a"])
    assert json.loads(done.request.body) == {
        "from": "447537400400", "to": ["254700111222"], "body": "Thanks ✓\nhttps://x/a", "type": "mt_text",
        "delivery_report": "per_recipient", "client_reference": MESSAGE,
        "callback_url": f"https://sms.example.org/c/mb/{UUID}/status",
    }  # fmt: skip
    assert done.request.headers["Accept"] == "application/json"
    assert done.request.headers["Authorization"] == "Bearer tok-1&23 é"


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({"base_url": "https://eu.sms.api.sinch.com/"}, "https://eu.sms.api.sinch.com/xms/v1/plan77/batches"),
        ({"username": "my plan/7"}, "https://api.mblox.com/xms/v1/my%20plan%2F7/batches"),
    ],
)
def test_places(config: dict[str, str], url: str) -> None:
    assert offer("MB", config=config, url=url).outcomes == [Accepted("Qa81Vn3cXe0T")]


def test_every_part_is_a_batch_with_an_id() -> None:
    done = offer("MB", text="word " * 150)
    assert done.outcomes == [Accepted("Qa81Vn3cXe0T")] * 2
    bodies = [json.loads(call.body) for call in done.calls]
    assert max(len(body["body"]) for body in bodies) <= 459
    assert [body["client_reference"] for body in bodies] == [MESSAGE, MESSAGE + ".2"]


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"id": "b"}), Accepted, None, id="200"),
        pytest.param((201, {}), Permanent, "", id="no-id"),
        pytest.param((400, {"code": "syntax_invalid_parameter_format", "text": "t"}), Permanent,
                     "syntax_invalid_parameter_format", id="refused"),
    ],
)  # fmt: skip
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("MB", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
