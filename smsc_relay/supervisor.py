"""`python -m smsc_relay.supervisor`: the relay under a watch, as process 1 of its container. Takes the relay's options.

A process that is stopped, or whose event loop stands still, keeps its TCP connections: an SMSC goes on counting its
binds while its leases run out and another task opens them too. So the relay's event loop gives a sign of life, and when
that fails for half a lease's length the relay is killed, which closes its sockets. Beyond that: SIGTERM and SIGINT are
passed on, orphans are reaped, and the exit status is the relay's (128 + signal where one has ended it). It imports
neither asyncio nor AWS: what watches must not be able to hang with what it watches.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from smsc_relay.terms import Terms, add_options

PIPE: Final = "JANGADA_HEARTBEAT_FD"  # environment variable: the descriptor that signs of life are written to
STARTING: Final = 120.0  # s until the first sign of life: a small container imports slowly, and holds no bind yet
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Supervisor:
    """Starts `command` and watches it."""

    def __init__(self, command: Sequence[str], silence: float, starting: float = STARTING) -> None:
        self._command, self._silence = list(command), silence
        self._deadline = time.monotonic() + starting
        self._pid = 0
        self._asked: int | None = None  # the signal that came before there was a child
        self._status: int | None = None
        self._killed = False

    def run(self) -> int:
        """Until the child has ended; answers the status to exit with."""
        woken, wake = os.pipe()  # written to by Python's signal handling
        heard, heart = os.pipe()
        for end in (woken, wake, heard):
            os.set_blocking(end, False)
        os.set_inheritable(heart, True)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (*_SIGNALS, signal.SIGCHLD):
            signal.signal(number, self._on_signal)
        environment = {**os.environ, PIPE: str(heart)}
        self._pid = os.posix_spawn(self._command[0], self._command, environment)
        os.close(heart)  # so that the pipe ends with the child
        if self._asked is not None:
            self._pass_on(self._asked)
        while self._status is None:
            self._turn(heard, woken)
        return self._status

    def _turn(self, heard: int, woken: int) -> None:
        """Wait for a sign of life, a signal, or the end of the child's time."""
        left = None if self._killed else max(0.0, self._deadline - time.monotonic())
        ready, _, _ = select.select([woken] if self._killed else [heard, woken], [], [], left)
        if woken in ready:
            _read(woken)
        if heard in ready and _read(heard):
            self._deadline = time.monotonic() + self._silence
        self._reap()
        if self._status is None and not self._killed and time.monotonic() >= self._deadline:
            self._kill()

    def _kill(self) -> None:
        _log("relay_killed", reason="its event loop gave no sign of life", silence_s=self._silence)
        self._killed = True
        os.kill(self._pid, signal.SIGKILL)

    def _on_signal(self, number: int, frame: object) -> None:
        """SIGCHLD has done its work by waking us."""
        if number != signal.SIGCHLD:
            self._asked = number
            if self._pid and self._status is None:
                self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def _reap(self) -> None:
        """Collect children that have ended: ours, and those that their parents have left to process 1."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self._pid:
                code = os.waitstatus_to_exitcode(status)
                self._status = code if code >= 0 else 128 - code


def _read(pipe: int) -> bool:
    """Empty a pipe; answers whether anything was in it."""
    try:
        return bool(os.read(pipe, 65_536))
    except BlockingIOError:
        return False


def _log(message: str, **fields: object) -> None:
    """A line as the relay's own."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = {"level": "ERROR", "message": message, "timestamp": stamp, "service": "jangada", **fields}
    print(json.dumps(line), flush=True)  # noqa: T201 - a log goes to stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the relay until it ends."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_options(parser)
    options, _ = parser.parse_known_args(given)
    return Supervisor([sys.executable, "-m", "smsc_relay", *given], Terms(options.lease_ttl).silence).run()


if __name__ == "__main__":
    sys.exit(main())
