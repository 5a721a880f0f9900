"""Octets <-> PDUs: known frames, everything there and back, limits, and octets that are anything."""

from __future__ import annotations

import itertools
import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from smsc_relay.smpp import pdus
from smsc_relay.smpp.codec import (
    LIMITS_33,
    LIMITS_34,
    LIMITS_50,
    LIMITS_GENEROUS,
    Decoded,
    FrameReader,
    Limits,
    decode,
    encode,
)
from smsc_relay.smpp.constants import DEFAULT_MAX_PDU, RESPONSE_BIT, TLVS, Status
from smsc_relay.smpp.errors import SmppDecodeError, SmppEncodeError, SmppFramingError
from smsc_relay.smpp.layouts import LAYOUTS, Item, Kind
from smsc_relay.smpp.pdus import (
    BindTransceiver,
    DataSm,
    DeliverSm,
    DistributionList,
    EnquireLink,
    Pdu,
    QueryLastMsgsResp,
    QueryMsgDetails,
    QueryMsgDetailsResp,
    SmeAddress,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    UnsuccessSme,
    int_tlv,
)
from tests.smpp import arbitrary
from tests.smpp.frames import FRAMES

SECRET = "s3cr3t"

# --- known frames ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FRAMES)
def test_known_frames_there_and_back(name: str) -> None:
    frame = bytes.fromhex(FRAMES[name])
    pdu, sequence, status, flaws = decode(frame)
    assert flaws == ()
    assert encode(pdu, sequence, status) == frame
    assert decode(memoryview(frame)) == decode(frame)


@pytest.mark.parametrize(
    ("name", "sequence", "status", "expected"),
    [
        ("bind-transceiver-system-id-esme01-password-secret", 1, 0, BindTransceiver("esme01", "secret")),
        ("bind-transmitter-resp-error", 1, 0x0E, pdus.BindTransmitterResp(None)),
        ("submit-sm-ucs-2-surrogate-text-u1f600-data-coding", 4, 0, SubmitSm(
            source_addr_ton=1, source_addr_npi=1, source_addr="447700900001", dest_addr_ton=1, dest_addr_npi=1,
            destination_addr="447700900123", registered_delivery=1, data_coding=8,
            short_message="é€😀".encode("utf-16-be"))),
        ("submit-sm-schedule-relative-validity-schedule-2026", 9, 0, SubmitSm(
            "CMT", 5, 0, "ACME", 1, 1, "447700900123", 0, 0, 1, "260131093000004+", "000002030000000R", 0x11,
            short_message=b"Later")),
        ("submit-sm-resp-rthrottled-header-only", 3, 0x58, SubmitSmResp(None)),
        ("submit-sm-resp-5-0-congestion-state-90-nearing-con", 0x12, 0, SubmitSmResp("0a1b2c40", ((0x0428, b"Z"),))),
        ("deliver-sm-mo", 0x65, 0, DeliverSm(
            source_addr_ton=1, source_addr_npi=1, source_addr="447700900123", dest_addr_ton=6,
            destination_addr="8080", short_message=b"STOP")),
        ("submit-sm-sar-tlvs", 7, 0, SubmitSm(
            source_addr_ton=5, source_addr="ACME", dest_addr_ton=1, dest_addr_npi=1, destination_addr="447700900123",
            short_message=b"Part one", tlvs=((0x020C, b"\x01\x2a"), (0x020E, b"\x02"), (0x020F, b"\x01")))),
        ("submit-multi-one-number-distribution-list-staff", 0x10, 0, SubmitMulti(
            source_addr_ton=5, source_addr="ACME",
            dest_address=(SmeAddress(1, 1, "447700900123"), DistributionList("STAFF")), short_message=b"Hi")),
        ("submit-multi-resp-one-failure-rinvdstadr", 0x10, 0, SubmitMultiResp(
            "0a1b2c3e", (UnsuccessSme(1, 1, "447700900123", 0x0B),))),
        ("query-sm-resp", 0x0D, 0, pdus.QuerySmResp("0a1b2c3d", "260131093100004+", 2, 0)),
        ("cancel-sm", 0x0E, 0, pdus.CancelSm("", "0a1b2c3d", 5, 0, "ACME", 1, 1, "447700900123")),
        ("alert-notification", 0xC8, 0, pdus.AlertNotification(1, 1, "447700900123", 1, 1, "447700900001",
                                                              ((0x0422, b"\0"),))),
    ],
)  # fmt: skip
def test_known_frames_say(name: str, sequence: int, status: int, expected: Pdu) -> None:
    assert decode(bytes.fromhex(FRAMES[name])) == Decoded(expected, sequence, status, ())


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        pytest.param("00000022 00000024 00000000 00000007 3100 010135353500 a0", QueryMsgDetails("1", 1, 1, "555", 160),
                     id="query-msg-details"),
        pytest.param(
            "00000041 80000024 00000000 00000007 00 0101353500 01 01010136 00 0001 00 00 01 00 024869 3100 "
            "3236303133313039333030303030342b00 0200",
            QueryMsgDetailsResp("", 1, 1, "55", (SmeAddress(1, 1, "6"),), 0, 1, "", "", 1, 0, b"Hi", "1",
                                "260131093000004+", 2, 0), id="query-msg-details-resp"),
        pytest.param("00000016 80000023 00000000 00000007 02 3100 323200", QueryLastMsgsResp(("1", "22")),
                     id="query-last-msgs-resp"),
        pytest.param("00000014 80000023 00000000 00000007 03 000000", QueryLastMsgsResp(("", "", "")),
                     id="query-last-msgs-resp-like-a-tlv"),
        pytest.param("00000018 00000022 00000000 00000007 6d61785f6d7300", pdus.ParamRetrieve("max_ms"),
                     id="param-retrieve"),
    ],
)  # fmt: skip
def test_frames_of_33(frame: str, expected: Pdu) -> None:
    octets = bytes.fromhex(frame)
    octets = len(octets).to_bytes(4, "big") + octets[4:]
    assert decode(octets) == Decoded(expected, 7, 0, ())
    assert encode(expected, 7) == octets


