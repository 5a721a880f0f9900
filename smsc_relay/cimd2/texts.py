"""Texts: what we write -> the parameters of a submit, and those of an MO -> text (CIMD Interface Specification,
3GPP TS 23.038 and 23.040)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal, NamedTuple

from chalicelib import gsm7, gsm7_national
from chalicelib.text import clean, segments, transliterate_gsm7
from smsc_relay import air, incoming
from smsc_relay.cimd2 import alphabet
from smsc_relay.cimd2.codec import Packet, parameters
from smsc_relay.cimd2.config import Cimd2Config
from smsc_relay.cimd2.constants import Tag
from smsc_relay.incoming import Read

# --- text -> parameters ---------------------------------------------------------------------------------------------


class Cut(NamedTuple):
    """A text for the air: septets or UTF-16 of each part, without its header."""

    parts: tuple[bytes, ...]
    encoding: str  # gsm7, ucs2; gsm7:1:0 with Turkish as single, and no locking shift
    texts: tuple[str, ...]  # of the parts
    elements: bytes = b""  # of the header of each part, beside the concatenation's

    @property
    def ucs2(self) -> bool:
        """Parts are UTF-16."""
        return self.encoding == "ucs2"


def cut(text: str, config: Cimd2Config) -> Cut:
    """Encode a text, in GSM 7-bit where all of it fits and in UCS-2 otherwise, and cut it into parts. National language
    tables are used where they save a part."""
    if config.encoding == "smart":
        text = transliterate_gsm7(text, national=bool(config.national_languages))
    bits: Literal[8, 16] = 16 if config.long_messages == "udh16" else 8
    # The default alphabet makes a capital of ç, which national tables have.
    plain = config.encoding != "ucs2" and gsm7.is_gsm7(text) and not (config.national_languages and "ç" in text)
    if plain and len(whole := gsm7.encode(text)) <= gsm7.SINGLE:
        return Cut((whole,), "gsm7", (text,))
    found = segments(text, reference_bits=bits, encoding="gsm7" if plain else "ucs2").parts
    if plain:
        return Cut(tuple(gsm7.encode(part) for part in found), "gsm7", found)
    if config.national_languages:
        shift, parts = air.national(text, config.national_languages, bits, len(found))
        if parts:
            septets = tuple(gsm7_national.encode(part, shift) for part in parts)
            return Cut(septets, f"gsm7:{shift.single}:{shift.locking}", parts, shift.elements)
    return Cut(tuple(part.encode("utf-16-be") for part in found), "ucs2", found)


def written(found: Cut, config: Cimd2Config, reference: int, index: int) -> tuple[tuple[int, str], ...]:
    """What a part says: 030, 032, and 033 or 034. `reference`: names a long message; `index` counts from 0."""
    total = len(found.parts)
    elements = found.elements
    if total > 1:
        wide = config.long_messages == "udh16"
        elements = air.concatenation(reference, total, index + 1, wide=wide) + elements
    header = air.header(elements).hex().upper() if elements else None
    part = found.parts[index]
    if found.ucs2:
        return parameters((Tag.DCS, config.ucs2_data_coding), (Tag.UDH, header), (Tag.BINARY, part.hex().upper()))
    coding = config.data_coding if config.data_coding or header else None
    data = alphabet.encode(part, latin=config.characters == "latin1")
    return parameters((Tag.DCS, coding), (Tag.UDH, header), (Tag.USER_DATA, data))


# --- parameters -> text ---------------------------------------------------------------------------------------------


Charset = Literal["gsm7", "ucs2", "binary"]
_CLASSES: Final[dict[int, Charset]] = {0: "gsm7", 1: "binary", 2: "ucs2", 3: "gsm7"}


def charset(coding: int) -> Charset:
    """What a data coding scheme says of the octets (3GPP TS 23.038 chapter 4). Compressed text is binary to us."""
    group = coding >> 4
    if group < 8:
        return "binary" if group & 2 else _CLASSES[coding >> 2 & 3]
    if group in (0xC, 0xD):
        return "gsm7"
    if group == 0xE:
        return "ucs2"
    if group == 0xF:
        return "binary" if coding & 4 else "gsm7"
    return "binary"


def read(packet: Packet, config: Cimd2Config) -> Read:
    """The text of a deliver message, and what it has beside. Never fails."""
    about, fault = _header(packet.get(Tag.UDH))
    coding = packet.integer(Tag.DCS) or 0
    binary = packet.get(Tag.BINARY)
    if binary is None:
        return _user_data(packet.get(Tag.USER_DATA) or "", coding, about, fault)
    try:
        octets = bytes.fromhex(binary)
    except ValueError:
        found = incoming.unread(binary.encode("latin-1"), fault="binary user data that is not hex")
        return replace(found, piece=about.piece)
    how = charset(coding)
    if how == "gsm7" and config.mo_septets == "packed":
        octets = gsm7.unpack(octets, fill_bits=air.fill_bits(about.length))
    return incoming.read(octets, "utf-16-be" if how == "ucs2" else how, coding, about, fault)


def _user_data(value: str, coding: int, about: air.Header, fault: str) -> Read:
    """A text that has characters beside those of GSM is read as it is."""
    try:
        return incoming.read(alphabet.septets_of(value), "gsm7", coding, about, fault)
    except ValueError:
        text, sure = alphabet.decode(value, about.shift)
    octets = "" if sure else incoming.as_base64(value.encode("latin-1"))
    return Read(clean(text), octets, about.piece, fault or ("" if sure else "user data with an unknown escape"))


def _header(value: str | None) -> tuple[air.Header, str]:
    if not value:
        return air.NO_HEADER, ""
    try:
        found = air.header_of(bytes.fromhex(value))
    except ValueError:
        return air.NO_HEADER, "a user data header that is not hex"
    if found is None:
        return air.NO_HEADER, "a user data header of a wrong length"
    return found, ""
