"""Child processes of the local gateway: started and awaited, stopped or killed, their output kept in a file."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from local import lifeline
from local.emulator import ROOT

READY: Final = 30.0  # seconds a process may take to say so
GRACE: Final = 40.0  # seconds it may take to end: the relay finishes its window


class ProcessError(RuntimeError):
    """A process does not start, or has ended by itself; the text has its last lines."""


class Child:
    """One `python -m <module> <arguments>`. It is ready when a line of its output begins so, or a call says so."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        ready: str | Callable[[], bool] = "ready",
    ) -> None:
        self.name, self.log = name, log
        self._arguments, self._environment, self._ready = list(arguments), dict(environment), ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> None:
        """Start it (with further arguments) and wait until it is ready.

        Raises:
            ProcessError: it ended, or does not get ready.
        """
        with self.log.open("ab") as output:
            begin = output.tell()
            command = [sys.executable, "-m", "local.lifeline", *self._arguments, *more]
            held, descriptors = lifeline.given()
            self._process = subprocess.Popen(
                command, env=self._environment | held, cwd=ROOT, stdout=output, stderr=output, pass_fds=descriptors
            )
        deadline = time.monotonic() + READY
        while time.monotonic() < deadline:
            if self._is_ready(begin):
                return
            if self._process.poll() is not None:
                raise ProcessError(f"{self.name} ended with status {self._process.returncode}:\n{self.tail()}")
            time.sleep(0.02)
        self.kill()
        raise ProcessError(f"{self.name} is not ready after {READY:.0f} s:\n{self.tail()}")

    def _is_ready(self, begin: int) -> bool:
        if callable(self._ready):
            return self._ready()
        return any(line.startswith(self._ready) for line in self.lines(begin))

    def lines(self, begin: int = 0) -> list[str]:
        """What it has written since the octet `begin` of its log."""
        with self.log.open("rb") as file:
            file.seek(begin)
            return file.read().decode("utf-8", "replace").splitlines()

    def tail(self) -> str:
        """Its last lines."""
        return "\n".join(self.lines()[-15:])

    @property
    def pid(self) -> int:
        """Of the running process, 0 where there is none."""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """It has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def wait(self, seconds: float) -> int | None:
        """Its exit status, None where it is still running after `seconds`."""
        try:
            return self._process.wait(seconds) if self._process else None
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """SIGKILL, as a power cut."""
        if self._process and self.running:
            self._process.kill()
            self._process.wait()

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, where it is running."""
        if self._process and self.running:
            self._process.send_signal(number)

    def stop(self) -> int | None:
        """SIGTERM, then SIGKILL if it does not end; answers its exit status."""
        self.ask_to_stop()
        status = self.wait(GRACE)
        self.kill()
        return status
