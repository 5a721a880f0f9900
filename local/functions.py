"""`python -m local.functions`: the gateway's Lambda functions and its API as one process, which a test may kill.

`--crash-at POINT` kills it (SIGKILL, as a power cut would) when it reaches that point on a message's way.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import Any

from local import crash
from local.api import api_server
from local.lambdas import Mapping

FUNCTIONS = {
    "outbound.fifo": "route",
    "outbound-bulk.fifo": "route_bulk",
    "events.fifo": "record",
    "later": "later",
}


def function_of(queue: str) -> str:
    """Name of the function that a queue feeds."""
    if queue.startswith("lane-"):
        return "send"
    return FUNCTIONS.get(queue, "deliver")


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; says "ready" when it does."""
    parser = argparse.ArgumentParser(prog="python -m local.functions", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of the API")
    parser.add_argument("--queue", action="append", default=[], metavar="NAME[=CONCURRENCY]", help="may be repeated")
    crash.add_options(parser)
    options = parser.parse_args()
    crash.install(options)
    import app as functions

    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    server = api_server(functions.app, options.port)
    mappings: list[Mapping] = []
    for given in options.queue:
        queue, _, concurrency = given.partition("=")
        handler: Any = getattr(functions, function_of(queue))
        mappings += [Mapping(queue, handler, stop) for _ in range(int(concurrency or 1))]
    for mapping in mappings:
        mapping.start()
    print("ready", flush=True)
    stop.wait()
    for mapping in mappings:
        mapping.join(10)
    server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
