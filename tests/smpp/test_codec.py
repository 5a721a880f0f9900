"""Octets <-> PDUs: known frames, everything there and back, and what deployed SMSCs do wrong."""

from __future__ import annotations

import dataclasses
import itertools
import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smsc_relay.smpp import pdus
from smsc_relay.smpp.codec import LIMITS_33, LIMITS_34, LIMITS_50, LIMITS_GENEROUS, Decoded, FrameReader, decode, encode
from smsc_relay.smpp.constants import TLVS, Status, Tag, TlvKind
from smsc_relay.smpp.errors import SmppDecodeError, SmppEncodeError, SmppFramingError
from smsc_relay.smpp.layouts import LAYOUTS, Item, Kind
from smsc_relay.smpp.pdus import (
    BindTransceiver,
    DeliverSm,
    DistributionList,
    Pdu,
    QueryLastMsgsResp,
    SmeAddress,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    UnsuccessSme,
    int_tlv,
    octets_tlv,
    text_tlv,
)
from tests.smpp.frames import FRAMES


@pytest.mark.parametrize("name", FRAMES)
def test_known_frames_there_and_back(name: str) -> None:
    frame = bytes.fromhex(FRAMES[name])
    pdu, sequence, status, flaws = decode(frame)
    assert flaws == ()
    assert encode(pdu, sequence, status, LIMITS_GENEROUS) == frame


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bind-transceiver-system-id-esme01-password-secret", BindTransceiver("esme01", "secret")),
        ("submit-sm-ucs-2-surrogate-text-u1f600-data-coding", SubmitSm(
            source_addr_ton=1, source_addr_npi=1, source_addr="447700900001", dest_addr_ton=1, dest_addr_npi=1,
            destination_addr="447700900123", registered_delivery=1, data_coding=8,
            short_message="é€😀".encode("utf-16-be"))),
        ("submit-sm-resp-rthrottled-header-only", SubmitSmResp(None)),
        ("deliver-sm-mo", DeliverSm(
            source_addr_ton=1, source_addr_npi=1, source_addr="447700900123", dest_addr_ton=6,
            destination_addr="8080", short_message=b"STOP")),
        ("submit-sm-sar-tlvs", SubmitSm(
            source_addr_ton=5, source_addr="ACME", dest_addr_ton=1, dest_addr_npi=1, destination_addr="447700900123",
            short_message=b"Part one", tlvs=(int_tlv(Tag.SAR_MSG_REF_NUM, 0x012A), int_tlv(Tag.SAR_TOTAL_SEGMENTS, 2),
                                             int_tlv(Tag.SAR_SEGMENT_SEQNUM, 1)))),
        ("submit-multi-one-number-distribution-list-staff", SubmitMulti(
            source_addr_ton=5, source_addr="ACME",
            dest_address=(SmeAddress(1, 1, "447700900123"), DistributionList("STAFF")), short_message=b"Hi")),
    ],
)  # fmt: skip
def test_known_frames_say(name: str, expected: Pdu) -> None:
    (frame,) = [value for key, value in FRAMES.items() if key.startswith(name)]
    assert decode(bytes.fromhex(frame)).pdu == expected


# --- there and back -------------------------------------------------------------------------------------------------

_octet = st.integers(0, 255)


def _text(limit: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=limit - 1)


_tlv = st.tuples(st.integers(1, 0xFFFF), st.binary(max_size=40))
_values: dict[Kind, Any] = {
    Kind.INT1: _octet,
    Kind.DATE: st.sampled_from(["", "260131093000004+", "000002030000000R"]),
    Kind.OCTETS: st.binary(max_size=254),
    Kind.DESTINATIONS: st.lists(
        st.builds(SmeAddress, _octet, _octet, _text(21)) | st.builds(DistributionList, _text(21)), max_size=5
    ).map(tuple),
    Kind.UNSUCCESS: st.lists(
        st.builds(UnsuccessSme, _octet, _octet, _text(21), st.integers(0, 2**32 - 1)), max_size=5
    ).map(tuple),
    Kind.IDS: st.lists(_text(65), max_size=5).map(tuple),
}


