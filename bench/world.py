"""What the benches share: an emulated deployment with channels on a stub, and records for its lanes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chalicelib import ledger, queues, registry_store
from chalicelib.clock import now_ms
from chalicelib.records import LaneRecord
from chalicelib.registry import Aggregator, Channel, Platform
from chalicelib.settings import settings
from local.emulator import Emulator, create_resources, environment

DAY = 86_400_000
CHANNELS = {code: str(uuid.uuid5(uuid.NAMESPACE_DNS, code)) for code in ("EX", "AT", "TW")}


@contextmanager
def stub(milliseconds: int) -> Iterator[str]:
    """A stub that answers after so long; its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.stub", str(milliseconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(10)


@contextmanager
def deployment() -> Iterator[None]:
    """An emulated AWS with queues and tables; this process and its children use it."""
    with tempfile.TemporaryDirectory() as work, Emulator(log=Path(work) / "log") as emulator:
        os.environ.update(environment(emulator.endpoint))
        os.environ["JANGADA_METRICS"] = "off"
        create_resources(emulator.endpoint, own_lanes=["ex"], platforms=["main"])
        yield


def register(url: str) -> None:
    """Channels of three types on a stub, and a platform there."""
    registry_store.put_platform(Platform(name="main", base_url=url))
    configs: dict[str, dict[str, Any]] = {
        "EX": {
            "send_url": f"{url}/send",
            "body": "id={{id}}&text={{text}}&to={{to}}&from={{from}}",
            "send_authorization": "Token 0123456789abcdef0123456789abcdef",
        },
        "AT": {"username": "u", "api_key": "k-0123456789", "send_url": f"{url}/send"},
        "TW": {"account_sid": "AC1", "auth_token": "t-0123456789", "send_url": f"{url}/send"},
    }
    for code, config in configs.items():
        name = code.lower()
        registry_store.put_aggregator(Aggregator(name=name, type=code, config=config))
        registry_store.put_channel(
            Channel(uuid=CHANNELS[code], aggregator=name, type=code, address="8080", country="RW", platform="main",
                    workspace="w"))  # fmt: skip


def record(code: str, number: int) -> tuple[str, str]:
    """A record of a lane, with its message in the ledger as λ route leaves it: body and group."""
    name, now, to = code.lower(), now_ms(), f"+250788{number % 1_000_000:06d}"
    key = ledger.open_message(
        CHANNELS[code], str(number), aggregator=name, lane=f"lane-{name}", destination=to, now=now
    ).key
    message = {"id": number, "text": "Love is patient. Love is kind.", "to": to, "from": "8080", "channel": key.channel}
    made = LaneRecord(key=key, message=message, aggregator=name, lane=f"lane-{name}", first_seen=now,
                      expires_at=now + DAY)  # fmt: skip
    return made.to_body(), queues.lane_entry(made).group


def batch(queue: str, records: list[tuple[str, str]]) -> dict[str, Any]:
    """What Lambda hands over."""
    arn = f"arn:aws:sqs:eu-west-1:000000000000:{settings().prefix}{queue}"
    return {
        "Records": [
            {
                "messageId": str(number),
                "receiptHandle": f"h{number}",
                "body": body,
                "attributes": {"MessageGroupId": group, "ApproximateReceiveCount": "1", "SentTimestamp": str(now_ms())},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
                "awsRegion": "eu-west-1",
            }
            for number, (body, group) in enumerate(records)
        ]
    }
