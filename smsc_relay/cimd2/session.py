"""One CIMD2 session, from connection to close, at either end: the rules of the protocol without I/O or clock.

Octets go in with `receive_data` and come out as events; all octets to write are in `data_to_send`, after every call.
`now` is any monotonic clock in seconds. What a peer sends never raises: it becomes a `ProtocolFault`.

Numbers: requests of the application are odd, those of the SMSC even, a response repeats its request's (CIMD Interface
Specification). A request like one of the last few, number and all, is a retransmission: it is answered as before
and not told again. One with the number of one before and another content is a new one: to lose a message is worse
than to have it twice. One class, since every rule reads or moves the one state.

A damaged packet is nacked, which has it sent again. When it comes again as it was, it has not been damaged on its way:
the SMSC writes it so, and it is read as well as it can be.
"""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import Any, Final

from smsc_relay.cimd2.answers import error_in, refusal
from smsc_relay.cimd2.codec import FrameReader, Packet, Parameters, checksum_of, decode, encode
from smsc_relay.cimd2.constants import (
    FIRST_APPLICATION,
    FIRST_SMSC,
    NUMBERS,
    RESPONSE,
    Error,
    Operation,
    Tag,
)
from smsc_relay.cimd2.errors import Cimd2DecodeError, LocalProtocolError
from smsc_relay.cimd2.events import (
    Closed,
    CloseReason,
    Event,
    LoggedIn,
    LoginRefused,
    LoginRequested,
    ProtocolFault,
    RequestReceived,
    Response,
    ResponseTimeout,
)
from smsc_relay.cimd2.requests import Requests
from smsc_relay.cimd2.session_config import SessionConfig, Side
from smsc_relay.cimd2.window import Sent, Window
from smsc_relay.keepalive import Keepalive, Step

__all__ = ["Session", "SessionConfig", "Side", "State"]

_TO_APPLICATION: Final = frozenset({Operation.DELIVER, Operation.STATUS_REPORT})
_TO_SMSC: Final = frozenset(
    {
        Operation.SUBMIT,
        Operation.ENQUIRE,
        Operation.DELIVERY_REQUEST,
        Operation.CANCEL,
        Operation.SET,
        Operation.GET,
    }
)


class State(Enum):
    """Where a session is."""

    OPEN = "open"  # connected, not logged in
    LOGGING_IN = "logging in"
    UP = "up"
    LOGGING_OUT = "logging out"  # our logout waits for its answer; what the peer may have sent before is still taken
    CLOSED = "closed"


