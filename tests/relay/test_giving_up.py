"""What a bind does when its permit says so: gives up gracefully, drops, goes slower."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from smsc_relay.pace import Pace
from smsc_relay.permits import Claim, Free, Holder
from tests.relay.conftest import World, eventually, relaying
from tests.relay.smsc import Smsc


class Hand(Free):
    """Permits that the test gives and takes."""

    def __init__(self) -> None:
        self.allowed: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self.holders: dict[int, Holder] = {}
        self.returned: list[int] = []

    @asynccontextmanager
    async def hold(self, claim: Claim, holder: Holder, failures: int) -> AsyncIterator[None]:
        await self.allowed[claim.number].wait()
        self.holders[claim.number] = holder
        try:
            yield
        finally:
            del self.holders[claim.number]
            self.returned.append(claim.number)

    def allow(self, *numbers: int) -> None:
        for number in numbers:
            self.allowed[number].set()

    def take_back(self, number: int) -> Holder:
        """The bind is not to be held again; answers who holds it."""
        self.allowed[number].clear()
        return self.holders[number]


async def test_a_bind_that_is_given_up_waits_for_its_answers_and_the_rest_goes_another_way(world: World) -> None:
    hand = Hand()
    hand.allow(1, 2)
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, binds=2, window=4)
        async with relaying(permits=hand):
            await smsc.until(lambda: len(smsc.sessions) == len(smsc.logins) == 2)
            world.put_many(16)
            await smsc.until(lambda: len(smsc.submits) == 8)
            hand.take_back(1).give_up()
            assert (smsc.byes, hand.returned) == (0, [])
            smsc.answer_open()
            await smsc.until(lambda: smsc.byes == 1 and len(smsc.sessions) == 1)
            await eventually(lambda: hand.returned == [1])
            await smsc.until(lambda: len(smsc.submits) == 12)
            assert smsc.most_open == 4
            smsc.answer = lambda said: {"id": said["id"]}
            smsc.answer_open()
            await world.lane_empty()
    assert Counter(smsc.ids()) == Counter(str(number) for number in range(1, 17)), "each once"
    assert len(world.outcomes()) == 16


async def test_the_only_bind_given_up_its_messages_go_back_to_their_lane_at_once(world: World) -> None:
    hand = Hand()
    hand.allow(1)
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, window=2, part=1)
        async with relaying(permits=hand):
            await smsc.until(lambda: len(smsc.logins) == 1)
            world.put(1, text="abcd")
            world.put_many(5, first=2, text="m")
            await smsc.until(lambda: len(smsc.submits) == 2)
            hand.take_back(1).give_up()
            smsc.answer_open()
            await eventually(lambda: hand.returned == [1])
            await eventually(lambda: world.in_lane()[1] == 0 and world.in_lane()[0] >= 4)
            smsc.answer = lambda said: {"id": f"{said['id']}-{said['part']}"}
            hand.allow(1)
            await world.lane_empty(seconds=60)
    sent = Counter((said["id"], said["part"]) for said in smsc.submits)
    assert sent == Counter([*(("1", part) for part in range(4)), *((str(number), 0) for number in range(2, 7))])


async def test_a_bind_that_must_drop_closes_though_answers_are_due(world: World) -> None:
    hand = Hand()
    hand.allow(1)
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, window=2)
        world.put_many(2)
        async with relaying(permits=hand):
            await smsc.until(lambda: len(smsc.submits) == 2)
            hand.take_back(1).drop()
            await smsc.until(lambda: not smsc.sessions)
            assert smsc.byes == 0
            await eventually(lambda: hand.returned == [1])


@pytest.mark.parametrize("word", ["drop", "give_up"])
async def test_a_bind_that_waits_after_a_refusal_is_let_go(world: World, word: str) -> None:
    hand = Hand()
    hand.allow(1)
    async with Smsc() as smsc:
        smsc.login = lambda said: {"op": "refused", "reason": "no", "credentials": True}
        world.account(smsc, refused_delay=600)
        async with relaying(permits=hand) as relay:
            await eventually(lambda: _state(relay) == "refused")
            assert hand.returned == [], "kept: another's try would be one more"
            getattr(hand.take_back(1), word)()
            await eventually(lambda: hand.returned == [1])
            assert len(smsc.logins) == 1


@pytest.mark.parametrize("word", ["drop", "give_up"])
async def test_a_bind_that_is_logging_in_is_let_go(world: World, word: str) -> None:
    hand = Hand()
    hand.allow(1)
    async with Smsc() as smsc:
        smsc.login = lambda said: {}
        world.account(smsc)
        async with relaying(permits=hand):
            await smsc.until(lambda: len(smsc.logins) == 1)
            getattr(hand.take_back(1), word)()
            await eventually(lambda: hand.returned == [1])
            await smsc.until(lambda: not smsc.sessions)


async def test_a_link_sends_at_its_part_of_the_accounts_rate(world: World) -> None:
    hand = Hand()
    hand.allow(1, 2)
    async with Smsc() as smsc:
        world.account(smsc, binds=2, max_tps=40)
        async with relaying(permits=hand) as relay:
            await smsc.until(lambda: len(smsc.logins) == 2)
            assert relay.report()["links"]["fast"]["allowed"] == 40
            hand.holders[1].shared(0.25)
            assert relay.report()["links"]["fast"]["allowed"] == 10
            hand.holders[1].shared(1.0)
            assert relay.report()["links"]["fast"]["allowed"] == 40


def test_a_pace_that_was_throttled_stays_as_far_below_its_limit() -> None:
    pace = Pace(100, 0.0)
    for n in range(100):
        pace.taken(n / 100)
        pace.throttled(n / 100)
    pace.throttled(1.5)
    below = pace.rate
    assert below < 100
    pace.limit_to(50, 2.0)
    assert pace.rate == pytest.approx(below / 2)
    pace.spend(2.0)
    pace.limit_to(1000, 2.0)
    assert pace.wait(2.0) <= 1 / pace.rate


def _state(relay: Any) -> str:
    return str(relay.report()["links"].get("fast", {"binds": [{"state": ""}]})["binds"][0]["state"])
