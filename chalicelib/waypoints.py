"""Named points on a message's way at which a test may stop the process, as a power cut would.

Production installs no hook: `reached` is then one attribute look-up. The names are listed here so that a test can
walk through all of them and so that a name cannot be mistyped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

Waypoint = Literal[
    "route.opened",  # the ledger knows the message, the lane does not
    "route.queued",  # the lane has it, the hop is not marked forwarded
    "route.forwarded",
    "send.claimed",  # claimed, the request not made
    "send.requested",  # the aggregator has answered, nothing recorded: the in-doubt window
    "send.concluded",  # recorded in the ledger, the outcome not yet in events.fifo
    "send.reported",  # the outcome is in events.fifo, the record still in its lane
    "record.met",  # outcome and receipt have met, the platform's queue does not have the status
    "record.queued",  # the platform's queue has it, the rank is not raised
    "record.settled",
    "deliver.posted",  # the platform has answered, the record still in its queue
    "relay.received",  # out of its lane, nothing submitted
    "relay.submitted",  # on the wire, no answer yet: the in-doubt window
    "relay.answered",  # the SMSC has answered, the outcome not in events.fifo
    "relay.outcome_queued",  # the outcome is in events.fifo, the record still in its lane
    "relay.deleted",  # out of the lane
    "relay.mo_queued",  # an MO or DLR is in events.fifo, not acknowledged to the SMSC
]

WAYPOINTS: Final[tuple[str, ...]] = Waypoint.__args__  # type: ignore[attr-defined]

_hook: Callable[[str], None] | None = None


def reached(name: Waypoint) -> None:
    """Tell the installed hook, if there is one, that `name` has been reached."""
    if _hook is not None:
        _hook(name)


def install(hook: Callable[[str], None] | None) -> None:
    """Install the hook that `reached` calls; None removes it."""
    global _hook
    _hook = hook
