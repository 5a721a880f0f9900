"""`python -m fuzz.ucp`: UCP/EMI."""

from __future__ import annotations

import sys

from fuzz.target import BrokenPromiseError, Target, main
from smsc_relay.ucp.codec import FrameReader, checksum, decode, encode
from smsc_relay.ucp.constants import Ot
from smsc_relay.ucp.errors import UcpDecodeError
from smsc_relay.ucp.operations import (
    Ack,
    read_operation,
    read_result,
    result_frame,
)
from tests.ucp.frames import FRAMES, octets

_SUBMITS = (Ot.CALL_INPUT, Ot.TRANSFER, 51)
_TOKENS = (
    b"/", b"//", b"\x02", b"\x03", b"\r\n", b"/R/", b"/O/", b"/A/", b"/N/", b"/52/", b"/53/", b"/60/", b"/99999/",
    b"0500032A0201", b"01060500032A0201", b"020108", b"D83D", b"250788123123:310126093000", b"G", b"-1", b"\xc3",
    *(f"/{ot:02d}/".encode() for ot in range(100)),
)  # fmt: skip


def _mend(frame: bytes) -> bytes:
    """With the LEN and the checksum that it should have."""
    inner = frame[1:-1]
    if len(inner) < 17 or inner[2:3] != b"/":
        return frame
    body = b"%b/%05d%b" % (inner[:2], len(inner) % 100_000, inner[8:-2])
    return b"\x02%b%b\x03" % (body, checksum(body))


def _check(body: bytes) -> None:
    """A frame or the error to answer; what has been read is written as it was read."""
    for lenient in (False, True):
        try:
            frame = decode(body, lenient=lenient)
        except UcpDecodeError:
            continue
        if not lenient and decode(encode(frame)[1:-1]) != frame:
            raise BrokenPromiseError(f"what was read is written otherwise: {body[:500]!r}")
        try:
            said = read_result(frame) if frame.result else read_operation(frame)
        except UcpDecodeError:
            continue
        repr(said)


def _answer(body: bytes) -> bytes | None:
    asked = decode(body)
    if asked.result:
        return None
    if asked.ot not in _SUBMITS:
        return encode(result_frame(Ack("BIND AUTHENTICATED"), asked.trn, asked.ot))
    return encode(result_frame(Ack("250788123123:310126093105"), asked.trn, asked.ot))


TARGET = Target(
    "UCP",
    {"username": "1234", "password": "secret", "country": "RW", "response_timeout": 20},
    [octets(name) for name in FRAMES],
    _TOKENS,
    _mend,
    FrameReader,
    UcpDecodeError,
    _check,
    _answer,
)

if __name__ == "__main__":
    sys.exit(main(TARGET))
