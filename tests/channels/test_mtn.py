"""MTN Developer Portal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

from chalicelib import transport
from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from chalicelib.transport import Http
from tests.channels.support import MESSAGE, Json, Sample, make, message, mo, offer, request, told, without

TOKEN_URL = "https://api.mtn.com/v1/oauth/access_token?grant_type=client_credentials"
SEND_URL = "https://api.mtn.com/v2/messages/sms/outbound"
SAMPLE = Sample(
    code="MTN",
    config={"api_key": "key-1&23 é", "auth_token": "secret/4=5"},
    url=SEND_URL,
    answer=(201, {"transactionId": "Qx7aBcD0"}),
    external_id="Qx7aBcD0",
    also=(("POST", TOKEN_URL, 200, {"access_token": "tok-1", "expires_in": "3599"}),),
)
MO = {"id": None, "senderAddress": "242061110022", "receiverAddress": "36640", "message": "Bonjour",
      "created": 1718006240386}  # fmt: skip
REPORT = {"transactionId": "Qx7aBcD0", "deliveryStatus": "DeliveredToTerminal"}


@pytest.fixture(autouse=True)
def _new_process() -> Iterator[None]:
    """Tokens are kept by the process."""
    transport.reset()
    yield
    transport.reset()


def receive(data: dict[str, Any] | None = None, **changes: Any) -> Request:
    return request("MTN", "receive", Json({**(data or MO), **changes}))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+242061110022", "Bonjour", received_at=1_718_006_240_386), id="as-documented"),
        pytest.param(receive(without(MO, "created")), mo("+242061110022", "Bonjour"), id="no-date"),
        pytest.param(receive(receiverAddress=["36640"]), mo("+242061110022", "Bonjour", received_at=1_718_006_240_386),
                     id="several-receivers"),
        pytest.param(receive(message="Ünï 😀\x00", created=None), mo("+242061110022", "Ünï 😀"), id="unicode"),
        pytest.param(receive(senderAddress="40404", created=None), mo("40404", "Bonjour"), id="short-code"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("MTN").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(without(MO, "senderAddress")), "field 'senderAddress' required", id="no-sender"),
        pytest.param(receive(senderAddress="Acme"), "not a possible number", id="bad-sender"),
        pytest.param(receive(created="1718006240386"), "field 'created' must be an integer", id="date-as-text"),
        pytest.param(receive(created=-1), "invalid date", id="bad-date"),
        pytest.param(receive(message=["Bonjour"]), "field 'message' must be a string", id="message-list"),
        pytest.param(receive(REPORT, deliveryStatus="delivrd"), "unknown status: 'delivrd'", id="another-status"),
        pytest.param(receive(without(REPORT, "deliveryStatus")), "unknown status", id="no-status"),
        pytest.param(request("MTN", "receive", b"{"), "JSON", id="no-json"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("MTN").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("asked", [receive(message=""), receive(without(REPORT, "transactionId")), receive({"a": 1})])
def test_ignored(asked: Request) -> None:
    reply = make("MTN").receive(asked)
    assert (reply.status, reply.kind, reply.reason) == (200, "ignored", "neither a message nor a transactionId")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("DELIVRD", "delivered"), ("DeliveredToTerminal", "delivered"), ("DeliveredToNetwork", "sent"),
     ("DeliveryUncertain", "sent"), ("EXPIRED", "failed"), ("DeliveryImpossible", "failed"), ("MessageWaiting", None),
     ("DeliveryNotificationNotSupported", None)],
)  # fmt: skip
def test_statuses(raw: str, expected: str | None) -> None:
    reply = make("MTN").receive(receive(REPORT, deliveryStatus=raw))
    assert (reply.status, told(reply)) == (200, [expected] if expected else [])
    assert [event.external_id for event in reply.events if isinstance(event, StatusUpdate)] == (
        ["Qx7aBcD0"] if expected else []
    )


def test_temporary_failures_can_be_left_alone() -> None:
    reply = make("MTN", retry_errored=True).receive(receive(REPORT, deliveryStatus="DeliveryImpossible"))
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


# --- sending --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("config", "more"), [({}, {}), ({"cp_address": "CP9"}, {"cpAddress": "CP9"})])
def test_requests(config: dict[str, str], more: dict[str, str]) -> None:
    done = offer("MTN", text="Bonjour " * 50, address="+36640", config=config)
    login, sent = done.calls
    assert login.url == TOKEN_URL
    assert done.form == {"client_id": ["key-1&23 é"], "client_secret": ["secret/4=5"]}
    assert (sent.url, sent.headers["Authorization"]) == (SEND_URL, "Bearer tok-1")
    assert json.loads(sent.body) == {
        "senderAddress": "36640", "receiverAddress": ["254700111222"], "message": "Bonjour " * 50,
        "clientCorrelator": MESSAGE, **more,
    }  # fmt: skip
    assert "tok-1" not in json.dumps(done.http.exchanges)


def test_attachments_travel_in_the_text() -> None:
    done = offer("MTN", text="Look", attachments=["image/png:https://x/a"])
    assert json.loads(done.request.body)["message"] == "Look\nhttps://x/a"


def test_the_token_is_kept_per_account() -> None:
    assert len(offer("MTN").calls) == 2
    assert [call.url for call in offer("MTN").calls] == [SEND_URL]
    assert len(offer("MTN", config={"auth_token": "another"}).calls) == 2
    assert offer("MTN", config={"mtn_subscription_id": "s-1"}).outcomes == [Accepted("Qx7aBcD0")]


def test_a_refused_token_is_replaced_once() -> None:
    channel = make("MTN")
    with responses.RequestsMock() as web:
        for token in ("tok-1", "tok-2"):
            web.add("POST", TOKEN_URL, json={"access_token": token, "expires_in": "3599"})
        web.add("POST", SEND_URL, status=401)
        web.add("POST", SEND_URL, json={"transactionId": "x"})
        assert channel.send(channel.plan(message())[0], Http(allow_private=True)) == Accepted("x")
        sent = [call.request.headers.get("Authorization") for call in web.calls]
    assert sent == [None, "Bearer tok-1", None, "Bearer tok-2"]


def login(answer: tuple[int, Any] | Exception) -> Accepted | NotAccepted:
    """What comes of a message where the login is answered so."""
    channel = make("MTN")
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        if isinstance(answer, Exception):
            web.add("POST", TOKEN_URL, body=answer)
        else:
            web.add("POST", TOKEN_URL, status=answer[0], body=json.dumps(answer[1]))
        web.add("POST", SEND_URL, json={"transactionId": "x"})
        try:
            return channel.send(channel.plan(message())[0], Http(allow_private=True))
        except NotAccepted as ended:
            return ended


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"access_token": "t", "expires_in": 60}), Accepted, None, id="number"),
        pytest.param((200, {"access_token": "t"}), Accepted, None, id="no-life"),
        pytest.param((200, {"access_token": "t", "expires_in": "soon"}), Accepted, None, id="odd-life"),
        pytest.param((200, {}), Temporary, "", id="no-token"),
        pytest.param((400, {"error": "invalid_client"}), ChannelDown, "invalid_client", id="bad-client"),
        pytest.param((401, {}), ChannelDown, "401", id="unauthorised"),
        pytest.param((429, {}), Throttled, "429", id="throttled"),
        pytest.param((503, {}), Temporary, "503", id="unavailable"),
        pytest.param(requests.exceptions.ReadTimeout(), Temporary, "", id="no-answer-is-no-doubt"),
        pytest.param(requests.exceptions.ConnectTimeout(), Temporary, "", id="no-connection"),
    ],
)
def test_logins(answer: tuple[int, Any] | Exception, expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = login(answer)
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {}), Accepted, None, id="no-id-is-accepted"),
        pytest.param((400, {"statusCode": "4000"}), Permanent, "400", id="refused"),
        pytest.param((401, {}), ChannelDown, "401", id="unauthorised-twice"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("MTN", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
