"""λ send on a real queue, ledger and HTTP server: order, outcomes, and what a redelivery finds."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import ledger, offering, queues, registry, sending, trace, waypoints
from chalicelib.messages import Status
from chalicelib.settings import settings
from tests.lane import DAY, LANE, Lane, asked, logged
from tests.lane import lane as lane
from tests.support import CHANNEL, Aws, Context
from tests.web import Asked, Site, serve

OTHER = CHANNEL.replace("6f1d", "7f1d")
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


# --- order and outcomes -------------------------------------------------------------------------------------------


def test_a_failing_message_is_given_again_with_all_behind_it_and_nobody_else(lane: Lane, site: Site) -> None:
    site.answer = lambda asked: says("temporary") if asked.form["id"] == "1" else accepted(asked)
    for number, to in ((1, A), (2, A), (3, B), (4, A)):
        lane.put(number, to)
    assert lane.run() == ["1", "2", "4"]
    assert sorted(asked(site)) == ["1", "3"]
    assert lane.holds == [(3, 5)]  # one call, one value
    assert lane.outcomes() == [("3", 0, True, "x3")]
    site.answer = accepted
    lane.give_again()
    assert lane.run() == []
    assert asked(site)[2:] == ["1", "2", "4"]


def test_what_fails_for_good_does_not_stay_in_the_batch(lane: Lane, site: Site) -> None:
    site.answer = lambda asked: says("permanent") if asked.form["id"] in "13" else accepted(asked)
    for number in (1, 2, 3, 4):
        lane.put(number, A)
    assert lane.run() == []
    assert asked(site) == ["1", "2", "3", "4"]
    assert lane.outcomes() == [("1", 0, False, "as told"), ("2", 0, True, "x2"), ("3", 0, False, "as told"),
                               ("4", 0, True, "x4")]  # fmt: skip
    assert lane.holds == []


def test_an_opt_out_is_told_however_often_it_is_looked_at_as_one_event(lane: Lane, site: Site) -> None:
    site.answer = lambda asked: says("opted_out")
    lane.put(1, A)
    event = lane.aws.receive(LANE)
    for _ in range(2):
        assert sending.send(event, Context()) == {"batchItemFailures": []}
    assert len(site.asked) == 1
    events = [body["event"] for body in lane.aws.bodies(queues.EVENTS)]
    stops = [event for event in events if event["kind"] == "optout"]
    assert [event["optout"]["sender"] for event in stops] == [A]
    assert [event["reason"] for event in events if event["kind"] == "outcome"] == ["opted_out: as told"] * 2


def test_groups_go_side_by_side(lane: Lane, aws: Aws, site: Site) -> None:
    """The slow aggregator answers only once the fast one, later in the batch, has been asked."""
    fast_asked = threading.Event()

    def slow(asked: Asked) -> tuple[int, str]:
        return accepted(asked) if fast_asked.wait(20) else says("permanent")

    def fast(asked: Asked) -> tuple[int, str]:
        fast_asked.set()
        return accepted(asked)

    site.answer = slow
    with serve(fast) as other:
        aws.aggregator("brisk", "XX", lane="own", config={"url": other.url})
        aws.channel(OTHER, type="XX", aggregator="brisk", address="9090")
        lane.put(1, A)
        lane.put(2, B, channel=OTHER, aggregator="brisk")
        assert lane.run() == []
    assert [told[2] for told in lane.outcomes()] == [True, True]


def test_the_runs_of_a_process_share_its_connections(lane: Lane, aws: Aws, site: Site) -> None:
    """Six batches of ten contacts over three channels: no more connections than the first batch had side by side."""
    company = threading.Barrier(10)

    def with_all_the_batch(asked: Asked) -> tuple[int, str]:
        company.wait(20)
        return accepted(asked)

    site.answer = with_all_the_batch
    others = [CHANNEL.replace("6f1d", digits) for digits in ("1111", "2222")]
    for uuid in others:
        aws.channel(uuid, type="XX", address=uuid[:4])
    for batch in range(6):
        for contact in range(10):
            channel = [CHANNEL, *others][contact % 3]
            lane.put(f"{batch}.{contact}", f"+2507880001{contact:02d}", channel=channel)
        assert lane.run() == []
    assert len(site.asked) == 60
    assert site.connections == 10


# --- again and again ----------------------------------------------------------------------------------------------


def test_a_record_delivered_twice_is_sent_once(lane: Lane, site: Site) -> None:
    lane.put(1, A)
    event = lane.aws.receive(LANE)
    for _ in range(3):
        assert sending.send(event, Context()) == {"batchItemFailures": []}
    assert asked(site) == ["1"]
    assert lane.outcomes() == [("1", 0, True, "x1")] * 3


def test_a_record_delivered_to_two_runs_at_a_time_is_sent_once(lane: Lane, site: Site) -> None:
    under_way, second_done = threading.Event(), threading.Event()

    def waits(asked: Asked) -> tuple[int, str]:
        under_way.set()
        second_done.wait(20)
        return accepted(asked)

    site.answer = waits
    lane.put(1, A)
    event = lane.aws.receive(LANE)
    answers: list[dict[str, Any]] = []
    first = threading.Thread(target=lambda: answers.append(sending.send(event, Context())))
    first.start()
    assert under_way.wait(20)
    second = sending.send(event, Context())
    second_done.set()
    first.join(20)
    assert answers == [{"batchItemFailures": []}]
    assert len(second["batchItemFailures"]) == 1
    assert asked(site) == ["1"]
    assert 0 < lane.holds[0][1] <= 35  # until the first one's claim ends


class PowerCut(BaseException):
    """Nothing in the code catches it."""


def cut_power_at(lane: Lane, point: str) -> None:
    """One invocation that dies at `point`; its records are visible again, its claims have lapsed."""

    def hook(name: str) -> None:
        if name == point:
            raise PowerCut

    waypoints.install(hook)
    event = lane.aws.receive(LANE)
    try:
        with pytest.raises(PowerCut):
            sending.send(event, Context())
    finally:
        waypoints.install(None)
    queues.hold(queues.received_from(event), 0)
    lane.holds.clear()
    lane.clock[0] += 36_000


@pytest.mark.parametrize(
    ("point", "requests"),
    [
        pytest.param("send.claimed", 1, id="claimed"),
        pytest.param("send.requested", 2, id="requested: in doubt, and the default is to send again"),
        pytest.param("send.concluded", 1, id="concluded"),
        pytest.param("send.reported", 1, id="reported"),
    ],
)
def test_a_power_cut_loses_nothing(lane: Lane, site: Site, point: str, requests: int) -> None:
    lane.put(1, A)
    lane.put(2, A)
    cut_power_at(lane, point)
    assert lane.run() == []
    ids = asked(site)
    assert (ids.count("1"), ids.count("2"), ids[-1]) == (requests, 1, "2")
    assert set(lane.outcomes()) == {("1", 0, True, "x1"), ("2", 0, True, "x2")}


@pytest.mark.parametrize("point", ["send.claimed", "send.requested"])
@pytest.mark.parametrize("policy", ["fail", "ask"])
def test_what_is_in_doubt_follows_the_channels_policy(
    lane: Lane, aws: Aws, site: Site, policy: str, point: str
) -> None:
    aws.channel(type="XX", id=346, config={"in_doubt": policy})
    lane.put(1, A)
    lane.put(2, A)
    cut_power_at(lane, point)
    assert lane.run() == []
    assert asked(site).count("1") == (1 if point == "send.requested" else 0)
    told = lane.outcomes()
    assert ("2", 0, True, "x2") in told
    dead = aws.receive("lane-fast-dlq.fifo")["Records"]
    if policy == "fail":
        assert told[0] == ("1", 0, False, f"in doubt: {offering.STOPPED}")
        assert dead == []
    else:
        assert len(told) == 1
        assert "in doubt" in dead[0]["messageAttributes"]["reason"]["StringValue"]


@pytest.mark.parametrize("policy", ["resend", "fail", "ask"])
def test_an_answer_that_never_comes_is_in_doubt(
    lane: Lane, aws: Aws, site: Site, policy: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def hangs_up(asked: Asked) -> tuple[int, str]:
        raise ConnectionAbortedError

    site.answer = hangs_up
    aws.channel(type="XX", id=346, config={"in_doubt": policy})
    lane.put(1, A)
    assert lane.run() == (["1"] if policy == "resend" else [])
    assert len(site.asked) == 1
    told = lane.outcomes()
    assert [accepted for _, _, accepted, _ in told] == ([False] if policy == "fail" else [])
    assert len(aws.receive("lane-fast-dlq.fifo")["Records"]) == (1 if policy == "ask" else 0)
    assert [hop["hop"] for hop in trace.read("1") if hop["hop"] == "in_doubt"] == ["in_doubt"]


def test_an_outcome_that_cannot_be_told_is_told_by_the_next_run(lane: Lane, site: Site) -> None:
    lane.put(1, A)
    lane.put(2, A)
    url = settings().queue_url(queues.EVENTS)
    clients.sqs().delete_queue(QueueUrl=url)
    assert lane.run() == ["1", "2"]
    state = ledger.get(CHANNEL, "1")
    assert state is not None
    assert state.parts[0].external_id == "x1"
    clients.sqs().create_queue(QueueName=url.rsplit("/", 1)[1], Attributes={"FifoQueue": "true"})
    lane.give_again()
    assert lane.run() == []
    assert asked(site) == ["1", "2"]
    assert lane.outcomes() == [("1", 0, True, "x1"), ("2", 0, True, "x2")]


def test_an_older_generation_is_let_go(lane: Lane, site: Site) -> None:
    lane.put(1, A)
    ledger.open_message(
        CHANNEL, "1", aggregator="fast", lane="lane-fast", destination=A, now=1_800_000_000_000, resend=True
    )
    assert lane.run() == []
    assert site.asked == []
    assert lane.outcomes() == []


# --- parts --------------------------------------------------------------------------------------------------------

LONG = "one two three four five six"  # five parts of at most ten characters


def test_a_retry_sends_only_the_parts_that_were_not_accepted(lane: Lane, site: Site) -> None:
    site.answer = lambda asked: says("temporary") if asked.form["id"] == "1.3" else accepted(asked)
    lane.put(1, A, LONG)
    assert lane.run() == ["1"]
    assert asked(site) == ["1", "1.2", "1.3"]
    site.answer = accepted
    lane.give_again()
    assert lane.run() == []
    assert asked(site)[3:][0] == "1.3"
    texts = {request.form["id"]: request.form["text"] for request in site.asked}
    assert len(asked(site)) == len(texts) + 1
    assert " ".join(text.strip() for text in texts.values()) == LONG
    assert {told[:3] for told in lane.outcomes()} == {("1", n, True) for n in range(len(texts))}


def test_a_retry_is_cut_as_the_first_try_whatever_the_channel_says_now(lane: Lane, aws: Aws, site: Site) -> None:
    site.answer = lambda asked: says("temporary") if asked.form["id"] == "1.2" else accepted(asked)
    lane.put(1, A, LONG)
    lane.run()
    site.answer = accepted
    aws.channel(type="XX", id=346, config={"max_length": 19})
    lane.give_again()
    assert lane.run() == []
    texts = {request.form["id"]: request.form["text"] for request in site.asked}
    assert max(map(len, texts.values())) <= 10
    assert " ".join(text.strip() for text in texts.values()) == LONG
    assert ledger.get(CHANNEL, "1").overall() is Status.WIRED  # type: ignore[union-attr]


def test_what_can_no_longer_be_cut_as_it_was_has_failed(
    lane: Lane, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.answer = lambda asked: says("temporary") if asked.form["id"] == "1.2" else accepted(asked)
    lane.put(1, A, LONG)
    lane.run()
    monkeypatch.setattr("chalicelib.text.split", lambda text, limit: [text[:5], text[5:]])
    lane.give_again()
    assert lane.run() == []
    assert asked(site) == ["1", "1.2"]
    assert lane.outcomes()[-1] == ("1", 1, False, offering.CUT_OTHERWISE)


def test_a_message_stops_at_its_first_part_that_fails(lane: Lane, site: Site) -> None:
    site.answer = lambda asked: says("permanent") if asked.form["id"] == "1.2" else accepted(asked)
    lane.put(1, A, LONG)
    assert lane.run() == []
    assert asked(site) == ["1", "1.2"]
    assert lane.outcomes() == [("1", 0, True, "x1"), ("1", 1, False, "as told")]


# --- what is not to be sent ---------------------------------------------------------------------------------------


def test_what_is_too_old_has_failed_as_far_as_it_was_not_accepted(lane: Lane, site: Site) -> None:
    site.answer = lambda asked: says("temporary") if asked.form["id"] == "1.2" else accepted(asked)
    lane.put(1, A, LONG)
    lane.run()
    lane.clock[0] = DAY
    lane.give_again()
    assert lane.run() == []
    assert len(site.asked) == 2
    told = set(lane.outcomes())
    assert ("1", 0, True, "x1") in told
    assert {part for _, part, ok, why in told if not ok and why == "expired"} == {1, 2, 3, 4}
    assert "expired" in [hop["hop"] for hop in trace.read("1")]


def test_no_request_is_begun_without_the_time_to_end_it(lane: Lane, site: Site) -> None:
    lane.put(1, A)
    assert lane.run(seconds=34.9) == ["1"]
    assert site.asked == []
    lane.give_again()
    assert lane.run(seconds=35.5) == []


@pytest.mark.parametrize("body", ["nonsense", "{}", '{"key": {"channel": "secret text"}}'])
def test_a_record_that_cannot_be_read_is_for_a_human(lane: Lane, aws: Aws, body: str) -> None:
    aws.put_raw(LANE, body, group="g")
    lane.put(1, A)
    assert lane.run() == []
    (dead,) = aws.receive("lane-fast-dlq.fifo")["Records"]
    reason = dead["messageAttributes"]["reason"]["StringValue"]
    assert (dead["body"], reason.partition(":")[0]) == (body, "not a record of a lane")
    assert "secret text" not in reason
    assert [told[0] for told in lane.outcomes()] == ["1"]


def test_what_a_channel_type_did_not_foresee_is_in_doubt_and_leaks_nothing(lane: Lane, site: Site) -> None:
    site.answer = lambda asked: says("a new one")  # Scripted raises KeyError: its text is not ours to log
    lane.put(1, A, "private")
    with logged() as lines:
        assert lane.run() == ["1"]
    out = lines.getvalue()
    assert "channel_type_failed" in out
    assert "KeyError at lane.py" in out
    assert not [secret for secret in ("a new one", "private", "k-first", A) if secret in out]
    assert [hop["reason"] for hop in trace.read("1") if hop["hop"] == "in_doubt"] == ["internal error: KeyError"]


def test_the_trace_has_the_exchange_without_the_secret(lane: Lane) -> None:
    lane.put(1, A, "private")
    lane.run()
    (hop,) = [hop for hop in trace.read("1") if hop["hop"] == "wired"]
    assert "private" in hop["exchanges"][0]["request"]
    assert hop["external_id"] == "x1"
    assert "k-first" not in json.dumps(hop)


def test_nothing_is_lost_while_the_ledger_is_away(lane: Lane, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    lane.put(1, A)
    registry.channel(CHANNEL)
    registry.settings_of(registry.channel(CHANNEL))
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    clients.reset()
    assert lane.run() == ["1"]
    assert lane.holds == [(1, 10)]
    monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB")
    clients.reset()
    lane.give_again()
    assert lane.run() == []
    assert asked(site) == ["1"]
