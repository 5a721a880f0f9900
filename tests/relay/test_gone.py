"""Connections whose SMSC is gone without a word: nothing is read, and nothing closed."""

from __future__ import annotations

from collections import Counter

import pytest

from smsc_relay.accounts import kind_of
from tests.relay.conftest import World, eventually, relaying
from tests.relay.test_every_protocol import PROTOCOLS, Protocol, simulator
from tests.relay.test_links import state

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
