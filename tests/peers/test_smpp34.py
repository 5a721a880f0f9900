"""smpp34's SMSC, which knows nothing of us: the relay binds to it, sends, and takes receipts and MOs of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import smpp34
import smpplib.gsm

from local.emulator import free_port
from tests.peers.relayed import ARABIC, GSM, LONG, LONG_ARABIC, PHONE, SHORT_CODE, UCS2, UDHI, Events, relaying, written
from tests.peers.tee import Tee
from tests.relay.conftest import World, eventually, world  # noqa: F401 - a fixture


@dataclass
class Server:
    """An SMSC that accepts everything, with a receipt for what asks for one."""

    port: int
    submits: list[Any] = field(default_factory=list)
    esme: Any = None
    acknowledged: int = 0  # receipts and MOs

    async def run(self, server: Any) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                event = await server.next()
                if isinstance(event, smpp34.Esme):
                    self.esme = event
                elif isinstance(event, smpp34.SubmitSmEvent):
                    self.submits.append(event)
                    name = f"{len(self.submits):08x}"
                    event.accept(message_id=name)
                    if event.registered_delivery & 1:
                        tasks.create_task(self._receipt(name, event))

    async def _receipt(self, name: str, submit: Any) -> None:
        text = f"id:{name} sub:001 dlvrd:001 submit date:2601310930 done date:2601310931 stat:DELIVRD err:000 text:"
        tlvs = [smpp34.Tlv(smpp34.TLV_RECEIPTED_MESSAGE_ID, name.encode() + b"\0"),
                smpp34.Tlv(smpp34.TLV_MESSAGE_STATE, b"\2")]  # fmt: skip
        await self.deliver(
            text.encode(),
            source_addr=submit.destination_addr,
            destination_addr=submit.source_addr,
            esm_class=4,
            tlvs=tlvs,
        )

    async def deliver(self, octets: bytes, **fields: Any) -> None:
        """Send a deliver_sm, which must be accepted."""
        given = {
            "source_addr": PHONE,
            "destination_addr": SHORT_CODE,
            "source_addr_ton": 1,
            "source_addr_npi": 1,
            **fields,
        }
        answer = await self.esme.deliver_sm(short_message=octets, **given)
        assert answer.is_success
        self.acknowledged += 1

    def texts(self) -> list[tuple[int, bytes]]:
        """data_coding and octets of what has been submitted, long messages joined by their user data headers, since
        smpp34 does not hand over in order what came in one segment of TCP."""
        found: dict[bytes, list[tuple[int, int, bytes]]] = {}
        for number, submit in enumerate(self.submits):
            octets, key, place = bytes(submit.short_message), number.to_bytes(2, "big"), 0
            if submit.esm_class & UDHI:
                end = octets[0] + 1
                octets, key, place = octets[end:], octets[: end - 2], octets[end - 1]
            found.setdefault(key, []).append((place, submit.data_coding, octets))
        return [(parts[0][1], b"".join(octets for _, _, octets in sorted(parts))) for parts in found.values()]


@asynccontextmanager
async def smsc() -> AsyncIterator[Server]:
    """smpp34's server."""
    server = Server(free_port())
    running = smpp34.Server(host="127.0.0.1", port=server.port, system_id="SMPP34", inbound_capacity=4096)
    await running.start()
    serving = asyncio.create_task(server.run(running))
    try:
        yield server
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await running.stop()


async def test_messages_of_every_kind_with_their_receipts(world: World, tmp_path: Path) -> None:  # noqa: F811
    texts = [GSM, ARABIC, LONG, LONG_ARABIC]
    events = Events(world)
    async with smsc() as server, Tee(server.port) as tee, relaying(world, tee.port):
        for number, text in enumerate(texts, 1):
            world.put(number, f"+{PHONE}", text)
        await eventually(lambda: len(events.of("outcome")) >= 4 and len(server.texts()) == len(texts))
        await world.lane_empty()
        await eventually(lambda: len(events.of("status")) == len(server.submits))
        await eventually(lambda: len(events.of("outcome")) == len(server.submits))
        assert sorted(server.texts()) == sorted(map(written, texts))
        names = {f"{number:x}" for number in range(1, len(server.submits) + 1)}  # ours are without leading zeros
        assert {event["external_id"] for event in events.of("outcome")} == names
        assert all(event["accepted"] for event in events.of("outcome"))
        assert events.statuses() == {(name, "delivered") for name in names}
        await eventually(lambda: server.acknowledged == len(names))
    operations = tee.dissected(tmp_path / "pcap", "smpp", "smpp.command_id")
    assert operations.count("0x00000004") == len(names)
    assert operations.count("0x80000005") == len(names)
    assert operations.count("0x00000006") == 1, "it has unbound"


async def test_mos_of_every_kind(world: World, tmp_path: Path) -> None:  # noqa: F811
    payload = "in a TLV of its own " * 20
    parts = [ARABIC * 5, " two " * 10]
    events = Events(world)
    async with smsc() as server, Tee(server.port) as tee, relaying(world, tee.port):
        await eventually(lambda: server.esme is not None)
        await server.deliver(smpplib.gsm.gsm_encode(GSM))
        await server.deliver(ARABIC.encode("utf-16-be"), data_coding=UCS2)
        for number, part in enumerate(parts, 1):
            octets = bytes((5, 0, 3, 7, 2, number)) + part.encode("utf-16-be")
            await server.deliver(octets, data_coding=UCS2, esm_class=UDHI)
        for number in (1, 2):
            tlvs = [smpp34.Tlv(smpp34.TLV_SAR_MSG_REF_NUM, b"\0\x4d"),
                    smpp34.Tlv(smpp34.TLV_SAR_TOTAL_SEGMENTS, b"\2"),
                    smpp34.Tlv(smpp34.TLV_SAR_SEGMENT_SEQNUM, bytes((number,)))]  # fmt: skip
            await server.deliver(b"part %d" % number, tlvs=tlvs)
        await server.deliver(b"", tlvs=[smpp34.Tlv(smpp34.TLV_MESSAGE_PAYLOAD, payload.encode())])
        await eventually(lambda: len(events.of("incoming")) == 7)
        assert events.mos() == sorted(
            [(GSM, None), (ARABIC, None), (parts[0], (7, 2, 1)), (parts[1], (7, 2, 2)), ("part 1", (77, 2, 1)),
             ("part 2", (77, 2, 2)), (payload, None)],
            key=repr,
        )  # fmt: skip
        assert {event["message"]["sender"].removeprefix("+") for event in events.of("incoming")} == {PHONE}
    operations = tee.dissected(tmp_path / "pcap", "smpp", "smpp.command_id")
    assert operations.count("0x80000005") == 7
