"""What phones write: octets of a message, or of its parts that may have been cut anywhere -> text (3GPP TS 23.038; SMPP
3.4 section 5.2.19)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from chalicelib import gsm7, gsm7_national
from chalicelib.gsm7_national import DEFAULT, Shift
from chalicelib.text import clean

_MARKS: Final = {b"\xfe\xff": "utf-16-be", b"\xff\xfe": "utf-16-le"}


class Written(NamedTuple):
    """Octets, and what they are: `gsm7` (a septet an octet; `gsm7:1:2` by the national single shift table 1 and locking
    shift table 2), `utf-16-be`, `utf-16-le`, `jis` (Shift JIS or ISO-2022-JP), `binary`, else a codec of Python."""

    octets: bytes
    charset: str

    @property
    def kind(self) -> str:
        """The charset without its tables."""
        return self.charset.partition(":")[0]


def gsm7_by(shift: Shift) -> str:
    """The charset of septets by these tables."""
    return "gsm7" if shift == DEFAULT else f"gsm7:{shift.single}:{shift.locking}"


def decode(octets: bytes, charset: str) -> tuple[str, bool]:
    """The text, and whether that is certain; never fails. What is not certain may have NULs and U+FFFD in it."""
    if charset == "gsm7" and octets.isascii():  # as most are
        return gsm7.decode(octets), True
    return join([Written(octets, charset)])


def join(parts: Sequence[Written]) -> tuple[str, bool]:
    """As `decode`, of parts in their order that are of one `kind`: a character that begins in one and ends in the next
    is whole again."""
    kind = parts[0].kind
    octets = b"".join(part.octets for part in parts)
    if kind == "ascii" and any(octet < 0x20 and octet not in b"\n\r\t" for octet in octets):
        kind = "gsm7"  # some SMSCs call the default alphabet ASCII
    match kind:
        case "gsm7":
            return _gsm7(octets, parts)
        case "utf-16-be" | "utf-16-le":
            return _utf16([part.octets for part in parts], kind)
        case "binary":
            return readable(octets), False
        case "jis":
            kind = "iso2022_jp" if b"\x1b" in octets else "shift_jis"
    try:
        return octets.decode(kind), True
    except UnicodeDecodeError:
        return (guess(octets) if kind in ("ascii", "utf-8") else octets.decode(kind, "replace")), False


def fragment(parts: Sequence[Written]) -> tuple[str, bool]:
    """As `join`, of a message that lacks others: UTF-8 that begins or ends inside a character is UTF-8 all the same."""
    if parts[0].kind == "utf-8":
        return b"".join(part.octets for part in parts).decode("utf-8", "replace"), False
    return join(parts)


def readable(octets: bytes) -> str:
    """What can be read of octets that are no text."""
    return clean(octets.decode("ascii", "replace"))


def guess(octets: bytes) -> str:
    """Text of an unknown charset."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


# --- GSM 7-bit ------------------------------------------------------------------------------------------------------


def septets(octets: bytes, shift: Shift = DEFAULT) -> str:
    """The text of unpacked septets."""
    return gsm7.decode(octets) if shift == DEFAULT else gsm7_national.decode(octets, shift)


def _gsm7(octets: bytes, parts: Iterable[Written]) -> tuple[str, bool]:
    """A septet has no high bit: octets that have are text of another charset, marked wrongly. Each part is by its own
    tables; an ESC that a part ends with is the next one's."""
    if not octets.isascii():
        return guess(octets), False
    found: list[str] = []
    escape = b""
    for part in parts:
        one = escape + part.octets
        escapes = len(one) - len(one.rstrip(b"\x1b"))
        escape = b"\x1b" if escapes % 2 else b""  # two are a pair
        found.append(septets(one[: len(one) - len(escape)], _shift(part.charset)))
    return "".join(found), True


def _shift(charset: str) -> Shift:
    _, *numbers = charset.split(":")
    return Shift(*map(int, numbers)) if numbers else DEFAULT


# --- UTF-16 ---------------------------------------------------------------------------------------------------------


def _utf16(parts: list[bytes], order: str) -> tuple[str, bool]:
    """A byte order mark counts, and is no text; nor are those of further parts, if the first one has it. Of an odd
    number of octets the last is dropped."""
    padded = order == "utf-16-be" and _padded(parts)
    if padded:
        parts = [part[:-1] for part in parts]
    octets = b"".join(parts)
    mark = octets[:2]
    if mark in _MARKS:
        order = _MARKS[mark]
        octets = b"".join(part.removeprefix(mark) for part in parts) if len(parts[0]) > 1 else octets[2:]
    whole = octets[: len(octets) & ~1]
    try:
        return whole.decode(order), len(whole) == len(octets) and not padded
    except UnicodeDecodeError:
        return whole.decode(order, "replace"), False


def _padded(parts: Sequence[bytes]) -> bool:
    """Some SMSCs put a NUL behind each part. It could be the first half of a character that was cut, but not where that
    would be a control character."""
    if len(parts) < 2 or not all(len(part) % 2 and part[-1] == 0 for part in parts):
        return False
    return any(part[0] < 0x20 and part[0] not in b"\t\n\r" for part in parts[1:])
