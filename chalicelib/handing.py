"""What is handed on to a platform's queue, or put into another one, by whoever records."""

from __future__ import annotations

from chalicelib import letters, queues, registry
from chalicelib.clock import now_ms
from chalicelib.messages import Status
from chalicelib.queues import RefusedBySqs
from chalicelib.records import DeliveryKind, DeliveryRecord, status_fields
from chalicelib.registry import Channel


def delivery(channel: Channel, kind: DeliveryKind, fields: dict[str, str], subject: str) -> DeliveryRecord:
    """What λ deliver is to tell the platform of `channel`; `subject` names it in the trace."""
    return DeliveryRecord(
        kind=kind,
        platform=channel.platform,
        channel=channel.uuid,
        fields=fields,
        subject=subject,
        first_seen=now_ms(),
    )


def status(channel: Channel, reached: Status, message_id: str) -> DeliveryRecord | None:
    """As `delivery`, of a message's status; None where it is none that this platform is told.

    Raises:
        UnknownPlatform, RegistryUnavailable: as `registry.platform`.
    """
    call = status_fields(reached, message_id)
    if call is None and reached is Status.WIRED and registry.platform(channel.platform).report_wired:
        call = status_fields(Status.SENT, message_id)
    return delivery(channel, *call, message_id) if call else None


def put(queue: str, entry: queues.Entry) -> None:
    """Queue an entry; one that SQS calls invalid needs a human, and does not hold up the others.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: SQS did not take it; try again.
    """
    try:
        queues.send(queue, entry)
    except RefusedBySqs as error:
        letters.bury(queue, entry.body, entry.group, str(error))
