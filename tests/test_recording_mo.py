"""λ record and messages from phones: those that come twice, in parts, from names, to numbers that are not known."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from chalicelib import clock, inbox, queues, recording, registry, trace
from chalicelib.messages import Incoming
from chalicelib.records import LaterRecord, MoEvent, Piece, SessionEnd
from tests.support import CHANNEL, Aws

TO_MAIN = "deliver-main.fifo"
PHONE, OTHER = "+250788123123", "+250788999999"
SECOND = CHANNEL.replace("6f1d", "7f1d")
NOW = clock.now_ms()
HOUR, MINUTE = 3_600_000, 60_000


@pytest.fixture
def gateway(aws: Aws) -> Aws:
    """Two channels on one aggregator."""
    aws.platform()
    aws.aggregator(type="SMPP")
    aws.channel(type="SMPP")
    aws.channel(SECOND, type="SMPP", address="9090")
    return aws


def mo(text: str = "Join", sender: str = PHONE, *, channel: str = CHANNEL, **fields: Any) -> MoEvent:
    """An MO over HTTP at NOW plus `after` ms, with the aggregator's own `external_id`, `received_at` or neither."""
    words = {name: fields.pop(name) for name in ("external_id", "received_at", "attachments") if name in fields}
    at = NOW + fields.pop("after", 0)
    message = Incoming(channel=channel, sender=sender, text=text, **words)
    return MoEvent(**{"event_id": queues.new_id(), "aggregator": "fast", "at": at, **fields}, message=message)


def over(session: str, text: str = "Join", *, since: int = -HOUR, **fields: Any) -> MoEvent:
    """An MO over an SMSC's session that was bound at NOW plus `since` ms: it names our number, not the channel."""
    fields = {"to": "8080", "session": session, "session_since": NOW + since, **fields}
    return mo(text, channel="", **fields)


def tell(aws: Aws, *events: MoEvent | SessionEnd) -> None:
    """Put events into the queue and record them, one invocation after the other."""
    for event in events:
        queues.send(queues.EVENTS, queues.event_entry(event))
        assert aws.run(queues.EVENTS, recording.record) == []


def told(aws: Aws) -> list[dict[str, str]]:
    """The fields of what the platform's queue has got since it was last asked."""
    return [body["fields"] for body in aws.bodies(TO_MAIN)]


def texts(aws: Aws) -> list[str]:
    return [fields["text"] for fields in told(aws)]


def hops(event: MoEvent, name: str) -> list[dict[str, Any]]:
    return [hop for hop in trace.read(event.event_id) if hop["hop"] == name]


# --- on the way to the platform -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(mo("Ubuntu 😀"), {"from": PHONE, "text": "Ubuntu 😀", "date": clock.iso(NOW)}, id="as it came"),
        pytest.param(
            mo(received_at=1772359872500), {"from": PHONE, "text": "Join", "date": "2026-03-01T10:11:12.500Z"},
            id="the aggregator's time",
        ),
        pytest.param(
            mo("See", attachments=("https://x.org/a.jpg", "image/png:https://x.org/b")),
            {"from": PHONE, "text": "See\nhttps://x.org/a.jpg\nhttps://x.org/b", "date": clock.iso(NOW)},
            id="attachments on lines of their own",
        ),
        pytest.param(
            mo("", attachments=("https://x.org/a.jpg",)),
            {"from": PHONE, "text": "https://x.org/a.jpg", "date": clock.iso(NOW)}, id="an attachment alone",
        ),
        pytest.param(mo("", sender="40404"), {"from": "40404", "text": "", "date": clock.iso(NOW)}, id="empty"),
        pytest.param(over("s"), {"from": PHONE, "text": "Join", "date": clock.iso(NOW)}, id="from an SMSC"),
        pytest.param(
            over("s", "\ufffd", octets="/wA=", data_coding=4),
            {"from": PHONE, "text": "\ufffd", "date": clock.iso(NOW), "data": "/wA=", "data_coding": "4"}, id="binary",
        ),
        pytest.param(
            over("s", "", octets="AQYA", udh="0605040B8423F0", data_coding=0),
            {"from": PHONE, "text": "", "date": clock.iso(NOW), "data": "AQYA", "udh": "0605040B8423F0",
             "data_coding": "0"}, id="to a port",
        ),
        pytest.param(over("s", to="+8080"), {"from": PHONE, "text": "Join", "date": clock.iso(NOW)}, id="written so"),
    ],
)  # fmt: skip
def test_what_the_platform_gets(gateway: Aws, event: MoEvent, expected: dict[str, str]) -> None:
    tell(gateway, event)
    (body,) = gateway.bodies(TO_MAIN)
    assert (body["kind"], body["channel"], body["fields"]) == ("receive", CHANNEL, expected)


