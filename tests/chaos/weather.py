"""Trouble of every kind, one after the other in a random but repeatable order, while messages are under way."""

from __future__ import annotations

import itertools
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

from local.gateway import Gateway
from smsc_relay.aws_client import AGENT
from tests.e2e.test_smpp import ask

KINDS: Final = ("relay killed", "links reset", "SMSC restarted", "SQS slow and failing", "clock jumped")


class Weather:
    """Runs within `with`, until `clear_up`, and until every kind of trouble has come `rounds` times; then it is
    `over`."""

    def __init__(self, running: Gateway, *, rounds: int, calm: float, seed: int = 7) -> None:
        self._running, self._rounds, self._calm = running, rounds, calm
        self._chance = random.Random(seed)
        self._clearing = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="weather")
        self._failed: BaseException | None = None
        self.counts: Counter[str] = Counter()

    @property
    def over(self) -> bool:
        """It is calm from now on."""
        if self._failed is not None:
            raise self._failed
        return not self._thread.is_alive()

    def clear_up(self) -> None:
        """The round that is under way may be the last."""
        self._clearing.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            for kind in self._ahead():
                if self._stop.wait(self._calm):
                    return
                self.counts[kind] += 1
                self._strike(kind)
        except BaseException as error:
            self._failed = error

    def _ahead(self) -> Iterator[str]:
        for number in itertools.count():
            if number >= self._rounds and self._clearing.is_set():
                return
            yield from self._chance.sample(KINDS, len(KINDS))

    def _strike(self, kind: str) -> None:
        running = self._running
        if kind == "relay killed":
            running.relay.kill()
            running.relay.start()
        elif kind == "links reset":
            ask(running, "/disconnect", {"how": "reset"})
        elif kind == "SMSC restarted":
            ask(running, "/restart", {"down": 1.5})
        elif kind == "SQS slow and failing":
            trouble: dict[str, Any] = {"fail": 0.1, "lose": 0.05, "slow": 0.2, "delay": 0.5}
            running.emulator.faults(service="AmazonSQS", agent=AGENT, **trouble)
            self._stop.wait(3 * self._calm)
            running.emulator.faults()
        else:
            running.relay.signal(signal.SIGUSR1)
            self._stop.wait(self._calm)
            running.relay.signal(signal.SIGUSR2)


def stopwatch() -> float:
    """Seconds, of a clock that does not jump."""
    return time.monotonic()
