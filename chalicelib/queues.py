"""SQS: the only place where queue names, group ids and dedup ids are made, and where its calls are.

FIFO facts that shape this module (AWS SQS developer guide, "Amazon SQS FIFO queues"): group and dedup ids are 1 to
128 of the ASCII letters, digits and punctuation, without spaces, so ids are digests; dedup covers 5 minutes; while a
message of a group is in flight the group is locked, so a back-off applies to every record of its group in the batch.
One file, so that all rules on names stand side by side.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from chalicelib import aws
from chalicelib.messages import Status
from chalicelib.records import (
    DeliveryRecord,
    Event,
    JoinTimeout,
    LaneRecord,
    LaterRecord,
    MessageKey,
    MoEvent,
    OptOutEvent,
    Outcome,
    ReceiptEvent,
    SessionEnd,
    event_body,
)
from chalicelib.settings import settings
from chalicelib.values import value

OUTBOUND: Final = "outbound.fifo"
OUTBOUND_BULK: Final = "outbound-bulk.fifo"
EVENTS: Final = "events.fifo"
LATER: Final = "later"
SHARED_LANE: Final = "lane-shared"

MAX_BATCH: Final = 10  # entries of a batch call
MAX_BATCH_OCTETS: Final = 1_048_576  # of all entries' bodies together, and of one body
MAX_DELAY: Final = 900  # seconds: the longest DelaySeconds
MAX_VISIBILITY: Final = 43_200


class RefusedBySqs(Exception):  # noqa: N818 - named for who refused
    """SQS calls the entry itself invalid (SenderFault): sending it again cannot help."""


def digest(*parts: str) -> str:
    """First 40 hex digits of SHA-256 over `parts`, unambiguous for any text, broken surrogates included."""
    # As a JSON array with ASCII escapes: any str has one form, and only one.
    written = ",".join(map(encode_basestring_ascii, parts))
    return hashlib.sha256(f"[{written}]".encode("ascii")).hexdigest()[:40]


def lane_queue(lane: str) -> str:
    """Queue name of a lane, e.g. "lane-shared" -> "lane-shared.fifo"."""
    return lane + ".fifo"


def lane_name(aggregator: str, *, own: bool, bulk: bool) -> str:
    """Name of the lane in front of `aggregator`."""
    return (f"lane-{aggregator}" if own else SHARED_LANE) + ("-bulk" if bulk else "")


def deliver_queue(platform: str) -> str:
    """Queue name in front of `platform`."""
    return f"deliver-{platform}.fifo"


def dlq_of(queue: str) -> str:
    """Name of the dead-letter queue of `queue`."""
    return queue.removesuffix(".fifo") + "-dlq" + (".fifo" if queue.endswith(".fifo") else "")


@value
class Entry:
    """One message to put into a queue. `group` and `dedup` are for FIFO queues, `delay` (s) for standard ones."""

    body: str
    group: str = ""
    dedup: str = ""
    delay: int = 0


@value
class Received:
    """One message out of a queue, as a Lambda event or ReceiveMessage gives it."""

    message_id: str
    receipt_handle: str
    body: str
    group: str
    receive_count: int
    sent_at: int  # ms since the epoch
    queue: str  # its name without the deployment's prefix, e.g. "lane-shared.fifo"
    reason: str = ""  # why it is in a DLQ, where we put it there


def received_from(event: dict[str, Any]) -> list[Received]:
    """The records of a Lambda SQS event, in order."""
    prefix = settings().prefix
    found = []
    for record in event["Records"]:
        attributes = record["attributes"]
        found.append(
            Received(
                message_id=record["messageId"],
                receipt_handle=record["receiptHandle"],
                body=record["body"],
                group=attributes.get("MessageGroupId", ""),
                receive_count=int(attributes.get("ApproximateReceiveCount", 1)),
                sent_at=int(attributes.get("SentTimestamp", 0)),
                queue=record["eventSourceARN"].rsplit(":", 1)[-1].removeprefix(prefix),
            )
        )
    return found


# --- entries: who is grouped with whom, and what counts as the same -----------------------------------------------


def contact_group(kind: str, owner: str, address: str) -> str:
    """Group of all traffic of one `kind` between `owner` (a channel) and a phone."""
    from chalicelib.phones import contact_key

    return digest(kind, owner, contact_key(address))


def lane_entry(record: LaneRecord, *, copy: str = "") -> Entry:
    """An MT for its lane: grouped by contact; the same (message, generation, attempt) is the same entry.

    `copy` makes it another one: a redrive, or a return from `later`.
    """
    key = record.key
    return Entry(
        body=record.to_body(),
        group=contact_group("mt", key.channel, record.message.to),
        dedup=digest("mt", key.channel, key.id, str(key.generation), str(record.attempt), copy),
    )


def event_entry(event: Event) -> Entry:
    """An event for events.fifo: MO by contact, outcomes and DLRs by (aggregator, external id)."""
    if isinstance(event, MoEvent):
        owner = event.message.channel or f"{event.aggregator}/{event.to}"
        group, dedup = contact_group("mo", owner, event.message.sender), digest("mo", event.event_id)
    elif isinstance(event, OptOutEvent):
        group = contact_group("mo", event.optout.channel, event.optout.sender)
        dedup = digest("optout", event.event_id)
    elif isinstance(event, ReceiptEvent):
        update = event.update
        group = _named_group(event.aggregator, update.external_id, update.channel, update.id)
        dedup = digest("dlr", event.event_id)
    elif isinstance(event, JoinTimeout):
        group, dedup = digest("join", event.join), digest("join", event.join, str(event.at))
    elif isinstance(event, SessionEnd):
        group = dedup = digest("session", event.session)
    else:
        group = _named_group(event.aggregator, event.external_id, event.key.channel, event.key.id)
        key = event.key
        dedup = digest(
            "outcome",
            key.channel,
            key.id,
            str(key.generation),
            str(event.part),
            event.external_id,
            event.reason,
            str(event.at),
        )
    return Entry(body=event_body(event), group=group, dedup=dedup)


def _named_group(aggregator: str, external_id: str, channel: str, message_id: str) -> str:
    if external_id:
        return digest("ext", aggregator, external_id)
    return digest("msg", channel, message_id)


def outcome_entry(outcome: Outcome) -> Entry:
    """An outcome for events.fifo (see `event_entry`)."""
    return event_entry(outcome)


def mo_entry(record: DeliveryRecord, sender: str) -> Entry:
    """An MO (or opt-out) for its platform: in order per contact."""
    return Entry(
        body=record.to_body(),
        group=contact_group("mo", record.channel, sender),
        dedup=digest("to-platform", record.kind, record.channel, record.subject),
    )


def status_entry(record: DeliveryRecord, key: MessageKey, status: Status) -> Entry:
    """A status for its platform: in order per message; told once per generation and status."""
    return Entry(
        body=record.to_body(),
        group=digest("status", key.channel, key.id),
        dedup=digest("status", key.channel, key.id, str(key.generation), status.value),
    )


def later_entry(record: LaterRecord, now: int) -> Entry:
    """A record for `later`, delayed until its time or for the longest delay SQS has."""
    return Entry(body=record.to_body(), delay=max(0, min(MAX_DELAY, -(-(record.not_before - now) // 1000))))


# --- calls --------------------------------------------------------------------------------------------------------


def send(queue: str, entry: Entry) -> str:
    """Put one entry into `queue`; returns SQS's message id.

    Raises:
        RefusedBySqs: SQS calls the entry invalid.
        botocore.exceptions.BotoCoreError, ClientError: SQS did not take it; try again.
    """
    try:
        return str(aws.sqs().send_message(QueueUrl=settings().queue_url(queue), **message(queue, entry))["MessageId"])
    except Exception as error:
        if aws.error_code(error) in _INVALID:
            raise RefusedBySqs(f"SQS refuses the record for {queue}: {aws.error_code(error)}") from error
        raise


_INVALID = frozenset({"InvalidParameterValue", "InvalidMessageContents", "InvalidAttributeValue", "MissingParameter"})


def message(queue: str, entry: Entry) -> dict[str, Any]:
    """What SendMessage and an entry of SendMessageBatch say of `entry`."""
    found: dict[str, Any] = {"MessageBody": entry.body}
    if queue.endswith(".fifo"):
        found |= {"MessageGroupId": entry.group, "MessageDeduplicationId": entry.dedup}
    elif entry.delay:
        found["DelaySeconds"] = entry.delay
    return found


def send_many(queue: str, entries: Sequence[Entry]) -> list[Exception | None]:
    """Put entries into `queue` in batches; for each, None or why it is not there (RefusedBySqs, or worth a retry).

    Entries of one group keep their order: after a failed one, later ones of its group in the same call count as
    failed too unless SQS took them already in the same batch.
    """
    results: list[Exception | None] = [None] * len(entries)
    stopped: set[str] = set()  # groups with an entry that has to be sent again: nothing may overtake it
    for whole in _chunks(entries):
        chunk = [index for index in whole if entries[index].group not in stopped]
        for index in set(whole).difference(chunk):
            results[index] = ConnectionError(f"an earlier record of its group is not in {queue} yet")
        if not chunk:
            continue
        batch = [{"Id": str(index), **message(queue, entries[index])} for index in chunk]
        try:
            found = problems(queue, aws.sqs().send_message_batch(QueueUrl=settings().queue_url(queue), Entries=batch))
        except Exception as error:
            found = dict.fromkeys(chunk, error)
        for index, problem in found.items():
            results[index] = problem
            if entries[index].group and not isinstance(problem, RefusedBySqs):
                stopped.add(entries[index].group)
    return results


def problems(queue: str, answer: dict[str, Any]) -> dict[int, Exception]:
    """What a batch call's answer says of its failed entries, by their Id (an index)."""
    found: dict[int, Exception] = {}
    for failed in answer.get("Failed") or ():
        kind = RefusedBySqs if failed.get("SenderFault") else ConnectionError
        found[int(failed["Id"])] = kind(f"SQS did not take the record for {queue}: {failed.get('Code', '')}")
    return found


