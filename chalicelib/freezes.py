"""Freezes: what an operator has stopped, an aggregator or a workspace, and what of it has been cancelled.

One item, `freezes`, of the ledger's table, which every sender reads every `FRESH` seconds: a freeze is obeyed that
soon, and costs no look-up per message. Unlike a pause (`pauses.py`) it is lifted by an operator only, and has no probe.

A cancellation outlives its freeze: a message that was waiting aside when it was cancelled comes back up to an hour
later, and must still find that nobody wants it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from chalicelib import aws, ledger_table

FRESH: Final = 2.0  # s that what was read is believed
CANCELLED: Final = "cancelled"  # what the reason of a cancelled message begins with
_PK: Final = "freezes"

Kind = Literal["aggregator", "workspace"]


class ChangedMeanwhile(RuntimeError):  # noqa: N818 - says what has happened
    """Somebody else is freezing or thawing at this moment: run it again."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """What has been said of one aggregator or workspace; times in ms, 0 for never."""

    kind: Kind
    name: str
    since: int = 0  # frozen since then; 0: it is not
    reason: str = ""
    cancelled_at: int = 0  # messages that we have had since before then are not wanted any more
    why_cancelled: str = ""

    @property
    def key(self) -> str:
        """Names it among all."""
        return f"{self.kind}:{self.name}"


class Freezes:
    """All of them, as they were when they were read."""

    def __init__(self, found: Mapping[str, Freeze]) -> None:
        self._found = found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Freezes) and self._found == other._found

    __hash__ = None  # type: ignore[assignment]

    def all(self) -> list[Freeze]:
        """Freezes in force, and cancellations that are remembered."""
        return sorted(self._found.values(), key=lambda one: one.key)

    def get(self, kind: Kind, name: str) -> Freeze:
        """What has been said of this one; nothing, where nothing has."""
        return self._found.get(f"{kind}:{name}") or Freeze(kind, name)

    def holding(self, aggregator: str, workspace: str) -> Freeze | None:
        """The freeze in force that stops messages of `workspace` through `aggregator`."""
        if not self._found:
            return None
        both = self.get("aggregator", aggregator), self.get("workspace", workspace)
        return next((one for one in both if one.since), None)

    def cancelling(self, aggregator: str, workspace: str, first_seen: int) -> str:
        """Why a message that we have had since `first_seen` (ms) is cancelled; "" where it is not."""
        if not self._found:
            return ""
        for one in (self.get("aggregator", aggregator), self.get("workspace", workspace)):
            if first_seen <= one.cancelled_at:
                return f"{CANCELLED} with {one.kind} {one.name}" + (one.why_cancelled and f": {one.why_cancelled}")
        return ""


NOTHING: Final = Freezes({})


def load() -> Freezes:
    """What is frozen now, past any cache."""
    return _parsed(_data())


def _data() -> str | None:
    item = ledger_table.get(_PK)
    return str(item["data"]["S"]) if item else None


def _parsed(data: str | None) -> Freezes:
    if data is None:
        return NOTHING
    found = [Freeze(**one) for one in json.loads(data)]
    return Freezes({one.key: one for one in found})


# --- for senders ----------------------------------------------------------------------------------------------------

_lock = threading.Lock()
_last: Freezes | None = None
_due = 0.0


def current() -> Freezes:
    """What was frozen at most `FRESH` seconds ago; the last that is known, while AWS does not answer.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: AWS does not answer, and nothing is known yet.
    """
    global _last, _due
    if _last is not None and time.monotonic() < _due:
        return _last
    with _lock:
        if _last is None or time.monotonic() >= _due:
            try:
                _last = load()
            except Exception as error:
                if _last is None:
                    raise
                from chalicelib import telemetry

                telemetry.logger().warning("freezes_stale", extra={"error": type(error).__name__})
            _due = time.monotonic() + FRESH
        return _last


def reset() -> None:
    """Forget what was read."""
    global _last
    with _lock:
        _last = None


# --- for operators --------------------------------------------------------------------------------------------------


def freeze(kind: Kind, name: str, reason: str, now: int, *, cancel: bool = False) -> Freeze:
    """Stop what goes out through an aggregator, or for a workspace; one in force keeps its `since`.

    With `cancel`, what we have had since before `now` (ms) is to fail.

    Raises:
        ChangedMeanwhile: the same was done by somebody else.
    """

    def change(old: Freeze) -> Freeze:
        new = replace(old, since=old.since or now, reason=reason or old.reason)
        return replace(new, cancelled_at=now, why_cancelled=reason) if cancel else new

    return _change(kind, name, now, change)


def thaw(kind: Kind, name: str, now: int) -> Freeze:
    """Let it go on; what was cancelled stays cancelled.

    Raises:
        ChangedMeanwhile: as `freeze`.
    """
    return _change(kind, name, now, lambda old: replace(old, since=0, reason=""))


def _change(kind: Kind, name: str, now: int, change: Callable[[Freeze], Freeze]) -> Freeze:
    """Write what `change` makes of one freeze; forget cancellations that no message can be affected by any more."""
    before = _data()
    known = _parsed(before)
    new = change(known.get(kind, name))
    oldest = now - 1000 * ledger_table.KEEP
    kept = [one for one in (*(each for each in known.all() if each.key != new.key), new)
            if one.since or one.cancelled_at > oldest]  # fmt: skip
    request: dict[str, Any] = {
        "TableName": ledger_table.name(),
        "Item": {"pk": {"S": _PK}, "data": {"S": json.dumps([asdict(one) for one in kept])}},
        "ConditionExpression": "attribute_not_exists(pk)" if before is None else "#d = :before",
    }
    if before is not None:
        request |= {
            "ExpressionAttributeNames": {"#d": "data"},
            "ExpressionAttributeValues": {":before": {"S": before}},
        }
    if ledger_table.attempt(lambda: aws.dynamodb().put_item(**request)) is None:
        raise ChangedMeanwhile("somebody else is freezing or thawing at this moment: run it again")
    reset()
    return new
