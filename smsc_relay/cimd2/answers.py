"""The error code of an answer, read and written."""

from __future__ import annotations

from typing import Final

from smsc_relay.cimd2.codec import Packet, Parameters, parameters
from smsc_relay.cimd2.constants import Error, Tag, error_name

_DIGITS: Final = 9  # of a code, at most


def error_in(packet: Packet) -> tuple[int, str]:
    """The error in a response, 0 where there is none, and what is odd about it. A code that is no number is an error
    all the same, and so is a text without a code."""
    codes = [value.strip() for tag, value in packet.parameters if tag == Tag.ERROR]
    told = next((code for code in codes if code.strip("0")), "")
    if told.isascii() and told.isdigit() and len(told) <= _DIGITS:
        return int(told), ""
    if told:
        return Error.GENERAL, "an error code that is no number"
    if (packet.get(Tag.ERROR_TEXT) or "").strip() and not any(codes):
        return Error.GENERAL, "an error text without an error code"
    return 0, ""


def refusal(code: int) -> Parameters:
    """An error code with its text."""
    return parameters((Tag.ERROR, code), (Tag.ERROR_TEXT, error_name(code)[:64]))
