"""An AWS that is slow, or fails: a layer around the emulator, in its process, told what to do by POST /_local/faults.

Plain ASGI, standard library only: it runs in the emulator's environment.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH = "/_local/faults"


class Faults:
    """Of the calls of a user agent to a service (`AmazonSQS`, `DynamoDB_20120810`), a share `fail` is answered 503
    without being done, a share `lose` is done and answered 503, and a share `slow` is done after `delay` seconds."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._settings: dict[str, Any] = {}
        self._chance = random.Random(1)  # noqa: S311 - the same weather each time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, or not."""
        if scope["type"] == "http" and scope["path"] == PATH:
            self._settings = json.loads((await receive()).get("body") or b"{}")
            await _answer(send, 200)
            return
        headers = dict(scope.get("headers") or ())
        wanted = [str(self._settings.get(key)).encode() for key in ("service", "agent")]
        if [headers.get(b"x-amz-target", b"").partition(b".")[0], headers.get(b"user-agent")] != wanted:
            await self._app(scope, receive, send)
            return
        if self._happens("slow"):
            await asyncio.sleep(self._settings.get("delay", 1.0))
        if self._happens("fail"):
            await _answer(send, 503)
        elif self._happens("lose"):
            await self._app(scope, receive, _nowhere)
            await _answer(send, 503)
        else:
            await self._app(scope, receive, send)

    def _happens(self, what: str) -> bool:
        return self._chance.random() < float(self._settings.get(what, 0))


async def _nowhere(message: MutableMapping[str, Any]) -> None:
    """What the service has answered is lost."""


async def _answer(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})
