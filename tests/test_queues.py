"""Queues: ids that SQS takes whatever a text is, who is grouped with whom, and batches that keep their order."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import aws as clients
from chalicelib import queues
from chalicelib.messages import Incoming, OptOut, Outgoing, Status, StatusUpdate
from chalicelib.queues import Entry, RefusedBySqs
from chalicelib.records import (
    DeliveryRecord,
    Event,
    LaneRecord,
    LaterRecord,
    MessageKey,
    MoEvent,
    OptOutEvent,
    Outcome,
    ReceiptEvent,
)
from tests.support import CHANNEL, Aws

LANE = "lane-fast.fifo"
ANY_TEXT = st.text(st.characters(exclude_categories=()))  # broken surrogates and NUL included
KEY = MessageKey(channel=CHANNEL, id="7")


# --- ids ------------------------------------------------------------------------------------------------------------


@given(st.lists(ANY_TEXT, max_size=4), st.lists(ANY_TEXT, max_size=4))
def test_digests_are_ids_that_sqs_takes_and_differ_where_their_parts_do(one: list[str], other: list[str]) -> None:
    assert re.fullmatch("[0-9a-f]{40}", queues.digest(*one))
    assert (queues.digest(*one) == queues.digest(*other)) is (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(("ab", "c"), ("a", "bc")), (("a",), ("a", "")), (('a","b',), ("a", "b")), ((), ("",))],
)
def test_parts_do_not_run_together(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert queues.digest(*one) != queues.digest(*other)


@given(ANY_TEXT, ANY_TEXT)
def test_any_sender_and_text_make_an_entry_that_sqs_takes(sender: str, text: str) -> None:
    event = MoEvent(event_id="e", message=Incoming(channel=CHANNEL, sender=sender, text=text))
    entry = queues.event_entry(event)
    assert entry.body.isascii()
    assert not re.search("[\x00-\x1f]", entry.body)
    for name in (entry.group, entry.dedup):
        assert re.fullmatch("[!-~]{1,128}", name)


def lane(to: str = "+250788123123", **fields: Any) -> LaneRecord:
    message = Outgoing.model_validate({"id": 7, "to": to, "channel": CHANNEL})
    values = {"key": KEY, "aggregator": "a", "lane": "lane-a", "first_seen": 1, "expires_at": 2, **fields}
    return LaneRecord(message=message, **values)


def mo(sender: str = "+250788123123", **fields: Any) -> MoEvent:
    message = Incoming(channel=fields.pop("channel", CHANNEL), sender=sender)
    return MoEvent(**{"event_id": "e", **fields}, message=message)


def receipt(**fields: Any) -> ReceiptEvent:
    update = StatusUpdate(channel=CHANNEL, status=Status.SENT, **fields)
    return ReceiptEvent(event_id=queues.new_id(), update=update, aggregator="a")


def outcome(**fields: Any) -> Outcome:
    return Outcome(**{"key": KEY, "aggregator": "a", "accepted": True, **fields})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(mo(), mo("250788123123"), True, id="a contact, whichever way it is written"),
        pytest.param(mo(), mo("+250788123124"), False, id="another contact"),
        pytest.param(mo(), mo(channel="other"), False, id="a contact on another channel"),
        pytest.param(mo(), OptOutEvent(event_id="o", optout=OptOut(channel=CHANNEL, sender="+250788123123")), True,
                     id="its opt-out"),
        pytest.param(mo(channel="", to="8080", aggregator="a"), mo(channel="", to="9090", aggregator="a"), False,
                     id="two numbers of an SMSC"),
        pytest.param(outcome(external_id="x"), receipt(external_id="x"), True, id="an outcome and its receipt"),
        pytest.param(outcome(external_id="x"), outcome(external_id="y"), False, id="two external ids"),
        pytest.param(outcome(), receipt(id="7"), True, id="without an id of theirs, by ours"),
    ],
)  # fmt: skip
def test_who_is_grouped_with_whom_in_events(one: Event, other: Event, same: bool) -> None:
    assert (queues.event_entry(one).group == queues.event_entry(other).group) is same


@pytest.mark.parametrize(
    ("one", "other", "group", "dedup"),
    [
        pytest.param(lane(), lane(), True, True, id="the same"),
        pytest.param(lane(), lane("250788123123"), True, True, id="the contact written otherwise"),
        pytest.param(lane(), lane(attempt=2), True, False, id="the next attempt"),
        pytest.param(lane(), lane(key=KEY.model_copy(update={"generation": 2})), True, False, id="a generation"),
        pytest.param(lane(), lane("+250788123124", key=KEY.model_copy(update={"id": "8"})), False, False, id="others"),
    ],
)
def test_lanes(one: LaneRecord, other: LaneRecord, group: bool, dedup: bool) -> None:
    first, second = queues.lane_entry(one), queues.lane_entry(other)
    assert (first.group == second.group, first.dedup == second.dedup) == (group, dedup)
    assert queues.lane_entry(one, copy="c").dedup != first.dedup


def test_a_status_is_the_same_once_per_generation() -> None:
    record = DeliveryRecord(kind="sent", platform="p", channel=CHANNEL, fields={}, subject="7")
    again = KEY.model_copy(update={"generation": 2})
    entries = [
        queues.status_entry(record, KEY, Status.SENT), queues.status_entry(record, KEY, Status.SENT),
        queues.status_entry(record, KEY, Status.DELIVERED), queues.status_entry(record, again, Status.SENT),
    ]  # fmt: skip
    assert len({entry.group for entry in entries}) == 1
    assert [entry.dedup == entries[0].dedup for entry in entries] == [True, True, False, False]


@pytest.mark.parametrize(
    ("wait", "delay"), [(-5_000, 0), (0, 0), (1, 1), (1_000, 1), (1_001, 2), (900_000, 900), (9_000_000, 900)]
)
def test_delays_are_whole_seconds_rounded_up_to_the_longest(wait: int, delay: int) -> None:
    record = LaterRecord(queue=LANE, group="g", body="{}", not_before=1_000_000 + wait)
    assert queues.later_entry(record, 1_000_000).delay == delay


@pytest.mark.parametrize(
    ("queue", "dead"), [("lane-a.fifo", "lane-a-dlq.fifo"), ("later", "later-dlq"), ("a.fifo.b", "a.fifo.b-dlq")]
)
def test_dead_letter_queues(queue: str, dead: str) -> None:
    assert queues.dlq_of(queue) == dead


# --- batches --------------------------------------------------------------------------------------------------------


def entries(count: int, groups: str = "g", size: int = 0) -> list[Entry]:
    return [Entry(body=f'{{"n":{n}}}'.ljust(size), group=groups[n % len(groups)], dedup=f"d{n}") for n in range(count)]


def numbers(aws: Aws) -> list[int]:
    return [body["n"] for body in aws.bodies(LANE)]


@pytest.mark.parametrize(
    ("count", "size"),
    [(0, 0), (1, 0), (10, 0), (25, 0), pytest.param(6, 400_000, id="two of 400 kB fit into a batch")],
)
def test_all_entries_arrive_in_order(aws: Aws, count: int, size: int) -> None:
    assert queues.send_many(LANE, entries(count, size=size)) == [None] * count
    assert numbers(aws) == list(range(count))


class Sqs:
    """The real client, some of whose batches fail."""

    def __init__(self, *, call: int = -1, entry: int = -1, sender: bool = False) -> None:
        self._real, self._calls = clients.sqs(), 0
        self._call, self._entry, self._sender = call, str(entry), sender

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def send_message_batch(self, **request: Any) -> Any:
        self._calls += 1
        if self._calls == self._call:
            raise ConnectionError("reset")
        taken = [entry for entry in request["Entries"] if entry["Id"] != self._entry]
        answer = self._real.send_message_batch(**{**request, "Entries": taken})
        lost = [entry for entry in request["Entries"] if entry["Id"] == self._entry]
        return {**answer, "Failed": [{"Id": one["Id"], "SenderFault": self._sender, "Code": "X"} for one in lost]}


def test_nothing_overtakes_what_a_failed_call_left_out(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups a and b alternate in the first batch, c has the third alone."""
    sqs = Sqs(call=1)
    monkeypatch.setattr(clients, "sqs", lambda: sqs)
    given = [*entries(12, "ab"), Entry(body='{"n":12}', group="c", dedup="c")]
    results = queues.send_many(LANE, given)
    assert [result is None for result in results] == [False] * 12 + [True]
    assert numbers(aws) == [12]


