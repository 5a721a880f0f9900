"""λ later: brings records that waited in the standard queue `later` back to their own queue when their time has come.

SQS delays one message for 15 minutes at most (DelaySeconds), so a longer wait takes several rounds.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from chalicelib import letters, queues
from chalicelib.clock import now_ms
from chalicelib.queues import Entry, Received, RefusedBySqs
from chalicelib.records import LaterRecord, explain


def put(record: LaterRecord, now: int) -> None:
    """Let `record` wait.

    Raises:
        RefusedBySqs: the record itself is invalid for SQS.
        botocore.exceptions.BotoCoreError, ClientError: SQS did not take it; try again.
    """
    queues.send(queues.LATER, queues.later_entry(record, now))


def later(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a batch of the queue `later`; answers which of its records are to be given again."""
    now = now_ms()
    by_queue: dict[str, list[tuple[Received, LaterRecord]]] = {}
    again: list[Received] = []
    for received in queues.received_from(event):
        try:
            record = LaterRecord.from_body(received.body)
        except ValidationError as error:
            if not _buried(received.queue, received.body, "", f"not a record of later: {explain(error)}"):
                again.append(received)
            continue
        due = record.not_before <= now
        by_queue.setdefault(record.queue if due else queues.LATER, []).append((received, record))
    for queue, waiting in by_queue.items():
        # Two messages of a contact that waited side by side go back in the order of their times: SQS shuffles them.
        waiting.sort(key=lambda pair: pair[1].not_before)
        entries = [_back(record) if queue == record.queue else _on(record, now) for _, record in waiting]
        for (received, record), problem in zip(waiting, queues.send_many(queue, entries), strict=True):
            if problem is None:
                continue
            refused = isinstance(problem, RefusedBySqs)
            if not refused or not _buried(record.queue, record.body, record.group, str(problem)):
                again.append(received)
    return queues.failures(again)


def _buried(queue: str, body: str, group: str, reason: str) -> bool:
    """False when SQS did not take it: the rest of the batch must still be answered for."""
    try:
        letters.bury(queue, body, group, reason)
    except Exception:
        return False
    return True


def _back(record: LaterRecord) -> Entry:
    """One stay in `later` is one entry, however often SQS delivers it; the next stay has another `not_before`."""
    dedup = queues.digest("later", record.queue, record.body, str(record.not_before))
    return Entry(body=record.body, group=record.group, dedup=dedup)


def _on(record: LaterRecord, now: int) -> Entry:
    return queues.later_entry(record.model_copy(update={"round": record.round + 1}), now)
