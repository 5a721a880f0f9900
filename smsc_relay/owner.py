"""What a bind tells its link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from smsc_relay.protocol import Happening

if TYPE_CHECKING:
    from smsc_relay.bind import Bind


class Owner(Protocol):
    """Of a bind: the link."""

    def up(self, bind: Bind) -> None:
        """It has logged in."""

    def happened(self, bind: Bind, happenings: Sequence[Happening]) -> None:
        """What came over it."""

    def caught_up(self) -> None:
        """That was all, for now: what needs no haste is done."""

    def retire(self, bind: Bind) -> None:
        """Nothing more may be submitted over it; answers may come."""

    def down(self, bind: Bind, lost: Sequence[Any]) -> None:
        """It has ended; no answer can come for the submits `lost`."""

    def failed(self, bind: Bind, reason: str) -> None:
        """It could not be opened, or has ended."""

    def fault(self, reason: str) -> None:
        """The SMSC has called in vain."""

    def shared(self, bind: Bind, part: float) -> None:
        """Of all binds like it that are open, this process has that part."""
