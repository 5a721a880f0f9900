"""Dates as aggregators write them, to milliseconds since the epoch. Every function raises `BadRequest`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from chalicelib.channels.request import BadRequest
from chalicelib.clock import to_ms

_RFC3339: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_EPOCH: Final = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?", re.ASCII)
_YEAR_10000: Final = 253_402_300_800_000


def _bad(text: object) -> BadRequest:
    return BadRequest(f"invalid date: {str(text)[:64]!r}")


def _checked(ms: int, text: object) -> int:
    if not 0 < ms < _YEAR_10000:
        raise _bad(text)
    return ms


def rfc3339(text: str) -> int:
    """RFC 3339 with `T` and a zone (`Z`, `+02:00`, `+0200`) and any number of fraction digits."""
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise _bad(text)
    day, time, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{time}{'+00:00' if zone == 'Z' else zone}")
        ms = to_ms(moment) + int(((fraction or "") + "000")[:3])
    except (ValueError, OverflowError):
        raise _bad(text) from None
    return _checked(ms, text)


def utc_z(text: str) -> int:
    """RFC 3339 in UTC only: the zone is a literal `Z`."""
    if not text.strip().endswith("Z"):
        raise _bad(text)
    return rfc3339(text)


def in_zone(text: str, *formats: str, zone: tzinfo = UTC) -> int:
    """The first of the `strptime` formats that fits; a date without a zone of its own is in `zone`."""
    for pattern in formats:
        try:
            moment = datetime.strptime(text.strip(), pattern)  # noqa: DTZ007 - the zone is put on below
            return _checked(to_ms(moment if moment.tzinfo else moment.replace(tzinfo=zone)), text)
        except (ValueError, OverflowError):
            continue
    raise _bad(text)


def epoch_seconds(value: int) -> int:
    """Whole seconds since the epoch."""
    return _checked(value * 1000, value)


def epoch_millis(value: int) -> int:
    """Milliseconds since the epoch."""
    return _checked(value, value)


def epoch_fraction(text: str) -> int:
    """Seconds since the epoch with an optional fraction, as text: `1457670059.69`."""
    match = _EPOCH.fullmatch(text.strip())
    if match is None:
        raise _bad(text)
    return _checked(int(match[1] + ((match[2] or "") + "000")[:3]), text)


def if_readable(read: Callable[[str], int], text: str) -> int | None:
    """What `read` makes of the text, None where it cannot: a bad date must not cost us the status that it is of."""
    try:
        return read(text)
    except BadRequest:
        return None


def within(ms: int, now: int, tolerance: timedelta) -> bool:
    """Is `ms` no further than `tolerance` from `now`, on either side? For signatures that carry a timestamp."""
    return abs(now - ms) <= tolerance.total_seconds() * 1000


def recent(text: str, now: int, tolerance: timedelta = timedelta(minutes=5)) -> bool:
    """As `within`, of seconds since the epoch as text; no where it is something else."""
    at = if_readable(epoch_fraction, text)
    return at is not None and within(at, now, tolerance)
