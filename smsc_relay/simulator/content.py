"""What a short message says: alphabets, user data headers, long messages. The same for every protocol.

Octets here are without the header; GSM text is one septet per octet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from chalicelib import gsm7, gsm7_national
from chalicelib.gsm7_national import DEFAULT, LOCKING_SHIFT, SINGLE_SHIFT, Language, Shift
from chalicelib.text import Encoding, segments
from smsc_relay import air

# Alphabet -> Python's codec; None: one of our own, or no text at all.
ALPHABETS: Final[dict[str, str | None]] = {
    "gsm7": None,
    "gsm7_packed": None,
    "ascii": "ascii",
    "latin1": "iso-8859-1",
    "windows-1252": "windows-1252",
    "cyrillic": "iso-8859-5",
    "hebrew": "iso-8859-8",
    "turkish": "iso-8859-9",
    "jis": "shift_jis",
    "iso2022jp": "iso2022_jp",
    "kanji": "euc_jp",
    "korean": "euc_kr",
    "ucs2": "utf-16-be",
    "ucs2_little": "utf-16-le",
    "utf-8": "utf-8",
    "binary": None,
}
# Room for octets in one short message, alone or with a concatenation header (3GPP TS 23.040 section 9.2.3.24).
_SINGLE: Final = 140
_JOINED: Final = {8: 134, 16: 133}
_WIDTHS: Final[dict[int, Literal[8, 16]]] = {8: 8, 16: 16}
_SHAPES: Final[dict[str, Encoding]] = {"gsm7": "gsm7", "gsm7_packed": "gsm7", "ucs2": "ucs2", "ucs2_little": "ucs2"}
_REFERENCE_8: Final = 0x00
_REFERENCE_16: Final = 0x08


class ContentError(ValueError):
    """A message that cannot be made, or read."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which part of which long message. `width`: bits of the reference; `how` it is told."""

    reference: int
    total: int
    sequence: int  # from 1
    width: int = 8
    how: str = "udh"

    def header(self) -> bytes:
        """The information element."""
        if self.width == 16:
            return bytes((_REFERENCE_16, 4, self.reference >> 8, self.reference & 0xFF, self.total, self.sequence))
        return bytes((_REFERENCE_8, 3, self.reference & 0xFF, self.total, self.sequence))


# --- text -----------------------------------------------------------------------------------------------------------


def decode(octets: bytes, alphabet: str, elements: bytes = b"") -> str | None:
    """The text; None: not a text. Never fails: what cannot be read is U+FFFD.

    Args:
        octets: without the user data header.
        elements: of the header, which may name national language tables, and shifts packed septets.
    """
    if alphabet in ("gsm7", "gsm7_packed"):
        if alphabet == "gsm7_packed":
            octets = gsm7.unpack(octets, fill_bits=air.fill_bits(1 + len(elements)) if elements else 0)
        shift = shift_of(elements) if elements else DEFAULT
        return gsm7.decode(octets) if shift == DEFAULT else gsm7_national.decode(octets, shift)
    codec = ALPHABETS[alphabet]
    return None if codec is None else octets.decode(codec, "replace")


def encode(text: str, alphabet: str) -> bytes:
    """The octets of a text.

    Raises:
        ContentError: the alphabet does not have a character, or is none.
    """
    try:
        if alphabet == "gsm7":
            return gsm7.encode(text)
        if alphabet == "gsm7_packed":
            return gsm7.pack(gsm7.encode(text))
        codec = ALPHABETS[alphabet]
        if codec is None:
            raise ContentError("binary messages have octets, not a text")
        return text.encode(codec, "surrogatepass" if codec.startswith("utf-16") else "strict")
    except UnicodeEncodeError as error:
        raise ContentError(f"{alphabet} has no U+{ord(error.object[error.start]):04X}") from None
    except gsm7.GSMEncodeError as error:
        raise ContentError(str(error)) from None


