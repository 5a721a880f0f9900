"""The settings of a session."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal


class Side(Enum):
    """Which end of the session."""

    APPLICATION = "application"  # the client: logs in
    SMSC = "smsc"


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Settings of a session; times in seconds.

    Raises:
        ValueError: a time-out, an interval or the number of misses is not above 0.
    """

    side: Side = Side.APPLICATION
    checksum: Literal["auto", "upper", "lower", "none"] = "auto"
    verify_checksum: bool = True
    login_timeout: float = 30.0  # for the connection to be logged in
    response_timeout: float = 60.0
    alive_interval: float | None = 30.0  # send alive when nothing has come for so long, or (fixed) that often
    alive_fixed: bool = False
    alive_misses: int = 1
    inactivity_timeout: float | None = None  # log out when nothing but alive has passed for so long
    logout_timeout: float = 10.0
    resends: int = 3  # of a packet that the peer has not understood; as many nacks of nothing that we have sent are
    # borne in a row, and as many unreadable packets of its own
    late_memory: float = 3600.0  # for so long after its time-out is the answer to a request known for what it is

    def __post_init__(self) -> None:
        for name in ("login_timeout", "response_timeout", "alive_interval", "alive_misses", "inactivity_timeout",
                     "logout_timeout"):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, not {value}")
