"""MessageBird: https://developers.messagebird.com/api/sms-messaging/"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, OptOut, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary
from tests.channels.support import MESSAGE, NOW, UUID, Sample, jwt, make, mo, offer, request, told, without

SECRET = "signing key"


def sha256(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def sign(asked: Request, key: str = SECRET, algorithm: str = "HS256", url: str = "", **claims: Any) -> Request:
    """The signature over the URL without its query, as MessageBird's documentation has it."""
    known = {"url_hash": sha256((url or asked.url.partition("?")[0]).encode()), "payload_hash": sha256(asked.body)}
    value = jwt({**known, **claims}, key, algorithm)
    return dataclasses.replace(asked, headers={**asked.headers, "messagebird-signature-jwt": (value,)})


SAMPLE = Sample(
    code="MBD",
    config={"auth_token": "live k-1&23", "secret": SECRET},
    url="https://rest.messagebird.com/messages",
    answer=(201, {"id": "0d1c2b", "recipients": {"totalCount": 1}}),
    external_id="0d1c2b",
    sign=sign,
)
MMS_URL = "https://rest.messagebird.com/mms"
MO = {"id": "c0ff", "recipient": "31970001122", "originator": "31612345678", "body": "Hello there",
      "createdDatetime": "2024-05-06T07:08:09+00:00"}  # fmt: skip
SHORT = {"mid": "m1", "shortcode": "1008", "originator": "31612345678", "message": "JOIN",
         "receive_datetime": "20240506070809", "body": "not this", "id": "nor this"}  # fmt: skip
AT = 1_714_979_289_000
KNOWN: dict[str, Any] = {"external_id": "c0ff", "received_at": AT}


def receive(data: dict[str, Any] | None = None, **changes: str) -> Request:
    return sign(request("MBD", "receive", {**(data or MO), **changes}))


def raw(*pairs: tuple[str, str]) -> Request:
    body = urlencode([*MO.items(), *pairs]).encode()
    return sign(request("MBD", "receive", body, headers={"content-type": "application/x-www-form-urlencoded"}))


