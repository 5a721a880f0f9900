"""Bodies of PDUs, field by field as the layouts say: strict in what is written, generous in what is read."""

from __future__ import annotations

from struct import Struct
from typing import Any, Final, NamedTuple

from smsc_relay.smpp.constants import HEADER_SIZE, RESPONSE_BIT, TLVS, Status, Tag, TlvKind
from smsc_relay.smpp.errors import SmppEncodeError
from smsc_relay.smpp.layouts import DATE_SIZE, LAYOUTS, LIMITS_50, Item, Kind, Limits
from smsc_relay.smpp.pdus import DistributionList, Pdu, SmeAddress, Tlv, UnsuccessSme

_TLV: Final = Struct(">HH")
_LONGEST: Final = 256  # octets of a C-octet string that anybody could mean
_MOST_NULS: Final = 3  # surplus NULs before TLVs
_PAYLOAD: Final = int(Tag.MESSAGE_PAYLOAD)
_END_TIME: Final = int(Tag.BROADCAST_END_TIME)
_CSTR: Final = TlvKind.CSTR

# What a strict receiver answers to a string that is too long, a date that is no date.
_FIELD_STATUS: Final[dict[str, int]] = {
    "system_id": Status.ESME_RINVSYSID,
    "password": Status.ESME_RINVPASWD,
    "system_type": Status.ESME_RINVSYSTYP,
    "service_type": Status.ESME_RINVSERTYP,
    "source_addr": Status.ESME_RINVSRCADR,
    "destination_addr": Status.ESME_RINVDSTADR,
    "dl_name": Status.ESME_RINVDLNAME,
    "message_id": Status.ESME_RINVMSGID,
    "schedule_delivery_time": Status.ESME_RINVSCHED,
    "validity_period": Status.ESME_RINVEXPIRY,
}


class Flaw(NamedTuple):
    """A rule that the peer broke in a PDU that could be read: the status a strict receiver would answer, and why."""

    status: int
    reason: str


# --- writing --------------------------------------------------------------------------------------------------------


def write(pdu: Pdu, limits: Limits) -> bytes:
    """The mandatory fields of a PDU.

    Raises:
        SmppEncodeError: a field does not fit.
    """
    out: list[bytes] = []
    name = type(pdu).__name__
    for item in LAYOUTS[type(pdu)]:
        value = getattr(pdu, item.name)
        if value is None and not out and pdu.command_id & RESPONSE_BIT:
            break  # a response without a body
        limit: int = getattr(limits, item.limit) if item.limit else 0
        if item.kind is Kind.CSTR:
            out.append(_cstr(value, limit, name, item.name))
        elif item.kind is Kind.INT1:
            out.append(_integer(value, 1, name, item.name))
        elif item.kind is Kind.DATE:
            if len(value) not in (0, DATE_SIZE):
                raise SmppEncodeError(name, item.name, len(value), f"empty or {DATE_SIZE} characters")
            out.append(_cstr(value, DATE_SIZE + 1, name, item.name))
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


def _integer(value: int, size: int, pdu: str, field: str) -> bytes:
    most = (1 << 8 * size) - 1
    if not 0 <= value <= most:
        raise SmppEncodeError(pdu, field, value, f"0 to {most}")
    return value.to_bytes(size, "big")


def _table(values: tuple[Any, ...], kind: Kind, limits: Limits, pdu: str, field: str) -> bytes:
    most = limits.destinations if kind is Kind.DESTINATIONS else 255
    if len(values) > most:
        raise SmppEncodeError(pdu, field, len(values), f"at most {most} entries")
    out = [bytes((len(values),))]
    for value in values:
        if kind is Kind.IDS:
            out.append(_cstr(value, limits.message_id, pdu, field))
        elif isinstance(value, DistributionList):
            out.append(b"\x02" + _cstr(value.dl_name, limits.dl_name, pdu, "dl_name"))
        else:
            out += [
                b"\x01" if kind is Kind.DESTINATIONS else b"",
                _integer(value.dest_addr_ton, 1, pdu, "dest_addr_ton"),
                _integer(value.dest_addr_npi, 1, pdu, "dest_addr_npi"),
                _cstr(value.destination_addr, limits.address, pdu, "destination_addr"),
            ]
            if isinstance(value, UnsuccessSme):
                out.append(_integer(value.error_status_code, 4, pdu, "error_status_code"))
    return b"".join(out)


