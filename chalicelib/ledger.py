"""The ledger: who is sending which part of which message, and what has become of it (DynamoDB, items under 1 KB).

Item `m#<channel>#<id>`: generation `g`, rank `rk`, parts `p` = {"0": {s, o, u, x, r, c, w, t}} with s(tate) claimed,
accepted, failed or again, o(wner), u(ntil, ms), x (external id), r(ank), c(ode), w(hy), t(rouble since, ms). A claim is
a conditional write; a conclusion is conditional on the owner; a claim past its `until` is in doubt. It holds no text.
How outcomes meet receipts is in `rendezvous.py`; how MO parts are joined and repeated MOs known, in `inbox.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from chalicelib import aws
from chalicelib.messages import Status
from chalicelib.records import MessageKey
from chalicelib.settings import settings

DAY: Final = 86_400
KEEP: Final = 35 * DAY  # seconds a message stays
PROBE_EVERY: Final = 60_000  # ms between the probes of a paused lane
_PAUSED: Final = "#paused"  # partition of the `parked` index that lists paused lanes

PartKind = Literal["claimed", "accepted", "failed", "again"]
T = TypeVar("T")


class LostClaim(RuntimeError):  # noqa: N818 - says what happened
    """Another owner has the part, or the message has a newer generation: do not conclude it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Answer of `open_message`. `fresh` False: the same id is open or was accepted; `status` tells how far it is."""

    key: MessageKey
    fresh: bool
    forwarded: bool
    status: Status


@dataclass(frozen=True, slots=True)
class PartState:
    """One part as the ledger has it."""

    kind: PartKind
    external_id: str = ""
    owner: str = ""
    until: int = 0  # ms: end of the claim, or when it is due again
    rank: int = 0
    code: str = ""
    reason: str = ""
    trouble_since: int = 0  # ms: when the present run of failures began, 0: there is none


@dataclass(frozen=True, slots=True)
class MessageState:
    """A message as the ledger has it."""

    key: MessageKey
    status: Status
    forwarded: bool
    aggregator: str
    lane: str
    destination: str
    opened_at: int
    total: int  # parts; 0 until the first claim or outcome
    shape: str = ""
    whole_rank: int = 0  # of receipts that named the message, not a part
    request: str = ""  # what opened this generation
    parts: Mapping[int, PartState] = field(default_factory=dict)

    def overall(self) -> Status:
        """The message's status by its parts: failed when one is, else as far as the least of them."""
        ranks = [part.rank for part in self.parts.values()]
        if Status.FAILED.rank in ranks or self.whole_rank == Status.FAILED.rank:
            return Status.FAILED
        every = min(ranks) if self.total and len(ranks) >= self.total else 0
        return _BY_RANK[max(every, self.whole_rank)]


@dataclass(frozen=True, slots=True)
class Claim:
    """Answer of `claim`: granted (perhaps `in_doubt`), concluded before, held by another, or of an old generation.

    `shape` and `total` are those of the first claim; `trouble_since` (ms) is what the last `release` said.
    """

    kind: Literal["granted", "accepted", "failed", "held", "stale"]
    external_id: str = ""
    in_doubt: bool = False
    held_until: int = 0
    reason: str = ""
    code: str = ""
    shape: str = ""
    total: int = 0
    trouble_since: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """A lane's pause (ChannelDown): why, since when, and when the next probe may go (ms)."""

    aggregator: str
    reason: str
    since: int
    probe_at: int


_BY_RANK: Final = {0: Status.QUEUED, **{status.rank: status for status in Status}}


