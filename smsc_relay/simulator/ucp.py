"""One UCP session of the simulated SMSC: what the protocol's rules leave to the SMSC is decided by the script."""

from __future__ import annotations

import asyncio
import hmac
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from chalicelib import gsm7
from smsc_relay.simulator.account import Account
from smsc_relay.simulator.centre import Centre
from smsc_relay.simulator.content import ContentError
from smsc_relay.simulator.deliveries import Delivery, Receipt
from smsc_relay.simulator.endpoint import Endpoint
from smsc_relay.simulator.judge import Fate
from smsc_relay.simulator.phones import Segment
from smsc_relay.simulator.ucp_messages import (
    Stamps,
    Submit,
    describe,
    local,
    mo_operation,
    notification,
    read,
    refusal,
    source_of,
    wants,
)
from smsc_relay.smpp.constants import Status, status_name
from smsc_relay.ucp import events
from smsc_relay.ucp.codec import checksum, encode
from smsc_relay.ucp.constants import Ec, Ot
from smsc_relay.ucp.errors import LocalProtocolError
from smsc_relay.ucp.operations import (
    Ack,
    Alert,
    CallInput,
    Message,
    Nack,
    Operation,
    Result,
    SessionManagement,
    Transfer,
    result_frame,
)
from smsc_relay.ucp.session import Role, Session, SessionConfig

if TYPE_CHECKING:
    from smsc_relay.simulator.server import Server

# What a client refuses with these, it wants again; any other refusal is for good.
_LATER: Final = frozenset({Ec.CHECKSUM, Ec.LOW_NETWORK_STATUS, Ec.NOT_SUCCESSFUL, Ec.SYSTEM_ERROR})
_STRAY: Final = 99  # a transaction number that few clients are at


