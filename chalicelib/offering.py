"""One message offered to its aggregator, part by part: claim, request, conclude, report.

The order of the steps is the promise: the ledger knows that a part is being tried before the request goes out, and how
it ended before anybody is told.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from chalicelib import attempts, ledger, pacing, queues, telemetry, trace, waypoints
from chalicelib.attempts import Standing, Wait
from chalicelib.clock import now_ms
from chalicelib.messages import OptOut
from chalicelib.outcomes import Accepted, ChannelDown, InDoubt, NotAccepted, OptedOut, Permanent, Temporary, Throttled
from chalicelib.pacing import Turn
from chalicelib.queues import Received, RefusedBySqs
from chalicelib.records import Event, LaneRecord, OptOutEvent, Outcome

if TYPE_CHECKING:
    from chalicelib.channels.base import HttpChannel, Part
    from chalicelib.registry import Channel
    from chalicelib.transport import Http

TIMEOUT: Final = 30.0  # s: the longest that a request may take
SPARE: Final = 5.0  # s beyond it: to write down how it ended
LOOK_AGAIN: Final = 5_000  # ms until a record is given again that only needs to be looked at
EXPIRED: Final = "expired"
OPTED_OUT: Final = "opted_out"  # begins the reason of such a failure, so that a redelivery tells the opt-out again
STOPPED: Final = "the sender stopped between request and record"
_EVENTS: Final = uuid.UUID("5b0f7e1c-6a0e-4d55-9d0c-7d0c3c1d8a52")  # name space of the opt-outs we tell


@dataclass(slots=True)
class Job:
    """A record of a lane with all that it takes to send it."""

    received: Received
    record: LaneRecord
    channel: Channel
    sender: HttpChannel
    parts: tuple[Part, ...]
    refusal: Permanent | None = None  # the message cannot even be cut
    turn: Turn = field(default_factory=lambda: Turn(0))
    trouble_since: int = 0  # ms: from the record, or from the ledger once it has been asked

    @property
    def account(self) -> str:
        """What the pace belongs to: the aggregator's account, or this channel where it has a rate of its own."""
        return self.channel.uuid if self.channel.config.get("max_tps") else self.channel.aggregator

    @property
    def rate(self) -> float:
        """Configured requests per second, 0 for none."""
        return self.sender.config.max_tps or 0.0

    @property
    def standing(self) -> Standing:
        """What decisions about waiting depend on."""
        record = self.record
        return Standing(record.attempt, self.trouble_since, record.expires_at, self.received.receive_count)


class Invocation:
    """What one run of λ send shares between its threads: its time, and which aggregators are paused."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._pauses: dict[str, int] = {}
        self._probes: set[str] = set()

    def enough_time(self, wait: float = 0.0) -> bool:
        """May a request start after `wait` seconds, and still be recorded if it takes as long as it can?"""
        return float(self._context.get_remaining_time_in_millis()) / 1000 - wait >= TIMEOUT + SPARE

    def paused_since(self, aggregator: str) -> int:
        """When the lane of `aggregator` was paused (ms), 0 when it is not. The ledger is asked once a run."""
        with self._lock:
            if aggregator not in self._pauses:
                pause = ledger.lane_pause(aggregator)
                self._pauses[aggregator] = pause.since if pause else 0
            return self._pauses[aggregator]

    def wins_probe(self, aggregator: str) -> bool:
        """Win this minute's probe of a paused lane: True for one record of one run."""
        with self._lock:
            if aggregator in self._probes:
                return False
            self._probes.add(aggregator)
        return ledger.claim_probe(aggregator, now_ms())

    def pause(self, aggregator: str, down: ChannelDown) -> int:
        """The account is in trouble: from now on it gets a probe a minute. Returns since when it is paused (ms)."""
        now = now_ms()
        ledger.pause_lane(aggregator, down.reason, now)
        telemetry.logger().error("channel_down", extra={"aggregator": aggregator, "reason": down.reason})
        telemetry.count("channel_down", aggregator)
        with self._lock:
            self._probes.add(aggregator)
            self._pauses[aggregator] = self._pauses.get(aggregator) or now
            return self._pauses[aggregator]

    def resume(self, aggregator: str) -> None:
        """The account is well: lift its pause if there is one."""
        with self._lock:
            if not self._pauses.get(aggregator):
                return
            self._pauses[aggregator] = 0
        ledger.resume_lane(aggregator)
        telemetry.logger().warning("channel_up", extra={"aggregator": aggregator})