def test_what_the_smsc_says_in_tlvs_of_its_own_is_in_the_trace(gateway: Aws) -> None:
    event = over("s", tlvs="1400=3132")
    tell(gateway, event)
    trace.flush()
    (hop,) = trace.read(event.event_id)
    assert (hop["hop"], hop["tlvs"]) == ("to_platform", "1400=3132")


def test_messages_of_one_contact_are_one_group_and_those_of_others_are_not(gateway: Aws) -> None:
    tell(gateway, mo("one"), mo("two"), over("s", "three"), mo("four", OTHER), mo("five", channel=SECOND))
    groups = [record["attributes"]["MessageGroupId"] for record in gateway.receive(TO_MAIN)["Records"]]
    assert groups[0] == groups[1] == groups[2]
    assert len(set(groups)) == 3


def test_the_ids_that_an_aggregator_gives_are_found_in_the_trace(gateway: Aws) -> None:
    event = mo(external_id="ext-1")
    tell(gateway, event)
    assert [hop["event_id"] for hop in trace.read(trace.external("fast", "ext-1"))] == [event.event_id]


# --- in parts -------------------------------------------------------------------------------------------------------

Later = list[LaterRecord]


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Later:
    """The wake-ups that were put into `later`, where SQS delays them."""
    found: Later = []
    real = queues.send

    def send(queue: str, entry: queues.Entry) -> str:
        if queue == queues.LATER:
            found.append(LaterRecord.from_body(entry.body))
        return real(queue, entry)

    monkeypatch.setattr(queues, "send", send)
    return found


def part(sequence: int, text: str, total: int = 3, reference: int = 5, **fields: Any) -> MoEvent:
    wide = fields.pop("wide", False)
    piece = Piece(reference=reference, total=total, sequence=sequence, wide=wide)
    return over(fields.pop("session", "s"), text, piece=piece, **fields)


def wake(aws: Aws, record: LaterRecord) -> None:
    """The time has come for a wake-up."""
    aws.put_raw(record.queue, record.body, group=record.group)
    assert aws.run(record.queue, recording.record) == []


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)], ids=str)
def test_parts_are_joined_in_their_order_whatever_bind_they_come_by(gateway: Aws, order: tuple[int, ...]) -> None:
    parts = {1: "Love ", 2: "is ", 3: "kind."}
    events = [part(n, parts[n], session=f"s{n}", after=n) for n in order]
    tell(gateway, *events[:2])
    assert texts(gateway) == []
    tell(gateway, events[2])
    assert texts(gateway) == ["Love is kind."]


def test_messages_in_parts_do_not_mix(gateway: Aws) -> None:
    """Another phone, another number of ours, another reference, another total, and a reference of 16 bits."""
    kinds: list[dict[str, Any]] = [
        {}, {"sender": OTHER}, {"to": "9090"}, {"reference": 6}, {"total": 3}, {"wide": True},
    ]  # fmt: skip
    for index, kind in enumerate(kinds):
        tell(gateway, part(1, f"{index}a", **{"total": 2, **kind}))
    for index, kind in enumerate(kinds):
        tell(gateway, part(2, f"{index}b", **{"total": 2, **kind}))
    assert sorted(texts(gateway)) == ["0a0b", "1a1b", "2a2b", "3a3b", "5a5b"]


def test_a_part_that_comes_twice_counts_once(gateway: Aws) -> None:
    again = part(1, "Love ", session="t", since=1, after=2)  # the SMSC's redelivery
    twice = part(1, "Love ", after=3)  # sent again in its session
    tell(gateway, part(1, "Love "), again, twice, part(2, "is "), part(3, "kind."))
    assert texts(gateway) == ["Love is kind."]
    tell(gateway, part(3, "kind.", after=4))
    assert texts(gateway) == []
    assert (len(hops(again, "duplicate")), len(hops(twice, "duplicate"))) == (1, 1)


