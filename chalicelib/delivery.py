"""λ deliver: deliver-<platform> -> the platform's External API; in order per contact and per message.

A record that must be tried again keeps its group waiting (order), by one visibility value for all of its group in the
batch. While a host's breaker is open its whole queue is held that way; other platforms have queues of their own.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from chalicelib import breaker, canaries, letters, platform, queues, registry, telemetry, trace, waypoints
from chalicelib.clock import now_ms
from chalicelib.queues import Received
from chalicelib.records import DeliveryRecord, explain

GIVE_UP: Final = 72 * 3_600_000  # ms
BACKOFF: Final = (2, 5, 15, 30, 60, 120, 300)  # seconds, by receive count; the last for all further ones
SPARE: Final = 30.0  # seconds an invocation must have left to start a request: its time-outs, and a margin


@functools.cache
def _session() -> Any:
    """One pool of connections for a warm process; stale ones are replaced on use."""
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.trust_env = False
    adapter = HTTPAdapter(pool_connections=10, pool_maxsize=10, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def deliver(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Deliver a batch: groups side by side, each in order."""
    groups: dict[str, list[Received]] = defaultdict(list)
    for received in queues.received_from(event):
        groups[received.group].append(received)
    with ThreadPoolExecutor(max_workers=max(1, min(10, len(groups)))) as pool:
        left = list(pool.map(lambda records: _group(records, context), groups.values()))
    waiting = [received for records, _ in left for received in records]
    for records, seconds in left:
        if records:
            _hold(records, seconds)
    trace.flush()
    return queues.failures(waiting)


def _hold(records: list[Received], seconds: float) -> None:
    try:
        queues.hold(records, seconds)
    except Exception as error:  # they come again when their visibility runs out
        telemetry.logger().warning("hold_failed", extra={"error": type(error).__name__})


def _group(records: list[Received], context: Any) -> tuple[list[Received], float]:
    """Deliver one group in order; answers what is to be given again, and after how many seconds."""
    for index, received in enumerate(records):
        try:
            wait = _one(received, context)
        except Exception as error:
            extra = {**_keys(received), "error": telemetry.whereabouts(error)}
            telemetry.logger().warning("deliver_again", extra=extra)
            wait = _backoff(received)
        if wait is not None:
            return records[index:], wait
    return [], 0


def _backoff(received: Received) -> float:
    return float(BACKOFF[min(received.receive_count, len(BACKOFF)) - 1])


def _keys(received: Received) -> dict[str, str]:
    """What names a record in the log."""
    try:
        record = DeliveryRecord.from_body(received.body)
    except ValidationError:
        return {"queue": received.queue}
    return {"message_id": record.subject, "channel": record.channel, "platform": record.platform}


def _one(received: Received, context: Any) -> float | None:
    """Deliver one record: None when it is done with, else the seconds until it is to be given again."""
    try:
        record = DeliveryRecord.from_body(received.body)
        target = registry.platform(record.platform)
    except (ValidationError, registry.UnknownPlatform) as error:
        why = explain(error) if isinstance(error, ValidationError) else f"unknown platform: {error}"
        letters.bury(received.queue, received.body, received.group, f"cannot be delivered: {why}")
        return None
    if canaries.owns(record.fields.get("id", "")):
        telemetry.logger().error("canary_stopped", extra=_keys(received))  # nobody queues one; no platform gets one
        return None
    now = now_ms()
    if now - (record.first_seen or received.sent_at) > GIVE_UP:
        reason = "the platform has not taken it for 72 hours"
        letters.bury(received.queue, received.body, received.group, reason, **_keys(received))
        trace.hop(record.subject, "buried", channel=record.channel, reason="72 hours")
        return None
    if context.get_remaining_time_in_millis() / 1000 < SPARE:
        return 1.0
    host = urlsplit(target.base_url).netloc
    leave = breaker.may_go(host, now)
    if not leave.goes:
        return max(1.0, leave.wait / 1000)
    return _post(received, record, target, host, troubled=leave.troubled)


def _post(
    received: Received, record: DeliveryRecord, target: registry.Platform, host: str, *, troubled: bool
) -> float | None:
    answer = platform.post(_session(), target, registry.platform_credential(target.name), record)
    waypoints.reached("deliver.posted")
    keys = {"platform": target.name, "kind": record.kind}
    if answer.host_in_trouble:
        opened = breaker.trouble(host, now_ms())
        if opened:
            telemetry.logger().error("platform_down", extra={**keys, "status": answer.status})
            telemetry.count("platform_down", target.name)
    elif troubled:
        breaker.well(host)
    hop = {"done": "platform_accepted", "refused": "platform_refused", "again": "platform_retry"}[answer.verdict]
    wait = _backoff(received) if answer.verdict == "again" else None
    trace.hop(
        record.subject,
        hop,
        channel=record.channel,
        kind=record.kind,
        platform=target.name,
        reason="" if answer.verdict == "done" else answer.reason,
        exchanges=[answer.exchange],
    )
    telemetry.count(
        {"done": "delivered_to_platform", "refused": "platform_refused", "again": "platform_retried"}[answer.verdict],
        target.name,
    )
    return wait
