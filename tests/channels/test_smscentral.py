"""SMSCentral: http://smscentral.com.np/"""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, Permanent
from tests.channels.support import Sample, make, mo, multipart, offer, request

SAMPLE = Sample(
    code="SC",
    config={"username": "acme", "password": "p&w d", "send_url": None},
    url="http://smail.smscentral.com.np/bp/ApiSms.php",
    answer=(200, "whatever"),
)
BODY, HEADERS = multipart({"mobile": "9779801122334", "message": "Namaste"})


def receive(data: Any = None, query: str = "", **options: Any) -> Request:
    return request("SC", "receive", data, query=query, **options)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive({"mobile": "9779801122334", "message": "Namaste"}), mo("+9779801122334", "Namaste"),
                     id="as-documented"),
        pytest.param(receive(query="mobile=9779801122334&message=Namaste"), mo("+9779801122334", "Namaste"),
                     id="query"),
        pytest.param(receive(BODY, headers=HEADERS), mo("+9779801122334", "Namaste"), id="multipart"),
        pytest.param(receive({"MOBILE": "+977-980-1122334", "Message": "x"}), mo("+9779801122334", "x"),
                     id="names-in-any-case"),
        pytest.param(receive(b"mobile=1&mobile=9801122334&message=a&message=b"), mo("+9779801122334", "b"),
                     id="the-last-counts"),
        pytest.param(receive({"mobile": "9779801122334", "message": ""}), mo("+9779801122334", ""), id="empty-text"),
        pytest.param(receive({"mobile": "9779801122334"}), mo("+9779801122334", ""), id="no-text"),
        pytest.param(receive({"mobile": "9779801122334", "message": "नमस्ते 🙏\x00"}), mo("+9779801122334", "नमस्ते 🙏"),
                     id="unicode"),
        pytest.param(receive({"mobile": "40404", "message": "x"}), mo("40404", "x"), id="short-code"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("SC", country="NP").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param({"message": "x"}, "field 'mobile' required", id="no-sender"),
        pytest.param({"mobile": "", "message": "x"}, "field 'mobile' required", id="empty-sender"),
        pytest.param({"mobile": "NTC", "message": "x"}, "not a possible number", id="alphanumeric"),
        pytest.param({"mobile": "02020", "message": "x"}, "not a possible number", id="bad-number"),
    ],
)
def test_refused(data: dict[str, str], why: str) -> None:
    reply = make("SC", country="NP").receive(receive(data))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("config", "url"),
    [({}, SAMPLE.url), ({"send_url": "https://relay.example.np/send"}, "https://relay.example.np/send")],
)
def test_request(config: dict[str, Any], url: str) -> None:
    text = "नमस्ते " * 100
    done = offer("SC", text=text, config=config, url=url, attachments=["image/jpeg:https://x.org/a.jpg"])
    assert done.outcomes == [Accepted("")]
    assert list(done.forms()) == [
        {"user": ["acme"], "pass": ["p&w d"], "mobile": ["254700111222"],
         "content": [f"{text}\nhttps://x.org/a.jpg"]},
    ]  # fmt: skip


def test_a_refusal() -> None:
    assert type(offer("SC", (400, "whatever")).outcome) is Permanent
