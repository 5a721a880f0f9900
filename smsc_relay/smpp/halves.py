"""Receipts that an SMSC has cut in pieces: they wait for each other, for a short time without an answer to the SMSC.

A piece whose time is up is told by itself, so that it is safe before it is acknowledged; it goes on being remembered,
since an SMSC that sends one PDU after the other gives the next piece only then.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from chalicelib.records import Piece
from chalicelib.values import value
from smsc_relay.smpp.pdus import DataSm, DeliverSm

HOLD: Final = 1.0  # s: pieces follow each other at once, and SMSCs wait for an answer for several seconds
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
    """What is told at once: the pieces in order, and the requests that wait for an answer."""

    pdus: tuple[DeliverSm | DataSm, ...]
    text: str
    tokens: tuple[Any, ...]


@dataclass(slots=True)
class _Kept:
    half: Half
    tokens: list[Any]  # of requests that are unanswered: more than one where the SMSC has repeated itself


@dataclass(slots=True)
class _Waiting:
    until: float
    kept: dict[int, _Kept] = field(default_factory=dict)  # by sequence


class Halves:
    """Of one session. What waits for its other half is forgotten when too much else has come, but never untold."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[_Key, _Waiting] = OrderedDict()
        self._alone: list[_Kept] = []  # to be told as they are
        self._hold = HOLD
        self.due = inf  # when `overdue` has something to tell

    def __len__(self) -> int:
        """Receipts that wait."""
        return len(self._waiting)

    def add(self, half: Half, token: Any, now: float) -> Joined | None:
        """A piece has come: the whole receipt once all of it is here."""
        pdu, piece = half.pdu, half.piece
        key = (pdu.source_addr, pdu.destination_addr, piece.reference, piece.total, piece.wide)
        waiting = self._waiting.setdefault(key, _Waiting(inf))
        known = waiting.kept.get(piece.sequence)
        if known is not None and known.half.text != half.text:  # the reference is used again
            self._alone += self._waiting.pop(key).kept.values()
            waiting = self._waiting[key] = _Waiting(inf)
            known = None
        if known is None:
            waiting.kept[piece.sequence] = _Kept(half, [token])
        else:
            known.tokens.append(token)
        waiting.until = min(waiting.until, now + self._hold)
        whole = None
        if len(waiting.kept) == piece.total:
            del self._waiting[key]
            kept = [waiting.kept[sequence] for sequence in sorted(waiting.kept)]
            if not all(one.tokens for one in kept):
                self._hold = 0.0  # this SMSC waits for each answer before it goes on
            whole = Joined(
                tuple(one.half.pdu for one in kept),
                "".join(one.half.text for one in kept),
                tuple(token for one in kept for token in one.tokens),
            )
        elif len(self._waiting) > _MOST:
            self._alone += self._waiting.popitem(last=False)[1].kept.values()
        self._reckon(now)
        return whole

    def overdue(self, now: float) -> list[Joined]:
        """The pieces that have waited long enough, each by itself."""
        alone, self._alone = self._alone, []
        for waiting in self._waiting.values():
            if waiting.until <= now:
                waiting.until = inf
                alone += waiting.kept.values()
        told = [Joined((one.half.pdu,), one.half.text, tuple(one.tokens)) for one in alone if one.tokens]
        for one in alone:
            one.tokens.clear()
        self._reckon(now)
        return told

    def clear(self) -> None:
        """No answer can go any more: the SMSC gives again what has none."""
        self._waiting.clear()
        self._alone.clear()
        self.due = inf

    def _reckon(self, now: float) -> None:
        soonest = min((one.until for one in self._waiting.values()), default=inf)
        self.due = now if any(one.tokens for one in self._alone) else soonest
