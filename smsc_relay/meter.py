"""What a link has done of late, counted where it happens. No I/O, no clock: `now` is of the event loop's."""

from __future__ import annotations

from collections import deque
from typing import Final

RECENT: Final = 60.0  # s of answers that the quantiles are of
MOST: Final = 500  # answers: of fifty links they are two megabytes
SPAN: Final = 10.0  # s that the rate is over


class Meter:
    """Of one link."""

    def __init__(self, now: float) -> None:
        self.throttled = 0
        self.reconnects = 0
        self.error = ""
        self.error_at = 0  # ms since the epoch
        self._submitted = 0
        self._answers: deque[tuple[float, float]] = deque(maxlen=MOST)
        self._marks: deque[tuple[float, int]] = deque(((now, 0),))
        self._told = now, 0  # when `take_rate` was called last, and what had been submitted
        self._known: set[str] = set()
        self._waited = 0

    def submitted(self, count: int) -> None:
        """Segments have gone."""
        self._submitted += count

    def answered(self, rtt: float, now: float) -> None:
        """A segment has been answered, `rtt` s after it went."""
        self._answers.append((now, rtt))

    def came_up(self, bind: str) -> None:
        """A bind has logged in; not for the first time, it is a reconnect."""
        self.reconnects += bind in self._known
        self._known.add(bind)

    def failed(self, reason: str, at: int) -> None:
        """Something went wrong; `at` in ms since the epoch."""
        self.error, self.error_at = reason, at

    def received(self, waited: int) -> None:
        """A record has come that was in its lane for `waited` ms."""
        self._waited = max(self._waited, waited)

    def take_waited(self) -> int:
        """The longest that a record was in its lane, in ms, of those since the last call."""
        found, self._waited = self._waited, 0
        return found

    def rate(self, now: float) -> float:
        """Segments/s submitted in the last seconds."""
        marks = self._marks
        if now - marks[-1][0] >= 1:
            marks.append((now, self._submitted))
        while len(marks) > 2 and now - marks[1][0] >= SPAN:
            marks.popleft()
        since, before = marks[0]
        return (self._submitted - before) / max(1.0, now - since)

    def take_rate(self, now: float) -> float:
        """Segments/s submitted since the last call."""
        (since, before), self._told = self._told, (now, self._submitted)
        return (self._submitted - before) / (now - since) if now > since else 0.0

    def quantile(self, share: float, now: float) -> float | None:
        """The round trip, in ms, that `share` of the last minute's answers took at most; None: there was none."""
        while self._answers and now - self._answers[0][0] > RECENT:
            self._answers.popleft()
        rtts = sorted(rtt for _, rtt in self._answers)
        return round(1000 * rtts[min(len(rtts) - 1, int(share * len(rtts)))], 1) if rtts else None
