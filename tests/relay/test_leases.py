"""Several relays on one SMSC account: never more binds than it allows, and no message lost, whatever happens to them.

Real processes, a simulated SMSC that counts, and the emulated DynamoDB behind a proxy that can be cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import pytest

from chalicelib import registry
from local.emulator import ROOT, Emulator, free_port
from smsc_relay.lease import Leases
from smsc_relay.relay import Relay
from smsc_relay.simulator.account import Account
from smsc_relay.simulator.simulator import Simulator
from smsc_relay.terms import Terms
from tests.relay.conftest import QUICK, World, eventually

pytestmark = pytest.mark.timeout(300)

TTL = 6.0
WINDOW = 10
MOST_TWICE = WINDOW + 50  # the window, and the outcomes that were not in SQS yet
PATIENCE = 60.0

QUIET = {"built_in": False, "behaviour": {"answers": {"delay": 0.02}, "receipts": {"when": "never"}}}


class Proxy:
    """TCP to a port. `cut`: the network fails without a word."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self.cut = False
        self.connected: list[float] = []  # when, by the event loop's clock
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        self.drop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected.append(asyncio.get_running_loop().time())
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {writer, back}
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        self._writers -= {writer, back}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if not self.cut:
                    writer.write(data)
        writer.close()


class Node:
    """A relay process."""

    def __init__(self, *options: str, ttl: float = TTL, supervised: bool = False, **environment: str) -> None:
        self.port = free_port()
        self._ttl = ttl
        self._options = [*options, *(["--supervised"] if supervised else [])]
        self._environment = environment
        self._process: asyncio.subprocess.Process
        self.pid = 0  # of the relay itself

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.relay.leased", "--ttl", str(self._ttl), "--health-port", str(self.port),
            *self._options, cwd=ROOT, env={**os.environ, **self._environment}, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        word, number = (await self._process.stdout.readline()).split()
        assert word == b"relay"
        self.pid = int(number)
        self._draining = asyncio.create_task(self._process.stdout.read())
        return self

    async def __aexit__(self, *error: object) -> None:
        for pid in {self.pid, self._process.pid}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await self._process.wait()

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    async def ended(self) -> int:
        return await asyncio.wait_for(self._process.wait(), PATIENCE)

    async def terminate(self) -> None:
        """SIGTERM; it must end well."""
        self._process.send_signal(signal.SIGTERM)
        assert await self.ended() == 0

    async def report(self) -> dict[str, Any]:
        """What its health page says, {} where there is none."""

        def get() -> dict[str, Any]:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found

        try:
            return await asyncio.to_thread(get)
        except OSError:
            return {}

    async def up(self) -> int:
        """Binds that are logged in."""
        links = (await self.report()).get("links", {})
        return sum(bind["state"] == "up" for link in links.values() for bind in link["binds"])


