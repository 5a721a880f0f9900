"""What deployed SMSCs and ESMEs do wrong: read all the same, and told. What cannot be read: the status to answer."""

from __future__ import annotations

import pytest

from smsc_relay.smpp import pdus
from smsc_relay.smpp.codec import decode
from smsc_relay.smpp.constants import Status, Tag
from smsc_relay.smpp.errors import SmppDecodeError
from smsc_relay.smpp.pdus import (
    BindTransceiver,
    BindTransceiverResp,
    DataSm,
    DeliverSm,
    DeliverSmResp,
    Outbind,
    Pdu,
    QuerySmResp,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    int_tlv,
    text_tlv,
)
from tests.smpp.ends import raw

CMDLEN, TLVSTREAM, TLVLEN, TLVVAL = (
    Status.ESME_RINVCMDLEN,
    Status.ESME_RINVTLVSTREAM,
    Status.ESME_RINVTLVLEN,
    Status.ESME_RINVTLVVAL,
)
SUBMIT_RESP, BIND_RESP = 0x80000004, 0x80000009


def short(command_id: int, tail: str | bytes = b"\0", source: bytes = b"12", head: str = "00", dates: str = "0000",
          esm_class: int = 0, status: int = 0) -> bytes:  # fmt: skip
    """A submit_sm or deliver_sm from 12 to 34 whose sm_length, text and TLVs are `tail`."""
    end = bytes.fromhex(tail) if isinstance(tail, str) else tail
    body = bytes.fromhex(head) + b"\1\1" + source + b"\0\1\1" + b"34\0" + bytes((esm_class, 0, 0))
    return raw(command_id, status, 1, body + bytes.fromhex(dates) + b"\0\0\0\0" + end)


def deliver(text: bytes = b"", *tlvs: tuple[int, bytes], source: str = "12", esm_class: int = 0) -> DeliverSm:
    return DeliverSm("", 1, 1, source, 1, 1, "34", esm_class, short_message=text, tlvs=tlvs)


BIND = BindTransceiver("me", "pw", "", 0x34, 0, 0, "")
BIND_BODY = b"me\0pw\0\0\x34\0\0"


