"""`python -m smsc_relay`: the relay between the lanes in SQS and the SMSCs. SIGTERM ends it, nothing left undone."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Sequence

from chalicelib import telemetry
from smsc_relay import health, heartbeat
from smsc_relay.lease import Leases
from smsc_relay.relay import Relay
from smsc_relay.terms import Terms, add_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or Ctrl-C. 0: all that was under way is safe; 1: AWS could not be told in time."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["check"]:
        from smsc_relay import check_command

        return check_command.main(given[1:])
    parser = argparse.ArgumentParser(prog="python -m smsc_relay", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="an aggregator; may be repeated")
    parser.add_argument("--health-port", type=int, metavar="PORT", help="answer GET / with the state of the links")
    parser.add_argument("--health-host", default="127.0.0.1", metavar="HOST", help="where (default: %(default)s)")
    add_options(parser)
    options = parser.parse_args(given)
    terms = Terms(options.lease_ttl)
    relay = Relay(options.only, permits=None if options.no_leases else Leases(terms))
    return asyncio.run(serve(relay, options.health_port, options.health_host, beat=terms.beat))


async def serve(
    relay: Relay, health_port: int | None = None, health_host: str = "127.0.0.1", *, beat: float = 1.0
) -> int:
    """Run `relay` until it is told to stop; answers the exit status. `beat`: s between two signs of life."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_on_fault)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, relay.stop)
    beating = loop.create_task(_beat(relay, beat), name="heartbeat")
    server = await health.serve(health_port, health_host, relay.report) if health_port is not None else None
    telemetry.logger().info("relay_started")
    _tidy_seldom()
    clean = await relay.run()
    telemetry.logger().log(20 if clean else 40, "relay_stopped", extra={"clean": clean})
    beating.cancel()
    if server is not None:
        server.close()
    return 0 if clean else 1


def _tidy_seldom() -> None:
    """Look for reference cycles less often than Python does, which takes a tenth of a busy relay's CPU: few messages
    outlive the first look that they see, and what is loaded at the start stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


async def _beat(relay: Relay, every: float) -> None:
    """What is loaded and made at the start may keep a small container's event loop for many seconds: beat after it."""
    await relay.started.wait()
    await heartbeat.beat(every, relay.stop)


def _on_fault(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """What nobody has caught: kind and place, for its text may quote a message."""
    error = context.get("exception")
    at = telemetry.where(error.__traceback__) if isinstance(error, BaseException) else ""
    telemetry.logger().error("relay_fault", extra={"error": type(error).__name__, "at": at})


if __name__ == "__main__":
    sys.exit(main())
