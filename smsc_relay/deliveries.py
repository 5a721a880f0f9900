"""What an SMSC delivers over one session, the same for every protocol: MOs and receipts, read when there is time.

Reading one takes longer than refilling its place in the window would have: so requests are only kept when they come,
and read once the answers that have come with them, and right after them, have been seen to; a few at a time, for a
slow pattern (SMPP) takes 10 ms for each, and other links wait meanwhile.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import Final, Generic, Protocol, TypeVar

from chalicelib.messages import Status, StatusUpdate
from chalicelib.records import MoEvent, ReceiptEvent
from smsc_relay import incoming
from smsc_relay.protocol import Happening, Surroundings

AT_ONCE: Final = 8

Request = TypeVar("Request")


class Report(Protocol):
    """What a receipt says, where an id is a recipient and a second (UCP, CIMD2). `status` None: nothing to tell;
    `external_id` "": whose it is."""

    @property
    def external_id(self) -> str: ...
    @property
    def status(self) -> Status | None: ...
    @property
    def at(self) -> int | None: ...
    @property
    def code(self) -> str: ...
    @property
    def reason(self) -> str: ...


class Deliveries(ABC, Generic[Request]):
    """Of one session: requests as its protocol has them, in the order in which they have come."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._unread: deque[Request] = deque()
        self._session = surroundings.new_id()
        self._since = surroundings.wall_ms()  # some SMSCs send before they have answered the login

    def bound(self) -> None:
        """The session is there."""
        self._since = self._around.wall_ms()

    def came(self, request: Request) -> None:
        """The SMSC has sent one."""
        self._unread.append(request)

    @property
    def unread(self) -> bool:
        """Some has come and is not told yet."""
        return bool(self._unread)

    def read(self, now: float) -> list[Happening]:
        """The first of what has come and is not told yet."""
        return self._read(min(AT_ONCE, len(self._unread)), now)

    def end(self, now: float) -> list[Happening]:
        """All of it, for the last time. No answer can go any more: the SMSC gives again what has none."""
        return self._read(len(self._unread), now)

    def _read(self, count: int, now: float) -> list[Happening]:
        found: list[Happening] = []
        for _ in range(count):
            self._tell(self._unread.popleft(), now, found)
        return found

    @abstractmethod
    def _tell(self, request: Request, now: float, found: list[Happening]) -> None:
        """What it is, appended to `found`."""

    def _mo(self, found: incoming.Read, sender: str, to: str, tlvs: str = "") -> MoEvent:
        return incoming.event(self._around, found, sender, to, self._session, self._since, tlvs)

    def _shared(self, receipt: Report, destination: str) -> ReceiptEvent | None:
        if receipt.status is None or not receipt.external_id:
            return None
        around = self._around
        update = StatusUpdate(
            channel="",
            status=receipt.status,
            external_id=receipt.external_id,
            at=receipt.at,
            code=receipt.code,
            reason=receipt.reason,
            destination=destination,
        )
        return ReceiptEvent(
            event_id=around.new_id(), update=update, aggregator=around.aggregator, at=around.wall_ms(), shared=True
        )
