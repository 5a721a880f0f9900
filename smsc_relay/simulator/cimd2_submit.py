"""One submit to the simulated SMSC over CIMD2, on its way to its answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from smsc_relay.cimd2.answers import refusal
from smsc_relay.cimd2.codec import Packet, Parameters, parameters
from smsc_relay.cimd2.constants import Error, Tag
from smsc_relay.simulator.account import Account
from smsc_relay.simulator.cimd2_messages import Content, describe, error_of, source_of, wants
from smsc_relay.simulator.judge import Fate
from smsc_relay.simulator.phones import Segment
from smsc_relay.simulator.settings import Rule
from smsc_relay.smpp.constants import status_name

if TYPE_CHECKING:
    from smsc_relay.simulator.cimd2 import Cimd2Connection


class Cimd2Submit:
    """One submit: to one destination, or to many (021 may repeat)."""

    def __init__(self, connection: Cimd2Connection, account: Account, packet: Packet) -> None:
        self._connection = connection
        self.account = account
        self.number = packet.number
        self.count = connection.submits
        self._packet = packet
        self._accepted: list[tuple[Segment, Rule, float]] = []  # and when the final state comes
        self._answer: Parameters = ()
        self._fates: list[Fate] = []

    def refuse(self, code: int) -> None:
        """It cannot be taken, whoever it is for."""
        self.account.counts["submits"] += 1
        self.account.counts[f"refused.{code}"] += 1
        self._answer = refusal(code)

    def take(self, content: Content) -> None:
        """Decide about every destination, and pass the message on where it is accepted."""
        destinations = [value for tag, value in self._packet.parameters if tag == Tag.DESTINATION]
        if not destinations:
            self.refuse(Error.DESTINATION)
        for destination in destinations:
            self._to_one(destination, content)

    def _to_one(self, destination: str, content: Content) -> None:
        account, connection, packet = self.account, self._connection, self._packet
        to = destination.removeprefix("+")
        fate = account.judge(to, connection.open_submits)
        self._fates.append(fate)
        if fate.status is not None:
            account.counts[f"refused.{status_name(fate.status)}"] += 1
            self._answer += parameters((Tag.DESTINATION, destination)) + refusal(error_of(fate.status))
            return
        centre = connection.centre
        at = centre.wall_ms()
        stamp = connection.stamp(to, at)
        self._answer += parameters((Tag.DESTINATION, destination), (Tag.TIMESTAMP, stamp))
        if not fate.taken:
            return
        source = source_of(packet)
        segment = Segment(
            number=centre.next_id(),
            message_id=f"{to}-{stamp}",
            account=account.name,
            session=connection.number,
            at=at,
            source=source,
            to=to,
            octets=content.octets,
            elements=content.elements,
            alphabet=content.alphabet,
            place=content.place,
            wants=wants(packet),
            details=partial(describe, packet),
            addresses=(packet.get(Tag.ORIGINATOR), destination),
        )
        centre.sent_from(source, account.name)
        self._accepted.append((segment, fate.rule, account.accepted(segment, fate.rule)))

    def conclude(self) -> None:
        """Answer, now or later or not at all."""
        connection = self._connection
        link = next((one.link for one in self._fates if one.link), None)
        if link is not None:
            connection.disconnect(link)
            self.answered()
            return
        if not all(one.answer for one in self._fates):
            connection.unanswered(self)
            return
        centre = connection.centre
        fate = self._fates[0] if self._fates else Fate()
        wait = centre.draw(fate.rule.delay or self.account.behaviour.answers.delay)
        wait += max((-delay for _, _, delay in self._accepted if delay < 0), default=0)
        answer = None if fate.nack else self._answer
        if wait:
            centre.link_timers.after(wait, connection.answer, self, answer)
        else:
            connection.answer(self, answer)

    def answered(self) -> None:
        """Time begins to run for the status reports."""
        for segment, rule, delay in self._accepted:
            self.account.answered(segment, rule, delay)
