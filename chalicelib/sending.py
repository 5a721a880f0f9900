"""λ send: takes the records of an HTTP lane to their aggregators.

A batch of a FIFO queue may hold several groups (contacts) of up to ten records. Groups go side by side, a group's
records one after the other. A record that must be given again takes those of its group behind it along, with one and
the same visibility for all of them (Amazon SQS developer guide, "Visibility timeout", "Message group ID"). What fails
for good never stays in a batch: it would burn the receive counts of everything behind it.

On a shared lane an aggregator has a share of the runs (`chalicelib.seats`), and what is done leaves the lane while
slower company is still under way: nobody's next message waits for somebody else's time-out.
"""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Iterable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from chalicelib import attempts, freezes, later, letters, pacing, queues, seats, telemetry, trace
from chalicelib.attempts import Aside, Hold, Wait
from chalicelib.clock import now_ms
from chalicelib.jobs import Invocation, Job, standing
from chalicelib.offering import EXPIRED, SPARE, Offer
from chalicelib.outcomes import Permanent
from chalicelib.pacing import Turn, Want
from chalicelib.queues import Received
from chalicelib.records import LaneRecord, LaterRecord, explain
from chalicelib.seats import Seat
from chalicelib.settings import settings

if TYPE_CHECKING:
    from chalicelib.transport import Http

SIDE_BY_SIDE: Final = 10  # groups of a batch at a time: as many as a batch can hold
LANES: Final = 100  # batches at a time, where a process serves several lanes
LINGER: Final = 1.0  # s that what is done may stay in its lane because of others in its batch
SETBACK: Final = 10.0  # s until a record is given again that met with trouble of our own


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record that is not to be sent now. Only a record that could be read can wait aside."""

    record: LaneRecord | None
    wait: Wait


Step = Job | Waiting | None  # None: dealt with already


def send(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a batch of a lane; answers which of its records are to be given again."""
    batch = _Batch(context)
    try:
        return queues.failures(batch.run(queues.received_from(event)))
    finally:
        batch.invocation.tell()
        trace.flush()


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Threads of this process, which outlive an invocation: ten new ones cost as much as a call of AWS. In a function
    a batch at a time needs them; where several lanes are served by one process, none waits for another's."""
    return ThreadPoolExecutor(SIDE_BY_SIDE * LANES, "send")


def _http(secrets: Iterable[str], aggregator: str) -> Http:
    """A sender's view of the connections of this process, which outlive an invocation."""
    from chalicelib.transport import Http

    return Http(secrets, allow_private=settings().allow_private, account=aggregator)


