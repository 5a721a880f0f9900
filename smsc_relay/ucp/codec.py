"""Octets <-> frames: `STX TRN / LEN / O|R / OT / fields / checksum ETX` (EMI UCP Interface Specification section 3).

The fields are what is between two slashes, as text of one character per octet; what they mean is the business of
`operations`. Strict in what it writes; what it reads must have the right length and checksum, unless told otherwise.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from smsc_relay.ucp.constants import ETX, STX, TRNS, Ec
from smsc_relay.ucp.errors import UcpDecodeError, UcpEncodeError

LONGEST: Final = 8192  # characters between STX and ETX: several times the longest that the specification allows
_AROUND: Final = 17  # characters of a frame that are not data: `00/00000/O/00/` and `/00`
_HEADER: Final = re.compile(rb"([0-9]{2})/([0-9]{5})/([OR])/([0-9]{2})(?=/)")
_CHECKSUM: Final = re.compile(rb"/([0-9A-Fa-f]{2})")
_FORBIDDEN: Final = re.compile("[/\x02\x03]")
_NOISE: Final = 16  # octets that are kept of what comes outside of frames


class Frame(NamedTuple):
    """One frame. `trn` 0 to 99, `ot` 0 to 99; `result`: R, else O."""

    trn: int
    result: bool
    ot: int
    fields: tuple[str, ...]


def checksum(octets: bytes) -> bytes:
    """Two hex digits for all octets from after STX up to the last slash, that one included."""
    return b"%02X" % (sum(octets) & 0xFF)


def encode(frame: Frame) -> bytes:
    """The octets of a frame.

    Raises:
        UcpEncodeError: a number is out of range, or a field has a character that ends fields or frames.
    """
    if not 0 <= frame.trn < TRNS or not 0 <= frame.ot < 100:
        raise UcpEncodeError("TRN and OT have two digits")
    joined = "/".join(frame.fields)
    if joined.count("/") > max(len(frame.fields) - 1, 0) or "\x02" in joined or "\x03" in joined:
        number = next(number for number, field in enumerate(frame.fields, 1) if _FORBIDDEN.search(field))
        raise UcpEncodeError(f"field {number} of OT {frame.ot:02d} has a slash, STX or ETX")
    try:
        data = joined.encode("latin-1")
    except UnicodeEncodeError:
        raise UcpEncodeError(f"a field of OT {frame.ot:02d} has a character that is no octet") from None
    length = len(data) + _AROUND
    if length > LONGEST:
        raise UcpEncodeError(f"the frame would have {length} characters; {LONGEST} are possible")
    kind = b"R" if frame.result else b"O"
    body = b"%02d/%05d/%b/%02d/%b/" % (frame.trn, length, kind, frame.ot, data)
    return b"\x02%b%b\x03" % (body, checksum(body))


def decode(body: bytes, *, lenient: bool = False) -> Frame:
    """The frame whose characters between STX and ETX these are.

    Args:
        lenient: neither the length nor the checksum need be right, or there.

    Raises:
        UcpDecodeError: with the error code to answer.
    """
    header = _HEADER.match(body)
    if header is None:
        raise UcpDecodeError(Ec.SYNTAX, "a frame without TRN, LEN, O or R, and OT")
    trn, length, ot = int(header[1]), int(header[2]), int(header[4])
    result = header[3] == b"R"
    end = len(body) - 3
    tail = _CHECKSUM.fullmatch(body, end) if end >= header.end() else None
    if not lenient:
        if tail is None or checksum(body[: end + 1]) != tail[1].upper():
            raise UcpDecodeError(Ec.CHECKSUM, "a frame with a wrong checksum", trn, ot, result=result)
        if length != len(body):
            raise UcpDecodeError(Ec.SYNTAX, "a frame whose LEN is not its length", trn, ot, result=result)
    data = body[header.end() + 1 : end] if tail is not None else body[header.end() + 1 :]
    return Frame(trn, result, ot, tuple(data.decode("latin-1").split("/")))


class FrameReader:
    """Octets as they come -> what is between STX and ETX. What is outside of frames (CR LF, banners, echoes of modems)
    is passed over; an STX inside a frame begins it anew."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._buffer = bytearray()
        self._at = 0  # up to here there is no ETX of the frame that has begun
        self._overlong = 0
        self.noise = b""  # the beginning of what has come outside of frames

    def feed(self, data: bytes) -> None:
        """Add octets from the connection."""
        self._buffer += data

    def next_frame(self) -> bytes | None:
        """The characters of the next frame; None until more octets have come."""
        buffer = self._buffer
        while True:
            end = buffer.find(ETX, self._at)
            if end < 0:
                begin = buffer.rfind(STX)
                if begin < 0 or len(buffer) - begin - 1 > self._longest:
                    self._overlong += begin >= 0
                    self._drop(len(buffer))
                else:
                    self._drop(begin)
                self._at = len(buffer)
                return None
            begin = buffer.rfind(STX, 0, end)
            self._at = 0
            if begin < 0:
                self._drop(end + 1)
                continue
            body = bytes(buffer[begin + 1 : end])
            self._drop(begin)
            del buffer[: end + 1 - begin]
            if len(body) > self._longest:
                self._overlong += 1
                continue
            return body

    def _drop(self, count: int) -> None:
        if count and not self.noise:
            self.noise = bytes(self._buffer[: min(count, _NOISE)])
        del self._buffer[:count]

    def take_overlong(self) -> int:
        """How many frames have been dropped because of their length since the last call."""
        found, self._overlong = self._overlong, 0
        return found
