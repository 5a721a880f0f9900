"""Receipts in every form that SMSCs give them (SMPP 3.4 appendix B and what the field has made of it)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.messages import Status
from smsc_relay.smpp import receipts
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import Tag
from smsc_relay.smpp.pdus import DataSm, DeliverSm, int_tlv, octets_tlv, text_tlv
from smsc_relay.smpp.times import receipt_date

DELIVERED, SENT, FAILED = Status.DELIVERED, Status.SENT, Status.FAILED
CSV = r"^(?P<stat>\d+),(?P<done>\d*),\d*,(?P<err>\d*),\d+,(?P<id>\w+),"


def config(**more: Any) -> SmppConfig:
    return SmppConfig.read({"host": "smsc", "system_id": "ilha", **more})


def receipt(text: str | bytes, esm_class: int = 0x04, **fields: Any) -> DeliverSm:
    octets = text if isinstance(text, bytes) else text.encode("latin-1")
    return DeliverSm(source_addr="250788123123", destination_addr="8080", esm_class=esm_class, short_message=octets,
                     **fields)  # fmt: skip


def read(pdu: DeliverSm | DataSm, **more: Any) -> receipts.Receipt:
    found = receipts.read(pdu, config(**more))
    assert found is not None
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
        pytest.param(receipt("id:1 sub:001"), "1", None, "a receipt without a state", id="no state"),
        pytest.param(receipt(""), "", None, "a receipt without a state", id="nothing"),
        pytest.param(receipt("id:1 stat:HAPPY"), "1", FAILED, "a receipt with the unknown state HAPPY", id="unknown"),
        pytest.param(
            receipt("id:1 stat:+250788123123"), "1", FAILED, "a receipt with the unknown state (no word)", id="no word"
        ),
        pytest.param(receipt(b"\x09\x00\x03\x01", 0x44), "", None, "a receipt without a state", id="broken header"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it(pdu: DeliverSm, external_id: str, status: Status | None, fault: str) -> None:
    found = read(pdu)
    assert (found.external_id, found.status, found.fault) == (external_id, status, fault)


def test_an_intermediate_failure_is_not_the_end() -> None:
    assert read(receipt("id:1 stat:UNDELIV err:001", 0x20)).status is SENT
    assert read(receipt("id:1 stat:DELIVRD", 0x20)).status is DELIVERED


def test_states_of_the_account() -> None:
    states = {"acceptd": "delivered", "HAPPY": "delivered", "UNKNOWN": "ignored"}
    for stat, status in {"ACCEPTD": DELIVERED, "happy": DELIVERED, "UNKNOWN": None}.items():
        found = read(receipt(f"id:1 stat:{stat}"), receipt_states=states)
        assert (found.status, found.fault) == (status, "")


@pytest.mark.parametrize("esm_class", [0x04, 0x00], ids=["marked", "not marked"])
def test_a_pattern_of_the_account(esm_class: int) -> None:
    pdu = receipt("2,20260131093105,20260131093000,0,447700900123,1234,", esm_class)
    found = read(pdu, receipt_pattern=CSV, receipt_states={"2": "delivered"})
    assert (found.external_id, found.status, found.code) == ("1234", DELIVERED, "0")
    assert found.at == ms(datetime(2026, 1, 31, 9, 31, 5, tzinfo=UTC))


def test_the_pattern_leaves_other_receipts_alone() -> None:
    assert read(receipt("id:1 stat:DELIVRD"), receipt_pattern=CSV).external_id == "1"


# --- halves ---------------------------------------------------------------------------------------------------------


def half(sequence: int, text: str, reference: int = 9) -> DeliverSm:
    return receipt(bytes((5, 0, 3, reference, 2, sequence)) + text.encode(), 0x44)


def test_a_receipt_in_two_halves() -> None:
    halves, settings = receipts.Halves(), config()
    first, second = half(1, "id:12345 sub:001 dlvrd:001 submit da"), half(2, "te:2601310930 stat:DELIVRD err:000")
    for order in ((first, second), (second, first)):
        waiting = receipts.read(order[0], settings, halves)
        assert waiting is not None
        assert (waiting.status, waiting.fault) == (None, "")
        whole = receipts.read(order[1], settings, halves)
        assert whole is not None
        assert (whole.external_id, whole.status) == ("12345", DELIVERED)


def test_halves_by_references_of_other_lengths_are_not_of_one_receipt() -> None:
    halves, settings = receipts.Halves(), config()
    narrow = [half(1, "id:1 sub:001 submit da"), half(2, "te:2601310930 stat:DELIVRD")]
    wide = [
        receipt(bytes((6, 8, 4, 0, 9, 2, sequence)) + text, 0x44)
        for sequence, text in ((1, b"id:2 sub:001 submit da"), (2, b"te:2601310930 stat:UNDELIV"))
    ]
    found = [receipts.read(pdu, settings, halves) for pair in zip(narrow, wide, strict=True) for pdu in pair]
    assert [(one.external_id, one.status) for one in found if one is not None and one.status] == [
        ("1", DELIVERED),
        ("2", Status.FAILED),
    ]


def test_the_first_half_may_say_all_that_counts() -> None:
    found = receipts.read(half(1, "id:12345 stat:DELIVRD err:000 te"), config(), receipts.Halves())
    assert found is not None
    assert (found.external_id, found.status) == ("12345", DELIVERED)


def test_halves_that_never_meet_are_forgotten() -> None:
    halves, settings = receipts.Halves(), config()
    pdus = [
        DeliverSm(source_addr=f"25078812{n:04}", destination_addr="8080", esm_class=0x44,
                  short_message=b"\x05\x00\x03\x01\x02\x01id:1 ")
        for n in range(1_000)
    ]  # fmt: skip
    for pdu in pdus:
        receipts.read(pdu, settings, halves)
    assert len(halves) == 256


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
    assert found is not None
    assert found.external_id == receipts.response_id(response, settings) != ""


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
    found = receipts.read(receipt(body, esm_class, tlvs=tuple(tlvs)), config(), receipts.Halves())
    assert found is None or found.status is None or found.stat
