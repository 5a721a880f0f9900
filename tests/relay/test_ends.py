"""How a relay ends: asked to, or killed. As processes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from chalicelib import aws, trace, waypoints
from local.emulator import ROOT
from smsc_relay.accounts import Account, Sender
from smsc_relay.aws_client import AwsClient
from smsc_relay.journal import Journal
from smsc_relay.link import ANSWER, Link, Shared, Timing
from smsc_relay.outbox import Outbox
from smsc_relay.permits import Free
from smsc_relay.queue_client import Queues
from tests.relay.conftest import World, eventually
from tests.relay.smsc import Smsc
from tests.relay.test_every_protocol import PROTOCOLS, Protocol, simulator
from tests.relay.toy import TYPE, ToyConfig, kinds
from tests.relay.virtual import VirtualLoop
from tests.support import CHANNEL

pytestmark = pytest.mark.timeout(240)

WINDOW = 10
COUNT = 300  # more than a relay gets done before it reaches any point
MOST_TWICE = WINDOW + 50  # the window, and the outcomes that were not in SQS yet


_started: list[asyncio.subprocess.Process] = []


async def start(*arguments: str, module: str = "tests.relay.process") -> asyncio.subprocess.Process:
    """A relay."""
    relay = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, cwd=ROOT, env=dict(os.environ), stdout=asyncio.subprocess.DEVNULL
    )
    _started.append(relay)
    return relay


@pytest.fixture(autouse=True)
async def no_relay_is_left() -> AsyncIterator[None]:
    """A test that fails must not leave its relay behind."""
    yield
    for relay in _started:
        if relay.returncode is None:
            relay.kill()
            await relay.wait()
    _started.clear()


async def test_asked_to_stop_it_finishes_its_window_and_gives_back_the_rest(world: World) -> None:
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, window=3)
        world.put_many(20)
        relay = await start()
        await smsc.until(lambda: len(smsc.submits) == 3)
        await eventually(lambda: world.in_lane()[1] > 3)
        relay.send_signal(signal.SIGTERM)
        await eventually(lambda: world.in_lane() == (17, 3))  # what has not been sent is there for others at once
        assert relay.returncode is None
        smsc.answer_open()
        assert await asyncio.wait_for(relay.wait(), 30) == 0
    assert smsc.byes == 1
    assert len(smsc.submits) == 3
    assert world.in_lane() == (17, 0)
    assert len(world.outcomes()) == 3


async def test_asked_to_stop_while_the_smsc_is_silent_it_leaves_nothing_undecided(world: World) -> None:
    """The window is given up after a while, and is in doubt; the process still ends well."""
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, window=3, response_timeout=60, in_doubt="fail", in_doubt_wait=0, logout_timeout=1)
        world.put_many(3)
        relay = await start()
        await smsc.until(lambda: len(smsc.submits) == 3)
        relay.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(relay.wait(), 60) == 0
    assert smsc.byes == 1
    assert [accepted for _, _, accepted, _ in world.outcomes()] == [False] * 3
    assert world.in_lane() == (0, 0)


@pytest.mark.parametrize("spoken", PROTOCOLS, ids=[one.name for one in PROTOCOLS])
async def test_asked_to_stop_it_ends_though_the_smsc_answers_nothing(world: World, spoken: Protocol) -> None:
    """No submit and no logout, and it does not hang up either. The relay as it is started for good, with its own
    waits: a window may take 30 s, and a logout what the account says. All goes back to the lane, or stays there."""
    async with simulator({"answers": {"delay": 3600}}) as smsc:
        spoken.account(world, smsc, window=4, response_timeout=600, logout_timeout=1)
        world.put_many(20)
        relay = await start(module="smsc_relay")
        await smsc.wait_for(lambda it: any(one["unanswered"] == 4 for one in it.sessions))
        smsc.disconnect("freeze")
        relay.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(relay.wait(), kill_after()) == 0
    assert sum(world.in_lane()) == 20
    assert not world.outcomes()


def kill_after() -> int:
    """Seconds from SIGTERM to SIGKILL in ECS."""
    (found,) = re.findall(r"stopTimeout += (\d+)", (ROOT / "infra/modules/relay/main.tf").read_text())
    return int(found)


# --- how long that may take: the waits as they are for good, in virtual time ------------------------------------------

TIMING = Timing()
CONFIG = ToyConfig(host="smsc.example.org", port=1, window=WINDOW, response_timeout=600)
SMSC_SILENT = TIMING.drain + CONFIG.logout_timeout + 1
SQS_SILENT = 2 * TIMING.record + TIMING.poll + ANSWER  # before the logout, and after it


class Wire(asyncio.Transport):
    """To an SMSC that answers a login and nothing else, and does not hang up."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._socket = socket.socket()
        self._loop = asyncio.get_running_loop()

    def say(self, said: dict[str, Any]) -> None:
        self._loop.call_soon(self._client.data_received, json.dumps(said).encode() + b"\n")

    def write(self, data: Any) -> None:
        if b'"login"' in data:
            self.say({"op": "welcome"})

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._socket

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._socket.close()
            self._loop.call_soon(self._client.connection_lost, None)

    def abort(self) -> None:
        self.close()


class Wired(VirtualLoop):
    """Has such connections alone."""

    def __init__(self) -> None:
        super().__init__()
        self.wires: list[Wire] = []

    async def create_connection(self, protocol_factory: Any, *where: Any, **how: Any) -> Any:
        client = protocol_factory()
        self.wires.append(Wire(client))
        client.connection_made(self.wires[-1])
        return self.wires[-1], client


