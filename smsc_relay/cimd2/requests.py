"""The peer's requests: which of them wait for an answer, and which come again.

One like one of the last few, number and all, is a retransmission: it is answered as before, and not told again.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

from smsc_relay.cimd2.codec import Packet
from smsc_relay.cimd2.errors import LocalProtocolError

KNOWN: Final = 64  # a number comes round after 128 requests: what has it then is another one


class Requests:
    """Of one session."""

    def __init__(self) -> None:
        self._open: dict[int, deque[Packet]] = {}  # without an answer, by number
        self._known: OrderedDict[int, tuple[Packet, bytes | None]] = OrderedDict()  # the last ones, with their answers

    def __len__(self) -> int:
        """Without an answer."""
        return sum(map(len, self._open.values()))

    def add(self, packet: Packet) -> None:
        """One has come, which is to be answered."""
        self._open.setdefault(packet.number, deque()).append(packet)
        self._known[packet.number] = packet, None
        self._known.move_to_end(packet.number)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)

    def waiting(self, number: int) -> Packet:
        """The oldest of this number that has no answer.

        Raises:
            LocalProtocolError: there is none.
        """
        if number not in self._open:
            raise LocalProtocolError(f"no request {number:03d} waits for an answer")
        return self._open[number][0]

    def of(self, operation: int) -> Packet:
        """The first of an operation that has no answer.

        Raises:
            LocalProtocolError: there is none.
        """
        for waiting in self._open.values():
            if waiting[0].operation == operation:
                return waiting[0]
        raise LocalProtocolError(f"no request of operation {operation:02d} waits for an answer")

    def answered(self, packet: Packet, answer: bytes) -> None:
        """It is answered now."""
        self._close(packet)
        if self.again(packet):
            self._known[packet.number] = packet, answer

    def forget(self, packet: Packet) -> None:
        """It gets no answer: when it comes again, it is a new one."""
        self._close(packet)
        if self.again(packet):
            del self._known[packet.number]

    def again(self, packet: Packet) -> bool:
        """It has come before."""
        known = self._known.get(packet.number)
        return known is not None and known[0] == packet

    def answer(self, packet: Packet) -> bytes:
        """What one that has come before was answered; empty: nothing so far."""
        return self._known[packet.number][1] or b""

    def clear(self) -> None:
        """No answer can go any more."""
        self._open.clear()

    def _close(self, packet: Packet) -> None:
        waiting = self._open[packet.number]
        waiting.remove(packet)
        if not waiting:
            del self._open[packet.number]
