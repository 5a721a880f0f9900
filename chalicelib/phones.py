"""Phone numbers and other addresses. libphonenumber's metadata is loaded only when a number must be parsed."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

_E164: Final = re.compile(r"\+[0-9]{7,15}")
_SHORT: Final = re.compile(r"[1-9][0-9]{2,5}")
_DROPPED: Final = re.compile(r"[^0-9A-Za-z]")
_SUFFIX: Final = 7  # digits that two written forms of one number must share


class NotAPhoneNumber(ValueError):  # noqa: N818 - says what it is
    """The address is no possible phone number of the country; the text does not repeat it."""


def _lib() -> Any:
    import phonenumbers

    return phonenumbers


def normalise_sender(raw: str, country: str) -> str:
    """The sender of an MO as E.164, or as a short code of `country` (ISO 3166 alpha-2, "" for none).

    Raises:
        NotAPhoneNumber: neither.
    """
    raw = raw.strip()
    kept = ("+" if raw.startswith("+") else "") + _DROPPED.sub("", raw)
    bare = kept.lstrip("+")
    if not bare:
        raise NotAPhoneNumber("the address is empty")
    number, reachable = _parse(kept, country)
    if number is not None and reachable:
        return number
    if len(bare) >= 11 and not bare.startswith("0") and not kept.startswith("+"):
        number, _ = _parse("+" + bare, country)
        if number is not None:
            return number
    if country and reachable is not None and not kept.startswith("+"):
        if _is_short(kept, country):
            return kept
        if _SHORT.fullmatch(kept):
            return kept
    raise NotAPhoneNumber(f"not a possible number{' for ' + country if country else ' without a country'}")


def _parse(text: str, country: str) -> tuple[str | None, bool | None]:
    """(E.164, possible?) of `text`; possible is None where libphonenumber cannot read it at all."""
    lib = _lib()
    try:
        number = lib.parse(text, country or None)
    except lib.NumberParseException:
        return None, None
    if lib.is_possible_number_with_reason(number) != lib.ValidationResult.IS_POSSIBLE:
        return None, False
    formatted: str = lib.format_number(number, lib.PhoneNumberFormat.E164)
    for _ in range(3):
        try:
            again = str(lib.format_number(lib.parse(formatted, None), lib.PhoneNumberFormat.E164))
        except lib.NumberParseException:
            return None, False
        if again == formatted:
            return formatted, True
        formatted = again
    return None, False


def _is_short(text: str, country: str) -> bool:
    lib = _lib()
    if not text.isdigit() or text.startswith("0"):
        return False
    try:
        return bool(lib.is_possible_short_number_for_region(lib.parse(text, country), country))
    except lib.NumberParseException:
        return False


def national(number: str) -> str:
    """The national significant number of an E.164 number, leading zeros that belong to it kept (Italy); a short code
    and what cannot be parsed stay as they are."""
    if _SHORT.fullmatch(number):
        return number
    lib = _lib()
    try:
        parsed = lib.parse(number if number.startswith("+") else "+" + number, None)
    except lib.NumberParseException:
        return number
    return str(lib.national_significant_number(parsed))


def mask(address: str) -> str:
    """The address for a log: its first digits and its last two, the rest asterisks."""
    if len(address) <= 4:
        return "*" * len(address)
    shown = min(6, len(address) - 4)
    return address[:shown] + "*" * (len(address) - shown - 2) + address[-2:]


def digits_of(address: str) -> str:
    """The significant digits of a number in any written form: no plus, no leading zeros, no separators."""
    return re.sub(r"[^0-9]", "", address).lstrip("0")


def digits_match(one: str, other: str) -> bool:
    """Do two written forms (international, national, with or without plus) name the same phone?"""
    left, right = digits_of(one), digits_of(other)
    if not left or not right:
        return one.strip().casefold() == other.strip().casefold()
    if left == right:
        return True
    short, long = sorted((left, right), key=len)
    return len(short) >= _SUFFIX and long.endswith(short)


def contact_key(address: str) -> str:
    """One form for all written forms of an address, for grouping: digits of a number, else NFC in lower case."""
    plain = re.sub(r"[\s()./-]", "", address)
    bare = plain.removeprefix("+").removeprefix("00") if plain.startswith(("+", "00")) else plain
    if bare.isascii() and bare.isdigit():
        return bare
    return unicodedata.normalize("NFC", address.strip()).casefold()
