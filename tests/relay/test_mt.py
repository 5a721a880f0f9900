"""MTs through a relay: from the lane to an SMSC and their outcomes back, whatever the SMSC answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from chalicelib import attempts, depths, queues, waypoints
from chalicelib.messages import Outgoing
from chalicelib.records import Event, LaneRecord, Outcome
from smsc_relay.jobs import Job
from smsc_relay.lanes import AHEAD
from smsc_relay.outbox import Outbox, Parcel
from smsc_relay.protocol import Plan, Segment
from smsc_relay.settling import Settling
from tests.relay.conftest import BULK, LANE, QUICK, World, eventually, received, relaying
from tests.relay.smsc import Smsc
from tests.relay.toy import ToyConfig, ToyConversation, ToyDialect
from tests.support import CHANNEL


async def test_a_message_becomes_an_outcome_and_leaves_its_lane(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc, part=3)
        world.put(7, text="abcdefg")
        async with relaying():
            await world.lane_empty()
    assert [(said["part"], said["text"]) for said in smsc.submits] == [(0, "abc"), (1, "def"), (2, "g")]
    assert len({said["ref"] for said in smsc.submits}) == 1
    assert world.outcomes() == [("7", 0, True, "x7-0"), ("7", 1, True, "x7-1"), ("7", 2, True, "x7-2")]
    assert world.hops("7").count("wired") == 3
    assert "claimed" in world.hops("7")


async def test_the_record_stays_until_its_outcome_is_in_the_queue(world: World) -> None:
    """At the moment when SQS has the outcome, the record is still in its lane."""
    seen: list[tuple[int, tuple[int, int]]] = []

    def look(name: str) -> None:
        if name == "relay.outcome_queued":
            seen.append((world.aws.depth(queues.EVENTS), world.in_lane()))

    async with Smsc() as smsc:
        world.account(smsc)
        world.put(1)
        waypoints.install(look)
        try:
            async with relaying():
                await world.lane_empty()
        finally:
            waypoints.install(None)
    assert seen == [(1, (0, 1))]


async def test_while_outcomes_cannot_be_queued_few_are_sent_and_none_is_deleted(world: World) -> None:
    """`unrecorded` stops the bind: a crash now could send twice no more than that, and the window."""
    async with Smsc() as smsc:
        world.account(smsc, window=5, part=1)
        for number in range(1, 7):
            world.put(number, text="twenty segments each")
        bring_back = world.without_events()
        async with relaying() as relay:

            def stands_still() -> bool:
                (bind,) = relay.report()["links"]["fast"]["binds"]
                return bind["unrecorded"] >= 50 and not bind["in_flight"]

            await smsc.until(lambda: len(smsc.submits) >= 50)
            await eventually(stands_still)
            assert 50 <= len(smsc.submits) <= 50 + 5
            assert sum(world.in_lane()) == 6
            bring_back()
            await world.lane_empty()
    assert len(smsc.submits) == 6 * 20
    assert len(world.outcomes()) == 6 * 20


async def test_the_window_is_never_exceeded_and_little_is_received_ahead(world: World) -> None:
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, window=3)
        world.put_many(40)
        async with relaying():
            for answered in (0, 3, 6):
                await smsc.until(partial(_submitted, smsc, answered + 3))
                await eventually(partial(_left, world, 40 - answered))
                assert world.in_lane()[1] <= 3 + AHEAD
                smsc.answer_open()
            smsc.answer = lambda said: {"id": said["id"]}
            smsc.answer_open()
            await world.lane_empty()
    assert smsc.most_open == 3


async def test_an_open_window_is_filled_before_outcomes_are_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    publish, submit = Settling.publish, ToyConversation.submit

    def published(self: Settling, job: Job, *rest: Any) -> None:
        done.append(f"told {job.record.key.id}")
        publish(self, job, *rest)

    def submitted(self: ToyConversation, segment: Segment, context: Any, now: float) -> None:
        done.append(f"submitted {context.job.record.key.id}")
        submit(self, segment, context, now)

    monkeypatch.setattr(Settling, "publish", published)
    monkeypatch.setattr(ToyConversation, "submit", submitted)
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, window=4)
        world.put_many(8)
        async with relaying() as relay:
            await smsc.until(partial(_submitted, smsc, 4))
            await eventually(lambda: relay.report()["links"]["fast"]["in_hand"] == 8)
            smsc.answer = lambda said: {"id": said["id"]}
            smsc.answer_open()
            await world.lane_empty()
    assert done[:12] == [f"submitted {n}" for n in range(1, 9)] + [f"told {n}" for n in range(1, 5)]


async def test_a_message_is_cut_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[str] = []
    plan = ToyDialect.plan

    def planned(self: ToyDialect, message: Outgoing, config: ToyConfig, reference: int) -> Plan:
        cut.append(message.key)
        return plan(self, message, config, reference)

    monkeypatch.setattr(ToyDialect, "plan", planned)
    async with Smsc() as smsc:
        world.account(smsc, window=1)
        world.put_many(5)
        async with relaying():
            await world.lane_empty()
    assert sorted(cut) == ["1", "2", "3", "4", "5"]


async def test_what_could_not_be_told_is_in_doubt_and_the_others_are_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, faults = Outbox.put, ["1"]

    def faulty(self: Outbox, event: Event, parcel: Parcel) -> None:
        if isinstance(event, Outcome) and event.key.id in faults:
            faults.clear()
            raise RuntimeError("a fault of ours")
        put(self, event, parcel)

    monkeypatch.setattr(Outbox, "put", faulty)
    monkeypatch.setattr(attempts, "BACKOFF", (1, 1, 1))
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, window=2)
        world.put_many(2)
        async with relaying():
            await smsc.until(partial(_submitted, smsc, 2))
            smsc.answer = lambda said: {"id": said["id"]}
            smsc.answer_open()
            await world.lane_empty()
    assert "in_doubt" in world.hops("1")
    assert sorted(outcome[0] for outcome in world.outcomes()) == ["1", "2"]


def _submitted(smsc: Smsc, count: int) -> bool:
    return len(smsc.submits) >= count


def _left(world: World, count: int) -> bool:
    return sum(world.in_lane()) == count


async def test_two_binds_share_the_work_and_a_message_goes_over_one(world: World) -> None:
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, binds=2, window=4, part=1)
        async with relaying():
            await smsc.until(lambda: len(smsc.sessions) == 2 and len(smsc.logins) == 2)
            for number in (1, 2):
                world.put(number, text="abcd")
            await smsc.until(lambda: len(smsc.submits) == 8)
            used = [{said["id"] for said in session.open.values()} for session in smsc.sessions]
            smsc.answer_open()
            await world.lane_empty()
    assert sorted(used, key=sorted) == [{"1"}, {"2"}]


async def test_a_contact_is_served_in_order_though_the_first_is_refused_for_now(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is behind it waits with it; other contacts do not."""
    monkeypatch.setattr(attempts, "BACKOFF", (1, 1, 1))
    refused: list[str] = []

    def answer(said: dict[str, Any]) -> dict[str, Any]:
        if said["id"] == "1" and len(refused) < 2:
            refused.append(said["id"])
            return {"error": "temporary"}
        return {"id": said["id"]}

    async with Smsc(answer) as smsc:
        world.account(smsc)
        for number in (1, 2, 3):
            world.put(number, to="+250788000001")
        world.put(9, to="+250788000002")
        async with relaying():
            await world.lane_empty()
    order = smsc.ids()
    assert order.index("9") < order.index("2")
    assert [one for one in order if one != "9"] == ["1", "1", "1", "2", "3"]
    assert "retry" in world.hops("1")