def test_an_entry_that_sqs_could_not_take_stops_its_group_from_the_next_batch_on(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqs = Sqs(entry=3)
    monkeypatch.setattr(clients, "sqs", lambda: sqs)
    results = queues.send_many(LANE, entries(14, "ab"))
    assert [n for n, result in enumerate(results) if result is not None] == [3, 11, 13]
    assert not [result for result in results if isinstance(result, RefusedBySqs)]


def test_an_entry_that_sqs_calls_invalid_stops_nobody(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    sqs = Sqs(entry=3, sender=True)
    monkeypatch.setattr(clients, "sqs", lambda: sqs)
    results = queues.send_many(LANE, entries(14, "ab"))
    assert [n for n, result in enumerate(results) if result is not None] == [3]
    assert isinstance(results[3], RefusedBySqs)


def test_entries_of_a_standard_queue_have_no_order_to_keep(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    sqs = Sqs(call=1)
    monkeypatch.setattr(clients, "sqs", lambda: sqs)
    results = queues.send_many(queues.LATER, [Entry(body="{}") for _ in range(12)])
    assert [result is None for result in results] == [False] * 10 + [True] * 2


def test_what_is_held_is_hidden_and_what_is_shown_again_is_given_again(aws: Aws) -> None:
    queues.send_many(LANE, entries(3))
    records = queues.received_from(aws.receive(LANE))
    queues.hold(records, 0)
    again = queues.received_from(aws.receive(LANE))
    assert [(record.body, record.receive_count) for record in again] == [(record.body, 2) for record in records]
    queues.hold(again, 600)
    assert aws.receive(LANE)["Records"] == []


def test_a_record_for_a_human_has_its_reason(aws: Aws) -> None:
    queues.bury(LANE, "{}", "g", "Grund: größer \n" + "x" * 2_000)
    queues.bury("later", "{}", "", "")
    (dead,) = queues.receive("lane-fast-dlq.fifo", 60)
    assert dead.reason.startswith("Grund: gr\\xf6\\xdfer")
    assert len(dead.reason) <= 1_000
    (dead,) = queues.receive("later-dlq", 60)
    assert dead.reason == "unknown"