@pytest.mark.parametrize(
    ("octets", "pdu", "flaws"),
    [
        # responses
        pytest.param(raw(SUBMIT_RESP, 0x45), SubmitSmResp(None), [], id="refusal-without-body"),
        pytest.param(raw(SUBMIT_RESP, 0x45, 1, b"\0"), SubmitSmResp(""), [], id="refusal-with-one-nul"),
        pytest.param(raw(SUBMIT_RESP, 0x45, 1, b"abc\0"), SubmitSmResp("abc"), [], id="refusal-with-an-id"),
        pytest.param(raw(SUBMIT_RESP, 0x45, 1, bytes.fromhex("0425000102")),
                     SubmitSmResp(None, (int_tlv(Tag.DELIVERY_FAILURE_REASON, 2),)), [], id="refusal-with-tlvs-only"),
        pytest.param(raw(SUBMIT_RESP, 0x45, 1, bytes.fromhex("001d00024100")),
                     SubmitSmResp(None, (text_tlv(Tag.ADDITIONAL_STATUS_INFO_TEXT, "A"),)), [],
                     id="refusal-with-tlvs-only-from-a-nul"),
        pytest.param(raw(SUBMIT_RESP, 0, 1, bytes.fromhex("000428000150")),
                     SubmitSmResp("", (int_tlv(Tag.CONGESTION_STATE, 80),)), [], id="ok-without-id-with-tlvs"),
        pytest.param(raw(SUBMIT_RESP), SubmitSmResp(None), [], id="ok-without-id"),
        pytest.param(raw(SUBMIT_RESP, 0, 1, b"x" * 64 + b"\0"), SubmitSmResp("x" * 64), [], id="id-of-64"),
        pytest.param(raw(SUBMIT_RESP, 0, 1, b"x" * 65 + b"\0"), SubmitSmResp("x" * 65), [Status.ESME_RINVMSGID],
                     id="id-of-65"),
        pytest.param(raw(SUBMIT_RESP, 0, 1, b"x" * 255 + b"\0"), SubmitSmResp("x" * 255), [Status.ESME_RINVMSGID],
                     id="id-of-255"),
        pytest.param(raw(SUBMIT_RESP, 0, 1, b"abc  \0"), SubmitSmResp("abc  "), [], id="id-with-trailing-blanks"),
        pytest.param(raw(SUBMIT_RESP, 0, 1, b"abc"), SubmitSmResp("abc"), [CMDLEN], id="id-without-nul"),
        pytest.param(raw(SUBMIT_RESP, 0, 1, b"abc\0\0\0"), SubmitSmResp("abc"), [TLVSTREAM], id="id-with-several-nuls"),
        pytest.param(raw(SUBMIT_RESP, 0, 1, b"abc\0\0" + bytes.fromhex("0428000150")),
                     SubmitSmResp("abc", (int_tlv(Tag.CONGESTION_STATE, 80),)), [TLVSTREAM],
                     id="id-with-two-nuls-and-a-tlv"),
        pytest.param(raw(SUBMIT_RESP, 0, 0, b"abc\0"), SubmitSmResp("abc"), [], id="sequence-0"),
        pytest.param(raw(SUBMIT_RESP, 0, 0xFFFFFFFF, b"abc\0"), SubmitSmResp("abc"), [], id="sequence-too-large"),
        pytest.param(raw(0x80000005, 0, 1, b"77\0"), DeliverSmResp("77"), [], id="deliver-response-with-id"),
        pytest.param(raw(0x80000005), DeliverSmResp(None), [], id="deliver-response-without-body"),
        pytest.param(raw(0x80000000, 3, 1, b"\0"), pdus.GenericNack(), [TLVSTREAM], id="nack-with-a-body"),
        pytest.param(raw(0x80000015, 0, 1, b"\0"), pdus.EnquireLinkResp(), [TLVSTREAM], id="life-with-a-body"),
        pytest.param(raw(0x80000003, 0x67, 1, b"abc\0"), QuerySmResp("abc"), [], id="refusal-that-ends-early"),
        pytest.param(raw(0x80000003, 0, 1, b"abc\0"), QuerySmResp("abc"), [CMDLEN], id="ok-that-ends-early"),
        pytest.param(raw(0x80000021, 0, 1, b"abc\0"), SubmitMultiResp("abc"), [CMDLEN], id="multi-that-ends-early"),
        # binds
        pytest.param(raw(BIND_RESP), BindTransceiverResp(None), [], id="bind-response-without-body"),
        pytest.param(raw(BIND_RESP, 0, 1, b"\0"), BindTransceiverResp(""), [], id="bind-response-of-no-name"),
        pytest.param(raw(BIND_RESP, 0, 1, bytes.fromhex("000210000100")),
                     BindTransceiverResp("", (int_tlv(Tag.SC_INTERFACE_VERSION, 0),)), [], id="version-0"),
        pytest.param(raw(BIND_RESP, 0, 1, bytes.fromhex("0002100000")),
                     BindTransceiverResp("", ((0x0210, b""),)), [TLVLEN], id="version-of-no-octets"),
        pytest.param(raw(BIND_RESP, 0, 1, b"SMSC\0"), BindTransceiverResp("SMSC"), [], id="no-version"),
        pytest.param(raw(9, 0, 1, BIND_BODY + b"\0"), BIND, [], id="bind"),
        pytest.param(raw(9, 0, 1, BIND_BODY), BIND, [CMDLEN], id="bind-without-the-last-nul"),
        pytest.param(raw(9, 0, 1, BIND_BODY + b"^5"), BindTransceiver("me", "pw", address_range="^5"), [CMDLEN],
                     id="bind-whose-last-string-has-no-nul"),
        pytest.param(raw(9, 0, 1, b"me\0longer-than-8\0\0\x34\0\0\0"), BindTransceiver("me", "longer-than-8"),
                     [Status.ESME_RINVPASWD], id="long-password"),
        pytest.param(raw(0x0B, 0, 1, b"smsc\0"), Outbind("smsc"), [CMDLEN], id="outbind-without-password"),
        # messages
        pytest.param(short(5, b"\x05hello"), deliver(b"hello"), [], id="plain"),
        pytest.param(short(5, b"\x05hello", status=8), deliver(b"hello"), [], id="request-with-a-status"),
        pytest.param(short(5, b"\x09hello"), deliver(b"hello"), [Status.ESME_RINVMSGLEN], id="sm-length-too-large"),
        pytest.param(short(5, b"\x05hello\0\0\0\0\0"), deliver(b"hello"), [TLVSTREAM], id="surplus-nuls"),
        pytest.param(short(5, b"\x05hello\x14"), deliver(b"hello"), [TLVSTREAM], id="surplus-octet"),
        pytest.param(short(5, b"\x05hello" + bytes.fromhex("0427000102 14 00")), deliver(b"hello", (0x0427, b"\2")),
                     [TLVSTREAM], id="surplus-after-tlvs"),
        pytest.param(short(5, bytes.fromhex("00 0427000102 04240005") + b"hell"), deliver(b"", (0x0427, b"\2")),
                     [TLVSTREAM], id="tlv-past-the-end"),
        pytest.param(short(5, bytes.fromhex("00 1401000141")), deliver(b"", (0x1401, b"A")), [], id="vendor-tlv"),
        pytest.param(short(5, bytes.fromhex("00 00000001ff")), deliver(b"", (0, b"\xff")), [TLVSTREAM],
                     id="tlv-of-tag-0"),
        pytest.param(short(5, bytes.fromhex("00 06090010") + b"260131093000004+"),
                     deliver(b"", (0x0609, b"260131093000004+")), [], id="end-time-without-nul"),
        pytest.param(short(5, bytes.fromhex("00 001e0003") + b"abc"), deliver(b"", (0x001E, b"abc")), [TLVVAL],
                     id="id-tlv-without-nul"),
        pytest.param(short(5, bytes.fromhex("00 042700020002")), deliver(b"", (0x0427, b"\0\2")), [TLVLEN],
                     id="int-tlv-too-wide"),
        pytest.param(short(5, bytes.fromhex("00 020c000105")), deliver(b"", (0x020C, b"\5")), [TLVLEN],
                     id="int-tlv-too-narrow"),
        pytest.param(short(5, bytes.fromhex("00 04240002") + b"Hi"), deliver(b"", (0x0424, b"Hi")), [], id="payload"),
        pytest.param(short(5, bytes.fromhex("024869 04240002") + b"Hi"), deliver(b"Hi", (0x0424, b"Hi")),
                     [Status.ESME_RTLVNOTALLWD], id="text-twice"),
        pytest.param(short(5, source=b"+250 788 123"), deliver(source="+250 788 123"), [], id="plus-and-blanks"),
        pytest.param(short(5, source=b"x" * 21), deliver(source="x" * 21), [Status.ESME_RINVSRCADR],
                     id="sender-of-21"),
        pytest.param(raw(4, 0, 1, bytes(6) + b"3" * 21 + bytes(11)), SubmitSm(destination_addr="3" * 21),
                     [Status.ESME_RINVDSTADR], id="recipient-of-21"),
        pytest.param(short(5, dates=(b"1" * 32 + b"\0\0").hex()),
                     DeliverSm("", 1, 1, "12", 1, 1, "34", schedule_delivery_time="1" * 32),
                     [Status.ESME_RINVSCHED], id="long-schedule"),
        pytest.param(short(5, head="61626364656600"), DeliverSm("abcdef", 1, 1, "12", 1, 1, "34"),
                     [Status.ESME_RINVSERTYP], id="service-type-of-6"),
        pytest.param(short(5, dates=(b"26013109300000\0" + b"\0").hex()),
                     DeliverSm("", 1, 1, "12", 1, 1, "34", schedule_delivery_time="26013109300000"),
                     [Status.ESME_RINVSCHED], id="short-schedule"),
        pytest.param(short(5, dates=(b"\0" + b"1" * 32 + b"\0").hex()),
                     DeliverSm("", 1, 1, "12", 1, 1, "34", validity_period="1" * 32),
                     [Status.ESME_RINVEXPIRY], id="long-validity"),
        pytest.param(short(5, b"\x02\x05\x00"), deliver(b"\5\0"), [], id="udh-without-udhi"),
        pytest.param(short(5, b"\x02Hi", esm_class=0x44), deliver(b"Hi", esm_class=0x44), [], id="udhi-without-udh"),
        pytest.param(short(5, bytes.fromhex("0a 050003010201 54657874 020c00020001"), esm_class=0x40),
                     deliver(b"\5\0\3\1\2\1Text", (0x020C, b"\0\1"), esm_class=0x40), [], id="udh-and-sar"),
        pytest.param(short(4, b"\xff" + b"x" * 255), SubmitSm("", 1, 1, "12", 1, 1, "34", short_message=b"x" * 255), [],
                     id="255-octets"),
        pytest.param(raw(0x103, 0, 1, bytes.fromhex("00 0000 00 0000 00 04 00 00 001e000231000427000102")),
                     DataSm(esm_class=4, tlvs=((0x001E, b"1\0"), (0x0427, b"\2"))), [], id="receipt-over-data-sm"),
    ],
)  # fmt: skip
def test_tolerated(octets: bytes, pdu: Pdu, flaws: list[int]) -> None:
    found = decode(octets)
    assert found.pdu == pdu
    assert [flaw.status for flaw in found.flaws] == flaws
    assert (found.status, found.sequence) == (int.from_bytes(octets[8:12], "big"), int.from_bytes(octets[12:16], "big"))


