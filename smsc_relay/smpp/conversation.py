"""One connection to an SMSC in the relay's words: a Session whose PDUs are messages, statuses and their answers."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any, Final

from chalicelib.messages import NAMELESS, StatusUpdate
from chalicelib.records import MoEvent, ReceiptEvent
from chalicelib.values import value
from smsc_relay import incoming
from smsc_relay.protocol import (
    Accepted,
    Answered,
    Arrived,
    Ended,
    Fault,
    Happening,
    Rejected,
    Role,
    Segment,
    Surroundings,
    Unanswered,
    Verdict,
)
from smsc_relay.smpp import address, announced, inquiries, receipts, texts, times
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import Status, StatusClass, status_class, status_name
from smsc_relay.smpp.errors import LocalProtocolError, SmppEncodeError
from smsc_relay.smpp.events import (
    Alive,
    Bind,
    BindRefused,
    Bound,
    Closed,
    CloseReason,
    Event,
    LateResponse,
    OutbindReceived,
    ProtocolFault,
    RequestReceived,
    Response,
    ResponseTimeout,
    UnexpectedResponse,
)
from smsc_relay.smpp.halves import Half, Halves, Joined
from smsc_relay.smpp.pdus import (
    AlertNotification,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    Outbind,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
)
from smsc_relay.smpp.session import Session, State

_BINDS: Final[dict[Role, type[Bind]]] = {
    Role.TRANSCEIVER: BindTransceiver,
    Role.TRANSMITTER: BindTransmitter,
    Role.RECEIVER: BindReceiver,
}
_VERDICTS: Final = {
    StatusClass.PERMANENT: Verdict.PERMANENT,
    StatusClass.TEMPORARY: Verdict.TEMPORARY,
    StatusClass.THROTTLED: Verdict.THROTTLED,
    StatusClass.CONFIGURATION: Verdict.ACCOUNT,
    StatusClass.SESSION: Verdict.TEMPORARY,  # not the message's fault: another session may take it
}
_ROK: Final = int(Status.ESME_ROK)  # before Python 3.12, a member of an enum costs as much as a call


class _Inquiry:
    """Context of an inquiry, to tell it from a submit's."""

    __slots__ = ("of",)

    def __init__(self, of: Any) -> None:
        self.of = of


@value
class _Tokens:
    """Those of requests that are answered together."""

    tokens: tuple[Any, ...]


