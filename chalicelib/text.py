"""Texts: cleaning, GSM 7-bit substitution, splitting for HTTP aggregators, segments for SMSCs.

Cuts never fall inside a grapheme cluster (combining marks, ZWJ emoji, flags) where that can be avoided, never inside a
surrogate pair, and no part ever exceeds its limit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final, Literal, NamedTuple

from chalicelib import gsm7
from chalicelib.values import value

# As RapidPro's "smart" encoding replaces them; what is not here forces UCS-2.
_SUBSTITUTES: Final = str.maketrans(
    {
        **dict.fromkeys("áã", "a"), "â": "a", **dict.fromkeys("ÁÂÃÀ", "A"), "ê": "e", **dict.fromkeys("ÈÊ", "E"),
        **dict.fromkeys("íî", "i"), **dict.fromkeys("ÍÎÌ", "I"), **dict.fromkeys("õôó", "o"),
        **dict.fromkeys("ÓÔÒÕ", "O"), **dict.fromkeys("úû", "u"), **dict.fromkeys("ÚÙÛ", "U"), "ç": "c", "Ç": "C",
        "’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "\u00a0": " ", "\t": " ",
    }
)  # fmt: skip
# What an SMSC's account with `encoding: smart` replaces beyond that, beside other letters by their base letters.
_FURTHER: Final = str.maketrans(
    {
        "…": "...", **dict.fromkeys("‐‑‒—―−", "-"), **dict.fromkeys("„‟«»″", '"'), **dict.fromkeys("‚‛‹›′`´", "'"),
        **dict.fromkeys("\u2002\u2003\u2009\u202f", " "), **dict.fromkeys("•·", "-"),
        "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i",
    }
)  # fmt: skip
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_NEAR_END: Final = 6  # a space closes a part that is longer than its limit minus this
_ZWJ: Final = "\u200d"


def clean(text: str) -> str:
    """A text from outside: NUL removed, each lone surrogate replaced by U+FFFD. Never fails."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def decode_utf8(octets: bytes) -> str:
    """UTF-8 with invalid octets as U+FFFD, cleaned."""
    return clean(octets.decode("utf-8", "replace"))


def with_attachments(text: str, attachments: Iterable[str]) -> str:
    """The text with the URL of each attachment ("image/jpeg:https://…") on a line of its own."""
    urls = [_attachment_url(attachment) for attachment in attachments]
    return "\n".join([*([text] if text else []), *urls])


def _attachment_url(attachment: str) -> str:
    kind, _, url = attachment.partition(":")
    return url if "/" in kind and url else attachment


def substitute_gsm7(text: str) -> str:
    """The text with look-alikes replaced, if that makes all of it GSM 7-bit; else the text as it was."""
    if gsm7.is_gsm7(text) and "Ç" not in text and "ç" not in text:
        return text
    replaced = text.translate(_SUBSTITUTES)
    return replaced if gsm7.is_gsm7(replaced) else text


def transliterate_gsm7(text: str, *, national: bool = False) -> str:
    """As `substitute_gsm7`, with more look-alikes where those are not enough: base letters without their accents, plain
    quotes and dashes, three dots. `national`: there are national language tables, which may have such letters."""
    replaced = substitute_gsm7(text)
    if national or gsm7.is_gsm7(replaced):
        return replaced
    replaced = substitute_gsm7(substitute(text, gsm7.is_gsm7))
    return replaced if gsm7.is_gsm7(replaced) else text


def substitute(text: str, known: Callable[[str], bool]) -> str:
    """The text with look-alikes in place of those characters that are not `known`, as far as there are any."""
    return "".join(one if known(one) else _look_alike(one) for one in unicodedata.normalize("NFC", text))


def _look_alike(character: str) -> str:
    for table in (_SUBSTITUTES, _FURTHER):
        replaced = character.translate(table)
        if replaced != character:
            return replaced
    base, *marks = list(unicodedata.normalize("NFD", character))
    return base if base.isascii() and all(map(unicodedata.combining, marks)) else character


# --- grapheme clusters ----------------------------------------------------------------------------------------------


def _extends(character: str) -> bool:
    """Does the character belong to the one before it (UAX 29 Extend, SpacingMark, ZWJ, emoji modifiers)?"""
    code = ord(character)
    return (
        character == _ZWJ
        or 0xFE00 <= code <= 0xFE0F
        or 0x1F3FB <= code <= 0x1F3FF
        or 0xE0020 <= code <= 0xE007F
        or unicodedata.category(character) in ("Mn", "Me", "Mc")
    )


