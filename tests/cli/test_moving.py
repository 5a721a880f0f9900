"""`jangada channel move`: what is checked and said; what waits stays, what comes goes on, nothing is sent twice."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import app
from chalicelib import channels, ledger, queues, registry, registry_store, rendezvous, routing, webhooks
from chalicelib.clock import now_ms
from chalicelib.messages import Outgoing, Status, StatusUpdate
from chalicelib.records import ReceiptEvent
from local.emulator import Emulator, create_resources
from tests.cli.conftest import Jangada
from tests.lane import Scripted
from tests.support import CHANNEL, Aws
from tests.web import Site, serve

OTHER = CHANNEL.replace("6f1d", "8f1d")


@pytest.fixture
def moving(aws: Aws, emulator: Emulator) -> Aws:
    """A channel on `old`; `new` is of the same type, `smsc` is an SMSC."""
    create_resources(emulator.endpoint, own_lanes=["smsc"])
    aws.platform()
    for name in ("old", "new"):
        aws.aggregator(name, "AT", config={"username": name}, secrets={"api_key": "k"})
    aws.aggregator("smsc", "SMPP", config={"host": "smsc.example.org", "system_id": "ilha"})
    aws.channel(aggregator="old", type="AT", id=7, config={"max_tps": 5})
    return aws


def test_it_moves_once_and_says_what_happens(moving: Aws, jangada: Jangada) -> None:
    routing.forward(message(1), registry.channel(CHANNEL), bulk=False)
    ran = jangada("channel", "move", "7", "new", "--dry-run")
    assert (ran.status, "nothing has been written" in ran.err) == (0, True)
    assert registry.channel(CHANNEL).aggregator == "old"
    again = jangada("channel", "move", CHANNEL, "new")
    assert (again.status, again.out) == (0, ran.out)
    assert "old (AT) -> new (AT)" in ran.out
    assert "what waits already stays with old, so that nothing is sent twice" in ran.out
    assert "1 in lane-shared.fifo" in ran.out
    assert f"jangada channel url {CHANNEL}" in ran.out
    one = registry.channel(CHANNEL)
    assert (one.aggregator, one.config, one.former) == ("new", {"max_tps": 5}, {"old": {"max_tps": 5}})
    done = jangada("channel", "move", "7", "new")
    assert (done.status, "is on new already: nothing to do" in done.out) == (0, True)


def test_to_another_type_its_own_config_stays_behind(moving: Aws, jangada: Jangada) -> None:
    ran = jangada("channel", "move", "7", "smsc", "--config", "service_type=CMT")
    assert ran.status == 0, ran.err
    assert "its own config of old stays there: max_tps" in ran.out
    assert "callback" not in ran.out
    one = registry.channel(CHANNEL)
    assert (one.type, one.config) == ("SMPP", {"service_type": "CMT"})
    assert registry.on(one, "old").config == {"max_tps": 5}
    assert jangada("channel", "move", "7", "old").status == 0
    back = registry.channel(CHANNEL)
    assert (back.type, back.former) == ("AT", {"smsc": {"service_type": "CMT"}})


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(["nwe"], "no aggregator nwe; did you mean new?", id="unknown"),
        pytest.param(["bare"], "bare has no secret api_key yet: `jangada aggregator secret bare api_key`", id="secret"),
        pytest.param(["dry"], "queue lane-dry.fifo does not exist", id="no lane"),
        pytest.param(["new", "--config", "max_tps=fast"], "max_tps", id="config"),
        pytest.param(["new", "--config", "max_tps"], "write KEY=VALUE", id="no value"),
        pytest.param(["full"], f"address 8080 on full belongs to channel {OTHER}", id="address"),
    ],
)
def test_a_target_that_lacks_something_is_named_and_nothing_written(
    moving: Aws, jangada: Jangada, words: list[str], why: str
) -> None:
    registry_store.put_aggregator(registry.Aggregator(name="bare", type="AT", secrets=("api_key",),
                                                      config={"username": "u"}))  # fmt: skip
    moving.aggregator("dry", "SMPP", config={"host": "h", "system_id": "i"})
    moving.aggregator("full", "AT", config={"username": "u"}, secrets={"api_key": "k"})
    moving.channel(OTHER, aggregator="full", type="AT")
    ran = jangada("channel", "move", "7", *words)
    assert (ran.status, why in ran.err) == (1, True), ran.err
    assert registry.channel(CHANNEL).aggregator == "old"


def test_applying_another_file_is_a_move_too(moving: Aws) -> None:
    moving.channel(aggregator="new", type="AT")
    assert registry.channel(CHANNEL).former == {"old": {"max_tps": 5}}


# --- what was on its way --------------------------------------------------------------------------------------------


def message(number: int) -> Outgoing:
    return Outgoing.model_validate(
        {"id": number, "text": f"m{number}", "to": "+250788123123", "channel": 7, "from": "8080"}
    )


@pytest.fixture
def sites(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Site]]:
    """Two scripted aggregators, and a channel on `old`."""
    load = channels.load
    monkeypatch.setattr(channels, "load", lambda code: Scripted if code == "XX" else load(code))
    aws.platform()
    with serve() as old, serve() as new:
        for name, site in (("old", old), ("new", new)):
            answer = json.dumps({"outcome": "accepted", "id": f"{name}-1"})
            site.answer = lambda asked, answer=answer: (200, answer)
            aws.aggregator(name, "XX", config={"url": site.url})
        aws.channel(aggregator="old", type="XX", id=7)
        yield {"old": old, "new": new}


def moved(aws: Aws) -> None:
    aws.channel(aggregator="new", type="XX", id=7)
    registry.reset()


def test_what_waits_is_sent_by_the_old_one_and_new_messages_by_the_new(aws: Aws, sites: dict[str, Site]) -> None:
    routing.forward(message(1), registry.channel(CHANNEL), bulk=False)
    moved(aws)
    routing.forward(message(1), registry.channel(CHANNEL), bulk=False)  # the platform asks again
    routing.forward(message(2), registry.channel(CHANNEL), bulk=False)
    aws.drain("lane-shared.fifo", app.send)
    assert {name: [one.form["text"] for one in site.asked] for name, site in sites.items()} == {
        "old": ["m1"], "new": ["m2"],
    }  # fmt: skip
    aws.drain(queues.EVENTS, app.record)
    for number, name in ((1, "old"), (2, "new")):
        state = ledger.get(CHANNEL, str(number))
        assert state is not None
        assert (state.aggregator, state.parts[0].external_id) == (name, f"{name}-1")


def test_a_copy_that_is_queued_again_goes_where_the_first_went(aws: Aws, sites: dict[str, Site]) -> None:
    """λ route stopped between the queue and the mark: the lane may have the message."""
    ledger.open_message(CHANNEL, "1", aggregator="old", lane="lane-old", destination="+250788123123", now=now_ms())
    moved(aws)
    opened = routing._open(message(1), registry.channel(CHANNEL), bulk=False, request="")
    assert opened.record is not None
    assert (opened.record.aggregator, opened.record.lane, opened.record.suspect) == ("old", "lane-old", True)


def test_a_receipt_over_the_one_url_finds_what_the_old_one_sent(aws: Aws, sites: dict[str, Site]) -> None:
    routing.forward(message(1), registry.channel(CHANNEL), bulk=False)
    aws.drain("lane-shared.fifo", app.send)
    aws.drain(queues.EVENTS, app.record)
    moved(aws)
    update = StatusUpdate(channel=CHANNEL, status=Status.DELIVERED, external_id="old-1")
    queues.send(queues.EVENTS, queues.event_entry(ReceiptEvent(event_id="e", update=update, aggregator="new")))
    aws.drain(queues.EVENTS, app.record)
    state = ledger.get(CHANNEL, "1")
    assert state is not None
    assert state.status is Status.DELIVERED
    assert rendezvous.unmatched("new") == []


def test_the_old_address_stays_until_another_channel_wants_it(moving: Aws) -> None:
    moving.channel(aggregator="smsc", type="SMPP", id=7)
    assert registry.channel_at("old", "8080").uuid == CHANNEL
    moving.channel(OTHER, aggregator="old", type="AT")
    assert registry.channel_at("old", "8080").uuid == OTHER
    assert registry.channel_at("smsc", "8080").uuid == CHANNEL
    with pytest.raises(registry_store.Conflict):
        moving.channel(aggregator="old", type="AT", id=7)


def test_an_aggregator_that_is_gone_is_told(moving: Aws) -> None:
    with pytest.raises(registry.UnknownChannel, match="was on nowhere, which is gone"):
        registry.on(registry.channel(CHANNEL), "nowhere")


def test_callbacks_of_the_type_before_still_come_in(moving: Aws) -> None:
    moving.channel(aggregator="smsc", type="SMPP", id=7)
    before = webhooks._channel("at", CHANNEL)
    assert isinstance(before, registry.Channel)
    assert (before.aggregator, before.type, before.config) == ("old", "AT", {"max_tps": 5})
    wrong = webhooks._channel("ex", CHANNEL)
    assert not isinstance(wrong, registry.Channel)
    assert wrong.status == 404
