"""λ record on real queues and a real ledger: outcomes, receipts and opt-outs, in any order and more than once."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import clock, ledger, queues, recording, registry, rendezvous, trace
from chalicelib.messages import Incoming, OptOut, Status, StatusUpdate
from chalicelib.queues import RefusedBySqs
from chalicelib.records import Event, MessageKey, MoEvent, OptOutEvent, Outcome, ReceiptEvent
from chalicelib.settings import settings
from tests.support import CHANNEL, Aws

TO_MAIN = "deliver-main.fifo"
PHONE, OTHER = "+250788123123", "+250788999999"


@pytest.fixture
def gateway(aws: Aws) -> Aws:
    """A channel on an aggregator, both registered."""
    aws.platform()
    aws.aggregator(type="SMPP")
    aws.channel(type="SMPP")
    return aws


def opened(number: int | str = 7, to: str = PHONE) -> MessageKey:
    return ledger.open_message(
        CHANNEL, str(number), aggregator="fast", lane="lane-fast", destination=to, now=clock.now_ms()
    ).key


def outcome(key: MessageKey, external_id: str = "x", *, part: int = 0, total: int = 1, **fields: Any) -> Outcome:
    """An acceptance, as the relay tells it; `reason` makes it a failure."""
    fields = {"accepted": not fields.get("reason"), "destination": PHONE, "at": clock.now_ms(), **fields}
    return Outcome(key=key, aggregator="fast", external_id=external_id, part=part, total=total, **fields)


def receipt(external_id: str = "x", status: Status = Status.DELIVERED, **fields: Any) -> ReceiptEvent:
    """A DLR that names the message by the aggregator's id, or by ours (`id`)."""
    update = StatusUpdate(channel=CHANNEL, status=status, external_id="" if "id" in fields else external_id, **fields)
    return ReceiptEvent(event_id=queues.new_id(), update=update, aggregator="fast", at=clock.now_ms())


def tell(aws: Aws, *events: Event) -> None:
    """Put events into the queue and record them, one invocation after the other."""
    for event in events:
        queues.send(queues.EVENTS, queues.event_entry(event))
        assert aws.run(queues.EVENTS, recording.record) == []


def told(aws: Aws, queue: str = TO_MAIN) -> list[tuple[str, str]]:
    """What the platform's queue has got since it was last asked: kind, and id or sender."""
    return [(body["kind"], body["fields"].get("id") or body["fields"]["from"]) for body in aws.bodies(queue)]


def state(number: int | str = 7) -> ledger.MessageState:
    found = ledger.get(CHANNEL, str(number))
    assert found is not None
    return found


def hops(subject: str, name: str) -> list[dict[str, Any]]:
    return [hop for hop in trace.read(subject) if hop["hop"] == name]


# --- outcomes and receipts, whoever comes first ---------------------------------------------------------------------


def test_in_whatever_order_outcomes_and_receipts_come_the_platform_is_told_once(gateway: Aws) -> None:
    """Two parts, each accepted and delivered: every order in which SQS may hand over their four events."""
    expected = []
    for number, order in enumerate(itertools.permutations(range(4))):
        key = opened(number)
        names = [f"{number}-{part}" for part in (0, 1)]
        events: list[Event] = [outcome(key, name, part=part, total=2) for part, name in enumerate(names)]
        events += [receipt(name) for name in names]
        tell(gateway, *(events[index] for index in order[:-1]))
        assert state(number).overall() is not Status.DELIVERED
        tell(gateway, events[order[-1]])
        assert state(number).status is Status.DELIVERED
        expected.append(("delivered", str(number)))
    assert sorted(told(gateway)) == sorted(expected)
    assert rendezvous.unmatched("fast") == []


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        pytest.param([Status.SENT, Status.DELIVERED], ["sent", "delivered"], id="in order"),
        pytest.param([Status.DELIVERED, Status.SENT], ["delivered"], id="sent after delivered"),
        pytest.param([Status.FAILED, Status.DELIVERED], ["failed"], id="delivered after failed"),
        pytest.param([Status.DELIVERED, Status.FAILED], ["delivered"], id="failed after delivered"),
        pytest.param([Status.SENT, Status.SENT, Status.WIRED], ["sent"], id="again and lower"),
        pytest.param([Status.QUEUED, Status.WIRED], [], id="nothing new"),
    ],
)
@pytest.mark.parametrize("first", [True, False], ids=["outcome first", "receipts first"])
@pytest.mark.parametrize("named", ["theirs", "ours"])
def test_a_status_never_falls(
    gateway: Aws, statuses: list[Status], expected: list[str], first: bool, named: str
) -> None:
    key = opened()
    receipts: list[Event] = [receipt("x", status, **({"id": "7"} if named == "ours" else {})) for status in statuses]
    tell(gateway, *([outcome(key), *receipts] if first else [*receipts, outcome(key)]))
    kinds = [kind for kind, _ in told(gateway)]
    if first or named == "ours":
        assert kinds == expected
    else:  # parked together, and met together: told is where they lead to
        assert kinds == expected[-1:]
    assert state().status.value == (expected[-1] if expected else "wired")


