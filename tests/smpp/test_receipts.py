"""Receipts in every form that SMSCs give them (SMPP 3.4 appendix B and what the field has made of it)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.messages import Status
from smsc_relay.smpp import receipts
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import Tag
from smsc_relay.smpp.halves import FORGET, HOLD, Half, Halves, Joined, Pieces
from smsc_relay.smpp.pdus import DataSm, DeliverSm, int_tlv, octets_tlv, text_tlv
from smsc_relay.smpp.times import receipt_date

DELIVERED, SENT, FAILED, WIRED = Status.DELIVERED, Status.SENT, Status.FAILED, Status.WIRED
CSV = r"^(?P<stat>\d+),(?P<done>\d*),\d*,(?P<err>\d*),\d+,(?P<id>\w+),"


def config(**more: Any) -> SmppConfig:
    return SmppConfig.read({"host": "smsc", "system_id": "ilha", **more})


def receipt(text: str | bytes, esm_class: int = 0x04, **fields: Any) -> DeliverSm:
    octets = text if isinstance(text, bytes) else text.encode("latin-1")
    return DeliverSm(source_addr="250788123123", destination_addr="8080", esm_class=esm_class, short_message=octets,
                     **fields)  # fmt: skip


def read(pdu: DeliverSm | DataSm, **more: Any) -> receipts.Receipt:
    found = receipts.read(pdu, config(**more))
    assert isinstance(found, receipts.Receipt)
    return found


@pytest.mark.parametrize(
    ("text", "external_id", "status", "code"),
    [
        pytest.param(
            "id:0000012345 sub:001 dlvrd:001 submit date:2601310930 done date:2601310931 stat:DELIVRD err:000 text:Hi",
            "12345", DELIVERED, "000", id="appendix B",
        ),
        pytest.param("id:0a1b2c3d stat:DELIVRD err:000", "a1b2c3d", DELIVERED, "000", id="neither dates nor counts"),
        pytest.param(
            "id:7f3c1f0e-66aa-4a51-9c1b-0d3f5f4f2a10 sub:1 dlvrd:1 submit date:260131093000 done date:260131093105 "
            "stat:DELIVRD err:0000 Text:Hi",
            "7f3c1f0e-66aa-4a51-9c1b-0d3f5f4f2a10", DELIVERED, "0000", id="UUID, seconds, 4-digit err, capital Text",
        ),
        pytest.param(
            "id:12345 sub:001 dlvrd:000 submit date:2601310930 done date:2601310931 stat:UNDELIV err:21b text:",
            "12345", FAILED, "21b", id="letters in err, empty text",
        ),
        pytest.param(
            "id:12345 submit date:2601310930 done date:2601310931 stat:EXPIRED err: 0 text:Hi",
            "12345", FAILED, "0", id="space after err:",
        ),
        pytest.param(
            "id:12345 stat:ENROUTE err:000 done date:2601310931", "12345", SENT, "000", id="intermediate, other order"
        ),
        pytest.param(
            "id:12345 sub:001 dlvrd:001 submit date:260131093000004+ done date:260131093105004+ stat:DELIVRD err:000",
            "12345", DELIVERED, "000", id="16-character dates",
        ),
        pytest.param("ID:12345 STAT:REJECTD ERR:008", "12345", FAILED, "008", id="upper case"),
        pytest.param("id:12345 stat:BUFFRED err:000", "12345", SENT, "000", id="BUFFRED"),
        pytest.param("id:12345 stat:BUFFERD", "12345", SENT, "", id="BUFFERD"),
        pytest.param("id:12345 stat:ACKED", "12345", SENT, "", id="ACKED"),
        pytest.param("id:12345 stat:ACCEPTD", "12345", SENT, "", id="ACCEPTD"),
        pytest.param("id:12345 stat:FAILED err:034", "12345", FAILED, "034", id="FAILED"),
        pytest.param("id:12345 stat:BLOCKED", "12345", FAILED, "", id="BLOCKED"),
        pytest.param("id:12345 stat:NOROUTE", "12345", FAILED, "", id="NOROUTE"),
        pytest.param("id:12345 stat:DELIVERED", "12345", DELIVERED, "", id="DELIVERED"),
        pytest.param("id:12345 stat:DELETED", "12345", FAILED, "", id="DELETED"),
        pytest.param("id:12345 stat:UNKNOWN", "12345", FAILED, "", id="UNKNOWN"),
        pytest.param("id:12345 stat:SKIPPED", "12345", FAILED, "", id="SKIPPED"),
        pytest.param("id:12345 stat:SCHEDULED", "12345", None, "", id="SCHEDULED: nothing to tell"),
        pytest.param(
            "id:12345 sub:001 dlvrd:001 submit date: done date: stat:DELIVRD err:", "12345", DELIVERED, "",
            id="empty values",
        ),
        pytest.param(
            "id:12345 sub:001 stat:DELIVRD err:000 text:id:99 stat:UNDELIV err:007", "12345", DELIVERED, "000",
            id="the text repeats keys",
        ),
        pytest.param("id:1 status:DELIVRD", "1", DELIVERED, "", id="status: for stat:"),
        pytest.param("id:1 status:0 stat:DELIVRD", "1", DELIVERED, "", id="stat: before status:"),
        pytest.param("text:foo id:1 stat:DELIVRD err:5", "1", DELIVERED, "5", id="the text comes first"),
        pytest.param("text:id:7 stat:EXPIRED id:1 stat:DELIVRD", "1", DELIVERED, "", id="and has keys: the last count"),
        pytest.param("id:1 text:foo id:2 Status:UNDELIV", "1", FAILED, "", id="only the state behind the text"),
        pytest.param('id:"1" stat:"DELIVRD" err:"000"', "1", DELIVERED, "000", id="in quotes"),
        pytest.param("id:'1', stat:'UNDELIV', err:'021'", "1", FAILED, "021", id="in single quotes, with commas"),
        pytest.param("id:1 stat:2", "1", DELIVERED, "", id="the number of message_state"),
        pytest.param("id:1 stat:05 err:021", "1", FAILED, "021", id="its number in two digits"),
        pytest.param("id:7 id:8 stat:DELIVRD stat:UNDELIV", "7", DELIVERED, "", id="the first of each key counts"),
        pytest.param("stat:DELIVRD\r\nid:12345;  err:000", "12345", DELIVERED, "000", id="other separators"),
        pytest.param("id:12345sub:001dlvrd:001stat:DELIVRDerr:000text:Hi", "12345", DELIVERED, "000", id="no spaces"),
        pytest.param("id:0000 stat:DELIVRD", "0", DELIVERED, "", id="an id of zeros"),
        pytest.param("id:9\0 stat:DELIVRD\0", "9", DELIVERED, "", id="NULs"),
        pytest.param("id:9 stat:DELIVRD text:\xe9\xff", "9", DELIVERED, "", id="octets that are no ASCII"),
    ],
)  # fmt: skip
def test_texts(text: str, external_id: str, status: Status | None, code: str) -> None:
    found = read(receipt(text))
    assert (found.external_id, found.status, found.code, found.fault) == (external_id, status, code, "")


@pytest.mark.parametrize(
    ("octets", "data_coding"),
    [
        pytest.param("id:77 stat:DELIVRD".encode("utf-16-be"), 8, id="UCS-2"),
        pytest.param("id:77 stat:DELIVRD".encode("utf-16-be"), 0, id="UCS-2 that says 0"),
        pytest.param("id:77 stat:DELIVRD".encode("utf-16-le"), 8, id="UCS-2, little-endian"),
        pytest.param(b"id:77 stat:DELIVRD", 8, id="ASCII that says UCS-2"),
        pytest.param(b"id:77 stat:DELIVRD", 4, id="ASCII that says binary"),
        pytest.param(b"id:77 stat:DELIVRD", 0xF6, id="ASCII that says 8-bit, class 2"),
    ],
)
def test_data_coding_is_not_trusted(octets: bytes, data_coding: int) -> None:
    found = read(receipt(octets, data_coding=data_coding))
    assert (found.external_id, found.status) == ("77", DELIVERED)


TLVS = (text_tlv(Tag.RECEIPTED_MESSAGE_ID, "0a1b2c3d"), int_tlv(Tag.MESSAGE_STATE, 2))


@pytest.mark.parametrize("esm_class", [0x04, 0x00], ids=["marked", "not marked"])
def test_tlvs_alone(esm_class: int) -> None:
    found = read(receipt("", esm_class, tlvs=(*TLVS, octets_tlv(Tag.NETWORK_ERROR_CODE, b"\x03\x00\x21"))))
    assert (found.external_id, found.status, found.stat, found.code) == ("a1b2c3d", DELIVERED, "DELIVRD", "3:33")


@pytest.mark.parametrize(
    ("state", "stat", "status"),
    [
        (0, "SCHEDULED", None), (1, "ENROUTE", SENT), (2, "DELIVRD", DELIVERED), (3, "EXPIRED", FAILED),
        (4, "DELETED", FAILED), (5, "UNDELIV", FAILED), (6, "ACCEPTD", SENT), (7, "UNKNOWN", FAILED),
        (8, "REJECTD", FAILED), (9, "SKIPPED", FAILED), (0x32, "DELIVRD", DELIVERED),
    ],
)  # fmt: skip
def test_message_state(state: int, stat: str, status: Status | None) -> None:
    found = read(receipt("", tlvs=(TLVS[0], int_tlv(Tag.MESSAGE_STATE, state))))
    assert (found.stat, found.status) == (stat, status)


def test_tlvs_come_first_and_the_text_fills_what_they_lack() -> None:
    text = "id:999 stat:UNDELIV err:021 done date:2601310931"
    found = read(receipt(text, tlvs=(int_tlv(Tag.MESSAGE_STATE, 2),)))
    assert (found.external_id, found.status, found.code) == ("999", DELIVERED, "021")
    both = receipt(text, tlvs=TLVS)
    assert read(both).external_id == "a1b2c3d"
    assert read(both, receipt_id_from="text").external_id == "999"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        pytest.param(b"\x03\x00\x00", "3:0", id="as specified"),
        pytest.param(b"021", "021", id="three digits"),
        pytest.param(b"\x01", "01", id="too short"),
    ],
)
def test_network_error_code(value: bytes, code: str) -> None:
    assert read(receipt("id:1 stat:UNDELIV", tlvs=((Tag.NETWORK_ERROR_CODE, value),))).code == code


@pytest.mark.parametrize(
    ("value", "err", "code"),
    [
        pytest.param(b"\x03\x00\x21", "000", "3:33", id="the TLV comes first"),
        pytest.param(b"033", "000", "033", id="the TLV in digits"),
        pytest.param(b"\x03\x00\x00", "021", "021", id="the TLV names no error"),
        pytest.param(b"000", "021", "021", id="the TLV says 000"),
        pytest.param(b"\x03\x00\x00", "", "3:0", id="the TLV alone"),
        pytest.param(b"", "021", "021", id="an empty TLV"),
    ],
)
def test_two_error_codes(value: bytes, err: str, code: str) -> None:
    assert read(receipt(f"id:1 stat:UNDELIV err:{err}", tlvs=((Tag.NETWORK_ERROR_CODE, value),))).code == code


def test_in_message_payload_and_over_data_sm() -> None:
    payload = octets_tlv(Tag.MESSAGE_PAYLOAD, b"id:5 stat:DELIVRD err:000")
    assert read(receipt("", tlvs=(payload,))).status is DELIVERED
    assert read(DataSm(esm_class=0x04, tlvs=(payload,))).external_id == "5"
    assert read(DataSm(esm_class=0x04, tlvs=TLVS)).external_id == "a1b2c3d"


@pytest.mark.parametrize(
    ("esm_class", "text", "more", "is_one"),
    [
        pytest.param(0x04, "id:1 stat:DELIVRD", {}, True, id="receipt"),
        pytest.param(0x20, "id:1 stat:ENROUTE", {}, True, id="intermediate notification"),
        pytest.param(0x07, "id:1 stat:DELIVRD", {}, True, id="mode bits beside the type"),
        pytest.param(0x08, "id:1 stat:DELIVRD", {}, True, id="called an SME acknowledgement"),
        pytest.param(0x08, "I have got it", {}, False, id="an SME acknowledgement"),
        pytest.param(0x10, "id:1 stat:DELIVRD", {}, False, id="a manual acknowledgement"),
        pytest.param(0x00, "id:1 sub:001 stat:DELIVRD", {}, True, id="not marked"),
        pytest.param(0x00, "id:1 stat:DELIVRD", {"unmarked_receipts": False}, False, id="not marked, not wanted"),
        pytest.param(0x00, "id:1 stat:HAPPY", {}, False, id="not marked, no known state"),
        pytest.param(0x00, "id:1 stat:2", {}, False, id="not marked, a number for a state"),
        pytest.param(0x00, "id:1 status:FAILED", {}, False, id="not marked, a form that a person fills in"),
        pytest.param(0x00, "text:foo id:1 stat:DELIVRD", {}, False, id="not marked, keys behind a text"),
        pytest.param(0x00, "my id:1 stat:DELIVRD", {}, False, id="not marked, text in front"),
        pytest.param(0x00, "id:", {}, False, id="not marked, no id"),
        pytest.param(0x00, "Hello", {}, False, id="a message"),
    ],
)
def test_what_is_a_receipt(esm_class: int, text: str, more: dict[str, Any], is_one: bool) -> None:
    assert (receipts.read(receipt(text, esm_class), config(**more)) is not None) is is_one


@pytest.mark.parametrize(
    ("pdu", "external_id", "status", "fault"),
    [
        pytest.param(receipt("sub:001 stat:DELIVRD"), "", DELIVERED, "a receipt without an id", id="no id"),
        pytest.param(receipt("id: stat:DELIVRD"), "", DELIVERED, "a receipt without an id", id="empty id"),
        pytest.param(receipt("id:1 sub:001"), "1", WIRED, "a receipt without a state", id="no state"),
        pytest.param(receipt(""), "", WIRED, "a receipt without a state", id="nothing"),
        pytest.param(
            receipt("id:1 stat:77"), "1", WIRED, "a receipt with the unknown state (no word)", id="no such number"
        ),
        pytest.param(receipt("id:1 stat:HAPPY"), "1", WIRED, "a receipt with the unknown state HAPPY", id="unknown"),
        pytest.param(
            receipt("id:1 stat:+250788123123"), "1", WIRED, "a receipt with the unknown state (no word)", id="no word"
        ),
        pytest.param(receipt(b"\x09\x00\x03\x01", 0x44), "", WIRED, "a receipt without a state", id="broken header"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it(pdu: DeliverSm, external_id: str, status: Status | None, fault: str) -> None:
    found = read(pdu)
    assert (found.external_id, found.status, found.fault) == (external_id, status, fault)


def test_an_intermediate_failure_is_not_the_end() -> None:
    assert read(receipt("id:1 stat:UNDELIV err:001", 0x20)).status is SENT
    assert read(receipt("id:1 stat:DELIVRD", 0x20)).status is DELIVERED


def test_states_of_the_account() -> None:
    states = {"acceptd": "delivered", "HAPPY": "delivered", "UNKNOWN": "ignored", "5": "sent"}
    for stat, status in {"ACCEPTD": DELIVERED, "happy": DELIVERED, "UNKNOWN": None, "5": SENT, "6": DELIVERED}.items():
        found = read(receipt(f"id:1 stat:{stat}"), receipt_states=states)
        assert (found.status, found.fault) == (status, "")


@pytest.mark.parametrize("esm_class", [0x04, 0x00], ids=["marked", "not marked"])
def test_a_pattern_of_the_account(esm_class: int) -> None:
    pdu = receipt("2,20260131093105,20260131093000,0,447700900123,1234,", esm_class)
    found = read(pdu, receipt_pattern=CSV, receipt_states={"2": "delivered"})
    assert (found.external_id, found.status, found.code) == ("1234", DELIVERED, "0")
    assert found.at == ms(datetime(2026, 1, 31, 9, 31, 5, tzinfo=UTC))


@pytest.mark.parametrize("esm_class", [0x04, 0x00], ids=["marked", "not marked"])
def test_a_pattern_that_takes_for_ever_is_given_up(esm_class: int) -> None:
    """It would be done in some years."""
    slow = r"(?P<id>(?:(?=1)[12]|[13])+)(?P<stat>[45])"
    pdu = receipt("1" * 60 + "6 4", esm_class)
    found = receipts.read(pdu, config(receipt_pattern=slow))
    if esm_class:
        assert isinstance(found, receipts.Receipt)
        assert (found.status, found.fault) == (WIRED, "a receipt for which receipt_pattern takes too long")
    else:
        assert found is None
    assert read(receipt("id:7 stat:DELIVRD err:000" + "1" * 60, esm_class), receipt_pattern=slow).status is DELIVERED


@pytest.mark.parametrize(("before", "found"), [(1_900, "1234"), (2_000, "")])
def test_of_a_long_text_the_beginning_is_looked_at(before: int, found: str) -> None:
    """Any phone may send 65,535 octets."""
    text = b"." * before + b"2,20260131093105,20260131093000,0,447700900123,1234,"
    pdu = receipt("", tlvs=((Tag.MESSAGE_PAYLOAD, text),))
    assert read(pdu, receipt_pattern=CSV.removeprefix("^")).external_id == found


@pytest.mark.parametrize(
    ("text", "form"),
    [
        pytest.param("MsgID=A1b2 State=OK", "MsgID=A0a0 State=AA", id="other words"),
        pytest.param(
            "Message 17 to +256772123456 was delivered", "Message 00 to +000000000000 was delivered", id="prose"
        ),
        pytest.param("7;Héllo, Ann", "0;Aaaaa, Aaa", id="what nobody is to read"),
        pytest.param("x" * 400, "a" * 300, id="long"),
    ],
)
def test_the_form_of_a_receipt_that_cannot_be_used_is_told(text: str, form: str) -> None:
    """Of its words only those of receipts, and no digit: it goes to the log, for whoever writes a pattern."""
    found = read(receipt(text))
    assert found.fault
    assert found.form == form
    assert not read(receipt("id:1 stat:DELIVRD")).form


def test_the_pattern_leaves_other_receipts_alone() -> None:
    assert read(receipt("id:1 stat:DELIVRD"), receipt_pattern=CSV).external_id == "1"


# --- halves ---------------------------------------------------------------------------------------------------------


def half(sequence: int, text: str, reference: int = 9) -> DeliverSm:
    return receipt(bytes((5, 0, 3, reference, 2, sequence)) + text.encode(), 0x44)


def sar_half(sequence: int, text: str) -> DeliverSm:
    tags = ((Tag.SAR_MSG_REF_NUM, 9, 2), (Tag.SAR_TOTAL_SEGMENTS, 2, 1), (Tag.SAR_SEGMENT_SEQNUM, sequence, 1))
    return receipt(text, tlvs=tuple((tag, number.to_bytes(length, "big")) for tag, number, length in tags))


def put(halves: Halves, pdu: DeliverSm, token: Any, now: float = 0.0) -> Joined | None:
    found = receipts.read(pdu, config())
    assert isinstance(found, Half)
    return halves.add(found, token, now)


def whole(joined: Joined | None) -> receipts.Receipt:
    assert joined is not None
    return receipts.joined(joined.pdus, joined.text, config())


@pytest.mark.parametrize("cut", [half, sar_half], ids=["header", "sar TLVs"])
@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=["in order", "the last first"])
def test_a_receipt_in_two_halves(cut: Callable[[int, str], DeliverSm], order: tuple[int, int]) -> None:
    texts = {1: "id:12345 sub:001 dlvrd:001 submit da", 2: "te:2601310930 stat:DELIVRD err:000"}
    halves = Halves(Pieces())
    assert put(halves, cut(order[0], texts[order[0]]), "first") is None
    joined = put(halves, cut(order[1], texts[order[1]]), "second")
    found = whole(joined)
    assert (found.external_id, found.status, found.fault) == ("12345", DELIVERED, "")
    assert joined is not None
    assert sorted(joined.tokens) == ["first", "second"]
    assert (len(halves), halves.due, halves.overdue(99.0)) == (0, inf, [])


def test_tlvs_of_either_half_count() -> None:
    halves = Halves(Pieces())
    first = half(1, "sub:001 dlvrd:001 submit da")
    last = replace(half(2, "te:2601310930"), tlvs=(int_tlv(Tag.MESSAGE_STATE, 5), (Tag.NETWORK_ERROR_CODE, b"\3\0\7")))
    put(halves, replace(first, tlvs=TLVS[:1]), 1)
    found = whole(put(halves, last, 2))
    assert (found.external_id, found.status, found.code) == ("a1b2c3d", FAILED, "3:7")


def test_halves_by_references_of_other_lengths_are_not_of_one_receipt() -> None:
    halves = Halves(Pieces())
    narrow = [half(1, "id:1 sub:001 submit da"), half(2, "te:2601310930 stat:DELIVRD")]
    wide = [
        receipt(bytes((6, 8, 4, 0, 9, 2, sequence)) + text, 0x44)
        for sequence, text in ((1, b"id:2 sub:001 submit da"), (2, b"te:2601310930 stat:UNDELIV"))
    ]
    found = [put(halves, pdu, 0) for pair in zip(narrow, wide, strict=True) for pdu in pair]
    assert [(whole(one).external_id, whole(one).status) for one in found if one] == [("1", DELIVERED), ("2", FAILED)]


def test_the_first_half_may_say_all_that_counts() -> None:
    found = read(half(1, "id:12345 stat:DELIVRD err:000 te"))
    assert (found.external_id, found.status) == ("12345", DELIVERED)


def test_a_half_whose_time_is_up_is_told_once_and_still_finds_the_other() -> None:
    halves = Halves(Pieces())
    put(halves, half(1, "id:1 sub:001 st"), "first", 10.0)
    assert (halves.due, halves.overdue(10.5)) == (11.0, [])
    (alone,) = halves.overdue(11.0)
    assert (alone.text, alone.tokens) == ("id:1 sub:001 st", ("first",))
    assert (halves.due, halves.overdue(39.0)) == (inf, [])
    joined = put(halves, half(2, "at:DELIVRD"), "second", 39.0)
    assert joined is not None
    assert joined.tokens == ("second",)
    assert whole(joined).status is DELIVERED


def test_an_smsc_that_waits_for_each_answer_is_kept_waiting_once() -> None:
    halves = Halves(Pieces())
    for reference, patience in ((1, HOLD), (2, 0.0), (3, 0.0)):
        put(halves, half(1, "id:1 sub:001 st", reference), "first")
        assert halves.due == patience
        assert len(halves.overdue(patience)) == 1
        assert whole(put(halves, half(2, "at:DELIVRD", reference), "second")).status is DELIVERED


def test_a_half_that_is_repeated_is_answered_as_often() -> None:
    halves = Halves(Pieces())
    for token in ("first", "again"):
        assert put(halves, half(1, "id:1 sub:001 st"), token) is None
    joined = put(halves, half(2, "at:DELIVRD"), "second")
    assert joined is not None
    assert joined.tokens == ("first", "again", "second")


def test_a_reference_that_is_used_again() -> None:
    halves = Halves(Pieces())
    put(halves, half(1, "id:1 sub:001 st"), "old")
    put(halves, half(1, "id:2 sub:001 st"), "new")
    assert halves.due == 0.0
    (alone,) = halves.overdue(0.0)
    assert (alone.text, alone.tokens) == ("id:1 sub:001 st", ("old",))
    assert whole(put(halves, half(2, "at:DELIVRD"), "last")).external_id == "2"


def test_a_half_is_not_remembered_for_the_next_receipt_with_its_reference() -> None:
    halves = Halves(Pieces())
    put(halves, half(1, "id:1 sub:001 st"), "first", 10.0)
    assert len(halves.overdue(11.0)) == 1
    assert put(halves, half(2, "at:UNDELIV"), "of another", 10.0 + FORGET) is None
    joined = put(halves, half(1, "id:2 sub:001 st"), "its first", 10.5 + FORGET)
    assert whole(joined).external_id == "2"
    assert len(halves) == 0


def test_halves_meet_over_two_sessions() -> None:
    """The one that came first is answered a moment later, when what the whole says is safe once more."""
    pieces = Pieces()
    one, other = Halves(pieces), Halves(pieces)
    for reference, order in ((9, (one, other)), (10, (other, one))):
        assert put(order[0], half(1, f"id:{reference} sub:001 st", reference), "first") is None
        told = put(order[1], half(2, "at:DELIVRD", reference), "second")
        assert (whole(told).external_id, told and told.tokens) == (str(reference), ("second",))
        assert (order[1].due, order[0].due) == (inf, HOLD)
        (again,) = order[0].overdue(HOLD)
        assert (again.text, again.tokens) == (told and told.text, ("first",))
        assert (len(order[0]), order[0].due) == (0, inf)
    assert put(one, half(1, "id:11 sub:001 st", 9), "next") is None
    assert whole(put(one, half(2, "at:UNDELIV", 9), "its last")).external_id == "11"


def test_one_half_that_is_given_again_tells_the_whole_again() -> None:
    halves = Halves(Pieces())
    put(halves, half(1, "id:1 sub:001 st"), "first")
    put(halves, half(2, "at:DELIVRD"), "second")
    assert put(halves, half(2, "at:DELIVRD"), "second again", 5.0) is None
    (again,) = halves.overdue(5.0 + HOLD)
    assert (whole(again).external_id, again.tokens) == ("1", ("second again",))
    assert put(halves, half(2, "at:DELIVRD"), "of the next", 7.0) is None
    assert whole(put(halves, half(1, "id:2 sub:001 st"), "first of it", 7.5)).external_id == "2"


def test_a_long_piece_does_not_wait() -> None:
    halves = Halves(Pieces())
    told = put(halves, half(1, "id:1 " + "x" * 2_000), "long")
    assert told is not None
    assert (told.tokens, len(halves)) == (("long",), 0)


def test_halves_that_never_meet_are_forgotten_but_told() -> None:
    halves = Halves(Pieces())
    told: list[Any] = []
    for n in range(1_000):
        pdu = replace(half(1, "id:1 "), source_addr=f"25078812{n:04}")
        put(halves, pdu, n, 0.0)
        told += [token for one in halves.overdue(0.0) for token in one.tokens]
    assert len(halves) == 256
    told += [token for one in halves.overdue(1.0) for token in one.tokens]
    assert told == list(range(1_000))


# --- ids and dates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_response", "in_receipt", "response", "written"),
    [
        pytest.param("text", "text", "0000012345", "12345", id="leading zeros"),
        pytest.param("text", "text", "A1B2C3", "a1b2c3", id="case"),
        pytest.param("text", "text", " 12345 ", "12345", id="blanks"),
        pytest.param("text", "text", "7F3C1F0E-66AA", "7f3c1f0e-66aa", id="UUID"),
        pytest.param("hex", "decimal", "1A2B3C", "1715004", id="hex, then decimal"),
        pytest.param("hex", "decimal", "001a2b3c", "0001715004", id="hex, then decimal, both with zeros"),
        pytest.param("decimal", "hex", "1715004", "1A2B3C", id="decimal, then hex"),
        pytest.param("hex", "hex", "0x1A2B3C", "1a2b3c", id="both hex"),
        pytest.param("decimal", "decimal", "0001715004", "1715004", id="both decimal"),
        pytest.param("hex", "decimal", "1A2B3C", "1a2b3c", id="decimal that is hex after all"),
        pytest.param("hex", "decimal", "not-a-number", "NOT-A-NUMBER", id="not a number"),
        pytest.param("hex", "hex", "0123456789abcdef01", "123456789ABCDEF01", id="longer than 16 digits"),
    ],
)
def test_ids_meet(in_response: str, in_receipt: str, response: str, written: str) -> None:
    settings = config(id_in_response=in_response, id_in_receipt=in_receipt)
    found = receipts.read(receipt(f"id:{written} stat:DELIVRD"), settings)
    assert isinstance(found, receipts.Receipt)
    assert found.external_id == receipts.response_id(response, settings) != ""


@pytest.mark.parametrize(
    ("forms", "text", "tlv", "external_id"),
    [
        pytest.param(("hex", "decimal"), "305419896", "12345678", "305419896", id="the TLV repeats the response"),
        pytest.param(("hex", "decimal"), "12345678", "305419896", "305419896", id="the text repeats it"),
        pytest.param(("hex", "decimal"), "305419896", "305419896", "305419896", id="both as receipts have it"),
        pytest.param(("decimal", "hex"), "12345678", "305419896", "305419896", id="the response in decimal"),
        pytest.param(("hex", "decimal"), "77", "12345678", "12345678", id="two numbers"),
        pytest.param(("text", "text"), "77", "0088", "88", id="two texts"),
    ],
)
def test_two_ids(forms: tuple[str, str], text: str, tlv: str, external_id: str) -> None:
    pdu = receipt(f"id:{text} stat:DELIVRD", tlvs=(text_tlv(Tag.RECEIPTED_MESSAGE_ID, tlv),))
    assert read(pdu, id_in_response=forms[0], id_in_receipt=forms[1]).external_id == external_id


@pytest.mark.parametrize("written", [None, ""])
def test_no_id_in_the_response(written: str | None) -> None:
    assert receipts.response_id(written, config()) == ""


def test_different_numbers_stay_different() -> None:
    settings = config(id_in_response="hex", id_in_receipt="decimal")
    assert receipts.response_id("10", settings) == "16"
    assert receipts.message_id("10", "decimal", "hex") == "10"


KAMPALA = timezone(timedelta(hours=3))


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        pytest.param("2601310931", UTC, datetime(2026, 1, 31, 9, 31, tzinfo=UTC), id="minutes"),
        pytest.param("260131093105", UTC, datetime(2026, 1, 31, 9, 31, 5, tzinfo=UTC), id="seconds"),
        pytest.param("202601310931", UTC, datetime(2026, 1, 31, 9, 31, tzinfo=UTC), id="century"),
        pytest.param("20260131093105", UTC, datetime(2026, 1, 31, 9, 31, 5, tzinfo=UTC), id="century, seconds"),
        pytest.param("2601311231", KAMPALA, datetime(2026, 1, 31, 9, 31, tzinfo=UTC), id="local time"),
        pytest.param("260131103105004+", KAMPALA, datetime(2026, 1, 31, 9, 31, 5, tzinfo=UTC), id="own offset"),
        pytest.param("260131083105004-", UTC, datetime(2026, 1, 31, 9, 31, 5, tzinfo=UTC), id="own offset, behind"),
        pytest.param("000002030000000R", UTC, None, id="relative"),
        pytest.param("260131093105099+", UTC, None, id="no such offset"),
        pytest.param("2613310931", UTC, None, id="no such month"),
        pytest.param("261331093105", UTC, None, id="no such month, seconds"),
        pytest.param("31/01/2026", UTC, None, id="another form"),
        pytest.param("²601310931", UTC, None, id="digits that are none"),
        pytest.param("", UTC, None, id="empty"),
    ],
)
def test_dates(text: str, zone: timezone, expected: datetime | None) -> None:
    assert receipt_date(text, zone) == (ms(expected) if expected else None)


def test_the_date_is_in_the_zone_of_the_account() -> None:
    pdu = receipt("id:1 stat:DELIVRD done date:2601311231")
    assert read(pdu, receipt_timezone="+03:00").at == ms(datetime(2026, 1, 31, 9, 31, tzinfo=UTC))
    assert read(receipt("id:1 stat:DELIVRD done date:yesterday")).at is None


@given(
    body=st.binary(max_size=60) | st.text("id:stat er\0DELIVRD019", max_size=60).map(str.encode),
    esm_class=st.sampled_from([0x00, 0x04, 0x08, 0x20, 0x40, 0x44, 0x60]),
    tlvs=st.lists(st.tuples(st.sampled_from([0x001E, 0x0423, 0x0424, 0x0427]), st.binary(max_size=9)), max_size=3),
)
def test_nothing_makes_it_fail(body: bytes, esm_class: int, tlvs: list[tuple[int, bytes]]) -> None:
    found = receipts.read(receipt(body, esm_class, tlvs=tuple(tlvs)), config())
    if isinstance(found, Half):
        found = receipts.joined((found.pdu,), found.text, config())
    assert found is None or found.status in (None, Status.WIRED) or found.stat
