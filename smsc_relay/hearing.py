"""For how long a link could have heard of what it has sent: a wait for receipts is of that time, and not of the time in
which the SMSC had nobody to tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smsc_relay.bind import Bind


class Hearing:
    """Of one link; `now` is the event loop's clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._binds: set[Bind] = set()
        self._since = self._before = 0.0  # with one of these, and for how many seconds before that

    def begin(self, bind: Bind) -> None:
        """Receipts come over a bind."""
        if not self._binds:
            self._since = self._now()
        self._binds.add(bind)

    def end(self, bind: Bind) -> None:
        """No more."""
        self._before, self._since = self.seconds, self._now()
        self._binds.discard(bind)

    @property
    def seconds(self) -> float:
        """With a bind, so far."""
        return self._before + self.lasting

    @property
    def lasting(self) -> float:
        """Of these, those since a bind came or went last."""
        return self._now() - self._since if self._binds else 0.0
