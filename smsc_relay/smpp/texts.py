"""Texts: what we write -> octets and data_coding, and back (SMPP 3.4 section 5.2.19, 3GPP TS 23.038 and 23.040)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final, NamedTuple

from chalicelib import gsm7
from chalicelib.records import Piece
from chalicelib.text import clean, segments, substitute_gsm7
from smsc_relay.smpp.config import Alphabet, SmppConfig
from smsc_relay.smpp.constants import ESM_UDHI, Tag
from smsc_relay.smpp.pdus import DataSm, DeliverSm

CODECS: Final = {"latin1": "latin-1", "ascii": "ascii", "windows-1252": "cp1252", "utf-8": "utf-8"}

# --- text -> octets -------------------------------------------------------------------------------------------------


class Cut(NamedTuple):
    """A text for the air: the octets of each part without its header, and how they are written."""

    parts: tuple[bytes, ...]
    data_coding: int
    encoding: str  # gsm7, latin1, ..., ucs2
    long: bool  # more than one short message, whatever the number of parts


def cut(text: str, config: SmppConfig) -> Cut:
    """Encode a text, in the account's alphabet where all of it fits and in UCS-2 otherwise, and cut it into parts that
    leave room for the header of `long_messages`.

    Parts are those of GSM 7-bit whatever charset the SMSC wants it in: that is what it makes of them for the air.
    """
    if config.encoding == "smart":
        text = substitute_gsm7(text)
    alphabet = config.alphabet if _fits(text, config) else "ucs2"
    wide = config.long_messages == "udh16"
    found = segments(text, reference_bits=16 if wide else 8, encoding="ucs2" if alphabet == "ucs2" else "gsm7")
    parts = found.parts if config.long_messages != "payload" else (text,)
    header = 0 if len(parts) == 1 or config.long_messages == "sar" else 7 if wide else 6
    octets = tuple(_octets(part, alphabet, config, header) for part in parts)
    data_coding = config.ucs2_data_coding if alphabet == "ucs2" else config.data_coding
    return Cut(octets, data_coding, alphabet, len(found.parts) > 1)


def _fits(text: str, config: SmppConfig) -> bool:
    if config.encoding == "ucs2" or config.alphabet == "ucs2" or not gsm7.is_gsm7(text):
        return False
    codec = CODECS.get(config.alphabet)
    if codec is None:
        return True
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _octets(text: str, alphabet: Alphabet, config: SmppConfig, header: int) -> bytes:
    if alphabet == "gsm7":
        return gsm7.encode(text)
    if alphabet == "gsm7_packed":
        return _packed(gsm7.encode(text), fill_bits(header))
    if alphabet == "ucs2":
        return text.encode("utf-16-le" if config.ucs2_order == "little" else "utf-16-be")
    return text.encode(CODECS[alphabet])


def _packed(septets: bytes, fill: int) -> bytes:
    """Packed septets. Seven bits that are left over would be read as an `@`: a CR fills them (TS 23.038 6.1.2.3.1)."""
    if (7 * len(septets) + fill) % 8 == 1:
        septets += b"\r"
    return gsm7.pack(septets, fill)


def fill_bits(header: int) -> int:
    """Zero bits between a user data header of so many octets and packed text (TS 23.040 section 9.2.3.24)."""
    return -8 * header % 7


def concatenation(reference: int, total: int, sequence: int, *, wide: bool) -> bytes:
    """The user data header of one part (TS 23.040 sections 9.2.3.24.1 and 9.2.3.24.8)."""
    if wide:
        return bytes((6, 0x08, 4)) + reference.to_bytes(2, "big") + bytes((total, sequence))
    return bytes((5, 0x00, 3, reference & 0xFF, total, sequence))


# --- user data header -----------------------------------------------------------------------------------------------


class Header(NamedTuple):
    """What a user data header says; `length` in octets, its length octet included."""

    length: int
    piece: Piece | None = None


def header_of(octets: bytes) -> Header | None:
    """The header at the beginning of a message (TS 23.040 section 9.2.3.24); None: broken. Unknown elements are
    passed over; of one that repeats, the last counts."""
    if not octets or octets[0] >= len(octets):
        return None
    end = 1 + octets[0]
    piece: Piece | None = None
    at = 1
    while at < end:
        if at + 2 > end or at + 2 + octets[at + 1] > end:
            return None
        kind, size = octets[at], octets[at + 1]
        data = octets[at + 2 : at + 2 + size]
        if kind == 0x00 and size == 3:
            piece = piece_of(data[0], data[1], data[2])
        elif kind == 0x08 and size == 4:
            piece = piece_of(int.from_bytes(data[:2], "big"), data[2], data[3])
        at += 2 + size
    return Header(end, piece)


def piece_of(reference: int, total: int, sequence: int) -> Piece | None:
    """Which part this is; None: of a message that has one part, or whose numbers make no sense (TS 23.040 section
    9.2.3.24.1: then the element is ignored)."""
    return Piece(reference=reference, total=total, sequence=sequence) if 1 <= sequence <= total > 1 else None


def _looks_like_header(octets: bytes) -> bool:
    """A concatenation header though esm_class does not say so: no text begins like this."""
    narrow = octets[:3] == b"\x05\x00\x03" and len(octets) >= 6 and 1 <= octets[5] <= octets[4]
    wide = octets[:3] == b"\x06\x08\x04" and len(octets) >= 7 and 1 <= octets[6] <= octets[5]
    return narrow or wide


# --- octets -> text -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
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
    header = Header(0)
    if pdu.esm_class & ESM_UDHI or _looks_like_header(octets):
        found = header_of(octets)
        if found is None:
            return Read(_binary(octets), _base64(octets), fault="a user data header that runs past its message")
        header = found
    body = octets[header.length :]
    text, sure = decode(body, pdu.data_coding, config, header.length)
    return Read(clean(text), "" if sure else _base64(body), header.piece or _sar(pdu))


def _sar(pdu: DeliverSm | DataSm) -> Piece | None:
    """Which part it is by its sar TLVs, which count only when all three are there (SMPP 3.4 section 5.3.2.22)."""
    reference = pdu.tlv_int(Tag.SAR_MSG_REF_NUM)
    total = pdu.tlv_int(Tag.SAR_TOTAL_SEGMENTS)
    sequence = pdu.tlv_int(Tag.SAR_SEGMENT_SEQNUM)
    if reference is None or total is None or sequence is None or total > 255:
        return None
    return piece_of(reference, total, sequence)


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


def decode(octets: bytes, data_coding: int, config: SmppConfig, header: int = 0) -> tuple[str, bool]:
    """The text of octets that follow a user data header of `header` octets, and whether that is certain."""
    alphabet = config.alphabet if config.mo_alphabet is None else config.mo_alphabet
    charset = _CHARSETS.get(data_coding, "binary") if data_coding else alphabet
    if charset == "gsm7" and alphabet == "gsm7_packed":
        charset = alphabet
    if charset == "ascii" and any(octet < 0x20 and octet not in b"\n\r\t" for octet in octets):
        charset = "gsm7"  # some SMSCs call the default alphabet ASCII
    match charset:
        case "gsm7":
            return _gsm7(octets)
        case "gsm7_packed":
            return gsm7.decode(gsm7.unpack(octets, fill_bits=fill_bits(header))), True
        case "ucs2":
            return _ucs2(octets, config)
        case "binary":
            return _binary(octets), False
        case "jis":
            charset = "iso2022_jp" if b"\x1b" in octets else "shift_jis"
    codec = CODECS.get(charset, charset)
    try:
        return octets.decode(codec), True
    except UnicodeDecodeError:
        return (_guess(octets) if charset in ("ascii", "utf-8") else octets.decode(codec, "replace")), False


def _gsm7(octets: bytes) -> tuple[str, bool]:
    """A septet has no high bit: octets that have are text of another charset, marked wrongly."""
    if max(octets, default=0) > 0x7F:
        return _guess(octets), False
    return gsm7.decode(octets), True


def _guess(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _ucs2(octets: bytes, config: SmppConfig) -> tuple[str, bool]:
    """UTF-16 in fact. A byte order mark counts, and is no text; of an odd number of octets the last is dropped."""
    order = "utf-16-le" if config.ucs2_order == "little" else "utf-16-be"
    if octets[:2] in (b"\xfe\xff", b"\xff\xfe"):
        order = "utf-16-be" if octets[0] == 0xFE else "utf-16-le"
        octets = octets[2:]
    whole = octets[: len(octets) & ~1]
    try:
        return whole.decode(order), len(whole) == len(octets)
    except UnicodeDecodeError:
        return whole.decode(order, "replace"), False


def _binary(octets: bytes) -> str:
    return clean(octets.decode("ascii", "replace"))


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
