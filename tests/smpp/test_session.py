"""A session's life: bind, version, outbind, unbind, and which request is allowed when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from smsc_relay.smpp.codec import decode, encode
from smsc_relay.smpp.constants import CommandId, Status, StatusClass, Tag
from smsc_relay.smpp.errors import LocalProtocolError, SmppEncodeError
from smsc_relay.smpp.events import (
    BindRefused,
    BindRequested,
    Bound,
    Closed,
    CloseReason,
    Lost,
    OutbindReceived,
    ProtocolFault,
    RequestReceived,
    Response,
    Unbinding,
    UnexpectedResponse,
)
from smsc_relay.smpp.pdus import (
    AlertNotification,
    BindReceiver,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BroadcastSm,
    CancelBroadcastSm,
    CancelSm,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    ParamRetrieve,
    Pdu,
    QueryBroadcastSm,
    QueryLastMsgs,
    QueryMsgDetails,
    QuerySm,
    ReplaceSm,
    SmeAddress,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    int_tlv,
)
from smsc_relay.smpp.session import Role, Session, SessionConfig, State
from tests.smpp.ends import (
    BINDS,
    DELIVER,
    QUIET,
    QUIET_SMSC,
    START,
    SUBMIT,
    Pair,
    bound,
    decoded,
    frames,
    header,
    only,
    raw,
    session_in,
)

ESME, SMSC = Role.ESME, Role.SMSC
OPEN, OUTBOUND, BINDING = State.OPEN, State.OUTBOUND, State.BINDING
TX, RX, TRX, UNBINDING, CLOSED = State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX, State.UNBINDING, State.CLOSED
PARTING = State.PARTING


# --- bind -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "can_submit"), [(TX, True), (RX, False), (TRX, True)])
def test_bind(state: State, can_submit: bool) -> None:
    pair = Pair()
    request = BINDS[state](system_id="ilha", password="secret")
    assert not pair.esme.is_bound
    sequence, data = pair.esme.send(request, pair.now)
    assert sequence == 1
    assert pair.esme.state is BINDING

    assert pair.to_smsc(data) == [BindRequested(1, request, state)]
    assert pair.smsc.state is BINDING

    answer = pair.smsc.accept_bind(pair.now, "smsc")
    event = only(pair.to_esme(answer), Bound)
    assert (event.state, event.system_id, event.peer_version) == (state, "smsc", 0x34)
    for session in (pair.esme, pair.smsc):
        assert session.state is state
        assert session.is_bound
        assert session.can_submit is can_submit
        assert not session.closed
        assert session.in_flight == session.unanswered == 0
        assert session.data_to_send() == b""
        assert session.next_deadline() is None


@pytest.mark.parametrize(
    ("ours", "theirs", "announce", "told_us", "told_them", "version_of_esme", "version_of_smsc"),
    [
        pytest.param(0x34, 0x34, True, 0x34, 0x34, 0x34, 0x34, id="3.4"),
        pytest.param(0x50, 0x34, True, 0x34, 0x50, 0x34, 0x34, id="5.0 to 3.4"),
        pytest.param(0x34, 0x50, True, 0x50, 0x34, 0x34, 0x34, id="3.4 to 5.0"),
        pytest.param(0x50, 0x50, True, 0x50, 0x50, 0x50, 0x50, id="5.0"),
        pytest.param(0x34, 0x34, False, None, 0x34, 0x34, 0x34, id="SMSC does not say"),
        pytest.param(0x33, 0x34, True, None, 0x33, 0x33, 0x33, id="no TLV to a 3.3 ESME"),
        pytest.param(0x00, 0x34, True, None, 0x33, 0x00, 0x33, id="older than 3.3"),
    ],
)
def test_version(
    ours: int,
    theirs: int,
    announce: bool,
    told_us: int | None,
    told_them: int,
    version_of_esme: int,
    version_of_smsc: int,
) -> None:
    pair = Pair(replace(QUIET, interface_version=ours), replace(QUIET_SMSC, interface_version=theirs))
    _, data = pair.esme.send(BindTransmitter(system_id="ilha", interface_version=ours), pair.now)
    pair.to_smsc(data)
    answer = pair.smsc.accept_bind(pair.now, "smsc", announce_version=announce)
    assert decode(answer).pdu.tlv_int(Tag.SC_INTERFACE_VERSION) == told_us
    assert only(pair.to_esme(answer), Bound).peer_version == told_us
    assert (pair.esme.peer_version, pair.smsc.peer_version) == (told_us, told_them)
    assert (pair.esme.version, pair.smsc.version) == (version_of_esme, version_of_smsc)


@pytest.mark.parametrize(
    ("body", "system_id", "peer_version"),
    [
        pytest.param(b"", "", None, id="header only"),
        pytest.param(b"\0", "", None, id="empty system_id"),
        pytest.param(b"smsc\0", "smsc", None, id="no TLV"),
        pytest.param(b"smsc\0\x02\x10\x00\x01\x34", "smsc", 0x34, id="3.4"),
        pytest.param(b"smsc\0\x02\x10\x00\x01\x00", "smsc", None, id="version 0"),
        pytest.param(b"smsc\0\x02\x10\x00\x00", "smsc", None, id="empty version"),
        pytest.param(b"smsc\0\x02\x10\x00\x01\x03", "smsc", 0x33, id="older than 3.3"),
        pytest.param(b"smsc\0\x02\x10\x00\x02\x00\x50", "smsc", 0x50, id="version in two octets"),
        pytest.param(b"smsc\0\x04\x28\x00\x01\x50", "smsc", None, id="another TLV"),
    ],
)
def test_bind_response_of_real_smscs(body: bytes, system_id: str, peer_version: int | None) -> None:
    session = session_in(ESME, BINDING)
    event = only(session.receive_data(raw(0x80000009, 0, 1, body), START), Bound)
    assert (event.system_id, event.peer_version) == (system_id, peer_version)
    assert session.state is TRX


def test_accept_bind_with_tlvs() -> None:
    session = session_in(SMSC, BINDING)
    congestion = int_tlv(Tag.CONGESTION_STATE, 80)
    answer = decode(session.accept_bind(START, "smsc", tlvs=[congestion])).pdu
    assert isinstance(answer, BindTransceiverResp)
    assert answer.tlvs == (congestion, int_tlv(Tag.SC_INTERFACE_VERSION, 0x34))


@pytest.mark.parametrize(
    ("command_id", "status", "told", "status_class"),
    [
        pytest.param(0x80000009, 0x0E, 0x0E, StatusClass.CONFIGURATION, id="wrong password"),
        pytest.param(0x80000009, 0x05, 0x05, StatusClass.TEMPORARY, id="already bound"),
        pytest.param(0x80000009, 0x58, 0x58, StatusClass.THROTTLED, id="throttled"),
        pytest.param(0x80000009, 0x412, 0x412, StatusClass.SESSION, id="vendor"),
        pytest.param(0x80000000, 0x03, 0x03, StatusClass.SESSION, id="generic_nack"),
        pytest.param(0x80000000, 0x00, 0xFF, StatusClass.SESSION, id="generic_nack without status"),
    ],
)
def test_bind_refused(command_id: int, status: int, told: int, status_class: StatusClass) -> None:
    session = session_in(ESME, BINDING)
    refused, closed = session.receive_data(raw(command_id, status, 1), START)
    assert isinstance(refused, BindRefused)
    assert (refused.status, refused.status_class) == (told, status_class)
    assert closed == Closed(CloseReason.BIND_REFUSED)
    assert session.closed


def test_a_bind_answer_of_another_kind_is_ignored() -> None:
    session = session_in(ESME, BINDING)
    only(session.receive_data(raw(0x80000001, 0, 1), START), UnexpectedResponse)
    only(session.receive_data(raw(0x80000009, 0, 7), START), UnexpectedResponse)
    assert session.state is BINDING
    only(session.receive_data(raw(0x80000009, 0, 1), START), Bound)
    only(session.receive_data(raw(0x80000009, 0, 1), START), UnexpectedResponse)
    assert session.state is TRX


@pytest.mark.parametrize("how", ["tick", "receive_data", "connection_lost", "abort"])
def test_refuse_bind_closes_once(how: str) -> None:
    pair = Pair()
    pair.to_smsc(pair.esme.send(BindTransceiver(system_id="ilha"), pair.now)[1])
    answer = pair.smsc.refuse_bind(Status.ESME_RINVPASWD, pair.now)
    assert answer == raw(0x80000009, 0x0E, 1)
    assert pair.smsc.closed
    assert pair.smsc.next_deadline() == pair.now

    calls: dict[str, Any] = {
        "tick": pair.smsc.tick,
        "receive_data": lambda now: pair.smsc.receive_data(b"", now),
        "connection_lost": pair.smsc.connection_lost,
        "abort": pair.smsc.abort,
    }
    assert calls[how](pair.now) == [Closed(CloseReason.BIND_REFUSED)]
    assert [call(pair.now) for call in calls.values()] == [[], [], [], []]
    assert pair.smsc.next_deadline() is None
    assert [type(event) for event in pair.to_esme(answer)] == [BindRefused, Closed]


@pytest.mark.parametrize("state", [state for state in State if state not in (BINDING, PARTING)])
def test_no_bind_to_decide(state: State) -> None:
    session = session_in(SMSC, state)
    with pytest.raises(LocalProtocolError, match="no bind waits"):
        session.accept_bind(START)
    with pytest.raises(LocalProtocolError, match="no bind waits"):
        session.refuse_bind(Status.ESME_RBINDFAIL, START)
    assert session.state is state


def test_a_bind_cannot_be_decided_after_the_close() -> None:
    session = session_in(SMSC, BINDING)
    session.connection_lost(START)
    with pytest.raises(LocalProtocolError, match="no bind waits"):
        session.accept_bind(START)
    assert session.closed


def test_a_bind_is_refused_with_a_status() -> None:
    session = session_in(SMSC, BINDING)
    with pytest.raises(LocalProtocolError, match="status"):
        session.refuse_bind(Status.ESME_ROK, START)
    assert session.state is BINDING


def test_a_system_id_that_does_not_fit_leaves_the_bind_waiting() -> None:
    session = session_in(SMSC, BINDING)
    with pytest.raises(SmppEncodeError):
        session.accept_bind(START, "x" * 40)
    assert session.state is BINDING
    assert header(session.accept_bind(START, "x")) == (0x80000009, 0, 1)


@pytest.mark.parametrize("state", [BINDING, TX, RX, TRX])
def test_a_second_bind_is_already_bound(state: State) -> None:
    session = session_in(SMSC, state)
    fault = only(session.receive_data(encode(BindReceiver(), 9), START), ProtocolFault)
    assert (fault.status, fault.sequence, fault.command_id) == (0x05, 9, 0x01)
    assert session.data_to_send() == raw(0x80000001, 0x05, 9)
    assert session.state is state


# --- outbind --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [TX, RX, TRX])
def test_outbind(state: State) -> None:
    pair = Pair()
    outbind = Outbind(system_id="smsc", password="secret")
    _, data = pair.smsc.send(outbind, pair.now)
    assert pair.smsc.state is OUTBOUND
    assert pair.smsc.in_flight == 0
    assert pair.to_esme(data) == [OutbindReceived(outbind)]
    assert pair.esme.state is OUTBOUND
    only(pair.bind(BINDS[state](system_id="ilha")), Bound)
    assert pair.esme.state is pair.smsc.state is state


def test_a_bad_outbind_is_aborted() -> None:
    session = session_in(ESME, OUTBOUND)
    assert session.abort(START) == [Closed(CloseReason.ABORTED)]
    assert session.data_to_send() == b""


# --- unbind ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [TX, RX, TRX])
@pytest.mark.parametrize("role", Role)
def test_unbind(role: Role, state: State) -> None:
    pair = bound(state)
    asker, other = (pair.esme, pair.smsc) if role is ESME else (pair.smsc, pair.esme)
    sequence, data = asker.send(Unbind(), pair.now)
    assert asker.state is UNBINDING
    assert not asker.is_bound
    events = other.receive_data(data, pair.now)
    assert events == [Unbinding(True, "the peer has unbound"), Closed(CloseReason.PEER_UNBOUND)]
    answer = other.data_to_send()
    assert answer == raw(0x80000006, 0, sequence)
    assert asker.receive_data(answer, pair.now) == [Closed(CloseReason.UNBOUND)]
    assert asker.closed
    assert other.closed


@pytest.mark.parametrize(
    "answer", [raw(0x80000006, 0x08, 2), raw(0x80000000, 0x03, 2)], ids=["negative", "generic_nack"]
)
def test_any_answer_to_unbind_will_do(answer: bytes) -> None:
    session = session_in(ESME, UNBINDING)
    assert session.receive_data(answer, START) == [Closed(CloseReason.UNBOUND)]


def test_unbinds_that_cross() -> None:
    pair = bound()
    _, up = pair.esme.send(Unbind(), pair.now)
    _, down = pair.smsc.send(Unbind(), pair.now)
    assert pair.to_smsc(up)[-1] == pair.to_esme(down)[-1] == Closed(CloseReason.UNBOUND)
    assert pair.esme.data_to_send() == raw(0x80000006, 0, 1)
    assert pair.smsc.data_to_send() == raw(0x80000006, 0, 2)


def test_answers_still_count_while_unbinding_and_the_rest_is_lost() -> None:
    pair = bound()
    first, second = pair.submit("first"), pair.submit("second")
    _, unbind = pair.esme.send(Unbind(), pair.now)
    pair.now += 2
    answer = only(pair.to_esme(pair.smsc.respond(first, SubmitSmResp(message_id="1"))), Response)
    assert (answer.context, answer.rtt) == ("first", 2)
    pair.to_smsc(unbind)
    closed = Closed(CloseReason.UNBOUND, (Lost(second, "second", 2.0),))
    assert pair.to_esme(pair.smsc.data_to_send()) == [closed]


def test_a_request_that_crosses_our_unbind_is_taken() -> None:
    pair = bound()
    sequence, deliver = pair.smsc.send(DELIVER, pair.now)
    _, unbind = pair.esme.send(Unbind(), pair.now)
    assert pair.to_esme(deliver) == [RequestReceived(sequence, DELIVER)]
    only(pair.to_smsc(pair.esme.respond(sequence, DeliverSmResp())), Response)
    assert isinstance(pair.to_smsc(unbind)[-1], Closed)


@pytest.mark.parametrize(
    ("state", "reason"),
    [(state, CloseReason.CONNECTION_LOST) for state in (OPEN, OUTBOUND, BINDING, TX, RX, TRX)]
    + [(UNBINDING, CloseReason.UNBOUND)],
)
@pytest.mark.parametrize("role", Role)
def test_the_connection_goes_away(role: Role, state: State, reason: CloseReason) -> None:
    assert session_in(role, state).connection_lost(START) == [Closed(reason)]
    assert session_in(role, state).abort(START) == [Closed(CloseReason.ABORTED)]


@pytest.mark.parametrize("role", Role)
def test_nothing_happens_after_the_close(role: Role) -> None:
    session = session_in(role, TRX)
    session.receive_data(encode(DataSm(), 5), START)
    assert session.unanswered == 1
    session.connection_lost(START)
    assert session.closed
    assert session.receive_data(encode(EnquireLink(), 5), START) == []
    assert session.tick(START + 1e6) == []
    assert session.abort(START) == []
    assert session.connection_lost(START) == []
    assert session.data_to_send() == b""
    assert session.next_deadline() is None
    assert session.in_flight == session.unanswered == 0
    with pytest.raises(LocalProtocolError, match="CLOSED"):
        session.send(EnquireLink(), START)
    with pytest.raises(LocalProtocolError, match="no request 5"):
        session.respond(5, DataSmResp())


def test_what_follows_an_unbind_is_not_read() -> None:
    session = session_in(ESME, TRX)
    events = session.receive_data(encode(Unbind(), 5) + encode(DELIVER, 6) + b"rubbish", START)
    assert [type(event) for event in events] == [Unbinding, Closed]
    assert session.data_to_send() == raw(0x80000006, 0, 5)


def test_an_unbind_waits_for_the_answers_that_are_under_way() -> None:
    session = session_in(ESME, TRX)
    first, second = (session.send(SUBMIT, START, number)[0] for number in (1, 2))
    events = session.receive_data(encode(Unbind(), 5) + encode(SubmitSmResp("a"), first), START)
    assert [type(event) for event in events] == [Unbinding, Response]
    assert (session.state, session.is_bound, session.in_flight) == (PARTING, False, 1)
    assert session.data_to_send() == b""
    response, closed = session.receive_data(encode(SubmitSmResp("b"), second), START + 1)
    assert isinstance(response, Response)
    assert (response.context, response.rtt) == (2, 1.0)
    assert closed == Closed(CloseReason.PEER_UNBOUND, ())
    assert session.data_to_send() == raw(0x80000006, 0, 5)


def test_an_unbind_waits_for_our_own_answers() -> None:
    session = session_in(ESME, TRX)
    session.receive_data(encode(DELIVER, 4) + encode(Unbind(), 5), START)
    assert session.state is PARTING
    assert session.data_to_send() == b""
    session.respond(4, DeliverSmResp())
    assert session.next_deadline() == START
    assert session.tick(START) == [Closed(CloseReason.PEER_UNBOUND, ())]
    assert session.data_to_send() == raw(0x80000006, 0, 5)


def test_an_unbind_does_not_wait_for_ever() -> None:
    session = session_in(ESME, PARTING)
    assert session.next_deadline() == START + 5
    assert session.tick(START + 4) == []
    (closed,) = session.tick(START + 5)
    assert isinstance(closed, Closed)
    assert (closed.reason, len(closed.lost)) == (CloseReason.PEER_UNBOUND, 1)
    assert session.data_to_send() == raw(0x80000006, 0, 7)


def test_an_smsc_does_not_wait() -> None:
    session = session_in(SMSC, TRX)
    session.send(DELIVER, START)
    assert [type(event) for event in session.receive_data(encode(Unbind(), 5), START)] == [Unbinding, Closed]


def test_what_comes_before_the_answer_to_a_bind_waits_for_it() -> None:
    pair = Pair(QUIET, QUIET_SMSC)
    sequence, _ = pair.esme.send(BindTransceiver(), pair.now)
    answer = encode(BindTransceiverResp(system_id="smsc"), sequence)
    events = pair.esme.receive_data(encode(DELIVER, 1) + encode(DataSm(), 2) + answer, pair.now)
    assert [type(event) for event in events] == [Bound, RequestReceived, RequestReceived]
    assert pair.esme.unanswered == 2
    assert pair.esme.data_to_send() == b""


def test_more_than_a_hundred_before_it_are_to_come_again() -> None:
    pair = Pair(QUIET, QUIET_SMSC)
    pair.esme.send(BindReceiver(), pair.now)
    early = b"".join(encode(DELIVER, number) for number in range(1, 102))
    (fault,) = pair.esme.receive_data(early, pair.now)
    assert isinstance(fault, ProtocolFault)
    assert (fault.status, fault.sequence) == (Status.ESME_RX_T_APPN, 101)


def test_a_transmitter_has_no_use_for_them() -> None:
    pair = Pair(QUIET, QUIET_SMSC)
    pair.esme.send(BindTransmitter(), pair.now)
    (fault,) = pair.esme.receive_data(encode(DELIVER, 1), pair.now)
    assert isinstance(fault, ProtocolFault)
    assert fault.status == Status.ESME_RINVBNDSTS


def test_our_own_question_takes_no_place() -> None:
    session = session_in(ESME, TRX)
    sequence, _ = session.send(EnquireLink(), START, "alive?")
    assert session.in_flight == 0
    session.send(SUBMIT, START)
    assert session.in_flight == 1
    (answer,) = session.receive_data(encode(EnquireLinkResp(), sequence), START + 1)
    assert isinstance(answer, Response)
    assert (answer.context, session.in_flight) == ("alive?", 1)
    assert [type(event) for event in session.receive_data(encode(Unbind(), 5), START)] == [Unbinding]


# --- which request when ---------------------------------------------------------------------------------------------

# SMPP 3.4 table 2-1 and the operations of SMPP 5.0, written as sender: state: requests.
_TO_SMSC = [
    SUBMIT,
    SubmitMulti(dest_address=(SmeAddress(dest_addr_ton=1, dest_addr_npi=1, destination_addr="250788123123"),)),
    DataSm(),
    QuerySm(message_id="1"),
    CancelSm(message_id="1"),
    ReplaceSm(message_id="1"),
    BroadcastSm(),
    QueryBroadcastSm(message_id="1"),
    CancelBroadcastSm(message_id="1"),
    ParamRetrieve(),
    QueryLastMsgs(),
    QueryMsgDetails(message_id="1"),
]
_TO_ESME = [DELIVER, DataSm(), AlertNotification()]
_BINDS = [BindTransmitter(), BindReceiver(), BindTransceiver()]
_OTHERS = [Outbind(), Unbind(), EnquireLink()]
_ALL = list(dict.fromkeys([*_TO_SMSC, *_TO_ESME, *_BINDS, *_OTHERS]))
_ALLOWED: dict[Role, dict[State, list[Any]]] = {
    ESME: {
        OPEN: [*_BINDS, EnquireLink()],
        OUTBOUND: [*_BINDS, EnquireLink()],
        BINDING: [EnquireLink()],
        TX: [*_TO_SMSC, Unbind(), EnquireLink()],
        RX: [Unbind(), EnquireLink()],
        TRX: [*_TO_SMSC, Unbind(), EnquireLink()],
        UNBINDING: [],
        PARTING: [],
        CLOSED: [],
    },
    SMSC: {
        OPEN: [Outbind(), EnquireLink()],
        OUTBOUND: [EnquireLink()],
        BINDING: [EnquireLink()],
        TX: [Unbind(), EnquireLink()],
        RX: [*_TO_ESME, Unbind(), EnquireLink()],
        TRX: [*_TO_ESME, Unbind(), EnquireLink()],
        UNBINDING: [],
        PARTING: [],
        CLOSED: [],
    },
}
_ON_RECEIPT = {
    BindTransmitter: BindRequested,
    BindReceiver: BindRequested,
    BindTransceiver: BindRequested,
    Outbind: OutbindReceived,
    Unbind: Unbinding,
}


# An SMSC does not part: it answers an ESME's unbind at once.
_STATES = [(role, state) for role in Role for state in State if (role, state) != (SMSC, PARTING)]


def _name(value: object) -> str:
    return value.name if isinstance(value, Role | State) else type(value).__name__


@pytest.mark.parametrize("request_", _ALL, ids=_name)
@pytest.mark.parametrize(("role", "state"), _STATES, ids=_name)
def test_sending(role: Role, state: State, request_: Pdu) -> None:
    session = session_in(role, state)
    if request_ in _ALLOWED[role][state]:
        sequence, data = session.send(request_, START)
        (sent,) = decoded(data)
        assert (sent.pdu, sent.sequence, sent.status) == (request_, sequence, 0)
    else:
        with pytest.raises(LocalProtocolError, match=f"{type(request_).__name__} .* {role.name} .* {state.name}"):
            session.send(request_, START)
        assert session.state is state
        assert session.in_flight == (state is PARTING)


@pytest.mark.parametrize("request_", _ALL, ids=_name)
@pytest.mark.parametrize(("role", "state"), [one for one in _STATES if one[1] is not CLOSED], ids=_name)
def test_receiving(role: Role, state: State, request_: Pdu) -> None:
    session = session_in(role, state)
    peer = SMSC if role is ESME else ESME
    # A peer that has not seen our unbind yet may do all that it could before.
    allowed = _ALLOWED[peer][TRX if state is UNBINDING else state]
    events = session.receive_data(encode(request_, 77), START)
    sent = session.data_to_send()
    if request_ == EnquireLink():
        assert events == []
        assert sent == encode(EnquireLinkResp(), 77)
    elif role is ESME and state is BINDING and request_ in _TO_ESME:
        assert (events, sent) == ([], b"")  # it waits for the answer to the bind
    elif request_ in allowed:
        assert isinstance(events[0], _ON_RECEIPT.get(type(request_), RequestReceived))
        assert sent == (encode(UnbindResp(), 77) if isinstance(request_, Unbind) else b"")
    else:
        rebind = role is SMSC and type(request_) in BINDS.values()
        status = 0x05 if rebind else 0x04
        fault = only(events, ProtocolFault)
        assert (fault.status, fault.sequence, fault.command_id) == (status, 77, request_.command_id)
        if isinstance(request_, Outbind | AlertNotification):
            assert sent == b""
        else:
            assert header(sent) == (request_.command_id | 0x80000000, status, 77)
            assert len(sent) == (17 if isinstance(request_, DeliverSm | DataSm) else 16)
            decode(sent)
        assert session.state is state


@pytest.mark.parametrize("pdu", [SubmitSmResp(), GenericNack(), EnquireLinkResp()], ids=_name)
def test_a_response_is_not_sent_as_a_request(pdu: Pdu) -> None:
    with pytest.raises(LocalProtocolError):
        session_in(ESME, TRX).send(pdu, START)


def test_enquire_link_is_answered_in_the_midst_of_other_things() -> None:
    session = session_in(SMSC, TRX)
    data = b"".join([encode(SUBMIT, 2), encode(EnquireLink(), 3), encode(SUBMIT, 4)])
    assert [event.sequence for event in session.receive_data(data, START) if isinstance(event, RequestReceived)] == [
        2,
        4,
    ]
    assert frames(session.data_to_send()) == [raw(0x80000015, 0, 3)]


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, -1, 0x80000000])
def test_a_first_sequence_outside_the_range(first: int) -> None:
    with pytest.raises(ValueError, match="first_sequence"):
        Session(QUIET, START, first)


@pytest.mark.parametrize(
    "name",
    [
        "session_init_timeout",
        "response_timeout",
        "enquire_link_interval",
        "enquire_link_misses",
        "inactivity_timeout",
        "unbind_timeout",
    ],
)
@pytest.mark.parametrize("value", [0, -1.0, float("nan")])
def test_a_setting_that_makes_no_sense(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        replace(SessionConfig(), **{name: value})  # type: ignore[arg-type]


def test_limits_follow_the_version() -> None:
    text = SubmitSm(destination_addr="250788123123", short_message=b"x" * 255)
    with pytest.raises(SmppEncodeError):
        session_in(ESME, TRX, replace(QUIET, interface_version=0x34)).send(text, START)
    session_in(ESME, TRX, replace(QUIET, interface_version=0x50)).send(text, START)
    with pytest.raises(SmppEncodeError):
        session_in(ESME, TX, replace(QUIET, interface_version=0x33)).send(
            replace(text, short_message=b"x" * 200), START
        )
    generous = replace(SessionConfig(interface_version=0x50).effective_limits, password=40)
    config = replace(QUIET, limits=generous)
    assert Session(config, START).send(BindTransmitter(password="p" * 30), START)[0] == 1


def test_every_command_is_in_the_table_of_this_test() -> None:
    assert {pdu.command_id for pdu in _ALL} == {int(each) for each in CommandId} - {0x80000000}
