"""One SMPP session, from connection to close, at either end: the rules of the protocol without I/O or clock.

Octets go in with `receive_data` and come out as events; what the owner sends comes back as octets from `send` and
`respond`, and what the session has to say by itself (answers to enquire_link and unbind, refusals, its own
enquire_link) from `data_to_send`, to be written after every `receive_data` and `tick`. `now` is any monotonic clock in
seconds. What a peer sends never raises: it becomes a `ProtocolFault`. One class, since every rule reads or moves the
one state; its window, its keepalive and its tables are modules of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any, Final

from smsc_relay.keepalive import Keepalive, Step
from smsc_relay.smpp.bare import header_only, refusal
from smsc_relay.smpp.codec import Flaw, FrameReader, decode, encode
from smsc_relay.smpp.constants import (
    MAX_SEQUENCE,
    RESPONSE_BIT,
    VERSION_33,
    VERSION_34,
    CommandId,
    Status,
    Tag,
    bind_status_class,
)
from smsc_relay.smpp.errors import LocalProtocolError, SmppDecodeError, SmppFramingError
from smsc_relay.smpp.events import (
    Alive,
    Bind,
    BindRefused,
    BindRequested,
    Bound,
    Closed,
    CloseReason,
    Event,
    LateResponse,
    OutbindReceived,
    ProtocolFault,
    RequestReceived,
    Response,
    ResponseTimeout,
    Unbinding,
    UnexpectedResponse,
)
from smsc_relay.smpp.pdus import (
    BindReceiver,
    BindReceiverResp,
    BindResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    UnbindResp,
    int_tlv,
)
from smsc_relay.smpp.session_config import SessionConfig
from smsc_relay.smpp.state import (
    BIND_STATE,
    BOUND_STATES,
    MAY_SEND,
    OPERATIONS,
    SESSION_REQUESTS,
    SUBMITTING_STATES,
    WITHOUT_RESPONSE,
    Role,
    State,
)
from smsc_relay.smpp.window import Owed, Sent, Window

__all__ = ["Role", "Session", "SessionConfig", "State"]

# For what happens with every message: before Python 3.12, to get at a member of an enum costs as much as a call.
_ROK: Final = int(Status.ESME_ROK)
_ENQUIRE_LINK: Final = int(CommandId.ENQUIRE_LINK)
_BESIDE: Final = SESSION_REQUESTS | {_ENQUIRE_LINK}  # messages: one look-up tells these from them
_EARLY: Final = 100  # requests before the answer to our bind

_BIND_RESPONSES: Final[dict[int, type[BindTransmitterResp | BindReceiverResp | BindTransceiverResp]]] = {
    CommandId.BIND_TRANSMITTER: BindTransmitterResp,
    CommandId.BIND_RECEIVER: BindReceiverResp,
    CommandId.BIND_TRANSCEIVER: BindTransceiverResp,
}


class Session:
    """One session. After `Closed`, which comes exactly once, it does nothing more; `now` must never go back."""

    def __init__(self, config: SessionConfig, now: float, first_sequence: int = 1) -> None:
        if not 1 <= first_sequence <= MAX_SEQUENCE:
            raise ValueError(f"first_sequence must be in 1..{MAX_SEQUENCE}, not {first_sequence}")
        self._config = config
        self._limits = config.effective_limits
        self._reader = FrameReader(config.max_pdu)
        self._out: list[bytes] = []
        self._last_sequence = first_sequence - 1
        self._window = Window(config.response_timeout, config.late_memory, config.late_memory_max)
        self._control: Sent | None = None  # our bind or unbind that waits for its answer
        self._bind_request: tuple[int, Bind] | None = None  # the peer's bind that waits for accept or refuse
        self._unbind_request = 0  # the peer's, which is answered when all else is
        self._early: list[tuple[Pdu, int, tuple[Flaw, ...]]] = []  # what came before the answer to our bind
        self._owed = Owed()
        self._farewell: Closed | None = None  # closed by a call that answers no events
        self.peer_version: int | None = None  # 0x33, 0x34, 0x50, ...; None: not told
        self._binding_to = State.CLOSED  # what our bind leads to
        self._keepalive = Keepalive(
            config.enquire_link_interval,
            config.enquire_link_fixed,
            config.response_timeout,
            config.enquire_link_misses,
            now,
        )
        self._active_at = now  # the peer did something of its own accord
        # What the state means, kept since it is asked with every message:
        self.is_bound = False
        self.can_submit = False  # the bind is one for messages from the ESME to the SMSC
        self.closed = False
        self._enter(State.OPEN, now)

    # --- what it is like now ------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self._state

    @property
    def in_flight(self) -> int:
        """Our requests that wait for an answer; bind, unbind and enquire_link do not count."""
        return len(self._window) - self._window.aside

    @property
    def unanswered(self) -> int:
        """The peer's requests that wait for `respond`."""
        return len(self._owed)

    @property
    def version(self) -> int:
        """The version that both ends speak; ours as long as the peer has not told its own, as many that speak 3.4
        never do."""
        ours = self._config.interface_version
        return ours if self.peer_version is None else min(ours, self.peer_version)

    # --- what the owner does ------------------------------------------------------------------------------------------

    def send(self, request: Pdu, now: float, context: Any = None) -> tuple[int, bytes]:
        """A request of ours: its sequence number, and the octets to write. `context` comes back with its answer.

        Raises:
            LocalProtocolError: not a request, or not one that we may send in this state.
            SmppEncodeError: a field does not fit. In both cases nothing has changed.
        """
        command_id = request.command_id
        if command_id not in self._we_may:
            raise LocalProtocolError(
                f"{type(request).__name__} cannot be sent by the {self._config.role.name} in state {self._state.name}"
            )
        sequence = self._next_sequence()
        data = encode(request, sequence, _ROK, self._limits)
        self._last_sequence = sequence
        response = request.response
        if response is not None:
            sent = Sent(sequence, context, now, response)
            if command_id not in _BESIDE:
                self._window.add(sent)
            elif command_id == _ENQUIRE_LINK:
                sent.aside = True
                self._window.add(sent)
            else:
                self._ask_for(sent, command_id)
        elif command_id == CommandId.OUTBIND:
            self._enter(State.OUTBOUND, now)
        return sequence, data

    def _ask_for(self, sent: Sent, command_id: int) -> None:
        """Our bind or unbind is on its way."""
        self._control = sent
        if command_id == CommandId.UNBIND:
            self._enter(State.UNBINDING, sent.at)
        else:
            self._binding_to = BIND_STATE[command_id]
            self._enter(State.BINDING, sent.at)

    def respond(self, sequence: int, response: Pdu, status: int = Status.ESME_ROK) -> bytes:
        """The answer to a `RequestReceived`: the octets to write. A GenericNack, with a status, answers anything.

        Raises:
            LocalProtocolError: nothing with this sequence waits for this kind of answer, or the session is closed.
            SmppEncodeError: a field does not fit; the request still waits.
        """
        if isinstance(response, GenericNack) and status == _ROK:
            raise LocalProtocolError("a GenericNack needs a status")
        command_id = self._owed.matching(sequence, response)
        data = encode(response, sequence, status, self._limits)
        self._owed.remove(sequence, command_id)
        if self._state is State.PARTING and self._is_quiet():
            self._stage_deadline = self._active_at  # which is past: the next `tick` answers the unbind
        return data

    def accept_bind(
        self,
        now: float,
        system_id: str = "",
        tlvs: Iterable[tuple[int, bytes]] = (),
        announce_version: bool = True,
    ) -> bytes:
        """SMSC: yes to a `BindRequested`; the octets to write. sc_interface_version goes only to a peer that speaks
        3.4 or later, since 3.3 knows no TLVs.

        Raises:
            LocalProtocolError: no bind waits.
            SmppEncodeError: a field does not fit; the bind still waits.
        """
        sequence, request = self._waiting_bind()
        tlvs = tuple(tlvs)
        if announce_version and (self.peer_version or VERSION_33) >= VERSION_34:
            tlvs += (int_tlv(Tag.SC_INTERFACE_VERSION, self._config.interface_version),)
        response = _BIND_RESPONSES[request.command_id](system_id=system_id, tlvs=tlvs)
        data = encode(response, sequence, Status.ESME_ROK, self._limits)
        self._bind_request = None
        self._enter(BIND_STATE[request.command_id], now)
        return data

    def refuse_bind(self, status: int, now: float) -> bytes:
        """SMSC: no to a `BindRequested`; the octets to write. The session is over: the next call that answers events
        has Closed(BIND_REFUSED), and `next_deadline` is now.

        Raises:
            LocalProtocolError: no bind waits, or the status is ESME_ROK.
        """
        sequence, request = self._waiting_bind()
        if status == _ROK:
            raise LocalProtocolError("a refused bind needs a status")
        self._farewell = self._close(CloseReason.BIND_REFUSED, now)
        self._stage_deadline = now
        return refusal(request.command_id, sequence, status)

    def abort(self, now: float) -> list[Event]:
        """We are about to close the connection without further ado."""
        return self._over(CloseReason.ABORTED, now)

    def connection_lost(self, now: float) -> list[Event]:
        """The connection is gone. After an unbind of ours that is as good as an answer: many SMSCs give no other."""
        unbinding = self._state is State.UNBINDING
        return self._over(CloseReason.UNBOUND if unbinding else CloseReason.CONNECTION_LOST, now)

    def data_to_send(self) -> bytes:
        """What the session itself has to say since the last call."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `tick` is due at the latest; None: never."""
        deadline = min(self._stage_deadline, self._window.next_deadline())
        if self.is_bound:
            deadline = min(deadline, self._keepalive.next_deadline(), self._inactive_at())
        return None if deadline == inf else deadline

    def tick(self, now: float) -> list[Event]:
        """Time has passed. Early calls do no harm."""
        if self.closed:
            return self._last_words()
        events: list[Event] = [
            ResponseTimeout(sent.sequence, sent.context, now - sent.at)
            for sent in self._window.expire(now)
            if not sent.automatic
        ]
        if self._state is State.PARTING:
            if self._stage_deadline <= now or self._is_quiet():
                self._part(now, events)
        elif self._stage_deadline <= now:
            unbinding = self._state is State.UNBINDING
            reason = CloseReason.UNBIND_TIMEOUT if unbinding else CloseReason.SESSION_INIT_TIMEOUT
            events.append(self._close(reason, now))
        elif self.is_bound:
            self._tick_bound(now, events)
        return events

    def _tick_bound(self, now: float, events: list[Event]) -> None:
        step = self._keepalive.step(now)
        if step is Step.DEAD:
            events.append(self._close(CloseReason.ENQUIRE_LINK_TIMEOUT, now))
            return
        if step is Step.PROBE:
            self._window.add(self._ask(CommandId.ENQUIRE_LINK, EnquireLinkResp, now))
        if self._inactive_at() <= now:
            self._control = self._ask(CommandId.UNBIND, UnbindResp, now)
            self._enter(State.UNBINDING, now)
            events.append(Unbinding(by_peer=False, reason=f"inactive for {self._config.inactivity_timeout:g} s"))

    def _inactive_at(self) -> float:
        timeout = self._config.inactivity_timeout
        return inf if timeout is None else self._active_at + timeout

    def _ask(self, command_id: int, response: type[Pdu], now: float) -> Sent:
        sequence = self._last_sequence = self._next_sequence()
        self._out.append(header_only(command_id, sequence))
        return Sent(sequence, None, now, response, automatic=True, aside=True)

    # --- what the peer does -------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """Octets from the peer, cut anywhere. Never raises for what they are."""
        if self.closed:
            return self._last_words()
        events: list[Event] = []
        reader = self._reader
        reader.feed(data)
        heard = False
        while not self.closed:
            try:
                frame = reader.next_frame()
            except SmppFramingError as error:
                # Where the next PDU begins is unknown, and so is the sequence number of this one: SMPP 3.4 section 4.3.
                self._out.append(header_only(CommandId.GENERIC_NACK, 0, Status.ESME_RINVCMDLEN))
                events.append(ProtocolFault(Status.ESME_RINVCMDLEN, str(error), 0, 0))
                events.append(self._close(CloseReason.FRAMING_ERROR, now, str(error)))
                break
            if frame is None:
                break
            if not heard:
                heard = True
                self._keepalive.heard(now)
            try:
                pdu, sequence, status, flaws = decode(frame)
            except SmppDecodeError as error:
                self._on_unreadable(error, now, events)
                continue
            if pdu.command_id & RESPONSE_BIT:
                self._on_response(pdu, sequence, status, flaws, now, events)
            else:
                self._on_request(pdu, sequence, flaws, now, events)
        if self._state is State.PARTING and self._is_quiet():
            self._part(now, events)
        return events

    def _on_response(
        self, pdu: Pdu, sequence: int, status: int, flaws: tuple[Flaw, ...], now: float, events: list[Event]
    ) -> None:
        sent = self._window.find(sequence, now) if self._control is None else self._find(sequence, now)
        kind = type(pdu)
        if sent is None or (kind is not sent.response and kind is not GenericNack):
            events.append(UnexpectedResponse(sequence, pdu, status))
            return
        if kind is GenericNack and status == _ROK:
            status = Status.ESME_RUNKNOWNERR
        if sent is self._control:
            self._on_control_response(pdu, status, now, events)
            return
        self._window.remove(sent)
        if sent.automatic:
            if pdu.tlvs:
                events.append(Alive(pdu))
            return
        self._active_at = now
        answered = Response if sent.timed_out_at is None else LateResponse
        events.append(answered(sequence, sent.context, pdu, status, now - sent.at, flaws))

    def _on_control_response(self, pdu: Pdu, status: int, now: float, events: list[Event]) -> None:
        self._control = None
        if self._state is State.UNBINDING:
            events.append(self._close(CloseReason.UNBOUND, now))
        elif status == _ROK and isinstance(pdu, BindResp):
            reported = pdu.tlv_int(Tag.SC_INTERFACE_VERSION)
            self.peer_version = max(reported, VERSION_33) if reported else None  # 0 is met, and says nothing
            self._enter(self._binding_to, now)
            events.append(Bound(self._state, pdu.system_id or "", self.peer_version, pdu))
            early, self._early = self._early, []
            for request, sequence, flaws in early:
                self._on_request(request, sequence, flaws, now, events)
        elif isinstance(pdu, BindResp | GenericNack):
            events.append(BindRefused(status, bind_status_class(status), pdu))
            events.append(self._close(CloseReason.BIND_REFUSED, now))

    def _on_request(self, pdu: Pdu, sequence: int, flaws: tuple[Flaw, ...], now: float, events: list[Event]) -> None:
        self._active_at = now
        command_id = pdu.command_id
        if command_id == _ENQUIRE_LINK:  # answered in every state, before anything else
            self._out.append(header_only(command_id | RESPONSE_BIT, sequence))
        elif command_id not in self._peer_may:
            self._on_misplaced(pdu, sequence, flaws, events)
        elif flaws and self._config.strict:
            self._refuse(command_id, sequence, flaws[0].status, flaws[0].reason, events)
        elif command_id in OPERATIONS:
            if command_id not in WITHOUT_RESPONSE:
                self._owed.add(sequence, command_id)
            events.append(RequestReceived(sequence, pdu, flaws))
        elif command_id == CommandId.UNBIND:
            self._on_unbind(sequence, now, events)
        elif isinstance(pdu, BindTransceiver | BindTransmitter | BindReceiver):
            self._bind_request = (sequence, pdu)
            self.peer_version = max(pdu.interface_version, VERSION_33)  # 0x00 to 0x33: SMPP 3.4 section 5.2.4
            self._enter(State.BINDING, now)
            events.append(BindRequested(sequence, pdu, BIND_STATE[command_id]))
        elif isinstance(pdu, Outbind):
            self._enter(State.OUTBOUND, now)
            events.append(OutbindReceived(pdu))

    def _on_misplaced(self, pdu: Pdu, sequence: int, flaws: tuple[Flaw, ...], events: list[Event]) -> None:
        """An SMSC may hand on messages in one thread and answer the bind in another: what is only a moment early
        waits for the answer. More than that is to come again; all else is refused."""
        command_id, role = pdu.command_id, self._config.role
        status = Status.ESME_RINVBNDSTS
        if self._state is State.BINDING and command_id in OPERATIONS & MAY_SEND[role.peer][self._binding_to]:
            if len(self._early) < _EARLY:
                self._early.append((pdu, sequence, flaws))
                return
            status = Status.ESME_RX_T_APPN
        elif command_id in BIND_STATE and role is Role.SMSC:
            status = Status.ESME_RALYBND
        reason = f"{type(pdu).__name__} is not for the {role.name} in state {self._state.name}"
        self._refuse(command_id, sequence, status, reason, events)

    def _on_unbind(self, sequence: int, now: float, events: list[Event]) -> None:
        """An SMSC that unbinds may have answers under way: what both owe each other is waited for, for a while."""
        crossed = self._state is State.UNBINDING  # both have asked: neither needs to wait for the other's answer
        events.append(Unbinding(by_peer=True, reason="the peer has unbound"))
        self._unbind_request = sequence
        if not crossed and self._config.role is Role.ESME and not self._is_quiet():
            self._enter(State.PARTING, now)
        else:
            self._part(now, events, CloseReason.UNBOUND if crossed else CloseReason.PEER_UNBOUND)

    def _is_quiet(self) -> bool:
        """Neither end owes the other an answer to a message."""
        return not self.in_flight and not self._owed

    def _part(self, now: float, events: list[Event], reason: CloseReason = CloseReason.PEER_UNBOUND) -> None:
        """Answer the peer's unbind."""
        self._out.append(header_only(CommandId.UNBIND | RESPONSE_BIT, self._unbind_request))
        events.append(self._close(reason, now))

    def _on_unreadable(self, error: SmppDecodeError, now: float, events: list[Event]) -> None:
        if not error.command_id & RESPONSE_BIT:
            self._active_at = now
            self._refuse(error.command_id, error.sequence, error.status, error.reason, events)
            return
        # A response is never answered. One that answers a request of ours has said the most important thing in its
        # header, so it counts as an answer without content.
        events.append(ProtocolFault(error.status, error.reason, error.sequence, error.command_id))
        sent = self._find(error.sequence, now)
        if sent is not None and error.command_id == sent.response.command_id:
            flaws = (Flaw(error.status, error.reason),)
            self._on_response(sent.response(), error.sequence, error.command_status, flaws, now, events)

    # --- tools --------------------------------------------------------------------------------------------------------

    def _refuse(self, command_id: int, sequence: int, status: int, reason: str, events: list[Event]) -> None:
        self._out.append(refusal(command_id, sequence, status))
        events.append(ProtocolFault(status, reason, sequence, command_id))

    def _find(self, sequence: int, now: float) -> Sent | None:
        control = self._control
        if control is not None and control.sequence == sequence:
            return control
        return self._window.find(sequence, now)

    def _next_sequence(self) -> int:
        """The next free number: never one whose answer could still come, however late."""
        sequence = self._last_sequence
        while True:
            sequence = sequence + 1 if sequence < MAX_SEQUENCE else 1
            if sequence not in self._window and (self._control is None or self._control.sequence != sequence):
                return sequence

    def _waiting_bind(self) -> tuple[int, Bind]:
        if self._bind_request is None:
            raise LocalProtocolError(f"no bind waits for an answer in state {self._state.name}")
        return self._bind_request

    def _enter(self, state: State, now: float) -> None:
        role = self._config.role
        self._state = state
        self.is_bound, self.can_submit = state in BOUND_STATES, state in SUBMITTING_STATES
        self.closed = state is State.CLOSED
        self._we_may = MAY_SEND[role][state]
        if state is State.PARTING:
            self._stage_deadline = now + self._config.parting_timeout
            self._peer_may = MAY_SEND[role.peer][state]
            return
        if state is State.UNBINDING:  # what the peer may send stays: it may not have seen our unbind yet
            self._stage_deadline = now + self._config.unbind_timeout
            return
        self._peer_may = MAY_SEND[role.peer][state]
        if self.is_bound:
            self._stage_deadline = inf
            self._active_at = now
            self._keepalive.start(now)
        elif self.closed:
            self._stage_deadline = inf
        else:
            self._stage_deadline = now + self._config.session_init_timeout

    def _close(self, reason: CloseReason, now: float, detail: str = "") -> Closed:
        self._enter(State.CLOSED, now)
        self._control = self._bind_request = None
        self._early.clear()
        self._owed.clear()
        return Closed(reason, self._window.abandon(now), detail)

    def _over(self, reason: CloseReason, now: float) -> list[Event]:
        return self._last_words() if self.closed else [self._close(reason, now)]

    def _last_words(self) -> list[Event]:
        farewell, self._farewell = self._farewell, None
        self._stage_deadline = inf
        return [] if farewell is None else [farewell]
