"""`python -m fuzz.smpp`: SMPP."""

from __future__ import annotations

import struct
import sys

from fuzz.target import BrokenPromiseError, Target, main
from smsc_relay.smpp.body import split_tlvs
from smsc_relay.smpp.codec import LIMITS_GENEROUS, FrameReader, decode, encode
from smsc_relay.smpp.constants import HEADER_SIZE, RESPONSE_BIT, TLVS, CommandId
from smsc_relay.smpp.errors import SmppDecodeError, SmppEncodeError, SmppFramingError
from smsc_relay.smpp.pdus import (
    BindTransceiver,
    BindTransceiverResp,
    EnquireLink,
    EnquireLinkResp,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from tests.smpp.frames import FRAMES

_TOKENS = (
    *(int(command).to_bytes(4, "big") for command in CommandId),
    *(tag.to_bytes(2, "big") + size.to_bytes(2, "big") for tag in TLVS for size in (0, 1, 0xFFFF)),
    b"\x05\x00\x03\x01\x02\x01", b"\x06\x08\x04\x01\x00\x02\x01", b"id:1 sub:001 dlvrd:001 submit date:",
    b" stat:DELIVRD err:000 text:", b"\xd8\x3d", b"\x1b",
)  # fmt: skip


def _mend(frame: bytes) -> bytes:
    """With a command_length that is its length."""
    return struct.pack(">I", len(frame)) + frame[4:] if len(frame) >= 16 else frame


def _check(frame: bytes) -> None:
    """A PDU or the error to answer; what has been read well is written as it was read."""
    try:
        read = decode(frame)
    except SmppDecodeError:
        return
    repr(read)
    try:
        again = encode(read.pdu, read.sequence, read.status, LIMITS_GENEROUS)
    except SmppEncodeError:
        if not read.flaws:
            raise
        return
    if read.flaws and read.pdu.command_id & RESPONSE_BIT and split_tlvs(again, HEADER_SIZE):
        return  # octets of no TLV were dropped, and what is left could be a refusal that has TLVs and no body
    if decode(again)[:3] != read[:3]:
        raise BrokenPromiseError(f"what was read is written otherwise: {frame[:500].hex()}")


def _answer(frame: bytes) -> bytes | None:
    asked = decode(frame)
    answers: dict[type[Pdu], Pdu] = {
        BindTransceiver: BindTransceiverResp("fuzz"),
        SubmitSm: SubmitSmResp(f"{asked.sequence:08x}"),
        EnquireLink: EnquireLinkResp(),
        Unbind: UnbindResp(),
    }
    answer = answers.get(type(asked.pdu))
    return None if answer is None else encode(answer, asked.sequence)


TARGET = Target(
    "SMPP",
    {"system_id": "ilha", "password": "secret", "port": 2775, "response_timeout": 20},
    [bytes.fromhex(frame) for frame in FRAMES.values()],
    _TOKENS,
    _mend,
    FrameReader,
    SmppFramingError,
    _check,
    _answer,
)

if __name__ == "__main__":
    sys.exit(main(TARGET))
