"""Time zones of SMSCs, which write local times without one."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

_OFFSET: Final = re.compile(r"([+-])([01][0-9]):?([0-5][0-9])")


CLOCKS_APART: Final = 300_000  # ms that an SMSC's clock may be off before somebody is told
CLOCK_FAULT: Final = "the SMSC's clock and ours differ by more than 5 minutes in the zone that timezone names"


def zone_of(name: str) -> tzinfo:
    """The zone that a config names: UTC, Africa/Kampala, or an offset such as +03:00.

    Raises:
        ValueError: it names none.
    """
    if name == "UTC":
        return UTC
    match = _OFFSET.fullmatch(name)
    if match:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-offset if match[1] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError(
            "must be a time zone known here, such as Africa/Kampala, or an offset such as +03:00"
        ) from None
