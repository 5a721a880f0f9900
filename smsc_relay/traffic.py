"""The MTs of one link: begun in order, submitted within window and pace, and what the SMSC answers.

All segments of a message go over one bind. A throttled segment is put by for a moment, alone; the pace slows down, the
link goes on. Nothing here is a task or a timer per message: one timer wakes the link for its next turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final

from chalicelib import telemetry, waypoints
from chalicelib.clock import now_ms
from smsc_relay.accounts import Account
from smsc_relay.bind import REFUSED_STEPS, Bind
from smsc_relay.jobs import Job, Part, State, Told, reference
from smsc_relay.journal import Journal
from smsc_relay.lanes import AHEAD, Places
from smsc_relay.order import Order
from smsc_relay.pace import Pace
from smsc_relay.protocol import Accepted, CannotEncode, Rejected, Unanswered, Verdict
from smsc_relay.queue_client import describe
from smsc_relay.returns import Hold, Returns
from smsc_relay.settling import EXPIRED, Settling, spread

DEFER: Final = 0.25  # s until a throttled segment is submitted again; doubled each time
LONGEST_DEFER: Final = 5.0  # s
DEFERRED_FOR: Final = 20.0  # s of being throttled after which a message goes back to its lane, and makes room
UNDELETED: Final = 500  # records done with and still in their lane: beyond it nothing is received
PROBES: Final = 2  # places of an account that was in trouble: one for each lane
CUT_OTHERWISE: Final = "its first segments were sent when this account cut messages in another way"


class Traffic:
    """For one link."""

    def __init__(self, account: Account, order: Order, returns: Returns, journal: Journal, hold: Hold) -> None:
        self.account = account
        self.order, self.journal = order, journal
        self._returns, self._hold = returns, hold
        self._loop = asyncio.get_running_loop()
        self.pace = Pace(account.config.max_tps, self._loop.time())
        self.places = Places(self.capacity)
        self.settling: Settling  # set by the link
        self.binds: list[Bind] = []  # that have logged in
        self._deferred: list[tuple[float, int, Part]] = []
        self._number = count()
        self._timer: asyncio.TimerHandle | None = None
        self._due = False
        self._closed = False
        self._paused_until = 0.0
        self._setbacks = 0  # pauses since the account was last well

    # --- how much may be in hand --------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """Something can be submitted, now or as soon as the window has room."""
        return not self._closed and bool(self.binds) and self._loop.time() >= self._paused_until

    def now(self) -> float:
        """The event loop's clock."""
        return self._loop.time()

    @property
    def flying(self) -> int:
        """Segments whose answer is due."""
        return sum(part.flying for job in self.order for part in job.parts)

    def capacity(self) -> int:
        """Places for messages: the windows and ten; few where the account must show that it is well again."""
        if not self.open or self._returns.undeleted > UNDELETED:
            return 0
        if self._setbacks:
            return PROBES
        window = sum(bind.window for bind in self.binds if bind.unrecorded < bind.most_unrecorded)
        return window + AHEAD if window else 0

    def goes_on(self, job: Job) -> bool:
        """The job may be submitted where it is."""
        return self.open and job.bind is not None and job.bind.ready

    def paused_until(self) -> int:
        """When the account is tried again, in ms since the epoch."""
        return now_ms() + round(1000 * max(0.0, self._paused_until - self._loop.time()))

    # --- binds come and go --------------------------------------------------------------------------------------------

    def up(self, bind: Bind) -> None:
        """A bind has logged in."""
        if bind.role.submits and bind not in self.binds:
            self.binds.append(bind)
        self.places.changed.set()
        self.pump_soon()

    def down(self, bind: Bind, lost: Sequence[Any]) -> None:
        """A bind has ended: its open window is in doubt, and what waited for it goes another way."""
        if bind in self.binds:
            self.binds.remove(bind)
        flying = (part for job in bind.jobs for part in job.parts)
        for part in [part for part in dict.fromkeys((*lost, *flying)) if part.flying]:
            self._in_doubt(part, "the connection ended")
        for job in list(bind.jobs):
            if self.open and not job.halted and all(part.state in (State.TO_DO, State.DEFERRED) for part in job.parts):
                self._unbegin(job)
            else:
                self.settling.settle(job)
        bind.queue.clear()
        bind.again.clear()
        if not self.open:
            self.settling.release()
        self.pump_soon()

    def close(self) -> None:
        """Nothing is submitted any more: what has not been goes back to its lane."""
        self._closed = True
        self.settling.release()

    def _unbegin(self, job: Job) -> None:
        """Nothing of it has been submitted: another bind may take it as it came."""
        if job.bind is not None:
            job.bind.jobs.discard(job)
        for part in job.parts:
            part.state = State.TOLD  # where it still waits, it is passed over
        job.bind, job.parts, job.begun = None, (), False
        self.places.weigh(job, 1)
        self.order.put_back(job)

    # --- submitting ---------------------------------------------------------------------------------------------------

    def pump_soon(self) -> None:
        """`pump` once, whatever else happens in this turn of the loop."""
        if not self._due:
            self._due = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Submit what window and pace allow."""
        self._due = False
        now = self._loop.time()
        self._take_up(now)
        if not self.open:
            return
        rooms = [bind for bind in self.binds if bind.room > 0]
        used: dict[Bind, None] = {}
        submitted = 0
        while rooms:
            wait = self.pace.wait(now)
            if wait > 0:
                self._wake(now + wait)
                break
            bind = rooms[0] if len(rooms) == 1 else max(rooms, key=lambda one: one.room)
            part = self._next(bind, now)
            if part is None:
                rooms.remove(bind)
                continue
            self.pace.spend(now)
            part.state = State.FLYING
            assert bind.connection is not None  # noqa: S101 - it has room
            bind.connection.conversation.submit(part.segment, part, now)
            used[bind] = None
            submitted += 1
            if bind.room <= 0:
                rooms.remove(bind)
        for bind in used:
            bind.flush()
        for _ in range(submitted):
            waypoints.reached("relay.submitted")

    def _next(self, bind: Bind, now: float) -> Part | None:
        """The segment to submit next over `bind`."""
        while bind.again:
            part = bind.again.popleft()
            if self._may_go(part, now):
                return part
        while True:
            while bind.queue:
                for part in bind.queue[0].parts:
                    if self._may_go(part, now):
                        return part
                bind.queue.popleft()
            job = self.order.take()
            if job is None:
                return None
            if self._begin(job, bind, now):
                bind.queue.append(job)

    def _may_go(self, part: Part, now: float) -> bool:
        job = part.job
        if part.state is not State.TO_DO or job.halted:
            return False
        if part.index in job.known.told:  # a late answer to an earlier copy
            part.state = State.TOLD
            self.places.weigh(job, max(0, job.weight - 1))
            self.settling.settle(job)
            return False
        if now_ms() >= job.record.expires_at:
            self.settling.fail(job, EXPIRED)
            return False
        if job.until - now < self._hold.needed:
            self._out_of_time(job, now)
            return False
        return True

    def _out_of_time(self, job: Job, now: float) -> None:
        """SQS has not let us keep the record: it might be given to somebody else before the answer is here."""
        job.halted = True
        if job.until <= now and not job.flying:
            self.settling.lose(job)
        else:
            self.settling.settle(job)

    def _begin(self, job: Job, bind: Bind, now: float) -> bool:
        """Cut a message; False where there is nothing of it to submit."""
        known, record = job.known, job.record
        if known.failed:
            self.settling.tell_again(job)
            return False
        if now_ms() >= record.expires_at:
            self.settling.fail(job, EXPIRED)
            return False
        if job.until - now < self._hold.needed:
            self._out_of_time(job, now)
            return False
        try:
            plan = self.account.dialect.plan(record.message, job.config, reference(record.key))
        except CannotEncode as refusal:
            self.settling.fail(job, str(refusal))
            return False
        except Exception as error:
            telemetry.logger().exception("cannot_be_cut", extra=job.keys())
            self.settling.bury(job, f"the relay cannot cut it: {describe(error)}")
            return False
        if job.total not in (0, len(plan.segments)) and known.told:
            self.settling.fail(job, CUT_OTHERWISE)
            return False
        job.parts = tuple(Part(job, segment) for segment in plan.segments)
        for part in job.parts:
            if part.index in known.told:
                part.state = State.TOLD
        left = sum(part.state is State.TO_DO for part in job.parts)
        if not left:
            self.settling.tell_again(job)
            return False
        self.places.weigh(job, left)
        job.begun, job.bind = True, bind
        bind.jobs.add(job)
        self.journal.hop(job, "claimed", bind=bind.name, parts=len(job.parts), encoding=plan.encoding)
        return True

    # --- answers ------------------------------------------------------------------------------------------------------

    def accepted(self, bind: Bind, answer: Accepted) -> None:
        """A segment has been accepted, perhaps after we had given up waiting."""
        part: Part = answer.context
        now = self._loop.time()
        waypoints.reached("relay.answered")
        if not answer.late:
            self.pace.taken(now)
        self._well()
        job = part.job
        ms = round(answer.rtt * 1000)
        self.journal.hop(job, "wired", part=part.index, external_id=answer.external_id, ms=ms, bind=bind.name)
        self._ended(part, State.TOLD)
        self.settling.tell(job, part.index, Told(accepted=True, external_id=answer.external_id), bind)
        self.settling.settle(job)

    def rejected(self, bind: Bind, answer: Rejected) -> None:
        """A segment has been refused."""
        part: Part = answer.context
        now = self._loop.time()
        job, verdict = part.job, answer.verdict
        waypoints.reached("relay.answered")
        if answer.late and (verdict is not Verdict.PERMANENT or part.index in job.known.told):
            return  # it has been decided what to do, and it was no second message
        hop = {Verdict.PERMANENT: "refused", Verdict.THROTTLED: "throttled", Verdict.ACCOUNT: "paused"}
        self.journal.hop(
            job, hop.get(verdict, "retry"), part=part.index, reason=answer.reason, code=answer.code, bind=bind.name
        )
        if verdict is Verdict.THROTTLED:
            self._throttled(part, now)
            return
        if not answer.late:
            self.pace.taken(now)
        job.halted = True
        if verdict is Verdict.PERMANENT:
            self._well()
            self._ended(part, State.TOLD)
            self.settling.tell(job, part.index, Told(accepted=False, reason=answer.reason, code=answer.code), bind)
        elif verdict is Verdict.ACCOUNT:
            self._ended(part, State.PAUSED)
            self.pause(f"{answer.reason} {answer.code}".strip())
        else:
            self._ended(part, State.REFUSED)
        self.settling.settle(job)

    def unanswered(self, answer: Unanswered) -> None:
        """No answer in time."""
        part: Part = answer.context
        self._in_doubt(part, f"no answer for {answer.waited:.0f} s")
        self.settling.settle(part.job)

    def _in_doubt(self, part: Part, reason: str) -> None:
        part.job.halted = True
        self._ended(part, State.DOUBTFUL)
        self.journal.count("in_doubt", self.account.name)
        self.journal.hop(part.job, "in_doubt", part=part.index, reason=reason)

    def _ended(self, part: Part, state: State) -> None:
        if part.flying:
            self.places.weigh(part.job, max(0, part.job.weight - 1))
        part.state = state

    # --- too fast -----------------------------------------------------------------------------------------------------

    def _throttled(self, part: Part, now: float) -> None:
        self.journal.count("throttled", self.account.name)
        self.pace.throttled(now)
        part.since = part.since or now
        delay = min(LONGEST_DEFER, DEFER * 2**part.tries) * (0.5 + spread())
        part.tries += 1
        if now + delay - part.since > DEFERRED_FOR:
            part.job.halted = True
            self._ended(part, State.SLOWED)
        else:
            part.state = State.DEFERRED
            heappush(self._deferred, (now + delay, next(self._number), part))
            self._wake(now + delay)
        self.settling.settle(part.job)

    def _take_up(self, now: float) -> None:
        """Deferred segments whose time has come."""
        while self._deferred and self._deferred[0][0] <= now:
            part = heappop(self._deferred)[2]
            if part.state is State.DEFERRED and part.job.bind is not None:
                part.state = State.TO_DO
                part.job.bind.again.append(part)
        if self._deferred:
            self._wake(self._deferred[0][0])

    def _wake(self, at: float) -> None:
        """Have `_pump` run at that time, at the latest."""
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._pump()

    # --- the account's trouble ----------------------------------------------------------------------------------------

    def pause(self, reason: str) -> None:
        """Nothing will be accepted for a while: wait longer each time, then see whether one message is."""
        now = self._loop.time()
        if now < self._paused_until:
            return
        step = REFUSED_STEPS[min(self._setbacks, len(REFUSED_STEPS) - 1)]
        self._setbacks += 1
        seconds = self.account.config.refused_delay * step
        self._paused_until = now + seconds
        extra = {"aggregator": self.account.name, "reason": reason, "retry_in_s": round(seconds, 1)}
        telemetry.logger().error("channel_down", extra=extra)
        self.journal.count("channel_down", self.account.name)
        self._loop.call_at(self._paused_until, self._resume)
        self._loop.call_soon(self.settling.release)

    def _well(self) -> None:
        """The account is not in trouble."""
        if self._setbacks:
            self._setbacks = 0
            self.places.changed.set()

    def _resume(self) -> None:
        self.places.changed.set()
        self.pump_soon()
