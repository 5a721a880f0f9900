"""The ledger: who is sending which part of which message, and what has become of it.

A claim is a conditional write; a conclusion is conditional on the owner; a claim past its `until` is in doubt. What is
kept is in `ledger_items.py`. How outcomes meet receipts is in `rendezvous.py`; how MO parts are joined and repeated MOs
known, in `inbox.py`; how a lane pauses, in `pauses.py`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

from chalicelib import ledger_table
from chalicelib.ledger_items import MessageState, PartState, part_value, state_of
from chalicelib.ledger_table import KEEP, attempt, update
from chalicelib.messages import Status
from chalicelib.records import MessageKey


class LostClaim(RuntimeError):  # noqa: N818 - says what happened
    """Another owner has the part, or the message has a newer generation: do not conclude it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Answer of `open_message`. `fresh` False: the same id is open or was accepted; `status` tells how far it is, and
    `aggregator` and `lane` where it was opened for."""

    key: MessageKey
    fresh: bool
    forwarded: bool
    status: Status
    aggregator: str = ""
    lane: str = ""


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
    if ledger_table.put_new(item):
        return Opened(key, True, False, Status.QUEUED)
    state, asked_by = _get(channel, message_id)
    if state is None:  # expired in between
        return open_message(
            channel, message_id, aggregator=aggregator, lane=lane, destination=destination, now=now, request=request
        )
    again = resend or state.status is Status.FAILED
    if not again or (request and request == asked_by):
        return Opened(state.key, False, state.forwarded, state.status, state.aggregator, state.lane)
    generation = state.key.generation + 1
    renewed = attempt(
        lambda: update(
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
        return Opened(state.key, False, state.forwarded, state.status, state.aggregator, state.lane)
    return Opened(key.model_copy(update={"generation": generation}), True, False, Status.QUEUED)


def mark_forwarded(key: MessageKey) -> None:
    """The lane has the message."""
    attempt(
        lambda: update(
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
        ":claim": part_value(PartState("claimed", owner=owner, until=until)),
        ":total": {"N": str(total)},
        ":shape": {"S": shape},
        ":again": {"S": "again"},
        ":claimed": {"S": "claimed"},
        ":now": {"N": str(now)},
    }
    condition = "g = :g AND (attribute_not_exists(p.#n) OR p.#n.s = :again OR (p.#n.s = :claimed AND p.#n.u < :now))"
    change = "SET p.#n = :claim, tot = if_not_exists(tot, :total), sh = if_not_exists(sh, :shape)"
    old = attempt(
        lambda: update(
            _pk(key.channel, key.id), change, values, condition=condition, names={"#n": str(part)}, answer="ALL_OLD"
        )
    )
    if old is not None:
        first = state_of(old)
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
    ledger_table.put_new(item)


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
        ":state": part_value(state),
    }
    condition = "g = :g AND p.#n.s = :claimed AND p.#n.o = :owner"
    concluded = attempt(
        lambda: update(
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
        ":state": part_value(state),
        ":total": {"N": str(total)},
        ":accepted": {"S": "accepted"},
        ":failed": {"S": "failed"},
    }
    condition = "g = :g AND (attribute_not_exists(p.#n) OR NOT p.#n.s IN (:accepted, :failed))"
    change = "SET p.#n = :state, tot = if_not_exists(tot, :total)"
    new = attempt(
        lambda: update(_pk(key.channel, key.id), change, values, condition=condition, names={"#n": str(part)})
    )
    if new is not None:
        return state_of(new)
    found, _ = _get(key.channel, key.id)
    if found is None:
        _restore(key, now)
        return conclude_unclaimed(key, part, total, state, now)
    return found if found.key.generation == key.generation else None


def note_doubt(key: MessageKey, part: int, doubt: PartState) -> None:
    """Note a submit of the relay without an answer (`PartState.in_doubt`), unless the part is concluded. Of several
    submits of a part the first counts, since a receipt may be of any, and of their doubts the last."""
    values = {":g": {"N": str(key.generation)}, ":state": part_value(doubt), ":again": {"S": "again"}}
    condition = "g = :g AND (attribute_not_exists(p.#n) OR p.#n.s = :again)"
    change = "SET p.#n = :state"
    pk, names = _pk(key.channel, key.id), {"#n": str(part)}
    if attempt(lambda: update(pk, change, values, condition=condition, names=names)) is None:
        values = {":g": values[":g"], ":claimed": {"S": "claimed"}, ":since": {"N": str(doubt.trouble_since)}}
        condition = "g = :g AND p.#n.s = :claimed AND attribute_not_exists(p.#n.o)"
        attempt(lambda: update(pk, "SET p.#n.t = :since", values, condition=condition, names=names))


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
    new = attempt(
        lambda: update(
            _pk(key.channel, key.id),
            change,
            values,
            condition=f"g = :g AND {exists} AND (attribute_not_exists({target}) OR {target} < :limit)",
            names=names,
        )
    )
    if new is not None:
        return state_of(new)
    state, _ = _get(key.channel, key.id)
    if state is None or state.key.generation != key.generation or (part is not None and part not in state.parts):
        return None
    return state


def settle(key: MessageKey, status: Status) -> bool:
    """Note that the platform's queue has `status`; False when it was as far before."""
    limit = Status.DELIVERED.rank if status.final else status.rank
    values = {":g": {"N": str(key.generation)}, ":r": {"N": str(status.rank)}, ":limit": {"N": str(limit)}}
    return (
        attempt(lambda: update(_pk(key.channel, key.id), "SET rk = :r", values, condition="g = :g AND rk < :limit"))
        is not None
    )


def get(channel: str, message_id: str) -> MessageState | None:
    """The message as the ledger has it, None where it never was or is older than 35 days."""
    return _get(channel, message_id)[0]


# --- DynamoDB -------------------------------------------------------------------------------------------------------


def _pk(channel: str, message_id: str) -> str:
    return f"m#{channel}#{message_id}"


def _get(channel: str, message_id: str) -> tuple[MessageState | None, str]:
    item = ledger_table.get(_pk(channel, message_id))
    if not item or int(item.get("ttl", {"N": "0"})["N"]) < time.time():
        return None, ""
    return state_of(item), item.get("rq", {}).get("S", "")
