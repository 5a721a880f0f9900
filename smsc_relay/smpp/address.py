"""Addresses: what we write -> TON, NPI and octets, and back (SMPP 3.4 sections 5.2.5 to 5.2.9).

The rules are the field's: what starts with `+` or `00`, or is as long as an international number, is one (TON 1,
NPI 1, without prefix); other digits are a short code or as dialled; anything else is alphanumeric (TON 5, NPI 0).
The account's own rules come before them (`smsc_relay.smpp.rules`), and leave to them what they do not say.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypedDict

from chalicelib import gsm7
from chalicelib.text import clean
from smsc_relay import numbers
from smsc_relay.numbers import ALPHANUMERIC_MAX, is_phone
from smsc_relay.protocol import CannotEncode
from smsc_relay.smpp import rules
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import Npi, Ton
from smsc_relay.smpp.rules import AddressRule

__all__ = ["Addr", "is_phone", "named", "own", "phone", "recipient", "sender", "written"]

DIGITS_MAX: Final = 20  # source_addr and destination_addr hold 21 octets with the NUL
_INTERNATIONAL: Final = int(Ton.INTERNATIONAL)  # before Python 3.12, a member of an enum costs as much as a call
_E164: Final = int(Npi.E164)
_CODECS: Final = {"latin1": "latin-1", "ascii": "ascii", "windows-1252": "cp1252", "utf-8": "utf-8"}


class _Source(TypedDict):
    source_addr_ton: int
    source_addr_npi: int
    source_addr: str


class _Destination(TypedDict):
    dest_addr_ton: int
    dest_addr_npi: int
    destination_addr: str


class Addr(NamedTuple):
    """An address on the wire: `addr` has one character per octet, as the PDUs do."""

    ton: int
    npi: int
    addr: str

    def as_source(self) -> _Source:
        """The fields of a PDU's source."""
        return {"source_addr_ton": self.ton, "source_addr_npi": self.npi, "source_addr": self.addr}

    def as_destination(self) -> _Destination:
        """The fields of a PDU's destination."""
        return {"dest_addr_ton": self.ton, "dest_addr_npi": self.npi, "destination_addr": self.addr}


# --- ours -> the wire -----------------------------------------------------------------------------------------------


def sender(text: str, config: SmppConfig) -> Addr:
    """The source of a message from `text`; empty: none, the SMSC puts its own (SMPP 3.4 section 4.4.1).

    Raises:
        CannotEncode: it is too long, or has characters that the account's alphabet has not.
    """
    text, rule = _ruled((config.source_addr or text).strip(), config.source_rules)
    found = _number(text, config, rule) if text else Addr(Ton.UNKNOWN, Npi.UNKNOWN, "")
    return _overridden(found or _alphanumeric(text, config), rule, config.source_ton, config.source_npi, "sender")


def recipient(text: str, config: SmppConfig) -> Addr:
    """The destination of a message (raises as `sender`; also where `text` is no number)."""
    text, rule = _ruled(text, config.dest_rules)
    found = _number(text, config, rule)
    if found is None:
        raise CannotEncode("the recipient is not a phone number")
    return _overridden(found, rule, config.dest_ton, config.dest_npi, "recipient")


def _ruled(text: str, those: tuple[AddressRule, ...]) -> tuple[str, AddressRule | None]:
    """An address as the account's rules have it. They see all forms of a number as one: `+` and digits where it is
    international, digits where it is not."""
    if not those:
        return text, None
    found = numbers.number(text)
    plain = text if found is None else f"+{found.digits}" if found.international else found.digits
    rule, made = rules.first(those, plain)
    return (text, None) if rule is None else (made, rule)


def _number(text: str, config: SmppConfig, rule: AddressRule | None) -> Addr | None:
    found = numbers.number(text)
    if found is None:
        return None
    # 00 that a rule has written is wanted; all others are a way to write +.
    kept = rule is not None and rule.replace is not None and text.startswith("00")
    digits = f"00{found.digits}" if kept else found.digits
    if found.international:
        return Addr(_INTERNATIONAL, _E164, digits)
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


def _overridden(found: Addr, rule: AddressRule | None, ton: int | None, npi: int | None, whose: str) -> Addr:
    """With TON and NPI as the rule has them, else as the account has them for all, else by the address's look."""
    if len(found.addr) > DIGITS_MAX:
        raise CannotEncode(f"the {whose} has more than {DIGITS_MAX} digits or octets")
    if rule is not None:
        ton = ton if rule.ton is None else rule.ton
        npi = npi if rule.npi is None else rule.npi
    if ton is None and npi is None:
        return found
    return Addr(found.ton if ton is None else ton, found.npi if npi is None else npi, found.addr)


# --- the wire -> ours -----------------------------------------------------------------------------------------------


def phone(ton: int, addr: str, config: SmppConfig) -> str:
    """Who has sent an MO: E.164, a short code, or an alphanumeric name. Never fails."""
    if config.mo_source_rules:
        rule, text = rules.first(config.mo_source_rules, _told(ton, addr, config))
        if rule is not None and rule.replace is not None:
            return numbers.phone(text, config.country, international=False) if numbers.is_dialled(text) else clean(text)
    if not numbers.is_dialled(addr):
        return named(ton, addr, config)
    return numbers.phone(addr, config.country, international=ton == _INTERNATIONAL)


def written(ton: int, addr: str, those: tuple[AddressRule, ...] = ()) -> str:
    """The address as the MO rules `those` have it, with `+` where it is international, else as it is; cheap, for
    comparing."""
    text = numbers.written(addr, international=ton == _INTERNATIONAL)
    rule, made = rules.first(those, text)
    return text if rule is None else numbers.written(made, international=False)


def own(ton: int, addr: str, config: SmppConfig) -> str:
    """Our address that an MO was sent to."""
    text = _told(ton, addr, config)
    rule, made = rules.first(config.mo_dest_rules, text)
    return text if rule is None else numbers.written(made, international=False)


def _told(ton: int, addr: str, config: SmppConfig) -> str:
    """What the SMSC says, as MO rules see it."""
    return written(ton, addr) if numbers.is_dialled(addr) else named(ton, addr, config)


def named(ton: int, addr: str, config: SmppConfig) -> str:
    """An address that is no number, as text."""
    octets = addr.encode("latin-1", "replace")
    if config.sender_alphabet == "gsm7" and ton == Ton.ALPHANUMERIC:
        return clean(gsm7.decode(octets).strip())
    return clean(octets.decode(_CODECS.get(config.sender_alphabet, "latin-1"), "replace").strip())
