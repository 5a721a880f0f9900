"""An MT in the relay's hands: its record, its segments, and what is known of it beyond its record."""

from __future__ import annotations

import enum
import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from chalicelib import jobs
from chalicelib.attempts import Standing
from chalicelib.ledger_items import PartState
from chalicelib.queues import Received
from chalicelib.records import LaneRecord, MessageKey
from smsc_relay.config import LinkConfig
from smsc_relay.protocol import Plan, Segment

if TYPE_CHECKING:
    from smsc_relay.bind import Bind

REMEMBERED: Final = 4096  # messages of a link: λ record may be that far behind


class State(enum.Enum):
    """How far a segment is."""

    TO_DO = 0
    FLYING = 1  # submitted, not answered
    DEFERRED = 2  # throttled: to be submitted again soon
    TOLD = 3  # concluded: its outcome is known
    SLOWED = 4  # throttled for so long that it goes back to its lane
    REFUSED = 5  # not accepted for now
    PAUSED = 6  # not accepted because the account is in trouble
    DOUBTFUL = 7  # submitted, and no answer can be waited for


BACK: Final = (State.DOUBTFUL, State.PAUSED, State.REFUSED, State.SLOWED)  # in the order in which they decide


class Told(NamedTuple):
    """How a segment ended. `silent`: as `Segment.silent`; `recorded`: as the ledger told it."""

    accepted: bool
    external_id: str = ""
    reason: str = ""
    code: str = ""
    silent: bool = False
    recorded: bool = False
    at: int = 0  # ms: when it was submitted, where that is not just before it ended


class Known:
    """What this process knows of a message, shared by all copies of its record, those that come back included."""

    __slots__ = ("doubt", "doubts", "holder", "leaving", "told", "trouble_since", "unrecorded")

    def __init__(self) -> None:
        self.told: dict[int, Told] = {}
        self.trouble_since = 0  # ms: when the present run of failures began
        self.doubts: dict[int, PartState] = {}  # segments in doubt, though the ledger may not know
        self.doubt = (0, 0.0)  # ms since when a segment is in doubt, and `Hearing.seconds` then
        self.unrecorded = 0  # outcomes on their way to events.fifo
        self.holder: Job | None = None  # the last copy that came, while we hold it
        self.leaving: list[Job] = []  # concluded; they leave their lane when the last outcome is there

    @property
    def failed(self) -> bool:
        """A segment has failed, and the message with it."""
        return any(not one.accepted for one in self.told.values())


class Memory:
    """The `Known` of a link's messages, the most recent ones."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, int], Known] = OrderedDict()

    def of(self, key: MessageKey) -> Known:
        """The same object for the same message and generation, while it is remembered."""
        name = (key.channel, key.id, key.generation)
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = Known()
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(name)
        return known


class Part:
    """One segment of a job; the context of its submit."""

    __slots__ = ("job", "segment", "since", "state", "submitted", "tries")

    def __init__(self, job: Job, segment: Segment) -> None:
        self.job, self.segment = job, segment
        self.state = State.TO_DO
        self.tries = 0  # how often it was throttled
        self.since = 0.0  # when it was first
        self.submitted = 0.0  # when it was last

    @property
    def index(self) -> int:
        """From 0."""
        return self.segment.index

    @property
    def flying(self) -> bool:
        """Its answer is due."""
        return self.state is State.FLYING


class Job:
    """A record of a lane that we hold. Times are of the event loop's clock."""

    __slots__ = ("begun", "bind", "bulk", "checked", "config", "halted", "held", "known", "parts",
                 "plan", "received", "record", "settled", "suspect", "total", "until", "weight")  # fmt: skip

    def __init__(self, received: Received, record: LaneRecord, config: LinkConfig, until: float, *, bulk: bool) -> None:
        self.received, self.record, self.config, self.bulk = received, record, config, bulk
        self.until = until  # nobody else is given the record before
        self.known = Known()
        self.suspect = record.suspect or received.receive_count > 1
        self.checked = not self.suspect
        self.held = True  # not given back, nor deleted
        self.plan: Plan | None = None  # cut ahead of its turn
        self.parts: tuple[Part, ...] = ()  # once it is begun
        self.total = 0  # segments that the ledger knows of, 0: it does not
        self.begun = False
        self.halted = False  # none of its segments is submitted any more
        self.settled = False  # it has been decided what becomes of it
        self.bind: Bind | None = None
        self.weight = 1  # of the places of its link that it takes: segments not answered, 1 before it is begun

    @property
    def line(self) -> tuple[str, str]:
        """What it must keep its order in: the contact, in one queue."""
        return self.received.queue, self.received.group

    @property
    def flying(self) -> bool:
        """An answer is due."""
        return any(part.flying for part in self.parts)

    def standing(self) -> Standing:
        """What decisions about waiting depend on."""
        return jobs.standing(self.received, self.record, self.known.trouble_since)

    def keys(self) -> dict[str, str]:
        """What a log line says of it: no text, no number."""
        key = self.record.key
        return {"message_id": key.id, "channel": key.channel, "aggregator": self.record.aggregator}


def reference(key: MessageKey) -> int:
    """Names a long message on the air, 0 to 65535: the same at every try, whoever makes it."""
    name = f"{key.channel}/{key.id}/{key.generation}"
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:2], "big")
