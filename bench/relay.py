"""`python -m bench.relay`: what the relay does in a second and what that costs, against an SMSC that says yes at once.

Three tables: one connection without queues (`bench.engine`, beside the clients of `bench.peers`); the whole relay,
from a lane to outcome and receipt in events.fifo, with `bench.sqs_stand_in` as its AWS; Kannel on the same sink, where
it can be had. Each thing measured is a process of its own, and its CPU alone is counted. `--profile FILE` writes
cProfile's account of the relay's main thread.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.engine import CONFIGS, LARGEST_WINDOW
from bench.figures import TEXT, compared, peak_rss
from bench.peers import PEERS
from bench.peers import run as run_peer
from bench.sink import TALKS
from chalicelib import queues
from chalicelib.clock import now_ms
from chalicelib.records import LaneRecord, MessageKey
from local.emulator import environment

DAY = 86_400_000
PATIENCE = 120  # s for one run
ROUNDS = 3  # of the engines
COUNT, ENGINE_COUNT = 5_000, 20_000  # messages of a run: what is measured should take a second or so
HEAD = f"{'':34}{'window':>7}{'msg/s':>9}{'CPU s/100k':>12}{'p50 ms':>9}{'p99 ms':>9}{'RSS MB':>8}"


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", choices=sorted(TALKS), default="smpp")
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 10, 100])
    said = f"messages of a run (window 1: a fifth; default {COUNT:,}, of one connection {ENGINE_COUNT:,})"
    parser.add_argument("--count", type=int, help=said)
    parser.add_argument("--rate", type=int, default=100, help="messages/s of the run that measures latency")
    parser.add_argument("--delay", type=float, default=0, metavar="MS", help="until the SMSC answers (default 0)")
    parser.add_argument("--links", type=int, default=1, metavar="N", help="accounts that the relay serves at once")
    parser.add_argument("--throttle", type=int, default=0, metavar="PERCENT", help="of submits, by SMPP, for the relay")
    parser.add_argument("--sink-port", type=int, help="an SMSC that runs already, for the engines")
    parser.add_argument("--only", choices=("engine", "relay", "kannel"), action="append", default=[])
    parser.add_argument("--profile", metavar="FILE", help="run the relay under cProfile, its main thread by CPU time")
    options = parser.parse_args()
    wanted = options.only or ["engine", "relay", "kannel"]
    windows = sorted({min(window, LARGEST_WINDOW[options.protocol]) for window in options.windows})
    print(f"{options.protocol}, {len(TEXT)} characters a message, load {os.getloadavg()[0]:.1f} at the start\n{HEAD}")
    whole = options.count or COUNT
    if "engine" in wanted:
        _engines(options.protocol, windows, options.count or ENGINE_COUNT, options.delay, options.sink_port)
    if "relay" in wanted:
        given = {"delay": options.delay, "throttle": options.throttle, "links": options.links}
        for window in windows:
            count = _fewer(whole, window, options.delay, seconds=20)  # it begins and ends within some 0.1 s
            _relay(options.protocol, window, count, profile=options.profile or "", **given)
        _relay(options.protocol, 10, options.rate * 5, rate=options.rate, **given)
    if "kannel" in wanted and options.protocol == "smpp":
        for window in windows:
            _kannel(window, _fewer(whole, window))
    return 0


def _fewer(count: int, window: int, delay: float = 0, seconds: int = 5) -> int:
    """As many as take seconds, not minutes: in `delay` ms there are as many answers as the window is wide."""
    most = round(window * seconds * 1_000 / delay) if delay else count
    return max(min(count, most), 50) if delay else max(200, count // 5) if window == 1 else count


def _row(name: str, window: int, told: dict[str, float]) -> None:
    figures = f"{told['rate']:9.0f}{told['cpu']:12.1f}{told['p50']:9.2f}{told['p99']:9.2f}{told['rss']:8.0f}"
    print(f"{name:34}{window:7}{figures}", flush=True)


# --- processes ------------------------------------------------------------------------------------------------------


@contextmanager
def child(*command: str) -> Iterator[str]:
    """A process of the bench, until the end: its first line."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(20)


def _used(pid: int) -> tuple[float, float]:
    """CPU in s and greatest RSS in MB of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), peak_rss(pid)


def ask(url: str, body: Any = None) -> Any:
    """What the stand-in answers: a PUT with `body`, a GET without."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method="GET" if body is None else "PUT")
    with urllib.request.urlopen(request, timeout=PATIENCE + 10) as answer:
        return json.loads(answer.read())


# --- the three tables -----------------------------------------------------------------------------------------------


