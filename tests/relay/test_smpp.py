"""The same relay with SMPP: what the toy protocol has shown holds for the SMSC that the project simulates."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from chalicelib import attempts, queues, registry, rendezvous
from chalicelib.records import MessageKey, ReceiptEvent
from smsc_relay.accounts import kind_of
from smsc_relay.pace import Pace
from smsc_relay.simulator.simulator import Simulator
from smsc_relay.smpp.codec import encode
from smsc_relay.smpp.pdus import DeliverSm
from tests.relay.conftest import World, eventually, relaying
from tests.support import CHANNEL

LONG = "Love is patient. Love is kind. It does not envy, it does not boast. " * 6


def register(world: World, smsc: Simulator, **config: Any) -> None:
    """The account `fast` speaks SMPP."""
    given = {"host": "127.0.0.1", "port": smsc.smpp_port, "system_id": "ilha", "response_timeout": 5, **config}
    given |= {"reconnect_min": 0.1}
    world.aws.aggregator("fast", "SMPP", config=given, version=time.time_ns() // 1_000_000)
    world.aws.channel(CHANNEL, type="SMPP")
    registry.reset()


SIMULATED = {"iso8859-9": "turkish", "iso8859-5": "cyrillic", "iso8859-8": "hebrew", "shift_jis": "jis"}


@pytest.mark.parametrize("operation", ["submit_sm", "data_sm"])
async def test_a_long_message_its_receipts_and_an_answer(world: World, operation: str) -> None:
    async with Simulator() as smsc:
        register(world, smsc, submit_with=operation)
        world.put(1, to="+250788123123", text=LONG)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
            await smsc.wait_for(lambda smsc: bool(smsc.messages))
            smsc.inject(source="250788123123", to="8080", text="ok")
            await eventually(lambda: world.aws.depth(queues.EVENTS) == 3 + 3 + 1)
    assert [message.text for message in smsc.messages] == [LONG]
    assert {"priority_flag" in one.shown() for one in smsc.submits} == {operation == "submit_sm"}
    events = [body["event"] for body in world.aws.bodies(queues.EVENTS)]
    outcomes = {event["external_id"] for event in events if event["kind"] == "outcome"}
    receipts = {event["update"]["external_id"] for event in events if event["kind"] == "status"}
    assert len(outcomes) == 3
    assert receipts == outcomes
    (answer,) = [event for event in events if event["kind"] == "incoming"]
    assert (answer["message"]["text"], answer["to"]) == ("ok", "8080")


@pytest.mark.parametrize(
    ("more", "theirs", "text", "submits"),
    [
        pytest.param({"alphabet": "iso8859-9"}, "turkish", "Şu ığdır ağacı " * 10, 2, id="Latin-5"),
        pytest.param({"alphabet": "iso8859-5"}, "gsm7", "Привет, мир! " * 11, 2, id="Cyrillic"),
        pytest.param({"alphabet": "iso8859-5", "data_coding": 0}, "cyrillic", "Привет, мир!", 1, id="Cyrillic for 0"),
        pytest.param({"alphabet": "iso8859-8"}, "gsm7", "שלום עולם " * 14, 1, id="Hebrew"),
        pytest.param({"alphabet": "shift_jis"}, "gsm7", "こんにちは、世界。" * 10, 2, id="Shift JIS"),
        pytest.param({"alphabet": "utf-8"}, "utf-8", "ΔΦΓΛΩΠ" * 26, 2, id="UTF-8"),
        pytest.param({"alphabet": "utf-8", "long_messages": "payload"}, "utf-8", "ΔΦΓΛΩΠ" * 60, 1, id="UTF-8 payload"),
        pytest.param({"alphabet": "latin1", "segment_limits": {"latin1": 140}}, "latin1", "Olá, à Ângela! " * 10, 2,
                     id="Latin-1 to phones"),
    ],
)  # fmt: skip
async def test_what_is_written_in_an_alphabet_arrives(
    world: World, more: dict[str, Any], theirs: str, text: str, submits: int
) -> None:
    """At the phone, and from it; the SMSC calls it what the account does, or what the standard does."""
    said = text[:20]
    async with Simulator({"accounts": {"ilha": {"alphabet": theirs}}}) as smsc:
        register(world, smsc, **more)
        world.put(1, to="+250788123123", text=text)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
            await smsc.wait_for(lambda smsc: bool(smsc.messages))
            own = SIMULATED.get(more["alphabet"], more["alphabet"])
            smsc.inject(source="250788123123", to="8080", text=said, alphabet=own)
            await eventually(lambda: world.aws.depth(queues.EVENTS) == 2 * submits + 1)
    assert [(message.text, len(message.segments)) for message in smsc.messages] == [(text, submits)]
    told = [body["event"] for body in world.aws.bodies(queues.EVENTS)]
    assert [event["message"]["text"] for event in told if event["kind"] == "incoming"] == [said]


async def test_smpp_33_has_unicode_and_binary(world: World) -> None:
    async with Simulator() as smsc:
        register(world, smsc, interface_version=33, bind="pair")
        world.put(1, to="+250788123123", text="ж" * 71)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
            await smsc.wait_for(lambda smsc: bool(smsc.messages))
            smsc.inject(source="250788123123", to="8080", octets="0180FF")
            await eventually(lambda: world.aws.depth(queues.EVENTS) == 2 + 2 + 1)
    assert [message.text for message in smsc.messages] == ["ж" * 71]
    told = [body["event"] for body in world.aws.bodies(queues.EVENTS)]
    assert [event["octets"] for event in told if event["kind"] == "incoming"] == ["AYD/"]


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        pytest.param({}, [1, 1, 1], id="parts of ours"),
        pytest.param({"long_messages": "sar"}, [1, 1, 1], id="sar"),
        pytest.param({"long_messages": "payload"}, [3], id="payload"),
    ],
)
async def test_what_the_smsc_cuts_counts_for_the_pace(
    world: World, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], counts: list[int]
) -> None:
    """max_tps is of segments, whoever makes them."""
    spent: list[int] = []
    spend = Pace.spend

    def noted(self: Pace, now: float, segments: int = 1) -> None:
        spent.append(segments)
        spend(self, now, segments)

    monkeypatch.setattr(Pace, "spend", noted)
    async with Simulator() as smsc:
        register(world, smsc, max_tps=50, **more)
        world.put(1, to="+250788123123", text=LONG)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
    assert spent == counts
    assert [message.text for message in smsc.messages] == [LONG]


async def test_numbers_that_the_smsc_writes_in_its_own_way(world: World) -> None:
    """A channel's own rule changes the recipient, the account's bring back who a receipt and an answer are from."""
    phone, theirs = "+250788123123", "9788123123"
    async with Simulator() as smsc:
        # It gives what arrives TON 1, which rules see as +.
        back = [{"match": r"\+?9(7[0-9]{8})", "replace": r"+250\1"}]
        register(world, smsc, mo_source_rules=back, mo_dest_rules=[{"match": "98080", "replace": "8080"}])
        own = {"dest_rules": [{"match": r"\+250(7[0-9]{8})", "replace": r"9\1", "ton": 2}]}
        world.aws.channel(CHANNEL, type="SMPP", config=own)
        registry.reset()
        world.put(1, to=phone)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
            await smsc.wait_for(lambda smsc: bool(smsc.messages))
            smsc.inject(source=theirs, to="98080", text="ok")
            await eventually(lambda: world.aws.depth(queues.EVENTS) == 3)
    assert [segment.to for segment in smsc.submits] == [theirs]
    events = [body["event"] for body in world.aws.bodies(queues.EVENTS)]
    (outcome,) = [event for event in events if event["kind"] == "outcome"]
    (receipt,) = [ReceiptEvent.model_validate(event) for event in events if event["kind"] == "status"]
    submit = rendezvous.Submit(MessageKey(channel=CHANNEL, id="1"), 0, outcome["destination"], 1)
    rendezvous.meet_outcome("fast", outcome["external_id"], submit)
    assert rendezvous.meet_receipt(receipt, 2) == submit
    (answer,) = [event for event in events if event["kind"] == "incoming"]
    assert (answer["message"]["sender"], answer["to"]) == (phone, "8080")


async def test_throttling_slows_the_link_and_fails_nothing(world: World) -> None:
    async with Simulator({"built_in": False, "destinations": {"7": {"status": "ESME_RTHROTTLED", "times": 1}}}) as smsc:
        register(world, smsc)
        world.put_many(40)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
    assert Counter(segment.to for segment in smsc.submits) == Counter(f"2507881{n:05d}" for n in range(1, 41))
    assert all(accepted for _, _, accepted, _ in world.outcomes())


async def test_a_link_that_is_dropped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SMSC takes a message and closes the connection: what was open is in doubt, and goes again."""
    monkeypatch.setattr(attempts, "BACKOFF", (1, 1, 1))
    async with Simulator({"built_in": False, "destinations": {"05": {"link": "close", "times": 1}}}) as smsc:
        register(world, smsc, window=4)
        world.put_many(10)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
    counts = Counter(segment.to for segment in smsc.submits)
    assert set(counts) == {f"2507881{n:05d}" for n in range(1, 11)}
    assert sum(counts.values()) - 10 <= 4
    assert len(world.outcomes()) == 10
    assert "in_doubt" in world.hops("5")


