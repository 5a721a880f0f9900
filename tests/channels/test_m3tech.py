"""M3 Tech."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.request import NoRoute
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import MESSAGE, Sample, make, mo, offer, request

SAMPLE = Sample(
    code="M3",
    config={"username": "acc", "password": "pw-1&23 é"},
    url="https://secure.m3techservice.com/GenericServiceRestAPI/api/SendSMS",
    answer=(200, [{"Response": "0"}]),
    method="GET",
)


def receive(**fields: str) -> Request:
    return request("M3", "receive", {name.rstrip("_"): value for name, value in fields.items()})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(from_="923001234567", text="salaam"), mo("+923001234567", "salaam"), id="as-documented"),
        pytest.param(request("M3", "receive", query="from=923001234567&text=salaam"), mo("+923001234567", "salaam"),
                     id="query"),
        pytest.param(receive(from_="923001234567"), mo("+923001234567", ""), id="no-text"),
        pytest.param(receive(from_="0700111222", text="x"), mo("+254700111222", "x"), id="national"),
        pytest.param(receive(from_="40404", text="x"), mo("40404", "x"), id="short-code"),
        pytest.param(receive(from_="923001234567", text="سلام 😀\x00"), mo("+923001234567", "سلام 😀"), id="unicode"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("M3").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert (reply.content_type, reply.body) == ("application/json", b"SMS Accepted: ev-1")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(text="x"), "field 'from' required", id="no-sender"),
        pytest.param(receive(from_="", text="x"), "field 'from' required", id="empty-sender"),
        pytest.param(receive(From="923001234567"), "field 'from' required", id="names-have-a-case"),
        pytest.param(receive(from_="Acme", text="x"), "not a possible number", id="bad-sender"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("M3").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("action", ["sent", "delivered", "failed", "status"])
def test_there_are_no_reports(action: str) -> None:
    with pytest.raises(NoRoute):
        make("M3").receive(request("M3", action, {"id": "1"}))


def query(call: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(call.url).query, keep_blank_values=True)


def test_request() -> None:
    done = offer("M3", text="Shukria", to="+923001234567", address="+8181", attachments=["image/png:https://x/a"])
    assert query(done.request) == {
        "AuthKey": ["m3-Tech"], "UserId": ["acc"], "Password": ["pw-1&23 é"], "SMS": ["Shukria\nhttps://x/a"],
        "SMSType": ["0"], "MobileNo": ["923001234567"], "MsgId": [MESSAGE], "MsgHeader": ["8181"],
        "HandsetPort": ["0"], "SMSChannel": ["0"], "Telco": ["0"],
    }  # fmt: skip
    assert done.request.body is None


@pytest.mark.parametrize(
    ("text", "sent", "kind"),
    [("“Olá” – ç\u00a0€", '"Ola" - c €', "0"), ("é {}", "é {}", "0"), ("“سلام”", "“سلام”", "7"), ("", "", "0")],
)
def test_encodings(text: str, sent: str, kind: str) -> None:
    values = query(offer("M3", text=text).request)
    assert (values["SMS"], values["SMSType"]) == ([sent], [kind])


def test_parts_have_names_of_their_own_and_count_characters() -> None:
    done = offer("M3", text="سلام " * 40)
    assert done.outcomes == [Accepted()] * 2
    assert [query(call)["MsgId"] for call in done.calls] == [[MESSAGE], [MESSAGE + ".2"]]
    assert 150 < len(query(done.calls[0])["SMS"][0]) <= 160


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param([{"Response": 0}], Accepted, None, id="number"),
        pytest.param([{"Response": "101"}], Permanent, "101", id="refused"),
        pytest.param([{"Response": 101}], Permanent, "101", id="refused-by-number"),
        pytest.param([], Accepted, None, id="nothing"),
        pytest.param("OK", Accepted, None, id="words"),
    ],
)
def test_answers(answer: Any, expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("M3", (200, answer)).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
