"""Times as SMPP writes them: `YYMMDDhhmmsstnnp` (SMPP 3.4 section 7.1.1), and what receipts have in its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from chalicelib.clock import to_ms

LONGEST: Final = 31 * 86_400  # seconds that `relative` can write without months, whose length is not fixed
_QUARTERS_MAX: Final = 48
_FORMS: Final = {10: ("%y%m%d%H%M",), 12: ("%y%m%d%H%M%S", "%Y%m%d%H%M"), 14: ("%Y%m%d%H%M%S",)}


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
    for form in _FORMS.get(len(text), ()):
        try:
            return to_ms(datetime.strptime(text, form).replace(tzinfo=zone))
        except (ValueError, OverflowError):
            continue
    return None
