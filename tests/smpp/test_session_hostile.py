"""Peers that break the rules, octets cut anywhere, and anything at all: a session never raises and closes once."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from smsc_relay.smpp.codec import encode
from smsc_relay.smpp.events import (
    BindRequested,
    Bound,
    Closed,
    CloseReason,
    Event,
    LateResponse,
    ProtocolFault,
    RequestReceived,
    Response,
    ResponseTimeout,
    UnexpectedResponse,
)
from smsc_relay.smpp.pdus import (
    AlertNotification,
    BindTransceiver,
    DeliverSmResp,
    EnquireLink,
    Outbind,
    QuerySm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from smsc_relay.smpp.session import Role, Session, SessionConfig, State
from tests.smpp.ends import (
    DELIVER,
    QUIET,
    QUIET_SMSC,
    START,
    SUBMIT,
    Pair,
    bound,
    closings,
    header,
    only,
    raw,
    session_in,
)

# --- what cannot be read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command_id", [0x0000000A, 0x00000025, 0x00010200, 0x01000001, 0x7FFFFFFF])
@pytest.mark.parametrize("state", [State.OPEN, State.BOUND_TRX])
def test_an_unknown_command(state: State, command_id: int) -> None:
    session = session_in(Role.SMSC, state)
    data = raw(command_id, 0, 77, b"what is this") + encode(EnquireLink(), 78)
    fault = only(session.receive_data(data, START), ProtocolFault)
    assert (fault.status, fault.sequence, fault.command_id) == (0x03, 77, command_id)
    assert session.data_to_send() == raw(0x80000000, 0x03, 77) + raw(0x80000015, 0, 78)
    assert session.state is state


@pytest.mark.parametrize("command_id", [0x8000000A, 0x80010200, 0xFFFFFFFF])
def test_an_unknown_response_is_not_answered(command_id: int) -> None:
    pair = bound()
    pair.submit("mt")
    fault = only(pair.to_esme(raw(command_id, 0, 2)), ProtocolFault)
    assert (fault.sequence, fault.command_id) == (2, command_id)
    assert pair.esme.data_to_send() == b""
    assert pair.esme.in_flight == 1


@pytest.mark.parametrize(
    ("role", "command_id"),
    [
        pytest.param(Role.SMSC, 0x00000004, id="submit_sm"),
        pytest.param(Role.SMSC, 0x00000021, id="submit_multi"),
        pytest.param(Role.SMSC, 0x00000103, id="data_sm"),
        pytest.param(Role.ESME, 0x00000005, id="deliver_sm"),
    ],
)
def test_an_unreadable_request_gets_the_response_of_its_kind(role: Role, command_id: int) -> None:
    session = session_in(role, State.BOUND_TRX)
    fault = only(session.receive_data(raw(command_id, 0, 77, b"CMT"), START), ProtocolFault)
    assert (fault.sequence, fault.command_id) == (77, command_id)
    assert fault.status in {0x01, 0x02, 0xC0}
    sent = session.data_to_send()
    assert header(sent) == (command_id | 0x80000000, fault.status, 77)
    assert len(sent) == (17 if command_id in {0x05, 0x103} else 16)
    assert session.unanswered == 0
    assert session.is_bound


_TOO_LONG = b"x" * 300 + b"\0"  # for any id


@pytest.mark.parametrize("status", [0, 0x58])
@pytest.mark.parametrize("late", [False, True])
def test_an_unreadable_response_is_an_answer_all_the_same(status: int, late: bool) -> None:
    pair = bound()
    pair.submit("mt")
    if late:
        pair.esme.tick(START + 60)
    fault, answer = pair.to_esme(raw(0x80000004, status, 2, _TOO_LONG))
    assert isinstance(fault, ProtocolFault)
    assert (fault.sequence, fault.command_id) == (2, 0x80000004)
    assert isinstance(answer, LateResponse if late else Response)
    assert (answer.context, answer.status, answer.pdu) == ("mt", status, SubmitSmResp(message_id=""))
    assert answer.flaws == ((fault.status, fault.reason),)
    assert pair.esme.in_flight == 0
    assert pair.esme.data_to_send() == b""


@pytest.mark.parametrize(("command_id", "sequence"), [(0x80000004, 3), (0x80000103, 2)])
def test_an_unreadable_response_to_something_else(command_id: int, sequence: int) -> None:
    pair = bound()
    pair.submit("mt")
    only(pair.to_esme(raw(command_id, 0, sequence, _TOO_LONG)), ProtocolFault)
    assert pair.esme.data_to_send() == b""
    assert pair.esme.in_flight == 1


def test_an_unreadable_system_id_does_not_keep_us_from_being_bound() -> None:
    session = session_in(Role.ESME, State.BINDING)
    fault, event = session.receive_data(raw(0x80000009, 0, 1, _TOO_LONG), START)
    assert isinstance(fault, ProtocolFault)
    assert isinstance(event, Bound)
    assert (event.system_id, event.peer_version) == ("", None)


def test_an_unreadable_bind_may_be_followed_by_a_better_one() -> None:
    session = session_in(Role.SMSC, State.OPEN)
    fault = only(session.receive_data(raw(0x09, 0, 1), START), ProtocolFault)
    assert header(session.data_to_send()) == (0x80000009, fault.status, 1)
    assert session.state is State.OPEN
    assert only(session.receive_data(encode(BindTransceiver(), 2), START), BindRequested).sequence == 2


def test_an_unreadable_alert_is_not_answered() -> None:
    session = session_in(Role.ESME, State.BOUND_TRX)
    only(session.receive_data(raw(0x102, 0, 77), START), ProtocolFault)
    assert session.data_to_send() == b""


# --- framing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"\x00\x00\x00\x00", id="0"),
        pytest.param(b"\x00\x00\x00\x0f" + bytes(12), id="15"),
        pytest.param((66_561).to_bytes(4, "big"), id="above the limit"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="another protocol"),
        pytest.param(b"\xff\xff\xff\xff", id="4 GiB"),
    ],
)
def test_lost_framing_closes(start: bytes) -> None:
    pair = bound()
    pair.submit("mt")
    data = encode(DELIVER, 5) + start + encode(DELIVER, 6)
    received, fault, closed = pair.to_esme(data)
    assert received == RequestReceived(5, DELIVER)
    assert isinstance(fault, ProtocolFault)
    assert (fault.status, fault.sequence) == (0x02, 0)
    assert isinstance(closed, Closed)
    assert closed.reason is CloseReason.FRAMING_ERROR
    assert [lost.context for lost in closed.lost] == ["mt"]
    assert pair.esme.data_to_send() == raw(0x80000000, 0x02, 0)
    assert pair.to_esme(encode(DELIVER, 7)) == []


def test_the_limit_is_a_setting() -> None:
    config = replace(QUIET, max_pdu=100)
    assert session_in(Role.ESME, State.BOUND_TRX, config).receive_data(raw(0x4711, 0, 1, bytes(84))[:20], START) == []
    assert closings(session_in(Role.ESME, State.BOUND_TRX, config).receive_data(raw(0x4711, 0, 1, bytes(85)), START))


def _conversation() -> bytes:
    return b"".join(
        [
            encode(EnquireLink(), 1),
            encode(BindTransceiver(system_id="ilha"), 2),
            encode(SUBMIT, 3),
            raw(0x4711, 0, 4, b"unknown"),
            encode(EnquireLink(), 5),
            encode(QuerySm(message_id="1"), 6),
            raw(0x80000004, 0, 9, b"id\0"),
            encode(Unbind(), 7),
        ]
    )


def _listen(chunks: list[bytes]) -> tuple[list[Event], bytes]:
    """An SMSC that accepts binds hears the chunks: its events, and what it says."""
    session = Session(QUIET_SMSC, START)
    events: list[Event] = []
    said = b""
    for chunk in chunks:
        events += session.receive_data(chunk, START)
        said += session.data_to_send()
        if session.state is State.BINDING:
            said += session.accept_bind(START, "smsc")
    return events, said


# An SMSC reads on while a bind waits, so the whole is cut at the bind's end in every case.
_CONVERSATION = _conversation()
_BIND_END = len(encode(EnquireLink(), 1) + encode(BindTransceiver(system_id="ilha"), 2))


def test_one_octet_at_a_time() -> None:
    whole = _listen([_CONVERSATION[:_BIND_END], _CONVERSATION[_BIND_END:]])
    single = _listen([_CONVERSATION[i : i + 1] for i in range(len(_CONVERSATION))])
    assert single == whole
    assert [type(event).__name__ for event in whole[0]] == [
        "BindRequested",
        "RequestReceived",
        "ProtocolFault",
        "RequestReceived",
        "UnexpectedResponse",
        "Unbinding",
        "Closed",
    ]


@settings(deadline=None)
@given(cuts=st.sets(st.integers(1, len(_CONVERSATION) - 1), max_size=12))
def test_cut_anywhere(cuts: set[int]) -> None:
    edges = [0, *sorted(cuts | {_BIND_END}), len(_CONVERSATION)]
    chunks = [_CONVERSATION[start:end] for start, end in pairwise(edges)]
    assert _listen(chunks) == _listen([_CONVERSATION[:_BIND_END], _CONVERSATION[_BIND_END:]])


# --- anything at all ------------------------------------------------------------------------------------------------

_ROLE_AND_STATE = st.sampled_from(
    [
        (role, state)
        for role in Role
        for state in State
        if state is not State.CLOSED and (role, state) != (Role.SMSC, State.PARTING)
    ]
)
_COMMANDS = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0B, 0x15, 0x21, 0x22, 0x23, 0x102, 0x103]
_COMMANDS += [0x111, 0x112, 0x113, 0x00, 0x4711]
_pdu = st.builds(
    raw,
    st.sampled_from(_COMMANDS + [each | 0x80000000 for each in _COMMANDS]),
    st.sampled_from([0, 0x0E, 0x58, 0xFFFFFFFF]),
    st.sampled_from([0, 1, 2, 3, 0x7FFFFFFF, 0xFFFFFFFF]),
    st.binary(max_size=60) | st.binary(max_size=40).map(lambda body: bytes(8) + body) | st.just(b""),
)


def _feed(role: Role, state: State, data: bytes) -> None:
    session = session_in(role, state)
    if state in {State.BOUND_TX, State.BOUND_TRX} and role is Role.ESME:
        session.send(SUBMIT, START, "mt")
    events = session.receive_data(data, START)
    events += session.tick(START + 10_000)
    events += session.tick(START + 20_000)
    events += session.connection_lost(START + 30_000)
    assert len(closings(events)) == 1
    assert isinstance(events[-1], Closed)
    session.data_to_send()


@settings(deadline=None)
@given(where=_ROLE_AND_STATE, data=st.binary(max_size=200))
@example(where=(Role.ESME, State.OPEN), data=b"")
def test_random_octets(where: tuple[Role, State], data: bytes) -> None:
    _feed(*where, data)


@given(where=_ROLE_AND_STATE, pdus=st.lists(_pdu, max_size=8))
@settings(max_examples=300, deadline=None)
def test_random_pdus(where: tuple[Role, State], pdus: list[bytes]) -> None:
    _feed(*where, b"".join(pdus))


@settings(deadline=None)
@given(
    where=_ROLE_AND_STATE,
    request=st.sampled_from(
        [SUBMIT, DELIVER, BindTransceiver(), Outbind(), AlertNotification(), QuerySm(), UnbindResp()]
    ),
    position=st.integers(16, 120),
    octet=st.integers(0, 255),
    surplus=st.binary(max_size=8),
)
def test_damaged_pdus(where: tuple[Role, State], request: Any, position: int, octet: int, surplus: bytes) -> None:
    frame = bytearray(encode(request, 2)) + surplus
    if position < len(frame):
        frame[position] = octet
    frame[:4] = len(frame).to_bytes(4, "big")
    _feed(*where, bytes(frame))


class TwoEnds(RuleBasedStateMachine):
    """An ESME and an SMSC that do what they like, over a wire that delivers when it likes.

    Every request ends in exactly one way: answered, timed out (and perhaps answered late), or lost with the session.
    """

    @initialize(
        misses=st.integers(1, 3),
        interval=st.sampled_from([None, 5.0, 20.0]),
        fixed=st.booleans(),
        first=st.sampled_from([1, 0x7FFFFFFD]),
        inactivity=st.sampled_from([None, 50.0]),
    )
    def connect(self, misses: int, interval: float | None, fixed: bool, first: int, inactivity: float | None) -> None:
        config = SessionConfig(
            response_timeout=15.0,
            enquire_link_interval=interval,
            enquire_link_fixed=fixed,
            enquire_link_misses=misses,
        )
        smsc = replace(config, role=Role.SMSC, inactivity_timeout=inactivity)
        self.pair = Pair(config, smsc, first)
        self.up = self.down = b""
        self.fates: dict[Role, dict[int, list[str]]] = {Role.ESME: {}, Role.SMSC: {}}
        self.to_answer: dict[Role, list[int]] = {Role.ESME: [], Role.SMSC: []}
        self.closed: dict[Role, int] = {Role.ESME: 0, Role.SMSC: 0}
        self.requests = 0

    def session(self, role: Role) -> Session:
        return self.pair.esme if role is Role.ESME else self.pair.smsc

    def write(self, role: Role, data: bytes) -> None:
        if role is Role.ESME:
            self.up += data
        else:
            self.down += data

    def take(self, role: Role, events: list[Event]) -> None:
        self.write(role, self.session(role).data_to_send())
        fates = self.fates[role]
        for event in events:
            assert not self.closed[role], "an event after Closed"
            if isinstance(event, Response):
                fates[event.context].append("answered")
            elif isinstance(event, ResponseTimeout):
                fates[event.context].append("timed out")
            elif isinstance(event, LateResponse):
                fates[event.context].append("late")
            elif isinstance(event, RequestReceived):
                self.to_answer[role].append(event.sequence)
            elif isinstance(event, Closed):
                self.closed[role] += 1
                self.to_answer[role].clear()
                for lost in event.lost:
                    fates[lost.context].append("lost")
            else:
                assert not isinstance(event, ProtocolFault | UnexpectedResponse), event

    @precondition(lambda self: self.pair.esme.state in {State.OPEN, State.OUTBOUND})
    @rule()
    def bind(self) -> None:
        self.write(Role.ESME, self.pair.esme.send(BindTransceiver(system_id="ilha"), self.pair.now)[1])

    @precondition(lambda self: self.pair.smsc.state is State.BINDING)
    @rule()
    def accept(self) -> None:
        self.write(Role.SMSC, self.pair.smsc.accept_bind(self.pair.now, "smsc"))

    @precondition(lambda self: self.pair.smsc.state is State.BINDING)
    @rule(lot=st.integers(0, 9))
    def refuse(self, lot: int) -> None:
        if not lot:
            self.write(Role.SMSC, self.pair.smsc.refuse_bind(0x0D, self.pair.now))

    @rule(role=st.sampled_from(Role), count=st.integers(1, 5))
    def ask(self, role: Role, count: int) -> None:
        session = self.session(role)
        for _ in range(count if session.is_bound else 0):
            self.requests += 1
            request = SUBMIT if role is Role.ESME else DELIVER
            sequence, data = session.send(request, self.pair.now, self.requests)
            assert 1 <= sequence <= 0x7FFFFFFF
            self.fates[role][self.requests] = []
            self.write(role, data)

    @rule(role=st.sampled_from(Role), data=st.data())
    def answer(self, role: Role, data: st.DataObject) -> None:
        waiting = self.to_answer[role]
        if waiting:
            sequence = waiting.pop(data.draw(st.integers(0, len(waiting) - 1)))
            response = SubmitSmResp(message_id="1") if role is Role.SMSC else DeliverSmResp()
            self.write(role, self.session(role).respond(sequence, response))

    @rule(share=st.integers(1, 100))
    def deliver_up(self, share: int) -> None:
        cut = len(self.up) * share // 100
        data, self.up = self.up[:cut], self.up[cut:]
        self.take(Role.SMSC, self.pair.to_smsc(data))

    @rule(share=st.integers(1, 100))
    def deliver_down(self, share: int) -> None:
        cut = len(self.down) * share // 100
        data, self.down = self.down[:cut], self.down[cut:]
        self.take(Role.ESME, self.pair.to_esme(data))

    @rule(seconds=st.sampled_from([0.0, 1.0, 4.0, 16.0]))
    def wait(self, seconds: float) -> None:
        self.pair.now += seconds
        for role in Role:
            self.take(role, self.session(role).tick(self.pair.now))
            due = self.session(role).next_deadline()
            assert due is None or due > self.pair.now

    @rule(role=st.sampled_from(Role), lot=st.integers(0, 9))
    def unbind(self, role: Role, lot: int) -> None:
        if not lot and self.session(role).is_bound:
            self.write(role, self.session(role).send(Unbind(), self.pair.now)[1])

    @invariant()
    def counts_agree(self) -> None:
        for role in Role:
            open_ = sum(not fate for fate in self.fates[role].values())
            assert self.session(role).in_flight == open_
            assert self.session(role).unanswered == len(self.to_answer[role])

    def teardown(self) -> None:
        if not hasattr(self, "pair"):
            return
        for role in Role:
            self.take(role, self.session(role).connection_lost(self.pair.now))
            assert self.closed[role] == 1
            for fate in self.fates[role].values():
                assert fate in (["answered"], ["lost"], ["timed out"], ["timed out", "late"])


TestTwoEnds = TwoEnds.TestCase
TestTwoEnds.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
