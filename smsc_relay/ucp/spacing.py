"""Submits to one recipient, one after the other and with a gap: SMSCs that stamp two of them with the same second give
both one name, and nobody can tell their notifications apart."""

from __future__ import annotations

import heapq
from collections import deque
from math import inf
from typing import Any


class Spacing:
    """What waits for its turn, by recipient. `gap`: seconds after an answer; 0: nothing ever waits."""

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._waiting: dict[str, deque[Any]] = {}  # by recipients that are not free
        self._free_at: list[tuple[float, str]] = []
        self.held = 0

    def begin(self, recipient: str, item: Any) -> bool:
        """May `item` be sent now? Else it waits for `due`."""
        if not self._gap:
            return True
        queue = self._waiting.get(recipient)
        if queue is None:
            self._waiting[recipient] = deque()
            return True
        queue.append(item)
        self.held += 1
        return False

    def answered(self, recipient: str, now: float) -> None:
        """What was sent to this recipient has been answered, or no answer is waited for any more."""
        if self._gap:
            heapq.heappush(self._free_at, (now + self._gap, recipient))

    def next_deadline(self) -> float:
        """When `due` has something to do; may be infinite."""
        return self._free_at[0][0] if self._free_at else inf

    def due(self, now: float) -> list[Any]:
        """What may be sent now."""
        found = []
        while self._free_at and self._free_at[0][0] <= now:
            _, recipient = heapq.heappop(self._free_at)
            queue = self._waiting.get(recipient)
            if queue:
                found.append(queue.popleft())
                self.held -= 1
            else:
                self._waiting.pop(recipient, None)
        return found

    def abandon(self) -> list[Any]:
        """All that waits; nothing does any more."""
        found = [item for queue in self._waiting.values() for item in queue]
        self._waiting.clear()
        self._free_at.clear()
        self.held = 0
        return found
