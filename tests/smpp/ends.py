"""Two sessions joined in memory, under a clock that the test moves."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import TypeVar

from smsc_relay.smpp.codec import Decoded, decode, encode
from smsc_relay.smpp.events import Bind, BindRequested, Closed, Event
from smsc_relay.smpp.pdus import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    Outbind,
    SubmitSm,
    Unbind,
)
from smsc_relay.smpp.session import Role, Session, SessionConfig, State

E = TypeVar("E")

START = 1_000.0
# No timers but those a test asks for.
QUIET = SessionConfig(enquire_link_interval=None)
QUIET_SMSC = replace(QUIET, role=Role.SMSC)
SUBMIT = SubmitSm(source_addr="8080", destination_addr="250788123123", short_message=b"Love is patient.")
DELIVER = DeliverSm(source_addr="250788123123", destination_addr="8080", short_message=b"Love is kind.")
BINDS: dict[State, type[Bind]] = {
    State.BOUND_TX: BindTransmitter,
    State.BOUND_RX: BindReceiver,
    State.BOUND_TRX: BindTransceiver,
}


def raw(command_id: int, status: int = 0, sequence: int = 1, body: bytes = b"") -> bytes:
    """A PDU octet by octet."""
    return struct.pack(">IIII", 16 + len(body), command_id, status, sequence) + body


def header(data: bytes) -> tuple[int, int, int]:
    """command_id, command_status and sequence_number of the only PDU in `data`."""
    (frame,) = frames(data)
    command_id, status, sequence = struct.unpack(">III", frame[4:16])
    return command_id, status, sequence


def frames(data: bytes) -> list[bytes]:
    """The PDUs in `data`, which must be whole."""
    cut = []
    while data:
        length = int.from_bytes(data[:4], "big")
        assert 16 <= length <= len(data)
        cut.append(data[:length])
        data = data[length:]
    return cut


def decoded(data: bytes) -> list[Decoded]:
    """The PDUs in `data`, read."""
    return [decode(frame) for frame in frames(data)]


def only(events: list[Event], kind: type[E]) -> E:
    """The only event, which is of this kind."""
    (event,) = events
    assert isinstance(event, kind), event
    return event


@dataclass
class Pair:
    """An ESME and an SMSC. Octets move when the test says so."""

    esme_config: SessionConfig = QUIET
    smsc_config: SessionConfig = QUIET_SMSC
    first_sequence: int = 1
    now: float = START
    esme: Session = field(init=False)
    smsc: Session = field(init=False)

    def __post_init__(self) -> None:
        self.esme = Session(self.esme_config, self.now, self.first_sequence)
        self.smsc = Session(self.smsc_config, self.now)

    def to_smsc(self, data: bytes) -> list[Event]:
        return self.smsc.receive_data(data, self.now)

    def to_esme(self, data: bytes) -> list[Event]:
        return self.esme.receive_data(data, self.now)

    def settle(self) -> tuple[list[Event], list[Event]]:
        """What both sessions have to say by themselves is exchanged until neither has more: events of ESME, of SMSC."""
        of_esme: list[Event] = []
        of_smsc: list[Event] = []
        while True:
            up, down = self.esme.data_to_send(), self.smsc.data_to_send()
            if not up and not down:
                return of_esme, of_smsc
            of_smsc += self.to_smsc(up)
            of_esme += self.to_esme(down)

    def submit(self, context: object = None) -> int:
        """A submit_sm, which the SMSC gets; its sequence number."""
        sequence, data = self.esme.send(SUBMIT, self.now, context)
        self.to_smsc(data)
        return sequence

    def bind(self, request: Bind) -> list[Event]:
        """Bind and accept: events of the ESME."""
        _, data = self.esme.send(request, self.now)
        only(self.to_smsc(data), BindRequested)
        return self.to_esme(self.smsc.accept_bind(self.now, "smsc"))


def bound(
    state: State = State.BOUND_TRX,
    esme: SessionConfig = QUIET,
    smsc: SessionConfig = QUIET_SMSC,
    first_sequence: int = 1,
) -> Pair:
    """A pair with an accepted bind."""
    pair = Pair(esme, smsc, first_sequence)
    pair.bind(BINDS[state](system_id="ilha"))
    assert pair.esme.state is pair.smsc.state is state
    return pair


def session_in(role: Role, state: State, config: SessionConfig = QUIET) -> Session:
    """A session brought to `state` (UNBINDING and PARTING: from BOUND_TRX) by a real peer; PARTING has a submit_sm
    without an answer."""
    if role is Role.ESME:
        pair = Pair(config, QUIET_SMSC)
        session, peer = pair.esme, pair.smsc
    else:
        pair = Pair(QUIET, replace(config, role=Role.SMSC))
        session, peer = pair.smsc, pair.esme
    if state is State.OUTBOUND:
        pair.to_esme(pair.smsc.send(Outbind(), pair.now)[1])
    elif state is State.BINDING:
        pair.to_smsc(pair.esme.send(BindTransceiver(), pair.now)[1])
    elif state is State.CLOSED:
        session.abort(pair.now)
    elif state is State.UNBINDING:
        pair.bind(BindTransceiver())
        session.send(Unbind(), pair.now)
    elif state is State.PARTING:
        pair.bind(BindTransceiver())
        pair.to_smsc(pair.esme.send(SubmitSm(), pair.now)[1])
        pair.to_esme(encode(Unbind(), 7))
    elif state is not State.OPEN:
        pair.bind(BINDS[state]())
    assert session.state is state
    assert not session.data_to_send()
    assert not peer.data_to_send()
    return session


def closings(events: list[Event]) -> list[Closed]:
    return [event for event in events if isinstance(event, Closed)]
