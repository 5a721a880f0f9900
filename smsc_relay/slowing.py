"""What it leads to when an SMSC refuses submits for now: a lower pace, a later try, a bind that is left alone."""

from __future__ import annotations

from smsc_relay.bind import Bind
from smsc_relay.deferred import Deferred
from smsc_relay.jobs import Part
from smsc_relay.journal import Journal
from smsc_relay.meter import Meter
from smsc_relay.pace import NEARLY_FULL, Pace
from smsc_relay.protocol import Rejected
from smsc_relay.refusing import Refusing
from smsc_relay.settling import spread
from smsc_relay.steady import now_ms


class Slowing:
    """Of one link. Times are of the event loop's clock."""

    def __init__(self, aggregator: str, journal: Journal, meter: Meter, pace: Pace) -> None:
        self._aggregator, self._journal, self._meter, self._pace = aggregator, journal, meter, pace
        self.deferred, self.refusing = Deferred(), Refusing()

    def congested(self, level: int, now: float) -> None:
        """The SMSC says how loaded it is, in percent."""
        if level >= NEARLY_FULL:
            self._say(f"congestion_state {level}", now)
        self._pace.congested(level, now)

    def throttled(self, part: Part, answer: Rejected, now: float) -> float | None:
        """A segment was too fast; answers when it goes again, None where it has been for long enough."""
        self._journal.count("throttled", self._aggregator)
        self._meter.throttled += 1
        self._say(f"{answer.reason} {answer.code}".strip(), now)
        self._pace.throttled(now, part.segment.count, part.job.record.message.to)
        return self.deferred.defer(part, now, spread())

    def refused(self, bind: Bind, answer: Rejected, now: float) -> bool:
        """A bind has refused a segment for now; answers whether that is what it does with all, and others do not."""
        rest = 0.0 if answer.late else self.refusing.refused(bind, now)
        if rest:
            reason = f"{bind.name} refuses what others take: {answer.reason} {answer.code}".strip()
            self._meter.failed(reason, now_ms())
            self._journal.refusing(self._aggregator, reason, rest)
        return self.refusing.rests(bind)

    def next(self, binds: list[Bind], now: float) -> float | None:
        """When a segment may go that may not now, as far as that is known."""
        deferred, rest = self.deferred.next, self.refusing.next(binds, now)
        return rest if deferred is None else deferred if rest is None else min(deferred, rest)

    def _say(self, reason: str, now: float) -> None:
        self._meter.failed(reason, now_ms())
        self._journal.slowed(self._aggregator, reason, now)
