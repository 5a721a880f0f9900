"""SignalWire: https://developer.signalwire.com/compatibility-api/

What it shares with Twilio is tested in test_twilio.py and test_twiml.py.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.channels.signatures import hmac_of
from chalicelib.messages import Incoming
from chalicelib.outcomes import OptedOut
from tests.channels.support import MESSAGE, UUID, Sample, make, mo, offer, request, told
from tests.channels.test_twilio import TWIML, sign

KEY = "PSK-example"
SAMPLE = Sample(
    code="SW",
    config={"base_url": "https://acme.signalwire.com/api/laml", "account_sid": "990c0000-bf8f-4156-b014-0000000000b3",
            "auth_token": "PT-example"},
    url="https://acme.signalwire.com/api/laml/2010-04-01/Accounts/990c0000-bf8f-4156-b014-0000000000b3/Messages.json",
    answer=(201, {"sid": "b1c7e1c0-0000-4d6a-8f0e-0000000000a2", "status": "queued"}),
    external_id="b1c7e1c0-0000-4d6a-8f0e-0000000000a2",
)  # fmt: skip
MO = {"MessageSid": "a1", "AccountSid": "990c", "From": "+12065550142", "To": "+12065550199", "Body": "Hey ✓",
      "NumMedia": "0"}  # fmt: skip
OURS = f"uuid={MESSAGE}&action=callback"
RECEIVE = request("SW", "receive", MO)
STATUS = request("SW", "status", {"MessageSid": "a2", "MessageStatus": "sent"}, query=OURS)


def with_signature(asked: Request, value: str) -> Request:
    return dataclasses.replace(asked, headers={**asked.headers, "x-signalwire-signature": (value,)})


def by_fields(asked: Request, key: str = KEY) -> Request:
    return with_signature(asked, sign(asked, token=key).header("x-twilio-signature"))


def by_body(asked: Request, key: str = KEY) -> Request:
    return with_signature(asked, hmac_of(key, asked.url.encode() + asked.body, algorithm="sha1"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, mo("+12065550142", "Hey ✓", external_id="a1"), id="as-documented"),
        pytest.param({"From": "2065550142"}, mo("2065550142", "Hey ✓", external_id="a1"), id="local-is-a-name"),
        pytest.param({"From": "2065550142", "FromCountry": "US"}, mo("+12065550142", "Hey ✓", external_id="a1"),
                     id="national"),
        pytest.param({"NumMedia": "1", "MediaUrl0": "https://m/0"},
                     mo("+12065550142", "Hey ✓", external_id="a1", attachments=("https://m/0",)), id="media"),
    ],
)  # fmt: skip
def test_messages(changes: dict[str, str], expected: Incoming) -> None:
    reply = make("SW").receive(request("SW", "receive", {**MO, **changes}))
    assert (reply.status, reply.events) == (200, (expected,))
    assert (reply.content_type, reply.body) == ("text/xml", TWIML)


@pytest.mark.parametrize("signed", [by_fields, by_body])
@pytest.mark.parametrize("asked", [RECEIVE, STATUS])
def test_signatures(signed: Any, asked: Request) -> None:
    reply = make("SW", signing_key=KEY).receive(signed(asked))
    assert (reply.status, len(reply.events)) == (200, 1)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(RECEIVE, id="missing"),
        pytest.param(with_signature(RECEIVE, "x"), id="wrong"),
        pytest.param(by_fields(RECEIVE, "another"), id="another-key"),
        pytest.param(dataclasses.replace(by_fields(RECEIVE), body=RECEIVE.body + b"&Body=x"), id="body"),
        pytest.param(dataclasses.replace(by_body(STATUS), url=STATUS.url + "&part=1"), id="query"),
        pytest.param(sign(RECEIVE, token=KEY), id="twilios-header"),
    ],
)
def test_bad_signatures(asked: Request) -> None:
    reply = make("SW", signing_key=KEY).receive(asked)
    assert (reply.status, reply.kind, reply.events) == (401, "forbidden", ())


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("queued", ["sent"]), ("sent", ["sent"]), ("delivered", ["delivered"]), ("read", ["delivered"]),
     ("failed", ["failed"]), ("undelivered", ["failed"]), ("canceled", ["failed"]), ("accepted", []),
     ("scheduled", []), ("sending", []), ("receiving", []), ("received", [])],
)  # fmt: skip
def test_statuses(raw: str, expected: list[str]) -> None:
    data = {"MessageSid": "a2", "MessageStatus": raw, "To": "+12065550142"}
    reply = make("SW").receive(request("SW", "status", data, query=OURS))
    assert (reply.status, told(reply)) == (200, expected)


@pytest.mark.parametrize(
    ("action", "data", "why"),
    [
        *[pytest.param("receive", {k: v for k, v in MO.items() if k != name}, f"field '{name}' required", id=name)
          for name in ("MessageSid", "AccountSid", "From", "To")],
        pytest.param("receive", {**MO, "From": "+!"}, "not a possible number", id="bad-sender"),
        pytest.param("status", {"MessageSid": "a2", "MessageStatus": "x"}, "unknown status", id="unknown-status"),
    ],
)  # fmt: skip
def test_refused(action: str, data: dict[str, str], why: str) -> None:
    reply = make("SW").receive(request("SW", action, data))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


def test_request() -> None:
    done = offer("SW", text="Hey ✓", address="+12065550199", to="+12065550142",
                 attachments=["image/png:https://x.org/a"])  # fmt: skip
    assert done.form == {
        "To": ["+12065550142"], "From": ["+12065550199"], "Body": ["Hey ✓"], "MediaUrl": ["https://x.org/a"],
        "StatusCallback": [f"https://sms.example.org/c/sw/{UUID}/status?{OURS}"],
    }  # fmt: skip


def test_send_url_goes_before_base_url() -> None:
    url = "https://x.org/2010-04-01/Accounts/990c0000-bf8f-4156-b014-0000000000b3/Messages.json"
    assert offer("SW", config={"send_url": "https://x.org/"}, url=url).request.url == url


def test_a_place_is_required() -> None:
    with pytest.raises(ConfigError, match="base_url"):
        make("SW", base_url=None)


def test_an_opted_out_recipient() -> None:
    assert type(offer("SW", (400, {"code": 21610})).outcome) is OptedOut
