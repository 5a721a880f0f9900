"""What a session tells its owner. Times are seconds; `context` is what was given to `Session.send`.

No event prints a context, and operations print neither text nor addresses, so an event may go to a log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from smsc_relay.ucp.operations import Operation, Result


class CloseReason(Enum):
    """Why a session is over."""

    CONNECTION_LOST = "connection lost"
    LEFT = "left"  # `Session.leave`: UCP has no logout, one just closes
    LOGIN_REFUSED = "login refused"
    LOGIN_TIMEOUT = "not logged in in time"
    ALERT_TIMEOUT = "no answer to alert"
    RESPONSE_TIMEOUT = "no answer to an operation"
    NO_TRN_LEFT = "all transaction numbers are taken by operations without an answer"
    INACTIVE = "inactive"
    UNREADABLE = "frames that cannot be read"


class Token(NamedTuple):
    """Names an operation of the peer that waits for its result."""

    trn: int
    ot: int


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The SMSC has accepted our login."""

    text: str


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """It has not; `Closed` follows."""

    ec: int
    text: str


@dataclass(frozen=True, slots=True)
class Response:
    """The result of an operation of ours. `late`: after its `ResponseTimeout`."""

    context: Any = field(repr=False)
    result: Result
    rtt: float
    late: bool = False


@dataclass(frozen=True, slots=True)
class ResponseTimeout:
    """No result within the response time-out; a late one may still come."""

    context: Any = field(repr=False)
    waited: float


@dataclass(frozen=True, slots=True)
class OperationReceived:
    """An operation of the peer: answer it with `respond`."""

    token: Token
    operation: Operation


@dataclass(frozen=True, slots=True)
class ProtocolFault:
    """The peer has broken a rule; it has been answered where an answer is due."""

    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The last event of every session, and the only one of its kind: write `data_to_send()`, close the connection.

    `lost`: contexts of operations whose result can no longer come; `unsent`: of those that have never left.
    """

    reason: CloseReason
    lost: tuple[Any, ...] = ()
    unsent: tuple[Any, ...] = ()


Event = LoggedIn | LoginRefused | Response | ResponseTimeout | OperationReceived | ProtocolFault | Closed