def _value(item: Item) -> Any:
    return _text(min(getattr(LIMITS_34, item.limit), 65)) if item.kind is Kind.CSTR else _values[item.kind]


_any_pdu = st.sampled_from(pdus.ALL).flatmap(
    lambda kind: st.builds(
        kind, **{item.name: _value(item) for item in LAYOUTS[kind]}, tlvs=st.lists(_tlv, max_size=4).map(tuple)
    )
)


@given(pdu=_any_pdu, sequence=st.integers(0, 2**32 - 1), status=st.integers(0, 2**32 - 1))
@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
def test_there_and_back(pdu: Any, sequence: int, status: int) -> None:
    first = LAYOUTS[type(pdu)][0].name if LAYOUTS[type(pdu)] else ""
    if first and pdu.command_id >> 31 and str(getattr(pdu, first))[:1] < " ":
        # An id of control characters could also be read as TLVs, and is: no SMSC gives one.
        pdu = dataclasses.replace(pdu, tlvs=(), **({first: "id"} if isinstance(getattr(pdu, first), str) else {}))
    frame = encode(pdu, sequence, status)
    if not isinstance(pdu, QueryLastMsgsResp) or pdu.message_id:
        assert decode(frame) == Decoded(pdu, sequence, status, ())


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=6))
@settings(max_examples=300)
def test_any_octets_cut_anywhere(data: bytes, cuts: list[int]) -> None:
    """Frames or a framing error, the same however they are cut; a frame is a PDU or a decode error."""

    def read(pieces: list[bytes]) -> list[object]:
        reader, found = FrameReader(max_pdu=200), list[object]()
        for piece in pieces:
            reader.feed(piece)
            try:
                while (frame := reader.next_frame()) is not None:
                    found.append(frame)
            except SmppFramingError as error:
                return [*found, error.length]
        return found

    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert read([data[a:b] for a, b in itertools.pairwise(edges)]) == read([data])


@given(kind=st.sampled_from(pdus.ALL), body=st.binary(max_size=120), status=st.sampled_from([0, 8, 0x58]))
@settings(max_examples=1000)
def test_any_body_is_a_pdu_or_a_decode_error(kind: type[Pdu], body: bytes, status: int) -> None:
    frame = struct.pack(">IIII", 16 + len(body), kind.command_id, status, 7) + body
    try:
        found = decode(frame)
        told = (found.sequence, found.pdu.command_id, found.status)
    except SmppDecodeError as error:
        told = (error.sequence, error.command_id, error.command_status)
    assert told == (7, kind.command_id, status)


# --- what SMSCs do wrong --------------------------------------------------------------------------------------------


def frame(command_id: int, body: bytes, status: int = 0) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command_id, status, 1) + body


SHORT = bytes.fromhex("00 01 01 3132 00 01 01 3334 00 00 00 00 00 00 00 00 00 00".replace(" ", ""))


