"""Events on their way to events.fifo: ten a call, in order per group, side by side otherwise.

An event that SQS calls invalid goes to the dead-letter queue, and is safe there: nothing that the SMSC has sent may
stay without an answer because of what it says, and nothing it was answered may keep a record in its lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from chalicelib import queues, telemetry
from chalicelib.queues import Entry, RefusedBySqs
from chalicelib.records import Event
from smsc_relay.batches import Batches
from smsc_relay.queue_client import Queues, Results

AT_A_TIME: Final = 8  # calls


class Parcel(Protocol):
    """Who waits for an event to be safe."""

    def settled(self, problem: Exception | None) -> bool:
        """None: SQS has the event. Answers False to have it sent again."""


class _Posted(NamedTuple):
    entry: Entry
    parcel: Parcel


class Outbox:
    """The way to events.fifo, shared by all links."""

    def __init__(self, sqs: Queues) -> None:
        self._sqs = sqs
        self._batches: Batches[_Posted] = Batches(
            queues.EVENTS,
            self._send,
            lambda posted, problem: posted.parcel.settled(problem),
            at_a_time=AT_A_TIME,
            octets=lambda posted: len(posted.entry.body),
        )

    def put(self, event: Event, parcel: Parcel) -> None:
        """Have `event` sent; `parcel` is told when it is safe."""
        entry = queues.event_entry(event)
        self._batches.put(entry.group, _Posted(entry, parcel))

    @property
    def pending(self) -> int:
        """Events that are not safe yet."""
        return self._batches.pending

    async def _send(self, posted: Sequence[_Posted]) -> Results:
        results = await self._sqs.send(queues.EVENTS, [one.entry for one in posted])
        return [
            await self._bury(one.entry, problem) if isinstance(problem, RefusedBySqs) else problem
            for one, problem in zip(posted, results, strict=True)
        ]

    async def _bury(self, entry: Entry, refusal: RefusedBySqs) -> Exception | None:
        try:
            # Its own group may be what SQS refuses.
            await self._sqs.bury(queues.EVENTS, entry.body, queues.digest(entry.group), str(refusal))
        except Exception as error:
            return error
        telemetry.logger().error("buried", extra={"queue": queues.EVENTS, "reason": str(refusal)})
        return None
