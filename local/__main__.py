"""`python -m local`: the whole gateway on one machine. `--smoke` sends messages both ways, prints a table and exits."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from local.emulator import Emulator, EmulatorError, create_resources, environment, free_port
from local.lambdas import Mapping, gateway_event, serve

PAGE = Path(__file__).with_name("page.html")


class Door(BaseHTTPRequestHandler):
    """One port for everything: the gateway's API, the demo aggregator and platform, the page."""

    protocol_version = "HTTP/1.1"
    app: Any
    world: Any

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if path.startswith(("/c/", "/send/", "/health")):
            event = gateway_event(self.command, self.path, list(self.headers.items()), body, self.client_address[0])
            self._answer(*serve(self.app, event))
        elif path == "/aggregator/send":
            self.world.aggregator_takes(fields)
            self._json({"accepted": fields.get("id")})
        elif path.startswith("/platform/"):
            self.world.platform_takes(path, fields)
            self._json({"ok": True})
        elif path == "/demo/phone" and self.command == "POST":
            self.world.phone_sends(fields["from"], fields["text"])
            self._json({"ok": True})
        elif path == "/demo/platform" and self.command == "POST":
            self._json({"id": self.world.platform_sends(fields["to"], fields["text"])})
        elif path == "/demo/state":
            self._json(self._state())
        elif path == "/":
            self._answer(200, {"Content-Type": "text/html; charset=utf-8"}, PAGE.read_bytes())
        else:
            self._answer(404, {"Content-Type": "text/plain"}, b"nothing here\n")

    def _state(self) -> dict[str, Any]:
        from chalicelib import trace

        shown = self.world.ids[-6:]
        return {
            "phone": self.world.phone[-20:],
            "platform": self.world.platform[-20:],
            "messages": [{"id": one, "hops": trace.read(one)} for one in reversed(shown)],
        }

    def _json(self, value: Any) -> None:
        self._answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """The page shows what happens; a line a request would hide the gateway's own log."""


def start(port: int, work: Path, emulator: Emulator) -> tuple[ThreadingHTTPServer, Any, threading.Event, list[Mapping]]:
    """Make the resources, register the demo aggregator and channel, start the Lambdas and the door."""
    os.environ.update(environment(emulator.endpoint))
    os.environ.update(JANGADA_DOMAIN=f"localhost:{port}", JANGADA_SCHEME="http", JANGADA_METRICS="off")
    create_resources(emulator.endpoint, platforms=["demo"])
    import app as functions
    from cli import aggregator_files, applying
    from local.demo import World

    base = f"http://127.0.0.1:{port}"
    for path in sorted(Path(__file__).parent.glob("aggregators/*.yaml")):
        text = path.read_text().replace("http://localhost:8080", base)
        applying.apply([aggregator_files.load(text, str(path))], {"demo": {"send_authorization": "Token demo-secret"}})
    world = World(base)
    handler = type("BoundDoor", (Door,), {"app": staticmethod(functions.app), "world": world})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    stop = threading.Event()
    mappings = [
        ("outbound.fifo", functions.route), ("outbound-bulk.fifo", functions.route_bulk),
        ("lane-shared.fifo", functions.send), ("lane-shared-bulk.fifo", functions.send),
        ("events.fifo", functions.record), ("deliver-demo.fifo", functions.deliver), ("later", functions.later),
    ]  # fmt: skip
    threads = [Mapping(queue, handler, stop) for queue, handler in mappings]
    for thread in threads:
        thread.start()
    return server, world, stop, threads


def smoke(world: Any) -> bool:
    """Send both ways, wait for everything, print what arrived; True when all did, each exactly once."""
    began = time.monotonic()
    texts = [f"m{number} ☀" for number in range(10)]
    ids = [world.platform_sends("+250788123123", text) for text in texts]
    for text in texts:
        world.phone_sends("+250788123123", text)
    checks: dict[str, tuple[list[str], Callable[[], list[str]]]] = {
        "platform -> SQS -> aggregator": (texts, lambda: [one["text"] for one in world.phone]),
        "aggregator -> webhook -> platform": (
            texts, lambda: [one["text"] for one in world.platform if one["kind"] == "receive"]),
        "receipts: delivered": (
            sorted(ids), lambda: sorted(one["id"] for one in world.platform if one["kind"] == "delivered")),
    }  # fmt: skip
    took = dict.fromkeys(checks, 0)
    waiting = set(checks)
    while waiting and time.monotonic() - began < 60:
        for name in list(waiting):
            expected, found = checks[name]
            if len(found()) >= len(expected):
                took[name] = round((time.monotonic() - began) * 1000)
                waiting.discard(name)
        time.sleep(0.02)
    print(f"{'path':<36}{'expected':>9}{'arrived':>9}{'ms':>8}  in order, once each")
    good = True
    for name, (expected, found) in checks.items():
        exact = found() == expected
        good = good and exact
        print(f"{name:<36}{len(expected):>9}{len(found()):>9}{took[name]:>8}  {'yes' if exact else 'NO'}")
    return good


def main() -> int:
    """Start, wait or smoke-test, stop."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="of the page and the API (default 8080)")
    parser.add_argument("--smoke", action="store_true", help="free ports, send both ways, print a table, exit")
    options = parser.parse_args()
    port = free_port() if options.smoke else options.port
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="jangada-") as work:
        try:
            with Emulator(log=Path(work) / "emulator.log") as emulator:
                server, world, stop, threads = start(port, Path(work), emulator)
                try:
                    if options.smoke:
                        return 0 if smoke(world) else 1
                    print(f"Jangada is afloat after {time.monotonic() - began:.1f} s. Ctrl-C stops it.")
                    print(f"  page, phone and platform   http://localhost:{port}")
                    print(f"  webhooks                   http://localhost:{port}/c/ex/<channel>/receive")
                    print(f"  emulated AWS               {emulator.endpoint}")
                    threading.Event().wait()
                finally:
                    stop.set()
                    for thread in threads:
                        thread.join(5)
                    server.shutdown()
        except EmulatorError as error:
            print(error, file=sys.stderr)
            return 1
        except OSError as error:
            print(f"cannot listen on port {port}: {error.strerror}; choose another with --port", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nstopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
