"""λ later: records that waited come back to their own queue, once for every stay, in the order of their times."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import clock, later, queues
from chalicelib.records import LaterRecord
from chalicelib.settings import settings
from tests.support import Aws, Context

LANE, EVENTS = "lane-fast.fifo", queues.EVENTS


def waited(body: str = "{}", *, queue: str = LANE, group: str = "g", ago: int = 1, round: int = 0) -> LaterRecord:  # noqa: A002
    """A record whose time came `ago` ms ago."""
    return LaterRecord(queue=queue, group=group, body=body, not_before=clock.now_ms() - ago, round=round)


def put(*records: LaterRecord | str) -> None:
    for record in records:
        body = record if isinstance(record, str) else record.to_body()
        queues.send(queues.LATER, queues.Entry(body=body))


def delayed(aws: Aws) -> int:
    attributes = clients.sqs().get_queue_attributes(
        QueueUrl=settings().queue_url(queues.LATER), AttributeNames=["ApproximateNumberOfMessagesDelayed"]
    )["Attributes"]
    return int(attributes["ApproximateNumberOfMessagesDelayed"])


def test_what_has_waited_comes_back_to_its_queue_and_group(aws: Aws) -> None:
    put(waited('{"n":1}', group="a"), waited('{"n":2}', queue=EVENTS, group="b"))
    assert aws.run(queues.LATER, later.later) == []
    for queue, group, number in ((LANE, "a", 1), (EVENTS, "b", 2)):
        (record,) = aws.receive(queue)["Records"]
        assert (json.loads(record["body"]), record["attributes"]["MessageGroupId"]) == ({"n": number}, group)
    assert aws.depth(queues.LATER) == 0


def test_a_contacts_messages_come_back_in_the_order_of_their_times(aws: Aws) -> None:
    put(*(waited(f'{{"n":{ago}}}', ago=ago) for ago in (20, 50, 10, 40, 30)))
    assert aws.run(queues.LATER, later.later) == []
    assert [body["n"] for body in aws.bodies(LANE)] == [50, 40, 30, 20, 10]


def test_what_must_wait_on_goes_another_round(aws: Aws) -> None:
    """SQS's longest delay is 15 minutes."""
    put(waited(ago=-3_600_000, round=2))
    assert aws.run(queues.LATER, later.later) == []
    assert aws.depth(LANE) == 0
    assert (aws.depth(queues.LATER), delayed(aws)) == (0, 1)


def test_the_round_is_counted_and_the_time_kept(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[queues.Entry] = []
    record = waited(ago=-3_600_000, round=2)

    def send_many(queue: str, entries: list[queues.Entry]) -> list[None]:
        sent.extend(entries)
        return [None for _ in entries]

    monkeypatch.setattr(queues, "send_many", send_many)
    put(record)
    assert aws.run(queues.LATER, later.later) == []
    (entry,) = sent
    assert LaterRecord.from_body(entry.body) == record.model_copy(update={"round": 3})
    assert entry.delay == 900


def test_one_stay_comes_back_once_and_the_next_stay_again(aws: Aws) -> None:
    first = waited(ago=2_000)
    put(first, first.model_copy(update={"round": 1}), first)  # SQS may deliver a standard message more than once
    aws.run(queues.LATER, later.later)
    assert len(aws.bodies(LANE)) == 1
    put(first.model_copy(update={"not_before": first.not_before + 1_000}))  # the same record, waiting once more
    aws.run(queues.LATER, later.later)
    assert len(aws.bodies(LANE)) == 1


@pytest.mark.parametrize("body", ["nonsense", "{}", '{"queue": "x", "group": "g", "body": 7, "not_before": "private"}'])
def test_what_cannot_be_read_is_for_a_human(aws: Aws, body: str) -> None:
    put(body, waited())
    assert aws.run(queues.LATER, later.later) == []
    (dead,) = aws.receive("later-dlq")["Records"]
    reason = dead["messageAttributes"]["reason"]["StringValue"]
    assert (dead["body"], reason.startswith("not a record of later: ")) == (body, True)
    assert "private" not in reason
    assert len(aws.bodies(LANE)) == 1


def test_a_queue_that_is_away_gives_only_its_own_records_again(aws: Aws) -> None:
    put(waited(queue="lane-gone.fifo"), waited('{"n":1}'))
    event = aws.receive(queues.LATER)
    answer: dict[str, Any] = later.later(event, Context())
    bodies = {record["messageId"]: LaterRecord.from_body(record["body"]) for record in event["Records"]}
    again = [bodies[item["itemIdentifier"]].queue for item in answer["batchItemFailures"]]
    assert again == ["lane-gone.fifo"]
    assert aws.bodies(LANE) == [{"n": 1}]


def test_what_sqs_calls_invalid_is_for_a_human_in_its_own_queues_dlq(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator is kinder than AWS to bad group ids: its refusal is played here."""
    monkeypatch.setattr(
        queues, "send_many", lambda queue, entries: [queues.RefusedBySqs("SQS refuses it: InvalidParameterValue")]
    )
    put(waited('{"n":1}'))
    assert aws.run(queues.LATER, later.later) == []
    (dead,) = aws.receive("lane-fast-dlq.fifo")["Records"]
    assert json.loads(dead["body"]) == {"n": 1}
    assert dead["messageAttributes"]["reason"]["StringValue"] == "SQS refuses it: InvalidParameterValue"


def test_a_record_that_cannot_be_buried_is_given_again(aws: Aws) -> None:
    put("nonsense", waited())
    clients.sqs().delete_queue(QueueUrl=settings().queue_url("later-dlq"))
    assert len(aws.run(queues.LATER, later.later)) == 1
    assert len(aws.bodies(LANE)) == 1
