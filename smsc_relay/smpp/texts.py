"""Texts: what we write -> octets and data_coding, and back (SMPP 3.4 section 5.2.19, 3GPP TS 23.038 and 23.040)."""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

from chalicelib import gsm7, gsm7_national
from chalicelib.gsm7_national import Shift
from chalicelib.records import Piece
from chalicelib.text import Measure, segments, substitute, transliterate_gsm7
from chalicelib.text import cut as cut_text
from smsc_relay import incoming
from smsc_relay.air import (
    NO_HEADER,
    Header,
    fill_bits,
    header_of,
    looks_like_header,
    national,
    packed,
    piece_of,
    port_element,
)
from smsc_relay.incoming import Read
from smsc_relay.protocol import CannotEncode
from smsc_relay.smpp.alphabets import CODECS, WIDE, Alphabet, carried, limits, octet_limits, own_coding
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import ESM_UDHI, Tag
from smsc_relay.smpp.pdus import DataSm, DeliverSm

_UCS2_BITS: Final = 0xCC
_UCS2: Final = 0x08  # data_coding of UCS-2, with a class or without

# --- text -> octets -------------------------------------------------------------------------------------------------


class Cut(NamedTuple):
    """A text for the air: the octets of each part without its header, and how they are written."""

    parts: tuple[bytes, ...]
    data_coding: int
    encoding: str  # gsm7, latin1, ..., ucs2; gsm7:1:0 with Turkish as single, and no locking shift
    texts: tuple[str, ...]  # of each short message on the air, where there is one part those that the SMSC makes of it
    elements: bytes = b""  # of the header of each part, beside the concatenation's

    @property
    def segments(self) -> int:
        """Short messages on the air."""
        return len(self.texts)


def cut(text: str, config: SmppConfig, message_class: int | None = None) -> Cut:
    """Encode a text, in the account's alphabet where all of it fits and in UCS-2 otherwise or where that takes fewer
    parts, and cut it into parts that leave room for the header of `long_messages`. National language tables are used
    where they save a part. It is of that class (3GPP TS 23.038 section 4), or of the account's.

    Parts are those of GSM 7-bit where the SMSC makes that of the account's charset, and of its octets where it carries
    them (`alphabets.limits`).

    Raises:
        CannotEncode: its data_coding has no class.
    """
    found = _cut(text, config)
    wanted = config.message_class if message_class is None else message_class
    return found if wanted is None else found._replace(data_coding=_with_class(found.data_coding, wanted, config))


def _cut(text: str, config: SmppConfig) -> Cut:
    text, alphabet = _choice(text, config)
    if alphabet == "gsm7" and not config.segment_limits and len(whole := gsm7.encode(text)) <= gsm7.SINGLE:
        return Cut((whole,), config.data_coding, alphabet, (text,))
    found = _parts(text, alphabet, config)
    if len(found) > 1 and alphabet in WIDE:
        other = _parts(text, "ucs2", config)
        if len(other) < len(found):
            alphabet, found = "ucs2", other
    if len(found) > 1 and _has_gsm7_beside(config) and gsm7.is_gsm7(text) and "ç" not in text:
        other = _parts(text, "gsm7", config)
        if len(other) < len(found):
            alphabet, found = "gsm7", other
    if alphabet == "ucs2" and config.national_languages:
        bits = config.reference_bits
        room = limits(config.alphabet, config.segment_limits, bits)
        shift, parts = national(text, config.national_languages, bits, len(found), room)
        if parts:
            return _cut_national(parts, shift, config)
    parts = (text,) if config.long_messages == "payload" else found
    header = 0 if len(parts) == 1 else config.part_header
    octets = tuple(_octets(part, alphabet, config, header) for part in parts)
    data_coding = config.ucs2_data_coding if alphabet == "ucs2" else config.data_coding
    if alphabet == "gsm7" != config.alphabet:
        data_coding = 0
    return Cut(octets, data_coding, alphabet, found)


