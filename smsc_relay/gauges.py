"""What people see of a link: state, binds, window, rate, round trips, throttles, the last error, what waits for it.

The same facts go to the status that a task writes down, to the health page and to the metrics.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any, Final

from chalicelib import telemetry
from chalicelib.values import value
from smsc_relay.arrivals import Arrivals
from smsc_relay.bind import Bind
from smsc_relay.queue_client import Queues, describe
from smsc_relay.status import LinkStatus, State
from smsc_relay.steady import now_ms
from smsc_relay.traffic import Traffic

EVERY: Final = 30.0  # s between two looks into the same lane: of 20 accounts in two tasks, $3.50 a month

Measures = dict[str, tuple[str, float]]  # name -> (CloudWatch's unit, value)


@value
class Waiting:
    """Messages in the lanes of a link that nobody has taken. None: not known."""

    at: float  # when SQS was asked, of the event loop's clock
    replies: int | None = None
    bulk: int | None = None


class Gauges:
    """Of one link."""

    def __init__(
        self,
        name: str,
        protocol: str,
        lanes: tuple[str, str],
        traffic: Traffic,
        binds: Sequence[Bind],
        arrivals: Arrivals,
    ) -> None:
        self._name, self._protocol, self.lanes = name, protocol, lanes
        self._traffic, self._binds, self._arrivals = traffic, binds, arrivals
        self.waiting = Waiting(-inf)  # is set by `watch`

    def report(self) -> dict[str, Any]:
        """How it is: for a health page, nothing decides by it."""
        said = self.status("")
        return {
            **said.model_dump(mode="json", exclude={"link", "task", "at"}),
            "binds": [bind.report() for bind in self._binds],
            "in_flight": said.in_flight,
            "window": said.window,
            "waiting": [self.waiting.replies, self.waiting.bulk],
        }

    def status(self, task: str) -> LinkStatus:
        """How it is, to be written down by `task`."""
        traffic, meter, now = self._traffic, self._traffic.meter, self._traffic.now()
        return LinkStatus(
            link=self._name,
            task=task,
            protocol=self._protocol,
            at=now_ms(),
            state=self._state(),
            binds=tuple(bind.status() for bind in self._binds),
            wanted=_finite(traffic.pace.limit),
            allowed=_finite(traffic.pace.allowed(now)),
            actual=round(meter.rate(now), 1),
            p50=meter.quantile(0.5, now),
            p99=meter.quantile(0.99, now),
            throttled=meter.throttled,
            reconnects=meter.reconnects,
            error=meter.error,
            error_at=meter.error_at,
            in_hand=len(traffic.order),
            arriving=self._arrivals.pending,
            paused_until=traffic.trouble.until() if traffic.trouble.waiting else 0,
            pdu_log_until=max((bind.logged_until for bind in self._binds), default=0),
        )

    def _state(self) -> State:
        states = {bind.state for bind in self._binds}
        if self._traffic.frozen:
            return "frozen"
        if self._traffic.trouble.waiting:
            return "paused"
        if "up" in states:
            return "up"
        if "refused" in states:
            return "refused"
        return "standby" if states <= {"standby", "awaiting"} else "down"

    def measures(self) -> Measures:
        """Metrics since the last call, once a minute. `throttled` is counted as it happens."""
        traffic, meter, now = self._traffic, self._traffic.meter, self._traffic.now()
        up = [bind for bind in self._binds if bind.state == "up"]
        window = sum(bind.window for bind in up if bind.role.submits)
        found: Measures = {
            "binds_up": ("Count", float(len(up))),
            "frozen": ("Count", float(traffic.frozen)),
            "queue_age": ("Seconds", meter.take_waited() / 1000),
            "rate": ("Count/Second", meter.take_rate(now)),
        }
        if window:
            found["window_used"] = "Percent", 100 * sum(bind.in_flight for bind in up) / window
        for name, share in (("round_trip_p50", 0.5), ("round_trip_p99", 0.99)):
            took = meter.quantile(share, now)
            if took is not None:
                found[name] = "Milliseconds", took
        for name, depth in (("queue_depth", self.waiting.replies), ("queue_depth_bulk", self.waiting.bulk)):
            if depth is not None:
                found[name] = "Count", float(depth)
        oldest = min((job.record.first_seen for job in traffic.order), default=0)
        if oldest:
            found["queue_age"] = "Seconds", max(found["queue_age"][1], (now_ms() - oldest) / 1000)
        return found

    def remarks(self) -> dict[str, str | int]:
        """What is no number, beside the metrics in their line of the log."""
        meter = self._traffic.meter
        said: dict[str, str | int] = {"state": self._state()}
        return {**said, "error": meter.error, "error_at": meter.error_at} if meter.error else said


def _finite(rate: float) -> float | None:
    return None if rate == inf else round(rate, 1)


async def watch(sqs: Queues, links: Callable[[], Iterable[Gauges]], often: float) -> None:
    """Look into the lanes of all links until cancelled: every `EVERY` s, one after the other, so that the calls are in
    no message's way; `often` (s) for a link that is new."""
    loop = asyncio.get_running_loop()
    trouble = ""
    while True:
        await asyncio.sleep(often)
        for gauges in list(links()):
            if loop.time() - gauges.waiting.at < EVERY:
                continue
            try:
                depths = [await sqs.depth(lane) for lane in gauges.lanes]
                gauges.waiting = Waiting(loop.time(), *depths)
                trouble = ""
            except Exception as error:
                gauges.waiting = Waiting(loop.time())
                if not trouble:
                    telemetry.logger().warning("depth_unknown", extra={"error": describe(error)})
                trouble = describe(error)
