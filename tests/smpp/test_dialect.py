"""Messages as submit_sm: senders, recipients, segments octet by octet, and the account's settings."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib import gsm7
from chalicelib.messages import Outgoing
from smsc_relay import dialects
from smsc_relay.protocol import CannotEncode, Plan, Role
from smsc_relay.smpp import address, times
from smsc_relay.smpp.codec import decode, encode
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import Tag
from smsc_relay.smpp.dialect import DIALECT
from smsc_relay.smpp.pdus import DataSm, SubmitSm
from tests.smpp.frames import FRAMES

REFERENCE = 0x012A
GSM_LONG = "".join(chr(ord("a") + n % 26) for n in range(200))
UCS_LONG = "".join(chr(0x0627 + n % 20) for n in range(100))
CHANNEL = "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"


def config(**more: Any) -> SmppConfig:
    return SmppConfig.read({"host": "smsc", "system_id": "ilha", **more})


def message(text: str = "Hi", to: str = "+447700900123", sender: str = "8080", **more: Any) -> Outgoing:
    return Outgoing.model_validate({"id": 1, "text": text, "to": to, "from": sender, "channel": CHANNEL, **more})


def plan(text: str = "Hi", to: str = "+447700900123", sender: str = "8080", **more: Any) -> Plan:
    return DIALECT.plan(message(text, to, sender), config(**more), REFERENCE)


def only(found: Plan) -> SubmitSm:
    (segment,) = found.segments
    assert isinstance(segment.body, SubmitSm)
    return segment.body


# --- the wire -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "sequence", "text", "sender"),
    [
        pytest.param("submit-sm-gsm7-default-alphanumeric-sender-acme-te", 2, "Hi {€}", "ACME", id="GSM 7-bit"),
        pytest.param(
            "submit-sm-ucs-2-surrogate-text-u1f600-data-coding", 4, "é € \U0001f600".replace(" ", ""), "+447700900001",
            id="UCS-2",
        ),
    ],
)  # fmt: skip
def test_frames(frame: str, sequence: int, text: str, sender: str) -> None:
    assert encode(only(plan(text, sender=sender)), sequence) == bytes.fromhex(FRAMES[frame])


@pytest.mark.parametrize(
    ("text", "more", "messages"),
    [
        pytest.param(
            GSM_LONG, {},
            ["0500032A0201" + GSM_LONG[:153].encode().hex(), "0500032A0202" + GSM_LONG[153:].encode().hex()],
            id="GSM 7-bit, 8-bit reference",
        ),
        pytest.param(
            GSM_LONG, {"long_messages": "udh16"},
            ["060804012A0201" + GSM_LONG[:152].encode().hex(), "060804012A0202" + GSM_LONG[152:].encode().hex()],
            id="GSM 7-bit, 16-bit reference",
        ),
        pytest.param(
            UCS_LONG, {},
            ["0500032A0201" + UCS_LONG[:67].encode("utf-16-be").hex(),
             "0500032A0202" + UCS_LONG[67:].encode("utf-16-be").hex()],
            id="UCS-2, 8-bit reference",
        ),
        pytest.param(
            UCS_LONG, {"long_messages": "udh16"},
            ["060804012A0201" + UCS_LONG[:66].encode("utf-16-be").hex(),
             "060804012A0202" + UCS_LONG[66:].encode("utf-16-be").hex()],
            id="UCS-2, 16-bit reference",
        ),
    ],
)  # fmt: skip
def test_segments(text: str, more: dict[str, Any], messages: list[str]) -> None:
    found = plan(text, **more)
    assert [(one.index, one.total) for one in found.segments] == [(0, 2), (1, 2)]
    assert [one.body.short_message.hex() for one in found.segments] == [one.lower() for one in messages]
    assert [one.body.esm_class for one in found.segments] == [0x40, 0x40]
    for one in found.segments:
        assert decode(encode(one.body, 1)).pdu == one.body


def test_a_packed_segment_begins_after_its_fill_bits() -> None:
    first, second = plan("Part one" + "-" * 145 + "Part two", alphabet="gsm7_packed").segments
    assert first.body.short_message[:13].hex() == "0500032a0201" + "a061391df47697"
    text = second.body.short_message[6:]
    # Nine septets have room: a CR fills what would be read as an @.
    assert gsm7.decode(gsm7.unpack(text, 9, fill_bits=1)) == "Part two\r"


TURKISH: dict[str, Any] = {"national_languages": ["turkish"]}


def test_national_languages() -> None:
    alone = only(plan("Ş" + "a" * 100, **TURKISH))
    assert (alone.esm_class, alone.data_coding) == (0x40, 0)
    assert alone.short_message == bytes.fromhex("03240101" + "1B53") + b"a" * 100
    first, second = (one.body for one in plan("Ş" + "a" * 160, **TURKISH).segments)
    assert first.short_message == bytes.fromhex("0800032A0201240101" + "1B53") + b"a" * 147
    assert second.short_message == bytes.fromhex("0800032A0202240101") + b"a" * 13
    wide, _ = (one.body for one in plan("Ş" + "a" * 160, long_messages="udh16", **TURKISH).segments)
    assert wide.short_message == bytes.fromhex("090804012A0201240101" + "1B53") + b"a" * 146


def test_sar() -> None:
    first, second = (one.body for one in plan(GSM_LONG, long_messages="sar").segments)
    assert (first.short_message, second.short_message) == (GSM_LONG[:153].encode(), GSM_LONG[153:].encode())
    assert first.tlvs == (
        (Tag.SAR_MSG_REF_NUM, b"\x01\x2a"),
        (Tag.SAR_TOTAL_SEGMENTS, b"\x02"),
        (Tag.SAR_SEGMENT_SEQNUM, b"\x01"),
    )
    assert second.tlvs[-1] == (Tag.SAR_SEGMENT_SEQNUM, b"\x02")
    assert (first.esm_class, plan(long_messages="sar").segments[0].body.tlvs) == (0, ())


def test_message_payload() -> None:
    found = only(plan(UCS_LONG, long_messages="payload"))
    assert (found.short_message, found.tlv(Tag.MESSAGE_PAYLOAD)) == (b"", UCS_LONG.encode("utf-16-be"))
    assert decode(encode(found, 1)).pdu == found
    short = only(plan("Hi", long_messages="payload"))
    assert (short.short_message, short.tlvs) == (b"Hi", ())
    full = only(plan("a" * 160, long_messages="payload"))
    assert (full.short_message, full.tlvs) == (b"a" * 160, ())


@pytest.mark.parametrize(
    ("text", "more", "counts"),
    [
        pytest.param("Hi", {}, [1], id="one"),
        pytest.param(GSM_LONG, {}, [1, 1], id="parts of ours"),
        pytest.param(GSM_LONG, {"long_messages": "sar"}, [1, 1], id="sar"),
        pytest.param("Hi", {"long_messages": "payload"}, [1], id="short, payload"),
        pytest.param(GSM_LONG, {"long_messages": "payload"}, [2], id="payload"),
        pytest.param(UCS_LONG * 3, {"long_messages": "payload"}, [5], id="UCS-2 payload"),
        pytest.param("ş" * 300, {"long_messages": "payload", "alphabet": "iso8859-9"}, [3], id="Latin-5 payload"),
        pytest.param("Δ" * 160, {"long_messages": "payload", "alphabet": "utf-8"}, [1], id="UTF-8 payload"),
        pytest.param("Δ" * 161, {"long_messages": "payload", "alphabet": "utf-8"}, [2], id="UTF-8, two of GSM 7-bit"),
    ],
)
def test_what_the_smsc_makes_of_a_submit(text: str, more: dict[str, Any], counts: list[int]) -> None:
    """It bills and limits the segments that it makes."""
    assert [one.count for one in plan(text, **more).segments] == counts


def test_utf8_of_one_segment_may_need_message_payload() -> None:
    found = only(plan("Δ" * 160, alphabet="utf-8", long_messages="payload"))
    assert (found.short_message, found.tlv(Tag.MESSAGE_PAYLOAD)) == (b"", ("Δ" * 160).encode())


VERSION_33: dict[str, Any] = {"interface_version": 33, "bind": "pair"}


@pytest.mark.parametrize(
    ("text", "more", "lengths"),
    [
        pytest.param("a" * 160, {}, [160], id="GSM 7-bit"),
        pytest.param("a" * 161, {"long_messages": "udh16"}, [159, 16], id="GSM 7-bit, parts"),
        pytest.param("ж" * 70, {}, [140], id="UCS-2"),
        pytest.param("ж" * 71, {}, [140, 14], id="UCS-2, parts"),
        pytest.param("Δ" * 100, {"alphabet": "utf-8"}, [160, 52], id="UTF-8"),
        pytest.param("ж" * 141, {"alphabet": "iso8859-5"}, [140, 13], id="Cyrillic"),
        pytest.param("Ş" + "a" * 160, {"national_languages": ["turkish"]}, [158, 22], id="Turkish tables"),
    ],
)
def test_smpp_33_holds_160_octets(text: str, more: dict[str, Any], lengths: list[int]) -> None:
    settings = config(**VERSION_33, **more)
    found = [one.body for one in DIALECT.plan(message(text), settings, REFERENCE).segments]
    assert [len(one.short_message) for one in found] == lengths
    for one in found:
        assert decode(encode(one, 1, limits=settings.limits)).pdu == one


def test_a_plan_is_pure() -> None:
    for text in ("Hi", GSM_LONG, UCS_LONG):
        assert plan(text) == plan(text)


@pytest.mark.parametrize(
    ("text", "more", "encoding", "shape"),
    [
        pytest.param("Hi", {}, "gsm7", "gsm7/udh8/1", id="one"),
        pytest.param(UCS_LONG, {"long_messages": "sar"}, "ucs2", "ucs2/sar/2", id="two"),
    ],
)
def test_shapes(text: str, more: dict[str, Any], encoding: str, shape: str) -> None:
    found = plan(text, **more)
    assert (found.encoding, found.shape) == (encoding, shape)


def test_attachments_are_lines_of_the_text() -> None:
    sent = DIALECT.plan(
        message("Look", attachments=["image/jpeg:https://example.com/cat.jpg"]), config(), REFERENCE
    )  # fmt: skip
    assert only(sent).short_message == b"Look\nhttps://example.com/cat.jpg"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param({"text": "a" * 200, "max_parts": 1}, "takes 2 segments; max_parts is 1", id="max_parts"),
        pytest.param({"text": "a" * (255 * 153 + 1)}, "takes 256 segments; max_parts is 255", id="256 segments"),
        pytest.param(
            {"text": "á" * 32_768, "long_messages": "payload"}, "takes 490 segments; max_parts is 255", id="payload"
        ),
        pytest.param(
            {"text": "a" * 161, "long_messages": "payload", "max_parts": 1},
            "takes 2 segments; max_parts is 1",
            id="max_parts, where the SMSC cuts",
        ),
        pytest.param(
            {"text": "Δ" * 33_000, "alphabet": "utf-8", "long_messages": "payload"}, "holds 65535", id="UTF-8 payload"
        ),
        pytest.param({"sender": "Federal Post"}, "the sender has more than 11 characters", id="long sender"),
        pytest.param({"sender": "1" * 21}, "the sender has more than 20", id="long number"),
        pytest.param({"sender": "بريد"}, "characters that latin1 has not", id="Arabic sender"),
        pytest.param({"sender": "a@b", "sender_alphabet": "gsm7"}, "NUL in gsm7", id="GSM @"),
        pytest.param({"to": "Ilha"}, "the recipient is not a phone number", id="no number"),
        pytest.param({"to": "+"}, "the recipient is not a phone number", id="only a plus"),
        pytest.param({"to": "+٠١٢٣٤٥٦٧"}, "the recipient is not a phone number", id="other digits"),
        pytest.param({"to": "+" + "1" * 21}, "the recipient has more than 20", id="long recipient"),
    ],
)
def test_cannot_encode(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(CannotEncode, match=reason):
        plan(**given)


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "more", "expected"),
    [
        pytest.param("+447700900001", {}, (1, 1, "447700900001"), id="international"),
        pytest.param("00447700900001", {}, (1, 1, "447700900001"), id="international with 00"),
        pytest.param("447700900001", {}, (1, 1, "447700900001"), id="international without plus"),
        pytest.param("+44 7700 900-001", {}, (1, 1, "447700900001"), id="separators"),
        pytest.param("8080", {}, (0, 1, "8080"), id="short code"),
        pytest.param("8080", {"short_ton": 3, "short_npi": 0}, (3, 0, "8080"), id="short code of the network"),
        pytest.param("0788123123", {}, (0, 1, "0788123123"), id="national form"),
        pytest.param("ACME", {}, (5, 0, "ACME"), id="alphanumeric"),
        pytest.param("Ilha São", {}, (5, 0, "Ilha S\xe3o"), id="Latin-1"),
        pytest.param("Ñandú", {"sender_alphabet": "utf-8"}, (5, 0, "\xc3\x91and\xc3\xba"), id="UTF-8"),
        pytest.param("A_B", {"sender_alphabet": "gsm7"}, (5, 0, "A\x11B"), id="GSM 7-bit"),
        pytest.param("", {}, (0, 0, ""), id="none"),
        pytest.param("ACME", {"source_addr": "8181"}, (0, 1, "8181"), id="the account's own"),
        pytest.param("8080", {"source_ton": 6, "source_npi": 9}, (6, 9, "8080"), id="TON and NPI as configured"),
        pytest.param("+447700900001", {"source_ton": 2}, (2, 1, "447700900001"), id="TON as configured"),
    ],
)
def test_senders(sender: str, more: dict[str, Any], expected: tuple[int, int, str]) -> None:
    found = only(plan(sender=sender, **more))
    assert (found.source_addr_ton, found.source_addr_npi, found.source_addr) == expected


@pytest.mark.parametrize(
    ("to", "more", "expected"),
    [
        pytest.param("+447700900123", {}, (1, 1, "447700900123"), id="E.164"),
        pytest.param("447700900123", {}, (1, 1, "447700900123"), id="without plus"),
        pytest.param("8080", {}, (0, 1, "8080"), id="short code"),
        pytest.param("+447700900123", {"dest_ton": 0, "dest_npi": 0}, (0, 0, "447700900123"), id="as configured"),
    ],
)
def test_recipients(to: str, more: dict[str, Any], expected: tuple[int, int, str]) -> None:
    found = only(plan(to=to, **more))
    assert (found.dest_addr_ton, found.dest_addr_npi, found.destination_addr) == expected


@pytest.mark.parametrize(
    ("ton", "addr", "more", "expected"),
    [
        pytest.param(1, "250788123123", {}, "+250788123123", id="international"),
        pytest.param(1, "+250788123123", {}, "+250788123123", id="international with plus"),
        pytest.param(1, "00250788123123", {}, "+250788123123", id="international with 00"),
        pytest.param(0, "250788123123", {}, "+250788123123", id="unknown, but long"),
        pytest.param(0, "250 788 123 123", {}, "+250788123123", id="blanks"),
        pytest.param(2, "788123123", {"country": "RW"}, "+250788123123", id="national"),
        pytest.param(0, "0788123123", {"country": "RW"}, "+250788123123", id="national with 0"),
        pytest.param(1, "0788123123", {"country": "RW"}, "+250788123123", id="national that says international"),
        pytest.param(2, "788123123", {}, "788123123", id="national without a country"),
        pytest.param(1, "999999999999999", {}, "+999999999999999", id="no possible number"),
        pytest.param(1, "8080", {"country": "RW"}, "8080", id="short code that says international"),
        pytest.param(6, "8080", {}, "8080", id="short code"),
        pytest.param(5, "ACME", {}, "ACME", id="alphanumeric"),
        pytest.param(0, "ACME", {}, "ACME", id="alphanumeric that says unknown"),
        pytest.param(5, "250788123123", {}, "+250788123123", id="number that says alphanumeric"),
        pytest.param(5, "A\x11B", {"sender_alphabet": "gsm7"}, "A_B", id="GSM 7-bit"),
        pytest.param(5, "S\xe3o ", {}, "São", id="Latin-1"),
        pytest.param(5, "\xff", {"sender_alphabet": "utf-8"}, "\ufffd", id="undecodable"),
        pytest.param(0, "*141#", {}, "*141#", id="service code"),
        pytest.param(0, "", {}, "", id="none"),
    ],
)
def test_phones(ton: int, addr: str, more: dict[str, Any], expected: str) -> None:
    assert address.phone(ton, addr, config(**more)) == expected


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "field", "expected"),
    [
        pytest.param({"service_type": "CMT"}, "service_type", "CMT", id="service_type"),
        pytest.param({"esm_mode": 3}, "esm_class", 3, id="esm_class"),
        pytest.param({"protocol_id": 0x41}, "protocol_id", 0x41, id="protocol_id"),
        pytest.param({"priority_flag": 2}, "priority_flag", 2, id="priority_flag"),
        pytest.param({"replace_if_present": True}, "replace_if_present_flag", 1, id="replace_if_present_flag"),
        pytest.param({"validity": 183_600}, "validity_period", "000002030000000R", id="validity_period"),
        pytest.param({}, "validity_period", "", id="no validity_period"),
        pytest.param({"schedule": 93_600}, "schedule_delivery_time", "000001020000000R", id="schedule_delivery_time"),
        pytest.param({}, "schedule_delivery_time", "", id="no schedule_delivery_time"),
        pytest.param({"schedule": 0}, "schedule_delivery_time", "", id="not scheduled"),
        pytest.param({}, "registered_delivery", 0x01, id="receipts"),
        pytest.param({"receipts": "failure"}, "registered_delivery", 0x02, id="receipts of failures"),
        pytest.param({"receipts": "none"}, "registered_delivery", 0x00, id="no receipts"),
        pytest.param({"intermediate": True}, "registered_delivery", 0x11, id="intermediate notifications"),
        pytest.param(
            {"tlvs": [{"tag": "0x1400", "value": "1001"}]}, "tlvs", ((0x1400, b"1001\0"),), id="TLVs of the operator"
        ),
    ],
)  # fmt: skip
def test_fields(more: dict[str, Any], field: str, expected: Any) -> None:
    assert getattr(only(plan(**more)), field) == expected


def test_a_receipt_of_the_last_segment() -> None:
    found = plan(GSM_LONG, receipts="last", intermediate=True)
    assert [one.body.registered_delivery for one in found.segments] == [0x00, 0x11]
    assert [one.silent for one in found.segments] == [True, False]


@pytest.mark.parametrize("receipts", ["all", "failure", "none"])
def test_no_segment_is_silent_where_all_are_asked_alike(receipts: str) -> None:
    assert [one.silent for one in plan(GSM_LONG, receipts=receipts).segments] == [False, False]


def test_more_messages_to_send() -> None:
    found = plan(GSM_LONG, more_messages=True)
    assert [one.body.tlv_int(Tag.MORE_MESSAGES_TO_SEND) for one in found.segments] == [1, 0]
    assert only(plan(more_messages=True)).tlvs == ()


# --- data_sm --------------------------------------------------------------------------------------------------------

DATA = {"submit_with": "data_sm", "service_type": "CMT", "receipts": "failure", "esm_mode": 2}


def as_data(text: str, **more: Any) -> list[DataSm]:
    """As an SMSC reads them."""
    found = [decode(encode(one.body, 7)).pdu for one in plan(text, sender="ACME", **DATA, **more).segments]
    assert all(isinstance(one, DataSm) for one in found)
    return found  # type: ignore[return-value]


def test_data_sm() -> None:
    (found,) = as_data("Hi {€}", validity=3600)
    assert found == DataSm("CMT", 5, 0, "ACME", 1, 1, "447700900123", 2, 2, 0, (
        (Tag.MESSAGE_PAYLOAD, b"Hi \x1b\x28\x1b\x65\x1b\x29"), (Tag.QOS_TIME_TO_LIVE, bytes((0, 0, 0x0E, 0x10))),
    ))  # fmt: skip


@pytest.mark.parametrize("long_messages", ["udh8", "udh16", "sar", "payload"])
def test_a_long_data_sm_is_cut_as_a_submit_sm_is(long_messages: str) -> None:
    submits = plan(UCS_LONG, long_messages=long_messages)
    found = as_data(UCS_LONG, long_messages=long_messages)
    payload = int(Tag.MESSAGE_PAYLOAD)
    texts = [one.body.tlv(payload) or one.body.short_message for one in submits.segments]
    assert [one.tlv(payload) for one in found] == texts
    assert [one.esm_class & 0x40 for one in found] == [one.body.esm_class & 0x40 for one in submits.segments]
    sar = [{tag: value for tag, value in one.tlvs if tag != payload} for one in found]
    assert sar == [{tag: value for tag, value in one.body.tlvs if tag != payload} for one in submits.segments]
    assert plan(UCS_LONG, long_messages=long_messages, **DATA).shape == submits.shape


def test_a_data_sm_that_says_nothing_of_more_messages_announces_them() -> None:
    assert [one.tlv_int(Tag.MORE_MESSAGES_TO_SEND) for one in as_data(GSM_LONG, more_messages=True)] == [1, 0]
    assert [one.tlv_int(Tag.MORE_MESSAGES_TO_SEND) for one in as_data("Hi", more_messages=True)] == [0]


@pytest.mark.parametrize(
    ("bind", "roles"),
    [
        ("transceiver", (Role.TRANSCEIVER,)),
        ("transmitter", (Role.TRANSMITTER,)),
        ("receiver", (Role.RECEIVER,)),
        ("pair", (Role.TRANSMITTER, Role.RECEIVER)),
    ],
)
def test_roles(bind: str, roles: tuple[Role, ...]) -> None:
    assert DIALECT.roles(config(bind=bind)) == roles


def test_the_table_knows_it() -> None:
    assert dialects.load("smpp") is DIALECT
    assert DIALECT.name == "SMPP"


@pytest.mark.parametrize(
    ("seconds", "relative", "absolute"),
    [
        pytest.param(1, "000000000001000R", "700101000001000+", id="second"),
        pytest.param(86_399, "000000235959000R", "700101235959000+", id="day less a second"),
        pytest.param(times.LONGEST, "000031000000000R", "700201000000000+", id="longest"),
    ],
)
def test_times(seconds: int, relative: str, absolute: str) -> None:
    assert times.relative(seconds) == relative
    assert times.absolute(relative, 999) == absolute
