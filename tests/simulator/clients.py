"""Two ESMEs for the simulated SMSC: smpplib's, which is nobody's relation, and one of bare PDUs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import smpplib.client
import smpplib.gsm

from smsc_relay.simulator import Simulator
from smsc_relay.smpp.codec import LIMITS_GENEROUS, Decoded, FrameReader, decode, encode
from smsc_relay.smpp.pdus import (
    BindTransceiver,
    BindTransceiverResp,
    DeliverSm,
    DeliverSmResp,
    Pdu,
    SubmitSm,
)
from tests.peers.tee import Tee

PHONE = "250788123123"
SHORT = "8080"
PATIENCE = 10.0


class Lib:
    """smpplib; its blocking calls run in threads."""

    def __init__(self, port: int) -> None:
        self.client = smpplib.client.Client("127.0.0.1", port, timeout=PATIENCE, allow_unknown_opt_params=True)
        self.heard: list[Any] = []  # PDUs that are nobody's answer
        self.client.set_message_received_handler(lambda pdu: self.heard.append(pdu))

    async def connect(self, kind: str = "transceiver", **bind: Any) -> Any:
        """Connect and bind: the bind_resp."""
        await asyncio.to_thread(self.client.connect)
        given = {"system_id": "ilha", "password": "secret", **bind}
        return await asyncio.to_thread(getattr(self.client, f"bind_{kind}"), **given)

    async def submit(self, text: str, to: str = PHONE, **more: Any) -> list[Any]:
        """Cut as smpplib does, submit every part: the answers."""
        parts, coding, esm_class = smpplib.gsm.make_parts(text)
        answers = []
        for part in parts:
            fields: dict[str, Any] = {
                "source_addr_ton": 0, "source_addr": SHORT, "dest_addr_ton": 1, "dest_addr_npi": 1,
                "destination_addr": to, "short_message": part, "data_coding": coding, "esm_class": esm_class, **more,
            }  # fmt: skip
            await asyncio.to_thread(self.client.send_message, **fields)
            answers.append(await self.answer())
        return answers

    async def answer(self) -> Any:
        """The next PDU that is no deliver_sm; these are answered and kept."""
        while True:
            pdu = await asyncio.to_thread(self.client.read_pdu)
            if pdu.command != "deliver_sm":
                return pdu
            self.client._message_received(pdu)

    async def hear(self, count: int = 1) -> list[Any]:
        """Read until so many deliver_sm have come, answering each."""
        while len(self.heard) < count:
            pdu = await asyncio.to_thread(self.client.read_pdu)
            assert pdu.command == "deliver_sm"
            self.client._message_received(pdu)
        return self.heard

    def close(self) -> None:
        """Without unbind."""
        if self.client._socket is not None:
            self.client._socket.close()
            self.client._socket = None


class Raw:
    """PDUs in and out, and nothing by itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._frames = FrameReader()
        self._sequence = 0
        self.reads: list[int] = []  # octets of each read

    @classmethod
    async def connect(cls, smsc: Simulator) -> Raw:
        return cls(*await asyncio.open_connection("127.0.0.1", smsc.smpp_port))

    async def bind(self, request: Pdu | None = None) -> Decoded:
        """Bind: the answer."""
        return await self.ask(request or BindTransceiver("ilha", "secret"))

    def send(self, pdu: Pdu, sequence: int | None = None, status: int = 0) -> int:
        """Write a PDU; its sequence number, the next one unless given."""
        if sequence is None:
            self._sequence += 1
            sequence = self._sequence
        self._writer.write(encode(pdu, sequence, status, LIMITS_GENEROUS))
        return sequence

    async def ask(self, pdu: Pdu) -> Decoded:
        """Send a request; the next PDU, which must be its answer."""
        sequence = self.send(pdu)
        answer = await self.read()
        assert answer.sequence == sequence
        return answer

    async def flush(self, pdu: Pdu) -> None:
        """Send a request, and let it go out by itself."""
        self.send(pdu)
        await self._writer.drain()

    async def frame(self) -> bytes | None:
        """The next whole frame; None: the SMSC has closed."""
        while (frame := self._frames.next_frame()) is None:
            data = await asyncio.wait_for(self._reader.read(65536), PATIENCE)
            if not data:
                return None
            self.reads.append(len(data))
            self._frames.feed(data)
        return frame

    async def read(self) -> Decoded:
        """The next PDU."""
        frame = await self.frame()
        assert frame is not None, "the SMSC has closed"
        return decode(frame)

    async def delivered(self, answer: bool = True, status: int = 0) -> DeliverSm:
        """The next PDU, a deliver_sm, answered."""
        got = await self.read()
        assert isinstance(got.pdu, DeliverSm)
        if answer:
            self.send(DeliverSmResp(), got.sequence, status)
        return got.pdu

    async def octets(self, count: int) -> bytes:
        """So many octets, whatever they are."""
        return await asyncio.wait_for(self._reader.readexactly(count), PATIENCE)

    async def ended(self) -> bool:
        """The SMSC closes without another PDU."""
        try:
            return await self.frame() is None
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def raw(smsc: Simulator, request: Pdu | None = None) -> AsyncIterator[Raw]:
    """A bound session of bare PDUs."""
    esme = await Raw.connect(smsc)
    try:
        answer = await esme.bind(request)
        assert answer.status == 0
        assert request is not None or isinstance(answer.pdu, BindTransceiverResp)
        yield esme
    finally:
        esme.close()


@asynccontextmanager
async def lib(smsc: Simulator, kind: str = "transceiver", **bind: Any) -> AsyncIterator[Lib]:
    """A bound session of smpplib; in the end tshark finds no fault in what has been exchanged."""
    async with Tee(smsc.smpp_port) as tee:
        esme = Lib(tee.port)
        try:
            await esme.connect(kind, **bind)
            yield esme
        finally:
            esme.close()
    with TemporaryDirectory() as folder:
        assert tee.dissected(Path(folder) / "pcap", "smpp", "smpp.command_id")


def behaviour(**parts: Any) -> dict[str, Any]:
    """A script of behaviour alone."""
    return {"behaviour": parts}


def submit(to: str = PHONE, text: bytes = b"Love is patient.", **fields: Any) -> SubmitSm:
    """A submit_sm."""
    given = {"source_addr": SHORT, "dest_addr_ton": 1, "dest_addr_npi": 1, **fields}
    return SubmitSm(destination_addr=to, short_message=text, **given)
