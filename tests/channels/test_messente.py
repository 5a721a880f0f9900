"""Messente."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.signatures import hmac_of
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import UUID, Json, Sample, make, mo, offer, request, told, without

SECRET = "shared secret"


def sign(asked: Request, key: str = SECRET) -> Request:
    headers = {**asked.headers, "x-messente-signature": (hmac_of(key, asked.body),)}
    return dataclasses.replace(asked, headers=headers)


SAMPLE = Sample(
    code="MSS",
    config={"username": "acme", "password": "pw-1&23 é", "secret": SECRET},
    url="https://api.messente.com/v1/omnimessage",
    answer=(201, {"messages": [{"channel": "sms", "message_id": "fb593ce7", "sender": "S"}], "omnimessage_id": "63"}),
    external_id="fb593ce7",
    sign=sign,
)
MO = {
    "msg_id": "1f5197ec", "sub_msg_id": "d276e75e", "channel": "sms", "recipient": "1234",
    "time": "2024-05-02T10:00:00.000000Z", "text": "jah", "sender": "+37255512345",
}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "1f5197ec", "received_at": 1_714_644_000_000}
REPORT = {
    "status": "DELIVRD", "sender": "MySender", "err": 0, "message_id": "fb593ce7", "to": "+37255512345",
    "channel": "sms", "error": None, "omnimessage_id": "632c6f3d", "timestamp": "2024-05-02T10:00:09.389630",
}  # fmt: skip


def receive(data: dict[str, Any] | None = None, **changes: Any) -> Request:
    return sign(request("MSS", "receive", Json({**(data or MO), **changes})))


def status(data: dict[str, Any] | None = None, **changes: Any) -> Request:
    return sign(request("MSS", "status", Json({**(data or REPORT), **changes})))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+37255512345", "jah", **KNOWN), id="as-documented"),
        pytest.param(receive(text=""), mo("+37255512345", "", **KNOWN), id="empty-text-is-a-message"),
        pytest.param(receive(text="Ünï 😀\x00"), mo("+37255512345", "Ünï 😀", **KNOWN), id="unicode"),
        pytest.param(receive(sender="40404"), mo("40404", "jah", **KNOWN), id="short-code"),
        pytest.param(receive(time="2024-05-02T10:00:00Z"), mo("+37255512345", "jah", **KNOWN), id="whole-seconds"),
    ],
)
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("MSS").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(receive(without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in MO if name != "sub_msg_id"],
        pytest.param(receive(time="2024-05-02 10:00"), "invalid date", id="bad-date"),
        pytest.param(receive(sender="Acme"), "not a possible number", id="bad-sender"),
        pytest.param(status(status="dancing"), "unknown status: 'dancing'", id="another-status"),
        pytest.param(status(status="delivrd"), "unknown status: 'delivrd'", id="status-case"),
        pytest.param(status(without(REPORT, "message_id")), "external id", id="report-no-id"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("MSS").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


def test_other_channels_are_ignored() -> None:
    reply = make("MSS").receive(receive(channel="whatsapp"))
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("ACK", "sent"), ("ACCEPTD", "sent"), ("DELIVRD", "delivered"), ("SEEN", "delivered"), ("UNDELIV", "failed"),
     ("FAILED", "failed"), ("REJECTD", "failed"), ("DELETED", "failed"), ("EXPIRED", "failed"), ("NACK", "failed"),
     ("UNKNOWN", None), (None, None)],
)  # fmt: skip
def test_statuses(raw: str | None, expected: str | None) -> None:
    reply = make("MSS").receive(status(status=raw))
    assert (reply.status, told(reply)) == (200, [expected] if expected else [])
    assert reply.kind == ("accepted" if expected else "ignored")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, ("", "", 1_714_644_009_389), id="delivered"),
        pytest.param({"timestamp": "2024-05-02T10:00:09Z"}, ("", "", 1_714_644_009_000), id="with-a-zone"),
        pytest.param({"timestamp": "soon"}, ("", "", None), id="bad-date"),
        pytest.param({"status": "FAILED", "err": 8, "error": "operator blacklisted"},
                     ("8", "operator blacklisted", 1_714_644_009_389), id="failed"),
        pytest.param({"status": "FAILED"}, ("FAILED", "", 1_714_644_009_389), id="failed-without-a-code"),
    ],
)  # fmt: skip
def test_what_a_report_says(changes: dict[str, Any], expected: tuple[str, str, int | None]) -> None:
    (update,) = make("MSS").receive(status(**changes)).events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.destination) == ("fb593ce7", "+37255512345")
    assert (update.code, update.reason, update.at) == expected


UNSIGNED = request("MSS", "receive", Json(MO))


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param(sign(UNSIGNED), 200, id="good"),
        pytest.param(UNSIGNED, 401, id="missing"),
        pytest.param(sign(UNSIGNED, "another"), 401, id="wrong-key"),
        pytest.param(dataclasses.replace(sign(UNSIGNED), body=UNSIGNED.body + b" "), 401, id="another-body"),
        pytest.param(dataclasses.replace(UNSIGNED, headers={"x-messente-signature": ("é",)}), 401, id="no-hex"),
    ],
)
def test_signatures(asked: Request, code: int) -> None:
    assert make("MSS").receive(asked).status == code


def test_without_a_secret_nothing_is_checked() -> None:
    assert make("MSS", secret=None).receive(UNSIGNED).status == 200


def test_request() -> None:
    done = offer("MSS", text="Tere ✓", address="MySender", attachments=["image/png:https://x/a"])
    assert json.loads(done.request.body) == {
        "to": "+254700111222", "dlr_url": f"https://sms.example.org/c/mss/{UUID}/status",
        "messages": [{"channel": "sms", "sender": "MySender", "text": "Tere ✓\nhttps://x/a", "autoconvert": "off"}],
    }  # fmt: skip
    assert done.request.headers["Authorization"] == "Basic " + base64.b64encode("acme:pw-1&23 é".encode()).decode()


def test_another_base() -> None:
    done = offer("MSS", config={"base_url": "https://eu.example.org/v1/"}, url="https://eu.example.org/v1/omnimessage")
    assert done.outcomes == [Accepted("fb593ce7")]


def test_every_part_keeps_its_id() -> None:
    assert offer("MSS", text="word " * 400).outcomes == [Accepted("fb593ce7")] * 2


def errors(code: str) -> dict[str, Any]:
    return {"errors": [{"title": "t", "detail": "d", "code": code, "source": "s"}]}


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"messages": [{"message_id": "m"}]}), Accepted, None, id="200"),
        pytest.param((201, {"omnimessage_id": "63"}), Permanent, "", id="no-id"),
        *[pytest.param((400, errors(code)), Permanent, code, id=f"error-{code}")
          for code in ("101", "105", "106", "107")],
        pytest.param((403, errors("102")), ChannelDown, "102", id="forbidden"),
        pytest.param((401, errors("103")), ChannelDown, "103", id="unauthorized"),
        pytest.param((400, errors("104")), Temporary, "104", id="internal"),
        pytest.param((429, errors("105")), Throttled, "429", id="throttled"),
        pytest.param((500, errors("104")), Temporary, "104", id="internal-500"),
        pytest.param((503, errors("105")), Temporary, "503", id="unavailable"),
    ],
)  # fmt: skip
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("MSS", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code


def test_only_bad_credentials_are_read_again() -> None:
    down = [offer("MSS", (403, errors(code))).outcome for code in ("103", "102")]
    assert [isinstance(one, ChannelDown) and one.credentials for one in down] == [True, False]
