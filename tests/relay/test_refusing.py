"""A bind that refuses what others take: it is left alone, but for a try now and then."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib import attempts
from smsc_relay import refusing
from smsc_relay.refusing import ENOUGH, Refusing
from tests.lane import logged
from tests.relay.conftest import World, eventually, relaying
from tests.relay.smsc import Session, Smsc
from tests.relay.test_announced import lines
from tests.relay.test_mute import everybody, link

WINDOW = 5


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "BACKOFF", (1, 1, 1))


class Idle:
    in_flight = 0


def bind() -> Any:
    return Idle()


def test_a_bind_rests_when_it_refuses_what_another_takes() -> None:
    binds, sick, well = Refusing(), bind(), bind()
    both = [sick, well]
    rooms = {sick: 5, well: 5}
    assert [binds.refused(sick, float(n)) for n in range(2 * ENOUGH)] == [0.0] * 2 * ENOUGH, "nobody takes anything"
    binds.accepted(well, 20.0)
    assert binds.refused(sick, 20.0) == 1.0
    assert binds.rests(sick)
    assert binds.rooms(rooms, both, 20.5) == {well: 5}
    assert binds.next(both, 20.5) == 21.0
    assert binds.refused(sick, 20.5) == 0.0, "it was on its way"
    assert binds.rooms(rooms, both, 21.0) == {sick: 1, well: 5}
    assert binds.rooms({sick: 5}, both, 20.5) == {}, "that the other has no room makes it no better"
    sick.in_flight = 1
    assert binds.rooms(rooms, both, 21.0) == {well: 5}
    assert [binds.refused(sick, at) for at in (21.0, 23.0, 27.0)] == [2.0, 4.0, 8.0]
    assert binds.rooms({sick: 5}, [sick], 30.0) == {sick: 5}, "it is the only one"
    binds.accepted(sick, 35.0)
    assert not binds.rests(sick)
    assert binds.rooms(rooms, both, 35.0) == rooms
    assert binds.next(both, 35.0) is None


def test_refusals_that_are_not_in_a_row_are_no_matter_of_the_bind() -> None:
    binds, one, other = Refusing(), bind(), bind()
    for now in range(100):
        for each in (one, other):
            (binds.accepted if now % ENOUGH == 0 else binds.refused)(each, float(now))
    assert not binds.rests(one)
    assert not binds.rests(other)


def test_a_new_session_begins_anew() -> None:
    binds, sick, well = Refusing(), bind(), bind()
    for now in range(ENOUGH):
        binds.accepted(well, float(now))
        binds.refused(sick, float(now))
    assert binds.rests(sick)
    binds.ended(sick)
    assert not binds.rests(sick)
    assert binds.next([sick, well], 9.0) is None


@pytest.mark.parametrize("error", ["temporary", "throttled"])
async def test_a_bind_that_refuses_everything_gets_little_and_the_other_takes_it_all(world: World, error: str) -> None:
    sick: list[Session] = []
    refused: list[str] = []

    def answer(said: dict[str, Any]) -> dict[str, Any]:
        mine = next(one for one in smsc.sessions if one.open.get(said["n"]) is said)
        if mine in sick:
            refused.append(said["id"])
            return {"error": error}
        return {"id": f"x{said['id']}-{said['part']}"}

    async with Smsc(answer) as smsc:
        world.account(smsc, binds=2, window=WINDOW)
        async with relaying() as relay:
            await smsc.until(lambda: len(smsc.sessions) == len(smsc.logins) == 2)
            sick.append(smsc.sessions[0])
            with logged() as log:
                world.put_many(80)
                await world.lane_empty()
            told = [one["reason"] for one in lines(log.getvalue(), "bind_refuses")]
            assert told
            assert told[0].endswith("-transceiver refuses what others take: as told 7")
            assert link(relay)["error"].endswith("as told 7")
            assert len(refused) <= ENOUGH + WINDOW + len(told)
            sick.clear()
            before = len(refused)
            world.put_many(80, first=100)
            await world.lane_empty()
            assert len(refused) == before
    assert sorted(one[0] for one in world.outcomes()) == sorted(everybody(80) + [str(n) for n in range(100, 180)])


async def test_it_is_used_again_when_it_takes_something(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusing, "FIRST", 0.2)
    sick: list[Session] = []
    over: list[Session] = []

    def answer(said: dict[str, Any]) -> dict[str, Any]:
        mine = next(one for one in smsc.sessions if one.open.get(said["n"]) is said)
        if mine in sick:
            return {"error": "temporary"}
        over.append(mine)
        return {"id": f"x{said['id']}-{said['part']}"}

    async with Smsc(answer) as smsc:
        world.account(smsc, binds=2, window=1)
        async with relaying():
            await smsc.until(lambda: len(smsc.sessions) == len(smsc.logins) == 2)
            first = smsc.sessions[0]
            sick.append(first)
            with logged() as log:
                world.put_many(40)
                await eventually(lambda: lines(log.getvalue(), "bind_refuses"))
                sick.clear()
                number = 100
                while first not in over:
                    world.put_many(10, first=number)
                    await world.lane_empty()
                    number += 10


async def test_an_smsc_that_says_how_loaded_it_is_is_quoted(world: World) -> None:
    async with Smsc() as smsc:
        world.account(smsc)
        with logged() as log:
            async with relaying() as relay:
                await smsc.until(lambda: smsc.logins)
                for level in (50, 95, 100):
                    smsc.sessions[0].say({"op": "load", "level": level})
                await eventually(lambda: link(relay)["error"] == "congestion_state 100")
    (told,) = lines(log.getvalue(), "smsc_throttles")
    assert told["reason"] == "congestion_state 95"
