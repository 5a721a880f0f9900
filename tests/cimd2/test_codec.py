"""Octets <-> packets, whatever the octets are."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsc_relay.cimd2.codec import LONGEST, Checksum, FrameReader, Packet, checksum_of, decode, encode, parameters
from smsc_relay.cimd2.errors import Cimd2DecodeError, Cimd2EncodeError
from tests.cimd2.frames import FRAMES, octets

_values = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\x02\x03\t"), max_size=60)
packets = st.builds(
    Packet,
    st.integers(1, 99),
    st.integers(0, 999),
    st.lists(st.tuples(st.integers(0, 999), _values), max_size=8).map(tuple),
)
checksums: st.SearchStrategy[Checksum] = st.sampled_from(["upper", "lower", "none"])


@pytest.mark.parametrize("name", FRAMES)
def test_frames_are_read_and_written_again(name: str) -> None:
    frame = octets(FRAMES[name])
    packet = decode(frame)
    assert encode(packet, checksum_of(frame)) == frame


@given(packets, checksums)
def test_what_is_written_is_read(packet: Packet, how: Checksum) -> None:
    frame = encode(packet, how)
    assert decode(frame) == packet
    # Without letters nobody can tell whether a checksum is in lower case; without a checksum it ends as a parameter.
    assert checksum_of(frame) in ({"none"} if how == "none" else {how, "upper"})


def test_what_a_packet_says() -> None:
    packet = decode(octets(FRAMES["03 submit UDH+text: part 1 of 2 ref 0x2A, 24 h"]))
    assert (packet.operation, packet.number, packet.is_response) == (3, 7, False)
    assert packet.get(32) == "0500032A0201"
    assert packet.integer(50) == 167
    assert packet.get(34) is None
    assert packet.integer(32) is None
    assert "Part one" not in repr(packet)


@pytest.mark.parametrize(
    ("frame", "packet"),
    [
        pytest.param("<STX>40:011<TAB>3b<ETX>", Packet(40, 11), id="lower case"),
        pytest.param("<STX>40:011<TAB><ETX>", Packet(40, 11), id="no checksum"),
        pytest.param("<STX>40:011<ETX>", Packet(40, 11), id="no TAB"),
        pytest.param("<STX>05:023<TAB>068:0<ETX>", Packet(5, 23, ((68, "0"),)), id="no TAB after a parameter"),
        pytest.param("<STX>03:003<TAB>021:<TAB><ETX>", Packet(3, 3, ((21, ""),)), id="empty value"),
        pytest.param("<STX>03:003<TAB>033:a:b<TAB><ETX>", Packet(3, 3, ((33, "a:b"),)), id="colon in a value"),
    ],
)
def test_generous(frame: str, packet: Packet) -> None:
    assert decode(octets(frame)) == packet


@pytest.mark.parametrize(
    ("frame", "reason", "operation"),
    [
        pytest.param("<STX>40:011<TAB>3C<ETX>", "wrong checksum", 40, id="checksum"),
        pytest.param("<STX>40:011<TAB>3<ETX>", "no checksum", 40, id="half a checksum"),
        pytest.param("<STX>40-011<TAB><ETX>", "without operation", -1, id="header"),
        pytest.param("<STX><ETX>", "without operation", -1, id="empty"),
    ],
)
def test_unreadable(frame: str, reason: str, operation: int) -> None:
    with pytest.raises(Cimd2DecodeError, match=reason) as caught:
        decode(octets(frame))
    assert caught.value.operation == operation


@pytest.mark.parametrize(
    ("frame", "verify", "found", "fault"),
    [
        pytest.param("<STX>03:003<TAB>21:4<TAB><ETX>", True, (), "a parameter without a number", id="first"),
        pytest.param("<STX>20:000<TAB>033:a<TAB>b<TAB>021:8<TAB>EA<ETX>", True, ((33, "a\tb"), (21, "8")),
                     "a parameter without a number", id="TAB in a value"),
        pytest.param("<STX>20:000<TAB>033:a<TAB>b<ETX>", False, ((33, "a\tb"),), "a packet whose end is no checksum",
                     id="TAB in the last value"),
        pytest.param("<STX>20:000<TAB>033:a<TAB>00<ETX>", False, ((33, "a"),), "a packet with a wrong checksum",
                     id="checksum not believed"),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_and_can_be_read(frame: str, verify: bool, found: Any, fault: str) -> None:
    packet = decode(octets(frame), verify=verify)
    assert (packet.parameters, packet.fault) == (found, fault)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        pytest.param(Packet(100, 1), "two digits", id="operation"),
        pytest.param(Packet(3, 1000), "three", id="number"),
        pytest.param(Packet(3, 1, ((1000, ""),)), "three digits", id="parameter number"),
        pytest.param(Packet(3, 1, ((33, "a\tb"),)), "parameter 033 has a NUL, STX", id="TAB"),
        pytest.param(Packet(3, 1, ((11, "\x03"),)), "parameter 011 has a NUL, STX", id="ETX"),
        pytest.param(Packet(3, 1, ((33, "☀"),)), "no octet", id="not Latin-1"),
        pytest.param(Packet(3, 1, ((33, "x" * LONGEST),)), "octets", id="too long"),
    ],
)
def test_what_cannot_be_written(packet: Packet, reason: str) -> None:
    with pytest.raises(Cimd2EncodeError, match=reason):
        encode(packet)


def test_parameters_without_a_value_are_left_out() -> None:
    assert parameters((21, "44"), (23, None), (56, 14), (33, "")) == ((21, "44"), (56, "14"), (33, ""))


# --- frames ---------------------------------------------------------------------------------------------------------


def read_all(reader: FrameReader) -> list[bytes | str]:
    """Frames, and reasons of what was none."""
    found: list[bytes | str] = []
    while True:
        try:
            frame = reader.next_frame()
        except Cimd2DecodeError as error:
            found.append(error.reason)
            continue
        if frame is None:
            return found
        found.append(frame)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(one % (len(data) + 1) for one in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(st.lists(packets, max_size=6), st.lists(st.integers(0, 5000), max_size=12))
def test_packets_cut_anywhere(given_packets: list[Packet], cuts: list[int]) -> None:
    frames = [encode(packet) for packet in given_packets]
    reader, found = FrameReader(), []
    for piece in cut(b"\r\n".join(frames), cuts):
        reader.feed(piece)
        found += read_all(reader)
    assert found == frames


@given(st.binary(max_size=400).map(lambda b: b.replace(b"\x07", b"\x02").replace(b"\x08", b"\x03")), st.lists(
    st.integers(0, 400), max_size=12))  # fmt: skip
def test_any_octets_cut_anywhere(data: bytes, cuts: list[int]) -> None:
    """The same frames however they are cut, each with one STX and one ETX; what is no packet is an error."""
    whole, pieces = FrameReader(longest=50), FrameReader(longest=50)
    whole.feed(data)
    at_once = [one for one in read_all(whole) if isinstance(one, bytes)]
    found: list[bytes | str] = []
    for piece in cut(data, cuts):
        pieces.feed(piece)
        found += read_all(pieces)
    assert [one for one in found if isinstance(one, bytes)] == at_once
    for frame in at_once:
        assert (frame[0], frame[-1], frame.count(b"\x02"), frame.count(b"\x03")) == (2, 3, 1, 1)
        with contextlib.suppress(Cimd2DecodeError):
            decode(frame)


def test_what_is_between_packets_is_passed_over() -> None:
    reader = FrameReader()
    reader.feed(b"CIMD2-A ConnectionInfo: SessionId = 1234\n\x0240:0\x0240:004\t3D\x03\r\n\x03\x0240:006\t\x03")
    assert read_all(reader) == [b"\x0240:004\t3D\x03", b"\x0240:006\t\x03"]
    assert bytes(reader.noise).startswith(b"CIMD2-A ConnectionInfo: SessionId = 1234\n")


def test_an_endless_packet_is_dropped_and_reading_goes_on() -> None:
    reader = FrameReader()
    for _ in range(10):
        reader.feed(b"\x02" + b"x" * (LONGEST - 1))
        assert read_all(reader) == []
    reader.feed(b"xx")
    assert read_all(reader) == ["a packet of more than 4096 octets"]
    reader.feed(b"xxx\x0240:004\t3D\x03")
    assert read_all(reader) == [b"\x0240:004\t3D\x03"]
    assert len(reader.noise) <= 512
