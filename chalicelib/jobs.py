"""What λ send works on: a record with all that it takes to send it, and what the groups of one batch share."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib import freezes, pauses, queues, telemetry
from chalicelib.attempts import Standing
from chalicelib.clock import now_ms
from chalicelib.outcomes import ChannelDown, Permanent
from chalicelib.pacing import Turn
from chalicelib.queues import Received
from chalicelib.records import LaneRecord
from chalicelib.together import Together

if TYPE_CHECKING:
    from chalicelib.channels.base import HttpChannel, Part
    from chalicelib.registry import Channel


@dataclass(slots=True)
class Job:
    """A record of a lane with its channel and its parts."""

    received: Received
    record: LaneRecord
    channel: Channel
    sender: HttpChannel | None = None  # None: the channel's settings cannot be used
    parts: tuple[Part, ...] = ()
    refusal: Permanent | None = None  # the message cannot even be cut
    turn: Turn | None = None  # None: it has not asked for one
    crowded: bool = False  # its aggregator has its share of the lane's runs already
    trouble_since: int = 0  # ms: from the record, or from the ledger once it has been asked

    @property
    def account(self) -> str:
        """What the pace belongs to: the aggregator's account, or this channel where it has a rate of its own."""
        return self.channel.uuid if self.channel.config.get("max_tps") else self.channel.aggregator

    @property
    def rate(self) -> float:
        """Configured requests per second, 0 for none."""
        return (self.sender.config.max_tps if self.sender else None) or 0.0

    @property
    def standing(self) -> Standing:
        """What decisions about waiting depend on."""
        return standing(self.received, self.record, self.trouble_since)

    @property
    def shape(self) -> str:
        """How the message is cut: `<limit>:<parts>:<digest>`; a retry must come to the same."""
        limit = (self.sender.limit if self.sender else None) or 0
        return f"{limit}:{len(self.parts)}:{queues.digest(*(part.text for part in self.parts))[:12]}"

    def frozen(self) -> freezes.Freeze | None:
        """What has stopped it, as of now: an operator's freeze of its aggregator or workspace."""
        return freezes.current().holding(self.channel.aggregator, self.channel.workspace)

    def cancelled(self) -> str:
        """Why an operator does not want it to be sent any more; "" where nobody has said so."""
        return freezes.current().cancelling(self.channel.aggregator, self.channel.workspace, self.record.first_seen)

    def keys(self) -> dict[str, str]:
        """What a log line says of it: no text, no number."""
        key = self.record.key
        return {"message_id": key.id, "channel": key.channel, "aggregator": self.channel.aggregator}


def standing(received: Received, record: LaneRecord, trouble_since: int = 0) -> Standing:
    """How far a record has come."""
    return Standing(record.attempt, trouble_since or record.trouble_since, record.expires_at, received.receive_count)


class Invocation:
    """What one run of λ send shares between its threads: its time, which aggregators are paused, its way to events."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self.events = Together(queues.EVENTS)
        self._lock = threading.Lock()
        self._pauses: dict[str, int] = {}
        self._probes: set[str] = set()
        self._accepted: dict[str, list[int]] = {}

    def accepted(self, aggregator: str, took: int) -> None:
        """An aggregator has accepted a part, so long (ms) after we had taken its message; counted by `tell`."""
        with self._lock:
            self._accepted.setdefault(aggregator, []).append(took)

    def tell(self) -> None:
        """Write what has been counted."""
        with self._lock:
            accepted, self._accepted = self._accepted, {}
        for aggregator, took in accepted.items():
            telemetry.accepted(aggregator, took)

    def time_left(self) -> float:
        """Seconds until this run is stopped."""
        return float(self._context.get_remaining_time_in_millis()) / 1000

    def paused_since(self, aggregator: str) -> int:
        """When the lane of `aggregator` was paused (ms), 0 when it is not. The ledger is asked once a run."""
        with self._lock:
            if aggregator not in self._pauses:
                pause = pauses.lane_pause(aggregator)
                self._pauses[aggregator] = pause.since if pause else 0
            return self._pauses[aggregator]

    def wins_probe(self, aggregator: str) -> bool:
        """Win this minute's probe of a paused lane: True for one record of one run."""
        with self._lock:
            if aggregator in self._probes:
                return False
            self._probes.add(aggregator)
        return pauses.claim_probe(aggregator, now_ms())

    def pause(self, aggregator: str, down: ChannelDown) -> int:
        """The account is in trouble: from now on it gets a probe a minute. Returns since when it is paused (ms)."""
        now = now_ms()
        pauses.pause_lane(aggregator, down.reason, now)
        telemetry.logger().error("channel_down", extra={"aggregator": aggregator, "reason": down.reason})
        telemetry.count("channel_down", aggregator)
        with self._lock:
            self._probes.add(aggregator)
            self._pauses[aggregator] = self._pauses.get(aggregator) or now
            return self._pauses[aggregator]

    def resume(self, aggregator: str) -> None:
        """The account is well: lift its pause if there is one."""
        with self._lock:
            if not self._pauses.get(aggregator):
                return
            self._pauses[aggregator] = 0
        pauses.resume_lane(aggregator)
        telemetry.logger().warning("channel_up", extra={"aggregator": aggregator})