class _Batch:
    def __init__(self, context: Any) -> None:
        self.invocation = Invocation(context)
        self._seats: dict[str, Seat] = {}  # by aggregator
        self._busy: dict[str, set[str]] = {}  # groups that are not through yet, by aggregator
        self._lock = threading.Lock()

    def run(self, batch: list[Received]) -> list[Received]:
        """Deal with every record; returns those to be given again."""
        groups: dict[str, list[tuple[Received, Step]]] = {}
        for received in batch:
            groups.setdefault(received.group, []).append((received, self._prepare(received)))
        jobs = [step for group in groups.values() for _, step in group if isinstance(step, Job)]
        self._sit(jobs)
        self._book(jobs)
        if len(groups) == 1:
            return [record for group in groups.values() for record in self._group(group)]
        self.invocation.events.expect(len(groups))
        running = [(group, _threads().submit(self._group, group)) for group in groups.values()]
        _let_go(running)
        return [record for _, group in running for record in group.result()]

    # --- before anything is sent ----------------------------------------------------------------------------------

    def _prepare(self, received: Received) -> Step:
        try:
            record = LaneRecord.from_body(received.body)
        except ValidationError as error:
            return _bury(received, f"not a record of a lane: {explain(error)}")
        try:
            return self._job(received, record)
        except Exception as error:
            # AWS is away, or the registry cannot be read: nothing that is the record's fault.
            _log_setback(error, record)
            return Waiting(record, _setback(received, record))

    def _job(self, received: Received, record: LaneRecord) -> Step:
        from chalicelib import channels, registry
        from chalicelib.channels.config import ConfigError

        try:
            channel = registry.on(registry.channel(record.key.channel), record.aggregator)
        except registry.UnknownChannel:
            wait = attempts.while_unknown(standing(received, record), now_ms(), _spread())
            return Waiting(record, wait) if wait else _bury(received, "the channel has been unknown for an hour")
        self.invocation.paused_since(channel.aggregator)  # asked here, where the ledger may be away
        freezes.current()
        job = Job(received, record, channel)
        try:
            job.sender = channels.make(channel, registry.settings_of(channel), settings().callback_base)
            job.parts = job.sender.plan(record.message, record.key.generation)
        except (ConfigError, channels.UnknownType) as error:
            # This channel alone is at fault, not its aggregator's account: its messages wait as if it were disabled.
            telemetry.logger().error("channel_down", extra={**job.keys(), "reason": str(error)})
            telemetry.count("channel_down", channel.aggregator)
        except Permanent as refusal:
            job.refusal = refusal
        return job

    def _sit(self, jobs: list[Job]) -> None:
        """Take a seat for each aggregator that this run is going to work for, on a lane where it has to."""
        now = now_ms()
        sending: dict[str, list[Job]] = {}
        for job in jobs:
            if seats.share_of(job.received.queue) and not self._hindered(job, now):
                sending.setdefault(job.channel.aggregator, []).append(job)
        until = now + round((self.invocation.time_left() + SPARE) * 1000)
        for aggregator, its in sending.items():
            self._busy[aggregator] = {job.received.group for job in its}
            try:
                seat = seats.take(its[0].received.queue, aggregator, queues.new_id(), until, now)
            except Exception as error:
                _log_setback(error, its[0].record)
                continue  # the pace is kept in the same table: what is away for one is away for the other
            if seat is not None:
                self._seats[aggregator] = seat
                continue
            telemetry.count("crowded", aggregator)
            for job in its:
                job.crowded = True

    def _stand_up(self, group: str) -> None:
        """`group` is through; the seat of an aggregator is free with its last one."""
        free: list[Seat] = []
        with self._lock:
            for aggregator, busy in self._busy.items():
                busy.discard(group)
                if not busy and aggregator in self._seats:
                    free.append(self._seats.pop(aggregator))
        for seat in free:
            try:
                seats.leave(seat)
            except Exception as error:
                _log_setback(error, None)  # it comes free when this run could have lasted no longer

    def _book(self, jobs: list[Job]) -> None:
        """Book the slots of the whole batch, one write for each account. Who is not going to send books none."""
        accounts: dict[str, list[Job]] = {}
        now = now_ms()
        for job in jobs:
            if not self._hindered(job, now):
                accounts.setdefault(job.account, []).append(job)
        for account, sending in accounts.items():
            wants = [Want(len(job.parts), job.record.paced) for job in sending]
            try:
                turns = pacing.book(account, wants, sending[0].rate, now)
            except Exception as error:
                _log_setback(error, sending[0].record)
                continue  # without a turn they are given again
            for job, turn in zip(sending, turns, strict=True):
                job.turn = turn

    def _hindered(self, job: Job, now: int) -> bool:
        return (
            job.refusal is not None
            or job.sender is None
            or not job.channel.enabled
            or job.crowded
            or attempts.expired(job.standing, now)
            or bool(self.invocation.paused_since(job.channel.aggregator))
            or job.cancelled() != ""
            or job.frozen() is not None
        )

    # --- one contact, in order ------------------------------------------------------------------------------------

    def _group(self, group: list[tuple[Received, Step]]) -> list[Received]:
        """Deal with a group's records up to the first that must be given again; returns it and those behind it."""
        try:
            return self._in_order(group)
        finally:
            self.invocation.events.leave()
            self._stand_up(group[0][0].group)

    def _in_order(self, group: list[tuple[Received, Step]]) -> list[Received]:
        for index, (_, step) in enumerate(group):
            hold = self._take(step)
            if hold is not None:
                again = [received for received, _ in group[index:]]
                try:
                    queues.hold(again, hold.seconds)
                except Exception as error:
                    _log_setback(error, None)  # they come back when the queue's own visibility ends
                return again
        return []

    def _take(self, step: Step) -> Hold | None:
        """Deal with one record; None when it may leave its lane."""
        if step is None:
            return None
        if isinstance(step, Waiting):
            return _wait(step.record, step.wait)
        try:
            wait = self._send(step)
        except Exception as error:
            _log_setback(error, step.record)
            wait = _setback(step.received, step.record)
        return None if wait is None else _wait(step.record, wait)

    def _send(self, job: Job) -> Wait | None:
        now = now_ms()
        http = _http(job.sender.secrets() if job.sender else (), job.channel.aggregator)
        offer = Offer(job, self.invocation, http)
        if attempts.expired(job.standing, now):
            return offer.fail(EXPIRED)
        if cancelled := job.cancelled():
            return offer.fail(cancelled)
        if frozen := job.frozen():
            telemetry.count("frozen", job.channel.aggregator)
            return attempts.while_paused(job.standing, frozen.since, now, _spread())
        if not job.channel.enabled or job.sender is None:
            return attempts.while_disabled(job.standing, now, _spread())
        if job.refusal is not None:
            return offer.fail(job.refusal.reason, job.refusal.code)
        aggregator = job.channel.aggregator
        paused_since = self.invocation.paused_since(aggregator)
        if paused_since:
            if not self.invocation.wins_probe(aggregator):
                return attempts.while_paused(job.standing, paused_since, now, _spread())
            job.turn = Turn(now)
        elif job.crowded:
            return attempts.while_crowded(job.standing, now, _spread())
        if job.turn is None:
            # Its slot could not be booked, or its lane was paused when the batch began.
            return _setback(job.received, job.record)
        if not job.turn.booked:
            return attempts.for_turn(job.standing, job.turn.at, now)
        return offer.run()


