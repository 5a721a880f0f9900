"""How fast requests to one account may start, held by every process that sends for it.

A GCRA (generic cell rate algorithm, ITU-T I.371 annex A) without burst tolerance, kept in one DynamoDB item an account:
`gate` is when the next request may start. A batch books all its requests in one conditional write. Whoever would have
to wait longer than `HORIZON` books nothing but is promised a turn, on the `line` behind `gate`; when it comes back it
passes those who come new. So nobody overtakes the waiting, and a booked slot is never left unused by a record that
waits elsewhere.

A throttled request shuts the gate for a while and halves the rate, which then recovers by equal steps (AIMD), whether
or not a rate was configured. An account without a rate that is not slowed down costs one read per `REMEMBER`, no write.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from chalicelib import aws
from chalicelib.settings import settings

HORIZON: Final = 10_000  # ms: a sender sleeps that long for its slot, not longer
REMEMBER: Final = 5_000  # ms for which a process goes by what it read of an account that has no rate
ASSUMED_RATE: Final = 20.0  # requests/s that an account without a configured rate is taken to stand once it throttles
LEAST_RATE: Final = 0.1  # requests/s: below it a probe would be too rare to notice the recovery
RECOVERY: Final = 60.0  # s for the way from nothing back to the full rate
SHUT: Final = 1.0  # s of shut gate where the aggregator does not say how long
LONGEST_SHUT: Final = 3600.0  # s: more is not believed
KEEP: Final = 86_400  # s: DynamoDB's ttl of an idle account


@dataclass(frozen=True, slots=True)
class Pace:
    """The state of one account. Times in ms since the epoch; rates in requests per second."""

    gate: float = 0.0  # when the next request may start
    line: float = 0.0  # when the turns end that were promised to those who wait
    slowed_to: float = 0.0  # the rate right after the last slow-down; 0: none
    slowed_at: float = 0.0  # when its recovery began
    version: int = 0


@dataclass(frozen=True, slots=True)
class Want:
    """A record's wish: `requests` slots one after the other. `waited`: it comes back at the turn promised to it."""

    requests: int = 1
    waited: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """When a record's first request may start, and how far apart they are (ms); not `booked`: come back then."""

    at: int
    apart: float = 0.0
    booked: bool = True


def current_rate(pace: Pace, rate: float, now: float) -> float:
    """Requests per second allowed at `now`; 0 for no limit. `rate` is the configured one, 0 for none."""
    if not pace.slowed_to:
        return rate
    full = rate or ASSUMED_RATE
    recovered = pace.slowed_to + full / RECOVERY * max(0.0, now - pace.slowed_at) / 1000
    return rate if recovered >= full else recovered


def booked(pace: Pace, wants: Sequence[Want], rate: float, now: int) -> tuple[Pace, list[Turn]]:
    """`pace` after `wants` have booked, and their turns. Pure.

    Turns on the line are as far apart as at full rate: coming back too early costs another round, while a line drawn
    at a slowed rate would keep everybody waiting long after the recovery.
    """
    allowed = current_rate(pace, rate, now)
    apart = 1000 / allowed if allowed else 0.0
    apart_on_line = 1000 / (rate or ASSUMED_RATE)
    gate, line = pace.gate, pace.line
    turns = []
    for want in wants:
        first = max(gate, now)
        if first <= now + HORIZON and (want.waited or line <= first):
            turns.append(Turn(round(first), apart))
            gate = first + apart * want.requests
        else:
            first = max(first, line)
            turns.append(Turn(round(first), apart, booked=False))
            line = first + apart_on_line * want.requests
    return replace(pace, gate=gate, line=line), turns


def slowed(pace: Pace, rate: float, retry_after: float | None, now: int) -> Pace:
    """`pace` after a throttled request. One burst of refusals counts once: those that come while the gate is shut
    only keep it shut. Pure."""
    shut = now + 1000 * min(LONGEST_SHUT, max(SHUT, retry_after or 0.0))
    gate = max(pace.gate, shut)
    if pace.slowed_to and now < pace.slowed_at:
        return replace(pace, gate=gate, slowed_at=max(pace.slowed_at, shut))
    rate_now = current_rate(pace, rate, now) or ASSUMED_RATE
    return replace(pace, gate=gate, slowed_to=max(LEAST_RATE, rate_now / 2), slowed_at=shut)


