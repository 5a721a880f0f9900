"""Kaleyra's WhatsApp channel: https://developers.kaleyra.io/"""

from __future__ import annotations

import json
from email.parser import BytesParser
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
import responses

from chalicelib.channels import takes_names
from chalicelib.channels.base import Request
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from chalicelib.transport import Http
from tests.channels.support import UUID, Sample, make, message, mo, offer, request, told, without

URL = "https://api.kaleyra.io/v1/HXAP0001/messages"
SAMPLE = Sample(
    code="KWA",
    config={"account_sid": "HXAP0001", "api_key": "k-1&23"},
    url=URL,
    answer=(200, {"id": "7be0c1d2:0"}),
    external_id="7be0c1d2:0",
)
MO = {"created_at": "1718093702", "type": "text", "from": "919812345670", "name": "Customer 1", "body": "Hi",
      "media_url": ""}  # fmt: skip
AT = 1_718_093_702_000


def ask(action: str, values: dict[str, str]) -> Request:
    return request("KWA", action, method="GET", query=urlencode(values))


def receive(**changes: str) -> Request:
    return ask("receive", {**MO, **changes})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("919812345670", "Hi", received_at=AT), id="as-documented"),
        pytest.param(receive(type="image", body="", media_url="https://m.example.org/p.jpg"),
                     mo("919812345670", "", received_at=AT, attachments=("https://m.example.org/p.jpg",)), id="image"),
        pytest.param(receive(type="document", media_url="https://m.example.org/p.pdf"),
                     mo("919812345670", "Hi", received_at=AT, attachments=("https://m.example.org/p.pdf",)),
                     id="document-with-caption"),
        *[pytest.param(receive(type=kind), mo("919812345670", "Hi", received_at=AT), id=kind)
          for kind in ("video", "voice")],
        pytest.param(receive(body="नमस्ते 😀\x00"), mo("919812345670", "नमस्ते 😀", received_at=AT), id="unicode"),
        pytest.param(receive(body="a" * 4000), mo("919812345670", "a" * 4000, received_at=AT), id="long"),
        pytest.param(receive(**{"from": "US.abc123"}), mo("US.abc123", "Hi", received_at=AT), id="id-in-a-business"),
        pytest.param(ask("receive", {k.upper(): v for k, v in MO.items()}), mo("919812345670", "Hi", received_at=AT),
                     id="names-in-any-case"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("KWA", country="IN").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


def test_ids_that_are_no_numbers_reach_the_platform() -> None:
    assert takes_names("KWA", {})
    assert not takes_names("KWA", {"alphanumeric_mo": "drop"})


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(receive(type="location"), id="other-type"),
        pytest.param(ask("receive", without(MO, "type")), id="no-type"),
        pytest.param(ask("status", {"id": "x", "status": "queued"}), id="other-status"),
    ],
)
def test_ignored(asked: Request) -> None:
    reply = make("KWA").receive(asked)
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(ask("receive", {"type": "location"}), "field 'from' required", id="no-sender-comes-first"),
        pytest.param(receive(body=""), "no text and no media", id="nothing-in-it"),
        *[
            pytest.param(receive(**{"from": sender}), "invalid WhatsApp id", id=f"sender-{sender}")
            for sender in ("+919812345670", "Kaleyra", "us.abc", "US.", " 91981", "91981\n", "٩١٩٨١")
        ],
        pytest.param(ask("receive", without(MO, "created_at")), "field 'created_at' required", id="no-date"),
        pytest.param(receive(created_at="2024-06-11"), "'created_at' must be an integer", id="bad-date"),
        pytest.param(receive(created_at="-5"), "invalid date", id="impossible-date"),
        pytest.param(ask("status", {"status": "sent"}), "field 'id' required", id="status-no-id"),
        pytest.param(ask("status", {"id": "x"}), "field 'status' required", id="status-no-status"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("KWA", country="IN").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"), [("0", "failed"), ("sent", "wired"), ("delivered", "delivered"), ("read", "delivered")]
)
def test_statuses(raw: str, expected: str) -> None:
    reply = make("KWA").receive(ask("status", {"id": "7be0c1d2:0", "status": raw}))
    assert (reply.status, told(reply)) == (200, [expected])
    assert [getattr(event, "external_id", "") for event in reply.events] == ["7be0c1d2:0"]


# --- sending --------------------------------------------------------------------------------------------------------

FIELDS = {"api-key": "k-1&23", "channel": "WhatsApp", "from": "919900001111", "to": "254700111222",
          "callback_url": f"https://sms.example.org/c/kwa/{UUID}/status?token=t"}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "more"),
    [
        pytest.param("Hi there ✓", {}, id="text"),
        pytest.param("See https://example.org/x", {"preview_url": "true"}, id="link"),
        pytest.param("See HTTP://example.org", {"preview_url": "true"}, id="link-in-capitals"),
        pytest.param("See example.org", {}, id="no-link"),
        pytest.param("a" * 5000, {}, id="long"),
    ],
)
def test_text(text: str, more: dict[str, str]) -> None:
    done = offer("KWA", text=text, address="919900001111", config={"secret": "t"})
    expected = {**FIELDS, "type": "text", "body": text, **more}
    assert done.form == {name: [value] for name, value in expected.items()}
    assert len(done.calls) == 1


