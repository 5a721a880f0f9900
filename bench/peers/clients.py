"""`python -m bench.peers.clients KIND PORT WINDOW COUNT LIMIT` prints the JSON that `bench.engine` prints.

Each keeps its window full with what its own interface offers; naz and aiosmpplib have no window, so their brokers,
which they ask for the next message, hold it back. After LIMIT seconds it prints how far it has come.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, NoReturn

from bench.figures import TEXT, figures

HOST: Final = "127.0.0.1"
LOGIN: Final = {"system_id": "bench", "password": "secret"}
SENDER: Final = "8080"
FROM_TO: Final[dict[str, Any]] = {"source_addr": SENDER, "dest_addr_ton": 1, "dest_addr_npi": 1}


class Run:
    """One run, which ends the process when the last answer has come: some of the clients cannot be ended otherwise."""

    def __init__(self, window: int, count: int, limit: float) -> None:
        self.window, self._count = window, count
        self.numbers: Iterator[int] = iter(range(count))
        self._times: list[float] = []
        self._began = self._cpu = self._last = 0.0
        timer = threading.Timer(limit, self._give_up, (limit,))
        timer.daemon = True
        timer.start()

    def begin(self) -> None:
        """The login has been accepted."""
        self._cpu, self._began = time.process_time(), time.perf_counter()

    def answered(self, since: float, *, accepted: bool) -> None:
        """A submit of then has been answered."""
        self._last = time.perf_counter()
        self._times.append(self._last - since)
        if not accepted:
            _end(1, "a submit was refused")
        if len(self._times) == self._count:
            _end(0, json.dumps(figures(self._times, self._last - self._began, time.process_time() - self._cpu)))

    async def fill(self, submit: Callable[[str], Awaitable[bool]]) -> None:
        """A task for each place in the window. `submit` takes a recipient and tells whether it was accepted."""
        self.begin()
        await asyncio.gather(*(self._place(submit) for _ in range(self.window)))

    async def _place(self, submit: Callable[[str], Awaitable[bool]]) -> None:
        for number in self.numbers:
            since = time.perf_counter()
            accepted = await submit(recipient(number))
            self.answered(since, accepted=accepted)

    def _give_up(self, limit: float) -> None:
        count, quiet = len(self._times), time.perf_counter() - self._last
        last = f", the last {quiet:.1f} s before" if count else ""
        _end(0, json.dumps({"stalled": f"{count:,} of {self._count:,} answered after {limit:g} s{last}"}))


class Broker:
    """What a broker of naz or aiosmpplib does: messages as long as the window has room, then none for ever."""

    def __init__(self, run: Run) -> None:
        self._run, self._free = run, asyncio.Semaphore(run.window)
        self._since: dict[str, float] = {}

    async def next(self) -> tuple[str, str]:
        """Log id and recipient of the next message."""
        await self._free.acquire()
        number = next(self._run.numbers, None)
        if number is None:
            await asyncio.Event().wait()
        elif number == 0:
            self._run.begin()
        self._since[str(number)] = time.perf_counter()
        return str(number), recipient(number or 0)

    def answered(self, log_id: str, *, accepted: bool) -> None:
        """That message's submit has been answered."""
        self._free.release()
        self._run.answered(self._since.pop(log_id), accepted=accepted)


def recipient(number: int) -> str:
    """As the engine's."""
    return f"2507{number:08d}"


def _end(status: int, said: str) -> NoReturn:
    print(said, file=sys.stderr if status else sys.stdout, flush=True)
    os._exit(status)


# --- the clients ----------------------------------------------------------------------------------------------------


async def smpp34(port: int, run: Run) -> None:
    """Rust core, asyncio in front; has a window."""
    from smpp34 import Client

    session = await Client(host=HOST, port=port, bind_type="TRX", window_size=run.window, **LOGIN).connect()

    async def submit(to: str) -> bool:
        return bool((await session.submit_sm(to, TEXT.encode(), **FROM_TO)).is_success)

    await run.fill(submit)


