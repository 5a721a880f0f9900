"""Paused lanes: an account is in trouble (ChannelDown), nothing is sent, one probe a minute sees whether it is well.

Item `pause#<aggregator>` of the ledger's table, listed by its index `parked`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from chalicelib import aws, ledger_table

PROBE_EVERY: Final = 60_000  # ms between the probes of a paused lane
_PAUSED: Final = "#paused"  # partition of the index `parked` that lists paused lanes


@dataclass(frozen=True, slots=True)
class Pause:
    """A lane's pause (ChannelDown): why, since when, and when the next probe may go (ms)."""

    aggregator: str
    reason: str
    since: int
    probe_at: int


def pause_lane(aggregator: str, reason: str, now: int) -> None:
    """Pause what goes to `aggregator`; a pause in force keeps its `since`."""
    ledger_table.update(
        f"pause#{aggregator}",
        "SET reason = :why, since = if_not_exists(since, :now), probe_at = :probe, parked = :paused, "
        "parked_at = if_not_exists(parked_at, :now)",
        {
            ":why": {"S": reason[:500]},
            ":now": {"N": str(now)},
            ":probe": {"N": str(now + PROBE_EVERY)},
            ":paused": {"S": _PAUSED},
        },
    )


def lane_pause(aggregator: str) -> Pause | None:
    """The pause in force, None where there is none."""
    item = ledger_table.get(f"pause#{aggregator}")
    return _pause(item) if item else None


def claim_probe(aggregator: str, now: int) -> bool:
    """Win the minute's probe of a paused lane: one caller a minute gets True."""
    return (
        ledger_table.attempt(
            lambda: ledger_table.update(
                f"pause#{aggregator}",
                "SET probe_at = :next",
                {":next": {"N": str(now + PROBE_EVERY)}, ":now": {"N": str(now)}},
                condition="attribute_exists(pk) AND probe_at <= :now",
            )
        )
        is not None
    )


def resume_lane(aggregator: str) -> None:
    """Lift the pause."""
    aws.dynamodb().delete_item(TableName=ledger_table.name(), Key={"pk": {"S": f"pause#{aggregator}"}})


def lanes_paused() -> list[Pause]:
    """All pauses in force."""
    return [_pause(item) for item in ledger_table.parked_items(_PAUSED)]


def _pause(item: dict[str, Any]) -> Pause:
    return Pause(
        aggregator=item["pk"]["S"].removeprefix("pause#"),
        reason=item["reason"]["S"],
        since=int(item["since"]["N"]),
        probe_at=int(item["probe_at"]["N"]),
    )
