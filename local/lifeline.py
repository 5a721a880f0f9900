"""Whatever ends the process that has started them, its children end too: no port stays taken, no emulator is left.

The parent holds one end of a pipe and never writes into it. A child reads the other, in a thread, and gets the pipe's
end when the parent is gone, killed or not. `python -m local.lifeline MODULE ...` runs a module so.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
from functools import cache
from typing import Final

_NAME: Final = "JANGADA_LIFELINE"  # the descriptor of a child's end


@cache
def _end() -> int:
    """The children's end; ours stays open, in nobody's hands, until this process ends."""
    theirs, _ours = os.pipe()
    return theirs


def given() -> tuple[dict[str, str], tuple[int, ...]]:
    """What a child needs: its environment, and the descriptors to pass on."""
    return {_NAME: str(_end())}, (_end(),)


def hold() -> None:
    """In a child: end as soon as its parent has."""
    number = os.environ.pop(_NAME, "")
    if number:
        threading.Thread(target=_wait, args=(int(number),), name="lifeline", daemon=True).start()


def _wait(end: int) -> None:
    os.read(end, 1)
    os._exit(1)


if __name__ == "__main__":
    hold()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