def _chunks(entries: Sequence[Entry]) -> Iterable[list[int]]:
    chunk: list[int] = []
    octets = 0
    for index, entry in enumerate(entries):
        size = len(entry.body)
        if chunk and (len(chunk) == MAX_BATCH or octets + size > MAX_BATCH_OCTETS):
            yield chunk
            chunk, octets = [], 0
        chunk.append(index)
        octets += size
    if chunk:
        yield chunk


def hold(records: Sequence[Received], seconds: float) -> None:
    """Hide `records` (of one queue) for `seconds` more: one call with the same value for all of them.

    A handle that SQS calls expired is passed over: that record is visible already.
    """
    timeout = max(0, min(MAX_VISIBILITY, round(seconds)))
    for start in range(0, len(records), MAX_BATCH):
        part = records[start : start + MAX_BATCH]
        aws.sqs().change_message_visibility_batch(
            QueueUrl=settings().queue_url(part[0].queue),
            Entries=[
                {"Id": str(i), "ReceiptHandle": r.receipt_handle, "VisibilityTimeout": timeout}
                for i, r in enumerate(part)
            ],
        )


def receive(queue: str, visibility: int) -> list[Received]:
    """Up to ten messages of `queue`, hidden from others for `visibility` seconds; for tools: Lambda polls itself."""
    answer = aws.sqs().receive_message(
        QueueUrl=settings().queue_url(queue),
        MaxNumberOfMessages=MAX_BATCH,
        VisibilityTimeout=visibility,
        WaitTimeSeconds=0,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["reason"],
    )
    return received_in(queue, answer)