class Crowd:
    """The account, the SMSC, and what its binds came to."""

    def __init__(self, world: World, smsc: Simulator) -> None:
        self.world, self.smsc = world, smsc
        self.most = 0  # binds at one time
        self.put = 0  # messages

    def register(self, binds: int, **config: Any) -> None:
        """The SMPP account `fast`."""
        given = {"host": "127.0.0.1", "port": self.smsc.smpp_port, "system_id": "ilha", "binds": binds}
        given |= {"window": WINDOW, "response_timeout": 5, "reconnect_min": 0.2, "reconnect_max": 2, **config}
        self.world.aws.aggregator("fast", "SMPP", config=given, version=time.time_ns() // 1_000_000)
        registry.reset()

    async def share(self, *wanted: tuple[Node, int]) -> None:
        """Wait until the nodes have so many binds up, and nobody else has any."""
        async with asyncio.timeout(PATIENCE):
            while True:
                counts = [await node.up() for node, _ in wanted]
                if counts == [count for _, count in wanted] and len(self.smsc.sessions) == sum(counts):
                    return
                await asyncio.sleep(0.3)

    async def even(self, *nodes: Node, binds: int) -> None:
        """Wait until all binds are up, shared evenly."""
        async with asyncio.timeout(PATIENCE):
            while True:
                counts = [await node.up() for node in nodes]
                if sum(counts) == len(self.smsc.sessions) == binds and max(counts) - min(counts) <= 1:
                    return
                await asyncio.sleep(0.3)

    def arrived(self) -> Counter[str]:
        """How often each phone got its one message."""
        return Counter(segment.to for segment in self.smsc.submits)

    def twice(self) -> int:
        """How many messages came more than once; every one has come."""
        arrived = self.arrived()
        assert len(arrived) == self.put
        return sum(arrived.values()) - self.put


@asynccontextmanager
async def flowing(crowd: Crowd) -> AsyncIterator[None]:
    """Messages go into the lane meanwhile, each to a phone of its own; all of them have left it in the end."""
    enough = asyncio.Event()

    async def put() -> None:
        while not enough.is_set():
            await asyncio.to_thread(crowd.world.put_many, 10, first=crowd.put + 1)
            crowd.put += 10
            await asyncio.sleep(0.2)

    recording = asyncio.create_task(crowd.world.record_events())
    putting = asyncio.create_task(put())
    try:
        yield
        enough.set()
        await putting
        await crowd.world.lane_empty(seconds=PATIENCE)
    finally:
        for task in (putting, recording):
            task.cancel()
        await asyncio.wait([putting, recording])


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


# --- what may happen to a task ----------------------------------------------------------------------------------------


async def test_killed_it_is_replaced_and_nothing_is_lost(crowd: Crowd) -> None:
    crowd.register(3)
    async with AsyncExitStack() as stack:
        nodes = list(await asyncio.gather(*(stack.enter_async_context(Node()) for _ in range(3))))
        await crowd.even(*nodes, binds=3)
        async with flowing(crowd):
            await crowd.smsc.wait_for(lambda smsc: len(smsc.submits) >= 60, PATIENCE)
            nodes[0].send(signal.SIGKILL)
            await nodes[0].ended()
            await crowd.even(*nodes[1:], binds=3)
            nodes[0] = await stack.enter_async_context(Node())
            await crowd.even(*nodes, binds=3)
    assert crowd.most == 3
    assert crowd.twice() <= MOST_TWICE


async def test_one_after_the_other_they_are_replaced_and_nothing_is_lost_or_sent_twice(crowd: Crowd) -> None:
    """A rolling restart: what goes over a bind that is given up has been answered."""
    crowd.register(3)
    async with AsyncExitStack() as stack:
        nodes = list(await asyncio.gather(*(stack.enter_async_context(Node(ttl=16)) for _ in range(3))))
        await crowd.even(*nodes, binds=3)
        async with flowing(crowd):
            for index in range(3):
                fresh = await stack.enter_async_context(Node(ttl=16))
                await nodes[index].terminate()
                nodes[index] = fresh
                await crowd.even(*nodes, binds=3)
    assert crowd.most == 3
    assert crowd.twice() == 0


async def test_stopped_it_is_killed_by_its_supervisor_before_another_takes_its_bind(crowd: Crowd) -> None:
    crowd.register(1)
    async with Node(supervised=True) as first:
        await crowd.share((first, 1))
        async with Node() as second:
            first.send(signal.SIGSTOP)
            await crowd.share((second, 1))
            with pytest.raises(ProcessLookupError):
                first.send(signal.SIGCONT)
            assert await first.ended() == 137
    assert crowd.most == 1


async def test_cut_off_from_its_leases_it_closes_its_bind_and_another_takes_it(
    crowd: Crowd, emulator: Emulator
) -> None:
    crowd.register(1)
    async with Proxy(emulator.port) as proxy, Node(AWS_ENDPOINT_URL_DYNAMODB=proxy.url) as first:
        await crowd.share((first, 1))
        async with Node() as second:
            proxy.cut = True
            await crowd.share((first, 0), (second, 1))
            assert (await first.report())["leases"]["trouble"], "it is alive, and says what is wrong"
            proxy.cut = False
            proxy.drop()
            await second.terminate()
        await crowd.share((first, 1))
        await first.terminate()
    assert crowd.most == 1


async def test_cut_off_from_the_smsc_it_leaves_the_bind_to_another(crowd: Crowd) -> None:
    crowd.register(2, connect_timeout=1, login_timeout=1)
    async with Proxy(crowd.smsc.smpp_port) as proxy, Node("--via", str(proxy.port)) as first, Node() as second:
        await crowd.even(first, second, binds=2)
        proxy.cut = True
        proxy.drop()
        await crowd.share((first, 0), (second, 2))
    assert crowd.most == 2


async def test_the_wall_clock_may_say_what_it_likes(crowd: Crowd, tmp_path: Path) -> None:
    crowd.register(1)
    clock = tmp_path / "off"
    clock.write_text("0")
    async with Node("--clock", str(clock)) as first:
        await crowd.share((first, 1))
        (before,) = [one["session"] for one in crowd.smsc.sessions]
        async with Node() as second:
            for days in (1, -1, 3650, -3650, 0):
                clock.write_text(str(days * 86_400))
                await looked(first)
                await looked(second)
            (after,) = [one["session"] for one in crowd.smsc.sessions]
    assert after == before
    assert crowd.most == 1


async def looked(node: Node) -> None:
    """Wait until it has looked at the leases two more times."""
    last = (await node.report())["leases"]["looks"]
    async with asyncio.timeout(PATIENCE):
        while (await node.report())["leases"]["looks"] < last + 2:
            await asyncio.sleep(0.1)


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
                await eventually(lambda n=attempt: logins(crowd.smsc) >= n)
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


def logins(smsc: Simulator) -> int:
    account = smsc._centre.account("ilha")
    return account.logins if account is not None else 0
