"""A relay with toy SMSCs on one side and the emulated AWS on the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import clock, depths, ledger, queues, registry, trace
from chalicelib.queues import Received
from chalicelib.recording import record as lambda_record
from chalicelib.records import LaneRecord
from chalicelib.settings import settings
from local.emulator import Emulator, create_resources
from smsc_relay.intake import Intake
from smsc_relay.link import Timing
from smsc_relay.relay import Relay
from tests.relay.smsc import Smsc
from tests.relay.toy import TYPE, kinds
from tests.support import CHANNEL, Aws, Handler

LANE, BULK = "lane-fast.fifo", "lane-fast-bulk.fifo"
QUICK = Timing(poll=1, spare=1.0, drain=5.0, record=5.0, refresh=0.2)
DAY = 86_400_000


class World:
    """The deployment around the relay under test: the aggregator `fast` is an SMSC account."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def account(self, smsc: Smsc, name: str = "fast", **config: Any) -> None:
        """Register an SMSC account; registered again, it is changed."""
        given = {"host": "127.0.0.1", "port": smsc.port, "response_timeout": 5, "reconnect_min": 0.1, **config}
        hidden = given.pop("secrets", {})
        self.aws.aggregator(name, TYPE, config=given, secrets=hidden, version=time.time_ns() // 1_000_000)
        registry.reset()

    def channel(self, uuid: str = CHANNEL, **fields: Any) -> None:
        """Register a channel of it."""
        self.aws.channel(uuid, type=TYPE, **fields)
        registry.reset()

    def put(self, number: int | str, to: str = "", text: str = "m", **fields: Any) -> LaneRecord:
        """A message into the lane, as λ route puts it; every message has a phone of its own unless told."""
        record, queue = self.record(number, to, text, **fields)
        queues.send(queue, queues.lane_entry(record))
        return record

    def put_many(self, count: int, *, first: int = 1, phones: int = 0, text: str = "m") -> None:
        """Messages numbered from `first`, to so many phones in turn (0: each to its own)."""
        records = [
            self.record(n, f"+2507881{n % phones if phones else n:05d}", text)[0] for n in range(first, first + count)
        ]
        assert not any(queues.send_many(LANE, [queues.lane_entry(record) for record in records]))

    def record(self, number: int | str, to: str = "", text: str = "m", **fields: Any) -> tuple[LaneRecord, str]:
        """A lane record whose message is open in the ledger, and its queue."""
        now = clock.now_ms()
        to = to or f"+2507881{int(number):05d}"
        aggregator, bulk = fields.pop("aggregator", "fast"), fields.get("bulk", False)
        channel = fields.pop("channel", CHANNEL)
        lane = queues.lane_name(aggregator, own=True, bulk=bulk)
        key = ledger.open_message(channel, str(number), aggregator=aggregator, lane=lane, destination=to, now=now).key
        record = LaneRecord(
            key=key,
            message={"id": number, "text": text, "to": to, "from": "8080", "channel": channel},
            aggregator=aggregator,
            lane=lane,
            **{"first_seen": now, "expires_at": now + DAY, **fields},
        )
        return record, queues.lane_queue(lane)

    def outcomes(self) -> list[tuple[str, int, bool, str]]:
        """(id, part, accepted, external id or reason) of the outcomes in events.fifo, sorted; takes them out."""
        found = []
        for body in self.aws.bodies(queues.EVENTS):
            event = body["event"]
            if event["kind"] == "outcome":
                told = event.get("external_id") if event["accepted"] else event.get("reason")
                found.append((event["key"]["id"], event.get("part", 0), event["accepted"], told or ""))
        return sorted(found)

    def in_lane(self, queue: str = LANE) -> tuple[int, int]:
        """Records of a lane: visible, in flight."""
        depth = depths.of(queue)
        assert depth is not None
        return depth.visible, depth.in_flight

    def hops(self, message_id: str) -> list[str]:
        """The trace of a message."""
        return [hop["hop"] for hop in trace.read(message_id)]

    async def lane_empty(self, *lanes: str, seconds: float = 90.0) -> None:
        """Wait until every record has left its lane."""
        await eventually(lambda: all(self.in_lane(lane) == (0, 0) for lane in lanes or (LANE,)), seconds)

    @asynccontextmanager
    async def recording(self, handler: Handler = lambda_record, side_by_side: int = 1) -> AsyncIterator[None]:
        """λ record works meanwhile."""
        tasks = [asyncio.create_task(self.record_events(handler)) for _ in range(side_by_side)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def record_events(self, handler: Handler = lambda_record) -> None:
        """λ record, as a thread: handles events.fifo until cancelled."""
        while True:
            await asyncio.to_thread(self.aws.run, queues.EVENTS, handler)
            await asyncio.sleep(0.02)

    def without_events(self) -> Callable[[], None]:
        """Take events.fifo away, as an outage does; answers what brings it back."""
        url = settings().queue_url(queues.EVENTS)
        wanted = ["VisibilityTimeout", "FifoQueue", "DeduplicationScope", "FifoThroughputLimit"]
        attributes = clients.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
        clients.sqs().delete_queue(QueueUrl=url)
        return lambda: clients.sqs().create_queue(QueueName=url.rsplit("/", 1)[-1], Attributes=attributes)


async def eventually(what: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for a state of AWS, which nobody announces."""
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.05)


def received(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the messages whose records the relay is given from now on, as often as it is."""
    came: list[str] = []
    take = Intake.take

    def note(intake: Intake, found: Sequence[Received], until: float, bulk: bool) -> None:
        came.extend(LaneRecord.from_body(one.body).key.id for one in found)
        take(intake, found, until, bulk)

    monkeypatch.setattr(Intake, "take", note)
    return came


@asynccontextmanager
async def relaying(timing: Timing = QUICK, **options: Any) -> AsyncIterator[Relay]:
    """A relay, of toy links unless told, which must end well."""
    relay = Relay(timing=timing, **{"kinds": kinds, **options})
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        relay.stop()
        clean = await asyncio.wait_for(task, 40)
    assert clean


@pytest.fixture
def world(aws: Aws, emulator: Emulator) -> World:
    """Two SMSC lanes (`fast`, `slow`), a channel of `fast`, no relay yet."""
    create_resources(emulator.endpoint, own_lanes=["slow"])
    found = World(aws)
    found.aws.platform()
    found.channel()
    return found