def write_tlvs(pdu: Pdu, limits: Limits) -> bytes:
    """The TLVs of a PDU, in their order, with any tag and value that the wire can carry.

    Raises:
        SmppEncodeError: one cannot be carried, or the text is in two places (SMPP 3.4 section 5.3.2.32).
    """
    out: list[bytes] = []
    name = type(pdu).__name__
    for tag, value in pdu.tlvs:
        if not 1 <= tag <= 0xFFFF:
            raise SmppEncodeError(name, "tag", tag, "1 to 65535")
        if len(value) > 0xFFFF:
            raise SmppEncodeError(name, f"TLV 0x{tag:04X}", len(value), "at most 65535 octets")
        if tag == _PAYLOAD and not limits.text_twice and (length := _text_length(pdu)):
            raise SmppEncodeError(name, "short_message", length, "empty beside a message_payload")
        out += (_TLV.pack(tag, len(value)), value)
    return b"".join(out)


def _text_length(pdu: Pdu) -> int:
    text: bytes = getattr(pdu, "short_message", b"")
    return len(text)


# --- reading --------------------------------------------------------------------------------------------------------


class UnreadableError(Exception):
    """What cannot be understood: the command_status to answer, and why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def read(kind: type[Pdu], frame: bytes, status: int) -> tuple[Pdu, list[Flaw]]:
    """The PDU in a whole frame, and what was wrong with its fields.

    Raises:
        UnreadableError: the body cannot be one of this PDU.
    """
    layout = LAYOUTS[kind]
    body = _Body(frame)
    response = bool(kind.command_id & RESPONSE_BIT)
    values: dict[str, Any] = {}
    if response and layout and (not body.left or (layout[0].kind is Kind.CSTR and _only_tlvs(frame))):
        values[layout[0].name] = None
        layout = ()
    for item in layout:
        if response and not body.left:
            # A refusal may end anywhere; an answer that says less than it must is another matter.
            if status == Status.ESME_ROK:
                body.flaws.append(Flaw(Status.ESME_RINVCMDLEN, f"the PDU ends before {item.name}"))
            break
        values[item.name] = _field(item, body)
    values["tlvs"] = body.tlvs()
    return kind(**values), body.flaws


def split_tlvs(frame: bytes, at: int) -> tuple[Tlv, ...] | None:
    """The TLVs that fill the rest of a frame exactly; None where they do not, or where a tag is 0, which is none."""
    found: list[Tlv] = []
    size = len(frame)
    while at + 4 <= size:
        tag, length = _TLV.unpack_from(frame, at)
        end = at + 4 + length
        if end > size or not tag:
            return None
        found.append((tag, frame[at + 4 : end]))
        at = end
    return tuple(found) if at == size else None


def tlv_flaws(pdu: Pdu) -> tuple[Flaw, ...]:
    """What the specifications say of TLVs and this PDU's do not keep to. Their values can be read all the same."""
    flaws: list[Flaw] = []
    for tag, value in pdu.tlvs:
        spec = TLVS.get(tag)
        if spec is None:
            if not tag:
                flaws.append(Flaw(Status.ESME_RINVTLVSTREAM, "TLV of tag 0"))
            continue
        kind, low, high = spec
        if not low <= len(value) <= high:
            flaws.append(Flaw(Status.ESME_RINVTLVLEN, f"TLV 0x{tag:04X} has {len(value)} octets"))
        elif kind is _CSTR and value[-1:] != b"\0" and tag != _END_TIME:
            flaws.append(Flaw(Status.ESME_RINVTLVVAL, f"TLV 0x{tag:04X} has no NUL"))
        if tag == _PAYLOAD and _text_length(pdu):
            flaws.append(Flaw(Status.ESME_RTLVNOTALLWD, "short_message and message_payload"))
    return tuple(flaws)