def _let_go(running: list[tuple[list[tuple[Received, Step]], Future[list[Received]]]]) -> None:
    """Delete what is done while others of the batch are still under way. Lambda's own deletion finds nothing then."""
    _, slow = futures.wait([run for _, run in running], LINGER)
    fast = [(group, run) for group, run in running if run not in slow]
    while slow and fast:
        for group, run in fast:
            again = run.result()
            for received, _ in group:
                if received not in again:
                    try:
                        queues.delete(received)
                    except Exception as error:
                        _log_setback(error, None)  # Lambda deletes it, or it is given again and found concluded
        _, still = futures.wait(slow, return_when=futures.FIRST_COMPLETED)
        fast = [(group, run) for group, run in running if run in slow and run not in still]
        slow = still


def _wait(record: LaneRecord | None, wait: Wait) -> Hold | None:
    """Have a record wait: a `Hold` for its group, or None where it waits in `later`."""
    if isinstance(wait, Hold) or record is None:
        return wait if isinstance(wait, Hold) else Hold(SETBACK)
    try:
        _put_aside(record, wait)
    except Exception as error:
        _log_setback(error, record)
        return Hold(SETBACK)
    return None


def _put_aside(record: LaneRecord, wait: Aside) -> None:
    """Into `later`, as the record it will be when it comes back."""
    changed = {"attempt": wait.attempt, "trouble_since": wait.trouble_since, "paced": wait.paced}
    body = record.model_copy(update=changed).to_body()
    group = queues.lane_entry(record).group
    queue = queues.lane_queue(record.lane)
    later.put(LaterRecord(queue=queue, group=group, body=body, not_before=wait.not_before), now_ms())
    trace.hop(record.key.id, "later", channel=record.key.channel, not_before=wait.not_before)


def _setback(received: Received, record: LaneRecord) -> Wait:
    """How to wait after trouble of our own."""
    now = now_ms()
    return attempts.until(standing(received, record), now + round(SETBACK * 1000), now)


def _bury(received: Received, reason: str) -> Waiting | None:
    """To the lane's DLQ, for a human; where SQS does not take it the record is given again."""
    try:
        letters.bury(received.queue, received.body, received.group, reason)
    except Exception as error:
        _log_setback(error, None)
        return Waiting(None, Hold(SETBACK))
    return None


def _log_setback(error: Exception, record: LaneRecord | None) -> None:
    keys = {"message_id": record.key.id, "channel": record.key.channel} if record else {}
    telemetry.logger().error("setback", extra={**keys, "error": telemetry.whereabouts(error)})


def _spread() -> float:
    return random.random()  # noqa: S311 - spreads load, no secret
