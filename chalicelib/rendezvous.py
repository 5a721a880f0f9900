"""Where submit outcomes and delivery receipts meet, whoever comes first, without anybody waiting.

Item `ext#<aggregator>#<external id>`: `subs`, the submits that were given this id (newest last: SMSCs reuse ids), and
`rc`, receipts that came before any submit they fit: parked 7 days, listed by the index `parked`. All events of one
(aggregator, external id) are in one group of events.fifo, so this is never a race, only an order.

Where an id is a recipient and a second (`ReceiptEvent.shared`: UCP, CIMD2), several messages have it honestly, whatever
binds and tasks they went over. Each final receipt then ends the oldest of them that has not ended, and is written down
with it, so that the same receipt again finds the same message. Where receipts were asked for of other parts than a
silent one (`receipts: last`), they are kept for those, though these may come later.

An id may be used again for the same recipient, so age decides too: a receipt is never that of a submit that was
accepted clearly after it came, nor, while another fits, after its own done date; and a parked one that was taken is
given to no other message.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Final

from chalicelib import ledger_table, telemetry
from chalicelib.ledger_table import DAY, KEEP, parked_items
from chalicelib.phones import digits_match
from chalicelib.queues import digest
from chalicelib.records import MessageKey, ReceiptEvent

PARKED: Final = 7 * DAY  # seconds a receipt waits for its submit
TWINS: Final = 600_000  # ms within which submits with one id are messages side by side; else the SMSC uses it again
RACE: Final = 600_000  # ms that a receipt may be ahead of its submit's acceptance, by both our own clocks
DATE_ERROR: Final = 15 * 3_600_000  # ms that an SMSC's dates may be off: the widest time zone is 14 hours away
MOST_TWINS: Final = 50  # submits, or parked receipts, of an id that several messages share
MOST_REUSED: Final = 3  # submits of an id that has been used again
MOST_PARKED: Final = 10  # receipts of an id that one message has


@dataclass(frozen=True, slots=True)
class Submit:
    """One part that was accepted under an external id."""

    key: MessageKey
    part: int
    destination: str
    at: int
    ended_by: str = ""  # event id of the final receipt that was taken for it; written down for shared ids only
    had: tuple[str, ...] = ()  # event ids of the receipts that had been parked for it
    silent: bool = False  # receipts were asked for of other parts of the message, not of this one


@dataclass(frozen=True, slots=True)
class Parked:
    """A receipt that fits no submit so far."""

    aggregator: str
    external_id: str
    receipt: ReceiptEvent
    since: int
    proves: str = ""  # the part in doubt that it was taken for (`proofs`)


def meet_outcome(aggregator: str, external_id: str, submit: Submit) -> list[ReceiptEvent]:
    """File a submit under its external id; answers the parked receipts that were waiting for it. Repeatable."""
    item = _item(aggregator, external_id)
    filed = _subs(item)
    others = [sub for sub in filed if not _same(sub, submit)]
    before = next((sub for sub in filed if _same(sub, submit)), submit)
    ended_by, had = before.ended_by, list(before.had)
    submit = replace(submit, at=min(before.at, submit.at))  # told again, it is not younger
    # A message's other parts under the same id may have the same receipts.
    taken = {sub.ended_by for sub in others}.union(*(sub.had for sub in others if sub.key != submit.key))
    waiting = [ReceiptEvent.from_body(text) for text in _texts(item, "rc")]
    mine: list[ReceiptEvent] = []
    rest = 0
    for receipt in waiting:
        if receipt.event_id in taken:
            continue
        one_end = _one_end(receipt)
        known = receipt.event_id in had
        passes = one_end and (submit.silent or ended_by not in ("", receipt.event_id))
        if not known and (passes or not _fits(receipt, submit)):
            rest += 1
            continue
        if not known:
            had.append(receipt.event_id)
        if one_end:
            ended_by = receipt.event_id
        mine.append(receipt)
    mine_now = replace(submit, ended_by=ended_by, had=tuple(had))
    subs = _kept(sorted([*others, mine_now], key=lambda sub: sub.at), aggregator)
    values: dict[str, Any] = {
        ":subs": {"L": [{"S": _dump(sub)} for sub in subs]},
        ":ttl": {"N": str(submit.at // 1000 + KEEP)},
        ":rc": {"L": [{"S": receipt.to_body()} for receipt in waiting]},
        ":x": {"S": external_id},
        ":ag": {"S": aggregator},
    }
    change = "SET subs = :subs, #t = :ttl, rc = :rc, x = :x, ag = :ag"
    if not rest:
        change += " REMOVE parked, parked_at"
    _update(aggregator, external_id, change, values)
    return mine


def meet_receipt(receipt: ReceiptEvent, now: int) -> Submit | None:
    """The submit that a receipt speaks of: of those that fit the newest, or, where messages share ids, the oldest that
    has not ended; a part of which it was asked for rather than a silent one. None: parked until one comes.
    Repeatable."""
    external_id = receipt.update.external_id
    item = _item(receipt.aggregator, external_id)
    subs = _subs(item)
    for sub in subs:
        if receipt.event_id in sub.had:
            return sub
    fitting = _in_time(receipt, [sub for sub in subs if _fits(receipt, sub)])
    found = _shared(receipt, subs, fitting) if receipt.shared else _named(fitting)
    if found is not None:
        return found
    known = [text for text in _texts(item, "rc") if ReceiptEvent.from_body(text).event_id != receipt.event_id]
    known.append(receipt.to_body())
    most = MOST_TWINS if receipt.shared else MOST_PARKED
    for text in known[:-most]:
        telemetry.count("receipts_dropped", receipt.aggregator)
        dropped = ReceiptEvent.from_body(text)
        extra = {"aggregator": receipt.aggregator, "event_id": dropped.event_id, "status": dropped.update.status.value}
        telemetry.logger().warning("receipt_dropped", extra=extra)
    until = max(now // 1000 + PARKED, int(item.get("ttl", {}).get("N", "0")) if subs else 0)
    values: dict[str, Any] = {
        ":rc": {"L": [{"S": text} for text in known[-most:]]},
        ":ag": {"S": receipt.aggregator},
        ":now": {"N": str(now)},
        ":ttl": {"N": str(until)},
        ":x": {"S": external_id},
    }
    change = "SET rc = :rc, ag = :ag, x = :x, parked = :ag, parked_at = if_not_exists(parked_at, :now), #t = :ttl"
    _update(receipt.aggregator, external_id, change, values)
    return None


def _named(fitting: list[Submit]) -> Submit | None:
    """The newest; of the parts of its message, which some SMSCs give one id, not a silent one."""
    if not fitting:
        return None
    newest = fitting[-1]
    return next((sub for sub in reversed(fitting) if sub.key == newest.key and not sub.silent), newest)


def _shared(receipt: ReceiptEvent, subs: list[Submit], fitting: list[Submit]) -> Submit | None:
    """Which of several messages with one id a receipt is taken for; None: one that is still to come."""
    for sub in fitting:
        if sub.ended_by == receipt.event_id:
            return sub
    going_on = [sub for sub in fitting if not sub.ended_by]
    found = next((sub for sub in going_on if not sub.silent), None)
    if found is None and going_on:
        asked = {sub.key for sub in subs if not sub.silent}
        if any(sub.key not in asked for sub in going_on):
            return None
        found = going_on[0]  # nobody has asked for it
    if found is None:
        return fitting[-1] if fitting else None  # the SMSC repeats itself
    if _one_end(receipt):
        ended = [replace(sub, ended_by=receipt.event_id) if sub is found else sub for sub in subs]
        values: dict[str, Any] = {":subs": {"L": [{"S": _dump(sub)} for sub in ended]}}
        pk = item_key(receipt.aggregator, receipt.update.external_id)
        ledger_table.update(pk, "SET subs = :subs", values, answer="NONE")
    return found


def _kept(subs: list[Submit], aggregator: str) -> list[Submit]:
    """The submits to keep, newest last: all that lie side by side, and a few of earlier uses of the id."""
    newest = subs[-1].at
    twins = sum(newest - sub.at <= TWINS for sub in subs)
    most = min(max(twins, MOST_REUSED), MOST_TWINS)
    for sub in subs[:-most]:
        telemetry.count("submits_forgotten", aggregator)
        extra = {"aggregator": aggregator, "channel": sub.key.channel, "message_id": sub.key.id, "part": sub.part}
        telemetry.logger().warning("submit_forgotten", extra=extra)
    return subs[-most:]


def _same(one: Submit, other: Submit) -> bool:
    return (one.key, one.part) == (other.key, other.part)


def unmatched(aggregator: str, since: int = 0, most: int | None = None) -> list[Parked]:
    """The receipts of `aggregator` that wait for their submit, under ids that have done so since (ms); the oldest
    first. `most`: ids that are read, and a page's more."""
    return [
        Parked(aggregator, item["x"]["S"], receipt, int(item["parked_at"]["N"]), item.get("proves", {}).get("S", ""))
        for item in parked_items(aggregator, since, most)
        for receipt in _waiting(item)
    ]


