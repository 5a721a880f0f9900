"""What becomes of an MT whose segments have been answered, or will not be: told, given back, or given up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Final

from chalicelib import attempts, telemetry, waypoints
from chalicelib.attempts import Aside, Hold, Wait
from chalicelib.ledger_items import PartState
from chalicelib.records import Outcome
from smsc_relay import lookup
from smsc_relay.bind import Bind
from smsc_relay.jobs import BACK, Job, Known, State, Told
from smsc_relay.journal import Journal
from smsc_relay.lanes import Places
from smsc_relay.order import Order
from smsc_relay.outbox import Outbox
from smsc_relay.queue_client import describe
from smsc_relay.returns import Returns
from smsc_relay.steady import now_ms

SLOWED: Final = 20_000  # ms for which a message rests that has been throttled for long
PROOF: Final = 3.0  # s between two looks for a receipt of what is in doubt
EXPIRED: Final = "expired"
NO_ANSWER: Final = "in doubt: the SMSC has not answered"


class _Telling:
    """An outcome on its way to events.fifo."""

    __slots__ = ("_bind", "_known", "_settling")

    def __init__(self, settling: Settling, known: Known, bind: Bind | None) -> None:
        self._settling, self._known, self._bind = settling, known, bind

    def settled(self, problem: Exception | None) -> bool:
        """It goes again until SQS has it: meanwhile its record stays, and counts as unrecorded."""
        if problem is not None:
            return False
        waypoints.reached("relay.outcome_queued")
        self._settling.recorded(self._known, self._bind)
        return True


class Settling:
    """For one link. `paused_until` answers until when (ms) nothing is submitted because the account is in trouble;
    `goes_on` whether a job may still be submitted where it is; `changed` is called when there is more room."""

    def __init__(
        self,
        order: Order,
        places: Places,
        returns: Returns,
        outbox: Outbox,
        journal: Journal,
        threads: Executor,
        *,
        goes_on: Callable[[Job], bool],
        paused_until: Callable[[], int],
        changed: Callable[[], None],
    ) -> None:
        self._order, self._places, self._returns = order, places, returns
        self._outbox, self._journal, self._threads = outbox, journal, threads
        self._goes_on, self._paused_until, self._changed = goes_on, paused_until, changed
        self._writing: set[asyncio.Task[None]] = set()
        self.unrecorded = 0  # outcomes on their way

    @property
    def pending(self) -> int:
        """What is not yet handed on."""
        return self.unrecorded + len(self._writing)

    # --- outcomes -----------------------------------------------------------------------------------------------------

    def tell(self, job: Job, index: int, told: Told, bind: Bind | None = None) -> None:
        """A segment has ended: have λ record know. It counts as unrecorded on `bind` until SQS has it."""
        self.note(job, index, told, bind)
        self.publish(job, index, told, bind)

    def note(self, job: Job, index: int, told: Told, bind: Bind | None = None) -> None:
        """The first half of `tell`: no copy of it is sent from now on. `publish` must follow before the bind
        ends."""
        job.known.told[index] = told
        self._count(1, job.known, bind)

    def publish(self, job: Job, index: int, told: Told, bind: Bind | None = None) -> None:
        """The other half. What a fault of ours keeps from being told has not been noted either."""
        known, record = job.known, job.record
        try:
            outcome = Outcome(
                key=record.key,
                aggregator=record.aggregator,
                part=index,
                total=max(1, len(job.parts) or job.total),
                accepted=told.accepted,
                external_id=told.external_id,
                destination=record.message.to,
                reason=told.reason,
                code=told.code,
                at=told.at or now_ms(),
                silent=told.silent,
                recorded=told.recorded,
            )
            self._outbox.put(outcome, _Telling(self, known, bind))
        except Exception:
            if not told.recorded:
                known.told.pop(index, None)
            self._count(-1, known, bind)
            raise

    def _count(self, change: int, known: Known, bind: Bind | None) -> None:
        self.unrecorded += change
        known.unrecorded += change
        if bind is not None:
            bind.unrecorded += change

    def recorded(self, known: Known, bind: Bind | None) -> None:
        """SQS has an outcome."""
        self._count(-1, known, bind)
        if not known.unrecorded:
            leaving, known.leaving = known.leaving, []
            for job in leaving:
                self._returns.delete(job)
        self._changed()

    def fail(self, job: Job, reason: str, code: str = "") -> None:
        """The message fails with its first segment that has not been submitted."""
        open_part = next((part for part in job.parts if part.state is not State.TOLD and not part.flying), None)
        if open_part is not None:
            open_part.state = State.TOLD
            index = open_part.index
        else:
            index = next(index for index in range(len(job.known.told) + 1) if index not in job.known.told)
        job.halted = True
        self._journal.hop(job, reason if reason == EXPIRED else "refused", part=index, reason=reason, code=code)
        self.tell(job, index, Told(accepted=False, reason=reason, code=code))
        self.settle(job)

    def tell_again(self, job: Job) -> None:
        """The ledger knows how the message ended; the copy that is here may be there because nobody else does."""
        for index, told in list(job.known.told.items()):
            if told.recorded:
                self.tell(job, index, told)
        self._conclude(job)

    # --- the end of a job ---------------------------------------------------------------------------------------------

    def settle(self, job: Job) -> None:
        """Decide on a job if nothing more is to be waited for."""
        if job.settled or job.flying:
            return
        if job.known.failed or (job.begun and all(part.state is State.TOLD for part in job.parts)):
            self._conclude(job)
            return
        states = {part.state for part in job.parts}
        worst = next((state for state in BACK if state in states), None)
        if worst is State.DOUBTFUL:
            self._doubtful(job)
        elif worst is not None or job.halted or not self._goes_on(job):
            self._back(job, worst)

    def _conclude(self, job: Job) -> None:
        self._finish(job)
        self._order.remove(job)
        if job.known.unrecorded:
            job.known.leaving.append(job)
        else:
            self._returns.delete(job)
        self._changed()

    def _finish(self, job: Job) -> None:
        """Nothing of it is submitted any more."""
        job.settled = job.halted = True
        self._places.weigh(job, 0)
        if job.bind is not None:
            job.bind.jobs.discard(job)

    def _doubtful(self, job: Job) -> None:
        if job.config.in_doubt == "resend" or job.config.proof_wait:
            self._back(job, State.DOUBTFUL)
        else:
            self.give_up(job, [part.index for part in job.parts if part.state is State.DOUBTFUL])

    def give_up(self, job: Job, doubtful: Iterable[int]) -> None:
        """A message whose segments are in doubt is not sent again: `in_doubt` is fail, or ask."""
        if job.config.in_doubt == "fail":
            for index in doubtful:
                self.tell(job, index, Told(accepted=False, reason=NO_ANSWER))
            self._conclude(job)
        else:
            self.bury(job, f"{NO_ANSWER}, and the channel says ask")

    def prove(self, job: Job, index: int, told: Told) -> None:
        """A segment that was in doubt has been accepted: there is a receipt of it."""
        self._journal.count("proven", job.record.aggregator)
        self._journal.hop(job, "wired", part=index, external_id=told.external_id, reason="a receipt of it has come")
        self.tell(job, index, told)

    def wait_for_proof(self, job: Job, seconds: float) -> None:
        """Look again in so many seconds, or a few, whether there is a receipt of what is in doubt."""
        self._return(job, self._until_proof(job, seconds), {})

    def _until_proof(self, job: Job, seconds: float = PROOF) -> Wait:
        """Whole seconds, as SQS counts, though the message expire meanwhile."""
        now, seconds = now_ms(), max(1, round(min(seconds, PROOF)))
        wait = attempts.until(job.standing(), now + 1000 * seconds, now)
        return Hold(seconds) if isinstance(wait, Hold) else wait

    def bury(self, job: Job, reason: str) -> None:
        """The record needs a human."""
        self._finish(job)
        self._order.remove(job)
        self._journal.hop(job, "buried", reason=reason)
        self._returns.bury(job.received, job.until, reason, job)
        self._changed()

    def drop(self, job: Job) -> None:
        """Nothing is to be done for the record any more."""
        self._conclude(job)

    def _back(self, job: Job, why: State | None) -> None:
        """Back to the lane, or aside; first the ledger is told of what has been accepted, and of what may be."""
        self._return(job, self._wait(job, why), _doubts(job))

    def _return(self, job: Job, wait: Wait, doubts: dict[int, PartState]) -> None:
        self._finish(job)
        told = {index: one for index, one in job.known.told.items() if one.accepted and not one.recorded}
        if told or doubts:
            task = asyncio.get_running_loop().create_task(self._write_and_leave(job, told, doubts, wait))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        else:
            self.leave(job, wait)

    def _wait(self, job: Job, why: State | None) -> Wait:
        now = now_ms()
        if why in (State.DOUBTFUL, State.REFUSED):
            job.known.trouble_since = job.known.trouble_since or job.record.trouble_since or now
            self._journal.count("retried", job.record.aggregator)
            wait = attempts.after_failure(job.standing(), now, spread())
            proof = why is State.DOUBTFUL and job.config.proof_wait and isinstance(wait, Hold)
            return self._until_proof(job) if proof else wait
        moment = {State.PAUSED: self._paused_until(), State.SLOWED: now + SLOWED}.get(why or State.TO_DO, now)
        return attempts.until(job.standing(), moment, now, spread())

    async def _write_and_leave(self, job: Job, told: dict[int, Told], doubts: dict[int, PartState], wait: Wait) -> None:
        total = len(job.parts) or job.total
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._threads, lookup.write_down, job.record, total, told, doubts, now_ms())
        except Exception as error:
            # λ record does it from the outcomes, and this process remembers.
            telemetry.logger().warning("not_written_down", extra={**job.keys(), "error": describe(error)})
            left = [index for index in doubts if index not in job.known.told]  # answers may have come late
            if left and job.config.in_doubt != "resend":  # another process that has it next would not know
                self.give_up(job, left)
                return
        self.leave(job, wait)

    def leave(self, job: Job, wait: Wait) -> None:
        """Have a job wait outside, with those of its contact behind it where their order is kept."""
        if isinstance(wait, Aside):
            self._finish(job)
            self._order.remove(job)
            self._returns.put_aside(job, wait)
        else:
            jobs = self._order.remove_from(job)
            for one in jobs:
                self._finish(one)
            self._returns.give_back(jobs, wait.seconds)
        self._changed()

    def release(self) -> None:
        """Give back all that has not been submitted: nothing can be, for now."""
        now = now_ms()
        for job in list(self._order):
            if job.settled:
                continue
            if job.begun:
                self.settle(job)
            else:
                self.leave(job, attempts.until(job.standing(), now, now, spread()))

    def lose(self, job: Job) -> None:
        """Our time with the record, and those behind it, is over: they are, or will be, given to somebody again."""
        for one in self._order.remove_from(job):
            self._finish(one)
            self._returns.forget(one)


def _doubts(job: Job) -> dict[int, PartState]:
    """Its segments of which a receipt may tell that they were accepted."""
    if not job.config.proof_wait:
        return {}
    now, clock = now_ms(), asyncio.get_running_loop().time()
    job.known.doubts |= {
        part.index: PartState.in_doubt(
            now - round(1000 * (clock - part.submitted)), job.known.doubt[0], silent=part.segment.silent
        )
        for part in job.parts
        if part.state is State.DOUBTFUL
    }
    return dict(job.known.doubts)


def spread() -> float:
    """A random number for waits that must not end together."""
    return random.random()  # noqa: S311 - spreads load, no secret
