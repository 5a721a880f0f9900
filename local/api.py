"""What API Gateway does, on one machine: a request becomes the event of its REST proxy integration."""

from __future__ import annotations

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from local.lambdas import Context

_ROUTES = {"c": ("kind", "channel", "action"), "send": ("channel",), "health": ()}
_one_at_a_time = threading.Lock()  # a Lambda serves one request at a time, and chalice counts on it


def gateway_event(method: str, target: str, headers: list[tuple[str, str]], body: bytes, peer: str) -> dict[str, Any]:
    """API Gateway's REST event for a request (its proxy integration with binary media types `*/*`)."""
    url = urlsplit(target)
    kind, *rest = [unquote(part) for part in url.path.strip("/").split("/")]
    names = _ROUTES.get(kind, ())
    resource = "/" + "/".join([kind, *(f"{{{name}}}" for name in names)])
    if kind not in _ROUTES or len(rest) != len(names):
        resource = "/nothing"
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(url.query, keep_blank_values=True, errors="surrogateescape"):
        values.setdefault(name, []).append(value)
    several: dict[str, list[str]] = {}
    for name, value in headers:
        several.setdefault(name, []).append(value)
    return {
        "resource": resource,
        "path": unquote(url.path),
        "httpMethod": method,
        "headers": {name: found[-1] for name, found in several.items()},
        "multiValueHeaders": several,
        "queryStringParameters": {name: found[-1] for name, found in values.items()} or None,
        "multiValueQueryStringParameters": values or None,
        "pathParameters": dict(zip(names, rest, strict=False)) or None,
        "stageVariables": None,
        "requestContext": {"resourcePath": resource, "httpMethod": method, "identity": {"sourceIp": peer}},
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def serve(app: Any, event: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Hand one event to the chalice app; its answer as status, headers and octets."""
    with _one_at_a_time:
        answer = app(event, Context("api", timeout=29))
    body = answer.get("body") or ""
    octets = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    return int(answer["statusCode"]), dict(answer.get("headers") or {}), octets


class Answering(BaseHTTPRequestHandler):
    """A request handler that reads and answers whole bodies, and keeps quiet."""

    protocol_version = "HTTP/1.1"

    def body(self) -> bytes:
        """The request's."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Answer with a body of known length."""
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """A line a request would hide the gateway's own log."""


def api_server(app: Any, port: int) -> ThreadingHTTPServer:
    """The gateway's API on a port of loopback, served by a thread of its own."""

    class Api(Answering):
        def _serve(self) -> None:
            headers = list(self.headers.items())
            event = gateway_event(self.command, self.path, headers, self.body(), self.client_address[0])
            self.answer(*serve(app, event))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    return started(Api, port)


def started(handler: type[BaseHTTPRequestHandler], port: int) -> ThreadingHTTPServer:
    """A server of `handler` on a port of loopback, running."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    return server
