"""Sessions in memory, both ends of them, under a clock that the test moves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsc_relay.cimd2.answers import refusal
from smsc_relay.cimd2.codec import Packet, decode, encode, parameters
from smsc_relay.cimd2.constants import Operation, Tag, error_name
from smsc_relay.cimd2.errors import Cimd2EncodeError, LocalProtocolError
from smsc_relay.cimd2.events import (
    Closed,
    CloseReason,
    Event,
    LoggedIn,
    LoginRefused,
    LoginRequested,
    ProtocolFault,
    RequestReceived,
    Response,
    ResponseTimeout,
)
from smsc_relay.cimd2.session import Session, SessionConfig, Side, State

START = 1000.0
LOGIN = parameters((Tag.USER, "ilha"), (Tag.PASSWORD, "s3cr3t"))
MESSAGE = parameters((Tag.DESTINATION, "+447700900123"), (Tag.USER_DATA, "Hi"))
KEY = parameters((Tag.DESTINATION, "+447700900123"), (Tag.TIMESTAMP, "260131093000"))
MO = parameters((Tag.DESTINATION, "8080"), (Tag.ORIGINATOR, "+447700900123"), (Tag.USER_DATA, "STOP"))


def packets(data: bytes) -> list[Packet]:
    return [decode(frame + b"\x03") for frame in data.split(b"\x03")[:-1]]


class Pair:
    """An application and an SMSC, and what has happened at each."""

    def __init__(self, smsc: dict[str, Any] | None = None, **more: Any) -> None:
        self.now = START
        self.app = Session(SessionConfig(alive_interval=more.pop("alive_interval", None), **more), self.now)
        self.smsc = Session(SessionConfig(side=Side.SMSC, alive_interval=None, **(smsc or {})), self.now)

    def to_smsc(self) -> list[Event]:
        return self.smsc.receive_data(self.app.data_to_send(), self.now)

    def to_app(self) -> list[Event]:
        return self.app.receive_data(self.smsc.data_to_send(), self.now)

    def up(self) -> Pair:
        self.app.login(LOGIN, self.now)
        (asked,) = self.to_smsc()
        assert asked == LoginRequested(Packet(Operation.LOGIN, 1, LOGIN))
        self.smsc.accept_login(self.now)
        assert self.to_app() == [LoggedIn()]
        return self

    def submit(self, context: Any = "one") -> Packet:
        """A submit that has reached the SMSC."""
        self.app.send(Operation.SUBMIT, MESSAGE, self.now, context)
        (asked,) = self.to_smsc()
        assert isinstance(asked, RequestReceived)
        return asked.packet


# --- login and logout -----------------------------------------------------------------------------------------------


def test_login_and_logout() -> None:
    pair = Pair().up()
    assert pair.app.is_up
    assert pair.smsc.is_up
    pair.app.logout(pair.now)
    assert pair.app.state is State.LOGGING_OUT
    assert pair.to_smsc() == [Closed(CloseReason.PEER_LOGGED_OUT)]
    assert pair.to_app() == [Closed(CloseReason.LOGGED_OUT)]
    assert pair.app.connection_lost(pair.now) == []


def test_a_refused_login_may_be_repeated() -> None:
    pair = Pair()
    pair.app.login(LOGIN, pair.now)
    pair.to_smsc()
    pair.smsc.refuse_login(105, pair.now)
    assert pair.to_app() == [LoginRefused(105, error_name(105))]
    pair.app.login(LOGIN, pair.now)
    (asked,) = pair.to_smsc()
    assert isinstance(asked, LoginRequested)
    assert asked.packet.number == 3
    pair.smsc.accept_login(pair.now)
    assert pair.to_app() == [LoggedIn()]


def test_a_general_error_refuses_a_login() -> None:
    pair = Pair()
    pair.app.login(LOGIN, pair.now)
    assert pair.app.receive_data(encode(Packet(98, 1, refusal(2))), pair.now) == [LoginRefused(2, error_name(2))]


def test_nobody_answers() -> None:
    pair = Pair(login_timeout=5, logout_timeout=3)
    pair.app.login(LOGIN, pair.now)
    assert pair.app.next_deadline() == START + 5
    assert pair.app.tick(START + 5) == [Closed(CloseReason.LOGIN_TIMEOUT)]
    pair = Pair(login_timeout=5, logout_timeout=3).up()
    pair.app.logout(pair.now)
    assert pair.app.tick(START + 3) == [Closed(CloseReason.LOGOUT_TIMEOUT)]


def test_a_connection_that_goes_after_logout_is_as_good_as_an_answer() -> None:
    pair = Pair().up()
    pair.app.logout(pair.now)
    assert pair.app.connection_lost(pair.now) == [Closed(CloseReason.LOGGED_OUT)]


def test_what_may_not_be_sent() -> None:
    pair = Pair()
    with pytest.raises(LocalProtocolError):
        pair.app.send(Operation.SUBMIT, MESSAGE, pair.now)
    with pytest.raises(LocalProtocolError):
        pair.app.logout(pair.now)
    pair.up()
    with pytest.raises(LocalProtocolError):
        pair.app.login(LOGIN, pair.now)
    with pytest.raises(LocalProtocolError):
        pair.app.send(Operation.DELIVER, MO, pair.now)
    with pytest.raises(LocalProtocolError):
        pair.app.respond(0)
    with pytest.raises(Cimd2EncodeError):
        pair.app.send(Operation.SUBMIT, ((33, "\t"),), pair.now)
    assert pair.submit().number == 3, "no number is used up by what could not be sent"


def test_before_a_login_the_smsc_answers_nothing_else() -> None:
    pair = Pair()
    data = encode(Packet(Operation.SUBMIT, 1, MESSAGE)) + encode(Packet(Operation.ALIVE, 3))
    assert pair.smsc.receive_data(data, pair.now) == [ProtocolFault("operation 03 in state OPEN")]
    answers = packets(pair.smsc.data_to_send())
    assert [(one.operation, one.number, one.get(900)) for one in answers] == [(53, 1, "1"), (90, 3, None)]


# --- requests and answers -------------------------------------------------------------------------------------------


def test_numbers_are_odd_and_even_and_begin_again() -> None:
    pair = Pair().up()
    ours, theirs = [], []
    for _ in range(130):
        packet = pair.submit()
        ours.append(packet.number)
        pair.smsc.respond(packet.number, KEY)
        pair.smsc.send(Operation.DELIVER, MO, pair.now)
        for event in pair.to_app():
            if isinstance(event, RequestReceived):
                theirs.append(event.packet.number)
                pair.app.respond(event.packet.number)
        pair.to_smsc()
    assert ours == [*range(3, 256, 2), 1, 3, 5]
    assert theirs == [*range(0, 256, 2), 0, 2]
    assert pair.app.in_flight == pair.smsc.in_flight == pair.app.unanswered == pair.smsc.unanswered == 0


def test_answers_in_any_order() -> None:
    pair = Pair().up()
    asked = [pair.submit(number) for number in range(4)]
    assert pair.app.in_flight == 4
    pair.now += 0.5
    for packet in reversed(asked):
        pair.smsc.respond(packet.number, KEY)
    found = pair.to_app()
    assert [(one.context, one.rtt) for one in found if isinstance(one, Response)] == [(n, 0.5) for n in (3, 2, 1, 0)]


def test_errors() -> None:
    pair = Pair().up()
    pair.smsc.respond(pair.submit().number, refusal(300))
    (answer,) = pair.to_app()
    assert isinstance(answer, Response)
    assert answer.code == 300
    assert answer.packet.get(Tag.ERROR_TEXT) == "incorrect destination address"
    number = pair.submit().number
    (answer,) = pair.app.receive_data(encode(Packet(98, number)), pair.now)
    assert isinstance(answer, Response)
    assert answer.code == 6, "a general error without a code is one all the same"


def test_timeouts_and_late_answers() -> None:
    pair = Pair(response_timeout=20).up()
    first = pair.submit("one")
    pair.now += 20
    assert pair.app.tick(pair.now) == [ResponseTimeout("one", 20.0)]
    assert pair.app.in_flight == 0
    assert pair.submit("two").number == first.number + 2
    pair.now += 5
    pair.smsc.respond(first.number, KEY)
    (answer,) = pair.to_app()
    assert isinstance(answer, Response)
    assert (answer.context, answer.late, answer.rtt) == ("one", True, 25.0)
    again = pair.app.receive_data(encode(Packet(53, first.number, KEY)), pair.now)
    assert again == [ProtocolFault("response 53 to nothing that we have asked")]


def test_a_number_whose_answer_may_still_come_is_passed_over() -> None:
    pair = Pair(response_timeout=20).up()
    kept = pair.submit("slow").number
    pair.now += 20
    pair.app.tick(pair.now)
    for _ in range(126):
        pair.smsc.respond(pair.submit().number, KEY)
        pair.to_app()
    assert pair.submit().number == 1
    assert pair.submit().number == kept + 2


def test_all_numbers_in_use() -> None:
    """The last is for a logout."""
    pair = Pair(response_timeout=20).up()
    for number in range(127):
        assert pair.app.has_number
        pair.app.send(Operation.SUBMIT, MESSAGE, pair.now, number)
    assert not pair.app.has_number
    pair.app.logout(pair.now)
    assert not pair.app.is_up
    with pytest.raises(LocalProtocolError, match="all packet numbers"):
        pair.app.alive(pair.now)
    assert pair.to_smsc()[-1] == Closed(CloseReason.PEER_LOGGED_OUT)


def test_inactivity_with_all_numbers_in_use_ends_in_a_logout() -> None:
    pair = Pair(inactivity_timeout=10, alive_interval=5).up()
    for number in range(127):
        pair.app.send(Operation.SUBMIT, MESSAGE, pair.now, number)
    for _ in range(2):
        pair.now += 5
        pair.app.tick(pair.now)
    assert pair.app.state is State.LOGGING_OUT


def test_a_number_is_not_used_again_while_its_answer_may_come() -> None:
    pair = Pair(response_timeout=20, late_memory=600).up()
    sent = [pair.submit(number).number for number in range(100)]
    pair.now += 20
    assert len(pair.app.tick(pair.now)) == 100
    again = [pair.submit(number).number for number in range(100, 127)]
    assert not set(sent) & set(again)
    assert not pair.app.has_number
    (late,) = pair.app.receive_data(encode(Packet(53, sent[7], KEY)), pair.now)
    assert isinstance(late, Response)
    assert (late.context, late.late) == (7, True)
    assert pair.submit("free").number in (1, sent[7])  # 1 was the login's
    pair.now += 600
    pair.app.tick(pair.now)
    assert pair.app.has_number


def test_a_session_whose_numbers_are_all_taken_by_late_answers_ends() -> None:
    pair = Pair(response_timeout=20).up()
    for number in range(127):
        pair.app.send(Operation.SUBMIT, MESSAGE, pair.now, number)
    pair.now += 20
    assert pair.app.tick(pair.now)[-1] == Closed(CloseReason.NO_NUMBER_LEFT, ())


@pytest.mark.parametrize(
    ("given_parameters", "code", "fault"),
    [
        pytest.param(((900, "0x12C"), (901, "Incorrect")), 6, "an error code that is no number", id="hex"),
        pytest.param(((900, "1" * 10),), 6, "an error code that is no number", id="long"),
        pytest.param(((900, "+9"),), 6, "an error code that is no number", id="sign"),
        pytest.param(((901, "Incorrect"),), 6, "an error text without an error code", id="no code"),
        pytest.param(((900, ""), (901, "Incorrect")), 6, "an error text without an error code", id="empty code"),
        pytest.param(((900, "0"), (900, "300")), 300, "", id="twice"),
        pytest.param(((900, " 300 "),), 300, "", id="blanks"),
        pytest.param(((900, "000"), (901, "Ok")), 0, "", id="none"),
        pytest.param(((900, ""),), 0, "", id="empty"),
    ],
)
@pytest.mark.parametrize("login", [False, True], ids=["submit", "login"])
def test_error_codes(given_parameters: Any, code: int, fault: str, login: bool) -> None:
    pair = Pair() if login else Pair().up()
    if login:
        pair.app.login(LOGIN, pair.now)
    else:
        pair.submit()
    answer = Packet(51, 1, given_parameters) if login else Packet(53, 3, given_parameters)
    *faults, event = pair.app.receive_data(encode(answer), pair.now)
    assert faults == ([ProtocolFault(fault)] if fault else [])
    assert (event.code if isinstance(event, Response | LoginRefused) else 0) == code
    assert isinstance(event, Response) is not login


def test_what_is_lost() -> None:
    pair = Pair().up()
    for context in ("a", "b"):
        pair.submit(context)
    assert pair.app.connection_lost(pair.now) == [Closed(CloseReason.CONNECTION_LOST, ("a", "b"))]
    assert pair.app.receive_data(encode(Packet(53, 3, KEY)), pair.now) == []


# --- the peer's requests --------------------------------------------------------------------------------------------


def test_a_retransmission_is_answered_as_before_and_not_told_again() -> None:
    pair = Pair().up()
    frame = encode(Packet(Operation.DELIVER, 0, MO))
    (event,) = pair.app.receive_data(frame, pair.now)
    assert event == RequestReceived(Packet(Operation.DELIVER, 0, MO))
    assert pair.app.receive_data(frame, pair.now) == []
    assert pair.app.data_to_send() == b"", "it is not answered yet"
    pair.app.respond(0)
    answer = pair.app.data_to_send()
    assert packets(answer) == [Packet(Operation.DELIVER_RESPONSE, 0)]
    assert pair.app.receive_data(frame, pair.now) == []
    assert pair.app.data_to_send() == answer


def test_another_message_under_the_number_of_the_one_before_is_told() -> None:
    pair = Pair().up()
    pair.app.receive_data(encode(Packet(Operation.DELIVER, 0, MO)), pair.now)
    pair.app.respond(0)
    other = Packet(Operation.DELIVER, 0, parameters((Tag.USER_DATA, "another")))
    assert pair.app.receive_data(encode(other), pair.now) == [RequestReceived(other)]


def test_a_window_that_comes_again_is_not_told_again() -> None:
    pair = Pair().up()
    frames = b"".join(encode(Packet(Operation.DELIVER, number, MO)) for number in (2, 4, 6))
    assert len(pair.app.receive_data(frames, pair.now)) == 3
    pair.app.respond(2)
    pair.app.data_to_send()
    assert pair.app.receive_data(frames, pair.now) == []
    assert packets(pair.app.data_to_send()) == [Packet(70, 2)]
    for number in (4, 6):
        pair.app.respond(number)
    assert [one.number for one in packets(pair.app.data_to_send())] == [4, 6]


def test_a_number_that_comes_round_is_another_request() -> None:
    pair = Pair().up()
    for number in (*range(0, 256, 2), 0):
        assert len(pair.app.receive_data(encode(Packet(Operation.DELIVER, number, MO)), pair.now)) == 1
        pair.app.respond(number)


def test_two_requests_of_one_number_have_two_answers() -> None:
    pair = Pair().up()
    for operation in (20, 23, 20):
        pair.app.receive_data(encode(Packet(operation, 2, KEY + MO[: operation - 20])), pair.now)
    pair.app.respond(2)
    pair.app.withhold(2)
    pair.app.respond(2)
    assert packets(pair.app.data_to_send()) == [Packet(70, 2), Packet(70, 2)]
    with pytest.raises(LocalProtocolError, match="no request 002"):
        pair.app.respond(2)


def test_what_comes_ahead_of_the_answer_to_the_login_is_taken() -> None:
    pair = Pair()
    pair.app.login(LOGIN, pair.now)
    mo = Packet(Operation.DELIVER, 0, MO)
    assert pair.app.receive_data(encode(mo) + encode(Packet(51, 1)), pair.now) == [RequestReceived(mo), LoggedIn()]
    pair.app.data_to_send()
    pair.app.respond(0)
    assert packets(pair.app.data_to_send()) == [Packet(70, 0)]


def test_what_is_withheld_is_told_again() -> None:
    pair = Pair().up()
    frame = encode(Packet(Operation.DELIVER, 0, MO))
    pair.app.receive_data(frame, pair.now)
    pair.app.withhold(0)
    assert pair.app.data_to_send() == b""
    assert len(pair.app.receive_data(frame, pair.now)) == 1
    pair.app.respond(0)
    assert packets(pair.app.data_to_send()) == [Packet(70, 0)]


def test_operations_that_nobody_knows() -> None:
    pair = Pair().up()
    pair.app.receive_data(encode(Packet(30, 2)), pair.now)
    assert packets(pair.app.data_to_send()) == [Packet(Operation.NACK, 2)]
    pair.smsc.receive_data(encode(Packet(30, 5)), pair.now)
    (answer,) = packets(pair.smsc.data_to_send())
    assert (answer.operation, answer.number, answer.get(900)) == (98, 5, "1")


# --- damage ---------------------------------------------------------------------------------------------------------


def test_a_damaged_packet_is_asked_for_again() -> None:
    pair = Pair().up()
    pair.app.send(Operation.SUBMIT, MESSAGE, pair.now, "one")
    frame = pair.app.data_to_send()
    assert pair.smsc.receive_data(frame.replace(b"Hi", b"Ho"), pair.now) == [
        ProtocolFault("a packet with a wrong checksum")
    ]
    nack = pair.smsc.data_to_send()
    assert packets(nack) == [Packet(Operation.NACK, 3)]
    assert len(pair.app.receive_data(nack, pair.now)) == 1
    assert pair.app.data_to_send() == frame
    (asked,) = pair.smsc.receive_data(frame, pair.now)
    assert isinstance(asked, RequestReceived)


def test_a_number_that_the_peer_does_not_expect_is_changed() -> None:
    pair = Pair().up()
    pair.app.send(Operation.SUBMIT, MESSAGE, pair.now, "one")
    pair.app.data_to_send()
    pair.app.receive_data(encode(Packet(99, 77)), pair.now)
    (again,) = packets(pair.app.data_to_send())
    assert again == Packet(Operation.SUBMIT, 77, MESSAGE)
    (answer,) = pair.app.receive_data(encode(Packet(53, 77, KEY)), pair.now)
    assert isinstance(answer, Response)
    assert answer.context == "one"
    assert pair.submit().number == 79


NOTHING = ProtocolFault("a nack for nothing that can be sent again")


def test_nobody_knows_which_request_is_meant() -> None:
    """That is borne, but not for ever."""
    pair = Pair(resends=2).up()
    first, _ = [pair.submit(context) for context in ("a", "b")]
    nack = encode(Packet(99, 77))
    assert pair.app.receive_data(2 * nack, pair.now) == [NOTHING, NOTHING]
    assert pair.app.data_to_send() == b""
    pair.app.receive_data(encode(Packet(53, first.number, KEY)), pair.now)
    pair.submit("c")
    found = pair.app.receive_data(3 * nack, pair.now)
    assert found == [NOTHING, NOTHING, NOTHING, Closed(CloseReason.NOT_UNDERSTOOD, ("b", "c"))]


@pytest.mark.parametrize("number", [3, 0, 4, 257, 999])
def test_a_nack_that_is_not_about_the_one_in_flight_leaves_it_alone(number: int) -> None:
    """3 was given up, the others are no numbers of ours."""
    pair = Pair(response_timeout=20).up()
    pair.submit("given up")
    pair.now += 20
    pair.app.tick(pair.now)
    flying = pair.submit("flying")
    assert pair.app.receive_data(encode(Packet(99, number)), pair.now) == [NOTHING]
    assert pair.app.data_to_send() == b""
    (answer,) = pair.app.receive_data(encode(Packet(53, flying.number, KEY)), pair.now)
    assert isinstance(answer, Response)
    assert answer.context == "flying"


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        pytest.param(b"\x0220:000\t033:Hi\t00\x03", "Hi", id="wrong checksum"),
        pytest.param(b"\x0220:000\t033:Hi\tyou\x03", "Hi\tyou", id="TAB in the text and no checksum"),
    ],
)
def test_a_damaged_packet_that_comes_again_as_it_was_is_read(frame: bytes, text: str) -> None:
    pair = Pair().up()
    (fault,) = pair.app.receive_data(frame, pair.now)
    assert packets(pair.app.data_to_send()) == [Packet(99, 0)]
    again, received = pair.app.receive_data(frame, pair.now)
    assert again == fault
    assert isinstance(received, RequestReceived)
    assert received.packet.get(33) == text
    pair.app.respond(0)
    assert pair.app.receive_data(frame, pair.now) == [fault], "and nacked when it comes a third time"


def test_an_mo_with_a_tab_in_its_text_is_told() -> None:
    pair = Pair().up()
    fault, received = pair.app.receive_data(b"\x0220:000\t033:Hi\tyou\t\x03", pair.now)
    assert fault == ProtocolFault("a parameter without a number")
    assert isinstance(received, RequestReceived)
    assert received.packet.get(33) == "Hi\tyou"


def test_what_is_never_understood() -> None:
    pair = Pair(resends=2).up()
    pair.submit("one")
    nack = encode(Packet(99, 3))
    for _ in range(2):
        assert len(pair.app.receive_data(nack, pair.now)) == 1
        assert len(packets(pair.app.data_to_send())) == 1
    assert pair.app.receive_data(nack, pair.now)[-1] == Closed(CloseReason.NOT_UNDERSTOOD, ("one",))


def test_a_peer_that_is_never_readable() -> None:
    pair = Pair(resends=2).up()
    for _ in range(2):
        pair.app.receive_data(b"\x02nonsense\x03", pair.now)
        assert packets(pair.app.data_to_send()) == [Packet(99, 0)]
    assert pair.app.receive_data(b"\x02nonsense\x03", pair.now)[-1] == Closed(CloseReason.UNREADABLE)


def test_syntax_errors_and_damaged_responses() -> None:
    pair = Pair().up()
    pair.smsc.receive_data(b"\x0203:005\t21:4\t\x03", pair.now)
    (answer,) = packets(pair.smsc.data_to_send())
    assert (answer.operation, answer.number, answer.get(900)) == (98, 5, "2")
    pair.app.receive_data(b"\x0253:005\tFF\x03", pair.now)
    assert pair.app.data_to_send() == b"", "a response is never answered"


def test_checksums_that_are_not_believed() -> None:
    pair = Pair(verify_checksum=False).up()
    assert pair.app.receive_data(b"\x0240:002\t00\x03", pair.now) == []
    assert packets(pair.app.data_to_send()) == [Packet(90, 2)]


@pytest.mark.parametrize(
    ("ours", "theirs", "written"),
    [("auto", "none", b"\x0240:003\t\x03"), ("auto", "upper", b"\x0240:003\t3C\x03"),
     ("lower", "none", b"\x0240:003\t3c\x03"), ("none", "upper", b"\x0240:003\t\x03")],
)  # fmt: skip
def test_checksums_as_the_peer_writes_them(ours: str, theirs: str, written: bytes) -> None:
    pair = Pair(checksum=ours, smsc={"checksum": theirs}).up()
    pair.app.alive(pair.now)
    assert pair.app.data_to_send() == written


# --- keepalive ------------------------------------------------------------------------------------------------------


def test_alive() -> None:
    pair = Pair(alive_interval=30, response_timeout=10).up()
    assert pair.app.next_deadline() == START + 30
    pair.now += 30
    assert pair.app.tick(pair.now) == []
    assert pair.to_smsc() == []
    pair.now += 1
    assert pair.to_app() == []
    assert pair.app.in_flight == 0
    assert pair.app.next_deadline() == pair.now + 30
    pair.now += 30
    pair.app.tick(pair.now)
    pair.now += 10
    assert pair.app.tick(pair.now) == [Closed(CloseReason.ALIVE_TIMEOUT)]


def test_inactivity() -> None:
    pair = Pair(inactivity_timeout=60).up()
    pair.now += 60
    assert pair.app.tick(pair.now) == []
    assert pair.to_smsc() == [Closed(CloseReason.PEER_LOGGED_OUT)]


# --- anything at all ------------------------------------------------------------------------------------------------

_octets = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.builds(
            lambda operation, number, pairs: encode(Packet(operation, number, tuple(pairs))),
            st.integers(1, 99),
            st.integers(0, 260),
            st.lists(
                st.tuples(st.sampled_from([21, 23, 33, 60, 61, 900]), st.text(st.sampled_from("0123459_+a"))),
                max_size=4,
            ),
        ),
    ),
    max_size=12,
).map(b"".join)


@pytest.mark.parametrize("side", Side)
@given(data=_octets, cuts=st.lists(st.integers(1, 40), max_size=8), submits=st.integers(0, 3))
def test_whatever_a_peer_sends(side: Side, data: bytes, cuts: list[int], submits: int) -> None:
    """No exception, and no event after the end."""
    pair = Pair().up()
    session, operation = (pair.app, 3) if side is Side.APPLICATION else (pair.smsc, 20)
    for number in range(submits):
        session.send(operation, MESSAGE, pair.now, number)
    events: list[Event] = []
    at = 0
    for size in [*cuts, len(data)]:
        events += session.receive_data(data[at : at + size], pair.now)
        at += size
    packets(session.data_to_send())
    events += session.connection_lost(pair.now)
    assert [isinstance(event, Closed) for event in events].index(True) == len(events) - 1
    told = [event.context for event in events if isinstance(event, Response)]
    (closed,) = [event for event in events if isinstance(event, Closed)]
    assert sorted([*told, *closed.lost]) == list(range(submits)), "each submit ends once"
