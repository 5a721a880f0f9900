"""User data: GSM septets <-> characters of ISO 8859-1, with escapes `_xy` for what has none or an unsafe one
(CIMD Interface Specification, user data conversion)."""

from __future__ import annotations

import re
from typing import Final

from chalicelib import charsets, gsm7
from chalicelib.gsm7_national import DEFAULT, Shift

# Septet -> the two characters after `_`
_ESCAPES: Final[dict[int, str]] = {
    0x00: "Oa", 0x01: "L-", 0x03: "Y-", 0x04: "e`", 0x05: "e'", 0x06: "u`", 0x07: "i`", 0x08: "o`", 0x09: "C,",
    0x0B: "O/", 0x0C: "o/", 0x0E: "A*", 0x0F: "a*", 0x10: "gd", 0x11: "--", 0x12: "gf", 0x13: "gg", 0x14: "gl",
    0x15: "go", 0x16: "gp", 0x17: "gi", 0x18: "gs", 0x19: "gt", 0x1A: "gx", 0x1B: "XX", 0x1C: "AE", 0x1D: "ae",
    0x1E: "ss", 0x1F: "E'", 0x22: "qq", 0x24: "ox", 0x40: "!!", 0x5B: 'A"', 0x5C: 'O"', 0x5D: "N~", 0x5E: 'U"',
    0x5F: "so", 0x60: "??", 0x7B: 'a"', 0x7C: 'o"', 0x7D: "n~", 0x7E: 'u"', 0x7F: "a`",
}  # fmt: skip
_SEPTETS: Final = {escape: septet for septet, escape in _ESCAPES.items()}
# Septet -> characters: with escapes only, or with letters of Latin-1 as they are
_PLAIN: Final = {septet: gsm7.decode(bytes((septet,))) for septet in range(128) if septet != gsm7.ESC}
_SAFE: Final = {
    septet: f"_{_ESCAPES[septet]}" if septet in _ESCAPES else _PLAIN.get(septet, "") for septet in range(128)
}
_LATIN: Final = {
    septet: _PLAIN[septet] if "\x80" <= _PLAIN.get(septet, "") <= "\xff" else _SAFE[septet] for septet in range(128)
}
# Characters that are written for a septet. Four are not what they are in ISO 8859-1: at their places other alphabets of
# seven bits have the letters that GSM has.
_RAW: Final = {
    **{character: septet for septet, character in _PLAIN.items() if character <= "\xff"},
    "@": 0x00, "$": 0x02, "]": 0x0E, "}": 0x0F,
}  # fmt: skip
_TOKEN: Final = re.compile("_..|.", re.DOTALL)


def encode(septets: bytes, *, latin: bool = False) -> str:
    """Unpacked septets as user data. `latin`: letters that ISO 8859-1 has as one octet."""
    return septets.decode("ascii").translate(_LATIN if latin else _SAFE)


def decode(value: str, shift: Shift = DEFAULT) -> tuple[str, bool]:
    """The text of user data, and whether all of its escapes are known. Those that are not stay as they are; what GSM
    does not have, though an octet for it was sent, stays too. Never fails."""
    pieces: list[str] = []
    septets = bytearray()
    sure = True

    def flush() -> None:
        if septets:
            pieces.append(charsets.septets(bytes(septets), shift))
            septets.clear()

    for token in _TOKEN.findall(value):
        septet = _SEPTETS.get(token[1:]) if len(token) > 1 else _RAW.get(token)
        if septet is not None:
            septets.append(septet)
        else:
            sure = sure and len(token) == 1
            flush()
            pieces.append(token)
    flush()
    return "".join(pieces), sure


def septets_of(value: str) -> bytes:
    """The septets of user data.

    Raises:
        ValueError: it has an unknown escape, or a character that GSM does not have.
    """
    found = [_SEPTETS.get(token[1:]) if len(token) > 1 else _RAW.get(token) for token in _TOKEN.findall(value)]
    if None in found:
        raise ValueError("user data with an unknown escape or character")
    return bytes(septet for septet in found if septet is not None)
