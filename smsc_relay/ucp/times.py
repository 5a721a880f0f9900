"""Times as UCP writes them: digits of the SMSC's own clock, day first, without a zone (EMI UCP Interface Specification
section 4)."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from chalicelib.clock import to_ms


def minute_after(seconds: int, now_ms: int, zone: tzinfo) -> str:
    """DDMMYYhhmm of the first full minute at least so many seconds from now: of VP and DDT."""
    moment = datetime.fromtimestamp(now_ms / 1000, zone) + timedelta(seconds=seconds)
    if moment.second or moment.microsecond:
        moment += timedelta(minutes=1)
    return moment.strftime("%d%m%y%H%M")


def stamp(now_ms: int, zone: tzinfo) -> str:
    """DDMMYYhhmmss of now."""
    return datetime.fromtimestamp(now_ms / 1000, zone).strftime("%d%m%y%H%M%S")


def moment(written: str, zone: tzinfo) -> int | None:
    """DDMMYYhhmmss or DDMMYYhhmm as ms since the epoch; None: neither."""
    if len(written) not in (10, 12) or not written.isascii() or not written.isdigit():
        return None
    day, month, year, hour, minute, second = (int(written[at : at + 2] or 0) for at in range(0, 12, 2))
    try:
        return to_ms(datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone))
    except (ValueError, OverflowError):
        return None


def day_first(written: str) -> str:
    """YYMMDDhhmmss, as texts have it, as DDMMYYhhmmss, as fields have it."""
    return written[4:6] + written[2:4] + written[:2] + written[6:]
