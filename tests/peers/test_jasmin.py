"""Jasmin between the relay and the simulated SMSC: it knows nothing of us, is an SMSC for the one and a client of the
other, and cuts, joins and rewrites as it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsc_relay.simulator import Simulator
from tests.peers.jasmin import Jasmin
from tests.peers.relayed import ARABIC, GSM, LONG, LONG_ARABIC, PHONE, SHORT_CODE, Events, relaying
from tests.peers.tee import Tee
from tests.relay.conftest import World, eventually, world  # noqa: F401 - a fixture


@pytest.mark.timeout(300)
async def test_messages_receipts_and_mos_of_every_kind(world: World, tmp_path: Path) -> None:  # noqa: F811
    texts = [GSM, ARABIC, LONG, LONG_ARABIC]
    events = Events(world)
    script = {"behaviour": {"receipts": {"delay": 0.05}}}
    async with (
        Simulator(script, control_port=None) as smsc,
        Tee(smsc.smpp_port) as behind,
        Jasmin(tmp_path, behind.port, ("jangada", "secret")) as jasmin,
        Tee(jasmin.port) as before,
        relaying(world, before.port),
    ):
        for number, text in enumerate(texts, 1):
            world.put(number, f"+{PHONE}", text)
        world.put(5, "+250788120105", "not delivered")
        await smsc.wait_for(lambda it: sum(one.complete for one in it.messages) == len(texts), 60)
        await world.lane_empty()
        assert sorted(str(one.text) for one in smsc.messages) == sorted(texts)
        segments = len(smsc.submits)
        await eventually(lambda: len(events.of("outcome")) == segments)
        assert all(event["accepted"] for event in events.of("outcome"))
        await eventually(lambda: len(events.of("status")) >= segments)
        names = {event["external_id"]: event["key"]["id"] for event in events.of("outcome")}
        assert {(names[name], status) for name, status in events.statuses()} >= {
            *((str(number), "delivered") for number in range(1, 5)),
            ("5", "failed"),
        }

        for text in texts:
            smsc.inject(source=PHONE, to=SHORT_CODE, text=text)
        await eventually(lambda: len(events.texts()) == len(texts))
        assert events.texts() == sorted(texts)
    for name, tee in (("before", before), ("behind", behind)):
        operations = tee.dissected(tmp_path / name, "smpp", "smpp.command_id")
        assert operations.count("0x00000004") == segments
        assert operations.count("0x80000005") >= segments + len(texts)
