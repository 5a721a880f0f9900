"""One SMSC account: its binds, its lanes, and what goes between them. The same for all protocols."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

from chalicelib import telemetry
from chalicelib.freezes import Freezes
from smsc_relay.accounts import Account
from smsc_relay.arrivals import Arrivals
from smsc_relay.bind import Bind
from smsc_relay.config import Listening
from smsc_relay.gate import Gate
from smsc_relay.gauges import Gauges
from smsc_relay.intake import Intake
from smsc_relay.journal import Journal
from smsc_relay.lanes import Lanes
from smsc_relay.logins import Logins
from smsc_relay.order import Order
from smsc_relay.orders import Ask
from smsc_relay.outbox import Outbox
from smsc_relay.permits import Permits
from smsc_relay.protocol import (
    Accepted,
    Alert,
    Answered,
    Arrived,
    CannotEncode,
    Congested,
    Fault,
    Happening,
    Inquirer,
    Inquiry,
    NotOffered,
    Rejected,
    Role,
    Unanswered,
)
from smsc_relay.queue_client import Queues
from smsc_relay.returns import Hold, Returns
from smsc_relay.settling import Settling
from smsc_relay.starting import Starting
from smsc_relay.steady import now_ms
from smsc_relay.traffic import Traffic
from smsc_relay.trials import Tell, Trials

LOOK: Final = 0.02  # s between looks at whether all is done, while stopping
ANSWER: Final = 2  # s that the answer to a long poll may come late


@dataclass(frozen=True)
class Timing:
    """Waits that a test may shorten, in seconds."""

    poll: int = 10  # a long poll of SQS: what a stop may have to wait for
    spare: float = 10.0  # beyond the response time-out, for an outcome to be recorded
    drain: float = 30.0  # that a stop waits for answers
    record: float = 20.0  # that it then waits for SQS to take what came of them
    refresh: float = 30.0  # between two readings of the registry
    freezes: float = 2.0  # between two looks at what is frozen
    publish: float = 5.0  # between two looks at what is to be written down
    orders: float = 2.0  # between two looks at what operators ask


@dataclass(frozen=True)
class Shared:
    """What all links of the process share."""

    sqs: Queues
    outbox: Outbox
    journal: Journal
    threads: Executor
    permits: Permits
    timing: Timing


class Link:
    """One account, from `start` to `stop`."""

    def __init__(self, account: Account, shared: Shared) -> None:
        self.account = account
        self._shared = shared
        timing = shared.timing
        hold = Hold.over(account.config.response_timeout, spare=timing.spare, poll=timing.poll)
        returns = Returns(shared.sqs, account.lanes, hold, shared.journal, self._changed)
        order = Order()
        traffic = Traffic(account, order, returns, shared.journal)
        traffic.settling = Settling(
            order,
            traffic.places,
            returns,
            shared.outbox,
            shared.journal,
            shared.threads,
            goes_on=traffic.goes_on,
            paused_until=traffic.trouble.until,
            changed=self._changed,
        )
        traffic.starting = Starting(account.dialect, traffic.settling, traffic.places, shared.journal, hold)
        self._intake = Intake(lambda: self.account, traffic, returns, shared.journal, shared.threads)
        self._returns, self._traffic = returns, traffic
        self._arrivals = Arrivals(account.name, shared.outbox)
        self._arrived: list[tuple[Bind, Arrived]] = []  # heard, not handed on
        self._part = 1.0  # of the account's rate, that is this task's
        self._lanes = Lanes(shared.sqs, account.lanes, traffic.places, hold, timing.poll, self._intake.take)
        self._gates: dict[Listening, Gate] = {}
        logins, common = Logins(), dict[str, Any]()
        self._binds = [
            Bind(number, role, account, self, shared.permits, logins, self._gate(role), common)
            for number in range(1, account.config.binds + 1)
            for role in account.dialect.roles(account.config)
        ]
        self._trials = Trials(lambda: self.account, traffic, self._binds, self._arrivals, shared.threads)
        self.gauges = Gauges(account.name, account.dialect.name, account.lanes, traffic, self._binds, self._arrivals)
        self._tasks: dict[Bind, asyncio.Task[None]] = {}
        self._polling: asyncio.Task[None] | None = None
        self._listening: list[asyncio.Task[None]] = []

    def _gate(self, role: Role) -> Gate | None:
        """Where the SMSC opens connections of that role."""
        listening = self.account.config.listens(role)
        if listening is None:
            return None
        if listening not in self._gates:
            self._gates[listening] = Gate(self.account.name, listening, self.account.config.local_host, self.fault)
        return self._gates[listening]

    def start(self) -> None:
        """Begin to connect, and to receive as soon as a bind is up."""
        loop = asyncio.get_running_loop()
        self._tasks = {
            bind: loop.create_task(bind.run(), name=f"{self.account.name} {bind.name}") for bind in self._binds
        }
        self._polling = loop.create_task(self._lanes.run(), name=f"{self.account.name} lanes")
        self._listening = [
            loop.create_task(gate.run(), name=f"{self.account.name} gate") for gate in self._gates.values()
        ]

    def change(self, account: Account) -> None:
        """The registry has the account like this now, which `serves` it as it was: no connection is closed for it."""
        self.account = self._traffic.account = account
        for bind in self._binds:
            bind.change(account)
        self._traffic.pace.restart_by(account.config.restart_step)
        self._limit()
        self._traffic.pump_soon()

    def _limit(self) -> None:
        limit = self.account.config.max_tps
        self._traffic.pace.limit_to(limit and limit * self._part, self._traffic.now())

    def freeze(self, found: Freezes) -> None:
        """Obey what an operator has frozen, from now on."""
        self._intake.freeze(found)

    # --- what the binds tell ------------------------------------------------------------------------------------------

    def up(self, bind: Bind) -> None:
        """A bind has logged in."""
        self._traffic.meter.came_up(bind.name)
        self._traffic.up(bind)

    def retire(self, bind: Bind) -> None:
        """A bind is about to end."""
        self._traffic.retire(bind)

    def down(self, bind: Bind, lost: Sequence[Any]) -> None:
        """A bind has ended."""
        self._traffic.down(bind, self._trials.lost(lost))

    def failed(self, bind: Bind, reason: str) -> None:
        """A bind could not be opened, or has ended."""
        self._traffic.meter.failed(f"{bind.name}: {reason}", now_ms())

    def fault(self, reason: str, form: str = "") -> None:
        """The SMSC has broken a rule, or called in vain."""
        self._shared.journal.fault(self.account.name, reason, self._traffic.now(), form)

    def shared(self, bind: Bind, part: float) -> None:
        """The rate is the account's: what the binds of other processes send is part of it."""
        if bind.role.submits:
            self._part = part
            self._limit()

    def happened(self, bind: Bind, happenings: Sequence[Happening]) -> None:
        """What came over a bind."""
        traffic = self._traffic
        if self._trials.active:
            happenings = self._trials.sift(bind, happenings)
        for one in happenings:
            if isinstance(one, Accepted):
                traffic.accepted(bind, one)
            elif isinstance(one, Rejected):
                traffic.rejected(bind, one)
            elif isinstance(one, Arrived):
                self._arrived.append((bind, one))
            elif isinstance(one, Answered):
                if not one.context.done():
                    one.context.set_result(one)
            elif isinstance(one, Unanswered):
                traffic.unanswered(bind, one)
            elif isinstance(one, Congested):
                traffic.slowing.congested(one.level, traffic.now())
            elif isinstance(one, Fault):
                self.fault(one.reason, one.form)
            elif isinstance(one, Alert):
                self._shared.journal.alert(self.account.name, one)
        traffic.refill()  # at once: an open window must not wait for what else there is to do

    def caught_up(self) -> None:
        """The windows are full again, as far as they can be: have λ record know what has happened."""
        self._traffic.refilled()
        self._traffic.publish_accepted()
        arrived, self._arrived = self._arrived, []
        for bind, one in arrived:
            if bind.connection is not None:
                bind.connection.guarded(self._arrivals.arrived, bind.connection, one)

    def _changed(self) -> None:
        self._traffic.pump_soon()

    # --- what operators ask -------------------------------------------------------------------------------------------

    @property
    def asks(self) -> bool:
        """The SMSC can be asked about a message, here and now."""
        return any(bind.ready for bind in self._traffic.binds)

    async def inquire(self, ask: Ask, tell: Tell) -> tuple[dict[str, str], str]:
        """Ask the SMSC about a message, or try the link: what it says, and why it has not done it, "" where it has.
        `tell` is told what is known before that."""
        account, loop = self.account, asyncio.get_running_loop()
        if ask.kind == "probe" or ask.kind == "test" or ask.kind == "listen":
            return await self._trials.run(ask, tell)
        sender = account.channels.get(ask.channel)
        inquiry = Inquiry(ask.kind, ask.external_id, ask.source, ask.destination, ask.text, ask.encoding)
        try:
            body = account.dialect.inquiry(inquiry, (sender and sender.config) or account.config)
        except (NotOffered, CannotEncode) as problem:
            return {}, str(problem)
        bind = next((bind for bind in self._traffic.binds if bind.ready), None)
        if bind is None or bind.connection is None or not isinstance(bind.connection.conversation, Inquirer):
            return {}, "the last bind has ended just now; ask again"
        answered: asyncio.Future[Answered] = loop.create_future()
        bind.connection.conversation.inquire(body, answered, loop.time())
        bind.flush()
        try:
            async with asyncio.timeout(account.config.response_timeout + 1):
                answer = await answered
        except TimeoutError:
            return {}, "no answer"
        return dict(answer.said), answer.problem

    def log_until(self, until: int) -> None:
        """Log the PDUs of all binds until then, in ms since the epoch; 0: do not."""
        for bind in self._binds:
            bind.log_until(until)

    # --- the end ------------------------------------------------------------------------------------------------------

    async def stop(self) -> bool:
        """Stop receiving, finish the window, record it, log out. Answers whether all that came of it is safe."""
        timing = self._shared.timing
        self._shared.permits.close(self.account.name)
        self._lanes.stop()
        for listening in self._listening:
            listening.cancel()
        self._traffic.close()
        await _until(lambda: not self._traffic.flying, timing.drain)
        await _until(lambda: not self._arriving(), timing.record)
        await asyncio.gather(*(self._leave(bind, task) for bind, task in self._tasks.items()))
        if self._polling is not None:
            await asyncio.wait([self._polling], timeout=timing.poll + ANSWER)
            self._polling.cancel()
        done = await _until(lambda: not self._unfinished(), timing.record)
        extra = {"aggregator": self.account.name, "unfinished": self._unfinished()}
        telemetry.logger().log(20 if done else 40, "link_stopped", extra=extra)
        return done

    def _arriving(self) -> bool:
        """Of what the SMSC has sent, something is not answered yet."""
        connections = [bind.connection for bind in self._binds if bind.connection is not None]
        return bool(self._arrivals.pending) or any(one.behind for one in connections)

    async def _leave(self, bind: Bind, task: asyncio.Task[None]) -> None:
        """Log out and wait for the SMSC's answer, where there is a session."""
        connection = bind.connection
        if connection is not None and connection.open:
            bind.leave()
            await asyncio.wait([connection.over], timeout=self.account.config.logout_timeout + 1)
        task.cancel()
        await asyncio.wait([task], timeout=1)

    def _unfinished(self) -> int:
        return self._traffic.settling.pending + self._returns.pending + len(self._traffic.order)


async def _until(done: Callable[[], bool], seconds: float) -> bool:
    """Wait for `done`, no longer than that; answers whether it is."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not done():
        if loop.time() >= end:
            return False
        await asyncio.sleep(LOOK)
    return True
