"""MOs and DLRs on their way from a bind to events.fifo: acknowledged to the SMSC only when SQS has them.

What waits is bounded, in number and in time: beyond that the SMSC is told to keep it, and sends it again later. So an
outage of AWS loses nothing and fills no memory.

When a session ends, what the SMSC has no answer for comes again over another, as a message without a name. Which that
can be is known here only, and told with what comes later and by a `SessionEnd` (`chalicelib.inbox` has the rule).
"""

from __future__ import annotations

import asyncio
import functools
from typing import Final

from chalicelib import queues, telemetry, waypoints
from chalicelib.inbox import REDELIVERY
from chalicelib.records import MoEvent, SessionEnd
from smsc_relay.connection import Connection
from smsc_relay.ends import Answers
from smsc_relay.outbox import Outbox
from smsc_relay.protocol import Arrived, Ended
from smsc_relay.steady import now_ms

MOST: Final = 1_000  # events of a link on their way
PATIENCE: Final = 20.0  # s: SMSCs wait half a minute and more for an answer, and some hang up after it
ENDS: Final = 20  # sessions whose end is told with each MO


class _Arrival:
    """One request of the SMSC, until its last event is safe."""

    __slots__ = ("_answers", "_arrivals", "_connection", "_left", "_since", "_token")

    def __init__(
        self, arrivals: Arrivals, connection: Connection, arrived: Arrived, since: float, answers: Answers | None
    ) -> None:
        self._arrivals, self._connection, self._token = arrivals, connection, arrived.token
        self._left = len(arrived.events)
        self._since, self._answers = since, answers

    def settled(self, problem: Exception | None) -> bool:
        """An event of it is safe, or SQS did not take it."""
        if problem is None:
            waypoints.reached("relay.mo_queued")
            self._left -= 1
            if not self._left:
                if self._answers is not None and self._connection.open:
                    self._answers.given(self, self._connection)
                self._connection.acknowledge(self._token)
        elif self._left > 0 and (not self._connection.open or self._arrivals.now() - self._since > PATIENCE):
            self._left = 0  # none of its events is waited for any more
            if self._answers is not None and self._connection.open:
                self._answers.declined(self)
            self._connection.decline(self._token)
            telemetry.logger().warning("declined", extra={"aggregator": self._arrivals.aggregator})
        elif self._left > 0:
            return False
        self._arrivals.pending -= 1
        return True


class _Told:
    """A session's end, on its way. It is for the better: what SQS does not take within `PATIENCE` is left."""

    __slots__ = ("_arrivals", "_since")

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals, self._since = arrivals, arrivals.now()

    def settled(self, problem: Exception | None) -> bool:
        """SQS has it, or has not."""
        if problem is not None and self._arrivals.now() - self._since < PATIENCE:
            return False
        self._arrivals.pending -= 1
        return True


class Arrivals:
    """For one link."""

    def __init__(self, aggregator: str, outbox: Outbox) -> None:
        self.aggregator, self._outbox = aggregator, outbox
        self.now = asyncio.get_running_loop().time
        self.pending = 0  # events on their way
        self._relay = queues.new_id()
        self._answers: dict[str, Answers] = {}  # by session, of those that are open
        self._ended: dict[str, tuple[int, int, int]] = {}  # as `MoEvent.ended`

    def arrived(self, connection: Connection, arrived: Arrived) -> None:
        """The SMSC has sent something."""
        if not arrived.events:
            connection.acknowledge(arrived.token)
            return
        if self.pending >= MOST:
            connection.decline(arrived.token)
            return
        mo = next((event for event in arrived.events if isinstance(event, MoEvent)), None)
        answers = None if mo is None else self._answers.get(mo.session) or self._begun(mo.session, connection)
        arrival = _Arrival(self, connection, arrived, self.now(), answers)
        if mo is not None and answers is not None:
            answers.owed(arrival, mo.at)
        self.pending += len(arrived.events)
        for event in arrived.events:
            self._outbox.put(self._stamped(event) if isinstance(event, MoEvent) else event, arrival)

    def _stamped(self, event: MoEvent) -> MoEvent:
        """With what it is to be held against."""
        if not self._ended:
            return event.model_copy(update={"relay": self._relay})
        self._ended = {name: told for name, told in self._ended.items() if event.at - told[-1] < REDELIVERY}
        return event.model_copy(update={"relay": self._relay, "ended": self._ended})

    def _begun(self, session: str, connection: Connection) -> Answers:
        """The first MO of a session."""
        answers = self._answers[session] = Answers()
        connection.over.add_done_callback(functools.partial(self._over, session, connection))
        return answers

    def _over(self, session: str, connection: Connection, _: asyncio.Future[Ended]) -> None:
        at = now_ms()
        answers = self._answers.pop(session)
        doubtful, unanswered = answers.doubtful(connection), answers.unanswered(connection)
        end = SessionEnd(
            session=session,
            aggregator=self.aggregator,
            doubtful=at + 1 if doubtful is None else doubtful,
            unanswered=at + 1 if unanswered is None else unanswered,
            at=at,
        )
        if doubtful is not None or unanswered is not None:
            newest = list(self._ended.items())[1 - ENDS :]
            self._ended = {**dict(newest), session: (end.doubtful, end.unanswered, at)}
        self.pending += 1
        self._outbox.put(end, _Told(self))
