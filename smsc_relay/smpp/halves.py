"""Receipts that an SMSC has cut in pieces: they wait for each other, for a short time without an answer to the SMSC.

A piece whose time is up is told by itself, so that it is safe before it is acknowledged; it goes on being remembered
for a while, since an SMSC that sends one PDU after the other gives the next piece only then. Pieces meet whichever of
a link's sessions they come over: each session answers its own, once what the whole says is safe.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from chalicelib.records import Piece
from chalicelib.values import value
from smsc_relay.smpp.pdus import DataSm, DeliverSm

HOLD: Final = 1.0  # s: pieces follow each other at once, and SMSCs wait for an answer for several seconds
FORGET: Final = 30.0  # s after its last piece: references of 8 bits are soon used for other receipts
LONGEST: Final = 2_000  # characters of a piece that waits; receipts have some 150
_MOST: Final = 256  # receipts

_Key = tuple[str, str, int, int, bool]


@value
class Half:
    """A piece of a receipt that does not say by itself what has become of which message."""

    pdu: DeliverSm | DataSm
    piece: Piece
    text: str


@value
class Joined:
    """What is told at once: the pieces in order, and the requests of this session that wait for an answer."""

    pdus: tuple[DeliverSm | DataSm, ...]
    text: str
    tokens: tuple[Any, ...]


@dataclass(slots=True, eq=False)
class _Receipt:
    """What is known of it, over all sessions."""

    pieces: dict[int, Half] = field(default_factory=dict)  # by sequence
    forget_at: float = inf
    whole: bool = False
    before: _Receipt | None = None  # a whole one that this one repeats, as far as it is here

    def takes(self, half: Half) -> bool:
        known = self.pieces.get(half.piece.sequence)
        return known is None or known.text == half.text

    def joined(self, tokens: Sequence[Any]) -> Joined:
        pieces = [self.pieces[sequence] for sequence in sorted(self.pieces)]
        return Joined(tuple(one.pdu for one in pieces), "".join(one.text for one in pieces), tuple(tokens))


class Pieces:
    """Of all sessions of a link. What waits for its other half is forgotten when too much else has come."""

    def __init__(self) -> None:
        self._receipts: OrderedDict[_Key, _Receipt] = OrderedDict()

    def receipt_of(self, half: Half, now: float) -> _Receipt:
        """The one that a piece is of, with it."""
        pdu, piece = half.pdu, half.piece
        key = (pdu.source_addr, pdu.destination_addr, piece.reference, piece.total, piece.wide)
        found = self._receipts.get(key)
        if found is None or found.whole or found.forget_at <= now or not found.takes(half):
            before, found = found, _Receipt()
            if before is not None and not before.whole:
                before.forget_at = min(before.forget_at, now)  # the reference is used again
            elif before is not None and before.forget_at > now and before.takes(half):
                found.before = before
            self._receipts[key] = found
        elif found.before is not None and not found.before.takes(half):
            found.before = None
        self._receipts.move_to_end(key)
        found.pieces[piece.sequence] = half
        found.forget_at = now + FORGET
        if len(self._receipts) > _MOST:
            self._receipts.popitem(last=False)[1].forget_at = now
        return found


@dataclass(slots=True)
class _Waiting:
    until: float
    asked: list[tuple[Half, Any]] = field(default_factory=list)  # requests without an answer
    alone: bool = False  # a piece has been told by itself


class Halves:
    """Of one session. Nothing that waits is left untold."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._waiting: dict[_Receipt, _Waiting] = {}
        self._hold = HOLD
        self.due = inf  # when `overdue` has something to tell

    def __len__(self) -> int:
        """Receipts that wait."""
        return len(self._waiting)

    def add(self, half: Half, token: Any, now: float) -> Joined | None:
        """A piece has come: the whole receipt once all of it is here."""
        if len(half.text) > LONGEST:
            return Joined((half.pdu,), half.text, (token,))
        receipt = self._pieces.receipt_of(half, now)
        waiting = self._waiting.setdefault(receipt, _Waiting(inf))
        waiting.until = min(waiting.until, now + self._hold)
        waiting.asked.append((half, token))
        told = None
        if len(receipt.pieces) == half.piece.total:
            receipt.whole = True
            del self._waiting[receipt]
            if waiting.alone:
                self._hold = 0.0  # this SMSC waits for each answer before it goes on
            told = receipt.joined([token for _, token in waiting.asked])
        self._reckon(now)
        return told

    def overdue(self, now: float) -> list[Joined]:
        """The pieces that have waited long enough, each by itself; or all of a receipt that is whole meanwhile, or has
        been: to tell it again changes nothing, and what is told is safe before its pieces here are acknowledged."""
        told: list[Joined] = []
        for receipt, waiting in self._waiting.items():
            if waiting.until > now:
                continue
            whole = receipt if receipt.whole else receipt.before
            if whole is not None:
                told.append(whole.joined([token for _, token in waiting.asked]))
            else:
                told += _alone(waiting.asked)
                waiting.alone = True
            waiting.until = inf
            waiting.asked.clear()
        self._reckon(now)
        return told

    def clear(self) -> None:
        """No answer can go any more: the SMSC gives again what has none."""
        self._waiting.clear()
        self.due = inf

    def _reckon(self, now: float) -> None:
        """What is about to be forgotten is told at once; of what has been told, nothing waits."""
        for receipt, waiting in list(self._waiting.items()):
            if receipt.whole or receipt.forget_at <= now:
                if not waiting.asked:
                    del self._waiting[receipt]
                elif receipt.forget_at <= now:
                    waiting.until = now
        self.due = min((one.until for one in self._waiting.values()), default=inf)


def _alone(asked: Sequence[tuple[Half, Any]]) -> list[Joined]:
    """A piece that the SMSC has repeated is one."""
    pieces = {half.piece.sequence: half for half, _ in asked}
    return [
        Joined((one.pdu,), one.text, tuple(token for half, token in asked if half.piece.sequence == sequence))
        for sequence, one in pieces.items()
    ]