def _has_gsm7_beside(config: SmppConfig) -> bool:
    """Its alphabet has a number of its own, and data_coding 0 is GSM 7-bit."""
    return config.alphabet != "gsm7" and config.data_coding != 0 and config.mo_alphabet == "gsm7"


def binary(octets: bytes, elements: bytes, data_coding: int, config: SmppConfig) -> Cut:
    """Octets in parts for the air, beside the elements of a user data header that each part has. UTF-16 units are not
    cut.

    Raises:
        CannotEncode: the header leaves no room.
    """
    single, joined = (room - len(elements) for room in octet_limits(config.reference_bits))
    single -= bool(elements)  # the header's length octet
    if len(octets) <= single:
        return Cut((octets,), data_coding, "binary", ("",), elements)
    if data_coding & _UCS2_BITS == _UCS2:
        joined -= joined % 2
    if joined < 1:
        raise CannotEncode(f"a user data header of {len(elements)} octets leaves no room for data")
    parts = tuple(octets[at : at + joined] for at in range(0, len(octets), joined))
    sent = (octets,) if config.long_messages == "payload" else parts
    return Cut(sent, data_coding, "binary", ("",) * len(parts), elements)


def _with_class(data_coding: int, message_class: int, config: SmppConfig) -> int:
    if data_coding == 0 and config.class_coding == "class":
        return 0xF0 | message_class
    if data_coding not in (0, _UCS2):
        raise CannotEncode(f"data_coding {data_coding} has no message class")
    return 0x10 | data_coding | message_class


def _choice(text: str, config: SmppConfig) -> tuple[str, Alphabet]:
    """What is sent of a text, and in which alphabet."""
    alphabet, smart = config.alphabet, config.encoding == "smart"
    if carried(alphabet, config.segment_limits) and config.encoding != "ucs2":
        known = functools.partial(_encodable, alphabet=alphabet)
        if known(text):
            return text, alphabet
        if smart and known(replaced := substitute(text, known)):
            return replaced, alphabet
    if smart:
        text = transliterate_gsm7(text, national=bool(config.national_languages))
    return text, alphabet if _fits(text, config) else "ucs2"


def _fits(text: str, config: SmppConfig) -> bool:
    if config.encoding == "ucs2" or config.alphabet == "ucs2" or not gsm7.is_gsm7(text):
        return False
    if config.national_languages and "ç" in text:
        return False  # the default alphabet makes a capital of it
    return config.alphabet not in CODECS or _encodable(text, config.alphabet)


def _encodable(text: str, alphabet: Alphabet) -> bool:
    """Shift JIS has no sign of its own for ¥: the octet that Python writes is a backslash elsewhere."""
    codec = CODECS[alphabet]
    try:
        octets = text.encode(codec)
    except UnicodeEncodeError:
        return False
    return alphabet != "shift_jis" or octets.decode(codec) == text


def _parts(text: str, alphabet: Alphabet, config: SmppConfig) -> tuple[str, ...]:
    """The text of each short message."""
    room = limits(alphabet, config.segment_limits, config.reference_bits)
    size = functools.partial(_length, codec=CODECS[alphabet]) if alphabet in WIDE else len
    if carried(alphabet, config.segment_limits):
        return cut_text(text, Measure(size, *room))
    if alphabet == "utf-8" and config.long_messages != "payload":  # 160 septets may be more octets than fit
        most = config.short_message_max
        return cut_text(text, Measure(gsm7.septets, *room), Measure(size, most, most - config.part_header))
    return segments(text, encoding="ucs2" if alphabet == "ucs2" else "gsm7", limits=room).parts


def _length(text: str, codec: str) -> int:
    return len(text.encode(codec))


