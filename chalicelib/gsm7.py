"""The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038 6.2.1), unpacked and packed.

National language shift tables are further pairs of tables beside `_BASIC` and `_EXTENSION`.
"""

from __future__ import annotations

import re
from typing import Final

ESC: Final = 0x1B
SINGLE: Final = 160  # septets of a short message without a header (TS 23.040 section 9.2.3.16)

_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION: Final = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip

# Text -> septets written as characters U+0000..U+007F: one str.translate does a whole message.
_TO_SEPTETS: Final = {
    **{ord(c): chr(i) for i, c in enumerate(_BASIC) if i != ESC},
    ord("ç"): "\x09",  # 0x09 is capital Ç; both are read from it in the field
    **{ord(c): "\x1b" + chr(i) for i, c in _EXTENSION.items()},
}
_FROM_SEPTETS: Final = dict(enumerate(_BASIC))
_ENCODABLE: Final = re.compile("[" + re.escape("".join(map(chr, _TO_SEPTETS))) + "]*")
_EXTENDED: Final = re.compile("[" + re.escape("".join(_EXTENSION.values())) + "]")
_ESCAPED: Final = re.compile("\x1b(.?)", re.DOTALL)


class GSMEncodeError(ValueError):
    """A character is not in the alphabet; `position` counts characters from 0."""

    def __init__(self, character: str, position: int) -> None:
        super().__init__(f"U+{ord(character):04X} at position {position} is not in the GSM 7-bit default alphabet")
        self.character = character
        self.position = position


def is_gsm7(text: str) -> bool:
    """Is every character in the default alphabet or its extension table?"""
    return _ENCODABLE.fullmatch(text) is not None


def septets(text: str) -> int:
    """Septets that `text`, which must be GSM 7-bit, takes: an extension character takes two."""
    return len(text) + len(_EXTENDED.findall(text))


def encode(text: str) -> bytes:
    """One septet per octet, high bit 0, as SMPP carries GSM text.

    Raises:
        GSMEncodeError: a character is not in the alphabet.
    """
    match = _ENCODABLE.match(text)
    end = match.end() if match else 0
    if end < len(text):
        raise GSMEncodeError(text[end], end)
    return text.translate(_TO_SEPTETS).encode("ascii")


def decode(octets: bytes) -> str:
    """Text of unpacked septets; never fails.

    ESC with an undefined septet is that septet's default character, ESC ESC a space, a last lone ESC nothing
    (3GPP TS 23.038 6.2.1.1). The high bit of an octet is ignored.
    """
    raw = bytes(octet & 0x7F for octet in octets) if any(octet > 0x7F for octet in octets) else bytes(octets)
    text = raw.decode("ascii")
    if "\x1b" not in text:
        return text.translate(_FROM_SEPTETS)
    pieces: list[str] = []
    last = 0
    for match in _ESCAPED.finditer(text):
        pieces.append(text[last : match.start()].translate(_FROM_SEPTETS))
        last = match.end()
        following = match.group(1)
        if following == "\x1b":
            pieces.append(" ")
        elif following:
            pieces.append(_EXTENSION.get(ord(following), _BASIC[ord(following)]))
    pieces.append(text[last:].translate(_FROM_SEPTETS))
    return "".join(pieces)


def pack(unpacked: bytes, fill_bits: int = 0) -> bytes:
    """Septet i into bits 7i to 7i+6 of a little-endian bit string, after `fill_bits` zero bits (TS 23.038 6.1.2.1)."""
    bits = 0
    for index, septet in enumerate(unpacked):
        bits |= (septet & 0x7F) << (7 * index + fill_bits)
    length = -(-(7 * len(unpacked) + fill_bits) // 8)
    return bits.to_bytes(length, "little")


def unpack(packed: bytes, count: int | None = None, fill_bits: int = 0) -> bytes:
    """The septets of a packed string. Without `count` a final CR or @ that only fills the last octet is dropped."""
    bits = int.from_bytes(packed, "little") >> fill_bits
    fits = (8 * len(packed) - fill_bits) // 7
    found = bytes((bits >> (7 * index)) & 0x7F for index in range(fits if count is None else min(count, fits)))
    spare = 8 * len(packed) - fill_bits - 7 * fits
    if count is None and spare == 0 and found and found[-1] in (0x00, 0x0D):
        return found[:-1]
    return found
