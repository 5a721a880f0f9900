"""One submit to the simulated SMSC, on its way to its answer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from smsc_relay.simulator.account import Account
from smsc_relay.simulator.judge import Fate
from smsc_relay.simulator.phones import Segment
from smsc_relay.simulator.settings import Rule
from smsc_relay.simulator.smpp_messages import Content, bare, describe, make_id, vendor, wants
from smsc_relay.smpp.constants import Status, Tag, status_name
from smsc_relay.smpp.pdus import (
    DataSm,
    GenericNack,
    Pdu,
    SmeAddress,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    Tlv,
    UnsuccessSme,
    int_tlv,
    text_tlv,
)

if TYPE_CHECKING:
    from smsc_relay.simulator.smpp import SmppConnection


class Submit:
    """One submit on its way to its answer: to one destination, or to many."""

    __slots__ = (
        "_accepted", "_connection", "_content", "_message_id", "_number", "_pdu", "_unsuccessful", "account", "count",
        "fates", "sequence",
    )  # fmt: skip

    def __init__(
        self,
        connection: SmppConnection,
        account: Account,
        sequence: int,
        pdu: SubmitSm | DataSm | SubmitMulti,
        content: Content,
    ) -> None:
        self._connection = connection
        self.account = account
        self.sequence = sequence
        self.count = connection.submits
        self._pdu = pdu
        self._content = content
        self._number = 0
        self._message_id = ""
        self._accepted: list[tuple[Segment, Rule, float]] = []  # and when the final state comes
        self.fates: list[Fate] = []
        self._unsuccessful: list[UnsuccessSme] = []

    def to_one(self, to: str, ton: int, npi: int) -> None:
        """Decide about a destination, and pass the message on where it is accepted."""
        account, connection, pdu, content = self.account, self._connection, self._pdu, self._content
        fate = account.judge(to, connection.open_submits)
        self.fates.append(fate)
        if fate.status is not None:
            account.counts[f"refused.{status_name(fate.status)}"] += 1
            self._unsuccessful.append(UnsuccessSme(ton, npi, to, fate.status))
            return
        centre = connection.centre
        if not self._number:
            self._number = centre.next_id()
            self._message_id = make_id(account.behaviour.ids.answer, self._number)
        if not fate.taken:
            return
        source = pdu.source_addr
        segment = Segment(
            number=self._number,
            message_id=self._message_id,
            account=account.name,
            session=connection.number,
            at=centre.wall_ms(),
            source=source,
            to=to,
            octets=content.octets,
            elements=content.elements,
            alphabet=content.alphabet,
            place=content.place,
            wants=wants(pdu.registered_delivery),
            details=partial(describe, pdu),
            addresses=((pdu.source_addr_ton, pdu.source_addr_npi), (ton, npi)),
        )
        centre.sent_from(source, account.name)
        self._accepted.append((segment, fate.rule, account.accepted(segment, fate.rule)))

    def to_many(self, pdu: SubmitMulti) -> None:
        """Every destination for itself; the SMSC keeps no distribution lists."""
        for one in pdu.dest_address:
            if isinstance(one, SmeAddress):
                self.to_one(one.destination_addr, one.dest_addr_ton, one.dest_addr_npi)
            else:
                self.fates = [Fate(status=Status.ESME_RINVDLNAME)]
                return
        if not self.fates:
            self.fates = [Fate(status=Status.ESME_RINVNUMDESTS)]

    def conclude(self) -> None:
        """Answer, now or later or not at all."""
        connection, fate = self._connection, self.fates[0]
        link = next((one.link for one in self.fates if one.link), None)
        if link is not None:
            connection.disconnect(link)
            self.answered()
            return
        if not all(one.answer for one in self.fates):
            connection.unanswered(self)
            return
        centre = connection.centre
        wait = centre.draw(fate.rule.delay or self.account.behaviour.answers.delay)
        wait += max((-delay for _, _, delay in self._accepted if delay < 0), default=0)
        response, status = self._response(fate)
        if wait:
            centre.link_timers.after(wait, connection.answer, self, response, status)
        else:
            connection.answer(self, response, status)

    def answered(self) -> None:
        """Time begins to run for the receipts."""
        for segment, rule, delay in self._accepted:
            self.account.answered(segment, rule, delay)

    def _response(self, fate: Fate) -> tuple[Pdu, int]:
        answers = self.account.behaviour.answers
        kind = self._pdu.response
        assert kind is not None  # noqa: S101 - submits have one
        if fate.nack:
            return GenericNack(), fate.status or Status.ESME_RUNKNOWNERR
        tlvs: tuple[Tlv, ...] = ()
        if self._connection.speaks_tlvs:
            level = self.account.congestion()
            tlvs = () if level is None else (int_tlv(Tag.CONGESTION_STATE, level),)
        many = isinstance(self._pdu, SubmitMulti)
        if fate.status is not None and not (many and len(self.fates) > 1):
            refused = bare(kind)
            if answers.refusal == "tlv":
                tlvs = (text_tlv(Tag.ADDITIONAL_STATUS_INFO_TEXT, "refused"), *tlvs)
            elif answers.refusal != "header" or tlvs:
                message_id = make_id(self.account.behaviour.ids.answer, 0) if answers.refusal == "id" else ""
                refused = kind(message_id=message_id)  # type: ignore[call-arg]
            return replace(refused, tlvs=tlvs) if tlvs else refused, fate.status  # type: ignore[type-var]
        if answers.tlvs:
            tlvs += vendor(answers.tlvs)
        if many:
            return SubmitMultiResp(self._message_id, tuple(self._unsuccessful), tlvs), Status.ESME_ROK
        return kind(message_id=self._message_id, tlvs=tlvs), Status.ESME_ROK  # type: ignore[call-arg]
