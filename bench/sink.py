"""An SMSC that says yes to everything: `python -m bench.sink PROTOCOL [--receipts] [--delay MS]` prints its port.

As little as the benches need, in a process of its own so that its CPU is not counted. It ends when stdin is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import selectors
import struct
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

from smsc_relay.cimd2 import codec as cimd2
from smsc_relay.cimd2.constants import RESPONSE, Delivery, Operation, Tag
from smsc_relay.ucp import codec as ucp
from smsc_relay.ucp.operations import Ack, Message, operation_frame, read_operation, result_frame

_HEADER = struct.Struct(">IIII")
_UNANSWERED = 100  # receipts at a time
_TEXT = b"id:%b sub:001 dlvrd:001 submit date:2601310930 done date:2601310931 stat:DELIVRD err:000 text:"


class Talk(Protocol):
    """One connection's protocol."""

    def read(self, data: bytes) -> tuple[bytes, list[Any], int]:
        """Octets of the client: what to answer, the receipts that become due, and how many receipts it has answered."""

    def receipt(self, due: Any) -> bytes:
        """A receipt that has become due."""


class Smpp:
    """SMPP 3.4 without a decoder: an answer is the request's header and a message id."""

    def __init__(self, throttle: int = 0, ids: Iterator[int] | None = None) -> None:
        self._buffer = b""
        self._ids = itertools.count(1) if ids is None else ids
        self._sequence = self._submits = 0
        self._throttle = throttle  # percent of submits that are refused with ESME_RTHROTTLED

    def refuses(self) -> bool:
        """Another submit has come: it is throttled."""
        self._submits += 1
        return self._submits * self._throttle % 100 < self._throttle

    def heard(self, sequence: int, status: int) -> None:
        """The receipt of that sequence number has been answered."""

    def read(self, data: bytes) -> tuple[bytes, list[Any], int]:
        """As `Talk`."""
        buffer, at = self._buffer + data if self._buffer else data, 0
        out: list[bytes] = []
        due: list[tuple[bytes, bytes]] = []
        answered = 0
        while len(buffer) - at >= 16:
            length, command, status, sequence = _HEADER.unpack_from(buffer, at)
            if len(buffer) - at < length:
                break
            if command == 4 and self.refuses():
                out.append(_HEADER.pack(16, 0x80000004, 0x58, sequence))
            elif command == 4:
                name = b"%08x" % next(self._ids)
                out.append(_HEADER.pack(25, 0x80000004, 0, sequence) + name + b"\0")
                due.append((buffer[at : at + length], name))
            elif command == 0x80000005:
                answered += 1
                self.heard(sequence, status)
            elif command in (1, 2, 9):
                out.append(_HEADER.pack(21, command | 0x80000000, 0, sequence) + b"sink\0")
            elif command in (6, 0x15):
                out.append(_HEADER.pack(16, command | 0x80000000, 0, sequence))
            at += length
        self._buffer = buffer[at:]
        return b"".join(out), due, answered

    def receipt(self, due: tuple[bytes, bytes]) -> bytes:
        """As `Talk`: sender and recipient change places."""
        submit, name = due
        source, destination = addresses(submit)
        text = _TEXT % name
        body = b"\0%b%b\4\0\0\0\0\0\0\0\0%b%b" % (destination, source, bytes((len(text),)), text)
        self._sequence += 1
        return _HEADER.pack(16 + len(body), 5, 0, self._sequence) + body


def addresses(submit: bytes) -> tuple[bytes, bytes]:
    """Sender and recipient of a submit_sm: type, numbering plan, and digits with the zero after them."""
    a = submit.index(0, 16)
    b = submit.index(0, a + 3)
    return submit[a + 1 : b + 1], submit[b + 1 : submit.index(0, b + 3) + 1]


