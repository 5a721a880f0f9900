"""What the phones have got: every segment, and the messages that they make."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from smsc_relay.simulator.content import Place, decode, shift_of

if TYPE_CHECKING:
    from smsc_relay.simulator.deliveries import Delivery

FINAL = frozenset({"DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "UNKNOWN", "REJECTD", "SKIPPED"})


@dataclass(frozen=True, slots=True)
class Wants:
    """Which receipts a submit asks for."""

    success: bool = False
    failure: bool = False
    intermediate: bool = False


@dataclass(slots=True, eq=False)
class Segment:
    """One submit that has been accepted. `details` are the protocol's own, for whoever looks."""

    number: int  # what its message id is made of
    message_id: str  # as in the answer
    account: str
    session: int
    at: int  # ms since the epoch
    source: str
    to: str
    octets: bytes  # without header
    elements: bytes  # of the user data header
    alphabet: str
    place: Place | None
    wants: Wants
    details: Callable[[], dict[str, Any]]
    addresses: tuple[Any, Any] = (None, None)  # of sender and recipient, as the protocol writes them
    state: str = "ENROUTE"
    state_at: int = 0
    err: str = "000"
    arrived_at: int = 0  # at the phone; 0: not yet
    repeated: bool = False  # the phone has got this part before
    receipts: list[Delivery] = field(default_factory=list)

    def text(self) -> str | None:
        """Of this segment alone."""
        return decode(self.octets, self.alphabet, self.elements)

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        place = self.place
        return {
            "id": self.message_id,
            "session": self.session,
            "at": self.at,
            "arrived_at": self.arrived_at or None,
            "text": self.text(),
            "octets": self.octets.hex(),
            "udh": self.elements.hex(),
            "part": None
            if place is None
            else {"reference": place.reference, "sequence": place.sequence, "total": place.total, "how": place.how},
            "repeated": self.repeated,
            "state": self.state,
            "receipts": [one.shown() for one in self.receipts],
            **self.details(),
        }


@dataclass(slots=True, eq=False)
class Message:
    """What one phone has got from one sender: one segment, or the parts of a long message."""

    number: int  # from 1, in order of the first segment
    segments: list[Segment]

    @property
    def first(self) -> Segment:
        """The segment that came first."""
        return self.segments[0]

    @property
    def account(self) -> str:
        return self.first.account

    @property
    def source(self) -> str:
        return self.first.source

    @property
    def to(self) -> str:
        return self.first.to

    @property
    def at(self) -> int:
        """When the phone got the first segment, ms since the epoch."""
        return self.first.arrived_at

    @property
    def total(self) -> int:
        """Segments that it has when it is complete."""
        return self.first.place.total if self.first.place else 1

    @property
    def complete(self) -> bool:
        """No part is missing."""
        return sum(not segment.repeated for segment in self.segments) >= self.total

    @property
    def octets(self) -> bytes:
        """Of all parts there are, in order."""
        return b"".join(segment.octets for segment in self._parts())

    @property
    def text(self) -> str | None:
        """Of all parts there are, in order; None: a binary message."""
        parts = self._parts()
        kinds = {(segment.alphabet, shift_of(segment.elements)) for segment in parts}
        if len(kinds) == 1 and parts[0].alphabet != "gsm7_packed":
            # together: a bad client may cut inside a character
            return decode(self.octets, parts[0].alphabet, parts[0].elements)
        texts = [segment.text() for segment in parts]
        return None if None in texts else "".join(text or "" for text in texts)

    def _parts(self) -> list[Segment]:
        once = [segment for segment in self.segments if not segment.repeated]
        return sorted(once, key=lambda segment: segment.place.sequence if segment.place else 0)

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "number": self.number,
            "at": self.at,
            "account": self.account,
            "from": self.source,
            "to": self.to,
            "text": self.text,
            "octets": self.octets.hex(),
            "alphabet": self.first.alphabet,
            "complete": self.complete,
            "total": self.total,
            "segments": [segment.shown() for segment in self.segments],
        }


class Phones:
    """All phones. Remembers the last `keep` messages and submits."""

    def __init__(self, keep: int, changed: Callable[[], None]) -> None:
        self._keep = keep
        self._changed = changed
        self.messages: deque[Message] = deque(maxlen=keep)
        self.submits: deque[Segment] = deque(maxlen=keep)  # accepted, on a phone or not
        self._open: OrderedDict[tuple[Any, ...], Message] = OrderedDict()  # messages with missing parts
        self._by_id: OrderedDict[tuple[str, str], Segment] = OrderedDict()
        self._number = 0

    def accepted(self, segment: Segment) -> None:
        """The SMSC has it; `arrived` follows, if it gets so far."""
        self.submits.append(segment)
        if segment.message_id and self._keep:
            self._by_id[segment.account, segment.message_id] = segment
            if len(self._by_id) > self._keep:
                self._by_id.popitem(last=False)

    def find(self, account: str, message_id: str) -> Segment | None:
        """What was accepted with this id."""
        return self._by_id.get((account, message_id))

    def arrived(self, segment: Segment, at: int) -> None:
        """The phone has it, `at` ms since the epoch."""
        segment.arrived_at = at
        place = segment.place
        if place is None:
            self._add(segment)
        else:
            # An SMSC makes the header of sar TLVs, so that both ways are the same to the phone, yet never mixed.
            key = (segment.account, segment.source, segment.to, place.reference, place.total, place.width, place.how)
            message = self._open.get(key)
            if message is None:
                message = self._open[key] = self._add(segment)
                if len(self._open) > self._keep:
                    self._open.popitem(last=False)
            else:
                sequences = {one.place.sequence for one in message.segments if one.place}
                segment.repeated = place.sequence in sequences
                message.segments.append(segment)
            if message.complete:
                self._open.pop(key, None)
        self._changed()

    def _add(self, segment: Segment) -> Message:
        self._number += 1
        message = Message(self._number, [segment])
        self.messages.append(message)
        return message

    def matching(
        self,
        *,
        to: str | None = None,
        source: str | None = None,
        account: str | None = None,
        text: str | None = None,
        message_id: str | None = None,
        since: int = 0,
        after: int = 0,
        complete: bool | None = None,
    ) -> Iterator[Message]:
        """The messages with all of these; `text` is a part of theirs, `since` is ms, `after` a number."""
        for message in self.messages:
            if (
                (to is None or message.to == to)
                and (source is None or message.source == source)
                and (account is None or message.account == account)
                and message.number > after
                and message.at >= since
                and (complete is None or message.complete is complete)
                and (message_id is None or any(one.message_id == message_id for one in message.segments))
                and (text is None or text in (message.text or ""))
            ):
                yield message
