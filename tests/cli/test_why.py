"""`jangada why` on messages that have really been through the stages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import app
from chalicelib import ledger, pauses, queues, registry_store, trace
from chalicelib.clock import now_ms
from chalicelib.ledger_items import MessageState, PartState
from chalicelib.messages import Incoming, Status, StatusUpdate
from chalicelib.pauses import Pause
from chalicelib.records import MessageKey, MoEvent, Outcome, ReceiptEvent
from cli import whereabouts
from tests.cli.conftest import Jangada
from tests.support import CHANNEL, Aws
from tests.web import Asked, Site, serve

OTHER = "0b3c8e52-1f6a-4a7e-9d5b-6f0e2c4d8a91"
LANE = "lane-fast.fifo"
TO_MAIN = "deliver-main.fifo"
PHONE = "+250788123123"


@pytest.fixture
def aggregator() -> Iterator[Site]:
    with serve(lambda asked: (200, "accepted")) as site:
        yield site


@pytest.fixture
def platform() -> Iterator[Site]:
    with serve() as site:
        yield site


@pytest.fixture
def gateway(aws: Aws, aggregator: Site, platform: Site) -> Aws:
    aws.platform("main", platform.url)
    config = {"send_url": aggregator.url + "/send", "body": "id={{id}}&text={{text}}&to={{to}}"}
    aws.aggregator("fast", lane="own", config=config, secrets={"send_authorization": "Token s3cret"})
    aws.channel(id=346)
    return aws


def outbound(aws: Aws, number: int, text: str = "Hello", **fields: Any) -> None:
    message = {"id": number, "text": text, "to": PHONE, "from": "8080", "channel": 346, **fields}
    aws.put_raw(queues.OUTBOUND, json.dumps(message), group=PHONE)


def told(jangada: Jangada, *arguments: str) -> dict[str, Any]:
    """The one story that `why --json` tells."""
    ran = jangada("why", *arguments, "--json")
    assert ran.status == 0, ran.err
    (story,) = json.loads(ran.out)["messages"]
    return dict(story)


def hops(story: dict[str, Any]) -> list[str]:
    return [hop["hop"] for hop in story["hops"]]


# --- from the platform ----------------------------------------------------------------------------------------------


def test_a_message_all_the_way(gateway: Aws, jangada: Jangada) -> None:
    outbound(gateway, 1)
    gateway.drain(queues.OUTBOUND, app.route)
    story = told(jangada, "1")
    assert (story["status"], story["where"]["holder"], story["where"]["why"]) == (
        "queued", LANE, "it waits for its turn")  # fmt: skip
    assert story["expires_at"] > story["opened_at"]
    gateway.drain(LANE, app.send)
    gateway.drain(queues.EVENTS, app.record)
    story = told(jangada, "1")
    assert (story["status"], story["where"]["holder"]) == ("wired", "fast")
    assert story["parts"][0]["state"] == "accepted"
    update = StatusUpdate(channel=CHANNEL, status=Status.DELIVERED, id="1")
    event = ReceiptEvent(event_id="e", update=update, aggregator="fast")
    queues.send(queues.EVENTS, queues.event_entry(event))
    gateway.drain(queues.EVENTS, app.record)
    found = told(jangada, "1")["platform"]
    assert (found["holder"], found["why"]) == (TO_MAIN, "it is on its way to the platform")
    gateway.drain(TO_MAIN, app.deliver)
    ran = jangada("why", "1")
    assert f"channel   {CHANNEL} (8080, fast)" in ran.out
    assert "state     delivered, opened " in ran.out
    assert "where     it is on the phone" in ran.out
    assert "platform  the platform has taken it: delivered" in ran.out
    assert "/send -> 200 in " in ran.out
    assert f"/c/ex/{CHANNEL}/delivered -> 200 in " in ran.out
    assert hops(told(jangada, "1")) == [
        "queued", "claimed", "wired", "outcome", "receipt", "delivered", "platform_accepted"]  # fmt: skip
    assert "s3cret" not in ran.out + jangada("why", "1", "--bodies").out + jangada("why", "1", "--json").out
    assert "> Hello" not in ran.out
    assert "Hello" in jangada("why", "1", "--bodies").out


def test_one_that_the_aggregator_refuses(gateway: Aws, jangada: Jangada, aggregator: Site) -> None:
    aggregator.answer = lambda asked: (400, "bad number")
    outbound(gateway, 1)
    gateway.drain(queues.OUTBOUND, app.route)
    gateway.drain(LANE, app.send)
    gateway.drain(queues.EVENTS, app.record)
    story = told(jangada, "1")
    assert (story["status"], story["where"]) == (
        "failed", {"holder": "", "why": "response_status (code 400)", "until": 0, "next_attempt": 0})  # fmt: skip


def test_one_that_is_tried_again(gateway: Aws, jangada: Jangada, aggregator: Site) -> None:
    aggregator.answer = lambda asked: (502, "later")
    outbound(gateway, 1)
    gateway.drain(queues.OUTBOUND, app.route)
    gateway.run(LANE, app.send)
    story = told(jangada, "1")
    since = next(hop["at"] for hop in story["hops"] if hop["hop"] == "retry")
    assert story["where"]["holder"] == LANE
    assert story["where"]["why"] == "the last try did not succeed: retry: connection_failed"
    assert since + 4000 < story["where"]["next_attempt"] < since + 6000
    assert "next attempt about" in jangada("why", "1").out


def test_one_that_waits_aside(gateway: Aws, jangada: Jangada) -> None:
    outbound(gateway, 1)
    gateway.drain(queues.OUTBOUND, app.route)
    registry_store.set_enabled(CHANNEL, False)
    gateway.drain(LANE, app.send)
    where = told(jangada, "1")["where"]
    assert where["holder"] == "later"
    assert where["until"] > now_ms()
    assert "disabled)" in jangada("why", "1").out


def test_one_in_a_paused_lane(gateway: Aws, jangada: Jangada, aggregator: Site) -> None:
    aggregator.answer = lambda asked: (401, "who are you")
    outbound(gateway, 1)
    gateway.drain(queues.OUTBOUND, app.route)
    gateway.run(LANE, app.send)
    where = told(jangada, "1")["where"]
    assert where["why"] == "fast is paused: the aggregator refuses our credentials"
    assert where["next_attempt"] == pauses.lanes_paused()[0].probe_at


def test_one_in_a_dlq(gateway: Aws, jangada: Jangada) -> None:
    registry_store.set_enabled(CHANNEL, False)
    outbound(gateway, 1)
    gateway.drain(queues.OUTBOUND, app.route)
    ran = jangada("why", "1")
    assert ran.status == 0
    assert "outbound-dlq.fifo, channel" in ran.out
    assert "is disabled: enable it, then redrive" in ran.out


def test_parts(gateway: Aws, jangada: Jangada, aggregator: Site) -> None:
    def answer(asked: Asked) -> tuple[int, str]:
        return (200, "accepted") if len(aggregator.asked) == 1 else (502, "later")

    aggregator.answer = answer
    outbound(gateway, 1, text="word " * 50)
    gateway.drain(queues.OUTBOUND, app.route)
    gateway.run(LANE, app.send)
    story = told(jangada, "1")
    assert [(p["part"], p["total"], p["state"]) for p in story["parts"]] == [(1, 2, "accepted"), (2, 2, "again")]
    out = jangada("why", "1").out
    assert "1/2 accepted, wired" in out
    assert "2/2 again, connection_failed" in out


def test_parts_of_which_no_receipt_was_asked_for(gateway: Aws, jangada: Jangada) -> None:
    outbound(gateway, 1)
    gateway.drain(queues.OUTBOUND, app.route)
    for part, silent in enumerate((True, False)):
        fields = {"accepted": True, "external_id": f"x-{part}", "part": part, "total": 2, "silent": silent}
        event = Outcome(key=MessageKey(channel=CHANNEL, id="1"), aggregator="fast", **fields)
        queues.send(queues.EVENTS, queues.event_entry(event))
    gateway.drain(queues.EVENTS, app.record)
    assert [part["silent"] for part in told(jangada, "1")["parts"]] == [True, False]
    out = jangada("why", "1").out
    assert "1/2 accepted, wired, external id x-0, no receipt asked for\n" in out
    assert "2/2 accepted, wired, external id x-1\n" in out


def test_the_platform_does_not_take_a_status(gateway: Aws, jangada: Jangada, aggregator: Site, platform: Site) -> None:
    platform.answer = lambda asked: (500, "oops")
    aggregator.answer = lambda asked: (400, "bad number")
    outbound(gateway, 1)
    gateway.drain(queues.OUTBOUND, app.route)
    gateway.drain(LANE, app.send)
    gateway.drain(queues.EVENTS, app.record)
    gateway.run(TO_MAIN, app.deliver)
    found = told(jangada, "1")["platform"]
    assert (found["holder"], found["why"]) == (TO_MAIN, "the platform does not take it: HTTP 500")
    assert found["next_attempt"] > 0


def test_the_same_id_on_two_channels(gateway: Aws, jangada: Jangada) -> None:
    gateway.channel(OTHER, address="9090", id=347)
    outbound(gateway, 1)
    outbound(gateway, 1, channel=347)
    gateway.drain(queues.OUTBOUND, app.route)
    found = json.loads(jangada("why", "1", "--json").out)["messages"]
    assert sorted(story["channel"] for story in found) == sorted([CHANNEL, OTHER])
    assert all(len(story["hops"]) == 1 for story in found)
    assert told(jangada, "1", "--channel", OTHER)["channel"] == OTHER


def test_without_a_trace_the_ledger_still_knows(gateway: Aws, jangada: Jangada) -> None:
    ledger.open_message(CHANNEL, "1", aggregator="fast", lane="lane-fast", destination=PHONE, now=now_ms())
    ran = jangada("why", "1")
    assert ran.status == 0
    assert "where    outbound.fifo, the ledger knows it, its lane may not have it yet" in ran.out
    assert "no hops: the trace keeps 7 days" in ran.out


def test_one_that_nobody_knows(gateway: Aws, jangada: Jangada) -> None:
    ran = jangada("why", "1")
    assert ran.status == 1
    assert ran.err.startswith("jangada: nothing is known of 1: outbound.fifo is empty; ")
    outbound(gateway, 1)
    assert "it may be among the 1 in outbound.fifo" in jangada("why", "1").err


@pytest.mark.parametrize(
    "arguments", [pytest.param([], id="none"), pytest.param(["1", "--external", "a", "b"], id="two")]
)
def test_one_way_to_name_a_message(jangada: Jangada, arguments: list[str]) -> None:
    assert "name the message" in jangada("why", *arguments).err


# --- from the phone, and by the aggregator's own id -----------------------------------------------------------------


def incoming(aws: Aws, event_id: str = "e-1", external_id: str = "", text: str = "Hi \x07") -> None:
    message = Incoming(channel=CHANNEL, sender=PHONE, text=text, external_id=external_id)
    event = MoEvent(event_id=event_id, message=message, aggregator="fast", at=now_ms())
    queues.send(queues.EVENTS, queues.event_entry(event))
    aws.drain(queues.EVENTS, app.record)


def test_an_mo_by_its_event_id(gateway: Aws, jangada: Jangada) -> None:
    incoming(gateway)
    assert told(jangada, "e-1")["where"]["holder"] == TO_MAIN
    gateway.drain(TO_MAIN, app.deliver)
    ran = jangada("why", "e-1")
    assert "from a phone  e-1" in ran.out
    assert f"from          {PHONE}" in ran.out
    assert "text          Hi \\x07" in ran.out
    assert "where         the platform has taken it: receive" in ran.out


def test_an_mo_by_the_aggregators_id_and_its_repeat(gateway: Aws, jangada: Jangada) -> None:
    incoming(gateway, "e-1", "x-1")
    incoming(gateway, "e-2", "x-1")
    found = json.loads(jangada("why", "--external", "fast", "x-1", "--json").out)["messages"]
    assert [(story["id"], story["where"]["holder"]) for story in found] == [("e-1", TO_MAIN), ("e-2", "")]
    assert "twice" in found[1]["where"]["why"]


def test_an_mt_by_the_aggregators_id_with_its_callback(gateway: Aws, jangada: Jangada) -> None:
    key = ledger.open_message(CHANNEL, "1", aggregator="fast", lane="lane-fast", destination=PHONE, now=now_ms()).key
    outcome = Outcome(key=key, aggregator="fast", accepted=True, external_id="x-1", destination=PHONE, at=now_ms())
    queues.send(queues.EVENTS, queues.outcome_entry(outcome))
    gateway.drain(queues.EVENTS, app.record)
    trace.hop(
        "x-1",
        "callback",
        channel=CHANNEL,
        exchanges=[{"method": "POST", "url": "https://us/c?token=**", "status": 200}],
    )
    trace.flush()
    story = told(jangada, "--external", "fast", "x-1")
    assert (story["id"], story["parts"][0]["external_id"]) == ("1", "x-1")
    assert hops(story)[-1] == "callback"
    assert "POST https://us/c?... -> 200" in jangada("why", "1").out


def test_a_receipt_that_fits_nothing(gateway: Aws, jangada: Jangada) -> None:
    update = StatusUpdate(channel=CHANNEL, status=Status.DELIVERED, external_id="x-9")
    queues.send(queues.EVENTS, queues.event_entry(ReceiptEvent(event_id="e", update=update, aggregator="fast")))
    gateway.drain(queues.EVENTS, app.record)
    ran = jangada("why", "--external", "fast", "x-9")
    assert ran.status == 0
    assert "receipt delivered for x-9: no message has been given this id so far" in ran.out
    assert jangada("why", "--external", "fast", "x-8").status == 1
    assert jangada("why", "--external", "slow", "x-9").err == "jangada: no aggregator slow\n"


# --- where, as a pure question --------------------------------------------------------------------------------------

NOW = 1_800_000_000_000


def state(*parts: PartState, forwarded: bool = True) -> MessageState:
    key = MessageKey(channel=CHANNEL, id="1")
    return MessageState(key, Status.QUEUED, forwarded, "fast", "lane-fast", PHONE, NOW - 1000, len(parts),
                        parts=dict(enumerate(parts)))  # fmt: skip


@pytest.mark.parametrize(
    ("found", "hops", "pause", "holder", "why"),
    [
        pytest.param(state(forwarded=False), [], None, "outbound.fifo", "its lane may not have it", id="opened"),
        pytest.param(state(), [], None, LANE, "waits for its turn", id="in its lane"),
        pytest.param(state(PartState("claimed", until=NOW + 1)), [], None, "λ send", "being offered", id="claimed"),
        pytest.param(state(PartState("claimed", owner="λ", until=1)), [], None, LANE, "was offered", id="in doubt"),
        pytest.param(
            state(PartState.in_doubt(NOW - 9, NOW - 1, silent=False)), [], None, LANE, "no receipt", id="not answered"
        ),
        pytest.param(state(), [], Pause("fast", "no balance", 1, NOW + 5), LANE, "no balance", id="paused"),
        pytest.param(state(), [{"hop": "later", "at": 1, "not_before": NOW + 9}], None, "later", "turn", id="aside"),
        pytest.param(state(), [{"hop": "later", "at": 1, "not_before": NOW - 9}], None, LANE, "turn", id="back again"),
        pytest.param(state(), [{"hop": "buried", "at": 1, "reason": "boom"}], None, "lane-fast-dlq.fifo", "boom",
                     id="DLQ"),
        pytest.param(state(), [{"hop": "buried", "at": 1}, {"hop": "redriven", "at": 2}], None, LANE, "turn",
                     id="redriven"),
        pytest.param(state(PartState("again", until=NOW)), [{"hop": "throttled", "at": 1, "reason": "slow down"}], None,
                     LANE, "throttled: slow down", id="throttled"),
        pytest.param(state(PartState("accepted", rank=1), PartState("accepted", rank=2)), [], None, "fast", "receipt",
                     id="accepted"),
        pytest.param(state(PartState("failed", rank=5)), [{"hop": "expired", "at": 1, "reason": "expired"}], None, "",
                     "expired", id="failed"),
    ],
)  # fmt: skip
def test_where(found: MessageState, hops: list[Any], pause: Pause | None, holder: str, why: str) -> None:
    place = whereabouts.place(found, hops, pause, NOW)
    assert place.holder == holder
    assert why in place.why


@pytest.mark.parametrize(
    ("told", "holder", "why"),
    [
        pytest.param([{"hop": "received"}], "events.fifo", "received and safe", id="received"),
        pytest.param([{"hop": "part", "total": 3}], "the ledger", "a part of 3", id="part"),
        pytest.param([{"hop": "dropped", "reason": "alphanumeric"}], "", "dropped: alphanumeric", id="dropped"),
        pytest.param([{"hop": "buried", "reason": "unknown"}], "events-dlq.fifo", "unknown", id="buried"),
        pytest.param(
            [{"hop": "platform_refused", "platform": "m", "reason": "HTTP 400"}], "", "HTTP 400", id="refused"
        ),
    ],
)
def test_where_an_mo_is(told: list[Any], holder: str, why: str) -> None:
    place = whereabouts.incoming([{"at": NOW, **hop} for hop in told], NOW)
    assert place.holder == holder
    assert why in place.why
