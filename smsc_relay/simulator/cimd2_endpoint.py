"""The input and output of one CIMD2 session of the simulated SMSC: octets, deadlines, the end."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from smsc_relay.cimd2 import events
from smsc_relay.cimd2.constants import Operation
from smsc_relay.cimd2.session import Session
from smsc_relay.simulator.settings import Link
from smsc_relay.simulator.wire import Wire


class Cimd2Endpoint(asyncio.Protocol, ABC):
    """Feeds a session, and writes what it has to say: one write for all that comes of one read."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._session: Session
        self._transport: asyncio.Transport
        self._wire: Wire
        self._raw: list[bytes] = []  # octets that are no packets of the session
        self._flush_due = False
        self._over = False  # to be closed as soon as all is written
        self._deadline: asyncio.TimerHandle | None = None
        self._active_at = self._loop.time()  # something has come from the client

    # --- what a session is --------------------------------------------------------------------------------------------

    @abstractmethod
    def _start(self) -> Session:
        """The connection is there."""

    @abstractmethod
    def _on(self, event: events.Event, now: float) -> None:
        """Something has happened."""

    @abstractmethod
    def _end(self) -> None:
        """The connection is gone."""

    @property
    @abstractmethod
    def _link(self) -> Link:
        """How the connection behaves now."""

    # --- asyncio ------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what asyncio promises of TCP
        self._transport = transport
        self._wire = Wire(transport)
        self._session = self._start()
        self._flush()

    def data_received(self, data: bytes) -> None:
        now = self._active_at = self._loop.time()
        for event in self._session.receive_data(data, now):
            self._on(event, now)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.lost()
        now = self._loop.time()
        for event in self._session.connection_lost(now):
            self._on(event, now)
        if self._deadline is not None:
            self._deadline.cancel()
        self._end()

    def pause_writing(self) -> None:
        self._transport.pause_reading()  # who does not read its answers is not heard either

    def resume_writing(self) -> None:
        self._transport.resume_reading()

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
        link = self._link
        own = self._session.data_to_send()
        if own and not link.answer_enquire_link:
            own = _without(own, Operation.ALIVE_RESPONSE)
        if own and not link.answer_unbind:
            own = _without(own, Operation.LOGOUT_RESPONSE)
        if own or self._raw:
            self._wire.write(b"".join([own, *self._raw]), link)
            self._raw.clear()
        if self._over:
            self._wire.close()
        self._watch()

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)


def _without(data: bytes, operation: int) -> bytes:
    """Whole packets, one kind of them left out."""
    frames = data.split(b"\x03")[:-1]
    return b"".join(frame + b"\x03" for frame in frames if frame[1:3] != b"%02d" % operation)
