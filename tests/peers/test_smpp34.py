"""smpp34's SMSC, which knows nothing of us: the relay binds to it, sends, and takes receipts and MOs of every kind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import smpp34
import smpplib.gsm

from chalicelib import queues, registry
from local.emulator import free_port
from smsc_relay.relay import Relay
from tests.peers.tee import Tee
from tests.relay.conftest import QUICK, World, eventually, world  # noqa: F401 - a fixture
from tests.support import CHANNEL

PHONE = "250788123123"
GSM = "Muraho! {€} @ £ [1|2] ñ"
ARABIC = "رسالة قصيرة"
LONG = "Ijambo rirerire cyane, ryandikwa mu bice byinshi kandi rigasomwa nk'ubutumwa bumwe. " * 4
LONG_ARABIC = "رسالة طويلة جدا تصل على عدة أجزاء وتقرأ كرسالة واحدة فقط. " * 3
UDHI, UCS2 = 0x40, 8


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
        given = {"source_addr": PHONE, "destination_addr": "8080", "source_addr_ton": 1, "source_addr_npi": 1, **fields}
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


def written(text: str) -> tuple[int, bytes]:
    """A text as it is submitted, by smpplib's table."""
    try:
        return 0, smpplib.gsm.gsm_encode(text)
    except UnicodeError:
        return UCS2, text.encode("utf-16-be")


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


@asynccontextmanager
async def relaying(world: World, port: int) -> AsyncIterator[None]:  # noqa: F811
    """The relay, with an account there."""
    config = {"host": "127.0.0.1", "port": port, "system_id": "jangada", "reconnect_min": 0.1}
    world.aws.aggregator("fast", "SMPP", config=config, secrets={"password": "secret"})
    world.aws.channel(CHANNEL, type="SMPP")
    registry.reset()
    relay = Relay(timing=QUICK)
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        relay.stop()
        assert await asyncio.wait_for(task, 40)


class Events:
    """What comes out in events.fifo."""

    def __init__(self, world: World) -> None:  # noqa: F811
        self._world = world
        self._seen: list[dict[str, Any]] = []

    def of(self, kind: str) -> list[dict[str, Any]]:
        """All of a kind until now."""
        self._seen += [body["event"] for body in self._world.aws.bodies(queues.EVENTS)]
        return [event for event in self._seen if event["kind"] == kind]


async def test_messages_of_every_kind_with_their_receipts(world: World, tmp_path: Path) -> None:  # noqa: F811
    texts = [GSM, ARABIC, LONG.strip(), LONG_ARABIC.strip()]
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
        assert {(event["update"]["external_id"], event["update"]["status"]) for event in events.of("status")} == {
            (name, "delivered") for name in names
        }
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
        found = events.of("incoming")
        told = [(event["message"]["text"], _place(event)) for event in found]
        assert sorted(told, key=json.dumps) == sorted(
            [(GSM, None), (ARABIC, None), (parts[0], (7, 2, 1)), (parts[1], (7, 2, 2)), ("part 1", (77, 2, 1)),
             ("part 2", (77, 2, 2)), (payload, None)],
            key=json.dumps,
        )  # fmt: skip
        assert {event["message"]["sender"].removeprefix("+") for event in found} == {PHONE}
    operations = tee.dissected(tmp_path / "pcap", "smpp", "smpp.command_id")
    assert operations.count("0x80000005") == 7


def _place(event: dict[str, Any]) -> tuple[int, int, int] | None:
    piece = event.get("piece")
    return None if piece is None else (piece["reference"], piece["total"], piece["sequence"])
