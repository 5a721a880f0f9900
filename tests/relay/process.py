"""`python -m tests.relay.process`: a relay of toy links as a process, which a test may kill.

`--crash-at POINT` kills it (SIGKILL) when it reaches that point on a message's way for the nth time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys

from chalicelib import waypoints
from smsc_relay.__main__ import serve
from smsc_relay.relay import Relay
from tests.relay.conftest import QUICK
from tests.relay.toy import kinds


def crash_at(point: str, nth: int) -> None:
    """Die when `point` is reached for the nth time."""
    left = [nth]

    def hook(name: str) -> None:
        if name == point:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    waypoints.install(hook)


def main() -> int:
    """Run until SIGTERM, or the crash."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--crash-at", choices=waypoints.WAYPOINTS)
    parser.add_argument("--crash-after", type=int, default=1)
    options = parser.parse_args()
    if options.crash_at:
        crash_at(options.crash_at, options.crash_after)

    async def run() -> int:
        return await serve(Relay(kinds=kinds, timing=QUICK), health_port=0)

    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
