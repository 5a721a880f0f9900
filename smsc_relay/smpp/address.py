"""Addresses: what we write -> TON, NPI and octets, and back (SMPP 3.4 sections 5.2.5 to 5.2.9).

The rules are the field's: what starts with `+` or `00`, or is as long as an international number, is one (TON 1,
NPI 1, without prefix); other digits are a short code or as dialled; anything else is alphanumeric (TON 5, NPI 0).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from chalicelib import gsm7
from chalicelib.phones import NotAPhoneNumber, normalise_sender
from chalicelib.text import clean
from smsc_relay.protocol import CannotEncode
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import Npi, Ton

ALPHANUMERIC_MAX: Final = 11  # characters: ten octets of packed septets (3GPP TS 23.040 section 9.1.2.5)
DIGITS_MAX: Final = 20  # source_addr and destination_addr hold 21 octets with the NUL
_INTERNATIONAL_MIN: Final = 9  # digits: what is shorter has no country code in front
_INTERNATIONAL_MAX: Final = 15  # digits (ITU-T E.164)
_PHONE_MIN: Final = 7  # digits: what is shorter is a short code
_CODECS: Final = {"latin1": "latin-1", "ascii": "ascii", "windows-1252": "cp1252", "utf-8": "utf-8"}
_SEPARATORS: Final = re.compile(r"[\s()./-]")
_DIALLED: Final = re.compile(r"\+?[0-9*#]+")


class Addr(NamedTuple):
    """An address on the wire: `addr` has one character per octet, as the PDUs do."""

    ton: int
    npi: int
    addr: str


# --- ours -> the wire -----------------------------------------------------------------------------------------------


def sender(text: str, config: SmppConfig) -> Addr:
    """The source of a message from `text`; empty: none, the SMSC puts its own (SMPP 3.4 section 4.4.1).

    Raises:
        CannotEncode: it is too long, or has characters that the account's alphabet has not.
    """
    text = (config.source_addr or text).strip()
    found = _number(text, config) if text else Addr(Ton.UNKNOWN, Npi.UNKNOWN, "")
    return _overridden(found or _alphanumeric(text, config), config.source_ton, config.source_npi, "sender")


def recipient(text: str, config: SmppConfig) -> Addr:
    """The destination of a message (raises as `sender`; also where `text` is no number)."""
    found = _number(text, config)
    if found is None:
        raise CannotEncode("the recipient is not a phone number")
    return _overridden(found, config.dest_ton, config.dest_npi, "recipient")


def _number(text: str, config: SmppConfig) -> Addr | None:
    plain = _SEPARATORS.sub("", text)
    if not plain.isascii() or not _DIALLED.fullmatch(plain):
        return None
    digits = plain.removeprefix("+")
    if plain == digits and digits.startswith("00"):
        return Addr(Ton.INTERNATIONAL, Npi.E164, digits[2:])
    long = _INTERNATIONAL_MIN <= len(digits) <= _INTERNATIONAL_MAX and not digits.startswith("0") and digits.isdigit()
    if plain != digits or long:
        return Addr(Ton.INTERNATIONAL, Npi.E164, digits)
    return Addr(config.short_ton, config.short_npi, digits)


def _alphanumeric(text: str, config: SmppConfig) -> Addr:
    if len(text) > ALPHANUMERIC_MAX:
        raise CannotEncode(f"the sender has more than {ALPHANUMERIC_MAX} characters")
    try:
        if config.sender_alphabet == "gsm7":
            octets = gsm7.encode(text)
        else:
            octets = text.encode(_CODECS[config.sender_alphabet])
    except ValueError:
        raise CannotEncode(f"the sender has characters that {config.sender_alphabet} has not") from None
    if b"\0" in octets:
        raise CannotEncode(f"the sender has a character that is NUL in {config.sender_alphabet}")
    return Addr(Ton.ALPHANUMERIC, Npi.UNKNOWN, octets.decode("latin-1"))


def _overridden(found: Addr, ton: int | None, npi: int | None, whose: str) -> Addr:
    if len(found.addr) > DIGITS_MAX:
        raise CannotEncode(f"the {whose} has more than {DIGITS_MAX} digits or octets")
    return Addr(found.ton if ton is None else ton, found.npi if npi is None else npi, found.addr)


# --- the wire -> ours -----------------------------------------------------------------------------------------------


def phone(ton: int, addr: str, config: SmppConfig) -> str:
    """Who has sent an MO: E.164, a short code, or an alphanumeric name. Never fails."""
    plain = _SEPARATORS.sub("", addr)
    if not _DIALLED.fullmatch(plain):
        return named(ton, addr, config)
    international = written(ton, addr)
    for candidate in dict.fromkeys((international, plain.removeprefix("+"))):
        try:
            return normalise_sender(candidate, config.country)
        except NotAPhoneNumber:
            continue
    return international


def written(ton: int, addr: str) -> str:
    """The address with `+` where it is international, else as it is; cheap, for comparing."""
    plain = _SEPARATORS.sub("", addr)
    if not _DIALLED.fullmatch(plain):
        return clean(addr.strip())
    digits = plain.removeprefix("+")
    if ton == Ton.INTERNATIONAL or plain != digits or digits.startswith("00"):
        digits = digits.removeprefix("00")
        # Short codes and national numbers are met with TON 1 too.
        return f"+{digits}" if len(digits) >= _PHONE_MIN and not digits.startswith("0") else digits
    return digits


def own(ton: int, addr: str, config: SmppConfig) -> str:
    """Our address that an MO was sent to."""
    return written(ton, addr) if _DIALLED.fullmatch(_SEPARATORS.sub("", addr)) else named(ton, addr, config)


def named(ton: int, addr: str, config: SmppConfig) -> str:
    """An address that is no number, as text."""
    octets = addr.encode("latin-1", "replace")
    if config.sender_alphabet == "gsm7" and ton == Ton.ALPHANUMERIC:
        return clean(gsm7.decode(octets).strip())
    return clean(octets.decode(_CODECS.get(config.sender_alphabet, "latin-1"), "replace").strip())


def is_phone(address: str) -> bool:
    """Is it long enough to be a phone's number, not a short code's or a name?"""
    return len(address) >= _PHONE_MIN and address.removeprefix("+").isdigit()