@pytest.mark.parametrize(
    ("octets", "pdu", "flaws"),
    [
        pytest.param(frame(0x80000004, b"", 0x45), SubmitSmResp(None), [], id="refusal-without-body"),
        pytest.param(frame(0x80000004, b"\0", 0x45), SubmitSmResp(""), [], id="refusal-with-one-nul"),
        pytest.param(frame(0x80000004, b"abc\0", 0x45), SubmitSmResp("abc"), [], id="refusal-with-an-id"),
        pytest.param(frame(0x80000004, bytes.fromhex("0425000102"), 0x45),
                     SubmitSmResp(None, (int_tlv(Tag.DELIVERY_FAILURE_REASON, 2),)), [], id="refusal-with-tlvs-only"),
        pytest.param(frame(0x80000004, bytes.fromhex("000428000150")),
                     SubmitSmResp("", (int_tlv(Tag.CONGESTION_STATE, 80),)), [], id="no-id-and-tlvs"),
        pytest.param(frame(0x80000004, bytes.fromhex("001d0002 4100".replace(" ", "")), 0x45),
                     SubmitSmResp(None, (text_tlv(Tag.ADDITIONAL_STATUS_INFO_TEXT, "A"),)), [],
                     id="tag-begins-with-nul"),
        pytest.param(frame(0x80000004, b"x" * 200 + b"\0"), SubmitSmResp("x" * 200), [], id="long-id"),
        pytest.param(frame(0x80000004, b"abc"), SubmitSmResp("abc"), [Status.ESME_RINVCMDLEN], id="id-without-nul"),
        pytest.param(frame(0x80000009, b""), pdus.BindTransceiverResp(None), [], id="bind-response-without-body"),
        pytest.param(frame(0x80000009, bytes.fromhex("0002100000")),
                     pdus.BindTransceiverResp("", ((0x0210, b""),)), [], id="empty-version-tlv"),
        pytest.param(frame(0x80000005, b"77\0"), pdus.DeliverSmResp("77"), [], id="deliver-response-with-id"),
        pytest.param(frame(5, SHORT + b"\x05hello"), DeliverSm("", 1, 1, "12", 1, 1, "34", short_message=b"hello"), [],
                     id="plain"),
        pytest.param(frame(5, SHORT + b"\x09hello"), DeliverSm("", 1, 1, "12", 1, 1, "34", short_message=b"hello"),
                     [Status.ESME_RINVMSGLEN], id="sm-length-too-large"),
        pytest.param(frame(5, SHORT + b"\x05hello\0\0\0\0\0"), DeliverSm("", 1, 1, "12", 1, 1, "34",
                     short_message=b"hello"), [Status.ESME_RINVTLVSTREAM], id="surplus-nuls"),
        pytest.param(frame(5, SHORT + b"\x05hello\x14"), DeliverSm("", 1, 1, "12", 1, 1, "34",
                     short_message=b"hello"), [Status.ESME_RINVTLVSTREAM], id="surplus-octet"),
        pytest.param(frame(5, SHORT + b"\x00" + bytes.fromhex("04240005") + b"hell"),
                     DeliverSm("", 1, 1, "12", 1, 1, "34"), [Status.ESME_RINVTLVSTREAM], id="tlv-past-the-end"),
        pytest.param(frame(5, SHORT + b"\x00" + bytes.fromhex("1401000141")),
                     DeliverSm("", 1, 1, "12", 1, 1, "34", tlvs=((0x1401, b"A"),)), [], id="vendor-tlv"),
        pytest.param(frame(5, SHORT[:-5] + b"26013109300000" + b"\0" + SHORT[-4:] + b"\0"),
                     DeliverSm("", 1, 1, "12", 1, 1, "34", validity_period="26013109300000"),
                     [Status.ESME_RINVEXPIRY], id="short-date"),
    ],
)  # fmt: skip
def test_tolerated(octets: bytes, pdu: Pdu, flaws: list[int]) -> None:
    found = decode(octets)
    assert found.pdu == pdu
    assert [flaw.status for flaw in found.flaws][: len(flaws) or 1] == flaws


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        pytest.param(b"\0\0\0\x10", Status.ESME_RINVCMDLEN, id="no-header"),
        pytest.param(frame(0x00000999, b""), Status.ESME_RINVCMDID, id="unknown-command"),
        pytest.param(frame(5, b""), Status.ESME_RINVCMDLEN, id="no-body"),
        pytest.param(frame(5, SHORT[:-3]), Status.ESME_RINVCMDLEN, id="ends-in-the-middle"),
        pytest.param(frame(9, b"x" * 300), Status.ESME_RINVCMDLEN, id="endless-string"),
        pytest.param(frame(0x21, b"\0\0\0\0\x01\x07"), Status.ESME_RINVDESTFLAG, id="bad-dest-flag"),
    ],
)
def test_unreadable(octets: bytes, status: int) -> None:
    with pytest.raises(SmppDecodeError) as caught:
        decode(octets)
    assert caught.value.status == status


