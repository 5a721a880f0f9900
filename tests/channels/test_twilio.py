"""Twilio: https://www.twilio.com/docs/messaging/api/message-resource"""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import pytest

from chalicelib.channels.base import BadRequest, Request
from chalicelib.channels.reading import parse_urlencoded
from chalicelib.channels.signatures import hmac_of
from chalicelib.messages import Incoming, OptOut, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, OptedOut, Permanent, Temporary, Throttled
from tests.channels.support import MESSAGE, UUID, Sample, make, mo, offer, request, told, without

TOKEN = "t0k3n-example"
TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'


def sign(asked: Request, token: str = TOKEN, url: str = "") -> Request:
    """The request with its X-Twilio-Signature; without where Twilio could not have sent it."""
    try:
        pairs = sorted(parse_urlencoded(asked.body), key=lambda pair: pair[0].encode())
    except BadRequest:
        return asked
    signed = (url or asked.url).encode() + b"".join(name.encode() + value for name, value in pairs)
    value = hmac_of(token, signed, algorithm="sha1", encoding="base64")
    return dataclasses.replace(asked, headers={**asked.headers, "x-twilio-signature": (value,)})


SAMPLE = Sample(
    code="T",
    config={"account_sid": "AC123", "auth_token": TOKEN},
    url="https://api.twilio.com/2010-04-01/Accounts/AC123/Messages.json",
    answer=(201, {"sid": "SM1", "status": "queued"}),
    external_id="SM1",
    sign=sign,
)
MO = {"MessageSid": "SM1", "AccountSid": "AC1", "From": "+12065550142", "To": "+12065550199", "Body": "Look",
      "FromCountry": "US", "NumMedia": "0"}  # fmt: skip
OURS = f"uuid={MESSAGE}&action=callback"


def receive(**changes: str) -> Request:
    return sign(request("T", "receive", {**MO, **changes}))


def status(raw: str, query: str = OURS, **fields: str) -> Request:
    return sign(request("T", "status", {"MessageSid": "SM1", "MessageStatus": raw, **fields}, query=query))


PACKED = base64.b64encode(("Good day to all of you " * 3).encode()).decode()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+12065550142", "Look", external_id="SM1"), id="as-documented"),
        pytest.param(receive(From="2065550142"), mo("+12065550142", "Look", external_id="SM1"), id="national"),
        pytest.param(receive(From="40404"), mo("40404", "Look", external_id="SM1"), id="short-code"),
        pytest.param(sign(request("T", "receive", {**without(MO, "FromCountry"), "From": "40404"})),
                     mo("40404", "Look", external_id="SM1"), id="short-code-as-a-name-without-country"),
        pytest.param(sign(request("T", "receive", {**without(MO, "FromCountry"), "From": "012345678"})),
                     mo("012345678", "Look", external_id="SM1"), id="local-number-as-a-name"),
        pytest.param(receive(From="MTN Info!"), mo("mtninfo", "Look", external_id="SM1"), id="alphanumeric"),
        pytest.param(receive(Body=""), mo("+12065550142", "", external_id="SM1"), id="empty"),
        pytest.param(receive(Body="Ünï 😀 +&="), mo("+12065550142", "Ünï 😀 +&=", external_id="SM1"), id="unicode"),
        pytest.param(sign(request("T", "receive", without(MO, "Body"))), mo("+12065550142", "", external_id="SM1"),
                     id="no-body"),
        pytest.param(receive(NumMedia="3", MediaUrl0="https://m/0", MediaUrl2="https://m/2", MediaUrl3="https://m/3"),
                     mo("+12065550142", "Look", external_id="SM1", attachments=("https://m/0", "https://m/2")),
                     id="media-with-a-gap"),
        pytest.param(sign(request("T", "receive", {k.lower(): v for k, v in MO.items()})),
                     mo("+12065550142", "Look", external_id="SM1"), id="names-in-any-case"),
        pytest.param(receive(Body=PACKED), mo("+12065550142", "Good day to all of you " * 3, external_id="SM1"),
                     id="base64"),
        pytest.param(receive(Body=f" {PACKED[:40]}\r\n{PACKED[40:]} "),
                     mo("+12065550142", "Good day to all of you " * 3, external_id="SM1"), id="base64-in-lines"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("T").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert (reply.content_type, reply.body) == ("text/xml", TWIML)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(base64.b64encode(b"too short a text").decode(), id="under-60-characters"),
        pytest.param("Thisisalongwordthatgoesonandonandonandonandonandonandonandonx", id="length-not-a-multiple-of-4"),
        pytest.param("https://example.org/a/very/long/link/that/goes/on/and/on/and/on", id="no-base64"),
        pytest.param(base64.b64encode(("привет мир " * 6).encode()).decode(), id="mostly-not-ascii"),
        pytest.param(base64.b64encode(bytes(range(128, 200))).decode(), id="no-text"),
        pytest.param("=" * 64, id="only-padding"),
    ],
)
def test_what_only_looks_like_base64_is_left_alone(body: str) -> None:
    (event,) = make("T").receive(receive(Body=body)).events
    assert isinstance(event, Incoming)
    assert event.text == body


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(sign(request("T", "receive", without(MO, name))), f"field '{name}' required", id=f"no-{name}")
          for name in ("MessageSid", "AccountSid", "From", "To")],
        pytest.param(receive(NumMedia="some"), "field 'NumMedia' must be an integer", id="bad-media-count"),
        pytest.param(receive(From="+!"), "not a possible number", id="bad-sender"),
        pytest.param(status("dancing"), "unknown status", id="unknown-status"),
        pytest.param(status("failed", ErrorCode="x"), "field 'ErrorCode' must be an integer", id="bad-error-code"),
        pytest.param(status("failed", ErrorCode="21610", To="MTN"), "not a possible number", id="bad-opt-out"),
        pytest.param(status("failed", ErrorCode="21610"), "not a possible number", id="opt-out-of-nobody"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("T").receive(asked)
    assert (reply.status, reply.events, reply.content_type) == (400, (), "application/json")
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("queued", ["sent"]), ("sent", ["sent"]), ("delivered", ["delivered"]), ("read", ["delivered"]),
     ("failed", ["failed"]), ("undelivered", ["failed"]), ("canceled", ["failed"]), ("accepted", []),
     ("scheduled", []), ("sending", []), ("receiving", []), ("received", [])],
)  # fmt: skip
def test_statuses(raw: str, expected: list[str]) -> None:
    reply = make("T").receive(status(raw))
    assert (reply.status, told(reply)) == (200, expected)
    if expected:
        assert reply.content_type == "application/json"
        assert reply.body.startswith(b'{"message":"Status Update Accepted","data":[{"type":"status",')


