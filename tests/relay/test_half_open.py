"""Connections whose other side is gone without a word, and that nobody closes: the SMSC stands still, or the way to it
swallows what is said."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import attempts, queues
from smsc_relay.accounts import kind_of
from smsc_relay.connection import Connection
from smsc_relay.ends import SILENT, Answers
from smsc_relay.protocol import Answered
from smsc_relay.relay import Relay
from smsc_relay.simulator import Simulator
from smsc_relay.smpp.conversation import SmppConversation
from smsc_relay.ucp.conversation import UcpConversation
from tests.relay.conftest import LANE, World, eventually, relaying
from tests.relay.crowd import Proxy
from tests.relay.test_every_protocol import ACCOUNT, PROTOCOLS, Protocol, phones, sent, simulator
from tests.relay.test_links import state

SMPP = PROTOCOLS[0]
WINDOW = 4
DEAD = "no answer to enquire_link"
IN_DOUBT = "in doubt: the SMSC has not answered"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "BACKOFF", (1, 1, 1))


def error(relay: Relay) -> str:
    return str(relay.report()["links"]["fast"].get("error", ""))


def numbers(smsc: Simulator) -> set[int]:
    return {one["session"] for one in smsc.sessions}


# --- the SMSC stands still --------------------------------------------------------------------------------------------

# CIMD2 allows a user one connection, and counts a dead one until it is closed.
several = pytest.mark.parametrize("spoken", PROTOCOLS[:2], ids=[one.name for one in PROTOCOLS[:2]])


@several
async def test_a_connection_whose_smsc_is_gone_is_found_out(world: World, spoken: Protocol) -> None:
    """What was submitted goes again; what the phone had sent comes again."""
    async with simulator() as smsc:
        spoken.account(world, smsc, keepalive=0.3, response_timeout=1, window=2)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            (dead,) = (one["session"] for one in smsc.sessions)
            smsc.disconnect("freeze", dead)
            world.put_many(6)
            await smsc.wait_for(lambda it: any(one["session"] != dead for one in it.sessions), 30)
            mo = smsc.inject(source="250788123123", to="8080", text="are you there?")
            smsc.disconnect("reset", dead)
            await smsc.wait_for(lambda _: mo.state == "acknowledged", 30)
            await world.lane_empty()
            await eventually(lambda: state(relay) == ["up"])
    told = Counter(segment.to for segment in smsc.submits)
    assert set(told) == {f"2507881{number:05d}" for number in range(1, 7)}
    assert sum(told.values()) <= 6 + 2, "no more than the window goes twice"
    assert [one[2] for one in world.outcomes()] == [True] * 6


@several
async def test_a_bind_that_is_dead_holds_up_no_other(world: World, spoken: Protocol) -> None:
    """All that the dead one has not taken goes over the other at once."""
    async with simulator() as smsc:
        spoken.account(world, smsc, binds=2, keepalive=30, response_timeout=60, window=2)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"] * 2)
            dead, alive = (one["session"] for one in smsc.sessions)
            smsc.disconnect("freeze", dead)
            world.put_many(20)
            await smsc.wait_for(lambda it: len(it.submits) >= 18, 30)
            assert {segment.session for segment in smsc.submits} == {alive}
            smsc.disconnect("reset", dead)
            await world.lane_empty()
    assert len({segment.to for segment in smsc.submits}) == 20


# --- the way swallows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["resend", "fail", "ask"])
async def test_a_dead_bind_is_found_out_and_what_is_in_doubt_goes_as_the_account_says(
    world: World, policy: str
) -> None:
    """The SMSC has taken a window, and its answers arrive nowhere; the next session carries all the rest."""
    async with simulator() as smsc, Proxy(smsc.smpp_port) as proxy:
        account = {"port": proxy.port, "window": WINDOW, "keepalive": 0.3, "response_timeout": 2, "in_doubt": policy}
        SMPP.account(world, smsc, **account)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            dead = numbers(smsc)
            proxy.swallow("server")
            world.put_many(WINDOW)
            await smsc.wait_for(lambda it: len(it.submits) == WINDOW)
            proxy.swallow("client")
            await smsc.wait_for(lambda it: bool(numbers(it) - dead))
            assert DEAD in error(relay)
            assert dead < numbers(smsc), "the SMSC does not know it"
            world.put_many(10 - WINDOW, first=WINDOW + 1)
            await world.lane_empty()
    told = world.outcomes()
    assert set(sent(smsc)) == set(phones(10)), "nothing is lost"
    twice = {phone for phone, times in sent(smsc).items() if times > 1}
    failed = [reason for _, _, accepted, reason in told if not accepted]
    asked = [one.reason for one in queues.receive(queues.dlq_of(LANE), 30)]
    assert all(reason.startswith(IN_DOUBT) for reason in [*failed, *asked])
    found = (len(twice), len(failed), len(asked))
    assert found == {"resend": (WINDOW, 0, 0), "fail": (0, WINDOW, 0), "ask": (0, 0, WINDOW)}[policy]
    assert Counter(accepted for _, _, accepted, _ in told)[True] == 10 - len(failed) - len(asked)


async def test_what_a_dead_bind_has_not_taken_goes_over_another(world: World) -> None:
    async with simulator() as smsc, Proxy(smsc.smpp_port) as proxy:
        account = {"window": WINDOW, "keepalive": 0.3, "response_timeout": 2, "binds": 2}
        SMPP.account(world, smsc, port=proxy.port, **account)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"] * 2)
            dead = min(numbers(smsc))
            proxy.swallow("client", "server", connections=1)
            world.put_many(20)
            await world.lane_empty()
            await smsc.wait_for(lambda it: len(numbers(it) - {dead}) == 2)
            assert DEAD in error(relay)
    assert sent(smsc) == phones(20), "each once"
    assert dead not in {segment.session for segment in smsc.submits}
    assert [accepted for _, _, accepted, _ in world.outcomes()] == [True] * 20


@pytest.mark.parametrize("text", ["1", "the answer is lost"])
async def test_an_mo_whose_answer_is_swallowed_comes_again_and_is_told_once(world: World, text: str) -> None:
    """So is one that arrives nowhere: the SMSC sends both over the next session, when it has found the end out."""
    async with simulator() as smsc, Proxy(smsc.smpp_port) as proxy, world.recording():
        SMPP.account(world, smsc, port=proxy.port, keepalive=0.3, response_timeout=2)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            (dead,) = numbers(smsc)
            proxy.swallow("client")
            answered = smsc.inject(source="250788123123", to="8080", text=text)
            await eventually(lambda: world.aws.depth(queues.deliver_queue("main")) == 1)
            proxy.swallow("server")
            lost = smsc.inject(source="250788123124", to="8080", text="lost itself")
            await smsc.wait_for(lambda it: bool(numbers(it) - {dead}))
            assert DEAD in error(relay)
            assert {answered.state, lost.state} == {"sent"}
            smsc.disconnect("reset", dead)
            await smsc.wait_for(lambda _: answered.state == lost.state == "acknowledged")
            await world.lane_empty(queues.EVENTS)
    told = [body["fields"]["text"] for body in world.aws.bodies(queues.deliver_queue("main"))]
    assert sorted(told) == sorted(["lost itself", text])
    assert smsc.stats[ACCOUNT]["delivered"] == 2


asked = pytest.mark.parametrize("spoken", [SMPP, PROTOCOLS[2]], ids=["SMPP", "CIMD2"])  # after each MO


@asked
@pytest.mark.parametrize(
    ("text", "silence", "times"),
    [
        pytest.param("1", SILENT, 1, id="a short answer, after a silence"),
        pytest.param("1", 0, 2, id="a short answer, at once: the word of the SMSC may have been on the way"),
        pytest.param("the answer is lost", 0, 1, id="a longer text"),
    ],
)
async def test_an_answer_that_was_not_read_comes_again_and_is_told_once(
    world: World, spoken: Protocol, text: str, silence: float, times: int
) -> None:
    """Short ones too, where it is sure: the SMSC was asked for a sign of life after it, and gave none."""
    async with simulator() as smsc, Proxy(spoken.port(smsc)) as proxy, world.recording():
        spoken.account(world, smsc, port=proxy.port)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            (dead,) = numbers(smsc)
            proxy.swallow("client")
            lost = smsc.inject(source="250788123123", to="8080", text=text)
            await eventually(lambda: world.aws.depth(queues.deliver_queue("main")) == 1)
            asked = asyncio.get_running_loop().time()  # at the latest
            await eventually(lambda: asyncio.get_running_loop().time() >= asked + silence)
            proxy.drop()
            await smsc.wait_for(lambda it: bool(numbers(it) - {dead}))
            await smsc.wait_for(lambda _: lost.state == "acknowledged")
            await world.lane_empty(queues.EVENTS)
    assert [body["fields"]["text"] for body in world.aws.bodies(queues.deliver_queue("main"))] == [text] * times


async def test_a_short_answer_is_not_lost_with_the_sign_that_the_one_before_was_read(world: World) -> None:
    """The SMSC has read our answer, and the link is lost before its word is here; the phone sends the same again."""
    async with simulator() as smsc, Proxy(smsc.smpp_port) as proxy:
        SMPP.account(world, smsc, port=proxy.port)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            before, bring_back = numbers(smsc), world.without_events()
            first = smsc.inject(source="250788123123", to="8080", text="1")
            await eventually(lambda: relay.report()["links"]["fast"]["arriving"] == 1)
            proxy.swallow("server")
            bring_back()
            await smsc.wait_for(lambda _: first.state == "acknowledged")
            proxy.drop()
            await smsc.wait_for(lambda it: bool(numbers(it) - before))
            again = smsc.inject(source="250788123123", to="8080", text="1")
            await smsc.wait_for(lambda _: again.state == "acknowledged")
        async with world.recording():
            await world.lane_empty(queues.EVENTS)
    assert [body["fields"]["text"] for body in world.aws.bodies(queues.deliver_queue("main"))] == ["1", "1"]


async def twice(world: World, smsc: Simulator, text: str, told: Callable[[], bool] = lambda: True) -> list[str]:
    """A phone sends the same before and after the link is lost, and the SMSC has read the answer to the first: what
    the platform is told."""
    async with relaying(kinds=kind_of) as relay, world.recording():
        await eventually(lambda: state(relay) == ["up"])
        before = numbers(smsc)
        first = smsc.inject(source="250788123123", to="8080", text=text)
        await smsc.wait_for(lambda _: first.state == "acknowledged")
        await eventually(told)
        smsc.disconnect("reset")
        await smsc.wait_for(lambda it: bool(numbers(it) - before))
        again = smsc.inject(source="250788123123", to="8080", text=text)
        await smsc.wait_for(lambda _: again.state == "acknowledged")
        await world.lane_empty(queues.EVENTS)
    return [body["fields"]["text"] for body in world.aws.bodies(queues.deliver_queue("main"))]


@asked
@pytest.mark.parametrize("text", ["1", "the same again"])
async def test_what_was_read_and_is_sent_again_by_the_phone_is_told_twice(
    world: World, spoken: Protocol, text: str
) -> None:
    """Though the link is lost just after the first: the SMSC has given a sign of life since."""
    async with simulator() as smsc:
        spoken.account(world, smsc)
        assert await twice(world, smsc, text) == [text] * 2


@pytest.mark.parametrize(
    ("spoken", "config"),
    [pytest.param(SMPP, {"keepalive": 0}, id="not at all"), pytest.param(PROTOCOLS[1], {}, id="UCP: it takes a place")],
)
@pytest.mark.parametrize(("text", "times"), [("1", 2), ("the same again", 1)])
async def test_an_smsc_that_is_not_to_be_asked_is_not_asked(
    world: World, monkeypatch: pytest.MonkeyPatch, spoken: Protocol, config: dict[str, Any], text: str, times: int
) -> None:
    """What it may not have read is taken for a copy, unless it is short."""
    probes: list[Any] = []
    for kind in (SmppConversation, UcpConversation):
        monkeypatch.setattr(kind, "probe", lambda *given: probes.append(given))
    async with simulator() as smsc:
        spoken.account(world, smsc, **config)
        assert await twice(world, smsc, text) == [text] * times
    assert not probes


@pytest.mark.parametrize(("text", "times"), [("1", 2), ("the same again", 1)])
async def test_an_smsc_that_does_not_say_is_not_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch, text: str, times: int
) -> None:
    """It answers no such question beside the keepalive's: that is no sign that it has not read our answer."""
    probe, told, outcomes = SmppConversation.probe, Answers._told, list[str]()
    asked: list[float] = []

    def probed(self: SmppConversation, context: Any, now: float) -> None:
        asked.append(now)
        probe(self, context, now)

    def heard(self: Answers, connection: Connection, question: Any, answered: asyncio.Future[Answered]) -> None:
        told(self, connection, question, answered)
        outcomes.append(answered.result().problem)

    monkeypatch.setattr(SmppConversation, "probe", probed)
    monkeypatch.setattr(Answers, "_told", heard)
    async with simulator({"link": {"answer_enquire_link": False}}) as smsc:
        SMPP.account(world, smsc, response_timeout=1)
        found = await twice(world, smsc, text, lambda: bool(outcomes))
    assert found == [text] * times
    assert outcomes[0].startswith("no answer for")
    assert len(asked) == 2, "once in each session"
