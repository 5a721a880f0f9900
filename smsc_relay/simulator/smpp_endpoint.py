"""The input and output of one SMPP session of the simulated SMSC: octets, deadlines, the end."""

from __future__ import annotations

import asyncio
import struct
from abc import ABC, abstractmethod

from smsc_relay.simulator.settings import Link
from smsc_relay.simulator.wire import Wire
from smsc_relay.smpp import events
from smsc_relay.smpp.constants import RESPONSE_BIT, CommandId
from smsc_relay.smpp.session import Session


class Endpoint(asyncio.Protocol, ABC):
    """Feeds a session, and writes what it and its owner have to say: one write for all that comes of one read."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._session: Session
        self._transport: asyncio.Transport
        self._wire: Wire
        self._out: list[bytes] = []
        self._flush_due = False
        self._over = False  # to be closed as soon as all is written
        self._deadline: asyncio.TimerHandle | None = None
        self._active_at = self._loop.time()  # something has come from the client
        self.ended = asyncio.Event()  # the connection is gone

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
        for event in self._session.connection_lost(self._loop.time()):
            self._on(event, self._loop.time())
        if self._deadline is not None:
            self._deadline.cancel()
        self._end()
        self.ended.set()

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
            own = _without(own, CommandId.ENQUIRE_LINK | RESPONSE_BIT)
        if own and not link.answer_unbind:
            own = _without(own, CommandId.UNBIND | RESPONSE_BIT)
        if self._out or own:
            self._wire.write(b"".join([*self._out, own]), link)
            self._out.clear()
        if self._over:
            self._wire.close()
        self._watch()

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)


def _without(data: bytes, kind: int) -> bytes:
    """Whole PDUs, one kind of them left out."""
    kept = []
    while data:
        length, command_id = struct.unpack_from(">II", data)
        if command_id != kind:
            kept.append(data[:length])
        data = data[length:]
    return b"".join(kept)
