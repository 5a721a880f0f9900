"""Servers with Twilio's API: https://www.somleng.org

What they share with Twilio is tested in test_twilio.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming
from chalicelib.outcomes import NotAccepted, OptedOut, Permanent, Throttled
from tests.channels.support import MESSAGE, UUID, Sample, make, mo, offer, request, told, without
from tests.channels.test_twilio import TOKEN, TWIML, sign

SAMPLE = Sample(
    code="TW",
    config={"account_sid": "acme_12", "auth_token": TOKEN, "send_url": "https://api.somleng.org"},
    url="https://api.somleng.org/2010-04-01/Accounts/acme_12/Messages.json",
    answer=(201, {"sid": "SM-5e1f7f00-0000-4c4e-9c1d-0000000000a2", "status": "accepted"}),
    external_id="SM-5e1f7f00-0000-4c4e-9c1d-0000000000a2",
    sign=sign,
)
MO = {"MessageSid": "SM-a1", "AccountSid": "acme_12", "From": "+85512000111", "To": "2442", "Body": "សួស្ដី",
      "NumMedia": "0"}  # fmt: skip
OURS = f"uuid={MESSAGE}&action=callback"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, mo("+85512000111", "សួស្ដី", external_id="SM-a1"), id="as-documented"),
        pytest.param({"From": "85512000111"}, mo("+85512000111", "សួស្ដី", external_id="SM-a1"), id="no-plus"),
        pytest.param({"From": "012345678"}, mo("012345678", "សួស្ដី", external_id="SM-a1"), id="local-is-a-name"),
        pytest.param({"From": "Smart"}, mo("smart", "សួស្ដី", external_id="SM-a1"), id="alphanumeric"),
    ],
)
def test_messages(changes: dict[str, str], expected: Incoming) -> None:
    reply = make("TW", country="KH").receive(sign(request("TW", "receive", {**MO, **changes})))
    assert (reply.status, reply.events) == (200, (expected,))
    assert (reply.content_type, reply.body) == ("text/xml", TWIML)


@pytest.mark.parametrize("asked", [request("TW", "receive", MO), sign(request("TW", "receive", MO), token="x")])
def test_a_message_must_be_signed(asked: Any) -> None:
    reply = make("TW").receive(asked)
    assert (reply.status, reply.kind, reply.events) == (401, "forbidden", ())


def test_the_signed_url_is_https_though_the_server_called_plain_http() -> None:
    asked = request("TW", "receive", MO)
    signed = sign(asked, url=f"https://sms.example.org/c/tw/{UUID}/receive")
    plain = type(asked)(asked.method, asked.action, asked.url.replace("https://", "http://"), signed.headers,
                        asked.body)  # fmt: skip
    assert make("TW").receive(plain).status == 200


@pytest.mark.parametrize(
    ("action", "data", "why"),
    [
        *[pytest.param("receive", without(MO, name), f"field '{name}' required", id=f"no-{name}")
          for name in ("MessageSid", "AccountSid", "From", "To")],
        pytest.param("receive", {**MO, "From": "+!"}, "not a possible number", id="bad-sender"),
        pytest.param("status", {"MessageSid": "SM-a2", "MessageStatus": "x"}, "unknown status", id="unknown-status"),
    ],
)  # fmt: skip
def test_refused(action: str, data: dict[str, str], why: str) -> None:
    reply = make("TW").receive(sign(request("TW", action, data)))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "query", "expected"),
    [
        ("queued", OURS, [("sent", MESSAGE)]),
        ("sent", OURS, [("sent", MESSAGE)]),
        ("delivered", OURS, [("delivered", MESSAGE)]),
        ("read", OURS, [("delivered", MESSAGE)]),
        ("failed", OURS, [("failed", MESSAGE)]),
        ("undelivered", OURS, [("failed", MESSAGE)]),
        ("canceled", OURS, [("failed", MESSAGE)]),
        ("accepted", OURS, []),
        ("scheduled", OURS, []),
        ("sending", OURS, []),
        ("receiving", OURS, []),
        ("received", OURS, []),
        ("delivered", "", [("delivered", "")]),
    ],
)
def test_statuses(raw: str, query: str, expected: list[tuple[str, str]]) -> None:
    """The status URL may also be entered at the server, and then carries no id of ours."""
    asked = request("TW", "status", {"MessageSid": "SM-a2", "MessageStatus": raw, "To": "+85512000111"}, query=query)
    reply = make("TW").receive(sign(asked))
    assert reply.status == 200
    assert [(event.status.value, event.id) for event in reply.events] == expected  # type: ignore[union-attr]
    assert {event.external_id for event in reply.events} <= {"SM-a2"}  # type: ignore[union-attr]


def test_an_unsubscribed_recipient() -> None:
    data = {"MessageSid": "SM-a2", "MessageStatus": "failed", "ErrorCode": "21610", "To": "+85512000111"}
    reply = make("TW").receive(sign(request("TW", "status", data)))
    assert told(reply) == ["failed"]
    assert reply.events[1].sender == "+85512000111"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({"base_url": "https://other.example.org"}, "https://api.somleng.org", id="send-url-first"),
        pytest.param({"send_url": None, "base_url": "https://b.example.org"}, "https://b.example.org", id="base-url"),
        pytest.param({"send_url": "https://x.org//api///laml/"}, "https://x.org/api/laml", id="slashes"),
        pytest.param({"send_url": "https://x.org:8443/a?b=c"}, "https://x.org:8443/a", id="a-query-is-dropped"),
    ],
)
def test_where_messages_go(config: dict[str, Any], expected: str) -> None:
    url = f"{expected}/2010-04-01/Accounts/acme_12/Messages.json"
    assert offer("TW", config=config, url=url).request.url == url


def test_request() -> None:
    form = offer("TW", text="សួស្ដី", address="2442", to="+85512000111").form
    assert form == {"To": ["+85512000111"], "From": ["2442"], "Body": ["សួស្ដី"],
                    "StatusCallback": [f"https://sms.example.org/c/tw/{UUID}/status?{OURS}"]}  # fmt: skip


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"send_url": None}, "send_url: required key is missing"),
        ({"send_url": ""}, "send_url: "),
        ({"auth_token": ""}, "auth_token: "),
    ],
)
def test_settings_that_cannot_be_used(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        make("TW", **config)


def test_settings_of_a_voice_channel_are_taken() -> None:
    assert make("TW", max_concurrent_calls=4).code == "TW"


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        ((400, {"code": 21610}), OptedOut, "21610"),
        ((429, {"code": 20429}), Throttled, "20429"),
        ((422, {"message": "no"}), Permanent, "422"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[NotAccepted], code: str) -> None:
    outcome = offer("TW", answer).outcome
    assert (type(outcome), outcome.code) == (expected, code)  # type: ignore[union-attr]
