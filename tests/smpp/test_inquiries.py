"""query_sm, cancel_sm and replace_sm over a conversation: what goes, and what comes of it."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from smsc_relay.protocol import Answered, CannotEncode, Ended, Inquirer, Inquiry, Role
from smsc_relay.smpp.constants import Status
from smsc_relay.smpp.dialect import DIALECT
from smsc_relay.smpp.pdus import CancelSm, CancelSmResp, Pdu, QuerySm, QuerySmResp, ReplaceSm
from tests.smpp.test_conversation import Line, bound, only

Kind = Literal["query", "cancel", "replace"]


def made(kind: Kind, line: Line | None = None, **fields: Any) -> Pdu:
    inquiry = Inquiry(kind, "00A1", "8080", "+250788123123", **fields)
    pdu: Pdu = DIALECT.inquiry(inquiry, (line or Line()).config)
    return pdu


def ask(line: Line, kind: Kind = "query") -> int:
    assert isinstance(line.talk, Inquirer)
    line.talk.inquire(made(kind, line), "why", line.now)
    return line.smsc.receive_data(line.talk.data_to_send(), line.now)[0].sequence  # type: ignore[union-attr]


def test_what_is_sent() -> None:
    source = {"source_addr_ton": 0, "source_addr_npi": 1, "source_addr": "8080"}
    destination = {"dest_addr_ton": 1, "dest_addr_npi": 1, "destination_addr": "250788123123"}
    assert made("query") == QuerySm(message_id="00A1", **source)
    assert made("cancel", Line(service_type="CMT")) == CancelSm(
        message_id="00A1", service_type="CMT", **source, **destination
    )
    assert made("replace", text="Yego") == ReplaceSm(
        message_id="00A1", **source, registered_delivery=1, short_message=b"Yego"
    )


@pytest.mark.parametrize(
    ("fields", "config", "why"),
    [
        pytest.param({"text": "x" * 161}, {}, "one short message", id="two parts"),
        pytest.param({"text": "x" * 161}, {"long_messages": "payload"}, "one short message", id="payload"),
        pytest.param({"text": "☀", "encoding": "gsm7"}, {}, "sent in gsm7 and this text needs ucs2", id="wider"),
        pytest.param({"text": "a", "encoding": "ucs2"}, {}, "sent in ucs2 and this text needs gsm7", id="narrower"),
    ],
)
def test_a_text_that_replace_sm_cannot_take(fields: dict[str, str], config: dict[str, Any], why: str) -> None:
    with pytest.raises(CannotEncode, match=why):
        made("replace", Line(**config), **fields)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (QuerySmResp("00A1", message_state=2), (("message_state", "DELIVERED"),)),
        (QuerySmResp("00A1", "260131093000000+", 5, 17),
         (("message_state", "UNDELIVERABLE"), ("final_date", "260131093000000+"), ("error_code", "17"))),
        (QuerySmResp("00A1", message_state=77), (("message_state", "unknown state 77"),)),
    ],
)  # fmt: skip
def test_what_the_smsc_says(answer: QuerySmResp, said: tuple[tuple[str, str], ...]) -> None:
    line = bound()
    sequence = ask(line)
    assert line.talk.in_flight == 1
    assert only(line.take(line.smsc.respond(sequence, answer))) == Answered("why", said)
    assert line.talk.in_flight == 0


def test_a_refusal_is_a_problem() -> None:
    line = bound()
    data = line.smsc.respond(ask(line, "cancel"), CancelSmResp(), Status.ESME_RCANCELFAIL)
    assert only(line.take(data)) == Answered("why", problem="ESME_RCANCELFAIL")


def test_no_answer_is_a_problem_and_a_late_one_is_nothing() -> None:
    line = bound(response_timeout=5)
    sequence = ask(line)
    line.now += 5
    assert only(line.talk.tick(line.now)) == Answered("why", problem="no answer for 5 s")
    assert list(line.take(line.smsc.respond(sequence, QuerySmResp("00A1")))) == []


def test_the_end_of_the_connection_is_a_problem_and_no_message_in_doubt() -> None:
    line = bound()
    ask(line)
    line.submit("a message")
    asked, ended = line.talk.connection_lost(line.now)
    assert asked == Answered("why", problem="the connection ended")
    assert isinstance(ended, Ended)
    assert ended.lost == ("a message",)


def test_a_receiver_cannot_ask() -> None:
    line = bound(Role.RECEIVER)
    with pytest.raises(RuntimeError):
        ask(line)
