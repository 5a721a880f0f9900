"""Writing the registry: what the CLI's `apply`, `add` and `new` do. Nothing here is on a message's way.

An (aggregator, address) pair and a platform's integer id belong to one channel only: a row for each names its channel
and is written in one transaction with it. A disabled channel keeps them until another one wants them. Every change
is conditional on what it was made from, so that two people at work at once undo nothing of each other's.
"""

from __future__ import annotations

import json
import secrets as random
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Literal

from chalicelib import aws, registry
from chalicelib.clock import now_ms
from chalicelib.phones import contact_key
from chalicelib.registry import Aggregator, Channel, Platform, Token, token_hash
from chalicelib.settings import settings

MAX_SECRETS: Final = 8192  # octets of an SSM parameter of the advanced tier (SSM API reference, PutParameter)


class Conflict(ValueError):  # noqa: N818 - says what it is
    """The entry would take what another has, or was changed meanwhile; the text names both and says what to do."""


# --- rows -----------------------------------------------------------------------------------------------------------


def _key(pk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": "-"}}


def _dump(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), default=str)


def _read(pk: str) -> str | None:
    """The row's data as it is stored, None where there is no such row."""
    item = (
        aws.dynamodb().get_item(TableName=settings().table("registry"), Key=_key(pk), ConsistentRead=True).get("Item")
    )
    return str(item["data"]["S"]) if item else None


def _if(*held: str | None) -> dict[str, Any]:
    """The condition that a row's data is still one of `held` (None: that there is none)."""
    terms, values = [], {}
    for index, data in enumerate(dict.fromkeys(held)):
        if data is None:
            terms.append("attribute_not_exists(pk)")
        else:
            terms.append(f"#d = :v{index}")
            values[f":v{index}"] = {"S": data}
    condition: dict[str, Any] = {"ConditionExpression": " OR ".join(terms)}
    if values:
        condition |= {"ExpressionAttributeNames": {"#d": "data"}, "ExpressionAttributeValues": values}
    return condition


def _write(pk: str, data: Mapping[str, Any], before: str | None) -> None:
    """Write a row, if it is still what it was.

    Raises:
        Conflict: somebody has changed it meanwhile.
    """
    request = {"TableName": settings().table("registry"), "Item": {**_key(pk), "data": {"S": _dump(data)}}}
    try:
        aws.dynamodb().put_item(**request, **_if(before))
    except Exception as error:
        if aws.error_code(error) == "ConditionalCheckFailedException":
            raise Conflict(f"{pk.partition('#')[2]} has been changed meanwhile: run it again") from error
        raise
    finally:
        registry.reset()


# --- aggregators and platforms --------------------------------------------------------------------------------------


def put_aggregator(aggregator: Aggregator) -> None:
    """Create or replace an aggregator."""
    pk = f"agg#{aggregator.name}"
    _write(pk, aggregator.model_dump(mode="json"), _read(pk))


def put_platform(platform: Platform) -> None:
    """Create or replace a platform; a credential that it has is not touched, and only good for its own base URL."""
    pk = f"plat#{platform.name}"
    _write(pk, platform.model_dump(mode="json"), _read(pk))


# --- secrets --------------------------------------------------------------------------------------------------------


def put_secret(kind: Literal["aggregators", "platforms"], name: str, value: str) -> None:
    """Store a SecureString: JSON of an aggregator's secrets by key, or of a platform's credential and base URL.

    It is encrypted with the deployment's KMS key where JANGADA_KMS_KEY names one, else with the account's own for SSM.

    Raises:
        ValueError: it is longer than SSM takes.
    """
    size = len(value.encode())
    if size > MAX_SECRETS:
        raise ValueError(f"the secrets of {name} have {size} octets together, SSM takes {MAX_SECRETS}")
    key = settings().kms_key
    aws.ssm().put_parameter(
        Name=registry.secret_path(kind, name),
        Value=value,
        Type="SecureString",
        Tier="Intelligent-Tiering",
        Overwrite=True,
        **({"KeyId": key} if key else {}),
    )
    registry.reset()


def read_secret(kind: Literal["aggregators", "platforms"], name: str) -> dict[str, str]:
    """What is stored, past any cache; empty where nothing is."""
    try:
        answer = aws.ssm().get_parameter(Name=registry.secret_path(kind, name), WithDecryption=True)
    except Exception as error:
        if aws.error_code(error) == "ParameterNotFound":
            return {}
        raise
    return {str(key): str(value) for key, value in json.loads(answer["Parameter"]["Value"]).items()}


def put_secrets(name: str, values: Mapping[str, str]) -> None:
    """Add secrets to an aggregator's, in place of those with the same keys; the others stay.

    The aggregator, where it is registered already, gets a new version, which makes every cache ask again.
    """
    put_secret("aggregators", name, json.dumps({**read_secret("aggregators", name), **values}))
    pk = f"agg#{name}"
    before = _read(pk)
    if before is not None:
        account = Aggregator.model_validate_json(before)
        named = tuple(dict.fromkeys((*account.secrets, *values)))
        changed = account.model_copy(update={"secrets": named, "version": now_ms()})
        _write(pk, changed.model_dump(mode="json"), before)


