"""What the alarms on receipts look at is counted: every receipt, and those that fit no message."""

from __future__ import annotations

import json
from collections import Counter

import pytest

import app
from chalicelib import queues
from chalicelib.messages import Status, StatusUpdate
from chalicelib.records import Outcome, ReceiptEvent
from tests.support import CHANNEL, Aws


def counted(printed: str) -> Counter[tuple[str, str]]:
    """Metrics by name and dimension, of EMF lines (CloudWatch user guide, "Embedded metric format")."""
    found: Counter[tuple[str, str]] = Counter()
    for line in printed.splitlines():
        if line.startswith("{") and "_aws" in line:
            said = json.loads(line)
            for metric in said["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                found[metric["Name"], said["name"]] += int(sum(said[metric["Name"]]))
    return found


def test_receipts_are_counted(aws: Aws, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JANGADA_METRICS", "Jangada")
    aws.platform()
    aws.aggregator("fast", lane="own")
    aws.channel(id=346)
    message = {"id": 1, "text": "Murakoze", "to": "+250788123123", "channel": 346}
    aws.put_raw(queues.OUTBOUND, json.dumps(message))
    aws.drain(queues.OUTBOUND, app.route)
    (record,) = aws.bodies("lane-fast.fifo")
    key = record["key"]
    accepted = Outcome.model_validate(
        {
            "key": key,
            "aggregator": "fast",
            "accepted": True,
            "external_id": "X1",
            "destination": "+250788123123",
            "at": 1,
        }
    )
    receipts = [
        ReceiptEvent(event_id=f"e-{name}", aggregator="fast", update=StatusUpdate(
            channel=CHANNEL, status=Status.DELIVERED, external_id=name))
        for name in ("X1", "X2")
    ]  # fmt: skip
    events: list[Outcome | ReceiptEvent] = [accepted, *receipts]
    for event in events:
        queues.send(queues.EVENTS, queues.event_entry(event))
        aws.drain(queues.EVENTS, app.record)
    found = counted(capsys.readouterr().out)
    assert found["sent", "fast"] == 1
    assert found["receipts", "fast"] == 2
    assert found["receipts_parked", "fast"] == 1