@pytest.mark.parametrize(
    ("query", "ours", "part"),
    [
        (OURS, MESSAGE, 0),
        (OURS + "&part=2", MESSAGE, 2),
        ("id=1241244", "1241244", 0),
        ("uuid=nonsense", "", None),
        ("", "", None),
    ],
)
def test_whose_status_it_is(query: str, ours: str, part: int | None) -> None:
    (update,) = make("T").receive(status("sent", query)).events
    assert isinstance(update, StatusUpdate)
    assert (update.id, update.part, update.external_id) == (ours, part, "SM1")


@pytest.mark.parametrize("missing", ["MessageSid", "MessageStatus"])
def test_a_status_without_the_essentials_is_ignored_in_twiml(missing: str) -> None:
    data = without({"MessageSid": "SM1", "MessageStatus": "sent"}, missing)
    reply = make("T").receive(sign(request("T", "status", data)))
    assert (reply.status, reply.kind, reply.content_type, reply.events) == (200, "ignored", "text/xml", ())
    assert reply.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?><!-- ')
    assert reply.body.endswith(b" --><Response/>")


def test_reports_that_are_no_failures_can_be_ignored() -> None:
    channel = make("T", ignore_dlrs=True)
    assert told(channel.receive(status("delivered"))) == []
    assert told(channel.receive(status("failed"))) == ["failed"]


def test_an_unsubscribed_recipient_is_a_failure_and_an_opt_out() -> None:
    reply = make("T").receive(status("undelivered", ErrorCode="21610", To="+12065550142"))
    update, optout = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.status.value, update.code) == ("failed", "21610")
    assert update.reason == "Attempt to send to unsubscribed recipient"
    assert optout == OptOut(channel=UUID, sender="+12065550142")
    assert reply.body.startswith(b'{"message":"Status Update Accepted"')


def test_a_rate_limit_is_a_temporary_failure() -> None:
    asked = status("undelivered", ErrorCode="63018")
    assert told(make("T").receive(asked)) == ["failed"]
    patient = make("T", retry_errored=True).receive(asked)
    assert (patient.status, patient.kind, patient.events) == (200, "ignored", ())


# --- signatures -----------------------------------------------------------------------------------------------------

VECTOR_URL = "https://sms.example.org/c/t/6f0a1c9e-1111-4222-8333-944455566677"
RECEIVE = {"MessageSid": "SM00000000000000000000000000000abc", "AccountSid": "AC00000000000000000000000000000def",
           "From": "+12065550142", "To": "+12065550199", "Body": "Good day", "FromCountry": "US",
           "NumMedia": "0"}  # fmt: skip
