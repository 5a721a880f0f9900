"""Kannel as a client of an SMSC: messages in by its sendsms interface, MOs and receipts out to URLs of ours."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlencode

import aiohttp

from local.emulator import free_port
from tests.tools import tool

_PACKAGE: Final = "kannel"
_READY: Final = 30.0  # s that its two processes may take
_PASSWORD: Final = "open-sesame"
Group = Mapping[str, object]


class Kannel:
    """bearerbox and smsbox within `async with`: ready when the SMSC is online and sendsms answers.

    Args:
        work: where its config and logs go.
        smsc: its group `smsc`: which protocol, where to, as whom.
        url: of a site: MOs come to /mo, receipts to /dlr.
        log_level: 0 debug to 4 panic.
    """

    def __init__(self, work: Path, smsc: Group, url: str, *, log_level: int = 1) -> None:
        self._work, self._url, self._log_level = work, url, log_level
        self._admin, self._boxes, self._sendsms = free_port(), free_port(), free_port()
        self._config = work / "kannel.conf"
        self._config.write_text("\n".join(self._groups(smsc)))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._http: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        try:
            self._start("bearerbox")
            await self._until(self._boxes_welcome, "bearerbox does not listen")
            self._start("smsbox")
            await self._until(self._online, "the SMSC is not online, or smsbox not there")
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.close()
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    @property
    def pids(self) -> list[int]:
        """Of its processes."""
        return [process.pid for process in self._processes]

    async def send(self, text: str, to: str, *, number: int = 0, coding: int = 0, states: int = 31) -> None:
        """Have it send a message; its receipts carry `number`.

        Args:
            coding: 0 GSM, 2 UCS-2.
            states: which receipts: the sum of 1 delivered, 2 failed, 4 buffered, 8 accepted and 16 refused.
        """
        receipts = f"{self._url}/dlr?{urlencode({'number': number})}&state=%d"
        query = {
            "username": "palma", "password": _PASSWORD, "from": "8080", "to": to, "text": text, "charset": "UTF-8",
            "coding": str(coding), "dlr-mask": str(states), "dlr-url": receipts,
        }  # fmt: skip
        status, told = await self._get(self._sendsms, "/cgi-bin/sendsms", query)
        assert status == 202, f"sendsms: {status} {told}"

    async def until_online(self) -> None:
        """Until it is bound to the SMSC, again."""
        await self._until(self._online, "the SMSC is not online")

    # --- starting -----------------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        program = tool(name, _PACKAGE)
        with (self._work / f"{name}.out").open("wb") as output:
            command = [str(program.path), "-v", str(self._log_level), str(self._config)]
            self._processes.append(
                subprocess.Popen(command, env=program.environment, cwd=self._work, stdout=output, stderr=output)
            )

    async def _boxes_welcome(self) -> bool:
        _, writer = await asyncio.open_connection("127.0.0.1", self._boxes)
        writer.close()
        return True

    async def _online(self) -> bool:
        _, told = await self._get(self._admin, "/status.txt", {"password": _PASSWORD})
        boxes, _, smscs = told.partition("SMSC connections")
        status, _ = await self._get(self._sendsms, "/cgi-bin/sendsms", {})
        return "(online" in smscs and "smsbox" in boxes and status == 403

    async def _until(self, what: Callable[[], Awaitable[bool]], otherwise: str) -> None:
        try:
            async with asyncio.timeout(_READY):
                while not await self._is(what):
                    for process in self._processes:
                        assert process.poll() is None, f"Kannel has ended with {process.returncode}:\n{self._logs()}"
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"Kannel: {otherwise}:\n{self._logs()}") from None

    @staticmethod
    async def _is(what: Callable[[], Awaitable[bool]]) -> bool:
        try:
            return await what()
        except (aiohttp.ClientError, OSError):
            return False

    def _logs(self) -> str:
        """The last lines of both processes."""
        lines = [line for path in self._work.glob("*.out") for line in path.read_text(errors="replace").splitlines()]
        return "\n".join(line for line in lines[-40:] if "gw_backtrace" not in line)

    async def _get(self, port: int, path: str, query: Mapping[str, str]) -> tuple[int, str]:
        async with self._http.get(f"http://127.0.0.1:{port}{path}", params=query) as answer:
            return answer.status, await answer.text(errors="replace")

    # --- its config ---------------------------------------------------------------------------------------------------

    def _groups(self, smsc: Group) -> list[str]:
        local = "127.0.0.1"
        mo = f"{self._url}/mo?from=%p&to=%P&coding=%c&text=%b"
        groups: tuple[tuple[str, Group], ...] = (
            ("core", {
                "admin-port": self._admin, "admin-interface": local, "admin-password": _PASSWORD,
                "smsbox-port": self._boxes, "smsbox-interface": local, "box-allow-ip": local,
                "dlr-storage": "internal", "sms-resend-freq": 1,
            }),
            ("smsc", {"smsc-id": "simulator", "host": local, "reconnect-delay": 1, **smsc}),
            ("smsbox", {
                "bearerbox-host": local, "sendsms-port": self._sendsms, "sendsms-interface": local,
                "global-sender": "8080",
            }),
            ("sendsms-user", {
                "username": "palma", "password": _PASSWORD, "max-messages": 10, "concatenation": "true",
            }),
            ("sms-service", {"keyword": "default", "get-url": f'"{mo}"', "max-messages": 0}),
        )  # fmt: skip
        # An empty line ends a group.
        return ["\n".join([f"group = {name}", *(f"{key} = {value}" for key, value in lines.items()), ""])
                for name, lines in groups]  # fmt: skip
