"""One message offered to its aggregator, part by part: claim, request, conclude, report.

The order of the steps is the promise: the ledger knows that a part is being tried before the request goes out, and how
it ended before anybody is told.
"""

from __future__ import annotations

import random
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from chalicelib import attempts, ledger, letters, pacing, queues, telemetry, trace, transport, waypoints
from chalicelib.attempts import Wait
from chalicelib.clock import now_ms
from chalicelib.jobs import Invocation, Job
from chalicelib.messages import OptOut
from chalicelib.outcomes import Accepted, ChannelDown, InDoubt, NotAccepted, OptedOut, Permanent, Temporary, Throttled
from chalicelib.pacing import Turn
from chalicelib.queues import RefusedBySqs
from chalicelib.records import Event, OptOutEvent, Outcome

if TYPE_CHECKING:
    from chalicelib.channels.base import HttpChannel, Part
    from chalicelib.transport import Http

TIMEOUT: Final = transport.TIMEOUT  # s: the longest that the requests for one part may take together
SPARE: Final = 5.0  # s beyond it: to write down how it ended
LOOK_AGAIN: Final = 5_000  # ms until a record is given again that only needs to be looked at
EXPIRED: Final = "expired"
OPTED_OUT: Final = "opted_out"  # begins the reason of such a failure, so that a redelivery tells the opt-out again
STOPPED: Final = "the sender stopped between request and record"
CUT_OTHERWISE: Final = "its first parts were sent when this channel cut messages in another way"
_EVENTS: Final = uuid.UUID("5b0f7e1c-6a0e-4d55-9d0c-7d0c3c1d8a52")  # name space of the opt-outs we tell


