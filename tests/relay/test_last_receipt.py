"""`receipts: last`, over SMPP, UCP and CIMD2, as far as the platform's queue: a long message whose SMSC tells of its
last part alone is delivered, or has failed, and is told of once."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib import attempts, ledger, rendezvous
from chalicelib.ledger_items import MessageState
from smsc_relay.accounts import kind_of
from smsc_relay.simulator import Simulator
from tests.relay.conftest import World, eventually, relaying
from tests.relay.smsc import Smsc
from tests.relay.test_every_protocol import ACCOUNT, PROTOCOLS, Protocol
from tests.support import CHANNEL

LONG = "Love is patient. Love is kind. It does not envy, it does not boast. " * 6  # three parts
SAME_SECOND = {"ucp": {"same_stamps": True}, "cimd2": {"timestamps": "second"}}


def state(number: int = 1) -> MessageState:
    found = ledger.get(CHANNEL, str(number))
    assert found is not None
    return found


def told(world: World) -> list[tuple[str, str]]:
    """What the platform's queue has got: kind and id."""
    return [(body["kind"], body["fields"]["id"]) for body in world.aws.bodies("deliver-main.fifo")]


def simulator(*, rules: dict[str, Any] | None = None, **behaviour: Any) -> Simulator:
    accounts = {ACCOUNT: {"password": "secret"}}
    script = {"accounts": accounts, "behaviour": behaviour, "destinations": rules or {}, "built_in": False}
    return Simulator(script, control_port=None)


@pytest.mark.parametrize(
    ("rules", "behaviour", "receipts", "expected"),
    [
        pytest.param({}, {}, 1, "delivered", id="delivered"),
        pytest.param({}, SAME_SECOND, 1, "delivered", id="all parts in one second"),
        pytest.param({"23": {"state": "UNDELIV"}}, {}, 1, "failed", id="failed"),
        pytest.param({"23": {"receipt_delay": -0.2}}, {}, 1, "delivered", id="before its answer"),
        pytest.param({"23": {"status": "ESME_RINVDSTADR", "times": 1}}, {}, 0, "failed", id="its first part refused"),
    ],
)
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=[one.name for one in PROTOCOLS])
async def test_the_last_part_speaks_for_all(
    world: World, protocol: Protocol, rules: dict[str, Any], behaviour: dict[str, Any], receipts: int, expected: str
) -> None:
    async with simulator(rules=rules, **behaviour) as smsc, world.recording():
        # In a window of one, nothing goes after the part that is refused.
        protocol.account(world, smsc, receipts="last", window=4 if receipts else 1)
        world.put(1, to="+250788123123", text=LONG)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
            await smsc.wait_for(lambda it: it.stats[ACCOUNT].get("delivered", 0) == receipts, 20)
            await eventually(lambda: state().status.final)
        assert smsc.stats[ACCOUNT].get("delivered", 0) == receipts
    assert len(smsc.submits) == (3 if receipts else 0)  # those that were accepted
    assert told(world) == [(expected, "1")]
    assert rendezvous.unmatched("fast") == []


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=[one.name for one in PROTOCOLS])
async def test_where_every_part_has_a_receipt_all_are_waited_for(world: World, protocol: Protocol) -> None:
    async with simulator() as smsc, world.recording():
        protocol.account(world, smsc)
        world.put(1, to="+250788123123", text=LONG)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
            await eventually(lambda: state().status.final)
    assert smsc.stats[ACCOUNT]["delivered"] == 3
    assert not any(part.silent for part in state().parts.values())
    assert told(world) == [("delivered", "1")]


async def test_receipts_that_were_not_asked_for_are_welcome(world: World) -> None:
    async with simulator(receipts={"when": "always"}) as smsc, world.recording():
        PROTOCOLS[0].account(world, smsc, receipts="last")
        world.put(1, to="+250788123123", text=LONG)
        async with relaying(kinds=kind_of):
            await world.lane_empty()
            await smsc.wait_for(lambda it: it.stats[ACCOUNT].get("delivered") == 3, 20)
            await eventually(lambda: {part.rank for part in state().parts.values()} == {state().status.rank})
    assert told(world) == [("delivered", "1")]
    assert rendezvous.unmatched("fast") == []


async def test_what_goes_back_to_its_lane_is_as_silent_in_the_ledger(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection drops between the parts: the relay writes down what was accepted, and a copy sends the rest."""
    monkeypatch.setattr(attempts, "BACKOFF", (1, 1, 1))
    async with Smsc(lambda said: {"id": "first"} if said["part"] == 0 else None) as smsc:
        world.account(smsc, part=1, window=2, receipts="last")
        world.put(1, text="abc")
        async with relaying():
            await smsc.until(lambda: len(smsc.submits) >= 3)
            smsc.drop()
            await eventually(lambda: bool(state().parts))
            assert state().parts[0].silent
            smsc.answer = lambda said: {"id": f"again{said['part']}"}
            await world.lane_empty()
    events = [body["event"] for body in world.aws.bodies("events.fifo")]
    silent = {event.get("part", 0): event.get("silent", False) for event in events if event["kind"] == "outcome"}
    assert silent == {0: True, 1: True, 2: False}
