"""Octets <-> PDUs. Strict in what it writes, generous in what it reads.

What deployed SMSCs do wrong is read all the same and told as `Flaw`s: missing NULs at the end, surplus octets, a
sm_length larger than what follows, a TLV cut short. Only what cannot be understood is a `SmppDecodeError`.
"""

from __future__ import annotations

import struct
from struct import Struct
from typing import Any, Final, NamedTuple

from smsc_relay.smpp import pdus
from smsc_relay.smpp.constants import DEFAULT_MAX_PDU, HEADER_SIZE, RESPONSE_BIT, Status
from smsc_relay.smpp.errors import SmppDecodeError, SmppEncodeError, SmppFramingError
from smsc_relay.smpp.layouts import LAYOUTS, LIMITS_33, LIMITS_34, LIMITS_50, LIMITS_GENEROUS, Item, Kind, Limits
from smsc_relay.smpp.pdus import DistributionList, Pdu, ShortMessage, SmeAddress, Tlv, UnsuccessSme

__all__ = ["LIMITS_33", "LIMITS_34", "LIMITS_50", "LIMITS_GENEROUS", "Decoded", "Flaw", "FrameReader", "Limits",
           "decode", "encode"]  # fmt: skip

_HEADER: Final = Struct(">IIII")
_TLV: Final = Struct(">HH")
_KINDS: Final[dict[int, type[Pdu]]] = {kind.command_id: kind for kind in pdus.ALL}
_ID_ONLY: Final = frozenset({pdus.SubmitSmResp, pdus.DeliverSmResp, pdus.DataSmResp})
_LONGEST: Final = 256  # octets of a C-octet string that anybody could mean
_DATE: Final = 16


class Flaw(NamedTuple):
    """A rule that the peer broke in a PDU that could be read: the status a strict receiver would answer, and why."""

    status: int
    reason: str


class Decoded(NamedTuple):
    """A PDU with what its header says."""

    pdu: Pdu
    sequence: int
    status: int
    flaws: tuple[Flaw, ...] = ()


# --- framing --------------------------------------------------------------------------------------------------------


class FrameReader:
    """Octets as they come -> whole PDUs."""

    def __init__(self, max_pdu: int = DEFAULT_MAX_PDU) -> None:
        self._max = max_pdu
        self._buffer = bytearray()
        self._at = 0
        self._broken: SmppFramingError | None = None

    def feed(self, data: bytes) -> None:
        """Add octets from the connection."""
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data

    def next_frame(self) -> bytes | None:
        """The next whole PDU, None until more octets have come.

        Raises:
            SmppFramingError: a command_length that cannot be; from then on, always.
        """
        if self._broken:
            raise self._broken
        buffer, at = self._buffer, self._at
        if len(buffer) - at < 4:
            return None
        length = int.from_bytes(buffer[at : at + 4], "big")
        if not HEADER_SIZE <= length <= self._max:
            self._broken = SmppFramingError(length, self._max)
            raise self._broken
        if len(buffer) - at < length:
            return None
        self._at = at + length
        return bytes(buffer[at : at + length])


# --- encoding -------------------------------------------------------------------------------------------------------


def encode(pdu: Pdu, sequence: int, status: int = 0, limits: Limits = LIMITS_34) -> bytes:
    """The octets of a PDU.

    Raises:
        SmppEncodeError: a field does not fit.
    """
    body = _short_body(pdu, limits) if isinstance(pdu, ShortMessage) else None
    if body is None:
        body = _body(pdu, limits)
    tlvs = pdu.tlvs
    if tlvs:
        body += b"".join([_TLV.pack(tag, len(value)) + value for tag, value in tlvs])
    return _HEADER.pack(HEADER_SIZE + len(body), pdu.command_id, status, sequence) + body


