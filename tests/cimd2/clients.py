"""A CIMD2 client of bare packets, for the simulated SMSC."""

from __future__ import annotations

import asyncio
from typing import Any, Self

from smsc_relay.cimd2.codec import FrameReader, Packet, decode, encode, parameters
from smsc_relay.cimd2.constants import Operation, Tag
from smsc_relay.simulator import Simulator

PHONE = "250788123123"
PATIENCE = 10.0


class Raw:
    """It answers nothing by itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._frames = FrameReader()
        self._number = 1
        self._waiting: list[Packet] = []
        self.octets = b""  # all that has come

    @classmethod
    async def connect(cls, smsc: Simulator) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", smsc.cimd2_port))

    @property
    def greeting(self) -> str:
        return self._frames.noise.decode("latin-1")

    def send(self, operation: int, *pairs: tuple[int, str | int | None]) -> int:
        """A request; its number."""
        number, self._number = self._number, (self._number + 2) % 256
        self._writer.write(encode(Packet(operation, number, parameters(*pairs))))
        return number

    def say(self, packet: Packet) -> None:
        self._writer.write(encode(packet))

    async def packet(self) -> Packet:
        """The next one.

        Raises:
            ConnectionError: the SMSC has closed.
        """
        async with asyncio.timeout(PATIENCE):
            while (frame := self._frames.next_frame()) is None:
                data = await self._reader.read(4096)
                if not data:
                    raise ConnectionResetError("closed")
                self.octets += data
                self._frames.feed(data)
        return decode(frame)

    async def until_closed(self) -> None:
        """Read on (raises as `packet`)."""
        while True:
            await self.packet()

    async def response(self) -> Packet:
        """The next response; requests that come before are kept for `request`."""
        while not (packet := await self.packet()).is_response:
            self._waiting.append(packet)
        return packet

    async def request(self) -> Packet:
        """The next request of the SMSC."""
        return self._waiting.pop(0) if self._waiting else await self.packet()

    async def ask(self, operation: int, *pairs: tuple[int, str | int | None]) -> Packet:
        self.send(operation, *pairs)
        return await self.response()

    async def login(self, **more: Any) -> Packet:
        pairs = {Tag.USER: "ilha", Tag.PASSWORD: "secret", **{Tag[name.upper()]: value for name, value in more.items()}}
        return await self.ask(Operation.LOGIN, *pairs.items())

    async def submit(self, text: str = "Hi", to: str = PHONE, *more: tuple[int, str | int]) -> Packet:
        return await self.ask(
            Operation.SUBMIT, (Tag.DESTINATION, f"+{to}"), (Tag.ORIGINATOR, "8080"), (Tag.USER_DATA, text), *more
        )

    def close(self) -> None:
        self._writer.close()
