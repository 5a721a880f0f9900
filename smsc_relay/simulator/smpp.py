"""One SMPP session of the simulated SMSC: what the protocol's rules leave to the SMSC is decided by the script."""

from __future__ import annotations

import hmac
import struct
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from smsc_relay.simulator.account import Account
from smsc_relay.simulator.centre import Centre
from smsc_relay.simulator.content import ContentError
from smsc_relay.simulator.deliveries import Delivery, Receipt
from smsc_relay.simulator.endpoint import Endpoint
from smsc_relay.simulator.judge import Fate
from smsc_relay.simulator.phones import FINAL
from smsc_relay.simulator.script import Outbind as OutbindSettings
from smsc_relay.simulator.smpp_messages import (
    Content,
    bare,
    message_state,
    mo_pdu,
    read,
    receipt_pdu,
    vendor,
    wants,
)
from smsc_relay.simulator.smpp_submit import Submit
from smsc_relay.smpp import events
from smsc_relay.smpp.codec import LIMITS_GENEROUS, encode
from smsc_relay.smpp.constants import (
    RESPONSE_BIT,
    VERSION_34,
    CommandId,
    Status,
    StatusClass,
    Tag,
    status_class,
    status_name,
)
from smsc_relay.smpp.errors import LocalProtocolError
from smsc_relay.smpp.pdus import (
    CancelSm,
    CancelSmResp,
    DataSm,
    EnquireLink,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    int_tlv,
)
from smsc_relay.smpp.session import Role, Session, SessionConfig, State

if TYPE_CHECKING:
    from smsc_relay.simulator.server import Server

_VERSIONS: Final = {0: 0x00, 33: 0x33, 34: 0x34, 50: 0x50}
_BIND_TYPES: Final = {State.BOUND_TRX: "transceiver", State.BOUND_TX: "transmitter", State.BOUND_RX: "receiver"}
_BAD_LENGTH: Final = {
    "oversize": struct.pack(">IIII", 0x7FFFFFFF, CommandId.ENQUIRE_LINK, 0, 1),
    "undersize": struct.pack(">IIII", 4, CommandId.ENQUIRE_LINK, 0, 1),
}
_STRAY: Final = 0x7FFFFFFE  # a sequence number that no client is likely to be at
# A receiver that says so wants the same message again; any other refusal is for good (SMPP 3.4 section 5.1.3).
_LATER: Final = frozenset({StatusClass.TEMPORARY, StatusClass.THROTTLED})


