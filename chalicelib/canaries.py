"""Canaries: test messages of our own to an SMSC, which go the whole way and of which no platform hears.

A canary's id begins with `PREFIX`. That is the gateway's own: `POST /send` refuses such an id, λ route takes one only
to the number and channel that the aggregator's file names, and nothing that bears one is told to a platform. The
number belongs to the canary too: what it sends to the canary's channel is an answer, and for nobody else.

Item `canary#<aggregator>` of the ledger's table is the last one: `id`, `ch`annel, `at` (ms, sent), `ok` and `mo` (ms,
delivered and answered; 0: not yet), `v`erdict with `w`hy, `n` (how many have failed in a row).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from chalicelib import ledger_table, registry
from chalicelib.ledger_table import KEEP, attempt, update
from chalicelib.messages import Outgoing
from chalicelib.phones import contact_key
from chalicelib.registry import Aggregator, Channel

PREFIX: Final = "jangada-canary-"
OFTEN: Final = 5  # minutes: how often λ canary runs (app.py)
_MINUTES: Final = {"m": 1, "h": 60}

Verdict = Literal["", "delivered", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Canary:
    """What an aggregator's file says under `canary`."""

    aggregator: str
    channel: str  # UUID
    to: str  # E.164 with "+"
    every: int  # ms
    mo: bool = False  # the number answers, and the answer is waited for
    text: str = ""

    def id_at(self, now: int) -> str:
        """Names the canary of this time: the same for all runs until the next is due."""
        return f"{PREFIX}{self.aggregator}-{datetime.fromtimestamp((now - now % self.every) / 1000, UTC):%Y%m%dT%H%M}"


@dataclass(frozen=True, slots=True)
class Last:
    """The last canary of an aggregator; times in ms, 0: not (yet)."""

    aggregator: str
    id: str
    channel: str
    sent_at: int
    delivered_at: int = 0
    answered_at: int = 0
    verdict: Verdict = ""  # "": it is waited for
    why: str = ""
    failing: int = 0  # how many have failed in a row, this one included once it has


def minutes(every: str) -> int:
    """The minutes of "10m" or "1h"."""
    return int(every[:-1]) * _MINUTES[every[-1]]


def of(account: Aggregator) -> Canary | None:
    """The aggregator's canary, None where it has none."""
    said = account.canary
    if not said:
        return None
    every = minutes(said["every"]) * 60_000
    return Canary(account.name, said["channel"], said["to"], every, said["mo"], said["text"])


def owns(message_id: str) -> bool:
    """The id is a canary's, or says it is."""
    return message_id.startswith(PREFIX)


def admits(message: Outgoing, channel: Channel) -> bool:
    """Whether a message with a canary's id goes where a canary goes.

    Raises:
        UnknownAggregator | RegistryUnavailable: as `registry.aggregator`.
    """
    return _between(channel, channel.aggregator, message.to)


def answers(channel: Channel, sender: str) -> bool:
    """Whether an MO is of the canary's number, or was before the channel moved (raises RegistryUnavailable)."""
    for name in (channel.aggregator, *channel.former):
        try:
            if _between(channel, name, sender):
                return True
        except registry.UnknownAggregator:
            continue
    return False


def _between(channel: Channel, aggregator: str, phone: str) -> bool:
    canary = of(registry.aggregator(aggregator))
    return canary is not None and canary.channel == channel.uuid and contact_key(phone) == contact_key(canary.to)


# --- the last one ---------------------------------------------------------------------------------------------------


def _pk(aggregator: str) -> str:
    return f"canary#{aggregator}"


def last(aggregator: str) -> Last | None:
    """The last canary of an aggregator, None where none has been sent for 35 days."""
    item = ledger_table.get(_pk(aggregator))
    if item is None:
        return None
    verdict: Any = item["v"]["S"]
    return Last(
        aggregator,
        item["id"]["S"],
        item["ch"]["S"],
        int(item["at"]["N"]),
        int(item["ok"]["N"]),
        int(item["mo"]["N"]),
        verdict,
        item["w"]["S"],
        int(item["n"]["N"]),
    )


def begin(canary: Canary, now: int, before: Last | None) -> Last | None:
    """Write down that the canary of this time is sent; None where another run has done so since `before` was read."""
    one = Last(canary.aggregator, canary.id_at(now), canary.channel, now, failing=before.failing if before else 0)
    values = {
        ":id": {"S": one.id},
        ":ch": {"S": one.channel},
        ":at": {"N": str(now)},
        ":zero": {"N": "0"},
        ":none": {"S": ""},
        ":n": {"N": str(one.failing)},
        ":ttl": {"N": str(now // 1000 + KEEP)},
    }
    condition = "attribute_not_exists(pk)"
    if before is not None:
        condition, values[":before"] = "id = :before", {"S": before.id}
    done = attempt(
        lambda: update(
            _pk(canary.aggregator),
            "SET id=:id, ch=:ch, #at=:at, ok=:zero, mo=:zero, v=:none, w=:none, n=:n, #t=:ttl",
            values,
            condition=condition,
            names={"#t": "ttl", "#at": "at"},
        )
    )
    return one if done is not None else None


def judge(one: Last, verdict: Verdict, why: str = "") -> Last | None:
    """Write down what has become of it; None where another run has done so."""
    failing = {"failed": one.failing + 1, "delivered": 0}.get(verdict, one.failing)
    values = {
        ":id": {"S": one.id},
        ":v": {"S": verdict},
        ":w": {"S": why[:200]},
        ":n": {"N": str(failing)},
        ":none": {"S": ""},
    }
    done = attempt(
        lambda: update(_pk(one.aggregator), "SET v=:v, w=:w, n=:n", values, condition="id = :id AND v = :none")
    )
    return replace(one, verdict=verdict, why=why, failing=failing) if done is not None else None


def note_delivered(aggregator: str, message_id: str, now: int) -> None:
    """The receipt of a canary has come."""
    _note(aggregator, "ok", now, "id = :id", {":id": {"S": message_id}})


def note_answer(aggregator: str, now: int) -> None:
    """An MO of the canary's number has come."""
    _note(aggregator, "mo", now, "attribute_exists(pk)", {})


def _note(aggregator: str, name: str, now: int, condition: str, values: dict[str, Any]) -> None:
    """The first time counts: events may be given twice."""
    values = {**values, ":now": {"N": str(now)}, ":zero": {"N": "0"}}
    attempt(lambda: update(_pk(aggregator), f"SET {name} = :now", values, condition=f"{condition} AND {name} = :zero"))
