"""Addresses: what we write -> AdC, OAdC and OTOA, and back (EMI UCP Interface Specification section 5.1)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from chalicelib import gsm7
from chalicelib.text import clean
from smsc_relay import numbers
from smsc_relay.numbers import ALPHANUMERIC_MAX
from smsc_relay.protocol import CannotEncode
from smsc_relay.ucp.config import UcpConfig
from smsc_relay.ucp.constants import OTOA_ALPHANUMERIC, OTOA_INTERNATIONAL

DIGITS_MAX: Final = 22  # of AdC and OAdC: 16 in the specification, more in the field
_ALPHANUMERIC: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")


class Sender(NamedTuple):
    """An originator on the wire."""

    oadc: str
    otoa: str


# --- ours -> the wire -----------------------------------------------------------------------------------------------


def sender(text: str, config: UcpConfig) -> Sender:
    """The originator of a message from `text`; empty: none, the SMSC puts its own.

    Raises:
        CannotEncode: it is too long, or has characters that are not GSM 7-bit.
    """
    text = (config.source_addr or text).strip()
    if not text:
        return Sender("", "")
    found = numbers.number(text)
    if found is None or not found.digits.isdigit():
        return _alphanumeric(text, config)
    _check(found.digits, "sender")
    international = config.sender_otoa == "international" or (config.sender_otoa == "auto" and found.international)
    return Sender(found.digits, OTOA_INTERNATIONAL if international else "")


def recipient(text: str, config: UcpConfig) -> str:
    """AdC of a message (raises as `sender`; also where `text` is no number)."""
    found = numbers.number(text)
    if found is None or not found.digits.isdigit():
        raise CannotEncode("the recipient is not a phone number")
    digits = config.international_prefix + found.digits if found.international else found.digits
    _check(digits, "recipient")
    return digits


def _check(digits: str, whose: str) -> None:
    if len(digits) > DIGITS_MAX:
        raise CannotEncode(f"the {whose} has more than {DIGITS_MAX} digits")


def _alphanumeric(text: str, config: UcpConfig) -> Sender:
    try:
        septets = gsm7.encode(text)
    except gsm7.GSMEncodeError:
        raise CannotEncode("the sender has characters that GSM 7-bit has not") from None
    if len(septets) > ALPHANUMERIC_MAX:
        raise CannotEncode(f"the sender has more than {ALPHANUMERIC_MAX} characters")
    return Sender(alphanumeric(septets, written=config.sender_length == "written"), OTOA_ALPHANUMERIC)


def alphanumeric(septets: bytes, *, written: bool = False) -> str:
    """OAdC with OTOA 5039: the length in half-octets (those used, or those written), then packed septets, in hex."""
    octets = gsm7.pack(septets)
    length = 2 * len(octets) if written else -(-7 * len(septets) // 4)
    return f"{length:02X}{octets.hex().upper()}"


# --- the wire -> ours -----------------------------------------------------------------------------------------------


def phone(oadc: str, otoa: str, config: UcpConfig) -> str:
    """Who has sent an MO: E.164, a short code, or an alphanumeric name. Never fails."""
    if otoa == OTOA_ALPHANUMERIC and (name := named(oadc)):
        return name
    if not numbers.is_dialled(oadc):
        return clean(oadc.strip())
    return numbers.phone(oadc, config.country, international=otoa == OTOA_INTERNATIONAL)


def own(adc: str) -> str:
    """Our address that an MO was sent to."""
    return numbers.written(adc, international=False)


def named(oadc: str) -> str:
    """The name in an alphanumeric OAdC; "": it is none."""
    if not _ALPHANUMERIC.fullmatch(oadc) or len(oadc) < 4:
        return ""
    length, *octets = bytes.fromhex(oadc)
    if length > 2 * len(octets):
        return ""
    count = 4 * length // 7
    septets = gsm7.unpack(bytes(octets), count)
    if length == 14 and septets[7:8] == b"\0":  # seven characters by who counts the digits written
        septets = septets[:7]
    return clean(gsm7.decode(septets).strip())