STATUS = {"MessageSid": "SM00000000000000000000000000000abc", "MessageStatus": "undelivered", "ErrorCode": "21610",
          "To": "+12065550142", "From": "+12065550199"}  # fmt: skip
STATUS_QUERY = "uuid=0198f2d4-5b7a-7c31-9d52-3e1f0a6b8c90&action=callback"


def vector(action: str, data: dict[str, str], query: str, signature: str, **headers: str) -> Request:
    given = {"X-Twilio-Signature": signature, **{name.replace("_", "-"): value for name, value in headers.items()}}
    asked = request("T", action, data, headers=given)
    return dataclasses.replace(asked, url=f"{VECTOR_URL}/{action}" + (f"?{query}" if query else ""))


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(vector("receive", RECEIVE, "", "YqYvDtm4Nv390YPvgtaBmzvgWHI="), id="receive"),
        pytest.param(vector("receive", dict(reversed(RECEIVE.items())), "", "YqYvDtm4Nv390YPvgtaBmzvgWHI="),
                     id="in-any-order"),
        pytest.param(vector("status", STATUS, STATUS_QUERY, "FLKCmu02ZELVDzs4Vf3cARtuvy8="), id="with-a-query"),
    ],
)  # fmt: skip
def test_signature_vectors(asked: Request) -> None:
    assert make("T").receive(asked).status == 200


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(request("T", "receive", RECEIVE), id="missing"),
        pytest.param(vector("receive", RECEIVE, "", ""), id="empty"),
        pytest.param(vector("receive", RECEIVE, "", "YqYvDtm4Nv390YPvgtaBmzvgWHJ="), id="wrong"),
        pytest.param(vector("receive", RECEIVE, "", "é"), id="not-ascii"),
        pytest.param(vector("receive", {**RECEIVE, "Body": "Bad day"}, "", "YqYvDtm4Nv390YPvgtaBmzvgWHI="), id="body"),
        pytest.param(vector("receive", RECEIVE, "x=1", "YqYvDtm4Nv390YPvgtaBmzvgWHI="), id="query"),
        pytest.param(vector("receive", RECEIVE, "", "YqYvDtm4Nv390YPvgtaBmzvgWHI=", X_Forwarded_Path="/x"), id="path"),
        pytest.param(sign(request("T", "receive", MO), token="another"), id="another-token"),
    ],
)
@pytest.mark.parametrize("action", ["receive", "status"])
def test_bad_signatures(asked: Request, action: str) -> None:
    reply = make("T").receive(dataclasses.replace(asked, action=action))
    assert (reply.status, reply.kind, reply.events) == (401, "forbidden", ())
    assert reply.body.startswith(b'{"message":"Unauthorized","data":[{"type":"error","error":"')


def test_the_signed_url_is_the_one_twilio_was_given() -> None:
    """https whatever reached us; the Host header with its port; X-Forwarded-Path for path and query."""
    asked = request("T", "receive", MO, query="a=b", headers={"X-Forwarded-Path": "/outer/path?q=%41"})
    asked = dataclasses.replace(asked, headers={**asked.headers, "host": ("Proxy.example.org:8443",)})
    assert make("T").receive(sign(asked, url="https://Proxy.example.org:8443/outer/path?q=%41")).status == 200
    plain = dataclasses.replace(request("T", "receive", MO), url=f"http://sms.example.org/c/t/{UUID}/receive")
    assert make("T").receive(sign(plain, url=f"https://sms.example.org/c/t/{UUID}/receive")).status == 200
    hidden = dataclasses.replace(request("T", "receive", MO), headers={"host": ("10.0.0.1",)})
    assert make("T").receive(sign(dataclasses.replace(hidden, headers={
        **hidden.headers, "content-type": ("application/x-www-form-urlencoded",)}))).status == 200  # fmt: skip


def test_a_repeated_parameter_is_signed_once_by_name() -> None:
    body = b"MessageSid=SM1&MessageStatus=sent&X=2&X=1"
    asked = request("T", "status", body, headers={"content-type": "application/x-www-form-urlencoded"})
    value = hmac_of(TOKEN, f"{asked.url}MessageSidSM1MessageStatussentX21".encode(), algorithm="sha1",
                    encoding="base64")  # fmt: skip
    signed = dataclasses.replace(asked, headers={**asked.headers, "x-twilio-signature": (value,)})
    assert make("T").receive(signed).status == 200


def test_our_own_callback_url_can_be_signed() -> None:
    """Also with a token whose characters a gateway on the way writes differently."""
    channel = make("T", secret="t!k(n)")
    callback = offer("T", config={"secret": "t!k(n)"}).form["StatusCallback"][0]
    assert callback == channel.callback("status", OURS)
    data = {"MessageSid": "SM1", "MessageStatus": "sent"}
    asked = request("T", "status", data, query=OURS + "&token=t!k(n)")
    assert channel.receive(sign(asked, url=callback)).status == 200


