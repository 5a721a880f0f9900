"""Two sessions in memory, one at each end, under a clock that the test moves."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsc_relay.ucp.codec import Frame, FrameReader, decode, encode
from smsc_relay.ucp.constants import Ec, Ot
from smsc_relay.ucp.errors import LocalProtocolError, UcpEncodeError
from smsc_relay.ucp.events import (
    Closed,
    CloseReason,
    Event,
    LoggedIn,
    LoginRefused,
    OperationReceived,
    ProtocolFault,
    Response,
    ResponseTimeout,
    Token,
)
from smsc_relay.ucp.operations import Ack, Alert, Message, Nack, SessionManagement, operation_frame, result_frame
from smsc_relay.ucp.session import Role, Session, SessionConfig, State
from tests.ucp.frames import FRAMES, octets, wrapped

SUBMIT = Message(51, adc="447700900123", oadc="1234", mt="3", msg="4869")
LOGIN = SessionManagement("1234", "6", "5", "1", "736563726574", vers="0100")
ALERTS: dict[str, Any] = {"alert": Alert("1234", "0539"), "alert_interval": 30}
START = 1000.0


class Pair:
    """A client and its SMSC."""

    def __init__(self, login: SessionManagement | None = None, **more: Any) -> None:
        self.now = START
        self.client = Session(SessionConfig(**more), self.now)
        self.smsc = Session(SessionConfig(role=Role.SMSC), self.now)
        self.client.login(login, self.now)

    def up(self) -> list[Event]:
        """What the client sends reaches the SMSC."""
        return self.smsc.receive_data(self.client.data_to_send(), self.now)

    def down(self, data: bytes = b"") -> list[Event]:
        """What the SMSC sends reaches the client."""
        return self.client.receive_data(self.smsc.data_to_send() + data, self.now)

    def later(self, seconds: float) -> list[Event]:
        self.now += seconds
        return self.client.tick(self.now)

    def submit(self, context: object = "one") -> Token:
        self.client.send(SUBMIT, self.now, context)
        (event,) = self.up()
        assert isinstance(event, OperationReceived)
        return event.token

    def written(self) -> list[Frame]:
        """What the client sends now; it does not reach the SMSC."""
        return frames(self.client.data_to_send())


def frames(data: bytes) -> list[Frame]:
    reader, found = FrameReader(), []
    reader.feed(data)
    while (body := reader.next_frame()) is not None:
        found.append(decode(body))
    return found


# --- login ----------------------------------------------------------------------------------------------------------


def test_login_is_the_specifications_frame() -> None:
    pair = Pair(LOGIN)
    assert pair.client.data_to_send() == octets("login")
    assert pair.client.state is State.LOGGING_IN
    assert pair.down(octets("login accepted")) == [LoggedIn("BIND AUTHENTICATED")]
    assert pair.client.ready


def test_login_refused() -> None:
    pair = Pair(LOGIN)
    assert pair.down(octets("login refused")) == [
        LoginRefused(7, "Authentication failure"),
        Closed(CloseReason.LOGIN_REFUSED),
    ]
    assert pair.client.next_deadline() is None
    assert pair.down(octets("MO")) == []


@pytest.mark.parametrize("response_timeout", [10, 100])
def test_login_not_answered(response_timeout: float) -> None:
    pair = Pair(LOGIN, login_timeout=30, response_timeout=response_timeout)
    assert pair.later(29.9) == []
    assert pair.later(0.1) == [Closed(CloseReason.LOGIN_TIMEOUT)]


def test_a_login_is_answered_after_the_response_timeout() -> None:
    pair = Pair(LOGIN, login_timeout=30, response_timeout=10)
    assert pair.later(20) == []
    assert pair.down(octets("login accepted")) == [LoggedIn("BIND AUTHENTICATED")]


def test_without_login() -> None:
    pair = Pair(None)
    assert pair.client.ready
    assert not pair.client.data_to_send()
    with pytest.raises(LocalProtocolError):
        pair.client.login(LOGIN, pair.now)


def test_nothing_is_sent_before_the_login_is_answered() -> None:
    pair = Pair(LOGIN)
    with pytest.raises(LocalProtocolError, match="logging in"):
        pair.client.send(SUBMIT, pair.now)


def test_what_comes_before_the_login_is_answered_is_taken() -> None:
    pair = Pair(LOGIN)
    events = pair.down(octets("MO") + octets("login accepted"))
    assert [type(event) for event in events] == [OperationReceived, LoggedIn]


# --- operations and results -----------------------------------------------------------------------------------------


def test_results_in_any_order() -> None:
    pair = Pair()
    tokens = [pair.submit(n) for n in range(3)]
    assert [token.trn for token in tokens] == [0, 1, 2]
    assert pair.client.in_flight == 3
    pair.now += 1.5
    for token in reversed(tokens):
        pair.smsc.respond(token, Ack(f"447700900123:31012609300{token.trn}"))
    assert pair.down() == [
        Response(n, Ack(f"447700900123:31012609300{n}"), rtt=1.5) for n in (2, 1, 0)
    ]  # fmt: skip
    assert pair.client.in_flight == 0


def test_a_hundred_numbers_in_turn() -> None:
    pair = Pair()
    for n in range(250):
        token = pair.submit(n)
        assert token.trn == n % 100
        pair.smsc.respond(token, Ack())
        assert pair.down() == [Response(n, Ack(), 0.0)]


def test_no_number_is_used_twice_at_a_time() -> None:
    pair = Pair()
    tokens = [pair.submit(n) for n in range(100)]
    assert len(set(tokens)) == 100
    pair.client.send(SUBMIT, pair.now, "one too many")
    assert pair.written() == []
    assert pair.client.in_flight == 101
    pair.smsc.respond(tokens[40], Nack(4))
    assert pair.down() == [Response(40, Nack(4), 0.0)]
    assert [frame.trn for frame in pair.written()] == [40]


def test_the_number_of_an_operation_without_result_is_not_used_again() -> None:
    pair = Pair(response_timeout=10, late_memory=3600)
    first = pair.submit("lost")
    assert pair.later(10) == [ResponseTimeout("lost", 10.0)]
    for n in range(1, 150):
        token = pair.submit(n)
        assert token.trn != first.trn
        pair.smsc.respond(token, Ack())
        pair.down()
    pair.smsc.respond(first, Ack("447700900123:310126093000"))
    assert pair.down() == [Response("lost", Ack("447700900123:310126093000"), 10.0, late=True)]


def test_when_no_number_is_left_the_session_ends() -> None:
    pair = Pair(response_timeout=10)
    for n in range(100):
        pair.submit(n)
    pair.client.send(SUBMIT, pair.now, "held")
    events = pair.later(10)
    assert events[:100] == [ResponseTimeout(n, 10.0) for n in range(100)]
    assert events[100:] == [Closed(CloseReason.NO_TRN_LEFT, (), ("held",))]


def test_reconnect_after_a_timeout() -> None:
    pair = Pair(response_timeout=10, close_after_timeout=True)
    pair.submit("first")
    pair.now += 5
    pair.submit("second")
    assert pair.later(5) == [ResponseTimeout("first", 10.0), Closed(CloseReason.RESPONSE_TIMEOUT, ("second",))]


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(result_frame(Ack("0000"), 5, 51), id="another TRN"),
        pytest.param(result_frame(Ack("0000"), 0, 52), id="another OT"),
    ],
)
def test_a_result_to_nothing(frame: Frame) -> None:
    pair = Pair()
    pair.submit()
    (fault,) = pair.down(encode(frame))
    assert isinstance(fault, ProtocolFault)
    assert pair.client.in_flight == 1


def test_what_cannot_be_written_is_told_at_once() -> None:
    pair = Pair()
    with pytest.raises(UcpEncodeError):
        pair.client.send(SUBMIT._replace(msg="a/b"), pair.now)
    assert pair.client.in_flight == 0
    assert not pair.client.data_to_send()
    for _ in range(100):
        pair.submit()


# --- stop and wait --------------------------------------------------------------------------------------------------


def test_stop_and_wait() -> None:
    pair = Pair(stop_and_wait=True)
    token = pair.submit("first")
    pair.client.send(SUBMIT, pair.now, "second")
    assert pair.written() == []
    assert pair.client.in_flight == 2
    pair.smsc.respond(token, Ack())
    assert pair.down() == [Response("first", Ack(), 0.0)]
    assert [frame.trn for frame in pair.written()] == [1]


def test_with_stop_and_wait_an_alert_is_alone_too() -> None:
    pair = Pair(stop_and_wait=True, response_timeout=60, **ALERTS)
    pair.submit("first")
    assert pair.later(40) == []
    assert pair.written() == []
    assert pair.later(20) == [ResponseTimeout("first", 60.0)]
    (alert,) = pair.written()
    assert alert.ot == Ot.ALERT
    pair.client.send(SUBMIT, pair.now, "second")
    assert pair.written() == []
    pair.down(encode(result_frame(Ack("0000"), alert.trn, alert.ot)))
    assert [frame.ot for frame in pair.written()] == [Ot.SUBMIT]


def test_what_waited_has_not_been_sent() -> None:
    pair = Pair(stop_and_wait=True)
    pair.submit("first")
    pair.client.send(SUBMIT, pair.now, "second")
    assert pair.client.connection_lost(pair.now) == [Closed(CloseReason.CONNECTION_LOST, ("first",), ("second",))]


# --- alerts ---------------------------------------------------------------------------------------------------------


def test_an_alert_after_silence() -> None:
    pair = Pair(response_timeout=10, **ALERTS)
    assert pair.client.next_deadline() == START + 30
    assert pair.later(30) == []
    assert pair.client.data_to_send() == wrapped(FRAMES["alert"].replace("01/", "00/", 1).replace("/C1", "/C0"))
    assert pair.client.in_flight == 0
    assert pair.down(encode(result_frame(Ack("0000"), 0, 31))) == []
    assert pair.client.next_deadline() == pair.now + 30


@pytest.mark.parametrize("answer", [Ack("0000"), Nack(3, "not supported")])
def test_any_answer_to_an_alert_is_a_sign_of_life(answer: Any) -> None:
    pair = Pair(response_timeout=10, **ALERTS)
    pair.later(30)
    pair.written()
    pair.down(encode(result_frame(answer, 0, 31)))
    assert pair.later(10) == []
    assert not pair.client.closed


def test_no_answer_to_an_alert() -> None:
    pair = Pair(response_timeout=10, alert_misses=2, **ALERTS)
    assert pair.later(30) == []
    assert pair.later(10) == []
    assert [frame.trn for frame in pair.written()] == [0, 1]
    assert pair.later(10) == [Closed(CloseReason.ALERT_TIMEOUT)]


def test_inactive() -> None:
    pair = Pair(inactivity_timeout=100, response_timeout=10, **ALERTS)
    for _ in range(3):
        pair.later(30)
        (alert,) = pair.written()
        pair.down(encode(result_frame(Ack("0000"), alert.trn, 31)))
    assert pair.later(10) == [Closed(CloseReason.INACTIVE)]


def test_the_peers_alert_is_answered() -> None:
    pair = Pair()
    assert pair.down(octets("alert")) == []
    assert pair.client.data_to_send() == octets("alert answered")


# --- the peer's operations ------------------------------------------------------------------------------------------


def test_an_operation_and_its_result() -> None:
    pair = Pair()
    (event,) = pair.down(octets("MO"))
    assert isinstance(event, OperationReceived)
    assert event.token == Token(12, 52)
    pair.client.respond(event.token, Ack("8080:310126094500"))
    assert pair.client.data_to_send() == octets("MO answered")
    with pytest.raises(LocalProtocolError, match="no operation 52 waits"):
        pair.client.respond(event.token, Ack())


def test_silence_is_an_answer() -> None:
    pair = Pair()
    (event,) = pair.down(octets("MO"))
    assert isinstance(event, OperationReceived)
    pair.client.forgo(event.token)
    assert not pair.client.data_to_send()
    with pytest.raises(LocalProtocolError):
        pair.client.forgo(event.token)


@pytest.mark.parametrize(
    ("data", "ec"),
    [
        pytest.param(wrapped(FRAMES["MO"][:-2] + "8B"), Ec.CHECKSUM, id="checksum"),
        pytest.param(wrapped("12/00086/O/52/8080/447700900123/////////////310126094500////3//53544F50///0//////////89"),
                     Ec.SYNTAX, id="length"),
        pytest.param(octets("submit"), Ec.UNSUPPORTED, id="a submit to the client"),
        pytest.param(octets("list"), Ec.UNSUPPORTED, id="unknown operation"),
        pytest.param(octets("inquiry response"), Ec.UNSUPPORTED, id="answer to an inquiry"),
    ],
)  # fmt: skip
def test_bad_operations_are_refused(data: bytes, ec: int) -> None:
    pair = Pair()
    events = pair.down(data + octets("MO"))
    assert [type(event) for event in events] == [ProtocolFault, OperationReceived]
    asked = data[1:3]
    (refusal,) = pair.written()
    assert refusal.trn == int(asked)
    assert refusal.result
    assert refusal.fields[:2] == ("N", f"{ec:02d}")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(wrapped("12/00037/R/52/A//8080:310126094500/08"), id="result with a wrong checksum"),
        pytest.param(wrapped("nonsense"), id="no header"),
        pytest.param(b"\x02" + b"x" * 10_000 + b"\x03", id="without end"),
    ],
)
def test_what_cannot_be_answered_is_dropped(data: bytes) -> None:
    pair = Pair()
    events = pair.down(data + octets("MO"))
    assert {type(event) for event in events} == {ProtocolFault, OperationReceived}
    assert pair.written() == []


def test_a_peer_that_speaks_something_else_is_left() -> None:
    session = Pair().client
    session.receive_data(20 * b"\x02\x03" + octets("alert") + 20 * b"\x02\x03", START)
    assert not session.closed
    found = session.receive_data(100 * b"\x02\x03", START)
    assert found[-1] == Closed(CloseReason.UNREADABLE)
    assert len(found) == 2


def test_lenient() -> None:
    pair = Pair(lenient=True)
    (event,) = pair.down(wrapped(FRAMES["MO"][:-2] + "8B"))
    assert isinstance(event, OperationReceived)


def test_the_end_comes_once() -> None:
    pair = Pair()
    pair.submit("lost")
    (event,) = pair.down(octets("MO"))
    assert isinstance(event, OperationReceived)
    assert pair.client.leave(pair.now) == [Closed(CloseReason.LEFT, ("lost",))]
    assert pair.client.connection_lost(pair.now) == []
    assert pair.later(10_000) == []
    with pytest.raises(LocalProtocolError):
        pair.client.respond(event.token, Ack())
    with pytest.raises(LocalProtocolError):
        pair.client.send(SUBMIT, pair.now)


@hypothesis.settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=80),
            st.sampled_from(list(FRAMES)).map(octets),
            st.sampled_from([b"\x02", b"\x03", b"/", b"\r\n"]),
            st.builds(lambda trn, ot: encode(result_frame(Ack("x"), trn, ot)), st.integers(0, 5), st.integers(0, 99)),
        ),
        max_size=20,
    ),
    st.booleans(),
    st.integers(1, 50),
)
def test_any_octets_in_any_pieces(pieces: list[bytes], login: bool, size: int) -> None:
    """The session survives them all, writes only frames, ends at most once, and goes on where it has not ended."""
    pair = Pair(LOGIN if login else None)
    if pair.client.ready:
        pair.client.send(SUBMIT, pair.now, "one")
    data = b"".join(pieces)
    events: list[Event] = []
    for at in range(0, len(data), size):
        pair.now += 0.001
        events += pair.down(data[at : at + size])
    assert sum(isinstance(event, Closed) for event in events) == int(pair.client.closed)
    assert frames(pair.client.data_to_send())
    if not pair.client.closed:
        mo = Message(52, adc="8080", oadc="447700900123", mt="3", msg="4869")
        again = pair.down(b"\x03" + encode(operation_frame(mo, 98)))  # none of those above
        assert any(isinstance(event, OperationReceived) for event in again)


def test_operations_of_the_smsc_have_numbers_of_their_own() -> None:
    pair = Pair()
    pair.submit()
    pair.smsc.send(Message(52, adc="8080", oadc="447700900123", mt="3", msg="4869"), pair.now, "mo")
    (event,) = pair.down()
    assert isinstance(event, OperationReceived)
    assert event.token == Token(0, 52)
    pair.client.respond(event.token, Ack())
    assert pair.up() == [Response("mo", Ack(), 0.0)]


def test_the_smsc_takes_a_login_as_an_operation() -> None:
    pair = Pair(LOGIN)
    (event,) = pair.up()
    assert event == OperationReceived(Token(0, 60), LOGIN)
    pair.smsc.respond(Token(0, 60), Ack("BIND AUTHENTICATED"))
    assert pair.down() == [LoggedIn("BIND AUTHENTICATED")]
    assert frames(encode(operation_frame(LOGIN, 0)))[0].fields[0] == "1234"
