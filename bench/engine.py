"""What one connection costs, without queues: `python -m bench.engine KIND PROTOCOL PORT WINDOW COUNT` prints JSON.

Three kinds of client, each as little as it can be above what it measures, all with one text of 80 characters:
`floor`, the event loop and PDUs that are ready but for their sequence number (SMPP alone); `session`, SMPP's codec and
session; `dialect`, what a link has: the message cut and encoded, and a conversation.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from bench.figures import TEXT, figures
from chalicelib.messages import Outgoing
from smsc_relay import dialects
from smsc_relay.connection import pieces
from smsc_relay.protocol import Accepted, Conversation, Ready, Role, Surroundings
from smsc_relay.smpp.codec import encode
from smsc_relay.smpp.events import Bound, Response
from smsc_relay.smpp.pdus import BindTransceiver, SubmitSm
from smsc_relay.smpp.session import Session, SessionConfig

CONFIGS: Final[dict[str, dict[str, Any]]] = {
    "smpp": {"system_id": "bench", "port": 2775},
    "ucp": {"username": "1234", "password": "secret", "country": "RW", "recipient_gap": 0},
    "cimd2": {"username": "bench", "password": "secret", "port": 9971, "greeting_wait": 0},
}
# A trn, or a packet number, names an open submit: so many can be.
LARGEST_WINDOW: Final = {"smpp": 10_000, "ucp": 100, "cimd2": 127}


class Client(asyncio.Protocol):
    """Keeps `window` submits without an answer until `count` have been answered."""

    def __init__(self, window: int, count: int) -> None:
        self._window, self._left, self._awaited = window, count, count
        self.began = 0.0
        self.times: list[float] = []
        self.done = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Log in."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.login()

    def begin(self) -> None:
        """The login has been accepted."""
        self.began = time.perf_counter()
        self.fill(self._window)

    def fill(self, free: int) -> None:
        """Submit into so many free places of the window, with one write."""
        free = min(free, self._left)
        self._left -= free
        if free:
            self._transport.write(self.submits(free))

    def answered(self, times: Sequence[float]) -> None:
        """Submits have been answered after so many seconds each."""
        self.times += times
        self._awaited -= len(times)
        if not self._awaited and not self.done.done():
            self.done.set_result(None)
        self.fill(len(times))

    def connection_lost(self, error: Exception | None) -> None:
        """Before all have been answered, that is an error."""
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the sink has closed the connection"))

    def login(self) -> None:
        """Write the login."""
        raise NotImplementedError

    def submits(self, count: int) -> bytes:
        """The octets of so many submits."""
        raise NotImplementedError


class Floor(Client):
    """No protocol: answers are counted by their lengths."""

    def __init__(self, window: int, count: int) -> None:
        super().__init__(window, count)
        frame = encode(_submit(1), 1)
        self._head, self._tail = frame[:12], frame[16:]
        self._sequence = 1
        self._since: dict[int, float] = {}
        self._buffer = b""

    def login(self) -> None:
        """As `Client`."""
        self._transport.write(encode(BindTransceiver("bench"), 1))

    def submits(self, count: int) -> bytes:
        """As `Client`."""
        now = time.perf_counter()
        out: list[bytes] = []
        for _ in range(count):
            self._sequence += 1
            self._since[self._sequence] = now
            out += (self._head, self._sequence.to_bytes(4, "big"), self._tail)
        return b"".join(out)

    def data_received(self, data: bytes) -> None:
        """The first answer is the login's."""
        buffer, at = self._buffer + data if self._buffer else data, 0
        now = time.perf_counter()
        times = []
        while len(buffer) - at >= 16:
            length = int.from_bytes(buffer[at : at + 4], "big")
            if len(buffer) - at < length:
                break
            since = self._since.pop(int.from_bytes(buffer[at + 12 : at + 16], "big"), None)
            if since is None:
                self.begin()
            else:
                times.append(now - since)
            at += length
        self._buffer = buffer[at:]
        if times:
            self.answered(times)