def withdraw(aggregator: str, external_id: str, destination: str) -> list[ReceiptEvent]:
    """Take back the parked receipts of a message that is nobody's, such as a test's, whose id no submit has."""
    item = _item(aggregator, external_id)
    texts = _texts(item, "rc")
    found = [one for one in map(ReceiptEvent.from_body, texts) if _alike(one.update.destination, destination)]
    if not found or _subs(item):
        return []
    rest = [text for text in texts if ReceiptEvent.from_body(text) not in found]
    values = {":rest": {"L": [{"S": text} for text in rest]}, ":rc": item["rc"]}
    change = "SET rc = :rest" + ("" if rest else " REMOVE parked, parked_at")
    pk = item_key(aggregator, external_id)
    taken = ledger_table.attempt(lambda: ledger_table.update(pk, change, values, condition="rc = :rc", answer="NONE"))
    return [] if taken is None else found


def find(aggregator: str, external_id: str) -> list[Submit]:
    """The submits filed under an external id, oldest first."""
    return _subs(_item(aggregator, external_id))


def _fits(receipt: ReceiptEvent, submit: Submit) -> bool:
    """By recipient, and by its arrival, the receipt can be the submit's."""
    in_time = not receipt.at or submit.at <= receipt.at + RACE
    return in_time and _alike(receipt.update.destination, submit.destination)


