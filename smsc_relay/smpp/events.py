"""What a session tells its owner. Times are seconds; `context` is what was given to `Session.send`.

No event prints a context, and PDUs print neither text nor addresses, so an event may go to a log.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from typing import Any

from chalicelib.values import value
from smsc_relay.smpp.codec import Flaw
from smsc_relay.smpp.constants import StatusClass
from smsc_relay.smpp.pdus import (
    BindReceiver,
    BindResp,
    BindTransceiver,
    BindTransmitter,
    GenericNack,
    Outbind,
    Pdu,
)
from smsc_relay.smpp.state import State

Bind = BindTransmitter | BindReceiver | BindTransceiver


class CloseReason(Enum):
    """Why a session is over."""

    CONNECTION_LOST = "connection lost"
    ABORTED = "aborted"  # `Session.abort`
    UNBOUND = "unbound"  # we asked; the peer answered, asked too, or just closed
    PEER_UNBOUND = "peer unbound"  # the peer asked
    UNBIND_TIMEOUT = "no answer to unbind"
    BIND_REFUSED = "bind refused"
    SESSION_INIT_TIMEOUT = "not bound in time"
    ENQUIRE_LINK_TIMEOUT = "no answer to enquire_link"
    FRAMING_ERROR = "framing error"


@value
class Lost:
    """A request whose answer can no longer come: whether the peer took it is unknown."""

    sequence: int
    context: Any = field(repr=False)
    waited: float


# --- bind and unbind ------------------------------------------------------------------------------------------------


@value
class Bound:
    """ESME: the bind has been accepted. `peer_version`: 0x33, 0x34, 0x50, ...; None: the SMSC does not say."""

    state: State
    system_id: str
    peer_version: int | None
    pdu: BindResp


@value
class BindRefused:
    """ESME: the bind has been refused; `Closed` follows."""

    status: int
    status_class: StatusClass
    pdu: BindResp | GenericNack


@value
class BindRequested:
    """SMSC: call `accept_bind`, which leads to `state`, or `refuse_bind`."""

    sequence: int
    pdu: Bind
    state: State


@value
class OutbindReceived:
    """ESME: check its system_id and password, then send a bind, or abort."""

    pdu: Outbind


@value
class Unbinding:
    """The peer unbinds (it has been answered, `Closed` follows), or inactivity has made us unbind."""

    by_peer: bool
    reason: str


@value
class Closed:
    """The last event of every session, and the only one of its kind: write `data_to_send()`, close the connection."""

    reason: CloseReason
    lost: tuple[Lost, ...] = ()
    detail: str = ""


# --- our requests ---------------------------------------------------------------------------------------------------


@value
class Response:
    """The answer to a request of ours. `pdu` may be GenericNack; `status` is then never 0."""

    sequence: int
    context: Any = field(repr=False)
    pdu: Pdu
    status: int
    rtt: float
    flaws: tuple[Flaw, ...] = ()


@value
class LateResponse:
    """The answer to a request for which `ResponseTimeout` has been told before."""

    sequence: int
    context: Any = field(repr=False)
    pdu: Pdu
    status: int
    rtt: float
    flaws: tuple[Flaw, ...] = ()


@value
class ResponseTimeout:
    """No answer within the response time-out; a `LateResponse` may still come."""

    sequence: int
    context: Any = field(repr=False)
    waited: float


# --- the peer's requests, and its mistakes --------------------------------------------------------------------------


@value
class RequestReceived:
    """A request of the peer: answer it with `respond`, unless it is an alert_notification, which has no response."""

    sequence: int
    pdu: Pdu
    flaws: tuple[Flaw, ...] = ()


@value
class Alive:
    """The answer to an enquire_link of the session's own, where it says more than that: it has TLVs."""

    pdu: Pdu


@value
class UnexpectedResponse:
    """A response to nothing we have asked, or of another kind than what we have asked; ignored."""

    sequence: int
    pdu: Pdu
    status: int


@value
class ProtocolFault:
    """The peer has broken a rule; it has been answered where an answer is due."""

    status: int
    reason: str
    sequence: int
    command_id: int


Event = (
    Bound
    | BindRefused
    | BindRequested
    | OutbindReceived
    | Unbinding
    | Closed
    | Response
    | LateResponse
    | ResponseTimeout
    | RequestReceived
    | Alive
    | UnexpectedResponse
    | ProtocolFault
)