def _engines(protocol: str, windows: list[int], count: int, delay: float, port: int | None) -> None:
    """In turn, several times; of each the run of the median rate."""
    kinds = ["floor", "session", "dialect", *PEERS] if protocol == "smpp" else ["dialect"]
    for window in windows:
        found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
        for _ in range(ROUNDS):
            for kind, runs in found.items():
                with child("bench.sink", protocol, "--delay", str(delay)) as own:
                    most = min(PEERS.get(kind) or count, count)
                    numbers = int(port or own), window, _fewer(most, window, delay)
                    runs.append(run_peer(kind, *numbers) if kind in PEERS else _engine(kind, protocol, *numbers))
        medians: dict[str, dict[str, float]] = {}
        for kind, runs in found.items():
            name = f"{'peer' if kind in PEERS else 'engine'}: {kind}"
            told = sorted((one for one in runs if "rate" in one), key=lambda one: one["rate"])
            if told:
                medians[kind] = told[len(told) // 2]
                _row(name, window, medians[kind])
            for why, number in Counter(_why(one) for one in runs if "rate" not in one).items():
                print(f"{name:34}{window:7}  {number} of {len(runs)} runs: {why}", flush=True)
        if said := compared(medians, window, delay):
            print(f"{'':8}session: {', '.join(said)}", flush=True)


def _engine(kind: str, protocol: str, *numbers: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.engine", kind, protocol, *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        raise RuntimeError(done.stderr)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _why(told: dict[str, str]) -> str:
    """Why a peer has no figures."""
    [(what, more)] = told.items()
    return f"not installed: {more}" if what == "absent" else f"{what}: {more}"


def _relay(
    protocol: str, window: int, count: int, *, rate: int = 0, profile: str = "", delay: float = 0, throttle: int = 0,
    links: int = 1,
) -> None:  # fmt: skip
    """A backlog of `count` messages, or so many at `rate` a second; over as many links, in turn."""
    sink = ["--receipts", "--delay", str(delay), "--throttle", str(throttle)]
    with child("bench.sink", protocol, *sink) as port, child("bench.sqs_stand_in") as aws:
        ask(f"{aws}/rows", [row for link in range(links) for row in registered(protocol, int(port), window, link)])
        relay = started(aws, *(["bench.profiled", profile] if profile else []))
        try:
            for link in range(links):
                ask(f"{aws}/fill/lane-bench{link}.fifo", [record(link, link)])
            ready = 2 * links
            assert ask(f"{aws}/wait/{PATIENCE}/events.fifo/{ready}")["reached"], "the relay does not get ready"
            records = [record(number, number % links) for number in range(links, links + count)]
            (cpu, _), began = _used(relay.pid), 0.0
            at_once = max(1, rate // 20) if rate else count
            for number in range(0, count, at_once):
                for link in range(links):
                    ask(f"{aws}/fill/lane-bench{link}.fifo", records[number : number + at_once][link::links])
                    began = began or time.perf_counter()  # records cannot be received before they are in their lane
                time.sleep(0.05 if rate else 0)
            all_told = 2 * count + ready
            assert ask(f"{aws}/wait/{PATIENCE}/events.fifo/{all_told}")["reached"], ask(f"{aws}/told")["queues"]
            took, (used, rss) = time.perf_counter() - began, _used(relay.pid)
            told = ask(f"{aws}/told")
        finally:
            relay.send_signal(signal.SIGTERM)
            relay.wait(60)
    times = sorted(told["took"].values()) if rate else [float("nan")]
    figures = {
        "rate": count / took, "cpu": (used - cpu) * 100_000 / count, "rss": rss,
        "p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100],
    }  # fmt: skip
    name = f"relay, {rate}/s offered" if rate else "relay, backlog"
    _row(name if links == 1 else f"{name}, {links} links", window, figures)
    calls = ", ".join(
        f"{name} {times / count:.2f}" for name, times in sorted(told["calls"].items()) if times > count / 50
    )
    print(f"{'':8}calls a message: {calls}")


def started(aws: str, *program: str) -> subprocess.Popen[bytes]:
    """The relay as a process, with that as its AWS. `program`: what runs it, smsc_relay unless told."""
    command = [sys.executable, "-m", *(program or ("smsc_relay",)), "--no-leases"]
    given = {**os.environ, **environment(aws), "JANGADA_METRICS": "off", "POWERTOOLS_LOG_LEVEL": "ERROR"}
    return subprocess.Popen(command, env=given, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def registered(protocol: str, port: int, window: int, link: int, **more: Any) -> list[dict[str, Any]]:
    """The rows of a link's account and channel. `more`: of the account's config."""
    name, uuid = f"bench{link}", _channel(link)
    config = {**CONFIGS[protocol], "host": "127.0.0.1", "port": port, "window": window, **more}
    aggregator = {"name": name, "type": protocol.upper(), "config": config, "lane": "own"}
    channel = {"uuid": uuid, "aggregator": name, "type": protocol.upper(), "address": "8080", "country": "RW",
               "platform": "main", "workspace": "w"}  # fmt: skip
    return [{"pk": f"agg#{name}", "data": aggregator}, {"pk": f"chan#{uuid}", "data": channel}]


def _channel(link: int) -> str:
    return f"6f1d2c3b-9a44-4e0b-8c55-{link:012d}"


def record(number: int, link: int) -> tuple[str, str]:
    """Group and body of a message in its lane, to a recipient of its own."""
    now, uuid, name = now_ms(), _channel(link), f"bench{link}"
    made = LaneRecord(
        key=MessageKey(channel=uuid, id=str(number)),
        message={"id": number, "text": TEXT, "to": f"+2507881{number:05d}", "from": "8080", "channel": uuid},
        aggregator=name, lane=f"lane-{name}", first_seen=now, expires_at=now + DAY,
    )  # fmt: skip
    return queues.lane_entry(made).group, made.to_body()


def _kannel(window: int, count: int) -> None:
    """HTTP in, receipts to a URL out. The time is from the first request to the last receipt."""
    from bench.kannel import measure

    with child("bench.sink", "smpp", "--receipts") as port, tempfile.TemporaryDirectory() as work:
        told = asyncio.run(measure(Path(work), int(port), window, count, _used))
    _row("Kannel: sendsms, SMSC, dlr-url", window, told)


if __name__ == "__main__":
    sys.exit(main())
