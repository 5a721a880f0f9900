"""Outbound message -> ledger -> lane: λ route (from SQS) and `POST /send/<channel>` (in line).

The ledger decides: a new id is opened and queued; the same id while open or accepted is not sent again, its status is
told again; the same id after failed, or with `resend`, is a new generation. A copy that may be the second one carries
`suspect`, so that whoever sends it looks it up first.
"""

from __future__ import annotations

import enum
import json
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from chalicelib import canaries, handing, ledger, letters, queues, registry, telemetry, trace, waypoints
from chalicelib.clock import now_ms, to_ms
from chalicelib.messages import Outgoing, Status
from chalicelib.queues import Entry, Received, RefusedBySqs
from chalicelib.records import LaneRecord, MessageKey, explain
from chalicelib.registry import Aggregator, Channel

MAX_AGE: Final = 86_400  # seconds a reply may wait to be sent
MAX_AGE_BULK: Final = 43_200
UNKNOWN_FOR: Final = 3_600_000  # ms: how long a record waits for its channel to be registered
LOOK_AGAIN: Final = 30  # seconds between the looks for it
TRY_AGAIN: Final = 10  # seconds until a record is given again that AWS's trouble has stopped
_THREADS: Final = 10  # a batch's records; each waits for DynamoDB


# --- one message ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    """A message that the ledger knows. `record` is for its lane; None: the lane has had it, `status` says how far."""

    key: MessageKey
    status: Status
    message: Outgoing
    record: LaneRecord | None = None

    @property
    def queue(self) -> str:
        """The lane's queue, "" where nothing is to be queued."""
        return queues.lane_queue(self.record.lane) if self.record else ""


def forward(message: Outgoing, channel: Channel, *, bulk: bool, request: str = "") -> Opened:
    """Open the message in the ledger and put it into its lane. The same call again is safe.

    Raises:
        UnknownAggregator: the channel's aggregator is not registered.
        RegistryUnavailable: it cannot be read.
        RefusedBySqs: SQS calls the record invalid, which is to say too long.
        botocore.exceptions.BotoCoreError, ClientError: AWS did not take it.
    """
    opened = _open(message, channel, bulk=bulk, request=request)
    if opened.record:
        queues.send(opened.queue, _entry(opened.record))
        waypoints.reached("route.queued")
        _mark(opened)
    return opened