def open_message(
    channel: str,
    message_id: str,
    *,
    aggregator: str,
    lane: str,
    destination: str,
    now: int,
    resend: bool = False,
    request: str = "",
) -> Opened:
    """Open a message, or tell how far the same id is.

    The same id after failed, or with `resend`, is a new generation. `request` names the request (an SQS message id):
    the same request given twice never opens two generations.
    """
    key = MessageKey(channel=channel, id=message_id)
    item: dict[str, Any] = {
        "pk": {"S": _pk(channel, message_id)},
        "g": {"N": "1"},
        "rk": {"N": "0"},
        "fw": {"BOOL": False},
        "ag": {"S": aggregator},
        "ln": {"S": lane},
        "ds": {"S": destination},
        "op": {"N": str(now)},
        "rq": {"S": request or "-"},
        "p": {"M": {}},
        "ttl": {"N": str(now // 1000 + KEEP)},
    }
    if _try(
        lambda: aws.dynamodb().put_item(TableName=_table(), Item=item, ConditionExpression="attribute_not_exists(pk)")
    ):
        return Opened(key, True, False, Status.QUEUED)
    state, asked_by = _get(channel, message_id)
    if state is None:  # expired in between
        return open_message(
            channel, message_id, aggregator=aggregator, lane=lane, destination=destination, now=now, request=request
        )
    again = resend or state.status is Status.FAILED
    if not again or (request and request == asked_by):
        return Opened(state.key, False, state.forwarded, state.status)
    generation = state.key.generation + 1
    renewed = _try(
        lambda: _update(
            item["pk"]["S"],
            "SET g=:new, rk=:zero, fw=:no, ag=:ag, ln=:ln, ds=:ds, op=:now, rq=:rq, p=:none, #t=:ttl "
            "REMOVE tot, sh, mr",
            {
                ":new": {"N": str(generation)},
                ":old": {"N": str(generation - 1)},
                ":zero": {"N": "0"},
                ":no": {"BOOL": False},
                ":ag": item["ag"],
                ":ln": item["ln"],
                ":ds": item["ds"],
                ":now": item["op"],
                ":rq": item["rq"],
                ":none": {"M": {}},
                ":ttl": item["ttl"],
            },
            condition="g = :old",
            names={"#t": "ttl"},
        )
    )
    if renewed is None:  # somebody else opened it meanwhile
        state, _ = _get(channel, message_id)
        assert state is not None  # noqa: S101 - it was there a moment ago, and lives 35 days
        return Opened(state.key, False, state.forwarded, state.status)
    return Opened(key.model_copy(update={"generation": generation}), True, False, Status.QUEUED)


def mark_forwarded(key: MessageKey) -> None:
    """The lane has the message."""
    _try(
        lambda: _update(
            _pk(key.channel, key.id),
            "SET fw = :yes",
            {":yes": {"BOOL": True}, ":g": {"N": str(key.generation)}},
            condition="g = :g",
        )
    )


def claim(key: MessageKey, part: int, total: int, *, owner: str, until: int, now: int, shape: str = "") -> Claim:
    """Claim one part for `owner` until `until` (ms), unless it is concluded or held."""
    values = {
        ":g": {"N": str(key.generation)},
        ":claim": _part_value(PartState("claimed", owner=owner, until=until)),
        ":total": {"N": str(total)},
        ":shape": {"S": shape},
        ":again": {"S": "again"},
        ":claimed": {"S": "claimed"},
        ":now": {"N": str(now)},
    }
    condition = "g = :g AND (attribute_not_exists(p.#n) OR p.#n.s = :again OR (p.#n.s = :claimed AND p.#n.u < :now))"
    change = "SET p.#n = :claim, tot = if_not_exists(tot, :total), sh = if_not_exists(sh, :shape)"
    old = _try(
        lambda: _update(
            _pk(key.channel, key.id), change, values, condition=condition, names={"#n": str(part)}, answer="ALL_OLD"
        )
    )
    if old is not None:
        first = _state(old)
        before = first.parts.get(part)
        return Claim(
            "granted",
            in_doubt=before is not None and before.kind == "claimed",
            shape=first.shape or shape,
            total=first.total or total,
            trouble_since=before.trouble_since if before else 0,
        )
    state, _ = _get(key.channel, key.id)
    if state is None:
        _restore(key, now)
        return claim(key, part, total, owner=owner, until=until, now=now, shape=shape)
    if state.key.generation != key.generation:
        return Claim("stale")
    found = state.parts.get(part)
    if found is None or found.kind == "again":  # released between the two calls
        return Claim("held", held_until=now)
    if found.kind == "claimed":
        return Claim("held", held_until=found.until)
    kind: Literal["accepted", "failed"] = "accepted" if found.kind == "accepted" else "failed"
    return Claim(
        kind,
        external_id=found.external_id,
        reason=found.reason,
        code=found.code,
        shape=state.shape,
        total=state.total,
    )


def _restore(key: MessageKey, now: int) -> None:
    """Give a record whose ledger item has expired (35 days) one again, so that it is sent once, not never."""
    item = {
        "pk": {"S": _pk(key.channel, key.id)},
        "g": {"N": str(key.generation)},
        "rk": {"N": "0"},
        "fw": {"BOOL": True},
        "op": {"N": str(now)},
        "p": {"M": {}},
        "ttl": {"N": str(now // 1000 + KEEP)},
    }
    _try(lambda: aws.dynamodb().put_item(TableName=_table(), Item=item, ConditionExpression="attribute_not_exists(pk)"))


def accept(key: MessageKey, part: int, total: int, owner: str, external_id: str, now: int) -> None:
    """Conclude a claimed part: accepted.

    Raises:
        LostClaim: `owner` no longer holds it.
    """
    _conclude(key, part, owner, PartState("accepted", external_id=external_id, rank=Status.WIRED.rank, until=now))


def fail(key: MessageKey, part: int, total: int, owner: str, reason: str, code: str, now: int) -> None:
    """Conclude a claimed part: failed for good.

    Raises:
        LostClaim: `owner` no longer holds it.
    """
    _conclude(key, part, owner, PartState("failed", reason=reason, code=code, rank=Status.FAILED.rank, until=now))


def release(
    key: MessageKey, part: int, owner: str, again_at: int, why: str, now: int, *, trouble_since: int = 0
) -> None:
    """Give a claimed part back: it was not accepted and is due again at `again_at` (ms).

    `trouble_since` (ms) is kept for the next claim: a record that is only hidden in its queue cannot carry it.

    Raises:
        LostClaim: `owner` no longer holds it.
    """
    _conclude(key, part, owner, PartState("again", reason=why, until=again_at or now, trouble_since=trouble_since))


def _conclude(key: MessageKey, part: int, owner: str, state: PartState) -> None:
    values = {
        ":g": {"N": str(key.generation)},
        ":owner": {"S": owner},
        ":claimed": {"S": "claimed"},
        ":state": _part_value(state),
    }
    condition = "g = :g AND p.#n.s = :claimed AND p.#n.o = :owner"
    concluded = _try(
        lambda: _update(
            _pk(key.channel, key.id), "SET p.#n = :state", values, condition=condition, names={"#n": str(part)}
        )
    )
    if concluded is None:
        raise LostClaim(f"part {part} of message {key.id} is no longer claimed by this run")


def conclude_unclaimed(key: MessageKey, part: int, total: int, state: PartState, now: int) -> MessageState | None:
    """Record an outcome of the relay, which claims nothing: once accepted or failed, a part stays so.

    Returns the message, None when it has a newer generation.
    """
    values = {
        ":g": {"N": str(key.generation)},
        ":state": _part_value(state),
        ":total": {"N": str(total)},
        ":accepted": {"S": "accepted"},
        ":failed": {"S": "failed"},
    }
    condition = "g = :g AND (attribute_not_exists(p.#n) OR NOT p.#n.s IN (:accepted, :failed))"
    change = "SET p.#n = :state, tot = if_not_exists(tot, :total)"
    new = _try(lambda: _update(_pk(key.channel, key.id), change, values, condition=condition, names={"#n": str(part)}))
    if new is not None:
        return _state(new)
    found, _ = _get(key.channel, key.id)
    if found is None:
        _restore(key, now)
        return conclude_unclaimed(key, part, total, state, now)
    return found if found.key.generation == key.generation else None


def raise_status(key: MessageKey, part: int | None, status: Status, code: str = "") -> MessageState | None:
    """Raise the status of one part, or of the whole message; a status never goes back, and a final one stays.

    Returns the message as it is now, whether or not this raised it; None when the part or generation is unknown.
    """
    target, exists = ("mr", "attribute_exists(pk)") if part is None else ("p.#n.r", "attribute_exists(p.#n)")
    limit = Status.DELIVERED.rank if status.final else status.rank
    names = {} if part is None else {"#n": str(part)}
    change = f"SET {target} = :r"
    values = {":g": {"N": str(key.generation)}, ":r": {"N": str(status.rank)}, ":limit": {"N": str(limit)}}
    if part is not None and code:
        change += ", p.#n.c = :code"
        values[":code"] = {"S": code[:64]}
    new = _try(
        lambda: _update(
            _pk(key.channel, key.id),
            change,
            values,
            condition=f"g = :g AND {exists} AND (attribute_not_exists({target}) OR {target} < :limit)",
            names=names,
        )
    )
    if new is not None:
        return _state(new)
    state, _ = _get(key.channel, key.id)
    if state is None or state.key.generation != key.generation or (part is not None and part not in state.parts):
        return None
    return state


def settle(key: MessageKey, status: Status) -> bool:
    """Note that the platform's queue has `status`; False when it was as far before."""
    limit = Status.DELIVERED.rank if status.final else status.rank
    values = {":g": {"N": str(key.generation)}, ":r": {"N": str(status.rank)}, ":limit": {"N": str(limit)}}
    return (
        _try(lambda: _update(_pk(key.channel, key.id), "SET rk = :r", values, condition="g = :g AND rk < :limit"))
        is not None
    )


def get(channel: str, message_id: str) -> MessageState | None:
    """The message as the ledger has it, None where it never was or is older than 35 days."""
    return _get(channel, message_id)[0]


# --- paused lanes ---------------------------------------------------------------------------------------------------


def pause_lane(aggregator: str, reason: str, now: int) -> None:
    """Pause what goes to `aggregator`; a pause in force keeps its `since`."""
    _update(
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
    item = aws.dynamodb().get_item(TableName=_table(), Key={"pk": {"S": f"pause#{aggregator}"}}).get("Item")
    return _pause(item) if item else None


def claim_probe(aggregator: str, now: int) -> bool:
    """Win the minute's probe of a paused lane: one caller a minute gets True."""
    return (
        _try(
            lambda: _update(
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
    aws.dynamodb().delete_item(TableName=_table(), Key={"pk": {"S": f"pause#{aggregator}"}})


def lanes_paused() -> list[Pause]:
    """All pauses in force."""
    return [_pause(item) for item in parked_items(_PAUSED)]


def parked_items(partition: str) -> list[dict[str, Any]]:
    """The items that the `parked` index lists under `partition` (an aggregator's unmatched receipts, or the pauses)."""
    pages = (
        aws.dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=_table(),
            IndexName="parked",
            KeyConditionExpression="parked = :partition",
            ExpressionAttributeValues={":partition": {"S": partition}},
        )
    )
    return [item for page in pages for item in page["Items"]]


def _pause(item: dict[str, Any]) -> Pause:
    return Pause(
        aggregator=item["pk"]["S"].removeprefix("pause#"),
        reason=item["reason"]["S"],
        since=int(item["since"]["N"]),
        probe_at=int(item["probe_at"]["N"]),
    )


# --- DynamoDB -------------------------------------------------------------------------------------------------------


def _table() -> str:
    return settings().table("ledger")


def _pk(channel: str, message_id: str) -> str:
    return f"m#{channel}#{message_id}"


def _update(
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
        "TableName": _table(),
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


def _try(call: Callable[[], T]) -> T | None:
    """The call's answer, None when its condition did not hold."""
    try:
        return call()
    except Exception as error:
        code = aws.error_code(error)
        # A path into a map that is not there (`p.#n.r` of an unknown item) is a ValidationException, no failed check.
        if code == "ConditionalCheckFailedException" or (code == "ValidationException" and "path" in str(error)):
            return None
        raise


def _get(channel: str, message_id: str) -> tuple[MessageState | None, str]:
    item = (
        aws.dynamodb()
        .get_item(TableName=_table(), Key={"pk": {"S": _pk(channel, message_id)}}, ConsistentRead=True)
        .get("Item")
    )
    if not item or int(item.get("ttl", {"N": "0"})["N"]) < time.time():
        return None, ""
    return _state(item), item.get("rq", {}).get("S", "")


def _part_value(part: PartState) -> dict[str, Any]:
    """The part as a DynamoDB map, short: what is empty is left out."""
    fields: dict[str, Any] = {"s": {"S": part.kind}, "r": {"N": str(part.rank)}, "u": {"N": str(part.until)}}
    for name, text in (("x", part.external_id), ("o", part.owner), ("c", part.code[:64]), ("w", part.reason[:200])):
        if text:
            fields[name] = {"S": text}
    if part.trouble_since:
        fields["t"] = {"N": str(part.trouble_since)}
    return {"M": fields}


def _state(item: dict[str, Any]) -> MessageState:
    def text(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    def number(name: str) -> int:
        return int(item.get(name, {}).get("N", 0))

    _, channel, message_id = item["pk"]["S"].split("#", 2)
    parts = {int(n): _part(value["M"]) for n, value in item.get("p", {}).get("M", {}).items()}
    return MessageState(
        key=MessageKey(channel=channel, id=message_id, generation=number("g")),
        status=_BY_RANK[number("rk")],
        forwarded=bool(item.get("fw", {}).get("BOOL")),
        aggregator=text("ag"),
        lane=text("ln"),
        destination=text("ds"),
        opened_at=number("op"),
        total=number("tot"),
        shape=text("sh"),
        whole_rank=number("mr"),
        request=text("rq"),
        parts=parts,
    )


def _part(value: dict[str, Any]) -> PartState:
    def text(name: str) -> str:
        return str(value.get(name, {}).get("S", ""))

    return PartState(
        kind=value["s"]["S"],
        external_id=text("x"),
        owner=text("o"),
        until=int(value["u"]["N"]),
        rank=int(value["r"]["N"]),
        code=text("c"),
        reason=text("w"),
        trouble_since=int(value.get("t", {}).get("N", 0)),
    )
