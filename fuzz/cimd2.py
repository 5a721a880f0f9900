"""`python -m fuzz.cimd2`: CIMD2."""

from __future__ import annotations

import sys

from fuzz.target import BrokenPromiseError, Target, main
from smsc_relay.cimd2.codec import FrameReader, Packet, checksum, decode, encode
from smsc_relay.cimd2.constants import RESPONSE, Operation, Tag
from smsc_relay.cimd2.errors import Cimd2DecodeError, Cimd2EncodeError
from tests.cimd2.frames import FRAMES, octets

_TOKENS = (
    b"\t", b"\t\t", b"\x02", b"\x03", b"\r\n", b"\x00", b":", b"_", b"_XX", b"_XXe", b"999:", b"D83D",
    b"\t060:260131093000", b"\t061:4", b"\t900:9", b"\t900:", b"\t032:0500032A0201",
    *(b"\t%03d:" % tag for tag in Tag),
    *(b"%02d:" % operation for operation in Operation),
)  # fmt: skip


def _mend(frame: bytes) -> bytes:
    """With the checksum that it should have."""
    end = frame.rfind(b"\t")
    return frame if end < 0 else frame[: end + 1] + b"%02X\x03" % checksum(frame[: end + 1])


def _check(frame: bytes) -> None:
    """A packet or an error; what has been read is written as it was read."""
    for verify in (True, False):
        try:
            packet = decode(frame, verify=verify)
        except Cimd2DecodeError:
            continue
        repr(packet)
        for tag, _ in packet.parameters:
            packet.integer(tag)
        try:
            again = decode(encode(packet))
        except Cimd2EncodeError:
            continue
        if again != packet:
            raise BrokenPromiseError(f"what was read is written otherwise: {frame[:500]!r}")


def _answer(frame: bytes) -> bytes | None:
    asked = decode(frame)
    if asked.is_response:
        return None
    said: tuple[tuple[int, str], ...] = ()
    if asked.operation == Operation.SUBMIT:
        said = ((Tag.DESTINATION, asked.get(Tag.DESTINATION) or ""), (Tag.TIMESTAMP, "260131093000"))
    return encode(Packet(asked.operation + RESPONSE, asked.number, said))


TARGET = Target(
    "CIMD2",
    {"username": "ilha", "password": "secret", "port": 9971, "window": 10, "greeting_wait": 0, "response_timeout": 20},
    [octets(shown) for shown in FRAMES.values()],
    _TOKENS,
    _mend,
    FrameReader,
    Cimd2DecodeError,
    _check,
    _answer,
)

if __name__ == "__main__":
    sys.exit(main(TARGET))
