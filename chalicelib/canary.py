"""λ canary: every five minutes, the canaries that are due are sent, and those before them judged.

A canary goes the whole way: it is put into outbound.fifo as a platform's message is, and λ route, the lane, the relay,
the SMSC, its receipt, events.fifo and λ record do with it what they do with any. The next run looks into the ledger.

This is a function and no job of the relay, since what watches must not end with what it watches; it runs without a
lease, since ids are made of the time and the ledger sends no id twice; and 8,640 short invocations a month cost cents.
"""

from __future__ import annotations

import json
from typing import Any

from chalicelib import canaries, freezes, ledger, queues, registry, telemetry
from chalicelib.canaries import Canary, Last, Verdict
from chalicelib.clock import iso, now_ms
from chalicelib.messages import Status


class CanariesFailed(RuntimeError):  # noqa: N818 - says what has happened
    """The canaries of some aggregators could neither be judged nor sent; the others have been."""


def run(event: dict[str, Any], context: Any) -> None:
    """Look after every aggregator's canary.

    Raises:
        CanariesFailed: AWS does not answer; Lambda runs it again.
    """
    failed = []
    for account in registry.aggregators():
        try:
            canary = canaries.of(account)
            if canary is not None:
                _look_after(canary, now_ms())
        except Exception as error:
            extra = {"aggregator": account.name, "error": telemetry.whereabouts(error)}
            telemetry.logger().warning("canary_again", extra=extra)
            failed.append(account.name)
    if failed:
        raise CanariesFailed(f"the canaries of {', '.join(failed)} could not be looked after")


def _look_after(canary: Canary, now: int) -> None:
    one, held = canaries.last(canary.aggregator), _held(canary)
    over = one is not None and one.id != canary.id_at(now)
    if one is not None and not one.verdict:
        verdict, why = _verdict(canary, one, over=over)
        if verdict == "failed" and held:
            verdict, why = "skipped", held
        if verdict:
            one = _judged(one, verdict, why)
    if held:
        telemetry.logger().info("canary_skipped", extra={"aggregator": canary.aggregator, "reason": held})
        return
    telemetry.count("canary_failed", canary.aggregator, one.failing if one else 0)
    if one is None or over:
        begun = canaries.begin(canary, now, one)
        if begun is not None:
            telemetry.count("canary_sent", canary.aggregator)
            _send(canary, begun)
    elif not one.verdict and ledger.get(one.channel, one.id) is None:
        _send(canary, one)  # the run before has ended between its two writes, or λ route has not come to it yet


def _held(canary: Canary) -> str:
    """Why none is to be sent now, "" where nothing is against it: what people have stopped does not fail."""
    try:
        channel = registry.channel(canary.channel)
    except registry.UnknownChannel:
        return "its channel is not registered"
    if not channel.enabled:
        return "its channel is disabled"
    if channel.aggregator != canary.aggregator:
        return f"its channel is on {channel.aggregator}"
    frozen = freezes.load().holding(canary.aggregator, channel.workspace)
    return f"{frozen.kind} {frozen.name} is frozen" if frozen else ""


def _judged(one: Last, verdict: Verdict, why: str) -> Last:
    done = canaries.judge(one, verdict, why)
    if done is None:  # by another run, which tells it
        return canaries.last(one.aggregator) or one
    if verdict == "failed":
        extra = {"message_id": one.id, "aggregator": one.aggregator, "reason": why, "in_a_row": done.failing}
        telemetry.logger().warning("canary_failed", extra=extra)
    elif one.delivered_at:
        took = max(0, one.delivered_at - one.sent_at)
        telemetry.gauges(one.aggregator, {"canary_delivered": ("Milliseconds", took)})
    return done


def _verdict(canary: Canary, one: Last, *, over: bool) -> tuple[Verdict, str]:
    """What has become of a canary, ("", "") while it may still arrive: `over` says that the next is due."""
    state = ledger.get(one.channel, one.id)
    status = state.overall() if state else None
    if state is not None and status is Status.FAILED:
        reasons = [" ".join(filter(None, (part.reason, part.code))) for part in state.parts.values()]
        return "failed", next(filter(None, reasons), "") or "the SMSC says that it has failed"
    if status is Status.DELIVERED and (one.answered_at or not canary.mo):
        return "delivered", ""
    if not over:
        return "", ""
    if state is None:
        return "failed", "λ route has not taken it from outbound.fifo"
    if status is Status.QUEUED:
        return "failed", f"the SMSC has not taken it; it waits in {state.lane}"
    if status is Status.DELIVERED:
        return "failed", "delivered, but no answer has come from the phone"
    return "failed", "the SMSC has taken it, but no receipt has come"


def _send(canary: Canary, one: Last) -> None:
    """As a platform does. One that cannot go out before the next is due is of no use any more."""
    at = iso(one.sent_at)
    body = {
        "id": one.id,
        "text": canary.text or f"Jangada canary {at[:10]} {at[11:16]} UTC",
        "to": canary.to,
        "channel": canary.channel,
        "expires_at": iso(one.sent_at + canary.every),
    }
    group, dedup = queues.digest("canary", canary.aggregator), queues.digest("canary", one.id)
    queues.send(queues.OUTBOUND, queues.Entry(json.dumps(body), group, dedup))
