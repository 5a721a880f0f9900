"""Hormuud."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
import responses

from chalicelib import transport
from chalicelib.channels.base import Request
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from chalicelib.transport import Http
from tests.channels.support import Sample, make, message, mo, multipart, offer, request, without

TOKEN_URL = "https://smsapi.hormuud.com/token"
SEND_URL = "https://smsapi.hormuud.com/api/SendSMS"
SAMPLE = Sample(
    code="HM",
    config={"username": "acme", "password": "pw-1&23"},
    url=SEND_URL,
    answer=(200, {"ResCode": "200", "ResMsg": "ok", "Data": {"MessageID": "a81c02", "Description": "accepted"}}),
    external_id="a81c02",
    also=(("POST", TOKEN_URL, 200, {"access_token": "tok-1", "expires_in": 3600}),),
)
MO = {"Sender": "+252611234567", "MessageText": "Haa", "TimeSent": "20240611", "ShortCode": "4455"}
FIELDS, HEADERS = multipart(MO)


@pytest.fixture(autouse=True)
def _new_process() -> Iterator[None]:
    """Tokens are kept by the process."""
    transport.reset()
    yield
    transport.reset()


def receive(**changes: str) -> Request:
    return request("HM", "receive", query=urlencode({**MO, **changes}))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+252611234567", "Haa"), id="as-documented"),
        pytest.param(request("HM", "receive", MO), mo("+252611234567", "Haa"), id="form"),
        pytest.param(request("HM", "receive", FIELDS, headers=HEADERS), mo("+252611234567", "Haa"), id="multipart"),
        pytest.param(request("HM", "receive", {k.lower(): v for k, v in MO.items()}), mo("+252611234567", "Haa"),
                     id="names-in-any-case"),
        pytest.param(receive(Sender="252611234567"), mo("+252611234567", "Haa"), id="no-plus"),
        pytest.param(receive(Sender="0611234567"), mo("+252611234567", "Haa"), id="national"),
        pytest.param(receive(Sender="4455"), mo("4455", "Haa"), id="short-code"),
        pytest.param(receive(MessageText=""), mo("+252611234567", ""), id="empty"),
        pytest.param(receive(MessageText="Ünï 😀\x00"), mo("+252611234567", "Ünï 😀"), id="unicode"),
        pytest.param(receive(MessageText="a" * 1000), mo("+252611234567", "a" * 1000), id="long"),
        pytest.param(receive(TimeSent="202304172"), mo("+252611234567", "Haa"), id="odd-time"),
        pytest.param(receive(TimeSent=""), mo("+252611234567", "Haa"), id="empty-time"),
        pytest.param(request("HM", "receive", without(MO, "TimeSent")), mo("+252611234567", "Haa"), id="no-time"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("HM", country="SO").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted"')


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[
            pytest.param(request("HM", "receive", without(MO, name)), f"field '{name}' required", id=f"no-{name}")
            for name in ("Sender", "ShortCode")
        ],
        *[
            pytest.param(receive(**{name: ""}), f"field '{name}' required", id=f"empty-{name}")
            for name in ("Sender", "ShortCode")
        ],
        pytest.param(receive(TimeSent="today"), "field 'TimeSent' must be an integer", id="bad-time"),
        pytest.param(receive(Sender="Hormuud"), "not a possible number", id="alphanumeric"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("HM", country="SO").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


def test_requests() -> None:
    done = offer("HM", text="Mahadsanid ✓", address="4455", attachments=["image/jpeg:https://x.org/a.jpg"])
    login, sent = done.calls
    assert (login.url, sent.url) == (TOKEN_URL, SEND_URL)
    assert parse_qs(login.body.decode()) == {
        "Username": ["acme"], "Password": ["pw-1&23"], "grant_type": ["password"],
    }  # fmt: skip
    assert json.loads(sent.body) == {
        "mobile": "254700111222", "message": "Mahadsanid ✓\nhttps://x.org/a.jpg", "senderid": "4455",
        "mType": -1, "eType": -1, "UDH": "",
    }  # fmt: skip
    assert sent.headers["Authorization"] == "Bearer tok-1"
    assert (sent.headers["Content-Type"], sent.headers["Accept"]) == ("application/json", "application/json")
    assert "tok-1" not in json.dumps(done.http.exchanges)


def test_one_token_serves_all_parts() -> None:
    done = offer("HM", text="word " * 100)
    assert done.outcomes == [Accepted("a81c02")] * 4
    assert [call.url for call in done.calls] == [TOKEN_URL, *[SEND_URL] * 4]
    assert max(len(json.loads(call.body)["message"]) for call in done.calls[1:]) <= 160


def test_a_refused_token_is_replaced_once() -> None:
    channel = make("HM")
    with responses.RequestsMock() as web:
        for token in ("tok-1", "tok-2"):
            web.add("POST", TOKEN_URL, json={"access_token": token})
        web.add("POST", SEND_URL, status=401)
        web.add("POST", SEND_URL, json={"Data": {"MessageID": "x"}})
        assert channel.send(channel.plan(message())[0], Http(allow_private=True)) == Accepted("x")
        sent = [call.request.headers.get("Authorization") for call in web.calls]
    assert sent == [None, "Bearer tok-1", None, "Bearer tok-2"]


def test_a_refused_login_is_the_channels_trouble() -> None:
    channel = make("HM")
    with responses.RequestsMock() as web:
        web.add("POST", TOKEN_URL, status=400, json={"error": "invalid_grant"})
        with pytest.raises(ChannelDown) as caught:
            channel.send(channel.plan(message())[0], Http(allow_private=True))
    assert (caught.value.code, caught.value.credentials) == ("invalid_grant", True)


def said(code: str, name: str | None = None) -> dict[str, Any]:
    return {"ResCode": code, "ResMsg": "x", "Data": {"MessageID": name}}


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, said("200", "null")), Accepted, None, id="null-as-text"),
        pytest.param((200, said("200")), Accepted, None, id="null"),
        pytest.param((200, "ok"), Accepted, None, id="no-json"),
        pytest.param((200, said("999", "a1")), Accepted, None, id="an-id-counts"),
        pytest.param((200, said("201")), ChannelDown, "201", id="login"),
        pytest.param((200, {"ResponseCode": "201"}), ChannelDown, "201", id="login-under-another-name"),
        pytest.param((200, said("203", "null")), Permanent, "203", id="sender"),
        pytest.param((200, said("204")), ChannelDown, "204", id="no-balance"),
        pytest.param((200, said("205")), ChannelDown, "205", id="balance"),
        pytest.param((200, said("206")), Permanent, "206", id="parts"),
        pytest.param((200, said("207")), Permanent, "207", id="number"),
        pytest.param((200, said("500")), Temporary, "500", id="unknown-error"),
        pytest.param((200, said("999")), Permanent, "999", id="other"),
        pytest.param((400, ""), Permanent, "400", id="refused"),
        pytest.param((401, ""), ChannelDown, "401", id="unauthorised-twice"),
        pytest.param((429, ""), Throttled, "429", id="throttled"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("HM", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
