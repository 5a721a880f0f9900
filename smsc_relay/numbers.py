"""Phone numbers as SMSCs are given them and give them, the same for every protocol.

The rules are the field's: what starts with `+` or `00`, or is as long as an international number, is one; other digits
are a short code or as dialled; anything else is alphanumeric.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from chalicelib.phones import NotAPhoneNumber, normalise_sender
from chalicelib.text import clean

ALPHANUMERIC_MAX: Final = 11  # characters: ten octets of packed septets (3GPP TS 23.040 section 9.1.2.5)
_INTERNATIONAL_MIN: Final = 9  # digits: what is shorter has no country code in front
_INTERNATIONAL_MAX: Final = 15  # digits (ITU-T E.164)
_PHONE_MIN: Final = 7  # digits: what is shorter is a short code
_SEPARATORS: Final = re.compile(r"[\s()./-]")
_DIALLED: Final = re.compile(r"\+?[0-9*#]+")


class Number(NamedTuple):
    """Digits (with `*` and `#`) without prefix."""

    digits: str
    international: bool


@lru_cache(maxsize=1024)  # senders come again and again, and recipients once for each place that asks
def number(text: str) -> Number | None:
    """What we write as a number; None: it is none."""
    plain = _SEPARATORS.sub("", text)
    if not plain.isascii() or not _DIALLED.fullmatch(plain):
        return None
    digits = plain.removeprefix("+")
    if plain == digits and digits.startswith("00"):
        return Number(digits[2:], True)
    long = _INTERNATIONAL_MIN <= len(digits) <= _INTERNATIONAL_MAX and not digits.startswith("0") and digits.isdigit()
    return Number(digits, plain != digits or long)


def is_dialled(address: str) -> bool:
    """Does an SMSC's address look like a number of some kind?"""
    return _DIALLED.fullmatch(_SEPARATORS.sub("", address)) is not None


def written(address: str, *, international: bool) -> str:
    """An SMSC's address with `+` where it is international, else as it is; cheap, for comparing."""
    plain = _SEPARATORS.sub("", address)
    if not _DIALLED.fullmatch(plain):
        return clean(address.strip())
    digits = plain.removeprefix("+")
    if international or plain != digits or digits.startswith("00"):
        digits = digits.removeprefix("00")
        # Short codes and national numbers are met with an international type of number too.
        return f"+{digits}" if len(digits) >= _PHONE_MIN and not digits.startswith("0") else digits
    return digits


def phone(address: str, country: str, *, international: bool) -> str:
    """Whose number an SMSC's address is: E.164 or a short code where it can be one of `country`. Never fails."""
    whole = written(address, international=international)
    for candidate in dict.fromkeys((whole, _SEPARATORS.sub("", address).removeprefix("+"))):
        try:
            return normalise_sender(candidate, country)
        except NotAPhoneNumber:
            continue
    return whole


def is_phone(address: str) -> bool:
    """Is it long enough to be a phone's number, not a short code's or a name?"""
    return len(address) >= _PHONE_MIN and address.removeprefix("+").isdigit()
