"""Real HTTP servers for tests: what an aggregator or a platform answers is a function of the request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    form: dict[str, str]
    headers: dict[str, str]
    body: str
    query: str = ""  # as it was written


Answering = Callable[[Asked], tuple[int, str]]


@dataclass
class Site:
    """A running server: its address, what it was asked, and how it answers (may be changed while it runs)."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answer: Answering = lambda asked: (200, "ok")
    connections: int = 0  # accepted so far


@contextmanager
def serve(answer: Answering | None = None) -> Iterator[Site]:
    """Serve on a free port of loopback."""
    site = Site()
    if answer:
        site.answer = answer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            site.connections += 1  # a handler serves one connection
            super().setup()

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            octets = self.rfile.read(length)
            if len(octets) < length:
                return  # whoever asked has been killed
            body = octets.decode()
            url = urlsplit(self.path)
            form = dict(parse_qsl(url.query)) | dict(parse_qsl(body))
            asked = Asked(self.command, url.path, form, dict(self.headers), body, url.query)
            site.asked.append(asked)
            status, text = site.answer(asked)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = _any  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