@pytest.mark.parametrize("first", [True, False], ids=["outcome first", "receipt first"])
def test_what_the_smsc_says_in_tlvs_of_its_own_is_in_the_trace(gateway: Aws, first: bool) -> None:
    events = [outcome(opened()), receipt().model_copy(update={"tlvs": "1403=3634313130"})]
    tell(gateway, *(events if first else reversed(events)))
    assert [hop["tlvs"] for hop in hops("7", "receipt")] == ["1403=3634313130"]


def test_a_lower_status_is_kept_in_the_trace(gateway: Aws) -> None:
    tell(gateway, outcome(opened()), receipt(), receipt(status=Status.SENT))
    assert [hop["reason"] for hop in hops("7", "ignored_status")] == ["not higher than delivered"]


def test_a_part_that_fails_fails_the_message(gateway: Aws) -> None:
    key = opened()
    tell(gateway, outcome(key, "a", total=2), receipt("a"))
    assert told(gateway) == []
    tell(gateway, outcome(key, "", part=1, total=2, reason="no route", code="8"), receipt("a", Status.SENT))
    assert told(gateway) == [("failed", "7")]
    (hop,) = [hop for hop in hops("7", "failed") if "part" not in hop]
    assert (hop["reason"], hop["code"]) == ("no route", "8")


def test_what_a_sender_has_recorded_is_not_recorded_again(gateway: Aws) -> None:
    key, now = opened(), clock.now_ms()
    ledger.claim(key, 0, 1, owner="a", until=now + 9_000, now=now)
    ledger.fail(key, 0, 1, "a", "no route", "8", now)
    tell(gateway, outcome(key, "", reason="another", recorded=True))
    assert state().parts[0].reason == "no route"
    assert told(gateway) == [("failed", "7")]


@pytest.mark.parametrize("recorded", [True, False])
def test_an_outcome_of_an_older_generation_tells_nothing(gateway: Aws, recorded: bool) -> None:
    old = opened()
    ledger.settle(old, Status.FAILED)
    assert opened().generation == 2
    tell(gateway, outcome(old, "", reason="late", recorded=recorded))
    assert told(gateway) == []
    assert (state().status, state().parts) == (Status.QUEUED, {})


def test_an_event_given_again_tells_nothing_again(gateway: Aws) -> None:
    key = opened()
    events: list[Event] = [outcome(key), receipt()]
    tell(gateway, *events)
    assert told(gateway) == [("delivered", "7")]
    for event in events:
        gateway.put_raw(queues.EVENTS, queues.event_entry(event).body)
    assert gateway.run(queues.EVENTS, recording.record) == []
    assert told(gateway) == []


def test_a_platform_may_ask_for_wired_as_sent(gateway: Aws) -> None:
    gateway.platform(report_wired=True)
    tell(gateway, outcome(opened()))
    assert told(gateway) == [("sent", "7")]


def test_wired_is_nothing_to_tell(gateway: Aws) -> None:
    tell(gateway, outcome(opened()))
    assert told(gateway) == []
    assert state().status is Status.WIRED


