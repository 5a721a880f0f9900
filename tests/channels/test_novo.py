"""Novo."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.signatures import hmac_of
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import Sample, make, mo, offer, request

SAMPLE = Sample(
    code="NV",
    config={"merchant_id": "acme", "merchant_secret": "m3rch-s3cret"},
    url="http://novosmstools.com/novo_te/acme/sendSMS",
    answer=(200, {"blastId": "-100000000001", "status": "FINISHED", "type": "SMS", "statusDescription": "Finished"}),
    method="GET",
)


def receive(headers: dict[str, str] | None = None, **fields: str) -> Request:
    given = {name.rstrip("_"): value for name, value in fields.items()}
    return request("NV", "receive", given, headers=headers)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(from_="18685550123", text="Join"), mo("+18685550123", "Join"), id="as-documented"),
        pytest.param(request("NV", "receive", query="from=18685550123&text=Join"), mo("+18685550123", "Join"),
                     id="query"),
        pytest.param(receive(from_="18685550123"), mo("+18685550123", ""), id="no-text"),
        pytest.param(receive(from_="6285550123", text="x"), mo("+16285550123", "x"), id="national"),
        pytest.param(receive(from_="40404", text="x"), mo("40404", "x"), id="short-code"),
        pytest.param(receive(from_="18685550123", text="Ünï 😀\x00"), mo("+18685550123", "Ünï 😀"), id="unicode"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("NV").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(text="x"), "field 'from' required", id="no-sender"),
        pytest.param(receive(from_="", text="x"), "field 'from' required", id="empty-sender"),
        pytest.param(receive(From="18685550123"), "field 'from' required", id="names-have-a-case"),
        pytest.param(receive(from_="Acme", text="x"), "not a possible number", id="bad-sender"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("NV").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": "Zq81 é"}, 200),
        ({"Authorization": "Bearer Zq81 é"}, 401),
        ({"Authorization": "Zq81"}, 401),
        ({"Authorization": ""}, 401),
        ({}, 401),
    ],
)
def test_the_callers_secret(headers: dict[str, str], code: int) -> None:
    channel = make("NV", secret="Zq81 é")
    assert channel.receive(receive(headers, from_="18685550123")).status == code
    assert channel.receive(receive(headers)).status == (400 if code == 200 else 401)


def query(call: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(call.url).query, keep_blank_values=True)


def test_a_vector() -> None:
    """HMAC-SHA256 with the key `m3rch-s3cret` over `8877;18685550123;Your code is 42;`, computed with OpenSSL."""
    done = offer("NV", text="Your code is 42", to="+18685550123", address="+8877")
    assert query(done.request) == {
        "from": ["8877"], "to": ["18685550123"], "msg": ["Your code is 42"],
        "signature": ["508d53ea5cd15b7eea58ccf289c93f5acf85e17d5d6396ca5669db686de4f725"],
    }  # fmt: skip
    assert done.request.body is None


@pytest.mark.parametrize("text", ["a;b & ç ✓", "", "Привет 😀"])
def test_the_signature_is_of_the_text_as_it_is(text: str) -> None:
    values = query(offer("NV", text=text).request)
    assert values["msg"] == [text]
    assert values["signature"] == [hmac_of("m3rch-s3cret", f"20990;254700111222;{text};".encode())]


def test_every_part_is_signed_and_counts_characters() -> None:
    done = offer("NV", text="é" * 200, attachments=["image/png:https://x/a"])
    assert done.outcomes == [Accepted()] * 2
    values = [query(call) for call in done.calls]
    assert [len(one["msg"][0]) for one in values] == [160, 40 + len("\nhttps://x/a")]
    assert values[0]["signature"] != values[1]["signature"]


def test_awkward_merchants() -> None:
    url = "http://novosmstools.com/novo_te/a%2Fb%20c/sendSMS"
    assert offer("NV", config={"merchant_id": "a/b c"}, url=url).outcomes == [Accepted()]


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param({"status": "QUEUED"}, Permanent, "QUEUED", id="another-status"),
        pytest.param({"status": "finished"}, Permanent, "finished", id="another-case"),
        pytest.param({"error": "Incorrect signature"}, Permanent, "", id="error"),
        pytest.param({}, Permanent, "", id="no-status"),
        pytest.param("FINISHED", Permanent, "", id="no-json"),
        pytest.param({"status": "FINISHED"}, Accepted, None, id="no-id"),
    ],
)
def test_answers(answer: Any, expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("NV", (200, answer)).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
