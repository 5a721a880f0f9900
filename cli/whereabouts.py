"""Where a message is now: from the ledger, the trace and the lanes' pauses, in words. Nothing here asks AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib import attempts, queues
from chalicelib.attempts import Aside, Hold, Standing
from chalicelib.freezes import Freeze
from chalicelib.ledger_items import MessageState, PartState
from chalicelib.messages import Status
from chalicelib.pauses import Pause

Hop = Mapping[str, Any]

_FAILURES = ("failed", "expired", "refused")
_TO_PLATFORM = ("platform_accepted", "platform_refused", "platform_retry", "to_platform", "stopped")
_STATUSES = ("sent", "delivered", "failed")  # for the platform; an outcome of that name says which part it is of
_MOVES = ("queued", "redriven", "later", "buried", "retry", "in_doubt", "throttled", "paused", "wired")


@dataclass(frozen=True, slots=True)
class Place:
    """What holds the message ("" where nothing does), until when (ms, 0: unknown), when it is tried next, and why."""

    holder: str
    why: str
    until: int = 0
    next_attempt: int = 0


def last(hops: Sequence[Hop], *names: str) -> Hop | None:
    """The latest hop with one of these names."""
    return next((hop for hop in reversed(hops) if hop["hop"] in names), None)


def place(
    state: MessageState, hops: Sequence[Hop], pause: Pause | None, now: int, frozen: Freeze | None = None
) -> Place:
    """Where an MT is, as far as its aggregator: its status on the way to the platform is `platform`'s."""
    status = state.overall()
    if status is Status.FAILED:
        return Place("", failure(state, hops))
    if status is Status.DELIVERED:
        return Place("", "it is on the phone")
    if status in (Status.WIRED, Status.SENT):
        return Place(state.aggregator, "the aggregator has it; its receipt is awaited")
    return _open(state, hops, pause, now, frozen)


def failure(state: MessageState, hops: Sequence[Hop]) -> str:
    """Why the message has failed."""
    for part in state.parts.values():
        if part.rank == Status.FAILED.rank and (part.reason or part.code):
            return " ".join(filter(None, (part.reason, f"(code {part.code})" if part.code else "")))
    hop = last(hops, *_FAILURES) or last(hops, "receipt") or {}
    return str(hop.get("reason") or hop.get("code") or "the aggregator has reported it as failed")


def _open(state: MessageState, hops: Sequence[Hop], pause: Pause | None, now: int, frozen: Freeze | None) -> Place:
    lane = queues.lane_queue(state.lane) if state.lane else "its lane"
    latest = last(hops, *_MOVES) or {"hop": ""}
    if latest["hop"] == "buried":
        queue = str(latest.get("queue") or lane)
        return Place(
            queues.dlq_of(queue), f"{latest.get('reason') or 'it needs a human'}: see `jangada dlq show {queue}`"
        )
    if latest["hop"] == "later" and int(latest["not_before"]) > now:
        at = int(latest["not_before"])
        why = told(frozen) if frozen else _why_waiting(state, hops, pause)
        return Place(queues.LATER, why, until=at, next_attempt=at)
    for part in state.parts.values():
        if part.kind == "claimed" and part.until > now:
            return Place("λ send", "it is being offered to the aggregator", until=part.until)
        if part.doubtful:
            return Place(lane, "in doubt: the SMSC has not answered, and no receipt has proved it accepted so far")
        if part.kind == "claimed":
            return Place(lane, "in doubt: it was offered, and whether it was accepted is not known", until=0)
    if not state.forwarded and not state.parts:
        return Place(queues.OUTBOUND, "the ledger knows it, its lane may not have it yet")
    if frozen:
        return Place(lane, told(frozen))
    if pause:
        return Place(lane, f"{state.aggregator} is paused: {pause.reason}", next_attempt=pause.probe_at)
    again = [part for part in state.parts.values() if part.kind == "again"]
    if again:
        at = next_attempt(again[0])
        return Place(lane, _why_waiting(state, hops, pause), until=at, next_attempt=at)
    return Place(lane, "it waits for its turn")


def told(frozen: Freeze) -> str:
    """A freeze in words."""
    why = f": {frozen.reason}" if frozen.reason else ""
    return f"{frozen.kind} {frozen.name} is frozen{why}; `jangada thaw {frozen.name}` lets it go on"


def _why_waiting(state: MessageState, hops: Sequence[Hop], pause: Pause | None) -> str:
    if pause:
        return f"{state.aggregator} is paused: {pause.reason}"
    hop = last(hops, "retry", "in_doubt", "throttled", "paused")
    reasons = [part.reason for part in state.parts.values() if part.kind == "again" and part.reason]
    told = f"{hop['hop']}: {hop.get('reason', '')}" if hop else (reasons[0] if reasons else "")
    return f"the last try did not succeed: {told}" if told else "it waits for its turn"


def next_attempt(part: PartState) -> int:
    """About when a part that was given back is offered again (ms), 0 where only its queue knows.

    A record that is hidden in its queue says so nowhere; but the wait follows from how long the trouble has lasted.
    """
    if not part.trouble_since:
        return 0
    standing = Standing(attempt=1, trouble_since=part.trouble_since, expires_at=part.until + 86_400_000)
    wait = attempts.after_failure(standing, part.until, 0.5)
    if isinstance(wait, Hold):
        return part.until + round(wait.seconds * 1000)
    return wait.not_before if isinstance(wait, Aside) else 0


def platform(hops: Sequence[Hop], now: int, name: str = "") -> Place | None:
    """Where what the platform `name` is to be told is: an MO, an opt-out or a status. None where there is nothing."""
    from chalicelib.delivery import BACKOFF

    calls = [hop for hop in hops if hop["hop"] in _TO_PLATFORM or (hop["hop"] in _STATUSES and "total" not in hop)]
    if not calls:
        return None
    told = calls[-1]
    name = str(told.get("platform") or name)
    queue = queues.deliver_queue(name) if name else "its platform's queue"
    what = str(told.get("kind") or "receive")
    if told["hop"] == "platform_accepted":
        return Place("", f"the platform has taken it: {what}")
    if told["hop"] == "platform_refused":
        return Place("", f"the platform has refused it for good: {told.get('reason', '')}")
    if told["hop"] == "platform_retry":
        tries = sum(hop["hop"] == "platform_retry" for hop in hops)
        at = int(told["at"]) + BACKOFF[min(tries, len(BACKOFF)) - 1] * 1000
        return Place(queue, f"the platform does not take it: {told.get('reason', '')}", next_attempt=max(at, now))
    return Place(queue, "it is on its way to the platform")


def incoming(hops: Sequence[Hop], now: int) -> Place:
    """Where an MO or an opt-out is."""
    found = last(hops, "buried", "duplicate", "dropped")
    if found and found["hop"] == "buried":
        queue = str(found.get("queue") or queues.EVENTS)
        return Place(queues.dlq_of(queue), str(found.get("reason", "")))
    if found and found["hop"] == "duplicate":
        return Place("", "the aggregator has sent it twice: it was given to the platform the first time")
    if found:
        return Place("", f"dropped: {found.get('reason', '')}")
    place_now = platform(hops, now)
    if place_now:
        return place_now
    part = last(hops, "part")
    if part:
        return Place("the ledger", f"a part of {part.get('total', 'several')}: the others are awaited")
    return Place(queues.EVENTS, "received and safe, not yet recorded")


def status_of(rank: int) -> str:
    """The status that has this rank."""
    return next((status.value for status in Status if status.rank == rank), "")
