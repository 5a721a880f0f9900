"""`python -m tests.relay.leased`: a relay with leases as a process: quick, and with its world as a test wants it."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from smsc_relay.__main__ import serve
from smsc_relay.accounts import Kind, kind_of
from smsc_relay.config import Address
from smsc_relay.lease import Leases
from smsc_relay.protocol import Role
from smsc_relay.relay import Relay
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.supervisor import Supervisor
from smsc_relay.terms import Terms
from tests.relay.conftest import QUICK


def jumping(file: Path) -> None:
    """Have the wall clock be off by the seconds that the file says."""
    seconds, nanoseconds = time.time, time.time_ns

    def off() -> float:
        return float(file.read_text() or 0)

    time.time = lambda: seconds() + off()
    time.time_ns = lambda: nanoseconds() + round(off() * 1e9)


def via(port: int | None, host: str) -> Any:
    """SMSC types whose connections go to that port, whatever the config says, and come from that host of ours."""

    class Config(SmppConfig):
        local_host: str = host

        def addresses(self, role: Role) -> tuple[Address, ...]:
            return super().addresses(role) if port is None else (("127.0.0.1", port),)

    return lambda code: Kind(kind_of(code).dialect, Config)


def resting(terms: Terms, seconds: float) -> Terms:
    """The same, but for how long an SMSC that cannot be reached is left to others."""

    class Rested(Terms):
        @property
        def rest(self) -> float:
            return seconds

    return Rested(terms.ttl)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ttl", type=float, required=True)
    parser.add_argument("--health-port", type=int, required=True)
    parser.add_argument("--via", type=int)
    parser.add_argument("--host", default="")
    parser.add_argument("--rest", type=float)
    parser.add_argument("--clock", type=Path)
    parser.add_argument("--supervised", action="store_true")
    options = parser.parse_args()
    terms = Terms(options.ttl) if options.rest is None else resting(Terms(options.ttl), options.rest)
    if options.supervised:
        rest = [one for one in sys.argv[1:] if one != "--supervised"]
        return Supervisor([sys.executable, "-m", "tests.relay.leased", *rest], terms.silence).run()
    if options.clock:
        jumping(options.clock)
    print("relay", os.getpid(), flush=True)

    async def run() -> int:
        relay = Relay(
            kinds=via(options.via, options.host),
            permits=Leases(terms),
            timing=replace(QUICK, refresh=3.0),
        )
        return await serve(relay, options.health_port, beat=terms.beat)

    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
