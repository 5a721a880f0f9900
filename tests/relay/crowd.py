"""Relays as processes that share an SMSC account: how they are started, cut off and counted.

Real processes, a simulated SMSC that counts, and the emulated DynamoDB behind a proxy that can be cut. What has been
in events.fifo is kept: what phones and the SMSC sent must be in it.
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
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self

from chalicelib import queues, recording, registry
from local.emulator import ROOT, free_port
from smsc_relay.simulator.deliveries import ACKNOWLEDGED, Delivery
from smsc_relay.simulator.simulator import Simulator
from tests.relay.conftest import World, eventually

TTL = 6.0
WINDOW = 10
PATIENCE = 60.0
RECORDERS = 3


class Proxy:
    """TCP to a port. `cut`: the network fails without a word; `refusing`: who connects is hung up on."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self.cut = self.refusing = False
        self.connected: list[float] = []  # when, by the event loop's clock
        self._writers: set[asyncio.StreamWriter] = set()
        self._ways: list[dict[str, asyncio.StreamReader]] = []  # of each connection: what comes from either side
        self._lost: set[asyncio.StreamReader] = set()
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

    def swallow(self, *whose: str, connections: int = 100) -> None:
        """What "client" or "server" say over the first ones of what is connected now, and that they close it, arrives
        nowhere."""
        self._lost |= {way[side] for way in self._ways[:connections] for side in whose}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.close()
            return
        self.connected.append(asyncio.get_running_loop().time())
        there, back = await self._reach()
        way = {"client": reader, "server": there}
        self._writers |= {writer, back}
        self._ways.append(way)
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        self._writers -= {writer, back}
        self._ways.remove(way)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._to)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if not self.cut and reader not in self._lost:
                    writer.write(data)
        if reader not in self._lost:
            writer.close()


class Balancer(Proxy):
    """Brings each connection to the next of several hosts that takes it."""

    def __init__(self, port: int, hosts: Sequence[str]) -> None:
        super().__init__(port)
        self._hosts = deque(hosts)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in self._hosts:
            self._hosts.rotate(-1)
            with contextlib.suppress(ConnectionRefusedError):
                return await asyncio.open_connection(self._hosts[0], self._to)
        raise ConnectionRefusedError("none of them")


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

    async def looked(self, times: int) -> None:
        """Wait until it has looked at the leases so often."""
        last = (await self.report())["leases"]["looks"]
        async with asyncio.timeout(PATIENCE):
            while (await self.report())["leases"]["looks"] < last + times:
                await asyncio.sleep(0.1)

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
        self._events: dict[str, dict[str, Any]] = {}  # that have been in events.fifo, by what SQS calls each

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

    # --- what phones and the SMSC send --------------------------------------------------------------------------------

    def answer(self, count: int) -> None:
        """So many phones send an MO, each its own."""
        first = len(self.smsc.mos) + 1
        for number in range(first, first + count):
            self.smsc.inject(source=f"2507882{number:05d}", to="8080", text=f"answer {number}")

    @property
    def sent(self) -> dict[str, Delivery]:
        """MOs by their text, and receipts by the message's id, as the SMSC sends them."""
        mos = {f"answer {mo.number}": part for mo in self.smsc.mos for part in mo.parts}
        return mos | {segment.message_id: receipt for segment in self.smsc.submits for receipt in segment.receipts}

    @property
    def again(self) -> int:
        """How often the SMSC had to send one of them once more: its session had ended before the answer."""
        return sum(len(delivery.sessions) - 1 for delivery in self.sent.values())

    def heard_twice(self) -> int:
        """How many of them have been in events.fifo more than once: none more often than the SMSC had to send it.
        Every one has been there, and the platform is told of every MO, no more often than it came."""
        events = self._events.values()
        mos = Counter(event["message"]["text"] for event in events if event["kind"] == "incoming")
        came = mos + Counter(event["update"]["external_id"] for event in events if event["kind"] == "status")
        sent = {name: len(delivery.sessions) for name, delivery in self.sent.items()}
        assert came.keys() == sent.keys()
        assert {name: times for name, times in came.items() if times > sent[name]} == {}
        bodies = self.world.aws.bodies("deliver-main.fifo")
        told = Counter(body["fields"]["text"] for body in bodies if body["kind"] == "receive")
        assert told.keys() == mos.keys()
        assert told <= mos
        return came.total() - len(came)

    def record(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """λ record, whose events are kept."""
        for one in queues.received_from(event):
            self._events[one.message_id] = json.loads(one.body)["event"]
        return recording.record(event, context)

    async def recorded(self) -> None:
        """Wait until the SMSC has an answer to all that it sent, and λ record has done with it."""
        count = len(self.smsc.mos) + len(self.smsc.submits)

        def acknowledged(smsc: Simulator) -> bool:
            sent = self.sent.values()
            return len(sent) == count and all(delivery.state == ACKNOWLEDGED for delivery in sent)

        await self.smsc.wait_for(acknowledged, PATIENCE)
        await eventually(lambda: self.world.in_lane(queues.EVENTS) == (0, 0), PATIENCE)


@asynccontextmanager
async def flowing(crowd: Crowd, *, both_ways: bool = False) -> AsyncIterator[None]:
    """Messages go into the lane meanwhile, each to a phone of its own; all of them have left it in the end.
    `both_ways`: phones answer all the while, and every message is receipted; all of that is recorded in the end."""
    enough = asyncio.Event()
    if both_ways:
        crowd.smsc.configure({"behaviour": {"receipts": {"when": "requested"}}})

    async def put() -> None:
        while not enough.is_set():
            await asyncio.to_thread(crowd.world.put_many, 10, first=crowd.put + 1)
            crowd.put += 10
            if both_ways:
                crowd.answer(10)
            await asyncio.sleep(0.2)

    async with crowd.world.recording(crowd.record, RECORDERS):
        putting = asyncio.create_task(put())
        try:
            yield
            enough.set()
            await putting
            await crowd.world.lane_empty(seconds=PATIENCE)
            if both_ways:
                await crowd.recorded()
        finally:
            putting.cancel()
            await asyncio.wait([putting])


@asynccontextmanager
async def three(crowd: Crowd, *first: Node, ttl: float = TTL, supervised: bool = False) -> AsyncIterator[list[Node]]:
    """Three relays that have one bind each. `first`: those of them that are peculiar."""
    nodes = [*first, *(Node(ttl=ttl, supervised=supervised) for _ in range(3 - len(first)))]
    async with AsyncExitStack() as stack:
        await asyncio.gather(*map(stack.enter_async_context, nodes))
        await crowd.even(*nodes, binds=3)
        yield nodes
