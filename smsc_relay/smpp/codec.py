"""Octets <-> PDUs. Strict in what it writes, generous in what it reads.

What deployed SMSCs do wrong is read all the same and told as `Flaw`s: missing NULs at the end, surplus octets, a
sm_length larger than what follows, a string that is too long, a TLV cut short or of the wrong length. Only what cannot
be understood is a `SmppDecodeError`.

Nearly all traffic is submit_sm, deliver_sm, their responses and enquire_link: these are written and read here, without
a loop over fields, as long as nothing is unusual about them. All else is the business of `body`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from struct import Struct
from typing import Any, Final, NamedTuple

from smsc_relay.smpp import pdus
from smsc_relay.smpp.body import Flaw, UnreadableError, read, split_tlvs, tlv_flaws, write, write_tlvs
from smsc_relay.smpp.constants import DEFAULT_MAX_PDU, HEADER_SIZE, Status
from smsc_relay.smpp.errors import SmppDecodeError, SmppEncodeError, SmppFramingError
from smsc_relay.smpp.layouts import (
    DATE_SIZE,
    LAYOUTS,
    LIMITS_33,
    LIMITS_34,
    LIMITS_50,
    LIMITS_GENEROUS,
    Limits,
)
from smsc_relay.smpp.pdus import DeliverSm, DeliverSmResp, Pdu, ShortMessage, SubmitSm, SubmitSmResp, Tlv

__all__ = ["LIMITS_33", "LIMITS_34", "LIMITS_50", "LIMITS_GENEROUS", "Decoded", "Flaw", "FrameReader", "Limits",
           "decode", "encode"]  # fmt: skip

_HEADER: Final = Struct(">IIII")
_KINDS: Final[dict[int, type[Pdu]]] = {kind.command_id: kind for kind in pdus.ALL}
_ADDRESS: Final = LIMITS_50.address
_SERVICE_TYPE: Final = LIMITS_50.service_type
_MESSAGE_ID: Final = LIMITS_50.message_id
_DATE_SIZES: Final = (0, DATE_SIZE)
# A PDU without fields is a value without parts: one of each kind is enough.
_FIELDLESS: Final[dict[int, Pdu]] = {kind.command_id: kind() for kind in pdus.ALL if not LAYOUTS[kind]}


class Decoded(NamedTuple):
    """A PDU with what its header says."""

    pdu: Pdu
    sequence: int
    status: int
    flaws: tuple[Flaw, ...] = ()


# --- framing --------------------------------------------------------------------------------------------------------


class FrameReader:
    """Octets as they come -> whole PDUs. ``max_pdu``: the longest command_length to believe, in octets."""

    def __init__(self, max_pdu: int = DEFAULT_MAX_PDU) -> None:
        self._max = max_pdu
        self._buffer = b""
        self._at = 0
        self._broken: SmppFramingError | None = None

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Add octets from the connection; after a framing error they are of no use, and not kept."""
        if self._broken is None:
            self._buffer = self._buffer[self._at :] + data
            self._at = 0

    def next_frame(self) -> bytes | None:
        """The next whole PDU, None until more octets have come.

        Raises:
            SmppFramingError: a command_length that cannot be; from then on, always.
        """
        buffer, at = self._buffer, self._at
        head = buffer[at : at + 4]
        if len(head) < 4:
            return None
        length = int.from_bytes(head, "big")
        if not HEADER_SIZE <= length <= self._max:
            self._broken = self._broken or SmppFramingError(length, self._max)
            raise self._broken
        end = at + length
        if end > len(buffer):
            return None
        self._at = end
        return buffer[at:end]


# --- encoding -------------------------------------------------------------------------------------------------------


def encode(pdu: Pdu, sequence: int, status: int = 0, limits: Limits = LIMITS_34) -> bytes:
    """The octets of a PDU.

    Raises:
        SmppEncodeError: a field does not fit.
    """
    usual = _WRITERS.get(type(pdu))
    body = None if usual is None else usual(pdu, limits)
    if body is None:
        body = write(pdu, limits)
    if pdu.tlvs:
        body += write_tlvs(pdu, limits)
    try:
        return _HEADER.pack(HEADER_SIZE + len(body), pdu.command_id, status, sequence) + body
    except struct.error:
        field, value = ("command_status", status) if 0 <= sequence < 1 << 32 else ("sequence_number", sequence)
        raise SmppEncodeError(type(pdu).__name__, field, value, "0 to 4294967295") from None


def _encode_short(pdu: ShortMessage, limits: Limits) -> bytes | None:
    """submit_sm and deliver_sm. None where something is wrong: `write` says what."""
    service, source, destination = pdu.service_type, pdu.source_addr, pdu.destination_addr
    schedule, validity, text = pdu.schedule_delivery_time, pdu.validity_period, pdu.short_message
    fits = (
        len(service) < limits.service_type
        and len(source) < limits.address
        and len(destination) < limits.address
        and len(schedule) in _DATE_SIZES
        and len(validity) in _DATE_SIZES
        and len(text) <= limits.short_message
    )
    if not fits or "\0" in f"{service}{source}{destination}{schedule}{validity}":
        return None
    try:
        return b"%b\0%c%c%b\0%c%c%b\0%c%c%c%b\0%b\0%c%c%c%c%c%b" % (
            service.encode("latin-1"),
            pdu.source_addr_ton,
            pdu.source_addr_npi,
            source.encode("latin-1"),
            pdu.dest_addr_ton,
            pdu.dest_addr_npi,
            destination.encode("latin-1"),
            pdu.esm_class,
            pdu.protocol_id,
            pdu.priority_flag,
            schedule.encode("latin-1"),
            validity.encode("latin-1"),
            pdu.registered_delivery,
            pdu.replace_if_present_flag,
            pdu.data_coding,
            pdu.sm_default_msg_id,
            len(text),
            text,
        )
    except (ValueError, OverflowError):  # a character that is none of Latin-1, an octet out of range
        return None