async def test_a_message_refused_for_long_lets_its_contact_pass(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After order_hold it waits in `later`, to come back as one that may have been tried."""
    monkeypatch.setattr(attempts, "ASIDE", (0,))
    async with Smsc(lambda said: {"error": "temporary"} if said["id"] == "1" else {"id": said["id"]}) as smsc:
        world.account(smsc)
        world.put(1, to="+250788000001", trouble_since=1, attempt=2)
        world.put(2, to="+250788000001")
        async with relaying():
            await world.lane_empty()
    assert smsc.ids() == ["1", "2"]
    (waiting,) = world.aws.bodies(queues.LATER)
    record = LaneRecord.from_body(waiting["body"])
    assert (waiting["queue"], record.attempt, record.suspect, record.trouble_since) == (LANE, 3, True, 1)


async def test_throttled_segments_alone_wait(world: World) -> None:
    """A fifth of all submits is throttled: all arrive, none fails, in order per contact, and the link goes on."""
    throttled: list[str] = []

    def answer(said: dict[str, Any]) -> dict[str, Any]:
        if int(said["id"]) % 5 == 0 and said["id"] not in throttled:
            throttled.append(said["id"])
            return {"error": "throttled"}
        return {"id": said["id"]}

    async with Smsc(answer) as smsc:
        world.account(smsc)
        world.put_many(50, phones=20)
        async with relaying():
            await world.lane_empty()
    took = [int(one) for one in smsc.ids() if smsc.ids().count(one) == 1 or throttled.count(one)]
    assert Counter(smsc.ids()) == Counter([*map(str, range(1, 51)), *throttled])
    for phone in range(20):
        contact = [one for one in took if one % 20 == phone]
        assert contact == sorted(contact)
    assert all(accepted for _, _, accepted, _ in world.outcomes())
    first, again = smsc.ids().index("5"), len(smsc.ids()) - 1 - smsc.ids()[::-1].index("5")
    assert again - first > 1, "others went meanwhile"


async def test_throttled_segments_that_wait_take_no_place_from_others(world: World) -> None:
    """More is received than the window and what is ahead of it, while the SMSC takes nothing."""
    async with Smsc(lambda said: {"error": "throttled"}) as smsc:
        world.account(smsc, window=1)
        world.put_many(60)
        async with relaying() as relay:
            await eventually(lambda: smsc.submits, 20)
            await eventually(lambda: relay.report()["links"]["fast"]["in_hand"] > 1 + AHEAD + 1, 60)
    assert not world.outcomes()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param({"to": "+999123"}, "the toy does not know this country", id="cannot be encoded"),
        pytest.param({"expires_at": 1}, "expired", id="too old"),
        pytest.param({"to": "+250788111111"}, "as told", id="refused for good"),
    ],
)
async def test_what_cannot_be_sent_has_failed(world: World, said: dict[str, Any], told: str) -> None:
    async with Smsc(lambda said: {"error": "permanent"}) as smsc:
        world.account(smsc)
        world.put(1, **said)
        async with relaying():
            await world.lane_empty()
    assert world.outcomes() == [("1", 0, False, told)]


async def test_a_part_refused_for_good_spares_the_others(world: World) -> None:
    async with Smsc(lambda said: {"error": "permanent"}) as smsc:
        world.account(smsc, window=1, part=1)
        world.put(1, text="abc")
        world.put(2, to="+250788100001")
        async with relaying():
            await world.lane_empty()
    assert [(said["id"], said["part"]) for said in smsc.submits] == [("1", 0), ("2", 0)]


async def test_records_that_nobody_can_read_need_a_human(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc)
        world.aws.put_raw(LANE, '{"key": 1}', group="g1")
        world.put(2)
        async with relaying():
            await world.lane_empty()
    (dead,) = queues.receive(queues.dlq_of(LANE), 30)
    assert dead.body == '{"key": 1}'
    assert dead.reason.startswith("not a record of a lane: key")
    assert smsc.ids() == ["2"]


async def test_replies_go_before_bulk_and_bulk_has_its_share(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While both wait at the link, each tenth is a bulk one."""
    came = received(monkeypatch)
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, window=1)
        for number in range(1, 31):
            world.put(number)
            world.put(100 + number, bulk=True)

        def waiting(*, bulk: bool) -> set[str]:
            return {one for one in came if (int(one) > 100) is bulk}.difference(smsc.ids())

        async with relaying():
            for count in range(1, 31):
                await smsc.until(lambda count=count: len(smsc.submits) == count)
                await eventually(lambda: waiting(bulk=False) and waiting(bulk=True))
                smsc.answer_open()
            smsc.answer = lambda said: {"id": said["id"]}
            await world.lane_empty(LANE, BULK)
    # The first may be any: the one lane's records come before the other's.
    assert [number for number, one in enumerate(smsc.ids()[1:30], 2) if int(one) > 100] == [10, 20, 30]
    assert len(smsc.ids()) == 60