class UcpConnection(Endpoint):
    """A connection, from its making to its end."""

    protocol = "UCP"
    _session: Session

    def __init__(self, centre: Centre, server: Server[UcpConnection], stamps: Stamps) -> None:
        super().__init__(centre, server)
        self._stamps = stamps
        self._frames = 0  # written

    def _start(self) -> Session:
        script = self.centre.script
        self.centre.link_timers.after(script.login_timeout, self._no_login)
        config = SessionConfig(role=Role.SMSC, response_timeout=script.response_timeout)
        return Session(config, self._loop.time())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        trusted = self._behaviour.ucp.trusts
        account = self.centre.account(trusted) if trusted else None
        if account is not None:
            self._join(account)

    def data_received(self, data: bytes) -> None:
        self._session.answer_alerts = self._link.answer_enquire_link
        super().data_received(data)

    def _outgoing(self, own: bytes, more: list[bytes]) -> bytes:
        return self._spoilt(own) + b"".join(more)

    @property
    def _up(self) -> bool:
        return self.account is not None and not self._session.closed

    def _probe(self) -> None:
        assert self.account is not None  # noqa: S101 - `_up`
        self._session.send(Alert(self.account.name, "0539"), self._loop.time())

    def _spoilt(self, data: bytes) -> bytes:
        """Frames as the script wants them."""
        how = self._behaviour.ucp
        if not (how.crlf or how.wrong_checksum_every or how.wrong_length_every):
            return data
        out = []
        for frame in data.split(b"\x03")[:-1]:
            self._frames += 1
            if how.wrong_checksum_every and self._frames % how.wrong_checksum_every == 0:
                frame = frame[:-2] + (b"00" if frame[-2:] != b"00" else b"01")
            if how.wrong_length_every and self._frames % how.wrong_length_every == 0:
                body = frame[1:4] + b"%05d" % (int(frame[4:9]) + 1) + frame[9:-2]
                frame = b"\x02" + body + checksum(body)
            out.append(frame + (b"\x03\r\n" if how.crlf else b"\x03"))
        return b"".join(out)

    # --- events -------------------------------------------------------------------------------------------------------

    def _on(self, event: events.Event, now: float) -> None:
        account = self.account
        if isinstance(event, events.OperationReceived):
            self._on_operation(event.token, event.operation)
        elif isinstance(event, events.Response):
            if account is not None and isinstance(event.context, Delivery):
                self._on_result(account, event.context, event.result, late=event.late)
        elif isinstance(event, events.ResponseTimeout):
            if account is not None and isinstance(event.context, Delivery):
                account.put_off(event.context, 0)
        elif isinstance(event, events.ProtocolFault):
            self._count("fault")
        elif isinstance(event, events.Closed):
            self._over = True
            if account is not None:
                self._count(f"closed.{event.reason.value}")
                gone = (*event.lost, *event.unsent)
                account.returned([context for context in gone if isinstance(context, Delivery)])
                account.left(self)

    def _on_result(self, account: Account, delivery: Delivery, result: Result, *, late: bool) -> None:
        if isinstance(result, Ack):
            account.acknowledged(delivery)
        elif not late and result.ec in _LATER:
            account.put_off(delivery, result.ec)
        elif not late:
            account.refused(delivery, result.ec)

    def _on_operation(self, token: events.Token, operation: Operation) -> None:
        if self._over:
            return
        if isinstance(operation, SessionManagement):
            self._on_login(token, operation)
        elif isinstance(operation, CallInput | Transfer | Message):
            self._on_submit(token, operation)

    # --- login --------------------------------------------------------------------------------------------------------

    def _on_login(self, token: events.Token, request: SessionManagement) -> None:
        centre = self.centre
        account = centre.account(request.oadc)
        status: int | None = None
        if account is None:
            status = Status.ESME_RINVSYSID
        elif self.account is not None:
            status = Status.ESME_RBINDFAIL
        else:
            login, settings = account.behaviour.login, account.settings
            account.logins += 1
            if login.status is not None and (login.times is None or account.logins <= login.times):
                status = login.status
            elif settings.password is not None and not _same(str(settings.password), request.pwd):
                status = Status.ESME_RINVPASWD
            elif settings.max_binds is not None and len(account.links) >= settings.max_binds:
                status = settings.over_binds
            if not login.answer:
                return
        wait = centre.draw(account.behaviour.login.delay) if account is not None else 0
        if wait:
            centre.link_timers.after(wait, self._answer_login, token, account, status)
        else:
            self._answer_login(token, account, status)

    def _answer_login(self, token: events.Token, account: Account | None, status: int | None) -> None:
        if self._session.closed:
            return
        if status is not None or account is None:
            self._session.respond(token, refusal(status or Status.ESME_RINVSYSID))
            self._over = True
        else:
            self._session.respond(token, Ack("BIND AUTHENTICATED"))
            self._join(account)
        self._flush_soon()

    def _join(self, account: Account) -> None:
        self.account = account
        self._active_at = self._loop.time()
        self.renew()
        account.joined(self)

    def _no_login(self) -> None:
        if self.account is None and not self._session.closed:
            self.disconnect("close")

    # --- submits ------------------------------------------------------------------------------------------------------

    def _on_submit(self, token: events.Token, operation: Submit) -> None:
        account, centre = self.account, self.centre
        if account is None:
            self._session.respond(token, Nack(Ec.NOT_ALLOWED, "Not logged in"))
            return
        self.submits += 1
        self.open_submits += 1
        count = self.submits
        if self._ends_at(count):
            return
        try:
            content = read(operation)
        except ContentError:
            self._answer(token, Nack(Ec.SYNTAX, "Syntax error"), account, count)
            return
        fate = account.judge(operation.adc, self.open_submits)
        if fate.status is not None:
            account.counts[f"refused.{status_name(fate.status)}"] += 1
            self._decide(token, refusal(fate.status), fate, account, count)
            return
        offset = account.behaviour.receipts.utc_offset
        how = account.behaviour.ucp
        stamp = self._stamps.next(operation.adc, centre.wall_ms(), offset, repeat=how.same_stamps)
        name = f"{operation.adc}:{stamp}"
        segment: Segment | None = None
        delay = 0.0
        if fate.taken:
            source = source_of(operation)
            segment = Segment(
                number=centre.next_id(),
                message_id=name,
                account=account.name,
                session=self.number,
                at=centre.wall_ms(),
                source=source,
                to=operation.adc,
                octets=content.octets,
                elements=content.elements,
                alphabet=content.alphabet,
                place=content.place,
                wants=wants(operation),
                details=partial(describe, operation),
                addresses=((operation.oadc, getattr(operation, "otoa", "")), (operation.adc, "")),
            )
            centre.sent_from(source, account.name)
            delay = account.accepted(segment, fate.rule)
        self._decide(token, Ack(name if how.names else ""), fate, account, count, segment, delay)

    def _decide(
        self,
        token: events.Token,
        result: Result,
        fate: Fate,
        account: Account,
        count: int,
        segment: Segment | None = None,
        delay: float = 0.0,
    ) -> None:
        """Answer, now or later or not at all."""
        answered = partial(account.answered, segment, fate.rule, delay) if segment is not None else None
        if fate.link is not None or not fate.answer:
            self.open_submits -= 1
            if fate.link is not None:
                self.disconnect(fate.link)
            else:
                self._count("unanswered")
                self._session.forgo(token)
            if answered is not None:
                answered()
            return
        centre = self.centre
        wait = centre.draw(fate.rule.delay or account.behaviour.answers.delay) + max(0.0, -delay)
        if wait:
            centre.link_timers.after(wait, self._answer, token, result, account, count, answered)
        else:
            self._answer(token, result, account, count, answered)

    def _answer(
        self, token: events.Token, result: Result, account: Account, count: int, answered: Any = None
    ) -> None:  # fmt: skip
        self.open_submits -= 1
        if not self._session.closed:
            if account.stray():
                self._out.append(encode(result_frame(Ack(), _STRAY, Ot.SUBMIT)))
            self._session.respond(token, result)
            self._flush_soon()
        if answered is not None:
            answered()
        if account.behaviour.link.unbind_after == count:
            self.disconnect("unbind")

    # --- account.Link -------------------------------------------------------------------------------------------------

    @property
    def takes(self) -> bool:
        return self.account is not None and not self._session.closed

    def deliver(self, delivery: Delivery) -> None:
        account = self.account
        if account is None:
            raise LocalProtocolError("a delivery without an account")
        body, behaviour = delivery.body, account.behaviour
        if isinstance(body, Receipt):
            operation: Operation = notification(body, behaviour)
        else:
            stamp = local(self.centre.wall_ms() // 1000, behaviour.receipts.utc_offset)
            operation = mo_operation(body, stamp, behaviour.ucp.mo_operation)
        try:
            self._session.send(operation, self._loop.time(), delivery)
        except LocalProtocolError:  # what no frame has room for
            account.refused(delivery, Ec.SYSTEM_ERROR)
            return
        self._deliveries += 1
        self._flush_soon()

    def _end(self, how: str) -> None:
        now = self._loop.time()
        for event in self._session.leave(now):
            self._on(event, now)
        if how == "reset":
            self._wire.reset()
            return
        self._flush()


def _same(password: str, pwd: str) -> bool:
    """PWD is hex of GSM characters."""
    expected = gsm7.encode(password).hex().upper() if gsm7.is_gsm7(password) else ""
    return hmac.compare_digest(expected.encode(), pwd.upper().encode("latin-1"))
