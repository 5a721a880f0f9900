"""Messangi."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.channels.signatures import hmac_of
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import Sample, make, mo, offer, request

OK = "<response><input>sendMT</input><status>OK</status><description>Completed</description></response>"
SAMPLE = Sample(
    code="MG",
    config={"public_key": "pubK1", "private_key": "priv-9d2f", "instance_id": 41, "carrier_id": "3"},
    url=re.compile(r"https://flow\.messangi\.me/mmc/rest/api/sendMT/41/20990/3/\d+/[\w-]*/pubK1/[0-9a-f]{64}"),
    answer=(200, OK),
    method="GET",
)


def receive(**fields: str) -> Request:
    return request("MG", "receive", fields)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(mobile="18765550142", mo="Yes"), mo("+18765550142", "Yes"), id="as-documented"),
        pytest.param(request("MG", "receive", query="mobile=18765550142&mo=Yes"), mo("+18765550142", "Yes"),
                     id="query"),
        pytest.param(receive(mobile="18765550142"), mo("+18765550142", ""), id="no-text"),
        pytest.param(receive(mobile="8765550142", mo="Yes"), mo("+18765550142", "Yes"), id="national"),
        pytest.param(receive(mobile="40404", mo="Yes"), mo("40404", "Yes"), id="short-code"),
        pytest.param(receive(mobile="18765550142", mo="Ünï 😀\x00"), mo("+18765550142", "Ünï 😀"), id="unicode"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("MG").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(mo="Yes"), "field 'mobile' required", id="no-sender"),
        pytest.param(receive(mobile="", mo="Yes"), "field 'mobile' required", id="empty-sender"),
        pytest.param(receive(Mobile="18765550142"), "field 'mobile' required", id="names-have-a-case"),
        pytest.param(receive(mobile="Acme", mo="Yes"), "not a possible number", id="bad-sender"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("MG").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("key", ["instance_id", "carrier_id"])
@pytest.mark.parametrize("value", [-1, "-1", "three", 1.5])
def test_ids_are_numbers(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{key}: "):
        make("MG", **{key: value})


def test_a_vector() -> None:
    """HMAC-SHA256 with the key `priv-9d2f` over the path up to the text, computed with OpenSSL."""
    url = ("https://flow.messangi.me/mmc/rest/api/sendMT/41/5522/3/18765550142/WW91ciBwYXJjZWwgaXMgcmVhZHkg4pyT/pubK1/"
           "3f2cd1ba959d3e353884224f44e4cc9cd3319a8326ba433e321c030214c29ed4")  # fmt: skip
    done = offer("MG", text="Your parcel is ready ✓", to="+18765550142", address="+5522", url=url)
    assert done.outcomes == [Accepted()]
    assert (done.request.url, done.request.body) == (url, None)


def pieces(call: Any) -> list[str]:
    return str(call.url).partition("/sendMT/")[2].split("/")


@pytest.mark.parametrize("text", ["??>>~~ÿÿ", "a", "", "Привет 😀"])
def test_texts_are_url_safe_base64_and_signed_as_sent(text: str) -> None:
    sent = pieces(offer("MG", text=text).request)
    assert base64.urlsafe_b64decode(sent[4] + "=" * (-len(sent[4]) % 4)).decode() == text
    assert sent[6] == hmac_of("priv-9d2f", "/".join(sent[:5]).encode())


def test_every_part_is_signed() -> None:
    done = offer("MG", text="word " * 60, attachments=["image/png:https://x/a"])
    assert done.outcomes == [Accepted()] * 2
    texts = [base64.urlsafe_b64decode(pieces(call)[4] + "===").decode() for call in done.calls]
    assert max(map(len, texts)) <= 160
    assert texts[-1].endswith("https://x/a")
    assert pieces(done.calls[0])[6] != pieces(done.calls[1])[6]


def test_the_key_never_travels() -> None:
    assert "priv-9d2f" not in offer("MG", text="Hi").request.url
    assert make("MG").secrets() == ("priv-9d2f",)


def answer(status: str, description: str = "") -> str:
    return f"<response><status>{status}</status><description>{description}</description></response>"


@pytest.mark.parametrize(
    ("body", "expected", "code"),
    [
        pytest.param(OK, Accepted, None, id="accepted"),
        pytest.param('<?xml version="1.0"?>\n' + answer(" OK "), Accepted, None, id="spaces"),
        pytest.param(answer("ERROR", "Invalid signature"), Permanent, "Invalid signature", id="description"),
        pytest.param(answer("ok"), Permanent, "ok", id="another-case"),
        pytest.param(answer("ERROR", "x" * 100), Permanent, "x" * 64, id="long-description"),
        pytest.param("<response/>", Permanent, "", id="no-status"),
        pytest.param("OK", Permanent, "", id="no-xml"),
    ],
)
def test_answers(body: str, expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("MG", (200, body)).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
