"""Submits whose answer was lost, of which the SMSC tells later: they are not sent again, whoever has them by then."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chalicelib import attempts, aws, clock, ledger, queues, rendezvous
from chalicelib.ledger_items import PartState
from smsc_relay import lookup
from smsc_relay.accounts import kind_of
from smsc_relay.journal import Journal
from smsc_relay.relay import Relay
from smsc_relay.simulator import Simulator
from tests.relay.conftest import BULK, LANE, World, eventually, relaying
from tests.relay.crowd import Proxy
from tests.relay.smsc import Smsc
from tests.relay.test_every_protocol import PROTOCOLS, Protocol, phones, sent, simulator
from tests.relay.test_last_receipt import told
from tests.relay.test_links import state
from tests.support import CHANNEL

WINDOW = 4
LONG = "Love is patient. Love is kind. It does not envy, it does not boast. " * 6  # three parts
TELLING: dict[str, Any] = {"receipts": {}}
PHONE = "+250788123123"
IN_DOUBT = "in doubt: the SMSC has not answered"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "BACKOFF", (1, 1, 1))


@asynccontextmanager
async def deaf(world: World, spoken: Protocol, **config: Any) -> AsyncIterator[tuple[Simulator, Proxy]]:
    """An SMSC whose answers can be swallowed, as `Proxy.swallow` does; what it has to tell it tells later."""
    async with simulator(TELLING) as smsc, Proxy(spoken.port(smsc)) as proxy, world.recording():
        spoken.account(world, smsc, **{"port": proxy.port, "response_timeout": 2, "in_doubt_wait": 20, **config})
        yield smsc, proxy


async def hung_up(smsc: Simulator, proxy: Proxy, count: int) -> None:
    """The SMSC has taken so many submits, and the connection drops before its answers are through."""
    await smsc.wait_for(lambda it: len(it.submits) == count)
    proxy.drop()


async def lose_an_answer(world: World, relay: Relay, smsc: Simulator, proxy: Proxy) -> None:
    """Message 1 has been taken, and nobody here knows."""
    await eventually(lambda: state(relay) == ["up"])
    proxy.swallow("server")
    world.put(1)
    await hung_up(smsc, proxy, 1)


def statuses(*numbers: int) -> Counter[str]:
    return Counter(
        found.overall().value for number in numbers if (found := ledger.get(CHANNEL, str(number))) is not None
    )


@pytest.mark.parametrize("policy", ["resend", "fail", "ask"])
@pytest.mark.parametrize("spoken", PROTOCOLS, ids=[one.name for one in PROTOCOLS])
async def test_a_receipt_proves_that_a_submit_without_an_answer_was_accepted(
    world: World, spoken: Protocol, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is to be done with what is in doubt: it is in none any more."""
    found: Counter[str] = Counter()
    monkeypatch.setattr(Journal, "count", lambda _, name, aggregator, value=1: found.update({name: value}))
    async with deaf(world, spoken, in_doubt=policy, window=WINDOW) as (smsc, proxy):
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            proxy.swallow("server")
            world.put_many(WINDOW)
            await hung_up(smsc, proxy, WINDOW)
            await world.lane_empty()
        await eventually(lambda: statuses(1, 2, 3, 4) == {"delivered": 4})
    assert sent(smsc) == phones(WINDOW)
    assert (found["in_doubt"], found["proven"]) == (WINDOW, WINDOW)
    assert sorted(told(world)) == [("delivered", str(number)) for number in range(1, WINDOW + 1)]
    assert rendezvous.unmatched("fast") == []
    assert queues.receive(queues.dlq_of(LANE), 30) == []
    for number in range(1, WINDOW + 1):
        hops = world.hops(str(number))
        assert [hop for hop in hops if hop in ("in_doubt", "wired")] == ["in_doubt", "wired"]


async def test_each_part_of_a_long_message_is_proven(world: World) -> None:
    async with deaf(world, PROTOCOLS[0], window=WINDOW) as (smsc, proxy):
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            proxy.swallow("server")
            world.put(1, text=LONG)
            await hung_up(smsc, proxy, 3)
            await world.lane_empty()
        await eventually(lambda: statuses(1) == {"delivered": 1})
    assert len(smsc.submits) == 3
    assert told(world) == [("delivered", "1")]


async def test_another_relay_finds_the_proof(world: World) -> None:
    """The one that had submitted it has stopped, and left in the ledger what is in doubt."""
    async with deaf(world, PROTOCOLS[0], logout_timeout=0.5) as (smsc, proxy):
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            proxy.swallow("server")
            world.put(1)
            await smsc.wait_for(lambda it: len(it.submits) == 1)
        assert sum(world.in_lane()) == 1
        async with relaying(kinds=kind_of):
            await world.lane_empty()
        await eventually(lambda: statuses(1) == {"delivered": 1})
    assert sent(smsc) == phones(1)


