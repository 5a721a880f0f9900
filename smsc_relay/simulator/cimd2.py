"""One CIMD2 session of the simulated SMSC: what the protocol's rules leave to the SMSC is decided by the script."""

from __future__ import annotations

import hmac
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from smsc_relay.cimd2 import events
from smsc_relay.cimd2.answers import refusal
from smsc_relay.cimd2.codec import Packet, Parameters, encode, parameters
from smsc_relay.cimd2.constants import Error, Operation, Tag
from smsc_relay.cimd2.errors import LocalProtocolError
from smsc_relay.cimd2.session import Session, SessionConfig, Side, State
from smsc_relay.simulator.account import Account
from smsc_relay.simulator.centre import Centre
from smsc_relay.simulator.cimd2_messages import (
    RefusedSubmit,
    error_of,
    mo_parameters,
    read,
    report_parameters,
    status_of,
    timestamp,
)
from smsc_relay.simulator.cimd2_submit import Cimd2Submit
from smsc_relay.simulator.content import ContentError
from smsc_relay.simulator.deliveries import Delivery, Receipt
from smsc_relay.simulator.endpoint import Endpoint
from smsc_relay.simulator.settings import Cimd2
from smsc_relay.smpp.constants import Status

if TYPE_CHECKING:
    from smsc_relay.simulator.server import Server

_STRAY: Final = 253  # a packet number that no client is likely to be at
_DAMAGED: Final = {"oversize": b"\x0240:" + b"0" * 5000 + b"\x03", "undersize": b"\x0240\x03"}
_SECOND: Final = 1000