class Engine(Client):
    """smsc_relay.smpp: codec and session."""

    def __init__(self, window: int, count: int) -> None:
        super().__init__(window, count)
        self._loop = asyncio.get_running_loop()
        self._session = Session(SessionConfig(), self._loop.time())
        self._number = 0

    def login(self) -> None:
        """As `Client`."""
        self._transport.write(self._session.send(BindTransceiver("bench"), self._loop.time())[1])

    def submits(self, count: int) -> bytes:
        """As `Client`."""
        now = self._loop.time()
        self._number += count
        numbers = range(self._number - count, self._number)
        return b"".join([self._session.send(_submit(number), now)[1] for number in numbers])

    def data_received(self, data: bytes) -> None:
        """As `asyncio.Protocol`."""
        for piece in pieces(data):
            self._heard(piece)

    def _heard(self, data: bytes) -> None:
        times = []
        for event in self._session.receive_data(data, self._loop.time()):
            if isinstance(event, Response):
                times.append(event.rtt)
            elif isinstance(event, Bound):
                self.begin()
        out = self._session.data_to_send()
        if out:
            self._transport.write(out)
        if times:
            self.answered(times)


class Whole(Client):
    """A dialect and its conversation, as the relay has them."""

    def __init__(self, protocol: str, window: int, count: int) -> None:
        super().__init__(window, count)
        self._loop = asyncio.get_running_loop()
        self._dialect = dialects.load(protocol)
        given = {"host": "127.0.0.1", "window": window, **CONFIGS[protocol]}
        self._config = dialects.config_of(protocol).read(given)
        around = Surroundings("bench", lambda: 0, lambda: "0")
        self._talk: Conversation = self._dialect.conversation(
            self._config, Role.TRANSCEIVER, self._loop.time(), around
        )  # fmt: skip
        self._number = 0

    def login(self) -> None:
        """As `Client`."""
        self._talk.start(self._loop.time())
        self._talk.tick(self._loop.time())
        self._transport.write(self._talk.data_to_send())

    def submits(self, count: int) -> bytes:
        """As `Client`."""
        now = self._loop.time()
        for _ in range(count):
            self._number += 1
            message = _message(self._number)
            for segment in self._dialect.plan(message, self._config, self._number & 0xFFFF).segments:
                self._talk.submit(segment, None, now)
        return self._talk.data_to_send()

    def data_received(self, data: bytes) -> None:
        """As `asyncio.Protocol`."""
        for piece in pieces(data):
            self._heard(piece)
        self._talk.catch_up(self._loop.time())

    def _heard(self, data: bytes) -> None:
        times = []
        for happening in self._talk.receive_data(data, self._loop.time()):
            if isinstance(happening, Accepted):
                times.append(happening.rtt)
            elif isinstance(happening, Ready):
                self.begin()
        out = self._talk.data_to_send()
        if out:
            self._transport.write(out)
        if times:
            self.answered(times)


def _submit(number: int) -> SubmitSm:
    return SubmitSm(
        source_addr="8080", dest_addr_ton=1, dest_addr_npi=1, destination_addr=f"2507{number:08d}",
        short_message=TEXT.encode(),
    )  # fmt: skip


def _message(number: int) -> Outgoing:
    return Outgoing(id=str(number), text=TEXT, to=f"+2507{number:08d}", channel="6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4",
                    **{"from": "8080"})  # fmt: skip


async def measure(kind: str, protocol: str, port: int, window: int, count: int) -> dict[str, float]:
    """One run of one kind: its `figures`."""
    clients: dict[str, Callable[[], Client]] = {
        "floor": lambda: Floor(window, count),
        "session": lambda: Engine(window, count),
        "dialect": lambda: Whole(protocol, window, count),
    }
    before = time.process_time()
    _, client = await asyncio.get_running_loop().create_connection(clients[kind], "127.0.0.1", port)
    await client.done
    return figures(client.times, time.perf_counter() - client.began, time.process_time() - before)


if __name__ == "__main__":
    _kind, _protocol, *_numbers = sys.argv[1:]
    _port, _window, _count = map(int, _numbers)
    print(json.dumps(asyncio.run(measure(_kind, _protocol, _port, _window, _count))))
