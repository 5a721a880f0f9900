"""Requests and their answers: correlation, sequence numbers, late answers, and what is lost with the connection."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from smsc_relay.smpp.codec import encode
from smsc_relay.smpp.constants import MAX_SEQUENCE, Status, Tag
from smsc_relay.smpp.errors import LocalProtocolError, SmppEncodeError
from smsc_relay.smpp.events import (
    Closed,
    CloseReason,
    LateResponse,
    Lost,
    ProtocolFault,
    RequestReceived,
    Response,
    ResponseTimeout,
    UnexpectedResponse,
)
from smsc_relay.smpp.pdus import (
    AlertNotification,
    BindTransceiver,
    DataSm,
    DataSmResp,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    QuerySm,
    QuerySmResp,
    SubmitSm,
    SubmitSmResp,
)
from smsc_relay.smpp.session import Role, State
from tests.smpp.ends import DELIVER, QUIET, START, SUBMIT, bound, header, only, raw, session_in

OK_BODY = b"id-1\0"


def test_a_submit_and_its_answer() -> None:
    pair = bound()
    context = object()
    sequence, data = pair.esme.send(SUBMIT, pair.now, context)
    assert sequence == 2
    assert pair.esme.in_flight == 1
    assert pair.to_smsc(data) == [RequestReceived(2, SUBMIT)]
    assert pair.smsc.unanswered == 1
    pair.now += 0.25
    answer = pair.smsc.respond(2, SubmitSmResp(message_id="id-1"))
    assert pair.smsc.unanswered == 0
    assert pair.to_esme(answer) == [Response(2, context, SubmitSmResp(message_id="id-1"), 0, 0.25)]
    assert pair.esme.in_flight == 0


def test_both_directions_count_for_themselves() -> None:
    pair = bound()
    up, up_data = pair.esme.send(SUBMIT, pair.now, "up")
    down, down_data = pair.smsc.send(DELIVER, pair.now, "down")
    assert (up, down) == (2, 1)
    pair.to_smsc(up_data)
    pair.to_esme(down_data)
    assert only(pair.to_smsc(pair.esme.respond(1, DeliverSmResp())), Response).context == "down"
    assert only(pair.to_esme(pair.smsc.respond(2, SubmitSmResp())), Response).context == "up"


def test_data_sm_goes_both_ways() -> None:
    pair = bound()
    sequence, data = pair.smsc.send(DataSm(destination_addr="8080"), pair.now, "mo")
    only(pair.to_esme(data), RequestReceived)
    assert only(pair.to_smsc(pair.esme.respond(sequence, DataSmResp())), Response).context == "mo"


def test_a_window_of_100_answered_out_of_order() -> None:
    pair = bound()
    sent = {pair.submit(context=number): number for number in range(100)}
    assert pair.esme.in_flight == pair.smsc.unanswered == len(sent) == 100
    order = list(sent)
    random.Random(7).shuffle(order)
    answers = b"".join(pair.smsc.respond(each, SubmitSmResp(message_id=str(sent[each]))) for each in order)
    events = pair.to_esme(answers)
    assert [event.sequence for event in events if isinstance(event, Response)] == order
    for event in events:
        assert isinstance(event, Response)
        assert event.pdu == SubmitSmResp(message_id=str(event.context))
    assert pair.esme.in_flight == pair.smsc.unanswered == 0


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        pytest.param(raw(0x80000004, 0x58, 2), 0x58, id="throttled, header only"),
        pytest.param(raw(0x80000004, 0x0B, 2, b"\0"), 0x0B, id="one NUL"),
        pytest.param(raw(0x80000004, 0x45, 2, OK_BODY), 0x45, id="with an id"),
        pytest.param(raw(0x80000004, 0x400, 2, b"\x14\x00\x00\x01x"), 0x400, id="vendor status and TLV"),
        pytest.param(raw(0x80000000, 0x03, 2), 0x03, id="generic_nack"),
        pytest.param(raw(0x80000000, 0x00, 2), 0xFF, id="generic_nack without status"),
    ],
)
def test_negative_answers(answer: bytes, status: int) -> None:
    pair = bound()
    pair.submit("mt")
    event = only(pair.to_esme(answer), Response)
    assert (event.sequence, event.context, event.status) == (2, "mt", status)
    assert pair.esme.in_flight == 0


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(raw(0x80000004, 0, 3, OK_BODY), id="unknown sequence"),
        pytest.param(raw(0x80000004, 0, 0, OK_BODY), id="sequence 0"),
        pytest.param(raw(0x80000004, 0, 0xFFFFFFFF, OK_BODY), id="sequence out of range"),
        pytest.param(raw(0x80000005, 0, 2, b"\0"), id="another kind"),
        pytest.param(raw(0x80000015, 0, 2), id="enquire_link_resp"),
        pytest.param(raw(0x80000000, 0x02, 0), id="generic_nack of nothing"),
    ],
)
def test_an_answer_to_something_else_is_ignored(answer: bytes) -> None:
    pair = bound()
    pair.submit("mt")
    only(pair.to_esme(answer), UnexpectedResponse)
    assert pair.esme.data_to_send() == b""
    assert pair.esme.in_flight == 1
    assert only(pair.to_esme(raw(0x80000004, 0, 2, OK_BODY)), Response).context == "mt"
    only(pair.to_esme(raw(0x80000004, 0, 2, OK_BODY)), UnexpectedResponse)


def test_our_own_enquire_link_has_an_answer_like_any_request() -> None:
    pair = bound()
    sequence, data = pair.esme.send(EnquireLink(), pair.now, "ping")
    assert pair.to_smsc(data) == []
    pair.now += 1
    assert pair.to_esme(pair.smsc.data_to_send()) == [Response(sequence, "ping", EnquireLinkResp(), 0, 1.0)]


def test_an_alert_has_no_answer() -> None:
    pair = bound()
    sequence, data = pair.smsc.send(AlertNotification(), pair.now)
    assert pair.smsc.in_flight == 0
    assert pair.smsc.next_deadline() is None
    assert pair.to_esme(data) == [RequestReceived(sequence, AlertNotification())]
    assert pair.esme.unanswered == 0
    with pytest.raises(LocalProtocolError):
        pair.esme.respond(sequence, GenericNack(), Status.ESME_RINVCMDID)


# --- answering ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sequence", [0, 1, MAX_SEQUENCE, 0x80000000, 0xFFFFFFFF])
def test_the_peers_sequence_is_echoed(sequence: int) -> None:
    session = session_in(Role.ESME, State.BOUND_TRX)
    only(session.receive_data(raw(0x05, 0, sequence, encode(DELIVER, 1)[16:]), START), RequestReceived)
    assert header(session.respond(sequence, DeliverSmResp())) == (0x80000005, 0, sequence)
    session.receive_data(raw(0x15, 0, sequence), START)
    assert header(session.data_to_send()) == (0x80000015, 0, sequence)


def test_a_status_in_a_request_is_ignored() -> None:
    session = session_in(Role.ESME, State.BOUND_TRX)
    assert session.receive_data(encode(DELIVER, 7, 0x58), START) == [RequestReceived(7, DELIVER)]


def test_a_peer_that_repeats_its_sequence_numbers() -> None:
    session = session_in(Role.SMSC, State.BOUND_TRX)
    data = encode(SUBMIT, 7) + encode(QuerySm(message_id="1"), 7) + encode(SUBMIT, 7)
    assert len(session.receive_data(data, START)) == session.unanswered == 3
    assert header(session.respond(7, QuerySmResp(message_id="1"))) == (0x80000003, 0, 7)
    assert header(session.respond(7, SubmitSmResp())) == (0x80000004, 0, 7)
    with pytest.raises(LocalProtocolError):
        session.respond(7, QuerySmResp(message_id="1"))
    assert header(session.respond(7, SubmitSmResp())) == (0x80000004, 0, 7)
    assert session.unanswered == 0
    with pytest.raises(LocalProtocolError):
        session.respond(7, SubmitSmResp())


def test_a_generic_nack_answers_the_oldest_of_a_number() -> None:
    session = session_in(Role.SMSC, State.BOUND_TRX)
    session.receive_data(encode(SUBMIT, 7) + encode(QuerySm(message_id="1"), 7), START)
    session.respond(7, GenericNack(), Status.ESME_RSYSERR)
    with pytest.raises(LocalProtocolError):
        session.respond(7, SubmitSmResp())
    assert header(session.respond(7, QuerySmResp(message_id="1"))) == (0x80000003, 0, 7)


def test_answers_that_are_none() -> None:
    session = session_in(Role.SMSC, State.BOUND_TRX)
    session.receive_data(encode(SUBMIT, 7), START)
    with pytest.raises(LocalProtocolError, match="no request 8"):
        session.respond(8, SubmitSmResp())
    with pytest.raises(LocalProtocolError, match="DeliverSmResp does not answer"):
        session.respond(7, DeliverSmResp())
    with pytest.raises(LocalProtocolError, match="SubmitSm does not answer"):
        session.respond(7, SUBMIT)
    with pytest.raises(LocalProtocolError, match="status"):
        session.respond(7, GenericNack())
    with pytest.raises(SmppEncodeError):
        session.respond(7, SubmitSmResp(message_id="x" * 66))
    assert session.unanswered == 1
    assert session.respond(7, GenericNack(), Status.ESME_RINVCMDID) == raw(0x80000000, 0x03, 7)
    assert session.unanswered == 0


# --- sequence numbers -----------------------------------------------------------------------------------------------


def test_sequence_numbers_wrap() -> None:
    pair = bound(first_sequence=MAX_SEQUENCE - 1)
    assert [pair.submit() for _ in range(3)] == [MAX_SEQUENCE, 1, 2]


def test_the_last_sequence_may_be_the_first() -> None:
    pair = bound(first_sequence=MAX_SEQUENCE)
    assert pair.submit() == 1


def test_a_number_in_flight_is_not_used_again() -> None:
    pair = bound(first_sequence=1)
    for _ in range(4):  # 2 to 5
        pair.submit()
    pair.to_esme(raw(0x80000004, 0, 4, OK_BODY))
    pair.esme._last_sequence = MAX_SEQUENCE - 1  # two thousand million submits later
    assert [pair.submit() for _ in range(4)] == [MAX_SEQUENCE, 1, 4, 6]


def test_a_number_whose_answer_may_come_late_is_not_used_again() -> None:
    pair = bound(first_sequence=1)
    assert pair.submit("late") == 2
    pair.now += QUIET.response_timeout
    only(pair.esme.tick(pair.now), ResponseTimeout)
    pair.esme._last_sequence = MAX_SEQUENCE
    assert [pair.submit() for _ in range(2)] == [1, 3]
    assert only(pair.to_esme(raw(0x80000004, 0, 2, OK_BODY)), LateResponse).context == "late"


def test_the_number_of_a_bind_that_waits_is_not_used_again() -> None:
    session = session_in(Role.ESME, State.BINDING)
    session._last_sequence = MAX_SEQUENCE
    assert session.send(EnquireLink(), START)[0] == 2


def test_what_cannot_be_sent_changes_nothing() -> None:
    pair = bound()
    with pytest.raises(SmppEncodeError):
        pair.esme.send(SubmitSm(short_message=b"x" * 300), pair.now)
    with pytest.raises(LocalProtocolError):
        pair.esme.send(DELIVER, pair.now)
    assert pair.esme.in_flight == 0
    assert pair.submit() == 2

    unbound = session_in(Role.ESME, State.OPEN)
    with pytest.raises(SmppEncodeError):
        unbound.send(BindTransceiver(system_id="x" * 40), START)
    assert unbound.state is State.OPEN
    assert unbound.send(BindTransceiver(), START)[0] == 1


# --- time-outs and late answers -------------------------------------------------------------------------------------


def test_requests_time_out_in_order_and_answers_still_count() -> None:
    pair = bound()
    first = pair.submit("first")
    pair.now += 1
    second, third = pair.submit("second"), pair.submit("third")
    pair.to_esme(pair.smsc.respond(second, SubmitSmResp(message_id="b")))

    assert pair.esme.next_deadline() == START + 60
    assert pair.esme.tick(START + 59.9) == []
    assert pair.esme.tick(START + 60) == [ResponseTimeout(first, "first", 60.0)]
    assert pair.esme.in_flight == 1
    assert pair.esme.next_deadline() == START + 61
    assert pair.esme.tick(START + 70) == [ResponseTimeout(third, "third", 69.0)]
    assert pair.esme.in_flight == 0
    assert pair.esme.next_deadline() is None

    pair.now = START + 100
    answer = pair.smsc.respond(third, SubmitSmResp(message_id="c"))
    assert pair.to_esme(answer) == [LateResponse(third, "third", SubmitSmResp(message_id="c"), 0, 99.0)]
    only(pair.to_esme(answer), UnexpectedResponse)
    nack = only(pair.to_esme(raw(0x80000000, 0x08, first)), LateResponse)
    assert (nack.context, nack.status) == ("first", 0x08)


def test_an_answer_after_the_time_but_before_the_tick_is_in_time() -> None:
    pair = bound()
    sequence = pair.submit()
    pair.now += 61
    only(pair.to_esme(pair.smsc.respond(sequence, SubmitSmResp())), Response)
    assert pair.esme.tick(pair.now) == []


def test_a_late_answer_of_another_kind_is_ignored() -> None:
    pair = bound()
    pair.submit("mt")
    pair.now += 60
    pair.esme.tick(pair.now)
    only(pair.to_esme(raw(0x80000005, 0, 2, b"\0")), UnexpectedResponse)
    assert only(pair.to_esme(raw(0x80000004, 0, 2, OK_BODY)), LateResponse).context == "mt"


@pytest.mark.parametrize(("after", "kind"), [(3599.0, LateResponse), (3600.0, UnexpectedResponse)])
def test_late_requests_are_forgotten_with_time(after: float, kind: type[object]) -> None:
    pair = bound()
    pair.submit()
    pair.now += 60
    pair.esme.tick(pair.now)
    pair.now += after
    (event,) = pair.to_esme(raw(0x80000004, 0, 2, OK_BODY))
    assert type(event) is kind


def test_only_so_many_late_requests_are_remembered() -> None:
    pair = bound(esme=replace(QUIET, late_memory_max=3))
    sequences = [pair.submit() for _ in range(5)]
    pair.now += 60
    assert len(pair.esme.tick(pair.now)) == 5
    kinds = [type(pair.to_esme(raw(0x80000004, 0, each, OK_BODY))[0]) for each in sequences]
    assert kinds == [UnexpectedResponse, UnexpectedResponse, LateResponse, LateResponse, LateResponse]


def test_no_memory_at_all() -> None:
    pair = bound(esme=replace(QUIET, late_memory_max=0))
    pair.submit()
    pair.now += 60
    only(pair.esme.tick(pair.now), ResponseTimeout)
    only(pair.to_esme(raw(0x80000004, 0, 2, OK_BODY)), UnexpectedResponse)


# --- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["connection_lost", "abort", "framing"])
def test_the_open_window_is_lost_at_once(how: str) -> None:
    pair = bound(esme=replace(QUIET, enquire_link_interval=1.0))
    timed_out = pair.submit("told before")
    pair.now += 60
    pair.to_esme(pair.smsc.respond(pair.submit("answered"), SubmitSmResp()))
    assert pair.esme.tick(pair.now) == [ResponseTimeout(timed_out, "told before", 60.0)]
    sequences = [pair.submit(letter) for letter in "abc"]
    pair.to_esme(raw(0x80000004, 0, sequences[1], OK_BODY))
    pair.now += 2
    assert pair.esme.tick(pair.now) == []
    assert header(pair.esme.data_to_send())[0] == 0x15  # an enquire_link of its own is in flight, too
    assert pair.esme.in_flight == 2

    if how == "connection_lost":
        events, reason = pair.esme.connection_lost(pair.now), CloseReason.CONNECTION_LOST
    elif how == "abort":
        events, reason = pair.esme.abort(pair.now), CloseReason.ABORTED
    else:
        events, reason = pair.to_esme(bytes(16)), CloseReason.FRAMING_ERROR
    closed = events[-1]
    assert isinstance(closed, Closed)
    assert (closed.reason, closed.lost) == (reason, (Lost(sequences[0], "a", 2.0), Lost(sequences[2], "c", 2.0)))
    assert pair.esme.in_flight == 0


def test_nothing_shows_a_context_or_a_text() -> None:
    pair = bound()
    sequence = pair.submit("the context")
    (received,) = pair.to_smsc(encode(SUBMIT, 99))
    pair.now += 60
    shown = [received, *pair.esme.tick(pair.now), *pair.to_esme(pair.smsc.respond(sequence, SubmitSmResp()))]
    pair.submit("the context")
    shown += pair.esme.abort(pair.now)
    for text in ("the context", "patient", "250788123123", "8080"):
        assert text not in repr(shown)


# --- flaws ----------------------------------------------------------------------------------------------------------

FLAWED_TLV = Tag.MESSAGE_STATE.to_bytes(2, "big") + b"\x00\x09\x02"  # nine octets announced, one there


def test_flaws_are_told() -> None:
    session = session_in(Role.SMSC, State.BOUND_TRX)
    data = raw(0x04, 0, 7, encode(SUBMIT, 1)[16:] + FLAWED_TLV)
    event = only(session.receive_data(data, START), RequestReceived)
    assert [flaw.status for flaw in event.flaws] == [0xC0]
    assert session.unanswered == 1


def test_flaws_are_refused_when_strict() -> None:
    session = session_in(Role.SMSC, State.BOUND_TRX, replace(QUIET, strict=True))
    data = raw(0x04, 0, 7, encode(SUBMIT, 1)[16:] + FLAWED_TLV)
    fault = only(session.receive_data(data, START), ProtocolFault)
    assert (fault.status, fault.sequence, fault.command_id) == (0xC0, 7, 0x04)
    assert session.data_to_send() == raw(0x80000004, 0xC0, 7)
    assert session.unanswered == 0


@pytest.mark.parametrize("strict", [False, True])
def test_a_flawed_answer_is_an_answer(strict: bool) -> None:
    pair = bound(esme=replace(QUIET, strict=strict))
    pair.submit("mt")
    event = only(pair.to_esme(raw(0x80000004, 0, 2, OK_BODY + FLAWED_TLV)), Response)
    assert (event.context, event.status) == ("mt", 0)
    assert isinstance(event.pdu, SubmitSmResp)
    assert event.pdu.message_id == "id-1"
    assert event.flaws