class Cimd2Connection(Endpoint):
    """A connection, from its making to its end."""

    protocol = "CIMD2"
    _session: Session

    def __init__(self, centre: Centre, server: Server[Cimd2Connection]) -> None:
        super().__init__(centre, server)
        self._subaddress = ""
        self._held: list[tuple[Cimd2Submit, Parameters | None]] = []  # answers to be sent in another order
        self._releases = 0

    @property
    def _how(self) -> Cimd2:
        return self._behaviour.cimd2

    def _start(self) -> Session:
        script = self.centre.script
        config = SessionConfig(
            side=Side.SMSC,
            checksum=self._how.checksum,
            login_timeout=script.login_timeout,
            response_timeout=script.response_timeout,
            alive_interval=None,
            logout_timeout=script.response_timeout,
        )
        greeting = self._how.greeting
        if greeting:
            now = timestamp(self.centre.wall_ms(), self._behaviour.receipts.utc_offset)
            self._out.append(greeting.format_map({"session": self.number, "time": now}).encode("latin-1") + b"\n")
        return Session(config, self._loop.time())

    def _outgoing(self, own: bytes, more: list[bytes]) -> bytes:
        link = self._link
        if own and not link.answer_enquire_link:
            own = _without(own, Operation.ALIVE_RESPONSE)
        if own and not link.answer_unbind:
            own = _without(own, Operation.LOGOUT_RESPONSE)
        return b"".join([own, *more])

    @property
    def _up(self) -> bool:
        return self._session.is_up

    def _probe(self) -> None:
        self._session.alive(self._loop.time())

    # --- events -------------------------------------------------------------------------------------------------------

    def _on(self, event: events.Event, now: float) -> None:
        if isinstance(event, events.RequestReceived):
            self._on_request(event.packet)
        elif isinstance(event, events.Response):
            self._on_response(event.context, event.code)
        elif isinstance(event, events.ResponseTimeout):
            if self.account is not None:
                self.account.put_off(event.context, 0)
        elif isinstance(event, events.LoginRequested):
            self._on_login(event.packet)
        elif isinstance(event, events.ProtocolFault):
            self._count(f"fault.{event.reason}")
        elif isinstance(event, events.Closed):
            self._on_closed(event)

    def _on_closed(self, event: events.Closed) -> None:
        silent = event.reason is events.CloseReason.PEER_LOGGED_OUT and not self._link.answer_unbind
        self._over = not silent  # who gets no answer to its logout is to close by itself
        account = self.account
        if account is not None:
            self._count(f"closed.{event.reason.value}")
            account.returned([one for one in event.lost if isinstance(one, Delivery)])
            account.left(self)

    def _on_response(self, delivery: Any, code: int) -> None:
        account = self.account
        if account is None or not isinstance(delivery, Delivery):
            return
        if code:
            account.put_off(delivery, code)
        else:
            account.acknowledged(delivery)

    # --- login --------------------------------------------------------------------------------------------------------

    def _on_login(self, packet: Packet) -> None:
        centre = self.centre
        account = centre.account(packet.get(Tag.USER) or "")
        if account is None:
            self._refuse_login(Error.INVALID_LOGIN)
            return
        account.logins += 1
        self._subaddress = packet.get(Tag.SUBADDRESS) or ""
        login = account.behaviour.login
        code = self._verdict(account, packet)
        if not login.answer:
            return
        call = partial(self._accept_login, account) if not code else partial(self._refuse_login, code)
        delay = centre.draw(login.delay)
        if delay:
            centre.link_timers.after(delay, self._late_login, call)
        else:
            call()

    def _verdict(self, account: Account, packet: Packet) -> int:
        """The error code that a login gets; 0: it is accepted."""
        login, settings, how = account.behaviour.login, account.settings, account.behaviour.cimd2
        password = settings.password
        window = packet.get(Tag.WINDOW)
        asked = packet.integer(Tag.WINDOW) or 0
        if login.status is not None and (login.times is None or account.logins <= login.times):
            return error_of(login.status, login=True)
        if password is not None and not hmac.compare_digest(
            password.encode("latin-1", "replace"), (packet.get(Tag.PASSWORD) or "").encode("latin-1")
        ):
            return Error.INVALID_LOGIN
        if window is not None and how.window_max is None:
            return Error.WINDOWING_DISABLED
        if window is not None and not 1 <= asked <= (how.window_max or 0):
            return Error.INVALID_WINDOW
        if settings.max_binds is not None and len(account.links) >= settings.max_binds:
            return error_of(settings.over_binds, login=True)
        taken = {link.subaddress for link in account.links if isinstance(link, Cimd2Connection)}
        if how.subaddresses and self._subaddress in taken:
            return Error.TOO_MANY_USERS
        return 0

    @property
    def subaddress(self) -> str:
        """The session's own among those of its user."""
        return self._subaddress

    def _late_login(self, call: partial[None]) -> None:
        if self._session.state is State.LOGGING_IN:
            call()
            self._flush()

    def _refuse_login(self, code: int) -> None:
        self._session.refuse_login(code, self._loop.time())

    def _accept_login(self, account: Account) -> None:
        now = self._loop.time()
        self._session.accept_login(now)
        self.account = account
        self._active_at = now
        self.renew()
        account.joined(self)

    # --- requests -----------------------------------------------------------------------------------------------------

    def _on_request(self, packet: Packet) -> None:
        account = self.account
        if self._over or account is None:  # the session was ended by a request that came in the same octets
            return
        if packet.operation == Operation.SUBMIT:
            self._on_submit(account, packet)
        else:
            self._session.respond(packet.number, self._look_up(account, packet))

    def _on_submit(self, account: Account, packet: Packet) -> None:
        self.submits += 1
        self.open_submits += 1
        if self._ends_at(self.submits):
            return
        submit = Cimd2Submit(self, account, packet)
        try:
            submit.take(read(packet, self._how.prohibited))
        except RefusedSubmit as refused:
            submit.refuse(refused.code)
        submit.conclude()

    def _look_up(self, account: Account, packet: Packet) -> Parameters:
        """The answer to a request that is no submit."""
        if packet.operation == Operation.GET:
            if packet.integer(Tag.GET) != Tag.SMSC_TIME:
                return refusal(900)
            offset = self._behaviour.receipts.utc_offset
            return parameters((Tag.SMSC_TIME, timestamp(self.centre.wall_ms(), offset)))
        if packet.operation == Operation.DELIVERY_REQUEST:
            return parameters((Tag.MESSAGE_COUNT, account.waiting)) if packet.integer(Tag.REQUEST_MODE) == 0 else ()
        if packet.operation == Operation.SET:
            return refusal(801)
        to, stamp = packet.get(Tag.DESTINATION) or "", packet.get(Tag.TIMESTAMP) or ""
        segment = self.centre.phones.find(account.name, f"{to.removeprefix('+')}-{stamp}")
        if packet.operation == Operation.CANCEL:
            return () if segment is not None and account.cancel(segment) else refusal(Error.NOT_FOUND)
        if segment is None:
            return refusal(Error.NOT_FOUND)
        return parameters((Tag.DESTINATION, to), (Tag.TIMESTAMP, stamp), (Tag.STATUS, status_of(segment.state)))

    def stamp(self, to: str, at: int) -> str:
        """The time stamp of a message to a destination: its own, where the SMSC sees to that."""
        offset = self._behaviour.receipts.utc_offset
        while True:
            found = timestamp(at, offset)
            known = self.account and self.centre.phones.find(self.account.name, f"{to}-{found}")
            if known is None or self._how.timestamps == "second":
                return found
            at += _SECOND

    # --- answers ------------------------------------------------------------------------------------------------------

    def answer(self, submit: Cimd2Submit, given: Parameters | None) -> None:
        """The answer to a submit is due now; None: a nack."""
        self.open_submits -= 1
        session, account = self._session, submit.account
        if session.closed:
            submit.answered()
            return
        answers = account.behaviour.answers
        if account.stray():
            self._out.append(encode(Packet(Operation.SUBMIT_RESPONSE, _STRAY)))
            self._flush()
        if answers.reorder:
            self._hold(submit, given)
        else:
            self._say(submit, given)
        self._flush_soon()
        link = account.behaviour.link
        if link.bad_length_after == submit.count:
            self._out.append(_DAMAGED[link.bad_length])
        if link.unbind_after == submit.count:
            self._flush()
            self.disconnect("close")

    def _say(self, submit: Cimd2Submit, given: Parameters | None) -> None:
        if given is None:
            self._session.nack(submit.number)
        else:
            self._session.respond(submit.number, given)
            if self._how.noise:
                self._out.append(self._how.noise.encode("latin-1"))
        submit.answered()

    def _hold(self, submit: Cimd2Submit, given: Parameters | None) -> None:
        answers = submit.account.behaviour.answers
        self._held.append((submit, given))
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
        for submit, given in held:
            if self._session.closed:
                submit.answered()
            else:
                self._say(submit, given)
        self._flush_soon()

    def unanswered(self, submit: Cimd2Submit) -> None:
        """There will be no answer to a submit."""
        self.open_submits -= 1
        self._count("unanswered")
        submit.answered()

    # --- account.Link -------------------------------------------------------------------------------------------------

    @property
    def takes(self) -> bool:
        return self._session.is_up

    def deliver(self, delivery: Delivery) -> None:
        account = self.account
        if account is None:
            raise LocalProtocolError("a delivery without an account")
        body, offset, how = delivery.body, self._behaviour.receipts.utc_offset, self._how
        try:
            if isinstance(body, Receipt):
                operation, given = Operation.STATUS_REPORT, report_parameters(body, offset, how)
            else:
                operation, given = Operation.DELIVER, mo_parameters(body, self.centre.wall_ms(), offset, how)
            self._session.send(operation, given, self._loop.time(), delivery)
        except (LocalProtocolError, ContentError):  # a message that no packet has room for
            account.refused(delivery, Status.ESME_RSYSERR)
            return
        self._deliveries += 1
        self._flush_soon()

    def _end(self, how: str) -> None:
        """An SMSC has no logout of its own: "unbind" is "close"."""
        now = self._loop.time()
        for event in self._session.abort(now):
            self._on(event, now)
        self._over = True
        if how == "reset":
            self._wire.reset()
            return
        self._flush()

    def _more_shown(self) -> dict[str, Any]:
        return {"subaddress": self._subaddress}


def _without(data: bytes, operation: int) -> bytes:
    """Whole packets, one kind of them left out."""
    frames = data.split(b"\x03")[:-1]
    return b"".join(frame + b"\x03" for frame in frames if frame[1:3] != b"%02d" % operation)