class Ucp:
    """UCP/EMI: a notification is matched by recipient and time stamp."""

    def __init__(self) -> None:
        self._reader = ucp.FrameReader()
        self._trn = 0

    def read(self, data: bytes) -> tuple[bytes, list[Any], int]:
        """As `Talk`."""
        out, due, answered = [], [], 0
        self._reader.feed(data)
        while (body := self._reader.next_frame()) is not None:
            frame = ucp.decode(body)
            if frame.result:
                answered += 1
                continue
            system = ""
            if frame.ot == 51:
                system = f"{frame.fields[0]}:310126093000"
                due.append(frame)
            out.append(ucp.encode(result_frame(Ack(system), frame.trn, frame.ot)))
        return b"".join(out), due, answered

    def receipt(self, due: ucp.Frame) -> bytes:
        """As `Talk`."""
        asked = read_operation(due)
        assert isinstance(asked, Message)
        self._trn = (self._trn + 1) % 100
        told = Message(53, asked.oadc, asked.adc, scts="310126093000", dst="0", rsn="000", dscts="310126093105", mt="3")
        return ucp.encode(operation_frame(told, self._trn))


class Cimd2:
    """CIMD2."""

    def __init__(self) -> None:
        self._reader = cimd2.FrameReader()
        self._number = 0

    def read(self, data: bytes) -> tuple[bytes, list[Any], int]:
        """As `Talk`."""
        out, due, answered = [], [], 0
        self._reader.feed(data)
        while (frame := self._reader.next_frame()) is not None:
            packet = cimd2.decode(frame)
            if packet.is_response:
                answered += 1
                continue
            said: tuple[tuple[int, str], ...] = ()
            if packet.operation == Operation.SUBMIT:
                due.append(packet)
                said = ((Tag.DESTINATION, packet.get(Tag.DESTINATION) or ""), (Tag.TIMESTAMP, "260131093000"))
            out.append(cimd2.encode(cimd2.Packet(packet.operation + RESPONSE, packet.number, said)))
        return b"".join(out), due, answered

    def receipt(self, due: cimd2.Packet) -> bytes:
        """As `Talk`."""
        self._number = (self._number + 2) % 256
        told = cimd2.parameters(
            (Tag.DESTINATION, due.get(Tag.DESTINATION)), (Tag.TIMESTAMP, "260131093000"),
            (Tag.STATUS, int(Delivery.SUCCESSFUL)), (Tag.DISCHARGE_TIME, "260131093105"),
        )  # fmt: skip
        return cimd2.encode(cimd2.Packet(Operation.STATUS_REPORT, self._number, told))


TALKS: dict[str, type[Smpp] | type[Ucp] | type[Cimd2]] = {"smpp": Smpp, "ucp": Ucp, "cimd2": Cimd2}


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self, talk: Talk, *, receipts: bool, delay: float) -> None:
        self._talk, self._receipts, self._delay = talk, receipts, delay
        self._due: deque[Any] = deque()
        self._unanswered = 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer; receipts follow in the next turn, as far as the client answers them."""
        out, due, answered = self._talk.read(data)
        self._unanswered -= answered
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._answer, out, due)
        else:
            self._answer(out, due)

    def _answer(self, out: bytes, due: list[Any]) -> None:
        if out and not self._transport.is_closing():
            self._transport.write(out)
        if self._receipts and (due or self._due):
            self._due.extend(due)
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        out = []
        while self._due and self._unanswered < _UNANSWERED:
            self._unanswered += 1
            out.append(self._talk.receipt(self._due.popleft()))
        if out and not self._transport.is_closing():
            self._transport.write(b"".join(out))


def punctual() -> asyncio.AbstractEventLoop:
    """A loop whose delays are what they are said to be: epoll waits for whole milliseconds, the next one up."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


async def _serve(protocol: str, *, receipts: bool, delay: float, throttle: int) -> None:
    loop = asyncio.get_running_loop()

    def connection() -> Sink:
        talk = Smpp(throttle) if protocol == "smpp" else TALKS[protocol]()
        return Sink(talk, receipts=receipts, delay=delay)

    server = await loop.create_server(connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("protocol", choices=sorted(TALKS))
    parser.add_argument("--receipts", action="store_true")
    parser.add_argument("--delay", type=float, default=0, metavar="MS", help="until the answer to a submit")
    parser.add_argument("--throttle", type=int, default=0, metavar="PERCENT", help="of SMPP's submits are throttled")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=punctual) as runner:
        runner.run(
            _serve(options.protocol, receipts=options.receipts, delay=options.delay / 1000, throttle=options.throttle)
        )
