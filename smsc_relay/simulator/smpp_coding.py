"""data_coding <-> alphabet (SMPP 3.4 section 5.2.19; 3GPP TS 23.038 section 4 for the values taken from GSM)."""

from __future__ import annotations

from functools import cache
from typing import Final

_CODINGS: Final = {
    0x01: "ascii",
    0x02: "binary",
    0x03: "latin1",
    0x04: "binary",
    0x05: "jis",
    0x06: "cyrillic",
    0x07: "hebrew",
    0x08: "ucs2",
    0x0A: "iso2022jp",
    0x0D: "kanji",
    0x0E: "korean",
}
_CODING_OF: Final = {alphabet: coding for coding, alphabet in _CODINGS.items()}


@cache
def alphabet_of(data_coding: int, default: str) -> str:
    """The alphabet of a text; `default` is the SMSC's own, for 0."""
    if data_coding == 0:
        return default
    known = _CODINGS.get(data_coding)
    if known is not None:
        return known
    if data_coding < 0x20:  # GSM's general group: bits 3 and 2 are the alphabet
        return ("gsm7", "binary", "ucs2", "binary")[data_coding >> 2 & 3] if data_coding >= 0x10 else "binary"
    if 0xC0 <= data_coding < 0xE0:
        return "gsm7"
    if 0xE0 <= data_coding < 0xF0:
        return "ucs2"
    if data_coding >= 0xF0:
        return "binary" if data_coding & 0x04 else "gsm7"
    return "binary"


def coding_of(alphabet: str, default: str) -> int:
    """The data_coding for an alphabet; 0 for what has none of its own."""
    if alphabet == default:
        return 0
    if alphabet == "binary":
        return 0x04
    return 0x08 if alphabet == "ucs2_little" else _CODING_OF.get(alphabet, 0)
