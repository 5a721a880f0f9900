"""An SMSC in one object: for tests in the same event loop, and for the command."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from smsc_relay.simulator.centre import Centre, Unknown
from smsc_relay.simulator.cimd2 import Cimd2Connection
from smsc_relay.simulator.control import Control
from smsc_relay.simulator.deliveries import Mo, MoRequest
from smsc_relay.simulator.phones import Message, Segment
from smsc_relay.simulator.script import Script, parse
from smsc_relay.simulator.server import Server
from smsc_relay.simulator.smpp_server import SmppServer
from smsc_relay.simulator.ucp import UcpConnection
from smsc_relay.simulator.ucp_messages import Stamps


class Simulator:
    """`async with Simulator(script) as smsc:` listens on ports that the system chooses, or on those given.

    Args:
        script: a `Script`, or what a YAML file of one has; None: any login, no mishaps but for certain destinations.
        control_port: None: no control port.
        tls: with it SMPP, UCP and CIMD2 are spoken over TLS alone.

    Raises:
        ScriptError: the script cannot be used.
        OSError: a port cannot be had (when entered).
    """

    def __init__(
        self,
        script: Script | Mapping[str, Any] | None = None,
        *,
        host: str = "127.0.0.1",
        smpp_port: int = 0,
        ucp_port: int = 0,
        cimd2_port: int = 0,
        control_port: int | None = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._script = script if isinstance(script, Script) else parse(script or {})
        self.host = host
        self.smpp_port = smpp_port
        self.ucp_port = ucp_port
        self.cimd2_port = cimd2_port
        self.control_port = control_port
        self._tls = tls
        self._centre: Centre
        self._smpp: SmppServer
        self._ucp: Server[UcpConnection]
        self._cimd2: Server[Cimd2Connection]
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        self._centre = Centre(self._script)
        self._smpp = SmppServer(self._centre)
        stamps = Stamps()
        self._ucp = Server(lambda server: UcpConnection(self._centre, server, stamps))
        self._cimd2 = Server(lambda server: Cimd2Connection(self._centre, server))
        self.smpp_port = await self._smpp.start(self.host, self.smpp_port, self._tls)
        try:
            self.ucp_port = await self._ucp.start(self.host, self.ucp_port, self._tls)
            self.cimd2_port = await self._cimd2.start(self.host, self.cimd2_port, self._tls)
            if self.control_port is not None:
                application = Control(self._centre, self._smpp, self.send_raw, self.restart).application()
                self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
                await self._runner.setup()
                await web.TCPSite(self._runner, self.host, self.control_port).start()
                self.control_port = self._runner.addresses[0][1]
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._cimd2.stop()
        await self._ucp.stop()
        await self._smpp.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._centre.timers.clear()
        self._centre.link_timers.clear()

    # --- what there is ------------------------------------------------------------------------------------------------

    @property
    def messages(self) -> list[Message]:
        """What the phones have got, in order."""
        return list(self._centre.phones.messages)

    @property
    def submits(self) -> list[Segment]:
        """Submits that have been accepted, in order, on a phone or not."""
        return list(self._centre.phones.submits)

    @property
    def mos(self) -> list[Mo]:
        """What has been injected."""
        return list(self._centre.mos)

    @property
    def sessions(self) -> list[dict[str, Any]]:
        """Who is logged in."""
        return [link.shown() for _, link in self._centre.links()]

    @property
    def stats(self) -> dict[str, Any]:
        """Counters by account."""
        return self._centre.stats()

    async def wait_for(self, condition: Callable[[Self], bool], seconds: float = 30.0) -> None:
        """Until the condition holds.

        Raises:
            TimeoutError: it does not in time.
        """
        if not await self._centre.wait(lambda: condition(self), seconds):
            raise TimeoutError("what was waited for has not come about")

    # --- what can be done ---------------------------------------------------------------------------------------------

    def inject(self, **message: Any) -> Mo:
        """A phone sends a message: the keys of POST /mo; `source` is another word for `from`.

        Raises:
            ScriptError, ContentError: it cannot be sent.
            Unknown: there is no such account or session.
        """
        return self._centre.inject(MoRequest.read(message))

    def configure(self, patch: Mapping[str, Any]) -> None:
        """Change the script (raises as `Centre.configure`)."""
        self._centre.configure(patch)

    def reset(self) -> None:
        """Forget messages and changes of the script; sessions stay."""
        self._centre.reset()

    def disconnect(self, how: str = "unbind", session: int | None = None) -> None:
        """End one session, or all: "unbind", "close", "reset", or "freeze", when nothing is read or written any more.

        Raises:
            Unknown: there is no such session.
        """
        links = (
            [link for _, link in self._centre.links()] if session is None else [self._centre.link(session)[1]]
        )  # fmt: skip
        for link in links:
            link.disconnect(how)

    async def restart(self, down: float) -> None:
        """As a machine that loses power: all connections are gone, nobody listens for `down` seconds. What phones have
        got and what waits for them is kept.

        Raises:
            OSError: somebody else has taken the port meanwhile.
        """
        await asyncio.gather(*(server.restart(down) for server in (self._smpp, self._ucp, self._cimd2)))

    def send_raw(self, session: int, data: bytes) -> None:
        """Octets over a session, whatever they are (raises as `disconnect`)."""
        if not any(server.send_raw(session, data) for server in (self._smpp, self._ucp, self._cimd2)):
            raise Unknown(f"there is no session {session}")