async def test_an_account_in_trouble_waits_and_fails_nothing(world: World) -> None:
    """One message is the probe when the wait is over; no message is failed for the account."""
    well: list[bool] = []
    async with Smsc(lambda said: {"id": said["id"]} if well else {"error": "account"}) as smsc:
        world.account(smsc, window=4, refused_delay=1)
        world.put_many(12)
        async with relaying():
            await smsc.until(lambda: smsc.submits)
            await eventually(lambda: world.in_lane()[0] >= 8)
            assert len(smsc.submits) <= 4
            well.append(True)
            await world.lane_empty()
    assert sorted({one[0] for one in world.outcomes()}, key=int) == [str(n) for n in range(1, 13)]
    assert "paused" in world.hops(smsc.ids()[0])


async def test_a_disabled_channel_waits_aside(world: World) -> None:
    other = CHANNEL.replace("6f1d", "7f1d")
    world.channel(other, address="9090", enabled=False)
    async with Smsc() as smsc:
        world.account(smsc)
        world.put(1, channel=other)
        world.put(2)
        async with relaying():
            await world.lane_empty()
    assert smsc.ids() == ["2"]
    assert depths.of(queues.LATER).delayed == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(("trouble_since", "needs_a_human"), [(0, False), (1, True)], ids=["new", "for an hour"])
