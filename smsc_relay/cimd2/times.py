"""Times: YYMMDDhhmmss in the SMSC's local time, and periods on the scale of TP-VP (3GPP TS 23.040 section 9.2.3.12)."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final

from chalicelib.clock import to_ms

_WEEK: Final = 10_080  # minutes
LONGEST: Final = 63 * _WEEK * 60  # seconds


def relative(seconds: int) -> int:
    """The shortest period that is not shorter than so many seconds, up to `LONGEST`."""
    minutes = -(-seconds // 60)
    if minutes <= 720:
        return max(-(-minutes // 5) - 1, 0)
    if minutes <= 1440:
        return 143 - (720 - minutes) // 30
    if minutes <= 43_200:
        return 166 - -minutes // 1440
    return min(192 - -minutes // _WEEK, 255)


def absolute(ms: int, zone: tzinfo) -> str:
    """A moment, in ms since the epoch, in that zone."""
    return datetime.fromtimestamp(ms // 1000, UTC).astimezone(zone).strftime("%y%m%d%H%M%S")


def moment(text: str, zone: tzinfo) -> int | None:
    """A time of that zone as ms since the epoch; None: it is none."""
    if len(text) != 12 or not text.isascii() or not text.isdigit():
        return None
    year, month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(0, 12, 2))
    try:
        return to_ms(datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone))
    except (ValueError, OverflowError):
        return None