def _short_body(pdu: ShortMessage, limits: Limits) -> bytes | None:
    """The hot path: submit_sm and deliver_sm. None where something is wrong: `_body` says what."""
    service, source, destination = pdu.service_type, pdu.source_addr, pdu.destination_addr
    schedule, validity, text = pdu.schedule_delivery_time, pdu.validity_period, pdu.short_message
    fits = (
        len(service) < limits.service_type
        and len(source) < limits.address
        and len(destination) < limits.address
        and len(schedule) in (0, _DATE)
        and len(validity) in (0, _DATE)
        and len(text) <= limits.short_message
    )
    strings = f"{service}{source}{destination}{schedule}{validity}"
    if not fits or "\0" in strings:
        return None
    try:
        return b"%b\0%b%b\0%b%b\0%b%b\0%b\0%b%b" % (
            service.encode("latin-1"),
            bytes((pdu.source_addr_ton, pdu.source_addr_npi)),
            source.encode("latin-1"),
            bytes((pdu.dest_addr_ton, pdu.dest_addr_npi)),
            destination.encode("latin-1"),
            bytes((pdu.esm_class, pdu.protocol_id, pdu.priority_flag)),
            schedule.encode("latin-1"),
            validity.encode("latin-1"),
            bytes((pdu.registered_delivery, pdu.replace_if_present_flag, pdu.data_coding, pdu.sm_default_msg_id,
                   len(text))),
            text,
        )  # fmt: skip
    except (ValueError, UnicodeEncodeError):
        return None


def _body(pdu: Pdu, limits: Limits) -> bytes:
    out: list[bytes] = []
    name = type(pdu).__name__
    for item in LAYOUTS[type(pdu)]:
        value = getattr(pdu, item.name)
        if value is None:
            break  # a response without a body
        limit = getattr(limits, item.limit) if item.limit else 0
        if item.kind is Kind.CSTR:
            out.append(_cstr(value, limit, name, item.name))
        elif item.kind is Kind.INT1:
            out.append(_octet(value, name, item.name))
        elif item.kind is Kind.DATE:
            if len(value) not in (0, _DATE):
                raise SmppEncodeError(name, item.name, len(value), f"empty or {_DATE} characters")
            out.append(_cstr(value, _DATE + 1, name, item.name))
        elif item.kind is Kind.OCTETS:
            if len(value) > limit:
                raise SmppEncodeError(name, item.name, len(value), f"at most {limit} octets")
            out.append(bytes((len(value),)) + value)
        else:
            out.append(_table(value, item.kind, limits, name, item.name))
    return b"".join(out)


def _cstr(value: str, limit: int, pdu: str, field: str) -> bytes:
    if len(value) >= limit:
        raise SmppEncodeError(pdu, field, len(value) + 1, f"at most {limit} octets with its NUL")
    if "\0" in value:
        raise SmppEncodeError(pdu, field, len(value) + 1, "no NUL inside")
    try:
        return value.encode("latin-1") + b"\0"
    except UnicodeEncodeError:
        raise SmppEncodeError(pdu, field, len(value) + 1, "one octet a character (Latin-1)") from None


def _octet(value: int, pdu: str, field: str) -> bytes:
    if not 0 <= value <= 255:
        raise SmppEncodeError(pdu, field, value, "0 to 255")
    return bytes((value,))


def _table(values: tuple[Any, ...], kind: Kind, limits: Limits, pdu: str, field: str) -> bytes:
    most = limits.destinations if kind is Kind.DESTINATIONS else 255
    if len(values) > most:
        raise SmppEncodeError(pdu, field, len(values), f"at most {most} entries")
    out = [bytes((len(values),))]
    for value in values:
        if isinstance(value, str):
            out.append(_cstr(value, limits.message_id, pdu, field))
        elif isinstance(value, DistributionList):
            out.append(b"\x02" + _cstr(value.dl_name, limits.dl_name, pdu, "dl_name"))
        else:
            flag = b"\x01" if kind is Kind.DESTINATIONS else b""
            ton, npi = _octet(value.dest_addr_ton, pdu, "dest_addr_ton"), _octet(value.dest_addr_npi, pdu, field)
            out.append(flag + ton + npi + _cstr(value.destination_addr, limits.address, pdu, "destination_addr"))
            if isinstance(value, UnsuccessSme):
                out.append(value.error_status_code.to_bytes(4, "big"))
    return b"".join(out)


# --- decoding -------------------------------------------------------------------------------------------------------


