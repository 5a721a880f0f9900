"""What must be asked before some records are submitted: copies that may be second ones, and channels not known yet.

A normal record of a known channel costs nothing here. Blocking: for a thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib import ledger, proofs, registry, telemetry
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
    proven: Mapping[int, Told] = field(default_factory=dict)  # segments that were in doubt, by index
    doubtful: Mapping[int, PartState] = field(default_factory=dict)  # and those that still are

    @property
    def doubtful_since(self) -> int:
        """When the last of them was last known to be, in ms."""
        return max(part.trouble_since for part in self.doubtful.values())


def look_up(jobs: Sequence[tuple[Job, bool]], config: type[LinkConfig]) -> list[Finding]:
    """Look up each job; with it comes whether its channel is new to this process."""
    return [_one(job, config, new_channel=new) for job, new in jobs]


def _one(job: Job, config: type[LinkConfig], *, new_channel: bool) -> Finding:
    key = job.record.key
    try:
        sender = _sender(key.channel, job.record.aggregator, config) if new_channel else None
        state = ledger.get(key.channel, key.id) if job.suspect else None
        proven, doubtful = _in_doubt(job, state)
        return Finding(state=state, sender=sender, proven=proven, doubtful=doubtful)
    except registry.UnknownChannel:
        return Finding(unknown=True)
    except Exception as error:
        telemetry.logger().warning("look_up_failed", extra={**job.keys(), "error": describe(error)})
        return Finding(failed=True)


def _in_doubt(job: Job, state: MessageState | None) -> tuple[dict[int, Told], dict[int, PartState]]:
    """Its segments that were submitted and not answered: those of which a receipt has come since, and the others."""
    key, proven, doubtful = job.record.key, dict[int, Told](), dict[int, PartState]()
    if state is None or state.key != key or not job.config.proof_wait:
        return proven, doubtful
    for index, part in sorted(state.parts.items()):
        if part.doubtful and index not in job.known.told:
            external_id = "" if part.silent else _proof(job, index, part)
            if external_id:
                proven[index] = Told(accepted=True, external_id=external_id, at=part.until)
            else:
                doubtful[index] = part
    return proven, doubtful


def _proof(job: Job, index: int, part: PartState) -> str:
    record = job.record
    try:
        return proofs.take(record.aggregator, record.message.to, part.until, record.key, index)
    except Exception as error:  # it goes as the account says, as if there were none
        telemetry.logger().warning("no_proof_sought", extra={**job.keys(), "error": describe(error)})
        return ""


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


def write_down(
    key: MessageKey, total: int, told: Mapping[int, Told], doubts: Mapping[int, PartState], now: int
) -> None:
    """Have the ledger know of accepted segments before their message is given back: λ record, which would write the
    same, may be behind, and another process may be given the record meanwhile. And of those that may be accepted."""
    for index, doubt in doubts.items():
        ledger.note_doubt(key, index, total, doubt)
    for index, one in told.items():
        if one.accepted and not one.recorded:
            rank = Status.WIRED.rank
            accepted = PartState("accepted", external_id=one.external_id, rank=rank, until=now, silent=one.silent)
            ledger.conclude_unclaimed(key, index, total, accepted, now)