def _cut_national(parts: tuple[str, ...], shift: Shift, config: SmppConfig) -> Cut:
    octets = [gsm7_national.encode(part, shift) for part in parts]
    if config.alphabet == "gsm7_packed":
        concatenation = 0 if len(parts) == 1 else config.part_header - 1
        fill = fill_bits(1 + len(shift.elements) + concatenation)
        octets = [packed(part, fill) for part in octets]
    encoding = f"{config.alphabet}:{shift.single}:{shift.locking}"
    return Cut(tuple(octets), config.data_coding, encoding, parts, shift.elements)


def _octets(text: str, alphabet: Alphabet, config: SmppConfig, header: int) -> bytes:
    if alphabet == "gsm7":
        return gsm7.encode(text)
    if alphabet == "gsm7_packed":
        return packed(gsm7.encode(text), fill_bits(header))
    if alphabet == "ucs2":
        return text.encode("utf-16-le" if config.ucs2_order == "little" else "utf-16-be")
    return text.encode(CODECS[alphabet])


# --- octets -> text -------------------------------------------------------------------------------------------------


def body_of(pdu: DeliverSm | DataSm) -> bytes:
    """Where the text is: in short_message, or in message_payload. Of both, short_message counts."""
    if isinstance(pdu, DeliverSm) and pdu.short_message:
        return pdu.short_message
    return pdu.tlv(Tag.MESSAGE_PAYLOAD) or b""


def read(pdu: DeliverSm | DataSm, config: SmppConfig) -> Read:
    """The text of an MO, and what it has beside. Never fails."""
    octets, charset = body_of(pdu), _charset(pdu.data_coding, config)
    about, fault = NO_HEADER, ""
    if pdu.esm_class & ESM_UDHI or looks_like_header(octets):
        found = header_of(octets)
        if _begins_at_once(octets, charset, found):
            fault = "a user data header is announced where there is none"
        elif found is None:
            fault = "a user data header that runs past its message"
            return incoming.unread(octets, pdu.data_coding, fault=fault)
        else:
            about = found
    body = octets[about.length :]
    if pdu.tlvs:
        about = _with_tlvs(about, pdu)
    if charset == "gsm7_packed":
        charset, body = "gsm7", gsm7.unpack(body, fill_bits=fill_bits(about.length))
    elif charset == "ucs2":
        charset = "utf-16-le" if config.ucs2_order == "little" else "utf-16-be"
    return incoming.read(body, charset, pdu.data_coding, about, fault)


def _begins_at_once(octets: bytes, charset: str, found: Header | None) -> bool:
    """A text begins where esm_class announces a header, as which it was read: it is none if it leaves half a UTF-16
    unit, but for a part, which SMSCs cut anywhere; nor if it would have to be as long as a letter's number."""
    if charset == "ucs2":
        leaves_half = found is None or (found.piece is None and found.length % 2 == 1)
        return leaves_half and len(octets) % 2 == 0 and octets != b""
    return found is None and octets[:1] >= b" " and charset != "binary"


def _with_tlvs(about: Header, pdu: DeliverSm | DataSm) -> Header:
    """What TLVs say in place of a user data header, where that does not say it (SMPP 3.4 sections 5.3.2.20 to
    5.3.2.24)."""
    if about.piece is None:
        about = about._replace(piece=sar(pdu))
    port, source = ((pdu.tlv_int(tag) or 0) & 0xFFFF for tag in (Tag.DESTINATION_PORT, Tag.SOURCE_PORT))
    if about.ports or not (port or source):
        return about
    return about._replace(others=port_element(port, source) + about.others, ports=True)


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


def _charset(data_coding: int, config: SmppConfig) -> str:
    """What an MO's octets are, as the account says or else the standard."""
    if data_coding in config.mo_charsets:
        return config.mo_charsets[data_coding]
    alphabet = config.alphabet if config.mo_alphabet is None else config.mo_alphabet
    if not data_coding:
        return alphabet
    if data_coding == config.data_coding and own_coding(config.alphabet, data_coding):
        return config.alphabet
    charset = _CHARSETS.get(data_coding, "binary")
    return alphabet if charset == "gsm7" and alphabet == "gsm7_packed" else charset
