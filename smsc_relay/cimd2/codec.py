"""Octets <-> packets: `STX ZZ:NNN TAB PPP:value TAB ... CC ETX` (CIMD Interface Specification).

A value is text with one character per octet; what it means is the business of others. Strict in what it writes. What it
reads may lack the checksum, which is optional, and the last TAB; a checksum that is there must be right. A value may
have a TAB in it, which it must not have: what follows has no parameter number, and so belongs to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from smsc_relay.cimd2.constants import ETX, RESPONSE, STX
from smsc_relay.cimd2.errors import Cimd2DecodeError, Cimd2EncodeError

LONGEST: Final = 4096  # octets of a packet: the longest submit has less than half
Checksum = Literal["upper", "lower", "none"]
Parameters = tuple[tuple[int, str], ...]
_HEADER: Final = re.compile(rb"([0-9]{2}):([0-9]{3})")
_PARAMETER: Final = re.compile(rb"([0-9]{3}):(.*)", re.DOTALL)
_CHECKSUM: Final = re.compile(rb"[0-9A-Fa-f]{2}")
_FORBIDDEN: Final = re.compile("[\x00\x02\x03]")
_NOISE: Final = 512  # octets kept of what comes outside of packets


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet. Neither its text nor its addresses are printed."""

    operation: int
    number: int
    parameters: Parameters = field(default=(), repr=False)
    fault: str = field(default="", repr=False, compare=False)  # the rule that it breaks, and can be read all the same

    def get(self, tag: int) -> str | None:
        """The value of a parameter, the first where it repeats; None: it is not there."""
        for known, value in self.parameters:
            if known == tag:
                return value
        return None

    def integer(self, tag: int) -> int | None:
        """The value of a parameter as a number; None: not there, or no number."""
        value = (self.get(tag) or "").strip()
        digits = value.removeprefix("-")
        return int(value) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else None

    @property
    def is_response(self) -> bool:
        """98 and 99 are responses too."""
        return self.operation > RESPONSE


def parameters(*pairs: tuple[int, str | int | None]) -> Parameters:
    """Parameters in this order, those without a value left out."""
    return tuple((int(tag), str(value)) for tag, value in pairs if value is not None)


def checksum(octets: bytes) -> int:
    """The sum of all octets from STX to the last TAB, both included, modulo 256."""
    return sum(octets) & 0xFF


def encode(packet: Packet, how: Checksum = "upper") -> bytes:
    """The octets of a packet.

    Raises:
        Cimd2EncodeError: a number is out of range, a value has a character that ends parameters or packets, or none of
            Latin-1, or it all is too long.
    """
    if not 0 < packet.operation < 100 or not 0 <= packet.number < 1000:
        raise Cimd2EncodeError("an operation has two digits, a packet number three")
    given = "".join([f"{tag:03d}:{value}\t" for tag, value in packet.parameters])
    if given.count("\t") != len(packet.parameters) or _FORBIDDEN.search(given):
        number = next(tag for tag, value in packet.parameters if "\t" in value or _FORBIDDEN.search(value))
        raise Cimd2EncodeError(f"parameter {number:03d} has a NUL, STX, ETX or TAB")
    if not all(0 <= tag < 1000 for tag, _ in packet.parameters):
        raise Cimd2EncodeError("a parameter number has three digits")
    try:
        octets = f"\x02{packet.operation:02d}:{packet.number:03d}\t{given}".encode("latin-1")
    except UnicodeEncodeError:
        raise Cimd2EncodeError("a parameter has a character that is no octet") from None
    if len(octets) + 3 > LONGEST:
        raise Cimd2EncodeError(f"the packet would have {len(octets) + 3} octets; {LONGEST} are possible")
    if how == "none":
        return octets + b"\x03"
    return octets + (b"%02X" if how == "upper" else b"%02x") % checksum(octets) + b"\x03"


def checksum_of(frame: bytes) -> Checksum:
    """How a frame that could be decoded has its checksum."""
    written = frame[:-1].rpartition(b"\t")[2]
    if not _CHECKSUM.fullmatch(written):
        return "none"
    return "lower" if written.upper() != written else "upper"


def decode(frame: bytes, *, verify: bool = True) -> Packet:
    """The packet of a frame, STX and ETX included. `verify`: its checksum must be right, if it has one, and what is at
    its place must be one.

    Raises:
        Cimd2DecodeError: it is none, or it has been damaged.
    """
    first, *pieces = frame[1:-1].split(b"\t")
    header = _HEADER.fullmatch(first)
    if header is None:
        raise Cimd2DecodeError("a packet without operation and number")
    operation, number, fault = int(header[1]), int(header[2]), ""
    if pieces and not _PARAMETER.fullmatch(pieces[-1]):
        written = pieces.pop()
        if written and not _CHECKSUM.fullmatch(written):
            fault = "a packet whose end is no checksum"
            pieces.append(written)
        elif written and int(written, 16) != checksum(frame[: -1 - len(written)]):
            fault = "a packet with a wrong checksum"
        if fault and verify:
            raise Cimd2DecodeError(fault, operation)
    found: list[tuple[int, str]] = []
    for piece in pieces:
        match = _PARAMETER.fullmatch(piece)
        if match is not None:
            found.append((int(match[1]), match[2].decode("latin-1")))
            continue
        fault = fault or "a parameter without a number"
        if found:
            tag, value = found[-1]
            found[-1] = tag, f"{value}\t{piece.decode('latin-1')}"
    return Packet(operation, number, tuple(found), fault)


class FrameReader:
    """Octets as they come -> frames. What is outside of STX and ETX is none of them; `noise` has its beginning."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._buffer = bytearray()
        self._looked = 0  # octets of the buffer in which there is no ETX
        self.noise = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Add octets from the connection."""
        self._buffer += data

    def next_frame(self) -> bytes | None:
        """The next frame, STX and ETX included; None until more octets have come. An STX inside of one begins it anew.

        Raises:
            Cimd2DecodeError: a packet that is too long; what has come of it is dropped, reading may go on.
        """
        buffer = self._buffer
        begin = buffer.find(STX)
        if begin < 0:
            self._drop(len(buffer))
            return None
        if begin:
            self._drop(begin)
        end = buffer.find(ETX, self._looked)
        if end < 0:
            self._looked = len(buffer)
            again = buffer.rfind(STX)
            if again > 0:
                self._drop(again)
                self._looked = len(buffer)
            if len(buffer) > self._longest:
                self._cut(len(buffer))
                raise Cimd2DecodeError(f"a packet of more than {self._longest} octets")
            return None
        begin = buffer.rfind(STX, 0, end)
        frame = bytes(buffer[begin : end + 1])
        self._cut(end + 1)
        if len(frame) > self._longest:
            raise Cimd2DecodeError(f"a packet of more than {self._longest} octets")
        return frame

    def _drop(self, count: int) -> None:
        """Octets that belong to no packet."""
        room = _NOISE - len(self.noise)
        if room > 0:
            self.noise += self._buffer[: min(count, room)]
        self._cut(count)

    def _cut(self, count: int) -> None:
        del self._buffer[:count]
        self._looked = 0