class SmppConversation:
    """`smsc_relay.protocol.Conversation` over SMPP; a token is the sequence number and the response class."""

    costs_nothing = True

    def __init__(self, config: SmppConfig, role: Role, now: float, surroundings: Surroundings) -> None:
        self._config = config
        self._role = role
        self._around = surroundings
        self._session = Session(config.session(), now)
        self._uncalled = config.listens(role) is not None  # the SMSC's outbind is waited for
        self._out: list[bytes] = []
        self._pending: list[Happening] = []  # from calls that answer nothing; the next one that does tells them
        self._pending_since = now
        self._halves = Halves()
        self._name = surroundings.new_id()
        self._since = 0

    # --- what it is like now ------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Bound, and not unbinding."""
        return self._session.is_bound

    @property
    def in_flight(self) -> int:
        """Submits without an answer so far."""
        return self._session.in_flight

    # --- what the owner does ------------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Bind, or wait for the SMSC's outbind (SMPP 3.4 section 2.2.1)."""
        if not self._uncalled:
            self._bind(now)

    def _bind(self, now: float) -> None:
        config = self._config
        request = _BINDS[self._role](
            system_id=config.system_id,
            password=str(config.password or ""),
            system_type=config.system_type,
            interface_version=config.version,
            addr_ton=config.bind_ton,
            addr_npi=config.bind_npi,
            address_range=config.address_range,
        )
        self._out.append(self._session.send(request, now)[1])

    def submit(self, segment: Segment, context: Any, now: float) -> None:
        """Send a segment of `SmppDialect.plan`.

        Raises:
            RuntimeError: not bound, or bound as a receiver.
        """
        if not self._session.can_submit:
            raise RuntimeError("not bound for submitting")
        body: SubmitSm = segment.body
        if (body.validity_period or body.schedule_delivery_time) and self._config.validity_form == "absolute":
            body = _absolute(body, self._around.wall_ms())
        try:
            self._out.append(self._session.send(body, now, context)[1])
        except SmppEncodeError as error:  # a plan made with another config
            self._later([Rejected(context, Verdict.PERMANENT, str(error), "", 0.0)], now)

    def inquire(self, body: Pdu, context: Any, now: float) -> None:
        """Send a query_sm, cancel_sm or replace_sm.

        Raises:
            RuntimeError: not bound, or bound as a receiver.
        """
        if not self._session.can_submit:
            raise RuntimeError("not bound for submitting")
        try:
            self._out.append(self._session.send(body, now, _Inquiry(context))[1])
        except SmppEncodeError as error:
            self._later([Answered(context, problem=str(error))], now)

    def probe(self, context: Any, now: float) -> None:
        """enquire_link (SMPP 3.4 section 4.11), which every bind may send.

        Raises:
            RuntimeError: not bound.
        """
        if not self._session.is_bound:
            raise RuntimeError("not bound")
        self._out.append(self._session.send(EnquireLink(), now, _Inquiry(context))[1])

    def acknowledge(self, token: Any, now: float) -> None:
        """deliver_sm_resp or data_sm_resp with ESME_ROK."""
        self._answer(token, Status.ESME_ROK)

    def decline(self, token: Any, now: float) -> None:
        """The same with ESME_RX_T_APPN: the SMSC is to try again later (SMPP 3.4 section 5.1.3)."""
        self._answer(token, Status.ESME_RX_T_APPN)

    def _answer(self, token: Any, status: int) -> None:
        if type(token) is _Tokens:
            for one in token.tokens:
                self._answer(one, status)
            return
        sequence, response = token
        try:
            self._out.append(self._session.respond(sequence, response(), status))
        except LocalProtocolError:  # closed meanwhile: the SMSC gives it again
            return

    def leave(self, now: float) -> None:
        """Unbind; or give up at once where there is no bind."""
        if self._session.is_bound:
            self._out.append(self._session.send(Unbind(), now)[1])
        elif self._session.state is not State.UNBINDING:
            self._uncalled = False
            self._later(self._told(self._session.abort(now), now), now)

    def data_to_send(self) -> bytes:
        """Octets for the SMSC since the last call."""
        data = b"".join((*self._out, self._session.data_to_send()))
        self._out.clear()
        return data

    # --- what happens -------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> Sequence[Happening]:
        """Octets from the SMSC."""
        return self._happened(self._session.receive_data(data, now), now)

    def next_deadline(self) -> float | None:
        """When `tick` is due at the latest."""
        if self._pending:
            return self._pending_since
        due = self._session.next_deadline()
        return due if self._halves.due == inf else min(self._halves.due, inf if due is None else due)

    def tick(self, now: float) -> Sequence[Happening]:
        """Time has passed."""
        found = self._happened(self._session.tick(now), now)
        if self._halves.due <= now:
            for one in self._halves.overdue(now):
                self._on_pieces(one, found)
        return found

    def connection_lost(self, now: float) -> Sequence[Happening]:
        """The connection is gone."""
        return self._happened(self._session.connection_lost(now), now)

    def _later(self, happenings: list[Happening], now: float) -> None:
        self._pending += happenings
        self._pending_since = now

    def _happened(self, events: list[Event], now: float) -> list[Happening]:
        pending, self._pending = self._pending, []
        return pending + self._told(events, now)

    def _told(self, events: list[Event], now: float) -> list[Happening]:
        found: list[Happening] = []
        for event in events:
            match event:
                case RequestReceived():
                    self._on_request(event.sequence, event.pdu, now, found)
                case Response(context=_Inquiry()):
                    problem = "" if event.status == _ROK else status_name(event.status)
                    found.append(Answered(event.context.of, () if problem else inquiries.said(event.pdu), problem))
                    found += announced.congestion(event.pdu)
                case LateResponse(context=_Inquiry()) | Alive():  # nobody waits for it
                    found += announced.congestion(event.pdu)
                case Response() | LateResponse():
                    self._on_response(event, now, found)
                case ResponseTimeout(context=_Inquiry()):
                    found.append(Answered(event.context.of, problem=f"no answer for {event.waited:.0f} s"))
                case ResponseTimeout():
                    found.append(Unanswered(event.context, event.waited))
                case Bound():
                    self._since = self._around.wall_ms()
                    found.append(announced.ready(event, self._config))
                    found += announced.congestion(event.pdu)
                case BindRefused():
                    found.append(announced.refused(event, self._config))
                case Closed():
                    self._halves.clear()
                    if self._uncalled:
                        found.append(Fault(f"no outbind: {event.reason.value}"))
                    contexts = [one.context for one in event.lost]
                    lost = tuple(one for one in contexts if not isinstance(one, _Inquiry))
                    asked = [one.of for one in contexts if isinstance(one, _Inquiry)]
                    found += [Answered(one, problem="the connection ended") for one in asked]
                    by_peer = event.reason is CloseReason.PEER_UNBOUND
                    found.append(Ended(event.reason.value, lost, by_peer))
                case ProtocolFault():
                    found.append(Fault(event.reason))
                case UnexpectedResponse():
                    found.append(Fault(f"{type(event.pdu).__name__} to nothing that we have asked"))
                case OutbindReceived():
                    found += self._on_outbind(event.pdu, now)
        return found

    def _on_outbind(self, pdu: Outbind, now: float) -> list[Happening]:
        """Bind over the connection that the SMSC has made, if it is the SMSC."""
        config = self._config
        self._uncalled = False
        if self._session.state is not State.OUTBOUND:  # closed by what came with it
            return []
        named = not config.outbind_system_id or _same(config.outbind_system_id, pdu.system_id)
        known = config.outbind_password is None or _same(config.outbind_password, pdu.password)
        if named & known:
            self._bind(now)
            return []
        return [Fault("outbind with a wrong system_id or password"), *self._told(self._session.abort(now), now)]

    # --- answers to submits -------------------------------------------------------------------------------------------

    def _on_response(self, event: Response | LateResponse, now: float, found: list[Happening]) -> None:
        late = isinstance(event, LateResponse)
        status, pdu = event.status, event.pdu
        if status == _ROK:
            written = pdu.message_id if isinstance(pdu, SubmitSmResp) else None
            external_id = receipts.response_id(written, self._config)
            other = written if written and written != external_id else ""
            found.append(Accepted(event.context, external_id, event.rtt, late, other))
        else:
            told = status_class(status)
            own = self._config.status_classes.get(status)
            verdict = Verdict(own) if own else _VERDICTS[told]
            found.append(Rejected(event.context, verdict, status_name(status), f"0x{status:08X}", event.rtt, late))
            if told is StatusClass.SESSION and not own and not late and self._session.is_bound:
                self.leave(now)
        found += announced.congestion(pdu)

    # --- MOs and receipts ---------------------------------------------------------------------------------------------

    def _on_request(self, sequence: int, pdu: Pdu, now: float, found: list[Happening]) -> None:
        response: type[Pdu]
        if isinstance(pdu, DeliverSm):
            response = DeliverSmResp
        elif isinstance(pdu, DataSm):
            response = DataSmResp
        else:
            if isinstance(pdu, AlertNotification):
                found.append(announced.alert(pdu, self._config))
            return
        receipt = receipts.read(pdu, self._config)
        if isinstance(receipt, Half):
            whole = self._halves.add(receipt, (sequence, response), now)
            if whole is not None:
                self._on_pieces(whole, found)
            return
        event: MoEvent | ReceiptEvent | None
        if receipt is None:
            event, fault = self._incoming(pdu)
        else:
            event, fault = self._receipt(pdu, receipt), receipt.fault
        if fault:
            found.append(Fault(fault))
        found.append(Arrived((sequence, response), () if event is None else (event,)))

    def _on_pieces(self, told: Joined, found: list[Happening]) -> None:
        receipt = receipts.joined(told.pdus, told.text, self._config)
        if receipt.fault:
            found.append(Fault(receipt.fault))
        event = self._receipt(told.pdus[0], receipt)
        found.append(Arrived(_Tokens(told.tokens), () if event is None else (event,)))

    def _incoming(self, pdu: DeliverSm | DataSm) -> tuple[MoEvent, str]:
        config, around = self._config, self._around
        found = texts.read(pdu, config)
        sender = address.phone(pdu.source_addr_ton, pdu.source_addr, config)
        to = config.mo_address or address.own(pdu.dest_addr_ton, pdu.destination_addr, config)
        own = announced.own_tlvs(pdu.tlvs) if pdu.tlvs else ""
        return incoming.event(around, found, sender, to, self._name, self._since, own), found.fault

    def _receipt(self, pdu: DeliverSm | DataSm, receipt: receipts.Receipt) -> ReceiptEvent | None:
        if receipt.status is None:
            return None
        around = self._around
        event_id = around.new_id()
        update = StatusUpdate(
            channel="",
            status=receipt.status,
            external_id=receipt.external_id or f"{NAMELESS} {event_id}",
            at=receipt.at,
            code=receipt.code,
            reason=receipt.stat,
            destination=_phone_of(pdu, self._config),
        )
        return ReceiptEvent(event_id=event_id, update=update, aggregator=around.aggregator, at=around.wall_ms())


def _absolute(body: SubmitSm, now_ms: int) -> SubmitSm:
    validity, schedule = body.validity_period, body.schedule_delivery_time
    return replace(
        body,
        validity_period=validity and times.absolute(validity, now_ms),
        schedule_delivery_time=schedule and times.absolute(schedule, now_ms),
    )


def _phone_of(pdu: DeliverSm | DataSm, config: SmppConfig) -> str:
    """The phone that a receipt is about, as we write it: its source (SMPP 3.4 appendix B), but some SMSCs leave the
    addresses as the message had them. "": neither is a phone's number."""
    source = address.written(pdu.source_addr_ton, pdu.source_addr, config.mo_source_rules)
    if address.is_phone(source):
        return source
    destination = address.written(pdu.dest_addr_ton, pdu.destination_addr, config.mo_source_rules)
    return destination if address.is_phone(destination) else ""


def _same(ours: str, theirs: str | None) -> bool:
    """In a time that does not tell where they differ."""
    return hmac.compare_digest(ours.encode(), (theirs or "").encode())