class Offer:
    """The offer of one job in one invocation. `run` and `fail` answer how the record is to wait, None when done."""

    def __init__(self, job: Job, invocation: Invocation, http: Http) -> None:
        self.job = job
        self.invocation = invocation
        self.http = http
        self.owner = queues.new_id()
        self.outcomes: list[Outcome] = []
        self.hops: list[tuple[str, dict[str, Any]]] = []

    def run(self) -> Wait | None:
        """Offer the parts that are still open, in order, up to the first that is not accepted."""
        wait: Wait | None = None
        try:
            for part in self.job.parts:
                result = self._part(part)
                if not isinstance(result, Outcome):
                    wait = result
                    break
                self.outcomes.append(result)
                if not result.accepted:
                    break  # the message has failed with this part: the others would cost money for nothing
        except ledger.LostClaim:
            wait = self._look_again()  # our claim had lapsed and another run has the part: it concludes
        return self._report() or wait

    def fail(self, reason: str, code: str = "") -> Wait | None:
        """Fail every part that is still open (too old, or impossible to offer)."""
        wait: Wait | None = None
        total = max(1, len(self.job.parts))
        try:
            for index in range(total):
                claim = self._claim(index, total)
                if claim.kind == "granted":
                    self.outcomes.append(self._failed(index, total, reason, code))
                    continue
                result = self._known(claim, index, total)
                if not isinstance(result, Outcome):
                    wait = result
                    break
                self.outcomes.append(result)
        except ledger.LostClaim:
            wait = self._look_again()
        return self._report() or wait

    # --- one part -------------------------------------------------------------------------------------------------

    def _part(self, part: Part) -> Outcome | Wait | None:
        """The part's outcome, new or known; or how to wait for it; or None where nothing is left to do here."""
        wait = self._await_turn(part)
        if wait is not None:
            return wait
        claim = self._claim(part.index, part.total)
        if claim.kind != "granted":
            return self._known(claim, part.index, part.total)
        if claim.in_doubt and self.job.sender.config.in_doubt != "resend":
            return self._doubtful(part, STOPPED)
        if claim.in_doubt:
            self._count_doubt(part, STOPPED)
        waypoints.reached("send.claimed")
        started = now_ms()
        ended = self._request(part)
        if isinstance(ended, ChannelDown) and ended.credentials and self._secrets_changed():
            ended = self._request(part)
        waypoints.reached("send.requested")
        result = self._conclude(part, ended)
        waypoints.reached("send.concluded")
        self._hop("wired" if isinstance(ended, Accepted) else _HOPS[type(ended)], part.index, ended, started)
        return result

    def _await_turn(self, part: Part) -> Wait | None:
        """Sleep until the part's slot; or how to wait where that is too long, or its lane has been paused meanwhile."""
        job = self.job
        now = now_ms()
        slot = max(round(job.turn.at + part.index * job.turn.apart), pacing.shut_until(job.account))
        gap = max(0, slot - now) / 1000
        if gap * 1000 > pacing.HORIZON or not self.invocation.enough_time(gap):
            return attempts.until(job.standing, slot, now, random.random())  # noqa: S311 - spreads load, no secret
        if gap:
            time.sleep(gap)
        return None

    def _claim(self, index: int, total: int) -> ledger.Claim:
        job, now = self.job, now_ms()
        return ledger.claim(
            job.record.key,
            index,
            total,
            owner=self.owner,
            until=now + round((TIMEOUT + SPARE) * 1000),
            now=now,
            shape=queues.digest(*(part.text for part in job.parts))[:12],
        )

    def _known(self, claim: ledger.Claim, index: int, total: int) -> Outcome | Wait | None:
        """What a part is that cannot be claimed: concluded (told again), another run's, or an older generation's."""
        if claim.kind == "accepted":
            return self._outcome(index, total, accepted=True, external_id=claim.external_id)
        if claim.kind == "failed":
            return self._outcome(index, total, accepted=False, reason=claim.reason, code=claim.code)
        if claim.kind == "held":
            return attempts.until(self.job.standing, claim.held_until, now_ms())
        self._hop("stale", index)
        return None

    def _request(self, part: Part) -> Accepted | NotAccepted:
        """Make the request. What a channel type did not foresee is in doubt once something has gone out."""
        before = len(self.http.exchanges)
        try:
            return self.job.sender.send(part, self.http)
        except NotAccepted as ended:
            return ended
        except Exception as error:
            telemetry.logger().exception("channel type failed", extra=self._keys())
            kind = InDoubt if len(self.http.exchanges) > before else Temporary
            return kind(f"internal error: {type(error).__name__}")

    def _secrets_changed(self) -> bool:
        """Read the aggregator's secrets again: True where they have been rotated, and are in use from now on."""
        from chalicelib import channels, registry
        from chalicelib.settings import settings

        job = self.job
        fresh = channels.make(job.channel, registry.settings_of(job.channel, fresh=True), settings().callback_base)
        changed = fresh.config != job.sender.config
        job.sender = fresh
        return changed

    # --- conclusions ----------------------------------------------------------------------------------------------

    def _conclude(self, part: Part, ended: Accepted | NotAccepted) -> Outcome | Wait | None:
        aggregator = self.job.channel.aggregator
        if isinstance(ended, Accepted):
            outcome = self._accepted(part, ended)
            self.invocation.resume(aggregator)
            return outcome
        if isinstance(ended, Permanent):
            reason = f"{OPTED_OUT}: {ended.reason}" if isinstance(ended, OptedOut) else ended.reason
            outcome = self._failed(part.index, part.total, reason, ended.code)
            self.invocation.resume(aggregator)
            return outcome
        if isinstance(ended, InDoubt):
            return self._doubtful(part, ended.reason)
        if isinstance(ended, Throttled):
            return self._throttled(part, ended)
        if isinstance(ended, ChannelDown):
            self._release(part, 0, ended)
            since = self.invocation.pause(aggregator, ended)
            return attempts.while_paused(self.job.standing, since, now_ms(), _spread())
        return self._failed_for_now(part, ended)

    def _accepted(self, part: Part, ended: Accepted) -> Outcome:
        key, now = self.job.record.key, now_ms()
        ledger.accept(key, part.index, part.total, self.owner, ended.external_id, now)
        aggregator = self.job.channel.aggregator
        telemetry.count("sent", aggregator)
        telemetry.latency(aggregator, now - self.job.record.first_seen)
        return self._outcome(part.index, part.total, accepted=True, external_id=ended.external_id)

    def _failed(self, index: int, total: int, reason: str, code: str) -> Outcome:
        ledger.fail(self.job.record.key, index, total, self.owner, reason, code, now_ms())
        telemetry.count("failed", self.job.channel.aggregator)
        return self._outcome(index, total, accepted=False, reason=reason, code=code)

    def _failed_for_now(self, part: Part, ended: NotAccepted) -> Wait:
        now = now_ms()
        self.job.trouble_since = self.job.trouble_since or now
        wait = attempts.after_failure(self.job.standing, now, _spread())
        self._release(part, 0, ended)
        telemetry.count("retried", self.job.channel.aggregator)
        return wait

    def _throttled(self, part: Part, ended: Throttled) -> Wait:
        job = self.job
        self._release(part, 0, ended)
        opens = pacing.slow_down(job.account, job.rate, ended.retry_after, now_ms())
        telemetry.count("throttled", job.channel.aggregator)
        return attempts.until(job.standing, opens, now_ms(), _spread())

    def _doubtful(self, part: Part, why: str) -> Outcome | Wait | None:
        """Nobody knows whether the part was accepted: do what the channel's `in_doubt` says."""
        self._count_doubt(part, why)
        policy = self.job.sender.config.in_doubt
        if policy == "fail":
            return self._failed(part.index, part.total, f"in doubt: {why}", "")
        if policy == "ask":
            # The claim stays as it is, so that the ledger goes on saying that this part is in doubt.
            received = self.job.received
            queues.bury(received.queue, received.body, received.group, f"in doubt, and the channel says ask: {why}")
            self._hop("buried", part.index)
            return None
        return self._failed_for_now(part, InDoubt(why))

    def _count_doubt(self, part: Part, why: str) -> None:
        telemetry.count("in_doubt", self.job.channel.aggregator)
        self._hop("in_doubt", part.index, InDoubt(why))

    def _release(self, part: Part, again_at: int, why: NotAccepted) -> None:
        ledger.release(self.job.record.key, part.index, self.owner, again_at, why.reason, now_ms())

    def _look_again(self) -> Wait:
        now = now_ms()
        return attempts.until(self.job.standing, now + LOOK_AGAIN, now)

    # --- telling --------------------------------------------------------------------------------------------------

    def _outcome(
        self, index: int, total: int, *, accepted: bool, external_id: str = "", reason: str = "", code: str = ""
    ) -> Outcome:
        return Outcome(
            key=self.job.record.key,
            aggregator=self.job.channel.aggregator,
            part=index,
            total=total,
            accepted=accepted,
            external_id=external_id,
            destination=self.job.record.message.to,
            reason=reason,
            code=code,
            at=now_ms(),
            recorded=True,
        )

    def _report(self) -> Wait | None:
        """Put the outcomes into events.fifo; how to wait where SQS does not take them, else None.

        The record is then given again, and finds concluded parts whose outcomes it tells.
        """
        events = [event for outcome in self.outcomes for event in self._events(outcome)]
        for event, problem in zip(
            events, queues.send_many(queues.EVENTS, [queues.event_entry(event) for event in events]), strict=True
        ):
            if isinstance(problem, RefusedBySqs):
                entry = queues.event_entry(event)
                queues.bury(queues.EVENTS, entry.body, entry.group, str(problem))
            elif problem is not None:
                telemetry.logger().error("events.fifo did not take an outcome", extra=self._keys())
                return self._look_again()
        if events:
            waypoints.reached("send.reported")
        return None

    def _events(self, outcome: Outcome) -> list[Event]:
        if not outcome.reason.startswith(OPTED_OUT):
            return [outcome]
        key = outcome.key
        optout = OptOut(channel=key.channel, sender=outcome.destination, received_at=outcome.at)
        name = f"{key.channel}/{key.id}/{key.generation}"  # the same event however often it is told
        return [outcome, OptOutEvent(event_id=str(uuid.uuid5(_EVENTS, name)), optout=optout, at=outcome.at)]

    def _hop(self, name: str, part: int, ended: Accepted | NotAccepted | None = None, started: int = 0) -> None:
        fields: dict[str, Any] = {"part": part}
        if isinstance(ended, Accepted):
            fields["external_id"] = ended.external_id
        elif ended is not None:
            fields |= {"reason": ended.reason, "code": ended.code}
        if started:
            fields["exchanges"] = self._exchanges()
        trace.hop(self.job.record.key.id, name, channel=self.job.channel.uuid, **fields)

    def _exchanges(self) -> list[Any]:
        """The exchanges since the last hop."""
        taken = list(self.http.exchanges)
        self.http.exchanges.clear()
        return taken

    def _keys(self) -> dict[str, str]:
        key = self.job.record.key
        return {"message_id": key.id, "channel": key.channel, "aggregator": self.job.channel.aggregator}


_HOPS: Final[dict[type[NotAccepted], str]] = {
    Temporary: "retry",
    InDoubt: "in_doubt",
    Throttled: "throttled",
    ChannelDown: "paused",
    Permanent: "refused",
    OptedOut: "refused",
}


def _spread() -> float:
    return random.random()  # noqa: S311 - spreads load, no secret
