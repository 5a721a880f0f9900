"""One UCP session, from connection to close, at either end: the rules of the protocol without I/O or clock.

    OPEN --login sent--> LOGGING_IN --positive result--> READY
    OPEN --no login wanted--> READY
    anything --connection gone, login refused, time-out, leave--> CLOSED

Octets go in with `receive_data` and come out as events; all that is to be written comes from `data_to_send`, to be
asked after every call. `now` is any monotonic clock in seconds. What a peer sends never raises: it becomes a
`ProtocolFault`.

The SMSC's end has no login of its own: it is READY at once and gets operation 60 as any other. Both ends may send
operations before the login has been answered, as some SMSCs do.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Any, Final

from smsc_relay.keepalive import Keepalive, Step
from smsc_relay.ucp.codec import Frame, FrameReader, decode, encode
from smsc_relay.ucp.constants import Ec, Ot, error_name
from smsc_relay.ucp.errors import LocalProtocolError, UcpDecodeError, UcpEncodeError
from smsc_relay.ucp.events import (
    Closed,
    CloseReason,
    Event,
    LoggedIn,
    LoginRefused,
    OperationReceived,
    ProtocolFault,
    Response,
    ResponseTimeout,
    Token,
)
from smsc_relay.ucp.operations import (
    Ack,
    Alert,
    Nack,
    Operation,
    Result,
    SessionManagement,
    operation_frame,
    read_operation,
    read_result,
    result_frame,
)
from smsc_relay.ucp.transactions import Sent, Transactions


class Role(Enum):
    """Which end of the session."""

    CLIENT = "client"  # the large account
    SMSC = "smsc"


class State(Enum):
    """Where a session is."""

    OPEN = "open"  # connected
    LOGGING_IN = "logging in"
    READY = "ready"
    CLOSED = "closed"


# What each end may be sent.
_TAKES: Final[dict[Role, frozenset[int]]] = {
    Role.CLIENT: frozenset({Ot.CALL_INPUT, Ot.TRANSFER, Ot.ALERT, Ot.DELIVER, Ot.NOTIFICATION, Ot.NOTIFICATION_59}),
    Role.SMSC: frozenset({Ot.CALL_INPUT, Ot.TRANSFER, Ot.ALERT, Ot.SUBMIT, Ot.SESSION}),
}
_NO_MESSAGES: Final = Ack("0000")  # messages that wait for us, in the answer to an alert


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Settings of a session; times in seconds."""

    role: Role = Role.CLIENT
    alert: Alert | None = None  # sent to see whether the peer lives; None: never
    alert_interval: float | None = None  # after so much silence, or (fixed) that often
    alert_fixed: bool = False
    alert_misses: int = 1
    stop_and_wait: bool = False  # an operation goes out only when nothing waits for its result
    login_timeout: float = 30.0
    response_timeout: float = 60.0
    close_after_timeout: bool = False
    inactivity_timeout: float | None = None
    late_memory: float = 3600.0
    lenient: bool = False  # read frames with a wrong length or checksum
    unreadable_max: int = 20  # frames in a row: the peer speaks something else


