"""Taking records out of a dead-letter queue and back on their way, never losing one: sent first, deleted then.

A record that is sent and not deleted is sent again by the next run under the same dedup id; beyond SQS's five minutes
the ledger knows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from chalicelib import ledger, queues, registry, trace
from chalicelib.ledger_items import MessageState
from chalicelib.messages import Status
from chalicelib.queues import Entry, Received, RefusedBySqs
from chalicelib.records import DeliveryRecord, EventRecord, LaneRecord, LaterRecord

HIDE: Final = 120  # seconds for which a record is hidden from others who look into the same queue


class Left(Exception):  # noqa: N818 - what becomes of it
    """The record stays where it is; the text says why."""


@dataclass
class Tally:
    """What a run has done."""

    redriven: list[str] = field(default_factory=list)  # SQS message ids
    left: list[tuple[str, str]] = field(default_factory=list)  # (SQS message id, why) of those that were wanted


def look(source: str, limit: int = 1000) -> list[Received]:
    """What is in the DLQ of `source`, as far as it can be seen: of a contact, only the first ten. Nothing is changed
    but the receive counts, which count for nothing there."""
    found: list[Received] = []
    try:
        while len(found) < limit and (batch := _receive(source, found)):
            found += batch
    finally:
        release(found)
    return found[:limit]


def _receive(source: str, known: list[Received]) -> list[Received]:
    """The next batch; none when what comes is only what has been seen, its time being over."""
    seen = {record.message_id for record in known}
    return [one for one in queues.receive(queues.dlq_of(source), HIDE) if one.message_id not in seen]


def release(records: list[Received]) -> None:
    """Show them again."""
    if records:
        queues.hold(records, 0)


def redrive(source: str, wanted: Callable[[Received], bool], now: int, *, renew: bool = False) -> Tally:
    """Send the wanted records of the DLQ of `source` on their way again, in order.

    `renew` gives a message in a lane its full time again; without, one that is too old is told failed(expired).
    """
    tally = Tally()
    kept: list[Received] = []
    held: list[Received] = []
    try:
        while batch := _receive(source, kept):
            held = list(batch)
            for record in batch:
                if not wanted(record):
                    kept.append(record)
                    continue
                try:
                    queue, entry = again(source, record, now, renew=renew)
                    queues.send(queue, entry)
                except (Left, RefusedBySqs) as why:
                    tally.left.append((record.message_id, str(why)))
                    kept.append(record)
                    continue
                queues.delete(record)
                held.remove(record)
                tally.redriven.append(record.message_id)
            held = []
    finally:
        release(kept + [record for record in held if record not in kept])
        trace.flush()
    return tally


def again(source: str, record: Received, now: int, *, renew: bool = False) -> tuple[str, Entry]:
    """The queue and entry that put a record on its way again.

    Raises:
        Left: that would be of no use.
    """
    dedup = queues.digest("redrive", source, record.message_id)
    try:
        if source.startswith("lane-"):
            return _lane(LaneRecord.from_body(record.body), record, now, renew=renew)
        if source == queues.LATER:
            return source, queues.later_entry(LaterRecord.from_body(record.body), now)
        if source == queues.EVENTS:
            EventRecord.from_body(record.body)
            return source, Entry(record.body, record.group, dedup)
        if source.startswith("deliver-"):
            told = DeliveryRecord.from_body(record.body)
            registry.platform(told.platform)
            # Its 72 hours begin anew, or it would be back at once.
            return source, Entry(told.model_copy(update={"first_seen": now}).to_body(), record.group, dedup)
    except ValidationError as error:
        raise Left(f"it cannot be read, and would be back at once ({error.error_count()} errors)") from None
    except registry.UnknownPlatform as error:
        raise Left(f"{error}: apply a file that has it first") from None
    return source, Entry(record.body, record.group, dedup)


def _lane(record: LaneRecord, received: Received, now: int, *, renew: bool) -> tuple[str, Entry]:
    """A message for its lane: a new generation where it has failed or is in doubt, else the same once more."""
    key = record.key
    try:
        channel = registry.channel(key.channel)
        account = registry.aggregator(channel.aggregator)
    except (registry.UnknownChannel, registry.UnknownAggregator) as error:
        raise Left(f"{error}: add it first") from None
    lane = queues.lane_name(account.name, own=account.own_lane, bulk=record.bulk)
    age = record.expires_at - record.first_seen
    changes: dict[str, Any] = {
        "aggregator": account.name,
        "lane": lane,
        "attempt": 1,
        "trouble_since": 0,
        "paced": False,
        "suspect": True,
        "expires_at": now + age if renew else record.expires_at,
    }
    state = ledger.get(key.channel, key.id)
    request = f"redrive {received.message_id}"
    if state is not None and state.key.generation > key.generation:
        if state.request != request:
            raise Left(f"a newer attempt to send it is {state.overall().value}: nothing is left to do for this one")
        changes["key"] = state.key  # of a run that was stopped after it had opened the generation
    elif state is not None and _ended(state, now):
        opened = ledger.open_message(
            key.channel,
            key.id,
            aggregator=account.name,
            lane=lane,
            destination=record.message.to,
            now=now,
            resend=True,
            request=request,
        )
        changes["key"] = opened.key
    made = record.model_copy(update=changes)
    trace.hop(
        key.id,
        "redriven",
        channel=key.channel,
        queue=queues.lane_queue(lane),
        until=made.expires_at,
        generation=made.key.generation,
        text=made.message.text,
    )
    return queues.lane_queue(lane), queues.lane_entry(made, copy=f"redrive {received.message_id}")


def _ended(state: MessageState, now: int) -> bool:
    """Failed, or in doubt: the same generation would not be sent again.

    Raises:
        Left: it is being sent at this moment.
    """
    claimed = [part for part in state.parts.values() if part.kind == "claimed"]
    if any(part.until > now for part in claimed):
        raise Left("it is being sent at this moment: try again in a minute")
    return state.overall() is Status.FAILED or bool(claimed)
