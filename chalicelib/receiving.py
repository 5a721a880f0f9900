"""What phones send, on its way to the platform: MOs, their parts, opt-outs. λ record's other half.

As in `recording`, every step can be done again.
"""

from __future__ import annotations

from chalicelib import canaries, channels, handing, inbox, queues, registry, telemetry, trace
from chalicelib.clock import iso, now_ms
from chalicelib.messages import Incoming
from chalicelib.records import JoinTimeout, LaterRecord, MoEvent, OptOutEvent, Piece
from chalicelib.registry import Channel
from chalicelib.text import with_attachments


def receive(event: MoEvent) -> None:
    """An MO, or a part of one, goes to its platform once.

    Raises:
        UnknownChannel, UnknownAggregator, UnknownPlatform: it cannot be handed on yet.
    """
    event = with_channel(event)
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


def with_channel(event: MoEvent) -> MoEvent:
    """An SMSC's MO names a number of ours, not a channel (raises as `receive`)."""
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
        **_octets(event),
    }
    record = handing.delivery(channel, "receive", fields, event.event_id)
    handing.put(queues.deliver_queue(channel.platform), queues.mo_entry(record, message.sender))
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
        tlvs=event.tlvs,
    )


def _octets(event: MoEvent) -> dict[str, str]:
    """What the platform is told of an MO that its text does not say."""
    if event.data_coding is None:
        return {}
    udh = {"udh": event.udh} if event.udh else {}
    return {"data": event.octets, **udh, "data_coding": str(event.data_coding)}


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
    from chalicelib import parts  # charsets and national tables: not for each cold start

    _hand_on(parts.whole(joined.pieces, joined.total), channel, incomplete=incomplete)
    inbox.mark_joined(name)


def _wake_up_later(name: str, event: MoEvent) -> None:
    at = event.at + inbox.JOIN_WAIT * 1000
    timeout = queues.event_entry(JoinTimeout(join=name, at=at))
    later = LaterRecord(queue=queues.EVENTS, group=timeout.group, body=timeout.body, not_before=at)
    handing.put(queues.LATER, queues.later_entry(later, now_ms()))


def give_up_waiting(timeout: JoinTimeout) -> None:
    """The parts that are there go to the platform (raises as `receive`)."""
    joined = inbox.pieces_of(timeout.join)
    if joined is None or joined.done or not joined.pieces or joined.since + inbox.JOIN_WAIT * 1000 > timeout.at:
        return  # handed on, or the next message under this name, which has a wake-up of its own
    first = joined.pieces[min(joined.pieces)]
    telemetry.count("incomplete", first.aggregator)
    _join(timeout.join, joined, registry.channel(with_channel(first).message.channel), incomplete=True)


def opt_out(event: OptOutEvent) -> None:
    """A phone wants no more messages (raises as `receive`)."""
    optout = event.optout
    channel = registry.channel(optout.channel)
    if _is_answer(channel, optout.sender, event.event_id):
        return
    record = handing.delivery(channel, "stopped", {"from": optout.sender}, event.event_id)
    handing.put(queues.deliver_queue(channel.platform), queues.mo_entry(record, optout.sender))
    trace.hop(event.event_id, "stopped", channel=channel.uuid, sender=optout.sender)
