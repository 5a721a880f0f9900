"""Where submit outcomes and delivery receipts meet, whoever comes first, without anybody waiting.

Item `ext#<aggregator>#<external id>`: `subs`, the submits that were given this id (newest last: SMSCs reuse ids), and
`rc`, receipts that came before any submit they fit: parked 7 days, listed by the index `parked`. All events of one
(aggregator, external id) are in one group of events.fifo, so this is never a race, only an order.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from chalicelib import ledger_table
from chalicelib.ledger_table import DAY, KEEP, parked_items
from chalicelib.phones import digits_match
from chalicelib.queues import digest
from chalicelib.records import MessageKey, ReceiptEvent

PARKED: Final = 7 * DAY  # seconds a receipt waits for its submit


@dataclass(frozen=True, slots=True)
class Submit:
    """One part that was accepted under an external id."""

    key: MessageKey
    part: int
    destination: str
    at: int


@dataclass(frozen=True, slots=True)
class Parked:
    """A receipt that fits no submit so far."""

    aggregator: str
    external_id: str
    receipt: ReceiptEvent
    since: int


def meet_outcome(aggregator: str, external_id: str, submit: Submit) -> list[ReceiptEvent]:
    """File a submit under its external id; answers the parked receipts that were waiting for it. Repeatable."""
    item = _item(aggregator, external_id)
    subs = [sub for sub in _subs(item) if (sub.key, sub.part) != (submit.key, submit.part)]
    subs = [*subs, submit][-3:]
    waiting = [ReceiptEvent.from_body(text) for text in _texts(item, "rc")]
    mine = [receipt for receipt in waiting if _fits(receipt.update.destination, submit.destination)]
    rest = [receipt for receipt in waiting if receipt not in mine]
    values: dict[str, Any] = {
        ":subs": {"L": [{"S": _dump(sub)} for sub in subs]},
        ":ttl": {"N": str(submit.at // 1000 + KEEP)},
        ":rc": {"L": [{"S": receipt.to_body()} for receipt in (waiting if mine else rest)]},
        ":x": {"S": external_id},
        ":ag": {"S": aggregator},
    }
    change = "SET subs = :subs, #t = :ttl, rc = :rc, x = :x, ag = :ag"
    if not rest:
        change += " REMOVE parked, parked_at"
    _update(aggregator, external_id, change, values)
    return mine


def meet_receipt(receipt: ReceiptEvent, now: int) -> Submit | None:
    """The submit that a receipt speaks of, the newest that fits; None: parked until one comes. Repeatable."""
    external_id = receipt.update.external_id
    item = _item(receipt.aggregator, external_id)
    for sub in reversed(_subs(item)):
        if _fits(receipt.update.destination, sub.destination):
            return sub
    known = [text for text in _texts(item, "rc") if ReceiptEvent.from_body(text).event_id != receipt.event_id]
    values: dict[str, Any] = {
        ":rc": {"L": [{"S": text} for text in [*known, receipt.to_body()][-10:]]},
        ":ag": {"S": receipt.aggregator},
        ":now": {"N": str(now)},
        ":ttl": {"N": str(now // 1000 + PARKED)},
        ":x": {"S": external_id},
    }
    change = "SET rc = :rc, ag = :ag, x = :x, parked = :ag, parked_at = if_not_exists(parked_at, :now), #t = :ttl"
    _update(receipt.aggregator, external_id, change, values)
    return None


def unmatched(aggregator: str) -> list[Parked]:
    """The receipts of `aggregator` that wait for their submit, oldest first."""
    return [
        Parked(aggregator, item["x"]["S"], ReceiptEvent.from_body(text), int(item["parked_at"]["N"]))
        for item in parked_items(aggregator)
        for text in _texts(item, "rc")
    ]


def find(aggregator: str, external_id: str) -> list[Submit]:
    """The submits filed under an external id, oldest first."""
    return _subs(_item(aggregator, external_id))


def _fits(told: str, submitted: str) -> bool:
    return not told or not submitted or digits_match(told, submitted)


def _pk(aggregator: str, external_id: str) -> str:
    return f"ext#{aggregator}#{digest(external_id)}"


def _item(aggregator: str, external_id: str) -> dict[str, Any]:
    return ledger_table.get(_pk(aggregator, external_id)) or {}


def _update(aggregator: str, external_id: str, change: str, values: dict[str, Any]) -> None:
    ledger_table.update(_pk(aggregator, external_id), change, values, names={"#t": "ttl"}, answer="NONE")


def _texts(item: dict[str, Any], name: str) -> list[str]:
    return [value["S"] for value in item.get(name, {}).get("L", [])]


def _dump(sub: Submit) -> str:
    key = sub.key
    return json.dumps([key.channel, key.id, key.generation, sub.part, sub.destination, sub.at], separators=(",", ":"))


def _subs(item: dict[str, Any]) -> list[Submit]:
    found = []
    for text in _texts(item, "subs"):
        channel, message_id, generation, part, destination, at = json.loads(text)
        found.append(Submit(MessageKey(channel=channel, id=message_id, generation=generation), part, destination, at))
    return found
