"""Outbound message -> ledger -> lane: λ route (from SQS) and `POST /send/<channel>` (in line).

The ledger decides: a new id is opened and queued; the same id while open or accepted is not sent again, its status is
told again; the same id after failed, or with `resend`, is a new generation. A copy that may be the second one carries
`suspect`, so that whoever sends it looks it up first.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from chalicelib import ledger, queues, registry, telemetry, trace, waypoints
from chalicelib.clock import now_ms, to_ms
from chalicelib.messages import Outgoing, Status
from chalicelib.queues import Received, RefusedBySqs
from chalicelib.records import DeliveryRecord, LaneRecord, MessageKey, status_fields
from chalicelib.registry import Channel

MAX_AGE: Final = 86_400  # seconds a reply may wait to be sent
MAX_AGE_BULK: Final = 43_200
UNKNOWN_FOR: Final = 3_600_000  # ms: how long a record waits for its channel to be registered
LOOK_AGAIN: Final = 30  # seconds


@dataclass(frozen=True, slots=True)
class Routed:
    """What has become of a message: queued now, or how far it was already."""

    key: MessageKey
    status: Status
    fresh: bool


def explain(error: ValidationError) -> str:
    """A validation error as one line that names each field and what is wrong with it, never its value."""
    found = []
    for item in error.errors(include_input=False, include_url=False):
        where = ".".join(str(step) for step in item["loc"]) or "body"
        found.append(f"{where}: {item['msg'].removeprefix('Value error, ')}")
    return "; ".join(found)


def forward(message: Outgoing, channel: Channel, *, bulk: bool, request: str = "", suspect: bool = False) -> Routed:
    """Open the message in the ledger and put it into its lane.

    Raises:
        RefusedBySqs: SQS calls the record invalid.
        botocore.exceptions.BotoCoreError, ClientError: AWS did not take it; the same call again is safe.
    """
    now = now_ms()
    account = registry.aggregator(channel.aggregator)
    lane = queues.lane_name(account.name, own=account.own_lane, bulk=bulk)
    opened = ledger.open_message(
        channel.uuid,
        message.key,
        aggregator=account.name,
        lane=lane,
        destination=message.to,
        now=now,
        resend=message.resend,
        request=request,
    )
    waypoints.reached("route.opened")
    if not opened.fresh and opened.forwarded:
        trace.hop(message.key, "told_again", channel=channel.uuid, status=opened.status.value)
        _tell_again(channel, opened)
        return Routed(opened.key, opened.status, False)
    record = LaneRecord(
        key=opened.key,
        message=message,
        aggregator=account.name,
        lane=lane,
        first_seen=now,
        expires_at=_expires_at(message, channel, account, bulk, now),
        bulk=bulk,
        suspect=suspect or not opened.fresh,
    )
    queues.send(queues.lane_queue(lane), queues.lane_entry(record))
    waypoints.reached("route.queued")
    ledger.mark_forwarded(opened.key)
    waypoints.reached("route.forwarded")
    trace.hop(message.key, "queued", channel=channel.uuid, queue=queues.lane_queue(lane), until=record.expires_at,
              to=message.to, text=message.text, generation=opened.key.generation)  # fmt: skip
    return Routed(opened.key, Status.QUEUED, True)


def _expires_at(message: Outgoing, channel: Channel, account: registry.Aggregator, bulk: bool, now: int) -> int:
    age = channel.config.get("max_age") or account.config.get("max_age") or (MAX_AGE_BULK if bulk else MAX_AGE)
    latest = now + int(age) * 1000
    return min(latest, to_ms(message.expires_at)) if message.expires_at else latest


def _tell_again(channel: Channel, opened: ledger.Opened) -> None:
    """The platform asks for a message that we have: tell it how far it is."""
    call = status_fields(opened.status, opened.key.id)
    if call is None:
        return
    kind, fields = call
    record = DeliveryRecord(
        kind=kind, platform=channel.platform, channel=channel.uuid, fields=fields, subject=opened.key.id,
        first_seen=now_ms(),
    )  # fmt: skip
    entry = queues.status_entry(record, opened.key, opened.status)
    again = queues.Entry(entry.body, entry.group, queues.digest(entry.dedup, str(now_ms())))
    queues.send(queues.deliver_queue(channel.platform), again)


# --- λ route --------------------------------------------------------------------------------------------------------


def route(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Route a batch of outbound(-bulk).fifo: groups side by side, each in order."""
    groups: dict[str, list[Received]] = defaultdict(list)
    for received in queues.received_from(event):
        groups[received.group].append(received)
    with ThreadPoolExecutor(max_workers=max(1, min(10, len(groups)))) as pool:
        left = [one for rest in pool.map(_group, groups.values()) for one in rest]
    trace.flush()
    return queues.failures(left)


def _group(records: list[Received]) -> list[Received]:
    for index, received in enumerate(records):
        try:
            done = _one(received)
        except Exception as error:
            telemetry.logger().warning("route_again", extra={"error": type(error).__name__})
            return records[index:]
        if not done:
            queues.hold(records[index:], LOOK_AGAIN)
            return records[index:]
    return []


def _one(received: Received) -> bool:
    """Route one record; False: its channel is not known yet."""

    def bury(reason: str) -> bool:
        queues.bury(received.queue, received.body, received.group, reason)
        telemetry.logger().error("buried", extra={"queue": received.queue, "reason": reason})
        return True

    try:
        message = Outgoing.model_validate_json(received.body)
    except ValidationError as error:
        return bury(f"invalid record: {explain(error)}")
    try:
        channel = registry.channel_for(message.channel)
    except registry.UnknownChannel:
        if now_ms() - received.sent_at < UNKNOWN_FOR:
            return False
        return bury(f"channel {message.channel} has been unknown for an hour: add it with `jangada channel add`")
    if not channel.enabled:
        return bury(f"channel {channel.uuid} is disabled: enable it, then redrive")
    try:
        forward(
            message,
            channel,
            bulk=received.queue == queues.OUTBOUND_BULK,
            request=received.message_id,
            suspect=received.receive_count > 1,
        )
    except RefusedBySqs as error:
        return bury(str(error))
    return True
