"""A conversation with an SMSC's session in memory, under a clock that the test moves."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from chalicelib.messages import Incoming, Outgoing, Status, StatusUpdate
from chalicelib.records import MoEvent, Piece, ReceiptEvent
from smsc_relay.protocol import (
    Accepted,
    Arrived,
    Conversation,
    Ended,
    Fault,
    Happening,
    Ready,
    Refused,
    Rejected,
    Role,
    Segment,
    Surroundings,
    Unanswered,
    Verdict,
)
from smsc_relay.ucp.codec import encode
from smsc_relay.ucp.config import UcpConfig
from smsc_relay.ucp.dialect import DIALECT
from smsc_relay.ucp.events import Event, OperationReceived, Token
from smsc_relay.ucp.events import Response as SmscResponse
from smsc_relay.ucp.operations import (
    Ack,
    CallInput,
    Message,
    Nack,
    Operation,
    Result,
    SessionManagement,
    Transfer,
    operation_frame,
)
from smsc_relay.ucp.session import Role as End
from smsc_relay.ucp.session import Session, SessionConfig
from tests.ucp.frames import octets

START = 1000.0
WALL = 1_769_851_865_000  # 2026-01-31T09:31:05Z
CHANNEL = "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"
PHONE = "250788123123"


class Line:
    """The conversation, the SMSC, and octets between them."""

    def __init__(self, role: Role = Role.TRANSCEIVER, **more: Any) -> None:
        self.config = UcpConfig.read(
            {"host": "smsc", "username": "1234", "password": "secret", "keepalive": 0, "country": "RW", **more}
        )
        self.now = START
        ids = itertools.count()
        around = Surroundings("mtn-rw", lambda: WALL, lambda: f"id-{next(ids)}")
        self.talk: Conversation = DIALECT.conversation(self.config, role, self.now, around)
        self.smsc = Session(SessionConfig(role=End.SMSC), self.now)
        self.answers: list[Result] = []  # to what the SMSC has sent

    def give(self) -> list[OperationReceived]:
        """What we send now reaches the SMSC: the operations of it."""
        events: list[Event] = self.smsc.receive_data(self.talk.data_to_send(), self.now)
        self.answers += [event.result for event in events if isinstance(event, SmscResponse)]
        return [event for event in events if isinstance(event, OperationReceived)]

    def take(self, data: bytes = b"") -> Sequence[Happening]:
        """What the SMSC sends reaches us."""
        found = self.talk.receive_data(data + self.smsc.data_to_send(), self.now)
        return [*found, *self.talk.catch_up(self.now)]

    def login(self) -> Sequence[Happening]:
        self.talk.start(self.now)
        (request,) = self.give()
        self.smsc.respond(request.token, Ack("BIND AUTHENTICATED"))
        return self.take()

    def submit(self, context: Any = "one", text: str = "Hi", to: str = PHONE) -> OperationReceived:
        self.talk.submit(segment(self.config, text, to), context, self.now)
        (request,) = self.give()
        return request

    def answer(self, token: Token, result: Result) -> Sequence[Happening]:
        self.smsc.respond(token, result)
        return self.take()

    def deliver(self, operation: Operation) -> Sequence[Happening]:
        self.smsc.send(operation, self.now)
        return self.take()

    def later(self, seconds: float) -> Sequence[Happening]:
        self.now += seconds
        return self.talk.tick(self.now)


def segment(config: UcpConfig, text: str = "Hi", to: str = PHONE) -> Segment:
    message = Outgoing.model_validate({"id": 1, "text": text, "to": f"+{to}", "from": "8080", "channel": CHANNEL})
    return DIALECT.plan(message, config, 7).segments[0]


def ready(role: Role = Role.TRANSCEIVER, **more: Any) -> Line:
    line = Line(role, **more)
    assert line.login() == [Ready("BIND AUTHENTICATED")]
    return line


def only(happenings: Sequence[Happening]) -> Any:
    (one,) = happenings
    return one


def notification(**more: str) -> Message:
    fields = {"adc": "1234", "oadc": PHONE, "scts": "310126093000", "dst": "0", "rsn": "000", "dscts": "310126093105",
              "mt": "3", **more}  # fmt: skip
    return Message(53, **fields)


# --- login and the end ----------------------------------------------------------------------------------------------


def test_login() -> None:
    line = Line()
    line.talk.start(line.now)
    assert line.talk.data_to_send() == octets("login")
    assert not line.talk.ready
    assert line.take(octets("login accepted")) == [Ready("BIND AUTHENTICATED")]
    assert line.talk.ready


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({"login_encoding": "packed"}, {"pwd": "F3F2585EA603"}, id="packed password"),
        pytest.param({"login_encoding": "plain"}, {"pwd": "secret"}, id="plain password"),
        pytest.param({"password": None}, {"pwd": ""}, id="no password"),
        pytest.param({"password": "a@b_c"}, {"pwd": "6100621163"}, id="GSM characters"),
        pytest.param({"login_ton": 1, "login_npi": "1", "login_type": 4, "login_version": "", "login_opid": "39"},
                     {"oton": "1", "onpi": "1", "styp": "4", "vers": "", "opid": "39"}, id="numbers"),
        pytest.param({"login_list_address": "1234", "login_list_ton": 6, "login_list_npi": 5},
                     {"ladc": "1234", "lton": "6", "lnpi": "5"}, id="list"),
    ],
)  # fmt: skip
def test_what_a_login_says(config: dict[str, Any], expected: dict[str, str]) -> None:
    line = Line(**config)
    line.talk.start(line.now)
    (request,) = line.give()
    usual = {"oadc": "1234", "oton": "6", "onpi": "5", "styp": "1", "pwd": "736563726574", "vers": "0100"}
    assert request.operation == SessionManagement(**{**usual, **expected})


def test_an_account_without_login() -> None:
    line = Line(username="", password=None)
    line.talk.start(line.now)
    assert line.talk.ready
    assert line.talk.next_deadline() == line.now
    assert line.talk.tick(line.now) == [Ready()]
    assert not line.talk.data_to_send()
    line.submit()


@pytest.mark.parametrize(
    ("ec", "expected"),
    [
        (7, Refused("authentication failure: no", "07", credentials=True)),
        (4, Refused("operation not allowed: no", "04", credentials=True)),
        (55, Refused("system error: no", "55", busy=True)),
        (2, Refused("syntax error: no", "02")),
    ],
)
def test_refused(ec: int, expected: Refused) -> None:
    line = Line()
    line.talk.start(line.now)
    (request,) = line.give()
    assert line.answer(request.token, Nack(ec, "no")) == [expected, Ended("login refused")]


def test_leaving_is_closing() -> None:
    line = ready()
    line.submit("lost")
    line.talk.leave(line.now)
    assert line.talk.next_deadline() == line.now
    assert line.talk.tick(line.now) == [Ended("left", ("lost",))]
    assert line.talk.connection_lost(line.now) == []
    line.talk.acknowledge(Token(1, 52), line.now)
    line.talk.decline(Token(1, 52), line.now)


def test_what_has_not_left_is_not_in_doubt() -> None:
    line = ready(window=1)
    line.submit("sent")
    line.talk.submit(segment(line.config), "waits", line.now)
    assert line.talk.in_flight == 2
    assert line.talk.connection_lost(line.now) == [
        Rejected("waits", Verdict.TEMPORARY, "the session ended before", "", 0.0),
        Ended("connection lost", ("sent",)),
    ]


def test_a_receiver_does_not_submit() -> None:
    line = ready(Role.RECEIVER, bind="pair")
    with pytest.raises(RuntimeError):
        line.talk.submit(segment(line.config), "one", line.now)


def test_not_before_login() -> None:
    line = Line()
    with pytest.raises(RuntimeError):
        line.talk.submit(segment(line.config), "one", line.now)


# --- submits --------------------------------------------------------------------------------------------------------


def test_accepted() -> None:
    line = ready()
    request = line.submit()
    line.now += 0.25
    assert line.answer(request.token, Ack(f"{PHONE}:310126093000")) == [Accepted("one", "8123123:310126093000", 0.25)]
    assert line.talk.in_flight == 0


@pytest.mark.parametrize(
    ("ec", "text", "config", "verdict"),
    [
        pytest.param(6, "AdC invalid", {}, Verdict.PERMANENT, id="permanent"),
        pytest.param(4, "Operation not allowed", {}, Verdict.PERMANENT, id="not allowed"),
        pytest.param(1, "", {}, Verdict.TEMPORARY, id="checksum"),
        pytest.param(54, "", {}, Verdict.TEMPORARY, id="not successful"),
        pytest.param(55, "", {}, Verdict.TEMPORARY, id="system error"),
        pytest.param(7, "", {}, Verdict.ACCOUNT, id="authentication"),
        pytest.param(4, "Throughput exceeded", {}, Verdict.THROTTLED, id="throttled by text"),
        pytest.param(3, "THROTTLING", {}, Verdict.THROTTLED, id="throttled by another text"),
        pytest.param(90, "zu schnell", {"throttled_text": "schnell"}, Verdict.THROTTLED, id="a text of one's own"),
        pytest.param(4, "throughput exceeded", {"throttled_text": ""}, Verdict.PERMANENT, id="no text counts"),
        pytest.param(54, "", {"error_classes": {54: "permanent"}}, Verdict.PERMANENT, id="own class"),
        pytest.param(4, "throttled", {"error_classes": {"4": "account"}}, Verdict.ACCOUNT, id="own class first"),
    ],
)
def test_rejected(ec: int, text: str, config: dict[str, Any], verdict: Verdict) -> None:
    line = ready(**config)
    told = only(line.answer(line.submit().token, Nack(ec, text)))
    assert isinstance(told, Rejected)
    assert (told.verdict, told.code) == (verdict, f"{ec:02d}")
    assert told.reason.lower().endswith(text.lower())


def test_partial_success_is_success() -> None:
    line = ready()
    told = only(line.answer(line.submit().token, Nack(53, f"{PHONE}:310126093000")))
    assert told == Accepted("one", "8123123:310126093000", 0.0)


def test_no_answer_and_a_late_one() -> None:
    line = ready(response_timeout=10)
    request = line.submit()
    assert line.later(10) == [Unanswered("one", 10.0)]
    told = only(line.answer(request.token, Ack(f"{PHONE}:310126093000")))
    assert told == Accepted("one", "8123123:310126093000", 10.0, late=True)


def test_reconnect_after_a_timeout() -> None:
    line = ready(response_timeout=10, after_timeout="reconnect")
    line.submit()
    assert line.later(10) == [Unanswered("one", 10.0), Ended("no answer to an operation")]


@pytest.mark.parametrize(
    ("config", "vp", "ddt"),
    [
        pytest.param({}, "", "", id="neither"),
        pytest.param({"validity": 3600}, "3101261032", "", id="validity"),
        pytest.param({"validity": 3600, "timezone": "+03:00"}, "3101261332", "", id="in the SMSC's zone"),
        pytest.param({"deferral": 86_400}, "", "0102260932", id="deferral"),
        pytest.param({"deferral": 86_400, "validity": 3600}, "0102261032", "0102260932", id="both"),
    ],
)
@pytest.mark.parametrize("operation", ["51", "30"])
def test_times(config: dict[str, Any], vp: str, ddt: str, operation: str) -> None:
    submitted = ready(operation=operation, **config).submit().operation
    assert isinstance(submitted, Message | Transfer)
    assert (submitted.vp, submitted.ddt, submitted.dd) == (vp, ddt, "1" if ddt else "")


def test_a_plan_of_another_config() -> None:
    line = ready()
    broken = Segment(0, 1, Message(51, adc="1/2"))
    line.talk.submit(broken, "one", line.now)
    told = only(line.talk.tick(line.now))
    assert isinstance(told, Rejected)
    assert told.verdict is Verdict.PERMANENT
    assert "1/2" not in told.reason


# --- two messages to one recipient ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "stamp", "faults"),
    [
        pytest.param("UTC", "310126093000", 0, id="right"),
        pytest.param("UTC", "310126123000", 1, id="in another zone"),
        pytest.param("+03:00", "310126123000", 0, id="in its zone"),
    ],
)
def test_a_clock_that_is_off_is_told_once(zone: str, stamp: str, faults: int) -> None:
    line = ready(timezone=zone)
    told = [one for _ in range(2) for one in line.answer(line.submit().token, Ack(f"{PHONE}:{stamp}"))]
    clock = [one for one in told if isinstance(one, Fault) and "clock" in one.reason]
    assert len(clock) == faults


def test_a_time_stamp_that_comes_twice_is_told() -> None:
    line = ready()
    first, second = line.submit("one"), line.submit("two")
    assert [type(one) for one in line.answer(first.token, Ack(f"{PHONE}:310126093000"))] == [Accepted]
    assert [type(one) for one in line.answer(second.token, Ack(f"{PHONE}:310126093000"))] == [Fault, Accepted]


def test_a_gap_between_messages_to_one_recipient() -> None:
    line = ready(recipient_gap=1)
    first = line.submit("one")
    for context in ("two", "three"):
        line.talk.submit(segment(line.config), context, line.now)
    assert line.give() == []
    assert line.talk.in_flight == 3
    other = line.submit("other", to="250788999999")
    line.answer(other.token, Ack("250788999999:310126093000"))
    line.answer(first.token, Ack(f"{PHONE}:310126093000"))
    assert line.talk.next_deadline() == line.now + 1
    line.later(0.9)
    assert line.give() == []
    line.later(0.1)
    (second,) = line.give()
    assert line.answer(second.token, Ack(f"{PHONE}:310126093001")) == [
        Accepted("two", "8123123:310126093001", 0.0)
    ]  # fmt: skip
    assert line.talk.connection_lost(line.now) == [
        Rejected("three", Verdict.TEMPORARY, "the session ended before", "", 0.0),
        Ended("connection lost"),
    ]


# --- MOs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ended", [False, True])
def test_what_the_smsc_delivers_is_told_when_there_is_time_and_before_the_end(ended: bool) -> None:
    line = ready()
    request = line.submit()
    line.smsc.send(CallInput(adc="8080", oadc=PHONE, mt="3", msg="4869"), line.now)
    line.smsc.respond(request.token, Ack(f"{PHONE}:310126093000"))
    assert isinstance(only(line.talk.receive_data(line.smsc.data_to_send(), line.now)), Accepted)
    told = list(line.talk.connection_lost(line.now) if ended else line.talk.catch_up(line.now))
    assert isinstance(told.pop(0), Arrived)
    assert told == ([Ended("connection lost")] if ended else [])
    assert not line.talk.more


def test_a_burst_is_read_a_few_at_a_time() -> None:
    line = ready()
    for number in range(50):
        line.smsc.send(CallInput(adc="8080", oadc=PHONE, mt="3", msg=f"{number:02}".encode().hex()), line.now)
    assert not line.talk.receive_data(line.smsc.data_to_send(), line.now)
    told: list[str] = []
    while line.talk.more:
        found = line.talk.catch_up(line.now)
        assert 1 <= len(found) <= 10
        told += [one.events[0].message.text for one in found]  # type: ignore[union-attr]
    assert told == [f"{number:02}" for number in range(50)]


def test_a_count_of_bits_that_is_none_costs_no_message() -> None:
    """int() of more than 4,300 digits is an error in Python."""
    line = ready()
    operation = Message(
        52, adc="8080", oadc=PHONE, scts="310126094500", mt="4", nb="9" * 5000, msg="C8329BFD06", xser="020100"
    )
    assert only(line.deliver(operation)).events[0].message.text == "Hello"


def test_an_operation_that_comes_again_before_its_result_is_told_once() -> None:
    line = ready()
    again = octets("MO")
    arrived = only(line.take(3 * again))
    line.talk.acknowledge(arrived.token, line.now)
    assert line.talk.data_to_send() == octets("MO answered")
    assert isinstance(only(line.take(again)), Arrived), "with its result it is over, and the number is free"


def test_two_operations_of_one_number_have_their_own_results() -> None:
    line = ready()
    other = encode(operation_frame(Message(52, adc="8081", oadc=PHONE, scts="310126094501", mt="3", msg="4869"), 12))
    for arrived in line.take(octets("MO") + other):
        assert isinstance(arrived, Arrived)
        line.talk.acknowledge(arrived.token, line.now)
    told = line.talk.data_to_send()
    assert told.index(b"8080:310126094500") < told.index(b"8081:310126094501")
    assert told.count(b"\x03") == 2


def test_another_service_at_the_port() -> None:
    line = Line()
    line.talk.start(line.now)
    line.take(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert line.talk.connection_lost(line.now) == [Ended("connection lost, the letters HTTP: is this a UCP port?")]


def test_what_is_outside_of_frames_is_no_matter_where_others_can_be_read() -> None:
    line = ready()
    line.take(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert line.talk.connection_lost(line.now) == [Ended("connection lost")]


@pytest.mark.parametrize("encoding", ["ira", "packed", "plain"])
def test_the_password_is_masked_however_it_is_written(encoding: str) -> None:
    line = Line(login_encoding=encoding, password="hunter22")
    line.talk.start(line.now)
    (request,) = line.give()
    assert isinstance(request.operation, SessionManagement)
    written = request.operation.pwd
    line.smsc.respond(request.token, Nack(7, f"bad pwd {written} or {written.lower()} or hunter22"))
    refused, _ = line.take()
    assert isinstance(refused, Refused)
    assert refused.reason.endswith("bad pwd *** or *** or ***")


def test_what_the_smsc_calls_itself_is_shown_as_a_log_can_have_it() -> None:
    line = Line(password="hunter22")
    line.talk.start(line.now)
    (request,) = line.give()
    line.smsc.respond(request.token, Ack("\x1b[2Jhello hunter22 250788123123 " + 100 * "x"))
    (told,) = line.take()
    assert isinstance(told, Ready)
    assert told.peer == "[2Jhello *** *** " + 23 * "x"


def test_an_mo() -> None:
    line = ready()
    arrived = only(line.take(octets("MO")))
    assert isinstance(arrived, Arrived)
    (event,) = arrived.events
    assert event == MoEvent(
        event_id="id-1",
        message=Incoming(channel="", sender="+447700900123", text="STOP"),
        aggregator="mtn-rw",
        to="8080",
        session="id-0",
        session_since=WALL,
        at=WALL,
    )
    assert not line.talk.data_to_send()
    line.talk.acknowledge(arrived.token, line.now)
    assert line.talk.data_to_send() == octets("MO answered")


@pytest.mark.parametrize(
    ("operation", "sender", "text", "answer"),
    [
        pytest.param(CallInput("8080", PHONE, "", "3", "", "53544F50"), f"+{PHONE}", "STOP", Ack(), id="01"),
        pytest.param(CallInput("8080", PHONE, "", "2", "", "12345"), f"+{PHONE}", "12345", Ack(), id="01 of digits"),
        pytest.param(Transfer("8080", PHONE, msg="53544F50"), f"+{PHONE}", "STOP", Ack(), id="30"),
        pytest.param(Message(52, adc="8080", oadc="0788123123", mt="3", msg=""), f"+{PHONE}", "", Ack(),
                     id="national, empty"),
        pytest.param(Message(52, adc="8080", oadc="07C161B308", otoa="5039", mt="3", msg="4869"), "ACME", "Hi", Ack(),
                     id="alphanumeric"),
        pytest.param(Message(52, adc="8080", oadc="788123123", otoa="1139", scts="310126094500", mt="4", nb="0016",
                             msg="20AC", xser="020108"), f"+{PHONE}", "€", Ack("8080:310126094500"), id="UCS-2"),
    ],
)  # fmt: skip
def test_other_mos(operation: Operation, sender: str, text: str, answer: Ack) -> None:
    line = ready()
    arrived = only(line.deliver(operation))
    (event,) = arrived.events
    assert isinstance(event, MoEvent)
    assert (event.message.sender, event.message.text, event.to) == (sender, text, "8080")
    line.talk.acknowledge(arrived.token, line.now)
    line.give()
    assert line.answers == [answer]


def test_our_address_is_the_configured_one() -> None:
    line = ready(mo_address="+250700000000")
    (event,) = only(line.take(octets("MO"))).events
    assert event.to == "+250700000000"


def test_a_part() -> None:
    line = ready()
    mo = Message(52, adc="8080", oadc=PHONE, mt="3", msg="50617274", xser="01060500032A0201")
    (event,) = only(line.deliver(mo)).events
    assert event.piece == Piece(reference=42, total=2, sequence=1)
    assert event.message.text == "Part"


@pytest.mark.parametrize(("config", "answer"), [({}, [Nack(55, "system error")]), ({"decline_error": 4},
                         [Nack(4, "operation not allowed")]), ({"decline_error": 0}, [])])  # fmt: skip
def test_declined(config: dict[str, Any], answer: list[Nack]) -> None:
    line = ready(**config)
    arrived = only(line.deliver(Message(52, adc="8080", oadc=PHONE, mt="3", msg="4869")))
    line.talk.decline(arrived.token, line.now)
    line.give()
    assert line.answers == answer


def test_a_message_that_cannot_be_read_arrives_all_the_same() -> None:
    line = ready()
    fault, arrived = line.deliver(Message(52, adc="8080", oadc=PHONE, mt="3", msg="4869x"))
    assert fault == Fault("a message that is not in hex")
    assert isinstance(arrived, Arrived)
    (event,) = arrived.events
    assert isinstance(event, MoEvent)
    assert event.octets


# --- notifications --------------------------------------------------------------------------------------------------


def test_a_notification_has_the_name_of_its_submit() -> None:
    line = ready()
    told = only(line.answer(line.submit().token, Ack(f"00{PHONE}:310126093000")))
    arrived = only(line.deliver(notification()))
    (event,) = arrived.events
    assert event == ReceiptEvent(
        event_id="id-1",
        update=StatusUpdate(
            channel="", status=Status.DELIVERED, external_id=told.external_id, at=1_769_851_865_000, destination=PHONE
        ),
        aggregator="mtn-rw",
        at=WALL,
        shared=True,
    )
    line.talk.acknowledge(arrived.token, line.now)
    line.give()
    assert line.answers == [Ack("310126093105")]


def test_59_is_a_notification_too() -> None:
    line = ready()
    data = notification()._replace(ot=59)
    (event,) = only(line.deliver(data)).events
    assert event.update.status is Status.DELIVERED


@pytest.mark.parametrize("more", [{"dst": ""}, {"scts": ""}])
def test_a_notification_that_says_nothing_is_answered_too(more: dict[str, str]) -> None:
    line = ready()
    fault, arrived = line.deliver(notification(**more))
    assert isinstance(fault, Fault)
    assert isinstance(arrived, Arrived)
    assert arrived.events == ()


# --- alerts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "address"),
    [
        pytest.param({}, "1234", id="username"),
        pytest.param({"keepalive_address": "99"}, "99", id="keepalive_address"),
        pytest.param({"username": "", "password": None, "mo_address": "8080"}, "8080", id="mo_address"),
        pytest.param({"username": "", "password": None}, "", id="nothing to say"),
        pytest.param({"username": "", "password": None, "mo_address": "ACME"}, "", id="a name"),
    ],
)
def test_the_address_of_alerts(config: dict[str, Any], address: str) -> None:
    line = Line(**{"keepalive": 30, **config})
    if line.config.username:
        line.login()
    else:
        line.talk.start(line.now)
        line.talk.tick(line.now)
    line.later(30)
    sent = line.talk.data_to_send().decode()
    assert (f"/O/31/{address}/0539/" in sent) if address else not sent
