"""Shaqodoon: an HTTP gateway without public documentation."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, ChannelDown, Permanent
from tests.channels.support import Sample, make, mo, multipart, offer, request

SAMPLE = Sample(
    code="SQ",
    config={"send_url": "https://shaqodoon.example.so/send", "username": "u&1", "password": "p w\u00e9&"},
    url=re.compile(r"https://shaqodoon\.example\.so/send\?"),
    answer=(200, "0: Accepted for delivery"),
    method="GET",
)
AT = 1_687_523_400_500


def receive(query: str = "", data: Any = None) -> Request:
    return request("SQ", "receive", data, query=query)


BODY, HEADERS = multipart({"from": "+252611112222", "text": "haa"})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive("from=+252611112222&text=haa"), mo("+252611112222", "haa"), id="plus-unencoded"),
        pytest.param(receive("from=%2B252611112222&text=haa"), mo("+252611112222", "haa"), id="plus-encoded"),
        pytest.param(receive("from=252611112222&text=haa"), mo("+252611112222", "haa"), id="no-plus"),
        pytest.param(receive("from=0611112222&text=haa"), mo("+252611112222", "haa"), id="national"),
        pytest.param(receive(data={"from": "+252611112222", "text": "haa"}), mo("+252611112222", "haa"), id="form"),
        pytest.param(receive("from=+252611112222", {"text": "haa"}), mo("+252611112222", "haa"), id="both"),
        pytest.param(receive("from=+252611112222&text=haa", b'{"some": "body"}'), mo("+252611112222", "haa"),
                     id="arbitrary-body"),
        pytest.param(request("SQ", "receive", BODY, headers=HEADERS), mo("+252611112222", "haa"), id="multipart"),
        pytest.param(receive("from=+252611112222&text="), mo("+252611112222", ""), id="empty-text"),
        pytest.param(receive("from=+252611112222"), mo("+252611112222", ""), id="no-text"),
        pytest.param(receive("from=+252611112222&text=%D9%86%D8%B9%D9%85+%F0%9F%98%80%00"),
                     mo("+252611112222", "نعم 😀"), id="unicode"),
        pytest.param(receive("from=700&text=x"), mo("700", "x"), id="short-code"),
        pytest.param(receive("from=+999123456789&text=x"), mo("+999123456789", "x"), id="unknown-country-is-kept"),
        pytest.param(receive("from=+252611112222&text=x&date=2023-06-23T12:30:00.500Z"),
                     mo("+252611112222", "x", received_at=AT), id="date"),
        pytest.param(receive("from=+252611112222&text=x&time=2023-06-23T15:30:00.500%2B03:00"),
                     mo("+252611112222", "x", received_at=AT), id="time-with-offset"),
        pytest.param(receive("from=+252611112222&text=x&time=soon&date=2023-06-23T12:30:00.5Z"),
                     mo("+252611112222", "x", received_at=AT), id="date-before-time"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("SQ", country="SO").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive("text=haa"), "field 'from' required", id="no-sender"),
        pytest.param(receive("from=&text=haa"), "field 'from' required", id="empty-sender"),
        pytest.param(receive("from=Hormuud&text=haa"), "not a possible number", id="alphanumeric"),
        pytest.param(receive("from=+99&text=haa"), "not a possible number", id="too-short"),
        pytest.param(receive("from=+252611112222&date=2023-06-23"), "invalid date", id="bad-date"),
        pytest.param(receive("from=+252611112222&time=1687523400"), "invalid date", id="bad-time"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("SQ", country="SO").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


def test_request() -> None:
    done = offer("SQ", address="+4455", text="Haa ✓", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert done.outcomes == [Accepted("")]
    assert parse_qs(urlsplit(done.request.url).query) == {
        "from": ["4455"], "to": ["254700111222"], "msg": ["Haa ✓\nhttps://x.org/a.jpg"], "username": ["u&1"],
        "password": ["p wé&"],
    }  # fmt: skip
    assert done.request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert done.request.body is None


@pytest.mark.parametrize(("config", "checked"), [({}, True), ({"verify_ssl": False}, False)])
def test_the_certificate_is_checked_unless_told_otherwise(config: dict[str, Any], checked: bool) -> None:
    assert offer("SQ", config=config).request.req_kwargs["verify"] is checked


def test_a_flag_is_no_string() -> None:
    with pytest.raises(ConfigError, match="verify_ssl: "):
        make("SQ", verify_ssl="false")


@pytest.mark.parametrize(("status", "expected"), [(201, Accepted), (404, Permanent), (403, ChannelDown)])
def test_only_the_status_tells(status: int, expected: type) -> None:
    assert type(offer("SQ", (status, "1: whatever")).outcome) is expected
