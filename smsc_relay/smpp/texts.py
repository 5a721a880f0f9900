"""Texts: what we write -> octets and data_coding, and back (SMPP 3.4 section 5.2.19, 3GPP TS 23.038 and 23.040)."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from chalicelib import gsm7, gsm7_national
from chalicelib.gsm7_national import Shift
from chalicelib.records import Piece
from chalicelib.text import clean, segments, substitute_gsm7
from chalicelib.values import value
from smsc_relay.air import (
    NO_HEADER,
    Header,
    as_base64,
    fill_bits,
    gsm7_text,
    guess,
    header_of,
    looks_like_header,
    national,
    packed,
    piece_of,
    readable,
    text_of,
    ucs2_text,
)
from smsc_relay.smpp.config import Alphabet, SmppConfig
from smsc_relay.smpp.constants import ESM_UDHI, Tag
from smsc_relay.smpp.pdus import DataSm, DeliverSm

CODECS: Final = {"latin1": "latin-1", "ascii": "ascii", "windows-1252": "cp1252", "utf-8": "utf-8"}

# --- text -> octets -------------------------------------------------------------------------------------------------


class Cut(NamedTuple):
    """A text for the air: the octets of each part without its header, and how they are written."""

    parts: tuple[bytes, ...]
    data_coding: int
    encoding: str  # gsm7, latin1, ..., ucs2; gsm7:1:0 with Turkish as single, and no locking shift
    long: bool  # more than one short message, whatever the number of parts
    elements: bytes = b""  # of the header of each part, beside the concatenation's


def cut(text: str, config: SmppConfig) -> Cut:
    """Encode a text, in the account's alphabet where all of it fits and in UCS-2 otherwise, and cut it into parts that
    leave room for the header of `long_messages`. National language tables are used where they save a part.

    Parts are those of GSM 7-bit whatever charset the SMSC wants it in: that is what it makes of them for the air.
    """
    if config.encoding == "smart":
        text = substitute_gsm7(text)
    bits: Literal[8, 16] = 16 if config.long_messages == "udh16" else 8
    alphabet = config.alphabet if _fits(text, config) else "ucs2"
    if alphabet == "gsm7" and len(whole := gsm7.encode(text)) <= gsm7.SINGLE:
        return Cut((whole,), config.data_coding, alphabet, long=False)
    found = segments(text, reference_bits=bits, encoding="ucs2" if alphabet == "ucs2" else "gsm7").parts
    if alphabet == "ucs2" and config.national_languages:
        shift, parts = national(text, config.national_languages, bits, len(found))
        if parts:
            return _cut_national(parts, shift, config, bits)
    parts = (text,) if config.long_messages == "payload" else found
    octets = tuple(_octets(part, alphabet, config, _header_length(len(parts), config)) for part in parts)
    data_coding = config.ucs2_data_coding if alphabet == "ucs2" else config.data_coding
    return Cut(octets, data_coding, alphabet, len(found) > 1)


def _fits(text: str, config: SmppConfig) -> bool:
    if config.encoding == "ucs2" or config.alphabet == "ucs2" or not gsm7.is_gsm7(text):
        return False
    if config.national_languages and "ç" in text:
        return False  # the default alphabet makes a capital of it
    codec = CODECS.get(config.alphabet)
    if codec is None:
        return True
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _cut_national(parts: tuple[str, ...], shift: Shift, config: SmppConfig, bits: int) -> Cut:
    octets = [gsm7_national.encode(part, shift) for part in parts]
    if config.alphabet == "gsm7_packed":
        fill = fill_bits(1 + len(shift.elements) + (0 if len(parts) == 1 else 5 if bits == 8 else 6))
        octets = [packed(part, fill) for part in octets]
    encoding = f"{config.alphabet}:{shift.single}:{shift.locking}"
    return Cut(tuple(octets), config.data_coding, encoding, len(parts) > 1, shift.elements)


def _header_length(total: int, config: SmppConfig) -> int:
    if total == 1 or config.long_messages == "sar":
        return 0
    return 7 if config.long_messages == "udh16" else 6


def _octets(text: str, alphabet: Alphabet, config: SmppConfig, header: int) -> bytes:
    if alphabet == "gsm7":
        return gsm7.encode(text)
    if alphabet == "gsm7_packed":
        return packed(gsm7.encode(text), fill_bits(header))
    if alphabet == "ucs2":
        return text.encode("utf-16-le" if config.ucs2_order == "little" else "utf-16-be")
    return text.encode(CODECS[alphabet])


# --- octets -> text -------------------------------------------------------------------------------------------------


@value
class Read:
    """The text of a deliver_sm or data_sm."""

    text: str
    octets: str = ""  # Base64 of what could not be decoded for sure
    piece: Piece | None = None
    fault: str = ""  # the rule that the peer broke, for the log


def body_of(pdu: DeliverSm | DataSm) -> bytes:
    """Where the text is: in short_message, or in message_payload. Of both, short_message counts."""
    if isinstance(pdu, DeliverSm) and pdu.short_message:
        return pdu.short_message
    return pdu.tlv(Tag.MESSAGE_PAYLOAD) or b""


def read(pdu: DeliverSm | DataSm, config: SmppConfig) -> Read:
    """The text of an MO. Never fails."""
    octets = body_of(pdu)
    about = NO_HEADER
    if pdu.esm_class & ESM_UDHI or looks_like_header(octets):
        found = header_of(octets)
        if found is None:
            return Read(readable(octets), as_base64(octets), fault="a user data header that runs past its message")
        about = found
    body = octets[about.length :]
    text, sure = decode(body, pdu.data_coding, config, about)
    return Read(clean(text), "" if sure else as_base64(body), about.piece or sar(pdu))


def sar(pdu: DeliverSm | DataSm) -> Piece | None:
    """Which part it is by its sar TLVs, which count only when all three are there (SMPP 3.4 section 5.3.2.22)."""
    reference = pdu.tlv_int(Tag.SAR_MSG_REF_NUM)
    total = pdu.tlv_int(Tag.SAR_TOTAL_SEGMENTS)
    sequence = pdu.tlv_int(Tag.SAR_SEGMENT_SEQNUM)
    if reference is None or total is None or sequence is None or total > 255:
        return None
    return piece_of(reference, total, sequence, wide=True)


_CHARSETS: Final[dict[int, str]] = {
    0x01: "ascii",
    0x03: "latin1",
    0x05: "jis",
    0x06: "iso8859-5",
    0x07: "iso8859-8",
    0x08: "ucs2",
    0x0E: "euc_kr",
    **dict.fromkeys(range(0x10, 0x14), "gsm7"),  # GSM data coding schemes, with a message class: as met in the field
    **dict.fromkeys(range(0x18, 0x1C), "ucs2"),
    **dict.fromkeys(range(0xC0, 0xE0), "gsm7"),  # message waiting
    **dict.fromkeys(range(0xE0, 0xF0), "ucs2"),
    **dict.fromkeys((*range(0xF0, 0xF4), *range(0xF8, 0xFC)), "gsm7"),
}  # the rest is binary, reserved or opaque


def decode(octets: bytes, data_coding: int, config: SmppConfig, about: Header = NO_HEADER) -> tuple[str, bool]:
    """The text of the octets that follow a user data header, and whether that is certain."""
    alphabet = config.alphabet if config.mo_alphabet is None else config.mo_alphabet
    charset = _CHARSETS.get(data_coding, "binary") if data_coding else alphabet
    if charset == "gsm7" and alphabet == "gsm7_packed":
        charset = alphabet
    if charset == "ascii" and any(octet < 0x20 and octet not in b"\n\r\t" for octet in octets):
        charset = "gsm7"  # some SMSCs call the default alphabet ASCII
    match charset:
        case "gsm7":
            return gsm7_text(octets, about.shift)
        case "gsm7_packed":
            return text_of(gsm7.unpack(octets, fill_bits=fill_bits(about.length)), about.shift), True
        case "ucs2":
            return ucs2_text(octets, little=config.ucs2_order == "little")
        case "binary":
            return readable(octets), False
        case "jis":
            charset = "iso2022_jp" if b"\x1b" in octets else "shift_jis"
    codec = CODECS.get(charset, charset)
    try:
        return octets.decode(codec), True
    except UnicodeDecodeError:
        return (guess(octets) if charset in ("ascii", "utf-8") else octets.decode(codec, "replace")), False
