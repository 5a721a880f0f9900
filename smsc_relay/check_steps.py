"""The steps of a test phase, whoever takes them: the check's own connections, or a relay that is asked."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from chalicelib.clock import iso, now_ms
from smsc_relay.check_faults import Skip, Stop

State = Literal["ok", "failed", "skipped", "waiting"]
KEEPALIVE: Final = "enquire_link, alive or alert"


@dataclass(frozen=True)
class Step:
    """What became of one step. No whole phone number, no text, no secret in it.

    `waiting`: not over yet, somebody must do something. `ask`: what to do, or to ask; `whom`: of whom.
    """

    name: str
    state: State
    detail: str
    ask: str = ""
    whom: str = ""
    at: str = ""  # ISO 8601, UTC


@dataclass(frozen=True)
class Wishes:
    """What the check is to do beyond logging in; waits in seconds."""

    to: str = ""  # a phone that may get test messages, E.164; "": none is sent
    sender: str = ""  # of them; "": the first channel's address
    burst: int = 5  # messages at most that try the window
    wait_receipt: float = 60.0
    wait_mo: float = 0.0  # 0: no MO is waited for


Tell = Callable[[Step], None]
Run = Callable[[], str | Awaitable[str]]  # answers a detail, or raises Skip or Stop


async def run_steps(steps: Iterable[tuple[str, Run]], tell: Tell) -> bool:
    """Take steps until one fails; answers whether none has. More may be asked for while they are taken."""
    for name, step in steps:
        try:
            found = step()
            detail = await found if inspect.isawaitable(found) else found
        except Skip as skipped:
            tell(Step(name, "skipped", str(skipped), at=iso(now_ms())))
        except Stop as stop:
            tell(Step(name, "failed", stop.detail, stop.ask, stop.whom, iso(now_ms())))
            return False
        else:
            tell(Step(name, "ok", detail, at=iso(now_ms())))
    return True
