"""How long a link waits before it connects again. No I/O, no clock, no chance of its own."""

from __future__ import annotations

from typing import Final

from smsc_relay.config import LinkConfig
from smsc_relay.protocol import Refused

REFUSED_STEPS: Final = (1, 5, 15)  # times `refused_delay`, from refusal to refusal: hammering locks accounts
MISSED: Final = 0.1  # of an outage, by which it may be prolonged


def wait_after(
    config: LinkConfig, failures: int, refusals: int, refused: Refused | None, lasted: float, spread: float
) -> float:
    """Seconds until the next attempt to connect.

    `failures` in a row, this one included; `refusals` of credentials before this one; `lasted`: seconds for which
    nobody has answered, infinite where somebody does, and hangs up; `spread` in [0, 1): links that went down together
    must not come back together.

    An SMSC that restarts is missed for a second, or for a tenth of the time that it was away: asking where nobody
    listens costs nobody anything. One that takes the connection and drops it is given longer and longer rests.
    """
    if refused is not None and not refused.busy:
        step = REFUSED_STEPS[min(refusals, len(REFUSED_STEPS) - 1)] if refused.credentials else 1
        return config.refused_delay * step
    doubled = config.reconnect_min * 2.0 ** max(0, min(failures - 1, 30))
    missed = max(config.reconnect_min, lasted * MISSED)
    return min(config.reconnect_max, doubled, missed) * (0.5 + spread / 2)
