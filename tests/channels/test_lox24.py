"""LOX24: https://doc.lox24.eu"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import MESSAGE, Json, Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="LOX",
    config={"username": "4711", "auth_token": "tok-1&23"},
    url="https://api.lox24.eu/sms",
    answer=(201, {"uuid": "d6c12ac4-cc7d", "status_code": 0}),
    external_id="d6c12ac4-cc7d",
)
MO: dict[str, Any] = {"id": "e7d23bd5", "to": "+4915790000123", "from": "+491771112233", "text": "ja",
                      "received_at": 1714644000, "msg_uuid": "a1b2c3d4"}  # fmt: skip
DLR: dict[str, Any] = {"id": "d6c12ac4", "key_id": 8207, "dlr_code": 1, "status_code": 100, "callback_data": MESSAGE}
KNOWN: dict[str, Any] = {"external_id": "e7d23bd5", "received_at": 1_714_644_000_000}


def event(name: str, data: Any, action: str = "receive") -> Request:
    envelope = {"id": "d6ff9b42", "api_version": "2022-05-25", "name": name, "created_at": 1714644003,
                "attempt_total": 4, "attempt_number": 1, "data": data, "notification_task_id": "3378"}  # fmt: skip
    return request("LOX", action, Json(envelope))


def incoming(**changes: Any) -> Request:
    return event("sms.incoming", {**MO, **changes})


def delivery(action: str = "status", **changes: Any) -> Request:
    return event("sms.delivery", {**DLR, **changes}, action)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(incoming(), mo("+491771112233", "ja", **KNOWN), id="as-documented"),
        pytest.param(event("sms.incoming", MO, "status"), mo("+491771112233", "ja", **KNOWN), id="other-path"),
        pytest.param(incoming(text=""), mo("+491771112233", "", **KNOWN), id="empty"),
        pytest.param(incoming(text="Grüße 😀\x00"), mo("+491771112233", "Grüße 😀", **KNOWN), id="unicode"),
        pytest.param(incoming(text="a" * 1000), mo("+491771112233", "a" * 1000, **KNOWN), id="long"),
        pytest.param(incoming(msg_uuid=None), mo("+491771112233", "ja", **KNOWN), id="no-answer-to-ours"),
    ],
)
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("LOX", country="DE").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(event("sms.delivery.dryrun", DLR), id="dry-run"),
        pytest.param(event("voice.incoming", MO), id="other-event"),
        pytest.param(delivery(dlr_code=2), id="queued"),
        pytest.param(delivery(dlr_code=0, status_code=0), id="not-sent-yet"),
        pytest.param(delivery(dlr_code=0, status_code=None), id="nothing-said"),
    ],
)
def test_ignored(asked: Request) -> None:
    reply = make("LOX").receive(asked)
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(event("sms.incoming", without(MO, name)), f"field 'data.{name}' required", id=f"no-{name}")
          for name in ("id", "from", "to", "text", "received_at")],
        pytest.param(request("LOX", "receive", Json({"data": MO})), "field 'name' required", id="no-name"),
        pytest.param(incoming(received_at="1714644000"), "must be an integer", id="date-as-text"),
        pytest.param(incoming(received_at=-1), "invalid date", id="bad-date"),
        pytest.param(incoming(**{"from": "LOX24"}), "not a possible number", id="alphanumeric"),
        pytest.param(event("sms.incoming", "x"), "field 'data' must be an object", id="no-object"),
        pytest.param(request("LOX", "receive", b"x"), "unable to parse request JSON", id="no-json"),
        *[pytest.param(event("sms.delivery", without(DLR, name)), f"'data.{name}' required", id=f"report-no-{name}")
          for name in ("id", "dlr_code")],
        pytest.param(delivery(dlr_code=3), "unknown status: '3'", id="unknown-dlr-code"),
        pytest.param(delivery(dlr_code="1"), "must be an integer", id="dlr-code-as-text"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("LOX", country="DE").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("action", ["status", "receive"])
@pytest.mark.parametrize(
    ("report", "status", "expected", "code"),
    [
        (1, 100, "delivered", ""),
        (4, 100, "sent", ""),
        (8, 100, "failed", "8"),
        (16, 100, "failed", "16"),
        (0, 100, "sent", ""),
        *[(0, status, "failed", str(status)) for status in (208, 400, 410, 2000, 3000, 5000, 6000)],
    ],
)
def test_statuses(action: str, report: int, status: int, expected: str, code: str) -> None:
    reply = make("LOX").receive(delivery(action, dlr_code=report, status_code=status))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.code) == ("d6c12ac4", code)


@pytest.mark.parametrize(
    ("sent", "named"),
    [(MESSAGE, (MESSAGE, 0)), (f"{MESSAGE}.2", (MESSAGE, 1)), (8812, ("8812", 0)), (f"{MESSAGE}~2", ("", None)),
     ("nonsense", ("", None)), (None, ("", None))],
)  # fmt: skip
def test_a_report_names_our_message_too(sent: Any, named: tuple[str, int | None]) -> None:
    (update,) = make("LOX").receive(delivery(callback_data=sent)).events
    assert isinstance(update, StatusUpdate)
    assert (update.id, update.part, update.external_id) == (*named, "d6c12ac4")


def test_request() -> None:
    done = offer("LOX", text="Hallo ✓", address="+4915790000123", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert json.loads(done.request.body) == {
        "sender_id": "+4915790000123", "phone": "+254700111222", "text": "Hallo ✓\nhttps://x.org/a.jpg",
        "service_code": "direct", "callback_data": MESSAGE, "is_text_deleted": False, "delivery_at": 0,
    }  # fmt: skip
    headers = done.request.headers
    assert headers["X-LOX24-AUTH-TOKEN"] == "4711:tok-1&23"
    assert (headers["Content-Type"], headers["Accept"]) == ("application/json", "application/json")
    assert "tok-1&23" not in json.dumps(done.http.exchanges)


def test_each_part_is_named() -> None:
    config = {"base_url": "https://lox.example.org/", "service_code": "pro"}
    done = offer("LOX", text="word " * 400, generation=2, config=config, url="https://lox.example.org/sms")
    assert done.outcomes == [Accepted("d6c12ac4-cc7d")] * 2
    bodies = [json.loads(call.body) for call in done.calls]
    assert [body["callback_data"] for body in bodies] == [f"{MESSAGE}~2", f"{MESSAGE}.2~2"]
    assert [body["service_code"] for body in bodies] == ["pro", "pro"]
    assert max(len(body["text"]) for body in bodies) <= 1600


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((201, {}), Permanent, "201", id="no-id"),
        pytest.param((201, "ok"), Permanent, "201", id="no-json"),
        pytest.param((200, {"detail": "no"}), Permanent, "200", id="no-id-with-200"),
        pytest.param((400, {"detail": "phone: invalid"}), Permanent, "400", id="refused"),
        pytest.param((401, {"detail": "no"}), ChannelDown, "401", id="credentials"),
        pytest.param((402, {"detail": "no"}), ChannelDown, "402", id="payment"),
        pytest.param((403, {"detail": "no"}), ChannelDown, "403", id="forbidden"),
        pytest.param((429, ""), Throttled, "429", id="throttled"),
        pytest.param((500, ""), Temporary, "500", id="server-error"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[NotAccepted], code: str) -> None:
    outcome = offer("LOX", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
