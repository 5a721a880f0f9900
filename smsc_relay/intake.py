"""From a lane's records to jobs in order: read, known again, and looked up where that is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final

from pydantic import ValidationError

from chalicelib import attempts, waypoints
from chalicelib.attempts import Aside
from chalicelib.freezes import Freezes
from chalicelib.queues import Received
from chalicelib.records import LaneRecord, explain
from smsc_relay import lookup
from smsc_relay.accounts import Account, Sender
from smsc_relay.jobs import Job, Memory
from smsc_relay.journal import Journal
from smsc_relay.lookup import Finding
from smsc_relay.returns import Returns
from smsc_relay.settling import PROOF, spread
from smsc_relay.steady import now_ms
from smsc_relay.traffic import Traffic

SETBACK: Final = 10_000  # ms until a record is looked at again that could not be looked up


class Intake:
    """For one link."""

    def __init__(
        self, account: Callable[[], Account], traffic: Traffic, returns: Returns, journal: Journal, threads: Executor
    ) -> None:
        self._account, self._traffic, self._returns = account, traffic, returns
        self._journal, self._threads = journal, threads
        self._memory = Memory()
        self._looking: set[asyncio.Task[None]] = set()

    def take(self, found: Sequence[Received], until: float, bulk: bool) -> None:
        """Records have come, and are ours until then."""
        waypoints.reached("relay.received")
        doubtful: list[tuple[Job, bool]] = []
        now = now_ms()
        for received in found:
            job = self._read(received, until, bulk=bulk)
            if job is None:
                continue
            if received.receive_count == 1:
                self._traffic.meter.received(now - received.sent_at)
            sender = self._account().channels.get(job.record.key.channel)
            cancelled = self._cancelled(job, sender)
            if sender is not None and sender.enabled and sender.config is not None:
                job.config = sender.config
            elif sender is not None and not cancelled:
                self._wait_outside(job)
                continue
            if not cancelled and self._held_back(sender):
                self._wait_outside(job)
                continue
            if job.suspect or sender is None:
                job.checked = False
                doubtful.append((job, sender is None))
            elif not cancelled:
                self._traffic.starting.prepare(job)
            self._returns.keep(job)
            self._traffic.places.enter(job)
            self._traffic.order.add(job)
            if cancelled and job.checked:
                self._cancel(job, cancelled)
        if not self._traffic.open and not self._traffic.cancelling:
            self._traffic.settling.release()  # the link went down while the poll was under way
        elif doubtful:
            task = asyncio.get_running_loop().create_task(self._look_up(doubtful))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)
        self._traffic.pump_soon()

    def _read(self, received: Received, until: float, *, bulk: bool) -> Job | None:
        """A job, unless the record is unreadable, or one that we hold already."""
        try:
            record = LaneRecord.from_body(received.body)
        except ValidationError as error:
            self._returns.bury(received, until, f"not a record of a lane: {explain(error)}")
            return None
        known = self._memory.of(record.key)
        holder = known.holder
        if holder is not None and holder.received.message_id == received.message_id:
            # Our time with it was over without our noticing: its newest handle counts.
            holder.received, holder.until = received, until
            self._returns.keep(holder)
            return None
        job = Job(received, record, self._account().config, until, bulk=bulk)
        job.known = known
        known.holder = job
        return job

    def _wait_outside(self, job: Job) -> None:
        """Its channel is disabled, or its settings cannot be used: it alone waits, not its account."""
        wait = attempts.while_disabled(job.standing(), now_ms(), spread())
        if isinstance(wait, Aside):
            self._returns.put_aside(job, wait)
        else:
            self._returns.give_back([job], wait.seconds)

    # --- what an operator has frozen ----------------------------------------------------------------------------------

    def freeze(self, found: Freezes) -> None:
        """Obey from now on, with what is in hand too. A message that is under way over a bind is finished."""
        traffic = self._traffic
        was = traffic.frozen
        traffic.freeze(found)
        if traffic.frozen and not was:
            traffic.settling.release()
        for job in list(traffic.order):
            if job.settled or job.begun or not job.checked:
                continue
            sender = self._account().channels.get(job.record.key.channel)
            cancelled = self._cancelled(job, sender)
            if cancelled:
                self._cancel(job, cancelled)
            elif self._held_back(sender):
                traffic.settling.leave(job, attempts.while_disabled(job.standing(), now_ms(), spread()))
        traffic.pump_soon()

    def _cancelled(self, job: Job, sender: Sender | None) -> str:
        """Why it is not wanted any more, "" where it is."""
        workspace = sender.workspace if sender else ""
        return self._traffic.freezes.cancelling(self._account().name, workspace, job.record.first_seen)

    def _held_back(self, sender: Sender | None) -> bool:
        """Its workspace is frozen; or its account is, and it has been received because others are cancelled."""
        workspace = sender.workspace if sender else ""
        return self._traffic.cancelling or self._traffic.freezes.holding("", workspace) is not None

    # --- looking up ---------------------------------------------------------------------------------------------------

    async def _look_up(self, jobs: list[tuple[Job, bool]]) -> None:
        loop = asyncio.get_running_loop()
        config = self._account().kind.config
        findings = await loop.run_in_executor(self._threads, lookup.look_up, jobs, config)
        for (job, _), finding in zip(jobs, findings, strict=True):
            if job.held and not job.settled:  # it may have been given back meanwhile
                self._found(job, finding)
        self._traffic.pump_soon()

    def _found(self, job: Job, finding: Finding) -> None:
        settling, now = self._traffic.settling, now_ms()
        state, sender = finding.state, finding.sender
        if finding.failed:
            settling.leave(job, attempts.until(job.standing(), now + SETBACK, now))
            return
        if finding.unknown:
            wait = attempts.while_unknown(job.standing(), now, spread())
            if wait is None:
                settling.bury(job, "the channel has been unknown for an hour")
            else:
                settling.leave(job, wait)
            return
        sender = sender or self._account().channels.get(job.record.key.channel)
        cancelled = self._cancelled(job, sender)
        if sender is not None and not cancelled:
            if not sender.enabled or sender.config is None:
                settling.leave(job, attempts.while_disabled(job.standing(), now, spread()))
                return
            job.config = sender.config
        if state is not None and state.key.generation != job.record.key.generation:
            self._journal.hop(job, "stale")
            settling.drop(job)
            return
        if state is not None:
            job.total = state.total
            for index, told in lookup.told_by(state).items():
                job.known.told.setdefault(index, told)
        told_late = job.known.told
        proven = {index: told for index, told in finding.proven.items() if index not in told_late}
        doubtful = {index: part for index, part in finding.doubtful.items() if index not in told_late}
        if proven and self._traffic.under_way_to(job.record.message.to):
            settling.wait_for_proof(job, PROOF)  # it may be of that one
            return
        if (proven or doubtful) and not job.total:
            self._traffic.starting.prepare(job)
            job.total = len(job.plan.segments) if job.plan is not None else 0
        for index, told in proven.items():
            settling.prove(job, index, told)
        if cancelled:
            self._cancel(job, cancelled)
        elif self._held_back(sender):
            settling.leave(job, attempts.while_disabled(job.standing(), now, spread()))
        elif doubtful and (left := self._traffic.proof_wait(job, doubtful)) > 0:
            settling.wait_for_proof(job, left)
        else:
            if doubtful:
                job.known.doubts.clear()
                asyncio.get_running_loop().run_in_executor(
                    self._threads, lookup.resent, job.record, list(doubtful), now
                )
            if doubtful and job.config.in_doubt != "resend":
                settling.give_up(job, doubtful)
            else:
                self._traffic.order.check_done(job)

    def _cancel(self, job: Job, reason: str) -> None:
        """Fail it, unless it has been concluded already."""
        known = job.known
        if known.failed or 0 < job.total <= len(known.told):
            self._traffic.settling.tell_again(job)
        else:
            self._traffic.settling.fail(job, reason)
