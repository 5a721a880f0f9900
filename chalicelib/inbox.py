"""MOs that come twice, and MOs that come in parts (DynamoDB items of the ledger table).

Twice: with an external id, the same (channel, sender, external id) within two days. Without one, over HTTP: the same
content with the aggregator's own time stamp, or, where it gives none, within `WINDOW` of the first. Over an SMSC
session there is no id at all: the same content in the same session is an honest second message ("1" and "1" again);
from a session that began after the first was received it is the SMSC's redelivery, swallowed once.
In parts: joined by sender, destination and reference, whatever bind or order they come by.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from chalicelib import aws
from chalicelib.ledger import DAY
from chalicelib.queues import digest
from chalicelib.records import MoEvent
from chalicelib.settings import settings

WINDOW: Final = 4_000  # ms: how soon the same content without id and time counts as the same message
REMEMBER: Final = 2 * DAY  # seconds
JOIN_WAIT: Final = 6 * 3600  # seconds until an incomplete MO is delivered as it is
JOIN_KEEP: Final = 2 * DAY


@dataclass(frozen=True, slots=True)
class Joined:
    """State of a multipart MO: the parts' events by sequence, and whether it has been delivered."""

    pieces: dict[int, MoEvent]
    total: int
    done: bool

    @property
    def complete(self) -> bool:
        """All parts are here."""
        return len(self.pieces) >= self.total


def is_repeat(event: MoEvent) -> bool:
    """True when this MO is one we have already; the same event given again (SQS) is not a repeat of itself."""
    message, session = event.message, event.session
    if message.external_id:
        name = digest("id", message.sender, message.external_id)
    elif session:
        piece = event.piece
        name = digest(
            "smsc",
            event.aggregator,
            message.sender,
            event.to,
            message.text,
            event.octets,
            f"{piece.reference}/{piece.sequence}" if piece else "",
        )
    else:
        stamp = str(message.received_at or "")
        name = digest("content", message.sender, message.text, *message.attachments, stamp)
    pk = f"mo#{message.channel or event.aggregator}#{name}"
    first = _first(pk, event)
    if first is None or first["ev"]["S"] == event.event_id:
        return False
    at, since = int(first["at"]["N"]), event.session_since
    if message.external_id:
        return True
    if session:
        redelivered = first["se"]["S"] != session and since >= at and "sw" not in first
        _remember(pk, event, swallowed=redelivered)
        return redelivered
    if message.received_at or abs(event.at - at) < WINDOW:
        return True
    _remember(pk, event)
    return False


def _first(pk: str, event: MoEvent) -> dict[str, Any] | None:
    """The first event filed under `pk`, None when this one is it now."""
    try:
        _remember(pk, event, only_if_new=True)
    except Exception as error:
        if aws.error_code(error) != "ConditionalCheckFailedException":
            raise
        item: dict[str, Any] | None = (
            aws.dynamodb()
            .get_item(TableName=settings().table("ledger"), Key={"pk": {"S": pk}}, ConsistentRead=True)
            .get("Item")
        )
        return item
    return None


def _remember(pk: str, event: MoEvent, *, only_if_new: bool = False, swallowed: bool = False) -> None:
    item: dict[str, Any] = {
        "pk": {"S": pk},
        "ev": {"S": event.event_id},
        "se": {"S": event.session or "-"},
        "at": {"N": str(event.at)},
        "ttl": {"N": str(event.at // 1000 + REMEMBER)},
    }
    if swallowed:
        item["sw"] = {"BOOL": True}
    request: dict[str, Any] = {"TableName": settings().table("ledger"), "Item": item}
    if only_if_new:
        request["ConditionExpression"] = "attribute_not_exists(pk)"
    aws.dynamodb().put_item(**request)


def join_name(event: MoEvent) -> str:
    """Name of the message that a part belongs to (SMPP sheet of 3GPP TS 23.040 9.2.3.24.1: same addresses,
    reference and total)."""
    assert event.piece is not None  # noqa: S101 - only parts are joined
    owner = event.message.channel or f"{event.aggregator}/{event.to}"
    return digest("join", owner, event.message.sender, str(event.piece.reference), str(event.piece.total))


def add_piece(name: str, event: MoEvent) -> Joined:
    """File one part; the first of its sequence number stays. Repeatable."""
    piece = event.piece
    assert piece is not None  # noqa: S101 - only parts are joined
    table = settings().table("ledger")
    base = {
        "pk": {"S": f"join#{name}"},
        "q": {"M": {}},
        "tot": {"N": str(piece.total)},
        "at": {"N": str(event.at)},
        "ttl": {"N": str(event.at // 1000 + JOIN_KEEP)},
    }
    try:
        aws.dynamodb().put_item(TableName=table, Item=base, ConditionExpression="attribute_not_exists(pk)")
    except Exception as error:
        if aws.error_code(error) != "ConditionalCheckFailedException":
            raise
    attributes = aws.dynamodb().update_item(
        TableName=table,
        Key={"pk": {"S": f"join#{name}"}},
        UpdateExpression="SET q.#n = if_not_exists(q.#n, :body)",
        ExpressionAttributeNames={"#n": str(piece.sequence)},
        ExpressionAttributeValues={":body": {"S": event.to_body()}},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    return _joined(attributes)


def pieces_of(name: str) -> Joined | None:
    """What has come of a multipart MO, None when nothing is known of it."""
    item = (
        aws.dynamodb()
        .get_item(TableName=settings().table("ledger"), Key={"pk": {"S": f"join#{name}"}}, ConsistentRead=True)
        .get("Item")
    )
    return _joined(item) if item else None


def mark_joined(name: str) -> None:
    """The message has been handed on: later copies of its parts are repeats."""
    aws.dynamodb().update_item(
        TableName=settings().table("ledger"),
        Key={"pk": {"S": f"join#{name}"}},
        UpdateExpression="SET done = :yes",
        ExpressionAttributeValues={":yes": {"BOOL": True}},
    )


def _joined(item: dict[str, Any]) -> Joined:
    pieces = {int(n): MoEvent.model_validate(json.loads(v["S"])) for n, v in item.get("q", {}).get("M", {}).items()}
    return Joined(pieces, int(item["tot"]["N"]), bool(item.get("done", {}).get("BOOL")))
