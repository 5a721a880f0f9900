"""A conversation with an SMSC's session in memory, under a clock that the test moves."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.messages import Incoming, Outgoing, Status, StatusUpdate
from chalicelib.phones import digits_match
from chalicelib.records import MoEvent, Piece, ReceiptEvent
from smsc_relay.protocol import (
    Accepted,
    Alert,
    Answered,
    Arrived,
    Congested,
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
from smsc_relay.smpp import constants, events, pdus
from smsc_relay.smpp.codec import Decoded, encode
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import Tag
from smsc_relay.smpp.dialect import DIALECT
from smsc_relay.smpp.halves import HOLD
from smsc_relay.smpp.pdus import (
    DataSm,
    DeliverSm,
    EnquireLinkResp,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    int_tlv,
    octets_tlv,
    text_tlv,
)
from smsc_relay.smpp.session import Session, SessionConfig
from smsc_relay.smpp.state import Role as End
from tests.smpp.ends import START, decoded

WALL = 1_769_851_865_000  # 2026-01-31T09:31:05Z
CHANNEL = "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"


class Line:
    """The conversation, the SMSC, and what has happened; octets go to and fro with every call."""

    def __init__(
        self, role: Role = Role.TRANSCEIVER, *, common: dict[str, Any] | None = None, **more: Any
    ) -> None:  # fmt: skip
        self.config = SmppConfig.read(
            {"host": "smsc", "system_id": "ilha", "password": "s3cr3t", "keepalive": 0, **more}
        )  # fmt: skip
        self.now = START
        self.wall = WALL
        ids = itertools.count()
        around = Surroundings("mtn-ug", lambda: self.wall, lambda: f"id-{next(ids)}", {} if common is None else common)
        self.talk: Conversation = DIALECT.conversation(self.config, role, self.now, around)
        self.smsc = Session(SessionConfig(role=End.SMSC, enquire_link_interval=None), self.now)
        self.seen: list[events.Event] = []

    def sent(self) -> list[Decoded]:
        """What we send now, read; it does not reach the SMSC."""
        return decoded(self.talk.data_to_send())

    def give(self) -> list[events.Event]:
        """What we send now reaches the SMSC: its events."""
        found = self.smsc.receive_data(self.talk.data_to_send(), self.now)
        self.seen += found
        return found

    def take(self, data: bytes = b"") -> Sequence[Happening]:
        """What the SMSC sends reaches us."""
        found = self.talk.receive_data(data + self.smsc.data_to_send(), self.now)
        return [*found, *self.talk.catch_up(self.now)]

    def bind(self) -> Sequence[Happening]:
        self.talk.start(self.now)
        (request,) = self.give()
        assert isinstance(request, events.BindRequested)
        return self.take(self.smsc.accept_bind(self.now, "SMSC"))

    def submit(self, context: Any = "one", text: str = "Hi") -> events.RequestReceived:
        self.talk.submit(segment(self.config, text), context, self.now)
        (request,) = self.give()
        assert isinstance(request, events.RequestReceived)
        return request

    def deliver(self, pdu: Pdu) -> Sequence[Happening]:
        return self.take(self.smsc.send(pdu, self.now)[1])


def segment(config: SmppConfig, text: str = "Hi") -> Segment:
    message = Outgoing.model_validate(
        {"id": 1, "text": text, "to": "+250788123123", "from": "8080", "channel": CHANNEL}
    )  # fmt: skip
    return DIALECT.plan(message, config, 7).segments[0]


def bound(role: Role = Role.TRANSCEIVER, **more: Any) -> Line:
    line = Line(role, **more)
    line.bind()
    return line


def only(happenings: Sequence[Happening]) -> Any:
    (one,) = happenings
    return one


# --- binding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        (Role.TRANSCEIVER, pdus.BindTransceiver),
        (Role.TRANSMITTER, pdus.BindTransmitter),
        (Role.RECEIVER, pdus.BindReceiver),
    ],
)
def test_bind(role: Role, kind: type[Pdu]) -> None:
    line = Line(
        role, bind="pair", system_type="VMA", interface_version=50, bind_ton=1, bind_npi=1, address_range="^8080"
    )
    line.talk.start(line.now)
    (bind,) = line.sent()
    assert bind.pdu == kind("ilha", "s3cr3t", "VMA", 0x50, 1, 1, "^8080")  # type: ignore[call-arg]
    assert not line.talk.ready


def test_ready() -> None:
    line = Line()
    assert line.bind() == [Ready("SMSC", "3.4")]
    assert line.talk.ready


TLVS = "; TLVs go to it where long_messages, more_messages or tlvs ask for them"


@pytest.mark.parametrize(
    ("ours", "said", "version", "older"),
    [
        pytest.param(34, [b"\x34"], "3.4", "", id="the same"),
        pytest.param(34, [b"\x50"], "5.0", "", id="more"),
        pytest.param(50, [b"\x34"], "3.4", "it speaks SMPP 3.4, and interface_version is 50", id="less"),
        pytest.param(34, [b"\x33"], "3.3", "it speaks SMPP 3.3, and interface_version is 34" + TLVS, id="3.3"),
        pytest.param(34, [b"\x10"], "3.3", "it speaks SMPP 3.3, and interface_version is 34" + TLVS, id="older still"),
        pytest.param(34, [b"\0"], "", "", id="nought"),
        pytest.param(34, [b""], "", "", id="empty"),
        pytest.param(34, [], "", "", id="not said"),
    ],
)
def test_the_version_that_the_smsc_tells(ours: int, said: list[bytes], version: str, older: str) -> None:
    line = Line(interface_version=ours)
    line.talk.start(line.now)
    line.give()
    tlvs = [(int(Tag.SC_INTERFACE_VERSION), value) for value in said]
    bound = line.smsc.accept_bind(line.now, "SMSC", tlvs, announce_version=False)
    assert line.take(bound) == [Ready("SMSC", version, older)]


def test_tlvs_that_an_account_asks_for_go_to_an_smsc_of_3_3_too() -> None:
    """Without them the text would be lost."""
    line = Line(long_messages="payload", tlvs=[{"tag": 0x1400, "value": "1201"}])
    line.talk.start(line.now)
    line.give()
    version = [(int(Tag.SC_INTERFACE_VERSION), b"\x33")]
    line.take(line.smsc.accept_bind(line.now, "SMSC", version, announce_version=False))
    submit = line.submit(text="Love is patient. " * 20).pdu
    assert submit.tlv(0x1400) == b"1201\0"
    assert submit.tlv(Tag.MESSAGE_PAYLOAD)


def test_a_password_longer_than_the_specification_allows() -> None:
    line = Line(password="0123456789abcdef", system_id="a-rather-long-system-id")
    assert line.bind() == [Ready("SMSC", "3.4")]


@pytest.mark.parametrize(
    ("status", "credentials", "busy", "config"),
    [
        ("ESME_RBINDFAIL", True, False, {}),
        ("ESME_RINVPASWD", True, False, {}),
        ("ESME_RINVSYSID", True, False, {}),
        ("ESME_RINVSYSTYP", True, False, {}),
        ("ESME_RALYBND", False, True, {}),
        ("ESME_RSYSERR", False, True, {}),
        ("ESME_RTHROTTLED", False, True, {}),
        ("ESME_RINVCMDID", False, False, {}),
        ("ESME_RBINDFAIL", False, True, {"RBINDFAIL": "busy"}),
        ("ESME_RSYSERR", True, False, {"0x08": "credentials"}),
        ("ESME_RINVPASWD", False, True, {"RBINDFAIL-0x0F": "busy"}),
        ("ESME_RINVPASWD", True, False, {"RBINDFAIL": "busy"}),
    ],
)
def test_refused(status: str, credentials: bool, busy: bool, config: dict[str, str]) -> None:
    line = Line(bind_classes=config)
    line.talk.start(line.now)
    line.give()
    code = constants.Status[status]
    assert line.take(line.smsc.refuse_bind(code, line.now)) == [
        Refused(status, f"0x{code:08X}", credentials, busy),
        Ended("bind refused"),
    ]
    assert not line.talk.ready


def test_nobody_answers_the_bind() -> None:
    line = Line(login_timeout=5)
    line.talk.start(line.now)
    assert line.talk.next_deadline() == START + 5
    assert line.talk.tick(START + 5) == [Ended("not bound in time")]


# --- submits --------------------------------------------------------------------------------------------------------


def test_accepted() -> None:
    line = bound()
    request = line.submit()
    assert isinstance(request.pdu, SubmitSm)
    assert (request.pdu.destination_addr, request.pdu.short_message) == ("250788123123", b"Hi")
    assert line.talk.in_flight == 1
    line.now += 0.25
    answer = line.smsc.respond(request.sequence, SubmitSmResp("00A1"))
    assert line.take(answer) == [Accepted("one", "a1", 0.25, written="00A1")]
    assert line.talk.in_flight == 0


@pytest.mark.parametrize(
    ("message_id", "more", "external_id"),
    [
        pytest.param("1A2B3C", {"id_in_response": "hex", "id_in_receipt": "decimal"}, "1715004", id="hex"),
        pytest.param("", {}, "", id="none"),
        pytest.param(None, {}, "", id="no body"),
    ],
)
def test_external_ids(message_id: str | None, more: dict[str, Any], external_id: str) -> None:
    line = bound(**more)
    answer = line.smsc.respond(line.submit().sequence, SubmitSmResp(message_id))
    assert line.take(answer) == [Accepted("one", external_id, 0.0, written=message_id or "")]


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("ESME_RTHROTTLED", Verdict.THROTTLED),
        ("ESME_RMSGQFUL", Verdict.THROTTLED),
        ("ESME_RSYSERR", Verdict.TEMPORARY),
        ("ESME_RX_T_APPN", Verdict.TEMPORARY),
        ("ESME_RUNKNOWNERR", Verdict.TEMPORARY),
        ("ESME_RINVDSTADR", Verdict.PERMANENT),
        ("ESME_RINVSRCADR", Verdict.PERMANENT),
        ("ESME_RSUBMITFAIL", Verdict.PERMANENT),
        ("ESME_RINVMSGLEN", Verdict.PERMANENT),
        ("ESME_RINVSYSTYP", Verdict.ACCOUNT),
        ("ESME_RINVPASWD", Verdict.ACCOUNT),
    ],
)
def test_rejected(status: str, verdict: Verdict) -> None:
    line = bound()
    code = constants.Status[status]
    answer = line.smsc.respond(line.submit().sequence, SubmitSmResp(None), code)
    assert line.take(answer) == [Rejected("one", verdict, status, f"0x{code:08X}", 0.0)]
    assert line.talk.ready


@pytest.mark.parametrize(
    ("status", "more", "verdict", "reason"),
    [
        pytest.param(0x412, {}, Verdict.PERMANENT, "0x00000412", id="vendor code"),
        pytest.param(0x412, {"0x412": "account"}, Verdict.ACCOUNT, "0x00000412", id="vendor code of the account"),
        pytest.param(0x45, {"RSUBMITFAIL": "temporary"}, Verdict.TEMPORARY, "ESME_RSUBMITFAIL", id="temporary"),
        pytest.param(0x412, {"0x400-0x4FF": "throttled"}, Verdict.THROTTLED, "0x00000412", id="vendor codes"),
        pytest.param(0x14, {"RMSGQFUL": "temporary"}, Verdict.TEMPORARY, "ESME_RMSGQFUL", id="not throttling"),
        pytest.param(0x0D, {"RBINDFAIL": "permanent"}, Verdict.PERMANENT, "ESME_RBINDFAIL", id="no session's fault"),
    ],
)
def test_status_classes_of_the_account(status: int, more: dict[str, str], verdict: Verdict, reason: str) -> None:
    line = bound(status_classes=more)
    answer = line.smsc.respond(line.submit().sequence, SubmitSmResp(None), status)
    assert line.take(answer) == [Rejected("one", verdict, reason, f"0x{status:08X}", 0.0)]
    assert line.talk.ready


TELLING = [
    pytest.param("no credit", ": no credit", id="words"),
    pytest.param("Submit fail.", "", id="the name again"),
    pytest.param("no route to 256 772-123456 from 8080", ": no route to *** from 8080", id="a number"),
    pytest.param("of 250.788.123.456, (250) 788/123_456", ": of ***, (***", id="numbers in any form"),
    pytest.param("not from 10.64.10.20", ": not from 10.64.10.20", id="our own address"),
    pytest.param("tell hunter2 nobody", ": tell *** nobody", id="a password"),
    pytest.param("a\nb \x1b[31m", ": a b [31m", id="control characters"),
    pytest.param("no" + 394 * " " + "hunter2", ": no ***", id="a password at the cut"),
    pytest.param("x" * 255, f": {'x' * 100}", id="long"),
    pytest.param(" ", "", id="nothing"),
]


@pytest.mark.parametrize(("text", "told"), TELLING)
def test_what_an_smsc_says_about_a_refusal(text: str, told: str) -> None:
    line = bound(password="hunter2")
    told_by = ((int(Tag.ADDITIONAL_STATUS_INFO_TEXT), text.encode("latin-1") + b"\0"),)
    answer = line.smsc.respond(line.submit().sequence, SubmitSmResp(None, told_by), constants.Status.ESME_RSUBMITFAIL)
    reason = f"ESME_RSUBMITFAIL{told}"
    assert line.take(answer) == [Rejected("one", Verdict.PERMANENT, reason, "0x00000045", 0.0)]


def test_generic_nack() -> None:
    line = bound()
    answer = line.smsc.respond(line.submit().sequence, pdus.GenericNack(), constants.Status.ESME_RINVCMDID)
    assert only(line.take(answer)) == Rejected("one", Verdict.PERMANENT, "ESME_RINVCMDID", "0x00000003", 0.0)


def test_a_session_that_the_smsc_thinks_is_none_is_left() -> None:
    line = bound()
    answer = line.smsc.respond(line.submit().sequence, SubmitSmResp(None), constants.Status.ESME_RINVBNDSTS)
    assert only(line.take(answer)).verdict is Verdict.TEMPORARY
    assert not line.talk.ready
    line.give()
    assert line.take() == [Ended("unbound")]


def test_unanswered_and_late() -> None:
    line = bound(response_timeout=20)
    first, second = line.submit("one"), line.submit("two")
    line.now += 20
    assert line.talk.tick(line.now) == [Unanswered("one", 20.0), Unanswered("two", 20.0)]
    line.now += 5
    answers = line.smsc.respond(first.sequence, SubmitSmResp("77"))
    answers += line.smsc.respond(second.sequence, SubmitSmResp(None), constants.Status.ESME_RINVDSTADR)
    assert line.take(answers) == [
        Accepted("one", "77", 25.0, late=True),
        Rejected("two", Verdict.PERMANENT, "ESME_RINVDSTADR", "0x0000000B", 25.0, late=True),
    ]


@pytest.mark.parametrize(
    ("level", "told"), [(0, [Congested(0)]), (90, [Congested(90)]), (100, [Congested(100)]), (255, [])]
)
def test_congestion(level: int, told: list[Happening]) -> None:
    line = bound()
    answer = SubmitSmResp("1", tlvs=(int_tlv(Tag.CONGESTION_STATE, level),))
    assert line.take(line.smsc.respond(line.submit().sequence, answer)) == [Accepted("one", "1", 0.0), *told]


def test_congestion_told_with_the_bind() -> None:
    line = Line()
    line.talk.start(line.now)
    line.give()
    answer = line.smsc.accept_bind(line.now, "SMSC", (int_tlv(Tag.CONGESTION_STATE, 90),))
    assert line.take(answer) == [Ready("SMSC", "3.4"), Congested(90)]


def test_congestion_told_with_the_answer_to_enquire_link() -> None:
    line = bound(keepalive=30)
    for level, told in ((90, [Congested(90)]), (255, [])):
        line.now += 30
        line.talk.tick(line.now)
        (asked,) = line.sent()
        answer = EnquireLinkResp(tlvs=(int_tlv(Tag.CONGESTION_STATE, level),))
        assert line.take(encode(answer, asked.sequence)) == told
    assert line.talk.ready


def test_congestion_told_with_the_answer_to_an_inquiry() -> None:
    line = bound(response_timeout=5)
    assert isinstance(line.talk, Prober)
    line.talk.probe("alive", line.now)
    line.talk.probe("later", line.now)
    soon, late = (
        encode(EnquireLinkResp(tlvs=(int_tlv(Tag.CONGESTION_STATE, level),)), asked.sequence)
        for level, asked in zip((95, 10), line.sent(), strict=True)
    )
    assert line.take(soon) == [Answered("alive"), Congested(95)]
    line.now += 5
    assert line.talk.tick(line.now) == [Answered("later", problem="no answer for 5 s")]
    assert line.take(late) == [Congested(10)]


@pytest.mark.parametrize(
    ("form", "written"), [("relative", "000000010000000R"), ("absolute", "260131103105000+")]
)  # fmt: skip
def test_validity(form: str, written: str) -> None:
    request = bound(validity=3_600, validity_form=form).submit()
    assert isinstance(request.pdu, SubmitSm)
    assert request.pdu.validity_period == written
    assert request.pdu.schedule_delivery_time == ""


@pytest.mark.parametrize(
    ("form", "written"), [("relative", "000000003000000R"), ("absolute", "260131100105000+")]
)  # fmt: skip
@pytest.mark.parametrize("validity", [None, 7_200], ids=["alone", "with validity"])
def test_schedule(form: str, written: str, validity: int | None) -> None:
    request = bound(schedule=1_800, validity_form=form, validity=validity).submit()
    assert isinstance(request.pdu, SubmitSm)
    assert request.pdu.schedule_delivery_time == written
    assert bool(request.pdu.validity_period) == bool(validity)


def test_the_schedule_of_a_channel_is_written_as_its_account_wants() -> None:
    line = bound(validity_form="absolute")
    line.talk.submit(segment(line.config.model_copy(update={"schedule": 1_800})), "one", line.now)
    (request,) = line.give()
    assert isinstance(request, events.RequestReceived)
    assert isinstance(request.pdu, SubmitSm)
    assert request.pdu.schedule_delivery_time == "260131100105000+"


def test_a_receiver_does_not_submit() -> None:
    line = bound(Role.RECEIVER)
    with pytest.raises(RuntimeError, match="not bound for submitting"):
        line.talk.submit(segment(line.config), "one", line.now)


def test_nothing_is_submitted_before_the_bind_or_after_leaving() -> None:
    line = Line()
    with pytest.raises(RuntimeError):
        line.talk.submit(segment(line.config), "one", line.now)
    line.bind()
    line.talk.leave(line.now)
    with pytest.raises(RuntimeError):
        line.talk.submit(segment(line.config), "one", line.now)


def test_a_segment_that_does_not_fit_is_rejected_not_raised() -> None:
    line = bound()
    line.talk.submit(Segment(0, 1, SubmitSm(short_message=b"x" * 255)), "one", line.now)
    assert line.talk.next_deadline() == line.now
    found = only(line.talk.tick(line.now))
    assert (found.context, found.verdict) == ("one", Verdict.PERMANENT)
    assert "short_message" in found.reason
    assert line.talk.tick(line.now) == []
    assert line.talk.next_deadline() is None


# --- MOs ------------------------------------------------------------------------------------------------------------

MO = DeliverSm(source_addr_ton=1, source_addr_npi=1, source_addr="250788123123", destination_addr="8080",
               short_message=b"STOP \x1be")  # fmt: skip


def incoming(arrived: Happening) -> MoEvent:
    assert isinstance(arrived, Arrived)
    (event,) = arrived.events
    assert isinstance(event, MoEvent)
    return event


def test_mo() -> None:
    line = bound()
    line.wall += 5_000
    assert incoming(only(line.deliver(MO))) == MoEvent(
        event_id="id-1",
        message=Incoming(channel="", sender="+250788123123", text="STOP €"),
        aggregator="mtn-ug",
        to="8080",
        session="id-0",
        session_since=WALL,
        at=WALL + 5_000,
    )


@pytest.mark.parametrize(
    ("pdu", "text", "piece", "octets"),
    [
        pytest.param(
            DeliverSm(esm_class=0x40, short_message=bytes.fromhex("0500032A0201") + b"Love "),
            "Love ", Piece(reference=0x2A, total=2, sequence=1), b"Love ", id="concatenation header",
        ),
        pytest.param(
            DeliverSm(short_message=b"is", tlvs=(int_tlv(Tag.SAR_MSG_REF_NUM, 300), int_tlv(Tag.SAR_TOTAL_SEGMENTS, 3),
                                                 int_tlv(Tag.SAR_SEGMENT_SEQNUM, 2))),
            "is", Piece(reference=300, total=3, sequence=2, wide=True), b"is", id="sar",
        ),
        pytest.param(
            DeliverSm(data_coding=8, tlvs=(octets_tlv(Tag.MESSAGE_PAYLOAD, "بريد".encode("utf-16-be")),)),
            "بريد", None, b"", id="message_payload",
        ),
        pytest.param(
            DataSm(data_coding=3, tlvs=(octets_tlv(Tag.MESSAGE_PAYLOAD, b"caf\xe9"),)), "café", None, b"", id="data_sm"
        ),
        pytest.param(DeliverSm(data_coding=4, short_message=b"A\xff"), "A\ufffd", None, b"A\xff", id="binary"),
        pytest.param(DeliverSm(), "", None, b"", id="nothing"),
    ],
)  # fmt: skip
def test_mo_texts(pdu: Pdu, text: str, piece: Piece | None, octets: bytes) -> None:
    event = incoming(only(bound().deliver(pdu)))
    assert (event.message.text, event.piece, base64.b64decode(event.octets)) == (text, piece, octets)


@pytest.mark.parametrize("ended", [False, True])
def test_what_the_smsc_delivers_is_told_when_there_is_time_and_before_the_end(ended: bool) -> None:
    line = bound()
    request = line.submit()
    mo = line.smsc.send(DeliverSm(source_addr="256772123456", short_message=b"Hi"), line.now)[1]
    answer = line.smsc.respond(request.sequence, SubmitSmResp("1"))
    assert isinstance(only(line.talk.receive_data(mo + answer, line.now)), Accepted)
    told = list(line.talk.connection_lost(line.now) if ended else line.talk.catch_up(line.now))
    assert incoming(told.pop(0)).message.text == "Hi"
    assert told == ([Ended("connection lost")] if ended else [])
    assert not line.talk.catch_up(line.now)


def test_a_broken_header_is_told_and_its_message_kept() -> None:
    fault, arrived = bound().deliver(DeliverSm(esm_class=0x40, short_message=b"\x09Hello"))
    assert fault == Fault("a user data header that runs past its message")
    assert base64.b64decode(incoming(arrived).octets) == b"\x09Hello"


@pytest.mark.parametrize(
    ("ton", "addr", "more", "to"),
    [
        pytest.param(0, "8080", {}, "8080", id="short code"),
        pytest.param(1, "256700000001", {}, "+256700000001", id="number"),
        pytest.param(5, "S\xe3o", {}, "São", id="name"),
        pytest.param(0, "99999", {"mo_address": "8080"}, "8080", id="the account's own"),
    ],
)
def test_where_an_mo_goes_to(ton: int, addr: str, more: dict[str, Any], to: str) -> None:
    assert incoming(only(bound(**more).deliver(DeliverSm(dest_addr_ton=ton, destination_addr=addr)))).to == to


@pytest.mark.parametrize("pdu", [MO, DataSm()], ids=["deliver_sm", "data_sm"])
@pytest.mark.parametrize(
    ("answer", "status"), [("acknowledge", "ESME_ROK"), ("decline", "ESME_RX_T_APPN")], ids=["ack", "decline"]
)
def test_answers(pdu: Pdu, answer: str, status: str) -> None:
    line = bound()
    arrived = only(line.deliver(pdu))
    assert line.talk.data_to_send() == b""
    getattr(line.talk, answer)(arrived.token, line.now)
    found = only(line.give())  # type: ignore[arg-type]
    assert isinstance(found, events.Response)
    assert (found.status, type(found.pdu)) == (constants.Status[status], pdu.response)


@pytest.mark.parametrize(
    ("tlvs", "told"),
    [
        pytest.param([(0x1400, b"12"), (0x1403, b"")], "1400=3132 1403=", id="the SMSC's own"),
        pytest.param([(int(Tag.USER_MESSAGE_REFERENCE), b"\0\1"), (0x3FFF, b"\0")], "3FFF=00", id="among others"),
        pytest.param([(0x1400, bytes(600)), (0x1401, b"\1")], "1401=01", id="too long"),
        pytest.param([(int(Tag.LANGUAGE_INDICATOR), b"\0")], "", id="none"),
    ],
)
def test_tlvs_that_no_specification_has_are_kept(tlvs: list[tuple[int, bytes]], told: str) -> None:
    line = bound()
    for pdu in (MO, receipt(b"id:a1 stat:DELIVRD")):
        (event,) = only(line.deliver(replace(pdu, tlvs=tuple(tlvs)))).events
        assert event.tlvs == told


def test_answers_after_the_end_have_no_effect() -> None:
    line = bound()
    arrived = only(line.deliver(MO))
    line.talk.connection_lost(line.now)
    line.talk.acknowledge(arrived.token, line.now)
    line.talk.decline(arrived.token, line.now)
    assert line.talk.data_to_send() == b""


@pytest.mark.parametrize(
    ("said", "availability"),
    [([], ""), ([b"\0"], "available"), ([b"\1"], "denied"), ([b"\2"], "unavailable"), ([b"\7"], "7"), ([b""], "")],
)
def test_alert_notification_has_no_answer(said: list[bytes], availability: str) -> None:
    line = bound()
    tlvs = tuple((int(Tag.MS_AVAILABILITY_STATUS), value) for value in said)
    told = pdus.AlertNotification(source_addr_ton=1, source_addr="250788123123", esme_addr="8080", tlvs=tlvs)
    assert line.deliver(told) == [Alert("+250788123123", availability)]
    assert line.talk.data_to_send() == b""


# --- receipts -------------------------------------------------------------------------------------------------------


def receipt(text: bytes = b"id:00A1 stat:DELIVRD err:000 done date:2601310931", **fields: Any) -> DeliverSm:
    values = {"source_addr_ton": 1, "source_addr": "250788123123", "destination_addr": "8080", "esm_class": 4}
    return DeliverSm(**{**values, "short_message": text, **fields})


def test_receipt() -> None:
    arrived = only(bound().deliver(receipt()))
    assert arrived.events == (
        ReceiptEvent(
            event_id="id-1",
            update=StatusUpdate(
                channel="",
                status=Status.DELIVERED,
                external_id="a1",
                at=1_769_851_860_000,
                code="000",
                reason="DELIVRD",
                destination="+250788123123",
            ),
            aggregator="mtn-ug",
            at=WALL,
        ),
    )


def test_a_receipt_meets_its_submit() -> None:
    line = bound(id_in_response="hex", id_in_receipt="decimal")
    accepted = only(line.take(line.smsc.respond(line.submit().sequence, SubmitSmResp("0A1B"))))
    (event,) = only(line.deliver(receipt(b"id:0000002587 stat:DELIVRD"))).events
    assert event.update.external_id == accepted.external_id


@pytest.mark.parametrize(
    ("fields", "destination"),
    [
        pytest.param({}, "+250788123123", id="as specified"),
        pytest.param({"source_addr_ton": 0}, "250788123123", id="unknown TON"),
        pytest.param(
            {"source_addr_ton": 0, "source_addr": "8080", "dest_addr_ton": 1, "destination_addr": "250788123123"},
            "+250788123123", id="addresses not turned round",
        ),
        pytest.param({"source_addr": "ACME", "destination_addr": ""}, "", id="no phone"),
    ],
)  # fmt: skip
def test_the_phone_of_a_receipt(fields: dict[str, Any], destination: str) -> None:
    (event,) = only(bound().deliver(receipt(**fields))).events
    assert event.update.destination == destination


LINE = {
    "dest_rules": [{"match": r"\+250(7[0-9]{8})", "replace": r"9\1", "ton": 2}],  # digits_match alone fails on a 9
    "mo_source_rules": [{"match": "9(7[0-9]{8})", "replace": r"+250\1"}],
}


@pytest.mark.parametrize("turned", [True, False], ids=["as specified", "addresses not turned round"])
def test_the_receipt_of_a_rewritten_number_finds_its_message(turned: bool) -> None:
    message = Outgoing.model_validate(
        {"id": 1, "text": "Hi", "to": "+250788123123", "from": "8080", "channel": CHANNEL}
    )  # fmt: skip
    line = bound(**LINE)
    line.talk.submit(DIALECT.plan(message, line.config, 7).segments[0], "one", line.now)
    (request,) = line.give()
    assert isinstance(request, events.RequestReceived)
    sent = request.pdu
    assert isinstance(sent, SubmitSm)
    assert (sent.dest_addr_ton, sent.destination_addr) == (2, "9788123123")
    assert not digits_match(sent.destination_addr, message.to)
    phone, own = (sent.dest_addr_ton, sent.destination_addr), (sent.source_addr_ton, sent.source_addr)
    (ton, source), (dest_ton, destination) = (phone, own) if turned else (own, phone)
    (event,) = only(line.deliver(receipt(
        source_addr_ton=ton, source_addr=source, dest_addr_ton=dest_ton, destination_addr=destination
    ))).events  # fmt: skip
    assert event.update.destination == message.to


def test_a_number_of_the_networks_own_form_is_brought_back_in_an_mo() -> None:
    line = bound(**LINE, mo_dest_rules=[{"match": "99(8[0-9]{3})", "replace": r"\1"}])
    pdu = DeliverSm(source_addr_ton=2, source_addr="9788123123", destination_addr="998080", short_message=b"Hi")
    (event,) = only(line.deliver(pdu)).events
    assert (event.message.sender, event.to) == ("+250788123123", "8080")


@pytest.mark.parametrize(
    "pdu",
    [
        pytest.param(DataSm(esm_class=4, tlvs=(text_tlv(Tag.RECEIPTED_MESSAGE_ID, "00A1"),
                                               int_tlv(Tag.MESSAGE_STATE, 2))), id="data_sm with TLVs"),
        pytest.param(receipt(esm_class=0), id="not marked"),
        pytest.param(receipt(b"", tlvs=(octets_tlv(Tag.MESSAGE_PAYLOAD, b"id:a1 stat:DELIVRD"),)), id="payload"),
    ],
)  # fmt: skip
def test_receipts_of_other_kinds(pdu: Pdu) -> None:
    (event,) = only(bound().deliver(pdu)).events
    assert (event.update.external_id, event.update.status) == ("a1", Status.DELIVERED)


@pytest.mark.parametrize(
    ("text", "fault", "external_id", "status", "stat", "code"),
    [
        pytest.param(b"stat:UNDELIV err:021", "a receipt without an id", "(no id) id-1", Status.FAILED, "UNDELIV",
                     "021", id="no id"),
        pytest.param(b"id:1 err:021", "a receipt without a state", "1", Status.WIRED, "", "021", id="no state"),
        pytest.param(b"", "a receipt without a state", "(no id) id-1", Status.WIRED, "", "", id="nothing"),
        pytest.param(b"id:1 stat:HAPPY", "a receipt with the unknown state HAPPY", "1", Status.WIRED, "HAPPY", "",
                     id="a state that nobody knows"),
    ],
)  # fmt: skip
def test_a_receipt_that_lacks_something_is_told_and_kept(
    text: bytes, fault: str, external_id: str, status: Status, stat: str, code: str
) -> None:
    line = bound()
    told, arrived = line.deliver(receipt(text))
    assert isinstance(told, Fault)
    assert (told.reason, bool(told.form)) == (fault, bool(text))
    assert isinstance(arrived, Arrived)
    (event,) = arrived.events
    assert isinstance(event, ReceiptEvent)
    update = event.update
    assert (update.external_id, update.status, update.reason, update.code) == (external_id, status, stat, code)
    assert update.destination == "+250788123123"
    line.talk.acknowledge(arrived.token, line.now)
    assert isinstance(only(line.give()), events.Response)  # type: ignore[arg-type]


def test_a_receipt_that_changes_nothing_has_no_event() -> None:
    assert only(bound().deliver(receipt(b"id:1 stat:SCHEDULED"))).events == ()


FIRST = receipt(b"\x05\x00\x03\x01\x02\x01id:a1 sub:001 st", esm_class=0x44)
SECOND = receipt(b"\x05\x00\x03\x01\x02\x02at:UNDELIV err:5", esm_class=0x44)


@pytest.mark.parametrize(
    ("answer", "status"), [("acknowledge", "ESME_ROK"), ("decline", "ESME_RX_T_APPN")], ids=["ack", "decline"]
)
def test_halves_of_a_receipt_are_answered_together(answer: str, status: str) -> None:
    line = bound()
    assert line.deliver(FIRST) == []
    assert line.talk.data_to_send() == b""
    arrived = only(line.deliver(SECOND))
    (event,) = arrived.events
    assert (event.update.external_id, event.update.status, event.update.code) == ("a1", Status.FAILED, "5")
    getattr(line.talk, answer)(arrived.token, line.now)
    answers = [one for one in line.give() if isinstance(one, events.Response)]
    assert [one.status for one in answers] == [constants.Status[status]] * 2
    assert line.talk.next_deadline() is None


def test_a_half_without_the_other_is_told_by_itself_before_it_is_answered() -> None:
    line = bound()
    assert line.deliver(SECOND) == []
    due = line.talk.next_deadline()
    assert due == line.now + HOLD
    assert line.talk.tick(due - 0.1) == []
    line.now = due
    fault, arrived = line.talk.tick(due)
    assert isinstance(fault, Fault)
    assert fault.reason == "a receipt without a state"
    assert isinstance(arrived, Arrived)
    (event,) = arrived.events
    assert isinstance(event, ReceiptEvent)
    assert (event.update.external_id, event.update.code) == ("(no id) id-1", "5")
    line.talk.acknowledge(arrived.token, line.now)
    assert isinstance(only(line.give()), events.Response)  # type: ignore[arg-type]
    (event,) = only(line.deliver(FIRST)).events
    assert (event.update.external_id, event.update.status) == ("a1", Status.FAILED)


def test_a_half_that_has_come_and_is_not_read_yet_is_no_longer_waited_for() -> None:
    line = bound()
    line.deliver(SECOND)
    line.now += HOLD
    assert not line.talk.receive_data(line.smsc.send(FIRST, line.now)[1], line.now)
    assert line.talk.tick(line.now) == []
    (event,) = only(line.talk.catch_up(line.now)).events
    assert (event.update.external_id, event.update.status) == ("a1", Status.FAILED)


def test_halves_of_a_receipt_meet_over_two_binds_and_each_bind_answers_its_own() -> None:
    common: dict[str, Any] = {}
    one, other = bound(common=common), bound(common=common)
    assert one.deliver(FIRST) == []
    arrived = only(other.deliver(SECOND))
    assert (arrived.events[0].update.external_id, arrived.events[0].update.status) == ("a1", Status.FAILED)
    other.talk.acknowledge(arrived.token, other.now)
    assert isinstance(only(other.give()), events.Response)  # type: ignore[arg-type]
    again = only(one.talk.tick(one.now + HOLD))
    assert again.events[0].update.external_id == "a1"
    one.talk.acknowledge(again.token, one.now)
    assert isinstance(only(one.give()), events.Response)  # type: ignore[arg-type]


def test_a_half_has_no_answer_when_the_connection_is_lost() -> None:
    line = bound()
    line.deliver(FIRST)
    line.talk.connection_lost(line.now)
    assert line.talk.next_deadline() is None
    assert line.talk.tick(line.now + HOLD) == []
    assert line.talk.data_to_send() == b""


# --- the end --------------------------------------------------------------------------------------------------------


def test_leave() -> None:
    line = bound(logout_timeout=4)
    line.submit("one")
    line.talk.leave(line.now)
    assert not line.talk.ready
    assert line.talk.next_deadline() == line.now + 4
    line.talk.leave(line.now)  # once is enough
    line.give()
    assert line.take() == [Ended("unbound", ("one",))]
    assert line.talk.connection_lost(line.now) == []


def test_leave_without_an_answer() -> None:
    line = bound(logout_timeout=4)
    line.talk.leave(line.now)
    assert line.talk.tick(line.now + 4) == [Ended("no answer to unbind")]


def test_leave_before_the_bind_is_answered() -> None:
    line = Line()
    line.talk.start(line.now)
    line.talk.leave(line.now)
    assert line.talk.next_deadline() == line.now
    assert line.talk.tick(line.now) == [Ended("aborted")]
    assert line.talk.next_deadline() is None


def test_the_connection_is_lost() -> None:
    line = bound()
    line.submit("one")
    line.submit("two")
    assert line.talk.connection_lost(line.now) == [Ended("connection lost", ("one", "two"))]
    assert line.talk.connection_lost(line.now) == []
    assert line.talk.tick(line.now + 100) == []
    assert not line.talk.ready


def test_the_smsc_unbinds() -> None:
    line = bound()
    assert line.deliver(pdus.Unbind()) == [Ended("peer unbound")]
    assert isinstance(line.sent()[0].pdu, pdus.UnbindResp)


def test_the_smsc_unbinds_and_answers_what_it_has() -> None:
    line = bound()
    one, _ = line.submit("one"), line.submit("two")
    assert line.deliver(pdus.Unbind()) == []
    assert (line.talk.ready, line.talk.in_flight, line.sent()) == (False, 2, [])
    answer = line.smsc.respond(one.sequence, SubmitSmResp("1"))
    assert line.take(answer) == [Accepted("one", "1", 0.0)]
    line.talk.leave(line.now)  # a stop meanwhile: the session ends as it is about to
    line.now += 5
    assert line.talk.tick(line.now) == [Ended("peer unbound", ("two",))]
    assert isinstance(line.sent()[0].pdu, pdus.UnbindResp)


def test_a_receipt_ahead_of_the_answer_to_the_bind_is_heard() -> None:
    line = Line()
    line.talk.start(line.now)
    (asked,) = line.give()
    early = encode(DeliverSm(source_addr="256772123456", short_message=b"Hi"), 1)
    ready, arrived = line.take(early + line.smsc.accept_bind(line.now, "smsc"))
    assert isinstance(ready, Ready)
    assert incoming(arrived).message.text == "Hi"
    assert isinstance(asked, events.BindRequested)


def test_who_calls_and_says_nothing_keeps_the_smscs_own_call_waiting_for_a_moment_only() -> None:
    line = Line(outbind_port=2776, outbind_networks=["10.64.10.0/24"])
    line.talk.start(line.now)
    assert line.talk.next_deadline() == line.now + 5
    assert line.talk.tick(line.now + 4) == []
    fault, ended = line.talk.tick(line.now + 5)
    assert fault == Fault("no outbind: nothing was said for 5 s after the call")
    assert ended == Ended("aborted")


def test_a_question_takes_no_place_in_the_window() -> None:
    line = bound()
    line.talk.probe("alive", line.now)
    assert line.talk.in_flight == 0
    line.submit()
    assert line.talk.in_flight == 1


def test_keepalive() -> None:
    line = bound(keepalive=30, response_timeout=10)
    line.now += 30
    assert line.talk.tick(line.now) == []
    assert isinstance(line.sent()[0].pdu, pdus.EnquireLink)
    line.now += 10
    assert line.talk.tick(line.now) == [Ended("no answer to enquire_link")]


def test_rubbish_ends_it() -> None:
    line = bound()
    fault, ended = line.talk.receive_data(b"HTTP/1.1 400 Bad Request\r\n\r\n", line.now)
    assert isinstance(fault, Fault)
    assert ended.reason.startswith("framing error: command_length 1213486160 is outside 16..")  # type: ignore[union-attr]
    assert ended.reason.endswith(", the letters HTTP: is this an SMPP port?")  # type: ignore[union-attr]
    assert len(line.talk.data_to_send()) == 16  # generic_nack


def test_an_answer_to_nothing_is_a_fault() -> None:
    line = bound()
    request = line.submit()
    answer = line.smsc.respond(request.sequence, SubmitSmResp("1"))
    line.take(answer)
    assert line.take(answer) == [Fault("SubmitSmResp to nothing that we have asked")]
    assert line.talk.ready
