"""What is told of the relay's work: trace hops, metrics, logs. Written by a thread of its own, at best effort.

λ record counts what was sent, failed and received, for every way a message may take; counted here is what only the
relay sees: in doubt, throttled, tried again.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from math import inf
from typing import Any, Final

from chalicelib import telemetry, trace
from chalicelib.phones import mask
from smsc_relay.faults import MOST, Faults
from smsc_relay.jobs import Job
from smsc_relay.protocol import Alert

EVERY: Final = 0.5  # s between two flushes of the trace
COUNTED: Final = 20  # flushes between two lines of a metric
MOST_HOPS: Final = 1_000  # of one flush: a trace costs more than a message, and must not slow the messages down
MOST_ALERTS: Final = 100  # log lines of one flush
LOGGED_EVERY: Final = 60.0  # s between two log lines on one aggregator's submits: unanswered, or throttled


class Journal:
    """One for the process."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "journal")
        self._counts: Counter[tuple[str, str]] = Counter()
        self._hops = self._alerts = 0
        self._faults: defaultdict[str, Faults] = defaultdict(Faults)  # by aggregator
        self._logged: dict[tuple[str, str], float] = {}  # when there was such a line, by message and aggregator

    def hop(self, job: Job, name: str, **fields: Any) -> None:
        """A trace hop of an MT."""
        if self._hops < MOST_HOPS:
            self._hops += 1
            trace.hop(job.record.key.id, name, channel=job.record.key.channel, **fields)
        else:
            self._counts["trace_dropped", job.record.aggregator] += 1

    def count(self, name: str, aggregator: str, value: int = 1) -> None:
        """A metric of an aggregator."""
        self._counts[name, aggregator] += value

    def fault(self, aggregator: str, reason: str, now: float, form: str = "") -> None:
        """The SMSC broke a rule: counted, and logged once a minute, however often it does, or in however many ways."""
        self.count("faults", aggregator)
        faults = self._faults[aggregator]
        extra: dict[str, Any] = {"aggregator": aggregator}
        if faults.may_tell(reason, now):
            untold = faults.take_untold()
            extra |= {"reason": reason, **({"form": form} if form else {}), **({"untold": untold} if untold else {})}
            telemetry.logger().warning("smsc_fault", extra=extra)
        elif faults.may_tell_of_more(now):
            extra["reason"] = f"more than {MOST} different faults within a minute: the others are only counted"
            telemetry.logger().warning("smsc_fault", extra=extra)

    def unanswered(self, aggregator: str, reason: str, now: float) -> None:
        """The SMSC has not answered a submit: logged once a minute. What is in doubt is counted."""
        self._log_seldom("submits_unanswered", aggregator, reason, now)

    def slowed(self, aggregator: str, reason: str, now: float) -> None:
        """The SMSC says that we are too fast, or that it is full: logged once a minute."""
        self._log_seldom("smsc_throttles", aggregator, reason, now)

    def refusing(self, aggregator: str, reason: str, rest: float) -> None:
        """A bind refuses what others take, and rests for so many seconds."""
        extra = {"aggregator": aggregator, "reason": reason, "retry_in_s": rest}
        telemetry.logger().warning("bind_refuses", extra=extra)

    def _log_seldom(self, message: str, aggregator: str, reason: str, now: float) -> None:
        if now - self._logged.get((message, aggregator), -inf) >= LOGGED_EVERY:
            self._logged[message, aggregator] = now
            telemetry.logger().warning(message, extra={"aggregator": aggregator, "reason": reason})

    def alert(self, aggregator: str, told: Alert) -> None:
        """The SMSC tells whether a phone can be reached: counted, and logged as long as it is not a flood."""
        self.count("alerts", aggregator)
        self._alerts += 1
        if self._alerts <= MOST_ALERTS:
            extra = {"aggregator": aggregator, "phone": mask(told.phone), "availability": told.availability}
            telemetry.logger().info("alert_notification", extra=extra)

    async def run(self) -> None:
        """Flush until cancelled."""
        rounds = 0
        while True:
            await asyncio.sleep(EVERY)
            rounds += 1
            await self._flush(metrics=rounds % COUNTED == 0)

    async def close(self) -> None:
        """Flush for the last time."""
        await self._flush(metrics=True)
        self._thread.shutdown()

    async def _flush(self, *, metrics: bool) -> None:
        self._hops = self._alerts = 0
        counts: Counter[tuple[str, str]] = Counter()
        if metrics:
            counts, self._counts = self._counts, counts
        await asyncio.get_running_loop().run_in_executor(self._thread, _write, counts)


def _write(counts: Counter[tuple[str, str]]) -> None:
    trace.flush()
    for (name, aggregator), value in counts.items():
        telemetry.count(name, aggregator, value)