class Session:
    """One session. After `Closed`, which comes exactly once, it does nothing more; `now` must never go back."""

    def __init__(self, config: SessionConfig, now: float) -> None:
        self._config = config
        self._smsc = config.side is Side.SMSC
        self._reader = FrameReader()
        self._out: list[bytes] = []
        self._checksum = "upper" if config.checksum == "auto" else config.checksum
        ours, theirs = (FIRST_SMSC, FIRST_APPLICATION) if self._smsc else (FIRST_APPLICATION, FIRST_SMSC)
        self._window = Window(ours, config.response_timeout, config.late_memory)
        self._expected = theirs  # number of the peer's next request
        self._requests = Requests()  # the peer's
        self._unreadable = self._lost_nacks = 0  # in a row
        self.heard = False  # something that could be read
        self._damaged = b""  # the last packet that has been nacked for it
        self._keepalive = Keepalive(
            config.alive_interval, config.alive_fixed, config.response_timeout, config.alive_misses, now
        )
        self._active_at = now
        # Some SMSCs send what waits for us ahead of the login's answer.
        self._takes = frozenset({State.UP, State.LOGGING_OUT} | (set() if self._smsc else {State.LOGGING_IN}))
        self._enter(State.OPEN, now)

    # --- what it is like now ------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self._state

    @property
    def is_up(self) -> bool:
        """Logged in, and not logging out."""
        return self._state is State.UP

    @property
    def closed(self) -> bool:
        return self._state is State.CLOSED

    @property
    def in_flight(self) -> int:
        """Our requests that wait for an answer, without login, logout and alive."""
        return len(self._window)

    @property
    def has_number(self) -> bool:
        """A packet number is free for a request of ours."""
        return self._window.has_number

    @property
    def unanswered(self) -> int:
        """The peer's requests that wait for `respond`."""
        return len(self._requests)

    @property
    def noise(self) -> str:
        """The beginning of what has come outside of packets: the SMSC's line of greeting."""
        return self._reader.noise.decode("latin-1")

    # --- what the owner does ------------------------------------------------------------------------------------------

    def login(self, given: Parameters, now: float) -> None:
        """Application: log in.

        Raises:
            LocalProtocolError: not the moment; also Cimd2EncodeError.
        """
        if self._smsc or self._state is not State.OPEN:
            raise LocalProtocolError(f"no login in state {self._state.name}")
        self._request(Operation.LOGIN, given, now, None, automatic=True)
        self._enter(State.LOGGING_IN, now)

    def send(
        self, operation: int, given: Parameters, now: float, context: Any = None, *, automatic: bool = False
    ) -> None:  # fmt: skip
        """A request of ours; `context` comes back with its answer, unless it is `automatic`: nobody cares then.

        Raises:
            LocalProtocolError: not one that we may send now, or no number is free; also Cimd2EncodeError. Nothing has
                changed.
        """
        allowed = _TO_APPLICATION if self._smsc else _TO_SMSC
        if self._state is not State.UP or operation not in allowed:
            raise LocalProtocolError(f"operation {operation:02d} cannot be sent in state {self._state.name}")
        self._request(operation, given, now, context, automatic=automatic)

    def respond(self, number: int, given: Parameters = ()) -> None:
        """The answer to a `RequestReceived`.

        Raises:
            LocalProtocolError: no request with this number waits; also Cimd2EncodeError, and it still waits.
        """
        request = self._requests.waiting(number)
        data = self._encoded(Packet(request.operation + RESPONSE, number, given))
        self._requests.answered(request, data)
        self._out.append(data)

    def withhold(self, number: int) -> None:
        """There will be no answer to a `RequestReceived`: the peer is to send it again, and it will be told again.

        Raises:
            LocalProtocolError: no request with this number waits.
        """
        self._requests.forget(self._requests.waiting(number))

    def nack(self, number: int) -> None:
        """A `RequestReceived` has not been understood: the peer is to send it again."""
        self.withhold(number)
        self._out.append(self._encoded(Packet(Operation.NACK, number)))

    def accept_login(self, now: float) -> None:
        """SMSC: yes to a `LoginRequested`."""
        self._answer_login((), now)
        self._enter(State.UP, now)

    def refuse_login(self, code: int, now: float) -> None:
        """SMSC: no to a `LoginRequested`; another may come."""
        self._answer_login(refusal(code), now)
        self._enter(State.OPEN, now)

    def _answer_login(self, given: Parameters, now: float) -> None:
        if not self._smsc or self._state is not State.LOGGING_IN:
            raise LocalProtocolError(f"no login waits for an answer in state {self._state.name}")
        self.respond(self._requests.of(Operation.LOGIN).number, given)

    def logout(self, now: float) -> None:
        """Application: log out.

        Raises:
            LocalProtocolError: not logged in.
        """
        if self._smsc or self._state is not State.UP:
            raise LocalProtocolError(f"no logout in state {self._state.name}")
        self._request(Operation.LOGOUT, (), now, None, automatic=True)
        self._enter(State.LOGGING_OUT, now)

    def alive(self, now: float, context: Any = None) -> None:
        """Ask the peer whether it lives, beside what the session does by itself. Whoever gives a `context` gets it back
        with the answer."""
        self._request(Operation.ALIVE, (), now, context, automatic=context is None)

    def abort(self, now: float, reason: CloseReason = CloseReason.ABORTED) -> list[Event]:
        """We are about to close the connection without further ado."""
        return [] if self.closed else [self._close(reason, now)]

    def connection_lost(self, now: float) -> list[Event]:
        """The connection is gone. After a logout of ours that is as good as an answer: some SMSCs give no other."""
        leaving = self._state is State.LOGGING_OUT
        return self.abort(now, CloseReason.LOGGED_OUT if leaving else CloseReason.CONNECTION_LOST)

    def data_to_send(self) -> bytes:
        """Octets for the peer since the last call."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `tick` is due at the latest; None: never."""
        deadline = min(self._stage_deadline, self._window.next_deadline())
        if self._state is State.UP:
            deadline = min(deadline, self._keepalive.next_deadline(), self._inactive_at())
        return None if deadline == inf else deadline

    def tick(self, now: float) -> list[Event]:
        """Time has passed. Early calls do no harm."""
        if self.closed:
            return []
        events: list[Event] = [
            ResponseTimeout(sent.context, now - sent.at) for sent in self._window.expire(now) if not sent.automatic
        ]
        if self._stage_deadline <= now:
            leaving = self._state is State.LOGGING_OUT
            events.append(self._close(CloseReason.LOGOUT_TIMEOUT if leaving else CloseReason.LOGIN_TIMEOUT, now))
        elif self._window.choked:
            events.append(self._close(CloseReason.NO_NUMBER_LEFT, now))
        elif self._state is State.UP:
            step = self._keepalive.step(now)
            if step is Step.DEAD:
                events.append(self._close(CloseReason.ALIVE_TIMEOUT, now))
            elif self._inactive_at() <= now:
                self.logout(now)
            elif step is Step.PROBE and self._window.has_number:
                self.alive(now)
        return events

    def _inactive_at(self) -> float:
        timeout = self._config.inactivity_timeout
        return inf if timeout is None or self._smsc else self._active_at + timeout

    # --- what the peer does -------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """Octets from the peer, cut anywhere. Never raises for what they are."""
        events: list[Event] = []
        if self.closed:
            return events
        self._reader.feed(data)
        while not self.closed:
            frame: bytes | None = None
            try:
                frame = self._reader.next_frame()
                if frame is None:
                    break
                packet = decode(frame, verify=self._config.verify_checksum and frame != self._damaged)
            except Cimd2DecodeError as error:
                self._on_unreadable(error, now, events)
                self._damaged = frame or b""
                continue
            self._unreadable, self._damaged, self.heard = 0, b"", True
            self._keepalive.heard(now)
            if self._config.checksum == "auto":
                self._checksum = checksum_of(frame)
            if packet.fault and self._config.verify_checksum:
                events.append(ProtocolFault(packet.fault))
            if packet.is_response:
                self._on_response(packet, now, events)
            else:
                self._on_request(packet, now, events)
        return events

    def _on_response(self, packet: Packet, now: float, events: list[Event]) -> None:
        if packet.operation == Operation.NACK:
            self._on_nack(packet, now, events)
            return
        sent = self._window.find(packet.number, now)
        general = packet.operation == Operation.GENERAL_ERROR
        if sent is None or not (general or packet.operation == sent.packet.operation + RESPONSE):
            what = "a general error" if general else f"response {packet.operation:02d}"
            events.append(ProtocolFault(f"{what} to nothing that we have asked"))
            return
        code, fault = error_in(packet)
        if fault:
            events.append(ProtocolFault(fault))
        if general and not code:
            code = Error.GENERAL
        self._window.remove(sent)
        self._lost_nacks = 0
        if sent.packet.operation == Operation.LOGIN:
            if self._state is State.LOGGING_IN:
                self._enter(State.OPEN if code else State.UP, now)
                text = packet.get(Tag.ERROR_TEXT) or ""
                events.append(LoginRefused(code, text) if code else LoggedIn())
        elif sent.packet.operation == Operation.LOGOUT:
            events.append(self._close(CloseReason.LOGGED_OUT, now))
        elif not sent.automatic:
            self._active_at = now
            late = sent.late_since is not None
            events.append(Response(sent.context, sent.packet, packet, code, now - sent.at, late))

    def _on_nack(self, packet: Packet, now: float, events: list[Event]) -> None:
        """Send again what the peer has not understood; or give up, as the numbers are out of step."""
        sent = self._window.again(packet.number, now)
        if sent is None:
            events.append(ProtocolFault("a nack for nothing that can be sent again"))
            self._lost_nacks += 1
        else:
            events.append(ProtocolFault(f"a nack for operation {sent.packet.operation:02d}"))
        if max(self._lost_nacks, sent.resent if sent else 0) > self._config.resends:
            events.append(self._close(CloseReason.NOT_UNDERSTOOD, now))
        elif sent is not None:
            self._out.append(self._encoded(sent.packet))

    def _on_request(self, packet: Packet, now: float, events: list[Event]) -> None:
        operation, number = packet.operation, packet.number
        self._expected = (number + 2) % (2 * NUMBERS)
        if operation == Operation.ALIVE:  # answered in every state
            self._out.append(self._encoded(Packet(Operation.ALIVE_RESPONSE, number)))
            return
        self._active_at = now
        if self._requests.again(packet):
            self._out.append(self._requests.answer(packet))
            return
        wanted = _TO_SMSC if self._smsc else _TO_APPLICATION
        if self._smsc and packet.fault:
            self._refuse(None, number, Error.SYNTAX)
        elif operation in wanted and self._state in self._takes:
            self._requests.add(packet)
            events.append(RequestReceived(packet))
        elif self._smsc and operation == Operation.LOGIN and self._state is State.OPEN:
            self._requests.add(packet)
            self._enter(State.LOGGING_IN, now)
            events.append(LoginRequested(packet))
        elif self._smsc and operation == Operation.LOGOUT:
            self._out.append(self._encoded(Packet(Operation.LOGOUT_RESPONSE, number)))
            events.append(self._close(CloseReason.PEER_LOGGED_OUT, now))
        else:
            events.append(ProtocolFault(f"operation {operation:02d} in state {self._state.name}"))
            known = operation in wanted or operation == Operation.LOGIN
            self._refuse(operation if known else None, number, Error.UNEXPECTED_OPERATION)

    def _refuse(self, operation: int | None, number: int, code: int) -> None:
        """An error in the request's own response, or in a general one. An application has none for requests that it
        does not know: a nack."""
        if operation is None and not self._smsc:
            packet = Packet(Operation.NACK, number)
        else:
            kind = Operation.GENERAL_ERROR if operation is None else operation + RESPONSE
            packet = Packet(kind, number, refusal(code))
        self._out.append(self._encoded(packet))

    def _on_unreadable(self, error: Cimd2DecodeError, now: float, events: list[Event]) -> None:
        events.append(ProtocolFault(error.reason))
        self._unreadable += 1
        if self._unreadable > self._config.resends:
            events.append(self._close(CloseReason.UNREADABLE, now))
        elif error.operation <= RESPONSE:  # a response is never answered
            self._out.append(self._encoded(Packet(Operation.NACK, self._expected)))

    # --- tools --------------------------------------------------------------------------------------------------------

    def _request(
        self, operation: int, given: Parameters, now: float, context: Any, *, automatic: bool = False
    ) -> None:  # fmt: skip
        packet = Packet(operation, self._window.number(), given)
        data = self._encoded(packet)
        self._window.add(Sent(packet, context, now, now, automatic))
        self._out.append(data)

    def _encoded(self, packet: Packet) -> bytes:
        return encode(packet, self._checksum)

    def _enter(self, state: State, now: float) -> None:
        self._state = state
        config = self._config
        if state in (State.OPEN, State.LOGGING_IN):
            self._stage_deadline = now + config.login_timeout
        elif state is State.LOGGING_OUT:
            self._stage_deadline = now + config.logout_timeout
        else:
            self._stage_deadline = inf
        if state is State.UP:
            self._active_at = now
            self._keepalive.start(now)

    def _close(self, reason: CloseReason, now: float) -> Closed:
        self._enter(State.CLOSED, now)
        self._requests.clear()
        return Closed(reason, tuple(sent.context for sent in self._window.abandon()))
