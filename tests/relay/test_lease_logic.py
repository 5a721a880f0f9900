"""Leases in virtual time: who holds what, and when, whatever goes wrong. No socket, no AWS."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping

import pytest

from smsc_relay.sharing import Item, Watch, may_take, must_give
from smsc_relay.terms import DEFAULT_TTL, Terms
from tests.relay.virtual import Smsc, Store, Task, run

TTL = DEFAULT_TTL
WATCHED = Terms(TTL).watched


async def up_to(count: int, *tasks: Task, within: float = 60.0) -> float:
    """Wait until the tasks have so many binds up together; answers the virtual seconds that it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while sum(task.up for task in tasks) != count:
        assert loop.time() - began <= within, [task.up for task in tasks]
        await asyncio.sleep(0.05)
    return loop.time() - began


# --- the rules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "members", "size", "expected"),
    [
        pytest.param({}, "a", 3, 3, id="alone: all"),
        pytest.param({}, "ab", 3, 2, id="one more than half of an odd number"),
        pytest.param({"a": 1}, "ab", 3, 1, id="that one more, while there is enough for the other"),
        pytest.param({"a": 1, "b": 1}, "ab", 3, 1, id="the last one"),
        pytest.param({"a": 2}, "ab", 3, 0, id="no second one more"),
        pytest.param({"a": 1, "b": 2}, "abc", 4, 0, id="what is left is the third's"),
        pytest.param({"x": 2}, "ab", 3, 1, id="another's that is not there any more is not free yet"),
        pytest.param({"x": 3}, "a", 3, 0, id="nothing free"),
        pytest.param({}, "abc", 1, 1, id="one bind, three tasks: whoever is first"),
        pytest.param({"b": 1}, "abc", 1, 0, id="one bind, held"),
        pytest.param({}, "bc", 2, 0, id="who cannot reach the SMSC leaves it to those who can"),
        pytest.param({}, "", 2, 2, id="unless nobody can"),
    ],
)
def test_what_a_may_take(held: Mapping[str, int], members: str, size: int, expected: int) -> None:
    assert may_take("a", held, members, size) == expected


@pytest.mark.parametrize(
    ("held", "members", "size", "expected"),
    [
        pytest.param({"a": 3}, "ab", 3, True, id="another has come"),
        pytest.param({"a": 2, "b": 1}, "ab", 3, False, id="as even as it gets"),
        pytest.param({"a": 2, "b": 2}, "abc", 4, True, id="two have more than the least, the first of them gives"),
        pytest.param({"b": 2, "a": 2, "c": 0}, "abc", 4, True, id="the first by name"),
        pytest.param({"a": 1, "b": 3}, "abc", 4, False, id="the fullest gives"),
        pytest.param({"a": 2}, "ab", 3, False, id="there is a free one to take"),
        pytest.param({"a": 2}, "abc", 2, True, id="two binds of one task are one too many where there are others"),
        pytest.param({"a": 1}, "abc", 1, False, id="one bind is not passed round"),
        pytest.param({"a": 2}, "bc", 2, False, id="not a member: it is on its way out by itself"),
    ],
)
def test_when_a_must_give(held: Mapping[str, int], members: str, size: int, expected: bool) -> None:
    assert must_give("a", held, members, size) is expected


@pytest.mark.parametrize("size", range(1, 8))
@pytest.mark.parametrize("members", range(1, 6))
def test_giving_and_taking_end_even_from_wherever_they_start(size: int, members: int) -> None:
    names = [f"t{number}" for number in range(members)]
    for seed in range(20):
        dice = random.Random(seed)
        held = dict.fromkeys(names, 0)
        for _ in range(dice.randint(0, size)):
            held[dice.choice(names)] += 1
        for _ in range(100):
            name = dice.choice(names)
            if must_give(name, held, names, size):
                held[name] -= 1
            elif may_take(name, held, names, size):
                held[name] += 1
        assert sum(held.values()) == size
        assert max(held.values()) - min(held.values()) <= 1, held