def received_in(queue: str, answer: dict[str, Any]) -> list[Received]:
    """The messages in an answer of ReceiveMessage."""
    return [
        Received(
            message_id=one["MessageId"],
            receipt_handle=one["ReceiptHandle"],
            body=one["Body"],
            group=one["Attributes"].get("MessageGroupId", ""),
            receive_count=int(one["Attributes"].get("ApproximateReceiveCount", 1)),
            sent_at=int(one["Attributes"].get("SentTimestamp", 0)),
            queue=queue,
            reason=one.get("MessageAttributes", {}).get("reason", {}).get("StringValue", ""),
        )
        for one in answer.get("Messages") or ()
    ]


def delete(record: Received) -> None:
    """The message is done with.

    Raises:
        botocore.exceptions.ClientError: its handle has expired; it will be given again.
    """
    aws.sqs().delete_message(QueueUrl=settings().queue_url(record.queue), ReceiptHandle=record.receipt_handle)


def bury(queue: str, body: str, group: str, reason: str) -> None:
    """Put a record that needs a human into the DLQ of `queue`, with the reason as a message attribute."""
    aws.sqs().send_message(**burial(queue, body, group, reason))


def burial(queue: str, body: str, group: str, reason: str) -> dict[str, Any]:
    """The SendMessage request of `bury`."""
    dead = dlq_of(queue)
    request: dict[str, Any] = {
        "QueueUrl": settings().queue_url(dead),
        "MessageBody": body,
        "MessageAttributes": {"reason": {"DataType": "String", "StringValue": _plain(reason) or "unknown"}},
    }
    if dead.endswith(".fifo"):
        request["MessageGroupId"] = group or digest("dlq", queue)
        request["MessageDeduplicationId"] = digest("dlq", queue, body)
    return request


def _plain(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")[:1000].strip()


def new_id() -> str:
    """A UUID that names an event of ours."""
    return str(uuid.uuid4())


# --- batches ------------------------------------------------------------------------------------------------------


def failures(records: Iterable[Received]) -> dict[str, Any]:
    """Lambda's answer for a batch of which `records` are to be given again (partial batch response)."""
    return {"batchItemFailures": [{"itemIdentifier": record.message_id} for record in records]}