def _open(message: Outgoing, channel: Channel, *, bulk: bool, request: str, suspect: bool = False) -> Opened:
    now = now_ms()
    account = registry.aggregator(channel.aggregator)
    lane = queues.lane_name(account.name, own=account.own_lane, bulk=bulk)
    found = ledger.open_message(
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
    if not found.fresh and found.forwarded:
        _tell_again(channel, found)
        return Opened(found.key, found.status, message)
    if found.aggregator not in ("", account.name):
        # The channel has moved since, and the lane may have had it: a copy in another lane would be sent too.
        account, lane = registry.aggregator(found.aggregator), found.lane
    record = LaneRecord(
        key=found.key,
        message=message,
        aggregator=account.name,
        lane=lane,
        first_seen=now,
        expires_at=_expires_at(message, channel, account, bulk, now),
        bulk=bulk,
        suspect=suspect or not found.fresh,
    )
    return Opened(found.key, Status.QUEUED, message, record)


def _entry(record: LaneRecord) -> Entry:
    entry = queues.lane_entry(record)
    if len(entry.body) > queues.MAX_BATCH_OCTETS:
        raise RefusedBySqs(f"the record has {len(entry.body)} octets, SQS takes {queues.MAX_BATCH_OCTETS}: shorten it")
    return entry


def _mark(opened: Opened) -> None:
    """The lane has it: write that down, and trace it.

    Best effort: unmarked, the same id would be queued once more, as a suspect, and looked up before it is sent.
    """
    try:
        ledger.mark_forwarded(opened.key)
    except Exception as error:
        telemetry.logger().warning("not_marked", extra={"error": type(error).__name__})
    waypoints.reached("route.forwarded")
    if opened.record:
        trace.hop(
            opened.key.id,
            "queued",
            channel=opened.key.channel,
            queue=opened.queue,
            until=opened.record.expires_at,
            to=opened.message.to,
            text=opened.message.text,
            generation=opened.key.generation,
        )


def _expires_at(message: Outgoing, channel: Channel, account: Aggregator, bulk: bool, now: int) -> int:
    latest = now + 1000 * (_seconds(channel.config) or _seconds(account.config) or (MAX_AGE_BULK if bulk else MAX_AGE))
    return min(latest, to_ms(message.expires_at)) if message.expires_at else latest


def _seconds(config: dict[str, Any]) -> int:
    """The configured `max_age`, 0 where there is none that can be used: the sender's own check says so by name."""
    try:
        return max(0, int(config.get("max_age") or 0))
    except (TypeError, ValueError, OverflowError):
        return 0


def _tell_again(channel: Channel, found: ledger.Opened) -> None:
    """The platform asks for a message that we have: tell it how far it is."""
    if canaries.owns(found.key.id):
        return
    trace.hop(found.key.id, "told_again", channel=channel.uuid, status=found.status.value)
    record = handing.status(channel, found.status, found.key.id)
    if record is None:
        return
    entry = queues.status_entry(record, found.key, found.status)
    # Asked again, told again: not the entry that SQS may have seen within five minutes.
    queues.send(queues.deliver_queue(channel.platform), Entry(entry.body, entry.group, queues.new_id()))


# --- λ route --------------------------------------------------------------------------------------------------------


class _Verdict(enum.Enum):
    DONE = 0
    LOOK_AGAIN = LOOK_AGAIN
    TRY_AGAIN = TRY_AGAIN


_Step = Opened | _Verdict


def route(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Route a batch of outbound(-bulk).fifo.

    Rounds: the first record of every group, side by side; then the second of those whose first is done. So the lanes
    get batches, a group's order holds whatever part of a batch SQS refuses, and trouble stops one group only.
    """
    groups: dict[str, list[Received]] = defaultdict(list)
    for received in queues.received_from(event):
        groups[received.group].append(received)
    left: dict[_Verdict, list[Received]] = defaultdict(list)
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        while groups:
            heads = {name: records[0] for name, records in groups.items()}
            steps = list(pool.map(_guarded, heads.values()))
            verdicts = _queue_all(pool, list(heads.values()), steps)
            for name, verdict in zip(heads, verdicts, strict=True):
                if verdict is not _Verdict.DONE:
                    left[verdict] += groups.pop(name)
                elif len(groups[name]) > 1:
                    del groups[name][0]
                else:
                    del groups[name]
    for verdict, records in left.items():
        _hold(records, verdict.value)
    trace.flush()
    return queues.failures(record for records in left.values() for record in records)


def _hold(records: Sequence[Received], seconds: int) -> None:
    """Give them again sooner than the queue's visibility time-out would; where that fails, it does it."""
    try:
        queues.hold(records, seconds)
    except Exception as error:
        telemetry.logger().warning("not_held", extra={"error": type(error).__name__})


def _guarded(received: Received) -> _Step:
    """`_begin`; whatever goes wrong on our side, or AWS's, is tried again."""
    try:
        return _begin(received)
    except Exception as error:
        telemetry.logger().exception("route_again", extra={"queue": received.queue, "error": type(error).__name__})
        return _Verdict.TRY_AGAIN


def _begin(received: Received) -> _Step:
    """Read one record and open its message; bury what needs a human."""
    try:
        message = Outgoing.model_validate(json.loads(received.body))
    except ValidationError as error:
        return _bury(received, f"invalid record: {explain(error)}")
    except (ValueError, RecursionError):
        return _bury(received, "invalid record: body: is not JSON")
    missing = ""
    try:
        channel = registry.channel_for(message.channel)
        if not channel.enabled:
            return _bury(received, f"channel {channel.uuid} is disabled: enable it, then redrive", message)
        if canaries.owns(message.key) and not canaries.admits(message, channel):
            if now_ms() - received.sent_at < 2000 * registry.FRESH:  # the file may have been applied a moment ago
                return _Verdict.LOOK_AGAIN
            reason = f"ids that begin with {canaries.PREFIX} are the gateway's own: send it with another id"
            return _bury(received, reason, message)
        return _open(
            message,
            channel,
            bulk=received.queue == queues.OUTBOUND_BULK,
            request=received.message_id,
            suspect=received.receive_count > 1,
        )
    except registry.UnknownChannel:
        missing = f"channel {message.channel}"
    except registry.UnknownAggregator:
        missing = f"aggregator {channel.aggregator}"
    if now_ms() - received.sent_at < UNKNOWN_FOR:
        return _Verdict.LOOK_AGAIN
    fix = "add it with `jangada aggregator apply`, then redrive"
    return _bury(received, f"unknown {missing}, for an hour: {fix}", message)


def _bury(received: Received, reason: str, message: Outgoing | None = None) -> _Verdict:
    keys = {"message_id": message.key, "channel": str(message.channel)} if message else {}
    letters.bury(received.queue, received.body, received.group, reason, **keys)
    if message:
        trace.hop(message.key, "buried", channel=str(message.channel), queue=received.queue, reason=reason)
    return _Verdict.DONE


def _queue_all(pool: ThreadPoolExecutor, records: list[Received], steps: list[_Step]) -> list[_Verdict]:
    """Put what has been opened into its lanes, in batches; one record of a group at most."""
    verdicts = [step if isinstance(step, _Verdict) else _Verdict.DONE for step in steps]
    lanes: dict[str, list[tuple[int, Entry]]] = defaultdict(list)
    problems: dict[int, Exception] = {}
    for index, step in enumerate(steps):
        if isinstance(step, Opened) and step.record:
            try:
                lanes[step.queue].append((index, _entry(step.record)))
            except RefusedBySqs as error:
                problems[index] = error
    queued: list[Opened] = []
    for queue, entries in lanes.items():
        results = queues.send_many(queue, [entry for _, entry in entries])
        for (index, _), problem in zip(entries, results, strict=True):
            step = steps[index]
            if problem is not None:
                problems[index] = problem
            elif isinstance(step, Opened):
                queued.append(step)
    if queued:
        waypoints.reached("route.queued")
    list(pool.map(_mark, queued))
    for index, problem in problems.items():
        verdicts[index] = _not_queued(records[index], steps[index], problem)
    return verdicts


def _not_queued(received: Received, step: _Step, problem: Exception) -> _Verdict:
    if isinstance(problem, RefusedBySqs):
        try:
            return _bury(received, str(problem), step.message if isinstance(step, Opened) else None)
        except Exception as error:
            problem = error
    telemetry.logger().warning("route_again", extra={"queue": received.queue, "error": type(problem).__name__})
    return _Verdict.TRY_AGAIN