async def test_a_channel_nobody_knows_is_waited_for(world: World, trouble_since: int, needs_a_human: bool) -> None:
    async with Smsc() as smsc:
        world.account(smsc)
        world.put(1, channel=CHANNEL.replace("6f1d", "aaaa"), trouble_since=trouble_since)
        world.put(2)
        async with relaying():
            await world.lane_empty()
            await eventually(lambda: _waiting(queues.LATER) + _waiting(queues.dlq_of(LANE)) == 1)
    assert smsc.ids() == ["2"]
    assert bool(_waiting(queues.dlq_of(LANE))) is needs_a_human


async def test_a_channel_that_is_newer_than_what_was_read_is_found(world: World) -> None:
    other = CHANNEL.replace("6f1d", "7f1d")
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying(replace(QUICK, refresh=3600.0)):
            await smsc.until(lambda: smsc.logins)
            world.channel(other, address="9090", config={"part": 1})  # with a setting of its own
            world.put(1, channel=other, text="ab")
            await world.lane_empty()
    assert [said["text"] for said in smsc.submits] == ["a", "b"]


def _waiting(queue: str) -> int:
    depth = depths.of(queue)
    return depth.total if depth else 0


async def test_records_are_kept_for_as_long_as_they_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace is slow, the visibility short: it is extended, so that nobody is given what we hold."""
    came = received(monkeypatch)
    async with Smsc() as smsc:
        world.account(smsc, max_tps=1, response_timeout=1)
        world.put_many(12)
        async with relaying():
            await world.lane_empty()
    assert Counter(smsc.ids()) == Counter(str(n) for n in range(1, 13))
    assert len(came) == len(set(came)) == 12


async def test_nothing_is_received_while_no_bind_is_up(world: World) -> None:
    async with Smsc() as smsc:
        smsc.login = lambda said: {}
        world.account(smsc)
        world.put(1)
        async with relaying():
            await smsc.until(lambda: smsc.logins)
            await asyncio.sleep(0)
            assert world.in_lane() == (1, 0)
            smsc.login = lambda said: {"op": "welcome"}
            smsc.drop()
            await world.lane_empty()
    assert smsc.ids() == ["1"]


async def test_what_waits_for_a_channel_that_has_moved_is_sent_as_it_was_to_be(world: World) -> None:
    """By the link that it was queued for, with the channel's settings there; nothing goes twice."""
    async with Smsc() as smsc, Smsc() as other:
        world.account(smsc)
        world.account(other, "slow")
        world.channel(config={"part": 4})
        for number in range(1, 6):
            world.put(number, text="abcdef")
        world.put(6, text="abcdef", suspect=True)
        world.channel(aggregator="slow", address="9090", config={"part": 2})
        world.put(7, text="abcdef", aggregator="slow")
        async with relaying():
            await world.lane_empty(LANE, "lane-slow.fifo")
    assert sorted((said["id"], said["text"]) for said in smsc.submits) == sorted(
        (str(number), text) for number in range(1, 7) for text in ("abcd", "ef")
    )
    assert [said["text"] for said in other.submits] == ["ab", "cd", "ef"]


async def test_a_channel_that_moves_while_the_link_runs_changes_nothing_for_what_it_has(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc)
        smsc.answer = lambda said: None
        world.put(1)
        async with relaying() as relay:
            await smsc.until(lambda: smsc.submits)
            world.channel(aggregator="slow", address="9090")
            world.put(2)
            await smsc.until(lambda: len(smsc.submits) == 2)
            smsc.answer_open()
            await world.lane_empty()
            assert relay.report()["links"].keys() == {"fast"}
    assert smsc.ids() == ["1", "2"]
