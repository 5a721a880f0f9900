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
    channels,
    inbox,
    ledger,
    letters,
    queues,
    registry,
    rendezvous,
    telemetry,
    trace,
    waypoints,
)
from chalicelib.clock import iso, now_ms
from chalicelib.ledger_items import MessageState, PartState
from chalicelib.messages import Incoming, Status
from chalicelib.queues import Received, RefusedBySqs
from chalicelib.records import (
    DeliveryRecord,
    EventRecord,
    JoinTimeout,
    LaterRecord,
    MessageKey,
    MoEvent,
    OptOutEvent,
    Outcome,
    Piece,
    ReceiptEvent,
    explain,
    status_fields,
)
from chalicelib.registry import Channel
from chalicelib.text import with_attachments

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
            _incoming(event)
        elif isinstance(event, JoinTimeout):
            _give_up_waiting(event)
        else:
            _optout(event)
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
        submit = rendezvous.Submit(key, outcome.part, outcome.destination, outcome.at or now)
        for receipt in rendezvous.meet_outcome(outcome.aggregator, outcome.external_id, submit):
            state = ledger.raise_status(key, outcome.part, receipt.update.status, receipt.update.code) or state
    if state is not None:
        _tell(state, outcome.reason, outcome.code)


def _concluded(outcome: Outcome) -> PartState:
    if outcome.accepted:
        return PartState("accepted", external_id=outcome.external_id, rank=Status.WIRED.rank, until=outcome.at)
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
    )
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
    channel = registry.channel(key.channel)
    call = status_fields(status, key.id)
    if call is None and status is Status.WIRED and registry.platform(channel.platform).report_wired:
        call = status_fields(Status.SENT, key.id)
    if call is not None:
        kind, fields = call
        _deliver(_delivery(channel, kind, fields, key.id), status=status, key=key)


# --- from the phone -------------------------------------------------------------------------------------------------


def _incoming(event: MoEvent) -> None:
    event = _with_channel(event)
    channel = registry.channel(event.message.channel)
    if event.message.external_id:
        named = trace.external(channel.aggregator, event.message.external_id)
        trace.hop(named, "received", channel=channel.uuid, event_id=event.event_id)
    if inbox.is_repeat(event):
        _duplicate(event, channel)
    elif event.piece is None:
        _hand_on(event, channel)
    else:
        _part(event, event.piece, channel)


def _duplicate(event: MoEvent, channel: Channel) -> None:
    telemetry.count("duplicates", channel.aggregator)
    trace.hop(event.event_id, "duplicate", channel=channel.uuid, external_id=event.message.external_id)


def _part(event: MoEvent, piece: Piece, channel: Channel) -> None:
    name = inbox.join_name(event)
    joined = inbox.add_piece(name, event)
    holder = inbox.holder_of(event, joined)
    if inbox.is_copy(event, holder):
        _duplicate(event, channel)
        return
    if holder is None or holder.event_id != event.event_id:
        if not joined.done:
            telemetry.count("incomplete", channel.aggregator)
            _join(name, joined, channel, incomplete=True)
        joined = inbox.start_anew(name, event)
    if joined.done:
        return
    trace.hop(event.event_id, "part", channel=channel.uuid, part=piece.sequence, total=joined.total)
    if joined.complete:
        _join(name, joined, channel)
    elif len(joined.pieces) == 1:
        _wake_up_later(name, event)


def _with_channel(event: MoEvent) -> MoEvent:
    """An SMSC's MO names a number of ours, not a channel."""
    if event.message.channel:
        return event
    channel = registry.channel_at(event.aggregator, event.to)
    return event.model_copy(update={"message": event.message.model_copy(update={"channel": channel.uuid})})


