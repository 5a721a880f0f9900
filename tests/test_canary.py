"""Canaries on real queues, a real ledger and a real platform: what is sent, how it is judged, and that no platform
hears of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import app
from chalicelib import canaries, canary, clock, delivery, freezes, ledger, queues, recording, registry, registry_store
from chalicelib.canaries import Last
from chalicelib.ledger_items import PartState
from chalicelib.messages import Incoming, OptOut, Status, StatusUpdate
from chalicelib.records import (
    DeliveryRecord,
    Event,
    LaneRecord,
    MessageKey,
    MoEvent,
    OptOutEvent,
    Outcome,
    Piece,
    ReceiptEvent,
)
from tests.lane import logged
from tests.support import CHANNEL, Aws, Context
from tests.test_receipt_metrics import counted
from tests.web import serve

LANE, TO_MAIN = "lane-fast.fifo", "deliver-main.fifo"
TEST_NUMBER, OTHER = "+256770000000", "+256770000001"
CANARY = {"channel": CHANNEL, "to": TEST_NUMBER, "every": "10m", "mo": False, "text": ""}
TEN = 600_000
SCHEDULED = {"version": "0", "account": "0", "region": "eu-west-1", "detail": {}, "detail-type": "Scheduled Event",
             "source": "aws.events", "time": "2026-01-01T00:00:00Z", "id": "e", "resources": []}  # fmt: skip


class Watch:
    """λ canary by a clock that a test moves: ten minutes from one `next` to the other."""

    def __init__(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.now = clock.now_ms() // TEN * TEN + 1000
        for module in (canary, recording):
            monkeypatch.setattr(module, "now_ms", lambda: self.now)

    def run(self) -> Last:
        """One invocation, as EventBridge makes it."""
        app.canary(SCHEDULED, Context())
        return self.last()

    def next(self) -> Last:
        """The run at which the next one is due."""
        self.now += TEN
        return self.run()

    def last(self) -> Last:
        found = canaries.last("fast")
        assert found is not None
        return found

    def lane(self) -> list[LaneRecord]:
        """What λ route makes of what was sent."""
        self.aws.run(queues.OUTBOUND, lambda event, context: dict(app.route(event, context)))
        return [LaneRecord.model_validate(one) for one in self.aws.bodies(LANE)]

    def tell(self, *events: Event) -> None:
        """What the relay and the SMSC say, recorded."""
        for event in events:
            queues.send(queues.EVENTS, queues.event_entry(event))
            assert self.aws.run(queues.EVENTS, recording.record) == []

    def told(self) -> list[str]:
        """What waits for platforms."""
        return [body["kind"] for body in self.aws.bodies(TO_MAIN)]


@pytest.fixture
def gateway(aws: Aws) -> Aws:
    aws.platform(report_wired=True)
    aws.aggregator(type="SMPP", canary=CANARY)
    aws.channel(type="SMPP", id=346)
    return aws


@pytest.fixture
def watch(gateway: Aws, monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(gateway, monkeypatch)


def answered(record: LaneRecord, external_id: str = "X", **fields: Any) -> Outcome:
    fields = {"accepted": not fields.get("reason"), "destination": record.message.to, **fields}
    return Outcome(key=record.key, aggregator="fast", external_id=external_id, at=clock.now_ms(), **fields)


def receipt(status: Status = Status.DELIVERED, external_id: str = "X") -> ReceiptEvent:
    update = StatusUpdate(channel=CHANNEL, status=status, external_id=external_id)
    return ReceiptEvent(event_id=queues.new_id(), update=update, aggregator="fast", at=clock.now_ms())


def mo(sender: str = TEST_NUMBER, **fields: Any) -> MoEvent:
    message = Incoming(channel=CHANNEL, sender=sender, text="pong")
    return MoEvent(event_id=queues.new_id(), message=message, aggregator="fast", at=clock.now_ms(), **fields)


# --- sending and judging --------------------------------------------------------------------------------------------


def test_one_goes_the_whole_way_and_its_receipt_is_timed(watch: Watch, capsys: pytest.CaptureFixture[str],
                                                         monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setenv("JANGADA_METRICS", "Jangada")
    sent = watch.run()
    assert sent.id.startswith(canaries.PREFIX + "fast-")
    (record,) = watch.lane()
    assert (record.key.id, record.message.to, record.aggregator) == (sent.id, TEST_NUMBER, "fast")
    assert record.expires_at == watch.now + TEN, "what waits until the next is due is not sent any more"
    watch.tell(answered(record))
    watch.now += 1234
    watch.tell(receipt(Status.SENT), receipt())
    watch.now += 5000
    last = watch.run()
    assert (last.id, last.verdict, last.failing) == (sent.id, "delivered", 0)
    assert watch.lane() == [], "the next is not due"
    found = counted(capsys.readouterr().out)
    assert found["canary_sent", "fast"] == 1
    assert found["canary_delivered", "fast"] == 1234
    assert found["canary_failed", "fast"] == 0
    assert not {("sent", "fast"), ("latency", "fast")} & found.keys(), "it is no traffic"
    assert watch.told() == []
    assert watch.next().id != sent.id
    assert len(watch.lane()) == 1


def test_runs_between_send_nothing_twice(watch: Watch) -> None:
    first = watch.run()
    assert watch.run() == first, "Lambda may run a schedule twice"
    assert len(watch.lane()) == 1
    watch.now += 300_000
    assert watch.run() == first
    assert watch.lane() == []


def test_what_a_run_did_not_come_to_send_is_sent_by_the_next(watch: Watch) -> None:
    of = canaries.of(registry.aggregator("fast"))
    assert of is not None
    assert canaries.begin(of, watch.now, None) is not None
    watch.run()
    (record,) = watch.lane()
    assert record.key.id == watch.last().id


def taken(watch: Watch, record: LaneRecord) -> None:
    watch.tell(answered(record))


def refused(watch: Watch, record: LaneRecord) -> None:
    watch.tell(answered(record, "", reason="ESME_RINVDSTADR", code="11"))


def undelivered(watch: Watch, record: LaneRecord) -> None:
    watch.tell(answered(record), receipt(Status.FAILED))


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        pytest.param(refused, "ESME_RINVDSTADR 11", id="refused"),
        pytest.param(undelivered, "the SMSC says that it has failed", id="undelivered"),
        pytest.param(taken, "the SMSC has taken it, but no receipt has come", id="no receipt"),
        pytest.param(lambda watch, record: None, "the SMSC has not taken it; it waits in lane-fast", id="in its lane"),
    ],
)
def test_one_that_does_not_arrive_has_failed_when_the_next_is_due(
    watch: Watch, happens: Callable[[Watch, LaneRecord], None], why: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("JANGADA_METRICS", "Jangada")
    watch.run()
    for in_a_row in (1, 2):
        (record,) = watch.lane()
        happens(watch, record)
        with logged() as lines:
            last = watch.next()
        told = [one for one in map(json.loads, lines.getvalue().splitlines()) if one["message"] == "canary_failed"]
        assert [(one["reason"], one["in_a_row"]) for one in told] == [(why, in_a_row)]
        assert (last.verdict, last.failing) == ("", in_a_row), "the next is on its way"
    assert counted(capsys.readouterr().out)["canary_failed", "fast"] == 0 + 1 + 2
    assert watch.told() == []
    (record,) = watch.lane()
    watch.tell(answered(record, "Y"), receipt(external_id="Y"))
    assert watch.run().failing == 0


def test_one_that_lambda_route_does_not_take_has_failed(watch: Watch) -> None:
    watch.run()
    with logged() as lines:
        assert watch.next().failing == 1
    assert "λ route has not taken it" in json.loads(lines.getvalue().splitlines()[0])["reason"]


def test_an_answer_is_waited_for_where_the_file_says_so(watch: Watch) -> None:
    registry_store.put_aggregator(registry.aggregator("fast").model_copy(update={"canary": {**CANARY, "mo": True}}))
    watch.run()
    (record,) = watch.lane()
    watch.tell(answered(record), receipt())
    assert watch.run().verdict == "", "its answer may still come"
    with logged() as lines:
        assert watch.next().failing == 1
    assert "no answer" in lines.getvalue()
    (record,) = watch.lane()
    watch.tell(answered(record, "Y"), mo(), receipt(external_id="Y"))
    assert watch.run().verdict == "delivered"
    assert watch.told() == []


def disabled(aws: Aws) -> None:
    registry_store.set_enabled(CHANNEL, False)


def moved(aws: Aws) -> None:
    aws.aggregator("slow", type="SMPP")
    aws.channel(type="SMPP", aggregator="slow")


def frozen(aws: Aws) -> None:
    freezes.freeze("aggregator", "fast", "work", clock.now_ms())


@pytest.mark.parametrize("stop", [pytest.param(one, id=one.__name__) for one in (disabled, moved, frozen)])
def test_what_people_have_stopped_neither_sends_nor_fails(watch: Watch, stop: Callable[[Aws], None]) -> None:
    sent = watch.run()
    watch.lane()
    stop(watch.aws)
    last = watch.next()
    assert (last.id, last.verdict, last.failing) == (sent.id, "skipped", 0)
    assert watch.lane() == []


def test_trouble_with_one_does_not_stop_the_others(watch: Watch) -> None:
    watch.aws.aggregator("broken", type="SMPP", canary={**CANARY, "every": "?"})
    with pytest.raises(canary.CanariesFailed, match="broken"):
        app.canary(SCHEDULED, Context())
    assert watch.last().id


def test_without_one_nothing_is_sent(aws: Aws) -> None:
    aws.aggregator(type="SMPP")
    app.canary(SCHEDULED, Context())
    assert canaries.last("fast") is None
    assert aws.depth(queues.OUTBOUND) == 0


# --- no platform hears of it ----------------------------------------------------------------------------------------

OWN = canaries.PREFIX + "fast-20260101T0000"


def open_(message_id: str) -> MessageKey:
    return ledger.open_message(
        CHANNEL, message_id, aggregator="fast", lane="lane-fast", destination=TEST_NUMBER, now=clock.now_ms()
    ).key


def outcome_of(key: MessageKey, **fields: Any) -> Outcome:
    fields = {"accepted": True, "external_id": "X", "destination": TEST_NUMBER, "at": clock.now_ms(), **fields}
    return Outcome(key=key, aggregator="fast", **fields)


def named(status: Status, key: MessageKey) -> ReceiptEvent:
    update = StatusUpdate(channel=CHANNEL, status=status, id=key.id)
    return ReceiptEvent(event_id=queues.new_id(), update=update, aggregator="fast", at=clock.now_ms())


def in_two_parts(key: MessageKey) -> list[Event]:
    submits = [outcome_of(key, part=part, total=2, external_id=f"X{part}") for part in (0, 1)]
    return [*submits, *(receipt(external_id=f"X{part}") for part in (0, 1))]


STATUSES = [
    pytest.param(lambda key: [outcome_of(key)], "sent", id="accepted, on a platform that wants to know"),
    pytest.param(lambda key: [outcome_of(key, accepted=False, reason="expired")], "failed", id="failed"),
    pytest.param(lambda key: [outcome_of(key), receipt(Status.SENT)], "sent", id="sent"),
    pytest.param(lambda key: [outcome_of(key), receipt()], "delivered", id="delivered"),
    pytest.param(lambda key: [receipt(), outcome_of(key)], "delivered", id="receipt first"),
    pytest.param(lambda key: [outcome_of(key), receipt(Status.FAILED)], "failed", id="undelivered"),
    pytest.param(lambda key: [outcome_of(key), named(Status.DELIVERED, key)], "delivered", id="named by our id"),
    pytest.param(in_two_parts, "delivered", id="two parts"),
]


@pytest.mark.parametrize(("events", "kind"), STATUSES)
def test_its_statuses_are_told_to_nobody(watch: Watch, events: Callable[[MessageKey], list[Event]], kind: str) -> None:
    watch.tell(*events(open_("7")))
    assert kind in watch.told(), "any other message's are"
    watch.aws.aggregator("slow", type="SMPP", canary=CANARY)  # its external ids are others'
    own = [one.model_copy(update={"aggregator": "slow"}) for one in events(open_(OWN))]
    watch.tell(*own)
    assert watch.told() == []
    state = ledger.get(CHANNEL, OWN)
    assert state is not None
    assert state.status is state.overall()


def test_its_status_is_not_told_again(watch: Watch) -> None:
    for message_id in ("7", OWN):
        watch.tell(outcome_of(open_(message_id), external_id=message_id))
        ledger.mark_forwarded(MessageKey(channel=CHANNEL, id=message_id))
    watch.told()
    body = {"text": "t", "to": TEST_NUMBER, "channel": 346}
    for message_id, expected in (("7", ["sent"]), (OWN, [])):
        watch.aws.put_raw(queues.OUTBOUND, json.dumps({**body, "id": message_id}))
        assert watch.lane() == []
        assert watch.told() == expected


ARRIVALS = [
    pytest.param(lambda sender: [mo(sender)], "receive", id="a message"),
    pytest.param(lambda sender: [mo(sender, piece=Piece(reference=5, total=2, sequence=n)) for n in (2, 1)], "receive",
                 id="in two parts"),
    pytest.param(lambda sender: [OptOutEvent(event_id=queues.new_id(), optout=OptOut(channel=CHANNEL, sender=sender))],
                 "stopped", id="an opt-out"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "kind"), ARRIVALS)
@pytest.mark.parametrize("form", ["+256770000000", "256770000000", "00256770000000"])
def test_what_its_number_sends_is_told_to_nobody(
    watch: Watch, events: Callable[[str], list[Event]], kind: str, form: str
) -> None:
    watch.tell(*events(OTHER))
    assert watch.told() == [kind], "what other phones send is"
    watch.tell(*events(form))
    assert watch.told() == []


def test_so_is_what_it_still_sends_after_the_channel_has_moved(watch: Watch) -> None:
    moved(watch.aws)
    watch.tell(mo(), mo(OTHER))
    assert watch.told() == ["receive"]


def test_on_other_channels_its_number_is_one_like_any_other(watch: Watch) -> None:
    other = "7f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"
    watch.aws.channel(other, type="SMPP", address="8181")
    event = mo()
    watch.tell(event.model_copy(update={"message": event.message.model_copy(update={"channel": other})}))
    assert watch.told() == ["receive"]


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        pytest.param({}, True, id="the canary's own"),
        pytest.param({"to": OTHER}, False, id="to another number"),
        pytest.param({"channel": 347}, False, id="on another channel"),
    ],
)
def test_a_platform_cannot_hide_a_message_behind_such_an_id(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], fits: bool
) -> None:
    watch.aws.channel("7f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4", type="SMPP", address="8181", id=347)
    monkeypatch.setattr(registry, "FRESH", 0.0)
    body = {"id": OWN, "text": "t", "to": TEST_NUMBER, "channel": 346, **fields}
    watch.aws.put_raw(queues.OUTBOUND, json.dumps(body))
    assert len(watch.lane()) == fits
    dead = queues.receive(queues.dlq_of(queues.OUTBOUND), 1)
    reasons = [canaries.PREFIX in one.reason and "send it with another id" in one.reason for one in dead]
    assert reasons == ([] if fits else [True])


def test_one_whose_file_was_applied_a_moment_ago_waits_for_the_registry(gateway: Aws) -> None:
    gateway.put_raw(queues.OUTBOUND, json.dumps({"id": OWN, "text": "t", "to": OTHER, "channel": 346}))
    assert len(gateway.run(queues.OUTBOUND, lambda event, context: dict(app.route(event, context)))) == 1
    assert gateway.depth(queues.dlq_of(queues.OUTBOUND)) == 0


@pytest.fixture
def platform_url() -> Iterator[tuple[str, list[Any]]]:
    with serve() as site:
        yield site.url, site.asked


def test_the_last_door_is_shut_too(gateway: Aws, platform_url: tuple[str, list[Any]]) -> None:
    """Whatever may have queued it: λ deliver makes no request for a canary."""
    url, asked = platform_url
    gateway.platform("other", url)
    for message_id in (OWN, "7"):
        record = DeliveryRecord(
            kind="delivered", platform="other", channel=CHANNEL, fields={"id": message_id}, subject="s"
        )
        key = MessageKey(channel=CHANNEL, id=message_id)
        queues.send("deliver-other.fifo", queues.status_entry(record, key, Status.DELIVERED))
    gateway.drain("deliver-other.fifo", delivery.deliver)
    assert [one.form["id"] for one in asked] == ["7"]


def test_parts_that_were_claimed_are_waited_for(watch: Watch) -> None:
    """A claim is no failure: the relay may be at it."""
    sent = watch.run()
    watch.lane()
    key = MessageKey(channel=CHANNEL, id=sent.id)
    ledger.conclude_unclaimed(key, 0, 1, PartState("again"), watch.now)
    assert watch.run().verdict == ""