# --- there and back -------------------------------------------------------------------------------------------------

_uint32 = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("kind", pdus.ALL, ids=lambda kind: kind.__name__)
@given(data=st.data(), sequence=_uint32, status=_uint32)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_there_and_back(kind: type[Pdu], data: st.DataObject, sequence: int, status: int) -> None:
    pdu = data.draw(arbitrary.of(kind))
    assert decode(encode(pdu, sequence, status)) == Decoded(pdu, sequence, status, ())


@pytest.mark.parametrize("kind", [kind for kind in pdus.ALL if kind.command_id & RESPONSE_BIT and LAYOUTS[kind]],
                         ids=lambda kind: kind.__name__)  # fmt: skip
@pytest.mark.parametrize("status", [0, 0x45])
def test_a_response_without_a_body(kind: type[Pdu], status: int) -> None:
    pdu = kind(**{LAYOUTS[kind][0].name: None})
    assert encode(pdu, 5, status) == struct.pack(">IIII", 16, kind.command_id, status, 5)
    assert decode(encode(pdu, 5, status)) == Decoded(pdu, 5, status, ())


@pytest.mark.parametrize("tag", [*TLVS, 0x1400, 0x1401, 0x1FFF])
def test_a_response_with_tlvs_and_without_a_body(tag: int) -> None:
    value = b"\0" * TLVS[tag].minimum if tag in TLVS else b"mno"
    assert decode(encode(SubmitSmResp(None, ((tag, value),)), 1, 8)).pdu == SubmitSmResp(None, ((tag, value),))
    assert decode(encode(SubmitSmResp("", ((tag, value),)), 1, 8)).pdu == SubmitSmResp("", ((tag, value),))


