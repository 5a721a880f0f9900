"""MOs and DLRs on their way from a bind to events.fifo: acknowledged to the SMSC only when SQS has them.

What waits is bounded, in number and in time: beyond that the SMSC is told to keep it, and sends it again later. So an
outage of AWS loses nothing and fills no memory.
"""

from __future__ import annotations

import asyncio
from typing import Final

from chalicelib import telemetry, waypoints
from smsc_relay.connection import Connection
from smsc_relay.outbox import Outbox
from smsc_relay.protocol import Arrived

MOST: Final = 1_000  # events of a link on their way
PATIENCE: Final = 20.0  # s: SMSCs wait half a minute and more for an answer, and some hang up after it


class _Arrival:
    """One request of the SMSC, until its last event is safe."""

    __slots__ = ("_arrivals", "_connection", "_left", "_since", "_token")

    def __init__(self, arrivals: Arrivals, connection: Connection, arrived: Arrived, since: float) -> None:
        self._arrivals, self._connection, self._token = arrivals, connection, arrived.token
        self._left = len(arrived.events)
        self._since = since

    def settled(self, problem: Exception | None) -> bool:
        """An event of it is safe, or SQS did not take it."""
        if problem is None:
            waypoints.reached("relay.mo_queued")
            self._left -= 1
            if not self._left:
                self._connection.acknowledge(self._token)
        elif self._left > 0 and (not self._connection.open or self._arrivals.now() - self._since > PATIENCE):
            self._left = 0  # none of its events is waited for any more
            self._connection.decline(self._token)
            telemetry.logger().warning("declined", extra={"aggregator": self._arrivals.aggregator})
        elif self._left > 0:
            return False
        self._arrivals.pending -= 1
        return True


class Arrivals:
    """For one link."""

    def __init__(self, aggregator: str, outbox: Outbox) -> None:
        self.aggregator, self._outbox = aggregator, outbox
        self.now = asyncio.get_running_loop().time
        self.pending = 0  # events on their way

    def arrived(self, connection: Connection, arrived: Arrived) -> None:
        """The SMSC has sent something."""
        if not arrived.events:
            connection.acknowledge(arrived.token)
            return
        if self.pending >= MOST:
            connection.decline(arrived.token)
            return
        arrival = _Arrival(self, connection, arrived, self.now())
        self.pending += len(arrived.events)
        for event in arrived.events:
            self._outbox.put(event, arrival)
