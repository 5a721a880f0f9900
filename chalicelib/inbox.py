"""MOs that come twice, and MOs that come in parts (DynamoDB items of the ledger table).

Twice: with an external id, the same (channel, sender, external id) within two days. Without one, over HTTP: the same
content with the aggregator's own time stamp, or, where it gives none, within `WINDOW` of the first. Over an SMSC
session there is no id at all: the same content in the same session is an honest second message ("1" and "1" again);
in the first minute of a session that began after the last copy was received it is the SMSC's redelivery, and
swallowed. However often the link drops, each session sends it again once at most.
In parts: joined by sender, destination and reference, whatever bind or order they come by. A phone has 256 references
(65,536 at most) and uses them again: what is no repeat begins the next message under the same name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from chalicelib import ledger_table
from chalicelib.ledger_table import DAY
from chalicelib.queues import digest
from chalicelib.records import MoEvent

REDELIVERY: Final = 60_000  # ms after a session's begin in which an SMSC sends again what was not acknowledged
WINDOW: Final = 4_000  # ms: how soon the same content without id and time counts as the same message
REMEMBER: Final = 2 * DAY  # seconds
JOIN_WAIT: Final = 6 * 3600  # seconds until an incomplete MO is delivered as it is
JOIN_KEEP: Final = 2 * DAY


@dataclass(frozen=True, slots=True)
class Joined:
    """State of a multipart MO: the parts' events by sequence, whether it has been delivered, when its first part came
    (ms)."""

    pieces: dict[int, MoEvent]
    total: int
    done: bool
    since: int

    @property
    def complete(self) -> bool:
        """All parts are here."""
        return len(self.pieces) >= self.total


def is_repeat(event: MoEvent) -> bool:
    """True when this MO is one we have already; the same event given again (SQS) is answered as the first time."""
    message, session = event.message, event.session
    part = f"{event.piece.reference}/{event.piece.sequence}" if event.piece else ""
    if message.external_id:
        name = digest("id", message.sender, message.external_id, part)
    elif session:
        name = digest("smsc", event.aggregator, message.sender, event.to, message.text, event.octets, part)
    else:
        stamp = str(message.received_at or "")
        name = digest("content", message.sender, message.text, *message.attachments, stamp, part)
    pk = f"mo#{message.channel or event.aggregator}#{name}"
    if ledger_table.put_new(_item(pk, event)):
        return False
    first = ledger_table.get(pk)
    if first is None:
        return False
    if first["ev"]["S"] == event.event_id:
        return "sw" in first
    at, since = int(first["at"]["N"]), event.session_since
    if message.external_id:
        return True
    if session:
        redelivered = first["se"]["S"] != session and since >= at and event.at - since < REDELIVERY
        ledger_table.put({**_item(pk, event), **({"sw": {"BOOL": True}} if redelivered else {})})
        return redelivered
    if message.received_at or abs(event.at - at) < WINDOW:
        return True
    ledger_table.put(_item(pk, event))
    return False


def _item(pk: str, event: MoEvent) -> dict[str, Any]:
    return {
        "pk": {"S": pk},
        "ev": {"S": event.event_id},
        "se": {"S": event.session or "-"},
        "at": {"N": str(event.at)},
        "ttl": {"N": str(event.at // 1000 + REMEMBER)},
    }


def join_name(event: MoEvent) -> str:
    """Name of the message that a part belongs to: same addresses, reference and total (3GPP TS 23.040 9.2.3.24.1)."""
    piece = event.piece
    assert piece is not None  # noqa: S101 - only parts are joined
    owner = event.message.channel or f"{event.aggregator}/{event.to}"
    reference = f"{piece.reference}/{16 if piece.wide else 8}"
    return digest("join", owner, event.message.sender, reference, str(piece.total))


def add_piece(name: str, event: MoEvent) -> Joined:
    """File one part, unless its place is taken or the message has been handed on. Repeatable."""
    piece = event.piece
    assert piece is not None  # noqa: S101 - only parts are joined
    number, body = {"#n": str(piece.sequence)}, {":body": {"S": event.to_body()}}
    change, condition = "SET q.#n = if_not_exists(q.#n, :body)", "attribute_not_exists(done)"
    ledger_table.put_new(_base(name, event))
    filed = ledger_table.attempt(
        lambda: ledger_table.update(f"join#{name}", change, body, condition=condition, names=number)
    )
    found = _joined(filed) if filed is not None else pieces_of(name)
    return found or add_piece(name, event)  # expired in between


def holder_of(event: MoEvent, joined: Joined) -> MoEvent | None:
    """The event that has this part's place in what `add_piece` answered."""
    assert event.piece is not None  # noqa: S101 - only parts are joined
    return joined.pieces.get(event.piece.sequence)


def is_copy(event: MoEvent, holder: MoEvent | None) -> bool:
    """The SMSC has sent a part twice, in one session: a phone that repeats itself takes another reference."""
    if holder is None or holder.event_id == event.event_id or event.at - holder.at >= JOIN_WAIT * 1000:
        return False
    return (holder.message.text, holder.octets) == (event.message.text, event.octets)


def start_anew(name: str, event: MoEvent) -> Joined:
    """The reference is used again, or the part is late: it is the first of the next message under this name."""
    ledger_table.put(_base(name, event))
    return add_piece(name, event)


def _base(name: str, event: MoEvent) -> dict[str, Any]:
    assert event.piece is not None  # noqa: S101 - only parts are joined
    return {
        "pk": {"S": f"join#{name}"},
        "q": {"M": {}},
        "tot": {"N": str(event.piece.total)},
        "at": {"N": str(event.at)},
        "ttl": {"N": str(event.at // 1000 + JOIN_KEEP)},
    }


def pieces_of(name: str) -> Joined | None:
    """What has come of a multipart MO, None when nothing is known of it."""
    item = ledger_table.get(f"join#{name}")
    return _joined(item) if item else None


def mark_joined(name: str) -> None:
    """The message has been handed on."""
    ledger_table.update(f"join#{name}", "SET done = :yes", {":yes": {"BOOL": True}}, answer="NONE")


def _joined(item: dict[str, Any]) -> Joined:
    pieces = {int(n): MoEvent.model_validate(json.loads(v["S"])) for n, v in item.get("q", {}).get("M", {}).items()}
    return Joined(pieces, int(item["tot"]["N"]), bool(item.get("done", {}).get("BOOL")), int(item["at"]["N"]))
