"""Messages of one second to one recipient have one name in UCP and CIMD2: all of them are told as delivered, whatever
binds and relays they and their receipts went over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chalicelib import ledger, registry, rendezvous
from chalicelib.messages import Status
from smsc_relay.relay import Relay
from smsc_relay.simulator import Simulator
from tests.relay.conftest import QUICK, World, eventually
from tests.support import CHANNEL

ACCOUNT = "1234"
PHONE = "+250788123123"
SAME: dict[str, dict[str, Any]] = {"UCP": {"ucp": {"same_stamps": True}}, "CIMD2": {"cimd2": {"timestamps": "second"}}}


@asynccontextmanager
async def relaying() -> AsyncIterator[Relay]:
    """A relay of the deployed protocols, which must end well."""
    relay = Relay(timing=QUICK)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        relay.stop()
        clean = await asyncio.wait_for(task, 40)
    assert clean


@pytest.mark.parametrize("protocol", ["UCP", "CIMD2"])
async def test_each_gets_its_receipt_over_two_binds_and_after_a_restart(world: World, protocol: str) -> None:
    script = {
        "accounts": {ACCOUNT: {"password": "secret"}},
        "behaviour": {"receipts": {"delay": 4}, **SAME[protocol]},
        "built_in": False,
    }
    async with Simulator(script, control_port=None) as smsc:
        config = {
            "host": "127.0.0.1",
            "port": smsc.ucp_port if protocol == "UCP" else smsc.cimd2_port,
            "username": ACCOUNT,
            "binds": 2,
            "window": 10,
            "reconnect_min": 0.1,
            **({"subaddresses": [0, 1]} if protocol == "CIMD2" else {}),
        }
        version = time.time_ns() // 1_000_000
        world.aws.aggregator("fast", protocol, config=config, secrets={"password": "secret"}, version=version)
        world.aws.channel(CHANNEL, type=protocol)
        registry.reset()
        async with world.recording():
            async with relaying():
                await smsc.wait_for(lambda it: len(it.sessions) == 2, 20)
                for number in range(1, 5):
                    world.put(number, to=PHONE, text=str(number))
                world.put(5, to=PHONE, text="x" * 500)
                await world.lane_empty()
            assert len(smsc.messages) == 5
            async with relaying():
                await smsc.wait_for(lambda it: it.stats[ACCOUNT].get("delivered") == 8, 30)
                await eventually(lambda: all(_status(number) is Status.DELIVERED for number in range(1, 6)))
    assert rendezvous.unmatched("fast") == []


def _status(number: int) -> Status | None:
    found = ledger.get(CHANNEL, str(number))
    return found.status if found else None
