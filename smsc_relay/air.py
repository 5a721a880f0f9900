"""What is the same for every protocol, because the air has it so: user data headers, packed septets, parts of a text
(3GPP TS 23.038 and 23.040)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from chalicelib import gsm7, gsm7_national
from chalicelib.gsm7_national import DEFAULT, Language, Shift
from chalicelib.records import Piece

# --- packed septets -------------------------------------------------------------------------------------------------


def packed(septets: bytes, fill: int = 0) -> bytes:
    """Packed septets. Seven bits that are left over would be read as an `@`: a CR fills them (TS 23.038 6.1.2.3.1)."""
    if (7 * len(septets) + fill) % 8 == 1:
        septets += b"\r"
    return gsm7.pack(septets, fill)


def fill_bits(header: int) -> int:
    """Zero bits between a user data header of so many octets and packed text (TS 23.040 section 9.2.3.24)."""
    return -8 * header % 7


def looks_like_header(octets: bytes) -> bool:
    """A concatenation header where none is announced: no text begins like this."""
    narrow = octets[:3] == b"\x05\x00\x03" and len(octets) >= 6 and 1 <= octets[5] <= octets[4]
    wide = octets[:3] == b"\x06\x08\x04" and len(octets) >= 7 and 1 <= octets[6] <= octets[5]
    return narrow or wide


# --- parts ----------------------------------------------------------------------------------------------------------


def national(
    text: str,
    languages: Sequence[Language],
    bits: Literal[8, 16],
    fewest: int,
    limits: tuple[int, int] | None = None,
) -> tuple[Shift, tuple[str, ...]]:
    """The language tables that need the fewest parts, the simplest of those, if any need fewer than `fewest`: UCS-2,
    which every phone knows, is better where it costs no more. No parts: none does. `limits`: as in
    `gsm7_national.segments`."""
    best: tuple[Shift, tuple[str, ...]] = (DEFAULT, ())
    for shift in gsm7_national.shifts(languages):
        if gsm7_national.fits(text, shift):
            parts = gsm7_national.segments(text, shift, reference_bits=bits, limits=limits)
            if len(parts) < fewest:
                best, fewest = (shift, tuple(parts)), len(parts)
    return best


# --- user data header -----------------------------------------------------------------------------------------------


def header(*elements: bytes) -> bytes:
    """A user data header with these elements (TS 23.040 section 9.2.3.24)."""
    joined = b"".join(elements)
    return bytes((len(joined),)) + joined


def concatenation(reference: int, total: int, sequence: int, *, wide: bool) -> bytes:
    """The element that says which part this is (TS 23.040 sections 9.2.3.24.1 and 9.2.3.24.8)."""
    if wide:
        return b"\x08\x04" + reference.to_bytes(2, "big") + bytes((total, sequence))
    return bytes((0x00, 3, reference & 0xFF, total, sequence))


# Ports of 8 and of 16 bits, the receiver's first (TS 23.040 sections 9.2.3.24.3 and 9.2.3.24.4)
_PORTS: Final = frozenset(((0x04, 2), (0x05, 4)))


class Header(NamedTuple):
    """What a user data header says; `length` in octets, its length octet included. `others`: its elements but those of
    long messages, as they are; `ports`: it names application ports."""

    length: int
    piece: Piece | None = None
    shift: Shift = DEFAULT
    others: bytes = b""
    ports: bool = False


NO_HEADER: Final = Header(0)


def header_of(octets: bytes) -> Header | None:
    """The header at the beginning of a message (TS 23.040 section 9.2.3.24); None: broken. Unknown elements are passed
    over; of one that repeats, the last counts."""
    if not octets or octets[0] >= len(octets):
        return None
    end = 1 + octets[0]
    piece: Piece | None = None
    shift = DEFAULT
    others, ports = b"", False
    at = 1
    while at < end:
        if at + 2 > end or at + 2 + octets[at + 1] > end:
            return None
        kind, size = octets[at], octets[at + 1]
        data = octets[at + 2 : at + 2 + size]
        if kind == 0x00 and size == 3:
            piece = piece_of(data[0], data[1], data[2])
        elif kind == 0x08 and size == 4:
            piece = piece_of(int.from_bytes(data[:2], "big"), data[2], data[3], wide=True)
        else:
            others += octets[at : at + 2 + size]
            ports = ports or (kind, size) in _PORTS
        if kind == gsm7_national.SINGLE_SHIFT and size == 1:
            shift = shift._replace(single=data[0])
        elif kind == gsm7_national.LOCKING_SHIFT and size == 1:
            shift = shift._replace(locking=data[0])
        at += 2 + size
    return Header(end, piece, shift, others, ports)


def port_element(destination: int, source: int) -> bytes:
    """The element of application ports of 16 bits (TS 23.040 section 9.2.3.24.4)."""
    return b"\x05\x04" + destination.to_bytes(2, "big") + source.to_bytes(2, "big")


def piece_of(reference: int, total: int, sequence: int, *, wide: bool = False) -> Piece | None:
    """Which part this is; None: of a message that has one part, or whose numbers make no sense (TS 23.040 section
    9.2.3.24.1: then the element is ignored). `wide`: the reference has 16 bits."""
    if not 1 <= sequence <= total > 1:
        return None
    return Piece(reference=reference, total=total, sequence=sequence, wide=wide)