def decode(frame: bytes | memoryview) -> Decoded:
    """The PDU in a whole frame.

    Raises:
        SmppDecodeError: with the status to answer.
    """
    frame = bytes(frame)
    try:
        length, command_id, status, sequence = _HEADER.unpack_from(frame)
    except struct.error:
        raise SmppDecodeError(Status.ESME_RINVCMDLEN, f"a frame of {len(frame)} octets has no header") from None
    if length != len(frame):
        raise SmppDecodeError(Status.ESME_RINVCMDLEN, "command_length is not the frame's", sequence, command_id, status)
    kind = _KINDS.get(command_id)
    if kind is None:
        reason = f"unknown command_id 0x{command_id:08X}"
        raise SmppDecodeError(Status.ESME_RINVCMDID, reason, sequence, command_id, status)
    try:
        quick = _decode_id(kind, frame) if kind in _ID_ONLY else None
        if quick is None and issubclass(kind, ShortMessage):
            quick = _decode_short(kind, frame)
        if quick is not None:
            return Decoded(quick, sequence, status)
        reader = _Body(frame)
        pdu = _decode(kind, reader, bool(command_id & RESPONSE_BIT))
    except _UnreadableError as error:
        raise SmppDecodeError(error.status, str(error), sequence, command_id, status) from None
    return Decoded(pdu, sequence, status, tuple(reader.flaws))


def _decode_id(kind: type[Pdu], frame: bytes) -> Pdu | None:
    """The hot path of the answers to submits: an id and its NUL, nothing else."""
    last = len(frame) - 1
    if last < HEADER_SIZE or last - HEADER_SIZE >= _LONGEST or frame.find(0, HEADER_SIZE) != last:
        return None
    message: dict[str, str] = {"message_id": frame[HEADER_SIZE:last].decode("latin-1")}
    return kind(**message)


def _decode_short(kind: type[ShortMessage], frame: bytes) -> ShortMessage | None:
    """The hot path: None where anything is unusual, so that `_decode` has a closer look."""
    try:
        a = frame.index(0, HEADER_SIZE)
        b = frame.index(0, a + 3)
        c = frame.index(0, b + 3)
        d = frame.index(0, c + 4)
        e = frame.index(0, d + 1)
        end = e + 6 + frame[e + 5]
    except (ValueError, IndexError):
        return None
    if end > len(frame) or c - HEADER_SIZE > 3 * _LONGEST or (d - c - 4) % _DATE or (e - d - 1) % _DATE:
        return None
    tlvs: tuple[Tlv, ...] = ()
    if end < len(frame):
        read = _tlvs(frame, end)
        if read is None:
            return None
        tlvs = read
    return kind(
        frame[HEADER_SIZE:a].decode("latin-1"), frame[a + 1], frame[a + 2], frame[a + 3 : b].decode("latin-1"),
        frame[b + 1], frame[b + 2], frame[b + 3 : c].decode("latin-1"), frame[c + 1], frame[c + 2], frame[c + 3],
        frame[c + 4 : d].decode("latin-1"), frame[d + 1 : e].decode("latin-1"), frame[e + 1], frame[e + 2],
        frame[e + 3], frame[e + 4], frame[e + 6 : end], tlvs,
    )  # fmt: skip


def _tlvs(frame: bytes, at: int) -> tuple[Tlv, ...] | None:
    """The TLVs that fill the rest of the frame exactly; None where they do not."""
    found: list[Tlv] = []
    size = len(frame)
    while at + 4 <= size:
        tag, length = _TLV.unpack_from(frame, at)
        end = at + 4 + length
        if end > size or tag == 0:
            return None
        found.append((tag, frame[at + 4 : end]))
        at = end
    return tuple(found) if at == size else None


