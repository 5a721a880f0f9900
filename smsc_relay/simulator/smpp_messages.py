"""Messages <-> PDUs, from the SMSC's side."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Final

from chalicelib import gsm7
from smsc_relay import air
from smsc_relay.simulator.content import Place, decode, encode_all, place_of, take_header, with_header
from smsc_relay.simulator.deliveries import MoPart, Receipt
from smsc_relay.simulator.phones import Wants
from smsc_relay.simulator.settings import Behaviour, Receipts
from smsc_relay.simulator.smpp_coding import alphabet_of, coding_of
from smsc_relay.smpp.constants import ESM_INTERMEDIATE, ESM_RECEIPT, ESM_UDHI, MessageState, Npi, Tag, Ton
from smsc_relay.smpp.pdus import DataSm, DeliverSm, Pdu, SubmitMulti, SubmitSm, Tlv, int_tlv, octets_tlv
from smsc_relay.smpp.vendor import VendorTlv

_STATES: Final = {
    "SCHEDULED": MessageState.SCHEDULED,
    "ENROUTE": MessageState.ENROUTE,
    "DELIVRD": MessageState.DELIVERED,
    "EXPIRED": MessageState.EXPIRED,
    "DELETED": MessageState.DELETED,
    "UNDELIV": MessageState.UNDELIVERABLE,
    "ACCEPTD": MessageState.ACCEPTED,
    "UNKNOWN": MessageState.UNKNOWN,
    "REJECTD": MessageState.REJECTED,
    "SKIPPED": MessageState.SKIPPED,
}
_SHORT: Final = 254  # octets of short_message
_TEXT: Final = 20  # characters of the original in a receipt (SMPP 3.4 appendix B)
_LONG_NUMBER: Final = 9  # digits from which on a number is taken for an international one
_GSM: Final = 3  # network type of network_error_code (SMPP 3.4 section 5.3.2.31)


def message_state(state: str) -> int:
    """message_state of a word of a receipt."""
    return _STATES[state]


def make_id(form: str, number: int) -> str:
    """A message id."""
    if "{uuid" in form:
        return form.format(n=number, uuid=uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
    return form.format(n=number)


def vendor(tlvs: Iterable[VendorTlv]) -> tuple[Tlv, ...]:
    """TLVs of a script, exactly as written."""
    return tuple((tlv.tag, tlv.octets) for tlv in tlvs)


# --- submits --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Content:
    """What a submit says."""

    octets: bytes
    elements: bytes
    alphabet: str
    place: Place | None


def read(pdu: SubmitSm | SubmitMulti | DataSm, default_alphabet: str) -> Content:
    """The content of a submit.

    Raises:
        ContentError: its user data header cannot be read.
    """
    octets = b"" if isinstance(pdu, DataSm) else pdu.short_message
    tlvs = pdu.tlvs
    if not octets and tlvs:
        octets = pdu.tlv(Tag.MESSAGE_PAYLOAD) or b""
    alphabet = alphabet_of(pdu.data_coding, default_alphabet)
    if pdu.esm_class & ESM_UDHI:
        elements, octets = take_header(octets)
        return Content(octets, elements, alphabet, place_of(elements))
    return Content(octets, b"", alphabet, _sar(pdu) if tlvs else None)


def _sar(pdu: Pdu) -> Place | None:
    """Ignored unless all three are there (SMPP 3.4 section 5.3.2.22)."""
    reference, total = pdu.tlv_int(Tag.SAR_MSG_REF_NUM), pdu.tlv_int(Tag.SAR_TOTAL_SEGMENTS)
    sequence = pdu.tlv_int(Tag.SAR_SEGMENT_SEQNUM)
    if reference is None or total is None or sequence is None or not 1 <= sequence <= total:
        return None
    return Place(reference, total, sequence, 16, "sar")


# registered_delivery, bits 1 and 0 (SMPP 3.4 section 5.2.17; 3 is of SMPP 5.0), and bit 4
_WANTS: Final = {
    (bits, way): Wants(success=bits in (1, 3), failure=bits in (1, 2), intermediate=way)
    for bits in range(4)
    for way in (False, True)
}


def wants(registered_delivery: int) -> Wants:
    """Which receipts are asked for."""
    return _WANTS[registered_delivery & 0x03, bool(registered_delivery & 0x10)]


def describe(pdu: Pdu) -> dict[str, Any]:
    """The fields that only SMPP has, for whoever looks."""
    hidden = {"short_message", "source_addr", "destination_addr", "dest_address", "tlvs"}
    found = {
        one.name: getattr(pdu, one.name)
        for one in fields(pdu)  # type: ignore[arg-type]
        if one.name not in hidden
    }
    return {**found, "tlvs": {f"0x{tag:04X}": value.hex() for tag, value in pdu.tlvs}}


# --- MOs ------------------------------------------------------------------------------------------------------------


def ton_npi(address: str) -> tuple[int, int]:
    """What an address looks like: alphanumeric, international, or short."""
    digits = address.removeprefix("+")
    if not digits.isascii() or not digits.isdigit():
        return Ton.ALPHANUMERIC, Npi.UNKNOWN
    if digits != address or len(digits) >= _LONG_NUMBER:
        return Ton.INTERNATIONAL, Npi.E164
    return Ton.UNKNOWN, Npi.E164


def mo_pdu(part: MoPart, default_alphabet: str) -> DeliverSm | DataSm:
    """The deliver_sm (or data_sm) of an MO's part."""
    request = part.request
    given = request.smpp
    source, source_ton, source_npi = _address(request.source, given.source_addr_ton, given.source_addr_npi)
    to, dest_ton, dest_npi = _address(request.to, given.dest_addr_ton, given.dest_addr_npi)
    octets, tlvs = part.octets, vendor(given.tlvs)
    elements = part.elements
    if elements:
        if part.alphabet == "gsm7_packed":  # the text begins at a septet's boundary (TS 23.040 section 9.2.3.24)
            octets = air.packed(gsm7.unpack(octets), air.fill_bits(1 + len(elements)))
        octets = with_header(elements, octets)
    esm_class = given.esm_class if given.esm_class is not None else ESM_UDHI if elements else 0
    coding = given.data_coding if given.data_coding is not None else coding_of(part.alphabet, default_alphabet)
    place = part.place
    if place is not None and place.how == "sar":
        tlvs = (
            int_tlv(Tag.SAR_MSG_REF_NUM, place.reference),
            int_tlv(Tag.SAR_TOTAL_SEGMENTS, place.total),
            int_tlv(Tag.SAR_SEGMENT_SEQNUM, place.sequence),
            *tlvs,
        )
    if part.payload or given.via == "data_sm":
        tlvs = ((int(Tag.MESSAGE_PAYLOAD), octets), *tlvs)
        octets = b""
    if given.via == "data_sm":
        return DataSm(
            given.service_type, source_ton, source_npi, source, dest_ton, dest_npi, to, esm_class, 0, coding, tlvs
        )
    return DeliverSm(
        service_type=given.service_type,
        source_addr_ton=source_ton,
        source_addr_npi=source_npi,
        source_addr=source,
        dest_addr_ton=dest_ton,
        dest_addr_npi=dest_npi,
        destination_addr=to,
        esm_class=esm_class,
        protocol_id=given.protocol_id,
        priority_flag=given.priority_flag,
        data_coding=coding,
        short_message=octets,
        tlvs=tlvs,
    )


