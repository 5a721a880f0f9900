"""λ route on real queues and a real ledger: lanes, generations, order, and what needs a human."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import clock, ledger, queues, registry, routing, trace, waypoints
from chalicelib.messages import Status
from chalicelib.queues import RefusedBySqs
from chalicelib.records import LaneRecord, MessageKey
from chalicelib.settings import settings
from tests.lane import logged
from tests.support import CHANNEL, Aws

LANE, TO_MAIN = "lane-fast.fifo", "deliver-main.fifo"
A, B = "+250788000001", "+250788000002"
HOUR = 3_600_000


@pytest.fixture
def gateway(aws: Aws) -> Aws:
    """A channel on an aggregator that has a lane of its own."""
    aws.platform()
    aws.aggregator(lane="own")
    aws.channel(id=346)
    return aws


def body(number: int | str = 1, to: str = A, **fields: Any) -> str:
    return json.dumps({"id": number, "text": f"m{number}", "to": to, "from": "8080", "channel": 346, **fields})


def put(aws: Aws, *bodies: str, queue: str = queues.OUTBOUND) -> None:
    """Into the platform's queue, grouped by recipient as a producer would."""
    for one in bodies:
        group = str(json.loads(one).get("to", "g")) if one.startswith("{") else "g"
        aws.put_raw(queue, one, group=queues.digest(group))


def run(aws: Aws, queue: str = queues.OUTBOUND) -> list[str]:
    return aws.run(queue, routing.route)


def lane(aws: Aws, queue: str = LANE) -> list[LaneRecord]:
    """Take out what a lane holds."""
    return [LaneRecord.model_validate(found) for found in aws.bodies(queue)]


def told(aws: Aws) -> list[tuple[str, str]]:
    return [(found["kind"], found["fields"]["id"]) for found in aws.bodies(TO_MAIN)]


def state(number: int = 1) -> ledger.MessageState:
    found = ledger.get(CHANNEL, str(number))
    assert found is not None
    return found


def reasons(aws: Aws, queue: str = "outbound-dlq.fifo") -> list[str]:
    return [record["messageAttributes"]["reason"]["StringValue"] for record in aws.receive(queue)["Records"]]


def again(event: dict[str, Any]) -> None:
    """The visibility of a batch ends now."""
    queues.hold(queues.received_from(event), 0)


# --- into the lanes -------------------------------------------------------------------------------------------------


def test_a_message_goes_into_its_lane_with_all_that_a_sender_needs(gateway: Aws) -> None:
    before = clock.now_ms()
    put(gateway, body(text="Ubuntu 😀", attachments=["image/png:https://x.org/a"], quick_replies=["Yes"]))
    assert run(gateway) == []
    (record,) = lane(gateway)
    message = record.message
    assert (record.key, record.aggregator, record.lane) == (MessageKey(channel=CHANNEL, id="1"), "fast", "lane-fast")
    assert (message.text, message.to, message.from_) == ("Ubuntu 😀", A, "8080")
    assert (message.attachments, message.quick_replies) == (("image/png:https://x.org/a",), ("Yes",))
    assert (record.attempt, record.bulk, record.suspect) == (1, False, False)
    assert before <= record.first_seen == record.expires_at - routing.MAX_AGE * 1000
    assert (state().forwarded, state().destination, state().lane) == (True, A, "lane-fast")
    (hop,) = trace.read("1")
    assert (hop["hop"], hop["queue"], hop["text"]) == ("queued", LANE, "Ubuntu 😀")


@pytest.mark.parametrize(
    ("own", "bulk", "queue"),
    [
        pytest.param("own", False, "lane-fast.fifo", id="own"),
        pytest.param("own", True, "lane-fast-bulk.fifo", id="own, bulk"),
        pytest.param("shared", False, "lane-shared.fifo", id="shared"),
        pytest.param("shared", True, "lane-shared-bulk.fifo", id="shared, bulk"),
    ],
)
def test_lanes(gateway: Aws, own: str, bulk: bool, queue: str) -> None:
    gateway.aggregator(lane=own)
    registry.reset()
    came_by = queues.OUTBOUND_BULK if bulk else queues.OUTBOUND
    put(gateway, body(), queue=came_by)
    assert run(gateway, came_by) == []
    (record,) = lane(gateway, queue)
    assert (record.lane + ".fifo", record.bulk) == (queue, bulk)