def test_parts_with_the_same_text_are_parts_all_the_same(gateway: Aws) -> None:
    tell(gateway, *(part(n, "ha") for n in (1, 2, 3)))
    http = [mo("ho", piece=Piece(reference=9, total=2, sequence=n), after=n) for n in (1, 2)]
    one_id = [mo(f"{n}", piece=Piece(reference=8, total=2, sequence=n), external_id="a") for n in (1, 2)]
    tell(gateway, *http, *one_id)
    assert texts(gateway) == ["hahaha", "hoho", "12"]


def test_what_stays_incomplete_is_told_as_far_as_it_came(gateway: Aws, waiting: Later) -> None:
    first = part(3, "kind.")
    tell(gateway, first, part(1, "Love "))
    (record,) = waiting
    assert (record.queue, record.not_before) == (queues.EVENTS, NOW + inbox.JOIN_WAIT * 1000)
    wake(gateway, record)
    assert texts(gateway) == ["Love kind."]
    wake(gateway, record)
    assert texts(gateway) == []


def half(sequence: int, octets: bytes, charset: str = "utf-16-be", **fields: Any) -> MoEvent:
    """One of two parts as the relay tells them."""
    encoded = base64.b64encode(octets).decode()
    return part(sequence, octets.decode("ascii", "replace"), 2,
                octets=encoded, charset=charset, **{"data_coding": 8, **fields})  # fmt: skip


def test_a_character_that_the_smsc_has_cut(gateway: Aws) -> None:
    first, second = half(1, b"\x00H\xd8\x3d"), half(2, b"\xde\x00\x00I")
    tell(gateway, second, first)
    assert told(gateway) == [{"from": PHONE, "text": "H😀I", "date": clock.iso(NOW)}]


def test_half_a_character_whose_other_half_never_comes(gateway: Aws, waiting: Later) -> None:
    tell(gateway, half(1, b"\x00H\xd8\x3d"))
    wake(gateway, waiting[0])
    (fields,) = told(gateway)
    assert (fields["text"], fields["data"], fields["data_coding"]) == ("H\ufffd", "AEjYPQ==", "8")


def test_octets_in_parts(gateway: Aws) -> None:
    """A WAP push: what a part is said to be is said of all."""
    port: dict[str, Any] = {"charset": "binary", "udh": "0605040B8423F0", "data_coding": 4}
    tell(gateway, half(2, b"\x00\xff", **port), half(1, b"\x01\x06\x00", **port))
    (fields,) = told(gateway)
    assert (fields["data"], fields["udh"], fields["data_coding"]) == ("AQYAAP8=", "0605040B8423F0", "4")


def test_a_wake_up_after_the_last_part_changes_nothing(gateway: Aws, waiting: Later) -> None:
    tell(gateway, part(1, "Love ", 2), part(2, "is kind.", 2))
    assert texts(gateway) == ["Love is kind."]
    wake(gateway, waiting[0])
    assert texts(gateway) == []


def test_a_part_that_comes_after_its_message_was_given_up_is_told_too(gateway: Aws, waiting: Later) -> None:
    tell(gateway, part(1, "Love ", 2))
    wake(gateway, waiting.pop())
    late = part(2, "is kind.", 2, after=7 * HOUR)
    tell(gateway, late)
    assert texts(gateway) == ["Love "]
    wake(gateway, waiting.pop())
    assert texts(gateway) == ["is kind."]


def test_a_reference_that_is_used_again_is_the_next_message(gateway: Aws, waiting: Later) -> None:
    tell(gateway, part(1, "A1 ", 2), part(2, "A2", 2), part(1, "B1 ", 2, after=1), part(2, "B2", 2, after=2))
    assert texts(gateway) == ["A1 A2", "B1 B2"]
    assert len(waiting) == 2


def test_a_reference_that_is_used_again_does_not_mix_with_what_was_left_of_the_last(
    gateway: Aws, waiting: Later
) -> None:
    tell(gateway, part(1, "A1", 2), part(1, "B1 ", 2, after=HOUR))
    assert texts(gateway) == ["A1"]
    wake(gateway, waiting[0])  # of the first message: the second has its own
    assert texts(gateway) == []
    tell(gateway, part(2, "B2", 2, after=HOUR + 1))
    assert texts(gateway) == ["B1 B2"]