def test_tlvs_stay_in_order_known_or_not() -> None:
    tlvs = ((0x1401, b"a"), (0x020A, b"\0\1"), (0x3FFF, b""), (0x1401, b"b"), (0xFFFF, b"z"), (0x0001, b"1"))
    assert decode(encode(DeliverSm(short_message=b"x", tlvs=tlvs), 1)).pdu.tlvs == tlvs


def test_a_whole_64_kib_payload() -> None:
    pdu = DataSm(tlvs=((0x0424, b"x" * 0xFFFF),))
    frame = encode(pdu, 1)
    reader = FrameReader()
    reader.feed(frame)
    assert reader.next_frame() == frame
    assert decode(frame) == Decoded(pdu, 1, 0, ())


# --- octets that are anything ---------------------------------------------------------------------------------------


def _checked(frame: bytes) -> None:
    """A frame is a PDU or a decode error with what its header says; what has no flaw is written the same."""
    _, command_id, status, sequence = struct.unpack_from(">IIII", frame)
    flawless: Pdu | None
    answer: int | None
    try:
        found = decode(frame)
    except SmppDecodeError as error:
        flawless, answer = None, error.status
        told = (error.sequence, error.command_id, error.command_status)
    else:
        flawless, answer = None if found.flaws else found.pdu, None
        told = (found.sequence, found.pdu.command_id, found.status)
    assert told == (sequence, command_id, status)
    assert answer != Status.ESME_ROK
    refusal = command_id & RESPONSE_BIT and status
    if flawless and not refusal:
        assert encode(flawless, sequence, status, LIMITS_GENEROUS) == frame


@given(
    kind=st.sampled_from(pdus.ALL),
    body=st.binary(max_size=120) | st.lists(st.sampled_from(b"\0\1\2\4\x0a1A"), max_size=60).map(bytes),
    status=st.sampled_from([0, 8, 0x58]),
)
@settings(max_examples=1000, deadline=None)
def test_any_body_is_a_pdu_or_a_decode_error(kind: type[Pdu], body: bytes, status: int) -> None:
    _checked(struct.pack(">IIII", 16 + len(body), kind.command_id, status, 7) + body)


