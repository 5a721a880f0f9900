"""Dead letters: a record that needs a human goes to the DLQ of its queue, with its reason; log and metric say so."""

from __future__ import annotations

from chalicelib import queues, telemetry


def bury(queue: str, body: str, group: str, reason: str, **keys: str) -> None:
    """Put the record into the DLQ of `queue`. `keys` are for the log: message_id, channel, aggregator, as known.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: SQS did not take it; the record must stay where it is.
    """
    queues.bury(queue, body, group, reason)
    telemetry.logger().error("buried", extra={"queue": queue, "reason": reason, **keys})
    telemetry.count("buried", queue)
