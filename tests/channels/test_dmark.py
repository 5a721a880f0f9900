"""DMark Mobile."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent
from tests.channels.support import MESSAGE, UUID, Sample, make, mo, multipart, offer, request, told, without

SAMPLE = Sample(
    code="DK",
    config={"auth_token": "tok-1&23"},
    url="https://smsapi1.dmarkmobile.com/sms/",
    answer=(200, {"type": "MT", "sms_id": "c0de15d3"}),
    external_id="c0de15d3",
)
MO = {"msisdn": "256772112233", "text": "Join", "short_code": "8080", "tstamp": "2026-03-01T10:11:12.345678+00:00"}
AT = 1_772_359_872_345


def receive(**changes: str) -> Request:
    return request("DK", "receive", {**MO, **changes})


def status(**values: str) -> Request:
    return request("DK", "status", values)


FIELDS, HEADERS = multipart(MO)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+256772112233", "Join", received_at=AT), id="as-documented"),
        pytest.param(receive(tstamp="2026-03-01T13:11:12+03:00"),
                     mo("+256772112233", "Join", received_at=1_772_359_872_000), id="offset-no-fraction"),
        pytest.param(receive(tstamp="2026-03-01T10:11:12Z"),
                     mo("+256772112233", "Join", received_at=1_772_359_872_000), id="utc-as-z"),
        pytest.param(receive(text="Webale nnyo ✓ 😀\x00"),
                     mo("+256772112233", "Webale nnyo ✓ 😀", received_at=AT), id="unicode-less-nul"),
        pytest.param(receive(text="a" * 1000), mo("+256772112233", "a" * 1000, received_at=AT), id="long"),
        pytest.param(receive(msisdn="0772112233"), mo("+256772112233", "Join", received_at=AT), id="national"),
        pytest.param(receive(msisdn="40404"), mo("40404", "Join", received_at=AT), id="short-code"),
        pytest.param(request("DK", "receive", {k.upper(): v for k, v in MO.items()}),
                     mo("+256772112233", "Join", received_at=AT), id="names-in-any-case"),
        pytest.param(request("DK", "receive", FIELDS, headers=HEADERS),
                     mo("+256772112233", "Join", received_at=AT), id="multipart"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("DK", country="UG").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted"')


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(request("DK", "receive", without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in MO],
        *[pytest.param(receive(**{name: ""}), f"field '{name}' required", id=f"empty-{name}") for name in MO],
        pytest.param(receive(tstamp="2026-03-01T10:11:12"), "invalid date", id="date-without-offset"),
        pytest.param(receive(tstamp="2026-02-30T10:11:12+00:00"), "invalid date", id="no-such-day"),
        pytest.param(receive(msisdn="DMark"), "not a possible number", id="alphanumeric"),
        pytest.param(receive(msisdn="0254700111222333"), "not a possible number", id="bad-number"),
        pytest.param(status(status="1"), "field 'uuid' required", id="status-no-id"),
        pytest.param(status(uuid=MESSAGE), "field 'status' required", id="status-no-status"),
        pytest.param(status(uuid="nonsense", status="1"), "field 'uuid' must be our message id", id="bad-id"),
        pytest.param(status(uuid=MESSAGE, status="3"), "unknown status", id="unknown-status"),
        pytest.param(status(uuid=MESSAGE, status="%s"), "unknown status", id="status-not-filled-in"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("DK", country="UG").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"), [("1", "delivered"), ("2", "failed"), ("4", "sent"), ("8", "sent"), ("16", "failed")]
)
@pytest.mark.parametrize(
    ("name", "part"), [(MESSAGE, 0), (MESSAGE.upper(), 0), (f"{MESSAGE}.3", 2), (f"{MESSAGE}.2~4", 1)]
)
def test_statuses(raw: str, expected: str, name: str, part: int) -> None:
    reply = make("DK").receive(request("DK", "status", query=f"uuid={name}&status={raw}"))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.id, update.part, update.code) == (MESSAGE, part, raw if expected == "failed" else "")


@pytest.mark.parametrize("raw", ["2", "16"])
def test_what_is_not_final_can_be_left_alone(raw: str) -> None:
    assert make("DK", retry_errored=True).receive(status(uuid=MESSAGE, status=raw)).kind == "ignored"


def test_request() -> None:
    done = offer("DK", text="Hello ✓", address="+8080", attachments=["image/jpeg:https://x.org/a.jpg"])
    report = f"https://sms.example.org/c/dk/{UUID}/status?uuid={MESSAGE}&status=%s"
    assert done.form == {"sender": ["8080"], "receiver": ["254700111222"],
                         "text": ["Hello ✓\nhttps://x.org/a.jpg"], "dlr_url": [report]}  # fmt: skip
    assert "status%3D%25s" in done.request.body.decode()
    headers = done.request.headers
    assert (headers["Authorization"], headers["Accept"]) == ("Token tok-1&23", "application/json")
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_every_part_has_its_own_report_and_id() -> None:
    done = offer("DK", text="word " * 200, generation=2)
    assert done.outcomes == [Accepted("c0de15d3")] * 3
    forms = list(done.forms())
    assert max(len(form["text"][0]) for form in forms) <= 453
    assert [parse_qs(urlsplit(form["dlr_url"][0]).query)["uuid"][0] for form in forms] == [
        f"{MESSAGE}~2", f"{MESSAGE}.2~2", f"{MESSAGE}.3~2",
    ]  # fmt: skip


@pytest.mark.parametrize("name", [MESSAGE, "a&b=c#d %e?"])
def test_the_report_url_names_any_message(name: str) -> None:
    (url,) = offer("DK", id=name, config={"secret": "t&k"}).form["dlr_url"]
    assert parse_qs(urlsplit(url).query) == {"uuid": [name], "status": ["%s"], "token": ["t&k"]}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param((201, {"sms_id": "x"}), Accepted, id="created"),
        pytest.param((200, {"sms_id": 7}), Accepted, id="id-as-number"),
        pytest.param((200, {"type": "MT"}), Permanent, id="no-id"),
        pytest.param((200, {"sms_id": None}), Permanent, id="null"),
        pytest.param((200, "ok"), Permanent, id="no-json"),
        pytest.param((401, {"detail": "Invalid token."}), ChannelDown, id="token"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted]) -> None:
    assert type(offer("DK", answer).outcome) is expected


def test_connecting_leaves_user_name_and_password() -> None:
    assert make("DK", username="acme", password="pw-9").secrets() == ("tok-1&23", "pw-9")
    with pytest.raises(ConfigError, match="auth_token: required key is missing"):
        make("DK", username="acme", password="pw-9", auth_token=None)
