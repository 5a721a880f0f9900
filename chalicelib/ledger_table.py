"""The ledger's table: what messages, rendezvous, joins and pauses are written to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from chalicelib import aws
from chalicelib.settings import settings

DAY: Final = 86_400
KEEP: Final = 35 * DAY  # seconds a message stays
T = TypeVar("T")


def name() -> str:
    """The table's name."""
    return settings().table("ledger")


def get(pk: str) -> dict[str, Any] | None:
    """An item as it is now."""
    answer = aws.dynamodb().get_item(TableName=name(), Key={"pk": {"S": pk}}, ConsistentRead=True)
    found: dict[str, Any] | None = answer.get("Item")
    return found


def put(item: dict[str, Any]) -> None:
    """Write an item, whatever was there."""
    aws.dynamodb().put_item(TableName=name(), Item=item)


def put_new(item: dict[str, Any]) -> bool:
    """Write an item unless there is one; whether it was written."""
    call = {"TableName": name(), "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
    return attempt(lambda: aws.dynamodb().put_item(**call)) is not None


def update(
    pk: str,
    change: str,
    values: dict[str, Any],
    *,
    condition: str = "",
    names: dict[str, str] | None = None,
    answer: str = "ALL_NEW",
) -> dict[str, Any]:
    """One UpdateItem; its attributes as `answer` asks."""
    request: dict[str, Any] = {
        "TableName": name(),
        "Key": {"pk": {"S": pk}},
        "UpdateExpression": change,
        "ExpressionAttributeValues": values,
        "ReturnValues": answer,
    }
    if condition:
        request["ConditionExpression"] = condition
    if names:
        request["ExpressionAttributeNames"] = names
    result: dict[str, Any] = aws.dynamodb().update_item(**request).get("Attributes", {})
    return result


def attempt(call: Callable[[], T]) -> T | None:
    """The call's answer, None when its condition did not hold."""
    try:
        return call()
    except Exception as error:
        code = aws.error_code(error)
        # A path into a map that is not there (`p.#n.r` of an unknown item) is a ValidationException, no failed check.
        if code == "ConditionalCheckFailedException" or (code == "ValidationException" and "path" in str(error)):
            return None
        raise


def parked_items(partition: str, since: int = 0, most: int | None = None) -> list[dict[str, Any]]:
    """The items that the `parked` index lists under `partition` (an aggregator's unmatched receipts, or the pauses),
    and that came into it at `since` (ms) or later. `most`: after so many no further page is read."""
    pages = aws.pages(
        aws.dynamodb().query,
        TableName=name(),
        IndexName="parked",
        KeyConditionExpression="parked = :partition AND parked_at >= :since",
        ExpressionAttributeValues={":partition": {"S": partition}, ":since": {"N": str(since)}},
    )
    found: list[dict[str, Any]] = []
    for page in pages:
        found += page["Items"]
        if most is not None and len(found) >= most:
            break
    return found
