"""A setting of another gateway's SMPP connection, with ours: what the tables of docs/smsc/smpp.md are made of, and by
which its configuration is converted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Convert = Callable[[str], Any]


@dataclass(frozen=True)
class Knob:
    """A setting of a peer: our key for it, "" where there is none, how its value is converted, and a remark."""

    name: str
    key: str = ""
    remark: str = ""
    convert: Convert = str


class LeftOutError(ValueError):
    """A value that needs no key here, or has none; the text says why."""


def integer(value: str) -> int:
    return int(value, 16 if value.lower().startswith("0x") else 10)


def real(value: str) -> float:
    if not math.isfinite(number := float(value)):
        raise ValueError(value)
    return number


def octet(value: str) -> int:
    return within(value, 0, 255, "a TON or NPI is 0 to 255")


def within(value: str, least: int, most: int, otherwise: str) -> int:
    number = integer(value)
    if not least <= number <= most:
        raise LeftOutError(f"{value} is left out: {otherwise}")
    return number


def above_zero(convert: Convert, otherwise: str) -> Convert:
    """`convert`, for a key that has no 0: `otherwise` says what counts instead."""

    def converted(value: str) -> Any:
        number = convert(value)
        if number == 0:
            raise LeftOutError(f"0 is not written: {otherwise}")
        return number

    return converted


def flag(value: str) -> bool:
    return value.strip().lower() in ("yes", "true", "on", "1")


# --- what several of them are told -----------------------------------------------------------------------------------

LOGS: Final = "logs are JSON lines on standard output; the level is JANGADA_LOG_LEVEL"
DEAD: Final = (
    "keepalive finds a dead link; inactivity is another thing: it ends links that answer, but carry no messages"
)
ROUTES: Final = "a channel names its aggregator: there is nothing to route"
ONE_VALUE: Final = (
    "declares a TLV there, whose value comes with each message; an item of tlvs has one value, the same in every "
    "submit of the account or of a channel: messages of RapidPro's External API have no field for a TLV, so a value "
    "that differs from message to message has no source"
)