class SmppConnection(Endpoint):
    """A connection, from its making to its end. `calling`: we have connected, to send an outbind."""

    protocol = "SMPP"
    _session: Session

    def __init__(self, centre: Centre, server: Server[SmppConnection], calling: OutbindSettings | None = None) -> None:
        super().__init__(centre, server)
        self._calling = calling
        self._held: list[tuple[bytes, Submit]] = []  # answers that wait to be sent in another order
        self._releases = 0
        self._system_type = ""
        self._address_range = ""

    def _start(self) -> Session:
        script = self.centre.script
        config = SessionConfig(
            role=Role.SMSC,
            limits=LIMITS_GENEROUS,
            session_init_timeout=script.login_timeout,
            response_timeout=script.response_timeout,
            enquire_link_interval=None,
            unbind_timeout=script.response_timeout,
        )
        now = self._loop.time()
        session = Session(config, now)
        if self._calling is not None:
            request = Outbind(self._calling.system_id, str(self._calling.password or ""))
            self._out.append(session.send(request, now)[1])
        return session

    def _outgoing(self, own: bytes, more: list[bytes]) -> bytes:
        link = self._link
        if own and not link.answer_enquire_link:
            own = _without(own, CommandId.ENQUIRE_LINK | RESPONSE_BIT)
        if own and not link.answer_unbind:
            own = _without(own, CommandId.UNBIND | RESPONSE_BIT)
        return b"".join([*more, own])

    @property
    def _up(self) -> bool:
        return self._session.is_bound

    def _probe(self) -> None:
        self._out.append(self._session.send(EnquireLink(), self._loop.time())[1])

    # --- events -------------------------------------------------------------------------------------------------------

    def _on(self, event: events.Event, now: float) -> None:
        if isinstance(event, events.RequestReceived):
            self._on_request(event.sequence, event.pdu)
        elif isinstance(event, events.Response):
            self._on_response(event.context, event.status)
        elif isinstance(event, events.LateResponse):
            if event.status == Status.ESME_ROK:
                self._on_response(event.context, event.status)
        elif isinstance(event, events.ResponseTimeout):
            if self.account is not None and isinstance(event.context, Delivery):
                self.account.put_off(event.context, 0)
        elif isinstance(event, events.BindRequested):
            self._on_bind(event)
        elif isinstance(event, events.ProtocolFault):
            self._count(f"fault.{status_name(event.status)}")
        elif isinstance(event, events.UnexpectedResponse):
            self._count("unexpected_response")
        elif isinstance(event, events.Closed):
            self._on_closed(event)

    def _on_closed(self, event: events.Closed) -> None:
        silent = event.reason is events.CloseReason.PEER_UNBOUND and not self._behaviour.link.answer_unbind
        self._over = not silent  # who gets no answer to its unbind is to close by itself
        account = self.account
        if account is not None:
            self._count(f"closed.{event.reason.value}")
            account.returned([lost.context for lost in event.lost if isinstance(lost.context, Delivery)])
            account.left(self)

    def _on_response(self, context: Any, status: int) -> None:
        account = self.account
        if account is None or not isinstance(context, Delivery):
            return
        if status == Status.ESME_ROK:
            account.acknowledged(context)
        elif status_class(status) in _LATER:
            account.put_off(context, status)
        else:
            account.refused(context, status)

    # --- login --------------------------------------------------------------------------------------------------------

    def _on_bind(self, event: events.BindRequested) -> None:
        pdu, centre = event.pdu, self.centre
        account = centre.account(pdu.system_id)
        if account is None:
            self._refuse_bind(Status.ESME_RINVSYSID)
            return
        login, settings = account.behaviour.login, account.settings
        account.logins += 1
        password = settings.password
        status: int | None = None
        if login.status is not None and (login.times is None or account.logins <= login.times):
            status = login.status
        elif password is not None and not hmac.compare_digest(
            password.encode("latin-1", "replace"), pdu.password.encode("latin-1")
        ):
            status = Status.ESME_RINVPASWD
        elif settings.system_type is not None and settings.system_type != pdu.system_type:
            status = Status.ESME_RINVSYSTYP
        elif _BIND_TYPES[event.state] not in settings.binds:
            status = Status.ESME_RBINDFAIL
        elif settings.max_binds is not None and len(account.links) >= settings.max_binds:
            status = settings.over_binds
        self._system_type, self._address_range = pdu.system_type, pdu.address_range
        if not login.answer:
            return
        delay = centre.draw(login.delay)
        call = partial(self._accept_bind, account) if status is None else partial(self._refuse_bind, status)
        if delay:
            centre.link_timers.after(delay, self._late_bind, call)
        else:
            call()

    def _late_bind(self, call: partial[None]) -> None:
        if self._session.state is State.BINDING:
            call()
            self._flush()

    def _refuse_bind(self, status: int) -> None:
        now = self._loop.time()
        self._out.append(self._session.refuse_bind(status, now))
        for event in self._session.tick(now):
            self._on(event, now)

    def _accept_bind(self, account: Account) -> None:
        login = account.behaviour.login
        tlvs = vendor(login.tlvs)
        peer = self._session.peer_version or 0
        if login.version is not None and peer >= VERSION_34:
            tlvs = (int_tlv(Tag.SC_INTERFACE_VERSION, _VERSIONS[login.version]), *tlvs)
        now = self._loop.time()
        self._out.append(self._session.accept_bind(now, login.smsc, tlvs, announce_version=False))
        self.account = account
        self._active_at = now
        self.renew()
        account.joined(self)

    # --- submits ------------------------------------------------------------------------------------------------------

    def _on_request(self, sequence: int, pdu: Pdu) -> None:
        if self._over:  # the session was ended by a request that came in the same octets
            return
        if isinstance(pdu, SubmitSm | DataSm | SubmitMulti):
            self._on_submit(sequence, pdu)
        elif isinstance(pdu, QuerySm | CancelSm | ReplaceSm):
            self._out.append(self._session.respond(sequence, *self._look_up(pdu)))
        else:
            response = pdu.response
            if response is not None:
                self._out.append(self._session.respond(sequence, bare(response), Status.ESME_RINVCMDID))

    def _on_submit(self, sequence: int, pdu: SubmitSm | DataSm | SubmitMulti) -> None:
        account = self.account
        if account is None:  # the session lets nobody submit who has not logged in
            raise LocalProtocolError("a submit without an account")
        self.submits += 1
        self.open_submits += 1
        if self._ends_at(self.submits):
            return
        try:
            content = read(pdu, account.settings.alphabet)
        except ContentError:
            fate, content = Fate(status=Status.ESME_RINVESMCLASS), Content(b"", b"", "binary", None)
        else:
            fate = Fate()
        submit = Submit(self, account, sequence, pdu, content)
        if fate.status is not None:
            submit.fates.append(fate)
        elif isinstance(pdu, SubmitMulti):
            submit.to_many(pdu)
        else:
            submit.to_one(pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi)
        submit.conclude()

    def _look_up(self, pdu: QuerySm | CancelSm | ReplaceSm) -> tuple[Pdu, int]:
        """The answer to a request about a message, and its status."""
        account = self.account
        segment = self.centre.phones.find(account.name, pdu.message_id) if account is not None else None
        if isinstance(pdu, QuerySm):
            if segment is None or segment.source != pdu.source_addr:
                return QuerySmResp(message_id=None), Status.ESME_RINVMSGID
            return QuerySmResp(pdu.message_id, message_state=message_state(segment.state)), Status.ESME_ROK
        if isinstance(pdu, CancelSm):
            if segment is None or account is None:
                return CancelSmResp(), Status.ESME_RINVMSGID
            return CancelSmResp(), Status.ESME_ROK if account.cancel(segment) else Status.ESME_RCANCELFAIL
        if segment is None:
            return ReplaceSmResp(), Status.ESME_RINVMSGID
        if segment.arrived_at or segment.state in FINAL or segment.place is not None:
            return ReplaceSmResp(), Status.ESME_RREPLACEFAIL
        segment.octets, segment.wants = pdu.short_message, wants(pdu.registered_delivery)
        return ReplaceSmResp(), Status.ESME_ROK

    def answer(self, submit: Submit, response: Pdu, status: int) -> None:
        """The answer to a submit is due now."""
        self.open_submits -= 1
        session, account = self._session, submit.account
        if session.closed:
            submit.answered()
            return
        answers = account.behaviour.answers
        if account.stray():
            self._out.append(encode(SubmitSmResp("stray"), _STRAY))
        data = session.respond(submit.sequence, response, status)
        if answers.reorder:
            self._hold(data, submit)
        else:
            self._out.append(data)
            submit.answered()
        self._flush_soon()
        link = account.behaviour.link
        if link.bad_length_after == submit.count:
            self._out.append(_BAD_LENGTH[link.bad_length])
        if link.unbind_after == submit.count:
            self.disconnect("unbind")

    def _hold(self, answer: bytes, submit: Submit) -> None:
        answers = submit.account.behaviour.answers
        self._held.append((answer, submit))
        if len(self._held) >= answers.reorder:
            self._release(self._releases)
        elif len(self._held) == 1:
            self.centre.link_timers.after(answers.hold, self._release, self._releases)

    def _release(self, release: int) -> None:
        if release != self._releases:  # a timer of answers that have been sent since
            return
        self._releases += 1
        held = self._held[::-1]
        self._held.clear()
        for answer, submit in held:
            self._out.append(answer)
            submit.answered()
        self._flush_soon()

    def unanswered(self, submit: Submit) -> None:
        """There will be no answer to a submit."""
        self.open_submits -= 1
        self._count("unanswered")
        submit.answered()

    # --- account.Link -------------------------------------------------------------------------------------------------

    @property
    def takes(self) -> bool:
        state = self._session.state
        return state is State.BOUND_TRX or state is State.BOUND_RX

    @property
    def speaks_tlvs(self) -> bool:
        """The client does not speak SMPP 3.3."""
        return (self._session.peer_version or VERSION_34) >= VERSION_34

    def deliver(self, delivery: Delivery) -> None:
        account = self.account
        if account is None:
            raise LocalProtocolError("a delivery without an account")
        body = delivery.body
        try:
            if isinstance(body, Receipt):
                pdu: Pdu = receipt_pdu(body, account.behaviour, account.settings.alphabet, self.speaks_tlvs)
            else:
                pdu = mo_pdu(body, account.settings.alphabet)
            self._out.append(self._session.send(pdu, self._loop.time(), delivery)[1])
        except LocalProtocolError:
            # A script can ask for ids and addresses that no PDU has room for.
            account.refused(delivery, Status.ESME_RSYSERR)
            return
        self._deliveries += 1
        self._flush_soon()

    def _end(self, how: str) -> None:
        now = self._loop.time()
        if how == "unbind" and self._session.is_bound:
            self._out.append(self._session.send(Unbind(), now)[1])
        elif how != "unbind" or self._session.state is not State.UNBINDING:
            for event in self._session.abort(now):
                self._on(event, now)
            self._over = True
        if how == "reset":
            self._wire.reset()
            return
        self._flush()

    def _more_shown(self) -> dict[str, Any]:
        version = self._session.peer_version
        return {
            "version": None if version is None else f"0x{version:02X}",
            "system_type": self._system_type,
            "address_range": self._address_range,
        }


def _without(data: bytes, kind: int) -> bytes:
    """Whole PDUs, one kind of them left out."""
    kept = []
    while data:
        length, command_id = struct.unpack_from(">II", data)
        if command_id != kind:
            kept.append(data[:length])
        data = data[length:]
    return b"".join(kept)
