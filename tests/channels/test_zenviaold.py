"""Zenvia's older REST API: http://docs.zenviasms.apiary.io"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary
from tests.channels.support import MESSAGE, Json, Sample, make, mo, offer, request, told, without

SHORT = hashlib.sha256(MESSAGE.encode()).hexdigest()[:20]
GOOD = {"statusCode": "00", "statusDescription": "Ok", "detailCode": "000", "detailDescription": "Message Sent"}
SAMPLE = Sample(
    code="ZV",
    config={"username": "acme.envio", "password": "p&w d"},
    url="https://api-rest.zenvia.com/services/send-sms",
    answer=(200, {"sendSmsResponse": GOOD}),
    external_id=SHORT,
)
MO = {"id": "30990011", "mobile": "5551911112222", "shortCode": "28800", "account": "acme.envio", "body": "SIM",
      "received": "2023-08-26T12:27:08.488-03:00", "correlatedMessageSmsId": "hs111"}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "30990011", "received_at": 1_693_063_628_488}
REPORT = {"status": "03", "statusMessage": "Delivered", "statusDetail": "120", "id": "8812",
          "statusDetailMessage": "Message received by mobile", "mobileOperatorName": "Claro"}  # fmt: skip


def receive(**changes: Any) -> Request:
    return request("ZV", "receive", Json({"callbackMoRequest": {**MO, **changes}}))


def report(**changes: Any) -> Request:
    return request("ZV", "status", Json({"callbackMtRequest": {**REPORT, **changes}}))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+5551911112222", "SIM", **KNOWN), id="as-documented"),
        pytest.param(receive(body=""), mo("+5551911112222", "", **KNOWN), id="empty-text"),
        pytest.param(receive(body=None), mo("+5551911112222", "", **KNOWN), id="no-text"),
        pytest.param(receive(body="Não 😀\x00"), mo("+5551911112222", "Não 😀", **KNOWN), id="unicode"),
        pytest.param(receive(mobile="51911112222"), mo("+5551911112222", "SIM", **KNOWN), id="national"),
        pytest.param(receive(mobile="4040"), mo("4040", "SIM", **KNOWN), id="short-code"),
    ],
)
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("ZV", country="BR").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(receive(**{name: None}), f"field 'callbackMoRequest.{name}' required", id=f"no-{name}")
          for name in ("id", "mobile", "received")],
        pytest.param(request("ZV", "receive", Json(MO)), "field 'callbackMoRequest.id' required", id="no-envelope"),
        pytest.param(receive(received="2023-08-26 12:27:08"), "invalid date", id="bad-date"),
        pytest.param(receive(received="2023-08-26T12:27:08.488"), "invalid date", id="date-without-zone"),
        pytest.param(receive(mobile="Claro"), "not a possible number", id="alphanumeric"),
        pytest.param(receive(body=7), "field 'callbackMoRequest.body' must be a string", id="wrong-type"),
        pytest.param(request("ZV", "receive", b"{"), "unable to parse request JSON", id="no-json"),
        pytest.param(report(status=None), "field 'callbackMtRequest.status' required", id="report-no-status"),
        pytest.param(report(status=3), "must be a string", id="report-status-no-string"),
        pytest.param(report(id=None), "external id", id="report-no-id"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("ZV", country="BR").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("00", "sent"), ("01", "sent"), ("02", "sent"), ("03", "delivered"), ("04", "failed"), ("05", "failed"),
     ("06", "failed"), ("07", "failed"), ("08", "failed"), ("09", "failed"), ("10", "failed"), ("3", "failed"),
     ("99", "failed")],
)  # fmt: skip
def test_statuses(raw: str, expected: str) -> None:
    reply = make("ZV").receive(report(status=raw))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.code) == ("8812", "120" if expected == "failed" else "")
    assert update.reason == "Message received by mobile"


def test_a_failure_without_detail_keeps_its_status() -> None:
    (update,) = make("ZV").receive(report(status="07", statusDetail=None, id=8812)).events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.code) == ("8812", "07")


def test_request() -> None:
    done = offer("ZV", id=8812, text="Olá ✓", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert done.outcomes == [Accepted("8812")]
    assert json.loads(done.request.body) == {"sendSmsRequest": {
        "to": "254700111222", "msg": "Olá ✓\nhttps://x.org/a.jpg", "callbackOption": "FINAL", "id": "8812",
    }}  # fmt: skip
    assert done.request.headers["Authorization"] == "Basic YWNtZS5lbnZpbzpwJncgZA=="


def test_ids_are_short_each_parts_own_and_those_of_reports() -> None:
    """A retry is the same request; every part, and every wanted resend, is another."""
    first, again, resent = (offer("ZV", text="x" * 1200, generation=n) for n in (1, 1, 2))
    ids = [[json.loads(call.body)["sendSmsRequest"]["id"] for call in done.calls] for done in (first, again, resent)]
    assert ids[0] == ids[1]
    assert len({*ids[0], *ids[2]}) == 4
    assert {len(name) for name in ids[0] + ids[2]} == {20}
    assert first.outcomes == [Accepted(name) for name in ids[0]]
    (update,) = make("ZV").receive(report(id=ids[0][1])).events
    assert isinstance(update, StatusUpdate)
    assert update.external_id == ids[0][1]


def answer(status: Any, detail: Any = None) -> tuple[int, Any]:
    return 200, {"sendSmsResponse": {"statusCode": status, "detailCode": detail}}


@pytest.mark.parametrize(
    ("given", "expected", "code"),
    [
        *[pytest.param(answer(status), Accepted, None, id=status) for status in ("00", "01", "02", "03")],
        *[pytest.param(answer(status), Permanent, status, id=status)
          for status in ("04", "05", "06", "07", "08", "09")],
        *[pytest.param(answer("10", detail), Permanent, detail, id=f"10-{detail}")
          for detail in ("010", "012", "013", "014", "016")],
        pytest.param(answer("10", "080"), Accepted, None, id="had-it-already"),
        pytest.param(answer("10", "900"), ChannelDown, "900", id="credentials"),
        pytest.param(answer("10"), Temporary, "10", id="error"),
        pytest.param(answer("99", "999"), Temporary, "999", id="unknown-error"),
        pytest.param(answer(0), Temporary, "0", id="codes-are-strings"),
        pytest.param((200, {}), Temporary, "", id="nothing"),
        pytest.param((200, {"sendSmsResponse": without(GOOD, "statusCode")}), Temporary, "000",
                     id="no-status"),
    ],
)  # fmt: skip
def test_answers(given: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("ZV", given).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
