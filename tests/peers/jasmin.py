"""Jasmin as an SMSC: its SMPP server for us, an SMSC behind it, RabbitMQ and Redis beside it, all on free ports."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self
from urllib.parse import urlencode

import aiohttp

from local.emulator import free_port
from tests.tools import CACHE, python_with, tool

_REQUIREMENTS: Final = Path(__file__).parent / "requirements-jasmin.txt"
LOCK: Final = Path("/tmp/jasmind.lock")
_READY: Final = 60.0  # s that one of the processes may take
_GOODBYE: Final = 10.0  # s that it may take to end
_ADMIN: Final = ("jcliadmin", "jclipwd")  # as Jasmin is installed


class Jasmin:
    """Within `async with`, one at a time on a machine: `port` takes binds of `user`; what they submit goes to an SMSC
    at `upstream`, whose MOs go to them.

    Args:
        work: where configs and logs go.
        upstream: port of the SMSC, which takes any login.
        user: (system_id, password) of the client.
    """

    def __init__(self, work: Path, upstream: int, user: tuple[str, str]) -> None:
        self._work, self._upstream, self._user = work, upstream, user
        self.port = free_port()
        self._amqp, self._redis, self._jcli, self._http = free_port(), free_port(), free_port(), free_port()
        self._processes: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._stack = AsyncExitStack()
        self._alone: IO[bytes]

    async def __aenter__(self) -> Self:
        try:
            await self._be_alone()
            self._start_rabbitmq()
            self._start_redis()
            await self._until(lambda: _listens(self._redis), "Redis does not listen")
            await self._until(lambda: _listens(self._amqp), "RabbitMQ does not listen")
            self._start_jasmin()
            await self._until(lambda: _listens(self._jcli), "jcli does not listen")
            await self._until(lambda: _listens(self.port), "the SMPP server does not listen")
            await self._configure()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # --- starting -----------------------------------------------------------------------------------------------------

    async def _be_alone(self) -> None:
        CACHE.mkdir(exist_ok=True)
        self._alone = self._stack.enter_context((CACHE / "jasmin.running").open("wb"))
        await asyncio.to_thread(fcntl.flock, self._alone, fcntl.LOCK_EX)
        LOCK.unlink(missing_ok=True)  # of one that was killed

    def _start(self, name: str, command: list[str | Path], environment: dict[str, str]) -> None:
        with (self._work / f"{name}.out").open("wb") as output:
            process = subprocess.Popen(
                command, env=environment, cwd=self._work, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._processes.append((name, process))
        self._stack.callback(_end, process)

    def _start_rabbitmq(self) -> None:
        """Not by Debian's script, which wants to be root, and with an Erlang that may be in a folder of our own."""
        rabbitmq = tool("rabbitmq-server")
        root = rabbitmq.path.parents[2]
        erlang = next((root / "usr/lib/erlang").glob("erts-*")) / "bin"
        (server,) = (root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server")
        programs = self._work / "bin"
        programs.mkdir()
        erl = programs / "erl"
        variables = f"ROOTDIR={root / 'usr/lib/erlang'} BINDIR={erlang} EMU=beam PROGNAME=erl"
        erl.write_text(f'#!/bin/sh\n{variables} exec {erlang}/erlexec "$@"\n')
        erl.chmod(0o755)
        (self._work / "plugins").write_text("[].\n")
        names = {
            **rabbitmq.environment,
            "PATH": f"{programs}:{erlang}:{os.environ['PATH']}",
            "HOME": str(self._work),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(free_port()),
            "RABBITMQ_NODENAME": "jasmin@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._amqp),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self._work / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._work / "log"),
            "RABBITMQ_PID_FILE": str(self._work / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._work / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ALLOW_INPUT": "1",  # a process that signals reach
            # epmd is started here, so that it ends with the rest
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput -start_epmd false "
            "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        self._start("epmd", [erlang / "epmd", "-port", names["ERL_EPMD_PORT"], "-address", "127.0.0.1"], names)
        self._start("rabbitmq", [server], names)

    def _start_redis(self) -> None:
        redis = tool("redis-server")
        options = ("--port", str(self._redis), "--bind", "127.0.0.1", "--save", "")
        self._start("redis", [redis.path, *options], redis.environment)

    def _start_jasmin(self) -> None:
        python = python_with("jasmin", _REQUIREMENTS)
        (listeners,) = python.parents[1].glob("lib/python3*/site-packages/jasmin/managers/listeners.py")
        _mend(listeners)
        (spec,) = python.parents[1].glob("lib/python3*/site-packages/txamqp/specs/standard/amqp0-9-1.stripped.xml")
        config = self._work / "jasmin.cfg"
        (self._work / "store").mkdir(exist_ok=True)
        config.write_text(self._config(spec))
        services = ("--enable-deliver-thrower", "--enable-dlr-lookup", "--enable-dlr-thrower")
        self._start("jasmin", [python, python.parent / "jasmind.py", "-c", config, *services], dict(os.environ))

    def _config(self, spec: Path) -> str:
        ours = "bind = 127.0.0.1"
        store = f"store_path = {self._work / 'store'}"
        sections = {
            "smpp-server": [ours, f"port = {self.port}"],
            "smpp-server-pb": [ours, f"port = {free_port()}"],
            "client-management": [ours, f"port = {free_port()}", store],
            "service-smppclient": [],
            "sm-listener": ["submit_retrial_delay_smppc_not_ready = 1"],
            "dlr": ["dlr_lookup_retry_delay = 1", "dlr_lookup_max_retries = 20"],
            "amqp-broker": [f"port = {self._amqp}", f"spec = {spec}"],
            "router": [ours, f"port = {free_port()}", store],
            "deliversm-thrower": ["retry_delay = 1"],
            "dlr-thrower": ["retry_delay = 1"],
            "redis-client": [f"port = {self._redis}"],
            "jcli": [ours, f"port = {self._jcli}"],
            "http-api": [ours, f"port = {self._http}", f"access_log = {self._work / 'access.log'}"],
        }
        return "\n".join(
            "\n".join([f"[{name}]", *lines, f"log_file = {self._work / name}.log", ""])
            for name, lines in sections.items()
        )

    async def _until(self, what: Callable[[], Awaitable[bool]], otherwise: str) -> None:
        try:
            async with asyncio.timeout(_READY):
                while not await what():
                    for name, process in self._processes:
                        assert process.poll() is None, f"{name} has ended with {process.returncode}:\n{self._logs()}"
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{otherwise}:\n{self._logs()}") from None

    def _logs(self) -> str:
        """The last lines of every process."""
        lines = [line for path in self._work.glob("*.out") for line in path.read_text(errors="replace").splitlines()]
        return "\n".join(lines[-60:])

    # --- its console --------------------------------------------------------------------------------------------------

    async def send(self, sender: str, to: str, text: str) -> None:
        """A message, by its HTTP API."""
        name, password = self._user
        query = urlencode({"username": name, "password": password, "from": sender, "to": to, "content": text})
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self._http}/send?{query}") as answer:
            assert answer.status == 200, await answer.text()

    async def session(self, *lines: str) -> str:
        """All that the console prints, from its greeting on, where these lines are typed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._jcli)
        try:
            told = await _said(reader, b"required.")
            told += await _say(reader, writer, _ADMIN[0], b"Password:")
            return told + "".join([await _say(reader, writer, line) for line in (_ADMIN[1], *lines)])
        finally:
            writer.close()

    async def _configure(self) -> None:
        name, password = self._user
        reader, writer = await asyncio.open_connection("127.0.0.1", self._jcli)
        try:
            await _said(reader, b"required.")
            await _say(reader, writer, _ADMIN[0], b"Password:")
            await _say(reader, writer, _ADMIN[1])
            for lines in (
                ("group -a", "gid clients", "ok"),
                ("user -a", f"uid {name}", "gid clients", f"username {name}", f"password {password}", "ok"),
                ("smppccm -a", "cid upstream", "host 127.0.0.1", f"port {self._upstream}", "username jasmin",
                 "password secret", "bind transceiver", "submit_throughput 0", "con_fail_delay 1", "con_loss_delay 1",
                 "ok"),
                ("smppccm -1 upstream",),
                ("mtrouter -a", "type DefaultRoute", "connector smppc(upstream)", "rate 0.00", "ok"),
                ("morouter -a", "type DefaultRoute", f"connector smpps({name})", "ok"),
                ("persist",),
            ):  # fmt: skip
                for line in lines:
                    told = await _say(reader, writer, line)
                assert "Success" in told or "persisted" in told, f"{lines[0]}: {told}"
        finally:
            writer.close()


def _mend(listeners: Path) -> None:
    """Release 0.11.1 names the wrong object where it answers the client for the parts of a long message, and so never
    does."""
    text = listeners.read_text()
    if wrong := text.count("_pdu.response"):
        assert wrong == 5, f"{listeners} is not the file that was known"
        listeners.write_text(text.replace("_pdu.response", "r.response"))


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str, prompt: bytes = b"") -> str:
    writer.write(f"{line}\r\n".encode())
    return await _said(reader, prompt)


async def _said(reader: asyncio.StreamReader, prompt: bytes = b"") -> str:
    """What the console answers, until its prompt."""
    told = b""
    async with asyncio.timeout(_READY):
        while not (prompt in told if prompt else told.endswith((b"jcli : ", b"\n> "))):
            data = await reader.read(4096)
            assert data, f"jcli has closed: {told!r}"
            told += data
    return told.decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GOODBYE)
        return
    process.kill()
    process.wait()
