"""When a record is offered again: the decisions about back-off, waiting and giving up, as pure functions.

A wait is either a `Hold`, which keeps the record and everything of its contact behind it in the lane (order kept), or
an `Aside`, which lets the contact's next message pass while the record waits in `later`. Order is worth `ORDER_HOLD`
of waiting and no more. Times are ms since the epoch, durations are seconds. `spread` is a random number in [0, 1):
records that failed together must not come back together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

ORDER_HOLD: Final = 60  # s of trouble through which a contact's later messages wait for an earlier one
BACKOFF: Final = (5, 15, 40)  # s between the tries inside ORDER_HOLD
ASIDE: Final = (120, 300, 600, 1800, 3600)  # s between the tries after it; the last one repeats
PAUSED_HOLD: Final = 20  # s between looks at a lane that paused less than ORDER_HOLD ago
PAUSED_ASIDE: Final = 300  # s at most between looks at one that has been paused for longer, or at a disabled channel
CROWDED: Final = (1, 2, 4, 8, 15)  # s between the looks at an aggregator whose share of a lane is used up
CROWDED_ASIDE: Final = 120  # s between them after that
UNKNOWN_FOR: Final = 3600  # s after which a record of a channel nobody knows needs a human
MANY_RECEIVES: Final = 50  # of a lane's maxReceiveCount of 100, which is there to catch crash loops only
JITTER: Final = 0.3  # a wait is spread over this share of itself


@dataclass(frozen=True, slots=True)
class Hold:
    """Give the record again after `seconds`, and those of its group behind it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Aside:
    """Let the record wait in `later` until `not_before`, and come back with this `attempt` and `trouble_since`."""

    not_before: int
    attempt: int
    trouble_since: int
    paced: bool = False  # it waits for the turn that the pace has promised it


Wait = Hold | Aside


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a record has come: what the decisions below depend on."""

    attempt: int  # from 1
    trouble_since: int  # ms: first failure of the present run of failures; 0: none
    expires_at: int  # ms
    receive_count: int = 1


def _spread(seconds: float, spread: float) -> float:
    return seconds * (1 - JITTER / 2 + JITTER * spread)


def _aside(standing: Standing, seconds: float, now: int, *, tried: bool) -> Aside:
    """Never beyond the expiry: the record comes back in time to be told failed(expired)."""
    return Aside(
        not_before=max(now, min(now + round(seconds * 1000), standing.expires_at)),
        attempt=standing.attempt + tried,
        trouble_since=(standing.trouble_since or now) if tried else standing.trouble_since,
    )


def _hold(standing: Standing, seconds: float, now: int) -> Wait:
    """Hold, unless the record has been received so often that SQS would soon call it poison."""
    if standing.receive_count >= MANY_RECEIVES:
        return _aside(standing, seconds, now, tried=False)
    return Hold(max(0.0, min(seconds, (standing.expires_at - now) / 1000)))


def expired(standing: Standing, now: int) -> bool:
    """True when the message is too old to be sent."""
    return now >= standing.expires_at


def after_failure(standing: Standing, now: int, spread: float) -> Wait:
    """The wait after a try that failed and may be repeated: in the lane within `ORDER_HOLD`, then aside.

    The step of the back-off follows from how long the trouble has lasted, which survives any redelivery.
    """
    lasted = (now - standing.trouble_since) / 1000 if standing.trouble_since else 0.0
    due = 0
    for pause in BACKOFF:
        due += pause
        if lasted < due:
            wait = _hold(standing, min(pause, ORDER_HOLD - lasted), now)
            if isinstance(wait, Hold):
                return wait
            break
    seconds = ASIDE[min(standing.attempt, len(ASIDE)) - 1]
    return _aside(standing, _spread(seconds, spread), now, tried=True)


def until(standing: Standing, moment: int, now: int, spread: float = 0.0) -> Wait:
    """Wait for `moment`, through no fault of the message (throttled, another sender's claim): no attempt counted."""
    seconds = max(0.0, (moment - now) / 1000)
    if seconds <= ORDER_HOLD:
        return _hold(standing, seconds, now)
    return _aside(standing, seconds * (1 + JITTER * spread), now, tried=False)


def for_turn(standing: Standing, at: int, now: int) -> Wait:
    """Wait for the turn that the pace has promised: the record comes back and is let in (`Want.waited`)."""
    wait = until(standing, at, now)
    if isinstance(wait, Hold):
        wait = _aside(standing, wait.seconds, now, tried=False)
    return replace(wait, paced=True)


def while_crowded(standing: Standing, now: int, spread: float) -> Wait:
    """Wait for a seat on a shared lane: a moment where the others are quick, aside where they are not."""
    looks = standing.receive_count - 1
    if looks < len(CROWDED):
        return _hold(standing, _spread(CROWDED[looks], spread), now)
    return _aside(standing, _spread(CROWDED_ASIDE, spread), now, tried=False)


def while_paused(standing: Standing, paused_since: int, now: int, spread: float) -> Wait:
    """Wait for a lane that `ChannelDown` has paused: at first in the lane, later aside so that receives stay few."""
    if now - paused_since < ORDER_HOLD * 1000:
        return _hold(standing, PAUSED_HOLD, now)
    return while_disabled(standing, now, spread)


def while_disabled(standing: Standing, now: int, spread: float) -> Wait:
    """Wait until an operator enables the channel again."""
    return _aside(standing, PAUSED_ASIDE * (1 - JITTER * spread), now, tried=False)


def while_unknown(standing: Standing, now: int, spread: float) -> Wait | None:
    """Wait for a channel that the registry does not know; None when it has been waited for long enough.

    Only a deletion or a slow replica can make it unknown after routing, so the contact's order is not worth a hold.
    """
    if standing.trouble_since and now - standing.trouble_since >= UNKNOWN_FOR * 1000:
        return None
    return Aside(now + round(_spread(60, spread) * 1000), standing.attempt, standing.trouble_since or now)
