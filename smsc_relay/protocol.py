"""What a protocol brings to a link, in the same shape for SMPP, UCP/EMI and CIMD2. No I/O, no AWS.

A `Dialect` cuts a message into segments and makes the `Conversation` of one connection: octets in, happenings out,
octets to send. Times are seconds of any monotonic clock, given by the caller; waits are the conversation's own
deadlines, which the caller watches. Whoever holds the socket follows one rule: after every call, write
`data_to_send()`; after `Ended`, write it once more and close.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, Literal, Protocol, runtime_checkable

from chalicelib.messages import Outgoing
from chalicelib.records import MoEvent, ReceiptEvent
from chalicelib.values import value


class Role(enum.Enum):
    """What one connection is for."""

    TRANSCEIVER = "transceiver"
    TRANSMITTER = "transmitter"
    RECEIVER = "receiver"

    @property
    def submits(self) -> bool:
        """Messages may be sent over it."""
        return self is not Role.RECEIVER


class Verdict(enum.Enum):
    """Whose trouble a negative answer to a submit is."""

    PERMANENT = "permanent"  # the message's: it will never be accepted
    TEMPORARY = "temporary"  # the moment's: worth another try
    THROTTLED = "throttled"  # too fast: slow down, the same segment again
    ACCOUNT = "account"  # the account's: nothing will be accepted for now


# --- what is submitted ----------------------------------------------------------------------------------------------


@value
class Segment:
    """One submit. `body` is the protocol's own, ready for `Conversation.submit`."""

    index: int  # from 0
    total: int
    body: Any
    count: int = 1  # short messages that the SMSC makes of it
    silent: bool = False  # receipts are asked for of other segments, not of this one


@value
class Plan:
    """A message cut for the air. `shape` names encoding and cut: a retry of the same message has the same."""

    segments: tuple[Segment, ...]
    encoding: str
    shape: str


class CannotEncode(ValueError):  # noqa: N818 - says what it is
    """The message cannot be put into this protocol (its sender is too long, ...): the text says why, without values."""


# --- what is asked --------------------------------------------------------------------------------------------------


@value
class Inquiry:
    """What an operator asks about one segment that the SMSC has accepted."""

    kind: Literal["query", "cancel", "replace"]
    external_id: str  # as the SMSC has written it
    source: str  # as our messages have it
    destination: str
    text: str = ""  # that is to replace the segment's
    encoding: str = ""  # `Plan.encoding` of the message, "" where it is not known


class NotOffered(ValueError):  # noqa: N818 - says what it is
    """The protocol has no such thing."""


@runtime_checkable
class Inquirer(Protocol):
    """What a `Conversation` of a dialect with inquiries has besides."""

    def inquire(self, body: Any, context: Any, now: float) -> None:
        """Send what `Dialect.inquiry` has made; `Answered` comes with `context`.

        Raises:
            RuntimeError: not `ready`, or not for submitting.
        """


@runtime_checkable
class Prober(Protocol):
    """What a `Conversation` has besides, where the protocol has a question whether the SMSC lives."""

    costs_nothing: bool  # the question takes no place from messages

    def probe(self, context: Any, now: float) -> None:
        """Ask now, beside what is asked after a silence; `Answered` comes with `context`.

        Raises:
            NotOffered: this account has nothing to ask with, or no number for it is free.
            RuntimeError: not `ready`.
        """


# --- what happens ---------------------------------------------------------------------------------------------------


@value
class Ready:
    """The SMSC has accepted our login. `peer` is what it calls itself; `version`, of the protocol, what it says that it
    speaks ("3.4"), "" where it does not say; `older`: why that is less than we are told to speak, for the log;
    `window`: submits without an answer that it allows, where it has said that they are fewer than we asked for."""

    peer: str = ""
    version: str = ""
    older: str = ""
    window: int = 0


@value
class Refused:
    """The SMSC has refused our login; `Ended` follows. `credentials`: trying them again at once would be hammering;
    `busy`: it says that the account is bound already, or that it has no room now."""

    reason: str
    code: str = ""
    credentials: bool = False
    busy: bool = False


@value
class Accepted:
    """The segment submitted with `context` has been accepted. `late`: after its `Unanswered`."""

    context: Any
    external_id: str
    rtt: float  # seconds
    late: bool = False
    written: str = ""  # the id as the SMSC has written it, where `external_id` is not that


@value
class Answered:
    """What came of an inquiry. `problem`: why the SMSC has not done it, or has not answered; "": it has."""

    context: Any
    said: tuple[tuple[str, str], ...] = ()  # by name
    problem: str = ""


@value
class Rejected:
    """The segment submitted with `context` has been refused."""

    context: Any
    verdict: Verdict
    reason: str
    code: str
    rtt: float
    late: bool = False


