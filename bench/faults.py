"""`python -m bench.faults`: the cost of three troubles: an SMSC that throttles, one that restarts, a relay killed.

Messages are offered at a rate, by a clock; the SMSC (`bench.troubled`) keeps count of what it has taken, and each thing
measured is a process of its own. Twice: what it took beyond once of each message. Lost: what it never took. Receipts
lost: answered as safe, and not in events.fifo (Kannel, Jasmin: not at the URL). Those run beside the relay with
`--kannel` and `--jasmin`; Jasmin not where all is throttled, which it would take hours for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from bench.served import Accounts, JasminServed, KannelServed, Relay, Served, recipient

TICK: Final = 0.05  # s between two handfuls of messages
SETTLED: Final = 5.0  # s of throttling that a link may take to find its rate
UNRECORDED: Final = 50  # outcomes on their way to SQS that a bind with a small window may have
BACK: Final = 0.95  # of what is offered: the rate is what it was
ANSWER: Final = 10  # s that the relay waits for an answer: a record in hand at a kill comes back after 52 s
Make = Callable[[Path, int, int], Served]


class Smsc:
    """The SMSC's process, within `async with`."""

    def __init__(self, delay: float) -> None:
        self._command = [sys.executable, "-m", "bench.troubled", "--delay", str(delay)]
        self._process: asyncio.subprocess.Process
        self.port = 0

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe, limit=1 << 24)
        assert self._process.stdout is not None
        self.port = int(await self._process.stdout.readline())
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def do(self, what: str, **given: float) -> dict[str, Any]:
        """Have it do that; what it says."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **given}).encode() + b"\n")
        told: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return told


@dataclass(frozen=True)
class Run:
    """What a run has shown. Times are the machine's monotonic clock's, `began` that of the first message."""

    name: str
    offered: int
    began: float
    load: float
    told: dict[str, Any]
    accounts: Accounts
    by_id: bool

    @property
    def lost(self) -> int:
        """Messages that the SMSC never took."""
        return sum(recipient(number) not in self.told["messages"] for number in range(self.offered))

    @property
    def twice(self) -> int:
        """What it took beyond once of each."""
        return len(self.told["taken"]) - len(self.told["messages"])

    @property
    def unconfirmed(self) -> int:
        """Receipts that were never answered as safe."""
        return len(self.told["taken"]) - len(self.told["confirmed"])

    @property
    def receipts_lost(self) -> int:
        """Receipts that were, and did not come out."""
        confirmed: dict[str, str] = self.told["confirmed"]
        ids = (name.lstrip("0") for name in confirmed)  # as they come out: an id is a number to some SMSCs
        return len(set(ids if self.by_id else confirmed.values()) - self.accounts.receipts)

    def taken(self, begin: float, end: float) -> int:
        """Messages taken between two times, counted from the first message."""
        times = self.told["taken"]
        return bisect_left(times, self.began + end) - bisect_left(times, self.began + begin)

    def first_after(self, what: str, begin: float) -> float:
        """Seconds from then to the next of "taken" or "binds"; infinite: there was none."""
        return next((time - self.began - begin for time in self.told[what] if time > self.began + begin), float("inf"))

    def back_after(self, end: float, rate: float) -> float:
        """Seconds from `end` until so many a second are taken; infinite: never."""
        for tenth in range(600):
            if self.taken(end + tenth / 10, end + tenth / 10 + 1) >= BACK * rate:
                return tenth / 10
        return float("inf")


Trouble = Callable[[Smsc, Served], Awaitable[None]]


async def run(make: Make, window: int, *, rate: int, seconds: int, delay: float, trouble: Trouble) -> Run:
    """Offer so many a second for so long, with a trouble from the beginning, and wait until nothing more comes."""
    with tempfile.TemporaryDirectory() as work:
        async with Smsc(delay) as smsc, make(Path(work), smsc.port, window) as served:
            while not (await smsc.do("count"))["binds"]:
                await asyncio.sleep(TICK)
            load, began = os.getloadavg()[0], (await smsc.do("count"))["at"]
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_as_coroutine(trouble(smsc, served)))
                for tick in range(round(seconds / TICK)):
                    numbers = range(round(tick * rate * TICK), round((tick + 1) * rate * TICK))
                    await _until(began + tick * TICK)
                    tasks.create_task(served.offer(numbers))
            await _quiet(smsc, served, rate * seconds)
            told = await smsc.do("tell")
            return Run(served.name, rate * seconds, began, load, told, await served.accounts(), served.by_id)


async def _as_coroutine(what: Awaitable[None]) -> None:
    await what


async def _until(moment: float) -> None:
    """The event loop's clock is the monotonic one."""
    await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))


async def _quiet(smsc: Smsc, served: Served, offered: int) -> None:
    """Until all has been taken and answered, or nothing has moved for as long as that may take."""
    loop = asyncio.get_running_loop()
    seen: object = None
    moved = loop.time()
    while loop.time() - moved < served.patience:
        count, pending = await smsc.do("count"), await served.pending()
        now = {name: number for name, number in count.items() if name != "at"}
        if count["messages"] >= offered and not count["unconfirmed"] and not pending:
            return
        if (now, pending) != seen:
            seen, moved = (now, pending), loop.time()
        await asyncio.sleep(0.25)


# --- the three troubles ---------------------------------------------------------------------------------------------


