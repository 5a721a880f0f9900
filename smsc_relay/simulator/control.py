"""The control port: HTTP and JSON, to look at the phones, to be one, and to make the SMSC misbehave.

It is for one machine and knows no passwords. A browser must not be led to it by a foreign page, so a body has to be
application/json, which browsers do not send to another origin without asking it first.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from smsc_relay.simulator.centre import Centre, Unknown
from smsc_relay.simulator.content import ContentError
from smsc_relay.simulator.deliveries import MoRequest
from smsc_relay.simulator.script import Outbind, ScriptError, explain
from smsc_relay.simulator.smpp_server import SmppServer

_LONGEST_WAIT: Final = 60.0  # seconds
_LARGEST: Final = 16 * 1024 * 1024  # octets of a body
_BOOLEAN: Final = {"true": True, "false": False}
_ENDINGS: Final = ("unbind", "close", "reset", "freeze")


class _BadRequest(ValueError):  # noqa: N818
    pass


class Control:
    """The handlers."""

    def __init__(
        self,
        centre: Centre,
        smpp: SmppServer,
        send_raw: Callable[[int, bytes], None],
        restart: Callable[[float], Awaitable[None]],
    ) -> None:
        self._centre = centre
        self._smpp = smpp
        self._send_raw = send_raw
        self._restart = restart

    def application(self) -> web.Application:
        """For aiohttp."""
        app = web.Application(middlewares=[_errors], client_max_size=_LARGEST)
        app.add_routes(self.routes())
        return app

    def routes(self) -> list[web.RouteDef]:
        """What there is."""
        return [
            web.get("/", self.index),
            web.get("/messages", self.messages),
            web.get("/submits", self.submits),
            web.get("/mo", self.mos),
            web.post("/mo", self.mo),
            web.get("/sessions", self.sessions),
            web.get("/stats", self.stats),
            web.get("/script", self.script),
            web.post("/script", self.configure),
            web.post("/reset", self.reset),
            web.post("/disconnect", self.disconnect),
            web.post("/restart", self.restart),
            web.post("/outbind", self.outbind),
            web.post("/frame", self.frame),
        ]

    async def index(self, request: web.Request) -> web.Response:
        """The routes."""
        return web.json_response({"routes": [f"{route.method} {route.path}" for route in self.routes()]})

    # --- phones -------------------------------------------------------------------------------------------------------

    async def messages(self, request: web.Request) -> web.Response:
        """What phones have got; with `count` and `wait`, once there are so many."""
        query = _Query(request, "to", "from", "account", "text", "id", "since", "after", "complete", "limit")
        complete = query.choice("complete", _BOOLEAN)

        def find() -> list[Any]:
            return list(
                self._centre.phones.matching(
                    to=query.text("to"),
                    source=query.text("from"),
                    account=query.text("account"),
                    text=query.text("text"),
                    message_id=query.text("id"),
                    since=query.number("since") or 0,
                    after=query.number("after") or 0,
                    complete=complete,
                )
            )

        await self._until(query, lambda: len(find()))
        found = find()
        return web.json_response(
            {"count": len(found), "messages": [message.shown() for message in query.last(found)]}
        )  # fmt: skip

    async def submits(self, request: web.Request) -> web.Response:
        """Accepted submits, on a phone or not; with `count` and `wait`, once there are so many."""
        query = _Query(request, "to", "from", "account", "id", "state", "limit")

        def find() -> list[Any]:
            return [
                segment
                for segment in self._centre.phones.submits
                if query.text("to") in (None, segment.to)
                and query.text("from") in (None, segment.source)
                and query.text("account") in (None, segment.account)
                and query.text("id") in (None, segment.message_id)
                and query.text("state") in (None, segment.state)
            ]

        await self._until(query, lambda: len(find()))
        found = find()
        shown = [
            {"account": one.account, "from": one.source, "to": one.to, **one.shown()} for one in query.last(found)
        ]  # fmt: skip
        return web.json_response({"count": len(found), "submits": shown})

    async def mo(self, request: web.Request) -> web.Response:
        """A phone sends a message, or a list of them: all or none."""
        data = await _json(request)
        requests = [MoRequest.read(one) for one in (data if isinstance(data, list) else [data])]
        for one in requests:
            self._centre.addressee(one)  # what cannot be sent is told before anything is
            one.cut(1)
        sent = [self._centre.inject(one).shown() for one in requests]
        return web.json_response(sent if isinstance(data, list) else sent[0], status=202)

    async def mos(self, request: web.Request) -> web.Response:
        """Injected MOs; with `count` and `wait`, once there are so many."""
        query = _Query(request, "number", "state", "to", "from", "limit")

        def find() -> list[Any]:
            return [
                mo
                for mo in self._centre.mos
                if query.number("number") in (None, mo.number)
                and query.text("state") in (None, mo.state)
                and query.text("to") in (None, mo.to)
                and query.text("from") in (None, mo.source)
            ]

        await self._until(query, lambda: len(find()))
        found = find()
        return web.json_response({"count": len(found), "mos": [mo.shown() for mo in query.last(found)]})

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def sessions(self, request: web.Request) -> web.Response:
        """Who is logged in; with `count` and `wait`, once there are so many."""
        query = _Query(request, "account", "limit")

        def find() -> list[Any]:
            return [link for account, link in self._centre.links() if query.text("account") in (None, account.name)]

        await self._until(query, lambda: len(find()))
        found = find()
        return web.json_response({"count": len(found), "sessions": [link.shown() for link in query.last(found)]})

    async def disconnect(self, request: web.Request) -> web.Response:
        """End a session, those of an account, or all."""
        data = _object(await _json(request, {}), "session", "account", "how")
        how = data.get("how", "unbind")
        if how not in _ENDINGS:
            raise _BadRequest(f"how must be one of {', '.join(_ENDINGS)}")
        if "session" in data:
            links = [self._centre.link(_integer(data, "session"))[1]]
        else:
            name = data.get("account")
            links = [link for account, link in self._centre.links() if name in (None, account.name)]
        for link in links:
            link.disconnect(how)
        return web.json_response({"sessions": [link.number for link in links]})

    async def restart(self, request: web.Request) -> web.Response:
        """Lose all connections, listen again after a while; answered then."""
        down = _object(await _json(request, {}), "down").get("down", 1.0)
        if not isinstance(down, int | float) or isinstance(down, bool) or not 0 <= down <= _LONGEST_WAIT:
            raise _BadRequest(f"down must be seconds, 0 to {_LONGEST_WAIT:.0f}")
        await self._restart(down)
        return web.json_response({"down": down})

    async def outbind(self, request: web.Request) -> web.Response:
        """Connect to a client and ask it to bind."""
        data = _object(await _json(request), "account", "host", "port", "system_id", "password", "tls")
        account = self._centre.account(str(data.get("account", "")))
        if account is None:
            raise Unknown(f"no account {data.get('account')!r}")
        given = {key: value for key, value in data.items() if key != "account"}
        settings = account.settings.outbind
        if given or settings is None:
            try:
                settings = Outbind.model_validate(given)
            except ValidationError as error:
                raise _BadRequest(explain(error)) from None
        self._smpp.outbind(account, settings)
        return web.json_response({}, status=202)

    async def frame(self, request: web.Request) -> web.Response:
        """Octets over a session, whatever they are."""
        data = _object(await _json(request), "session", "hex")
        try:
            octets = bytes.fromhex(data["hex"])
        except (KeyError, TypeError, ValueError):
            raise _BadRequest("hex must be octets in hex") from None
        self._send_raw(_integer(data, "session"), octets)
        return web.json_response({}, status=202)

    # --- script -------------------------------------------------------------------------------------------------------

    async def stats(self, request: web.Request) -> web.Response:
        """Counters by account."""
        return web.json_response(self._centre.stats())

    async def script(self, request: web.Request) -> web.Response:
        """What the SMSC does now."""
        return web.json_response(self._centre.script.shown())

    async def configure(self, request: web.Request) -> web.Response:
        """Change it: a part of a script, merged into what there is."""
        data = await _json(request)
        if not isinstance(data, Mapping):
            raise _BadRequest("the body must be a part of a script")
        self._centre.configure(data)
        return web.json_response(self._centre.script.shown())

    async def reset(self, request: web.Request) -> web.Response:
        """Forget messages and changes of the script."""
        self._centre.reset()
        return web.json_response({})

    async def _until(self, query: _Query, count: Any) -> None:
        wanted, seconds = query.number("count"), query.number("wait")
        if wanted and seconds:
            await self._centre.wait(lambda: count() >= wanted, min(seconds, _LONGEST_WAIT))


class _Query:
    """The query of a request. An unknown key is an error: a filter that is not applied misleads."""

    def __init__(self, request: web.Request, *known: str) -> None:
        self._query = request.query
        for key in self._query:
            if key not in (*known, "count", "wait"):
                raise _BadRequest(f"unknown parameter {key}; there are {', '.join((*known, 'count', 'wait'))}")
        for key in ("since", "after", "limit", "number", "count", "wait"):
            self.number(key)

    def text(self, key: str) -> str | None:
        return self._query.get(key)

    def number(self, key: str) -> int | None:
        value = self._query.get(key)
        if value is None:
            return None
        if not value.isascii() or not value.isdigit():
            raise _BadRequest(f"{key} must be a whole number")
        return int(value)

    def choice(self, key: str, choices: Mapping[str, bool]) -> bool | None:
        value = self._query.get(key)
        if value is None:
            return None
        if value not in choices:
            raise _BadRequest(f"{key} must be one of {', '.join(choices)}")
        return choices[value]

    def last(self, found: list[Any]) -> list[Any]:
        """As many as `limit` says, of the end."""
        limit = self.number("limit")
        return found if limit is None else found[max(0, len(found) - limit) :]


async def _json(request: web.Request, empty: Any = None) -> Any:
    body = await request.read()
    if not body and empty is not None:
        return empty
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="the body must be application/json")
    try:
        return json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise _BadRequest("the body is not JSON") from None


_OBJECT: Final = TypeAdapter(dict[str, Any])


def _object(data: Any, *known: str) -> dict[str, Any]:
    try:
        found = _OBJECT.validate_python(data)
    except ValidationError:
        raise _BadRequest("the body must be an object") from None
    for key in found:
        if key not in known:
            raise _BadRequest(f"{key}: unknown key; there are {', '.join(known)}")
    return found


def _integer(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _BadRequest(f"{key} must be a whole number")
    return value


@web.middleware
async def _errors(request: web.Request, handler: Any) -> web.StreamResponse:
    """Errors as JSON that says what is wrong."""
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPException as error:
        return web.json_response({"error": error.text}, status=error.status)
    except Unknown as error:
        return web.json_response({"error": str(error.args[0])}, status=404)
    except (_BadRequest, ScriptError, ContentError) as error:
        return web.json_response({"error": str(error)}, status=400)
    return response
