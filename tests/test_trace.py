"""The trace: what happened to a message, in order, within limits, and never at the message's cost."""

from __future__ import annotations

import json
import secrets
import threading
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import clock, trace
from chalicelib.settings import settings
from tests.lane import logged
from tests.support import CHANNEL

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture(autouse=True)
def _nothing_left() -> None:
    trace._waiting.clear()


def rows(subject: str) -> list[dict[str, Any]]:
    found = clients.dynamodb().query(
        TableName=settings().table("trace"),
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": subject}},
    )
    return list(found["Items"])


def test_hops_come_back_in_their_order_with_what_they_say() -> None:
    before = clock.now_ms()
    for name in ("queued", "claimed", "wired"):
        trace.hop("7", name, channel=CHANNEL, text="Ubuntu 😀", empty="", nothing=None, zero=0)
    trace.hop("8", "queued")
    trace.flush()
    trace.hop("7", "delivered")
    trace.flush()
    found = trace.read("7")
    assert [hop["hop"] for hop in found] == ["queued", "claimed", "wired", "delivered"]
    assert before <= found[0].pop("at") <= clock.now_ms()
    assert found[0] == {"hop": "queued", "channel": CHANNEL, "text": "Ubuntu 😀", "zero": 0}


def test_what_is_not_flushed_is_not_there_and_is_flushed_once() -> None:
    trace.hop("7", "queued")
    assert trace.read("7") == []
    trace.flush()
    trace.flush()
    assert len(trace.read("7")) == 1


def test_the_hops_of_a_flush_are_one_item_that_lives_a_week() -> None:
    for name in ("queued", "claimed"):
        trace.hop("7", name)
    trace.flush()
    (row,) = rows("7")
    at = int(row["sk"]["S"].partition("#")[0])
    assert int(row["ttl"]["N"]) == at // 1000 + 7 * 86_400


def test_many_messages_take_many_batches() -> None:
    for number in range(60):
        trace.hop(str(number), "queued")
    trace.flush()
    assert all(len(trace.read(str(number))) == 1 for number in range(60))


def noise(octets: int) -> str:
    """A text that gzip cannot shorten much."""
    return secrets.token_hex(octets)


@pytest.mark.parametrize(
    ("fields", "kept", "cut"),
    [
        pytest.param({"exchanges": [{"request": noise(6_000)}]}, {"request"}, False, id="fits"),
        pytest.param({"exchanges": [{"url": "u", "request": noise(40_000)}]}, {"url", "request"}, True, id="bodies"),
        pytest.param({"exchanges": [{"request": noise(9_000)} for _ in range(40)]}, set(), True, id="all exchanges"),
        pytest.param({"text": noise(60_000)}, set(), True, id="the text"),
    ],
)
def test_a_hop_is_cut_to_16_kb_and_says_so(fields: dict[str, Any], kept: set[str], cut: bool) -> None:
    trace.hop("7", "wired", **fields)
    trace.flush()
    (row,) = rows("7")
    assert len(row["d"]["B"]) <= trace.MAX_OCTETS
    (hop,) = trace.read("7")
    assert (hop["hop"], hop.get("cut", False)) == ("wired", cut)
    assert {name for exchange in hop.get("exchanges", ()) for name in exchange} == kept


def test_hops_that_are_too_large_together_are_items_of_their_own() -> None:
    for name in ("queued", "wired"):
        trace.hop("7", name, text=noise(9_000))
    trace.flush()
    assert [hop["hop"] for hop in trace.read("7")] == ["queued", "wired"]
    assert len(rows("7")) == 2


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param("", id="empty"),
        pytest.param("я" * 3_000, id="longer than a key may be"),
        pytest.param(trace.external("fast", "x" * 3_000), id="an aggregator's endless id"),
    ],
)
def test_a_subject_that_is_no_key_takes_no_other_with_it(subject: str) -> None:
    trace.hop("7", "queued")
    trace.hop(subject, "queued", text="lone \ud83d")
    trace.flush()
    assert len(trace.read("7")) == 1
    assert len(trace.read(subject or "-")) == 1


def test_a_trace_that_cannot_be_written_is_one_line_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    clients.dynamodb().delete_table(TableName=settings().table("trace"))
    for number in range(60):
        trace.hop(str(number), "queued", text="private")
    with logged() as lines:
        trace.flush()
    (line,) = lines.getvalue().splitlines()
    assert (json.loads(line)["message"], json.loads(line)["items"]) == ("trace_lost", 60)
    assert "private" not in line


def test_hops_of_many_threads_all_count() -> None:
    barrier = threading.Barrier(8)

    def note(number: int) -> None:
        barrier.wait(30)
        for _ in range(5):
            trace.hop("7", f"hop {number}")
            trace.flush()

    threads = [threading.Thread(target=note, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(trace.read("7")) == 40