def _address(address: str, ton: int | None, npi: int | None) -> tuple[str, int, int]:
    """With a TON of its own an address stays as it is written, + and all."""
    looks = ton_npi(address)
    text = address.removeprefix("+") if ton is None and looks[0] == Ton.INTERNATIONAL else address
    return text, looks[0] if ton is None else ton, looks[1] if npi is None else npi


# --- receipts -------------------------------------------------------------------------------------------------------


def receipt_pdu(
    receipt: Receipt, behaviour: Behaviour, default_alphabet: str, tlvs_allowed: bool
) -> DeliverSm | DataSm:
    """The deliver_sm (or data_sm) of a receipt; without TLVs for a client of 3.3."""
    how, ids, segment = behaviour.receipts, behaviour.ids, receipt.segment
    via = how.via if tlvs_allowed else "text"
    form = ids.answer if ids.receipt is None else ids.receipt
    text = b""
    if via != "tlv":
        alphabet = alphabet_of(how.data_coding, default_alphabet)
        text = encode_all(_receipt_text(receipt, how, make_id(form, segment.number)), alphabet)
    tlvs: tuple[Tlv, ...] = ()
    if via in ("both", "tlv", "data_sm"):
        tlv_id = make_id(form if ids.tlv is None else ids.tlv, segment.number)
        tlvs += (
            (int(Tag.RECEIPTED_MESSAGE_ID), tlv_id.encode("latin-1", "replace") + b"\0"),
            int_tlv(Tag.MESSAGE_STATE, _STATES[receipt.state]),
        )
    if via in ("payload", "data_sm"):
        tlvs = ((int(Tag.MESSAGE_PAYLOAD), text), *tlvs)
        text = b""
    if tlvs_allowed:
        if how.network_error:
            tlvs += (octets_tlv(Tag.NETWORK_ERROR_CODE, bytes((_GSM, *_error_number(receipt.err)))),)
        tlvs += vendor(how.tlvs)
    esm_class = 0
    if how.marked:
        notification = not receipt.final and how.intermediate_as == "notification"
        esm_class = ESM_INTERMEDIATE if notification else ESM_RECEIPT
    (source_ton, source_npi), (dest_ton, dest_npi) = segment.addresses[1], segment.addresses[0]
    if via == "data_sm":
        return DataSm("", source_ton, source_npi, segment.to, dest_ton, dest_npi, segment.source, esm_class, 0,
                      how.data_coding, tlvs)  # fmt: skip
    return DeliverSm(
        source_addr_ton=source_ton,
        source_addr_npi=source_npi,
        source_addr=segment.to,
        dest_addr_ton=dest_ton,
        dest_addr_npi=dest_npi,
        destination_addr=segment.source,
        esm_class=esm_class,
        data_coding=how.data_coding,
        short_message=text[:_SHORT],
        tlvs=tlvs,
    )


