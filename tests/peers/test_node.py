"""An SMSC on node's `smpp`, which knows nothing of us: the relay binds to it, sends, and takes receipts and MOs."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.peers.relayed import ARABIC, GSM, LONG, LONG_ARABIC, PHONE, SHORT_CODE, UCS2, Events, relaying
from tests.peers.tee import Tee
from tests.relay.conftest import World, eventually, world  # noqa: F401 - a fixture
from tests.tools import node_with

HERE = Path(__file__).parent / "node"
IDS = {"id_in_response": "decimal", "id_in_receipt": "hex"}


class Server:
    """The process: what it tells, and what it is told to send."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.told: list[dict[str, Any]] = []

    async def listen(self) -> None:
        """Until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.told.append(json.loads(line))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """What it has told of a kind."""
        return [one for one in self.told if kind in one]

    def deliver(self, **fields: Any) -> None:
        """Have it send a deliver_sm."""
        given = {"source_addr": PHONE, "destination_addr": SHORT_CODE, "source_addr_ton": 1, "source_addr_npi": 1}
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps({**given, **fields})}\n".encode())

    def texts(self) -> list[str]:
        """What has been submitted, as node's `smpp` decodes it, long ones joined."""
        found: dict[str, dict[int, str]] = {}
        for submit in self.of("submit"):
            (header,) = submit["udh"] or [""]
            key, place = (header[:-2], int(header[-2:], 16)) if header else (str(submit["submit"]), 1)
            found.setdefault(key, {})[place] = submit["text"]
        return sorted("".join(parts[place] for place in sorted(parts)) for parts in found.values())


@asynccontextmanager
async def smsc() -> AsyncIterator[Server]:
    """The server, and its port."""
    node, modules = node_with("node-smpp", HERE)
    process = await asyncio.create_subprocess_exec(
        node,
        HERE / "smsc.cjs",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "NODE_PATH": str(modules)},
    )
    server = Server(process)
    listening = asyncio.create_task(server.listen())
    try:
        await eventually(lambda: server.of("port") or process.returncode is not None)
        yield server
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening
        assert not server.of("error")


@pytest.mark.parametrize("long", ["udh8", "udh16"])
async def test_messages_of_every_kind_with_their_receipts(
    world: World,  # noqa: F811
    tmp_path: Path,
    long: str,
) -> None:
    texts = [GSM, ARABIC, LONG, LONG_ARABIC]
    events = Events(world)
    config = {**IDS, "long_messages": long}
    async with smsc() as server, Tee(server.of("port")[0]["port"]) as tee, relaying(world, tee.port, **config):
        for number, text in enumerate(texts, 1):
            world.put(number, f"+{PHONE}", text)
        world.put(5, "+250788123129", "not delivered")
        world.put(6, "+250788123128", "no such number")
        await eventually(lambda: len(server.texts()) == len(texts) + 1 and len(events.of("outcome")) > len(texts))
        await world.lane_empty()
        assert server.texts() == sorted([*texts, "not delivered"])
        assert {submit["from"] for submit in server.of("submit")} == {SHORT_CODE}
        names = {str(submit["submit"]): submit for submit in server.of("submit")}
        await eventually(lambda: len(events.of("outcome")) == len(names) + 1)
        accepted = [one for one in events.of("outcome") if one["accepted"]]
        assert {one["external_id"] for one in accepted} == names.keys()
        await eventually(lambda: len(events.of("status")) == len(names))
        assert events.statuses() == {
            (name, "failed" if submit["to"].endswith("9") else "delivered") for name, submit in names.items()
        }
        await eventually(lambda: len(server.of("acknowledged")) == len(names))
        assert {one["acknowledged"] for one in server.of("acknowledged")} == {0}
    assert [one["bound"] for one in server.of("bound")] == ["transceiver"]
    assert server.of("unbound")
    operations = tee.dissected(tmp_path / "pcap", "smpp", "smpp.command_id")
    assert operations.count("0x00000004") == len(names) + 1
    assert operations.count("0x80000005") == len(names)
    assert operations.count("0x00000006") == 1, "it has unbound"


async def test_mos_of_every_kind(world: World, tmp_path: Path) -> None:  # noqa: F811
    latin = "Grüße à São Tomé"
    payload = "in a TLV of its own " * 20
    parts = [ARABIC * 5, " two " * 10]
    events = Events(world)
    async with smsc() as server, Tee(server.of("port")[0]["port"]) as tee, relaying(world, tee.port):
        await eventually(lambda: server.of("bound"))
        server.deliver(short_message=GSM, data_coding=0)
        server.deliver(short_message=ARABIC)
        server.deliver(octets=latin.encode("latin-1").hex(), data_coding=3)
        server.deliver(octets=payload.encode().hex(), payload=True)
        for number, part in enumerate(parts, 1):
            octets = bytes((6, 8, 4, 1, 7, 2, number)) + part.encode("utf-16-be")
            server.deliver(octets=octets.hex(), data_coding=UCS2, esm_class=0x40)
        for number in (1, 2):
            places = {"sar_msg_ref_num": 77, "sar_total_segments": 2, "sar_segment_seqnum": number}
            server.deliver(short_message=f"part {number}", data_coding=0, **places)
        await eventually(lambda: len(events.of("incoming")) == 8)
        assert events.mos() == sorted(
            [(GSM, None), (ARABIC, None), (latin, None), (payload, None), (parts[0], (263, 2, 1)),
             (parts[1], (263, 2, 2)), ("part 1", (77, 2, 1)), ("part 2", (77, 2, 2))],
            key=repr,
        )  # fmt: skip
        await eventually(lambda: len(server.of("acknowledged")) == 8)
        assert {one["acknowledged"] for one in server.of("acknowledged")} == {0}
    operations = tee.dissected(tmp_path / "pcap", "smpp", "smpp.command_id")
    assert operations.count("0x80000005") == 8
