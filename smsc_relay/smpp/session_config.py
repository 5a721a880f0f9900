"""The settings of a session."""

from __future__ import annotations

from dataclasses import dataclass

from smsc_relay.smpp.codec import LIMITS_33, LIMITS_34, LIMITS_50, Limits
from smsc_relay.smpp.constants import DEFAULT_MAX_PDU, VERSION_34, VERSION_50
from smsc_relay.smpp.state import Role

_ABOVE_ZERO = (
    "session_init_timeout",
    "response_timeout",
    "enquire_link_interval",
    "enquire_link_misses",
    "inactivity_timeout",
    "unbind_timeout",
    "parting_timeout",
)


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Settings of a session; times in seconds. SMPP 3.4 section 7.2 names the timers.

    Raises:
        ValueError: a time-out, an interval or the number of misses is not above 0.
    """

    role: Role = Role.ESME
    interface_version: int = VERSION_34
    limits: Limits | None = None  # field sizes when encoding; None: those of interface_version
    max_pdu: int = DEFAULT_MAX_PDU  # octets, of a PDU received
    strict: bool = False  # refuse requests with flaws that can be read over
    session_init_timeout: float = 30.0  # for each step from the connection to the bind's answer
    response_timeout: float = 60.0  # SMPP 3.4 calls it response_timer
    # Send enquire_link when nothing has been received for so long, or (fixed) that often; None: never.
    enquire_link_interval: float | None = 30.0
    enquire_link_fixed: bool = False
    # The peer is dead when so many times in a row nothing has come within the response time-out of an enquire_link.
    enquire_link_misses: int = 1
    # Unbind when the peer has neither sent a request nor answered one, our own enquire_link apart, for so long.
    inactivity_timeout: float | None = None
    unbind_timeout: float = 10.0
    parting_timeout: float = 5.0  # that the ESME waits, before it answers an unbind, for answers that are under way
    late_memory: float = 3600.0  # for so long after its time-out is the answer to a request known for what it is
    late_memory_max: int = 10_000  # requests

    def __post_init__(self) -> None:
        for name in _ABOVE_ZERO:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, not {value}")

    @property
    def effective_limits(self) -> Limits:
        """The limits to encode with."""
        if self.limits is not None:
            return self.limits
        if self.interface_version >= VERSION_50:
            return LIMITS_50
        return LIMITS_34 if self.interface_version >= VERSION_34 else LIMITS_33