@value
class Unanswered:
    """No answer within the response time-out: the segment may have been accepted."""

    context: Any
    waited: float


@value
class Arrived:
    """MOs and DLRs of one request of the SMSC; it waits for `acknowledge(token)` or `decline(token)`.

    No events: nothing in it is for us (acknowledge it). An event whose text could not be decoded carries its octets.
    """

    token: Any
    events: tuple[MoEvent | ReceiptEvent, ...]


@value
class Congested:
    """The SMSC tells how loaded it is: 0 idle, 90 slow down, 100 stop for a moment (SMPP 5.0 congestion_state)."""

    level: int


@value
class Fault:
    """The peer broke a rule; answered where an answer is due. For the log: no values in it. `form`: what it wrote, its
    letters and digits masked, where that helps."""

    reason: str
    form: str = ""


@value
class Alert:
    """The SMSC tells of a phone that somebody has failed to reach: whether it can be reached now."""

    phone: str  # as senders of MOs are written
    availability: str  # available, denied, unavailable, another number; "" where it does not say


@value
class Ended:
    """The conversation is over: close the connection. `lost`: contexts of submits that no answer can come for."""

    reason: str
    lost: tuple[Any, ...] = ()


Happening = Ready | Refused | Accepted | Answered | Rejected | Unanswered | Arrived | Congested | Fault | Alert | Ended


# --- what a protocol implements -------------------------------------------------------------------------------------


@value
class Surroundings:
    """What a conversation may ask of the world."""

    aggregator: str
    wall_ms: Callable[[], int]  # ms since the epoch, for `at` of events
    new_id: Callable[[], str]  # names an event, or a session
    common: dict[str, Any] = field(default_factory=dict)  # what the conversations of one link know together


class Conversation(Protocol):
    """One connection to an SMSC, from login to the end."""

    @property
    def ready(self) -> bool:
        """Logged in, and not on its way out."""

    @property
    def in_flight(self) -> int:
        """Submits without an answer so far."""

    def start(self, now: float) -> None:
        """The connection is there: log in; or wait for what the SMSC says first, where it has called us."""

    def receive_data(self, data: bytes, now: float) -> Sequence[Happening]:
        """Octets from the SMSC. Never raises for what they are. MOs and receipts, which no place of the window
        waits for, may be put off until `catch_up`; at the end they come before `Ended`."""

    def catch_up(self, now: float) -> Sequence[Happening]:
        """What has been put off, or the first of it where it is much: then there is `more`."""

    @property
    def more(self) -> bool:
        """Something has been put off."""

    def submit(self, segment: Segment, context: Any, now: float) -> None:
        """Send a segment; `context` comes back with what became of it.

        Raises:
            RuntimeError: not `ready`, or not for submitting.
        """

    def acknowledge(self, token: Any, now: float) -> None:
        """What arrived is safe. After the end: no effect."""

    def decline(self, token: Any, now: float) -> None:
        """What arrived could not be kept: the SMSC is to send it again later. After the end: no effect."""

    def leave(self, now: float) -> None:
        """Log out; `Ended` comes when the SMSC has answered, or has not for a while."""

    def data_to_send(self) -> bytes:
        """Octets for the SMSC since the last call."""

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest."""

    def tick(self, now: float) -> Sequence[Happening]:
        """Time has passed: keepalives, time-outs."""

    def connection_lost(self, now: float) -> Sequence[Happening]:
        """The connection is gone; answers `Ended`, once."""


class Transcript(Protocol):
    """Reads along, from anywhere in the stream on."""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Octets; answers what each PDU that is now complete is, by its fields' names: kind, lengths, tags; no text,
        no whole number, no password. Never raises for what they are."""


class Dialect(Protocol):
    """One of the three protocols. Its module has one, named DIALECT."""

    @property
    def name(self) -> str:
        """The aggregator type: "SMPP", "UCP", "CIMD2"."""

    def plan(self, message: Outgoing, config: Any, reference: int) -> Plan:
        """Cut and encode. Pure: the same arguments give the same plan. `reference`: 0..65535, names a long message.

        Raises:
            CannotEncode: this message can never be sent with this configuration.
        """

    @property
    def inquires(self) -> bool:
        """Its conversations are `Inquirer`s."""

    def inquiry(self, inquiry: Inquiry, config: Any) -> Any:
        """What `Inquirer.inquire` sends.

        Raises:
            NotOffered: the protocol, or our part of it, has no such request.
            CannotEncode: as `plan`.
        """

    def transcript(self) -> Transcript:
        """A reader of one direction of a connection, for the PDU log."""

    def roles(self, config: Any) -> tuple[Role, ...]:
        """The connections that one bind of this configuration consists of."""

    def conversation(self, config: Any, role: Role, now: float, surroundings: Surroundings) -> Conversation:
        """A conversation for a connection that is about to be opened."""
