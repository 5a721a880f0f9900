"""One connection to an SMSC in the relay's words: a Session whose PDUs are messages, statuses and their answers."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any, Final

from smsc_relay.protocol import (
    Accepted,
    Answered,
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
from smsc_relay.smpp import announced, inquiries, receipts, statuses, times
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import Status, StatusClass, status_class, status_name
from smsc_relay.smpp.deliveries import SmppDeliveries, Tokens
from smsc_relay.smpp.errors import LocalProtocolError, SmppEncodeError
from smsc_relay.smpp.events import (
    Alive,
    Bind,
    BindRefused,
    Bound,
    Closed,
    Event,
    LateResponse,
    OutbindReceived,
    ProtocolFault,
    RequestReceived,
    Response,
    ResponseTimeout,
    UnexpectedResponse,
)
from smsc_relay.smpp.pdus import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    DataSmResp,
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
OUTBIND: Final = 5.0  # s from the SMSC's call to its outbind
_ROK: Final = int(Status.ESME_ROK)  # before Python 3.12, a member of an enum costs as much as a call


class _Inquiry:
    """Context of an inquiry, to tell it from a submit's."""

    __slots__ = ("of",)

    def __init__(self, of: Any) -> None:
        self.of = of


class SmppConversation:
    """`smsc_relay.protocol.Conversation` over SMPP; a token is as `Deliveries` gives it."""

    costs_nothing = True

    def __init__(self, config: SmppConfig, role: Role, now: float, surroundings: Surroundings) -> None:
        self._config = config
        self._role = role
        self._around = surroundings
        self._session = Session(config.session(), now)
        self._uncalled = config.listens(role) is not None  # the SMSC's outbind is waited for
        self._called_at, self._called_by = now, now + min(OUTBIND, config.login_timeout)
        self._out: list[bytes] = []
        self._pending: list[Happening] = []  # from calls that answer nothing; the next one that does tells them
        self._pending_since = now
        self._deliveries = SmppDeliveries(config, surroundings)

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
        body: SubmitSm | DataSm = segment.body
        if type(body) is SubmitSm and (body.validity_period or body.schedule_delivery_time):
            body = _timed(body, self._config, self._around)
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
        if type(token) is Tokens:
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
        elif self._session.state not in (State.UNBINDING, State.PARTING):
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

    def catch_up(self, now: float) -> Sequence[Happening]:
        """MOs, receipts and alerts in what has been received."""
        return self._deliveries.read(now)

    @property
    def more(self) -> bool:
        """Some of it has not been read yet."""
        return self._deliveries.unread

    def next_deadline(self) -> float | None:
        """When `tick` is due at the latest."""
        if self._pending:
            return self._pending_since
        due = self._session.next_deadline()
        if self._uncalled and not self._session.closed:
            return self._called_by
        pieces = self._deliveries.due
        return due if pieces == inf else min(pieces, inf if due is None else due)

    def tick(self, now: float) -> Sequence[Happening]:
        """Time has passed."""
        if self._uncalled and now >= self._called_by:  # who calls and says nothing keeps the SMSC's own call waiting
            self._uncalled = False
            silent = Fault(f"no outbind: nothing was said for {now - self._called_at:.0f} s after the call")
            return [silent, *self._happened(self._session.abort(now), now)]
        return self._happened(self._session.tick(now), now) + self._deliveries.overdue(now)

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
                    self._deliveries.came((event.sequence, event.pdu))
                case Response(context=_Inquiry()):
                    problem = "" if event.status == _ROK else announced.why(event.status, event.pdu, self._config)
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
                    self._deliveries.bound()
                    found.append(announced.ready(event, self._config))
                    found += announced.congestion(event.pdu)
                case BindRefused():
                    found.append(announced.refused(event, self._config))
                case Closed():
                    found += self._deliveries.end(now)
                    if self._uncalled:
                        found.append(Fault(f"no outbind: {event.reason.value}"))
                    contexts = [one.context for one in event.lost]
                    lost = tuple(one for one in contexts if not isinstance(one, _Inquiry))
                    asked = [one.of for one in contexts if isinstance(one, _Inquiry)]
                    found += [Answered(one, problem="the connection ended") for one in asked]
                    reason = f"{event.reason.value}: {event.detail}" if event.detail else event.reason.value
                    found.append(Ended(reason, lost))
                case ProtocolFault():
                    found.append(Fault(event.reason))
                case UnexpectedResponse():
                    said = f" ({status_name(event.status)})" if event.status != _ROK else ""
                    found.append(Fault(f"{type(event.pdu).__name__}{said} to nothing that we have asked"))
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
            written = pdu.message_id if isinstance(pdu, SubmitSmResp | DataSmResp) else None
            external_id = receipts.response_id(written, self._config)
            other = written if written and written != external_id else ""
            found.append(Accepted(event.context, external_id, event.rtt, late, other))
        else:
            told = status_class(status)
            own = statuses.meaning(status, self._config.status_classes)
            verdict = Verdict(own) if own else _VERDICTS[told]
            why = announced.why(status, pdu, self._config)
            found.append(Rejected(event.context, verdict, why, f"0x{status:08X}", event.rtt, late))
            if told is StatusClass.SESSION and not own and not late and self._session.is_bound:
                self.leave(now)
        found += announced.congestion(pdu)


def _timed(body: SubmitSm, config: SmppConfig, around: Surroundings) -> SubmitSm:
    """Its times are relative so far."""
    if config.validity_form == "relative":
        return body
    now, validity, schedule = around.wall_ms(), body.validity_period, body.schedule_delivery_time
    return replace(
        body,
        validity_period=validity and times.absolute(validity, now),
        schedule_delivery_time=schedule and times.absolute(schedule, now),
    )


def _same(ours: str, theirs: str | None) -> bool:
    """In a time that does not tell where they differ."""
    return hmac.compare_digest(ours.encode(), (theirs or "").encode())