def _encode_id(pdu: SubmitSmResp | DeliverSmResp, limits: Limits) -> bytes | None:
    """Responses to submit_sm and deliver_sm."""
    message_id = pdu.message_id
    if message_id is None:
        return b""
    if len(message_id) >= limits.message_id or "\0" in message_id or not message_id.isascii():
        return None
    return message_id.encode("ascii") + b"\0"


_WRITERS: Final[dict[type[Pdu], Callable[[Any, Limits], bytes | None]]] = {
    SubmitSm: _encode_short,
    DeliverSm: _encode_short,
    SubmitSmResp: _encode_id,
    DeliverSmResp: _encode_id,
    **{type(pdu): lambda _pdu, _limits: b"" for pdu in _FIELDLESS.values()},
}


# --- decoding -------------------------------------------------------------------------------------------------------


def decode(frame: bytes | memoryview) -> Decoded:
    """The PDU in a whole frame.

    Raises:
        SmppDecodeError: with the status to answer.
    """
    if not isinstance(frame, bytes):
        frame = bytes(frame)
    size = len(frame)
    if size < HEADER_SIZE:
        raise SmppDecodeError(Status.ESME_RINVCMDLEN, f"a frame of {size} octets has no header")
    length, command_id, status, sequence = _HEADER.unpack_from(frame)
    if length != size:
        raise SmppDecodeError(Status.ESME_RINVCMDLEN, "command_length is not the frame's", sequence, command_id, status)
    kind = _KINDS.get(command_id)
    if kind is None:
        reason = f"unknown command_id 0x{command_id:08X}"
        raise SmppDecodeError(Status.ESME_RINVCMDID, reason, sequence, command_id, status)
    reader = _READERS.get(kind)
    if reader is not None:
        usual = reader(kind, frame)
    else:
        usual = _FIELDLESS.get(command_id) if size == HEADER_SIZE else None
    if usual is not None:
        # In half the time that a NamedTuple's own constructor takes.
        return tuple.__new__(Decoded, (usual, sequence, status, tlv_flaws(usual) if usual.tlvs else ()))
    try:
        pdu, flaws = read(kind, frame, status)
    except UnreadableError as error:
        raise SmppDecodeError(error.status, str(error), sequence, command_id, status) from None
    return Decoded(pdu, sequence, status, (*flaws, *tlv_flaws(pdu)))


def _decode_short(kind: type[ShortMessage], frame: bytes) -> ShortMessage | None:
    """submit_sm and deliver_sm. None where anything is unusual: `read` has a closer look."""
    try:
        a = frame.index(0, HEADER_SIZE)
        b = frame.index(0, a + 3)
        c = frame.index(0, b + 3)
        d = frame.index(0, c + 4)
        e = frame.index(0, d + 1)
        end = e + 6 + frame[e + 5]
    except (ValueError, IndexError):
        return None
    if (
        end > len(frame)
        or a - HEADER_SIZE >= _SERVICE_TYPE
        or b - a - 3 >= _ADDRESS
        or c - b - 3 >= _ADDRESS
        or d - c - 4 not in _DATE_SIZES
        or e - d - 1 not in _DATE_SIZES
    ):
        return None
    tlvs: tuple[Tlv, ...] | None = split_tlvs(frame, end) if end < len(frame) else ()
    if tlvs is None:
        return None
    return kind(
        frame[HEADER_SIZE:a].decode("latin-1"), frame[a + 1], frame[a + 2], frame[a + 3 : b].decode("latin-1"),
        frame[b + 1], frame[b + 2], frame[b + 3 : c].decode("latin-1"), frame[c + 1], frame[c + 2], frame[c + 3],
        frame[c + 4 : d].decode("latin-1"), frame[d + 1 : e].decode("latin-1"), frame[e + 1], frame[e + 2],
        frame[e + 3], frame[e + 4], frame[e + 6 : end], tlvs,
    )  # fmt: skip


def _decode_id(kind: type[SubmitSmResp] | type[DeliverSmResp], frame: bytes) -> SubmitSmResp | DeliverSmResp | None:
    """Responses to submit_sm and deliver_sm. None where anything is unusual, TLVs among it."""
    size = len(frame)
    if size == HEADER_SIZE:
        return kind(None)
    # A first NUL at the very end: neither TLVs nor surplus octets.
    if frame.find(0, HEADER_SIZE) != size - 1 or size - HEADER_SIZE > _MESSAGE_ID:
        return None
    return kind(frame[HEADER_SIZE:-1].decode("latin-1"))


_READERS: Final[dict[type[Pdu], Callable[[Any, bytes], Pdu | None]]] = {
    SubmitSm: _decode_short,
    DeliverSm: _decode_short,
    SubmitSmResp: _decode_id,
    DeliverSmResp: _decode_id,
}
