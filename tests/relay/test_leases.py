"""Relays on one SMSC account: never more binds than it allows, and no message lost, whatever happens to one of them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from local.emulator import Emulator
from smsc_relay.lease import Leases
from smsc_relay.relay import Relay
from smsc_relay.simulator.account import Account
from smsc_relay.simulator.deliveries import ACKNOWLEDGED
from smsc_relay.simulator.simulator import Simulator
from smsc_relay.terms import Terms
from tests.relay.conftest import QUICK, World, eventually
from tests.relay.crowd import PATIENCE, TTL, WINDOW, Crowd, Node, Proxy, flowing, three

pytestmark = pytest.mark.timeout(300)

MOST_TWICE = WINDOW + 50  # the window, and the outcomes that were not in SQS yet
QUIET = {"built_in": False, "behaviour": {"answers": {"delay": 0.02}, "receipts": {"when": "never"}}}


@pytest.fixture
async def crowd(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crowd]:
    joined = Account.joined
    async with Simulator(QUIET) as smsc:
        found = Crowd(world, smsc)

        def counting(self: Account, link: Any) -> None:
            joined(self, link)
            found.most = max(found.most, len(self.links))

        monkeypatch.setattr(Account, "joined", counting)
        yield found


# --- what may happen to one of three ----------------------------------------------------------------------------------


async def test_killed_it_is_replaced_and_nothing_is_lost(crowd: Crowd) -> None:
    crowd.register(3)
    async with three(crowd) as nodes, flowing(crowd, both_ways=True):
        await crowd.smsc.wait_for(lambda smsc: len(smsc.submits) >= 60, PATIENCE)
        first = len(crowd.smsc.mos)
        crowd.answer(100)
        await crowd.smsc.wait_for(lambda smsc: smsc.mos[first + 20].state == ACKNOWLEDGED, PATIENCE)
        nodes[0].send(signal.SIGKILL)
        await nodes[0].ended()
        await crowd.even(*nodes[1:], binds=3)
        async with Node() as fresh:
            await crowd.even(fresh, *nodes[1:], binds=3)
    assert crowd.most == 3
    assert crowd.twice() <= MOST_TWICE
    assert crowd.heard_twice() <= crowd.again > 0


async def test_one_after_the_other_they_are_replaced_and_nothing_is_lost_or_sent_twice(crowd: Crowd) -> None:
    """A rolling restart: what goes over a bind that is given up has been answered, both ways. What the SMSC had to send
    again, since the session ended before its answer, may come twice, and nothing else."""
    crowd.register(3)
    async with three(crowd, ttl=16) as nodes, AsyncExitStack() as stack, flowing(crowd, both_ways=True):
        for index in range(3):
            fresh = await stack.enter_async_context(Node(ttl=16))
            await nodes[index].terminate()
            nodes[index] = fresh
            await crowd.even(*nodes, binds=3)
    assert crowd.most == 3
    assert crowd.twice() == 0
    assert crowd.heard_twice() <= crowd.again


async def test_stopped_it_is_killed_by_its_supervisor_before_another_takes_its_bind(crowd: Crowd) -> None:
    crowd.register(3)
    async with three(crowd, supervised=True) as nodes, flowing(crowd):
        await crowd.smsc.wait_for(lambda smsc: len(smsc.submits) >= 60, PATIENCE)
        nodes[0].send(signal.SIGSTOP)
        await crowd.even(*nodes[1:], binds=3)
        with pytest.raises(ProcessLookupError):
            nodes[0].send(signal.SIGCONT)
        assert await nodes[0].ended() == 137
        async with Node(supervised=True) as fresh:
            await crowd.even(fresh, *nodes[1:], binds=3)
    assert crowd.most == 3
    assert crowd.twice() <= MOST_TWICE


async def test_stopped_for_a_while_it_goes_on(crowd: Crowd) -> None:
    """Each in turn, for a quarter of a lease's length: a host that is short of CPU."""
    crowd.register(3)
    async with three(crowd, ttl=16, supervised=True) as nodes, flowing(crowd):
        for stopped, other in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
            stopped.send(signal.SIGSTOP)
            await looked(other)
            stopped.send(signal.SIGCONT)
            await crowd.even(*nodes, binds=3)
    assert crowd.most == 3
    assert crowd.twice() <= 3 * WINDOW


