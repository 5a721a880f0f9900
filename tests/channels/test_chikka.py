"""Chikka."""

from __future__ import annotations

from typing import Any

import pytest
import responses

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary
from chalicelib.transport import Http
from tests.channels.support import MESSAGE, Offered, Sample, make, message, mo, offer, request, told, without

SAMPLE = Sample(
    code="CK",
    config={"username": "client-1", "password": "k-1&23 é"},
    url="https://post.chikka.com/smsapi/request",
    answer=(200, {"status": 200, "message": "ACCEPTED"}),
)
MO = {"message_type": "incoming", "mobile_number": "639171112233", "shortcode": "29290123",
      "request_id": "5048303030534D41", "message": "Kumusta", "timestamp": "1457670059.69"}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "5048303030534D41", "received_at": 1_457_670_059_690}
REPORT = {"message_type": "outgoing", "message_id": "8812", "status": "SENT"}


def receive(data: Any = None, **changes: str) -> Request:
    return request("CK", "receive", {**(MO if data is None else data), **changes})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+639171112233", "Kumusta", **KNOWN), id="as-documented"),
        pytest.param(receive(without(MO, "message")), mo("+639171112233", "", **KNOWN), id="no-text"),
        pytest.param(receive(without(MO, "shortcode")), mo("+639171112233", "Kumusta", **KNOWN), id="no-short-code"),
        pytest.param(receive(message="Ñ 😀\x00"), mo("+639171112233", "Ñ 😀", **KNOWN), id="unicode"),
        pytest.param(receive(mobile_number="0700111222"), mo("+254700111222", "Kumusta", **KNOWN), id="national"),
        pytest.param(receive(mobile_number="40404"), mo("40404", "Kumusta", **KNOWN), id="short-code"),
        pytest.param(receive(timestamp="1457670059"), mo("+639171112233", "Kumusta", external_id=KNOWN["external_id"],
                                                        received_at=1_457_670_059_000), id="whole-seconds"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("CK").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted"')


@pytest.mark.parametrize("asked", [receive({}), receive(message_type="other"), receive(message_type="")])
def test_ignored(asked: Request) -> None:
    reply = make("CK").receive(asked)
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(receive(without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in ("request_id", "mobile_number", "timestamp")],
        pytest.param(receive(timestamp="today"), "invalid date", id="bad-date"),
        pytest.param(receive(mobile_number="Acme"), "not a possible number", id="bad-sender"),
        *[pytest.param(receive(without(REPORT, name)), f"field '{name}' required", id=f"report-no-{name}")
          for name in ("message_id", "status")],
        pytest.param(receive(REPORT, message_id="x"), "must be our message id", id="report-bad-id"),
        pytest.param(receive(REPORT, status="DELIVERED"), "unknown status", id="report-unknown"),
        pytest.param(receive(REPORT, status="sent"), "unknown status", id="report-other-case"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("CK").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(("raw", "expected"), [("SENT", "sent"), ("FAILED", "failed")])
@pytest.mark.parametrize("ours", ["8812", MESSAGE])
def test_statuses(raw: str, expected: str, ours: str) -> None:
    reply = make("CK").receive(receive(REPORT, status=raw, message_id=ours))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.id, update.part, update.external_id) == (ours, None, "")


# --- sending --------------------------------------------------------------------------------------------------------

FORM = {"message_type": ["SEND"], "mobile_number": ["254700111222"], "shortcode": ["29290123"],
        "message_id": ["8812"], "message": ["Kumusta ✓"], "request_cost": ["FREE"], "client_id": ["client-1"],
        "secret_key": ["k-1&23 é"]}  # fmt: skip
MT: dict[str, Any] = {"id": 8812, "text": "Kumusta ✓", "address": "+29290123"}


def test_request() -> None:
    done = offer("CK", **MT)
    assert done.form == FORM
    assert done.outcomes == [Accepted()]


def test_attachments_and_parts() -> None:
    done = offer("CK", id=8812, text="word " * 40, attachments=["image/jpeg:https://x.org/a.jpg"])
    assert [form["message_id"] for form in done.forms()] == [["8812"]] * 2
    assert list(done.forms())[-1]["message"][0].endswith("\nhttps://x.org/a.jpg")
    assert max(len(form["message"][0]) for form in done.forms()) <= 160


def test_a_reply_names_what_it_answers() -> None:
    done = offer("CK", **MT, response_to_external_id="5048")
    assert list(done.forms()) == [{**FORM, "message_type": ["REPLY"], "request_id": ["5048"]}]


def test_only_the_first_part_is_a_reply() -> None:
    done = offer("CK", text="word " * 40, response_to_external_id="5048")
    assert [form["message_type"] for form in done.forms()] == [["REPLY"], ["SEND"]]


def test_another_url() -> None:
    url = "https://chikka.example.org/r"
    assert offer("CK", config={"send_url": url}, url=url).outcomes == [Accepted()]


def used(description: str = "Invalid/Used Request ID", text: str = "BAD REQUEST") -> dict[str, Any]:
    return {"status": 400, "message": text, "description": description}


def reply_with(*answers: tuple[int, Any]) -> tuple[Accepted | NotAccepted, list[dict[str, list[str]]]]:
    """What becomes of a reply, and the forms that were posted, if the answers to the requests are these."""
    channel, http = make("CK", address="29290123"), Http(allow_private=True)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        for status, body in answers:
            web.post(SAMPLE.url, json=body, status=status)
        (part,) = channel.plan(message("Kumusta ✓", id=8812, response_to_external_id="5048"))
        try:
            outcome: Accepted | NotAccepted = channel.send(part, http)
        except NotAccepted as ended:
            outcome = ended
        return outcome, list(Offered([outcome], [call.request for call in web.calls], http).forms())


@pytest.mark.parametrize("description", ["Invalid/Used Request ID", "Invalid\\/Used Request ID"])
def test_a_used_request_id_makes_it_a_message_of_its_own(description: str) -> None:
    outcome, forms = reply_with((400, used(description)), (200, {}))
    assert outcome == Accepted()
    assert forms == [{**FORM, "message_type": ["REPLY"], "request_id": ["5048"]}, FORM]


@pytest.mark.parametrize(
    ("answers", "expected", "count"),
    [
        pytest.param([(400, used()), (400, used())], Permanent, 2, id="the-second-answer-decides"),
        pytest.param([(400, used()), (503, {})], Temporary, 2, id="the-second-fails"),
        pytest.param([(400, used("Invalid Mobile Number"))], Permanent, 1, id="another-description"),
        pytest.param([(400, used(text="NO"))], Permanent, 1, id="another-message"),
        pytest.param([(500, used())], Temporary, 1, id="another-status"),
        pytest.param([(401, used("Invalid Client ID"))], ChannelDown, 1, id="credentials"),
    ],
)
def test_what_is_no_acceptance(answers: list[tuple[int, Any]], expected: type[NotAccepted], count: int) -> None:
    outcome, forms = reply_with(*answers)
    assert (type(outcome), len(forms)) == (expected, count)
