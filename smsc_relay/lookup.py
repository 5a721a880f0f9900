"""What must be asked before some records are submitted: copies that may be second ones, and channels not known yet.

A normal record of a known channel costs nothing here. Blocking: for a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib import ledger, registry, telemetry
from chalicelib.channels.config import ConfigError
from chalicelib.ledger_items import MessageState, PartState
from chalicelib.messages import Status
from chalicelib.records import MessageKey
from smsc_relay.accounts import Sender
from smsc_relay.config import LinkConfig
from smsc_relay.jobs import Job, Told
from smsc_relay.queue_client import describe


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of a record. `failed`: AWS did not answer, so nothing is."""

    failed: bool = False
    state: MessageState | None = None  # as the ledger has it; asked for suspect records only
    unknown: bool = False  # nobody knows its channel
    sender: Sender | None = None  # of a channel that is new to this process


def look_up(jobs: Sequence[tuple[Job, bool]], config: type[LinkConfig]) -> list[Finding]:
    """Look up each job; with it comes whether its channel is new to this process."""
    return [_one(job, config, new_channel=new) for job, new in jobs]


def _one(job: Job, config: type[LinkConfig], *, new_channel: bool) -> Finding:
    key = job.record.key
    try:
        sender = _sender(key.channel, job.record.aggregator, config) if new_channel else None
        return Finding(state=ledger.get(key.channel, key.id) if job.suspect else None, sender=sender)
    except registry.UnknownChannel:
        return Finding(unknown=True)
    except Exception as error:
        telemetry.logger().warning("look_up_failed", extra={**job.keys(), "error": describe(error)})
        return Finding(failed=True)


def _sender(uuid: str, aggregator: str, config: type[LinkConfig]) -> Sender:
    channel = registry.on(registry.channel(uuid), aggregator)
    try:
        return Sender(channel.enabled, config.read(registry.settings_of(channel)), channel.workspace)
    except ConfigError:
        return Sender(channel.enabled, None, channel.workspace)


def told_by(state: MessageState) -> dict[int, Told]:
    """The segments that the ledger has as concluded."""
    return {
        index: Told(
            part.kind == "accepted", part.external_id, part.reason, part.code, silent=part.silent, recorded=True
        )
        for index, part in state.parts.items()
        if part.kind in ("accepted", "failed")
    }


def write_down(key: MessageKey, total: int, told: dict[int, Told], now: int) -> None:
    """Have the ledger know of accepted segments before their message is given back: λ record, which would write the
    same, may be behind, and another process may be given the record meanwhile."""
    for index, one in told.items():
        if one.accepted and not one.recorded:
            rank = Status.WIRED.rank
            accepted = PartState("accepted", external_id=one.external_id, rank=rank, until=now, silent=one.silent)
            ledger.conclude_unclaimed(key, index, total, accepted, now)
