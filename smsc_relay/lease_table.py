"""The table `leases` in DynamoDB: one item a bind, one item a task, none of them with a time in it.

It is a table of its own because every task reads all of it every few seconds, which the ledger could not bear, and
because a broadcast that has the ledger throttled must not cost a bind. `lease#<account>#<bind>` is deleted when the
bind is given back, `task#<id>` when the task ends. Both have `owner`, `version` and `length` (seconds that the owner's
leases last); a task's `pools` are those that it shares in.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any, Final, Protocol, Self

from chalicelib import aws
from chalicelib.settings import settings
from smsc_relay.aws_client import AwsClient, client
from smsc_relay.sharing import Item

LEASE: Final = "lease#"
TASK: Final = "task#"
_NAMES: Final = {"#o": "owner", "#v": "version"}  # OWNER is a reserved word


class Table(Protocol):
    """Open within `async with`. Every call may raise whatever a call to AWS may; it may have been done nevertheless."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...

    async def look(self) -> list[Item]:
        """Every item, as it is now."""

    async def take(self, lease: Item, seen: Item | None) -> bool:
        """Put a lease if what is there is still as `seen` (None: nothing); False where it is not."""

    async def renew(self, key: str, owner: str, version: str) -> bool:
        """Give a lease of `owner` a new version; False where it is another's."""

    async def release(self, key: str, owner: str) -> None:
        """Delete the lease where it is `owner`'s."""

    async def beat(self, task: Item) -> None:
        """Put a task's item: it is there."""

    async def forget(self, task: str, version: str = "") -> None:
        """Delete the item with the key `task` (where it still has this version)."""


class DynamoTable:
    """The real one. `timeout`: s for a call."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._stack = AsyncExitStack()
        self._name = ""
        self._client: AwsClient

    async def __aenter__(self) -> Self:
        self._name = settings().table("leases")
        # One attempt: whoever calls decides, and counts the time.
        made = client("dynamodb", connect_timeout=self._timeout, read_timeout=self._timeout, attempts=1)
        self._client = await self._stack.enter_async_context(made)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def look(self) -> list[Item]:
        """A consistent scan: the whole table is a few kilobytes."""
        found: list[Item] = []
        more: dict[str, Any] = {}
        while True:
            answer = await self._client.call("scan", TableName=self._name, ConsistentRead=True, **more)
            found += [_item(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return found
            more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    async def take(self, lease: Item, seen: Item | None) -> bool:
        """As `Table`."""
        request: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if seen is not None:
            request = {
                "ConditionExpression": "#o = :o AND #v = :v",
                "ExpressionAttributeNames": _NAMES,
                "ExpressionAttributeValues": {":o": {"S": seen.owner}, ":v": {"S": seen.version}},
            }
        return await self._if(self._client.call("put_item", TableName=self._name, Item=_attributes(lease), **request))

    async def renew(self, key: str, owner: str, version: str) -> bool:
        """As `Table`. By the owner alone: whether an earlier renewal has been done may be unknown."""
        return await self._if(
            self._client.call(
                "update_item",
                TableName=self._name,
                Key={"pk": {"S": key}},
                UpdateExpression="SET #v = :v",
                ConditionExpression="#o = :o",
                ExpressionAttributeNames=_NAMES,
                ExpressionAttributeValues={":o": {"S": owner}, ":v": {"S": version}},
            )
        )

    async def release(self, key: str, owner: str) -> None:
        """As `Table`."""
        await self._if(
            self._client.call(
                "delete_item",
                TableName=self._name,
                Key={"pk": {"S": key}},
                ConditionExpression="#o = :o",
                ExpressionAttributeNames={"#o": "owner"},
                ExpressionAttributeValues={":o": {"S": owner}},
            )
        )

    async def beat(self, task: Item) -> None:
        """As `Table`."""
        await self._client.call("put_item", TableName=self._name, Item=_attributes(task))

    async def forget(self, task: str, version: str = "") -> None:
        """As `Table`."""
        request: dict[str, Any] = {}
        if version:
            request = {
                "ConditionExpression": "#v = :v",
                "ExpressionAttributeNames": {"#v": "version"},
                "ExpressionAttributeValues": {":v": {"S": version}},
            }
        await self._if(self._client.call("delete_item", TableName=self._name, Key={"pk": {"S": task}}, **request))

    async def _if(self, call: Any) -> bool:
        """Make a conditional call; answers whether the condition held."""
        try:
            await call
        except Exception as error:
            if aws.error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True


def _item(item: dict[str, Any]) -> Item:
    pools = frozenset(pool["S"] for pool in item["pools"]["L"])
    return Item(item["pk"]["S"], item["owner"]["S"], item["version"]["S"], float(item["length"]["N"]), pools)


def _attributes(item: Item) -> dict[str, Any]:
    return {
        "pk": {"S": item.key},
        "owner": {"S": item.owner},
        "version": {"S": item.version},
        "length": {"N": repr(item.ttl)},
        "pools": {"L": [{"S": pool} for pool in sorted(item.pools)]},
    }
