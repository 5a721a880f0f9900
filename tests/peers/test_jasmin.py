"""Jasmin between the relay and the simulated SMSC: it knows nothing of us, is an SMSC for the one and a client of the
other, and cuts, joins and rewrites as it does."""

from __future__ import annotations

from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from cli import aggregator_files
from cli import jasmin as imports
from smsc_relay.simulator import Simulator
from smsc_relay.simulator.phones import Segment
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


# --- a connector, imported --------------------------------------------------------------------------------------------

CONNECTOR = (
    "systype VMA", "bind_ton 1", "bind_npi 8", "addr_range ^80", "src_ton 3", "src_npi 0", "dst_ton 2", "dst_npi 8",
    "proto_id 65", "ripf 1", "priority 2", "validity 3600", "coding 3", "src_addr PALMA",
)  # fmt: skip
BIND = ("smpp.system_type", "smpp.addr_ton", "smpp.addr_npi", "smpp.address_range")


def written(segment: Segment) -> dict[str, Any]:
    """A submit, but for the receipt that it asks for."""
    fields = {key: value for key, value in segment.details().items() if key != "registered_delivery"}
    return {**fields, "from": segment.source, "to": segment.to, "octets": segment.octets}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("settings", [(), CONNECTOR], ids=["unset", "set"])
async def test_an_imported_account_binds_and_submits_as_the_connector_does(
    world: World,  # noqa: F811
    tmp_path: Path,
    settings: tuple[str, ...],
) -> None:
    async with (
        Simulator(control_port=None) as smsc,
        Tee(smsc.smpp_port) as theirs,
        Tee(smsc.smpp_port) as ours,
        Jasmin(tmp_path, theirs.port, ("jangada", "secret")) as jasmin,
    ):
        await smsc.wait_for(lambda it: len(it.sessions) == 1)
        await jasmin.session("smppccm -0 upstream", "smppccm -u upstream", *settings, "ok")
        await smsc.wait_for(lambda it: not it.sessions)  # started before, it stays stopped
        await jasmin.session("smppccm -1 upstream")
        for to in (PHONE, "8181"):
            await jasmin.send(SHORT_CODE, to, GSM)
        await smsc.wait_for(lambda it: len(it.submits) == 2, 60)
        printed = await jasmin.session("smppccm -l", "user -s jangada", "smppccm -s upstream", "mtrouter -l")
        (one,) = imports.imported(printed)
        loaded = aggregator_files.load(one.text, f"{one.name}.yaml")
        assert loaded.aggregator is not None
        assert loaded.aggregator.config["port"] == theirs.port
        async with relaying(world, **{**loaded.aggregator.config, "port": ours.port, "password": "secret"}):
            for number, to in enumerate((f"+{PHONE}", "8181"), 1):
                world.put(number, to, GSM)
            await smsc.wait_for(lambda it: len(it.submits) == 4, 60)
            await world.lane_empty()
    by_jasmin, by_us = [sorted(map(written, smsc.submits[at : at + 2]), key=itemgetter("to")) for at in (0, 2)]
    assert by_us == by_jasmin
    first, *_ = [frame for frame in ours.frames(tmp_path / "ours", "smpp", *BIND) if frame[BIND[1]]]
    *_, last = [frame for frame in theirs.frames(tmp_path / "theirs", "smpp", *BIND) if frame[BIND[1]]]
    assert first == last
