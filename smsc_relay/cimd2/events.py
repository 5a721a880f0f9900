"""What a session tells its owner. Times are seconds; `context` is what was given to `Session.send`.

No event prints a context, and packets print neither text nor addresses, so an event may go to a log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from smsc_relay.cimd2.codec import Packet


class CloseReason(Enum):
    """Why a session is over."""

    CONNECTION_LOST = "connection lost"
    ABORTED = "aborted"
    LOGGED_OUT = "logged out"
    PEER_LOGGED_OUT = "peer logged out"
    LOGOUT_TIMEOUT = "no answer to logout"
    LOGIN_REFUSED = "login refused"
    LOGIN_TIMEOUT = "not logged in in time"
    ALIVE_TIMEOUT = "no answer to alive"
    NOT_UNDERSTOOD = "packets that the peer did not understand"
    UNREADABLE = "packets that cannot be read"
    NO_NUMBER_LEFT = "all packet numbers are taken by requests without an answer"


@dataclass(frozen=True, slots=True)
class LoginRequested:
    """SMSC: call `accept_login` or `refuse_login`."""

    packet: Packet


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Application: the login has been accepted."""


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """Application: it has been refused: `login` again, or `abort`."""

    code: int
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request of ours. `code`: its error code, 0 for none; `late`: after its `ResponseTimeout`."""

    context: Any = field(repr=False)
    request: Packet
    packet: Packet
    code: int
    rtt: float
    late: bool = False


@dataclass(frozen=True, slots=True)
class ResponseTimeout:
    """No answer within the response time-out."""

    context: Any = field(repr=False)
    waited: float


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A request of the peer: answer it with `respond`."""

    packet: Packet


@dataclass(frozen=True, slots=True)
class ProtocolFault:
    """The peer has broken a rule; it has been answered where an answer is due."""

    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The last event of every session, and the only one of its kind: write `data_to_send()`, close the connection.
    `lost`: contexts of requests whose answer can no longer come."""

    reason: CloseReason
    lost: tuple[Any, ...] = field(default=(), repr=False)


Event = LoginRequested | LoggedIn | LoginRefused | Response | ResponseTimeout | RequestReceived | ProtocolFault | Closed
