"""Messages <-> CIMD2 packets, from the SMSC's side."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from chalicelib import gsm7
from smsc_relay import air
from smsc_relay.cimd2 import alphabet
from smsc_relay.cimd2.codec import Packet, Parameters, parameters
from smsc_relay.cimd2.constants import Delivery, Error, Report, Tag
from smsc_relay.cimd2.texts import charset
from smsc_relay.simulator.content import ContentError, Place, decode, encode, place_of
from smsc_relay.simulator.deliveries import MoPart, Receipt
from smsc_relay.simulator.phones import Wants
from smsc_relay.simulator.settings import Cimd2
from smsc_relay.smpp.constants import Status

_OCTETS: Final = 140  # of a short message, its header included
_LONG_NUMBER: Final = 9  # digits from which on a number is taken for an international one
_GSM, _BINARY, _UCS2 = 0, 4, 8  # data coding schemes

# A script's statuses have SMPP's names; the others are CIMD2's own numbers.
_ERRORS: Final[dict[int, int]] = {
    Status.ESME_RINVMSGLEN: Error.USER_DATA,
    Status.ESME_RINVCMDID: Error.UNEXPECTED_OPERATION,
    Status.ESME_RINVBNDSTS: Error.UNEXPECTED_OPERATION,
    Status.ESME_RALYBND: Error.TOO_MANY_USERS,
    Status.ESME_RSYSERR: Error.GENERAL,
    Status.ESME_RINVSRCADR: Error.ORIGINATOR,
    Status.ESME_RINVDSTADR: Error.DESTINATION,
    Status.ESME_RINVMSGID: Error.NOT_FOUND,
    Status.ESME_RBINDFAIL: Error.LOGIN_REFUSED,
    Status.ESME_RINVPASWD: Error.INVALID_LOGIN,
    Status.ESME_RINVSYSID: Error.INVALID_LOGIN,
    Status.ESME_RMSGQFUL: Error.CONGESTION,
    Status.ESME_RINVNUMDESTS: Error.DESTINATION_COUNT,
    Status.ESME_RSUBMITFAIL: Error.OPERATION_FAILED,
    Status.ESME_RTHROTTLED: Error.CONGESTION,
    Status.ESME_RINVEXPIRY: Error.VALIDITY,
    Status.ESME_RX_T_APPN: Error.NO_RESPONSE,
    Status.ESME_RINVDCS: Error.DCS,
}
_LOGIN_ERRORS: Final = range(100, 109)
# What an account may not use -> the error that it gets
PROHIBITED: Final[dict[int, int]] = {
    Tag.ORIGINATOR: 306, Tag.ALPHANUMERIC: 321, Tag.MORE_MESSAGES: 318, Tag.VALIDITY_RELATIVE: 305,
    Tag.VALIDITY_ABSOLUTE: 305, Tag.PROTOCOL_ID: 307, Tag.FIRST_DELIVERY_RELATIVE: 308,
    Tag.FIRST_DELIVERY_ABSOLUTE: 308, Tag.REPLY_PATH: 309, Tag.STATUS_REPORT: 310, Tag.CANCEL_ENABLED: 311,
    Tag.TARIFF_CLASS: 313, Tag.SERVICE_DESCRIPTION: 314, Tag.PRIORITY: 312,
}  # fmt: skip
_STATES: Final = {
    "SCHEDULED": Delivery.IN_PROCESS,
    "ENROUTE": Delivery.IN_PROCESS,
    "DELIVRD": Delivery.SUCCESSFUL,
    "EXPIRED": Delivery.EXPIRED,
    "DELETED": Delivery.DELETED,
    "UNDELIV": Delivery.FAILED,
    "ACCEPTD": Delivery.NO_RESPONSE,
    "UNKNOWN": Delivery.LAST_NO_RESPONSE,
    "REJECTD": Delivery.FAILED,
    "SKIPPED": Delivery.FAILED,
}


def error_of(status: int, *, login: bool = False) -> int:
    """The error code for a status of a script."""
    if login and status in _LOGIN_ERRORS:
        return status
    known = _ERRORS.get(status)
    if known is not None:
        return known
    return Error.GENERAL if status in set(Status) or status > 999 else status


def timestamp(ms: int, utc_offset: float) -> str:
    """A moment as the SMSC writes it."""
    return time.strftime("%y%m%d%H%M%S", time.gmtime(ms // 1000 + round(utc_offset * 3600)))


# --- submits --------------------------------------------------------------------------------------------------------


class RefusedSubmit(ValueError):  # noqa: N818 - says what it is
    """A submit that no SMSC takes; `code` is the error code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"error {int(code)}")
        self.code = int(code)


@dataclass(frozen=True, slots=True)
class Content:
    """What a submit says; GSM text is one septet per octet."""

    octets: bytes
    elements: bytes
    alphabet: str
    place: Place | None


