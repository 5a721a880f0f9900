"""The times of a lease, as parts of its length. No clock: shared by the relay and its supervisor.

Whoever takes a lease over must be later than whoever held it. The holder's socket is closed half a length after its
last good renewal, by the holder; where the holder cannot (it is stopped, or its event loop stands still), its
supervisor kills it half a length after its last heartbeat, which comes at most half a length after that renewal. A
taker has seen the lease untouched for a quarter longer than both together.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from typing import Final

DEFAULT_TTL: Final = 20.0  # s
LEAST_TTL: Final = 1.0  # s: below it AWS has no time to answer


@dataclass(frozen=True, slots=True)
class Terms:
    """All in seconds of a monotonic clock."""

    ttl: float = DEFAULT_TTL

    @property
    def renew(self) -> float:
        """From one renewal to the next, and from one look at the others' leases to the next."""
        return self.ttl / 4

    @property
    def call(self) -> float:
        """That DynamoDB may take to answer: a renewal is tried twice before the bind must go."""
        return self.ttl / 8

    @property
    def again(self) -> float:
        """From a failed renewal to the next try, and at least from one look to the next."""
        return self.ttl / 80

    @property
    def fade(self) -> float:
        """After the last good renewal: nothing more is submitted, and the bind logs out when its window is empty."""
        return self.ttl * 7 / 16

    @property
    def close(self) -> float:
        """After the last good renewal: the socket is closed."""
        return self.ttl / 2

    @property
    def watched(self) -> float:
        """That a lease must have been seen untouched before another takes it: 25 s where the lease has 20 s."""
        return self.ttl * 5 / 4

    @property
    def beat(self) -> float:
        """From one heartbeat to the next."""
        return self.ttl / 40

    @property
    def silence(self) -> float:
        """Without a heartbeat: the supervisor kills the relay."""
        return self.ttl / 2

    @property
    def rest(self) -> float:
        """For which a task that cannot reach an SMSC leaves it to the others."""
        return self.ttl * 15


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--lease-ttl` and `--no-leases`."""
    parser.add_argument(
        "--lease-ttl",
        type=_ttl,
        default=DEFAULT_TTL,
        metavar="SECONDS",
        help="how long a bind is leased for: the shorter, the sooner another task takes over, and the more is written "
        "(default: %(default)g)",
    )
    parser.add_argument(
        "--no-leases", action="store_true", help="open every bind without a lease: this is the only task there is"
    )


def _ttl(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not LEAST_TTL <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, {LEAST_TTL:g} at least")
    return seconds