def put_credential(name: str, credential: str, base_url: str = "") -> Platform:
    """Give a registered platform its credential (the value of the Authorization header), bound to its base URL, or
    to a new one; "" takes the credential away. Answers the platform as it is now.

    The credential is written first: until the platform's row has followed, the two do not match and nothing is sent.

    Raises:
        UnknownPlatform: there is no such platform.
    """
    registry.reset()
    one = registry.platform(name)
    pk, url = f"plat#{name}", base_url or one.base_url
    before = _read(pk)
    if credential:
        put_secret("platforms", name, json.dumps({"base_url": url, "credential": credential}))
    changed = one.model_copy(update={"base_url": url, "secret": bool(credential), "version": now_ms()})
    _write(pk, changed.model_dump(mode="json"), before)
    if not credential:
        try:
            aws.ssm().delete_parameter(Name=registry.secret_path("platforms", name))
        except Exception as error:
            if aws.error_code(error) != "ParameterNotFound":
                raise
        registry.reset()
    return changed


# --- channels -------------------------------------------------------------------------------------------------------


def claims_of(channel: Channel) -> dict[str, str]:
    """The rows that only one channel may hold, and what each stands for."""
    claims = {
        f"addr#{channel.aggregator}#{contact_key(channel.address)}": (
            f"address {channel.address} on {channel.aggregator}"
        )
    }
    if channel.id is not None:
        claims[f"chanid#{channel.id}"] = f"id {channel.id}"
    return claims


def put_channel(channel: Channel) -> None:
    """Create or replace a channel, giving up the address and id it had before.

    Raises:
        Conflict: its address or integer id belongs to another channel that is enabled.
    """
    change_channel(channel.uuid, lambda _: channel)


def change_channel(uuid: str, make: Callable[[Channel | None], Channel], yielding: Collection[str] = ()) -> Channel:
    """Write what `make` makes of the channel as it is registered (None: it is not); answers that.

    `yielding` are channels about to be changed too, which no longer need an address or id that they hold now.

    Raises:
        Conflict: as `put_channel`, or somebody has changed it meanwhile.
    """
    before = _read(f"chan#{uuid}")
    old = Channel.model_validate_json(before) if before is not None else None
    channel = _remembering(old, make(old))
    owner = _dump({"uuid": uuid})
    changes = [_put(f"chan#{uuid}", channel.model_dump(mode="json"), before)]
    seen: dict[str, str] = {}  # holders that this takes something from, as they were when it was decided
    claims = claims_of(channel)
    for pk, what in claims.items():
        held = _read(pk)
        holder = json.loads(held)["uuid"] if held else uuid
        if holder != uuid:
            row = _read(f"chan#{holder}")
            its = Channel.model_validate_json(row) if row is not None else None
            enabled = its is not None and its.enabled and pk in claims_of(its)  # not where it was before it moved
            if not channel.enabled:
                continue  # a disabled channel claims what is free, and gets the rest when it is enabled
            if enabled and holder not in yielding:
                raise Conflict(
                    f"channel {uuid}: {what} belongs to channel {holder} already: disable or change that one first"
                )
            if row is not None:
                seen[holder] = row
        changes.append(_put(pk, {"uuid": uuid}, None, owner, held))
    changes += [
        {"Delete": {"TableName": settings().table("registry"), "Key": _key(pk), **_if(None, owner)}}
        for pk in (claims_of(old) if old else {})
        if pk not in claims and pk not in _left(channel) and _read(pk) == owner
    ]
    changes += [
        {"ConditionCheck": {"TableName": settings().table("registry"), "Key": _key(f"chan#{holder}"), **_if(row)}}
        for holder, row in seen.items()
    ]
    try:
        aws.dynamodb().transact_write_items(TransactItems=changes)
    except Exception as error:
        if aws.error_code(error) == "TransactionCanceledException":
            raise Conflict(
                f"channel {uuid}, or one whose place it takes, has been changed meanwhile: run it again"
            ) from error
        raise
    finally:
        registry.reset()
    return channel


def _remembering(old: Channel | None, new: Channel) -> Channel:
    """With where it was: messages wait there, receipts and MOs come from there."""
    former = dict(old.former) if old else {}
    if old is not None and old.aggregator != new.aggregator:
        former[old.aggregator] = old.config
    former.pop(new.aggregator, None)
    return new.model_copy(update={"former": former})


def _left(channel: Channel) -> set[str]:
    """The rows of its address where it was before: kept until another channel wants them, for MOs that still come."""
    there = (channel.model_copy(update={"aggregator": name, "id": None}) for name in channel.former)
    return {pk for one in there for pk in claims_of(one)}


def _put(pk: str, data: Mapping[str, Any], *held: str | None) -> dict[str, Any]:
    item = {**_key(pk), "data": {"S": _dump(data)}}
    return {"Put": {"TableName": settings().table("registry"), "Item": item, **_if(*held)}}


def set_enabled(uuid: str, enabled: bool) -> Channel:
    """Enable or disable a channel; answers it as it is now.

    Raises:
        UnknownChannel: there is none.
        Conflict: another channel has got its address or id since it was disabled.
    """

    def make(old: Channel | None) -> Channel:
        if old is None:
            raise registry.UnknownChannel(f"no channel {uuid}")
        return old.model_copy(update={"enabled": enabled})

    return change_channel(uuid, make)


# --- tokens ---------------------------------------------------------------------------------------------------------


def new_token(workspace: str, label: str = "") -> str:
    """A new `/send` token of a workspace: shown once, stored as its hash."""
    plain = "jgd_" + random.token_urlsafe(32)
    token = Token(hash=token_hash(plain), workspace=workspace, label=label, created_at=now_ms())
    _write(f"tok#{token.hash}", token.model_dump(mode="json"), None)
    return plain


def revoke_token(token: Token) -> None:
    """The token opens nothing any more."""
    pk = f"tok#{token.hash}"
    _write(pk, token.model_copy(update={"revoked": True}).model_dump(mode="json"), _read(pk))