LINKS = ["https://cdn.example.org/a/caf%C3%A9%20%22x%22.pdf?sig=1", "https://cdn.example.org/"]
FILES = [b"%PDF\x00\xff\r\n--", b"second"]


def send(*answers: tuple[int, Any], text: str = "Look", files: list[Any] = FILES) -> tuple[list[Any], Any, Http]:
    """The outcomes, the requests and the transport of a message with two files."""
    channel = make("KWA", address="919900001111", secret="t")
    http = Http(channel.secrets(), allow_private=True)
    outcomes: list[Any] = []
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        for link, file in zip(LINKS, files, strict=True):
            if isinstance(file, bytes | Exception):
                web.add("GET", link, body=file)
            else:
                web.add("GET", link, status=file)
        for status, body in answers or [(200, {"id": "first"}), (200, {"id": "second"})]:
            web.add("POST", URL, status=status, body=json.dumps(body))
        for part in channel.plan(message(text, attachments=[f"application/pdf:{link}" for link in LINKS])):
            try:
                outcomes.append(channel.send(part, http))
            except NotAccepted as ended:
                outcomes.append(ended)
        return outcomes, [call.request for call in web.calls], http


def fields(call: Any) -> dict[str, Any]:
    """The fields of a multipart body; the file with its type."""
    head = b"Content-Type: " + call.headers["Content-Type"].encode() + b"\r\n\r\n"
    found = {}
    for part in BytesParser().parsebytes(head + call.body).get_payload():
        name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
        value = part.get_payload(decode=True)  # type: ignore[union-attr]
        found[str(name)] = (part.get_content_type(), value) if name == "media" else bytes(value).decode()  # type: ignore
    return found


def test_each_file_is_fetched_and_uploaded() -> None:
    outcomes, calls, http = send()
    assert outcomes == [Accepted("first"), Accepted("second")]
    assert [(call.method, call.url) for call in calls] == [
        ("GET", LINKS[0]), ("POST", URL), ("GET", LINKS[1]), ("POST", URL),
    ]  # fmt: skip
    kind = "application/octet-stream"
    assert fields(calls[1]) == {**FIELDS, "type": "media", "caption": "Look", "media": (kind, FILES[0])}
    assert fields(calls[3]) == {**FIELDS, "type": "media", "media": (kind, FILES[1])}
    names = ('filename="café _x_.pdf"'.encode(), b'filename="file"')
    assert [name in call.body for name, call in zip(names, calls[1::2], strict=True)] == [True, True]
    assert "k-1&23" not in json.dumps(http.exchanges)


def test_a_file_alone_has_an_empty_caption() -> None:
    _, calls, _ = send(text="")
    assert fields(calls[1])["caption"] == ""


def test_each_answer_counts() -> None:
    outcomes, _, _ = send((400, {}), (200, {"id": "second"}))
    assert [type(outcome) for outcome in outcomes] == [Permanent, Accepted]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        pytest.param(404, Permanent, id="not-there"),
        pytest.param(403, Permanent, id="forbidden-is-not-the-accounts-trouble"),
        pytest.param(401, Permanent, id="unauthorised"),
        pytest.param(408, Temporary, id="slow"),
        pytest.param(429, Temporary, id="throttled-elsewhere"),
        pytest.param(500, Temporary, id="server-error"),
        pytest.param(requests.exceptions.ReadTimeout(), Temporary, id="no-answer-is-no-doubt"),
        pytest.param(requests.exceptions.ConnectTimeout(), Temporary, id="no-connection"),
        pytest.param(b"x" * 16_777_217, Permanent, id="too-large"),
        pytest.param(b"x" * 16_777_216, Accepted, id="as-large-as-may-be"),
        pytest.param(b"", Accepted, id="empty"),
    ],
)
def test_files_that_cannot_be_fetched(file: Any, expected: type[Accepted | NotAccepted]) -> None:
    outcomes, calls, _ = send(files=[file, FILES[1]])
    assert [type(outcome) for outcome in outcomes] == [expected, Accepted]
    assert len(calls) == (4 if expected is Accepted else 3)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param((202, {}), Accepted, id="no-id-is-accepted"),
        pytest.param((200, "ok"), Accepted, id="no-json"),
        pytest.param((400, {"code": "E1"}), Permanent, id="refused"),
        pytest.param((401, ""), ChannelDown, id="key"),
        pytest.param((402, ""), ChannelDown, id="balance"),
        pytest.param((429, ""), Throttled, id="throttled"),
        pytest.param((500, ""), Temporary, id="server-error"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted]) -> None:
    assert type(offer("KWA", answer).outcome) is expected