@given(name=st.sampled_from(sorted(FRAMES)), data=st.data())
@settings(max_examples=500, deadline=None)
def test_known_frames_damaged(name: str, data: st.DataObject) -> None:
    frame = bytearray.fromhex(FRAMES[name])
    for at in data.draw(st.lists(st.integers(4, len(frame) - 1), max_size=4)):
        frame[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del frame[data.draw(st.integers(16, len(frame))) :]
    frame += data.draw(st.binary(max_size=8))
    frame[:4] = len(frame).to_bytes(4, "big")
    _checked(bytes(frame))


@settings(deadline=None)
@given(frame=st.binary(max_size=60))
@example(frame=b"")
@example(frame=bytes.fromhex("00000010000000150000000000000001") + b"\0")
def test_any_octets_as_a_frame(frame: bytes) -> None:
    if len(frame) < 16 or int.from_bytes(frame[:4], "big") != len(frame):
        with pytest.raises(SmppDecodeError) as caught:
            decode(frame)
        assert caught.value.status == 0x02
    else:
        _checked(frame)


def _read(pieces: list[bytes], max_pdu: int) -> list[object]:
    """What a reader makes of octets that come in pieces."""
    reader, found = FrameReader(max_pdu), list[object]()
    for piece in pieces:
        reader.feed(piece)
        try:
            while (frame := reader.next_frame()) is not None:
                found.append(frame)
        except SmppFramingError as error:
            return [*found, error.length]
    return found


@given(
    bodies=st.lists(st.binary(max_size=40), max_size=6),
    tail=st.sampled_from([None, 0, 15, 57, 2**32 - 1]),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
@settings(max_examples=300, deadline=None)
def test_frames_cut_anywhere(bodies: list[bytes], tail: int | None, cuts: list[int]) -> None:
    frames = [(16 + len(body)).to_bytes(4, "big") + b"\0" * 12 + body for body in bodies]
    stream, expected = b"".join(frames), list[object](frames)
    if tail is not None:
        stream += tail.to_bytes(4, "big") + b"whatever follows"
        expected.append(tail)
    edges = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    assert _read([stream[a:b] for a, b in itertools.pairwise(edges)], 56) == expected
    assert _read([stream[at : at + 1] for at in range(len(stream))], 56) == expected


@settings(deadline=None)
@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=6))
def test_any_octets_cut_anywhere(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert _read([data[a:b] for a, b in itertools.pairwise(edges)], 0xFFFF) == _read([data], 0xFFFF)


@pytest.mark.parametrize("length", [0, 15, DEFAULT_MAX_PDU + 1, 0xFFFFFFFF])
def test_a_length_that_cannot_be_ends_it(length: int) -> None:
    reader = FrameReader()
    reader.feed(encode(EnquireLink(), 1) + length.to_bytes(4, "big"))
    assert reader.next_frame() == encode(EnquireLink(), 1)
    for _ in range(2):
        with pytest.raises(SmppFramingError, match=f"{length} is outside 16..66560") as caught:
            reader.next_frame()
        assert caught.value.length == length
        reader.feed(encode(EnquireLink(), 2))


def test_the_shortest_and_the_longest_frame() -> None:
    frames = [b"\0\0\0\x10" + b"x" * 12, b"\0\0\0\x40" + b"x" * 60]
    assert _read([b"".join(frames)], 64) == frames


# --- limits ---------------------------------------------------------------------------------------------------------

_LIMITS = {"33": LIMITS_33, "34": LIMITS_34, "50": LIMITS_50, "generous": LIMITS_GENEROUS}
_FIELDS = [
    pytest.param(kind, item, limits, id=f"{kind.__name__}-{item.name}-{version}")
    for kind in pdus.ALL
    for item in LAYOUTS[kind]
    for version, limits in _LIMITS.items()
]


def _edges(item: Item, limits: Limits) -> tuple[list[Any], list[Any]]:
    """Values of a field that just fit, and values that just do not."""
    most = getattr(limits, item.limit) if item.limit else 0
    if item.kind is Kind.CSTR:
        return ["", "x" * (most - 1), "\xff" * (most - 1)], ["x" * most, "x" * (most - 1) + "\0", "قناة", "a\0b"]
    if item.kind is Kind.INT1:
        return [0, 255], [-1, 256]
    if item.kind is Kind.DATE:
        return ["", "1" * 16], ["1", "1" * 15, "1" * 17, "1" * 32, "1" * 15 + "\0", "قناةقناةقناةقناة"]
    if item.kind is Kind.OCTETS:
        return [b"", b"x" * most], [b"x" * (most + 1)]
    if item.kind is Kind.IDS:
        longest = "x" * (limits.message_id - 1)
        return [(), (longest,) * 255], [("",) * 256, (longest + "x",)]
    entry: Any = SmeAddress if item.kind is Kind.DESTINATIONS else UnsuccessSme
    number = limits.destinations if item.kind is Kind.DESTINATIONS else 255
    return [(), (entry(255, 255, "x" * (limits.address - 1)),) * number], [(entry(),) * (number + 1)]


@pytest.mark.parametrize(("kind", "item", "limits"), _FIELDS)
def test_every_field_to_its_limit_and_not_beyond(kind: type[Pdu], item: Item, limits: Limits) -> None:
    fits, does_not = _edges(item, limits)
    for value in fits:
        pdu = kind(**{item.name: value})
        assert decode(encode(pdu, 1, 0, limits)).pdu == pdu
    for value in does_not:
        with pytest.raises(SmppEncodeError) as caught:
            encode(kind(**{item.name: value}), 1, 0, limits)
        assert (caught.value.pdu, caught.value.field) == (kind.__name__, item.name)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (LIMITS_33, (16, 9, 13, 41, 6, 21, 9, 160, 254)),
        (LIMITS_34, (16, 9, 13, 41, 6, 21, 65, 254, 254)),
        (LIMITS_50, (16, 9, 13, 41, 6, 21, 65, 255, 255)),
    ],
)
def test_limits_of_the_versions(limits: Limits, expected: tuple[int, ...]) -> None:
    assert (
        limits.system_id, limits.password, limits.system_type, limits.address_range, limits.service_type,
        limits.address, limits.message_id, limits.short_message, limits.destinations,
    ) == expected  # fmt: skip


