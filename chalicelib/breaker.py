"""A circuit breaker per host, shared by all Lambdas through DynamoDB: item `breaker#<host>`.

Closed: requests go. After `OPENS_AT` troubles in a row it opens: the platform's queue is held as a whole, order kept,
and one probe goes every `PROBE_EVERY`. A probe that gets any answer but trouble closes it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from chalicelib import aws
from chalicelib.settings import settings

OPENS_AT: Final = 5  # troubles in a row
PROBE_EVERY: Final = 30_000  # ms
_KEEP: Final = 86_400  # seconds


def _key(host: str) -> dict[str, Any]:
    return {"pk": {"S": f"breaker#{host}"}}


class Pass(NamedTuple):
    """May a request go, or how long (ms) until the next probe may; `troubled`: an answer is to be told to `well`."""

    goes: bool
    wait: int = 0
    troubled: bool = False


def may_go(host: str, now: int) -> Pass:
    """May a request go to `host` now? An open breaker lets one caller through each `PROBE_EVERY`."""
    item = aws.dynamodb().get_item(TableName=settings().table("ledger"), Key=_key(host)).get("Item")
    if not item or int(item.get("probe_at", {"N": "0"})["N"]) == 0:
        return Pass(True, troubled=bool(item))
    probe_at = int(item["probe_at"]["N"])
    if probe_at > now:
        return Pass(False, probe_at - now)
    try:
        aws.dynamodb().update_item(
            TableName=settings().table("ledger"),
            Key=_key(host),
            UpdateExpression="SET probe_at = :next",
            ConditionExpression="probe_at = :seen",
            ExpressionAttributeValues={":next": {"N": str(now + PROBE_EVERY)}, ":seen": {"N": str(probe_at)}},
        )
    except Exception as error:
        if aws.error_code(error) == "ConditionalCheckFailedException":
            return Pass(False, PROBE_EVERY)
        raise
    return Pass(True, troubled=True)


def trouble(host: str, now: int) -> bool:
    """Note a trouble of `host`; True when the breaker is open from now on."""
    attributes = aws.dynamodb().update_item(
        TableName=settings().table("ledger"),
        Key=_key(host),
        UpdateExpression="ADD troubles :one SET #t = :ttl",
        ExpressionAttributeNames={"#t": "ttl"},
        ExpressionAttributeValues={":one": {"N": "1"}, ":ttl": {"N": str(now // 1000 + _KEEP)}},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    if int(attributes["troubles"]["N"]) < OPENS_AT:
        return False
    aws.dynamodb().update_item(
        TableName=settings().table("ledger"),
        Key=_key(host),
        UpdateExpression="SET probe_at = :next",
        ExpressionAttributeValues={":next": {"N": str(now + PROBE_EVERY)}},
    )
    return True


def well(host: str) -> None:
    """`host` has answered: close the breaker and forget its troubles."""
    aws.dynamodb().delete_item(TableName=settings().table("ledger"), Key=_key(host))
