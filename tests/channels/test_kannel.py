"""Kannel: https://kannel.org/download/1.5.0/userguide-1.5.0/userguide.html chapter 6"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.channels.reading import parse_urlencoded
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary
from chalicelib.transport import Http
from tests.channels.support import MESSAGE, UUID, Offered, Sample, make, message, mo, offer, request, told

SAMPLE = Sample(
    code="KN",
    config={"send_url": "https://kannel.example.org/cgi-bin/sendsms", "username": "acc", "password": "p&w d"},
    url="https://kannel.example.org/cgi-bin/sendsms",
    method="GET",
    answer=(202, "0: Accepted for delivery"),
    outcomes={403: Permanent},
)
MO = {"backend": "m", "sender": "%2B256772112233", "message": "Yego", "ts": "1718093702", "id": "4f0e", "to": "8500"}
KNOWN: dict[str, Any] = {"external_id": "4f0e", "received_at": 1_718_093_702_000}
UTF16 = {"X-Kannel-Coding": "2", "Content-Type": 'text/plain; charset="UTF-16BE"'}


def receive(body: bytes = b"", headers: dict[str, str] | None = None, **changes: str | None) -> Request:
    query = "&".join(f"{name}={value}" for name, value in {**MO, **changes}.items() if value is not None)
    return request("KN", "receive", body, query=query, headers=headers or {"Content-Type": "text/plain"})


def status(raw: object, ours: str = f"uuid={MESSAGE}") -> Request:
    return request("KN", "status", method="GET", query=f"{ours}&status={raw}")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(b"Yego"), mo("+256772112233", "Yego", **KNOWN), id="body-repeats-the-text"),
        pytest.param(receive(b"message=other&id=x"), mo("+256772112233", "Yego", **KNOWN), id="body-is-not-a-form"),
        pytest.param(receive(message=None), mo("+256772112233", "", **KNOWN), id="no-text"),
        pytest.param(receive(message="h%C3%A9+%F0%9F%98%80"), mo("+256772112233", "hé 😀", **KNOWN), id="utf-8"),
        pytest.param(receive(message="h%E9"), mo("+256772112233", "h\ufffd", **KNOWN), id="not-utf-8"),
        pytest.param(receive(sender="40404"), mo("40404", "Yego", **KNOWN), id="short-code"),
        pytest.param(receive(message="%04%14%040%00+", headers=UTF16), mo("+256772112233", "Да ", **KNOWN),
                     id="raw-utf-16-in-the-query"),
        pytest.param(receive("Да 😀".encode("utf-16-be"), message="%EF%BF%BD", headers=UTF16),
                     mo("+256772112233", "Да 😀", **KNOWN), id="raw-utf-16-in-the-body"),
        pytest.param(receive(b"\x04", message="", headers=UTF16), mo("+256772112233", "\ufffd", **KNOWN),
                     id="half-a-character"),
        pytest.param(receive(b"Yego", headers={"X-Kannel-Coding": "0", "Content-Type": "text/plain; charset=UTF-8"}),
                     mo("+256772112233", "Yego", **KNOWN), id="coding-0"),
        pytest.param(request("KN", "receive", {"ID": "4f0e", "TS": "1718093702", "Sender": "256772112233"}),
                     mo("+256772112233", "", **KNOWN), id="a-form-in-any-case"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("KN").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted"')


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(id=None), "field 'id' required", id="no-id"),
        pytest.param(receive(sender=""), "field 'sender' required", id="no-sender"),
        pytest.param(receive(ts=None), "field 'ts' required", id="no-time"),
        pytest.param(receive(ts="0"), "field 'ts' required", id="time-0"),
        pytest.param(receive(ts="soon"), "field 'ts' must be an integer", id="bad-time"),
        pytest.param(receive(ts="9" * 15), "invalid date", id="time-beyond-all-calendars"),
        pytest.param(receive(sender="MTN"), "not a possible number", id="alphanumeric"),
        pytest.param(status(1, "x=y"), "must be our message id", id="status-without-id"),
        pytest.param(status(1, "uuid=nonsense"), "must be our message id", id="status-bad-id"),
        pytest.param(status("done"), "field 'status' must be an integer", id="status-no-integer"),
        pytest.param(status(0), "field 'status' required", id="status-0"),
        pytest.param(status(""), "field 'status' required", id="status-missing"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("KN").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(1, ["delivered"]), (2, ["failed"]), (4, ["sent"]), (8, ["sent"]), (16, ["failed"]), (32, []), (-1, [])],
)
def test_statuses(raw: int, expected: list[str]) -> None:
    reply = make("KN").receive(status(raw))
    assert (reply.status, told(reply)) == (200, expected)
    assert reply.kind == ("accepted" if expected else "ignored")


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (f"uuid={MESSAGE}", MESSAGE),
        (f"uuid={MESSAGE.upper()}", MESSAGE),
        ("id=1241244", "1241244"),
        ("uuid=1241244", "1241244"),
    ],
)
def test_whose_status_it_is(ours: str, expected: str) -> None:
    (update,) = make("KN").receive(status(1, ours)).events
    assert isinstance(update, StatusUpdate)
    assert (update.id, update.part, update.external_id) == (expected, None, "")


def test_sent_reports_can_be_ignored() -> None:
    channel = make("KN", ignore_sent=True)
    assert [told(channel.receive(status(raw))) for raw in (4, 8, 1)] == [[], [], ["delivered"]]


@pytest.mark.parametrize("raw", [2, 16])
def test_temporary_failures_are_left_alone_where_the_channel_says_so(raw: int) -> None:
    reply = make("KN", retry_errored=True).receive(status(raw))
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())
    assert "retry_errored" in reply.reason


def query(done: Offered) -> dict[str, bytes]:
    return dict(parse_urlencoded(urlsplit(done.request.url).query.encode()))


def test_request() -> None:
    assert query(offer("KN", text="Hi", attachments=["image/jpeg:https://x.org/a.jpg"])) == {
        "username": b"acc", "password": b"p&w d", "from": b"20990", "to": b"+254700111222",
        "text": b"Hi\nhttps://x.org/a.jpg", "dlr-mask": b"27",
        "dlr-url": f"https://sms.example.org/c/kn/{UUID}/status?uuid={MESSAGE}&status=%d".encode(),
    }  # fmt: skip


def test_the_placeholder_of_the_report_url_is_encoded_as_a_value() -> None:
    assert "%26status%3D%25d" in offer("KN").request.url


@pytest.mark.parametrize(
    ("config", "fields", "expected"),
    [
        pytest.param({"use_national": True}, {}, {"to": b"700111222"}, id="national"),
        pytest.param({"dlr_mask": 31}, {}, {"dlr-mask": b"31"}, id="mask"),
        pytest.param({}, {"urgent": True}, {"priority": b"1"}, id="a-reply-has-priority"),
        pytest.param({"callback_domain": "cb.example.org"}, {"id": 7},
                     {"dlr-url": f"https://cb.example.org/c/kn/{UUID}/status?uuid=7&status=%d".encode()},
                     id="callback-domain"),
        pytest.param({"secret": "a&b"}, {},
                     {"dlr-url": f"https://sms.example.org/c/kn/{UUID}/status?uuid={MESSAGE}&status=%d&token=a%26b"
                      .encode()}, id="token"),
        pytest.param({}, {"id": "a&b"},
                     {"dlr-url": f"https://sms.example.org/c/kn/{UUID}/status?uuid=a%26b&status=%d".encode()},
                     id="awkward-id"),
    ],
)  # fmt: skip
def test_what_settings_change(config: dict[str, Any], fields: dict[str, Any], expected: dict[str, bytes]) -> None:
    assert expected.items() <= query(offer("KN", config=config, **fields)).items()


def test_a_send_url_with_a_query() -> None:
    done = offer("KN", config={"send_url": SAMPLE.url + "?smsc=mtn"})
    assert query(done)["smsc"] == b"mtn"
    assert done.request.url.count("?") == 1


@pytest.mark.parametrize(
    ("text", "encoding", "expected", "coding"),
    [
        ("Olá “você”", None, b'Ola "voc\xc3\xaa"'.replace(b"\xc3\xaa", b"e"), None),
        ("é€ñ", "S", "é€ñ".encode(), None),
        ("Да", "S", "Да".encode("utf-16-be"), b"2"),
        ("Olá Да", "S", "Olá Да".encode("utf-16-be"), b"2"),
        ("😀", "S", "😀".encode("utf-16-be"), b"2"),
        ("Да", "D", "Да".encode(), None),
        ("Olá", "D", "Olá".encode(), None),
        ("Hi", "U", "Hi".encode("utf-16-be"), b"2"),
        ("a\ud800", "U", "a\ufffd".encode("utf-16-be"), b"2"),
    ],
)
def test_encodings(text: str, encoding: str | None, expected: bytes, coding: bytes | None) -> None:
    pairs = query(offer("KN", text=text, config={"encoding": encoding}))
    assert (pairs["text"], pairs.get("coding")) == (expected, coding)
    assert "charset" not in pairs


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param((202, "3: Queued for later delivery"), Accepted, id="queued"),
        pytest.param((200, ""), Accepted, id="any-2xx"),
        pytest.param((403, "Authorization failed for sendsms"), ChannelDown, id="bad-login"),
        pytest.param((403, "Not routable. Do not try again."), Permanent, id="not-routable"),
        pytest.param((503, "Temporal failure, try again later."), Temporary, id="temporary"),
        pytest.param((400, "Missing receiver"), Permanent, id="malformed"),
    ],
)
def test_answers(answer: tuple[int, str], expected: type[Accepted | NotAccepted]) -> None:
    outcome = offer("KN", answer).outcome
    assert type(outcome) is expected
    assert not isinstance(outcome, ChannelDown) or outcome.credentials


def test_an_unknown_encoding_is_an_error() -> None:
    with pytest.raises(ConfigError, match="encoding: "):
        make("KN", encoding="X")


def test_certificates_are_checked_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def record(self: Http, method: str, url: str, **options: Any) -> None:
        asked.append(options["verify"])

    monkeypatch.setattr(Http, "request", record)
    for config in ({}, {"verify_ssl": False}):
        channel = make("KN", **config)
        channel.send(channel.plan(message())[0], Http())
    assert asked == [True, False]
