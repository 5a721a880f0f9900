"""What a storm has cost: what was sent less what arrived, what came twice and which trouble may have done it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True)
class Trouble:
    """A kind of it. `doubt`: the submits that one may leave without anybody who knows of them; each of them may come to
    a phone twice. `answers`: of phones, which nobody knows whether the SMSC has read; it may send them again."""

    name: str
    doubt: int = 0
    answers: int = 0


@dataclass
class Strike:
    """One trouble, from and to when, in ms since the epoch."""

    trouble: Trouble
    began: int
    ended: int


@dataclass
class Direction:
    """What was sent and what arrived of one kind, by what tells it from all others as far as anything does. The same
    name may be sent twice: phones send "1" and "1" again."""

    name: str
    allowed: int = 0  # that may come twice
    sent: Counter[Any] = field(default_factory=Counter)
    arrived: Counter[Any] = field(default_factory=Counter)

    @property
    def there(self) -> int:
        """Of what was sent, what has arrived."""
        return (self.sent & self.arrived).total()

    @property
    def lost(self) -> int:
        """Of what was sent, what has not arrived."""
        return (self.sent - self.arrived).total()

    @property
    def twice(self) -> int:
        """What has arrived beyond what was sent, or was never sent."""
        return (self.arrived - self.sent).total()


def blame(strikes: Sequence[Strike], copies: Iterable[tuple[int, int]]) -> tuple[Counter[str], int]:
    """Which troubles may have made the copies, by name, and how many copies no trouble can have made.

    A copy is when the one before it came and when it came itself, in ms. It is put down to a trouble in between, and
    to each no more than it leaves in doubt; as many as can be are put down (each trouble in turn takes those first
    that later ones can take least: the greatest matching of intervals).
    """
    left, found = sorted(copies, key=lambda copy: copy[1]), Counter[str]()
    for strike in sorted(strikes, key=lambda strike: strike.ended):
        its = [copy for copy in left if copy[0] <= strike.ended and strike.began <= copy[1]][: strike.trouble.doubt]
        found[strike.trouble.name] += len(its)
        for copy in its:
            left.remove(copy)
    return found, len(left)


def copies(times: Mapping[Any, Sequence[int]]) -> list[tuple[int, int]]:
    """Of what came more than once, by name: each coming but the first, after the one before."""
    return [pair for each in times.values() for pair in zip(sorted(each), sorted(each)[1:], strict=False)]


NOBODY: Final = "none of these"


def troubles(strikes: Sequence[Strike], found: Mapping[str, int], nobody: int) -> str:
    """A table: how often each trouble came, and what came to phones twice for it."""
    times = Counter(strike.trouble for strike in strikes)
    rows = [
        (one.name, count, found.get(one.name, 0), one.doubt, count * one.doubt)
        for one, count in sorted(times.items(), key=lambda item: item[0].name)
    ]
    return table(("trouble", "times", "twice", "each may", "allowed"), [*rows, (NOBODY, "", nobody, "", 0)])


def directions(found: Sequence[Direction]) -> str:
    """A table: what was sent and what arrived."""
    head = ("direction", "sent", "arrived", "lost", "twice", "allowed")
    rows = [(one.name, one.sent.total(), one.there, one.lost, one.twice, one.allowed) for one in found]
    return table(head, rows)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Words to the left, numbers to the right."""
    cells = [list(head), *([f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    lines = [" | ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]
    return "\n".join([lines[0], "-|-".join("-" * width for width in widths), *lines[1:]])
