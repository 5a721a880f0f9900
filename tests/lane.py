"""λ send under test: put records into a lane, run the handler on them as Lambda would, look at what it did."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import channels, clock, later, ledger, queues, sending, telemetry
from chalicelib.channels.base import ChannelConfig, HttpChannel, Part, Secret
from chalicelib.outcomes import Accepted, ChannelDown, OptedOut, Permanent, Temporary, Throttled
from chalicelib.queues import Received
from chalicelib.records import LaneRecord, LaterRecord
from chalicelib.settings import settings
from chalicelib.transport import Http
from tests.support import CHANNEL, Aws, Context
from tests.web import Site

LANE = "lane-fast.fifo"
DAY = 86_400_000


class Scripted(HttpChannel):
    """An aggregator that answers with the outcome it wants us to come to."""

    code, name, max_length = "XX", "Scripted", 10

    class Config(ChannelConfig):
        url: str
        key: Secret | None = None

    config: Config

    def send(self, part: Part, http: Http) -> Accepted:
        answer = http.post(
            self.config.url,
            form={"id": part.idempotency, "text": part.text, "key": self.config.key or ""},
            judge=lambda _: None,
        )
        kind = answer.pick("outcome")
        if kind == "accepted":
            return Accepted(answer.pick_id("id"))
        if kind == "throttled":
            raise Throttled("too fast", retry_after=answer.pick("retry_after"))
        if kind == "down":
            raise ChannelDown("no balance", "402", credentials=bool(answer.pick("credentials")))
        raise {"permanent": Permanent, "opted_out": OptedOut, "temporary": Temporary}[str(kind)]("as told", "7")


@dataclass
class Lane:
    """A lane of the emulated deployment with λ send behind it."""

    aws: Aws
    clock: list[int]  # ms by which the handler's clock is ahead
    holds: list[tuple[int, float]] = field(default_factory=list)  # (records, seconds) of each change of visibility
    held: list[Received] = field(default_factory=list)
    put_by: list[LaterRecord] = field(default_factory=list)
    away: list[LaterRecord] = field(default_factory=list)

    def put(self, number: int | str, to: str = "+250788000001", text: str = "m", **fields: Any) -> LaneRecord:
        """Route a message into the lane, as λ route does."""
        now = clock.now_ms()
        channel = fields.pop("channel", CHANNEL)
        aggregator = fields.pop("aggregator", "fast")
        key = ledger.open_message(
            channel, str(number), aggregator=aggregator, lane="lane-fast", destination=to, now=now
        ).key
        record = LaneRecord(
            key=key,
            message={"id": number, "text": text, "to": to, "from": "8080", "channel": channel},
            aggregator=aggregator,
            lane="lane-fast",
            **{"first_seen": now, "expires_at": now + DAY, **fields},
        )
        queues.send(LANE, queues.lane_entry(record))
        return record

    def run(self, seconds: float = 120.0) -> list[str]:
        """One invocation on what is visible; what is done is deleted. Answers the bodies' ids that are given again."""
        event = self.aws.receive(LANE)
        self.held = queues.received_from(event)
        failed = [item["itemIdentifier"] for item in sending.send(event, Context(seconds))["batchItemFailures"]]
        done = [record for record in self.held if record.message_id not in failed]
        for record in done:
            clients.sqs().delete_message(QueueUrl=settings().queue_url(LANE), ReceiptHandle=record.receipt_handle)
        self.held = [record for record in self.held if record.message_id in failed]
        return [LaneRecord.from_body(record.body).key.id for record in self.held]

    def give_again(self) -> None:
        """The visibility of what was held ends now."""
        if self.held:
            queues.hold(list(self.held), 0)
        self.holds.clear()

    def outcomes(self) -> list[tuple[str, int, bool, str]]:
        """(id, part, accepted, reason or external id) of what is in events.fifo; takes it out."""
        found = []
        for body in self.aws.bodies(queues.EVENTS):
            event = body["event"]
            if event["kind"] == "outcome":
                assert event["recorded"] is True
                told = event.get("external_id") if event["accepted"] else event.get("reason")
                found.append((event["key"]["id"], event.get("part", 0), event["accepted"], told or ""))
        return sorted(found)

    def aside(self) -> list[tuple[str, LaneRecord, int]]:
        """What has gone to `later` since it was last asked: id, record and not_before, by id."""
        taken, self.put_by[:] = list(self.put_by), []
        self.away += taken
        assert {record.queue for record in taken} <= {LANE}
        found = [(LaneRecord.from_body(record.body), record.not_before) for record in taken]
        return sorted(((record.key.id, record, at) for record, at in found), key=lambda item: item[0])

    def bring_back(self) -> None:
        """What `aside` told comes back into the lane: λ later is handed it when its time has come."""
        self.clock[0] = max(record.not_before for record in self.away) - clock.now_ms() + 1_000
        answer = later.later(event_of(queues.LATER, [record.to_body() for record in self.away]), Context())
        assert answer == {"batchItemFailures": []}
        self.away.clear()


def event_of(queue: str, bodies: list[str]) -> dict[str, Any]:
    """What Lambda hands over from a standard queue."""
    arn = f"arn:aws:sqs:eu-west-1:000000000000:{settings().prefix}{queue}"
    return {
        "Records": [
            {"messageId": str(n), "receiptHandle": f"h{n}", "body": body, "attributes": {}, "eventSourceARN": arn}
            for n, body in enumerate(bodies)
        ]
    }


@contextmanager
def logged() -> Iterator[StringIO]:
    """The lines that are logged meanwhile, as CloudWatch gets them."""
    logger, lines = telemetry.logger(), StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(logger.registered_formatter)
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger(logger.name).removeHandler(handler)


def asked(site: Site) -> list[str]:
    """The ids that the aggregator was asked to send, in order."""
    return [request.form["id"] for request in site.asked]


@pytest.fixture
def lane(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Lane:
    """A lane with nobody behind it yet."""
    monkeypatch.setattr(channels, "load", lambda code: Scripted if code == "XX" else _load(code))
    ahead = [0]
    for module in ("sending", "offering", "jobs", "later"):
        monkeypatch.setattr(f"chalicelib.{module}.now_ms", lambda: clock.now_ms() + ahead[0])
    made = Lane(aws, ahead)
    real = queues.hold

    def hold(records: Any, seconds: float) -> None:
        made.holds.append((len(records), round(seconds)))
        real(records, seconds)

    monkeypatch.setattr(queues, "hold", hold)
    put = later.put

    def put_by(record: LaterRecord, now: int) -> None:
        put(record, now)
        made.put_by.append(record)

    monkeypatch.setattr(later, "put", put_by)
    return made


_load = channels.load