async def test_window_and_sender_change_over_the_session_that_there_is(world: World) -> None:
    async with Simulator() as smsc:
        register(world, smsc, window=4)
        world.put(1)
        async with relaying(kinds=kind_of) as relay:
            await world.lane_empty()
            (session,) = smsc.sessions
            register(world, smsc, window=7, source_addr="9090")
            await eventually(lambda: relay.report()["links"]["fast"]["window"] == 7)
            world.put(2)
            await world.lane_empty()
            assert [one["since"] for one in smsc.sessions] == [session["since"]]
    assert [segment.source for segment in smsc.submits] == ["8080", "9090"]


async def test_the_binds_of_a_link_know_pieces_of_receipts_together(world: World) -> None:
    """The simulator cuts none: over two of its sessions, by hand."""
    async with Simulator() as smsc:
        register(world, smsc, binds=2, keepalive=0)
        async with relaying(kinds=kind_of):
            await smsc.wait_for(lambda it: len(it.sessions) == 2)
            for number, (session, text) in enumerate(
                zip(smsc.sessions, (b"id:a1 sub:001 st", b"at:UNDELIV"), strict=True), 1
            ):
                piece = bytes((5, 0, 3, 1, 2, number)) + text
                pdu = DeliverSm(
                    source_addr="250788123123", destination_addr="8080", esm_class=0x44, short_message=piece
                )
                smsc.send_raw(session["session"], encode(pdu, 1000))
            await eventually(lambda: world.aws.depth(queues.EVENTS) == 2)
    told = [body["event"]["update"] for body in world.aws.bodies(queues.EVENTS) if body["event"]["kind"] == "status"]
    assert [(one["external_id"], one["status"]) for one in told] == [("a1", "failed")] * 2
