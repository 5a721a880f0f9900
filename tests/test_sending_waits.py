"""λ send when it must wait: back-off, throttling, pace, an account in trouble, channels that cannot be used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import pacing, pauses, queues, registry, registry_store
from chalicelib.settings import settings
from tests.lane import DAY, Lane, asked, logged
from tests.lane import lane as lane
from tests.support import CHANNEL, Aws
from tests.web import Asked, Site, serve

A, B, C = "+250788000001", "+250788000002", "+250788000003"


def accepted(asked: Asked) -> tuple[int, str]:
    return 200, json.dumps({"outcome": "accepted", "id": f"x{asked.form['id']}"})


def says(outcome: str, **more: Any) -> tuple[int, str]:
    return 200, json.dumps({"outcome": outcome, **more})


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(accepted) as running:
        yield running


@pytest.fixture
def channel(aws: Aws, site: Site) -> None:
    aws.aggregator("fast", "XX", lane="own", config={"url": site.url}, secrets={"key": "k-first"})
    aws.channel(type="XX", id=346)


pytestmark = pytest.mark.usefixtures("channel")


# --- back-off -----------------------------------------------------------------------------------------------------


def test_trouble_is_waited_out_in_the_lane_for_a_minute_and_then_aside(lane: Lane, site: Site) -> None:
    site.answer = lambda asked: says("temporary") if asked.form["id"] == "1" else accepted(asked)
    first = lane.put(1, A)
    lane.put(2, A)
    waits = []
    for later_by in (0, 5_100, 15_100, 40_100):
        lane.clock[0] += later_by
        failed = lane.run()
        waits += [seconds for _, seconds in lane.holds]
        lane.holds.clear()
        if failed:
            assert failed == ["1", "2"]
            lane.give_again()
    assert waits[:2] == [5, 15]
    assert waits[2:] == [pytest.approx(40, abs=5)]  # what is left of the minute
    assert asked(site) == ["1", "1", "1", "1", "2"]  # the next of the contact is no longer held up
    ((_, record, not_before),) = lane.aside()
    assert (record.attempt, record.key) == (2, first.key)
    assert 0 <= record.trouble_since - first.first_seen < 60_000
    site.answer = lambda asked: says("temporary")
    lane.bring_back()
    assert lane.run() == []  # at once aside again, for longer: nobody waits behind it
    ((_, again, until),) = lane.aside()
    assert (again.attempt, again.trouble_since) == (3, record.trouble_since)
    assert until > not_before + 60_000
    site.answer = accepted
    lane.bring_back()
    assert lane.run() == []
    assert set(lane.outcomes()) == {("1", 0, True, "x1"), ("2", 0, True, "x2")}


def test_every_stay_in_later_comes_back_even_with_the_same_record(lane: Lane, aws: Aws, site: Site) -> None:
    """SQS drops what it has seen within five minutes: two stays of one record must not look the same to it."""
    registry_store.set_enabled(CHANNEL, False)
    lane.put(1, A)
    for _ in range(3):
        assert lane.run() == []
        assert [record.attempt for _, record, _ in lane.aside()] == [1]
        lane.bring_back()
    registry_store.set_enabled(CHANNEL, True)
    assert lane.run() == []
    assert asked(site) == ["1"]


# --- throttling and pace ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [pytest.param(None, 1, id="does not say"), pytest.param(30, 30, id="half a minute")],
)
def test_throttling_slows_the_account_and_fails_nothing(
    lane: Lane, site: Site, retry_after: float | None, seconds: int
) -> None:
    site.answer = lambda asked: says("throttled", retry_after=retry_after)
    lane.put(1, A)
    lane.put(2, A)
    assert lane.run() == ["1", "2"]
    assert lane.holds == [(2, seconds)]
    assert lane.outcomes() == []
    assert pacing.shut_until("fast") > 0
    site.answer = accepted
    lane.clock[0] = 90_000  # the account has recovered
    lane.give_again()
    assert lane.run() == []
    assert asked(site) == ["1", "1", "2"]


def test_a_throttled_account_is_left_alone_by_other_contacts_too(lane: Lane, site: Site) -> None:
    site.answer = lambda asked: says("throttled", retry_after=30)
    lane.put(1, A)
    lane.run()
    lane.put(2, B)
    assert lane.run() == []
    assert asked(site) == ["1"]
    ((_, waiting, not_before),) = lane.aside()
    assert (waiting.paced, waiting.attempt) == (True, 1)
    assert not_before == pytest.approx(pacing.shut_until("fast"), abs=1)


def test_a_long_throttling_is_waited_for_aside(lane: Lane, site: Site) -> None:
    site.answer = lambda asked: says("throttled", retry_after=600)
    lane.put(1, A)
    assert lane.run() == []
    ((_, record, not_before),) = lane.aside()
    assert (record.attempt, record.trouble_since) == (1, 0)
    assert not_before >= pacing.shut_until("fast")


def test_who_would_wait_too_long_for_a_slot_is_promised_one(lane: Lane, aws: Aws, site: Site) -> None:
    aws.aggregator("fast", "XX", lane="own", config={"url": site.url, "max_tps": 0.05})  # one in 20 s
    for number, to in ((1, A), (2, B), (3, C)):
        lane.put(number, to)
    assert lane.run() == []
    assert asked(site) == ["1"]
    second, third = lane.aside()
    assert [second[1].paced, third[1].paced] == [True, True]
    assert third[2] - second[2] == pytest.approx(20_000, abs=1)
    lane.put(4, A)  # comes new, and does not pass those who wait
    assert lane.run() == []
    assert [number for number, _, _ in lane.aside()] == ["4"]
    lane.clock[0] += 19_000
    assert asked(site) == ["1"]
    lane.bring_back()
    lane.run()
    assert asked(site) == ["1", "2"]


def test_a_long_message_at_a_slow_pace_gets_on_part_by_part(lane: Lane, aws: Aws, site: Site) -> None:
    aws.aggregator("fast", "XX", lane="own", config={"url": site.url, "max_tps": 0.05})
    lane.put(1, A, "one two three four")
    for _ in range(3):
        lane.run()
        lane.give_again()
        lane.clock[0] += 120_000
    assert asked(site) == ["1", "1.2", "1.3"]


def test_a_channels_own_rate_is_its_own(lane: Lane, aws: Aws, site: Site) -> None:
    other = CHANNEL.replace("6f1d", "7f1d")
    aws.channel(type="XX", id=346, config={"max_tps": 0.05})
    aws.channel(other, type="XX", address="9090")
    for number, to in ((1, A), (2, B)):
        lane.put(number, to)
        lane.put(number + 10, to, channel=other)
    assert lane.run() == []
    assert sorted(asked(site)) == ["1", "11", "12"]


# --- an account in trouble ----------------------------------------------------------------------------------------


def test_an_account_in_trouble_gets_a_probe_a_minute_until_it_is_well(lane: Lane, site: Site) -> None:
    site.answer = lambda asked: says("down")
    lane.put(1, A)
    with logged() as lines:
        assert lane.run() == ["1"]
    alarm = json.loads(lines.getvalue())
    assert (alarm["message"], alarm["aggregator"], alarm["reason"]) == ("channel_down", "fast", "no balance")
    assert lane.holds == [(1, 20)]
    for number, to in ((2, B), (3, C)):
        lane.put(number, to)
    assert lane.run() == ["2", "3"]
    assert len(site.asked) == 1  # no probe is due
    lane.clock[0] += 61_000
    lane.give_again()
    assert lane.run() == []
    assert len(site.asked) == 2  # one probe, which finds it still down; all wait aside by now
    waiting = lane.aside()
    assert sorted(number for number, _, _ in waiting) == ["2", "3"]
    assert {(record.attempt, record.trouble_since) for _, record, _ in waiting} == {(1, 0)}
    site.answer = accepted
    lane.bring_back()  # five minutes later: a probe is due
    lane.run()
    assert len(site.asked) == 3
    assert pauses.lanes_paused() == []
    lane.give_again()  # the other one waits in the lane, or aside where it looked before the probe was answered
    if lane.aside():
        lane.bring_back()
    lane.run()
    assert sorted(told[0] for told in lane.outcomes()) == ["2", "3"]


def test_a_refused_message_is_a_sign_of_life(lane: Lane, site: Site) -> None:
    site.answer = lambda asked: says("down")
    lane.put(1, A)
    lane.run()
    lane.clock[0] += 61_000
    site.answer = lambda asked: says("permanent")
    lane.give_again()
    assert lane.run() == []
    assert pauses.lanes_paused() == []
    assert lane.outcomes() == [("1", 0, False, "as told")]


def test_an_account_in_trouble_fails_a_message_only_by_its_age(lane: Lane, site: Site) -> None:
    site.answer = lambda asked: says("down")
    lane.put(1, A)
    lane.run()
    lane.clock[0] = DAY
    lane.give_again()
    assert lane.run() == []
    assert lane.outcomes() == [("1", 0, False, "expired")]
    assert len(site.asked) == 1


def test_one_accounts_trouble_is_its_own(lane: Lane, aws: Aws, site: Site) -> None:
    other = CHANNEL.replace("6f1d", "7f1d")
    with serve(accepted) as healthy:
        aws.aggregator("brisk", "XX", lane="own", config={"url": healthy.url})
        aws.channel(other, type="XX", aggregator="brisk", address="9090")
        site.answer = lambda asked: says("down")
        lane.put(1, A)
        lane.put(2, B, channel=other, aggregator="brisk")
        assert lane.run() == ["1"]
        assert asked(healthy) == ["2"]


def test_rotated_credentials_are_read_again_and_used_at_once(
    lane: Lane, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "RETRY", 0.0)  # the cached ones may be looked at again at once

    def by_key(asked: Asked) -> tuple[int, str]:
        return accepted(asked) if asked.form["key"] == "k-second" else says("down", credentials=True)

    site.answer = by_key
    registry.settings_of(registry.channel(CHANNEL))  # the old ones are cached
    clients.ssm().put_parameter(
        Name=registry.secret_path("aggregators", "fast"),
        Value=json.dumps({"key": "k-second"}),
        Type="SecureString",
        Overwrite=True,
    )
    lane.put(1, A)
    assert lane.run() == []
    assert [request.form["key"] for request in site.asked] == ["k-first", "k-second"]
    assert pauses.lanes_paused() == []


def test_the_same_credentials_are_not_offered_twice(lane: Lane, site: Site) -> None:
    site.answer = lambda asked: says("down", credentials=True)
    lane.put(1, A)
    assert lane.run() == ["1"]
    assert len(site.asked) == 1
    assert [pause.aggregator for pause in pauses.lanes_paused()] == ["fast"]


# --- channels that cannot be used ---------------------------------------------------------------------------------


def test_a_disabled_channel_keeps_its_messages_until_they_are_too_old(lane: Lane, site: Site) -> None:
    registry_store.set_enabled(CHANNEL, False)
    record = lane.put(1, A)
    assert lane.run() == []
    ((_, waiting, not_before),) = lane.aside()
    assert waiting == record
    assert not_before > record.first_seen
    lane.clock[0] = DAY
    lane.put(2, A, expires_at=record.expires_at)
    assert lane.run() == []
    assert (site.asked, lane.outcomes()) == ([], [("2", 0, False, "expired")])


def test_a_channel_with_unusable_settings_keeps_its_messages_until_they_are_too_old(
    lane: Lane, aws: Aws, site: Site
) -> None:
    aws.channel(type="XX", id=346, config={"no_such_key": "private"})
    record = lane.put(1, A)
    with logged() as lines:
        assert lane.run() == []
    assert "no_such_key: unknown key" in lines.getvalue()
    assert "private" not in lines.getvalue()
    assert [number for number, _, _ in lane.aside()] == ["1"]
    lane.clock[0] = DAY
    lane.put(2, A, expires_at=record.expires_at)
    assert lane.run() == []
    assert (site.asked, lane.outcomes()) == ([], [("2", 0, False, "expired")])
    assert pauses.lanes_paused() == []


def test_an_unknown_channel_is_waited_for_an_hour_and_then_for_a_human(lane: Lane, aws: Aws) -> None:
    unknown = CHANNEL.replace("6f1d", "0000")
    lane.put(1, A, channel=unknown)
    lane.put(2, A)
    assert lane.run() == []
    assert [told[0] for told in lane.outcomes()] == ["2"]
    ((_, record, _),) = lane.aside()
    assert record.trouble_since > 0
    lane.away[:] = [lane.away[0].model_copy(update={"not_before": record.trouble_since + 3_601_000})]
    lane.bring_back()
    assert lane.run() == []
    assert lane.aside() == []
    (dead,) = aws.receive("lane-fast-dlq.fifo")["Records"]
    assert dead["messageAttributes"]["reason"]["StringValue"] == "the channel has been unknown for an hour"


def test_a_record_that_cannot_be_put_aside_is_given_again(lane: Lane) -> None:
    registry_store.set_enabled(CHANNEL, False)
    lane.put(1, A)
    url = settings().queue_url(queues.LATER)
    clients.sqs().delete_queue(QueueUrl=url)
    assert lane.run() == ["1"]
    assert lane.holds == [(1, 10)]
    clients.sqs().create_queue(QueueName=url.rsplit("/", 1)[1])
    lane.give_again()
    assert lane.run() == []
    assert [number for number, _, _ in lane.aside()] == ["1"]
