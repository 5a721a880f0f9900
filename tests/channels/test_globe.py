"""Globe Labs: https://www.globelabs.com.ph/docs"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Throttled
from tests.channels.support import Json, Sample, make, mo, offer, request, without

SAMPLE = Sample(
    code="GL",
    config={"app_id": "app7", "app_secret": "sec-9&1", "passphrase": "pass-1 x"},
    url="https://devapi.globelabs.com.ph/smsmessaging/v1/outbound/20990/requests",
    answer=(201, {"outboundSMSMessageRequest": {"address": "tel:+639171112233", "senderAddress": "21584444"}}),
)
MO = {"dateTime": "Sun Mar 1 2026 10:11:12 GMT+0000 (UTC)", "destinationAddress": "tel:21584444", "messageId": None,
      "message": "Join", "resourceURL": None, "senderAddress": "tel:+639171112233"}  # fmt: skip
AT = 1_772_359_872_000


def receive(*items: Any) -> Request:
    batch = {"inboundSMSMessage": list(items), "numberOfMessagesInThisBatch": len(items), "resourceURL": None}
    return request("GL", "receive", Json({"inboundSMSMessageList": batch}))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, mo("+639171112233", "Join", received_at=AT), id="as-documented"),
        pytest.param({"dateTime": "Sat Nov 22 2025 00:00:01 GMT+0000 (UTC)"},
                     mo("+639171112233", "Join", received_at=1_763_769_601_000), id="two-digit-day"),
        pytest.param({"messageId": "m-1"}, mo("+639171112233", "Join", external_id="m-1", received_at=AT), id="id"),
        pytest.param({"messageId": 17}, mo("+639171112233", "Join", external_id="17", received_at=AT), id="id-number"),
        pytest.param({"message": "Niño 😀\x00"}, mo("+639171112233", "Niño 😀", received_at=AT), id="unicode"),
        pytest.param({"message": None}, mo("+639171112233", "", received_at=AT), id="no-text"),
        pytest.param({"message": "a" * 1000}, mo("+639171112233", "a" * 1000, received_at=AT), id="long"),
        pytest.param({"senderAddress": "tel:09171112233"}, mo("+639171112233", "Join", received_at=AT), id="national"),
        pytest.param({"senderAddress": "tel:2158"}, mo("2158", "Join", received_at=AT), id="short-code"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("country", ["PH", ""])
def test_messages(changes: dict[str, Any], expected: Incoming, country: str) -> None:
    reply = make("GL", country=country).receive(receive({**MO, **changes}))
    assert (reply.status, reply.events) == (200, (expected,))


def test_several_messages_are_answered_together() -> None:
    reply = make("GL", country="PH").receive(receive(MO, {**MO, "message": "Sali"}))
    assert [getattr(event, "text", None) for event in reply.events] == ["Join", "Sali"]
    assert [entry["msg_uuid"] for entry in json.loads(reply.body)["data"]] == ["ev-1", "ev-2"]


@pytest.mark.parametrize("body", [{}, {"inboundSMSMessageList": None}, {"inboundSMSMessageList": {}}])
def test_no_message_is_ignored(body: dict[str, Any]) -> None:
    for asked in (request("GL", "receive", Json(body)), receive()):
        reply = make("GL").receive(asked)
        assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[
            pytest.param(receive(MO, without(MO, name)), f"inboundSMSMessage[1].{name}' required", id=f"no-{name}")
            for name in ("senderAddress", "dateTime")
        ],
        *[
            pytest.param(receive({**MO, "dateTime": date}), "invalid date", id=f"date-{date}")
            for date in (
                "Sun Mar 1 2026 10:11:12 GMT+0800 (PHT)",
                "2026-03-01T10:11:12Z",
                "Sun Feb 30 2026 10:11:12 GMT+0000 (UTC)",
            )
        ],
        pytest.param(receive({**MO, "senderAddress": "+639171112233"}), "begin with 'tel:'", id="no-prefix"),
        pytest.param(receive({**MO, "senderAddress": "sip:+639171112233"}), "begin with 'tel:'", id="other-prefix"),
        pytest.param(receive(MO, {**MO, "senderAddress": "tel:GLOBE"}), "not a possible number", id="name"),
        pytest.param(receive("x"), "must be a list of objects", id="no-object"),
        pytest.param(request("GL", "receive", b"x"), "unable to parse request JSON", id="no-json"),
    ],
)
def test_one_bad_message_refuses_the_batch(asked: Request, why: str) -> None:
    reply = make("GL", country="PH").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


def test_request() -> None:
    done = offer("GL", text="Hello ✓", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert json.loads(done.request.body) == {
        "address": "254700111222", "message": "Hello ✓\nhttps://x.org/a.jpg", "passphrase": "pass-1 x",
        "app_id": "app7", "app_secret": "sec-9&1",
    }  # fmt: skip
    headers = done.request.headers
    assert (headers["Content-Type"], headers["Accept"]) == ("application/json", "application/json")


@pytest.mark.parametrize(("address", "written"), [("21584444", "21584444"), ("+63/a?", "%2B63%2Fa%3F")])
def test_the_address_is_in_the_url(address: str, written: str) -> None:
    url = f"https://devapi.globelabs.com.ph/smsmessaging/v1/outbound/{written}/requests"
    assert offer("GL", address=address, url=url).outcomes == [Accepted()]


def test_parts() -> None:
    done = offer("GL", text="word " * 100)
    assert done.outcomes == [Accepted()] * 4
    assert max(len(json.loads(call.body)["message"]) for call in done.calls) <= 160


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param((200, ""), Accepted, id="empty"),
        pytest.param((200, {"error": None}), Accepted, id="no-error"),
        pytest.param((201, {"error": "Invalid address"}), Permanent, id="error-in-a-201"),
        pytest.param((400, {"error": "Invalid address"}), Permanent, id="refused"),
        pytest.param((401, {"error": "Invalid passphrase"}), ChannelDown, id="credentials"),
        pytest.param((429, ""), Throttled, id="throttled"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted]) -> None:
    assert type(offer("GL", answer).outcome) is expected
