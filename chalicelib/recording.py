"""λ record: events.fifo -> ledger, joins, rendezvous -> deliver-<platform>. It speaks only to AWS, never HTTP.

Every step can be done again: a record that comes twice finds what it did, and what it queued carries the same dedup id.
The platform's queue gets a status before the ledger says so (`settle`): a crash between the two tells it twice within
five minutes at worst, which SQS swallows, and never tells it not at all.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from pydantic import ValidationError

from chalicelib import (
    canaries,
    handing,
    inbox,
    ledger,
    letters,
    queues,
    receiving,
    registry,
    rendezvous,
    telemetry,
    trace,
    waypoints,
)
from chalicelib.clock import now_ms
from chalicelib.ledger_items import MessageState, PartState
from chalicelib.messages import Status
from chalicelib.queues import Received
from chalicelib.records import (
    EventRecord,
    JoinTimeout,
    MessageKey,
    MoEvent,
    Outcome,
    ReceiptEvent,
    SessionEnd,
    explain,
)

UNKNOWN_FOR: Final = 3_600_000  # ms: how long an event waits for its channel to be registered
LOOK_AGAIN: Final = 30  # seconds until an event is given again


class Unready(Exception):  # noqa: N818 - not an error: it waits
    """The event cannot be recorded yet (its channel is unknown, AWS is in trouble); it is given again."""


def record(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Record a batch: groups side by side, each in order; what cannot be recorded yet is given again."""
    groups: dict[str, list[Received]] = defaultdict(list)
    for received in queues.received_from(event):
        groups[received.group].append(received)
    with ThreadPoolExecutor(max_workers=max(1, min(10, len(groups)))) as pool:
        left = [one for rest in pool.map(_group, groups.values()) for one in rest]
    trace.flush()
    return queues.failures(left)


def _group(records: list[Received]) -> list[Received]:
    """Record one group in order; answers those to be given again."""
    for index, received in enumerate(records):
        try:
            _one(received)
        except Exception as error:
            rest = records[index:]
            extra = {**_keys(received), "error": telemetry.whereabouts(error), "records": len(rest)}
            telemetry.logger().warning("record_again", extra=extra)
            if isinstance(error, Unready):
                queues.hold(rest, LOOK_AGAIN)
            return rest
    return []


def _keys(received: Received) -> dict[str, str]:
    """What names a record in the log."""
    try:
        event = EventRecord.from_body(received.body).event
    except ValidationError:
        return {"queue": received.queue}
    if isinstance(event, Outcome):
        return {"message_id": event.key.id, "channel": event.key.channel, "aggregator": event.aggregator}
    if isinstance(event, ReceiptEvent):
        update = event.update
        return {
            "message_id": update.id or update.external_id,
            "channel": update.channel,
            "aggregator": event.aggregator,
        }
    if isinstance(event, MoEvent):
        return {"message_id": event.event_id, "channel": event.message.channel, "aggregator": event.aggregator}
    if isinstance(event, SessionEnd):
        return {"message_id": event.session, "aggregator": event.aggregator}
    return {"message_id": event.join if isinstance(event, JoinTimeout) else event.event_id}


def _one(received: Received) -> None:
    try:
        event = EventRecord.from_body(received.body).event
    except ValidationError as error:
        letters.bury(received.queue, received.body, received.group, f"not an event: {explain(error)}")
        return
    try:
        if isinstance(event, Outcome):
            _outcome(event)
        elif isinstance(event, ReceiptEvent):
            _receipt(event)
        elif isinstance(event, MoEvent):
            receiving.receive(event)
        elif isinstance(event, JoinTimeout):
            receiving.give_up_waiting(event)
        elif isinstance(event, SessionEnd):
            inbox.note_end(event)
        else:
            receiving.opt_out(event)
    except (registry.UnknownChannel, registry.UnknownAggregator, registry.UnknownPlatform) as error:
        if now_ms() - received.sent_at < UNKNOWN_FOR:
            raise Unready(str(error)) from error
        missing = type(error).__name__.removeprefix("Unknown").lower()
        reason = f"unknown {missing} for an hour: {error}"
        letters.bury(received.queue, received.body, received.group, reason, **_keys(received))


# --- outcomes and receipts ------------------------------------------------------------------------------------------


