"""What a text may be written in, and how much of it one segment holds (SMPP 3.4 section 5.2.19; 3GPP TS 23.040 section
9.2.3.24)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BeforeValidator

from chalicelib import gsm7, gsm7_national
from chalicelib.gsm7_national import Shift
from chalicelib.text import utf16_units

Alphabet = Literal[
    "gsm7", "gsm7_packed", "latin1", "ascii", "windows-1252", "utf-8", "iso8859-5", "iso8859-8", "iso8859-9",
    "shift_jis", "ucs2",
]  # fmt: skip

CODECS: Final = {
    "latin1": "latin-1",
    "ascii": "ascii",
    "windows-1252": "cp1252",
    "utf-8": "utf-8",
    "iso8859-5": "iso8859-5",
    "iso8859-8": "iso8859-8",
    "iso8859-9": "iso8859-9",
    "shift_jis": "shift_jis",
}
WIDE: Final = frozenset(("utf-8", "shift_jis"))  # characters of several octets
# What SMSCs make GSM 7-bit of for the air: a segment has 160 septets, and a text with another character goes in UCS-2.
MADE_GSM7: Final = frozenset(("latin1", "ascii", "windows-1252", "utf-8"))
# data_coding of what has one of its own. The standard has none for ISO 8859-9.
CODINGS: Final = {"iso8859-5": 6, "iso8859-8": 7, "shift_jis": 5}

Unit = Literal["septets", "octets", "UTF-16 units"]

_LEAST: Final = 10  # units of a segment: room for whatever must not be cut
_Units = tuple[int, dict[Literal[8, 16], int]]
# Units of a short message, and those that a concatenation header takes by the bits of its reference.
_SEPTETS: Final[_Units] = (gsm7.SINGLE, {8: 7, 16: 8})
_UTF16: Final[_Units] = (70, {8: 3, 16: 4})
_OCTETS: Final[_Units] = (140, {8: 6, 16: 7})


def _limit(value: Any) -> Any:
    """One number, or two in a list."""
    numbers = value if isinstance(value, list | tuple) else (value,)
    found = tuple(int(n) if isinstance(n, str) and n.isascii() and n.isdigit() else n for n in numbers)
    if len(found) not in (1, 2) or not all(type(n) is int for n in found):
        raise ValueError("must be the units of a short message, or two numbers: alone, and as a part of a longer one")
    return found


Limit = Annotated[tuple[int, ...], BeforeValidator(_limit)]


def own_coding(alphabet: Alphabet, data_coding: int) -> bool:
    """This data_coding is the alphabet's by agreement, whatever the standard has under it."""
    return alphabet in CODECS and alphabet not in MADE_GSM7 and data_coding != CODINGS.get(alphabet)


def carried(alphabet: Alphabet, given: Mapping[Alphabet, tuple[int, ...]]) -> bool:
    """The SMSC carries the octets of this alphabet to the phone, so that a segment is measured in them."""
    return alphabet in CODECS and (alphabet not in MADE_GSM7 or alphabet in given)


def limits(alphabet: Alphabet, given: Mapping[Alphabet, tuple[int, ...]], bits: Literal[8, 16]) -> tuple[int, int]:
    """Units of a short message in this alphabet, alone and beside a concatenation header: septets of GSM 7-bit and what
    SMSCs make it of, UTF-16 units of UCS-2, octets of what is carried. `given`: the account's `segment_limits`."""
    single, header = _OCTETS if carried(alphabet, given) else _UTF16 if alphabet == "ucs2" else _SEPTETS
    own = given.get(alphabet, (single,))
    return own[0], own[1] if len(own) == 2 else own[0] - header[bits]


def octet_limits(bits: Literal[8, 16]) -> tuple[int, int]:
    """Octets of a short message, alone and beside a concatenation header (TS 23.040 section 9.2.3.24)."""
    single, header = _OCTETS
    return single, single - header[bits]


def measure(text: str, encoding: str, given: Mapping[Alphabet, tuple[int, ...]]) -> tuple[int, Unit]:
    """How long a text is in an encoding of `texts.Cut`, in the units of its segments. `given`: as in `limits`."""
    name, *shift = encoding.split(":")
    if shift:
        return gsm7_national.septets(text, Shift(*map(int, shift))), "septets"
    alphabet: Alphabet = next(one for one in get_args(Alphabet) if one == name)
    if alphabet == "ucs2":
        return utf16_units(text), "UTF-16 units"
    if carried(alphabet, given):
        return len(text.encode(CODECS[alphabet])), "octets"
    return gsm7.septets(text), "septets"


def check_limits(given: Mapping[Alphabet, tuple[int, ...]], bits: Literal[8, 16], header: int, most: int) -> None:
    """Whether segments of these limits fit into `most` octets of short_message, parts beside `header` octets.

    Raises:
        ValueError: one does not, or is too short.
    """
    for alphabet in given:
        single, joined = limits(alphabet, given, bits)
        if joined < _LEAST or joined > single:
            raise ValueError(
                f"segment_limits: {alphabet}: a part must have at least {_LEAST} units, and no more than one alone"
            )
        octets = 2 if alphabet == "ucs2" else 1
        if max(octets * single, octets * joined + header) > most:
            raise ValueError(f"segment_limits: {alphabet}: is more than the {most} octets of short_message")
