"""The relay and what an operator has frozen: MTs stop within seconds, the rest goes on, what is cancelled fails."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from chalicelib import clock, freezes, queues
from smsc_relay.link import Timing
from tests.relay.conftest import BULK, LANE, World, eventually, relaying
from tests.relay.smsc import Smsc
from tests.support import CHANNEL

OTHER = CHANNEL.replace("6f1d", "7f1d")
AT_ONCE = Timing(poll=1, spare=1.0, drain=5.0, record=5.0, refresh=0.2, freezes=0.05)


def now() -> int:
    return clock.now_ms()


def frozen(relay: Any) -> bool:
    """The link has heard of it."""
    return bool(relay._links["fast"]._traffic.frozen)


def measured(relay: Any) -> tuple[str, float]:
    """What the metric `frozen` is now."""
    found: tuple[str, float] = relay._links["fast"].gauges.measures()["frozen"]
    return found


async def test_nothing_is_submitted_while_frozen_and_all_is_afterwards(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc)
        freezes.freeze("aggregator", "fast", "", now())
        world.put_many(20)
        world.put(90, bulk=True)
        async with relaying(AT_ONCE) as relay:
            await smsc.until(lambda: len(smsc.logins) == 1)
            await eventually(lambda: frozen(relay))
            smsc.deliver({"from": "+250788000001", "text": "hi"}, {"id": "x1", "status": "delivered"})
            await eventually(lambda: world.aws.depth(queues.EVENTS) == 2)
            assert smsc.submits == []
            assert world.in_lane() == (20, 0), "they wait in their lane, nobody holds them"
            assert measured(relay) == ("Count", 1.0), "the dashboard shows it"
            freezes.thaw("aggregator", "fast", now())
            await world.lane_empty(LANE, BULK)
    assert sorted(Counter(smsc.ids()).values()) == [1] * 21
    assert [accepted for _, _, accepted, _ in world.outcomes()] == [True] * 21


async def test_a_broadcast_under_way_stops_and_what_is_in_the_window_is_finished(world: World) -> None:
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, window=5)
        world.put_many(40)
        async with relaying(AT_ONCE) as relay:
            await smsc.until(lambda: len(smsc.submits) == 5)
            freezes.freeze("aggregator", "fast", "", now())
            await eventually(lambda: frozen(relay))
            smsc.answer = lambda said: {"id": said["id"]}
            smsc.answer_open()
            await eventually(lambda: world.in_lane() == (35, 0))
            assert len(smsc.submits) == 5
            freezes.thaw("aggregator", "fast", now())
            await world.lane_empty()
    assert Counter(smsc.ids()) == Counter(str(number) for number in range(1, 41)), "each once"


@pytest.mark.parametrize("connected", [pytest.param(True, id="connected"), pytest.param(False, id="smsc-away")])
async def test_what_is_cancelled_fails_once_and_what_comes_later_waits(world: World, *, connected: bool) -> None:
    early = now()
    async with Smsc() as smsc:
        world.account(smsc)
        for number in range(1, 31):
            world.put(number, first_seen=early)
        world.put(50, bulk=True, first_seen=early)
        world.put(60, first_seen=early + 600_000)
        freezes.freeze("aggregator", "fast", "runaway broadcast", early + 1000, cancel=True)
        if not connected:
            smsc.login = lambda said: {"op": "refused", "reason": "no", "credentials": True}
        async with relaying(AT_ONCE):
            await world.lane_empty(LANE, BULK)
    assert smsc.submits == []
    told = world.outcomes()
    assert [one[0] for one in told] == sorted([*map(str, range(1, 31)), "50"])
    assert {one[1:] for one in told} == {(0, False, "cancelled with aggregator fast: runaway broadcast")}
    assert "later" in world.hops("60")
    assert "refused" in world.hops("1")


async def test_cancelled_while_the_relay_has_them(world: World) -> None:
    """What the SMSC has not answered is finished, all that has not been submitted fails."""
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, window=2)
        world.put_many(20)
        async with relaying(AT_ONCE):
            await smsc.until(lambda: len(smsc.submits) == 2)
            freezes.freeze("aggregator", "fast", "", now(), cancel=True)
            await eventually(lambda: sum(world.in_lane()) == 2)
            smsc.answer = lambda said: {"id": said["id"]}
            smsc.answer_open()
            await world.lane_empty()
    assert len(smsc.submits) == 2
    told = world.outcomes()
    assert len({one[0] for one in told}) == len(told) == 20
    assert Counter(one[2] for one in told) == {True: 2, False: 18}


async def test_a_copy_of_what_was_accepted_is_told_again_and_not_as_cancelled(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc)
        record = world.put(1)
        async with relaying(AT_ONCE):
            await world.lane_empty()
            async with world.recording():
                await world.lane_empty(queues.EVENTS)
        freezes.freeze("aggregator", "fast", "", now(), cancel=True)
        entry = queues.lane_entry(record.model_copy(update={"suspect": True}))
        queues.send(LANE, queues.Entry(entry.body, entry.group, "another"))
        async with relaying(AT_ONCE):
            await world.lane_empty()
    assert smsc.ids() == ["1"]
    assert world.outcomes() == [("1", 0, True, "x1-0")]


@pytest.mark.parametrize("known", [pytest.param(True, id="known"), pytest.param(False, id="new-to-the-relay")])
async def test_a_workspace_is_frozen_and_its_neighbour_is_not(world: World, *, known: bool) -> None:
    late = Timing(poll=1, spare=1.0, drain=5.0, record=5.0, refresh=600, freezes=0.05)
    async with Smsc() as smsc:
        world.account(smsc)
        if known:
            world.channel(OTHER, address="9090", workspace="other")
        freezes.freeze("workspace", "other", "", now())
        async with relaying(AT_ONCE if known else late) as relay:
            await smsc.until(lambda: len(smsc.logins) == 1)
            if not known:
                world.channel(OTHER, address="9090", workspace="other")
            world.put(1)
            world.put(2, channel=OTHER)
            await world.lane_empty()
            assert smsc.ids() == ["1"]
            freezes.freeze("workspace", "other", "", now(), cancel=True)
            await eventually(lambda: relay._freezes == freezes.load())
            world.put(3, channel=OTHER, first_seen=now() - 1000)
            await world.lane_empty()
    assert smsc.ids() == ["1"]
    assert "later" in world.hops("2")
    assert world.outcomes() == [("1", 0, True, "x1-0"), ("3", 0, False, "cancelled with workspace other")]
