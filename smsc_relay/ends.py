"""Which of its MOs an SMSC may send again after the end of a session: those whose answer it may not have."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from math import inf
from typing import Final, NamedTuple

from smsc_relay.connection import Connection
from smsc_relay.protocol import Answered

HEARD: Final = 10.0  # s: an answer that was given so long before the SMSC was last heard has arrived
SILENT: Final = 2.0  # s that an SMSC may take for its word on a question: who is silent then has not read it

MOST: Final = 32  # questions that are open at a time


class _Given(NamedTuple):
    """An answer."""

    number: int
    time: float  # the loop's
    at: int  # when its MO came, in ms since the epoch


class _Question(NamedTuple):
    """Whether the SMSC lives."""

    first: int  # of the answers that are written with it: its number
    last: int  # before it
    asked: float  # the loop's time


class Answers:
    """To the MOs of one session.

    Whether an answer has arrived TCP does not tell. But an SMSC reads in order what we write: what it answers to a
    question after it, or to our logout, tells that it has read it. So it is asked whether it lives with each write that
    has answers, right behind them: where it has read the one, it has read the other. Who falls silent upon that, until
    the end and for long enough, has not read what was given with the question, or after it; who ends sooner may have,
    and nobody can tell: its word may have been on the way. So may who speaks of other things only, and is not asked
    again. Where it cannot be asked, a way that loses answers loses the acknowledgements of what the SMSC sends too, and
    soon nothing comes any more.
    """

    def __init__(self) -> None:
        self._owed: dict[object, int] = {}  # the requests without an answer -> when they came (ms)
        self._given: deque[_Given] = deque()
        self._count = 0  # given so far
        self._sent = 0  # of these, written
        self._open: deque[_Question] = deque()
        self._unheard = False  # one was not answered: no more are asked, and those that are open are for good

    def owed(self, request: object, at: int) -> None:
        """An MO has come, in ms since the epoch."""
        self._owed[request] = at

    def given(self, request: object, connection: Connection) -> None:
        """It is acknowledged now, with what is written next."""
        if self._sent == self._count:
            connection.before_writing(functools.partial(self._write, connection))
        self._count += 1
        self._given.append(_Given(self._count, connection.now(), self._owed.pop(request)))
        self._forget(connection)

    def _write(self, connection: Connection) -> None:
        """What was given is about to be written."""
        first, self._sent = self._sent + 1, self._count
        if not self._unheard and len(self._open) < MOST:
            self._ask(first, connection)

    def _ask(self, first: int, connection: Connection) -> None:
        """Have the SMSC tell that it has read what was given, of which all from the `first` is written with this."""
        answered = connection.probe()
        if answered is not None:
            question = _Question(first, self._count, connection.now())
            self._open.append(question)
            answered.add_done_callback(functools.partial(self._told, connection, question))

    def _told(self, connection: Connection, question: _Question, answered: asyncio.Future[Answered]) -> None:
        if answered.result().problem:
            self._unheard = True
        if self._unheard:
            return
        while self._open and self._open[0].last <= question.last:
            self._open.popleft()
        while self._given and self._given[0].number <= question.last:
            self._given.popleft()
        if (
            self._given and not self._open and self._sent == self._count
        ):  # there were too many questions when they were written
            self._ask(self._count + 1, connection)

    def declined(self, request: object) -> None:
        """The SMSC is told to send it again: that is another request."""
        del self._owed[request]

    def doubtful(self, connection: Connection) -> int | None:
        """When the first MO came whose answer the SMSC may not have, in ms; None: it has all that were given."""
        self._forget(connection)
        return min((one.at for one in self._given), default=None)

    def unanswered(self, connection: Connection) -> int | None:
        """When the first MO came that has no answer, or for sure none that has been read, in ms; None: all may have."""
        first, asked = (self._open[0].first, self._open[0].asked) if self._open else (0, inf)
        heard = connection.heard
        silent = heard - asked < SILENT <= connection.now() - max(asked, heard)
        unread = [one.at for one in self._given if one.number >= first] if silent else []
        return min([*self._owed.values(), *unread], default=None)

    def _forget(self, connection: Connection) -> None:
        """Those that are certain."""
        certain = connection.heard - HEARD
        if connection.left is not None and connection.heard > connection.left:
            certain = connection.left
        while self._given and self._given[0].time <= certain:
            self._given.popleft()