class Sqs(AwsClient):
    """The emulator's, in no time but what a long poll takes. `silent`: nothing is answered any more."""

    def __init__(self) -> None:
        self.silent = False
        self.unanswered: Counter[str] = Counter()

    async def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        if self.silent:
            self.unanswered[operation] += 1
            await asyncio.sleep(3600)
        wait = parameters.pop("WaitTimeSeconds", 0)
        answer: dict[str, Any] = getattr(aws.sqs(), operation)(**parameters)
        if wait and not answer.get("Messages"):
            await asyncio.sleep(wait)
        return answer


class Called(Queues):
    """By way of it."""

    def __init__(self, sqs: Sqs) -> None:
        self._polls = self._calls = sqs


class Inline(Executor):
    """No threads: what they do takes no time."""

    def submit(self, call: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(call(*given, **named))
        return done


@pytest.mark.parametrize(
    ("sqs_silent", "seconds"),
    [
        pytest.param(False, SMSC_SILENT, id="the SMSC answers nothing"),
        pytest.param(True, SMSC_SILENT + SQS_SILENT, id="nor does SQS"),
    ],
)
def test_nobody_who_answers_nothing_keeps_a_link_for_longer_than(
    world: World, sqs_silent: bool, seconds: float
) -> None:
    async def main() -> None:
        loop, sqs = asyncio.get_running_loop(), Sqs()
        assert isinstance(loop, Wired)
        account = Account("fast", kinds(TYPE), CONFIG, channels={CHANNEL: Sender(True, CONFIG)})
        queues = Called(sqs)
        link = Link(account, Shared(queues, Outbox(queues), Journal(), Inline(), Free(), TIMING))

        async def until(what: Callable[[], object]) -> None:
            async with asyncio.timeout(60):
                while not what():
                    await asyncio.sleep(0.05)

        link.start()
        await until(lambda: link.gauges.report()["in_flight"] == WINDOW)
        sqs.silent = sqs_silent
        if sqs_silent:
            await until(lambda: sqs.unanswered["receive_message"] == 2)
            loop.wires[0].say({"op": "arrives", "n": 1, "events": [{"from": "+250788000001", "text": "hi"}]})
            await until(lambda: sqs.unanswered["send_message_batch"] == 1)
        began = loop.time()
        assert await link.stop() is not sqs_silent
        assert seconds - 1 <= loop.time() - began <= seconds
        trace.flush()

    world.put_many(WINDOW)
    with asyncio.Runner(loop_factory=Wired) as runner:
        runner.run(main())
    assert sum(world.in_lane()) == WINDOW, "they are in doubt, and wait for a receipt"
    assert not world.outcomes()


def test_a_stop_ends_before_it_is_killed() -> None:
    """With what the process waits for after its links: the ends of sessions, on their way to SQS."""
    assert SMSC_SILENT == 41
    assert SMSC_SILENT + SQS_SILENT + TIMING.record < kill_after()


# --- killed -----------------------------------------------------------------------------------------------------------


async def test_killed_it_loses_nothing_and_little_goes_twice(world: World) -> None:
    async with Smsc() as smsc, world.recording():
        world.account(smsc, window=WINDOW, response_timeout=1)
        world.put_many(300, phones=60)
        relay = await start()
        await smsc.until(lambda: len(smsc.submits) >= 100, 60)
        relay.kill()
        await relay.wait()
        relay = await start()
        await world.lane_empty(seconds=120)
        relay.terminate()
        assert await asyncio.wait_for(relay.wait(), 60) == 0
    counts = Counter(smsc.ids())
    twice = sum(counts.values()) - len(counts)
    print(f"killed after {100} of 300 submits; submitted twice: {twice} (at most {MOST_TWICE})")
    assert set(counts) == {str(n) for n in range(1, 301)}
    assert twice <= MOST_TWICE
    order = list(dict.fromkeys(smsc.ids()))
    for phone in range(60):
        contact = [int(one) for one in order if int(one) % 60 == phone]
        assert contact == sorted(contact)


async def test_killed_at_every_point_it_loses_nothing(world: World) -> None:
    """SIGKILL at each named point in turn, with messages going both ways."""
    points = [point for point in waypoints.WAYPOINTS if point.startswith("relay.")]
    async with Smsc() as smsc, world.recording():
        world.account(smsc, window=WINDOW, response_timeout=1)
        world.put_many(COUNT)
        kept: dict[str, Any] = {"from": "+250788000001", "text": "once"}

        def welcome(said: dict[str, Any]) -> dict[str, Any]:
            asyncio.get_running_loop().call_soon(deliver)
            return {"op": "welcome"}

        def deliver() -> None:
            if not any(word == "got" for word, _ in smsc.answers):
                smsc.deliver(kept)  # as SMSCs do: again, until it is acknowledged

        smsc.login = welcome
        for point in sorted(points, key=lambda one: one != "relay.mo_queued"):
            relay = await start("--crash-at", point)
            assert await asyncio.wait_for(relay.wait(), 60) == -signal.SIGKILL, f"{point} was not reached"
        relay = await start()
        await world.lane_empty(seconds=120)
        await smsc.until(lambda: any(word == "got" for word, _ in smsc.answers))
        relay.terminate()
        assert await asyncio.wait_for(relay.wait(), 60) == 0
        await eventually(lambda: world.aws.depth("deliver-main.fifo") == 1)
    counts = Counter(smsc.ids())
    assert set(counts) == {str(n) for n in range(1, COUNT + 1)}
    print(f"killed at {', '.join(points)}; submitted twice: {sum(counts.values()) - len(counts)}")
    assert sum(counts.values()) - len(counts) <= len(points) * MOST_TWICE
    (told,) = world.aws.bodies("deliver-main.fifo")
    assert told["fields"]["text"] == "once"