# --- sending --------------------------------------------------------------------------------------------------------


def test_request() -> None:
    done = offer("T", text="Ünï ✓", address="+12065550199")
    assert done.form == {
        "To": ["+254700111222"], "From": ["+12065550199"], "Body": ["Ünï ✓"],
        "StatusCallback": [f"https://sms.example.org/c/t/{UUID}/status?uuid={MESSAGE}&action=callback"],
    }  # fmt: skip
    assert done.request.headers["Accept"] == "application/json"
    assert done.request.headers["Authorization"] == "Basic " + base64.b64encode(f"AC123:{TOKEN}".encode()).decode()


@pytest.mark.parametrize(
    ("config", "address", "expected"),
    [
        ({"messaging_service_sid": "MG1"}, "20990", {"From": ["20990"], "MessagingServiceSid": ["MG1"]}),
        ({"messaging_service_sid": "MG1"}, "", {"MessagingServiceSid": ["MG1"]}),
        ({"messaging_service_sid": "MG1", "link_shortening": True}, "",
         {"MessagingServiceSid": ["MG1"], "ShortenUrls": ["true"]}),
        ({"link_shortening": True}, "20990", {"From": ["20990"]}),
    ],
)  # fmt: skip
def test_messaging_services(config: dict[str, Any], address: str, expected: dict[str, list[str]]) -> None:
    form = offer("T", config=config, address=address).form
    assert {k: v for k, v in form.items() if k not in ("To", "Body", "StatusCallback")} == expected


def test_media_on_the_first_part_and_the_part_in_the_callback() -> None:
    done = offer("T", text="word " * 700, attachments=["image/jpeg:https://x.org/a b.jpg", "video/mp4:https://x.org/é"])
    first, second, third = done.forms()
    assert first["MediaUrl"] == ["https://x.org/a%20b.jpg", "https://x.org/%C3%A9"]
    assert "MediaUrl" not in second
    assert first["StatusCallback"][0].endswith(f"?{OURS}")
    assert second["StatusCallback"][0].endswith(f"?{OURS}&part=1")
    assert third["StatusCallback"][0].endswith(f"?{OURS}&part=2")
    assert max(len(form["Body"][0]) for form in (first, second, third)) <= 1600


def test_media_alone_has_an_empty_body() -> None:
    form = offer("T", text="", attachments=["image/jpeg:https://x.org/a.jpg"]).form
    assert (form["Body"], form["MediaUrl"]) == ([""], ["https://x.org/a.jpg"])


def test_an_awkward_id_does_not_break_the_callback() -> None:
    (callback,) = offer("T", id="a&b=c").form["StatusCallback"]
    assert callback.endswith("?uuid=a%26b%3Dc&action=callback")


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((201, {}), Accepted, None, id="no-sid-is-accepted"),
        pytest.param((400, {"code": 21610}), OptedOut, "21610", id="unsubscribed"),
        pytest.param((400, {"code": 21211}), Permanent, "21211", id="bad-number"),
        pytest.param((400, {"code": 99999}), Permanent, "99999", id="unknown-code"),
        pytest.param((400, {"code": 0}), Permanent, "400", id="zero-is-no-code"),
        pytest.param((400, {"message": "no"}), Permanent, "400", id="no-code"),
        pytest.param((404, ""), Permanent, "404", id="empty-body"),
        pytest.param((400, {"code": 21606}), Permanent, "21606", id="not-for-this-destination"),
        pytest.param((403, {"code": 21408}), Permanent, "21408", id="region-not-enabled"),
        pytest.param((401, {"code": 20003}), ChannelDown, "20003", id="bad-credentials"),
        pytest.param((403, {"code": 20005}), ChannelDown, "20005", id="account-not-active"),
        pytest.param((400, {"code": 30002}), ChannelDown, "30002", id="account-suspended"),
        pytest.param((429, {"code": 20429}), Throttled, "20429", id="too-many-requests"),
        pytest.param((400, {"code": 21611}), Throttled, "21611", id="queue-is-full"),
        pytest.param((503, {"code": 20503}), Temporary, "503", id="server-error-with-code"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("T", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code


@pytest.mark.parametrize(
    ("code", "title"),
    [("21211", "Invalid 'To' Phone Number"), ("99999", "Twilio error 99999, see https://www.twilio.com/docs/api/")],
)
def test_refusals_say_what_twilio_means(code: str, title: str) -> None:
    outcome = offer("T", (400, {"code": int(code)})).outcome
    assert isinstance(outcome, Permanent)
    assert outcome.reason.startswith(title)