class Offer:
    """The offer of one job in one invocation. `run` and `fail` answer how the record is to wait, None when done."""

    def __init__(self, job: Job, invocation: Invocation, http: Http) -> None:
        self.job = job
        self.invocation = invocation
        self.http = http
        self.owner = queues.new_id()
        self.requests = 0  # made in this run: each has a slot of its own
        self.outcomes: list[Outcome] = []

    def run(self) -> Wait | None:
        """Offer the parts that are still open, in order, up to the first that is not accepted."""
        wait: Wait | None = None
        index = 0
        try:
            while index < len(self.job.parts):  # the first claim may have them cut anew
                result = self._part(index)
                if not isinstance(result, Outcome):
                    wait = result
                    break
                self.outcomes.append(result)
                if not result.accepted:
                    break  # the message has failed with this part: the others would cost money for nothing
                index += 1
        except ledger.LostClaim:
            wait = self._look_again()  # our claim had lapsed and another run has the part: it concludes
        return self._report() or wait

    def fail(self, reason: str, code: str = "") -> Wait | None:
        """Fail every part that is still open (too old, or impossible to offer)."""
        wait: Wait | None = None
        index, total = 0, max(1, len(self.job.parts))
        try:
            while index < total:
                claim = self._claim(index, total)
                total = max(total, claim.total)  # as first cut, where today it would be cut into fewer
                if claim.kind == "granted":
                    result: Outcome | Wait | None = self._failed(index, total, reason, code)
                    self._hop("expired" if reason == EXPIRED else "refused", index, Permanent(reason, code))
                else:
                    result = self._known(claim, index, total)
                if not isinstance(result, Outcome):
                    wait = result
                    break
                self.outcomes.append(result)
                index += 1
        except ledger.LostClaim:
            wait = self._look_again()
        return self._report() or wait

    # --- one part -------------------------------------------------------------------------------------------------

    def _part(self, index: int) -> Outcome | Wait | None:
        """The part's outcome, new or known; or how to wait for it; or None where nothing is left to do here."""
        wait = self._await_turn()
        if wait is not None:
            return wait
        claim = self._claim(index, len(self.job.parts))
        if claim.kind not in ("granted", "accepted", "failed"):
            return self._known(claim, index, claim.total)
        as_first_cut = self._cut_as_first(claim)
        part = self.job.parts[index]
        if claim.kind != "granted":
            return self._known(claim, index, part.total)
        self.job.trouble_since = claim.trouble_since or self.job.trouble_since
        if not as_first_cut:
            self._hop("refused", index, Permanent(CUT_OTHERWISE))
            return self._failed(index, claim.total, CUT_OTHERWISE, "")
        if claim.in_doubt:
            self._hop("in_doubt", index, InDoubt(STOPPED))
            if self._sender.config.in_doubt != "resend":
                return self._doubtful(part, STOPPED)
            telemetry.count("in_doubt", self.job.channel.aggregator)
        self._hop("claimed", index)
        waypoints.reached("send.claimed")
        ended = self._request(part)
        if isinstance(ended, ChannelDown) and ended.credentials and self._secrets_changed():
            ended = self._request(part)
        waypoints.reached("send.requested")
        try:
            result = self._conclude(part, ended)
        finally:
            self._hop(_HOPS.get(type(ended), "retry"), index, ended, self._exchanges())
        waypoints.reached("send.concluded")
        return result

    @property
    def _sender(self) -> HttpChannel:
        assert self.job.sender is not None  # noqa: S101 - `run` is for jobs that have one
        return self.job.sender

    def _await_turn(self) -> Wait | None:
        """Sleep until the next request's slot; or how to wait where that takes too long, or time is running out."""
        job, now = self.job, now_ms()
        turn = job.turn or Turn(now)
        slot = max(round(turn.at + self.requests * turn.apart), pacing.shut_until(job.account))
        gap = max(0, slot - now)
        if gap > pacing.HORIZON or self.invocation.time_left() - gap / 1000 < TIMEOUT + SPARE:
            return attempts.until(job.standing, slot, now, _spread())
        if gap:
            time.sleep(gap / 1000)
        frozen = job.frozen()  # it may have been while this message waited, or between two of its parts
        return attempts.while_paused(job.standing, frozen.since, now_ms(), _spread()) if frozen else None

    def _claim(self, index: int, total: int) -> ledger.Claim:
        job, now = self.job, now_ms()
        until = now + round((TIMEOUT + SPARE) * 1000)
        return ledger.claim(job.record.key, index, total, owner=self.owner, until=until, now=now, shape=job.shape)

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

    def _cut_as_first(self, claim: ledger.Claim) -> bool:
        """Have the parts as the first claim had them, even where the channel's limit has been changed since.

        A part that was accepted is not sent again, so the others must still fit it. False where they cannot: the code
        that cuts has changed.
        """
        job = self.job
        if claim.shape in ("", job.shape):
            return True
        limit = int(claim.shape.partition(":")[0])
        sender = self._sender
        config = sender.config.model_copy(update={"max_length": limit or None})
        before = self._made(config)
        parts = before.plan(job.record.message, job.record.key.generation)
        recut = replace(job, sender=before, parts=parts)
        if recut.shape != claim.shape:
            return False
        job.sender, job.parts = before, parts
        return True

    def _made(self, config: Any) -> HttpChannel:
        from chalicelib.settings import settings

        return type(self._sender)(self.job.channel, config, settings().callback_base)

    def _request(self, part: Part) -> Accepted | NotAccepted:
        """Make the request. What a channel type did not foresee is in doubt once something has gone out."""
        before = len(self.http.exchanges)
        self.requests += 1
        self.http.within(transport.TIMEOUT)
        try:
            return self._sender.send(part, self.http)
        except NotAccepted as ended:
            return ended
        except Exception as error:
            telemetry.logger().error(
                "channel_type_failed", extra={**self.job.keys(), "error": telemetry.whereabouts(error)}
            )
            kind = InDoubt if len(self.http.exchanges) > before else Temporary
            return kind(f"internal error: {type(error).__name__}")

    def _secrets_changed(self) -> bool:
        """Read the aggregator's secrets again: True where they have been rotated, and are in use from now on.

        The same credentials are not offered twice: many refusals lock accounts.
        """
        from chalicelib import registry

        fresh = self._sender.Config.read(registry.settings_of(self.job.channel, fresh=True))
        fresh = fresh.model_copy(update={"max_length": self._sender.config.max_length})
        changed = fresh != self._sender.config
        self.job.sender = self._made(fresh)
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
            self._release(part, ended)
            since = self.invocation.pause(aggregator, ended)
            return attempts.while_paused(self.job.standing, since, now_ms(), _spread())
        return self._failed_for_now(part, ended)

    def _accepted(self, part: Part, ended: Accepted) -> Outcome:
        key, now = self.job.record.key, now_ms()
        ledger.accept(key, part.index, part.total, self.owner, ended.external_id, now)
        self.invocation.accepted(self.job.channel.aggregator, now - self.job.record.first_seen)
        return self._outcome(part.index, part.total, accepted=True, external_id=ended.external_id)

    def _failed(self, index: int, total: int, reason: str, code: str) -> Outcome:
        ledger.fail(self.job.record.key, index, total, self.owner, reason, code, now_ms())
        telemetry.count("failed", self.job.channel.aggregator)
        return self._outcome(index, total, accepted=False, reason=reason, code=code)

    def _failed_for_now(self, part: Part, ended: NotAccepted) -> Wait:
        now = now_ms()
        self.job.trouble_since = self.job.trouble_since or now
        self._release(part, ended)
        telemetry.count("retried", self.job.channel.aggregator)
        return attempts.after_failure(self.job.standing, now, _spread())

    def _throttled(self, part: Part, ended: Throttled) -> Wait:
        job = self.job
        self._release(part, ended)
        opens = pacing.slow_down(job.account, job.rate, ended.retry_after, now_ms())
        telemetry.count("throttled", job.channel.aggregator)
        return attempts.until(job.standing, opens, now_ms(), _spread())

    def _doubtful(self, part: Part, why: str) -> Outcome | Wait | None:
        """Nobody knows whether the part was accepted: do what the channel's `in_doubt` says."""
        telemetry.count("in_doubt", self.job.channel.aggregator)
        policy = self._sender.config.in_doubt
        if policy == "fail":
            return self._failed(part.index, part.total, f"in doubt: {why}", "")
        if policy == "ask":
            # The claim stays as it is, so that the ledger goes on saying that this part is in doubt.
            received = self.job.received
            reason = f"in doubt, and the channel says ask: {why}"
            letters.bury(received.queue, received.body, received.group, reason, **self.job.keys())
            self._hop("buried", part.index)
            return None
        return self._failed_for_now(part, InDoubt(why))

    def _release(self, part: Part, why: NotAccepted) -> None:
        job, now = self.job, now_ms()
        since = job.trouble_since
        ledger.release(job.record.key, part.index, self.owner, now, why.reason, now, trouble_since=since)

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
        problems = self.invocation.events.send([queues.event_entry(event) for event in events]) if events else []
        for event, problem in zip(events, problems, strict=True):
            if isinstance(problem, RefusedBySqs):
                entry = queues.event_entry(event)
                letters.bury(queues.EVENTS, entry.body, entry.group, str(problem))
            elif problem is not None:
                telemetry.logger().error("events.fifo did not take an outcome", extra=self.job.keys())
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

    def _hop(
        self, name: str, part: int, ended: Accepted | NotAccepted | None = None, exchanges: list[Any] | None = None
    ) -> None:
        fields: dict[str, Any] = {"part": part}
        if isinstance(ended, Accepted):
            fields["external_id"] = ended.external_id
        elif ended is not None:
            fields |= {"reason": ended.reason, "code": ended.code}
        if exchanges:
            fields["exchanges"] = exchanges
        trace.hop(self.job.record.key.id, name, channel=self.job.channel.uuid, **fields)

    def _exchanges(self) -> list[Any]:
        """The exchanges since the last hop."""
        taken = list(self.http.exchanges)
        self.http.exchanges.clear()
        return taken


_HOPS: Final[dict[type[Any], str]] = {
    Accepted: "wired",
    Temporary: "retry",
    InDoubt: "in_doubt",
    Throttled: "throttled",
    ChannelDown: "paused",
    Permanent: "refused",
    OptedOut: "refused",
}


def _spread() -> float:
    return random.random()  # noqa: S311 - spreads load, no secret
