"""An SMSC that has troubles and keeps count: `python -m bench.troubled [--delay MS] [--receipts S]` prints its port.

It obeys lines of JSON on stdin, answers each with one, and ends when stdin is closed:

    {"do": "throttle", "share": 0.2}   refuse so many submits with ESME_RTHROTTLED, however slow they come
    {"do": "throttle", "rate": 100}    refuse what is more in a second (a token bucket of a tenth of it)
    {"do": "throttle"}                 refuse none
    {"do": "down"}, {"do": "up"}       drop all connections and listen no more; listen again, on the same port
    {"do": "count"}                    how much there has been; `unconfirmed` receipts are due later, or not answered
    {"do": "tell"}                     each submit, bind and receipt

A message that it has read is taken, though the connection ends before its answer, and what it has taken it remembers
when it comes back: the receipts of an outage come after it, and those that were not answered come again. Times are
seconds of the machine's monotonic clock.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

from bench.sink import Smpp, addresses, punctual

UNANSWERED: Final = 100  # receipts at a time on a connection
AGAIN: Final = 5.0  # s until a receipt is sent again that has been answered with an error
SEED: Final = 20  # of which submits are refused: the same for everybody measured

Due = tuple[bytes, bytes]  # a submit, and the id that it was given


def recipient(due: Due) -> str:
    """The digits that it was submitted to."""
    return addresses(due[0])[1][2:-1].decode()


class Smsc:
    """What outlives connections. `delay`: s to the answer of a submit; `after`: s to its receipt."""

    def __init__(self, delay: float, after: float) -> None:
        self.delay, self.after = delay, after
        self.ids = itertools.count(1)
        self.refuses: Callable[[], bool] = lambda: False
        self.taken: list[float] = []
        self.throttled: list[float] = []
        self.binds: list[float] = []
        self.messages: Counter[str] = Counter()  # by recipient: of the bench, each message has its own
        self.sent = 0  # receipts, repetitions included
        self.confirmed: dict[str, str] = {}  # receipts that are safe: id and recipient
        self.waiting: deque[Due] = deque()  # receipts that may be sent
        self.connections: set[Connection] = set()

    def throttle(self, share: float = 0.0, rate: float = 0.0) -> None:
        """Refuse a share of submits, or what is above a rate."""
        chance = random.Random(SEED)
        if rate:
            self.refuses = Bucket(rate).refuses
        else:
            self.refuses = lambda: chance.random() < share

    def took(self, due: Due) -> None:
        """A submit has been taken."""
        self.taken.append(time.monotonic())
        self.messages[recipient(due)] += 1
        asyncio.get_running_loop().call_later(self.after, self.ripe, due)

    def ripe(self, due: Due) -> None:
        """A receipt may be sent."""
        self.waiting.append(due)
        for connection in self.connections:
            connection.send()

    def count(self) -> dict[str, int]:
        """For whoever waits until there is no more."""
        return {
            "messages": len(self.messages),
            "taken": len(self.taken),
            "throttled": len(self.throttled),
            "binds": len(self.binds),
            "unconfirmed": len(self.taken) - len(self.confirmed),
        }

    def tell(self) -> dict[str, Any]:
        """All that has been."""
        return {
            "messages": dict(self.messages),
            "taken": self.taken,
            "throttled": self.throttled,
            "binds": self.binds,
            "sent": self.sent,
            "confirmed": self.confirmed,
        }


class Bucket:
    """Grants `rate` a second."""

    def __init__(self, rate: float) -> None:
        self._rate, self._most = rate, max(1.0, rate / 10)
        self._tokens, self._at = self._most, time.monotonic()

    def refuses(self) -> bool:
        """Is the next one too many?"""
        now = time.monotonic()
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return True
        self._tokens -= 1
        return False


class Talk(Smpp):
    """One connection's PDUs."""

    def __init__(self, smsc: Smsc) -> None:
        super().__init__(ids=smsc.ids)
        self._smsc = smsc
        self.flying: dict[int, Due] = {}  # receipts by sequence number

    def refuses(self) -> bool:
        """As the SMSC does now."""
        refused = self._smsc.refuses()
        if refused:
            self._smsc.throttled.append(time.monotonic())
        return refused

    def receipt(self, due: Due) -> bytes:
        """As `Smpp`."""
        out = super().receipt(due)
        self.flying[self._sequence] = due
        return out

    def heard(self, sequence: int, status: int) -> None:
        """Safe, or to be sent again."""
        due = self.flying.pop(sequence)
        if status:
            asyncio.get_running_loop().call_later(AGAIN, self._smsc.ripe, due)
        else:
            self._smsc.confirmed[due[1].decode()] = recipient(due)


class Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, smsc: Smsc) -> None:
        self._smsc, self._talk = smsc, Talk(smsc)
        self._bound = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._smsc.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """A bind, as far as one can tell, then submits and answers to receipts."""
        out, due, _ = self._talk.read(data)
        for one in due:
            self._smsc.took(one)
        if not self._bound:
            self._smsc.binds.append(time.monotonic())
            self._bound = True
            self._transport.write(out)
        elif out:
            asyncio.get_running_loop().call_later(self._smsc.delay, self._transport.write, out)
        self.send()

    def send(self) -> None:
        """Receipts, as many as may be open."""
        out = []
        while self._bound and self._smsc.waiting and len(self._talk.flying) < UNANSWERED:
            out.append(self._talk.receipt(self._smsc.waiting.popleft()))
        if out:
            self._smsc.sent += len(out)
            self._transport.write(b"".join(out))

    def connection_lost(self, error: Exception | None) -> None:
        """What was not answered is sent again over the next."""
        self._smsc.connections.discard(self)
        self._smsc.waiting.extendleft(reversed(self._talk.flying.values()))

    def drop(self) -> None:
        """End it as a process that is killed does."""
        self._transport.abort()


async def _serve(smsc: Smsc) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(smsc), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(port, flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        given = json.loads(line)
        what, said = given.pop("do"), dict[str, Any]()
        if what == "down":
            server.close()
            for connection in list(smsc.connections):
                connection.drop()
        elif what == "up":
            server = await loop.create_server(lambda: Connection(smsc), "127.0.0.1", port)
        elif what == "throttle":
            smsc.throttle(**given)
        else:
            said = smsc.count() if what == "count" else smsc.tell()
        print(json.dumps({"at": time.monotonic(), **said}), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0, metavar="MS", help="until the answer to a submit")
    parser.add_argument("--receipts", type=float, default=2, metavar="S", help="until its receipt (default 2)")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=punctual) as runner:
        runner.run(_serve(Smsc(options.delay / 1000, options.receipts)))
