"""A conversation with an SMSC's session in memory, under a clock that the test moves."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from chalicelib.messages import Incoming, Outgoing, Status, StatusUpdate
from chalicelib.records import MoEvent, Piece, ReceiptEvent
from smsc_relay.cimd2 import events
from smsc_relay.cimd2.answers import refusal
from smsc_relay.cimd2.codec import Packet, encode, parameters
from smsc_relay.cimd2.constants import ERRORS, Operation, Tag, error_name
from smsc_relay.cimd2.dialect import DIALECT
from smsc_relay.cimd2.session import Session, SessionConfig, Side
from smsc_relay.protocol import (
    Accepted,
    Answered,
    Arrived,
    Conversation,
    Ended,
    Fault,
    Happening,
    Prober,
    Ready,
    Refused,
    Rejected,
    Role,
    Segment,
    Surroundings,
    Unanswered,
    Verdict,
)
from tests.cimd2.test_dialect import CHANNEL
from tests.cimd2.test_session import packets
from tests.cimd2.test_texts import config

START = 1000.0
WALL = 1_769_851_800_000  # 2026-01-31 09:30 UTC
KEY = parameters((Tag.DESTINATION, "+447700900123"), (Tag.TIMESTAMP, "260131093000"))
NAME = "700900123-260131093000"
MO = ((21, "8080"), (23, "+447700900123"), (33, "Hi"))


class Line:
    """An account and its SMSC."""

    def __init__(self, **more: Any) -> None:
        self.config = config(**{"keepalive": 0, "greeting_wait": 0, **more})
        self.now = START
        ids = itertools.count()
        around = Surroundings("mtn-ug", lambda: WALL, lambda: f"id-{next(ids)}")
        self.talk: Conversation = DIALECT.conversation(self.config, Role.TRANSCEIVER, self.now, around)
        self.smsc = Session(SessionConfig(side=Side.SMSC, alive_interval=None), self.now)

    def give(self) -> list[events.Event]:
        """What we send now reaches the SMSC: its events."""
        return self.smsc.receive_data(self.talk.data_to_send(), self.now)

    def take(self, data: bytes = b"") -> Sequence[Happening]:
        """What the SMSC sends reaches us."""
        found = self.talk.receive_data(data + self.smsc.data_to_send(), self.now)
        return [*found, *self.talk.catch_up(self.now)]

    def asked(self) -> Packet:
        """The request that reaches the SMSC now."""
        (event,) = self.give()
        assert isinstance(event, events.RequestReceived | events.LoginRequested)
        return event.packet

    def login(self) -> Sequence[Happening]:
        self.talk.start(self.now)
        self.asked()
        self.smsc.accept_login(self.now)
        return self.take()

    def submit(self, context: Any = "one", text: str = "Hi") -> Packet:
        self.talk.submit(self.segments(text)[0], context, self.now)
        return self.asked()

    def segments(self, text: str) -> tuple[Segment, ...]:
        message = Outgoing.model_validate(
            {"id": 1, "text": text, "to": "+447700900123", "from": "8080", "channel": CHANNEL}
        )
        return DIALECT.plan(message, self.config, 7).segments

    def answer(self, packet: Packet, given: tuple[tuple[int, str], ...] = KEY) -> Sequence[Happening]:
        self.smsc.respond(packet.number, given)
        return self.take()

    def deliver(self, operation: int, *pairs: tuple[int, str]) -> Sequence[Happening]:
        self.smsc.send(operation, pairs, self.now)
        return self.take()


def up(**more: Any) -> Line:
    line = Line(**more)
    line.login()
    return line


def only(happenings: Sequence[Happening]) -> Any:
    (one,) = happenings
    return one


# --- login ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "login"),
    [
        pytest.param({}, {10: "ilha", 11: "s3cr3t"}, id="least"),
        pytest.param({"window": 20}, {10: "ilha", 11: "s3cr3t", 19: "20"}, id="window"),
        pytest.param(
            {"window": 2, "subaddresses": [4], "ip_address": "10.0.0.1"},
            {10: "ilha", 11: "s3cr3t", 12: "4", 19: "2", 71: "10.0.0.1"},
            id="everything",
        ),
    ],
)
def test_login(more: dict[str, Any], login: dict[int, str]) -> None:
    line = Line(**more)
    line.talk.start(line.now)
    assert dict(line.asked().parameters) == login
    assert not line.talk.ready
    line.smsc.accept_login(line.now)
    assert line.take() == [Ready("")]
    assert line.talk.ready
    line.talk.connection_lost(line.now)


def test_the_greeting_is_waited_for() -> None:
    line = Line(greeting_wait=2)
    line.talk.start(line.now)
    assert line.talk.data_to_send() == b""
    assert line.talk.next_deadline() == START + 2
    line.take(b"CIMD2-A Connection")
    assert line.talk.data_to_send() == b""
    line.take(b"Info: SessionId = 7\r\n")
    line.asked()
    line.smsc.accept_login(line.now)
    assert line.take() == [Ready("CIMD2-A ConnectionInfo: SessionId = 7")]


def test_a_greeting_is_shown_as_a_log_can_have_it() -> None:
    line = Line(greeting_wait=2)
    line.talk.start(line.now)
    line.take(b"CIMD2-A\x1b[2J hello s3cr3t 250788123123\n")
    line.asked()
    line.smsc.accept_login(line.now)
    assert line.take() == [Ready("CIMD2-A[2J hello *** ***")]


def test_another_service_at_the_port() -> None:
    line = Line()
    line.talk.start(line.now)
    line.take(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert line.talk.connection_lost(line.now) == [
        Ended("connection lost, the letters HTTP: is this a CIMD2 port?", ())
    ]


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"\n\x0299:001\t\x03" * 5, id="before the greeting"),
        pytest.param(b"\x0251:001\t900:105\t\x03" + 5 * b"\x0299:255\t\x03", id="after a login without windows"),
        pytest.param(b"\n" + 5 * b"\x02nonsense\x03", id="unreadable"),
    ],
)
def test_a_session_that_ends_before_its_login_gives_its_subaddress_back(said: bytes) -> None:
    for _ in range(3):
        line = Line(window=5, subaddresses=[1, 2], greeting_wait=2 if said[:1] == b"\n" else 0)
        line.talk.start(line.now)
        line.take(said)
        line.talk.connection_lost(line.now)
    line = Line(subaddresses=[1, 2])
    line.talk.start(line.now)
    other = Line(subaddresses=[1, 2])
    other.talk.start(other.now)
    assert {line.asked().get(Tag.SUBADDRESS), other.asked().get(Tag.SUBADDRESS)} == {"1", "2"}
    for one in (line, other):
        one.talk.connection_lost(one.now)


def test_an_smsc_that_does_not_greet() -> None:
    line = Line(greeting_wait=2)
    line.talk.start(line.now)
    assert line.talk.tick(START + 2) == []
    assert line.asked().operation == Operation.LOGIN


@pytest.mark.parametrize(
    ("code", "credentials", "busy"),
    [(100, True, False), (101, True, False), (102, False, True), (103, False, True), (104, False, False),
     (106, True, False), (107, True, False), (108, True, False), (6, False, True), (10, False, True),
     (2, False, False)],
)  # fmt: skip
def test_refused(code: int, credentials: bool, busy: bool) -> None:
    line = Line()
    line.talk.start(line.now)
    line.give()
    line.smsc.refuse_login(code, line.now)
    assert line.take() == [Refused(error_name(code), str(code), credentials, busy), Ended("login refused")]
    assert not line.talk.ready


@pytest.mark.parametrize("code", [104, 105])
def test_an_smsc_without_windows(code: int) -> None:
    """It is asked without a window; then one submit goes at a time."""
    line = Line(window=5)
    line.talk.start(line.now)
    line.give()
    line.smsc.refuse_login(code, line.now)
    assert line.take() == [Fault(f"{error_name(code)}: going on with a window of 1")]
    assert line.asked().get(Tag.WINDOW) is None
    line.smsc.accept_login(line.now)
    assert line.take() == [Ready("", window=1)]
    for context in ("one", "two", "three"):
        line.talk.submit(line.segments("Hi")[0], context, line.now)
    assert line.talk.in_flight == 3
    for context in ("one", "two"):
        assert only(line.answer(line.asked())).context == context
    line.give()
    assert line.talk.in_flight == 1
    assert line.talk.connection_lost(line.now) == [Ended("connection lost", ("three",))]


def test_what_has_not_been_sent_is_not_in_doubt() -> None:
    line = Line(window=5)
    line.talk.start(line.now)
    line.give()
    line.smsc.refuse_login(105, line.now)
    line.take()
    line.give()
    line.smsc.accept_login(line.now)
    line.take()
    for context in ("one", "two"):
        line.talk.submit(line.segments("Hi")[0], context, line.now)
    assert line.talk.connection_lost(line.now) == [
        Rejected("two", Verdict.TEMPORARY, "not sent", "", 0.0), Ended("connection lost", ("one",)),
    ]  # fmt: skip


def test_binds_have_their_own_subaddresses() -> None:
    lines = [Line(binds=2, subaddresses=[1, 2]) for _ in range(2)]
    found = []
    for line in lines:
        line.talk.start(line.now)
        found.append(line.asked().get(Tag.SUBADDRESS))
    assert found == ["1", "2"]
    assert lines[0].talk.connection_lost(START) == [Ended("connection lost")]
    third = Line(binds=2, subaddresses=[1, 2])
    third.talk.start(START)
    assert third.asked().get(Tag.SUBADDRESS) == "1"
    for line in (lines[1], third):
        line.talk.connection_lost(START)


def test_another_subaddress_is_tried_when_one_is_in_use() -> None:
    found = []
    for _ in range(2):
        line = Line(subaddresses=[8, 9])
        line.talk.start(line.now)
        found.append(line.asked().get(Tag.SUBADDRESS))
        line.smsc.refuse_login(102, line.now)
        assert line.take()[-1] == Ended("login refused")
    assert found == ["8", "9"]


def test_leaving() -> None:
    line = up()
    line.talk.leave(line.now)
    assert not line.talk.ready
    assert line.give() == [events.Closed(events.CloseReason.PEER_LOGGED_OUT)]
    assert line.take() == [Ended("logged out")]
    early = Line(greeting_wait=2)
    early.talk.start(early.now)
    early.talk.leave(early.now)
    assert early.talk.tick(early.now) == [Ended("aborted")]
    assert early.talk.next_deadline() is None


# --- submits --------------------------------------------------------------------------------------------------------


def test_accepted() -> None:
    line = up()
    packet = line.submit()
    assert line.talk.in_flight == 1
    line.now += 0.25
    assert line.answer(packet) == [Accepted("one", NAME, 0.25)]
    assert line.talk.in_flight == 0


@pytest.mark.parametrize(
    ("given", "name"),
    [
        pytest.param((("021", "447700900123"), ("060", "260131093000")), NAME, id="without plus"),
        pytest.param((("060", "260131093000"),), NAME, id="without destination"),
        pytest.param((("021", "447700900123"),), "", id="without time stamp"),
    ],
)
def test_external_ids(given: tuple[tuple[str, str], ...], name: str) -> None:
    line = up()
    assert line.answer(line.submit(), tuple((int(tag), value) for tag, value in given)) == [Accepted("one", name, 0.0)]


@pytest.mark.parametrize("code", sorted(set(ERRORS) - {1, 4, 102, 103, 310}))
def test_rejected(code: int) -> None:
    verdicts = {5: Verdict.TEMPORARY, 6: Verdict.TEMPORARY, 9: Verdict.TEMPORARY, 10: Verdict.THROTTLED}
    account = {100, 101, 104, 105, 106, 107, 108, 324}
    verdict = Verdict.ACCOUNT if code in account else verdicts.get(code, Verdict.PERMANENT)
    line = up()
    assert line.answer(line.submit(), refusal(code)) == [Rejected("one", verdict, error_name(code), str(code), 0.0)]
    assert line.talk.ready
    told = parameters((Tag.ERROR, code), (Tag.ERROR_TEXT, "ask the desk"))
    why = f"{error_name(code)}: ask the desk"
    assert line.answer(line.submit(), told) == [Rejected("one", verdict, why, str(code), 0.0)]


@pytest.mark.parametrize("code", [1, 4, 102, 103])
def test_a_session_that_the_smsc_thinks_is_none_is_left(code: int) -> None:
    line = up()
    assert only(line.answer(line.submit(), refusal(code))).verdict is Verdict.TEMPORARY
    assert not line.talk.ready
    line.give()
    assert line.take() == [Ended("logged out")]


def test_classes_of_the_account() -> None:
    line = up(error_classes={"9": "permanent", 4: "throttled", 777: "account"})
    for code, verdict in ((9, Verdict.PERMANENT), (4, Verdict.THROTTLED), (777, Verdict.ACCOUNT)):
        assert only(line.answer(line.submit(), refusal(code))).verdict is verdict
        assert line.talk.ready


def test_an_account_without_status_reports() -> None:
    """The submit goes again without the request, those after it do not have it."""
    line = up(window=2)
    first = line.submit("one")
    assert first.get(Tag.STATUS_REPORT) == "14"
    assert only(line.answer(first, refusal(310))) == Fault(
        "the account has no status reports: receipts should be none"
    )  # fmt: skip
    again = line.asked()
    assert again.parameters == tuple(pair for pair in first.parameters if pair[0] != Tag.STATUS_REPORT)
    assert line.answer(again) == [Accepted("one", NAME, 0.0)]
    assert line.submit("two").get(Tag.STATUS_REPORT) is None


def test_unanswered_and_late() -> None:
    line = up(response_timeout=20, window=2)
    first, second = line.submit("one"), line.submit("two")
    line.now += 20
    assert line.talk.tick(line.now) == [Unanswered("one", 20.0), Unanswered("two", 20.0)]
    line.now += 5
    line.smsc.respond(first.number, KEY)
    line.smsc.respond(second.number, refusal(300))
    assert line.take() == [
        Accepted("one", NAME, 25.0, late=True),
        Rejected("two", Verdict.PERMANENT, "incorrect destination address", "300", 25.0, late=True),
    ]


def test_an_absolute_validity() -> None:
    line = up(validity=3600, validity_form="absolute", timezone="+03:00")
    packet = line.submit()
    assert (packet.get(Tag.VALIDITY_ABSOLUTE), packet.get(Tag.VALIDITY_RELATIVE)) == ("260131133000", None)


def test_a_segment_that_does_not_fit_is_rejected_not_raised() -> None:
    line = up()
    line.talk.submit(Segment(0, 1, ((33, "\t"),)), "one", line.now)
    assert line.talk.next_deadline() == line.now
    found = only(line.talk.tick(line.now))
    assert (found.context, found.verdict) == ("one", Verdict.PERMANENT)
    assert line.talk.next_deadline() is None


def test_nothing_is_submitted_before_the_login_or_after_leaving() -> None:
    line = Line()
    with pytest.raises(RuntimeError):
        line.talk.submit(line.segments("Hi")[0], "one", line.now)
    line.login()
    line.talk.leave(line.now)
    with pytest.raises(RuntimeError):
        line.talk.submit(line.segments("Hi")[0], "one", line.now)


# --- MOs and reports ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ended", [False, True])
def test_what_the_smsc_delivers_is_told_when_there_is_time_and_before_the_end(ended: bool) -> None:
    line = up()
    request = line.submit()
    line.smsc.send(20, MO, line.now)
    line.smsc.respond(request.number, KEY)
    assert isinstance(only(line.talk.receive_data(line.smsc.data_to_send(), line.now)), Accepted)
    told = list(line.talk.connection_lost(line.now) if ended else line.talk.catch_up(line.now))
    assert isinstance(told.pop(0), Arrived)
    assert told == ([Ended("connection lost")] if ended else [])
    assert not line.talk.more


def test_a_burst_is_read_a_few_at_a_time() -> None:
    line = up()
    for number in range(50):
        line.smsc.send(20, (*MO[:2], (33, f"{number:02}")), line.now)
    assert not line.talk.receive_data(line.smsc.data_to_send(), line.now)
    told: list[str] = []
    while line.talk.more:
        found = line.talk.catch_up(line.now)
        assert 1 <= len(found) <= 10
        told += [one.events[0].message.text for one in found]  # type: ignore[union-attr]
    assert told == [f"{number:02}" for number in range(50)]


def test_an_mo() -> None:
    line = up()
    arrived = only(line.deliver(20, (21, "8080"), (23, "+447700900123"), (60, "260131094500"), (32, "0500032A0201"),
                                (33, "STOP_XXe")))  # fmt: skip
    assert arrived.events == (
        MoEvent(
            event_id="id-1",
            message=Incoming(channel="", sender="+447700900123", text="STOP€"),
            aggregator="mtn-ug",
            to="8080",
            piece=Piece(reference=0x2A, total=2, sequence=1),
            session="id-0",
            session_since=WALL,
            at=WALL,
            octets="U1RPUBtl",
            charset="gsm7",
            data_coding=0,
        ),
    )
    assert line.talk.data_to_send() == b""
    line.talk.acknowledge(arrived.token, line.now)
    assert line.give() == [events.Response(None, *_request_and_answer(arrived.token), 0, 0.0)]


def _request_and_answer(number: int) -> tuple[Packet, Packet]:
    given = ((21, "8080"), (23, "+447700900123"), (60, "260131094500"), (32, "0500032A0201"), (33, "STOP_XXe"))
    return Packet(20, number, given), Packet(70, number)


def test_our_address_by_config() -> None:
    arrived = only(up(mo_address="8080").deliver(20, (21, "4008080"), (23, "+447700900123"), (33, "Hi")))
    assert arrived.events[0].to == "8080"


def test_a_report() -> None:
    line = up()
    line.answer(line.submit())
    arrived = only(line.deliver(23, (21, "447700900123"), (60, "260131093000"), (61, "3"), (62, "29")))
    update = StatusUpdate(channel="", status=Status.FAILED, external_id=NAME, code="29",
                          reason="delivery failed: absent subscriber", destination="447700900123")  # fmt: skip
    assert arrived.events == (ReceiptEvent(event_id="id-1", update=update, aggregator="mtn-ug", at=WALL, shared=True),)
    line.talk.acknowledge(arrived.token, line.now)
    assert packets(line.talk.data_to_send()) == [Packet(73, arrived.token)]


@pytest.mark.parametrize(
    ("zone", "faults"), [pytest.param("UTC", 0, id="right"), pytest.param("+03:00", 1, id="of another zone")]
)
def test_a_clock_that_is_off_is_told_once(zone: str, faults: int) -> None:
    line = up(timezone=zone)
    told = [one for _ in range(2) for one in line.answer(line.submit())]
    clock = [one for one in told if isinstance(one, Fault) and "clock" in one.reason]
    assert len(clock) == faults


def test_parts_of_one_second_and_their_reports_have_one_name() -> None:
    line = up(window=5)
    segments = line.segments("x" * 400)
    for segment in segments:
        line.talk.submit(segment, segment.index, line.now)
    asked = [event.packet for event in line.give() if isinstance(event, events.RequestReceived)]
    for packet in asked:
        line.smsc.respond(packet.number, KEY)
    accepted = [one.external_id for one in line.take() if isinstance(one, Accepted)]
    assert accepted == [NAME] * 3
    told = []
    for _ in segments:
        arrived = only(line.deliver(23, *KEY, (61, "4"), (63, "260131093105")))
        assert arrived.events[0].shared
        told.append(arrived.events[0].update.external_id)
        line.talk.acknowledge(arrived.token, line.now)
    assert told == accepted


@pytest.mark.parametrize(
    ("pairs", "fault"),
    [
        (((60, "260131093000"),), "a status report without a status"),
        (((61, "4"),), "a status report without a time stamp"),
    ],
)
def test_reports_that_nobody_can_use(pairs: tuple[tuple[int, str], ...], fault: str) -> None:
    found = up().deliver(23, (21, "447700900123"), *pairs)
    assert found == [Fault(fault), Arrived(0, ())]


@pytest.mark.parametrize("declined", ["hold", "error", "close"])
def test_declining(declined: str) -> None:
    line = up(declined=declined)
    arrived = only(line.deliver(20, (21, "8080"), (23, "+447700900123"), (33, "Hi")))
    line.talk.decline(arrived.token, line.now)
    data = line.talk.data_to_send()
    if declined == "hold":
        assert data == b""
        again = encode(Packet(20, arrived.token, ((21, "8080"), (23, "+447700900123"), (33, "Hi"))))
        assert len(only(line.take(again)).events) == 1
    elif declined == "error":
        (answer,) = packets(data)
        assert (answer.operation, answer.get(900)) == (70, "710")
    else:
        assert line.talk.tick(line.now) == [Ended("aborted")]
    line.talk.connection_lost(line.now)
    line.talk.acknowledge(arrived.token, line.now)
    line.talk.decline(arrived.token, line.now)


def test_an_account_that_has_to_ask_for_its_messages() -> None:
    line = up(poll=30)
    packet = line.asked()
    assert (packet.operation, packet.get(Tag.REQUEST_MODE)) == (5, "2")
    assert line.talk.in_flight == 0
    assert line.answer(packet, refusal(7)) == []
    assert line.talk.next_deadline() == START + 30
    line.now += 30
    assert line.talk.tick(line.now) == []
    assert line.asked().operation == 5


def test_a_question_takes_no_place_in_the_window() -> None:
    line = up()
    assert isinstance(line.talk, Prober)
    line.talk.probe("alive", line.now)
    assert line.talk.in_flight == 0
    line.give()
    line.submit()
    assert line.talk.in_flight == 1
    assert line.take() == [Answered("alive")]
    assert line.talk.in_flight == 1


def test_nothing_after_the_end() -> None:
    line = up()
    assert line.talk.connection_lost(line.now) == [Ended("connection lost")]
    assert line.talk.connection_lost(line.now) == []
    assert line.talk.tick(line.now + 1000) == []
    assert line.talk.next_deadline() is None