class _UnreadableError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Body:
    """What is left of a frame, and what was wrong so far."""

    def __init__(self, frame: bytes) -> None:
        self.frame, self.at, self.flaws = frame, HEADER_SIZE, list[Flaw]()

    @property
    def left(self) -> int:
        return len(self.frame) - self.at

    def octet(self, name: str) -> int:
        if not self.left:
            raise _UnreadableError(Status.ESME_RINVCMDLEN, f"the PDU ends before {name}")
        self.at += 1
        return self.frame[self.at - 1]

    def cstr(self, name: str) -> str:
        if not self.left:
            raise _UnreadableError(Status.ESME_RINVCMDLEN, f"the PDU ends before {name}")
        end = self.frame.find(0, self.at)
        if end < 0:
            end = len(self.frame)
            self.flaws.append(Flaw(Status.ESME_RINVCMDLEN, f"{name} has no NUL"))
        if end - self.at >= _LONGEST:
            raise _UnreadableError(Status.ESME_RINVCMDLEN, f"{name} is longer than {_LONGEST} octets")
        text = self.frame[self.at : end].decode("latin-1")
        self.at = min(end + 1, len(self.frame))
        return text

    def octets(self, name: str) -> bytes:
        length = self.octet("sm_length")
        if length > self.left:
            self.flaws.append(Flaw(Status.ESME_RINVMSGLEN, f"{name} is shorter than sm_length"))
            length = self.left
        self.at += length
        return self.frame[self.at - length : self.at]

    def tlvs(self) -> tuple[Tlv, ...]:
        found: list[Tlv] = []
        while self.left >= 4 and any(self.frame[self.at :]):
            tag, length = _TLV.unpack_from(self.frame, self.at)
            if length > self.left - 4:
                self.flaws.append(Flaw(Status.ESME_RINVTLVSTREAM, f"TLV 0x{tag:04X} ends after the PDU"))
                return tuple(found)
            found.append((tag, self.frame[self.at + 4 : self.at + 4 + length]))
            self.at += 4 + length
        if self.left:
            self.flaws.append(Flaw(Status.ESME_RINVTLVSTREAM, f"{self.left} surplus octets"))
        return tuple(found)


def _decode(kind: type[Pdu], body: _Body, response: bool) -> Pdu:
    layout = LAYOUTS[kind]
    if response and layout and not body.left:
        nothing: dict[str, Any] = {layout[0].name: None}
        return kind(**nothing)
    if response and layout and _only_tlvs(body):
        no_body: dict[str, Any] = {layout[0].name: None, "tlvs": body.tlvs()}
        return kind(**no_body)
    values: dict[str, Any] = {}
    for item in layout:
        if response and not body.left:
            break  # a refusal may end anywhere
        values[item.name] = _field(item, body)
    values["tlvs"] = body.tlvs()
    return kind(**values)


def _only_tlvs(body: _Body) -> bool:
    """A response that goes on with TLVs right after its header: no id begins with a control character."""
    frame, at = body.frame, body.at
    if frame[at] >= 0x20 or _tlvs(frame, at) is None:
        return False
    return frame[at] != 0 or _tlvs(frame, at + 1) is None


def _field(item: Item, body: _Body) -> Any:
    if item.kind is Kind.CSTR:
        return body.cstr(item.name)
    if item.kind is Kind.INT1:
        return body.octet(item.name)
    if item.kind is Kind.OCTETS:
        return body.octets(item.name)
    if item.kind is Kind.DATE:
        text = body.cstr(item.name)
        if len(text) not in (0, _DATE):
            status = Status.ESME_RINVSCHED if item.name == "schedule_delivery_time" else Status.ESME_RINVEXPIRY
            body.flaws.append(Flaw(status, f"{item.name} has {len(text)} characters"))
        return text
    count = body.octet(item.name)
    if item.kind is Kind.IDS:
        return tuple(body.cstr(item.name) for _ in range(count))
    read = _destination if item.kind is Kind.DESTINATIONS else _unsuccess
    return tuple(read(body) for _ in range(count))


def _destination(body: _Body) -> SmeAddress | DistributionList:
    flag = body.octet("dest_flag")
    if flag == 2:
        return DistributionList(body.cstr("dl_name"))
    if flag != 1:
        raise _UnreadableError(Status.ESME_RINVDESTFLAG, f"dest_flag is {flag}")
    ton, npi = body.octet("dest_addr_ton"), body.octet("dest_addr_npi")
    return SmeAddress(ton, npi, body.cstr("destination_addr"))


def _unsuccess(body: _Body) -> UnsuccessSme:
    ton, npi = body.octet("dest_addr_ton"), body.octet("dest_addr_npi")
    address = body.cstr("destination_addr")
    code = bytes(body.octet("error_status_code") for _ in range(4))
    return UnsuccessSme(ton, npi, address, int.from_bytes(code, "big"))
