"""Addresses: what we write -> parameters, and back (CIMD Interface Specification)."""

from __future__ import annotations

from typing import Final

from chalicelib import gsm7
from chalicelib.text import clean
from smsc_relay import numbers
from smsc_relay.cimd2 import alphabet
from smsc_relay.cimd2.codec import Packet
from smsc_relay.cimd2.config import Cimd2Config
from smsc_relay.cimd2.constants import Tag
from smsc_relay.protocol import CannotEncode

DIGITS_MAX: Final = 20
_PREFIXES: Final = {"plus": "+", "00": "00", "bare": ""}


def sender(text: str, config: Cimd2Config) -> tuple[int, str] | None:
    """The originator of a message from `text` as a parameter; None: none is told, the SMSC puts its own.

    Raises:
        CannotEncode: it is too long, or has characters that an originator cannot have.
    """
    text = (config.source_addr or text).strip()
    if not text or config.senders == "none":
        return None
    found = numbers.number(text)
    if found is None:
        return None if config.senders == "numeric" else (int(Tag.ALPHANUMERIC), _alphanumeric(text))
    if not config.own_number:
        return int(Tag.ORIGINATOR), _written(found, config, "sender")
    if not found.digits.startswith(config.own_number):
        return None
    rest = found.digits.removeprefix(config.own_number)
    return (int(Tag.ORIGINATOR), rest) if rest else None


def recipient(text: str, config: Cimd2Config) -> str:
    """The destination of a message (raises as `sender`; also where `text` is no number)."""
    found = numbers.number(text)
    if found is None:
        raise CannotEncode("the recipient is not a phone number")
    return _written(found, config, "recipient")


def _written(found: numbers.Number, config: Cimd2Config, whose: str) -> str:
    if not found.digits.isdigit():
        raise CannotEncode(f"the {whose} has a * or #, which CIMD2 has not")
    text = (_PREFIXES[config.international] if found.international else "") + found.digits
    if len(text) > DIGITS_MAX:
        raise CannotEncode(f"the {whose} has more than {DIGITS_MAX} digits")
    return text


def _alphanumeric(text: str) -> str:
    try:
        septets = gsm7.encode(text)
    except gsm7.GSMEncodeError:
        raise CannotEncode("the sender has characters that are not GSM 7-bit") from None
    if len(septets) > numbers.ALPHANUMERIC_MAX:
        raise CannotEncode(f"the sender has more than {numbers.ALPHANUMERIC_MAX} characters")
    return alphabet.encode(septets)


def phone(packet: Packet, config: Cimd2Config) -> str:
    """Who has sent an MO: E.164, a short code, or an alphanumeric name. Never fails."""
    written = packet.get(Tag.ORIGINATOR)
    name = packet.get(Tag.ALPHANUMERIC)
    if written is None and name is not None:
        return clean(alphabet.decode(name)[0].strip())
    written = (written or "").strip()
    if numbers.is_dialled(written):
        return numbers.phone(written, config.country, international=False)
    return clean(alphabet.decode(written)[0].strip())


def destination(packet: Packet) -> str:
    """The destination as the packet has it, with `+` where it says that it is international."""
    return numbers.written(packet.get(Tag.DESTINATION) or "", international=False)