def test_the_last_part_given_again_tells_nothing_again(gateway: Aws) -> None:
    last = part(2, "kind.", 2)
    tell(gateway, part(1, "Love is ", 2), last)
    gateway.put_raw(queues.EVENTS, queues.event_entry(last).body)
    assert gateway.run(queues.EVENTS, recording.record) == []
    assert texts(gateway) == ["Love is kind."]


def test_an_event_of_255_parts(gateway: Aws) -> None:
    """As many as there can be, of the longest texts, when sessions come and go: within DynamoDB's 400 KB."""
    ended = {queues.new_id(): (NOW - 2, NOW - 2, NOW - 1) for _ in range(20)}
    for n in range(1, 256):
        said = f"{n:03d}" + "я" * 64
        octets = base64.b64encode(said.encode("utf-16-be")).decode()
        tell(gateway, part(n, said, 255, octets=octets, charset="utf-16-be", relay="A", ended=ended))
    (text,) = texts(gateway)
    assert [text[at : at + 3] for at in range(0, len(text), 67)] == [f"{n:03d}" for n in range(1, 256)]


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "account", "channel", "taken"),
    [
        pytest.param("SMPP", {}, {}, False, id="dropped unless somebody says otherwise"),
        pytest.param("SMPP", {}, {"alphanumeric_mo": "deliver"}, True, id="the channel says so"),
        pytest.param("SMPP", {"alphanumeric_mo": "deliver"}, {}, True, id="its aggregator says so"),
        pytest.param("SMPP", {"alphanumeric_mo": "deliver"}, {"alphanumeric_mo": None}, True, id="a null is nothing"),
        pytest.param("SMPP", {"alphanumeric_mo": "deliver"}, {"alphanumeric_mo": "drop"}, False, id="channel first"),
        pytest.param("SMPP", {"alphanumeric_mo": "drop"}, {"alphanumeric_mo": "deliver"}, True, id="either way"),
        pytest.param("DA", {}, {}, True, id="the type says so"),
        pytest.param("DA", {"alphanumeric_mo": "drop"}, {}, False, id="the aggregator before the type"),
    ],
)
def test_messages_from_names(
    gateway: Aws, kind: str, account: dict[str, Any], channel: dict[str, Any], taken: bool
) -> None:
    gateway.aggregator(type=kind, config=account)
    gateway.channel(type=kind, config=channel)
    registry.reset()
    event = mo("Balance low", "MTN Info")
    tell(gateway, event, mo("Hi"))
    assert [fields["from"] for fields in told(gateway)] == (["MTN Info"] if taken else []) + [PHONE]
    assert len(hops(event, "dropped")) == (0 if taken else 1)


@pytest.mark.parametrize("sender", [PHONE, "250788123123", "40404"])
def test_numbers_need_no_leave(gateway: Aws, sender: str) -> None:
    tell(gateway, mo(sender=sender), over("s", "again", sender=sender))
    assert [fields["from"] for fields in told(gateway)] == [sender] * 2


# --- numbers and channels that are not known ------------------------------------------------------------------------


def test_a_number_that_is_no_channels_is_waited_for(gateway: Aws) -> None:
    queues.send(queues.EVENTS, queues.event_entry(over("s", to="7070")))
    batch = gateway.receive(queues.EVENTS)
    assert len(recording.record(batch, None)["batchItemFailures"]) == 1
    gateway.channel(CHANNEL.replace("6f1d", "8f1d"), type="SMPP", address="7070")
    registry.reset()
    queues.hold(queues.received_from(batch), 0)
    assert gateway.run(queues.EVENTS, recording.record) == []
    assert texts(gateway) == ["Join"]


def test_a_disabled_channels_messages_wait_and_are_then_for_a_human(
    gateway: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.channel(type="SMPP", enabled=False)
    queues.send(queues.EVENTS, queues.event_entry(mo()))
    batch = gateway.receive(queues.EVENTS)
    assert len(recording.record(batch, None)["batchItemFailures"]) == 1
    monkeypatch.setattr(recording, "now_ms", lambda: clock.now_ms() + recording.UNKNOWN_FOR + 1_000)
    queues.hold(queues.received_from(batch), 0)
    assert gateway.run(queues.EVENTS, recording.record) == []
    (dead,) = gateway.receive("events-dlq.fifo")["Records"]
    assert "is disabled" in dead["messageAttributes"]["reason"]["StringValue"]
    assert texts(gateway) == []
