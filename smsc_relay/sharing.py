"""How tasks share the binds of an account: what is untouched, who is there, who may take, who gives. No I/O, no clock.

The binds of one role of an account are a pool. Every task that serves the account is a member of it. Each member has
`size // members` of the pool's leases, and some have one more; a task that comes is given them one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from smsc_relay.terms import Terms

Pool = str


@dataclass(frozen=True, slots=True)
class Item:
    """A lease, or a task's own entry, as it is in the table. (owner, version) never comes twice.

    `ttl`: length of the owner's leases in seconds, which may differ from ours while a deployment changes it.
    """

    key: str
    owner: str
    version: str
    ttl: float = 0.0
    pools: frozenset[Pool] = frozenset()  # of a task: those that it shares in


class Watch:
    """Which items nobody touches. Times are seconds of any monotonic clock: nobody else's clock is asked."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._since: dict[str, tuple[Item, float]] = {}
        self._last = 0.0

    def saw(self, items: Iterable[Item], began: float, ended: float) -> None:
        """A look at all items has been taken. What was first seen in it was there when it `ended`, at the latest;
        what is still so in a later one was so when that `began`, at the earliest."""
        before, self._since = self._since, {}
        for item in items:
            known = before.get(item.key)
            self._since[item.key] = known if known is not None and known[0] == item else (item, ended)
        self._last = began

    def dead(self, key: str) -> bool:
        """It has been untouched for so long that whoever owns it has let go."""
        known = self._since.get(key)
        if known is None:
            return False
        item, since = known
        return self._last - since >= max(self._terms.watched, Terms(item.ttl).watched)


def may_take(me: str, held: Mapping[str, int], members: Collection[str], size: int) -> int:
    """How many free leases of a pool `me` may take. `held`: leases by owner, without dead ones.

    A task that is not a member (it could not reach the SMSC) may try while nobody else does.
    """
    free = size - sum(held.values())
    if me not in members:
        return 0 if members else max(0, free)
    least, most = size // len(members), -(-size // len(members))
    mine = held.get(me, 0)
    owed = sum(max(0, least - held.get(other, 0)) for other in members if other != me)
    return max(0, min(free, most - mine, max(least - mine, free - owed)))


def must_give(me: str, held: Mapping[str, int], members: Collection[str], size: int) -> bool:
    """Whether `me` has more than its share, and nobody could take a free one instead. Of those that have one more than
    others, one at a time gives it."""
    if me not in members or sum(held.values()) < size:
        return False
    least, most = size // len(members), -(-size // len(members))
    mine = held.get(me, 0)
    if mine > most:
        return True
    fullest = max(sorted(members), key=lambda other: held.get(other, 0))
    return fullest == me and mine > least and any(held.get(other, 0) < least for other in members)


def holdings(leases: Iterable[Item], watch: Watch) -> Counter[str]:
    """Leases by owner, without dead ones."""
    return Counter(lease.owner for lease in leases if not watch.dead(lease.key))
