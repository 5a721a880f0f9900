"""Messages <-> operations, from the SMSC's side (EMI UCP Interface Specification)."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any, Final

from chalicelib import gsm7
from chalicelib.text import clean
from smsc_relay import air
from smsc_relay.simulator.content import ContentError, place_of, take_header
from smsc_relay.simulator.deliveries import MoPart, Receipt
from smsc_relay.simulator.phones import Wants
from smsc_relay.simulator.settings import Behaviour
from smsc_relay.simulator.smpp_messages import Content
from smsc_relay.smpp.constants import Status
from smsc_relay.ucp.address import alphanumeric, named
from smsc_relay.ucp.constants import (
    ALPHANUMERIC,
    NUMERIC,
    OTOA_ALPHANUMERIC,
    TRANSPARENT,
    XSER_DCS,
    XSER_UDH,
    Dst,
    Ec,
    Ot,
)
from smsc_relay.ucp.operations import CallInput, Message, Nack, Operation, Transfer, fields_of
from smsc_relay.ucp.texts import alphabet_of, service, services

Submit = CallInput | Transfer | Message

# --- refusals -------------------------------------------------------------------------------------------------------

# A script speaks of SMPP's statuses; this is what an SMSC says in their place.
_REFUSALS: Final[dict[int, tuple[int, str]]] = {
    Status.ESME_RTHROTTLED: (Ec.NOT_ALLOWED, "Throughput exceeded"),
    Status.ESME_RMSGQFUL: (Ec.LOW_NETWORK_STATUS, "Queue full"),
    Status.ESME_RSYSERR: (Ec.SYSTEM_ERROR, "System error"),
    Status.ESME_RSUBMITFAIL: (Ec.NOT_SUCCESSFUL, "Operation not successful"),
    Status.ESME_RINVSRCADR: (Ec.NOT_ALLOWED, "Originator not allowed"),
    Status.ESME_RINVDSTADR: (Ec.ADC_INVALID, "AdC invalid"),
    Status.ESME_RINVCMDID: (Ec.UNSUPPORTED, "Operation not supported by system"),
    Status.ESME_RINVPASWD: (Ec.AUTHENTICATION, "Authentication failure"),
    Status.ESME_RINVSYSID: (Ec.AUTHENTICATION, "Authentication failure"),
    Status.ESME_RBINDFAIL: (Ec.NOT_ALLOWED, "Operation not allowed"),
    Status.ESME_RALYBND: (Ec.NOT_ALLOWED, "Too many sessions"),
    Status.ESME_RINVESMCLASS: (Ec.SYNTAX, "Syntax error"),
}


def refusal(status: int) -> Nack:
    """The negative result for a status of the script."""
    return Nack(*_REFUSALS.get(status, (Ec.NOT_SUCCESSFUL, "Operation not successful")))


# --- submits --------------------------------------------------------------------------------------------------------


def read(operation: Submit) -> Content:
    """The content of a submit.

    Raises:
        ContentError: its message, header or extra services cannot be read.
    """
    if isinstance(operation, CallInput | Message) and operation.mt == NUMERIC:
        return Content(operation.msg.encode("latin-1"), b"", "ascii", None)
    try:
        octets = bytes.fromhex(operation.msg)
    except ValueError:
        raise ContentError("Msg is not in hex") from None
    transparent = not isinstance(operation, Transfer) and operation.mt == TRANSPARENT
    if not isinstance(operation, Message):
        return Content(octets, b"", "binary" if transparent else "gsm7", None)
    extra = services(operation.xser)
    if extra is None:
        raise ContentError("XSer is cut short")
    elements = b""
    if XSER_UDH in extra:
        elements, _ = take_header(extra[XSER_UDH] + b"\0")
    dcs = extra.get(XSER_DCS)
    alphabet = alphabet_of(dcs[0]) if dcs else "binary" if transparent else "gsm7"
    return Content(octets, elements, alphabet, place_of(elements))


def wants(operation: Submit) -> Wants:
    """Which notifications are asked for: NT, whose default is both of delivery."""
    if isinstance(operation, CallInput):
        return Wants()
    nt = operation.nt if isinstance(operation, Message) else ""
    bits = int(nt) if nt.isascii() and nt.isdigit() else 3 if operation.nrq == "1" else 0
    return Wants(bool(bits & 1), bool(bits & 2), bool(bits & 4))


def source_of(operation: Submit) -> str:
    """The originator as the phone shows it."""
    if isinstance(operation, Message) and operation.otoa == OTOA_ALPHANUMERIC:
        return named(operation.oadc) or operation.oadc
    return operation.oadc


def describe(operation: Submit) -> dict[str, Any]:
    """The fields that only UCP has, for whoever looks."""
    hidden = {"adc", "oadc", "msg"}
    found = {name: value for name, value in fields_of(operation).items() if value and name not in hidden}
    return {"operation": int(operation.ot), **found}


class Stamps:
    """Time stamps of messages. Good SMSCs give no two messages to one recipient the same: they go on to a second that
    has not come yet."""

    def __init__(self, keep: int = 100_000) -> None:
        self._last: OrderedDict[str, int] = OrderedDict()
        self._keep = keep

    def next(self, recipient: str, now_ms: int, utc_offset: float, *, repeat: bool) -> str:
        """DDMMYYhhmmss of the SMSC's clock."""
        second = now_ms // 1000
        if not repeat:
            second = max(second, self._last.get(recipient, 0) + 1)
            self._last[recipient] = second
            if len(self._last) > self._keep:
                self._last.popitem(last=False)
        return local(second, utc_offset)


