"""Texts: what we write -> MT, NB, Msg and XSer, and back (EMI UCP Interface Specification sections 4 and 5.1; 3GPP TS
23.038 and 23.040)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from chalicelib import gsm7, gsm7_national
from chalicelib.text import clean, segments, transliterate_gsm7
from smsc_relay import incoming
from smsc_relay.air import NO_HEADER, Header, concatenation, header, header_of, looks_like_header, national
from smsc_relay.incoming import Read
from smsc_relay.protocol import CannotEncode
from smsc_relay.ucp.config import UcpConfig
from smsc_relay.ucp.constants import ALPHANUMERIC, NUMERIC, TRANSPARENT, XSER_DCS, XSER_UDH
from smsc_relay.ucp.operations import CallInput, Message, Transfer

_NB_DIGITS: Final = 5  # of the bits of a message
_SMSC_CUTS: Final = 320  # septets of AMsg where the SMSC cuts long texts (EMI 4)

# --- text -> fields -------------------------------------------------------------------------------------------------


class Cut(NamedTuple):
    """A text for the air: the octets of each part without its header, and how they are written."""

    parts: tuple[bytes, ...]
    encoding: str  # gsm7, ucs2; gsm7:1:0 with Turkish as single, and no locking shift
    texts: tuple[str, ...]  # of each short message on the air, where there is one part those that the SMSC makes of it
    elements: bytes = b""  # of the header of each part, beside the concatenation's

    @property
    def ucs2(self) -> bool:
        return self.encoding == "ucs2"


def cut(text: str, config: UcpConfig) -> Cut:
    """Encode a text, in GSM 7-bit where all of it fits and in UCS-2 otherwise, and cut it into parts that leave room
    for the concatenation header. National language tables are used where they save a part.

    Raises:
        CannotEncode: the text needs UCS-2, which the account's operation does not have.
    """
    if config.encoding == "smart":
        text = transliterate_gsm7(text, national=bool(config.national_languages))
    bits: Literal[8, 16] = 16 if config.long_messages == "udh16" else 8
    if _fits(text, config):
        whole, found = gsm7.encode(text), segments(text, reference_bits=bits, encoding="gsm7").parts
        if len(found) == 1 or (config.long_messages == "smsc" and len(whole) <= _SMSC_CUTS):
            return Cut((whole,), "gsm7", found)
        return Cut(tuple(gsm7.encode(part) for part in found), "gsm7", found)
    if config.operation != "51":
        raise CannotEncode(f"the text needs UCS-2, which operation {config.operation} does not have")
    found = segments(text, reference_bits=bits, encoding="ucs2").parts
    if config.national_languages:
        shift, parts = national(text, config.national_languages, bits, len(found))
        if parts:
            octets = tuple(gsm7_national.encode(part, shift) for part in parts)
            return Cut(octets, f"gsm7:{shift.single}:{shift.locking}", parts, shift.elements)
    return Cut(tuple(part.encode("utf-16-be") for part in found), "ucs2", found)


def _fits(text: str, config: UcpConfig) -> bool:
    if config.encoding == "ucs2" or not gsm7.is_gsm7(text):
        return False
    return not (config.national_languages and "ç" in text)  # the default alphabet makes a capital of it


def with_text(message: Message, found: Cut, index: int, config: UcpConfig, reference: int) -> Message:
    """The 51 of one part."""
    octets, total = found.parts[index], len(found.parts)
    elements = [found.elements] if found.elements else []
    if total > 1 and not config.separate:
        elements.insert(0, concatenation(reference, total, index + 1, wide=config.long_messages == "udh16"))
    xser = service(XSER_UDH, header(*elements)) if elements else ""
    if not found.ucs2:
        return message._replace(mt=ALPHANUMERIC, msg=ira(octets, config), xser=xser + config.extra_services)
    return message._replace(
        mt=TRANSPARENT,
        nb=f"{8 * len(octets):04d}",
        msg=octets.hex().upper(),
        dcs="1" if config.transparent_dcs else "",
        mcls=config.ucs2_class,
        xser=xser + service(XSER_DCS, bytes((config.ucs2_dcs,))) + config.extra_services,
    )


def ira(septets: bytes, config: UcpConfig) -> str:
    """AMsg: each septet as two hex digits, in the link's own code where it has one."""
    return _substituted(septets, config.substitutions).hex().upper()


def _substituted(septets: bytes, table: Mapping[str, str]) -> bytes:
    if not table:
        return septets
    return septets.translate(bytes.maketrans(bytes.fromhex("".join(table)), bytes.fromhex("".join(table.values()))))