class _Body:
    """What is left of a frame, and what was wrong so far."""

    def __init__(self, frame: bytes) -> None:
        self.frame, self.at, self.flaws = frame, HEADER_SIZE, list[Flaw]()

    @property
    def left(self) -> int:
        return len(self.frame) - self.at

    def octet(self, name: str) -> int:
        if not self.left:
            raise UnreadableError(Status.ESME_RINVCMDLEN, f"the PDU ends before {name}")
        self.at += 1
        return self.frame[self.at - 1]

    def cstr(self, name: str, limit: int = _LONGEST) -> str:
        end = self.frame.find(0, self.at)
        if end < 0:
            end = len(self.frame)
            self.flaws.append(Flaw(Status.ESME_RINVCMDLEN, f"{name} has no NUL"))
        size = end - self.at
        if size >= _LONGEST:
            raise UnreadableError(Status.ESME_RINVCMDLEN, f"{name} is longer than {_LONGEST} octets")
        if size >= limit:
            status = _FIELD_STATUS.get(name, Status.ESME_RINVCMDLEN)
            self.flaws.append(Flaw(status, f"{name} has {size} characters"))
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
        for nuls in range(_MOST_NULS + 1):
            if any(self.frame[self.at : self.at + nuls]):
                break
            if (whole := split_tlvs(self.frame, self.at + nuls)) is not None:
                if nuls:
                    self.flaws.append(Flaw(Status.ESME_RINVTLVSTREAM, f"{nuls} surplus octets"))
                return whole
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


def _only_tlvs(frame: bytes) -> bool:
    """A response that goes on with TLVs right after its header: no id begins with a control character."""
    first = frame[HEADER_SIZE]
    if first >= 0x20 or split_tlvs(frame, HEADER_SIZE) is None:
        return False
    return first != 0 or split_tlvs(frame, HEADER_SIZE + 1) is None


def _field(item: Item, body: _Body) -> Any:
    if item.kind is Kind.CSTR:
        return body.cstr(item.name, getattr(LIMITS_50, item.limit))
    if item.kind is Kind.INT1:
        return body.octet(item.name)
    if item.kind is Kind.OCTETS:
        return body.octets(item.name)
    if item.kind is Kind.DATE:
        text = body.cstr(item.name)
        if len(text) not in (0, DATE_SIZE):
            status = _FIELD_STATUS.get(item.name, Status.ESME_RINVCMDLEN)
            body.flaws.append(Flaw(status, f"{item.name} has {len(text)} characters"))
        return text
    count = body.octet(item.name)
    if item.kind is Kind.IDS:
        return tuple(_id(body) for _ in range(count))
    entry = _destination if item.kind is Kind.DESTINATIONS else _unsuccess
    return tuple(entry(body) for _ in range(count))


def _id(body: _Body) -> str:
    if not body.left:
        raise UnreadableError(Status.ESME_RINVCMDLEN, "the PDU ends before message_id")
    return body.cstr("message_id", LIMITS_50.message_id)


def _destination(body: _Body) -> SmeAddress | DistributionList:
    flag = body.octet("dest_flag")
    if flag == 2:
        return DistributionList(body.cstr("dl_name", LIMITS_50.dl_name))
    if flag != 1:
        raise UnreadableError(Status.ESME_RINVDESTFLAG, f"dest_flag is {flag}")
    ton, npi = body.octet("dest_addr_ton"), body.octet("dest_addr_npi")
    return SmeAddress(ton, npi, body.cstr("destination_addr", LIMITS_50.address))


def _unsuccess(body: _Body) -> UnsuccessSme:
    ton, npi = body.octet("dest_addr_ton"), body.octet("dest_addr_npi")
    address = body.cstr("destination_addr", LIMITS_50.address)
    code = bytes(body.octet("error_status_code") for _ in range(4))
    return UnsuccessSme(ton, npi, address, int.from_bytes(code, "big"))
