"""How the records of a link leave our hands: deleted, given back, put aside, buried; and how we keep them meanwhile.

A record is ours until `Job.until`, by the event loop's clock and counted from before the call that made it so: SQS may
have counted from later, never from earlier. At half time it is hidden for longer.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib import queues, telemetry, waypoints
from chalicelib.attempts import Aside
from chalicelib.queues import Received
from chalicelib.records import LaterRecord
from smsc_relay.alarm import Alarm
from smsc_relay.batches import Batches
from smsc_relay.jobs import Job
from smsc_relay.journal import Journal
from smsc_relay.queue_client import HandleExpired, Queues, Results, describe
from smsc_relay.steady import now_ms

UNBURIED: Final = 10  # s until a record is given again that could not be buried
UNHURRIED: Final = 0.1  # s that a delete waits for others to share its call: nobody waits for it
TRIES: Final = 5  # of a call that gives a record back: its visibility ends by itself


@dataclass(frozen=True, slots=True)
class Hold:
    """How long SQS is to hide our records from others."""

    visibility: int  # s: asked for when a record is received, and at half time again
    half: float  # s after it was received, or hidden for longer, that it is hidden for longer again
    needed: float  # s that must remain when a segment is submitted: its answer, and the record of it

    @classmethod
    def over(cls, response_timeout: float, *, spare: float, poll: float) -> Hold:
        """For submits that are answered within `response_timeout` s, records that are received after up to `poll` s.

        Half of it is enough for a submit, so that it never waits for an extension.
        """
        visibility = min(queues.MAX_VISIBILITY, round(2 * (response_timeout + spare) + poll + 2))
        half = (visibility - poll) / 2
        return cls(visibility, half, min(response_timeout + spare, half - 1))


@dataclass(slots=True)
class _Leave:
    """A wish about one record: delete it (None), or hide it for `seconds`."""

    received: Received
    until: float
    job: Job | None = None
    seconds: int | None = None
    extends: bool = False
    tries: int = 0


@dataclass(slots=True)
class _Put:
    """A record that is to wait in `later`."""

    job: Job
    record: LaterRecord


class Returns:
    """For the two lanes of one link. `changed` is called when a record is out of its lane."""

    def __init__(
        self, sqs: Queues, lanes: Iterable[str], hold: Hold, journal: Journal, changed: Callable[[], None]
    ) -> None:
        self._sqs, self._hold, self._journal, self._changed = sqs, hold, journal, changed
        self._deletes = {lane: self._calls("delete", lane) for lane in lanes}
        self._hides = {lane: self._calls("hide", lane) for lane in lanes}
        self._later: Batches[_Put] = Batches(
            queues.LATER, self._send_later, self._put_aside, octets=lambda put: len(put.record.body)
        )
        self._kept: OrderedDict[Job, float] = OrderedDict()  # when each is due to be hidden for longer
        self._alarm = Alarm(self._extend)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def pending(self) -> int:
        """Calls that are due."""
        batches: list[Batches[_Leave]] = [*self._deletes.values(), *self._hides.values()]
        return sum(one.pending for one in batches) + self._later.pending + len(self._tasks)

    @property
    def undeleted(self) -> int:
        """Records that are done with and still in their lane."""
        return sum(one.pending for one in self._deletes.values())

    # --- keeping them -------------------------------------------------------------------------------------------------

    def keep(self, job: Job) -> None:
        """Keep the record hidden from others until it leaves."""
        due = asyncio.get_running_loop().time() + self._hold.half
        self._kept.pop(job, None)
        self._kept[job] = due
        self._alarm.at(due)

    def _extend(self) -> None:
        """Hide for longer what is at half time."""
        now = asyncio.get_running_loop().time()
        while self._kept:
            job, due = next(iter(self._kept.items()))
            if due > now:
                self._alarm.at(due)
                return
            del self._kept[job]
            self._hide(job, self._hold.visibility, extends=True)

    def _hide(self, job: Job, seconds: int, *, extends: bool = False) -> None:
        received = job.received
        wish = _Leave(received, job.until, job, seconds, extends)
        # One record's wishes go one after the other: an extension must not overtake, or undo, its return.
        self._hides[received.queue].put(received.message_id, wish)

    # --- leaving ------------------------------------------------------------------------------------------------------

    def delete(self, job: Job) -> None:
        """The record is done with, and what became of it is safe."""
        self._let_go(job)
        self.remove(job.received, job.until)

    def remove(self, received: Received, until: float) -> None:
        """As `delete`, for a record that never became a job."""
        self._deletes[received.queue].put(received.message_id, _Leave(received, until))

    def give_back(self, jobs: Iterable[Job], seconds: float) -> None:
        """SQS gives the records again after `seconds`; the same for all of one contact, or they would be no order."""
        for job in jobs:
            self._let_go(job)
            self._hide(job, round(seconds))

    def put_aside(self, job: Job, wait: Aside) -> None:
        """The record waits in `later`, and comes back as a suspect one."""
        self._let_go(job)
        changes = {"attempt": wait.attempt, "trouble_since": wait.trouble_since, "paced": False, "suspect": True}
        body = job.record.model_copy(update=changes).to_body()
        received = job.received
        record = LaterRecord(queue=received.queue, group=received.group, body=body, not_before=wait.not_before)
        self._journal.hop(job, "later", not_before=wait.not_before)
        self._later.put(received.message_id, _Put(job, record))

    def bury(self, received: Received, until: float, reason: str, job: Job | None = None) -> None:
        """The record needs a human."""
        if job is not None:
            self._let_go(job)
        task = asyncio.get_running_loop().create_task(self._bury(received, until, reason))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def forget(self, job: Job) -> None:
        """Keep the record no longer, and leave it where it is."""
        self._let_go(job)

    def _let_go(self, job: Job) -> None:
        job.held = False
        if job.known.holder is job:
            job.known.holder = None
        self._kept.pop(job, None)

    async def _bury(self, received: Received, until: float, reason: str) -> None:
        extra = {"queue": received.queue, "reason": reason}
        try:
            await self._sqs.bury(received.queue, received.body, received.group, reason)
        except Exception as error:
            telemetry.logger().warning("not_buried", extra={**extra, "error": describe(error)})
            self._hides[received.queue].put(received.message_id, _Leave(received, until, seconds=UNBURIED))
            return
        telemetry.logger().error("buried", extra=extra)
        self.remove(received, until)

    # --- calls --------------------------------------------------------------------------------------------------------

    def _calls(self, kind: str, lane: str) -> Batches[_Leave]:
        async def delete(wishes: Sequence[_Leave]) -> Results:
            return await self._sqs.delete(lane, [wish.received.receipt_handle for wish in wishes])

        async def hide(wishes: Sequence[_Leave]) -> Results:
            began = asyncio.get_running_loop().time()
            found = await self._sqs.hide(lane, [(wish.received.receipt_handle, wish.seconds or 0) for wish in wishes])
            for wish, problem in zip(wishes, found, strict=True):
                if problem is None:
                    wish.until = began + (wish.seconds or 0)
            return found

        if kind == "delete":
            return Batches(f"{kind} {lane}", delete, self._deleted, linger=UNHURRIED)
        return Batches(f"{kind} {lane}", hide, self._hidden)

    def _deleted(self, wish: _Leave, problem: Exception | None) -> bool:
        if problem is None:
            waypoints.reached("relay.deleted")
            self._changed()
            return True
        if isinstance(problem, HandleExpired) or asyncio.get_running_loop().time() > wish.until:
            # It will be given again, found concluded in the ledger, and deleted then.
            telemetry.logger().warning("not_deleted", extra={"queue": wish.received.queue, "error": describe(problem)})
            return True
        return False

    def _hidden(self, wish: _Leave, problem: Exception | None) -> bool:
        job = wish.job
        if problem is None:
            if wish.extends and job is not None and job.held:
                job.until = wish.until
                self.keep(job)
            return True
        wish.tries += 1
        if isinstance(problem, HandleExpired) or asyncio.get_running_loop().time() > wish.until:
            return True
        return not wish.extends and wish.tries >= TRIES

    async def _send_later(self, puts: Sequence[_Put]) -> Results:
        now = now_ms()
        return await self._sqs.send(queues.LATER, [queues.later_entry(put.record, now) for put in puts])

    def _put_aside(self, put: _Put, problem: Exception | None) -> bool:
        job = put.job
        if problem is None:
            self.remove(job.received, job.until)
            return True
        # Once the record is given to somebody again, this copy of it must not be put aside any more.
        return asyncio.get_running_loop().time() > job.until
