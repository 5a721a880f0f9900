"""Who is measured by `bench.faults`: our relay, Kannel, Jasmin. Each takes messages, may be killed, and says what it
knows.

The relay has `bench.sqs_stand_in` as its AWS; messages are put into its lane, outcomes and receipts are what comes to
events.fifo. Kannel and Jasmin take messages by HTTP, from callers that ask again until they say yes, and call a URL for
each receipt.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence, Set
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

import aiohttp
from aiohttp import web

from bench.figures import TEXT
from bench.kannel import OK, connection
from bench.relay import ask, child, record, registered, started
from local.emulator import free_port
from tests.peers.jasmin import LOCK, Jasmin
from tests.peers.kannel import Group, Kannel

LANE: Final = "lane-bench0.fifo"
CALLERS: Final = 50  # requests at a time


@dataclass(frozen=True)
class Accounts:
    """What has come out. `failed`: how many messages were given up; `receipts`: of what they came."""

    failed: int
    receipts: Set[str]


class Served(Protocol):
    """Within `async with` it is on its way to its bind. `by_id`: its receipts are told apart by the SMSC's ids, not by
    recipients alone; `patience`: s without any progress after which nothing more is awaited."""

    name: str
    by_id: bool
    patience: float

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: Any) -> None: ...

    async def offer(self, numbers: Sequence[int]) -> None:
        """Have these messages sent; returns when they have been taken in."""

    async def kill(self) -> None:
        """SIGKILL, and start it again."""

    async def pending(self) -> int:
        """Messages that it has in hand or that wait for it, as far as it says."""

    async def accounts(self) -> Accounts:
        """What has come out; to be asked once, at the end."""


class Relay:
    """`python -m smsc_relay --no-leases`."""

    name, by_id, patience = "relay", True, 70.0  # a record that was in hand comes back after 52 s

    def __init__(self, port: int, window: int, config: Mapping[str, Any]) -> None:
        self._port, self._window, self._config = port, window, config
        self._stack = ExitStack()
        self._aws = ""
        self._process: subprocess.Popen[bytes]

    async def __aenter__(self) -> Self:
        self._aws = self._stack.enter_context(child("bench.sqs_stand_in"))
        ask(f"{self._aws}/rows", registered("smpp", self._port, self._window, 0, **self._config))
        self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._process.wait, 30)
        self._process.kill()
        self._stack.close()

    def _start(self) -> None:
        self._process = started(self._aws)

    async def offer(self, numbers: Sequence[int]) -> None:
        """As `Served`."""
        records = [record(number, 0) for number in numbers]
        await asyncio.to_thread(ask, f"{self._aws}/fill/{LANE}", records)

    async def kill(self) -> None:
        """As `Served`."""
        self._process.kill()
        self._process.wait()
        self._start()

    async def pending(self) -> int:
        """As `Served`."""
        lane = (await asyncio.to_thread(ask, f"{self._aws}/told"))["queues"].get(LANE, {})
        return int(lane.get("sent", 0)) - int(lane.get("deleted", 0))

    async def accounts(self) -> Accounts:
        """As `Served`."""
        return await asyncio.to_thread(self._accounts)

    def _accounts(self) -> Accounts:
        failed: set[str] = set()
        receipts: set[str] = set()
        for event in self._events():
            if event["kind"] == "status":
                receipts.add(event["update"]["external_id"])
            elif event["kind"] == "outcome" and not event["accepted"]:
                failed.add(event["key"]["id"])
        return Accounts(len(failed), receipts)

    def _events(self) -> list[dict[str, Any]]:
        """All of events.fifo: it gives one of a group at a time."""
        found: list[dict[str, Any]] = []
        queue = {"QueueUrl": f"{self._aws}/events.fifo"}
        while got := self._call("ReceiveMessage", {**queue, "MaxNumberOfMessages": 100_000}).get("Messages"):
            found += [json.loads(one["Body"])["event"] for one in got]
            entries = [{"Id": one["MessageId"], "ReceiptHandle": one["ReceiptHandle"]} for one in got]
            self._call("DeleteMessageBatch", {**queue, "Entries": entries})
        return found

    def _call(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"X-Amz-Target": f"AmazonSQS.{name}"}
        request = urllib.request.Request(self._aws, json.dumps(body).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            told: dict[str, Any] = json.loads(answer.read())
        return told


class KannelServed(Kannel):
    """bearerbox and smsbox. `store`: "" for none, "spool"."""

    by_id, patience = False, 30.0

    def __init__(self, work: Path, port: int, window: int, store: str = "") -> None:
        self._store = work / store if store else None
        if self._store is not None:
            self._store.mkdir()
        self.name = f"Kannel, {store or 'no store'}"
        self._receipts, self._failed = set[str](), set[str]()
        self._callers = asyncio.Semaphore(CALLERS)
        self._server: asyncio.Server
        self._port = free_port()
        super().__init__(work, connection(port, window), f"http://127.0.0.1:{self._port}", log_level=3)

    def _groups(self, smsc: Group) -> list[str]:
        core, *others = super()._groups(smsc)
        stored = f"store-type = spool\nstore-location = {self._store}\n" if self._store is not None else ""
        return [core + stored, *others]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._hear, "127.0.0.1", self._port)
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, traceback)
        self._server.close()

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection that receipts come over."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(head.split(" ")[1]).query)
                kept = self._receipts if query["state"] == ["1"] else self._failed
                kept.add(query["number"][0])
                writer.write(OK)
        writer.close()

    async def offer(self, numbers: Sequence[int]) -> None:
        """As `Served`."""
        await asyncio.gather(*(self._offer(number) for number in numbers))

    async def _offer(self, number: int) -> None:
        async with self._callers:
            while True:
                try:
                    await self.send(TEXT, recipient(number), number=number, states=1 + 2 + 16)
                except (aiohttp.ClientError, OSError, AssertionError):
                    await asyncio.sleep(0.1)
                else:
                    return

    async def kill(self) -> None:
        """As `Served`."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        self._processes.clear()
        self._start("bearerbox")
        await self._until(self._boxes_welcome, "bearerbox does not listen")
        self._start("smsbox")

    async def pending(self) -> int:
        """As `Served`: it does not say."""
        return 0

    async def accounts(self) -> Accounts:
        """As `Served`."""
        return Accounts(len(self._failed), {recipient(int(number)) for number in self._receipts})