async def throttle(makes: Sequence[Make], windows: Sequence[int], delay: float, *, beside: Sequence[Make]) -> None:
    """Some of what is submitted is refused for 30 s, for no reason or for its speed; then nothing is."""
    print(f"\nthrottled for 30 s, of 45; {delay:g} ms to an answer; share of what is granted, by the second, after 5 s")
    print(f"{'':44}{'window':>7}{'lowest':>8}{'mean':>7}{'refused':>9}{'failed':>8}{'lost':>6}{'twice':>7}"
          f"{'back after s':>14}{'load':>6}")  # fmt: skip
    for share, granted, offered in ((0.2, 0, 100), (0.2, 0, 400), (0.0, 100, 300)):
        for make in (*makes, *(beside if offered == 100 else ())):
            for window in windows:
                told = await run(
                    make, window, rate=offered, seconds=45, delay=delay, trouble=_throttled(share, granted, 30)
                )
                may = granted or offered * (1 - share)
                each = [told.taken(second, second + 1) / may for second in range(int(SETTLED), 30)]
                name = f"{told.name}, {offered}/s, " + (f"{granted}/s granted" if granted else f"{share:.0%} refused")
                print(f"{name:44}{window:7}{min(each):8.0%}{sum(each) / len(each):7.0%}"
                      f"{len(told.told['throttled']):9}{told.accounts.failed:8}{told.lost:6}{told.twice:7}"
                      f"{told.back_after(30, offered):14.1f}{told.load:6.1f}", flush=True)  # fmt: skip


def _throttled(share: float, granted: float, seconds: float) -> Trouble:
    async def trouble(smsc: Smsc, served: Served) -> None:
        began = (await smsc.do("throttle", share=share, rate=granted))["at"]
        await _until(began + seconds)
        await smsc.do("throttle")

    return trouble


async def restart(makes: Sequence[Make], windows: Sequence[int], delays: Sequence[float]) -> None:
    """The SMSC is away for five seconds."""
    print("\nSMSC away from the 3rd second to the 8th, 200/s for 15 s, receipts after 2 s")
    print(f"{'':34}{'window':>7}{'answer ms':>11}{'lost':>6}{'twice':>7}{'failed':>8}{'receipts':>10}{'lost':>6}"
          f"{'unsafe':>8}{'bound after s':>15}{'load':>6}")  # fmt: skip

    async def trouble(smsc: Smsc, served: Served) -> None:
        began = (await smsc.do("count"))["at"]
        await _until(began + 3)
        await smsc.do("down")
        await _until(began + 8)
        await smsc.do("up")

    for make in makes:
        for delay in delays:
            for window in windows:
                told = await run(make, window, rate=200, seconds=15, delay=delay, trouble=trouble)
                print(f"{told.name:34}{window:7}{delay:11g}{told.lost:6}{told.twice:7}{told.accounts.failed:8}"
                      f"{len(told.told['confirmed']):10}{told.receipts_lost:6}{told.unconfirmed:8}"
                      f"{told.first_after('binds', 7.9):15.2f}{told.load:6.1f}", flush=True)  # fmt: skip


async def kill(makes: Sequence[Make], windows: Sequence[int], delay: float) -> None:
    """What is measured is killed after three seconds, and started again."""
    print(f"\nkilled in the 3rd second and started at once, 400/s for 10 s, {delay:g} ms to an answer")
    print(f"{'':34}{'window':>7}{'lost':>6}{'twice':>7}{'bound':>7}{'failed':>8}{'receipts':>10}{'lost':>6}"
          f"{'unsafe':>8}{'bound after s':>15}{'taken after s':>15}{'load':>6}")  # fmt: skip

    async def trouble(smsc: Smsc, served: Served) -> None:
        await _until((await smsc.do("count"))["at"] + 3)
        await served.kill()

    for make in makes:
        for window in windows:
            told = await run(make, window, rate=400, seconds=10, delay=delay, trouble=trouble)
            print(f"{told.name:34}{window:7}{told.lost:6}{told.twice:7}{window + max(window, UNRECORDED):7}"
                  f"{told.accounts.failed:8}{len(told.told['confirmed']):10}{told.receipts_lost:6}"
                  f"{told.unconfirmed:8}{told.first_after('binds', 3):15.2f}"
                  f"{told.first_after('taken', 3 + told.first_after('binds', 3)) + told.first_after('binds', 3):15.2f}"
                  f"{told.load:6.1f}", flush=True)  # fmt: skip


def _relay(**config: Any) -> Make:
    return lambda work, port, window: Relay(port, window, {"response_timeout": ANSWER, **config})


def _kannel(store: str) -> Make:
    return lambda work, port, window: KannelServed(work, port, window, store)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("throttle", "restart", "kill"), action="append", default=[])
    parser.add_argument("--kannel", action="store_true", help="and Kannel")
    parser.add_argument("--jasmin", action="store_true", help="and Jasmin, where it is restarted or killed")
    parser.add_argument("--no-relay", action="store_true", help="and not the relay")
    parser.add_argument("--windows", type=int, nargs="+", help="(default: 10 and 100; restart: 100)")
    parser.add_argument("--config", action="append", default=[], metavar="KEY=JSON", help="of the relay's account")
    options = parser.parse_args()
    wanted = options.only or ["throttle", "restart", "kill"]
    config = {key: json.loads(value) for key, _, value in (one.partition("=") for one in options.config)}
    ours = [] if options.no_relay else [_relay(**config)]
    kannel = [_kannel("")] if options.kannel else []
    stored = [_kannel(""), _kannel("spool")] if options.kannel else []
    jasmin: list[Make] = [JasminServed] if options.jasmin else []
    windows = options.windows or [10, 100]
    with suppress(KeyboardInterrupt):
        if "throttle" in wanted:
            asyncio.run(throttle(ours, windows, 10, beside=kannel))
        if "restart" in wanted:
            asyncio.run(restart([*ours, *kannel, *jasmin], options.windows or [100], [0, 50]))
        if "kill" in wanted:
            asyncio.run(kill([*ours, *stored, *jasmin], windows, 50))
    return 0


if __name__ == "__main__":
    sys.exit(main())
