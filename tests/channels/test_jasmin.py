"""Jasmin: https://docs.jasminsms.com/en/latest/apis/http/index.html"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent
from tests.channels.support import UUID, Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="JS",
    config={"send_url": "http://jasmin.example.org:1401/send", "username": "acc", "password": "pw-1&23"},
    url="http://jasmin.example.org:1401/send",
    answer=(200, 'Success "5d2b90c7-3e1a-4f66-8b0d-91c2e7aa4410"'),
    external_id="5d2b90c7-3e1a-4f66-8b0d-91c2e7aa4410",
    method="GET",
)
MO = {"id": "b2d0a1f0", "from": "250788112233", "to": "2020", "origin-connector": "mtn", "priority": "1",
      "coding": "0"}  # fmt: skip
DLR = {"id": "5d2b90c7", "id_smsc": "99120", "level": "2", "connector": "mtn", "subdate": "2406110815",
       "donedate": "2406110816", "sub": "001", "dlvrd": "001", "err": "000", "text": "Hi"}  # fmt: skip


def receive(content: bytes = b"Hello", **changes: str) -> Request:
    fields = {**MO, **changes}
    pairs = [f"{name}={quote(value)}" for name, value in fields.items()] + [f"content={quote(content)}"]
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return request("JS", "receive", "&".join(pairs).encode(), headers=headers)


def status(**fields: str) -> Request:
    return request("JS", "status", {"id": "5d2b90c7", **fields})


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        pytest.param(receive(b"caf\x05", binary="63616605"), "café", id="gsm"),
        pytest.param(receive(b"\x00\x1b\x65 \xe9"), "@€ ?", id="gsm-at-sign-extension-and-high-bit"),
        pytest.param(receive(b"caf\x05", coding="16"), "café", id="gsm-flash"),
        pytest.param(receive(b"caf\x05", coding="240"), "café", id="gsm-class-0"),
        pytest.param(receive(b"\xff", coding="8", binary="0414043000202713d83dde00"), "Да ✓😀", id="ucs2-by-binary"),
        pytest.param(receive(b"\x04\x14\x04\x30", coding="8"), "Да", id="ucs2-without-binary"),
        pytest.param(receive(b"\x04\x14\x04\x30", coding="8", binary="nonsense"), "Да", id="ucs2-bad-binary"),
        pytest.param(receive(b"\x04\x14", coding="24"), "Д", id="ucs2-flash"),
        pytest.param(receive("Да".encode(), coding="1"), "Да", id="utf-8"),
        pytest.param(receive("été".encode("latin-1"), coding="3"), "été", id="latin-1"),
        pytest.param(receive(b""), "", id="empty"),
        pytest.param(request("JS", "receive", MO), "", id="no-content"),
        pytest.param(receive(b"a\x00b", coding="4"), "ab", id="nul"),
    ],
)
def test_texts(asked: Request, text: str) -> None:
    reply = make("JS", country="RW").receive(asked)
    assert reply.events == (mo("+250788112233", text, external_id="b2d0a1f0"),)
    assert (reply.status, reply.content_type, reply.body) == (200, "text/plain", b"ACK/Jasmin")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (receive(**{"from": "0788112233"}), mo("+250788112233", "Hello", external_id="b2d0a1f0")),
        (receive(**{"from": "40404"}), mo("40404", "Hello", external_id="b2d0a1f0")),
    ],
)
def test_senders(asked: Request, expected: Incoming) -> None:
    assert make("JS", country="RW").receive(asked).events == (expected,)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(request("JS", "receive", without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in ("id", "from", "to", "coding")],
        pytest.param(receive(coding="x"), "field 'coding' must be an integer", id="bad-coding"),
        pytest.param(receive(**{"from": "MTN"}), "not a possible number", id="alphanumeric"),
        pytest.param(request("JS", "status", without(DLR, "id")), "field 'id' required", id="status-no-id"),
        pytest.param(status(), "unknown status: ''", id="no-status"),
        pytest.param(status(message_status="ND", dlvrd="ND", err="ND"), "unknown status: 'ND'", id="nothing-known"),
        pytest.param(status(message_status="X", dlvrd="000", err="007"), "unknown status: 'X'", id="unknown-status"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("JS").receive(asked)
    assert (reply.status, reply.events, reply.kind) == (400, (), "refused")
    assert why in reply.reason


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"message_status": "DELIVRD"}, "delivered"),
        ({"message_status": "ACCEPTD"}, "sent"),
        ({"message_status": "UNKNOWN"}, "wired"),
        ({"message_status": "UNDELIV"}, "failed"),
        ({"message_status": "REJECTD"}, "failed"),
        ({"message_status": "EXPIRED"}, "failed"),
        ({"message_status": "DELETED"}, "failed"),
        ({"message_status": "delivrd"}, "delivered"),
        ({"message_status": "ESME_ROK", "level": "1"}, "sent"),
        ({"message_status": "ESME_RINVDSTADR", "level": "1"}, "failed"),
        ({"message_status": "ESME_RTHROTTLED", "level": "1"}, "failed"),
        ({"message_status": "DELIVRD", "dlvrd": "ND", "err": "ND"}, "delivered"),
        ({"message_status": "", "dlvrd": "001"}, "delivered"),
        ({"message_status": "odd", "dlvrd": "1", "err": "000"}, "delivered"),
        ({"dlvrd": "000", "err": "001"}, "failed"),
        ({"dlvrd": "ND", "err": "1"}, "failed"),
    ],
)
def test_statuses(fields: dict[str, str], expected: str) -> None:
    reply = make("JS").receive(status(**fields))
    assert (reply.status, reply.body, told(reply)) == (200, b"ACK/Jasmin", [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert update.external_id == "5d2b90c7"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({**DLR, "message_status": "UNDELIV", "err": "034"}, "034"),
        ({**DLR, "message_status": "UNDELIV"}, "UNDELIV"),
        ({"message_status": "ESME_RINVDSTADR", "level": "1"}, "ESME_RINVDSTADR"),
    ],
)
def test_a_failure_keeps_its_code(fields: dict[str, str], code: str) -> None:
    (update,) = make("JS").receive(status(**fields)).events
    assert isinstance(update, StatusUpdate)
    assert (update.status.value, update.code) == ("failed", code)


@pytest.mark.parametrize("raw", ["ESME_RTHROTTLED", "ESME_RMSGQFUL", "ESME_RSYSERR"])
def test_a_temporary_failure_can_be_left_alone_and_is_acknowledged(raw: str) -> None:
    reply = make("JS", retry_errored=True).receive(status(message_status=raw))
    assert (reply.status, reply.kind, reply.body, reply.events) == (200, "ignored", b"ACK/Jasmin", ())


def query_of(**fields: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(offer("JS", **fields).request.url).query, keep_blank_values=True)


def test_request() -> None:
    assert query_of(text="Olá “café”", address="+2020", to="+250788112233") == {
        "username": ["acc"], "password": ["pw-1&23"], "from": ["2020"], "to": ["250788112233"], "dlr": ["yes"],
        "dlr-url": [f"https://sms.example.org/c/js/{UUID}/status"], "dlr-level": ["3"], "dlr-method": ["POST"],
        "coding": ["0"], "content": ['Ola "café"'],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Hi [€]", ("0", "Hi [€]", None), id="gsm"),
        pytest.param("Да ✓", ("8", None, "0414043000202713"), id="unicode"),
        pytest.param("á😀", ("8", None, "00e1d83dde00"), id="the-original-where-it-stays-unicode"),
        pytest.param("x" * 500, ("0", "x" * 500, None), id="never-split"),
    ],
)
def test_codings(text: str, expected: tuple[str, str | None, str | None]) -> None:
    query = query_of(text=text)
    assert (query["coding"][0], query.get("content", [None])[0], query.get("hex-content", [None])[0]) == expected


def test_attachments_are_links_in_the_text() -> None:
    assert query_of(text="Look", attachments=["image/png:https://x.org/a"])["content"] == ["Look\nhttps://x.org/a"]


def test_the_query_of_send_url_is_replaced() -> None:
    done = offer("JS", config={"send_url": "http://jasmin.example.org:1401/send?username=old&x=1"})
    assert done.outcomes == [Accepted("5d2b90c7-3e1a-4f66-8b0d-91c2e7aa4410")]
    assert "old" not in done.request.url
    assert "x=1" not in done.request.url


@pytest.mark.parametrize(
    ("answer", "expected", "credentials"),
    [
        pytest.param((200, "ok"), Accepted, None, id="no-id-is-accepted"),
        pytest.param((200, ""), Accepted, None, id="empty"),
        pytest.param((403, 'Error "Authentication failure for username:acc"'), ChannelDown, True, id="credentials"),
        pytest.param((403, 'Error "Not enough credit"'), ChannelDown, False, id="credit"),
        pytest.param((412, 'Error "No route found"'), Permanent, None, id="no-route"),
        pytest.param((400, 'Error "Mandatory argument [to] is not found."'), Permanent, None, id="bad-parameter"),
    ],
)
def test_answers(answer: tuple[int, str], expected: type[Accepted | NotAccepted], credentials: bool | None) -> None:
    outcome = offer("JS", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "credentials", None) == credentials
