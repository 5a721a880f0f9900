"""What the ledger keeps of a message, and how it is written down (DynamoDB, items under 1 KB).

Item `m#<channel>#<id>`: generation `g`, rank `rk`, parts `p` = {"0": {s, o, u, x, r, c, w, t, n}} with s(tate) claimed,
accepted, failed or again, o(wner), u(ntil, ms), x (external id), r(ank), c(ode), w(hy), t(rouble since, ms) and n(o
receipt asked for). Claimed without an owner: the relay's, in doubt (`PartState.in_doubt`). It holds no text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from chalicelib.messages import Status
from chalicelib.records import MessageKey

PartKind = Literal["claimed", "accepted", "failed", "again"]


@dataclass(frozen=True, slots=True)
class PartState:
    """One part as the ledger has it."""

    kind: PartKind
    external_id: str = ""
    owner: str = ""
    until: int = 0  # ms: end of the claim, or when it is due again; in doubt: when it was submitted
    rank: int = 0
    code: str = ""
    reason: str = ""
    trouble_since: int = 0  # ms: when the present run of failures began, or the doubt; 0: there is none
    silent: bool = False  # accepted or in doubt, and receipts were asked for of other parts, not of this one

    @classmethod
    def in_doubt(cls, submitted: int, since: int, *, silent: bool) -> PartState:
        """Submitted by the relay, which claims nothing, and not answered: known from `since` (ms) on."""
        return cls("claimed", until=submitted, trouble_since=since, silent=silent)

    @property
    def doubtful(self) -> bool:
        """It is that."""
        return self.kind == "claimed" and not self.owner


@dataclass(frozen=True, slots=True)
class MessageState:
    """A message as the ledger has it."""

    key: MessageKey
    status: Status
    forwarded: bool
    aggregator: str
    lane: str
    destination: str
    opened_at: int
    total: int  # parts; 0 until the first claim or outcome
    shape: str = ""
    whole_rank: int = 0  # of receipts that named the message, not a part
    request: str = ""  # what opened this generation
    parts: Mapping[int, PartState] = field(default_factory=dict)

    def overall(self) -> Status:
        """The message's status by its parts: failed when one is, else as far as the least of them. Once all are
        accepted, those of which no receipt was asked for do not hold the others back."""
        # A message that was cut otherwise after a doubt has parts in doubt that it has no more.
        parts = [part for n, part in self.parts.items() if n < self.total or not part.doubtful]
        ranks = [part.rank for part in parts]
        if Status.FAILED.rank in ranks or self.whole_rank == Status.FAILED.rank:
            return Status.FAILED
        every = min(ranks) if self.total and len(ranks) >= self.total else 0
        if every:
            every = min([part.rank for part in parts if not part.silent], default=every)
        return _BY_RANK[max(every, self.whole_rank)]


_BY_RANK: Final = {0: Status.QUEUED, **{status.rank: status for status in Status}}


def part_value(part: PartState) -> dict[str, Any]:
    """The part as a DynamoDB map, short: what is empty is left out."""
    fields: dict[str, Any] = {"s": {"S": part.kind}, "r": {"N": str(part.rank)}, "u": {"N": str(part.until)}}
    for name, text in (("x", part.external_id), ("o", part.owner), ("c", part.code[:64]), ("w", part.reason[:200])):
        if text:
            fields[name] = {"S": text}
    if part.trouble_since:
        fields["t"] = {"N": str(part.trouble_since)}
    if part.silent:
        fields["n"] = {"BOOL": True}
    return {"M": fields}


def state_of(item: dict[str, Any]) -> MessageState:
    def text(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    def number(name: str) -> int:
        return int(item.get(name, {}).get("N", 0))

    _, channel, message_id = item["pk"]["S"].split("#", 2)
    parts = {int(n): _part(value["M"]) for n, value in item.get("p", {}).get("M", {}).items()}
    return MessageState(
        key=MessageKey(channel=channel, id=message_id, generation=number("g")),
        status=_BY_RANK[number("rk")],
        forwarded=bool(item.get("fw", {}).get("BOOL")),
        aggregator=text("ag"),
        lane=text("ln"),
        destination=text("ds"),
        opened_at=number("op"),
        total=number("tot"),
        shape=text("sh"),
        whole_rank=number("mr"),
        request=text("rq"),
        parts=parts,
    )


def _part(value: dict[str, Any]) -> PartState:
    def text(name: str) -> str:
        return str(value.get(name, {}).get("S", ""))

    return PartState(
        kind=value["s"]["S"],
        external_id=text("x"),
        owner=text("o"),
        until=int(value["u"]["N"]),
        rank=int(value["r"]["N"]),
        code=text("c"),
        reason=text("w"),
        trouble_since=int(value.get("t", {}).get("N", 0)),
        silent=bool(value.get("n", {}).get("BOOL")),
    )