async def test_what_nothing_proves_goes_again_when_it_has_been_waited_for(world: World) -> None:
    """Not before: the link has been back for so long by then."""
    async with simulator() as smsc, Proxy(smsc.smpp_port) as proxy, world.recording():
        PROTOCOLS[0].account(world, smsc, port=proxy.port, in_doubt_wait=3)
        async with relaying(kinds=kind_of) as relay:
            await lose_an_answer(world, relay, smsc, proxy)
            await smsc.wait_for(lambda it: len(it.submits) == 2)
            again = asyncio.get_running_loop().time()
            await world.lane_empty()
    assert again - proxy.connected[-1] >= 3 - 0.1
    assert sent(smsc) == {"250788100001": 2}


@pytest.mark.parametrize("config", [{"in_doubt_wait": 0}, {"receipts": "none"}, {"receipts": "failure"}])
async def test_where_nothing_can_prove_it_nothing_is_waited_for(
    world: World, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[Any] = []
    monkeypatch.setattr(ledger, "note_doubt", lambda *given: noted.append(given))
    async with deaf(world, PROTOCOLS[0], in_doubt="fail", **config) as (smsc, proxy):
        async with relaying(kinds=kind_of) as relay:
            await lose_an_answer(world, relay, smsc, proxy)
            await world.lane_empty()
        await eventually(lambda: statuses(1)["failed"] == 1)
    assert sent(smsc) == phones(1)
    assert not noted


@pytest.mark.parametrize(("policy", "times"), [("resend", 2), ("fail", 1), ("ask", 1)])
async def test_what_waits_is_decided_when_the_account_waits_no_more(world: World, policy: str, times: int) -> None:
    """An operator has changed in_doubt_wait: what is in doubt still is."""
    async with simulator() as smsc, world.recording():
        PROTOCOLS[0].account(world, smsc, in_doubt=policy, in_doubt_wait=0)
        record = world.put(1)
        doubt = PartState.in_doubt(clock.now_ms() - 1000, clock.now_ms(), silent=False)
        ledger.note_doubt(record.key, 0, doubt)
        queues.hold(queues.received_from(world.aws.receive(LANE)), 0)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
        await eventually(lambda: policy != "fail" or statuses(1)["failed"] == 1)
    assert len(smsc.submits) == times - 1
    assert len(queues.receive(queues.dlq_of(LANE), 30)) == (policy == "ask")


async def test_of_two_to_one_phone_none_is_proven_by_what_may_be_the_other_s(world: World) -> None:
    """Both are in doubt, the SMSC has taken one: whoever looks first does not take its receipt. Nothing is lost."""
    async with deaf(world, PROTOCOLS[0], binds=2, window=1, in_doubt_wait=5) as (smsc, proxy):
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"] * 2)
            proxy.swallow("client", connections=1)
            proxy.swallow("server")
            world.put(1, to=PHONE, text="reply")
            world.put(2, to=PHONE, text="bulk", bulk=True)
            await eventually(lambda: relay.report()["links"]["fast"]["in_flight"] == 2)
            await hung_up(smsc, proxy, 1)
            await world.lane_empty(LANE, BULK)
        await eventually(lambda: statuses(1, 2) == {"delivered": 2})
    assert {one.text for one in smsc.messages} == {"reply", "bulk"}
    assert len(smsc.submits) == 3, "the one that was taken goes twice, since it may not have been"


async def test_a_receipt_that_is_ahead_of_its_answer_proves_nothing_of_another(world: World) -> None:
    """To the same phone: the first never reaches the SMSC, which answers the second late and tells of it before."""
    rules = {"23": {"delay": 6, "receipt_delay": -5.5}}
    async with (
        simulator(TELLING, script={"destinations": rules}) as smsc,
        Proxy(smsc.smpp_port) as proxy,
        world.recording(),
    ):
        PROTOCOLS[0].account(world, smsc, port=proxy.port, response_timeout=30, in_doubt_wait=8)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            proxy.swallow("client", "server")
            world.put(1, to=PHONE, text="reply")
            await eventually(lambda: relay.report()["links"]["fast"]["in_flight"] == 1)
            proxy.drop()
            world.put(2, to=PHONE, text="bulk", bulk=True)
            await world.lane_empty(LANE, BULK)
        await eventually(lambda: statuses(1, 2) == {"delivered": 2})
    assert Counter(one.text for one in smsc.messages) == {"reply": 1, "bulk": 1}


@pytest.mark.parametrize("policy", ["fail", "ask"])
async def test_an_answer_that_comes_while_proof_is_sought_counts(
    world: World, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    real, answered, sought = lookup.look_up, threading.Event(), threading.Event()

    def look_up(*given: Any) -> Any:
        found = real(*given)
        sought.set()
        answered.wait(10)
        return found

    monkeypatch.setattr(lookup, "look_up", look_up)
    async with Smsc(lambda said: None) as smsc:
        world.account(smsc, response_timeout=1, in_doubt=policy, in_doubt_wait=0.1)
        world.put(1)
        async with relaying():
            await asyncio.to_thread(sought.wait, 20)
            smsc.answer_open()
            await eventually(lambda: "wired" in world.hops("1"))
            answered.set()
            await world.lane_empty()
    assert world.outcomes() == [("1", 0, True, "x1-0")]
    assert queues.receive(queues.dlq_of(LANE), 30) == []


async def test_a_long_message_of_one_receipt_goes_again_whole(world: World) -> None:
    """`receipts: last`: with all parts in doubt the one receipt may be of any, from an SMSC that sends them unasked."""
    async with deaf(world, PROTOCOLS[0], window=WINDOW, receipts="last", in_doubt_wait=5) as (smsc, proxy):
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            proxy.swallow("server")
            world.put(1, text=LONG)
            await hung_up(smsc, proxy, 3)
            await world.lane_empty()
        await eventually(lambda: statuses(1) == {"delivered": 1})
    assert told(world) == [("delivered", "1")]
    assert len(smsc.submits) == 6


async def test_a_message_that_expires_in_doubt_is_proven_all_the_same(world: World) -> None:
    async with deaf(world, PROTOCOLS[0]) as (smsc, proxy):
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            proxy.swallow("server")
            world.put(1, expires_at=clock.now_ms() + 3_000)
            await hung_up(smsc, proxy, 1)
            await world.lane_empty()
        await eventually(lambda: statuses(1) == {"delivered": 1})
    assert sent(smsc) == phones(1)


def _denied(*_: Any, **__: Any) -> Any:
    raise PermissionError("AccessDeniedException")


async def test_where_the_ledger_tells_of_no_receipts_it_goes_as_the_account_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role from before there were proofs may not read the index."""
    monkeypatch.setattr(aws.dynamodb(), "query", _denied)
    async with deaf(world, PROTOCOLS[0], in_doubt_wait=1) as (smsc, proxy), relaying(kinds=kind_of) as relay:
        await lose_an_answer(world, relay, smsc, proxy)
        await world.lane_empty()
    assert sent(smsc) == {"250788100001": 2}


@pytest.mark.parametrize("policy", ["resend", "fail", "ask"])
async def test_a_doubt_that_could_not_be_written_down(
    world: World, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    """This process remembers it, and waits. But another may have the record next: where it must not be sent again,
    that is decided at once."""
    monkeypatch.setattr(ledger, "note_doubt", _denied)
    async with deaf(world, PROTOCOLS[0], in_doubt=policy) as (smsc, proxy):
        async with relaying(kinds=kind_of) as relay:
            await lose_an_answer(world, relay, smsc, proxy)
            await world.lane_empty()
        await eventually(lambda: policy == "ask" or statuses(1)["delivered" if policy == "resend" else "failed"] == 1)
    assert sent(smsc) == phones(1)
    reasons = [one.reason for one in queues.receive(queues.dlq_of(LANE), 30)]
    assert reasons == ([f"{IN_DOUBT}, and the channel says ask"] if policy == "ask" else [])


async def test_while_only_the_transmitter_of_a_pair_is_back_the_wait_for_proof_stands_still(world: World) -> None:
    """The SMSC can tell of a message only over the receiver."""
    async with (
        simulator(TELLING) as smsc,
        Proxy(smsc.smpp_port) as there,
        Proxy(smsc.smpp_port) as back,
        world.recording(),
    ):
        pair = {"bind": "pair", "port": there.port, "rx_port": back.port, "in_doubt_wait": 3}
        PROTOCOLS[0].account(world, smsc, **pair)
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up", "up"])
            there.swallow("server")
            back.swallow("server")
            world.put(1)
            back.refusing = True
            await hung_up(smsc, there, 1)
            back.drop()
            await eventually(lambda: len(there.connected) == 2 and sorted(state(relay)) == ["up", "waiting"])
            since = there.connected[-1]
            await eventually(lambda: asyncio.get_running_loop().time() > since + 2 * 3)
            back.refusing = False
            await world.lane_empty()
        await eventually(lambda: statuses(1) == {"delivered": 1})
    assert sent(smsc) == phones(1)
    assert back.connected[-1] > since + 2 * 3
