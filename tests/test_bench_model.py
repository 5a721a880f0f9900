"""bench/model.py, what it is fed with, and the pages that are made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import calls, cost, model, scaling
from local.emulator import create_resources, environment

PRICES: dict[str, Any] = {
    "per_million": {
        "sqs_fifo_requests": {"price": 1},
        "dynamodb_write_units": {"price": 10},
        "dynamodb_read_units": {"price": 100},
        "rest_api_requests": {"price": 1000},
        "waf_requests": {"price": 500},
        "lambda_requests": {"price": 2},
    },
    "lambda_gb_second": {"price": 0.001},
    "logs_gb": {"price": 7},
    "assumed": {"memory_gb": 0.5, "log_kb_per_message": 2, "milliseconds": {"api": 10, "send": 100, "record": 50}},
}


# --- counting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "asked", "expected"),
    [
        pytest.param("PutItem", {"Item": {"pk": {"S": "x" * 100}}}, ("write", 1), id="small item"),
        pytest.param("PutItem", {"Item": {"pk": {"S": "x" * 1023}}}, ("write", 2), id="over a kilobyte with its name"),
        pytest.param("PutItem", {"Item": {"b": {"B": "x" * 1364}}}, ("write", 1), id="Base64 counts as octets"),
        pytest.param("PutItem", {"Item": {"pk": {"S": "x"}, "parked": {"S": "a"}}}, ("write", 2), id="in the index"),
        pytest.param("UpdateItem", {}, ("write", 1), id="update"),
        pytest.param(
            "BatchWriteItem",
            {"RequestItems": {"trace": [{"PutRequest": {"Item": {"a": {"N": "1"}}}}, {"DeleteRequest": {}}]}},
            ("write", 2),
            id="batch",
        ),
        pytest.param(
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"Item": {"a": {"S": "1"}}}}, {"Update": {}}]},
            ("write", 4),
            id="transactions count twice",
        ),
        pytest.param("GetItem", {}, ("read", 0.5), id="read"),
        pytest.param("GetItem", {"ConsistentRead": True}, ("read", 1), id="consistent read"),
    ],
)
def test_units(operation: str, asked: dict[str, Any], expected: tuple[str, float]) -> None:
    assert calls.units(operation, asked) == expected


@pytest.mark.parametrize(
    ("target", "asked", "answer", "expected"),
    [
        pytest.param(
            "AmazonSQS.ReceiveMessage",
            {"QueueUrl": "http://h/0/jangada-local-events.fifo"},
            {"Messages": [{}, {}]},
            {"sqs requests": 1, "receives events.fifo": 1, "received events.fifo": 2},
            id="a batch",
        ),
        pytest.param("AmazonSQS.ReceiveMessage", {"QueueUrl": "x"}, {}, {}, id="nothing there"),
        pytest.param(
            "AmazonSQS.SendMessageBatch",
            {"Entries": [{"MessageBody": "x" * 40_000}, {"MessageBody": "x" * 40_000}]},
            {},
            {"sqs requests": 2, "sqs SendMessageBatch": 1},
            id="64 KB is a request",
        ),
        pytest.param("AmazonSSM.GetParameter", {}, {}, {"AmazonSSM GetParameter": 1}, id="other services"),
    ],
)
def test_counted(target: str, asked: dict[str, Any], answer: dict[str, Any], expected: dict[str, float]) -> None:
    assert calls.counted(target, asked, answer) == expected


def test_the_door_counts_what_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib import aws, queues, settings

    with calls.CountedEmulator(log=tmp_path / "log") as emulator:
        create_resources(emulator.endpoint)
        for name, value in environment(emulator.endpoint).items():
            monkeypatch.setenv(name, value)
        settings.reset()
        aws.reset()
        try:
            emulator.taken()
            queues.send(queues.EVENTS, queues.Entry(body="{}", group="g", dedup="d"))
            url = settings.settings().queue_url(queues.EVENTS)
            assert len(aws.sqs().receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]) == 1
            table = settings.settings().table("ledger")
            aws.dynamodb().get_item(TableName=table, Key={"pk": {"S": "m#1"}}, ConsistentRead=True)
            leases = settings.settings().table("leases")
            aws.dynamodb().get_item(TableName=leases, Key={"pk": {"S": "b#1"}})
        finally:
            settings.reset()
            aws.reset()
        found = emulator.taken()
        assert emulator.taken() == {}
    assert found.pop("sqs requests") == 2
    assert sum(value for name, value in found.items() if name.startswith("sqs SendMessage")) == 1
    assert (found["receives events.fifo"], found["received events.fifo"]) == (1, 1)
    assert (found["dynamodb GetItem"], found["dynamodb read units"]) == (1, 1)  # leases are not counted


# --- cost -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        pytest.param("outbound.fifo", "route", id="route"),
        pytest.param("outbound-bulk.fifo", "route_bulk", id="bulk"),
        pytest.param("lane-at.fifo", "send", id="a lane"),
        pytest.param("lane-smsc.fifo", "", id="an SMSC's: the relay"),
        pytest.param("lane-smsc-bulk.fifo", "", id="an SMSC's for bulk"),
        pytest.param("deliver-main.fifo", "deliver", id="a platform's"),
        pytest.param("later", "later", id="later"),
    ],
)
def test_function_of(queue: str, expected: str) -> None:
    assert model.function_of(queue, frozenset({"smsc"})) == expected


def test_cost() -> None:
    counts = {
        "sqs requests": 3,
        "dynamodb write units": 2,
        "dynamodb read units": 0.5,
        "api requests": 1,
        "receives lane-at.fifo": 0.1,
        "receives lane-smsc.fifo": 0.1,
        "receives events.fifo": 0.2,
    }
    dollars = model.cost(counts, PRICES, frozenset({"smsc"}))
    assert dollars["SQS"] == 3
    assert dollars["DynamoDB"] == 2 * 10 + 0.5 * 100
    assert dollars["API, WAF"] == 1500
    seconds = (1 * 10 + 0.1 * 100 + 0.2 * 50) / 1000
    assert dollars["Lambda"] == pytest.approx((1 + 0.1 + 0.2) * 2 + seconds * 0.5 * 0.001 * 1_000_000)
    assert dollars["logs"] == pytest.approx(14)


def test_the_floor_is_below_what_is_counted() -> None:
    counts, prices = cost.load()
    for path in cost.PATHS:
        least = sum(model.cost(model.FLOORS[path], prices, model.FLOOR_SMSCS).values())
        assert 0 < least < sum(model.cost(counts["paths"][path], prices, cost.SMSCS).values()), path


def test_every_price_has_its_source_and_date() -> None:
    _, prices = cost.load()
    assert prices["read"].isoformat() >= "2026-01-01"
    for group in ("per_million", "fixed_per_month"):
        for name, one in prices[group].items():
            assert one["price"] > 0, name
            assert one["source"].startswith("https://aws.amazon.com/"), name


# --- scaling --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "seconds", "expected"),
    [
        pytest.param(1, 0.3, 1, id="one now and then"),
        pytest.param(10, 0.3, 1, id="batches fill first"),
        pytest.param(100, 0.3, 3, id="full batches"),
        pytest.param(1000, 0.3, 30, id="in proportion from there"),
    ],
)
def test_concurrency(rate: float, seconds: float, expected: int) -> None:
    assert model.concurrency(rate, seconds) == expected


def test_more_messages_need_no_less_of_anything() -> None:
    before = model.needs(model.Load(1))
    assert before.keys() == model.QUOTAS.keys()
    for rate in (10, 100, 1_000, 10_000):
        now = model.needs(model.Load(rate))
        assert all(now[key] >= before[key] for key in now)
        before = now


def test_where_the_first_quotas_are_met() -> None:
    assert model.raised(model.Load(1)) == []
    assert model.raised(model.Load(100)) == []
    assert "relay" in model.raised(model.Load(1_000))
    assert {"api", "fifo", "writes", "relay"} <= set(model.raised(model.Load(10_000)))
    assert "relay" not in model.raised(model.Load(10_000, http_share=1))
    assert "api" not in model.raised(model.Load(10_000, http_share=0))


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        pytest.param(0.5, "", id="half"),
        pytest.param(0.51, "near", id="above half"),
        pytest.param(1, "near", id="just"),
        pytest.param(1.01, "raise", id="above"),
    ],
)
def test_verdict(share: float, expected: str) -> None:
    assert model.verdict(share * 1000, model.Quota("x", 1000, "")) == expected


# --- pages ----------------------------------------------------------------------------------------------------------


def test_the_pages_are_fresh() -> None:
    assert cost.made(*cost.load()) in cost.PAGE.read_text(), "run `python -m bench.cost --write`"
    assert scaling.table() in scaling.PAGE.read_text(), "run `python -m bench.scaling --write`"


def test_what_the_cost_page_says_of_a_message_with_its_receipt() -> None:
    counts, prices = cost.load()
    total = {path: sum(model.cost(counts["paths"][path], prices, cost.SMSCS).values()) for path in cost.PATHS}
    text = cost.PAGE.read_text()
    assert "over HTTP about $20 a million" in text
    assert "over SMPP about $12" in text
    assert total["HTTP MT"] + total["HTTP receipt"] == pytest.approx(20, abs=1.5)
    assert total["SMPP MT"] + total["SMPP receipt"] == pytest.approx(12, abs=1.5)
