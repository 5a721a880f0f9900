"""Writing the registry: what the CLI's `apply`, `add` and `new` do. Nothing here is on a message's way.

An (aggregator, address) pair and a platform's integer id belong to one channel only: conditional writes see to it.
"""

from __future__ import annotations

import json
import secrets as random
from typing import Any, Literal

from chalicelib import aws, registry
from chalicelib.clock import now_ms
from chalicelib.phones import contact_key
from chalicelib.registry import Aggregator, Channel, Platform, Token, token_hash
from chalicelib.settings import settings


class Conflict(ValueError):  # noqa: N818 - says what it is
    """The entry would take what another has; the text names both."""


def _row(pk: str, data: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(data, separators=(",", ":"), default=str)
    return {"pk": {"S": pk}, "sk": {"S": "-"}, "data": {"S": text}}


def _put(pk: str, data: dict[str, Any]) -> None:
    aws.dynamodb().put_item(TableName=settings().table("registry"), Item=_row(pk, data))
    registry.reset()


def put_aggregator(aggregator: Aggregator) -> None:
    """Create or replace an aggregator."""
    _put(f"agg#{aggregator.name}", aggregator.model_dump(mode="json"))


def put_platform(platform: Platform) -> None:
    """Create or replace a platform."""
    _put(f"plat#{platform.name}", platform.model_dump(mode="json"))


def put_channel(channel: Channel) -> None:
    """Create or replace a channel, giving up the address and id it had before.

    Raises:
        Conflict: its address or integer id belongs to another channel.
    """
    table = settings().table("registry")
    claims = [f"addr#{channel.aggregator}#{contact_key(channel.address)}"]
    if channel.id is not None:
        claims.append(f"chanid#{channel.id}")
    for pk in claims:
        held = aws.dynamodb().get_item(TableName=table, Key={"pk": {"S": pk}, "sk": {"S": "-"}}).get("Item")
        if held and json.loads(held["data"]["S"])["uuid"] != channel.uuid:
            other = json.loads(held["data"]["S"])["uuid"]
            what = f"address {channel.address} on {channel.aggregator}" if pk.startswith("addr") else f"id {channel.id}"
            raise Conflict(
                f"channel {channel.uuid}: {what} belongs to channel {other} already; disable or change that one"
            )
    owner = {"S": json.dumps({"uuid": channel.uuid}, separators=(",", ":"))}
    rows = [
        {
            "Put": {
                "TableName": table,
                "Item": {"pk": {"S": pk}, "sk": {"S": "-"}, "data": owner},
                "ConditionExpression": "attribute_not_exists(pk) OR #d = :owner",
                "ExpressionAttributeNames": {"#d": "data"},
                "ExpressionAttributeValues": {":owner": owner},
            }
        }
        for pk in claims
    ]
    rows.append({"Put": {"TableName": table, "Item": _row(f"chan#{channel.uuid}", channel.model_dump(mode="json"))}})
    rows += [
        {"Delete": {"TableName": table, "Key": {"pk": {"S": pk}, "sk": {"S": "-"}}}}
        for pk in _given_up(channel, claims)
    ]
    aws.dynamodb().transact_write_items(TransactItems=rows)
    registry.reset()


def _given_up(channel: Channel, claims: list[str]) -> list[str]:
    """What the channel held before and holds no longer."""
    registry.reset()
    try:
        before = registry.channel(channel.uuid)
    except registry.UnknownChannel:
        return []
    held = [f"addr#{before.aggregator}#{contact_key(before.address)}"]
    if before.id is not None:
        held.append(f"chanid#{before.id}")
    return [pk for pk in held if pk not in claims]


def set_enabled(uuid: str, enabled: bool) -> Channel:
    """Enable or disable a channel; answers it as it is now."""
    registry.reset()
    changed = registry.channel(uuid).model_copy(update={"enabled": enabled})
    _put(f"chan#{uuid}", changed.model_dump(mode="json"))
    return changed


def put_secret(kind: Literal["aggregators", "platforms"], name: str, value: str) -> None:
    """Store a SecureString: JSON of an aggregator's secrets by key, or a platform's Authorization header."""
    aws.ssm().put_parameter(Name=registry.secret_path(kind, name), Value=value, Type="SecureString", Overwrite=True)
    registry.reset()


def new_token(workspace: str, label: str = "") -> str:
    """A new `/send` token of a workspace: shown once, stored as its hash."""
    plain = "jgd_" + random.token_urlsafe(32)
    token = Token(hash=token_hash(plain), workspace=workspace, label=label, created_at=now_ms())
    _put(f"tok#{token.hash}", token.model_dump(mode="json"))
    return plain


def revoke_token(token: Token) -> None:
    """The token opens nothing any more."""
    _put(f"tok#{token.hash}", token.model_copy(update={"revoked": True}).model_dump(mode="json"))
