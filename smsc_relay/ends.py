"""Which of its MOs an SMSC may send again after the end of a session: those whose answer it may not have."""

from __future__ import annotations

from collections import deque
from typing import Final

from smsc_relay.connection import Connection

HEARD: Final = 10.0  # s: an answer that was given so long before the SMSC was last heard has arrived


class Answers:
    """To the MOs of one session.

    Whether an answer has arrived TCP does not tell. But a way that loses it loses the acknowledgements of what the
    SMSC sends too, and soon nothing comes any more; and an SMSC that answers our logout has read what we wrote before.
    """

    def __init__(self) -> None:
        self._owed: dict[object, int] = {}  # the requests without an answer -> when they came (ms)
        self._given: deque[tuple[float, int]] = deque()  # loop's time -> when it came (ms)

    def owed(self, request: object, at: int) -> None:
        """An MO has come, in ms since the epoch."""
        self._owed[request] = at

    def given(self, request: object, connection: Connection) -> None:
        """It is acknowledged now."""
        self._given.append((connection.now(), self._owed.pop(request)))
        self._forget(connection)

    def declined(self, request: object) -> None:
        """The SMSC is told to send it again: that is another request."""
        del self._owed[request]

    def doubtful(self, connection: Connection) -> int | None:
        """When the first MO came whose answer the SMSC may not have, in ms; None: it has all that were given."""
        self._forget(connection)
        return min((at for _, at in self._given), default=None)

    @property
    def unanswered(self) -> int | None:
        """When the first MO came that has no answer, in ms; None: all have."""
        return min(self._owed.values(), default=None)

    def _forget(self, connection: Connection) -> None:
        """Those that are certain."""
        certain = connection.heard - HEARD
        if connection.left is not None and connection.heard > connection.left:
            certain = connection.left
        while self._given and self._given[0][0] <= certain:
            self._given.popleft()
