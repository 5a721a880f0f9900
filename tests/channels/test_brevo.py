"""Brevo: https://developers.brevo.com/docs/send-transactional-sms"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import OptOut, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import MESSAGE, NOW, UUID, Json, Sample, make, offer, request, told, without

SAMPLE = Sample(
    code="BRV",
    config={"api_key": "xkeysib-1&23"},
    url="https://api.brevo.com/v3/transactionalSMS/send",
    answer=(201, {"messageId": 1511882900123456789}),
    external_id="1511882900123456789",
)
REPORT = {"id": 26570, "to": "33612345678", "sms_count": 1, "credits_used": 1.5, "messageId": 1511882900123456789,
          "remaining_credit": 488.8, "msg_status": "delivered", "date": "2024-05-02 12:00:09",
          "type": "transactional", "reference": "abc"}  # fmt: skip


def report(data: Any = None, query: str = "", **changes: Any) -> Request:
    return request("BRV", "status", Json({**(REPORT if data is None else data), **changes}), query=query)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("sent", ["sent"]), ("delivered", ["delivered"]), ("Delivered", ["delivered"]),
     *[(word, ["failed"]) for word in ("soft_bounce", "hard_bounce", "softBounces", "hardBounces", "bounces",
                                       "rejected", "blocked", "skipped", "skip")],
     *[(word, []) for word in ("accepted", "replied", "replies", "something new")]],
)  # fmt: skip
def test_statuses(raw: str, expected: list[str]) -> None:
    reply = make("BRV").receive(report(msg_status=raw))
    assert (reply.status, told(reply)) == (200, expected)
    if expected:
        (update,) = reply.events
        assert isinstance(update, StatusUpdate)
        assert (update.external_id, update.destination) == ("1511882900123456789", "33612345678")


@pytest.mark.parametrize("raw", ["unsubscribe", "unsubscription", "Unsubscriptions"])
def test_opt_outs(raw: str) -> None:
    reply = make("BRV").receive(report(msg_status=raw))
    assert reply.events == (OptOut(channel=UUID, sender="+33612345678", received_at=NOW),)
    assert reply.body.startswith(b'{"message":"Event Accepted"')


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(report(without(REPORT, "msg_status")), "field 'msg_status' required", id="no-status"),
        pytest.param(report(msg_status=7), "field 'msg_status' must be a string", id="wrong-type"),
        pytest.param(report(without(REPORT, "messageId")), "external id", id="no-id"),
        pytest.param(report(msg_status="unsubscribe", to=""), "not a possible number", id="opt-out-of-nobody"),
        pytest.param(request("BRV", "status", b"{"), "unable to parse request JSON", id="no-json"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("BRV").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


def test_the_token_stands_in_for_a_signature() -> None:
    channel = make("BRV", secret="s3")
    for query, status in (("token=s3", 200), ("token=s4", 401), ("", 401)):
        assert channel.receive(report(query=query)).status == status


def test_messages_are_not_received() -> None:
    assert make("BRV").routes() == {"status": ("POST",)}


@pytest.mark.parametrize(
    ("text", "unicode"), [("Bonjour", False), ("déjà €", False), ("ça ✓", True), ("Привет", True), ("", False)]
)
def test_request(text: str, unicode: bool) -> None:
    done = offer("BRV", text=text, address="MyShop", config={"secret": "t k"})
    assert json.loads(done.request.body) == {
        "sender": "MyShop", "recipient": "254700111222", "content": text, "type": "transactional",
        "unicodeEnabled": unicode, "tag": MESSAGE,
        "webUrl": f"https://sms.example.org/c/brv/{UUID}/status?token=t%20k",
    }  # fmt: skip
    assert done.request.headers["api-key"] == "xkeysib-1&23"
    assert (done.request.headers["Accept"], done.request.headers["Content-Type"]) == ("application/json",) * 2


def test_settings() -> None:
    config = {"message_type": "marketing", "base_url": "https://brevo.example.org/v3/"}
    done = offer("BRV", config=config, url="https://brevo.example.org/v3/transactionalSMS/send", address="+33700000001")
    body = json.loads(done.request.body)
    assert (body["type"], body["sender"]) == ("marketing", "33700000001")
    with pytest.raises(ConfigError, match="message_type: "):
        make("BRV", message_type="urgent")


def test_long_texts_and_attachments() -> None:
    done = offer("BRV", text="word " * 400, attachments=["image/jpeg:https://x.org/a.jpg"])
    texts = [json.loads(call.body)["content"] for call in done.calls]
    assert max(map(len, texts)) <= 1600
    assert texts[-1].endswith("\nhttps://x.org/a.jpg")
    assert done.outcomes == [Accepted("1511882900123456789")] * 2


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((201, {"messageId": "15"}), Accepted, None, id="id-as-text"),
        pytest.param((201, {}), Permanent, "", id="no-id"),
        pytest.param((402, {"code": "not_enough_credits"}), ChannelDown, "not_enough_credits", id="no-credits"),
        pytest.param((400, {"code": "not_enough_credits"}), ChannelDown, "not_enough_credits", id="no-credits-400"),
        pytest.param((401, {"code": "unauthorized"}), ChannelDown, "unauthorized", id="key"),
        pytest.param((403, {"code": "permission_denied"}), ChannelDown, "permission_denied", id="permission"),
        pytest.param((400, {"code": "invalid_parameter"}), Permanent, "invalid_parameter", id="bad-parameter"),
        pytest.param((429, {"code": "too_many_requests"}), Throttled, "429", id="throttled"),
        pytest.param((500, {"code": "x"}), Temporary, "500", id="server-error"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("BRV", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
