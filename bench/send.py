"""λ send at speed: `python -m bench.send` prints messages per billed second and CPU per message, beside the floor.

Batches of ten records of ten contacts of one External channel, handed to the handler as Lambda does; the stub answers
after 0 and after 200 ms. The floor is the same ten requests made by `requests` in ten threads, and nothing else: no
ledger, no queue, no trace. Both are measured in turn in one run; stub and emulator are processes of their own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import partial
from itertools import count

import requests

from bench import world
from bench.context import Context

TEN = 10
WARM_UP = 3  # batches


def bare(url: str) -> Callable[[], None]:
    """Ten requests in ten threads over kept connections."""
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=TEN))
    pool = ThreadPoolExecutor(TEN)
    form = {"id": "1", "text": "Love is patient. Love is kind.", "to": "+250788000000", "from": "8080"}

    def ask(_: int) -> None:
        session.post(f"{url}/send", data=form, timeout=30).raise_for_status()

    def ten() -> None:
        list(pool.map(ask, range(TEN)))

    return ten


def single(url: str) -> Callable[[], None]:
    """One request over a kept connection."""
    session = requests.Session()
    session.trust_env = False

    def ask() -> None:
        session.post(f"{url}/send", data={"id": "1"}, timeout=30).raise_for_status()

    return ask


def measure(run: Callable[[], None]) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="messages per billed second and CPU per message of λ send")
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument("--delays", type=int, nargs="+", default=[0, 200], help="ms until the stub answers")
    parser.add_argument("--profile", action="store_true", help="also print where the time of the first delay goes")
    options = parser.parse_args()
    with world.deployment(), open(os.devnull, "w") as log:
        os.environ["JANGADA_METRICS"] = "Jangada"  # written as by a function, whose stdout is its log
        import app

        numbers = count(1)

        def handler(event: dict[str, object]) -> None:
            with redirect_stdout(log):
                answer = app.send(event, Context())
            assert answer == {"batchItemFailures": []}, answer

        print(f"{'ms':>4} {'':9} {'msg/billed s':>12} {'CPU ms/msg':>10} {'batch ms':>9} {'one call ms':>11}")
        for delay in options.delays:
            with world.stub(delay) as url:
                world.register(url)
                _forget()
                floor = bare(url)
                one = single(url)
                ours: list[tuple[float, float]] = []
                floors: list[tuple[float, float]] = []
                calls: list[float] = []
                for _ in range(options.batches + WARM_UP):
                    event = world.batch("lane-ex.fifo", [world.record("EX", next(numbers)) for _ in range(TEN)])
                    ours.append(measure(partial(handler, event)))
                    floors.append(measure(floor))
                    calls.append(measure(one)[0])
                call = statistics.median(calls[WARM_UP:]) * 1000
                for name, found in (("λ send", ours), ("floor", floors)):
                    wall, cpu = (statistics.median(column[WARM_UP:]) for column in zip(*found, strict=True))
                    row = f"{delay:4} {name:9} {TEN / wall:12.1f} {cpu * 1000 / TEN:10.2f} {wall * 1000:9.1f}"
                    print(f"{row} {call:11.1f}")
                if options.profile and delay == options.delays[0]:
                    _profile(handler, numbers)


def _forget() -> None:
    from chalicelib import pacing, registry

    registry.reset()
    pacing.reset()


def _profile(handler: Callable[[dict[str, object]], None], numbers: count[int]) -> None:
    """One thread: records of one contact after the other, so that the profile sees the work itself."""
    import cProfile
    import pstats

    from chalicelib import queues

    found = cProfile.Profile(time.process_time)  # CPU, not waiting
    for _ in range(20):
        records = [(world.record("EX", next(numbers))[0], queues.digest("one")) for _ in range(TEN)]
        found.enable()
        handler(world.batch("lane-ex.fifo", records))
        found.disable()
    pstats.Stats(found).sort_stats("cumulative").print_stats(70)


if __name__ == "__main__":
    main()