def local(second: int, utc_offset: float) -> str:
    """DDMMYYhhmmss of a second since the epoch, on a clock so many hours ahead of UTC."""
    return time.strftime("%d%m%y%H%M%S", time.gmtime(second + round(utc_offset * 3600)))


# --- MOs ------------------------------------------------------------------------------------------------------------


def mo_operation(part: MoPart, stamp: str, kind: str) -> Operation:
    """The 52 (or 01, or 30, which have neither coding nor header) of an MO's part."""
    oadc, otoa = _address(part.request.source)
    adc, _ = _address(part.request.to)
    octets = part.octets
    if kind == "30":
        return Transfer(adc, oadc, msg=octets.hex().upper())
    mt = ALPHANUMERIC if part.alphabet == "gsm7" else TRANSPARENT
    nb = f"{8 * len(octets):04d}" if mt == TRANSPARENT else ""
    if kind == "01":
        return CallInput(adc, oadc, "", mt, nb, octets.hex().upper())
    place = part.place
    elements = part.elements + (place.header() if place is not None and place.how != "udh" else b"")
    xser = service(XSER_UDH, air.header(elements)) if elements else ""
    if mt == TRANSPARENT:
        xser += service(XSER_DCS, b"\x08" if part.alphabet == "ucs2" else b"\x04")
    return Message(
        Ot.DELIVER, adc=adc, oadc=oadc, scts=stamp, mt=mt, nb=nb, msg=octets.hex().upper(), otoa=otoa, xser=xser
    )  # fmt: skip


def _address(text: str) -> tuple[str, str]:
    digits = text.removeprefix("+")
    if digits.isascii() and digits.isdigit():
        return digits, ""
    return alphanumeric(gsm7.encode(clean(text)) if gsm7.is_gsm7(text) else b"?"), OTOA_ALPHANUMERIC


# --- notifications --------------------------------------------------------------------------------------------------

_DST: Final = {"DELIVRD": Dst.DELIVERED, "ACCEPTD": Dst.DELIVERED, "ENROUTE": Dst.BUFFERED, "SCHEDULED": Dst.BUFFERED}
_RSN: Final = {"EXPIRED": "107", "DELETED": "126", "UNDELIV": "108", "REJECTD": "104", "SKIPPED": "118"}
_SAID: Final = {
    Dst.DELIVERED: "has been delivered",
    Dst.BUFFERED: "has been buffered",
    Dst.NOT_DELIVERED: "could not be delivered",
}


def notification(receipt: Receipt, behaviour: Behaviour) -> Message:
    """The 53 of a receipt."""
    segment, how = receipt.segment, behaviour.ucp
    oadc, otoa = segment.addresses[0]
    adc, _, stamp = segment.message_id.rpartition(":")
    dst = _DST.get(receipt.state, Dst.NOT_DELIVERED)
    done = local(receipt.at // 1000, behaviour.receipts.utc_offset)
    identification = stamp[4:6] + stamp[2:4] + stamp[:2] + stamp[6:]
    moment = f"20{done[4:6]}-{done[2:4]}-{done[:2]} at {done[6:8]}:{done[8:10]}:{done[10:]}"
    text = f"Message for {adc}, with identification {identification} {_SAID[dst]} on {moment}"
    return Message(
        Ot.NOTIFICATION,
        adc=segment.account if otoa == OTOA_ALPHANUMERIC else oadc,
        oadc=adc,
        scts=stamp if how.scts else "",
        dst=str(int(dst)),
        rsn="000" if dst == Dst.DELIVERED else _RSN.get(receipt.state, "000"),
        dscts=done if how.dscts else "",
        mt=ALPHANUMERIC,
        msg=gsm7.encode(text).hex().upper(),
    )
