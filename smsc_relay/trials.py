"""What `jangada smsc check --relay` has a running link do: ask whether the SMSC lives, send a test message, look for
its receipt, wait for the next MO.

A test message is of no lane: it goes over a bind of the link within window and pace, and what becomes of it is told to
whoever has asked, and to nobody else. MOs go on to the platform as ever.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Final

from chalicelib import phones, queues, rendezvous
from chalicelib.messages import Outgoing
from chalicelib.records import MoEvent, ReceiptEvent
from smsc_relay.accounts import Account
from smsc_relay.arrivals import Arrivals
from smsc_relay.bind import Bind
from smsc_relay.connection import Connection
from smsc_relay.orders import Ask
from smsc_relay.protocol import (
    Accepted,
    Answered,
    Arrived,
    CannotEncode,
    Happening,
    NotOffered,
    Prober,
    Rejected,
    Segment,
    Unanswered,
)
from smsc_relay.traffic import Traffic

REMEMBERED: Final = 3600.0  # s that receipts of a test message are known as such
LOOK: Final = 0.02  # s between looks at whether there is room in the window
PARKED: Final = 1.0  # s between two looks for a receipt that has come over another task's bind

Said = dict[str, str]
Tell = Callable[[Said], Awaitable[None]]  # what is known so far


@dataclass(eq=False)
class Trial:
    """A segment of a test message; the `context` of its submit."""

    to: str
    until: float  # of the event loop's clock: forgotten then
    answer: asyncio.Future[Accepted | Rejected | Unanswered | None]  # None: the connection has ended
    receipt: asyncio.Future[ReceiptEvent]  # the final one
    external_id: str = ""

    def may_have(self, event: ReceiptEvent) -> bool:
        """The receipt may turn out to be of this segment, whose answer is due."""
        told = event.update.destination
        return not self.answer.done() and (not told or phones.digits_match(told, self.to))


class Trials:
    """Of one link. `account`: as the registry has it now."""

    def __init__(
        self,
        account: Callable[[], Account],
        traffic: Traffic,
        binds: Sequence[Bind],
        arrivals: Arrivals,
        threads: Executor,
    ) -> None:
        self._account, self._traffic, self._binds, self._arrivals = account, traffic, binds, arrivals
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._trials: list[Trial] = []
        self._held: list[tuple[Connection, Arrived]] = []  # receipts that came before the answer to a test message
        self._listeners: list[asyncio.Future[str]] = []
        self.active = False  # there has been something to look for: the link shows what comes

    async def run(self, ask: Ask, tell: Tell) -> tuple[Said, str]:
        """Do what is asked; answers what came of it, and why nothing did, "" where something has."""
        self.active = True
        self._trials = [one for one in self._trials if one.until > self._loop.time()]
        if ask.kind == "probe":
            return await self._probe()
        return await (self._listen(ask, tell) if ask.kind == "listen" else self._test(ask, tell))

    # --- does the SMSC live? ------------------------------------------------------------------------------------------

    async def _probe(self) -> tuple[Said, str]:
        """Each bind that is up, side by side: the round trip by its name, and the window in use."""
        up = [bind for bind in self._binds if bind.state == "up" and bind.connection is not None]
        if not up:
            return {}, "no bind of this task is up any more"
        submitting = [bind for bind in up if bind.role.submits]
        said: Said = {}
        if submitting:
            open_now, most = sum(bind.in_flight for bind in submitting), sum(bind.window for bind in submitting)
            said["window"] = f"{open_now} of {most}"
        problems = []
        for bind, (told, problem) in zip(
            up, await asyncio.gather(*(self._one_probe(bind) for bind in up)), strict=True
        ):
            if problem:
                problems.append(f"{bind.name}: {problem}")
            else:
                said[bind.name] = told
        return said, "; ".join(problems)

    async def _one_probe(self, bind: Bind) -> tuple[str, str]:
        connection = bind.connection
        if connection is None or not isinstance(connection.conversation, Prober):
            return "nothing to ask with", ""
        answered: asyncio.Future[Answered] = self._loop.create_future()
        began = self._loop.time()
        try:
            connection.conversation.probe(answered, began)
        except NotOffered as why:
            return str(why), ""
        except RuntimeError as why:
            return "", str(why)
        bind.flush()
        try:
            async with asyncio.timeout(self._account().config.response_timeout + 1):
                answer = await answered
        except TimeoutError:
            return "", "no answer"
        return f"{(self._loop.time() - began) * 1000:.0f} ms", answer.problem

    # --- a test message -----------------------------------------------------------------------------------------------

    async def _test(self, ask: Ask, tell: Tell) -> tuple[Said, str]:
        """Submit, tell the SMSC's answer, then wait for the receipt for `ask.wait` s."""
        if self._traffic.frozen:
            return {}, "an operator has frozen the account"
        try:
            segments = self._plan(ask)
        except CannotEncode as error:
            return {}, f"the message cannot be written: {error}"
        trials: list[Trial] = []
        for segment in segments:
            bind = await self._room()
            if bind is None:
                return {}, "no bind had room in its window"
            trials.append(self._submit(bind, segment, ask.destination))
        said: Said = {}
        for trial in trials:
            answer = await trial.answer
            if isinstance(answer, Rejected):
                return {"refused": answer.reason, "code": answer.code, "verdict": answer.verdict.value}, ""
            if answer is None:
                return {"unanswered": "ended"}, ""
            if isinstance(answer, Unanswered):
                return {"unanswered": f"no answer for {answer.waited:.0f} s"}, ""
            said = {"external_id": shown_id(answer.external_id, ask.destination), "ms": f"{answer.rtt * 1000:.0f}"}
        if not ask.wait:
            return said, ""
        await tell(said)
        return said | await self._receipt(trials[-1], ask.wait), ""

    def _plan(self, ask: Ask) -> Sequence[Segment]:
        account = self._account()
        sender = account.channels.get(ask.channel)
        told = {"id": queues.new_id(), "text": ask.text, "to": ask.destination, "from": ask.source}
        message = Outgoing.model_validate({**told, "channel": ask.channel or queues.new_id()})
        return account.dialect.plan(message, (sender and sender.config) or account.config, 1).segments

    async def _room(self) -> Bind | None:
        """A bind that may be given a segment now, by window and pace; None: there is none for as long as an answer may
        take."""
        end = self._loop.time() + self._account().config.response_timeout
        while True:
            now = self._loop.time()
            found = next((bind for bind in self._traffic.binds if bind.room > 0), None)
            if found is not None and self._traffic.pace.wait(now) <= 0:
                return found
            if now >= end:
                return None
            await asyncio.sleep(LOOK)

    def _submit(self, bind: Bind, segment: Segment, to: str) -> Trial:
        now, future = self._loop.time(), self._loop.create_future
        trial = Trial(to, now + REMEMBERED, future(), future())
        assert bind.connection is not None  # noqa: S101 - it has room
        bind.connection.conversation.submit(segment, trial, now)
        self._trials.append(trial)
        self._traffic.pace.spend(now, segment.count)
        bind.flush()
        return trial

    async def _receipt(self, trial: Trial, seconds: float) -> Said:
        end = self._loop.time() + seconds
        while not trial.receipt.done() and (left := end - self._loop.time()) > 0:
            await asyncio.wait([trial.receipt], timeout=min(PARKED, left))
            if not trial.receipt.done():
                await self._fetch(trial)
        if not trial.receipt.done():
            return {}
        update = trial.receipt.result().update
        return {"receipt": update.status.value, "reason": " ".join(filter(None, (update.reason, update.code)))}

    async def _fetch(self, trial: Trial) -> None:
        """Where another task has the bind that the receipt came over, it waits for a message that nobody has sent."""
        name = self._account().name
        found = await self._loop.run_in_executor(
            self._threads, rendezvous.withdraw, name, trial.external_id, trial.to
        )  # fmt: skip
        for event in found:
            self._settle(trial, event)

    # --- the next MO --------------------------------------------------------------------------------------------------

    async def _listen(self, ask: Ask, tell: Tell) -> tuple[Said, str]:
        """Who has sent the next MO, within `ask.wait` s: masked."""
        heard: asyncio.Future[str] = self._loop.create_future()
        self._listeners.append(heard)
        try:
            await tell({"listening": "yes"})
            await asyncio.wait([heard], timeout=ask.wait)
        finally:
            self._listeners.remove(heard)
        return ({"from": phones.mask(heard.result())} if heard.done() else {}), ""

    # --- what comes over the binds ------------------------------------------------------------------------------------

    def sift(self, bind: Bind, happenings: Iterable[Happening]) -> list[Happening]:
        """What is the link's business, of what came over a bind."""
        rest: list[Happening] = []
        for one in happenings:
            if isinstance(one, Accepted | Rejected | Unanswered) and isinstance(one.context, Trial):
                self._answered(one.context, one)
            elif isinstance(one, Arrived) and one.events and bind.connection is not None:
                rest += self._arrived(bind.connection, one)
            else:
                rest.append(one)
        return rest

    def lost(self, contexts: Iterable[Any]) -> list[Any]:
        """A bind has ended: those of its open submits that are the link's business."""
        rest = []
        for one in contexts:
            if isinstance(one, Trial):
                self._answered(one, None)
            else:
                rest.append(one)
        return rest

    def _answered(self, trial: Trial, answer: Accepted | Rejected | Unanswered | None) -> None:
        if isinstance(answer, Accepted):
            trial.external_id = answer.external_id
        if not trial.answer.done():
            trial.answer.set_result(answer)
        held, self._held = self._held, []
        for connection, arrived in held:
            for left in self._arrived(connection, arrived):
                self._arrivals.arrived(connection, left)

    def _arrived(self, connection: Connection, arrived: Arrived) -> list[Arrived]:
        """What is left of it when receipts of test messages are taken out."""
        receipts = [event for event in arrived.events if isinstance(event, ReceiptEvent)]
        if any(trial.may_have(event) for trial in self._trials for event in receipts):
            self._held.append((connection, arrived))
            return []
        for event in arrived.events:
            if isinstance(event, MoEvent):
                self._heard(event.message.sender)
        ours = {event.event_id for event in receipts if self._is_ours(event)}
        if not ours:
            return [arrived]
        rest = tuple(event for event in arrived.events if event.event_id not in ours)
        return [replace(arrived, events=rest)]  # without events it is only acknowledged

    def _is_ours(self, event: ReceiptEvent) -> bool:
        for trial in self._trials:
            if trial.external_id and trial.external_id == event.update.external_id:
                self._settle(trial, event)
                return True
        return False

    def _settle(self, trial: Trial, event: ReceiptEvent) -> None:
        if event.update.status.final:
            if not trial.receipt.done():
                trial.receipt.set_result(event)
            if trial in self._trials:  # another message may be given this id from now on
                self._trials.remove(trial)

    def _heard(self, sender: str) -> None:
        for one in self._listeners:
            if not one.done():
                one.set_result(sender)


def shown_id(external_id: str, to: str) -> str:
    """An id may hold the number that the message went to, or its last digits: masked."""

    def masked(found: re.Match[str]) -> str:
        return phones.mask(found[0]) if phones.digits_match(found[0], to) else found[0]

    return re.sub(r"[0-9]{7,}", masked, external_id)