def status(**fields: str) -> Request:
    given = {"id": "0d1c2b", "recipient": "31612345678", "status": "delivered", **fields}
    return request("MBD", "status", method="GET", query=urlencode(given))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+31612345678", "Hello there", **KNOWN), id="as-documented"),
        pytest.param(receive(SHORT), mo("+31612345678", "JOIN", external_id="m1", received_at=AT), id="short-code"),
        pytest.param(receive(body="Ünï 😀\x00"), mo("+31612345678", "Ünï 😀", **KNOWN), id="unicode"),
        pytest.param(receive(originator="40404"), mo("40404", "Hello there", **KNOWN), id="from-a-short-code"),
        pytest.param(receive(without(MO, "id")), mo("+31612345678", "Hello there", received_at=AT), id="no-id"),
        pytest.param(raw(("body", "last"), ("id", "x")), mo("+31612345678", "last", external_id="x", received_at=AT),
                     id="last-value-wins"),
        pytest.param(receive({name.upper(): value for name, value in MO.items()}),
                     mo("+31612345678", "Hello there", **KNOWN), id="names-in-any-case"),
        pytest.param(raw(("mediaUrls", "https://m/1"), ("mediaURLs", "https://m/2"), ("mediaUrls", "")),
                     mo("+31612345678", "Hello there", attachments=("https://m/1", "https://m/2"), **KNOWN),
                     id="media"),
        pytest.param(receive(without(MO, "body"), mediaUrls="https://m/1"),
                     mo("+31612345678", "", attachments=("https://m/1",), **KNOWN), id="media-alone"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("MBD").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert (reply.content_type, reply.body) == ("text/plain", b"OK")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(without(MO, "originator")), "field 'originator' required", id="no-sender"),
        pytest.param(receive(originator="Acme"), "not a possible number", id="bad-sender"),
        pytest.param(receive(without(MO, "body")), "no text and no media", id="no-text"),
        pytest.param(receive(without(SHORT, "message")), "no text and no media", id="short-without-text"),
        pytest.param(receive(without(MO, "createdDatetime")), "invalid date", id="no-date"),
        pytest.param(receive(without(SHORT, "receive_datetime")), "invalid date", id="short-without-date"),
        pytest.param(receive(createdDatetime="2024-05-06T07:08:09+02:00"), "invalid date", id="another-zone"),
        pytest.param(receive(SHORT, receive_datetime="2024-05-06"), "invalid date", id="short-bad-date"),
        pytest.param(status(status="dancing"), "unknown status", id="status-unknown"),
        pytest.param(status(status=""), "unknown status", id="status-missing"),
        pytest.param(status(id=""), "external id", id="status-of-nothing"),
        pytest.param(status(statusErrorCode="103", recipient="Acme"), "not a possible number", id="opt-out-of-nobody"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("MBD").receive(asked)
    assert (reply.status, reply.events, reply.content_type) == (400, (), "application/json")
    assert why in reply.reason


@pytest.mark.parametrize(
    ("word", "expected"),
    [("scheduled", "sent"), ("sent", "sent"), ("buffered", "sent"), ("delivered", "delivered"),
     ("delivery_failed", "failed"), ("expired", "failed")],
)  # fmt: skip
def test_statuses(word: str, expected: str) -> None:
    reply = make("MBD").receive(status(status=word))
    assert (reply.status, told(reply)) == (200, [expected])
    assert reply.body.startswith(b'{"message":"Status Update Accepted"')


@pytest.mark.parametrize(
    ("reference", "ours"), [(MESSAGE, MESSAGE), (MESSAGE.upper(), MESSAGE), ("1241244", "1241244"), ("x", ""), ("", "")]
)
def test_whose_status_it_is(reference: str, ours: str) -> None:
    (update,) = make("MBD").receive(status(reference=reference)).events
    assert isinstance(update, StatusUpdate)
    assert (update.id, update.external_id, update.destination) == (ours, "0d1c2b", "31612345678")


@pytest.mark.parametrize(("date", "at"), [("2024-05-06T07:08:10+00:00", AT + 1000), ("yesterday", None), ("", None)])
def test_a_bad_date_does_not_cost_the_status(date: str, at: int | None) -> None:
    fields = {"statusDatetime": date, "statusErrorCode": "many", "statusReason": "unknown subscriber"}
    (update,) = make("MBD").receive(status(status="delivery_failed", **fields)).events
    assert isinstance(update, StatusUpdate)
    assert (update.at, update.code, update.reason) == (at, "many", "unknown subscriber")


@pytest.mark.parametrize("recipient", ["31612345678", "+31612345678", "4791234567"])
def test_an_unsubscribed_recipient_is_a_failure_and_an_opt_out(recipient: str) -> None:
    reply = make("MBD").receive(status(status="delivery_failed", statusErrorCode="103", recipient=recipient))
    assert told(reply) == ["failed"]
    assert reply.events[1] == OptOut(channel=UUID, sender="+" + recipient.lstrip("+"))


# --- signatures -----------------------------------------------------------------------------------------------------

PLAIN = request("MBD", "receive", MO)
HIDDEN = dataclasses.replace(PLAIN, url=f"https://10.0.0.1/c/mbd/{UUID}/receive")


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(sign(PLAIN), id="good"),
        pytest.param(sign(PLAIN, algorithm="HS512"), id="another-hmac"),
        pytest.param(sign(PLAIN, payload_hash=None), id="no-body-hash"),
        pytest.param(sign(PLAIN, nbf=NOW // 1000, exp=NOW // 1000 + 1), id="in-its-time"),
        pytest.param(sign(HIDDEN, url=PLAIN.url), id="behind-a-proxy"),
        pytest.param(sign(HIDDEN), id="as-called"),
        pytest.param(sign(request("MBD", "receive", MO, query="a=b%20c")), id="url-without-its-query"),
        pytest.param(sign(request("MBD", "receive", MO, query="a=b%20c"), url=PLAIN.url + "?a=b%20c"), id="with-it"),
    ],
)
def test_good_signatures(asked: Request) -> None:
    assert make("MBD").receive(asked).status == 200


def test_the_hashes_are_those_of_the_documentation() -> None:
    path = f"https://rp.example.org/c/mbd/{UUID}/receive"
    assert sha256(path.encode()) == "b5520a451aa23033f54f2674a4c5b4cebb778cd0edcb564b1e99ae2fd53e1415"
    body = (b"id=c0ffee11d2a94b6f8e7788990011aabb&recipient=31970001122&originator=31612345678&body=Hello+there"
            b"&createdDatetime=2024-05-06T07%3A08%3A09%2B00%3A00")  # fmt: skip
    assert sha256(body) == "11657bcc657b3885cd05dc98bc5ab0210d4be30b615df5f49a27ad5ae5cde697"
    form = {"content-type": "application/x-www-form-urlencoded"}
    asked = sign(request("MBD", "receive", body, headers=form), url=path)
    assert make("MBD", callback_domain="rp.example.org").receive(asked).status == 200
    assert make("MBD").receive(asked).status == 401


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(PLAIN, id="missing"),
        pytest.param(sign(PLAIN, key="another"), id="another-key"),
        pytest.param(sign(PLAIN, url="https://other.example.org/x"), id="another-url"),
        pytest.param(sign(PLAIN, url_hash=None), id="no-url-hash"),
        pytest.param(sign(PLAIN, url_hash=7), id="url-hash-is-no-text"),
        pytest.param(sign(PLAIN, payload_hash=sha256(b"other")), id="another-body"),
        pytest.param(sign(PLAIN, payload_hash=""), id="empty-body-hash"),
        pytest.param(sign(PLAIN, exp=NOW // 1000 - 61), id="replayed"),
        pytest.param(dataclasses.replace(PLAIN, headers={"messagebird-signature-jwt": ("é.é.é",)}), id="not-ascii"),
    ],
)
def test_bad_signatures(asked: Request) -> None:
    reply = make("MBD").receive(asked)
    assert (reply.status, reply.kind, reply.events) == (401, "forbidden", ())


def test_without_a_secret_no_message_is_taken() -> None:
    reply = make("MBD", secret=None).receive(sign(PLAIN))
    assert (reply.status, reply.kind) == (401, "forbidden")
    assert "no secret" in reply.reason


def test_reports_can_be_asked_to_be_signed() -> None:
    channel = make("MBD", verify_status=True)
    assert channel.receive(status()).status == 401
    assert told(channel.receive(sign(status()))) == ["delivered"]


# --- sending --------------------------------------------------------------------------------------------------------


def test_request() -> None:
    done = offer("MBD", text="Hello", address="+31970001122")
    assert json.loads(done.request.body) == {"recipients": ["+254700111222"], "reference": MESSAGE,
                                             "originator": "+31970001122", "body": "Hello"}  # fmt: skip
    assert done.request.headers["Authorization"] == "AccessKey live k-1&23"
    assert done.request.headers["Content-Type"] == "application/json"


def test_what_is_not_gsm_is_not_made_question_marks() -> None:
    body = json.loads(offer("MBD", text="✓ " * 500).request.body)
    assert (body["body"], body["datacoding"]) == ("✓ " * 500, "auto")


@pytest.mark.parametrize(("text", "said"), [("Look ✓", {"body": "Look ✓"}), ("", {})])
def test_mms_request(text: str, said: dict[str, str]) -> None:
    files = ["image/jpeg:https://x.org/a.jpg", "malformed", "video/mp4:https://x.org/b.mp4"]
    done = offer("MBD", url=MMS_URL, text=text, attachments=files)
    assert json.loads(done.request.body) == {
        "recipients": ["+254700111222"], "reference": MESSAGE, "originator": "20990",
        "mediaUrls": ["https://x.org/a.jpg", "https://x.org/b.mp4"], **said,
    }  # fmt: skip


def error(code: int) -> dict[str, Any]:
    return {"errors": [{"code": code, "description": "no", "parameter": None}]}


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((201, {}), Accepted, None, id="no-id-is-accepted"),
        pytest.param((422, error(25)), ChannelDown, "25", id="no-balance"),
        pytest.param((422, error(2)), ChannelDown, "2", id="access-key"),
        pytest.param((422, error(9)), Permanent, "422", id="bad-parameter"),
        pytest.param((400, "no"), Permanent, "400", id="no-json"),
        pytest.param((503, error(99)), Temporary, "503", id="internal"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("MBD", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
