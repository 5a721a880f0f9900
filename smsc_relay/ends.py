"""Which of its MOs an SMSC may send again after the end of a session: those whose answer it may not have."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from typing import Final

from smsc_relay.connection import Connection
from smsc_relay.protocol import Answered

HEARD: Final = 10.0  # s: an answer that was given so long before the SMSC was last heard has arrived
SILENT: Final = 2.0  # s that an SMSC may take for its word on a question: who is silent then has not read it


class Answers:
    """To the MOs of one session.

    Whether an answer has arrived TCP does not tell. But an SMSC reads in order what we write: what it answers to a
    question after it, or to our logout, tells that it has read it. So it is asked whether it lives after each answer,
    one question at a time. Who falls silent upon that, until the end and for long enough, has not read what was given;
    who ends sooner may have, and nobody can tell: its word may have been on the way. So may who speaks of other things
    only, and is not asked again. Where it cannot be asked, a way that loses answers loses the acknowledgements of what
    the SMSC sends too, and soon nothing comes any more.
    """

    def __init__(self) -> None:
        self._owed: dict[object, int] = {}  # the requests without an answer -> when they came (ms)
        self._given: deque[tuple[float, int]] = deque()  # loop's time -> when it came (ms)
        self._asked: float | None = None  # loop's time of the question that is open, for good if it is not answered

    def owed(self, request: object, at: int) -> None:
        """An MO has come, in ms since the epoch."""
        self._owed[request] = at

    def given(self, request: object, connection: Connection) -> None:
        """It is acknowledged now."""
        self._given.append((connection.now(), self._owed.pop(request)))
        self._forget(connection)

    def ask(self, connection: Connection) -> None:
        """After what was given: have the SMSC tell that it has read it."""
        if self._given and self._asked is None:
            answered = connection.probe()
            if answered is not None:
                self._asked = connection.now()
                answered.add_done_callback(functools.partial(self._told, connection))

    def _told(self, connection: Connection, answered: asyncio.Future[Answered]) -> None:
        asked = self._asked
        if asked is None or answered.result().problem:
            return
        self._asked = None
        while self._given and self._given[0][0] <= asked:
            self._given.popleft()
        self.ask(connection)

    def declined(self, request: object) -> None:
        """The SMSC is told to send it again: that is another request."""
        del self._owed[request]

    def doubtful(self, connection: Connection) -> int | None:
        """When the first MO came whose answer the SMSC may not have, in ms; None: it has all that were given."""
        self._forget(connection)
        return min((at for _, at in self._given), default=None)

    def unanswered(self, connection: Connection) -> int | None:
        """When the first MO came that has no answer, or for sure none that has been read, in ms; None: all may have."""
        asked, heard = self._asked, connection.heard
        silent = asked is not None and heard - asked < SILENT <= connection.now() - max(asked, heard)
        unread = [at for _, at in self._given] if silent else []
        return min([*self._owed.values(), *unread], default=None)

    def _forget(self, connection: Connection) -> None:
        """Those that are certain."""
        certain = connection.heard - HEARD
        if connection.left is not None and connection.heard > connection.left:
            certain = connection.left
        while self._given and self._given[0][0] <= certain:
            self._given.popleft()
