"""The records that travel in the queues, one model per queue kind.

Bodies are ASCII-only JSON (`to_body`), so that no text can make SQS refuse a record.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib.messages import Incoming, OptOut, Outgoing, Status, StatusUpdate


class Record(BaseModel):
    """Base of all records: immutable, versioned by their fields, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    def to_body(self) -> str:
        """The record as ASCII-only JSON; lone surrogates travel as their escapes."""
        return _json(self)

    @classmethod
    def from_body(cls, body: str) -> Self:
        """The record in an SQS body.

        Raises:
            pydantic.ValidationError: the body is not such a record.
        """
        return cls.model_validate_json(body)


def _json(record: BaseModel) -> str:
    try:
        return record.model_dump_json(by_alias=True, exclude_defaults=True, ensure_ascii=True)
    except ValueError:  # lone surrogates: the fast way knows none
        return json.dumps(record.model_dump(mode="json", by_alias=True, exclude_defaults=True), separators=(",", ":"))


class MessageKey(Record):
    """One attempt of the platform to have one message sent: what the ledger files everything under."""

    channel: str  # UUID
    id: str
    generation: int = 1


class LaneRecord(Record):
    """An MT in a lane: everything a sender needs, so that it looks nothing up but its channel."""

    key: MessageKey
    message: Outgoing
    aggregator: str
    lane: str  # queue name the record belongs to, e.g. "lane-shared" or "lane-mtn-ug-bulk" (without .fifo)
    first_seen: int  # ms since the epoch: when the gateway took the message
    expires_at: int  # ms since the epoch: after this it is failed(expired)
    attempt: int = 1  # counts tries that reached the aggregator and may be repeated
    trouble_since: int = 0  # ms: first failure of the present run of failures; 0: none
    bulk: bool = False
    paced: bool = False  # comes back at the turn its aggregator's pace promised it
    suspect: bool = False  # may be a second copy: look it up before sending


class Outcome(Record):
    """What became of one part when it was offered to the aggregator or SMSC."""

    kind: Literal["outcome"] = "outcome"
    key: MessageKey
    aggregator: str
    part: int = 0
    total: int = 1
    accepted: bool
    external_id: str = ""
    destination: str = ""
    reason: str = ""  # of a failure
    code: str = ""
    at: int = 0
    silent: bool = False  # receipts were asked for of other parts, not of this one
    recorded: bool = False  # the sender has written it to the ledger already (HTTP); else λ record does


class Piece(Record):
    """Which part of a concatenated MO this is (3GPP TS 23.040 9.2.3.24.1)."""

    reference: int
    total: int
    sequence: int  # from 1
    wide: bool = False  # the reference has 16 bits (9.2.3.24.8): 5 is not the 5 of eight bits


class MoEvent(Record):
    """An MO on its way to the platform. `channel` is known (webhooks) or found by (aggregator, to) in λ record."""

    kind: Literal["incoming"] = "incoming"
    event_id: str  # our UUID of it: also the `msg_uuid` told to the aggregator
    message: Incoming
    aggregator: str = ""
    to: str = ""  # the number it was sent to, where the channel is still to be found
    piece: Piece | None = None
    session: str = ""  # the relay's session it came over; "" over HTTP
    session_since: int = 0  # ms: when that session was bound
    relay: str = ""  # who knows which of its sessions have ended: the account's link in one process
    ended: dict[str, tuple[int, int, int]] = {}  # sessions of that relay that ended of late: as in `SessionEnd`
    at: int = 0
    octets: str = ""  # Base64: of what is binary, has a port, or is no certain text; of each part of a long message
    charset: str = ""  # what the octets of such a part are, as in `charsets.Written`: it may be cut inside a character
    udh: str = ""  # hex: the user data header, its length octet included, of what is binary or has a port
    data_coding: int | None = None  # what the octets are by the SMSC; None: the text says it all
    tlvs: str = ""  # "1400=3132 1403=00", hex: those of the SMSC's own, for the trace


class SessionEnd(Record):
    """A session over which MOs came has ended. Its relay knows what was answered, and so what may come again."""

    kind: Literal["session_end"] = "session_end"
    session: str
    aggregator: str
    doubtful: int  # ms: what came before was answered, and the SMSC has the answer
    unanswered: int  # ms: what came from then on had no answer, or for sure none that the SMSC has read
    at: int  # ms: the end. What there is none of begins after it


class ReceiptEvent(Record):
    """A DLR on its way to the ledger."""

    kind: Literal["status"] = "status"
    event_id: str
    update: StatusUpdate
    aggregator: str
    at: int = 0
    shared: bool = False  # its external id is a recipient and a second: several messages may have it
    tlvs: str = ""  # as in `MoEvent`


class OptOutEvent(Record):
    """An opt-out on its way to the platform."""

    kind: Literal["optout"] = "optout"
    event_id: str
    optout: OptOut
    at: int = 0


class JoinTimeout(Record):
    """A wake-up: give up waiting for the missing parts of an MO (comes back from `later` to events.fifo)."""

    kind: Literal["join_timeout"] = "join_timeout"
    join: str
    at: int = 0


Event = Annotated[
    Outcome | MoEvent | SessionEnd | ReceiptEvent | OptOutEvent | JoinTimeout, Field(discriminator="kind")
]


class EventRecord(Record):
    """What events.fifo carries."""

    event: Event

    def to_body(self) -> str:
        """As `Record.to_body`; the discriminating kind is always written."""
        return event_body(self.event)


def event_body(event: Event) -> str:
    """`EventRecord.to_body` of an event, without making that record of it."""
    data = _json(event)
    return f'{{"event":{{"kind":"{event.kind}",{data[1:]}}}'


DeliveryKind = Literal["receive", "sent", "delivered", "failed", "stopped"]


class DeliveryRecord(Record):
    """One request to make to a platform: `POST <base>/c/ex/<channel>/<kind>` with `fields` as a form."""

    kind: DeliveryKind
    platform: str
    channel: str  # UUID
    fields: dict[str, str]
    subject: str  # id under which the trace keeps it: the message id, or the MO's event id
    first_seen: int = 0
    attempt: int = 1


class LaterRecord(Record):
    """A record that waits longer than its own queue should hold it."""

    queue: str  # where it goes back to, e.g. "lane-shared.fifo"
    group: str
    body: str  # the record itself
    not_before: int  # ms
    round: int = 0  # how often it has been through `later`; part of the dedup id on its way back


def status_fields(status: Status, message_id: str) -> tuple[DeliveryKind, dict[str, str]] | None:
    """The External API's call for `status`, or None where it has none (queued, wired)."""
    kinds: dict[Status, DeliveryKind] = {
        Status.SENT: "sent",
        Status.DELIVERED: "delivered",
        Status.FAILED: "failed",
    }
    kind = kinds.get(status)
    return (kind, {"id": message_id}) if kind else None


def explain(error: ValidationError) -> str:
    """A validation error as one line that names each field and what is wrong with it, never its value."""
    found = []
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        where = ".".join(str(step) for step in item["loc"]) or "body"
        found.append(f"{where}: {item['msg'].removeprefix('Value error, ')}")
    return "; ".join(found)
