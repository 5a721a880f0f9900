"""What is asked of an MT before it, or one of its segments, is submitted: is it still wanted, and can it be cut?"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from chalicelib import telemetry
from smsc_relay.bind import Bind
from smsc_relay.jobs import Job, Part, State, reference
from smsc_relay.journal import Journal
from smsc_relay.lanes import Places
from smsc_relay.protocol import CannotEncode, Dialect, Plan
from smsc_relay.queue_client import describe
from smsc_relay.returns import Hold
from smsc_relay.settling import EXPIRED, Settling
from smsc_relay.steady import now_ms

CUT_OTHERWISE: Final = "its first segments were sent when this account cut messages in another way"


class Starting:
    """For one link."""

    def __init__(self, dialect: Dialect, settling: Settling, places: Places, journal: Journal, hold: Hold) -> None:
        self._dialect, self._settling, self._places = dialect, settling, places
        self._journal, self._hold = journal, hold
        self._begun: list[tuple[Job, Bind, Plan]] = []  # not in the trace yet
        self._turn, self._today = 0.0, 0  # the loop's time, and the time of day that it was then

    def prepare(self, job: Job) -> None:
        """Cut a message ahead of its turn, so that an open window does not wait for that. That it cannot be cut is for
        `begin` to tell."""
        with suppress(Exception):
            job.plan = self._cut(job)

    def begin(self, job: Job, bind: Bind, now: float) -> bool:
        """Cut a message; False where there is nothing of it to submit."""
        known = job.known
        if known.told and (known.failed or 0 < job.total <= len(known.told)):
            self._settling.tell_again(job)
            return False
        plan = job.plan or self._plan(job)
        if plan is None:
            return False
        job.parts = tuple([Part(job, segment) for segment in plan.segments])
        left = len(job.parts) - self._told(job)
        if not left:
            self._settling.tell_again(job)
        elif known.told and job.total not in (0, len(job.parts)):
            self._settling.fail(job, CUT_OTHERWISE)
        elif self._expired(job, now):
            self._settling.fail(job, EXPIRED)
        elif job.until - now < self._hold.needed:
            self._out_of_time(job, now)
        else:
            self._places.weigh(job, left)
            job.begun, job.bind = True, bind
            bind.jobs.add(job)
            self._begun.append((job, bind, plan))
            return True
        return False

    def trace(self) -> None:
        """Note what has been begun, now that it is on its way."""
        begun, self._begun = self._begun, []
        for job, bind, plan in begun:
            self._journal.hop(job, "claimed", bind=bind.name, parts=len(plan.segments), encoding=plan.encoding)

    def _told(self, job: Job) -> int:
        """Of how many of its segments it is known how they ended."""
        told = [part for part in job.parts if part.index in job.known.told] if job.known.told else []
        for part in told:
            part.state = State.TOLD
        return len(told)

    def _plan(self, job: Job) -> Plan | None:
        """None: it cannot be cut, which has been dealt with."""
        try:
            return self._cut(job)
        except CannotEncode as refusal:
            self._settling.fail(job, str(refusal))
        except Exception as error:
            telemetry.logger().exception("cannot_be_cut", extra=job.keys())
            self._settling.bury(job, f"the relay cannot cut it: {describe(error)}")
        return None

    def _cut(self, job: Job) -> Plan:
        record = job.record
        return self._dialect.plan(record.message, job.config, reference(record.key))

    def may_go(self, part: Part, now: float) -> bool:
        """A segment is still to be submitted, and may be."""
        job = part.job
        if part.state is not State.TO_DO or job.halted:
            return False
        if part.index in job.known.told:  # a late answer to an earlier copy
            part.state = State.TOLD
            self._places.weigh(job, max(0, job.weight - 1))
            self._settling.settle(job)
            return False
        if self._expired(job, now):
            self.trace()
            self._settling.fail(job, EXPIRED)
            return False
        if job.until - now < self._hold.needed:
            self._out_of_time(job, now)
            return False
        return True

    def _expired(self, job: Job, now: float) -> bool:
        """The time of day is asked for once a turn of the loop."""
        if now != self._turn:
            self._turn, self._today = now, now_ms()
        return self._today >= job.record.expires_at

    def _out_of_time(self, job: Job, now: float) -> None:
        """SQS has not let us keep the record: it might be given to somebody else before the answer is here."""
        job.halted = True
        if job.until <= now and not job.flying:
            self._settling.lose(job)
        else:
            self._settling.settle(job)
