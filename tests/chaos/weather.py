"""Trouble of every kind, one after the other in a random but repeatable order, while messages are under way."""

from __future__ import annotations

import itertools
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self

from chalicelib import registry, registry_store
from chalicelib.clock import now_ms
from local.gateway import Gateway
from smsc_relay.aws_client import AGENT
from tests.chaos.reckoning import Strike, Trouble
from tests.e2e.crowd import until
from tests.e2e.test_smpp import UNRECORDED, WINDOW, ask

MO_WINDOW: Final = 10  # that the simulated SMSC sends without an answer
KILLED: Final = Trouble("relay killed", doubt=WINDOW + UNRECORDED, answers=MO_WINDOW)
RESET: Final = Trouble("links reset")
HALF_OPEN: Final = Trouble("links half-open")
RESTARTED: Final = Trouble("SMSC restarted")
FAILING: Final = Trouble("SQS slow and failing")
JUMPED: Final = Trouble("clock jumped")
DEPLOYED: Final = Trouble("relay deployed")
CHANGED: Final = Trouble("account changed")
KINDS: Final = (KILLED, RESET, HALF_OPEN, RESTARTED, FAILING, JUMPED, DEPLOYED, CHANGED)

STOP: Final = 120  # seconds between SIGTERM and SIGKILL on ECS
OBEYED: Final = 150  # seconds from a change of the registry until each task has read it, and ended a session for it
LOGIN: Final = 120  # seconds that the relay may take to have a session again, on a machine that does much else


class Weather:
    """Runs within `with`, until `clear_up`, and until every kind of trouble has come `rounds` times; then it is
    `over`. `calm`: seconds between two."""

    def __init__(self, running: Gateway, *, rounds: int, calm: float, seed: int = 7) -> None:
        self._running, self._rounds, self._calm = running, rounds, calm
        self._chance = random.Random(seed)
        self._clearing = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="weather")
        self._failed: BaseException | None = None
        self._changes = 0
        self.strikes: list[Strike] = []

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
            for trouble in self._ahead():
                if self._stop.wait(self._calm):
                    return
                with self._striking(trouble):
                    self._strike(trouble)
        except BaseException as error:
            self._failed = error

    @contextmanager
    def _striking(self, trouble: Trouble) -> Iterator[None]:
        began = time.time_ns() // 1_000_000
        yield
        self.strikes.append(Strike(trouble, began, time.time_ns() // 1_000_000))

    def _ahead(self) -> Iterator[Trouble]:
        for number in itertools.count():
            if number >= self._rounds and self._clearing.is_set():
                return
            yield from self._chance.sample(KINDS, len(KINDS))

    def _strike(self, trouble: Trouble) -> None:
        running = self._running
        if trouble is KILLED:
            running.relay.kill()
            running.relay.start()
        elif trouble is RESET:
            self._sessions()
            ask(running, "/disconnect", {"how": "reset"})
        elif trouble is HALF_OPEN:
            self._half_open()
        elif trouble is RESTARTED:
            ask(running, "/restart", {"down": 1.5})
        elif trouble is FAILING:
            faults: dict[str, Any] = {"fail": 0.1, "lose": 0.05, "slow": 0.2, "delay": 0.5}
            running.emulator.faults(service="AmazonSQS", agent=AGENT, **faults)
            self._stop.wait(3 * self._calm)
            running.emulator.faults()
        elif trouble is DEPLOYED:
            running.relay.ask_to_stop()
            assert running.relay.wait(STOP) == 0, running.relay.tail()
            running.relay.start()
        elif trouble is CHANGED:
            self._change()
        else:
            running.relay.signal(signal.SIGUSR1)
            self._stop.wait(self._calm)
            running.relay.signal(signal.SIGUSR2)

    def _change(self) -> None:
        """A key that no session knows, and then one that ends them: until the relay has obeyed, within a minute. (Where
        it did not run on for as long, its next start would be all that obeys.)"""
        self._changes += 1
        begun = self._running.relay.log.stat().st_size
        registry.reset()
        (account,) = (one for one in registry.aggregators() if one.name == "smsc")
        key, value = ("max_tps", 1000) if self._changes % 2 else ("logout_timeout", 20)
        config = {**account.config, key: value + self._changes}
        registry_store.put_aggregator(account.model_copy(update={"config": config, "version": now_ms()}))
        obeyed = "link_changed" if key == "max_tps" else "link_started"
        assert until(lambda: self._has_said(obeyed, begun) or self._stop.is_set(), OBEYED), self._running.relay.tail()

    def _has_said(self, message: str, begun: int) -> bool:
        return any(f'"{message}"' in line for line in self._running.relay.lines(begun))

    def _half_open(self) -> None:
        """The SMSC is there and says nothing, until the relay has found it out and come again. Then the SMSC finds it
        out too: what it has had no answer for goes over another session."""
        before = self._sessions()
        ask(self._running, "/disconnect", {"how": "freeze"})
        self._sessions(without=before)
        for session in before:
            ask(self._running, "/disconnect", {"session": session, "how": "reset"})

    def _sessions(self, without: frozenset[int] = frozenset()) -> frozenset[int]:
        """Those that are logged in, of which there must be one, as there is unless the relay is just coming back."""
        found: set[int] = set()

        def some() -> bool:
            found.clear()
            found.update(one["session"] for one in ask(self._running, "/sessions")["sessions"])
            return bool(found - without) or self._stop.is_set()

        assert until(some, LOGIN), f"no session after {LOGIN} s:\n{self._running.relay.tail()}"
        return frozenset(found) - without


def stopwatch() -> float:
    """Seconds, of a clock that does not jump."""
    return time.monotonic()