def _outcome(outcome: Outcome) -> None:
    key, now = outcome.key, now_ms()
    if outcome.recorded:
        state = ledger.get(key.channel, key.id)
        if state is not None and state.key.generation != key.generation:
            state = None
    else:
        state = ledger.conclude_unclaimed(key, outcome.part, outcome.total, _concluded(outcome), now)
        if not canaries.owns(key.id):  # a canary is no traffic: alarms on silence look for messages of platforms
            telemetry.count("sent" if outcome.accepted else "failed", outcome.aggregator)
            if outcome.accepted and state is not None:
                telemetry.latency(outcome.aggregator, (outcome.at or now) - state.opened_at)
    name = "outcome" if outcome.accepted else "failed"
    trace.hop(
        key.id,
        name,
        channel=key.channel,
        part=outcome.part,
        total=outcome.total,
        external_id=outcome.external_id,
        reason=outcome.reason,
        code=outcome.code,
    )
    if outcome.accepted and outcome.external_id:
        submit = rendezvous.Submit(key, outcome.part, outcome.destination, outcome.at or now, silent=outcome.silent)
        for receipt in rendezvous.meet_outcome(outcome.aggregator, outcome.external_id, submit):
            state = _raised(key, outcome.part, receipt) or state
    if state is not None:
        _tell(state, outcome.reason, outcome.code)


def _concluded(outcome: Outcome) -> PartState:
    if outcome.accepted:
        return PartState(
            "accepted",
            external_id=outcome.external_id,
            rank=Status.WIRED.rank,
            until=outcome.at,
            silent=outcome.silent,
        )
    return PartState("failed", reason=outcome.reason, code=outcome.code, rank=Status.FAILED.rank, until=outcome.at)


def _receipt(event: ReceiptEvent) -> None:
    update = event.update
    telemetry.count("receipts", event.aggregator)
    if update.id:
        state = ledger.get(update.channel, update.id)
        key, part = (state.key if state else None), update.part
    else:
        submit = rendezvous.meet_receipt(_of_its_aggregator(event), now_ms())
        if submit is None:
            telemetry.count("receipts_parked", event.aggregator)
            return
        key, part = submit.key, submit.part
    if key is None:
        telemetry.count("receipts_unknown", event.aggregator)
        trace.hop(update.id, "ignored_status", channel=update.channel, status=update.status.value, reason="unknown id")
        return
    before = ledger.get(key.channel, key.id)
    state = _raised(key, part, event)
    if state is None:
        return
    if before is not None and state.overall() is before.overall() and before.status is before.overall():
        trace.hop(
            key.id,
            "ignored_status",
            channel=key.channel,
            status=update.status.value,
            reason=f"not higher than {before.status.value}",
        )
    _tell(state, update.reason, update.code)


def _raised(key: MessageKey, part: int | None, receipt: ReceiptEvent) -> MessageState | None:
    """What the message is with its receipt; None where there is no such message (any more)."""
    update = receipt.update
    state = ledger.raise_status(key, part, update.status, update.code)
    trace.hop(
        key.id,
        "receipt",
        channel=key.channel,
        part=part,
        status=update.status.value,
        code=update.code,
        reason=update.reason,
        external_id=update.external_id,
        tlvs=receipt.tlvs,
    )
    return state


def _of_its_aggregator(event: ReceiptEvent) -> ReceiptEvent:
    """A channel that has moved between two accounts of a type has one URL for receipts of both."""
    update = event.update
    try:
        former = registry.channel(update.channel).former if update.channel else {}
    except registry.UnknownChannel:
        return event
    for name in former:
        if name != event.aggregator and rendezvous.find(name, update.external_id):
            return event.model_copy(update={"aggregator": name})
    return event


def _tell(state: MessageState, reason: str = "", code: str = "") -> None:
    """Queue the message's status for its platform if it is higher than what the platform has been told."""
    status = state.overall()
    waypoints.reached("record.met")
    told = state.status
    if told.final or status.rank <= told.rank:
        return
    key = state.key
    if canaries.owns(key.id):
        if status is Status.DELIVERED:
            canaries.note_delivered(state.aggregator, key.id, now_ms())
    else:
        _tell_platform(key, status)
    waypoints.reached("record.queued")
    ledger.settle(key, status)
    waypoints.reached("record.settled")
    if status is not Status.WIRED:  # the sender has noted that with its exchange
        trace.hop(key.id, status.value, channel=key.channel, reason=reason, code=code)


def _tell_platform(key: MessageKey, status: Status) -> None:
    record = handing.status(registry.channel(key.channel), status, key.id)
    if record is not None:
        handing.put(queues.deliver_queue(record.platform), queues.status_entry(record, key, status))
