"""Zenvia: https://zenvia.github.io/zenvia-openapi-spec/"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import Json, Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="ZVS",
    config={"api_key": "k-1&23", "zenvia_message_subscription_id": "sub-1"},
    url="https://api.zenvia.com/v2/channels/sms/messages",
    answer=(200, {"id": "out-88", "from": "28800", "to": "254700111222", "direction": "OUT", "channel": "sms"}),
    external_id="out-88",
)
TEXT = {"type": "text", "text": "Oi"}
FILE = {"type": "file", "fileUrl": "https://x.org/a.jpg", "fileMimeType": "image/jpeg"}
PLACE = {"type": "location", "latitude": -23.55052, "longitude": -46}
MESSAGE = {"id": "in-771", "from": "5511988887777", "to": "28800", "direction": "IN", "channel": "sms"}
EVENT = {"id": "ev-1", "timestamp": "2024-06-10T09:30:00Z", "type": "MESSAGE"}
KNOWN: dict[str, Any] = {"external_id": "in-771", "received_at": 1_718_011_800_000}


def receive(*contents: Any, event: Any = (), **message: Any) -> Request:
    value = {**EVENT, **dict(event), "message": {**MESSAGE, "contents": list(contents), **message}}
    return request("ZVS", "receive", Json(value))


def report(code: Any = "DELIVERED", **event: Any) -> Request:
    status = {"timestamp": "2024-06-10T09:30:00Z", "code": code}
    value = {"id": "ev-2", "type": "MESSAGE_STATUS", "messageId": "out-88", "messageStatus": status, **event}
    return request("ZVS", "status", Json(value))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(TEXT), mo("+5511988887777", "Oi", **KNOWN), id="as-documented"),
        pytest.param(receive(TEXT, event={"type": "message"}, direction="in"), mo("+5511988887777", "Oi", **KNOWN),
                     id="words-in-any-case"),
        pytest.param(receive({"type": "text", "text": "Não 😀\x00"}), mo("+5511988887777", "Não 😀", **KNOWN),
                     id="unicode"),
        pytest.param(receive({"type": "text", "text": ""}), mo("+5511988887777", "", **KNOWN), id="empty-text"),
        pytest.param(receive(TEXT, {"type": "sticker"}, {"type": "text", "text": "Tchau"}),
                     mo("+5511988887777", "Oi\nTchau", **KNOWN), id="several-are-joined"),
        pytest.param(receive(FILE), mo("+5511988887777", "", attachments=("image/jpeg:https://x.org/a.jpg",), **KNOWN),
                     id="file"),
        pytest.param(receive({**without(FILE, "fileMimeType"), "fileCaption": "look"}),
                     mo("+5511988887777", "look", attachments=("https://x.org/a.jpg",), **KNOWN), id="caption"),
        pytest.param(receive(PLACE),
                     mo("+5511988887777", "", attachments=("geo:-23.550520,-46.000000",), **KNOWN), id="location"),
        pytest.param(receive(TEXT, event={"timestamp": "2024-06-10T09:30:00.123456Z"}),
                     mo("+5511988887777", "Oi", external_id="in-771", received_at=1_718_011_800_123), id="fraction"),
        pytest.param(receive(TEXT, **{"from": "4040"}), mo("4040", "Oi", **KNOWN), id="short-code"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("ZVS", country="BR").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(receive(), id="no-contents"),
        pytest.param(receive({"type": "sticker"}), id="unknown-content"),
        pytest.param(receive(TEXT, direction="OUT"), id="our-own"),
        pytest.param(report("QUEUED"), id="unknown-status"),
        pytest.param(report(None), id="no-status"),
        pytest.param(report(messageStatus=None), id="no-status-at-all"),
    ],
)
def test_ignored(asked: Request) -> None:
    reply = make("ZVS", country="BR").receive(asked)
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(receive(TEXT, **{name: None}), f"field 'message.{name}' required", id=f"no-{name}")
          for name in ("id", "from", "to", "direction", "contents")],
        *[pytest.param(receive(TEXT, event={name: None}), f"field '{name}' required", id=f"no-{name}")
          for name in ("type", "timestamp")],
        pytest.param(receive(TEXT, event={"type": "MESSAGE_STATUS"}), "type must be MESSAGE", id="another-type"),
        pytest.param(receive(TEXT, event={"timestamp": "2024-06-10T09:30:00-03:00"}), "invalid date", id="offset"),
        pytest.param(receive(TEXT, event={"timestamp": "soon"}), "invalid date", id="bad-date"),
        pytest.param(receive(TEXT, **{"from": "+5511988887777"}), "'message.from' must be digits", id="with-plus"),
        pytest.param(receive(TEXT, **{"from": "Claro"}), "'message.from' must be digits", id="alphanumeric"),
        pytest.param(receive(TEXT, **{"from": "02020"}), "not a possible number", id="bad-number"),
        pytest.param(receive(without(FILE, "fileUrl")), "fileUrl' required", id="file-without-url"),
        pytest.param(receive({**PLACE, "latitude": "x"}), "field 'latitude' must be degrees", id="bad-place"),
        pytest.param(receive({**PLACE, "longitude": 1e300}), "field 'longitude' must be degrees", id="nowhere"),
        pytest.param(receive("x"), "must be a list of objects", id="content-no-object"),
        pytest.param(report(type=None), "field 'type' required", id="report-no-type"),
        pytest.param(report(type="MESSAGE"), "type must be MESSAGE_STATUS", id="report-another-type"),
        pytest.param(report(messageId=""), "field 'messageId' required", id="report-no-id"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("ZVS", country="BR").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("SENT", "sent"), ("DELIVERED", "delivered"), ("delivered", "delivered"), ("READ", "delivered"),
     ("REJECTED", "failed"), ("NOT_DELIVERED", "failed")],
)  # fmt: skip
def test_statuses(raw: str, expected: str) -> None:
    reply = make("ZVS").receive(report(raw))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.at) == ("out-88", 1_718_011_800_000)


def test_request() -> None:
    done = offer("ZVS", address="+28800", text="Olá ✓", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert json.loads(done.request.body) == {
        "from": "28800", "to": "254700111222", "contents": [{"type": "text", "text": "Olá ✓\nhttps://x.org/a.jpg"}],
    }  # fmt: skip
    assert done.request.headers["X-API-TOKEN"] == "k-1&23"


@pytest.mark.parametrize(("config", "lengths"), [({}, [1152, 848]), ({"max_length": 1000}, [1000, 1000])])
def test_a_long_text_is_several_contents_of_one_request(config: dict[str, Any], lengths: list[int]) -> None:
    (sent,) = offer("ZVS", text="ã" * 2000, config=config).calls
    assert [len(one["text"]) for one in json.loads(sent.body)["contents"]] == lengths


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param((200, {}), Permanent, id="no-id"),
        pytest.param((200, {"id": 7}), Permanent, id="id-no-string"),
        pytest.param((201, {"id": "x"}), Accepted("x"), id="any-2xx"),
        pytest.param((400, {"code": "VALIDATION_ERROR"}), Permanent, id="refused"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: Accepted | type[NotAccepted]) -> None:
    outcome = offer("ZVS", answer).outcome
    assert outcome == expected or type(outcome) is expected