def test_a_lease_is_dead_when_it_has_been_seen_untouched_for_long_enough() -> None:
    watch = Watch(Terms(TTL))
    lease, touched = Item("lease#a#1", "x", "1", TTL), Item("lease#a#1", "x", "2", TTL)
    watch.saw([lease], began=100.0, ended=101.0)
    watch.saw([lease], began=101.0 + WATCHED - 0.1, ended=101.0 + WATCHED + 9)
    assert not watch.dead(lease.key), "by when the look began: its answer may have been under way for long"
    watch.saw([touched], began=101.0 + WATCHED, ended=140.0)
    assert not watch.dead(lease.key)
    watch.saw([touched], began=140.0 + WATCHED, ended=140.0 + WATCHED)
    assert watch.dead(lease.key)
    watch.saw([], began=200.0, ended=200.0)
    assert not watch.dead(lease.key)


def test_a_lease_that_its_owner_made_longer_is_watched_for_longer() -> None:
    watch = Watch(Terms(4))
    lease = Item("lease#a#1", "x", "1", 40.0)
    watch.saw([lease], 0.0, 0.0)
    watch.saw([lease], Terms(4).watched, 10.0)
    assert not watch.dead(lease.key)
    watch.saw([lease], Terms(40).watched, 60.0)
    assert watch.dead(lease.key)


# --- tasks ------------------------------------------------------------------------------------------------------------


def test_alone_a_task_has_all_binds_at_once() -> None:
    async def main() -> None:
        task = await Task("a", Store(), Smsc(), 3).start()
        assert await up_to(3, task) <= 0.1
        assert {bind.part for bind in task.binds} == {1.0}
        await task.stop()

    run(main())


def test_it_renews_four_times_a_length_and_writes_little_else() -> None:
    async def main() -> None:
        task = await Task("a", Store(), Smsc(), 2).start()
        await asyncio.sleep(100 * TTL)
        assert task.view.calls["renew"] == pytest.approx(2 * 400, abs=4)
        assert task.view.calls["look"] == pytest.approx(400, abs=8)
        assert task.view.calls["take"] == 2
        assert sum(bind.dropped + bind.given_up for bind in task.binds) == 0
        await task.stop()

    run(main())


def test_those_who_come_get_their_share_without_a_bind_being_dropped() -> None:
    async def main() -> None:
        store, smsc = Store(), Smsc()
        tasks = [await Task("a", store, smsc, 3).start()]
        await up_to(3, *tasks)
        for name in ("b", "c"):
            tasks.append(await Task(name, store, smsc, 3).start())
            await asyncio.sleep(2 * TTL)
            assert sum(task.up for task in tasks) == 3
            assert max(task.up for task in tasks) - min(task.up for task in tasks) <= 1
        assert [bind.part for task in tasks for bind in task.binds if bind.up] == [pytest.approx(1 / 3)] * 3
        assert sum(bind.dropped for task in tasks for bind in task.binds) == 0
        await tasks[0].stop()
        assert await up_to(3, *tasks[1:]) <= TTL / 2, "what is given back is taken at the next look"
        for task in tasks[1:]:
            await task.stop()
        assert not store.items
        assert smsc.most == 1

    run(main())


def test_the_binds_of_a_killed_task_are_taken_when_its_leases_are_dead() -> None:
    async def main() -> None:
        store, smsc = Store(), Smsc()
        first = await Task("a", store, smsc, 2).start()
        await up_to(2, first)
        second = await Task("b", store, smsc, 2).start()
        await up_to(1, second)
        await first.kill()
        assert WATCHED - Terms(TTL).renew <= await up_to(2, second) <= WATCHED + 3 * Terms(TTL).renew
        assert {bind.part for bind in second.binds} == {1.0}
        assert "task#a" not in store.items
        await second.stop()

    run(main())


@pytest.mark.parametrize("fault", ["cut", "deaf"])
def test_who_cannot_renew_has_closed_long_before_another_takes(fault: str) -> None:
    async def main() -> None:
        store, smsc = Store(), Smsc()
        first = await Task("a", store, smsc, 1, drain=1000).start()
        await up_to(1, first)
        second = await Task("b", store, smsc, 1).start()
        await asyncio.sleep(3 * TTL)
        setattr(first.view, fault, True)
        closed_after = await up_to(0, first)
        assert first.binds[0].given_up, "first it tries to let go gracefully"
        assert TTL / 4 <= closed_after <= TTL / 2 + 0.1
        taken_after = await up_to(1, second)
        if fault == "cut":
            assert taken_after >= TTL / 2
        setattr(first.view, fault, False)
        await asyncio.sleep(3 * TTL)
        assert (first.up, second.up) == (0, 1)
        assert smsc.most == 1
        await first.stop()
        await second.stop()

    run(main())


