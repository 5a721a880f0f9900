"""Every timer of SMPP 3.4 section 7.2, under a clock that stands still unless told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smsc_relay.smpp.codec import encode
from smsc_relay.smpp.events import Bound, Closed, CloseReason, Event, ResponseTimeout, Unbinding
from smsc_relay.smpp.pdus import BindTransceiver, EnquireLink, EnquireLinkResp, Outbind, Unbind
from smsc_relay.smpp.session import Role, Session, SessionConfig, State
from tests.smpp.ends import DELIVER, QUIET_SMSC, START, Pair, bound, frames, header, only, raw, session_in

ENQUIRE_LINK = 0x15


def run(session: Session, until: float) -> list[tuple[float, list[Event], list[int]]]:
    """Tick at each deadline up to `until`: (seconds since START, events, command_ids written) of each."""
    log = []
    while (due := session.next_deadline()) is not None and due <= until:
        events = session.tick(due)
        log.append((due - START, events, [header(frame)[0] for frame in frames(session.data_to_send())]))
    return log


# --- session_init ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.OPEN, State.OUTBOUND, State.BINDING])
@pytest.mark.parametrize("role", Role)
def test_not_bound_in_time(role: Role, state: State) -> None:
    session = session_in(role, state)
    assert run(session, START + 29.9) == []
    assert run(session, START + 1e6) == [(30.0, [Closed(CloseReason.SESSION_INIT_TIMEOUT)], [])]
    assert session.closed


def test_each_step_to_the_bind_has_its_time() -> None:
    pair = Pair()
    pair.now += 20
    pair.to_esme(pair.smsc.send(Outbind(), pair.now)[1])
    assert pair.esme.next_deadline() == pair.smsc.next_deadline() == START + 50
    pair.now += 20
    pair.to_smsc(pair.esme.send(BindTransceiver(), pair.now)[1])
    assert pair.esme.next_deadline() == pair.smsc.next_deadline() == START + 70
    only(pair.to_esme(pair.smsc.accept_bind(pair.now)), Bound)
    assert pair.esme.next_deadline() is pair.smsc.next_deadline() is None


def test_a_bind_answered_too_late() -> None:
    session = session_in(Role.ESME, State.BINDING)
    session.tick(START + 30)
    assert session.receive_data(raw(0x80000009, 0, 1), START + 31) == []


# --- unbind ---------------------------------------------------------------------------------------------------------


def test_no_answer_to_unbind() -> None:
    pair = bound()
    sequence = pair.submit("mt")
    pair.now += 55
    pair.esme.send(Unbind(), pair.now)
    timeout, closed = run(pair.esme, START + 1e6)
    assert timeout == (60.0, [ResponseTimeout(sequence, "mt", 60.0)], [])
    assert closed == (65.0, [Closed(CloseReason.UNBIND_TIMEOUT)], [])


def test_time_out_of_request_and_unbind_at_once() -> None:
    pair = bound()
    sequence = pair.submit("mt")
    pair.esme.send(Unbind(), pair.now)
    events = pair.esme.tick(START + 1000)
    assert events == [ResponseTimeout(sequence, "mt", 1000.0), Closed(CloseReason.UNBIND_TIMEOUT)]


# --- enquire_link ---------------------------------------------------------------------------------------------------

KEEPALIVE = SessionConfig(enquire_link_interval=30.0, response_timeout=10.0)


@pytest.mark.parametrize("role", Role)
def test_an_idle_link_is_probed_and_dead_without_an_answer(role: Role) -> None:
    session = session_in(role, State.BOUND_TRX, KEEPALIVE)
    assert run(session, START + 1e6) == [
        (30.0, [], [ENQUIRE_LINK]),
        (40.0, [Closed(CloseReason.ENQUIRE_LINK_TIMEOUT)], []),
    ]


def test_several_misses_are_allowed() -> None:
    session = session_in(Role.ESME, State.BOUND_TRX, replace(KEEPALIVE, enquire_link_misses=3))
    assert run(session, START + 1e6) == [
        (30.0, [], [ENQUIRE_LINK]),
        (40.0, [], [ENQUIRE_LINK]),
        (50.0, [], [ENQUIRE_LINK]),
        (60.0, [Closed(CloseReason.ENQUIRE_LINK_TIMEOUT)], []),
    ]


def test_misses_count_in_a_row_only() -> None:
    session = session_in(Role.ESME, State.BOUND_TRX, replace(KEEPALIVE, enquire_link_misses=2))
    run(session, START + 40)
    assert session.receive_data(encode(EnquireLinkResp(), 3), START + 41) == []
    assert run(session, START + 1e6) == [
        (71.0, [], [ENQUIRE_LINK]),
        (81.0, [], [ENQUIRE_LINK]),
        (91.0, [Closed(CloseReason.ENQUIRE_LINK_TIMEOUT)], []),
    ]


def test_answered_probes_go_on_for_ever() -> None:
    pair = bound(esme=KEEPALIVE)
    for lap in range(1, 6):
        pair.now = pair.esme.next_deadline() or 0.0
        assert pair.now == START + 30 * lap
        assert pair.esme.tick(pair.now) == []
        assert pair.settle() == ([], [])
        assert pair.esme.in_flight == 0
    assert pair.esme.is_bound


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(encode(DELIVER, 9), id="a request"),
        pytest.param(encode(EnquireLink(), 9), id="its own enquire_link"),
        pytest.param(raw(0x80000004, 0, 99), id="an answer to nothing"),
        pytest.param(raw(0x4711, 0, 9), id="an unknown command"),
        pytest.param(raw(0x80000000, 3, 2), id="generic_nack to enquire_link"),
    ],
)
def test_any_pdu_is_a_sign_of_life(sign: bytes) -> None:
    session = session_in(Role.ESME, State.BOUND_TRX, KEEPALIVE)
    session.receive_data(sign, START + 20)
    assert session.next_deadline() == START + 50
    session.tick(START + 50)
    assert session.next_deadline() == START + 60
    session.receive_data(sign, START + 59)
    assert session.tick(START + 60) == []
    assert session.next_deadline() == START + 89
    assert session.is_bound


def test_half_a_pdu_is_no_sign_of_life() -> None:
    session = session_in(Role.ESME, State.BOUND_TRX, KEEPALIVE)
    session.receive_data(encode(DELIVER, 9)[:-1], START + 20)
    assert session.next_deadline() == START + 30


def test_a_late_answer_to_a_probe_is_no_news() -> None:
    session = session_in(Role.ESME, State.BOUND_TRX, KEEPALIVE)
    session.tick(START + 30)
    probe = header(session.data_to_send())[2]
    session.receive_data(encode(EnquireLink(), 9), START + 39)
    session.tick(START + 45)
    assert session.in_flight == 0
    assert session.receive_data(encode(EnquireLinkResp(), probe), START + 50) == []
    assert session.is_bound


def test_a_fixed_interval() -> None:
    session = session_in(Role.ESME, State.BOUND_TRX, replace(KEEPALIVE, enquire_link_fixed=True))
    session.receive_data(encode(EnquireLink(), 9), START + 29)  # heard, but probed all the same
    session.data_to_send()
    assert session.tick(START + 30) == []
    assert header(session.data_to_send()) == (ENQUIRE_LINK, 0, 2)
    assert session.receive_data(encode(EnquireLinkResp(), 2), START + 31) == []
    assert session.tick(START + 59) == []
    assert session.data_to_send() == b""
    assert session.tick(START + 60) == []
    assert header(session.data_to_send()) == (ENQUIRE_LINK, 0, 3)


def test_a_fixed_interval_shorter_than_the_wait_for_an_answer() -> None:
    config = replace(KEEPALIVE, enquire_link_interval=4.0, enquire_link_fixed=True)
    assert run(session_in(Role.ESME, State.BOUND_TRX, config), START + 1e6) == [
        (4.0, [], [ENQUIRE_LINK]),
        (8.0, [], [ENQUIRE_LINK]),
        (12.0, [], [ENQUIRE_LINK]),
        (14.0, [Closed(CloseReason.ENQUIRE_LINK_TIMEOUT)], []),
    ]


@pytest.mark.parametrize("state", [State.OPEN, State.OUTBOUND, State.BINDING, State.UNBINDING])
def test_no_probe_unless_bound(state: State) -> None:
    config = replace(KEEPALIVE, enquire_link_interval=1.0, session_init_timeout=5.0, unbind_timeout=5.0)
    log = run(session_in(Role.ESME, state, config), START + 1e6)
    assert [written for _, _, written in log] == [[]]


@pytest.mark.parametrize("fixed", [False, True])
def test_the_interval_counts_from_the_bind(fixed: bool) -> None:
    pair = Pair(replace(KEEPALIVE, enquire_link_fixed=fixed), QUIET_SMSC)
    pair.now += 25
    pair.bind(BindTransceiver())
    assert pair.esme.next_deadline() == START + 55


# --- inactivity -----------------------------------------------------------------------------------------------------

INACTIVE = replace(QUIET_SMSC, inactivity_timeout=120.0)


def test_an_inactive_peer_is_unbound() -> None:
    pair = bound(smsc=INACTIVE)
    assert pair.smsc.next_deadline() == START + 120
    pair.now += 120
    assert pair.smsc.tick(pair.now) == [Unbinding(False, "inactive for 120 s")]
    assert pair.smsc.state is State.UNBINDING
    of_esme, of_smsc = pair.settle()
    assert of_esme == [Unbinding(True, "the peer has unbound"), Closed(CloseReason.PEER_UNBOUND)]
    assert of_smsc == [Closed(CloseReason.UNBOUND)]


def test_an_inactive_peer_that_does_not_answer() -> None:
    session = session_in(Role.SMSC, State.BOUND_TRX, INACTIVE)
    assert run(session, START + 1e6) == [
        (120.0, [Unbinding(False, "inactive for 120 s")], [0x06]),
        (130.0, [Closed(CloseReason.UNBIND_TIMEOUT)], []),
    ]


def test_inactivity_counts_from_the_bind() -> None:
    session = session_in(Role.SMSC, State.BINDING, INACTIVE)
    session.accept_bind(START + 20)
    assert session.next_deadline() == START + 140


@pytest.mark.parametrize("request_", [encode(EnquireLink(), 9), raw(0x4711, 0, 9), raw(0x04, 0, 9), encode(DELIVER, 9)])
def test_any_request_is_activity(request_: bytes) -> None:
    session = session_in(Role.SMSC, State.BOUND_TRX, INACTIVE)
    session.receive_data(request_, START + 20)
    assert session.next_deadline() == START + 140


def test_what_counts_as_activity() -> None:
    pair = bound(smsc=replace(INACTIVE, enquire_link_interval=30.0))
    for at in (30, 60, 90):  # answers to our own enquire_link do not
        pair.now = START + at
        pair.smsc.tick(pair.now)
        pair.settle()
    assert pair.smsc.next_deadline() == START + 120
    pair.now = START + 100
    pair.to_smsc(pair.esme.send(EnquireLink(), pair.now)[1])  # a request does
    pair.settle()
    sequence, data = pair.smsc.send(DELIVER, pair.now)
    pair.now = START + 125
    pair.to_esme(data)
    pair.to_smsc(raw(0x80000005, 0, sequence, b"\0"))  # an answer does
    for at in (150, 180, 210, 240):
        pair.now = START + at
        assert pair.smsc.tick(pair.now) == []
        pair.settle()
    assert pair.smsc.next_deadline() == START + 245
    assert pair.smsc.tick(START + 244) == []
    assert pair.smsc.tick(START + 245) == [Unbinding(False, "inactive for 120 s")]