def service(kind: int, value: bytes) -> str:
    """One extra service: type, length, value, in hex."""
    return f"{kind:02X}{len(value):02X}{value.hex().upper()}"


# --- fields -> text -------------------------------------------------------------------------------------------------


def services(xser: str) -> dict[int, bytes] | None:
    """Extra services by type, the last of each; None: they are cut short, or not hex."""
    octets = _unhexed(xser)
    found: dict[int, bytes] = {}
    at = 0
    while octets is not None and at < len(octets):
        value = octets[at + 2 : at + 2 + octets[at + 1]] if at + 1 < len(octets) else None
        if value is None or len(value) < octets[at + 1]:
            return None
        found[octets[at]] = value
        at += 2 + len(value)
    return found if octets is not None else None


_PLAIN: Final = {"gsm7": 0, "binary": 4, "ucs2": 8}  # the data coding schemes of these, without a class


def read(operation: CallInput | Transfer | Message, config: UcpConfig) -> Read:
    """The text of an MO, and what it has beside. Never fails."""
    mt = ALPHANUMERIC if isinstance(operation, Transfer) else operation.mt or ALPHANUMERIC
    if mt == NUMERIC:
        return Read(clean(operation.msg))
    octets = _unhexed(operation.msg)
    if octets is None:
        raw = operation.msg.encode("latin-1")
        return incoming.unread(raw, fault="a message that is not in hex")
    extra = services(operation.xser) if isinstance(operation, Message) else {}
    fault = "" if extra is not None else "XSer that runs past its end"
    extra = extra or {}
    about, octets, wrong = _header(extra.get(XSER_UDH, b""), octets, mt)
    given = extra.get(XSER_DCS, b"")[:1]
    body, charset, coding = _written(octets, mt, given[0] if given else None, operation, config)
    return incoming.read(body, charset, coding, about, fault or wrong)


def _header(given: bytes, octets: bytes, mt: str) -> tuple[Header, bytes, str]:
    """What the user data header says, and the octets without it: SMSCs without XSer leave it in the message."""
    if given:
        # A header is followed by a message; this one stands alone.
        found = header_of(given + b"\0")
        return (found, octets, "") if found else (NO_HEADER, octets, "a user data header that runs past its end")
    if mt == TRANSPARENT and looks_like_header(octets):
        found = header_of(octets + b"\0") or NO_HEADER
        return found, octets[found.length :], ""
    return NO_HEADER, octets, ""


def _written(
    octets: bytes, mt: str, dcs: int | None, operation: CallInput | Transfer | Message, config: UcpConfig
) -> tuple[bytes, str, int]:
    """The octets, one for each septet, their charset, and the data coding scheme that they have."""
    if dcs is None:
        alphabet = "gsm7" if mt != TRANSPARENT else config.mo_transparent
        dcs = _PLAIN[alphabet]
    else:
        alphabet = alphabet_of(dcs)
    if alphabet != "gsm7":
        return octets, "utf-16-be" if alphabet == "ucs2" else "binary", dcs
    if mt == TRANSPARENT and (count := _septets(octets, operation)):
        return gsm7.unpack(octets, count), "gsm7", dcs
    back = {new: old for old, new in config.substitutions.items()}
    return _substituted(octets, back), "gsm7", dcs


def _septets(octets: bytes, operation: CallInput | Transfer | Message) -> int:
    """How many septets are packed in transparent data: its bits say so, or a high bit that no septet has. 0: none."""
    nb = "" if isinstance(operation, Transfer) else operation.nb
    bits = int(nb) if nb.isascii() and nb.isdigit() and len(nb) <= _NB_DIGITS else 8 * len(octets)
    if bits < 8 * len(octets):
        return bits // 7
    return bits // 7 if max(octets, default=0) > 0x7F else 0


def alphabet_of(dcs: int) -> Literal["gsm7", "binary", "ucs2"]:
    """The alphabet of a GSM data coding scheme (TS 23.038 section 4)."""
    if dcs < 0x80:
        general: tuple[Literal["gsm7", "binary", "ucs2"], ...] = ("gsm7", "binary", "ucs2", "binary")
        return "binary" if dcs & 0x20 else general[dcs >> 2 & 3]  # compressed texts are nothing we can read
    if dcs < 0xC0:
        return "binary"
    if dcs < 0xF0:
        return "ucs2" if dcs >= 0xE0 else "gsm7"
    return "binary" if dcs & 0x04 else "gsm7"


def _unhexed(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text) if " " not in text else None
    except ValueError:
        return None