@pytest.mark.parametrize("what", ["its leases", "all of AWS"])
async def test_cut_off_from_its_leases_it_closes_its_bind_and_another_takes_it(
    crowd: Crowd, emulator: Emulator, what: str
) -> None:
    crowd.register(3)
    async with Proxy(emulator.port) as proxy:
        leases_only = what == "its leases"
        first = Node(AWS_ENDPOINT_URL_DYNAMODB=proxy.url) if leases_only else Node(AWS_ENDPOINT_URL=proxy.url)
        async with three(crowd, first) as nodes, flowing(crowd):
            await crowd.smsc.wait_for(lambda smsc: len(smsc.submits) >= 60, PATIENCE)
            proxy.cut = True
            await crowd.even(*nodes[1:], binds=3)
            assert (await nodes[0].report())["leases"]["trouble"], "it is alive, and says what is wrong"
            proxy.cut = False
            proxy.drop()
            await crowd.even(*nodes, binds=3)
        assert proxy.connected
    assert crowd.most == 3
    assert crowd.twice() <= MOST_TWICE


async def test_cut_off_from_the_smsc_it_leaves_the_bind_to_others(crowd: Crowd) -> None:
    crowd.register(3, connect_timeout=1, login_timeout=1)
    async with (
        Proxy(crowd.smsc.smpp_port) as proxy,
        three(crowd, Node("--via", str(proxy.port), "--rest", "10")) as nodes,
        flowing(crowd),
    ):
        await crowd.smsc.wait_for(lambda smsc: len(smsc.submits) >= 60, PATIENCE)
        proxy.cut = True
        proxy.drop()
        await crowd.even(*nodes[1:], binds=3)
        proxy.cut = False
        await crowd.even(*nodes, binds=3)
    assert crowd.most == 3
    assert crowd.twice() <= WINDOW


async def test_the_wall_clock_may_say_what_it_likes(crowd: Crowd, tmp_path: Path) -> None:
    """Those of the three go apart by 20 years, and by days while one of them renews nothing; then that one is killed,
    and the others know when they may have its bind."""
    crowd.register(3)
    clocks = [tmp_path / str(number) for number in range(3)]

    def jump(*days: int) -> None:
        for clock, off in zip(clocks, days, strict=True):
            clock.write_text(str(off * 86_400))

    jump(0, 0, 0)
    async with three(crowd, *(Node("--clock", str(clock), ttl=10) for clock in clocks)) as nodes, flowing(crowd):
        before = {one["session"] for one in crowd.smsc.sessions}
        for days in ((1, -1, 0), (-1, 0, 1), (3650, -3650, 1)):
            jump(*days)
            await looked(*nodes, times=2)
        assert {one["session"] for one in crowd.smsc.sessions} == before
        nodes[0].send(signal.SIGSTOP)
        await looked(*nodes[1:])
        jump(3650, 3650, 3650)
        await looked(*nodes[1:])
        nodes[0].send(signal.SIGCONT)
        await crowd.even(*nodes, binds=3)
        nodes[0].send(signal.SIGKILL)
        await nodes[0].ended()
        await crowd.even(*nodes[1:], binds=3)
    assert crowd.most == 3
    assert crowd.twice() <= 2 * MOST_TWICE


async def looked(*nodes: Node, times: int = 1) -> None:
    """Wait until each has looked at the leases so often."""
    await asyncio.gather(*(node.looked(times) for node in nodes))


# --- the account's binds become more or fewer -------------------------------------------------------------------------


