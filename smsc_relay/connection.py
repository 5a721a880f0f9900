"""A socket and the conversation over it: octets both ways, the conversation's deadlines, and its end."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import Any, Final

from chalicelib import telemetry
from smsc_relay.alarm import Alarm
from smsc_relay.pdu_log import PduLog
from smsc_relay.protocol import Answered, Arrived, Conversation, Ended, Happening, NotOffered, Prober

LINGER: Final = 2.0  # s that what is written last may take to leave
UNREAD: Final = 4 * 2**20  # octets that the SMSC may leave unread: answers to what it sends go on, whatever it reads
TURN: Final = 0.02  # s that one turn may take for what has been put off: other links wait meanwhile
BEHIND: Final = 0.001  # s that what can wait waits for answers that are about to come

Listener = Callable[[Sequence[Happening]], None]


_PIECES: Final = 8
_MUCH: Final = 16_384  # octets that may take longer than a turn
_FIRST, _LEAST = 128, 512  # octets of the first one: a handful of answers; of the others


def pieces(data: bytes) -> list[bytes]:
    """What one read has brought, to be dealt with one after the other.

    Answers that come together free places of the window together. Were all read before the first place is taken again,
    all submits would leave together too, and so would their answers come: what is done between the two would be lost
    of every round trip. So the first places are taken again while the last answers are still to be read.
    """
    size = max(_LEAST, -(-len(data) // _PIECES))
    return [data[:_FIRST], *(data[at : at + size] for at in range(_FIRST, len(data), size))]


def _because(ended: Ended, why: str) -> Ended:
    return replace(ended, reason=f"{ended.reason}: {why}")  # connection lost: tlsv13 alert certificate required


def _told(error: Exception | None) -> str:
    """That our certificate is missing is told after the handshake."""
    return (error.reason or type(error).__name__).lower().replace("_", " ") if isinstance(error, ssl.SSLError) else ""


class Connection(asyncio.Protocol):
    """One TCP connection to an SMSC. `over` has the conversation's `Ended`, which comes exactly once; `gone` is set
    when the socket is closed. The listener hears what a read has brought piece by piece; what the conversation has put
    off it hears a little later, and then `caught_up` is called: for what can wait until all places of the window are
    taken again. An SMSC answers together what was written together, but it may take several reads."""

    def __init__(
        self, conversation: Conversation, listener: Listener, caught_up: Callable[[], None] = lambda: None
    ) -> None:
        self.conversation = conversation
        self._listener, self._caught_up = listener, caught_up
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[Ended] = self._loop.create_future()
        self.gone = asyncio.Event()
        self.log: PduLog | None = None
        self.asks = False  # the SMSC may be asked whether it lives, at any time
        self.now = self._loop.time
        self.heard = self.now()  # when the SMSC was last heard
        self.called = False  # the SMSC has made it
        self._spoken_to = False  # the SMSC has said something
        self.left: float | None = None  # when we began to log out
        self.blocked = False  # the SMSC does not read: nothing more is submitted meanwhile
        self._transport: asyncio.Transport | None = None
        self._alarm = Alarm(self._on_time)
        self._flush_due = self._flushed = False
        self.behind = False  # something may have been put off: `_catch_up` is due
        self._before: list[Callable[[], None]] = []  # to be called before something is written
        self._owed = 0  # answers to what has arrived
        self._leaving = False
        self._unheard: deque[bytes] = deque()  # read, for another turn
        self._deaf = False  # nothing is read: what has been read takes longer
        self._why = ""  # it is about to be lost

    @property
    def open(self) -> bool:
        """The conversation has not ended."""
        return not self.over.done()

    # --- asyncio's side -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Log in."""
        self._transport = transport
        sock = transport.get_extra_info("socket")
        # Nagle's algorithm keeps a small request back until the peer's delayed ACK: 40 ms for every receipt's answer.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.open:  # we have left before it was there
            transport.abort()
            return
        self.conversation.start(self._loop.time())
        self.flush()

    def data_received(self, data: bytes) -> None:
        """From the SMSC."""
        self.heard, self._spoken_to = self.now(), True
        if self.log is not None:
            self.guarded(self.log.heard, data)
        if not self.behind:
            self.behind = True  # before anything is told: to leave is not to come first
            self._loop.call_later(BEHIND, self._catch_up)
        if len(data) < _MUCH and not self._unheard:
            for piece in pieces(data):
                self._hear(piece)
        else:
            self._unheard += pieces(data)
            self._hear_pieces(self._loop.time() + TURN)

    def _hear(self, piece: bytes) -> None:
        if self.open:
            self.guarded(self._hear_whole, piece)

    def _hear_whole(self, piece: bytes) -> None:
        self._tell(self.conversation.receive_data(piece, self._loop.time()))

    def _hear_pieces(self, end: float = inf) -> None:
        while self._unheard:
            self._hear(self._unheard.popleft())
            if self._loop.time() >= end:
                return

    def _catch_up(self) -> None:
        """Hear what has been put off, or as much as a turn may take; nothing more is read until it has been heard."""
        self.behind = False
        self.guarded(self._hear_the_rest)
        self.guarded(self._caught_up)
        more = self.open and (self.conversation.more or bool(self._unheard))
        if more:
            self.behind = True
            self._loop.call_soon(self._catch_up)
        if more is not self._deaf and self._transport is not None:
            self._deaf = more
            (self._transport.pause_reading if more else self._transport.resume_reading)()

    def _hear_the_rest(self) -> None:
        end = self._loop.time() + TURN
        self._hear_pieces(end)
        while self.open and not self._unheard:
            self._tell(self.conversation.catch_up(self._loop.time()))
            if not self.conversation.more or self._loop.time() >= end:
                return

    def eof_received(self) -> None:
        """The SMSC says nothing more. What it does not read keeps the socket for a moment, and no longer."""
        self.blocked = True
        self._loop.call_later(LINGER, self.drop)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._hear_pieces()
        if self.open:
            happenings = self._last_words()
            if why := self._why or _told(exc) or self._nothing_said():
                happenings = [_because(one, why) if isinstance(one, Ended) else one for one in happenings]
            self._tell(happenings)
            self.guarded(self._caught_up)
        self._alarm.stop()
        self.gone.set()

    def _nothing_said(self) -> str:
        """Servers that want TLS mostly hang up on what is none."""
        if self._spoken_to:
            return ""
        plain = self._transport is not None and self._transport.get_extra_info("ssl_object") is None
        return "it has said nothing" + (", does this port speak TLS?" if plain and not self.called else "")

    def _last_words(self) -> Sequence[Happening]:
        """With the end, whatever a fault of ours keeps from being told: without it the bind would wait for ever."""
        try:
            happenings = self.conversation.connection_lost(self._loop.time())
        except Exception:
            telemetry.logger().exception("relay_fault")
            happenings = ()
        ended = any(isinstance(one, Ended) for one in happenings)
        return happenings if ended else [*happenings, Ended("connection lost")]

    def pause_writing(self) -> None:
        """The SMSC does not read."""
        self.blocked = True

    def resume_writing(self) -> None:
        """It reads again."""
        self.blocked = False
        self.guarded(self._listener, ())
        self.guarded(self._caught_up)

    # --- the conversation's side --------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what the conversation has to say."""
        self._flush_due = self._flushed = True  # what is said now is written now
        while self._before:
            self.guarded(self._before.pop())
        self._flush_due = False
        data = self.conversation.data_to_send()
        if data and self._transport is not None:
            if self.log is not None:
                self.guarded(self.log.said, data)
            self._transport.write(data)
            if self.blocked and self._transport.get_write_buffer_size() > UNREAD:
                self._why = "the SMSC does not read what we write"
                self.drop()
        if self.open:
            self._watch()

    def before_writing(self, call: Callable[[], None]) -> None:
        """Have it called before the next `flush`, once: what it has the conversation say is written too."""
        self._before.append(call)

    def flush_soon(self) -> None:
        """`flush` once, however many answers are given in this turn of the loop."""
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self.flush)

    def acknowledge(self, token: Any) -> None:
        """What arrived is safe."""
        if self.open:
            self.conversation.acknowledge(token, self._loop.time())
            self._answered()

    def decline(self, token: Any) -> None:
        """What arrived could not be kept."""
        if self.open:
            self.conversation.decline(token, self._loop.time())
            self._answered()

    def probe(self) -> asyncio.Future[Answered] | None:
        """Ask the SMSC whether it lives, after all that has been said; None: it cannot be asked."""
        conversation = self.conversation
        if not self.asks or not self.open or not isinstance(conversation, Prober) or not conversation.costs_nothing:
            return None
        answered: asyncio.Future[Answered] = self._loop.create_future()
        try:
            conversation.probe(answered, self._loop.time())
        except (NotOffered, RuntimeError):
            return None
        self.flush_soon()
        return answered

    def _answered(self) -> None:
        self._owed -= 1
        self.flush_soon()
        self._leave_if_done()

    def leave(self) -> None:
        """Log out."""
        if self.open:
            self.left = self.left or self.now()
            self.conversation.leave(self._loop.time())
            self.flush()

    def leave_when_done(self, seconds: float) -> None:
        """Log out when neither side owes the other an answer, or after so long."""
        self._leaving = True
        self._loop.call_later(seconds, self.leave)
        self._leave_if_done()

    def _leave_if_done(self) -> None:
        done = not self._owed and not self.behind and not self.conversation.in_flight
        if self._leaving and self.open and done:
            self._loop.call_soon(self.leave)  # after what is still to be written

    def drop(self) -> None:
        """Give up the connection at once; `Ended` comes."""
        if self._transport is not None:
            self._transport.abort()

    def _tell(self, happenings: Sequence[Happening]) -> None:
        ended: Ended | None = None
        for one in happenings:
            if isinstance(one, Arrived):
                self._owed += 1
            elif isinstance(one, Ended):
                ended = one
        self._flushed = False
        if happenings:
            self.guarded(self._listener, happenings)
        if not self._flushed or ended is not None:
            self.flush()
        if ended is not None and self.open:
            self.over.set_result(ended)
            self._close()
        self._leave_if_done()

    def _close(self) -> None:
        self._alarm.stop()
        if self._transport is not None:
            self._transport.close()
            self._loop.call_later(LINGER, self._transport.abort)

    def guarded(self, call: Callable[..., None], *arguments: Any) -> None:
        """A fault of ours costs this connection, and not without a word."""
        try:
            call(*arguments)
        except Exception:
            telemetry.logger().exception("relay_fault")
            self._why = "a fault of ours, relay_fault in the log"
            self.drop()

    # --- deadlines ----------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """One timer, moved only to an earlier time: a later deadline is noticed when it rings."""
        due = self.conversation.next_deadline()
        if due is not None:
            self._alarm.at(due)

    def _on_time(self) -> None:
        if self.open:
            self.guarded(self._tick)

    def _tick(self) -> None:
        now, due = self._loop.time(), self.conversation.next_deadline()
        if due is not None and due <= now:
            self._tell(self.conversation.tick(now))
            self.guarded(self._caught_up)
        else:
            self._watch()