@pytest.mark.parametrize(
    ("pdu", "field"),
    [
        (SubmitMulti(dest_address=(DistributionList("x" * 21),)), "dl_name"),
        (SubmitMulti(dest_address=(SmeAddress(0, 0, "x" * 21),)), "destination_addr"),
        (SubmitMulti(dest_address=(SmeAddress(256),)), "dest_addr_ton"),
        (SubmitMultiResp("1", (UnsuccessSme(0, -1),)), "dest_addr_npi"),
        (SubmitMultiResp("1", (UnsuccessSme(error_status_code=2**32),)), "error_status_code"),
        (SubmitSm(tlvs=((0, b""),)), "tag"),
        (SubmitSm(tlvs=((0x10000, b""),)), "tag"),
        (SubmitSm(tlvs=((0x0424, b"x" * 0x10000),)), "TLV 0x0424"),
        (SubmitSm(short_message=b"Hi", tlvs=((0x0424, b"Hi"),)), "short_message"),
    ],
)
def test_what_does_not_fit_inside_is_refused_by_name(pdu: Pdu, field: str) -> None:
    with pytest.raises(SmppEncodeError) as caught:
        encode(pdu, 1)
    assert (caught.value.pdu, caught.value.field) == (type(pdu).__name__, field)


@pytest.mark.parametrize(
    ("sequence", "status", "field"),
    [
        (-1, 0, "sequence_number"),
        (2**32, 0, "sequence_number"),
        (1, -1, "command_status"),
        (1, 2**32, "command_status"),
    ],
)
def test_headers_have_limits_too(sequence: int, status: int, field: str) -> None:
    with pytest.raises(SmppEncodeError) as caught:
        encode(EnquireLink(), sequence, status)
    assert (caught.value.pdu, caught.value.field) == ("EnquireLink", field)


def test_limits_may_be_widened_one_by_one() -> None:
    bind = BindTransceiver(password="x" * 16)
    with pytest.raises(SmppEncodeError):
        encode(bind, 1)
    assert decode(encode(bind, 1, 0, replace(LIMITS_34, password=17))).pdu == bind
    twice = SubmitSm(short_message=b"Hi", tlvs=((0x0424, b"Hi"),))
    assert decode(encode(twice, 1, 0, LIMITS_GENEROUS)).pdu == twice


@pytest.mark.parametrize(
    "pdu",
    [
        BindTransceiver(password=SECRET * 10),
        SubmitSm(source_addr=SECRET * 10),
        SubmitSm(short_message=SECRET.encode() * 100),
        SubmitSm(destination_addr=f"{SECRET}\0"),
        SubmitSm(service_type="قناة"),
    ],
)
def test_a_refusal_does_not_tell_the_value(pdu: Pdu) -> None:
    with pytest.raises(SmppEncodeError) as caught:
        encode(pdu, 1)
    told = f"{caught.value} {caught.value!r} {caught.value.__cause__} {vars(caught.value)}"
    assert SECRET not in told
    assert "قناة" not in told


def test_a_request_is_never_cut_short() -> None:
    """None is for responses, as their first field."""
    broken: Any = None
    with pytest.raises(TypeError):
        encode(pdus.CancelSm(message_id=broken), 1)


def test_integers_are_read_at_full_width() -> None:
    pdu = DeliverSm(tlvs=(int_tlv(0x1500, 2**64 - 1, 8),))
    assert decode(encode(pdu, 1)).pdu.tlv_int(0x1500) == 2**64 - 1