async def rusmppyc(port: int, run: Run) -> None:
    """Rust core, asyncio in front; it raises where a submit is refused. Times in ms."""
    from rusmppyc import Client, InterfaceVersion, Npi, Ton

    client, events = await Client.connect(
        url=f"smpp://{HOST}:{port}",
        enquire_link_interval=60_000,
        response_timeout=30_000,
        interface_version_check=False,  # the sink names no version
    )

    async def drain() -> None:
        async for _ in events:
            pass

    draining = asyncio.create_task(drain())
    await client.bind_transceiver(**LOGIN, interface_version=InterfaceVersion.Smpp3_4())
    ton, npi = Ton.International(), Npi.Isdn()

    async def submit(to: str) -> bool:
        await client.submit_sm(
            source_addr=SENDER, dest_addr_ton=ton, dest_addr_npi=npi, destination_addr=to, short_message=TEXT.encode()
        )
        return True

    await run.fill(submit)
    await draining


async def aiosmpplib(port: int, run: Run) -> None:
    """Pure Python on asyncio."""
    from aiosmpplib import ESME, PhoneNumber, SubmitSm
    from aiosmpplib.broker import AbstractBroker
    from aiosmpplib.hook import AbstractHook
    from aiosmpplib.protocol import SubmitSmResp
    from aiosmpplib.state import SmppCommandStatus

    source, messages = PhoneNumber(SENDER), Broker(run)

    class Waiting(AbstractBroker):
        async def enqueue(self, message: Any) -> None: ...

        async def dequeue(self) -> Any:
            log_id, to = await messages.next()
            return SubmitSm(short_message=TEXT, source=source, destination=PhoneNumber(to), log_id=log_id)

    class Hook(AbstractHook):
        async def sending(self, *told: Any) -> None: ...

        async def send_error(self, message: Any, error: Any, client_id: Any) -> None:
            _end(1, f"not sent: {error}")

        async def received(self, message: Any, pdu: Any, client_id: Any) -> None:
            if isinstance(message, SubmitSmResp):
                accepted = message.command_status == SmppCommandStatus.ESME_ROK
                messages.answered(message.log_id, accepted=accepted)

    await ESME(HOST, port, *LOGIN.values(), hook=Hook(), broker=Waiting(), log_level=logging.ERROR).start()


async def naz(port: int, run: Run) -> None:
    """Pure Python on asyncio. Its rate limiter is opened as wide as it goes."""
    from naz import Client, broker, hooks, log, ratelimiter
    from naz.protocol import SubmitSM

    messages, logger = Broker(run), log.SimpleLogger("naz", level="CRITICAL")

    class Waiting(broker.BaseBroker):
        async def enqueue(self, message: Any) -> None: ...

        async def dequeue(self) -> Any:
            log_id, to = await messages.next()
            return SubmitSM(short_message=TEXT, source_addr=SENDER, destination_addr=to, log_id=log_id)

    class Hook(hooks.BaseHook):
        async def to_smsc(self, *told: Any, **more: Any) -> None: ...

        async def from_smsc(self, smpp_command: str, log_id: str, hook_metadata: str, status: Any, pdu: bytes) -> None:
            if smpp_command == "submit_sm_resp":
                messages.answered(log_id, accepted=status.value == 0)

    limiter = ratelimiter.SimpleRateLimiter(send_rate=1e9, logger=logger)
    client = Client(
        HOST, port, *LOGIN.values(), broker=Waiting(), hook=Hook(), logger=logger, rate_limiter=limiter
    )  # fmt: skip
    await client.connect()
    await client.tranceiver_bind()
    await asyncio.gather(client.dequeue_messages(), client.receive_data())


async def smpplib(port: int, run: Run) -> None:
    """Pure Python, which blocks: read whenever the window is full."""
    from smpplib.client import Client

    logging.disable(logging.CRITICAL)
    client, since = Client(HOST, port, allow_unknown_opt_params=True), dict[int, float]()
    client.connect()
    client.bind_transceiver(**LOGIN)
    client.set_message_sent_handler(lambda pdu, **_: run.answered(since.pop(pdu.sequence), accepted=True))
    client.set_error_pdu_handler(lambda pdu: run.answered(since.pop(pdu.sequence), accepted=False))
    run.begin()
    for number in run.numbers:
        while len(since) >= run.window:
            client.read_once()
        at = time.perf_counter()
        pdu = client.send_message(destination_addr=recipient(number), short_message=TEXT.encode(), **FROM_TO)
        since[pdu.sequence] = at
    while since:
        client.read_once()


KINDS: Final = {one.__name__: one for one in (smpp34, rusmppyc, aiosmpplib, naz, smpplib)}


async def _main(kind: str, port: str, window: str, count: str, limit: str) -> None:
    await KINDS[kind](int(port), Run(int(window), int(count), float(limit)))


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