def test_an_smsc_has_a_lane_of_its_own_whatever_its_file_says(gateway: Aws) -> None:
    gateway.aggregator(type="SMPP", lane="shared")
    registry.reset()
    put(gateway, body())
    assert run(gateway) == []
    assert len(lane(gateway)) == 1


@pytest.mark.parametrize("ref", [346, "346", CHANNEL, CHANNEL.upper()])
def test_channels_by_number_and_by_uuid(gateway: Aws, ref: int | str) -> None:
    put(gateway, body(channel=ref))
    assert run(gateway) == []
    assert [record.key.channel for record in lane(gateway)] == [CHANNEL]


DAY = 86_400


@pytest.mark.parametrize(
    ("account", "channel", "message", "bulk", "seconds"),
    [
        pytest.param({}, {}, {}, False, DAY, id="a reply"),
        pytest.param({}, {}, {}, True, DAY // 2, id="bulk"),
        pytest.param({"max_age": 600}, {}, {}, False, 600, id="the aggregator's"),
        pytest.param({"max_age": 600}, {"max_age": 300}, {}, True, 300, id="the channel's"),
        pytest.param({}, {"max_age": "unusable"}, {}, False, DAY, id="one that cannot be used"),
        pytest.param({}, {}, {"expires_at": 60}, False, 60, id="the message's own"),
        pytest.param({}, {"max_age": 30}, {"expires_at": 60}, False, 30, id="the shorter of both"),
    ],
)
def test_expiry(
    gateway: Aws, account: dict[str, Any], channel: dict[str, Any], message: dict[str, Any], bulk: bool, seconds: int
) -> None:
    gateway.aggregator(lane="own", config=account)
    gateway.channel(id=346, config=channel)
    registry.reset()
    now = clock.now_ms()
    fields = {name: clock.iso(now + 1000 * value) for name, value in message.items()}
    came_by, queue = (queues.OUTBOUND_BULK, "lane-fast-bulk.fifo") if bulk else (queues.OUTBOUND, LANE)
    put(gateway, body(**fields), queue=came_by)
    run(gateway, came_by)
    (record,) = lane(gateway, queue)
    assert record.expires_at == (record.first_seen + seconds * 1000 if not message or channel else now + 60_000)


# --- batches and groups ---------------------------------------------------------------------------------------------


def test_a_batch_keeps_each_contacts_order(gateway: Aws) -> None:
    put(gateway, *(body(n, A if n % 3 else B) for n in range(10)))
    assert run(gateway) == []
    order = [record.key.id for record in lane(gateway)]
    assert [n for n in order if int(n) % 3] == ["1", "2", "4", "5", "7", "8"]
    assert [n for n in order if not int(n) % 3] == ["0", "3", "6", "9"]


def test_the_lane_groups_by_contact_whatever_the_producer_did(gateway: Aws) -> None:
    for number, to in ((1, A), (2, A.lstrip("+")), (3, B)):
        gateway.put_raw(queues.OUTBOUND, body(number, to), group="all-in-one")
    assert run(gateway) == []
    groups = [record["attributes"]["MessageGroupId"] for record in gateway.receive(LANE)["Records"]]
    assert groups[0] == groups[1] != groups[2]


def test_what_sqs_takes_in_part_keeps_the_order_of_its_group(gateway: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first message of A is not taken: nothing of A may follow, all of B does."""
    real = queues.send_many

    def send_many(queue: str, entries: list[queues.Entry]) -> list[Exception | None]:
        found: list[Exception | None] = []
        for entry in entries:
            lost = '"id":1,' in entry.body
            found += [ConnectionError("SQS did not take it")] if lost else real(queue, [entry])
        return found

    monkeypatch.setattr(queues, "send_many", send_many)
    put(gateway, body(1), body(2), body(3, B), body(4), body(5, B))
    event = gateway.receive(queues.OUTBOUND)
    failed = {item["itemIdentifier"] for item in routing.route(event, None)["batchItemFailures"]}
    left = [json.loads(record["body"])["id"] for record in event["Records"] if record["messageId"] in failed]
    assert left == [1, 2, 4]
    assert [record.key.id for record in lane(gateway)] == ["3", "5"]
    monkeypatch.setattr(queues, "send_many", real)
    again({"Records": [record for record in event["Records"] if record["messageId"] in failed]})
    assert run(gateway) == []
    assert [record.key.id for record in lane(gateway)] == ["1", "2", "4"]


def test_what_the_lane_would_not_take_for_its_length_is_for_a_human(
    gateway: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "MAX_BATCH_OCTETS", 2_000)
    put(gateway, body(1, text="x" * 2_000), body(2))
    assert run(gateway) == []
    assert [record.key.id for record in lane(gateway)] == ["2"]
    (reason,) = reasons(gateway)
    assert reason.startswith("the record has ")
    assert reason.endswith("octets, SQS takes 2000: shorten it")


def test_what_sqs_calls_invalid_is_for_a_human_and_holds_up_nobody(
    gateway: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = queues.send_many
    refusal = RefusedBySqs("SQS did not take the record for lane-fast.fifo: InvalidMessageContents")
    monkeypatch.setattr(
        queues,
        "send_many",
        lambda queue, entries: [refusal if '"id":1,' in one.body else real(queue, [one])[0] for one in entries],
    )
    put(gateway, body(1), body(2))
    assert run(gateway) == []
    assert [record.key.id for record in lane(gateway)] == ["2"]
    assert reasons(gateway) == [str(refusal)]


def test_a_lane_that_is_away_loses_nothing(gateway: Aws) -> None:
    url = settings().queue_url(LANE)
    clients.sqs().delete_queue(QueueUrl=url)
    put(gateway, body(1), body(2))
    event = gateway.receive(queues.OUTBOUND)
    assert len(routing.route(event, None)["batchItemFailures"]) == 2
    assert gateway.depth(queues.OUTBOUND) == 0
    assert not state().forwarded
    clients.sqs().create_queue(QueueName=url.rsplit("/", 1)[1], Attributes={"FifoQueue": "true"})
    again(event)
    assert run(gateway) == []
    assert [record.key.id for record in lane(gateway)] == ["1", "2"]


def test_a_ledger_that_is_away_loses_nothing(gateway: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.channel_for(346)
    registry.aggregator("fast")
    put(gateway, body(text="private"))
    event = gateway.receive(queues.OUTBOUND)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    clients.reset()
    with logged() as lines:
        assert len(routing.route(event, None)["batchItemFailures"]) == 1
    assert "private" not in lines.getvalue()
    monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB")
    clients.reset()
    again(event)
    assert run(gateway) == []
    assert len(lane(gateway)) == 1


# --- the same id again ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "calls"),
    [
        pytest.param(None, [], id="queued: nothing to tell"),
        pytest.param(Status.WIRED, [], id="wired"),
        pytest.param(Status.SENT, [("sent", "1")], id="sent"),
        pytest.param(Status.DELIVERED, [("delivered", "1")], id="delivered"),
    ],
)
def test_the_same_id_is_not_sent_again_but_told_again(
    gateway: Aws, status: Status | None, calls: list[tuple[str, str]]
) -> None:
    put(gateway, body())
    run(gateway)
    if status:
        ledger.settle(state().key, status)
    for _ in range(2):  # each time it is asked, within SQS's five minutes too
        put(gateway, body())
        run(gateway)
        assert told(gateway) == calls
    assert len(lane(gateway)) == 1
    assert [hop["status"] for hop in trace.read("1") if hop["hop"] == "told_again"] == [status or "queued"] * 2


def test_wired_is_told_again_as_sent_where_the_platform_wants_it(gateway: Aws) -> None:
    gateway.platform(report_wired=True)
    put(gateway, body())
    run(gateway)
    ledger.settle(state().key, Status.WIRED)
    put(gateway, body())
    run(gateway)
    assert told(gateway) == [("sent", "1")]


@pytest.mark.parametrize(
    ("status", "fields", "generations"),
    [
        pytest.param(Status.FAILED, {}, [1, 2], id="after failed"),
        pytest.param(Status.DELIVERED, {"resend": True}, [1, 2], id="resend of a delivered one"),
        pytest.param(None, {"resend": True}, [1, 2], id="resend of one under way"),
        pytest.param(Status.DELIVERED, {"resend": False}, [1], id="no resend"),
    ],
)
def test_a_new_generation_is_sent(
    gateway: Aws, status: Status | None, fields: dict[str, Any], generations: list[int]
) -> None:
    put(gateway, body())
    run(gateway)
    if status:
        ledger.settle(state().key, status)
    put(gateway, body(**fields))
    assert run(gateway) == []
    records = lane(gateway)
    assert [record.key.generation for record in records] == generations
    assert not any(record.suspect for record in records)


@pytest.mark.parametrize("first", [{}, {"resend": True}])
def test_a_record_given_again_is_one_message(gateway: Aws, first: dict[str, Any]) -> None:
    """Lambda was stopped after the work was done: SQS gives the same record once more."""
    put(gateway, body(**first))
    event = gateway.receive(queues.OUTBOUND)
    for _ in range(3):
        assert routing.route(event, None) == {"batchItemFailures": []}
    assert [record.key.generation for record in lane(gateway)] == [1]


class PowerCut(BaseException):
    """Nothing in the code catches it."""


@pytest.mark.parametrize("point", ["route.opened", "route.queued", "route.forwarded"])
def test_a_power_cut_loses_nothing_and_what_may_be_a_copy_is_suspect(gateway: Aws, point: str) -> None:
    def hook(name: str) -> None:
        if name == point:
            raise PowerCut

    put(gateway, body())
    event = gateway.receive(queues.OUTBOUND)
    waypoints.install(hook)
    try:
        with pytest.raises(PowerCut):
            routing.route(event, None)
    finally:
        waypoints.install(None)
    again(event)
    assert run(gateway) == []
    records = lane(gateway)  # SQS's dedup of five minutes swallows a second one
    assert len(records) == 1
    assert records[0].suspect is (point == "route.opened")
    assert state().forwarded


def test_a_message_that_was_opened_and_perhaps_queued_is_suspect_when_it_is_asked_for_anew(gateway: Aws) -> None:
    """A first run was cut off before it noted that the lane has the message; now the platform sends it once more."""
    ledger.open_message(CHANNEL, "1", aggregator="fast", lane="lane-fast", destination=A, now=clock.now_ms())
    put(gateway, body())
    assert run(gateway) == []
    (record,) = lane(gateway)
    assert record.suspect


def test_what_sqs_has_given_before_is_suspect(gateway: Aws) -> None:
    """Another run may have the same record in its hands."""
    put(gateway, body())
    again(gateway.receive(queues.OUTBOUND))
    assert run(gateway) == []
    (record,) = lane(gateway)
    assert record.suspect


# --- for a human ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("nonsense", "invalid record: body: is not JSON", id="no JSON"),
        pytest.param("[" * 100_000, "invalid record: body: is not JSON", id="too deep"),
        pytest.param("[]", "invalid record: body: ", id="no object"),
        pytest.param('{"id": 1, "channel": 346}', "invalid record: to: Field required", id="no recipient"),
        pytest.param(
            '{"id": 1, "to": "", "channel": true, "text": "private"}',
            "invalid record: to: String should have at least 1 character; "
            "channel: must be the channel's integer id or its UUID", id="every field",
        ),
        pytest.param(
            '{"id": "private\\nprivate", "to": "1", "channel": 346}',
            "invalid record: id: must be a printable string of 1 to 128 characters, or an integer", id="id",
        ),
    ],
)  # fmt: skip
def test_what_is_no_message_is_for_a_human_and_holds_up_nobody(gateway: Aws, text: str, reason: str) -> None:
    gateway.put_raw(queues.OUTBOUND, text, group="g")
    gateway.put_raw(queues.OUTBOUND, body(2), group="g")
    with logged() as lines:
        assert run(gateway) == []
    (dead,) = gateway.receive("outbound-dlq.fifo")["Records"]
    found = dead["messageAttributes"]["reason"]["StringValue"]
    assert (dead["body"], found[: len(reason)]) == (text, reason)
    assert "private" not in found + lines.getvalue()
    assert [record.key.id for record in lane(gateway)] == ["2"]


@pytest.mark.parametrize("missing", ["channel", "aggregator"])
def test_what_is_not_registered_is_waited_for_with_its_contact_alone(
    gateway: Aws, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = CHANNEL.replace("6f1d", "7f1d")
    if missing == "aggregator":
        gateway.channel(other, id=347, aggregator="late", address="9090")
    put(gateway, body(1, channel=347), body(2, channel=347), body(3, B))
    event = gateway.receive(queues.OUTBOUND)
    failed = [item["itemIdentifier"] for item in routing.route(event, None)["batchItemFailures"]]
    assert failed == [record["messageId"] for record in event["Records"][:2]]
    assert [record.key.id for record in lane(gateway)] == ["3"]
    assert reasons(gateway) == []
    gateway.aggregator("late")
    gateway.channel(other, id=347, aggregator="late", address="9090")
    registry.reset()
    again({"Records": event["Records"][:2]})
    assert run(gateway) == []
    assert [record.key.id for record in lane(gateway, "lane-shared.fifo")] == ["1", "2"]


@pytest.mark.parametrize(
    ("missing", "reason"),
    [("channel", "unknown channel 347, for an hour: "), ("aggregator", "unknown aggregator late, for an hour: ")],
)
def test_what_is_not_registered_after_an_hour_is_for_a_human(
    gateway: Aws, missing: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "aggregator":
        gateway.channel(CHANNEL.replace("6f1d", "7f1d"), id=347, aggregator="late", address="9090")
    ahead = clock.now_ms() + HOUR + 1_000
    monkeypatch.setattr(routing, "now_ms", lambda: ahead)
    put(gateway, body(1, channel=347), body(2))
    assert run(gateway) == []
    (found,) = reasons(gateway)
    assert found == reason + "add it with `jangada aggregator apply`, then redrive"
    assert [hop["hop"] for hop in trace.read("1")] == ["buried"]
    assert [record.key.id for record in lane(gateway)] == ["2"]


def test_a_disabled_channel_is_for_a_human_at_once(gateway: Aws) -> None:
    gateway.channel(id=346, enabled=False)
    registry.reset()
    put(gateway, body())
    assert run(gateway) == []
    assert reasons(gateway) == [f"channel {CHANNEL} is disabled: enable it, then redrive"]
    assert ledger.get(CHANNEL, "1") is None


def test_bulk_has_a_dead_letter_queue_of_its_own(gateway: Aws) -> None:
    gateway.put_raw(queues.OUTBOUND_BULK, "nonsense", group="g")
    assert run(gateway, queues.OUTBOUND_BULK) == []
    assert len(reasons(gateway, "outbound-bulk-dlq.fifo")) == 1


def test_what_cannot_be_buried_is_given_again(gateway: Aws) -> None:
    clients.sqs().delete_queue(QueueUrl=settings().queue_url("outbound-dlq.fifo"))
    gateway.put_raw(queues.OUTBOUND, "nonsense", group="g")
    put(gateway, body(2, B))
    assert len(run(gateway)) == 1
    assert [record.key.id for record in lane(gateway)] == ["2"]