def test_a_short_outage_of_the_table_costs_nothing() -> None:
    async def main() -> None:
        task = await Task("a", Store(), Smsc(), 2).start()
        await up_to(2, task)
        for _ in range(20):
            await asyncio.sleep(TTL)
            task.view.cut = True
            await asyncio.sleep(TTL / 8)
            task.view.cut = False
        assert sum(bind.given_up + bind.dropped for bind in task.binds) == 0
        await task.stop()

    run(main())


def test_who_cannot_reach_the_smsc_leaves_it_to_those_who_can_and_comes_back() -> None:
    async def main() -> None:
        store, smsc = Store(), Smsc()
        first = await Task("a", store, smsc, 2).start()
        second = await Task("b", store, smsc, 2).start()
        await up_to(1, first)
        await up_to(1, second)
        first.shut_out = True
        first.binds[0].drop()
        first.binds[1].drop()
        await up_to(2, second)
        first.shut_out = False
        await up_to(1, first, within=Terms(TTL).rest + TTL)
        assert smsc.most == 1
        await first.stop()
        await second.stop()

    run(main())


def test_when_the_smsc_has_been_down_for_all_its_binds_come_back() -> None:
    async def main() -> None:
        store, smsc = Store(), Smsc()
        tasks = [await Task(name, store, smsc, 3).start() for name in "abc"]
        smsc.down = True
        for bind in (bind for task in tasks for bind in task.binds):
            bind.drop()
        await asyncio.sleep(8 * TTL)
        smsc.down = False
        assert await up_to(3, *tasks) <= TTL
        await asyncio.sleep(Terms(TTL).rest + 3 * TTL)
        assert [task.up for task in tasks] == [1, 1, 1]
        for task in tasks:
            await task.stop()

    run(main())


@pytest.mark.parametrize("seed", range(25))
def test_never_is_a_bind_open_twice_whatever_happens(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills, partitions, answers that are lost, slow tables, SMSCs out of reach, and a wall clock gone mad."""
    dice = random.Random(seed)
    monkeypatch.setattr(time, "time", lambda: dice.uniform(-1e9, 4e9))
    monkeypatch.setattr(time, "time_ns", lambda: dice.randint(-(10**18), 4 * 10**18))

    async def main() -> None:
        store, smsc, binds = Store(), Smsc(), dice.randint(1, 4)
        made = 0

        async def another() -> Task:
            nonlocal made
            made += 1
            return await Task(f"t{made}", store, smsc, binds, drain=dice.uniform(0, 30)).start()

        tasks = [await another() for _ in range(dice.randint(2, 4))]
        for _ in range(60):
            await asyncio.sleep(dice.expovariate(1 / 10))
            victim = dice.randrange(len(tasks))
            match dice.choice(["kill", "stop", "cut", "deaf", "heal", "heal", "slow", "shut out", "drop"]):
                case "kill":
                    await tasks[victim].kill()
                    tasks[victim] = await another()
                case "stop":
                    stopping, tasks[victim] = tasks[victim], await another()
                    await stopping.stop()
                case "cut":
                    tasks[victim].view.cut = True
                case "deaf":
                    tasks[victim].view.deaf = True
                case "slow":
                    tasks[victim].view.latency = dice.uniform(0, TTL / 4)
                case "shut out":
                    tasks[victim].shut_out = True
                case "drop":
                    tasks[victim].binds[0].drop()
                case _:
                    heal(tasks[victim])
            assert smsc.most <= 1
        for task in tasks:
            heal(task)
        await asyncio.sleep(Terms(TTL).rest + 2 * WATCHED + 10 * TTL)
        assert smsc.most == 1
        assert sum(task.up for task in tasks) == binds
        assert max(task.up for task in tasks) - min(task.up for task in tasks) <= 1, [task.up for task in tasks]
        for task in tasks:
            await task.stop()
        assert not store.items

    run(main())


def heal(task: Task) -> None:
    task.view.cut = task.view.deaf = task.shut_out = False
    task.view.latency = 0.005
