"""What `jangada channel import` has planned, told and written: all of it, or nothing."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from chalicelib import aws, registry, registry_store
from chalicelib.clock import now_ms
from chalicelib.redaction import Redactor
from chalicelib.registry import Channel
from chalicelib.settings import settings
from cli import output
from cli.importing import Plan

Undo = Callable[[], object]


def say(plan: Plan, source: str) -> int:
    """Print what becomes of each row, and what does not carry over; the problems to stderr. Answers how many rows
    have some."""
    hide = Redactor(value for row in plan.rows for value in row.secrets.values())
    names = {row.uuid: account.aggregator.name for account in plan.accounts for row in account.rows}
    shown = []
    for row in plan.rows:
        state = "left out" if row.skipped else "wrong" if row.problems else "here already" if row.here else "new"
        shown.append((row.line, row.uuid, row.code, str(row.data.get("address") or ""), state, names.get(row.uuid, "")))
    output.table(("line", "channel", "type", "address", "is", "aggregator"), shown)
    for row in plan.rows:
        told = [("", row.skipped)] if row.skipped else row.left
        for key, why in told:
            print(
                output.plain(hide(f"{source}:{row.line}: does not carry over: {f'config.{key}: ' if key else ''}{why}"))
            )
    for row in plan.rows:
        for key, what in row.problems:
            output.note(output.plain(hide(f"{source}:{row.line}: {f'{key}: ' if key else ''}{what}")))
    return sum(bool(row.problems) for row in plan.rows)


def write(plan: Plan) -> None:
    """Write secrets, then aggregators, then channels: each stands on those before it.

    What has been written is taken back when something fails. A run that is killed leaves channels that work, and the
    next one writes the others.

    Raises:
        whatever failed; with a note where something could not be taken back.
    """
    undo: list[Undo] = []
    try:
        now = now_ms()
        for account in plan.accounts:
            one = account.aggregator.model_copy(update={"version": now})
            if account.new:
                if account.secrets:
                    undo.append(functools.partial(_forget_secrets, one.name))
                    registry_store.put_secret("aggregators", one.name, json.dumps(account.secrets))
                undo.append(functools.partial(_delete, f"agg#{one.name}", one.model_dump(mode="json")))
                registry_store.put_aggregator(one)
            for row in account.rows:
                if row.channel is not None:
                    channel = row.channel.model_copy(update={"created_at": now})
                    undo.append(functools.partial(_forget_channel, channel))
                    registry_store.change_channel(channel.uuid, _unless_there(channel))
    except BaseException as failure:
        left = 0
        for step in reversed(undo):
            try:
                step()
            except Exception:
                left += 1
        if left:
            failure.add_note(f"{left} things that had been written could not be taken back: import again")
        raise
    finally:
        registry.reset()


def _unless_there(channel: Channel) -> Callable[[Channel | None], Channel]:
    def make(old: Channel | None) -> Channel:
        if old is not None:
            raise registry_store.Conflict(f"channel {old.uuid} has been added meanwhile: import again")
        return channel

    return make


def _delete(pk: str, data: Any) -> None:
    """Delete a row if it is what we have written."""
    try:
        aws.dynamodb().delete_item(
            TableName=settings().table("registry"),
            Key={"pk": {"S": pk}, "sk": {"S": "-"}},
            ConditionExpression="#d = :data",
            ExpressionAttributeNames={"#d": "data"},
            ExpressionAttributeValues={":data": {"S": json.dumps(data, separators=(",", ":"))}},
        )
    except Exception as error:
        if aws.error_code(error) != "ConditionalCheckFailedException":
            raise


def _forget_channel(channel: Channel) -> None:
    """Its claims may be another's, if it has not been written: they say whose they are."""
    for claim in registry_store.claims_of(channel):
        _delete(claim, {"uuid": channel.uuid})
    _delete(f"chan#{channel.uuid}", channel.model_dump(mode="json"))


def _forget_secrets(name: str) -> None:
    try:
        aws.ssm().delete_parameter(Name=registry.secret_path("aggregators", name))
    except Exception as error:
        if aws.error_code(error) != "ParameterNotFound":
            raise
