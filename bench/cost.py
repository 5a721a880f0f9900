"""`python -m bench.cost`: what a million messages cost, by path, of calls counted on the emulated AWS.

Without options: the table, of the counts of the last run (bench/counts.json) and bench/prices.yaml. `--count` counts
anew, which takes a minute or two; `--write` puts the table into docs/cost.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from bench import model
from bench.calls import CountedEmulator, Counts

HERE: Final = Path(__file__).resolve().parent
COUNTS: Final = HERE / "counts.json"
PRICES: Final = HERE / "prices.yaml"
PAGE: Final = HERE.parent / "docs" / "cost.md"
SMSCS: Final = frozenset({"demo-smpp"})
WARM_UP: Final = 5
PATIENCE: Final = 90.0  # s
PATHS: Final = ("HTTP MT", "HTTP receipt", "HTTP MO", "SMPP MT", "SMPP receipt", "SMPP MO")
BEGIN, END = "<!-- made by `python -m bench.cost --write` -->\n", "<!-- end -->\n"


def _phone(number: int, *, receipt: bool = True) -> str:
    """Somebody's number; the simulator sends no receipt from one that ends in 0100."""
    return f"+2507{number:04d}{'7001' if receipt else '0100'}"


def count(messages: int) -> dict[str, Any]:
    """Send that many each way, and count AWS's calls: by path, of one message."""
    from local.__main__ import FILES
    from local.emulator import free_port
    from local.gateway import Gateway
    from local.page import page_server
    from local.world import LINES, SECRETS, World

    class Quiet(World):
        """Keeps receipts back until they are asked for."""

        held: list[tuple[str, dict[str, str]]]

        def _report(self, code: str, actions: tuple[str, ...], fields: dict[str, str]) -> None:
            self.held.append((code, fields))

        def let_go(self) -> None:
            held, self.held = self.held, []
            for code, fields in held:
                self._call_back(code, "status", fields)

    port = free_port()
    lines = tuple(one for one in LINES if one.code in ("EX", "AT", "SMPP"))
    files = [FILES / f"demo-{name}.yaml" for name in ("ex", "at", "smpp")]
    found: dict[str, Counts] = {}
    with tempfile.TemporaryDirectory() as work:
        gateway = Gateway(Path(work), files, SECRETS, {"localhost:8080": f"127.0.0.1:{port}"})
        gateway.emulator = emulator = CountedEmulator(log=Path(work) / "emulator.log")
        world = Quiet(gateway.api, gateway.control, lines)
        world.held = []
        server = page_server(world, port)
        try:
            with gateway:

                def phase(step: Callable[[], None], arrived: Callable[[], int], wanted: int, api: int = 0) -> Counts:
                    emulator.taken()
                    step()
                    _until(lambda: arrived() >= wanted, f"{wanted} arrived, of which {arrived()}")
                    _quiet(emulator)
                    return {**emulator.taken(), **({"api requests": api} if api else {})}

                def told(kind: str) -> int:
                    return sum(one["kind"] == kind for one in world.platform)

                for begin, number in ((0, WARM_UP), (1000, messages)):
                    numbers = range(begin, begin + number)

                    def mt(code: str, numbers: range = numbers, *, receipt: bool) -> None:
                        for one in numbers:
                            world.platform_sends(code, "Love is patient. Love is kind.", _phone(one, receipt=receipt))

                    def mo(code: str, numbers: range = numbers) -> None:
                        for one in numbers:
                            world.phone_sends(code, "Murakoze cyane", _phone(one))

                    phones, delivered, received = len(world.phone()), told("delivered"), told("receive")
                    arrived = lambda: len(world.phone())  # noqa: E731
                    found["HTTP MT"] = phase(lambda: mt("AT", receipt=True), arrived, phones + number)
                    found["HTTP receipt"] = phase(world.let_go, lambda: told("delivered"), delivered + number, number)
                    found["HTTP MO"] = phase(lambda: mo("AT"), lambda: told("receive"), received + number, number)
                    phones, delivered, received = len(world.phone()), told("delivered"), told("receive")
                    found["SMPP MT"] = phase(lambda: mt("SMPP", receipt=False), arrived, phones + number)
                    both = phase(lambda: mt("SMPP", receipt=True), lambda: told("delivered"), delivered + number)
                    alone = found["SMPP MT"]
                    found["SMPP receipt"] = {
                        name: max(0.0, both.get(name, 0) - alone.get(name, 0)) for name in both.keys() | alone.keys()
                    }
                    found["SMPP MO"] = phase(lambda: mo("SMPP"), lambda: told("receive"), received + number)
        finally:
            server.shutdown()
    paths = {
        path: {
            name: round(value, 3) for name, value in sorted(model.per_message(found[path], messages).items()) if value
        }
        for path in PATHS
    }
    return {"messages": messages, "paths": paths}


def _until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > end:
            raise SystemExit(f"after {PATIENCE:.0f} s not yet: {what}")
        time.sleep(0.05)


def _quiet(emulator: CountedEmulator) -> None:
    """Until nothing has been counted for two seconds: traces are written after the fact."""
    last, since = emulator.total(), time.monotonic()
    while time.monotonic() - since < 2:
        time.sleep(0.1)
        if emulator.total() != last:
            last, since = emulator.total(), time.monotonic()


def table(counts: Mapping[str, Any], prices: Mapping[str, Any]) -> str:
    """The table of docs/cost.md."""
    items = list(model.cost({}, prices))
    rows = [
        f"| path | calls of AWS | {' | '.join(items)} | **a million** | floor |",
        "|---" * (len(items) + 4) + "|",
    ]
    for path in PATHS:
        one = counts["paths"][path]
        dollars = model.cost(one, prices, SMSCS)
        least = sum(model.cost(model.FLOORS[path], prices, model.FLOOR_SMSCS).values())
        calls = sum(value for name, value in one.items() if name.startswith("dynamodb ") and "units" not in name)
        calls += one.get("sqs requests", 0)
        cells = " | ".join(f"{dollars[item]:.2f}" for item in items)
        rows.append(f"| {path} | {calls:.1f} | {cells} | **${sum(dollars.values()):.2f}** | ${least:.2f} |")
    return "\n".join(rows) + "\n"


def fixed(prices: Mapping[str, Any]) -> str:
    """What is paid whatever the traffic is."""
    rows = ["| | $ a month | |", "|---|---|---|"]
    rows += [
        f"| {name.replace('_', ' ')} | {one['price']:.2f} | {one['note']} |"
        for name, one in prices["fixed_per_month"].items()
    ]
    return "\n".join(rows) + "\n"


def made(counts: Mapping[str, Any], prices: Mapping[str, Any]) -> str:
    """The part of docs/cost.md that is made."""
    of = f"prices of {prices['region']}, listed {prices['read']}"
    said = f"{counts['messages']} messages a path, in bursts; {of}.\n\n"
    return f"{said}{table(counts, prices)}\n{fixed(prices)}"


def load() -> tuple[dict[str, Any], dict[str, Any]]:
    """Counts of the last run, and prices."""
    return json.loads(COUNTS.read_text()), yaml.safe_load(PRICES.read_text())


def main() -> None:
    """Count where that is asked for, print, write where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, nargs="?", const=200, metavar="N", help="count anew, N messages a path")
    parser.add_argument("--write", action="store_true", help="put the table into docs/cost.md")
    options = parser.parse_args()
    if options.count:
        COUNTS.write_text(json.dumps(count(options.count), indent=1) + "\n")
    counts, prices = load()
    print(made(counts, prices), end="")
    if options.write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}{made(counts, prices)}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
