"""Click Mobile: https://www.click-mobile.com"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from chalicelib import clock
from chalicelib.channels.base import Request
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import MESSAGE, Sample, make, mo, offer, request

SAMPLE = Sample(
    code="CM",
    config={"username": "acme", "password": "pw-1&23 é", "app_id": "app7", "org_id": "org9"},
    url="http://206.225.81.36/ucm_api/index.php",
    answer=(200, {"code": "000", "desc": "Operation successful.", "data": {"new_record_id": "48127"}}),
)
FIELDS = {"shortCode": "2121", "mobile": "265991112233", "referenceID": "77812001", "text": "Join"}


def document(root: str = "request", **changes: str | None) -> bytes:
    fields = {name: value for name, value in {**FIELDS, **changes}.items() if value is not None}
    return f"<{root}>{''.join(f'<{n}>{v}</{n}>' for n, v in fields.items())}</{root}>".encode()


def receive(body: bytes, method: str = "POST") -> Request:
    return request("CM", "receive", body, method=method, headers={"content-type": "text/xml"})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(document()), mo("+265991112233", "Join", external_id="77812001"), id="as-documented"),
        pytest.param(receive(document(), "GET"), mo("+265991112233", "Join", external_id="77812001"), id="get"),
        pytest.param(receive(document(referenceID=None)), mo("+265991112233", "Join"), id="no-id"),
        pytest.param(receive(document(text=None)), mo("+265991112233", "", external_id="77812001"), id="no-text"),
        pytest.param(receive(document(text="Moni &lt;3 ŵ 😀")),
                     mo("+265991112233", "Moni <3 ŵ 😀", external_id="77812001"), id="unicode"),
        pytest.param(receive(b'<?xml version="1.0" encoding="ISO-8859-1"?>' + document(text="caf\u00e9").replace(
            "é".encode(), b"\xe9")), mo("+265991112233", "café", external_id="77812001"), id="latin-1"),
        pytest.param(receive(document('request xmlns="urn:x" a="b"').replace(b'</request xmlns="urn:x" a="b">',
                                                                            b"</request>")),
                     mo("+265991112233", "Join", external_id="77812001"), id="namespace-and-attributes"),
        pytest.param(receive(document(mobile="0700111222")), mo("+254700111222", "Join", external_id="77812001"),
                     id="national"),
        pytest.param(receive(document(mobile="40404")), mo("40404", "Join", external_id="77812001"), id="short-code"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("CM").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted"')


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(b"", "unable to parse request XML", id="empty"),
        pytest.param(b"mobile=265991112233", "unable to parse request XML", id="form"),
        pytest.param(b"<!DOCTYPE request>" + document(), "unable to parse request XML", id="dtd"),
        pytest.param(document("response"), "root must be 'request'", id="another-root"),
        pytest.param(document(mobile=None), "field 'mobile' required", id="no-sender"),
        pytest.param(document(mobile=" "), "field 'mobile' required", id="empty-sender"),
        pytest.param(document(shortCode=""), "field 'shortCode' required", id="no-short-code"),
        pytest.param(document().replace(b"mobile", b"Mobile"), "field 'mobile' required", id="name-in-another-case"),
        pytest.param(document(mobile="Acme"), "not a possible number", id="bad-sender"),
    ],
)
def test_refused(body: bytes, why: str) -> None:
    reply = make("CM").receive(receive(body))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


def test_request() -> None:
    done = offer("CM", text="Moni ✓", address="2121", attachments=["image/jpeg:https://x.org/a.jpg"])
    body = json.loads(done.request.body)
    stamp, key = body.pop("timestamp"), body.pop("auth_key")
    assert body == {
        "app_id": "app7", "org_id": "org9", "user_id": "acme", "operation": "send", "reference": MESSAGE,
        "message_type": "1", "src_address": "2121", "dst_address": "+254700111222",
        "message": "Moni ✓\nhttps://x.org/a.jpg",
    }  # fmt: skip
    assert len(stamp) == 14
    assert stamp.isdigit()
    assert key == hashlib.md5(f"app7{stamp}pw-1&23 é".encode()).hexdigest()
    assert (done.request.headers["Accept"], done.request.headers["Content-Type"]) == ("application/json",) * 2


def test_hash_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now_ms", lambda: 1_772_359_872_999)
    body = json.loads(offer("CM", config={"password": "pw-123"}).request.body)
    assert (body["timestamp"], body["auth_key"]) == ("20260301101112", "27b1c0b6f5838e7a8a0a800b2418ac58")


def test_parts_are_told_apart() -> None:
    done = offer("CM", text="word " * 60)
    bodies = [json.loads(call.body) for call in done.calls]
    assert [body["reference"] for body in bodies] == [MESSAGE, f"{MESSAGE}.2"]
    assert max(len(body["message"]) for body in bodies) <= 160


def test_another_url() -> None:
    url = "https://ucm.example.org/api"
    assert offer("CM", config={"send_url": url}, url=url).outcomes == [Accepted()]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param({"code": "101", "desc": "Bad key"}, "101", id="refused"),
        pytest.param({"code": 0}, "0", id="number"),
        pytest.param({"desc": "?"}, "", id="no-code"),
        pytest.param("000", "", id="no-object"),
        pytest.param("<html/>", "", id="no-json"),
    ],
)
def test_what_is_no_acceptance(answer: Any, code: str) -> None:
    outcome = offer("CM", (200, answer)).outcome
    assert isinstance(outcome, NotAccepted)
    assert (type(outcome), outcome.reason, outcome.code) == (Permanent, "response_content", code)