class JasminServed(Jasmin):
    """jasmind, with RabbitMQ and Redis, which live on when it is killed. Its window is 1."""

    name, by_id, patience = "Jasmin", False, 260.0  # an answer that is lost is waited for, and its message held back

    def __init__(self, work: Path, port: int, window: int) -> None:
        super().__init__(work, port, ("bench", "bench"))
        self._receipts, self._failed = set[str](), set[str]()
        self._callers = asyncio.Semaphore(CALLERS)
        self._told = free_port()
        self._calls: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        site = web.Application()
        site.router.add_route("*", "/{number}", self._hear)
        runner = web.AppRunner(site, access_log=None)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", self._told).start()
        connector = aiohttp.TCPConnector(limit=CALLERS)
        self._calls = await self._stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        return await super().__aenter__()

    async def _hear(self, request: web.Request) -> web.Response:
        """A receipt."""
        told = {**request.query, **await request.post()}
        kept = self._receipts if told["message_status"] == "DELIVRD" else self._failed
        kept.add(request.match_info["number"])
        return web.Response(text="ACK/Jasmin")

    async def offer(self, numbers: Sequence[int]) -> None:
        """As `Served`."""
        await asyncio.gather(*(self._offer(number) for number in numbers))

    async def _offer(self, number: int) -> None:
        name, password = self._user
        query = {"username": name, "password": password, "from": "8080", "to": recipient(number), "content": TEXT,
                 "dlr": "yes", "dlr-level": "2", "dlr-method": "GET",
                 "dlr-url": f"http://127.0.0.1:{self._told}/{number}"}  # fmt: skip
        async with self._callers:
            while True:
                try:
                    async with self._calls.get(f"http://127.0.0.1:{self._http}/send", params=query) as answer:
                        if answer.status == 200:
                            return
                except (aiohttp.ClientError, OSError):
                    pass
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        """As `Served`."""
        ((place, process),) = [one for one in enumerate(self._processes) if one[1][0] == "jasmin"]
        process[1].kill()
        process[1].wait()
        del self._processes[place]
        LOCK.unlink(missing_ok=True)  # it would not start again
        self._start_jasmin()

    async def pending(self) -> int:
        """As `Served`: it does not say."""
        return 0

    async def accounts(self) -> Accounts:
        """As `Served`."""
        return Accounts(len(self._failed), {recipient(int(number)) for number in self._receipts})


def recipient(number: int) -> str:
    """Whom a message of that number goes to, each to somebody else."""
    return f"2507881{number:05d}"
