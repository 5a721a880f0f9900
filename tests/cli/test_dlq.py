"""What needs a human: explained, and redriven without losing or doubling anything. Real queues, ledger and handlers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import app
from chalicelib import ledger, queues, registry_store, trace
from chalicelib.clock import now_ms
from chalicelib.messages import Outgoing, Status
from chalicelib.queues import Received
from chalicelib.records import DeliveryRecord, LaneRecord, LaterRecord, MessageKey
from cli import redriving
from cli.dlq import hint
from tests.cli.conftest import Jangada
from tests.support import CHANNEL, Aws
from tests.web import Site, serve

OTHER = "0b3c8e52-1f6a-4a7e-9d5b-6f0e2c4d8a91"
LANE = "lane-fast.fifo"


@pytest.fixture
def aggregator() -> Iterator[Site]:
    with serve() as site:
        yield site


@pytest.fixture
def gateway(aws: Aws, aggregator: Site) -> Aws:
    aws.platform()
    config = {"send_url": aggregator.url + "/send", "body": "id={{id}}&text={{text}}&to={{to}}"}
    aws.aggregator("fast", lane="own", config=config)
    aws.channel(id=346)
    return aws


def outbound(number: int, channel: Any = 346, to: str = "+250788123123") -> str:
    return json.dumps({"id": number, "text": f"m{number}", "to": to, "from": "8080", "channel": channel})


def lane_record(number: int, *, generation: int = 1, age: int = 1000, channel: str = CHANNEL) -> LaneRecord:
    now = now_ms()
    message = Outgoing(id=number, text=f"m{number}", to="+250788123123", channel=channel)
    key = MessageKey(channel=channel, id=str(number), generation=generation)
    return LaneRecord(key=key, message=message, aggregator="fast", lane="lane-fast", first_seen=now - age,
                      expires_at=now - age + 86_400_000, attempt=4, trouble_since=now - age)  # fmt: skip


def opened(number: int) -> MessageKey:
    return ledger.open_message(
        CHANNEL, str(number), aggregator="fast", lane="lane-fast", destination="+250788123123", now=now_ms()
    ).key


def buried(number: int, reason: str = "boom") -> None:
    queues.bury(LANE, lane_record(number).to_body(), queues.lane_entry(lane_record(number)).group, reason)


def texts(site: Site) -> list[str]:
    return [asked.form["text"] for asked in site.asked]


# --- looking --------------------------------------------------------------------------------------------------------


def test_an_empty_house(gateway: Aws, jangada: Jangada) -> None:
    assert jangada("dlq", "list").out == "every DLQ is empty\n"
    assert jangada("dlq", "list", "--json").out == "[]\n"
    assert jangada("dlq", "show", "lane-shared").out == "the DLQ is empty\n"
    assert jangada("dlq", "show", "lane-shred").err == "jangada: no queue lane-shred; did you mean lane-shared.fifo?\n"


def test_records_with_their_reasons_and_what_to_do(gateway: Aws, jangada: Jangada) -> None:
    registry_store.set_enabled(CHANNEL, False)
    aws = gateway
    aws.put_raw(queues.OUTBOUND, outbound(1), group="a")
    aws.put_raw(queues.OUTBOUND, outbound(2), group="b")
    aws.put_raw(queues.OUTBOUND, "{not JSON", group="c")
    aws.drain(queues.OUTBOUND, app.route)
    rows = json.loads(jangada("dlq", "list", "--json").out)
    assert [(r["queue"], r["records"], r["hint"]) for r in rows] == [
        ("outbound", 2, "enable the channel, then redrive"),
        ("outbound", 1, "the sender's JSON is wrong: mend it there"),
    ]
    shown = json.loads(jangada("dlq", "show", "outbound-dlq.fifo", "--json").out)
    assert sorted(one["message"] for one in shown) == ["", "1", "2"]
    assert all("body" not in one for one in shown)
    table = jangada("dlq", "show", "outbound").out
    assert f"channel {CHANNEL} is disabled" in table
    assert "+250788123123" not in table
    assert '"text": "m1"' in jangada("dlq", "show", "outbound", "--body").out


def test_looking_changes_nothing(gateway: Aws, jangada: Jangada) -> None:
    for number in range(12):
        buried(number)
    for _ in range(2):
        assert len(json.loads(jangada("dlq", "show", LANE, "--json").out)) == 10
        assert [r["records"] for r in json.loads(jangada("dlq", "list", "--json").out)] == [10, 2]
    assert [LaneRecord.model_validate(body).key.id for body in gateway.bodies("lane-fast-dlq.fifo")] == [
        str(number) for number in range(12)
    ]


@pytest.mark.parametrize(
    ("reason", "start"),
    [
        pytest.param("channel x is disabled: enable it, then redrive", "enable the channel", id="disabled"),
        pytest.param("unknown channel 7, for an hour: add it", "add the channel", id="unknown channel"),
        pytest.param("unknown aggregator at-ug, for an hour", "apply the aggregator's file", id="unknown aggregator"),
        pytest.param("in doubt, and the channel says ask: x", "ask the aggregator", id="in doubt"),
        pytest.param("the platform has not taken it for 72 hours", "see `jangada why ID`", id="platform"),
        pytest.param("cannot be delivered: unknown platform: x", "apply a file with the platform", id="no platform"),
        pytest.param("SQS refuses the record for events.fifo: X", "too long for SQS", id="SQS"),
        pytest.param("invalid record: to: is missing", "the sender's JSON is wrong", id="invalid"),
        pytest.param("not a record of a lane: key", "not ours", id="foreign"),
        pytest.param("not an event: 3 errors", "not ours", id="no event"),
        pytest.param("", "tried until SQS gave up", id="crash loop"),
    ],
)
def test_every_reason_has_a_hint(reason: str, start: str) -> None:
    assert hint(reason).startswith(start)


# --- redriving ------------------------------------------------------------------------------------------------------


def test_what_an_unknown_channel_stopped_goes_on_in_order(gateway: Aws, jangada: Jangada, aggregator: Site) -> None:
    for number in range(13):
        queues.bury(queues.OUTBOUND, outbound(number), "contact", "unknown channel 346, for an hour: add it")
    ran = jangada("dlq", "redrive", "outbound", "--reason", "unknown channel")
    assert (ran.status, ran.out) == (0, "13 records on the way again, 0 left\n")
    assert jangada("dlq", "list").out == "every DLQ is empty\n"
    gateway.drain(queues.OUTBOUND, app.route)
    gateway.drain(LANE, app.send)
    assert texts(aggregator) == [f"m{number}" for number in range(13)]


def test_a_failed_message_is_sent_as_a_new_generation(gateway: Aws, jangada: Jangada, aggregator: Site) -> None:
    key = opened(1)
    ledger.claim(key, 0, 1, owner="o", until=now_ms() + 1000, now=now_ms())
    ledger.fail(key, 0, 1, "o", "response_status", "400", now_ms())
    buried(1)
    assert jangada("dlq", "redrive", "lane-fast", "--all").status == 0
    gateway.drain(LANE, app.send)
    assert texts(aggregator) == ["m1"]
    state = ledger.get(CHANNEL, "1")
    assert state is not None
    assert (state.key.generation, state.overall()) == (2, Status.WIRED)
    assert "redriven" in [hop["hop"] for hop in trace.read("1")]


def test_a_message_in_doubt_is_sent_again_because_the_operator_says_so(
    gateway: Aws, jangada: Jangada, aggregator: Site
) -> None:
    gateway.aggregator("fast", lane="own", config={"send_url": aggregator.url, "body": "text={{text}}",
                                                   "in_doubt": "ask"})  # fmt: skip
    ledger.claim(opened(1), 0, 1, owner="o", until=now_ms() - 1, now=now_ms() - 2)
    buried(1, "in doubt, and the channel says ask: no answer")
    assert jangada("dlq", "redrive", "lane-fast", "--id", "1").status == 0
    gateway.drain(LANE, app.send)
    assert texts(aggregator) == ["m1"]


def test_a_message_that_was_accepted_is_not_sent_again(gateway: Aws, jangada: Jangada, aggregator: Site) -> None:
    key = opened(1)
    ledger.claim(key, 0, 1, owner="o", until=now_ms() + 1000, now=now_ms())
    ledger.accept(key, 0, 1, "o", "x-1", now_ms())
    buried(1)
    assert jangada("dlq", "redrive", "lane-fast", "--all").status == 0
    gateway.drain(LANE, app.send)
    assert texts(aggregator) == []
    assert len(gateway.bodies(queues.EVENTS)) == 1


def test_parts_that_were_accepted_stay_sent(gateway: Aws, jangada: Jangada) -> None:
    """An open message keeps its generation: only what was not accepted is offered again."""
    key = opened(1)
    ledger.claim(key, 0, 2, owner="o", until=now_ms() + 1000, now=now_ms())
    ledger.accept(key, 0, 2, "o", "x-1", now_ms())
    buried(1)
    jangada("dlq", "redrive", "lane-fast", "--all")
    record = LaneRecord.model_validate(gateway.bodies(LANE)[0])
    assert (record.key.generation, record.attempt, record.trouble_since, record.suspect) == (1, 1, 0, True)


def test_a_message_being_sent_at_this_moment_is_left(gateway: Aws, jangada: Jangada) -> None:
    ledger.claim(opened(1), 0, 1, owner="o", until=now_ms() + 60_000, now=now_ms())
    buried(1)
    ran = jangada("dlq", "redrive", "lane-fast", "--all")
    assert ran.status == 1
    assert "being sent at this moment" in ran.out
    assert gateway.depth("lane-fast-dlq.fifo") == 1


def test_what_the_platform_has_sent_again_is_left(gateway: Aws, jangada: Jangada) -> None:
    key = opened(1)
    ledger.claim(key, 0, 1, owner="o", until=now_ms() + 1000, now=now_ms())
    ledger.fail(key, 0, 1, "o", "x", "", now_ms())
    ledger.settle(key, Status.FAILED)
    opened(1)
    buried(1)
    ran = jangada("dlq", "redrive", "lane-fast", "--all")
    assert ran.status == 1
    assert "a newer attempt to send it is queued" in ran.out


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param("{}", "cannot be read", id="no record"),
        pytest.param(lane_record(1, channel=OTHER).to_body(), f"no channel {OTHER}: add it first", id="no channel"),
    ],
)
def test_what_would_be_back_at_once_is_left(gateway: Aws, jangada: Jangada, body: str, why: str) -> None:
    queues.bury(LANE, body, "g", "boom")
    ran = jangada("dlq", "redrive", "lane-fast", "--all")
    assert ran.status == 1
    assert "0 records on the way again, 1 left" in ran.out
    assert why in ran.out
    assert gateway.depth("lane-fast-dlq.fifo") == 1
    assert gateway.depth(LANE) == 0


def test_an_old_message_is_told_failed_unless_its_time_is_renewed(gateway: Aws) -> None:
    record = lane_record(1, age=90_000_000)
    received = Received("id", "handle", record.to_body(), "g", 1, 0, "lane-fast-dlq.fifo")
    now = now_ms()
    _, entry = redriving.again(LANE, received, now)
    assert LaneRecord.from_body(entry.body).expires_at == record.expires_at
    _, entry = redriving.again(LANE, received, now, renew=True)
    assert LaneRecord.from_body(entry.body).expires_at == now + 86_400_000


def test_a_message_goes_to_the_lane_that_its_aggregator_has_now(gateway: Aws, jangada: Jangada) -> None:
    gateway.aggregator("at-ug", config={"send_url": "http://127.0.0.1:9"})
    gateway.channel(aggregator="at-ug")
    buried(1)
    jangada("dlq", "redrive", "lane-fast", "--all")
    assert [body["aggregator"] for body in gateway.bodies("lane-shared.fifo")] == ["at-ug"]


def test_other_queues(gateway: Aws, jangada: Jangada) -> None:
    now = now_ms()
    told = DeliveryRecord(kind="receive", platform="main", channel=CHANNEL, fields={"from": "1"}, subject="e-1",
                          first_seen=now - 300_000_000)  # fmt: skip
    queues.bury("deliver-main.fifo", told.to_body(), "g", "the platform has not taken it for 72 hours")
    waits = LaterRecord(queue=LANE, group="g", body="{}", not_before=now - 1)
    queues.bury(queues.LATER, waits.to_body(), "", "boom")
    queues.bury(queues.EVENTS, '{"event":{"kind":"join_timeout","join":"j"}}', "g", "boom")
    for name in ("deliver-main", "later", "events"):
        assert jangada("dlq", "redrive", name, "--all").out == "1 record on the way again, 0 left\n"
    assert gateway.bodies("deliver-main.fifo")[0]["first_seen"] >= now
    assert gateway.bodies(queues.LATER)[0]["queue"] == LANE
    assert gateway.bodies(queues.EVENTS) == [{"event": {"kind": "join_timeout", "join": "j"}}]


def test_only_what_is_chosen_is_redriven(gateway: Aws, jangada: Jangada) -> None:
    for number in (1, 2):
        queues.bury(queues.OUTBOUND, outbound(number), f"g{number}", "unknown channel 346, for an hour")
    queues.bury(queues.OUTBOUND, outbound(3), "g3", "boom")
    jangada("dlq", "redrive", "outbound", "--id", "2")
    assert [body["id"] for body in gateway.bodies(queues.OUTBOUND)] == [2]
    jangada("dlq", "redrive", "outbound", "--reason", "boom")
    assert [body["id"] for body in gateway.bodies(queues.OUTBOUND)] == [3]
    assert [body["id"] for body in gateway.bodies("outbound-dlq.fifo")] == [1]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        pytest.param([], "say which", id="none"),
        pytest.param(["--all", "--id", "1"], "say which", id="two"),
        pytest.param(["--id", "9"], "nothing in the DLQ of outbound.fifo is meant by that", id="nothing"),
    ],
)
def test_the_choice_must_be_clear(gateway: Aws, jangada: Jangada, choice: list[str], message: str) -> None:
    queues.bury(queues.OUTBOUND, outbound(1), "g", "boom")
    ran = jangada("dlq", "redrive", "outbound", *choice)
    assert ran.status == 1
    assert message in ran.err
    assert gateway.depth("outbound-dlq.fifo") == 1


class StoppedError(Exception):
    """The process dies here."""


@pytest.mark.parametrize("at", ["before it is sent", "after it is sent"])
def test_a_run_that_is_stopped_loses_nothing_and_the_next_doubles_nothing(
    gateway: Aws, aggregator: Site, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    key = opened(1)
    ledger.claim(key, 0, 1, owner="o", until=now_ms() + 1000, now=now_ms())
    ledger.fail(key, 0, 1, "o", "x", "", now_ms())
    buried(1)

    def stop(*_: Any) -> None:
        raise StoppedError

    with monkeypatch.context() as patched:
        patched.setattr(queues, "send" if at.startswith("before") else "delete", stop)
        with pytest.raises(StoppedError):
            redriving.redrive(LANE, lambda _: True, now_ms())
    assert gateway.depth("lane-fast-dlq.fifo") == 1
    assert redriving.redrive(LANE, lambda _: True, now_ms()).left == []
    gateway.drain(LANE, app.send)
    assert texts(aggregator) == ["m1"]
    state = ledger.get(CHANNEL, "1")
    assert state is not None
    assert state.key.generation == 2
