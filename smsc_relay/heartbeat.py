"""The relay's heartbeat: an octet into its supervisor's pipe, from the event loop itself. `supervisor.py` listens.

Where no supervisor has started this process there is no pipe, and nothing to do.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from smsc_relay.supervisor import PIPE


async def beat(every: float, alone: Callable[[], None]) -> None:
    """Beat every so many seconds until cancelled. `alone` is called when the supervisor has gone: nobody would kill
    this process any more if it stood still with its binds open, so it must end."""
    number = os.environ.get(PIPE)
    if not number:
        return
    pipe = int(number)
    os.set_blocking(pipe, False)
    while True:
        try:
            os.write(pipe, b".")
        except BlockingIOError:
            pass  # the supervisor has not read for long; it will find more than enough
        except OSError:
            alone()
            return
        await asyncio.sleep(every)
