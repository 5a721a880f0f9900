"""Start Mobile: https://bulk.startmobile.ua/"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import Sample, make, mo, offer, request

SAMPLE = Sample(
    code="ST",
    config={"username": "acme", "password": "p&w d"},
    url="https://bulk.startmobile.ua/clients.php",
    answer=(200, "<status date='Mon, 10 Jun 2024 11:00:00 +0300'><id>380671112233001</id><state>Accepted</state>"
                 "</status>"),
    external_id="380671112233001",
)  # fmt: skip
SERVICE = "<service type='sms' timestamp='1718006240' auth='1auth00' request_id='51599001'/>"
KNOWN: dict[str, Any] = {"external_id": "51599001", "received_at": 1_718_006_240_000}


def receive(
    service: str = SERVICE,
    rest: str = "<from>380671112233</from><to>4224</to><body>Dobryi den</body>",
    root: str = "message",
    head: str = "",
    charset: str = "utf-8",
) -> Request:
    return request("ST", "receive", f"{head}<{root}>{service}{rest}</{root}>".encode(charset))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+380671112233", "Dobryi den", **KNOWN), id="as-documented"),
        pytest.param(receive(rest="<from>380671112233</from><to>4224</to><body>Добрий &amp; день 😀</body>"),
                     mo("+380671112233", "Добрий & день 😀", **KNOWN), id="unicode"),
        pytest.param(receive(rest="<from>380671112233</from><to>4224</to><body>Добрий</body>", charset="windows-1251",
                             head='<?xml version="1.0" encoding="windows-1251"?>'),
                     mo("+380671112233", "Добрий", **KNOWN), id="another-charset"),
        pytest.param(receive(rest="<body><![CDATA[a<b]]></body><to>4224</to><from>380671112233</from>"),
                     mo("+380671112233", "a<b", **KNOWN), id="another-order-and-cdata"),
        pytest.param(receive(rest="<from>380671112233</from><to>4224</to><body/>"),
                     mo("+380671112233", "", **KNOWN), id="empty-text"),
        pytest.param(receive(rest="<from>380671112233</from><to>4224</to>"),
                     mo("+380671112233", "", **KNOWN), id="no-text"),
        pytest.param(receive(rest="<from>4040</from><to>4224</to>"), mo("4040", "", **KNOWN), id="short-code"),
        pytest.param(receive(rest="<from>067 111 22 33</from><to>4224</to>"),
                     mo("+380671112233", "", **KNOWN), id="national"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("ST", country="UA").receive(asked)
    assert (reply.status, reply.events, reply.ids) == (200, (expected,), ("ev-1",))
    assert reply.content_type == "text/xml"
    assert reply.body == b'<answer type="async"><state>Accepted</state></answer>'


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive("<service timestamp='1718006240'/>"), "'service/@request_id' required", id="no-id"),
        pytest.param(receive("<service request_id='1'/>"), "'service/@timestamp' required", id="no-time"),
        pytest.param(receive(""), "'service/@request_id' required", id="no-service"),
        pytest.param(receive("<service request_id='1' timestamp='soon'/>"), "must be an integer", id="bad-time"),
        pytest.param(receive("<service request_id='1' timestamp='0'/>"), "invalid date", id="time-0"),
        pytest.param(receive(rest="<to>4224</to><body>x</body>"), "'from' required", id="no-sender"),
        pytest.param(receive(rest="<from> </from><to>4224</to>"), "'from' required", id="blank-sender"),
        pytest.param(receive(rest="<from>380671112233</from>"), "'to' required", id="no-short-code"),
        pytest.param(receive(rest="<from>Kyivstar</from><to>4224</to>"), "not a possible number", id="alphanumeric"),
        pytest.param(receive(root="status"), "root element must be 'message'", id="another-root"),
        pytest.param(request("ST", "receive", b"<message>"), "unable to parse request XML", id="no-xml"),
        pytest.param(receive(head="<!DOCTYPE message [<!ENTITY a 'b'>]>"), "unable to parse request XML", id="dtd"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("ST", country="UA").receive(asked)
    assert (reply.status, reply.events, reply.content_type) == (400, (), "application/json")
    assert why in reply.reason


def test_request_is_exact() -> None:
    sent = offer("ST", address="4224", text="Вітаю\n<\"&'>", attachments=["image/jpeg:https://x.org/a.jpg"]).request
    assert sent.body.decode() == (
        '<message><service id="single" source="4224" validity="+12 hours"></service><to>+254700111222</to>'
        '<body content-type="plain/text" encoding="plain">Вітаю&#xA;&lt;&#34;&amp;&#39;&gt;&#xA;'
        "https://x.org/a.jpg</body></message>"
    )
    assert sent.headers["Content-Type"] == "application/xml; charset=utf8"
    assert sent.headers["Authorization"] == "Basic YWNtZTpwJncgZA=="


def test_any_text_makes_well_formed_xml() -> None:
    sent = offer("ST", text="a\x01b\x0c]]>\ufffe😀").request
    assert ElementTree.fromstring(sent.body).findtext("body") == "a\ufffdb\ufffd]]>\ufffd😀"


def test_parts() -> None:
    texts = [ElementTree.fromstring(call.body).findtext("body") for call in offer("ST", text="є" * 2000).calls]
    assert texts == ["є" * 1600, "є" * 400]


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param("<status><id> 7 </id><state>Queued</state></status>", Accepted("7"), None, id="another-state"),
        pytest.param("<status><id/><state>Rejected</state></status>", Permanent, "Rejected", id="empty-id"),
        pytest.param("<status><state>Rejected</state></status>", Permanent, "Rejected", id="no-id"),
        pytest.param("<error><id>7</id></error>", Permanent, "", id="another-root"),
        pytest.param("<status>", Permanent, "", id="no-xml"),
    ],
)
def test_answers(answer: str, expected: Accepted | type[NotAccepted], code: str | None) -> None:
    outcome = offer("ST", (200, answer)).outcome
    assert outcome == expected or type(outcome) is expected
    assert getattr(outcome, "code", None) == code
