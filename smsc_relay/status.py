"""How each link is, as each relay task writes it down for people: `jangada smsc status`, the page of `make run`.

Item `relay#<link>#<task>` of the ledger's table, listed by its index `parked`; about every 5 s while it changes, every
30 s at least. Nothing decides by it. Times are ms since the epoch by the task's clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from chalicelib import depths, ledger_table, queues

LATEST: Final = 30.0  # s from one writing to the next, at the longest
SILENT: Final = 75_000  # ms without a word after which a task is not there any more
GONE: Final = 10 * SILENT  # ms without a word after which nobody waits for a task any more
KEEP: Final = 86_400  # s that the last word of a task is kept
_LISTED: Final = "#relay"  # partition of the index `parked`
_FREE: Final = frozenset({"standby", "awaiting", "down"})  # states of a bind without its lease, or not begun

State = Literal["up", "frozen", "paused", "refused", "down", "standby", "stopped"]


class BindStatus(BaseModel):
    """A bind, as in the health page."""

    model_config = ConfigDict(frozen=True)

    bind: str  # "1-transceiver"
    role: str
    state: str  # down, standby, awaiting, connecting, logging in, up, waiting, refused
    since: int
    reason: str = ""
    code: str = ""  # of the refusal that is the reason
    version: str = ""  # of the protocol, as the SMSC said when the bind last logged in; "": it did not
    in_flight: int = 0
    window: int = 0


class LinkStatus(BaseModel):
    """A link in one task."""

    model_config = ConfigDict(frozen=True)

    link: str
    task: str
    protocol: str  # the aggregator's type
    at: int  # when it was written
    state: State
    binds: tuple[BindStatus, ...] = ()
    wanted: float | None = None  # segments/s: this task's part of max_tps; None: unlimited
    allowed: float | None = None  # segments/s now, by AIMD or after an outage; None: unlimited
    actual: float = 0.0  # segments/s submitted of late
    p50: float | None = None  # ms from a submit to its answer, of the last minute; None: there was none
    p99: float | None = None
    throttled: int = 0  # answers since the task has the link
    reconnects: int = 0
    error: str = ""  # the last one: of a bind, or the SMSC's answer to a submit, or that there was none
    error_at: int = 0
    in_hand: int = 0  # messages taken from the lanes and not concluded
    arriving: int = 0  # MOs and receipts on their way to SQS
    paused_until: int = 0  # the account is in trouble
    pdu_log_until: int = 0

    @property
    def in_flight(self) -> int:
        """Submits without an answer."""
        return sum(bind.in_flight for bind in self.binds)

    @property
    def window(self) -> int:
        """Submits that may be without an answer, over the binds that are up."""
        return sum(bind.window for bind in self.binds if bind.state == "up")

    @property
    def up(self) -> int:
        """Binds that are up."""
        return sum(bind.state == "up" for bind in self.binds)

    @property
    def held(self) -> frozenset[str]:
        """Names of the binds that it has the leases of: up, or on their way there."""
        return frozenset(bind.bind for bind in self.binds if bind.state not in _FREE)

    def silent(self, now: int) -> bool:
        """Its task has said nothing for so long that it is not there, or cannot reach AWS."""
        return now - self.at > SILENT


def write(status: LinkStatus) -> None:
    """Write it down, in place of what this task has said before (raises as a call to AWS)."""
    ledger_table.put(
        {
            "pk": {"S": f"relay#{status.link}#{status.task}"},
            "d": {"S": status.model_dump_json(exclude_defaults=True)},
            "parked": {"S": _LISTED},
            "parked_at": {"N": str(status.at)},
            "ttl": {"N": str(status.at // 1000 + KEEP)},
        }
    )


def read(link: str = "") -> list[LinkStatus]:
    """What every task has said of every link, or of one, within a day; by link, the latest word first."""
    found = [LinkStatus.model_validate_json(item["d"]["S"]) for item in ledger_table.parked_items(_LISTED)]
    wanted = [one for one in found if link in ("", one.link)]
    return sorted(wanted, key=lambda one: (one.link, -one.at))


def present(said: Iterable[LinkStatus], now: int) -> list[LinkStatus]:
    """Of the last words on one link those that still hold: of the tasks that are there, and of those that have said
    nothing for a while. Of these none that has ended, and none whose binds others have: it was killed, and is gone."""
    said = [one for one in said if one.state != "stopped" and now - one.at < GONE]
    there = [one for one in said if not one.silent(now)]
    if not there:
        return said
    wanted = frozenset(bind.bind for one in there for bind in one.binds)
    missing = wanted.difference(*(one.held for one in there))
    return [one for one in said if not one.silent(now) or one.held & missing]


def waiting(link: str) -> tuple[int | None, int | None]:
    """Messages in the lanes of a link that nobody has taken now: replies, bulk. None: there is no such queue (raises
    as a call to AWS)."""
    replies, bulk = (depths.of(queues.lane_queue(queues.lane_name(link, own=True, bulk=one))) for one in (False, True))
    return (None if replies is None else replies.untaken, None if bulk is None else bulk.untaken)