def encode_all(text: str, alphabet: str) -> bytes:
    """As `encode`, with a question mark for what the alphabet does not have; one that is no text is taken for ASCII."""
    try:
        return encode(text, alphabet)
    except ContentError:
        if alphabet == "binary":
            return text.encode("ascii", "replace")
        return encode("".join(one if _has(alphabet, one) else "?" for one in text), alphabet)


def _has(alphabet: str, character: str) -> bool:
    try:
        return bool(encode(character, alphabet))
    except ContentError:
        return False


def cut(text: str, alphabet: str, width: int) -> list[bytes]:
    """The octets of each part of a text, for references of `width` bits; of all of it in one with width 0.

    Raises:
        ContentError: as `encode`.
    """
    octets = encode(text, alphabet)
    if width == 0:
        return [octets]
    shape = _SHAPES.get(alphabet)
    if shape is None:
        return cut_octets(octets, width)
    return [encode(part, alphabet) for part in segments(text, reference_bits=_WIDTHS[width], encoding=shape).parts]


def cut_national(text: str, language: Language, width: int) -> tuple[Shift, list[bytes]]:
    """The tables of a language that make the fewest parts of a text, and the octets of each; `width` as in `cut`.

    Raises:
        ContentError: no table of it has a character.
    """
    fitting = [shift for shift in gsm7_national.shifts((language,)) if gsm7_national.fits(text, shift)]
    if not fitting:
        raise ContentError(f"the {language} tables do not have all characters")
    found = [
        (shift, gsm7_national.segments(text, shift, reference_bits=_WIDTHS[width]) if width else [text])
        for shift in fitting
    ]
    shift, parts = min(found, key=lambda one: len(one[1]))
    return shift, [gsm7_national.encode(part, shift) for part in parts]


def cut_octets(octets: bytes, width: int, further: int = 0) -> list[bytes]:
    """Octets in parts of what fits into a short message beside `further` octets of information elements.

    Raises:
        ContentError: nothing fits.
    """
    if len(octets) <= _SINGLE - further - (1 if further else 0):
        return [octets]
    room = _JOINED[width] - further
    if room < 1:
        raise ContentError("the user data header leaves no room")
    return [octets[at : at + room] for at in range(0, len(octets), room)]


# --- user data header -----------------------------------------------------------------------------------------------


def take_header(octets: bytes) -> tuple[bytes, bytes]:
    """The information elements and the rest of a message with a user data header.

    Raises:
        ContentError: the header is longer than the message.
    """
    if not octets or octets[0] >= len(octets):
        raise ContentError("the user data header is longer than the message")
    end = 1 + octets[0]
    return octets[1:end], octets[end:]


def with_header(elements: bytes, octets: bytes) -> bytes:
    """A message with a user data header."""
    return bytes((len(elements),)) + elements + octets


def shift_of(elements: bytes) -> Shift:
    """The national language tables that a header names (TS 23.040 sections 9.2.3.24.15 and 9.2.3.24.16)."""
    numbers = {kind: data[0] for kind, length, data in _elements(elements) if length == len(data) == 1}
    return Shift(numbers.get(SINGLE_SHIFT, 0), numbers.get(LOCKING_SHIFT, 0))


def _elements(octets: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Identifier, length and data of each information element; the data may be less than the length says."""
    at = 0
    while at + 2 <= len(octets):
        kind, length = octets[at], octets[at + 1]
        yield kind, length, octets[at + 2 : at + 2 + length]
        at += 2 + length


def place_of(elements: bytes) -> Place | None:
    """Which part of a long message a header tells; None: of none. The last element counts (TS 23.040 9.2.3.24).

    Raises:
        ContentError: an element ends after the header.
    """
    found = None
    for kind, length, data in _elements(elements):
        if len(data) < length:
            raise ContentError("an information element ends after the user data header")
        if kind == _REFERENCE_8 and length == 3:
            found = Place(data[0], data[1], data[2])
        elif kind == _REFERENCE_16 and length == 4:
            found = Place(data[0] << 8 | data[1], data[2], data[3], 16)
    return found if found and 1 <= found.sequence <= found.total else None
