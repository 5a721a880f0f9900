"""What must be asked before some records are submitted: copies that may be second ones, and channels not known yet.

A normal record of a known channel costs nothing here. Blocking: for a thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from chalicelib import ledger, proofs, registry, telemetry
from chalicelib.channels.config import ConfigError
from chalicelib.ledger_items import MessageState, PartState
from chalicelib.messages import Status
from chalicelib.records import LaneRecord
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


def look_up(jobs: Sequence[tuple[Job, bool]], config: type[LinkConfig]) -> list[Finding]:
    """Look up each job; with it comes whether its channel is new to this process."""
    findings = [_one(job, config, new_channel=new) for job, new in jobs]
    return _proven([(job, finding) for (job, _), finding in zip(jobs, findings, strict=True)])


def _one(job: Job, config: type[LinkConfig], *, new_channel: bool) -> Finding:
    key = job.record.key
    try:
        sender = _sender(key.channel, job.record.aggregator, config) if new_channel else None
        state = ledger.get(key.channel, key.id) if job.suspect else None
        return Finding(state=state, sender=sender, doubtful=_in_doubt(job, state))
    except registry.UnknownChannel:
        return Finding(unknown=True)
    except Exception as error:
        telemetry.logger().warning("look_up_failed", extra={**job.keys(), "error": describe(error)})
        return Finding(failed=True)


def _in_doubt(job: Job, state: MessageState | None) -> dict[int, PartState]:
    """Its segments that were submitted and not answered."""
    if state is not None and state.key != job.record.key:
        return {}
    found = dict(job.known.doubts)
    if state is not None:
        found |= {index: part for index, part in state.parts.items() if part.doubtful}
        found = {index: part for index, part in found.items() if state.parts.get(index, part).doubtful}
    return {index: part for index, part in sorted(found.items()) if index not in job.known.told}


def _proven(findings: list[tuple[Job, Finding]]) -> list[Finding]:
    """The findings with what receipts prove; those are read once."""
    sought = [(job, finding) for job, finding in findings if finding.doubtful and _config(job, finding).proof_wait]
    since: dict[str, int] = {}
    for job, finding in sought:
        name, first = job.record.aggregator, min(part.until for part in finding.doubtful.values())
        since[name] = min(since.get(name, first), first)
    told: dict[int, Finding] = {}
    try:
        receipts = {name: proofs.Receipts(name, first) for name, first in since.items()}
        for job, finding in sought:
            told[id(job)] = _seek(job, finding, receipts[job.record.aggregator])
    except Exception as error:  # what is left goes as the account says, as if there were none
        telemetry.logger().warning("no_proof_sought", extra={"error": describe(error)})
    return [told.get(id(job), finding) for job, finding in findings]


def _seek(job: Job, finding: Finding, receipts: proofs.Receipts) -> Finding:
    key, to, proven = job.record.key, job.record.message.to, dict[int, Told]()
    for index, part in finding.doubtful.items():
        external_id = "" if part.silent else proofs.take(receipts, to, key, index, part)
        if external_id:
            proven[index] = Told(accepted=True, external_id=external_id, at=part.until)
    left = {index: part for index, part in finding.doubtful.items() if index not in proven}
    return replace(finding, proven=proven, doubtful=left)


def _config(job: Job, finding: Finding) -> LinkConfig:
    return finding.sender.config if finding.sender and finding.sender.config else job.config


def resent(record: LaneRecord, indexes: Sequence[int], at: int) -> None:
    """These segments are in doubt no more: they are submitted again, or given up. Best effort."""
    names = [proofs.name_of(record.key, index) for index in indexes]
    try:
        proofs.resent(record.aggregator, record.message.to, names, at)
    except Exception as error:
        telemetry.logger().warning("doubt_kept", extra={"aggregator": record.aggregator, "error": describe(error)})


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
    record: LaneRecord, total: int, told: Mapping[int, Told], doubts: Mapping[int, PartState], now: int
) -> None:
    """Have the ledger know of accepted segments before their message is given back: λ record, which would write the
    same, may be behind, and another process may be given the record meanwhile. And of those that may be accepted."""
    key = record.key
    for index, one in told.items():
        if one.accepted and not one.recorded:
            rank = Status.WIRED.rank
            accepted = PartState("accepted", external_id=one.external_id, rank=rank, until=now, silent=one.silent)
            ledger.conclude_unclaimed(key, index, total, accepted, now)
    if doubts:
        proofs.note(record.aggregator, record.message.to, [proofs.name_of(key, index) for index in doubts])
    for index, doubt in doubts.items():
        ledger.note_doubt(key, index, doubt)