def test_flaws_of_all_kinds_are_told_together() -> None:
    octets = raw(4, 0, 1, b"abcdef\0" + b"\1\1" + b"1" * 30 + b"\0" + bytes(12) + bytes.fromhex("09 41"))
    found = decode(octets)
    assert [flaw.status for flaw in found.flaws] == [
        Status.ESME_RINVSERTYP,
        Status.ESME_RINVSRCADR,
        Status.ESME_RINVMSGLEN,
    ]
    assert "1111" not in str(found)


@pytest.mark.parametrize(
    ("octets", "status", "reason"),
    [
        pytest.param(raw(0x0999), 0x03, "unknown command_id 0x00000999", id="unknown-command"),
        pytest.param(raw(0x10200), 0x03, "0x00010200", id="vendor-command"),
        pytest.param(raw(0x80000999), 0x03, "0x80000999", id="unknown-response"),
        pytest.param(raw(5), CMDLEN, "source_addr_ton", id="no-body"),
        pytest.param(short(5)[:-1], 0x02, "command_length", id="frame-cut-short"),
        pytest.param(raw(5, 0, 1, short(5)[16:-1]), CMDLEN, "sm_length", id="no-sm-length"),
        pytest.param(raw(5, 0, 1, short(5)[16:-4]), CMDLEN, "replace_if_present_flag", id="ends-in-the-middle"),
        pytest.param(raw(9, 0, 1, b"x" * 300), CMDLEN, "system_id", id="endless-string"),
        pytest.param(raw(SUBMIT_RESP, 0, 1, b"x" * 256 + b"\0"), CMDLEN, "message_id", id="endless-id"),
        pytest.param(raw(0x21, 0, 1, b"\0\0\0\0\x01\x07"), Status.ESME_RINVDESTFLAG, "dest_flag is 7",
                     id="bad-dest-flag"),
        pytest.param(raw(0x21, 0, 1, b"\0\0\0\0\x02\x01\1\1" + b"4\0"), CMDLEN, "dest_flag", id="missing-destination"),
        pytest.param(raw(0x80000021, 0, 1, b"1\0\x01\1\1" + b"4\0\0\0"), CMDLEN, "error_status_code",
                     id="failure-without-code"),
        pytest.param(raw(0x80000023, 0, 1, b"\x02" + b"1\0"), CMDLEN, "message_id", id="missing-id"),
    ],
)  # fmt: skip
def test_unreadable(octets: bytes, status: int, reason: str) -> None:
    with pytest.raises(SmppDecodeError, match=reason) as caught:
        decode(octets)
    assert caught.value.status == status
    assert caught.value.reason == str(caught.value)
    assert (caught.value.command_id, caught.value.sequence) == (int.from_bytes(octets[4:8], "big"), 1)