async def test_never_are_there_more_binds_than_before_or_after_a_change_and_soon_all(crowd: Crowd) -> None:
    crowd.register(4)
    async with relays(3) as all_three, flowing(crowd):
        await shared(crowd, all_three, 4)
        for before, after in pairwise((4, 2, 3, 1, 4)):
            crowd.most = before
            crowd.register(after)
            await shared(crowd, all_three, after)
            assert crowd.most == max(before, after)
    assert crowd.twice() == 0


async def shared(crowd: Crowd, those: list[Relay], binds: int) -> None:
    """Wait until the account has so many binds by its config, all of them up and shared evenly."""

    def even() -> bool:
        reports = [relay.report()["links"].get("fast", {"binds": []})["binds"] for relay in those]
        up = [sum(bind["state"] == "up" for bind in report) for report in reports]
        known = all(len(report) == binds for report in reports)
        return known and sum(up) == len(crowd.smsc.sessions) == binds and max(up) - min(up) <= 1

    await eventually(even, PATIENCE)


# --- an SMSC that says no ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def relays(count: int) -> AsyncIterator[list[Relay]]:
    """Relays in this process, each with leases of its own."""
    found = [Relay(permits=Leases(Terms(TTL)), timing=QUICK) for _ in range(count)]
    tasks = [asyncio.create_task(relay.run()) for relay in found]
    try:
        yield found
    finally:
        for relay in found:
            relay.stop()
        await asyncio.wait_for(asyncio.gather(*tasks), 60)


def states(relay: Relay) -> list[str]:
    return [bind["state"] for link in relay.report()["links"].values() for bind in link["binds"]]


async def test_a_refused_password_is_tried_by_one_task_and_ever_more_seldom(crowd: Crowd) -> None:
    """At 1, 5 and 15 times `refused_delay`: minutes, unless the config says otherwise."""
    crowd.smsc.configure({"accounts": {"ilha": {"password": "right"}}})
    async with Proxy(crowd.smsc.smpp_port) as proxy:
        crowd.register(1, port=proxy.port, password="wrong", refused_delay=0.4)
        async with relays(2) as both:
            for attempt in range(1, 5):
                await tried(crowd.smsc, attempt)
                await eventually(lambda: sorted(map(states, both)) == [["refused"], ["standby"]])
            assert logins(crowd.smsc) == 4
            gaps = [later - earlier for earlier, later in pairwise(proxy.connected)]
            assert all(gap > 0.399 * times for gap, times in zip(gaps, (1, 5, 15), strict=True)), "never sooner"
            crowd.smsc.configure({"accounts": {"ilha": {"password": "wrong"}}})
            await crowd.smsc.wait_for(lambda smsc: len(smsc.sessions) == 1, PATIENCE)


async def test_an_smsc_that_still_counts_a_dead_session_is_waited_for(crowd: Crowd) -> None:
    """ESME_RALYBND after a takeover: the lease is ours, the SMSC does not know it yet."""
    crowd.smsc.configure({"accounts": {"ilha": {"max_binds": 1}}})
    crowd.register(1, reconnect_min=0.5, reconnect_max=2)
    ghost = Relay(timing=QUICK)
    haunting = asyncio.create_task(ghost.run())
    await crowd.smsc.wait_for(lambda smsc: len(smsc.sessions) == 1, PATIENCE)
    async with relays(2) as both:
        began = asyncio.get_running_loop().time()
        await eventually(lambda: logins(crowd.smsc) >= 5)
        lasted = asyncio.get_running_loop().time() - began
        assert lasted >= 0.25 + 0.5 + 1, "four refusals, each waited for longer, by one task"
        await eventually(lambda: sorted(map(states, both)) == [["standby"], ["waiting"]])
        ghost.stop()
        assert await haunting
        await eventually(lambda: sorted(map(states, both)) == [["standby"], ["up"]])
    assert crowd.most == 1


async def tried(smsc: Simulator, times: int) -> None:
    await eventually(lambda: logins(smsc) >= times)


def logins(smsc: Simulator) -> int:
    account = smsc._centre.account("ilha")
    return account.logins if account is not None else 0