# --- shared by every process --------------------------------------------------------------------------------------

_known: dict[str, tuple[int, Pace]] = {}  # what this process last saw of an account, and when
_lock = threading.Lock()


def book(key: str, wants: Sequence[Want], rate: float, now: int) -> list[Turn]:
    """Book slots on account `key` for a whole batch, in order, in one conditional write.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: DynamoDB did not take it.
    """
    if not rate and not _limited(key, now):
        return [Turn(now) for _ in wants]
    turns: list[Turn] = []

    def change(pace: Pace) -> Pace:
        nonlocal turns
        after, turns = booked(pace, wants, rate, now)
        return after

    _update(key, change, now)
    return turns


def slow_down(key: str, rate: float, retry_after: float | None, now: int) -> int:
    """Tell every sender of account `key` that a request was throttled; returns when the next may start (ms).

    Args:
        rate: the configured one in requests per second, 0 for none.
        retry_after: seconds, None where the aggregator does not say.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: DynamoDB did not take it.
    """
    return round(_update(key, lambda pace: slowed(pace, rate, retry_after, now), now).gate)


def shut_until(key: str) -> int:
    """When a throttled account may be asked again, as far as this process knows (ms); no call is made."""
    with _lock:
        _, pace = _known.get(key, (0, Pace()))
    return round(pace.slowed_at) if pace.slowed_to else 0


def reset() -> None:
    """Forget what this process knows."""
    with _lock:
        _known.clear()


def _limited(key: str, now: int) -> bool:
    with _lock:
        seen, pace = _known.get(key, (0, Pace()))
    if now - seen >= REMEMBER:
        pace = _read(key, now)
    return bool(current_rate(pace, 0.0, now))


def _table() -> str:
    return settings().table("ledger")


def _read(key: str, now: int) -> Pace:
    answer = aws.dynamodb().get_item(TableName=_table(), Key={"pk": {"S": f"pace#{key}"}}, ConsistentRead=True)
    return _remember(key, _pace(answer.get("Item") or {}), now)


def _remember(key: str, pace: Pace, now: int) -> Pace:
    with _lock:
        _known[key] = (now, pace)
    return pace


def _update(key: str, change: Callable[[Pace], Pace], now: int) -> Pace:
    """Compare and swap on the version. A lost race tells the winner's state, so that it costs no read."""
    with _lock:
        seen = _known.get(key)
    pace = seen[1] if seen else Pace()
    while True:
        after = replace(change(pace), version=pace.version + 1)
        try:
            aws.dynamodb().put_item(
                TableName=_table(),
                Item=_item(key, after, now),
                ConditionExpression="v = :v" if pace.version else "attribute_not_exists(pk)",
                **({"ExpressionAttributeValues": {":v": {"N": str(pace.version)}}} if pace.version else {}),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except Exception as error:
            if aws.error_code(error) != "ConditionalCheckFailedException":
                raise
            # No item with the refusal: its ttl has removed it, or the state is to be read.
            winner = getattr(error, "response", {}).get("Item")
            pace = _pace(winner) if winner else _read(key, now)
            continue
        return _remember(key, after, now)


def _item(key: str, pace: Pace, now: int) -> dict[str, Any]:
    numbers = {
        "gate": pace.gate,
        "line": pace.line,
        "slowed_to": pace.slowed_to,
        "slowed_at": pace.slowed_at,
        "v": pace.version,
        "ttl": int(max(pace.gate, pace.line, now) // 1000) + KEEP,
    }
    return {"pk": {"S": f"pace#{key}"}, **{name: {"N": repr(number)} for name, number in numbers.items()}}


def _pace(item: dict[str, Any]) -> Pace:
    def number(name: str) -> float:
        return float(item.get(name, {"N": "0"})["N"])

    return Pace(number("gate"), number("line"), number("slowed_to"), number("slowed_at"), int(number("v")))
