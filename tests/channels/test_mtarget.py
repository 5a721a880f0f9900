"""Mtarget."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.channels.base import IncomingPiece, Request
from chalicelib.messages import Incoming, OptOut, StatusUpdate
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import UUID, Sample, make, mo, multipart, offer, request, told, without

TICKET = "760eeaa0-0000-11e7-bb92-00000a0a0001"
SAMPLE = Sample(
    code="MT",
    config={"username": "acme", "password": "pw-1&23 é"},
    url="https://api-public.mtarget.fr/api-sms.json",
    answer=(200, {"results": [{"msisdn": "+33612340099", "smscount": "1", "code": "0", "reason": "ACCEPTED",
                               "ticket": TICKET}]}),
    external_id=TICKET,
)  # fmt: skip
MO = {"Msisdn": "+33612340099", "Content": "Bonjour a tous", "Keyword": "Default", "MsgId": "rx-7781"}
PART = {**MO, "msglong.id": "9f2", "msglong.msgcount": "3", "msglong.msgref": "2"}


def receive(data: dict[str, str], **changes: str) -> Request:
    return request("MT", "receive", {**data, **changes})


def part(**changes: str) -> Request:
    return receive({**PART, **{f"msglong.{name}": value for name, value in changes.items()}})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(MO), mo("+33612340099", "Bonjour a tous", external_id="rx-7781"), id="as-documented"),
        pytest.param(request("MT", "receive", MO, query="Content=query&MsgId=other"),
                     mo("+33612340099", "Bonjour a tous", external_id="rx-7781"), id="body-before-query"),
        pytest.param(receive(without(MO, "Content")), mo("+33612340099", "", external_id="rx-7781"), id="no-text"),
        pytest.param(receive(without(MO, "MsgId")), mo("+33612340099", "Bonjour a tous"), id="no-id"),
        pytest.param(receive(without(MO, "Keyword")), mo("+33612340099", "Bonjour a tous", external_id="rx-7781"),
                     id="no-keyword"),
        pytest.param(receive(MO, Keyword="stop", Content="stop"), mo("+33612340099", "stop", external_id="rx-7781"),
                     id="keyword-in-another-case"),
        pytest.param(receive(MO, Msisdn="40404"), mo("40404", "Bonjour a tous", external_id="rx-7781"),
                     id="short-code"),
        pytest.param(receive(MO, Content="Ünï 😀\x00"), mo("+33612340099", "Ünï 😀", external_id="rx-7781"),
                     id="unicode"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("MT").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


def test_parts_of_long_messages_are_pieces() -> None:
    events = [make("MT").receive(part(msgref=number)).events[0] for number in ("1", "2", "3")]
    assert [event.piece.sequence for event in events if isinstance(event, IncomingPiece)] == [1, 2, 3]
    assert {(event.piece.reference, event.piece.total) for event in events if isinstance(event, IncomingPiece)} == {
        (events[0].piece.reference if isinstance(events[0], IncomingPiece) else 0, 3)
    }


@pytest.mark.parametrize("data", [MO, PART, without(MO, "MsgId")])
def test_opt_outs(data: dict[str, str]) -> None:
    reply = make("MT").receive(receive(data, Keyword="Stop", Content="Stop"))
    assert reply.events == (OptOut(channel=UUID, sender="+33612340099"),)
    assert b'"Event Accepted"' in reply.body


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(without(MO, "Msisdn")), "field 'Msisdn' required", id="no-sender"),
        pytest.param(receive(MO, Msisdn=""), "field 'Msisdn' required", id="empty-sender"),
        pytest.param(receive({"msisdn": "+33612340099"}), "field 'Msisdn' required", id="names-have-a-case"),
        pytest.param(request("MT", "receive", multipart(MO)[0], headers=multipart(MO)[1]),
                     "field 'Msisdn' required", id="multipart"),
        pytest.param(receive(MO, Msisdn="Acme"), "not a possible number", id="bad-sender"),
        pytest.param(receive(MO, Msisdn="Acme", Keyword="Stop"), "not a possible number", id="nobody-opts-out"),
        *[pytest.param(part(**changes), "from 1 to the number of parts", id=f"part-{changes}")
          for changes in ({"msgref": "0"}, {"msgref": "4"}, {"msgcount": "0"}, {"msgcount": ""}, {"msgref": ""},
                          {"msgref": "-1"})],
        pytest.param(part(msgcount="three"), "field 'msglong.msgcount' must be an integer", id="part-no-number"),
        pytest.param(request("MT", "status", {"Status": "3"}), "field 'MsgId' required", id="report-no-id"),
        pytest.param(request("MT", "status", {"MsgId": "x"}), "field 'Status' required", id="report-no-status"),
        *[pytest.param(request("MT", "status", {"MsgId": "x", "Status": raw}), "unknown status", id=f"status-{raw}")
          for raw in ("5", "7", "03", "done")],
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("MT").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("0", "wired"), ("1", "wired"), ("2", "sent"), ("3", "delivered"), ("4", "failed"), ("6", "failed")],
)
def test_statuses(raw: str, expected: str) -> None:
    reply = make("MT").receive(request("MT", "status", {"MsgId": TICKET, "Status": raw}))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert update.external_id == TICKET


def query(call: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(call.url).query, keep_blank_values=True)


def test_request() -> None:
    done = offer("MT", text="Ça va ? ✓", address="+5522", attachments=["image/png:https://x/a"])
    assert query(done.request) == {
        "username": ["acme"], "password": ["pw-1&23 é"], "msisdn": ["+254700111222"],
        "msg": ["Ça va ? ✓\nhttps://x/a"], "serviceid": ["+5522"], "allowunicode": ["true"],
    }  # fmt: skip
    assert "msisdn=%2B254700111222" in done.request.url
    assert not done.request.body


def test_every_part_keeps_its_ticket() -> None:
    done = offer("MT", text="é" * 1000)
    assert done.outcomes == [Accepted(TICKET)] * 2
    assert [len(query(call)["msg"][0]) for call in done.calls] == [765, 235]


def results(**fields: Any) -> dict[str, Any]:
    return {"results": [fields]}


@pytest.mark.parametrize(
    ("answer", "expected", "code", "reason"),
    [
        pytest.param(results(code=0, ticket="t"), Accepted, None, None, id="number"),
        pytest.param(results(code="0", ticket=""), Permanent, "0", "response_content", id="no-ticket"),
        pytest.param(results(code="5", reason="REFUSED", ticket="t"), Permanent, "5", "REFUSED", id="refused"),
        pytest.param(results(reason="x" * 100), Permanent, "", "x" * 64, id="no-code"),
        pytest.param({"results": []}, Permanent, "", "response_content", id="nothing"),
        pytest.param("ok", Permanent, "", "response_content", id="no-json"),
    ],
)
def test_answers(answer: Any, expected: type[Accepted | NotAccepted], code: str | None, reason: str | None) -> None:
    outcome = offer("MT", (200, answer)).outcome
    assert type(outcome) is expected
    assert (getattr(outcome, "code", None), getattr(outcome, "reason", None)) == (code, reason)
