"""Play Mobile."""

from __future__ import annotations

import base64
import json
from xml.sax.saxutils import escape, quoteattr

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted
from tests.channels.support import MESSAGE, Sample, make, mo, offer, request

SAMPLE = Sample(
    code="PM",
    config={"base_url": "https://send.example.uz", "username": "acme", "password": "pw-1&23 é"},
    url="https://send.example.uz/broker-api/send",
    answer=(200, "Request is received"),
)


def element(text: str | None = "salom", **attributes: str) -> str:
    given = {"id": "2207110", "msisdn": "998901112233", "submit-date": "2024-05-14 09:10:32", **attributes}
    names = "".join(f" {name}={quoteattr(value)}" for name, value in given.items() if value)
    content = "" if text is None else f'<content type="text/plain">{escape(text)}</content>'
    return f"<message{names}>{content}</message>"


def receive(*elements: str, root: str = "sms-request") -> Request:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} version="1.0">{"".join(elements)}</{root}>'
    return request("PM", "receive", body.encode(), headers={"content-type": "text/xml"})


KNOWN = {"external_id": "2207110"}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(element()), [mo("+998901112233", "salom", **KNOWN)], id="as-documented"),
        pytest.param(receive(element(), "\n<other/>\n", element("ikki", id="2")),
                     [mo("+998901112233", "salom", **KNOWN), mo("+998901112233", "ikki", external_id="2")],
                     id="two"),
        pytest.param(receive(element("<b> & Ünï 😀")), [mo("+998901112233", "<b> & Ünï 😀", **KNOWN)], id="unicode"),
        pytest.param(receive(element(msisdn="40404")), [mo("40404", "salom", **KNOWN)], id="short-code"),
        pytest.param(receive(element(msisdn="4712345678")), [mo("+4712345678", "salom", **KNOWN)], id="roamer"),
        pytest.param(receive('<message id="1" msisdn="998901112233"><content><![CDATA[a<b]]></content></message>'),
                     [mo("+998901112233", "a<b", external_id="1")], id="cdata"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: list[Incoming]) -> None:
    reply = make("PM").receive(asked)
    assert (reply.status, list(reply.events)) == (200, expected)
    assert reply.content_type == "application/json"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("JOIN salom", "salom"), ("joinsalom ", "salom"), ("Join me join", "me join"), ("salom join", "salom join"),
     ("salom ", "salom "), ("yes", "yes"), ("JOIN2 x", "x")],
)  # fmt: skip
def test_prefixes(text: str, expected: str) -> None:
    (event,) = make("PM", incoming_prefixes=["join2", "join", "yes sir"]).receive(receive(element(text))).events
    assert isinstance(event, Incoming)
    assert event.text == expected


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(element(id="")), "field 'id' required", id="no-id"),
        pytest.param(receive(element(msisdn="")), "field 'msisdn' required", id="no-sender"),
        pytest.param(receive(element("")), "field 'content' required", id="empty-text"),
        pytest.param(receive(element(None)), "field 'content' required", id="no-text"),
        pytest.param(receive(element("Join")), "field 'content' required", id="nothing-but-the-prefix"),
        pytest.param(receive(element(msisdn="Acme")), "not a possible number", id="bad-sender"),
        pytest.param(receive(element(), element(msisdn="")), "field 'msisdn' required", id="one-bad-rejects-all"),
        pytest.param(receive(element(), root="request"), "root must be 'sms-request'", id="another-root"),
        pytest.param(request("PM", "receive", b"<sms-request>"), "XML", id="no-xml"),
        pytest.param(request("PM", "receive", b'<!DOCTYPE a [<!ENTITY b "c">]><sms-request>&b;</sms-request>'), "XML",
                     id="dtd"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("PM", incoming_prefixes=["join"]).receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


def test_no_message_at_all_is_ignored() -> None:
    reply = make("PM").receive(receive())
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


def test_an_empty_prefix_would_be_none() -> None:
    with pytest.raises(ConfigError, match="incoming_prefixes"):
        make("PM", incoming_prefixes=[""])


def test_request() -> None:
    done = offer("PM", text="Salom ✓", to="+998901112233", address="1122", attachments=["image/png:https://x/a"])
    assert json.loads(done.request.body) == {"messages": [{
        "recipient": "998901112233", "message-id": MESSAGE,
        "sms": {"originator": "1122", "content": {"text": "Salom ✓\nhttps://x/a"}},
    }]}  # fmt: skip
    assert done.request.headers["Accept"] == "application/json"
    assert done.request.headers["Authorization"] == "Basic " + base64.b64encode("acme:pw-1&23 é".encode()).decode()


def test_parts_are_named_and_count_characters() -> None:
    done = offer("PM", text="ў" * 1300, config={"base_url": "https://send.example.uz/"})
    assert done.outcomes == [Accepted()] * 3
    messages = [json.loads(call.body)["messages"][0] for call in done.calls]
    assert [len(one["sms"]["content"]["text"]) for one in messages] == [640, 640, 20]
    assert [one["message-id"] for one in messages] == [MESSAGE, MESSAGE + ".2", MESSAGE + ".3"]


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("body", ["Request is received", "", "{}"])
def test_any_2xx_is_accepted(status: int, body: str) -> None:
    assert offer("PM", (status, body)).outcomes == [Accepted()]