def _in_time(receipt: ReceiptEvent, submits: list[Submit]) -> list[Submit]:
    """Those that were accepted before the receipt's done date. That is by the SMSC's clock, which may be anything:
    where it leaves none of them, it does not count."""
    done = receipt.update.at
    return submits if done is None else [sub for sub in submits if sub.at <= done + DATE_ERROR] or submits


def _alike(told: str, submitted: str) -> bool:
    return not told or not submitted or digits_match(told, submitted)


def item_key(aggregator: str, external_id: str) -> str:
    """Of the item of an external id."""
    return f"ext#{aggregator}#{digest(external_id)}"


def _item(aggregator: str, external_id: str) -> dict[str, Any]:
    return ledger_table.get(item_key(aggregator, external_id)) or {}


def _update(aggregator: str, external_id: str, change: str, values: dict[str, Any]) -> None:
    ledger_table.update(item_key(aggregator, external_id), change, values, names={"#t": "ttl"}, answer="NONE")


def _texts(item: dict[str, Any], name: str) -> list[str]:
    return [value["S"] for value in item.get(name, {}).get("L", [])]


def _waiting(item: dict[str, Any]) -> list[ReceiptEvent]:
    """Parked receipts that no submit has had yet."""
    subs = _subs(item)
    taken = {sub.ended_by for sub in subs}.union(*(sub.had for sub in subs))
    found = []
    for receipt in map(ReceiptEvent.from_body, _texts(item, "rc")):
        fits = any(_fits(receipt, sub) for sub in subs)
        if receipt.event_id not in taken and (not fits or _one_end(receipt)):
            found.append(receipt)
    return found


def _one_end(receipt: ReceiptEvent) -> bool:
    """It ends one of the messages that share its id, and no other."""
    return receipt.shared and receipt.update.status.final


def _dump(sub: Submit) -> str:
    key = sub.key
    told: list[Any] = [key.channel, key.id, key.generation, sub.part, sub.destination, sub.at]
    more = [sub.ended_by, sub.had, sub.silent]
    while more and not more[-1]:
        more.pop()
    told += more
    return json.dumps(told, separators=(",", ":"))


_UNTOLD: Final[list[Any]] = ["", (), False]  # what `_dump` leaves out at the end


def _subs(item: dict[str, Any]) -> list[Submit]:
    found = []
    for text in _texts(item, "subs"):
        channel, message_id, generation, part, destination, at, *rest = json.loads(text)
        key = MessageKey(channel=channel, id=message_id, generation=generation)
        ended_by, had, silent = rest + _UNTOLD[len(rest) :]
        found.append(Submit(key, part, destination, at, ended_by, tuple(had), silent))
    return found
