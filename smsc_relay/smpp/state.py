"""Which request may be sent by whom, and when (SMPP 3.4 sections 2.2 and 2.3; SMPP 5.0 chapter 2).

The states are those of the session, seen alike from both ends:

    OPEN --outbind--> OUTBOUND
    OPEN, OUTBOUND --bind_*--> BINDING --bind_*_resp, ROK--> BOUND_TX | BOUND_RX | BOUND_TRX
    BOUND_* --unbind sent--> UNBINDING --unbind_resp--> CLOSED
    BOUND_* --unbind received, answered--> CLOSED
    BOUND_* --unbind received by an ESME, messages not answered yet--> PARTING --all answered, or time-out--> CLOSED
    anything --connection gone, framing lost, time-out, bind refused--> CLOSED

BINDING, UNBINDING and PARTING are not in the specifications: they are the time between a request and its answer. An
end that has sent unbind goes on accepting what its peer may have sent before seeing it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from smsc_relay.smpp.constants import CommandId


class Role(Enum):
    """Which end of the session."""

    ESME = "esme"  # the client: binds
    SMSC = "smsc"  # the message centre: is bound to

    @property
    def peer(self) -> Role:
        """The other end."""
        return Role.SMSC if self is Role.ESME else Role.ESME


class State(Enum):
    """Where a session is."""

    OPEN = "open"  # connected, not bound
    OUTBOUND = "outbound"  # the SMSC has sent outbind and waits for a bind
    BINDING = "binding"  # a bind waits for its answer
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    UNBINDING = "unbinding"  # our unbind waits for its answer
    PARTING = "parting"  # the peer's unbind waits for our answer
    CLOSED = "closed"


BOUND_STATES: Final = frozenset({State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX})
SUBMITTING_STATES: Final = frozenset({State.BOUND_TX, State.BOUND_TRX})

# What a bind leads to when it is accepted.
BIND_STATE: Final[dict[int, State]] = {
    CommandId.BIND_TRANSMITTER: State.BOUND_TX,
    CommandId.BIND_RECEIVER: State.BOUND_RX,
    CommandId.BIND_TRANSCEIVER: State.BOUND_TRX,
}

# Requests that have no response PDU, and those that have one.
WITHOUT_RESPONSE: Final[frozenset[int]] = frozenset({CommandId.OUTBIND, CommandId.ALERT_NOTIFICATION})
WITH_RESPONSE: Final[frozenset[int]] = frozenset(CommandId) - WITHOUT_RESPONSE - {CommandId.GENERIC_NACK}

_BINDS: Final[frozenset[int]] = frozenset(BIND_STATE)
# Requests whose answers change the state: at most one of them waits.
SESSION_REQUESTS: Final[frozenset[int]] = _BINDS | {CommandId.UNBIND}
_TO_SMSC: Final[frozenset[int]] = frozenset(
    {
        CommandId.SUBMIT_SM,
        CommandId.SUBMIT_MULTI,
        CommandId.DATA_SM,
        CommandId.QUERY_SM,
        CommandId.CANCEL_SM,
        CommandId.REPLACE_SM,
        CommandId.BROADCAST_SM,
        CommandId.QUERY_BROADCAST_SM,
        CommandId.CANCEL_BROADCAST_SM,
        CommandId.PARAM_RETRIEVE,
        CommandId.QUERY_LAST_MSGS,
        CommandId.QUERY_MSG_DETAILS,
    }
)
_TO_ESME: Final[frozenset[int]] = frozenset({CommandId.DELIVER_SM, CommandId.DATA_SM, CommandId.ALERT_NOTIFICATION})

# What sessions are for; all else is about the session itself.
OPERATIONS: Final[frozenset[int]] = _TO_SMSC | _TO_ESME

# SMPP 5.0 allows enquire_link in every state; SMPP 3.4 only when bound, but deployed SMSCs send it earlier and want it
# answered.
_ANY: Final[frozenset[int]] = frozenset({CommandId.ENQUIRE_LINK})
_BOUND: Final[frozenset[int]] = _ANY | {CommandId.UNBIND}
_NOTHING: Final[frozenset[int]] = frozenset()

MAY_SEND: Final[dict[Role, dict[State, frozenset[int]]]] = {
    Role.ESME: {
        State.OPEN: _ANY | _BINDS,
        State.OUTBOUND: _ANY | _BINDS,
        State.BINDING: _ANY,
        State.BOUND_TX: _BOUND | _TO_SMSC,
        State.BOUND_RX: _BOUND,
        State.BOUND_TRX: _BOUND | _TO_SMSC,
        State.UNBINDING: _NOTHING,
        State.PARTING: _NOTHING,
        State.CLOSED: _NOTHING,
    },
    Role.SMSC: {
        State.OPEN: _ANY | {CommandId.OUTBIND},
        State.OUTBOUND: _ANY,
        State.BINDING: _ANY,
        State.BOUND_TX: _BOUND,
        State.BOUND_RX: _BOUND | _TO_ESME,
        State.BOUND_TRX: _BOUND | _TO_ESME,
        State.UNBINDING: _NOTHING,
        State.PARTING: _NOTHING,
        State.CLOSED: _NOTHING,
    },
}