def read(packet: Packet, prohibited: tuple[int, ...] = ()) -> Content:
    """The content of a submit.

    Raises:
        RefusedSubmit: it breaks a rule of the protocol, or has one of the `prohibited` parameters.
    """
    for tag in prohibited:
        if packet.get(tag) is not None:
            raise RefusedSubmit(PROHIBITED[tag])
    if packet.get(Tag.ORIGINATOR) is not None and packet.get(Tag.ALPHANUMERIC) is not None:
        raise RefusedSubmit(Error.ORIGINATOR)
    coding = packet.integer(Tag.DCS) or 0
    if not 0 <= coding <= 255:
        raise RefusedSubmit(Error.DCS)
    text, binary = packet.get(Tag.USER_DATA), packet.get(Tag.BINARY)
    if text is not None and binary is not None:
        raise RefusedSubmit(Error.USER_DATA_COMBINATION)
    try:
        header = bytes.fromhex(packet.get(Tag.UDH) or "")
        if header and header[0] + 1 != len(header):
            raise RefusedSubmit(Error.USER_DATA_COMBINATION)
        place = place_of(header[1:])
        octets = bytes.fromhex(binary) if binary is not None else alphabet.septets_of(text or "")
    except ValueError as error:  # ContentError is one
        raise error if isinstance(error, RefusedSubmit) else RefusedSubmit(Error.USER_DATA) from None
    how = charset(coding)
    if text is not None and how != "gsm7":
        raise RefusedSubmit(Error.DCS)
    if binary is not None and how == "gsm7":
        octets = gsm7.unpack(octets, fill_bits=air.fill_bits(len(header)))
    if (len(octets) * 7 + 7 if how == "gsm7" else len(octets) * 8) // 8 + len(header) > _OCTETS:
        raise RefusedSubmit(Error.USER_DATA)
    return Content(octets, header[1:], how, place)


def wants(packet: Packet) -> Wants:
    """Which status reports are asked for."""
    mask = packet.integer(Tag.STATUS_REPORT) or 0
    failures = Report.EXPIRED | Report.FAILED | Report.CANCELLED | Report.DELETED
    return Wants(bool(mask & Report.DELIVERED), bool(mask & failures), bool(mask & Report.TEMPORARY))


def source_of(packet: Packet) -> str:
    """The originator, as the phone shows it."""
    name = packet.get(Tag.ALPHANUMERIC)
    if name is not None:
        return alphabet.decode(name)[0]
    return (packet.get(Tag.ORIGINATOR) or "").removeprefix("+")


def describe(packet: Packet) -> dict[str, Any]:
    """The parameters that only CIMD2 has, for whoever looks."""
    hidden = {Tag.DESTINATION, Tag.ORIGINATOR, Tag.ALPHANUMERIC, Tag.UDH, Tag.USER_DATA, Tag.BINARY}
    return {"parameters": {f"{tag:03d}": value for tag, value in packet.parameters if tag not in hidden}}


# --- to the client --------------------------------------------------------------------------------------------------


def mo_parameters(part: MoPart, now_ms: int, utc_offset: float, how: Cimd2) -> Parameters:
    """The deliver message of an MO's part.

    Raises:
        ContentError: it does not fit into a short message.
    """
    elements = part.further + (part.place.header() if part.place is not None else b"")
    header = air.header(elements) if elements else b""
    head = parameters(
        (Tag.DESTINATION, part.request.to.removeprefix("+")),
        (Tag.ORIGINATOR, _address(part.request.source)),
        (Tag.TIMESTAMP, timestamp(now_ms, utc_offset)),
    )
    return head + _content(part, header, how)


def _content(part: MoPart, header: bytes, how: Cimd2) -> Parameters:
    told = header.hex().upper() if header else None
    name, octets = part.alphabet, part.octets
    if name == "binary":
        coding = _BINARY
    elif name in ("ucs2", "ucs2_little"):
        coding = _UCS2
    elif name == "gsm7_packed":
        coding, octets = _GSM, air.packed(gsm7.unpack(octets), air.fill_bits(len(header)))
    else:
        # Any other alphabet is text to the SMSC, which has GSM for it.
        septets = octets if name == "gsm7" else encode(decode(octets, name) or "", "gsm7")
        if (len(septets) * 7 + 7) // 8 + len(header) > _OCTETS:
            raise ContentError("more than a short message holds")
        data = alphabet.encode(septets, latin=how.characters == "latin1")
        return parameters((Tag.DCS, _GSM), (Tag.UDH, told), (Tag.USER_DATA, data))
    if len(octets) + len(header) > _OCTETS:
        raise ContentError("more than a short message holds")
    return parameters((Tag.DCS, coding), (Tag.UDH, told), (Tag.BINARY, octets.hex().upper()))


def _address(source: str) -> str:
    digits = source.removeprefix("+")
    return f"+{digits}" if digits.isdigit() and (digits != source or len(digits) >= _LONG_NUMBER) else source


def report_parameters(receipt: Receipt, utc_offset: float, how: Cimd2) -> Parameters:
    """The status report of a receipt."""
    segment = receipt.segment
    source, destination = segment.addresses
    good = receipt.final and receipt.state == "ACCEPTD"  # CIMD2 has no accepted that is final
    error = "".join(character for character in receipt.err if character.isdigit())[-3:]
    return parameters(
        (Tag.DESTINATION, destination),
        (Tag.ORIGINATOR, source if how.report_originator else None),
        (Tag.TIMESTAMP, segment.message_id.rpartition("-")[2]),
        (Tag.STATUS, int(Delivery.SUCCESSFUL if good else _STATES[receipt.state])),
        (Tag.STATUS_ERROR, int(error) if error and int(error) else None),
        (Tag.DISCHARGE_TIME, timestamp(receipt.at, utc_offset)),
    )


def status_of(state: str) -> int:
    """The status code of a message's state."""
    return _STATES[state]
