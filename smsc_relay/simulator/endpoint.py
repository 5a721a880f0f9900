"""One connection of the simulated SMSC, whatever its protocol: its socket, its timers, its idle rules.

A protocol's connection adds what its session is, what its events mean and how it delivers.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final, Self

from smsc_relay.simulator.account import Account
from smsc_relay.simulator.centre import Centre
from smsc_relay.simulator.server import Server
from smsc_relay.simulator.settings import Behaviour, Link
from smsc_relay.simulator.wire import Wire

_SIP: Final = 0.05  # seconds between two reads of a slow reader, at least


class Endpoint(asyncio.Protocol, ABC):
    """Feeds a session, and writes what it and its owner have to say: one write for all that comes of one read."""

    protocol: ClassVar[str]

    def __init__(self, centre: Centre, server: Server[Self]) -> None:
        self._loop = asyncio.get_running_loop()
        self.number = centre.next_session()
        self.account: Account | None = None
        self.centre = centre
        self.submits = 0
        self.open_submits = 0  # without an answer
        self.ended = asyncio.Event()  # the connection is gone
        self._server: Any = server
        self._session: Any
        self._transport: asyncio.Transport
        self._wire: Wire
        self._out: list[bytes] = []  # what is to be written beside what the session has to say
        self._flush_due = False
        self._over = False  # to be closed as soon as all is written
        self._deadline: asyncio.TimerHandle | None = None
        self._chores = 0  # renewed when the script changes; chores of older ones are dropped
        self._since = centre.wall_ms()
        self._active_at = self._loop.time()  # something has come from the client
        self._deliveries = 0
        self._deaf: set[str] = set()  # why nothing is read
        self._frozen = False
        self._unread = bytearray()  # what a slow reader has not got to
        self._sip: asyncio.TimerHandle | None = None

    # --- what a protocol says -----------------------------------------------------------------------------------------

    @abstractmethod
    def _start(self) -> Any:
        """The connection is there: its session."""

    @abstractmethod
    def _on(self, event: Any, now: float) -> None:
        """Something has happened in the session."""

    @abstractmethod
    def _outgoing(self, own: bytes, more: list[bytes]) -> bytes:
        """What is written of what the session has to say, and of what there is beside it."""

    @abstractmethod
    def _probe(self) -> None:
        """Ask the client whether it lives."""

    @abstractmethod
    def _end(self, how: str) -> None:
        """End the session: "unbind", "close" or "reset"."""

    @property
    @abstractmethod
    def _up(self) -> bool:
        """Somebody has logged in, and is still there."""

    # --- asyncio ------------------------------------------------------------------------------------------------------

    @property
    def _behaviour(self) -> Behaviour:
        return self.account.behaviour if self.account is not None else self.centre.script.behaviour

    @property
    def _link(self) -> Link:
        return self._behaviour.link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what asyncio promises of TCP
        self._transport = transport
        self._wire = Wire(transport)
        self._session = self._start()
        self._server.opened(self)
        self._flush()

    def data_received(self, data: bytes) -> None:
        if self._link.read_rate is None and not self._unread:
            self._hear(data)
            return
        self._unread += data
        if self._sip is None:
            self._stop_reading("slow")
            self._read_slowly()

    def _hear(self, data: bytes) -> None:
        now = self._active_at = self._loop.time()
        for event in self._session.receive_data(data, now):
            if self._frozen:
                return
            self._on(event, now)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.lost()
        now = self._loop.time()
        for event in self._session.connection_lost(now):
            self._on(event, now)
        for timer in (self._deadline, self._sip):
            if timer is not None:
                timer.cancel()
        self._unread.clear()
        self._server.closed(self)
        self.ended.set()

    def pause_writing(self) -> None:
        self._stop_reading("unheard")  # who does not read its answers is not heard either

    def resume_writing(self) -> None:
        self._read_again("unheard")

    def _stop_reading(self, why: str) -> None:
        self._deaf.add(why)
        self._transport.pause_reading()

    def _read_again(self, why: str) -> None:
        self._deaf.discard(why)
        if not self._deaf:
            self._transport.resume_reading()

    def _read_slowly(self) -> None:
        """A few octets, and the next ones later."""
        self._sip = None
        if not self._unread or self._frozen:
            self._read_again("slow")
            return
        rate = self._link.read_rate
        pause = 0.0 if rate is None else max(_SIP, 1 / rate)
        size = len(self._unread) if rate is None else max(1, int(rate * pause))
        octets = bytes(self._unread[:size])
        del self._unread[:size]
        self._sip = self._loop.call_later(pause, self._read_slowly)
        self._hear(octets)

    def _watch(self) -> None:
        """Have `_tick` called when the session needs it."""
        deadline = self._session.next_deadline()
        if deadline is None or (self._deadline is not None and self._deadline.when() <= deadline):
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._deadline = None
        now = self._loop.time()
        for event in self._session.tick(now):
            self._on(event, now)
        self._flush()

    def _flush(self) -> None:
        self._flush_due = False
        data = self._outgoing(self._session.data_to_send(), self._out)
        self._out.clear()
        if data and not self._frozen:
            self._wire.write(data, self._link)
        if self._over:
            self._wire.close()
        self._watch()

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _ends_at(self, submit: int) -> bool:
        """Whether the script ends the session instead of answering its submit of that number."""
        link = self._link
        how = "close" if link.close_after == submit else "freeze" if link.freeze_after == submit else None
        if how is not None:
            self.disconnect(how)
        return how is not None

    # --- account.Link -------------------------------------------------------------------------------------------------

    def disconnect(self, how: str) -> None:
        """End the session: "unbind", "close", "reset"; or "freeze": nothing is read or written, and nothing closed."""
        if how == "freeze":
            self._frozen = True
            self._stop_reading("frozen")
        else:
            self._end(how)

    @property
    def room(self) -> int:
        """Deliveries that may be sent now."""
        return self._behaviour.mo.window - int(self._session.in_flight)

    def send_raw(self, data: bytes) -> None:
        """Octets of the user's own."""
        self._out.append(data)
        self._flush_soon()

    def renew(self) -> None:
        """The script has changed: begin the chores anew."""
        self._chores += 1
        link, timers = self._link, self.centre.link_timers
        if link.enquire_link is not None:
            timers.after(link.enquire_link, self._enquire, self._chores, link.enquire_link)
        for how, limit in (("close", link.idle_close), ("unbind", link.idle_unbind)):
            if limit is not None:
                timers.after(limit, self._idle, self._chores, how, limit)

    def _enquire(self, chores: int, interval: float) -> None:
        if chores == self._chores and self._up:
            self._probe()
            self._flush()
            self.centre.link_timers.after(interval, self._enquire, chores, interval)

    def _idle(self, chores: int, how: str, limit: float) -> None:
        if chores != self._chores or not self._up:
            return
        left = self._active_at + limit - self._loop.time()
        if left <= 0:
            self.disconnect(how)
        else:
            self.centre.link_timers.after(left, self._idle, chores, how, limit)

    def _count(self, what: str) -> None:
        if self.account is not None:
            self.account.counts[what] += 1

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        peer = self._transport.get_extra_info("peername") or ("?", 0)
        return {
            "session": self.number,
            "protocol": self.protocol,
            "account": self.account.name if self.account else None,
            "state": self._session.state.value,
            "peer": f"{peer[0]}:{peer[1]}",
            "since": self._since,
            **self._more_shown(),
            "submits": self.submits,
            "unanswered": self.open_submits,
            "deliveries": self._deliveries,
            "in_flight": self._session.in_flight,
        }

    def _more_shown(self) -> dict[str, Any]:
        """What the protocol knows besides."""
        return {}
