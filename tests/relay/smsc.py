"""An SMSC that speaks the toy protocol on a real socket, and does what a test tells it to."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

Answer = dict[str, Any] | None  # {"id": ...} or {"error": ...}; None: silence
Answering = Callable[[dict[str, Any]], Answer]


@dataclass
class Session:
    """One connection."""

    writer: asyncio.StreamWriter
    user: str = ""
    open: dict[int, dict[str, Any]] = field(default_factory=dict)  # submits without an answer
    said_bye: bool = False

    def say(self, *said: dict[str, Any]) -> None:
        self.writer.write(b"".join(json.dumps(one).encode() + b"\n" for one in said))


class Smsc:
    """Started on entry; `answer` and `login` may be changed while it runs."""

    def __init__(self, answer: Answering | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.answer: Answering = answer or (lambda said: {"id": f"x{said['id']}-{said['part']}"})
        self.login: Callable[[dict[str, Any]], dict[str, Any]] = lambda said: {"op": "welcome"}
        self.port = 0
        self.sessions: list[Session] = []  # open ones
        self.submits: list[dict[str, Any]] = []
        self.logins: list[dict[str, Any]] = []
        self.answers: list[tuple[str, int]] = []  # to what has arrived from it: (got or keep, n)
        self.byes = 0
        self.most_open = 0  # submits without an answer, of one session at one time
        self._tls = tls
        self._delivered = 0
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and drop every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop()

    def drop(self) -> None:
        """The network fails."""
        for session in self.sessions:
            session.writer.transport.abort()

    async def until(self, what: Callable[[], object], seconds: float = 60.0) -> None:
        """Wait until something holds here."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: bool(what()))

    def ids(self) -> list[str]:
        """Of the messages submitted, in order."""
        return [said["id"] for said in self.submits]

    def answer_open(self, error: str = "", first: str = "") -> None:
        """Answer what has been left without an answer, in one piece; that of the message `first` before the others."""
        for session in self.sessions:
            waiting = sorted(session.open.items(), key=lambda one: one[1]["id"] != first)
            session.open.clear()
            answers = []
            for number, said in waiting:
                told = {"error": error} if error else {"id": f"x{said['id']}-{said['part']}"}
                answers.append({"op": "answer", "n": number, **told})
            session.say(*answers)

    def deliver(self, *events: dict[str, Any]) -> int:
        """Send MOs and DLRs in one request; answers its number."""
        self._delivered += 1
        self.sessions[-1].say({"op": "arrives", "n": self._delivered, "events": list(events)})
        return self._delivered

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(writer)
        self.sessions.append(session)
        try:
            while line := await reader.readline():
                self._heard(session, json.loads(line))
                await self._tell()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.sessions.remove(session)
            writer.close()
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _heard(self, session: Session, said: dict[str, Any]) -> None:
        match said["op"]:
            case "login":
                self.logins.append(said)
                session.user = said["user"]
                answer = self.login(said)
                if answer:
                    session.say(answer)
            case "submit":
                self.submits.append(said)
                session.open[said["n"]] = said
                self.most_open = max(self.most_open, len(session.open))
                told = self.answer(said)
                if told is not None:
                    del session.open[said["n"]]
                    session.say({"op": "answer", "n": said["n"], **told})
            case "got" | "keep":
                self.answers.append((said["op"], said["n"]))
            case "bye":
                self.byes += 1
                session.said_bye = True
                session.say({"op": "bye"})
