"""The MTs of one link: begun in order, submitted within window and pace, and what the SMSC answers.

All segments of a message go over one bind. A throttled segment is put by for a moment, alone; the pace slows down, the
link goes on. Nothing here is a task or a timer per message: one timer wakes the link for its next turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from chalicelib import freezes, telemetry, waypoints
from chalicelib.freezes import Freezes
from chalicelib.ledger_items import PartState
from smsc_relay.accounts import Account
from smsc_relay.alarm import Alarm
from smsc_relay.bind import Bind
from smsc_relay.hearing import Hearing
from smsc_relay.jobs import Job, Part, State, Told
from smsc_relay.journal import Journal
from smsc_relay.lanes import AHEAD, Places
from smsc_relay.meter import Meter
from smsc_relay.order import Order
from smsc_relay.pace import Pace
from smsc_relay.protocol import Accepted, Rejected, Role, Unanswered, Verdict
from smsc_relay.returns import Returns
from smsc_relay.settling import Settling
from smsc_relay.silence import Silence
from smsc_relay.slowing import Slowing
from smsc_relay.starting import Starting
from smsc_relay.steady import now_ms
from smsc_relay.trouble import Trouble

UNDELETED: Final = 500  # records done with and still in their lane: beyond it nothing is received
CANCELLING: Final = 40  # places while what waits is only looked at
DEFERRED: Final = 200  # places beyond the others: throttled segments that wait leave room for those that need not
PROBES: Final = 2  # places of an account that was in trouble: one for each lane


class Traffic:
    """For one link."""

    def __init__(self, account: Account, order: Order, returns: Returns, journal: Journal) -> None:
        self.account = account
        self.order, self.journal = order, journal
        self._returns = returns
        self._loop = asyncio.get_running_loop()
        self.pace = Pace(account.config.max_tps, self._loop.time(), account.config.restart_step)
        self.places = Places(self.capacity)
        self.meter = Meter(self._loop.time())
        self.settling: Settling  # set by the link, as is:
        self.starting: Starting
        self.binds: list[Bind] = []  # that have logged in
        self._accepted: list[tuple[Bind, Accepted, Told]] = []  # noted, not published
        self._alarm = Alarm(self.pump)
        self._due = False
        self._closed = False
        self.trouble = Trouble(account.name, journal, lambda: self.settling.release(), self.pump_soon)
        self._silence = Silence()
        self.slowing = Slowing(account.name, journal, self.meter, self.pace)
        self._out_since = self._loop.time()  # without a bind
        self._hearing = Hearing(self._loop.time)
        self.freezes: Freezes = freezes.NOTHING
        self.frozen = False  # an operator has stopped the account
        self.cancelling = False  # and what waits is received all the same, since some of it has been cancelled

    # --- how much may be in hand --------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """Something can be submitted, now or as soon as the window has room."""
        return bool(self.binds) and not (self.trouble.waiting or self._closed or self.frozen)

    def freeze(self, found: Freezes) -> None:
        """This is what is frozen from now on."""
        account = found.get("aggregator", self.account.name)
        self.freezes, self.frozen = found, bool(account.since)
        self.cancelling = self.frozen and account.cancelled_at >= account.since

    def now(self) -> float:
        """The event loop's clock."""
        return self._loop.time()

    @property
    def flying(self) -> int:
        """Segments whose answer is due."""
        return sum(part.flying for job in self.order for part in job.parts)

    def capacity(self) -> int:
        """Places for messages: the windows, twenty, and as many as wait because they were throttled; few where the
        account must show that it is well again."""
        if self._returns.undeleted > UNDELETED:
            return 0
        if self.cancelling:
            return 0 if self._closed or self.settling.unrecorded > UNDELETED else CANCELLING
        if not self.open:
            return 0
        if self.trouble.setbacks:
            return PROBES
        free = (bind for bind in self.binds if bind.unrecorded < bind.most_unrecorded)
        window = sum(self._silence.window(bind) for bind in free)
        return window + AHEAD + min(len(self.slowing.deferred), DEFERRED) if window else 0

    def under_way_to(self, phone: str) -> bool:
        """A submit to a phone has no answer yet: a receipt may be ahead of it."""
        return any(job.flying for job in self.order if job.record.message.to == phone)

    def goes_on(self, job: Job) -> bool:
        """The job may be submitted where it is."""
        return self.open and job.bind is not None and job.bind.ready

    def proof_wait(self, job: Job, doubtful: Mapping[int, PartState]) -> float:
        """Seconds for which a message still waits for receipts of its segments in doubt: of those with a bind, for an
        SMSC that had nobody to tell tells when the link is back. 0 or less: no more, or none was asked for."""
        if all(part.silent for part in doubtful.values()):
            return 0.0
        known, since = job.known, max(part.trouble_since for part in doubtful.values())
        if known.doubt[0] < since:  # another process has had it, or it was long ago
            known.doubt = since, self._hearing.seconds - min(self._hearing.lasting, (now_ms() - since) / 1000)
        return job.config.proof_wait - (self._hearing.seconds - known.doubt[1])

    # --- binds come and go --------------------------------------------------------------------------------------------

    def up(self, bind: Bind) -> None:
        """A bind has logged in."""
        if bind.role is not Role.TRANSMITTER:
            self._hearing.begin(bind)
        self.trouble.answered()  # it was the connection that was dead
        if bind.role.submits and bind not in self.binds:
            now = self._loop.time()
            if not self.binds and self._was_out(bind, now):
                self.pace.restart(now)
                telemetry.logger().info("restarting_slowly", extra={"aggregator": self.account.name})
            self.binds.append(bind)
        self.pump_soon()

    def _was_out(self, bind: Bind, now: float) -> bool:
        """An outage is over. A bind that was another task's meanwhile has had no trouble here."""
        since = bind.trouble_since
        return since is not None and now - max(self._out_since, since) >= self.account.config.restart_after

    def down(self, bind: Bind, lost: Sequence[Any]) -> None:
        """A bind has ended: its open window is in doubt, and what waited for it goes another way."""
        flying = (part for job in bind.jobs for part in job.parts)
        for part in [part for part in dict.fromkeys((*lost, *flying)) if part.flying]:
            self._in_doubt(part, "the connection ended")
        self._hearing.end(bind)
        self.slowing.refusing.ended(bind)
        self.retire(bind)

    def retire(self, bind: Bind) -> None:
        """Nothing more goes over a bind: what waited for it goes another way, and answers are welcome."""
        self.starting.trace()
        if bind in self.binds:
            self.binds.remove(bind)
            self._out_since = self._loop.time()
        if self.open:
            self._pass_on(bind)
        for job in list(bind.jobs):
            self.settling.settle(job)
        bind.queue.clear()
        bind.again.clear()
        if not self.open:
            self.settling.release()
        self.pump_soon()

    def close(self) -> None:
        """Nothing is submitted any more: what has not been goes back to its lane."""
        self.starting.trace()
        self._closed = True
        self.settling.release()

    def _pass_on(self, bind: Bind) -> None:
        """Another bind may take what has nothing on its way over this one, and nothing told."""
        for job in list(bind.jobs):
            if not job.halted and all(part.state in (State.TO_DO, State.DEFERRED) for part in job.parts):
                self._unbegin(job)

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
            self._loop.call_soon(self.pump)

    def pump(self) -> None:
        """Submit what window and pace allow, and receive what there is room for."""
        self._due = False
        self.refill()
        self.refilled()

    def refill(self) -> None:
        """Submit what window and pace allow; `refilled` must follow."""
        now = self._loop.time()
        for throttled in self.slowing.deferred.due(now):
            if throttled.state is State.DEFERRED and throttled.job.bind is not None:
                throttled.state = State.TO_DO
                throttled.job.bind.again.append(throttled)
        if (due := self.slowing.next(self.binds, now)) is not None:
            self._alarm.at(due)
        if not self.open:
            return
        rooms = {bind: room for bind in self.binds if (room := self._silence.room(bind)) > 0}
        rooms = self.slowing.refusing.rooms(rooms, self.binds, now)
        used: dict[Bind, None] = {}
        submitted = segments = 0
        while rooms:
            wait = self.pace.wait(now)
            if wait > 0:
                self._alarm.at(now + wait)
                break
            bind = next(iter(rooms)) if len(rooms) == 1 else max(rooms, key=rooms.__getitem__)
            part = self._next(bind, now)
            if part is None:
                del rooms[bind]
                continue
            self.pace.spend(now, part.segment.count)
            part.state, part.submitted = State.FLYING, now
            assert bind.connection is not None  # noqa: S101 - it has room
            bind.connection.conversation.submit(part.segment, part, now)
            used[bind] = None
            submitted += 1
            segments += part.segment.count
            rooms[bind] -= 1
            if not rooms[bind]:
                del rooms[bind]
        for bind in used:
            bind.flush()
        self.meter.submitted(segments)
        for _ in range(submitted):
            waypoints.reached("relay.submitted")

    def refilled(self) -> None:
        """Do what is to be done for it and need not come first: note what has gone, receive what there is room for."""
        self.starting.trace()
        self.places.look()

    def _next(self, bind: Bind, now: float) -> Part | None:
        """The segment to submit next over `bind`."""
        while bind.again:
            part = bind.again.popleft()
            if self.starting.may_go(part, now):
                return part
        while True:
            while bind.queue:
                for part in bind.queue[0].parts:
                    if self.starting.may_go(part, now):
                        return part
                bind.queue.popleft()
            job = self.order.take()
            if job is None:
                return None
            if self.starting.begin(job, bind, now):
                bind.queue.append(job)

    # --- answers ------------------------------------------------------------------------------------------------------

    def accepted(self, bind: Bind, answer: Accepted) -> None:
        """A segment has been accepted, perhaps after we had given up waiting. Its place in the window is free from now
        on; `publish_accepted` must follow before the bind ends."""
        part: Part = answer.context
        now = self._loop.time()
        if not answer.late:
            self.pace.taken(now, part.segment.count)
        self._answered(bind, answer, now)
        self.slowing.refusing.accepted(bind, now)
        self.trouble.well()
        told = Told(accepted=True, external_id=answer.external_id, silent=part.segment.silent)
        self._ended(part, State.TOLD)
        self.settling.note(part.job, part.index, told, bind)
        self._accepted.append((bind, answer, told))

    def publish_accepted(self) -> None:
        """Have λ record know what has been accepted. What a fault of ours keeps from being told is in doubt, and costs
        its connection."""
        accepted, self._accepted = self._accepted, []
        for bind, answer, told in accepted:
            part: Part = answer.context
            try:
                self.settling.publish(part.job, part.index, told, bind)
            except Exception:
                telemetry.logger().exception("relay_fault")
                part.state = State.FLYING
                if bind.connection is not None:
                    bind.connection.drop()
            else:
                self._conclude(part, bind, answer)

    def _conclude(self, part: Part, bind: Bind, answer: Accepted) -> None:
        job, ms = part.job, round(answer.rtt * 1000)
        self.journal.hop(
            job,
            "wired",
            part=part.index,
            external_id=answer.external_id,
            smsc_id=answer.written,
            ms=ms,
            bind=bind.name,
        )
        self.settling.settle(job)

    def rejected(self, bind: Bind, answer: Rejected) -> None:
        """A segment has been refused."""
        part: Part = answer.context
        now = self._loop.time()
        job, verdict = part.job, answer.verdict
        self._answered(bind, answer, now)
        if answer.late and (verdict is not Verdict.PERMANENT or part.index in job.known.told):
            return  # it has been decided what to do, and it was no second message
        self.starting.trace()
        hop = {Verdict.PERMANENT: "refused", Verdict.THROTTLED: "throttled", Verdict.ACCOUNT: "paused"}
        self.journal.hop(
            job, hop.get(verdict, "retry"), part=part.index, reason=answer.reason, code=answer.code, bind=bind.name
        )
        if verdict is Verdict.THROTTLED:
            self._throttled(part, answer, now)
            if self.slowing.refused(bind, answer, now):
                self._pass_on(bind)
            return
        self.meter.failed(f"{answer.reason} {answer.code}".strip(), now_ms())
        if not answer.late:
            self.pace.taken(now, part.segment.count)
        job.halted = True
        if verdict is Verdict.PERMANENT:
            self.slowing.refusing.accepted(bind, now)
            self.trouble.well()
            self._ended(part, State.TOLD)
            self.settling.tell(job, part.index, Told(accepted=False, reason=answer.reason, code=answer.code), bind)
        elif verdict is Verdict.ACCOUNT:
            self._ended(part, State.PAUSED)
            self.trouble.refused(f"{answer.reason} {answer.code}".strip(), self.account.config.refused_delay)
        else:
            self._ended(part, State.REFUSED)
        self.settling.settle(job)
        if verdict is Verdict.TEMPORARY and self.slowing.refused(bind, answer, now):
            self._pass_on(bind)

    def _answered(self, bind: Bind, answer: Accepted | Rejected, now: float) -> None:
        waypoints.reached("relay.answered")
        self._silence.answered(bind, answer.context.submitted)
        self.trouble.answered()
        self.meter.answered(answer.rtt, now)

    def unanswered(self, bind: Bind, answer: Unanswered) -> None:
        """No answer in time. Of several binds one that is mute is bound anew: its session hangs. Where nobody hears
        anything the account is in trouble, and its sessions stay, for answers that come late."""
        part: Part = answer.context
        reason = f"{bind.name}: no answer to a submit for {answer.waited:.0f} s"
        self.meter.failed(reason, now_ms())
        self.journal.unanswered(self.account.name, reason, self._loop.time())
        self._in_doubt(part, f"no answer for {answer.waited:.0f} s")
        self.settling.settle(part.job)
        if self._silence.timed_out(bind, part.submitted, self._loop.time()) and self._lives(bind):
            if self._silence.alone(bind):
                telemetry.logger().warning("bind_mute", extra={"aggregator": self.account.name, "reason": reason})
                bind.give_up()
            else:
                self.trouble.silent(reason, self.account.config.refused_delay)

    def _lives(self, bind: Bind) -> bool:
        """The SMSC has said something over it since; a connection that is dead is for the keepalive to find out."""
        connection = bind.connection
        return connection is not None and (connection.heard > self._silence.since(bind) or not connection.asks)

    def _in_doubt(self, part: Part, reason: str) -> None:
        part.job.halted = True
        part.job.known.doubt = now_ms(), self._hearing.seconds
        self._ended(part, State.DOUBTFUL)
        self.journal.count("in_doubt", self.account.name)
        self.starting.trace()
        self.journal.hop(part.job, "in_doubt", part=part.index, reason=reason)

    def _ended(self, part: Part, state: State) -> None:
        if part.flying:
            self.places.weigh(part.job, max(0, part.job.weight - 1))
        part.state = state

    def _throttled(self, part: Part, answer: Rejected, now: float) -> None:
        at = self.slowing.throttled(part, answer, now)
        if at is None:
            part.job.halted = True
            self._ended(part, State.SLOWED)
        else:
            part.state = State.DEFERRED
            self._alarm.at(at)
        self.settling.settle(part.job)
