"""Bongo Live."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, NotAccepted, Permanent, Temporary
from chalicelib.transport import Http
from tests.channels.support import Sample, make, message, mo, offer, request, told, without

SAMPLE = Sample(
    code="BL",
    config={"username": "acme", "password": "pw-1&23 é"},
    url="https://api.blsmsgw.com:8443/bin/send.json",
    answer=(200, {"results": [{"status": "0", "msgid": "559001"}]}),
    external_id="559001",
)
MO = {"MSGTYPE": "1", "ID": "20993114", "SOURCEADDR": "255713000111", "DESTADDR": "15566", "MESSAGE": "Habari"}
REPORT = {"MSGTYPE": "5", "DLRID": "559001", "STATUS": "1"}


def receive(data: Any = None, **changes: str) -> Request:
    return request("BL", "receive", {**(MO if data is None else data), **changes})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+255713000111", "Habari", external_id="20993114"), id="as-documented"),
        pytest.param(receive(without(MO, "MSGTYPE")), mo("+255713000111", "Habari", external_id="20993114"),
                     id="no-type"),
        pytest.param(receive(MSGTYPE=""), mo("+255713000111", "Habari", external_id="20993114"), id="empty-type"),
        pytest.param(receive(without(MO, "MESSAGE")), mo("+255713000111", "", external_id="20993114"), id="no-text"),
        pytest.param(receive(without(MO, "ID")), mo("+255713000111", "Habari"), id="no-id"),
        pytest.param(receive(MESSAGE="Ñ 😀\x00"), mo("+255713000111", "Ñ 😀", external_id="20993114"), id="unicode"),
        pytest.param(receive(SOURCEADDR="0700111222"), mo("+254700111222", "Habari", external_id="20993114"),
                     id="national"),
        pytest.param(receive(SOURCEADDR="40404"), mo("40404", "Habari", external_id="20993114"), id="short-code"),
        pytest.param(receive({name.lower(): value for name, value in MO.items()}),
                     mo("+255713000111", "Habari", external_id="20993114"), id="names-in-any-case"),
        pytest.param(request("BL", "receive", query="SOURCEADDR=255713000111&MESSAGE=in+query"),
                     mo("+255713000111", "in query"), id="query"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("BL").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert (reply.content_type, reply.body) == ("text/plain", b"")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(without(MO, "SOURCEADDR")), "field 'SOURCEADDR' required", id="no-sender"),
        pytest.param(receive(SOURCEADDR="Acme"), "not a possible number", id="bad-sender"),
        pytest.param(receive(MSGTYPE="five"), "field 'MSGTYPE' must be an integer", id="bad-type"),
        pytest.param(receive(REPORT, STATUS="done"), "field 'STATUS' must be an integer", id="bad-status"),
        pytest.param(receive(without(REPORT, "STATUS")), "unknown status: '0'", id="no-status"),
        pytest.param(receive(without(REPORT, "DLRID")), "external id", id="report-no-id"),
        pytest.param(receive(without(REPORT, "DLRID"), ID="559001"), "external id", id="id-is-for-messages"),
        *[pytest.param(receive(REPORT, STATUS=str(code)), "unknown status", id=f"status-{code}")
          for code in (0, 12, -1)],
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("BL").receive(asked)
    assert (reply.status, reply.events, reply.content_type) == (400, (), "application/json")
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(1, "delivered"), (2, "sent"), (8, "sent"), *[(code, "failed") for code in (3, 4, 5, 6, 7, 9, 10, 11)]],
)
def test_statuses(raw: int, expected: str) -> None:
    reply = make("BL").receive(receive(REPORT, STATUS=str(raw)))
    assert (reply.status, told(reply)) == (200, [expected])
    assert (reply.content_type, reply.body) == ("text/plain", b"")
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert update.external_id == "559001"


@pytest.mark.parametrize("raw", [3, 4, 5, 6, 7, 9, 10, 11])
def test_temporary_failures_can_be_left_alone(raw: int) -> None:
    reply = make("BL", retry_errored=True).receive(receive(REPORT, STATUS=str(raw)))
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())
    assert (reply.content_type, reply.body) == ("text/plain", b"")


def query(call: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(call.url).query, keep_blank_values=True)


def test_request() -> None:
    done = offer("BL", text="Habari", address="+15566", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert query(done.request) == {
        "USERNAME": ["acme"], "PASSWORD": ["pw-1&23 é"], "SOURCEADDR": ["15566"], "DESTADDR": ["254700111222"],
        "MESSAGE": ["Habari\nhttps://x.org/a.jpg"], "DLR": ["1"],
    }  # fmt: skip
    assert not done.request.body
    assert done.request.headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("text", "sent", "unicode"),
    [
        ("“Hi” – it’s\u00a0me", '"Hi" - it\'s me', False),
        ("é è €", "é è €", False),
        ("“Hi” ✓", "“Hi” ✓", True),
        ("Здравствуйте", "Здравствуйте", True),
        ("", "", False),
    ],
)
def test_encodings(text: str, sent: str, unicode: bool) -> None:
    values = query(offer("BL", text=text).request)
    assert (values["MESSAGE"], values.get("CHARCODE")) == ([sent], ["2"] if unicode else None)


def test_every_part_keeps_its_id_and_has_its_own_encoding() -> None:
    done = offer("BL", text="word " * 32 + "✓ end")
    assert done.outcomes == [Accepted("559001")] * 2
    assert [query(call).get("CHARCODE") for call in done.calls] == [None, ["2"]]
    assert max(len(query(call)["MESSAGE"][0]) for call in done.calls) <= 160


@pytest.mark.parametrize("verify", [True, False])
def test_the_certificate_is_checked_unless_told_otherwise(verify: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def request_of(self: Http, method: str, url: str, **options: Any) -> Any:
        seen.append(options["verify"])
        raise Temporary("not sent")

    monkeypatch.setattr(Http, "request", request_of)
    channel = make("BL", verify_ssl=verify)
    with pytest.raises(Temporary):
        channel.send(channel.plan(message())[0], Http())
    assert seen == [verify]


def results(status: Any) -> dict[str, Any]:
    return {"results": [{"status": status, "msgid": "1"}]}


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param({"results": [{"status": "0"}]}, Accepted, None, id="no-id-is-accepted"),
        pytest.param(results("3"), Temporary, "3", id="another-status"),
        pytest.param(results(0), Accepted, None, id="number"),
        pytest.param(results(None), Permanent, "", id="no-status"),
        pytest.param({"results": []}, Permanent, "", id="nothing"),
        pytest.param("ok", Permanent, "", id="no-json"),
    ],
)
def test_answers(answer: Any, expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("BL", (200, answer)).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
