"""What proves that a submit without an answer was accepted: a receipt for its phone that fits no other submit.

A connection drops, and the answers that were on their way with it are gone. The SMSC, where it had taken the messages,
goes on to tell of them, under ids that nobody here has seen: λ record parks such receipts (`rendezvous`). So whoever
has a part in doubt waits a little, looks there, and takes a receipt for the part; then nothing goes twice.

A receipt taken wrongly would be a message lost. So none counts that came before the part was submitted, whose id some
submit has, or that has been parked for less than `SETTLED`: a receipt may be ahead of its own answer. Of parts in doubt
that went to one phone nobody knows which the SMSC has taken; one is proven when there are more receipts than others:
whosever the others' are, one is left. Where receipts do not match as a rule (`DISTRUST`) they prove nothing.

Item `doubt#<aggregator and contact, digested>`: `doubts`, the parts in doubt (a string set), and `again`, those that
were sent again, each with when that was: they count among the others of what was in doubt by then.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from chalicelib import ledger_table, rendezvous
from chalicelib.clock import now_ms
from chalicelib.ledger_items import PartState
from chalicelib.ledger_table import DAY
from chalicelib.messages import NAMELESS
from chalicelib.phones import digits_match
from chalicelib.queues import contact_group
from chalicelib.records import MessageKey

SKEW: Final = 2_000  # ms that the clocks of two of our processes may differ
SETTLED: Final = 2_000  # ms after which a parked receipt's own answer, or its outcome, would have come
BEFORE: Final = 600_000  # ms before a submit in which receipts that fit nothing are counted
DISTRUST: Final = 20  # of them, from which on the account's receipts prove nothing
PASSED: Final = 3_600_000  # ms after which nothing is in doubt any more that was when a part was sent again
MOST: Final = 2_000  # parked ids that are looked through; where there are more, nothing is proven


class Receipts:
    """The parked receipts of an account that may prove what has been submitted since then (ms); read once."""

    def __init__(self, aggregator: str, since: int) -> None:
        self.aggregator = aggregator
        earliest = since - SKEW
        found = rendezvous.unmatched(aggregator, earliest - BEFORE, most=MOST + 1)
        before = sum(one.since < earliest for one in found)
        self._found = [] if before > DISTRUST or len(found) > MOST else found

    def of(self, destination: str, since: int) -> list[rendezvous.Parked]:
        """Those for a phone that have come since a submit of that time, one for each id, the oldest first."""
        found: dict[str, rendezvous.Parked] = {}
        for one in self._found:
            told = one.receipt.update.destination
            its = bool(told) and digits_match(told, destination)
            if its and one.receipt.at >= since - SKEW and not one.external_id.startswith(NAMELESS):
                found.setdefault(one.external_id, one)
        return list(found.values())


def take(receipts: Receipts, destination: str, key: MessageKey, part: int, doubt: PartState) -> str:
    """The external id under which a part has been accepted that was never answered (`PartState.in_doubt`); "": nothing
    proves that it was. From now on that receipt proves nothing else. Repeatable, until the submit is filed under the
    id, which is for the caller to see to."""
    name, aggregator = name_of(key, part), receipts.aggregator
    found = receipts.of(destination, doubt.until)
    for one in found:
        if one.proves == name:
            return one.external_id
    settled = now_ms() - SETTLED
    free = [one for one in found if not one.proves and one.since <= settled]
    if not free or len(free) <= len(in_doubt(aggregator, destination, doubt.trouble_since) - {name}):
        return ""
    for one in free:
        if _taken(one, name):
            conclude(aggregator, destination, [name])
            return one.external_id
    return ""


def _taken(parked: rendezvous.Parked, name: str) -> bool:
    """The receipt is this part's, unless it was another's before or its submit has been filed meanwhile."""
    condition = "(attribute_not_exists(proves) OR proves = :name) AND (attribute_not_exists(subs) OR subs = :nobody)"
    values = {":name": {"S": name}, ":nobody": {"L": []}}
    pk = rendezvous.item_key(parked.aggregator, parked.external_id)
    done = ledger_table.attempt(
        lambda: ledger_table.update(pk, "SET proves = :name", values, condition=condition, answer="NONE")
    )
    return done is not None


# --- the parts in doubt of one phone --------------------------------------------------------------------------------


def name_of(key: MessageKey, part: int) -> str:
    """Of a part."""
    return f"{key.channel}/{key.id}/{key.generation}/{part}"


def note(aggregator: str, destination: str, names: Collection[str]) -> None:
    """These parts, to one phone, are in doubt. Repeatable."""
    _change(aggregator, destination, "ADD doubts :names SET #ttl = :ttl", names, ttl=now_ms() // 1000 + DAY)


def conclude(aggregator: str, destination: str, names: Collection[str]) -> None:
    """They are in doubt no more. Repeatable."""
    _change(aggregator, destination, "DELETE doubts :names", names)


def resent(aggregator: str, destination: str, names: Collection[str], at: int) -> None:
    """They are sent again, or given up, at that time (ms), and receipts of them may still come."""
    _, again = _parts(aggregator, destination)
    old = [f"{name}@{when}" for name, when in again.items() if when < at - PASSED]
    if old:
        _change(aggregator, destination, "DELETE again :names", old)
    if names:
        _change(aggregator, destination, "ADD again :names", [f"{name}@{at}" for name in names])
        conclude(aggregator, destination, names)


def in_doubt(aggregator: str, destination: str, since: int) -> set[str]:
    """The parts of a phone that are in doubt, or were since then (ms)."""
    found, again = _parts(aggregator, destination)
    return found | {name for name, when in again.items() if when >= since}


def _parts(aggregator: str, destination: str) -> tuple[set[str], dict[str, int]]:
    item = ledger_table.get(_pk(aggregator, destination)) or {}
    again = (one.rpartition("@") for one in item.get("again", {}).get("SS", ()))
    return set(item.get("doubts", {}).get("SS", ())), {name: int(when) for name, _, when in again}


def _change(aggregator: str, destination: str, change: str, names: Collection[str], ttl: int = 0) -> None:
    values: dict[str, Any] = {":names": {"SS": sorted(names)}}
    if ttl:
        values[":ttl"] = {"N": str(ttl)}
    names_of = {"#ttl": "ttl"} if ttl else None
    ledger_table.update(_pk(aggregator, destination), change, values, names=names_of, answer="NONE")


def _pk(aggregator: str, destination: str) -> str:
    return f"doubt#{contact_group('doubt', aggregator, destination)}"