def test_receipts_of_different_aggregators_are_different(gateway: Aws) -> None:
    tell(gateway, outcome(opened()), receipt().model_copy(update={"aggregator": "slow"}))
    assert told(gateway) == []
    assert [parked.external_id for parked in rendezvous.unmatched("slow")] == ["x"]


def test_a_receipt_nobody_waits_for_is_parked_once_and_can_be_listed(gateway: Aws) -> None:
    event = receipt("lost", destination=PHONE)
    tell(gateway, event)
    gateway.put_raw(queues.EVENTS, queues.event_entry(event).body)
    assert gateway.run(queues.EVENTS, recording.record) == []
    (parked,) = rendezvous.unmatched("fast")
    assert (parked.external_id, parked.receipt) == ("lost", event)


def test_a_receipt_for_an_id_that_is_none_of_ours_is_ignored(gateway: Aws) -> None:
    tell(gateway, receipt(id="404"))
    assert told(gateway) == []
    assert [hop["reason"] for hop in hops("404", "ignored_status")] == ["unknown id"]


def test_a_receipt_for_one_part_by_our_id(gateway: Aws) -> None:
    key = opened()
    tell(gateway, *(outcome(key, f"x{part}", part=part, total=2) for part in (0, 1)))
    tell(gateway, receipt(id="7", part=0))
    assert told(gateway) == []
    tell(gateway, receipt(id="7", part=1))
    assert told(gateway) == [("delivered", "7")]


# --- opt-outs -------------------------------------------------------------------------------------------------------


def test_an_opt_out_is_a_stop(gateway: Aws) -> None:
    event = OptOutEvent(event_id="e-1", optout=OptOut(channel=CHANNEL, sender=PHONE), at=clock.now_ms())
    tell(gateway, event)
    gateway.put_raw(queues.EVENTS, queues.event_entry(event).body)
    assert gateway.run(queues.EVENTS, recording.record) == []
    assert told(gateway) == [("stopped", PHONE)]


# --- trouble --------------------------------------------------------------------------------------------------------


def optout(channel: str = CHANNEL, sender: str = PHONE) -> OptOutEvent:
    return OptOutEvent(event_id=queues.new_id(), optout=OptOut(channel=channel, sender=sender))


def queued(*events: Event) -> None:
    for event in events:
        queues.send(queues.EVENTS, queues.event_entry(event))


def visible_again(event: dict[str, Any]) -> None:
    queues.hold(queues.received_from(event), 0)


def test_an_unknown_channel_is_waited_for_with_its_group_alone(gateway: Aws) -> None:
    unknown = CHANNEL.replace("6f1d", "7f1d")
    queued(optout(unknown, PHONE), optout(unknown, PHONE), optout(CHANNEL, OTHER))
    event = gateway.receive(queues.EVENTS)
    failed = recording.record(event, None)["batchItemFailures"]
    assert [item["itemIdentifier"] for item in failed] == [record["messageId"] for record in event["Records"][:2]]
    assert told(gateway) == [("stopped", OTHER)]
    assert gateway.depth(queues.EVENTS) == 0  # held, not handed out again at once
    gateway.channel(unknown, type="SMPP", address="9090")
    registry.reset()
    visible_again({"Records": event["Records"][:2]})
    assert gateway.run(queues.EVENTS, recording.record) == []
    assert told(gateway) == [("stopped", PHONE)] * 2
    assert gateway.receive("events-dlq.fifo")["Records"] == []


