"""Blackmyna."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, NotAccepted, Temporary
from tests.channels.support import Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="BM",
    config={"username": "acme", "password": "pw-1&23", "api_key": "key-1&23"},
    url="http://api.blackmyna.com/2/smsmessaging/outbound",
    answer=(200, [{"id": "88121"}]),
    external_id="88121",
)
MO = {"from": "+9779801112233", "to": "5566", "smsc": "ncell", "text": "namaste"}


def ask(action: str, values: dict[str, str]) -> Request:
    return request("BM", action, method="GET", query=urlencode(values))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, mo("+9779801112233", "namaste"), id="as-documented"),
        pytest.param({"text": "नमस्ते 😀"}, mo("+9779801112233", "नमस्ते 😀"), id="unicode"),
        pytest.param({"from": "9801112233"}, mo("+9779801112233", "namaste"), id="national"),
        pytest.param({"from": "9779801112233"}, mo("+9779801112233", "namaste"), id="no-plus"),
        pytest.param({"from": "40404"}, mo("40404", "namaste"), id="short-code"),
    ],
)
def test_messages(changes: dict[str, str], expected: Incoming) -> None:
    reply = make("BM", country="NP").receive(ask("receive", {**MO, **changes}))
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted"')


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(ask("receive", without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in ("from", "to", "text")],
        pytest.param(ask("receive", {**MO, "text": ""}), "field 'text' required", id="empty-text"),
        pytest.param(ask("receive", {**MO, "from": "NTC"}), "not a possible number", id="alphanumeric"),
        pytest.param(ask("status", {"status": "1"}), "field 'id' required", id="status-no-id"),
        pytest.param(ask("status", {"id": "1"}), "field 'status' required", id="status-no-status"),
        pytest.param(ask("status", {"id": "1", "status": "0"}), "field 'status' required", id="status-0"),
        pytest.param(ask("status", {"id": "1", "status": "x"}), "field 'status' must be an integer", id="no-integer"),
        pytest.param(ask("status", {"id": "1", "status": "4"}), "unknown status: '4'", id="queued"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("BM").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(("raw", "expected"), [(1, "delivered"), (2, "failed"), (8, "sent"), (16, "failed")])
def test_statuses(raw: int, expected: str) -> None:
    reply = make("BM").receive(ask("status", {"id": "88121", "status": str(raw)}))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert update.external_id == "88121"


def test_request() -> None:
    done = offer("BM", text="नमस्ते", to="+9779801112233", address="5566",
                 attachments=["image/png:https://x.org/a"])  # fmt: skip
    assert done.form == {"address": ["+9779801112233"], "senderaddress": ["5566"],
                         "message": ["नमस्ते\nhttps://x.org/a"]}  # fmt: skip
    assert done.request.headers["Authorization"] == "Basic YWNtZTpwdy0xJjIz"


def test_a_long_text_is_one_request() -> None:
    assert len(offer("BM", text="x" * 1000).calls) == 1


def test_the_api_key_is_not_needed() -> None:
    assert offer("BM", config={"api_key": None}).outcomes == [Accepted("88121")]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param([{"id": "88121"}, {"id": "2"}], Accepted, id="more-of-them"),
        pytest.param([{"id": ""}], Temporary, id="empty-id"),
        pytest.param([{"id": 88121}], Temporary, id="id-is-no-string"),
        pytest.param({"id": "88121"}, Temporary, id="no-array"),
        pytest.param([], Temporary, id="empty-array"),
        pytest.param("ok", Temporary, id="no-json"),
    ],
)
def test_answers(answer: Any, expected: type[Accepted | NotAccepted]) -> None:
    assert type(offer("BM", (200, answer)).outcome) is expected