@pytest.mark.parametrize("length", [0, 15, 66_561, 0xFFFFFFFF])
def test_a_length_that_cannot_be_ends_it(length: int) -> None:
    reader = FrameReader()
    reader.feed(encode(pdus.EnquireLink(), 1) + length.to_bytes(4, "big"))
    assert reader.next_frame() is not None
    for _ in range(2):
        with pytest.raises(SmppFramingError):
            reader.next_frame()


@pytest.mark.parametrize(
    ("pdu", "field", "limits"),
    [
        (BindTransceiver(password="123456789"), "password", LIMITS_34),
        (BindTransceiver(system_id="x" * 16), "system_id", LIMITS_34),
        (SubmitSm(source_addr="x" * 21), "source_addr", LIMITS_34),
        (SubmitSm(source_addr="قناة"), "source_addr", LIMITS_34),
        (SubmitSm(service_type="a\0b"), "service_type", LIMITS_34),
        (SubmitSm(short_message=b"x" * 255), "short_message", LIMITS_34),
        (SubmitSm(short_message=b"x" * 161), "short_message", LIMITS_33),
        (SubmitSm(short_message=b"x" * 256), "short_message", LIMITS_50),
        (SubmitSm(validity_period="26013109300000"), "validity_period", LIMITS_34),
        (SubmitSm(data_coding=256), "data_coding", LIMITS_34),
        (SubmitSm(esm_class=-1), "esm_class", LIMITS_34),
        (SubmitSmResp("x" * 9), "message_id", LIMITS_33),
        (SubmitMulti(dest_address=(SmeAddress(),) * 255), "dest_address", LIMITS_34),
    ],
)
def test_what_does_not_fit_is_refused_by_name(pdu: Pdu, field: str, limits: Any) -> None:
    with pytest.raises(SmppEncodeError) as caught:
        encode(pdu, 1, 0, limits)
    assert (caught.value.pdu, caught.value.field) == (type(pdu).__name__, field)
    assert "xxx" not in str(caught.value)


@pytest.mark.parametrize("tag", TLVS)
def test_tlvs_keep_to_their_lengths(tag: int) -> None:
    spec = TLVS[tag]
    for size in (spec.minimum, spec.maximum):
        assert octets_tlv(tag, b"1" * size) == (tag, b"1" * size)
    with pytest.raises(SmppEncodeError):
        octets_tlv(tag, b"1" * (spec.maximum + 1))
    if spec.kind is TlvKind.INT and spec.minimum:
        assert int_tlv(tag, 1)[1] == (1).to_bytes(spec.minimum, "big")
        with pytest.raises(SmppEncodeError):
            int_tlv(tag, 1 << 8 * spec.minimum)


def test_tlvs_are_read_as_asked() -> None:
    pdu = DeliverSm(tlvs=((0x1400, b"a"), (0x001E, b"id\0x"), (0x0427, b"\0\0\x02"), (0x1400, b"b"), (0x0428, b"")))
    assert pdu.tlvs_all(0x1400) == [b"a", b"b"]
    assert pdu.tlv_text(Tag.RECEIPTED_MESSAGE_ID) == "id"
    assert pdu.tlv_int(Tag.MESSAGE_STATE) == 2
    assert pdu.tlv_int(Tag.CONGESTION_STATE) is None
    assert pdu.tlv(Tag.SAR_MSG_REF_NUM) is None


def test_a_repr_shows_no_values() -> None:
    pdu = SubmitSm(source_addr="ACME", destination_addr="447700900123", short_message=b"Hi", tlvs=((0x424, b"Hi"),))
    shown = repr(pdu) + repr(BindTransceiver("esme01", "secret")) + repr(SmeAddress(1, 1, "447700900123"))
    for value in ("ACME", "447700900123", "Hi", "esme01", "secret"):
        assert value not in shown
