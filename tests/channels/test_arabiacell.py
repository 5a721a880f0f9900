"""ArabiaCell: https://www.arabiacell.com"""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import Json, Sample, make, mo, offer, request

SAMPLE = Sample(
    code="AC",
    config={"username": "acme", "password": "pw-1&23 é", "service_id": "svc77", "charging_level": "0"},
    url="https://acsdp.arabiacell.net",
    answer=(200, "<response><code>204</code><text>accepted</text><message_id>8a61b0f2</message_id></response>"),
    external_id="8a61b0f2",
)


def receive(**data: str) -> Request:
    return request("AC", "receive", data)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(M="962791112233", B="Join"), mo("+962791112233", "Join"), id="as-documented"),
        pytest.param(receive(M="962791112233", B="Join", X="1"), mo("+962791112233", "Join"), id="others"),
        pytest.param(receive(M="962791112233"), mo("+962791112233", ""), id="no-text"),
        pytest.param(receive(M="962791112233", B="مرحبا 😀\x00"), mo("+962791112233", "مرحبا 😀"), id="arabic"),
        pytest.param(receive(M="0700111222", B="Join"), mo("+254700111222", "Join"), id="national"),
        pytest.param(receive(M="40404", B="Join"), mo("40404", "Join"), id="short-code"),
        pytest.param(request("AC", "receive", query="M=962791112233&B=in+query"), mo("+962791112233", "in query"),
                     id="query"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("AC").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted"')


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(B="Join"), "field 'M' required", id="no-sender"),
        pytest.param(receive(M="", B="Join"), "field 'M' required", id="empty-sender"),
        pytest.param(receive(m="962791112233"), "field 'M' required", id="name-in-another-case"),
        pytest.param(receive(M="Acme"), "not a possible number", id="bad-sender"),
        pytest.param(request("AC", "receive", Json({"M": "962791112233"})), "field 'M' required", id="json"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("AC").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("level", ["0", "1"])
def test_request(level: str) -> None:
    done = offer("AC", config={"charging_level": level}, text="مرحبا", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert done.form == {
        "userName": ["acme"], "password": ["pw-1&23 é"], "handlerType": ["send_msg"], "serviceId": ["svc77"],
        "msisdn": ["+254700111222"], "messageBody": ["مرحبا\nhttps://x.org/a.jpg"], "chargingLevel": [level],
    }  # fmt: skip
    assert done.request.headers["Accept"] == "application/xml"


def test_every_part_keeps_its_id() -> None:
    done = offer("AC", text="word " * 400)
    assert done.outcomes == [Accepted("8a61b0f2")] * 2
    assert max(len(form["messageBody"][0]) for form in done.forms()) <= 1530


@pytest.mark.parametrize("level", ["2", "free", 0.5])
def test_charging_levels(level: Any) -> None:
    with pytest.raises(ConfigError, match="charging_level: "):
        make("AC", charging_level=level)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param("<anything><code> 204 </code></anything>", Accepted(""), id="no-id-another-root"),
        pytest.param('<r xmlns="urn:x"><code>204</code><message_id>7</message_id></r>', Accepted("7"), id="namespace"),
        pytest.param("<response><code>501</code><text>no</text></response>", ("response_content", "501"), id="refused"),
        pytest.param("<response><a><code>204</code></a></response>", ("response_content", ""), id="deeper"),
        pytest.param("<response/>", ("response_content", ""), id="no-code"),
        pytest.param("204", ("response_unparseable", ""), id="no-xml"),
        pytest.param("<!DOCTYPE a><response><code>204</code></response>", ("response_unparseable", ""), id="dtd"),
    ],
)
def test_answers(answer: str, expected: Accepted | tuple[str, str]) -> None:
    outcome = offer("AC", (200, answer)).outcome
    if isinstance(outcome, NotAccepted):
        assert type(outcome) is Permanent
        assert (outcome.reason, outcome.code) == expected
    else:
        assert outcome == expected
