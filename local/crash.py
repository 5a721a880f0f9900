"""A power cut at a named point on a message's way, for tests: SIGKILL, so that nothing has a chance to tidy up."""

from __future__ import annotations

import argparse
import os
import signal

from chalicelib import waypoints


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--crash-at POINT` and `--crash-after N`."""
    parser.add_argument("--crash-at", choices=waypoints.WAYPOINTS, metavar="POINT", help=", ".join(waypoints.WAYPOINTS))
    parser.add_argument("--crash-after", type=int, default=1, metavar="N", help="the Nth time (default 1)")


def install(options: argparse.Namespace) -> None:
    """Have this process die when the point is reached for the Nth time."""
    left = [options.crash_after]

    def hook(name: str) -> None:
        if name == options.crash_at:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    if options.crash_at:
        waypoints.install(hook)
