"""Vonage's SMS API."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.channels.base import IncomingPiece, Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import MESSAGE, NOW, UUID, Json, Sample, make, mo, multipart, offer, request, told, without

SAMPLE = Sample(
    code="NX",
    config={"nexmo_api_key": "k1", "nexmo_api_secret": "s-1&23 é"},
    url="https://rest.nexmo.com/sms/json",
    answer=(200, {"message-count": "1", "messages": [{"message-id": "0A00000000ABCD02", "status": "0"}]}),
    external_id="0A00000000ABCD02",
)
MO = {"to": "447700900555", "msisdn": "447700900123", "messageId": "0A01", "text": "Hi there", "type": "text"}
REPORT = {"msisdn": "447700900123", "to": "447700900555", "messageId": "0A02", "status": "delivered", "err-code": "0"}
PART = {**MO, "concat": "true", "concat-ref": "78", "concat-total": "3", "concat-part": "2"}


def receive(data: dict[str, str] | None = None, **changes: str) -> Request:
    return request("NX", "receive", {**(data or MO), **changes})


def status(data: dict[str, str] | None = None, **changes: str) -> Request:
    given = {**(data or REPORT), **changes}
    return request("NX", "status", method="GET", query=urlencode(given))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+447700900123", "Hi there", external_id="0A01"), id="post-form"),
        pytest.param(request("NX", "receive", method="GET", query=urlencode(MO)),
                     mo("+447700900123", "Hi there", external_id="0A01"), id="get"),
        pytest.param(request("NX", "receive", Json(MO)), mo("+447700900123", "Hi there", external_id="0A01"),
                     id="post-json"),
        pytest.param(request("NX", "receive", multipart(MO)[0], headers=multipart(MO)[1]),
                     mo("+447700900123", "Hi there", external_id="0A01"), id="multipart"),
        pytest.param(receive({name.upper(): value for name, value in MO.items()}),
                     mo("+447700900123", "Hi there", external_id="0A01"), id="names-in-any-case"),
        pytest.param(receive(without(MO, "text")), mo("+447700900123", "", external_id="0A01"), id="no-text"),
        pytest.param(receive(without(MO, "messageId")), mo("+447700900123", "Hi there"), id="no-id"),
        pytest.param(receive(text="Ünï 😀\x00"), mo("+447700900123", "Ünï 😀", external_id="0A01"), id="unicode"),
        pytest.param(receive(msisdn="40404"), mo("40404", "Hi there", external_id="0A01"), id="short-code"),
        pytest.param(receive(msisdn="4791234567"), mo("+4791234567", "Hi there", external_id="0A01"), id="ten-digits"),
        pytest.param(receive(msisdn="0700111222"), mo("+254700111222", "Hi there", external_id="0A01"), id="national"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("NX").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize("asked", [receive(PART), request("NX", "receive", Json({**PART, "concat": True}))])
def test_parts_of_long_messages_are_pieces(asked: Request) -> None:
    (event,) = make("NX").receive(asked).events
    assert isinstance(event, IncomingPiece)
    assert (event.text, event.piece.total, event.piece.sequence) == ("Hi there", 3, 2)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(without(MO, "msisdn")), "field 'msisdn' required", id="no-sender"),
        pytest.param(receive(msisdn="Acme"), "not a possible number", id="bad-sender"),
        pytest.param(receive(PART, **{"concat-part": "4"}), "from 1 to the number of parts", id="part-beyond"),
        pytest.param(receive(without(PART, "concat-total")), "from 1 to the number of parts", id="part-of-nothing"),
        pytest.param(receive(PART, **{"concat-part": "two"}), "field 'concat-part' must be an integer", id="bad-part"),
        pytest.param(request("NX", "receive", b"{", headers={"content-type": "application/json"}), "JSON", id="json"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("NX").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(request("NX", "receive", method="GET"), "'to'", id="probe"),
        pytest.param(request("NX", "status", method="GET"), "'messageId'", id="probe-of-status"),
        pytest.param(receive(without(MO, "to")), "'to'", id="no-to"),
        pytest.param(status(without(REPORT, "messageId")), "'messageId'", id="report-without-id"),
        pytest.param(status(status="dancing"), "'dancing'", id="another-status"),
        pytest.param(status(without(REPORT, "status")), "nothing to do", id="no-status"),
    ],
)
def test_ignored(asked: Request, why: str) -> None:
    reply = make("NX").receive(asked)
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("delivered", "delivered"), ("accepted", "sent"), ("buffered", "sent"), ("unknown", "wired"),
     ("failed", "failed"), ("expired", "failed"), ("rejected", "failed")],
)  # fmt: skip
def test_statuses(raw: str, expected: str) -> None:
    for asked in (status(status=raw), request("NX", "status", Json({**REPORT, "status": raw}))):
        reply = make("NX").receive(asked)
        assert (reply.status, told(reply)) == (200, [expected])


@pytest.mark.parametrize(
    ("code", "reason"),
    [("6", "Anti-Spam Rejection"), ("54", "Regulation Error"), ("77", "")],
)
def test_why_it_failed(code: str, reason: str) -> None:
    (update,) = make("NX").receive(status({**REPORT, "status": "failed", "err-code": code})).events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.destination) == ("0A02", "447700900123")
    assert (update.code, update.reason) == (code, reason)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [(MESSAGE, (MESSAGE, 0)), (MESSAGE + ".2", (MESSAGE, 1)), (MESSAGE + "~2", ("", None)), ("theirs", ("", None))],
)
def test_our_reference_names_the_message_too(reference: str, expected: tuple[str, int | None]) -> None:
    (update,) = make("NX").receive(status({**REPORT, "client-ref": reference})).events
    assert isinstance(update, StatusUpdate)
    assert ((update.id, update.part), update.external_id) == (expected, "0A02")


# --- signatures -----------------------------------------------------------------------------------------------------

SIGNED = {**MO, "text": "a=b&c é", "timestamp": str(NOW // 1000), "nonce": "n1"}
TO_SIGN = (f"&messageId=0A01&msisdn=447700900123&nonce=n1&text=a_b_c é&timestamp={NOW // 1000}"
           "&to=447700900555&type=text").encode()  # fmt: skip


def signature(method: str = "md5hash", octets: bytes = TO_SIGN, key: bytes = b"sig-key") -> str:
    if method == "md5hash":
        return hashlib.md5(octets + key).hexdigest()
    return hmac.new(key, octets, method).hexdigest()


@pytest.mark.parametrize("method", ["md5hash", "md5", "sha1", "sha256", "sha512"])
def test_signatures(method: str) -> None:
    channel = make("NX", signature_secret="sig-key", signature_method=method)
    for sig in (signature(method), signature(method).upper()):
        assert channel.receive(receive(SIGNED, sig=sig)).status == 200
        assert channel.receive(request("NX", "receive", Json({**SIGNED, "sig": sig}))).status == 200
    for sig in ("", "0" * 32, signature(method, key=b"another")):
        assert channel.receive(receive(SIGNED, sig=sig)).status == 401
    assert channel.receive(receive(SIGNED, text="forged", sig=signature(method))).status == 401


def test_our_token_need_not_be_signed() -> None:
    channel = make("NX", signature_secret="sig-key", secret="tok")
    asked = request("NX", "receive", {**SIGNED, "sig": signature()}, query="token=tok")
    assert channel.receive(asked).status == 200
    whole = TO_SIGN.replace(b"&type=", b"&token=tok&type=")
    asked = request("NX", "receive", {**SIGNED, "sig": signature(octets=whole)}, query="token=tok")
    assert channel.receive(asked).status == 200


@pytest.mark.parametrize("stamp", [str(NOW // 1000 - 90_000), str(NOW // 1000 + 90_000), "", "soon"])
def test_replays(stamp: str) -> None:
    octets = TO_SIGN.replace(f"timestamp={NOW // 1000}".encode(), f"timestamp={stamp}".encode())
    asked = receive(SIGNED, timestamp=stamp, sig=signature(octets=octets))
    reply = make("NX", signature_secret="sig-key").receive(asked)
    assert (reply.status, reply.reason) == (401, "the request's timestamp is missing or more than a day old")


def test_a_probe_is_not_signed() -> None:
    channel = make("NX", signature_secret="sig-key")
    assert channel.receive(request("NX", "receive", method="GET")).kind == "ignored"
    assert channel.receive(status()).status == 401


# --- sending --------------------------------------------------------------------------------------------------------


def test_request() -> None:
    done = offer("NX", text="Hello", address="+447700900555", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert done.form == {
        "api_key": ["k1"], "api_secret": ["s-1&23 é"], "from": ["447700900555"], "to": ["254700111222"],
        "text": ["Hello\nhttps://x.org/a.jpg"], "type": ["text"], "status-report-req": ["1"],
        "callback": [f"https://sms.example.org/c/nx/{UUID}/status"], "client-ref": [MESSAGE],
    }  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), [("é € {}", "text"), ("ê", "unicode"), ("Привет", "unicode")])
def test_encodings(text: str, kind: str) -> None:
    form = offer("NX", text=text).form
    assert (form["text"], form["type"]) == ([text], [kind])


def test_every_part_keeps_its_id() -> None:
    done = offer("NX", text="word " * 400)
    assert done.outcomes == [Accepted("0A00000000ABCD02")] * 2
    assert [form["client-ref"] for form in done.forms()] == [[MESSAGE], [MESSAGE + ".2"]]


def test_an_id_that_is_too_long_is_no_reference() -> None:
    assert "client-ref" not in offer("NX", id="x" * 101).form


def test_keys_of_voice_are_taken() -> None:
    channel = make("NX", nexmo_app_id="app", nexmo_app_private_key="pem", callback_domain="other.example.org")
    assert channel.secrets() == ("s-1&23 é", "pem")
    assert channel.callback("status") == f"https://other.example.org/c/nx/{UUID}/status"


def messages(status: Any) -> dict[str, Any]:
    return {"messages": [{"status": status, "message-id": "1", "error-text": "why"}]}


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param({"messages": [{"status": "0"}]}, Accepted, None, id="no-id-is-accepted"),
        *[pytest.param(messages(code), Throttled, code, id=f"throttled-{code}") for code in ("1", "10")],
        pytest.param(messages("5"), Temporary, "5", id="internal-error"),
        *[pytest.param(messages(code), ChannelDown, code, id=f"account-{code}")
          for code in ("4", "8", "9", "11", "14", "32")],
        *[pytest.param(messages(code), Permanent, code, id=f"permanent-{code}")
          for code in ("2", "3", "6", "7", "12", "15", "22", "23", "29", "33", "99")],
        pytest.param(messages(None), Permanent, "", id="no-status"),
        pytest.param("ok", Permanent, "", id="no-json"),
    ],
)  # fmt: skip
def test_answers(answer: Any, expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("NX", (200, answer)).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code


def test_errors_have_names() -> None:
    assert str(offer("NX", (200, messages("7"))).outcome) == "Number Barred"
    assert str(offer("NX", (200, messages("8"))).outcome) == "Vonage: Partner Account Barred"


@pytest.mark.parametrize("status", [200, 420, 429, 503])
def test_the_text_says_how_long_to_wait(status: int) -> None:
    text = json.dumps(messages("1")).replace("why", "Throughput Rate Exceeded - please wait [ 250 ] and retry")
    outcome = offer("NX", (status, text)).outcome
    assert isinstance(outcome, Throttled)
    assert outcome.retry_after == 0.25