def _is_flag_half(character: str) -> bool:
    return 0x1F1E6 <= ord(character) <= 0x1F1FF


def clusters(text: str) -> list[str]:
    """The text in pieces that should not be cut."""
    if text.isascii():
        return list(text)
    found: list[str] = []
    for character in text:
        previous = found[-1] if found else ""
        joins = previous and (
            _extends(character)
            or previous.endswith(_ZWJ)
            or (_is_flag_half(character) and len(previous) == 1 and _is_flag_half(previous))
        )
        if joins:
            found[-1] += character
        else:
            found.append(character)
    return found


def _bounded(pieces: Iterable[str], limit: int) -> Iterable[str]:
    """Clusters that are longer than a whole part have to be cut after all."""
    for piece in pieces:
        for start in range(0, len(piece), limit):
            yield piece[start : start + limit]


def split(text: str, limit: int) -> list[str]:
    """Cut for an aggregator that takes at most `limit` characters (code points) a request.

    A part ends at a space with at most five characters to the limit, else at the limit; parts are stripped, empty ones
    left out. A text within the limit stays as it is.
    """
    if limit < 1:
        raise ValueError("limit must be at least 1")
    if len(text) <= limit:
        return [text]
    parts: list[str] = []
    current = ""
    for piece in _bounded(clusters(text), limit):
        if len(current) + len(piece) > limit:
            parts.append(current)
            current = ""
        current += piece
        if len(current) == limit or (piece == " " and len(current) > limit - _NEAR_END):
            parts.append(current)
            current = ""
    parts.append(current)
    return [stripped for part in parts if (stripped := part.strip())] or [""]


# --- segments -------------------------------------------------------------------------------------------------------

Encoding = Literal["gsm7", "ucs2"]
# Units (septets or UTF-16 units) of a short message: alone, with an 8-bit, with a 16-bit reference (TS 23.040 9.2.3.24)
_SINGLE: Final = {"gsm7": gsm7.SINGLE, "ucs2": 70}
_JOINED: Final = {("gsm7", 8): 153, ("gsm7", 16): 152, ("ucs2", 8): 67, ("ucs2", 16): 66}


@value
class Segmentation:
    """How a text travels over the air: its encoding, the text of each segment, and the units of all of it."""

    encoding: Encoding
    parts: tuple[str, ...]
    units: int

    @property
    def count(self) -> int:
        """Number of short messages."""
        return len(self.parts)


class Measure(NamedTuple):
    """What limits a segment: the size of a text, and the most that a short message has of it, alone and as a part."""

    size: Callable[[str], int]
    single: int
    joined: int


def segments(
    text: str,
    *,
    reference_bits: Literal[8, 16] = 8,
    encoding: Encoding | None = None,
    limits: tuple[int, int] | None = None,
) -> Segmentation:
    """Cut a text into short messages, in GSM 7-bit where it fits and UCS-2 otherwise.

    Neither an escape pair nor a surrogate pair is cut; a grapheme cluster only where it is longer than a segment.
    `limits`: units of a short message alone and as a part, where they are not those of the air.
    """
    chosen: Encoding = encoding or ("gsm7" if gsm7.is_gsm7(text) else "ucs2")
    size = gsm7.septets if chosen == "gsm7" else utf16_units
    units = size(text)
    single, joined = limits or (_SINGLE[chosen], _JOINED[chosen, reference_bits])
    if units <= single:
        return Segmentation(chosen, (text,), units)
    if chosen == "gsm7" and units == len(text):
        return Segmentation(chosen, tuple(text[at : at + joined] for at in range(0, len(text), joined)), units)
    return Segmentation(chosen, cut(text, Measure(size, single, joined)), units)


def cut(text: str, *measures: Measure) -> tuple[str, ...]:
    """The text in parts that no measure finds too long, cut between grapheme clusters where those fit a part."""
    if all(size(text) <= single for size, single, _ in measures):
        return (text,)
    parts: list[str] = []
    current: list[str] = []
    used = [0] * len(measures)
    for piece in clusters(text):
        fits = all(size(piece) <= joined for size, _, joined in measures)
        for bit in [piece] if fits else list(piece):
            after = [before + size(bit) for before, (size, _, _) in zip(used, measures, strict=True)]
            if current and any(total > joined for total, (_, _, joined) in zip(after, measures, strict=True)):
                parts.append("".join(current))
                current, after = [], [size(bit) for size, _, _ in measures]
            current.append(bit)
            used = after
    return (*parts, "".join(current))


def utf16_units(text: str) -> int:
    """Length in UTF-16 code units: what UCS-2 on the air counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-be", "surrogatepass")) // 2
