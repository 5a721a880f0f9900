"""`python -m local`: the whole gateway on one machine. `--smoke` sends messages both ways, prints a table and exits."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from local.emulator import EmulatorError, free_port
from local.gateway import Gateway
from local.processes import ProcessError

FILES = Path(__file__).with_name("aggregators")


def run(port: int, api_port: int, work: Path, *, smoke_test: bool) -> int:
    """Start everything, and wait for Ctrl-C or for the smoke test's end."""
    from local.page import page_server
    from local.smoke import smoke
    from local.world import LINES, SECRETS, World

    began = time.monotonic()
    replace = {"localhost:8080": f"127.0.0.1:{port}"}
    gateway = Gateway(work, sorted(FILES.glob("*.yaml")), SECRETS, replace, api_port=api_port)
    world = World(gateway.api, gateway.control, LINES)
    server = page_server(world, port)
    try:
        with gateway:
            if smoke_test:
                return 0 if smoke(world) else 1
            print(f"Jangada is afloat after {time.monotonic() - began:.1f} s. Ctrl-C stops it.\n")
            where = {
                "page: phone, platform, every hop": f"http://localhost:{port}",
                "API: webhooks and /send": gateway.api,
                "SMSC simulator's control": gateway.control,
                **{
                    f"{name.upper()} of the simulator": f"127.0.0.1:{port}" for name, port in gateway.smsc_ports.items()
                },
                "relay's health": f"http://127.0.0.1:{gateway.health_port}",
                "emulated AWS": gateway.emulator.endpoint,
                "logs": str(work),
            }
            for what, place in where.items():
                print(f"  {what:<34}{place}")
            for line in LINES:
                print(f"  channel {line.address:<26}{line.label}, {line.channel}")
            print("\nFor the `jangada` command in another terminal:")
            print(f"  export JANGADA_LOCAL={gateway.emulator.endpoint}", flush=True)
            _watch(gateway)
    finally:
        server.shutdown()
    return 0


def _watch(gateway: Gateway) -> None:
    """Wait for Ctrl-C; a process that ends by itself ends everything, with its last lines."""
    pause = threading.Event()
    while not pause.wait(1):
        for child in gateway.children:
            if not child.running:
                raise ProcessError(f"the {child.name} has ended by itself:\n{child.tail()}")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def main() -> int:
    """Start, wait or smoke-test, stop."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="of the page; the API has the next one (default 8080)")
    parser.add_argument("--smoke", action="store_true", help="free ports, send both ways, print a table, exit")
    options = parser.parse_args()
    port, api_port = (free_port(), free_port()) if options.smoke else (options.port, options.port + 1)
    taken = [str(one) for one in (port, api_port) if not _free(one)]
    if taken:
        print(f"port {' and '.join(taken)} is in use; choose another with PORT= (make) or --port", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="jangada-") as work:
        try:
            return run(port, api_port, Path(work), smoke_test=options.smoke)
        except (EmulatorError, ProcessError) as error:
            print(error, file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nstopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