@pytest.mark.parametrize("missing", ["channel", "aggregator", "platform"])
def test_what_stays_unknown_for_an_hour_is_for_a_human(
    gateway: Aws, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "channel":
        event: Event = optout("00000000-0000-4000-8000-000000000000")
    elif missing == "platform":
        gateway.channel(type="SMPP", platform="gone")
        event = outcome(opened())
    else:
        gateway.channel(type="SMPP", aggregator="gone")
        event = mo_of_a_name()
    queued(event)
    batch = gateway.receive(queues.EVENTS)
    assert len(recording.record(batch, None)["batchItemFailures"]) == 1
    ahead = clock.now_ms() + recording.UNKNOWN_FOR + 1_000
    monkeypatch.setattr(recording, "now_ms", lambda: ahead)
    visible_again(batch)
    assert gateway.run(queues.EVENTS, recording.record) == []
    (dead,) = gateway.receive("events-dlq.fifo")["Records"]
    assert dead["body"] == queues.event_entry(event).body
    assert dead["messageAttributes"]["reason"]["StringValue"].startswith(f"unknown {missing} for an hour: no ")


def mo_of_a_name() -> Event:
    return MoEvent(event_id="e", message=Incoming(channel=CHANNEL, sender="MTN"), aggregator="fast", at=clock.now_ms())


@pytest.mark.parametrize("body", ["nonsense", "{}", '{"event": {"kind": "outcome", "key": "private"}}'])
def test_what_is_no_event_is_for_a_human_and_holds_up_nobody(gateway: Aws, body: str) -> None:
    gateway.put_raw(queues.EVENTS, body)
    queued(optout())
    assert gateway.run(queues.EVENTS, recording.record) == []
    (dead,) = gateway.receive("events-dlq.fifo")["Records"]
    reason = dead["messageAttributes"]["reason"]["StringValue"]
    assert (dead["body"], reason.partition(":")[0]) == (body, "not an event")
    assert "private" not in reason
    assert told(gateway) == [("stopped", PHONE)]


def test_a_platforms_queue_that_is_away_loses_no_status(gateway: Aws) -> None:
    url = settings().queue_url(TO_MAIN)
    clients.sqs().delete_queue(QueueUrl=url)
    queued(outcome(opened(), "", reason="no route"))
    event = gateway.receive(queues.EVENTS)
    assert len(recording.record(event, None)["batchItemFailures"]) == 1
    assert state().status is Status.QUEUED
    clients.sqs().create_queue(QueueName=url.rsplit("/", 1)[1], Attributes={"FifoQueue": "true"})
    visible_again(event)
    assert gateway.run(queues.EVENTS, recording.record) == []
    assert told(gateway) == [("failed", "7")]


def test_what_sqs_calls_invalid_is_for_a_human_in_its_own_queues_dlq(
    gateway: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator is kinder than AWS: its refusal is played here."""
    real = queues.send

    def send(queue: str, entry: queues.Entry) -> str:
        if queue == TO_MAIN and OTHER in entry.body:
            raise RefusedBySqs("SQS refuses the record: InvalidMessageContents")
        return real(queue, entry)

    queued(optout(sender=OTHER), optout(sender=PHONE))
    monkeypatch.setattr(queues, "send", send)
    assert gateway.run(queues.EVENTS, recording.record) == []
    (dead,) = gateway.receive("deliver-main-dlq.fifo")["Records"]
    assert json.loads(dead["body"])["fields"] == {"from": OTHER}
    assert "InvalidMessageContents" in dead["messageAttributes"]["reason"]["StringValue"]
    assert told(gateway) == [("stopped", PHONE)]


def test_a_group_goes_on_where_it_stopped_in_its_order(gateway: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    key = opened()
    queued(outcome(key), receipt(status=Status.SENT), receipt(status=Status.DELIVERED))
    event = gateway.receive(queues.EVENTS)
    real = ledger.raise_status

    def raise_status(key: MessageKey, part: int | None, status: Status, code: str = "") -> Any:
        if status is Status.SENT:
            raise ConnectionError
        return real(key, part, status, code)

    monkeypatch.setattr(ledger, "raise_status", raise_status)
    failed = [item["itemIdentifier"] for item in recording.record(event, None)["batchItemFailures"]]
    assert failed == [record["messageId"] for record in event["Records"][1:]]
    monkeypatch.setattr(ledger, "raise_status", real)
    assert recording.record({"Records": event["Records"][1:]}, None) == {"batchItemFailures": []}
    assert told(gateway) == [("sent", "7"), ("delivered", "7")]
