"""Delivery notifications (53), and what tells whose they are: recipient and time stamp.

A submit's positive result names the message `AdC:SCTS`; its notification has the same two in OAdC and SCTS, or, from
some SMSCs, only in its text: `Message for <number>, with identification <YYMMDDhhmmss> has been delivered ...`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from chalicelib import gsm7
from chalicelib.messages import Status
from chalicelib.phones import digits_of
from smsc_relay import patterns
from smsc_relay.ucp.config import UcpConfig
from smsc_relay.ucp.constants import ALPHANUMERIC, REASONS, Dst
from smsc_relay.ucp.operations import Message
from smsc_relay.ucp.times import day_first, moment

STATES: Final[dict[int, Status]] = {
    Dst.DELIVERED: Status.DELIVERED,
    Dst.BUFFERED: Status.SENT,
    Dst.NOT_DELIVERED: Status.FAILED,
}
# Limits keep the time of a search in proportion to the text, whatever it is.
_KEY: Final = re.compile(r"([0-9+*#]{0,40})\s{0,9}:\s{0,9}([0-9]{12})")
_STAMP: Final = re.compile(r"[0-9]{12}")
_TEXT: Final = re.compile(
    r"Message for\s{1,9}(?P<phone>\+?[0-9]{1,22}).{0,200}?identification\s{1,9}(?P<stamp>[0-9]{12})", re.I | re.S
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a notification says. `external_id` is as `external_id` makes it, "" if missing; `status` None: nothing."""

    external_id: str
    status: Status | None
    phone: str = ""
    reason: str = ""
    code: str = ""  # Rsn
    at: int | None = None  # ms since the epoch: DSCTS
    fault: str = ""  # why it cannot be used; without values


def external_id(phone: str, stamp: str, config: UcpConfig) -> str:
    """One form for a message's key, however its recipient is written in each place: the last digits, and the stamp
    exactly as the SMSC wrote it (its own clock's, so never converted)."""
    return f"{digits_of(phone)[-config.match_digits :]}:{stamp}"


def result_id(sm: str, recipient: str, config: UcpConfig) -> str:
    """The key in a submit's positive result; "": there is none. `recipient`: AdC of the submit."""
    if match := _KEY.match(sm.lstrip()):
        return external_id(match[1] or recipient, match[2], config)
    match = _STAMP.search(sm)
    return external_id(recipient, match[0], config) if match else ""


def read(operation: Message, config: UcpConfig) -> Receipt:
    """The receipt that a 53 is. Never fails."""
    phone, stamp = operation.oadc, operation.scts
    if not _STAMP.fullmatch(stamp) or not digits_of(phone):
        phone, stamp = _in_text(operation, config) or (phone, "")
    key = external_id(phone, stamp, config) if stamp else ""
    code = operation.rsn[:8]
    if operation.dst not in ("0", "1", "2"):
        return Receipt(key, None, phone, fault="a notification without a delivery status")
    dst = int(operation.dst)
    return Receipt(
        key,
        STATES[dst],
        phone,
        reason="" if dst == Dst.DELIVERED else reason(code),
        code="" if dst == Dst.DELIVERED else code,
        at=moment(operation.dscts, config.zone) if dst != Dst.BUFFERED else None,
        fault="" if key else "a notification without a time stamp",
    )


def reason(code: str) -> str:
    """What Rsn means."""
    number = int(code) if code.isascii() and code.isdigit() else -1
    return REASONS.get(number, "unknown reason")


def _in_text(operation: Message, config: UcpConfig) -> tuple[str, str] | None:
    """Recipient and stamp (day first) of the text."""
    try:
        octets = bytes.fromhex(operation.msg)
    except ValueError:
        return None
    text = gsm7.decode(octets) if operation.mt in ("", ALPHANUMERIC) else octets.decode("latin-1")
    found = _searched(text, config)
    phone, stamp = found.get("phone", ""), found.get("stamp", "")
    return (phone, day_first(stamp)) if phone and _STAMP.fullmatch(stamp) else None


def _searched(text: str, config: UcpConfig) -> dict[str, str]:
    if not config.receipt_pattern:
        usual = _TEXT.search(text)
        return usual.groupdict() if usual else {}
    try:
        return patterns.search(config.receipt_pattern, text) or {}
    except patterns.TooSlowError:
        return {}
