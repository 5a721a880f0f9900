"""Submits whose answer was lost, of which the SMSC tells later: they are not sent again, whoever has them by then."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chalicelib import attempts, aws, ledger, proofs, queues, rendezvous
from smsc_relay.accounts import kind_of
from smsc_relay.simulator import Simulator
from tests.relay.conftest import LANE, World, eventually, relaying
from tests.relay.crowd import Proxy
from tests.relay.test_every_protocol import PROTOCOLS, Protocol, phones, sent, simulator
from tests.relay.test_last_receipt import told
from tests.relay.test_links import state
from tests.support import CHANNEL

WINDOW = 4
LONG = "Love is patient. Love is kind. It does not envy, it does not boast. " * 6  # three parts
TELLING: dict[str, Any] = {"receipts": {}}
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


def statuses(*numbers: int) -> Counter[str]:
    return Counter(
        found.overall().value for number in numbers if (found := ledger.get(CHANNEL, str(number))) is not None
    )


@pytest.mark.parametrize("policy", ["resend", "fail", "ask"])
@pytest.mark.parametrize("spoken", PROTOCOLS, ids=[one.name for one in PROTOCOLS])
async def test_a_receipt_proves_that_a_submit_without_an_answer_was_accepted(
    world: World, spoken: Protocol, policy: str
) -> None:
    """Whatever is to be done with what is in doubt: it is in none any more."""
    async with deaf(world, spoken, in_doubt=policy, window=WINDOW) as (smsc, proxy):
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            proxy.swallow("server")
            world.put_many(WINDOW)
            await hung_up(smsc, proxy, WINDOW)
            await world.lane_empty()
        await eventually(lambda: statuses(1, 2, 3, 4) == {"delivered": 4})
    assert sent(smsc) == phones(WINDOW)
    assert sorted(told(world)) == [("delivered", str(number)) for number in range(1, WINDOW + 1)]
    assert rendezvous.unmatched("fast") == []
    assert queues.receive(queues.dlq_of(LANE), 30) == []
    assert [hop for hop in world.hops("1") if hop in ("in_doubt", "wired")] == ["in_doubt", "wired"]


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
            await eventually(lambda: state(relay) == ["up"])
            proxy.swallow("server")
            world.put(1)
            await hung_up(smsc, proxy, 1)
            await smsc.wait_for(lambda it: len(it.submits) == 2)
            again = asyncio.get_running_loop().time()
            await world.lane_empty()
    assert again - proxy.connected[-1] >= 3 - 0.1
    assert sent(smsc) == {"250788100001": 2}


@pytest.mark.parametrize("config", [{"in_doubt_wait": 0}, {"receipts": "none"}, {"receipts": "failure"}])
async def test_where_nothing_can_prove_it_nothing_is_waited_for(
    world: World, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(proofs, "take")
    async with deaf(world, PROTOCOLS[0], in_doubt="fail", **config) as (smsc, proxy):
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            proxy.swallow("server")
            world.put(1)
            await hung_up(smsc, proxy, 1)
            await world.lane_empty()
        await eventually(lambda: statuses(1)["failed"] == 1)
    assert sent(smsc) == phones(1)


def _denied(*_: Any, **__: Any) -> Any:
    raise PermissionError("AccessDeniedException")


async def test_where_the_ledger_tells_of_no_receipts_it_goes_as_the_account_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role from before there were proofs may not read the index."""
    monkeypatch.setattr(aws.dynamodb(), "query", _denied)
    async with deaf(world, PROTOCOLS[0], in_doubt_wait=1) as (smsc, proxy), relaying(kinds=kind_of) as relay:
        await eventually(lambda: state(relay) == ["up"])
        proxy.swallow("server")
        world.put(1)
        await hung_up(smsc, proxy, 1)
        await world.lane_empty()
    assert sent(smsc) == {"250788100001": 2}


@pytest.mark.parametrize(("policy", "times"), [("resend", 2), ("fail", 1), ("ask", 1)])
async def test_a_doubt_that_could_not_be_written_down_is_decided_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch, policy: str, times: int
) -> None:
    """Whoever has the record next would take it for one that was never submitted."""
    monkeypatch.setattr(ledger, "note_doubt", _denied)
    async with deaf(world, PROTOCOLS[0], in_doubt=policy) as (smsc, proxy):
        async with relaying(kinds=kind_of) as relay:
            await eventually(lambda: state(relay) == ["up"])
            proxy.swallow("server")
            world.put(1)
            await hung_up(smsc, proxy, 1)
            await world.lane_empty()
        await eventually(lambda: policy != "fail" or statuses(1)["failed"] == 1)
    assert sent(smsc) == {"250788100001": times}
    reasons = [one.reason for one in queues.receive(queues.dlq_of(LANE), 30)]
    assert reasons == ([f"{IN_DOUBT}, and the channel says ask"] if policy == "ask" else [])
