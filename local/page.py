"""The web page of `make run`, and the doors of the demo aggregators and the demo platform, on one port."""

from __future__ import annotations

import json
from dataclasses import asdict
from http.server import ThreadingHTTPServer
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from chalicelib import aws, trace
from chalicelib.clock import now_ms
from chalicelib.settings import settings
from local.api import Answering, started
from local.world import World
from smsc_relay import status
from smsc_relay.status import LinkStatus

PAGE: Final = Path(__file__).with_name("page.html")
_SHOWN: Final = 8  # messages whose way is shown
_KEPT: Final = 30  # lines of the phone and of the platform


def page_server(world: World, port: int) -> ThreadingHTTPServer:
    """Serve on a port of loopback, in a thread of its own."""

    class Door(Answering):
        def _serve(self) -> None:
            path = urlsplit(self.path).path
            form = dict(parse_qsl(self.body().decode("utf-8", "replace"), keep_blank_values=True))
            if path.startswith(("/aggregator/", "/platform/")):
                self._json(world.asked(path, form))
            elif path == "/demo/phone" and self.command == "POST":
                world.phone_sends(form["line"], form["text"])
                self._json({"ok": True})
            elif path == "/demo/platform" and self.command == "POST":
                self._json({"id": world.platform_sends(form["line"], form["text"])})
            elif path == "/demo/state":
                self._json(state(world))
            elif path == "/":
                self.answer(200, {"Content-Type": "text/html; charset=utf-8"}, PAGE.read_bytes())
            else:
                self.answer(404, {"Content-Type": "text/plain"}, b"nothing here\n")

        def _json(self, value: Any) -> None:
            self.answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - http.server's names

    return started(Door, port)


def state(world: World) -> dict[str, Any]:
    """What the page shows."""
    return {
        "lines": [asdict(one) for one in world.lines],
        "phone": world.phone()[-_KEPT:],
        "platform": world.platform[-_KEPT:],
        "messages": [{"id": one, "hops": trace.read(one)} for one in _latest()],
        "links": _links(),
    }


def _links() -> list[dict[str, Any]]:
    """Of each link the tasks that serve it, and what waits for them."""
    now = now_ms()
    return [
        {**_link(one, now), "waiting": waiting}
        for name, said in groupby(status.read(), lambda one: one.link)
        for waiting in [status.waiting(name)]
        for one in status.present(said, now)
    ]


def _link(one: LinkStatus, now: int) -> dict[str, Any]:
    """A link in a relay task, as the task has written it down last."""
    return {
        "name": one.link,
        "state": "silent" if one.silent(now) else one.state,
        "binds": f"{one.up}/{len(one.binds)} binds",
        "window": [one.in_flight, one.window],
        "rate": f"{one.actual:g}/s" + ("" if one.allowed is None else f" of {one.allowed:g}"),
        "p50": one.p50,
        "p99": one.p99,
        "throttled": one.throttled,
        "error": one.error,
        "error_at": one.error_at,
    }


def _latest() -> list[str]:
    """The messages that the trace has heard of last, newest first. A scan: the machine's own table is small."""
    pages = aws.pages(aws.dynamodb().scan, TableName=settings().table("trace"), ProjectionExpression="pk, sk")
    first: dict[str, str] = {}
    for item in (item for found in pages for item in found["Items"]):
        subject, at = item["pk"]["S"], item["sk"]["S"]
        if not subject.startswith("x#"):
            first[subject] = min(at, first.get(subject, at))
    return sorted(first, key=lambda subject: first[subject], reverse=True)[:_SHOWN]
