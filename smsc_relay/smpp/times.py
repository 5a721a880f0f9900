"""Times as SMPP writes them: `YYMMDDhhmmsstnnp` (SMPP 3.4 section 7.1.1), and what receipts have in its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

from chalicelib.clock import to_ms

LONGEST: Final = 31 * 86_400  # seconds that `relative` can write without months, whose length is not fixed
_QUARTERS_MAX: Final = 48


def relative(seconds: int) -> str:
    """So many seconds, up to `LONGEST`, from now on."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"0000{days:02d}{hour:02d}{minute:02d}{second:02d}000R"


def absolute(relative_time: str, now_ms: int) -> str:
    """What `relative` has written as a moment, in UTC."""
    days, hours, minutes, seconds = (int(relative_time[at : at + 2]) for at in (4, 6, 8, 10))
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    moment = datetime.fromtimestamp(now_ms // 1000, UTC) + length
    return moment.strftime("%y%m%d%H%M%S") + "000+"


@lru_cache(maxsize=256)  # most are of this minute
def receipt_date(text: str, zone: tzinfo) -> int | None:
    """A receipt's date as ms since the epoch: YYMMDDhhmm, with seconds, with the century, or SMPP's 16 characters, the
    only form that has an offset of its own. None: nothing of these."""
    if len(text) == 16 and text[15] in "+-" and text.isascii() and text[:15].isdigit():
        quarters = int(text[13:15])
        if quarters > _QUARTERS_MAX:
            return None
        offset = timedelta(minutes=15 * quarters)
        zone, text = timezone(offset if text[15] == "+" else -offset), text[:12]
    if not text.isascii() or not text.isdigit():
        return None
    if len(text) == 14:
        return _moment(text, zone)
    if len(text) == 12:
        return _moment("20" + text, zone) or (_moment(text + "00", zone) if text.startswith("20") else None)
    return _moment(f"20{text}00", zone) if len(text) == 10 else None


def _moment(text: str, zone: tzinfo) -> int | None:
    """YYYYMMDDhhmmss as ms since the epoch."""
    month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(4, 14, 2))
    try:
        return to_ms(datetime(int(text[:4]), month, day, hour, minute, second, tzinfo=zone))
    except (ValueError, OverflowError):
        return None