def _hand_on(event: MoEvent, channel: Channel, *, incomplete: bool = False) -> None:
    message = event.message
    if _is_answer(channel, message.sender, event.event_id):
        return
    if not channel.enabled:
        trace.hop(event.event_id, "buried", channel=channel.uuid, reason="the channel is disabled")
        raise registry.UnknownChannel(f"channel {channel.uuid} is disabled")
    if _alphanumeric(message) and not _takes_names(channel):
        telemetry.count("alphanumeric_dropped", channel.aggregator)
        trace.hop(event.event_id, "dropped", channel=channel.uuid, reason="alphanumeric sender; alphanumeric_mo: drop")
        return
    fields = {
        "from": message.sender,
        "text": with_attachments(message.text, message.attachments),
        "date": iso(message.received_at or event.at),
    }
    record = _delivery(channel, "receive", fields, event.event_id)
    _put(queues.deliver_queue(channel.platform), queues.mo_entry(record, message.sender))
    telemetry.count("received", channel.aggregator)
    trace.hop(
        event.event_id,
        "to_platform",
        channel=channel.uuid,
        platform=channel.platform,
        incomplete=incomplete or None,
        external_id=message.external_id,
        sender=message.sender,
        text=message.text,
    )


def _is_answer(channel: Channel, sender: str, subject: str) -> bool:
    """What the canary's number sends is the canary's: noted, and told to nobody."""
    if not canaries.answers(channel, sender):
        return False
    canaries.note_answer(channel.aggregator, now_ms())
    trace.hop(subject, "dropped", channel=channel.uuid, reason=f"sent by the canary's number of {channel.aggregator}")
    return True


def _alphanumeric(message: Incoming) -> bool:
    """RapidPro refuses a sender that is not a number. Webhooks and SMSC dialects have normalised it."""
    return not message.sender.removeprefix("+").isdigit()


def _takes_names(channel: Channel) -> bool:
    """The channel's `alphanumeric_mo`, else its aggregator's, else its type's."""
    own = {key: value for key, value in channel.config.items() if value is not None}
    return channels.takes_names(channel.type, {**registry.aggregator(channel.aggregator).config, **own})


def _join(name: str, joined: inbox.Joined, channel: Channel, *, incomplete: bool = False) -> None:
    pieces = [joined.pieces[n] for n in sorted(joined.pieces)]
    first = pieces[0]
    text = "".join(piece.message.text for piece in pieces)
    whole = first.model_copy(update={"message": first.message.model_copy(update={"text": text}), "piece": None})
    _hand_on(whole, channel, incomplete=incomplete)
    inbox.mark_joined(name)


def _wake_up_later(name: str, event: MoEvent) -> None:
    at = event.at + inbox.JOIN_WAIT * 1000
    timeout = queues.event_entry(JoinTimeout(join=name, at=at))
    later = LaterRecord(queue=queues.EVENTS, group=timeout.group, body=timeout.body, not_before=at)
    _put(queues.LATER, queues.later_entry(later, now_ms()))


def _give_up_waiting(timeout: JoinTimeout) -> None:
    joined = inbox.pieces_of(timeout.join)
    if joined is None or joined.done or not joined.pieces or joined.since + inbox.JOIN_WAIT * 1000 > timeout.at:
        return  # handed on, or the next message under this name, which has a wake-up of its own
    first = joined.pieces[min(joined.pieces)]
    telemetry.count("incomplete", first.aggregator)
    _join(timeout.join, joined, registry.channel(_with_channel(first).message.channel), incomplete=True)


def _optout(event: OptOutEvent) -> None:
    optout = event.optout
    channel = registry.channel(optout.channel)
    if _is_answer(channel, optout.sender, event.event_id):
        return
    record = _delivery(channel, "stopped", {"from": optout.sender}, event.event_id)
    _put(queues.deliver_queue(channel.platform), queues.mo_entry(record, optout.sender))
    trace.hop(event.event_id, "stopped", channel=channel.uuid, sender=optout.sender)


# --- queueing -------------------------------------------------------------------------------------------------------


def _delivery(channel: Channel, kind: Any, fields: dict[str, str], subject: str) -> DeliveryRecord:
    return DeliveryRecord(
        kind=kind,
        platform=channel.platform,
        channel=channel.uuid,
        fields=fields,
        subject=subject,
        first_seen=now_ms(),
    )


def _deliver(record: DeliveryRecord, *, status: Status, key: MessageKey) -> None:
    _put(queues.deliver_queue(record.platform), queues.status_entry(record, key, status))


def _put(queue: str, entry: queues.Entry) -> None:
    """Queue an entry; one that SQS calls invalid needs a human, and does not hold up the others."""
    try:
        queues.send(queue, entry)
    except RefusedBySqs as error:
        letters.bury(queue, entry.body, entry.group, str(error))
