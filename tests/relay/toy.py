"""A protocol of our own for tests: JSON lines over TCP. That the relay speaks it proves that it knows no other.

Client: login, submit, got, keep, bye. SMSC: welcome, refused, answer, arrives, load, bye.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Final, Literal

from pydantic import Field

from chalicelib.channels.config import Secret
from chalicelib.messages import Incoming, Outgoing, Status, StatusUpdate
from chalicelib.records import MoEvent, ReceiptEvent
from smsc_relay.accounts import Kind
from smsc_relay.config import LinkConfig
from smsc_relay.protocol import (
    Accepted,
    Arrived,
    CannotEncode,
    Congested,
    Conversation,
    Dialect,
    Ended,
    Fault,
    Happening,
    Inquiry,
    NotOffered,
    Plan,
    Ready,
    Refused,
    Rejected,
    Role,
    Segment,
    Surroundings,
    Transcript,
    Unanswered,
    Verdict,
)

TYPE: Final = "CIMD2"  # an SMSC type of the registry, whatever it is in truth


class ToyConfig(LinkConfig):
    """Keys of the toy's accounts."""

    CONNECTION_KEYS: ClassVar[frozenset[str]] = frozenset(("user", "password"))

    user: str = "toy"
    password: Secret | None = None
    part: int = Field(0, description="characters of a segment; 0: no limit")
    receipts: Literal["all", "last"] = "all"


class ToyConversation:
    """One connection."""

    def __init__(self, config: ToyConfig, around: Surroundings) -> None:
        self._config, self._around = config, around
        self._session, self._since = around.new_id(), 0
        self._out: list[dict[str, Any]] = []
        self._buffer = b""
        self._window: dict[int, tuple[Any, float]] = {}
        self._late: dict[int, tuple[Any, float]] = {}
        self._number = 0
        self._ready = self._leaving = self._over = False
        self._give_up: float | None = None  # when a login or logout has taken too long

    @property
    def ready(self) -> bool:
        return self._ready and not self._leaving

    @property
    def in_flight(self) -> int:
        return len(self._window)

    def start(self, now: float) -> None:
        self._out.append({"op": "login", "user": self._config.user, "password": str(self._config.password or "")})
        self._give_up = now + self._config.login_timeout

    def submit(self, segment: Segment, context: Any, now: float) -> None:
        if not self.ready:
            raise RuntimeError("not logged in")
        self._number += 1
        self._window[self._number] = (context, now)
        self._out.append({"op": "submit", "n": self._number, **segment.body})

    def acknowledge(self, token: Any, now: float) -> None:
        self._answer("got", token)

    def decline(self, token: Any, now: float) -> None:
        self._answer("keep", token)

    def _answer(self, op: str, token: Any) -> None:
        if not self._over:
            self._out.append({"op": op, "n": token})

    def leave(self, now: float) -> None:
        self._leaving = True
        self._out.append({"op": "bye"})
        self._give_up = now + self._config.logout_timeout

    def data_to_send(self) -> bytes:
        data = b"".join(json.dumps(one).encode() + b"\n" for one in self._out)
        self._out.clear()
        return data

    def next_deadline(self) -> float | None:
        first = next((sent for _, sent in self._window.values()), None)
        dues = [] if first is None else [first + self._config.response_timeout]
        return min([*dues, *([] if self._give_up is None else [self._give_up])], default=None)

    more = False

    def catch_up(self, now: float) -> Sequence[Happening]:
        return ()

    def tick(self, now: float) -> Sequence[Happening]:
        if self._over:
            return ()
        if self._give_up is not None and now >= self._give_up:
            return (self._end("no answer"),)
        found: list[Happening] = []
        for number, (context, sent) in list(self._window.items()):
            if now >= sent + self._config.response_timeout:
                self._late[number] = self._window.pop(number)
                found.append(Unanswered(context, now - sent))
        return found

    def connection_lost(self, now: float) -> Sequence[Happening]:
        return () if self._over else (self._end("connection lost"),)

    def _end(self, reason: str) -> Ended:
        self._over, self._ready = True, False
        lost = tuple(context for context, _ in self._window.values())
        self._window.clear()
        return Ended(reason, lost)

    def receive_data(self, data: bytes, now: float) -> Sequence[Happening]:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        found: list[Happening] = []
        for line in lines:
            if not self._over:
                found += self._heard(json.loads(line), now)
        return found

    def _heard(self, said: dict[str, Any], now: float) -> list[Happening]:
        match said["op"]:
            case "welcome":
                self._ready, self._give_up, self._since = True, None, self._around.wall_ms()
                return [Ready("toy")]
            case "refused":
                refused = Refused(said["reason"], "9", said.get("credentials", False), said.get("busy", False))
                return [refused, self._end("refused")]
            case "answer":
                return self._answered(said, now)
            case "arrives":
                return [Arrived(said["n"], tuple(self._event(one) for one in said["events"]))]
            case "load":
                return [Congested(said["level"])]
            case "bye":
                return [self._end("logged out")]
        return [Fault("unknown word")]

    def _answered(self, said: dict[str, Any], now: float) -> list[Happening]:
        late = said["n"] in self._late
        context, sent = (self._late if late else self._window).pop(said["n"], (None, 0.0))
        if context is None:
            return [Fault("an answer to nothing")]
        if "id" in said:
            return [Accepted(context, said["id"], now - sent, late)]
        return [Rejected(context, Verdict(said["error"]), "as told", "7", now - sent, late)]

    def _event(self, said: dict[str, Any]) -> MoEvent | ReceiptEvent:
        around = self._around
        if "status" in said:
            update = StatusUpdate(channel="", status=Status(said["status"]), external_id=said["id"])
            return ReceiptEvent(
                event_id=around.new_id(), update=update, aggregator=around.aggregator, at=around.wall_ms()
            )
        return MoEvent(
            event_id=around.new_id(),
            message=Incoming(channel="", sender=said["from"], text=said["text"]),
            aggregator=around.aggregator,
            to=said.get("to", "8080"),
            session=self._session,
            session_since=self._since,
            at=around.wall_ms(),
        )


class ToyTranscript:
    """A line's word."""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        return [{"pdu": json.loads(line)["op"]} for line in data.splitlines()]


class ToyDialect:
    """Segments are dicts."""

    name = "TOY"
    inquires = False

    def plan(self, message: Outgoing, config: ToyConfig, reference: int) -> Plan:
        if message.to.startswith("+999"):
            raise CannotEncode("the toy does not know this country")
        size = config.part or max(1, len(message.text))
        texts = [message.text[at : at + size] for at in range(0, len(message.text), size)] or [""]
        segments = tuple(
            Segment(
                index,
                len(texts),
                {"id": message.key, "to": message.to, "text": text, "part": index, "ref": reference},
                silent=config.receipts == "last" and index + 1 < len(texts),
            )
            for index, text in enumerate(texts)
        )
        return Plan(segments, "toy", f"toy/{len(texts)}")

    def inquiry(self, inquiry: Inquiry, config: ToyConfig) -> Any:
        raise NotOffered("not offered by this protocol: it is a toy")

    def transcript(self) -> Transcript:
        return ToyTranscript()

    def roles(self, config: ToyConfig) -> tuple[Role, ...]:
        return (Role.TRANSCEIVER,)

    def conversation(self, config: ToyConfig, role: Role, now: float, surroundings: Surroundings) -> Conversation:
        return ToyConversation(config, surroundings)


DIALECT: Final[Dialect] = ToyDialect()


def kinds(code: str) -> Kind:
    """Every SMSC type is the toy."""
    return Kind(DIALECT, ToyConfig)