class Session:
    """One session. After `Closed`, which comes exactly once, it does nothing more; `now` must never go back."""

    def __init__(self, config: SessionConfig, now: float) -> None:
        self._config = config
        self._reader = FrameReader()
        self._out: list[bytes] = []
        self._sent = Transactions(config.response_timeout, config.late_memory)
        self._control: Sent | None = None  # our login, or (stop and wait) our alert: nothing else may go out
        self._held: deque[tuple[Operation, Any]] = deque()  # to be sent when that is possible
        self._owed: Counter[Token] = Counter()
        self._open: dict[Token, Operation] = {}  # the last of those
        self._unreadable = 0  # in a row
        self._keepalive = Keepalive(
            config.alert_interval if config.alert else None,
            config.alert_fixed,
            config.response_timeout,
            config.alert_misses,
            now,
        )
        self._active_at = now
        self._automatic = 0  # of those in flight
        self.heard = False  # something that could be read
        self.answer_alerts = True  # false: leave the peer's alerts without an answer
        self.state = State.READY if config.role is Role.SMSC else State.OPEN
        self._login_deadline = inf if config.role is Role.SMSC else now + config.login_timeout

    # --- what it is like now ------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Operations may be sent."""
        return self.state is State.READY

    @property
    def closed(self) -> bool:
        return self.state is State.CLOSED

    @property
    def noise(self) -> bytes:
        """The beginning of what has come outside of frames."""
        return self._reader.noise

    @property
    def in_flight(self) -> int:
        """Operations of ours without a result, sent or held back; login and the session's own alerts do not count."""
        return len(self._sent) - self._automatic + len(self._held)

    # --- what the owner does ------------------------------------------------------------------------------------------

    def login(self, request: SessionManagement | None, now: float) -> None:
        """Log in; None: this account needs no login, the session is ready.

        Raises:
            LocalProtocolError: not at the beginning of a client's session.
        """
        if self.state is not State.OPEN:
            raise LocalProtocolError(f"no login in state {self.state.value}")
        if request is None:
            self._become_ready(now)
            return
        self.state = State.LOGGING_IN
        self._login_deadline = now + self._config.login_timeout
        self._control = self._transmit(request, None, now, automatic=True)

    def send(self, operation: Operation, now: float, context: Any = None) -> None:
        """An operation of ours, at once or as soon as the peer may be sent one. `context` comes back with its result.

        Raises:
            LocalProtocolError: the session is not ready.
            UcpEncodeError: a field does not fit; nothing has changed.
        """
        if self.state is not State.READY:
            raise LocalProtocolError(f"no operations in state {self.state.value}")
        if self._held or not self._free(now):
            encode(operation_frame(operation, 0))  # what cannot be written is told now
            self._held.append((operation, context))
        else:
            self._transmit(operation, context, now)

    def respond(self, token: Token, result: Result) -> None:
        """The result of an `OperationReceived`.

        Raises:
            LocalProtocolError: no such operation waits, or the session is closed.
            UcpEncodeError: a field does not fit.
        """
        if not self._owed[token]:
            raise LocalProtocolError(f"no operation {token.ot:02d} waits for a result")
        data = encode(result_frame(result, *token))
        self._paid(token)
        self._out.append(data)

    def forgo(self, token: Token) -> None:
        """Leave an operation without a result: silence is an answer too (raises as `respond`)."""
        if not self._owed[token]:
            raise LocalProtocolError(f"no operation {token.ot:02d} waits for a result")
        self._paid(token)

    def leave(self, now: float) -> list[Event]:
        """We are about to close the connection, which is UCP's logout."""
        return self._over(CloseReason.LEFT)

    def connection_lost(self, now: float) -> list[Event]:
        """The connection is gone."""
        return self._over(CloseReason.CONNECTION_LOST)

    def data_to_send(self) -> bytes:
        """Octets for the peer since the last call."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `tick` is due at the latest; None: never."""
        deadline = min(self._login_deadline, self._sent.next_deadline())
        if self.state is State.READY:
            deadline = min(deadline, self._inactive_at())
            if not self._busy:
                deadline = min(deadline, self._keepalive.next_deadline())
        return None if deadline == inf else deadline

    def tick(self, now: float) -> list[Event]:
        """Time has passed. Early calls do no harm."""
        if self.closed:
            return []
        if self._login_deadline <= now:
            return [self._close(CloseReason.LOGIN_TIMEOUT)]
        events: list[Event] = []
        for sent in self._sent.expire(now):
            self._automatic -= sent.automatic
            if sent is self._control and self.state is State.READY:  # a login has a time-out of its own
                self._control = None
            if not sent.automatic:
                events.append(ResponseTimeout(sent.context, now - sent.at))
        if events and self._config.close_after_timeout:
            return [*events, self._close(CloseReason.RESPONSE_TIMEOUT)]
        if self._sent.choked:
            return [*events, self._close(CloseReason.NO_TRN_LEFT)]
        if self.state is State.READY:
            self._tick_ready(now, events)
        return events

    def _tick_ready(self, now: float, events: list[Event]) -> None:
        if self._inactive_at() <= now:
            events.append(self._close(CloseReason.INACTIVE))
            return
        if not self._busy:
            step = self._keepalive.step(now)
            if step is Step.DEAD:
                events.append(self._close(CloseReason.ALERT_TIMEOUT))
                return
            if step is Step.PROBE and self._config.alert and not self._sent.full:
                probe = self._transmit(self._config.alert, None, now, automatic=True)
                if self._config.stop_and_wait:
                    self._control = probe
        self._pump(now)

    @property
    def _busy(self) -> bool:
        """With stop and wait an alert must wait for the result of what is in flight."""
        return self._config.stop_and_wait and len(self._sent) > self._automatic

    def _inactive_at(self) -> float:
        timeout = self._config.inactivity_timeout
        return inf if timeout is None else self._active_at + timeout

    # --- what the peer does -------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """Octets from the peer, cut anywhere. Never raises for what they are."""
        events: list[Event] = []
        reader = self._reader
        reader.feed(data)
        while not self.closed:
            body = reader.next_frame()
            if body is None:
                break
            self._keepalive.heard(now)
            try:
                frame = decode(body, lenient=self._config.lenient)
                self._unreadable, self.heard = 0, True
                if frame.result:
                    self._on_result(frame, read_result(frame), now, events)
                else:
                    self._on_operation(frame, now, events)
            except UcpDecodeError as error:
                self._on_unreadable(error, events)
        for _ in range(reader.take_overlong()):
            self._bear(events, "a frame without end")
        if not self.closed:
            self._pump(now)
        return events

    def _on_result(self, frame: Frame, result: Result, now: float, events: list[Event]) -> None:
        sent = self._sent.take(frame.trn, frame.ot, now)
        if sent is None:
            events.append(ProtocolFault(f"a result of operation {frame.ot:02d} to nothing that we have asked"))
            return
        late = sent.timed_out_at is not None
        if not late:
            self._automatic -= sent.automatic
        if sent is self._control:
            self._control = None
            if self.state is State.LOGGING_IN:
                self._on_login_result(result, now, events)
                return
        if not sent.automatic:
            self._active_at = now
            events.append(Response(sent.context, result, now - sent.at, late))

    def _on_login_result(self, result: Result, now: float, events: list[Event]) -> None:
        if isinstance(result, Ack):
            self._become_ready(now)
            events.append(LoggedIn(result.sm))
        else:
            events.append(LoginRefused(result.ec, result.sm))
            events.append(self._close(CloseReason.LOGIN_REFUSED))

    def _on_operation(self, frame: Frame, now: float, events: list[Event]) -> None:
        if frame.ot not in _TAKES[self._config.role]:
            reason = f"operation {frame.ot:02d} is not for the {self._config.role.value}"
            raise UcpDecodeError(Ec.UNSUPPORTED, reason, frame.trn, frame.ot)
        operation = read_operation(frame)
        if isinstance(operation, Alert):
            if self.answer_alerts:
                self._out.append(encode(result_frame(_NO_MESSAGES, frame.trn, frame.ot)))
            return
        self._active_at = now
        token = Token(frame.trn, frame.ot)
        if self._open.get(token) == operation:
            return  # sent again before its result, which there is one of
        self._owed[token] += 1
        self._open[token] = operation
        events.append(OperationReceived(token, operation))

    def _on_unreadable(self, error: UcpDecodeError, events: list[Event]) -> None:
        self._bear(events, error.reason)
        if not error.result and error.trn >= 0:
            refusal = Nack(error.ec, error_name(error.ec))
            self._out.append(encode(result_frame(refusal, error.trn, error.ot)))

    def _bear(self, events: list[Event], reason: str) -> None:
        if self.closed:
            return
        events.append(ProtocolFault(reason))
        self._unreadable += 1
        if self._unreadable > self._config.unreadable_max:
            events.append(self._close(CloseReason.UNREADABLE))

    # --- tools --------------------------------------------------------------------------------------------------------

    def _free(self, now: float) -> bool:
        """May an operation go out now? With stop and wait, an alert that is due goes first."""
        if self._control is not None or self._sent.full:
            return False
        if not self._config.stop_and_wait:
            return True
        return not len(self._sent) and self._keepalive.next_deadline() > now

    def _pump(self, now: float) -> None:
        while self._held and self._free(now):
            operation, context = self._held.popleft()
            self._transmit(operation, context, now)

    def _transmit(self, operation: Operation, context: Any, now: float, *, automatic: bool = False) -> Sent:
        sent = self._sent.add(operation.ot, context, now, automatic=automatic)
        try:
            self._out.append(encode(operation_frame(operation, sent.trn)))
        except UcpEncodeError:
            self._sent.take(sent.trn, sent.ot, now)
            raise
        self._automatic += automatic
        return sent

    def _paid(self, token: Token) -> None:
        self._owed[token] -= 1
        if not self._owed[token]:
            del self._owed[token], self._open[token]

    def _become_ready(self, now: float) -> None:
        self.state = State.READY
        self._login_deadline = inf
        self._active_at = now
        self._keepalive.start(now)

    def _close(self, reason: CloseReason) -> Closed:
        self.state = State.CLOSED
        self._login_deadline = inf
        self._control = None
        self._owed.clear()
        self._open.clear()
        self._automatic = 0
        unsent = tuple(context for _, context in self._held)
        self._held.clear()
        return Closed(reason, self._sent.abandon(), unsent)

    def _over(self, reason: CloseReason) -> list[Event]:
        return [] if self.closed else [self._close(reason)]