def _receipt_text(receipt: Receipt, how: Receipts, message_id: str) -> str:
    segment = receipt.segment
    submit = _date(segment.at // 1000, how.utc_offset)
    done = _date(receipt.at // 1000, how.utc_offset)
    return how.style.format_map(
        {
            "id": message_id,
            "dlvrd": int(receipt.state == "DELIVRD"),
            "submit10": submit[2:12],
            "submit12": submit[2:14],
            "submit14": submit[:14],
            "submit16": submit[2:],
            "done10": done[2:12],
            "done12": done[2:14],
            "done14": done[:14],
            "done16": done[2:],
            "stat": how.words.get(receipt.state, receipt.state),
            "state": int(_STATES[receipt.state]),
            "err": receipt.err,
            # Decoding is what costs most here, and four octets are more than a character ever takes.
            "text": (decode(segment.octets[: 4 * _TEXT], segment.alphabet, segment.elements) or "")[:_TEXT],
            "to": segment.to,
            "from": segment.source,
        }
    )


@lru_cache(maxsize=64)
def _date(second: int, utc_offset: float) -> str:
    """YYYYMMDDhhmmss and, as in SMPP's 16 characters, tenths and the offset from UTC in quarters of an hour."""
    local = time.strftime("%Y%m%d%H%M%S", time.gmtime(second + round(utc_offset * 3600)))
    return f"{local}0{abs(round(utc_offset * 4)):02d}{'-' if utc_offset < 0 else '+'}"


def _error_number(err: str) -> tuple[int, int]:
    digits = "".join(character for character in err if character.isdigit())
    number = int(digits or "0") & 0xFFFF
    return number >> 8, number & 0xFF


def bare(kind: type[Pdu]) -> Pdu:
    """A response without a body."""
    first = fields(kind)[0].name  # type: ignore[arg-type]
    return kind() if first == "tlvs" else kind(**{first: None})
