"""The SMPP side of the simulated SMSC: its listening port, and its calls to clients (outbind)."""

from __future__ import annotations

import asyncio
import ssl

from smsc_relay.simulator.account import Account
from smsc_relay.simulator.centre import Centre
from smsc_relay.simulator.script import Outbind
from smsc_relay.simulator.server import Server
from smsc_relay.simulator.smpp import SmppConnection


class SmppServer(Server[SmppConnection]):
    """All SMPP connections."""

    def __init__(self, centre: Centre) -> None:
        super().__init__(lambda server: SmppConnection(centre, server))
        self._centre = centre
        self._calls: dict[str, asyncio.Task[None]] = {}  # by account
        centre.outbind = self.outbind

    async def stop(self) -> None:
        """As every server, and no call goes on."""
        for call in self._calls.values():
            call.cancel()
        await super().stop()

    # --- outbind ------------------------------------------------------------------------------------------------------

    def outbind(self, account: Account, settings: Outbind) -> None:
        """Call the client, unless a call is on its way: it is expected to bind as a receiver (SMPP 3.4 2.2.1)."""
        if account.name not in self._calls:
            task = asyncio.get_running_loop().create_task(self._call(account, settings))
            self._calls[account.name] = task

    async def _call(self, account: Account, settings: Outbind) -> None:
        loop = asyncio.get_running_loop()
        account.counts["outbinds"] += 1
        try:
            _, connection = await loop.create_connection(
                lambda: SmppConnection(self._centre, self, settings),
                settings.host,
                settings.port,
                ssl=ssl._create_unverified_context() if settings.tls else None,  # noqa: S323 - a simulator
            )
            await connection.ended.wait()
        except OSError:
            account.counts["outbinds_failed"] += 1
        finally:
            del self._calls[account.name]
        # What still waits is a reason to call again.
        self._centre.timers.after(account.behaviour.mo.retry, account.pump)
