"""Twilio Messaging Services: https://www.twilio.com/docs/messaging/services

What it shares with Twilio is tested in test_twilio.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import NotAccepted, OptedOut, Permanent
from tests.channels.support import MESSAGE, UUID, Sample, make, mo, offer, request, told, without
from tests.channels.test_twilio import TOKEN, TWIML, sign

SERVICE = "MG0000000000000000000000000000beef"
SAMPLE = Sample(
    code="TMS",
    config={"account_sid": "AC123", "auth_token": TOKEN, "messaging_service_sid": SERVICE},
    url="https://api.twilio.com/2010-04-01/Accounts/AC123/Messages.json",
    answer=(201, {"sid": "SM2", "messaging_service_sid": SERVICE, "status": "accepted"}),
    external_id="SM2",
    sign=sign,
)
MO = {"MessageSid": "SM1", "AccountSid": "AC123", "MessagingServiceSid": SERVICE, "From": "+12065550142",
      "FromCountry": "US", "To": "+12065550177", "Body": "Yes ✓", "NumMedia": "0"}  # fmt: skip
OURS = f"uuid={MESSAGE}&action=callback"


def service(**config: Any) -> Any:
    return make("TMS", address="", country="US", **config)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, mo("+12065550142", "Yes ✓", external_id="SM1"), id="as-documented"),
        pytest.param({"To": "+12065550178"}, mo("+12065550142", "Yes ✓", external_id="SM1"), id="any-of-the-pool"),
        pytest.param({"NumMedia": "1", "MediaUrl0": "https://m/0"},
                     mo("+12065550142", "Yes ✓", external_id="SM1", attachments=("https://m/0",)), id="media"),
    ],
)  # fmt: skip
def test_messages(changes: dict[str, str], expected: Incoming) -> None:
    reply = service().receive(sign(request("TMS", "receive", {**MO, **changes})))
    assert (reply.status, reply.events) == (200, (expected,))
    assert (reply.content_type, reply.body) == ("text/xml", TWIML)


@pytest.mark.parametrize("asked", [request("TMS", "receive", MO), sign(request("TMS", "receive", MO), token="x")])
def test_a_message_must_be_signed(asked: Any) -> None:
    assert (service().receive(asked).status, service().receive(asked).kind) == (401, "forbidden")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("queued", ["sent"]), ("sent", ["sent"]), ("delivered", ["delivered"]), ("read", ["delivered"]),
     ("failed", ["failed"]), ("undelivered", ["failed"]), ("canceled", ["failed"]), ("accepted", []),
     ("scheduled", []), ("sending", []), ("receiving", []), ("received", [])],
)  # fmt: skip
def test_statuses(raw: str, expected: list[str]) -> None:
    asked = request("TMS", "status", {"MessageSid": "SM2", "MessageStatus": raw, "To": "+12065550142"}, query=OURS)
    reply = service().receive(sign(asked))
    assert (reply.status, told(reply)) == (200, expected)
    assert all(event.id == MESSAGE for event in reply.events if isinstance(event, StatusUpdate))


@pytest.mark.parametrize(
    ("action", "data", "why"),
    [
        *[pytest.param("receive", without(MO, name), f"field '{name}' required", id=f"no-{name}")
          for name in ("MessageSid", "AccountSid", "From", "To")],
        pytest.param("receive", {**MO, "From": "+!"}, "not a possible number", id="bad-sender"),
        pytest.param("status", {"MessageSid": "SM2", "MessageStatus": "x"}, "unknown status", id="unknown-status"),
    ],
)  # fmt: skip
def test_refused(action: str, data: dict[str, str], why: str) -> None:
    reply = service().receive(sign(request("TMS", action, data)))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("config", "address", "expected"),
    [
        ({}, "", {"MessagingServiceSid": [SERVICE]}),
        ({"link_shortening": True}, "", {"MessagingServiceSid": [SERVICE], "ShortenUrls": ["true"]}),
        ({}, "+12065550199", {"From": ["+12065550199"], "MessagingServiceSid": [SERVICE]}),
    ],
)
def test_request(config: dict[str, Any], address: str, expected: dict[str, list[str]]) -> None:
    form = offer("TMS", config=config, address=address, text="Hi", to="+12065550142").form
    assert form == {"To": ["+12065550142"], "Body": ["Hi"], **expected,
                    "StatusCallback": [f"https://sms.example.org/c/tms/{UUID}/status?{OURS}"]}  # fmt: skip


def test_the_service_is_required() -> None:
    with pytest.raises(ConfigError, match="messaging_service_sid: required key is missing"):
        service(messaging_service_sid=None)


@pytest.mark.parametrize(
    ("code", "expected", "reason"),
    [
        (21610, OptedOut, "unsubscribed"),
        (21701, Permanent, "does not exist"),
        (21702, Permanent, "is not available"),
        (21703, Permanent, "does not have a phone number available"),
        (21704, Permanent, "contains no phone numbers"),
        (21705, Permanent, "is invalid"),
    ],
)
def test_refusals_of_services(code: int, expected: type[NotAccepted], reason: str) -> None:
    outcome = offer("TMS", (400, {"code": code})).outcome
    assert type(outcome) is expected
    assert outcome.code == str(code)
    assert reason in outcome.reason
