"""How many runs of λ send one aggregator may have at a time on a lane that it shares with others.

Whoever answers slowly, or not at all, keeps a run busy for as long as its time-outs last. With a seat for each run that
works for it, and fewer seats than the lane has runs (`JANGADA_SHARE`), the others always have runs left.

Item `seats#<queue>#<aggregator>` of the ledger's table: `s<n>` is until when seat n is taken (ms), `o<n>` by whom. A
seat is taken for as long as the run may last, so that one whose run was killed comes free by itself.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

from chalicelib import aws, ledger_table, queues
from chalicelib.settings import settings

KEEP: Final = 86_400  # s: DynamoDB's ttl of an item that nobody uses
_BULK: Final = "-bulk"


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat that `owner` has taken."""

    pk: str
    number: int
    owner: str


def share_of(queue: str) -> int:
    """How many runs an aggregator may have at a time on `queue`; 0 for no limit: it has the lane to itself."""
    lane = queue.removesuffix(".fifo")
    if lane.removesuffix(_BULK) != queues.SHARED_LANE:
        return 0
    share = settings().share
    return max(1, share // 2) if lane.endswith(_BULK) else share  # bulk lanes have half the runs


def take(queue: str, aggregator: str, owner: str, until: int, now: int) -> Seat | None:
    """Take a seat until `until` (ms) at the latest; None where all are taken.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: DynamoDB did not take it.
    """
    pk, free = f"seats#{queue}#{aggregator}", list(range(share_of(queue)))
    while free:
        number = random.choice(free)  # noqa: S311 - spreads load, no secret
        try:
            aws.dynamodb().update_item(
                TableName=ledger_table.name(),
                Key={"pk": {"S": pk}},
                UpdateExpression=f"SET s{number} = :until, o{number} = :owner, #ttl = :ttl",
                ConditionExpression=f"attribute_not_exists(s{number}) OR s{number} < :now",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={
                    ":until": {"N": str(until)},
                    ":owner": {"S": owner},
                    ":now": {"N": str(now)},
                    ":ttl": {"N": str(until // 1000 + KEEP)},
                },
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except Exception as error:
            if aws.error_code(error) != "ConditionalCheckFailedException":
                raise
            item = getattr(error, "response", {}).get("Item") or {}
            free = [other for other in free if other != number and _until(item, other) < now]
            continue
        return Seat(pk, number, owner)
    return None


def leave(seat: Seat) -> None:
    """The seat is free again; nothing happens where it has lapsed and is somebody else's.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: DynamoDB did not take it; it comes free in time.
    """
    number = seat.number
    ledger_table.attempt(
        lambda: ledger_table.update(
            seat.pk,
            f"SET s{number} = :free",
            {":free": {"N": "0"}, ":owner": {"S": seat.owner}},
            condition=f"o{number} = :owner",
            answer="NONE",
        )
    )


def _until(item: dict[str, Any], number: int) -> int:
    return int(item.get(f"s{number}", {"N": "0"})["N"])
