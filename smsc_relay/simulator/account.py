"""One account of the SMSC: its sessions, what waits for its client, and what becomes of its messages."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from smsc_relay.simulator.deliveries import ACKNOWLEDGED, QUEUED, REFUSED, SENT, Delivery, Receipt
from smsc_relay.simulator.judge import Fate, Judge
from smsc_relay.simulator.phones import FINAL, Segment
from smsc_relay.simulator.script import AccountSettings
from smsc_relay.simulator.settings import Behaviour, Rule

if TYPE_CHECKING:
    from smsc_relay.simulator.centre import Centre

_GOOD = frozenset({"DELIVRD", "ACCEPTD"})
_ON_THE_PHONE = _GOOD | {"ENROUTE", "SCHEDULED"}


class Link(Protocol):
    """A session that has logged in, of any protocol."""

    number: int

    @property
    def takes(self) -> bool:
        """MOs and receipts may go over it."""

    @property
    def room(self) -> int:
        """How many more may be sent before an answer comes."""

    def deliver(self, delivery: Delivery) -> None:
        """Send one; `Account.acknowledged`, `put_off`, `refused` or `returned` tells what became of it."""

    def disconnect(self, how: str) -> None:
        """End it: "unbind", "close" (without unbind), "reset" (of the connection) or "freeze" (half-open)."""

    def renew(self) -> None:
        """The script has changed."""

    def shown(self) -> dict[str, Any]:
        """As JSON."""


class Account:
    """It comes to be with its first login or MO."""

    def __init__(self, name: str, centre: Centre) -> None:
        self.name = name
        self._centre = centre
        self.links: list[Link] = []
        self._turn = 0
        self._pumping = False
        self.settings: AccountSettings
        self.behaviour: Behaviour
        self.renew()
        self.forget()

    def renew(self) -> None:
        """The script has changed."""
        self.settings = self._centre.script.account(self.name) or AccountSettings()
        self.behaviour = self._centre.script.behaviour_of(self.name)
        for link in self.links:
            link.renew()

    def forget(self) -> None:
        """Counters, and what waits."""
        self._queue: deque[Delivery] = deque()
        self._judge = Judge()
        self._receipts = 0
        self._answers = 0
        self.logins = 0
        self.counts: Counter[str] = Counter()

    # --- sessions -----------------------------------------------------------------------------------------------------

    def joined(self, link: Link) -> None:
        """A session has logged in."""
        self.links.append(link)
        self._centre.claimed(self, link)
        self.pump()

    def left(self, link: Link) -> None:
        """It has ended; what it had in flight has been `returned`."""
        if link in self.links:
            self.links.remove(link)
            self._centre.changed()
            self.pump()

    # --- to the client ------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """MOs and receipts that have not been sent."""
        return len(self._queue)

    def enqueue(self, deliveries: Iterable[Delivery]) -> None:
        """At the end of the queue."""
        self._queue.extend(deliveries)
        self.pump()

    def pump(self) -> None:
        """Send what may be sent."""
        if self._pumping:  # something that was sent has come to its end at once
            return
        self._pumping = True
        try:
            while self._queue and self._send_next():
                pass
        finally:
            self._pumping = False
        if self._queue and self.settings.outbind and not any(link.takes for link in self.links):
            self._centre.wanted(self, self.settings.outbind)

    def _send_next(self) -> bool:
        delivery = self._queue[0]
        if delivery.state == QUEUED:  # else its answer has come after all
            link = self._receiver(delivery)
            if link is None:
                return False
            delivery.state = SENT
            delivery.sessions.append(link.number)
            self._queue.popleft()
            link.deliver(delivery)
        else:
            self._queue.popleft()
        return True

    def _receiver(self, delivery: Delivery) -> Link | None:
        links = self.links
        if delivery.only is not None:
            for link in links:
                if link.number == delivery.only and link.takes:
                    return link if link.room > 0 else None
        for offset in range(len(links)):
            turn = (self._turn + offset) % len(links)
            if links[turn].takes and links[turn].room > 0:
                self._turn = turn + 1
                return links[turn]
        return None

    def acknowledged(self, delivery: Delivery) -> None:
        """The client has it."""
        delivery.state = ACKNOWLEDGED
        self.counts["delivered"] += 1
        self._centre.changed()
        self.pump()

    def refused(self, delivery: Delivery, status: int) -> None:
        """The client does not want it, ever."""
        delivery.state, delivery.status = REFUSED, status
        self.counts["delivery_refused"] += 1
        self._centre.changed()
        self.pump()

    def put_off(self, delivery: Delivery, status: int) -> None:
        """The client wants it later, or has not answered (status 0)."""
        if delivery.state != SENT:
            return
        if len(delivery.sessions) >= self.behaviour.mo.attempts:
            self.refused(delivery, status)
            return
        delivery.state, delivery.status = QUEUED, status
        self.counts["delivery_put_off"] += 1
        self._centre.timers.after(self.behaviour.mo.retry, self._again, delivery)
        self._centre.changed()
        self.pump()

    def returned(self, deliveries: Iterable[Delivery]) -> None:
        """The connection has gone before they were acknowledged: they are the next to go, in their order."""
        back = [delivery for delivery in deliveries if delivery.state == SENT]
        for delivery in back:
            delivery.state = QUEUED
        self.counts["delivery_returned"] += len(back)
        self._queue.extendleft(reversed(back))

    def _again(self, delivery: Delivery) -> None:
        self._queue.appendleft(delivery)
        self.pump()

    # --- from the client ----------------------------------------------------------------------------------------------

    def judge(self, to: str, in_flight: int) -> Fate:
        """What happens to a submit; `in_flight`: the session's without an answer, this one included."""
        window = self.settings.window
        over = window is not None and in_flight > window
        centre = self._centre
        self.counts["submits"] += 1
        return self._judge.judge(to, self.behaviour.answers, centre.rules, over, self.settings.tps, centre.timers.now())

    def stray(self) -> bool:
        """An answer to nothing is due."""
        return self._judge.stray(self.behaviour.answers)

    def congestion(self) -> int | None:
        """congestion_state of the next answer."""
        answers = self.behaviour.answers
        if not answers.congestion:
            return None
        level = min(self._answers // answers.congestion_step, len(answers.congestion) - 1)
        self._answers += 1
        return answers.congestion[level]

    def accepted(self, segment: Segment, rule: Rule) -> float:
        """A submit has been accepted. Answers how long after its answer its final state comes; negative: that has
        been told already, and the answer is to come so much later."""
        centre, behaviour = self._centre, self.behaviour
        centre.phones.accepted(segment)
        self.counts["accepted"] += 1
        on_its_way = centre.draw(behaviour.network.delay)
        if (rule.state or behaviour.receipts.state) in _ON_THE_PHONE:
            if on_its_way:
                centre.timers.after(on_its_way, self._arrive, segment)
            else:
                self._arrive(segment)
        delay = centre.draw(rule.receipt_delay or behaviour.receipts.delay)
        if delay < 0:
            self._on_the_way(segment, rule, 0)
            self._finish(segment, rule)
            return delay
        return on_its_way + delay

    def answered(self, segment: Segment, rule: Rule, delay: float) -> None:
        """Its answer has been sent, or would have been: what `accepted` has answered counts from now."""
        if delay >= 0:
            self._on_the_way(segment, rule, delay)
            self._centre.timers.after(delay, self._finish, segment, rule)

    def cancel(self, segment: Segment) -> bool:
        """Whether it was not too late."""
        if segment.arrived_at or segment.state in FINAL:
            return False
        self._conclude(segment, "DELETED", "000")
        self._tell(segment, 1)
        return True

    def _arrive(self, segment: Segment) -> None:
        if segment.state not in FINAL:
            self._centre.phones.arrived(segment, self._centre.wall_ms())

    def _on_the_way(self, segment: Segment, rule: Rule, delay: float) -> None:
        receipts = self.behaviour.receipts
        states = receipts.intermediate if rule.intermediate is None else rule.intermediate
        # A rule is there to be seen, whatever was asked for.
        if states and (segment.wants.intermediate or receipts.when == "always" or rule.intermediate):
            for number, state in enumerate(states, 1):
                if delay:
                    wait = delay * number / (len(states) + 1)
                    self._centre.timers.after(wait, self._step, segment, state)
                else:
                    self._step(segment, state)

    def _step(self, segment: Segment, state: str) -> None:
        if segment.state not in FINAL:
            segment.state, segment.state_at = state, self._centre.wall_ms()
            self._tell(segment, 1, final=False)

    def _finish(self, segment: Segment, rule: Rule) -> None:
        if segment.state in FINAL:
            return
        receipts = self.behaviour.receipts
        self._conclude(segment, rule.state or receipts.state, rule.err or receipts.err)
        wants = segment.wants
        wanted = wants.success if segment.state in _GOOD else wants.failure
        if receipts.when == "never" or not (wanted or receipts.when == "always"):
            return
        copies = rule.receipts
        if copies is None:
            self._receipts += 1
            copies = 1
            if receipts.lose_every and self._receipts % receipts.lose_every == 0:
                copies = 0
            elif receipts.duplicate_every and self._receipts % receipts.duplicate_every == 0:
                copies = 2
        self._tell(segment, copies)

    def _conclude(self, segment: Segment, state: str, err: str) -> None:
        segment.state, segment.err, segment.state_at = state, err, self._centre.wall_ms()
        self._centre.changed()

    def _tell(self, segment: Segment, copies: int, final: bool = True) -> None:
        receipt = Receipt(segment, segment.state, segment.err, segment.state_at, final)
        deliveries = [Delivery(receipt) for _ in range(copies)]
        segment.receipts += deliveries
        self.enqueue(deliveries)
