"""Bandwidth: https://dev.bandwidth.com/docs/messaging/webhooks"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import MESSAGE, Json, Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="BW",
    config={"username": "acme", "password": "pw-1&23", "account_id": "900", "messaging_application_id": "93de-app"},
    url="https://messaging.bandwidth.com/api/v2/users/900/messages",
    answer=(202, {"id": "1476-def", "owner": "+12065550100", "segmentCount": 1}),
    external_id="1476-def",
)
MEDIA = "https://messaging.bandwidth.com/api/v2/users/900/media/1476/0/a.png"
INNER = {"id": "1476-abc", "time": "2026-03-01T10:11:12Z", "to": ["+12065550100"], "from": "+12065550111",
         "text": "Hi", "owner": "+12065550100", "direction": "in", "segmentCount": 1}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "1476-abc", "received_at": 1_772_359_872_000}


def event(kind: str = "message-received", inner: dict[str, Any] | None = None, **outer: Any) -> dict[str, Any]:
    return {"type": kind, "time": "2026-03-01T10:11:12Z", "message": inner or INNER, **outer}


def receive(*events: dict[str, Any], action: str = "receive") -> Request:
    return request("BW", action, Json(list(events)))


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        pytest.param(INNER, mo("+12065550111", "Hi", **KNOWN), id="as-documented"),
        pytest.param({**INNER, "media": [MEDIA]}, mo("+12065550111", "Hi", attachments=(MEDIA,), **KNOWN), id="media"),
        pytest.param(without(INNER, "text"), mo("+12065550111", "", **KNOWN), id="no-text"),
        pytest.param({**INNER, "text": "Ünï 😀"}, mo("+12065550111", "Ünï 😀", **KNOWN), id="unicode"),
        pytest.param({**INNER, "time": "2026-03-01T10:11:12.5Z"},
                     mo("+12065550111", "Hi", external_id="1476-abc", received_at=1_772_359_872_500), id="fraction"),
        pytest.param({**INNER, "from": "40404"}, mo("40404", "Hi", **KNOWN), id="short-code"),
    ],
)  # fmt: skip
def test_messages(inner: dict[str, Any], expected: Incoming) -> None:
    reply = make("BW", country="US").receive(receive(event(inner=inner)))
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted"')


def test_every_event_of_a_request_is_read() -> None:
    asked = receive(event(), event(inner={**INNER, "id": "2"}), event("message-delivered", {"id": "1476-def"}))
    first, second, report = make("BW").receive(asked).events
    assert (first.external_id, second.external_id) == ("1476-abc", "2")  # type: ignore[union-attr]
    assert isinstance(report, StatusUpdate)


@pytest.mark.parametrize(("action", "kind"), [("receive", "of-another-name"), ("status", "message-received")])
def test_a_message_is_one_on_either_url(action: str, kind: str) -> None:
    assert isinstance(make("BW").receive(receive(event(kind), action=action)).events[0], Incoming)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(without(event(), "type")), "field '[0].type' required", id="no-type"),
        pytest.param(receive(event(inner=without(INNER, "id"))), "message.id' required", id="no-id"),
        pytest.param(receive(event(inner=without(INNER, "from"))), "message.from' required", id="no-sender"),
        pytest.param(receive(event(inner=without(INNER, "time"))), "message.time' required", id="no-date"),
        pytest.param(receive(event(inner={**INNER, "time": "2026-03-01T10:11:12+00:00"})), "invalid date", id="zone"),
        pytest.param(receive(event(inner={**INNER, "from": "Acme"})), "not a possible number", id="bad-sender"),
        pytest.param(receive(event(inner={**INNER, "media": [1]})), "must be a list of strings", id="bad-media"),
        pytest.param(request("BW", "receive", Json(event())), "must be an array", id="no-array"),
        pytest.param(request("BW", "receive", b"x"), "unable to parse", id="no-json"),
        pytest.param(receive(event("message-lost"), action="status"), "unknown status", id="unknown-status"),
        pytest.param(receive({"type": "message-failed"}, action="status"), "message.id' required", id="status-no-id"),
        pytest.param(receive(event("message-failed", errorCode="x"), action="status"), "must be an integer",
                     id="bad-error-code"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("BW").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("action", ["receive", "status"])
def test_nothing_is_ignored(action: str) -> None:
    reply = make("BW").receive(receive(action=action))
    assert (reply.status, reply.kind) == (200, "ignored")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("message-sending", "sent"), ("message-delivered", "delivered"), ("message-failed", "failed")],
)
@pytest.mark.parametrize("action", ["receive", "status"])
def test_statuses(kind: str, expected: str, action: str) -> None:
    reply = make("BW").receive(receive(event(kind, {"id": "1476-def"}), action=action))
    assert (reply.status, told(reply)) == (200, [expected])


def test_a_failure_keeps_its_reason() -> None:
    failed = event("message-failed", {"id": "1476-def"}, errorCode=4720, description="invalid destination address")
    (update,) = make("BW").receive(receive(failed, action="status")).events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.code, update.reason) == ("1476-def", "4720", "invalid destination address")


def bodies(done: Any) -> list[dict[str, Any]]:
    return [json.loads(call.body) for call in done.calls]


def test_request() -> None:
    done = offer("BW", text="Hello ✓", to="+12065550111", address="+12065550100",
                 attachments=["image/jpeg:https://x.org/a", "image/png:https://x.org/b"])  # fmt: skip
    assert bodies(done) == [{
        "applicationId": "93de-app", "to": ["+12065550111"], "from": "+12065550100", "text": "Hello ✓",
        "tag": MESSAGE, "media": ["https://x.org/a", "https://x.org/b"],
    }]  # fmt: skip
    assert done.request.headers["Authorization"] == "Basic YWNtZTpwdy0xJjIz"
    assert done.request.headers["Accept"] == "application/json"


def test_parts() -> None:
    first, second = bodies(offer("BW", text="word " * 500, attachments=["image/jpeg:https://x.org/a"]))
    assert ("media" in first, "media" in second) == (True, False)
    assert max(len(first["text"]), len(second["text"])) <= 2048
    assert second["tag"] == MESSAGE + ".2"


@pytest.mark.parametrize(
    ("fields", "requests"),
    [
        pytest.param({"text": "", "attachments": ["image/jpeg:https://x.org/a"]}, 1, id="media-alone"),
        pytest.param({"text": ""}, 0, id="nothing-to-send"),
    ],
)
def test_empty_texts(fields: dict[str, Any], requests: int) -> None:
    done = offer("BW", **fields)
    assert isinstance(done.outcome, Accepted)
    assert len(done.calls) == requests


def test_the_older_name_of_the_application() -> None:
    older = {"messaging_application_id": None, "application_id": "old"}
    assert bodies(offer("BW", config=older))[0]["applicationId"] == "old"
    assert bodies(offer("BW", config={"application_id": "old"}))[0]["applicationId"] == "93de-app"
    with pytest.raises(ConfigError, match="messaging_application_id: required key is missing"):
        make("BW", messaging_application_id=None)


REFUSAL = {"type": "request-validation", "description": "'to' is invalid"}


@pytest.mark.parametrize(
    ("answer", "expected", "code", "reason"),
    [
        pytest.param((202, {}), Accepted, None, "", id="no-id-is-accepted"),
        pytest.param((202, "ok"), Accepted, None, "", id="no-json-is-accepted"),
        pytest.param((400, REFUSAL), Permanent, "request-validation", "'to' is invalid", id="refused"),
        pytest.param((400, {"type": "x"}), Permanent, "x", "response_status", id="no-description"),
        pytest.param((400, "no"), Permanent, "400", "response_status", id="no-json"),
        pytest.param((401, {"type": "auth"}), ChannelDown, "401", "", id="credentials"),
        pytest.param((403, {"type": "auth"}), ChannelDown, "403", "", id="forbidden"),
        pytest.param((429, {"type": "limit"}), Throttled, "429", "", id="throttled"),
        pytest.param((503, {"type": "x"}), Temporary, "503", "", id="server-error"),
    ],
)
def test_answers(
    answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None, reason: str
) -> None:
    outcome = offer("BW", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
    assert reason in getattr(outcome, "reason", "")
