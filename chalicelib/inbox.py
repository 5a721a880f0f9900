"""MOs that come twice, and MOs that come in parts (DynamoDB items of the ledger table).

Twice: with an external id, the same (channel, sender, external id) within two days. Without one, over HTTP: the same
content with the aggregator's own time stamp, or, where it gives none, within `WINDOW` of the first. Over an SMSC
session there is no id at all, and people answer "1" and "1" again: `_redelivered` tells an answer from a copy, and
where that cannot be told, a short answer (`SHORT`) is handed on: better twice than lost.
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
from chalicelib.records import MoEvent, SessionEnd

REDELIVERY: Final = 360_000  # ms in which an SMSC sends again what it has no answer for: some retry after five minutes
KILLED: Final = 180_000  # ms from what a relay that was killed had not answered to the next session: a task's start
SKEW: Final = 5_000  # ms by which the clocks of two relays may differ
WINDOW: Final = 4_000  # ms: how soon the same content without id and time counts as the same message
SHORT: Final = 3  # characters of the answers that people give again and again: "1", "no", "yes"
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
        header = [event.udh] if event.udh else []
        name = digest("smsc", event.aggregator, message.sender, event.to, message.text, event.octets, part, *header)
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
    if message.external_id:
        return True
    if session:
        redelivered = _redelivered(event, first)
        ledger_table.put({**_item(pk, event), **({"sw": {"BOOL": True}} if redelivered else {})})
        return redelivered
    if message.received_at or abs(event.at - int(first["at"]["N"])) < WINDOW:
        return True
    ledger_table.put(_item(pk, event))
    return False


def _short_answer(event: MoEvent) -> bool:
    """What one person sends time and again, over whatever session.

    Where the SMSC was not asked what it has read, the link broke before it could say, or the relay was killed, what may
    be a copy is all of the moment or the seconds before the end, or of the minutes. In these many more people answer
    "1" again than messages are sent again. So these are handed on, twice if need be, unless the first had no answer
    that was read. Longer texts are seldom repeated: the few that are, in that time, are taken for copies.
    """
    return event.piece is None and not event.octets and 0 < len(event.message.text.strip()) <= SHORT


def _redelivered(event: MoEvent, first: dict[str, Any]) -> bool:
    """Whether an SMSC's MO is the copy that `first` (the last one with this content) was not acknowledged for.

    An SMSC sends again what it has no answer for, and that only over another session, after the end of the first
    copy's. So nothing is a copy in its own session, before the other's end, or long after the SMSC could send again
    (`REDELIVERY` from the end, or from the begin of a later session: the link may have been away for hours).
    What had been answered before is not sent again. How far that goes, the relay tells that held the session: in what
    comes over its other sessions (`ended`: no race), and by a `SessionEnd`, which other relays' MOs are held against.
    Without either, the session is still open if it is of the same relay; if not, its relay was killed: then only what
    came within `KILLED` before the new session can be without an answer, since answers leave within a second as a rule,
    and within 20 s at worst. A relay that takes a bind from a dead one waits first, for longer than `SKEW`.
    Each copy is swallowed once: it is itself what the next one is held against.
    """
    session, at = first["se"]["S"], int(first["at"]["N"])
    if session == event.session:
        return False
    since = event.session_since
    known = event.ended.get(session) or _end_of(session)
    if known is not None:
        doubtful, unanswered, end = known
        begin = unanswered if _short_answer(event) else min(doubtful, unanswered)
        return at >= begin and event.at >= end - SKEW and event.at - max(end, since) < REDELIVERY
    if _short_answer(event) or (event.relay and first.get("re", {}).get("S") == event.relay):
        return False
    return 0 <= since - at < KILLED and event.at - since < REDELIVERY


def note_end(event: SessionEnd) -> None:
    """Keep what a relay tells of a session that has ended. Repeatable."""
    ledger_table.put(
        {
            "pk": {"S": f"session#{event.session}"},
            "doubtful": {"N": str(event.doubtful)},
            "unanswered": {"N": str(event.unanswered)},
            "at": {"N": str(event.at)},
            "ttl": {"N": str(event.at // 1000 + REMEMBER)},
        }
    )


def _end_of(session: str) -> tuple[int, int, int] | None:
    item = ledger_table.get(f"session#{session}")
    if item is None:
        return None
    doubtful, unanswered, at = (int(item[name]["N"]) for name in ("doubtful", "unanswered", "at"))
    return doubtful, unanswered, at


def _item(pk: str, event: MoEvent) -> dict[str, Any]:
    return {
        "pk": {"S": pk},
        "ev": {"S": event.event_id},
        "se": {"S": event.session or "-"},
        **({"re": {"S": event.relay}} if event.relay else {}),
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
    kept = event.model_copy(update={"ended": {}})  # has done its work, and 255 of them may be more than an item holds
    number, body = {"#n": str(piece.sequence)}, {":body": {"S": kept.to_body()}}
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
