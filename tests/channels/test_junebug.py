"""Junebug: https://junebug.readthedocs.io"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import UUID, Json, Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="JN",
    config={"send_url": "https://junebug.example.org/jb/channels/c1/messages/", "username": "u1",
            "password": "pw-1&23"},
    url="https://junebug.example.org/jb/channels/c1/messages/",
    answer=(201, {"status": 201, "code": "created", "description": "message submitted",
                  "result": {"message_id": "c0ffee12"}}),
    external_id="c0ffee12",
    outcomes={404: ChannelDown},
)  # fmt: skip
MO: dict[str, Any] = {"from": "+27821110000", "timestamp": "2024-03-02 10:11:12.05", "content": "molo", "to": "31222",
      "reply_to": None, "message_id": "b9f7a1", "channel_id": "c1", "channel_data": {}}  # fmt: skip
EVENT = {"event_type": "delivery_succeeded", "message_id": "c0ffee12", "timestamp": "2024-03-02 10:11:20+0000",
         "event_details": {}}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "b9f7a1", "received_at": 1_709_374_272_050}


def inbound(**changes: Any) -> Request:
    return request("JN", "inbound", Json({**MO, **changes}))


def event(**changes: Any) -> Request:
    return request("JN", "event", Json({**EVENT, **changes}))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, mo("+27821110000", "molo", **KNOWN), id="as-documented"),
        pytest.param({"timestamp": "2024-03-02 10:11:12"},
                     mo("+27821110000", "molo", external_id="b9f7a1", received_at=1_709_374_272_000), id="no-fraction"),
        pytest.param({"content": ""}, mo("+27821110000", "", **KNOWN), id="empty"),
        pytest.param({"content": None}, mo("+27821110000", "", **KNOWN), id="no-text"),
        pytest.param({"content": "Ünï 😀\x00"}, mo("+27821110000", "Ünï 😀", **KNOWN), id="unicode"),
        pytest.param({"content": "a" * 2000}, mo("+27821110000", "a" * 2000, **KNOWN), id="long"),
        pytest.param({"from": "0821110000"}, mo("+27821110000", "molo", **KNOWN), id="national"),
        pytest.param({"from": "3122"}, mo("3122", "molo", **KNOWN), id="short-code"),
        pytest.param({"reply_to": "c0ffee12"}, mo("+27821110000", "molo", **KNOWN), id="reply"),
    ],
)  # fmt: skip
def test_messages(changes: dict[str, Any], expected: Incoming) -> None:
    reply = make("JN", country="ZA").receive(inbound(**changes))
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(request("JN", "inbound", Json(without(MO, name))), f"field '{name}' required", id=f"no-{name}")
          for name in ("from", "to", "message_id", "timestamp")],
        pytest.param(inbound(timestamp="2024-03-02T10:11:12"), "invalid date", id="date-with-t"),
        pytest.param(inbound(timestamp="2024-03-02 10:11:12+0000"), "invalid date", id="date-with-zone"),
        pytest.param(inbound(**{"from": "Junebug"}), "not a possible number", id="alphanumeric"),
        pytest.param(inbound(content=["molo"]), "field 'content' must be a string", id="list"),
        pytest.param(request("JN", "inbound", b"x"), "unable to parse request JSON", id="no-json"),
        *[pytest.param(request("JN", "event", Json(without(EVENT, name))), f"field '{name}' required",
                       id=f"event-no-{name}") for name in ("event_type", "message_id")],
        pytest.param(request("JN", "event", b"x"), "unable to parse request JSON", id="event-no-json"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("JN", country="ZA").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("submitted", ["sent"]), ("delivery_pending", []), ("delivery_succeeded", ["delivered"]),
     ("delivery_failed", ["failed"]), ("rejected", ["failed"]), ("something_new", []), (None, [])],
)  # fmt: skip
def test_statuses(raw: str | None, expected: list[str]) -> None:
    reply = make("JN").receive(event(event_type=raw))
    assert (reply.status, told(reply)) == (200, expected)
    assert reply.kind == ("accepted" if expected else "ignored")


@pytest.mark.parametrize(
    ("details", "reason"), [({"reason": "No route"}, "No route"), ({"reason": 7}, ""), ("x", ""), (None, "")]
)
def test_a_rejection_keeps_its_reason(details: Any, reason: str) -> None:
    (update,) = make("JN").receive(event(event_type="rejected", event_details=details)).events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.code, update.reason) == ("c0ffee12", "rejected", reason)


@pytest.mark.parametrize(
    ("header", "status"),
    [("Token s3cr3t", 200), ("Token s3cr3", 401), ("token s3cr3t", 401), ("s3cr3t", 401), ("", 401),
     ("Token s3cr3té", 401)],
)  # fmt: skip
def test_the_token(header: str, status: int) -> None:
    for action, body in (("inbound", MO), ("event", EVENT)):
        headers = {"Authorization": header} if header else {}
        assert make("JN", secret="s3cr3t").receive(request("JN", action, Json(body), headers=headers)).status == status


def test_request() -> None:
    done = offer("JN", text="molo ✓", address="31222", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert json.loads(done.request.body) == {
        "to": "+254700111222", "from": "31222", "content": "molo ✓\nhttps://x.org/a.jpg",
        "event_url": f"https://sms.example.org/c/jn/{UUID}/event",
    }  # fmt: skip
    headers = done.request.headers
    assert headers["Authorization"] == "Basic dTE6cHctMSYyMw=="
    assert (headers["Content-Type"], headers["Accept"]) == ("application/json", "application/json")


def test_our_token_is_handed_over_and_not_in_the_trace() -> None:
    done = offer("JN", config={"secret": "s3cr3t"})
    assert json.loads(done.request.body)["event_auth_token"] == "s3cr3t"
    assert "s3cr3t" not in json.dumps(done.http.exchanges)


def test_every_part_keeps_its_id() -> None:
    done = offer("JN", text="word " * 400)
    assert done.outcomes == [Accepted("c0ffee12")] * 2
    assert max(len(json.loads(call.body)["content"]) for call in done.calls) <= 1530


@pytest.mark.parametrize("url", ["", "junebug.example.org"])
def test_the_url_must_be_one(url: str) -> None:
    with pytest.raises(ConfigError, match="send_url: "):
        make("JN", send_url=url)


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"result": {}}), Temporary, "", id="no-id"),
        pytest.param((201, "created"), Temporary, "", id="no-json"),
        pytest.param((400, {"code": "ApiUsageError"}), Permanent, "400", id="refused"),
        pytest.param((401, ""), ChannelDown, "401", id="credentials"),
        pytest.param((404, {"code": "ChannelNotFound"}), ChannelDown, "404", id="no-channel"),
        pytest.param((429, ""), Throttled, "429", id="throttled"),
        pytest.param((500, {"code": "InternalServerError"}), Temporary, "500", id="server-error"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[NotAccepted], code: str) -> None:
    outcome = offer("JN", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
