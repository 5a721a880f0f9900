"""One connection to an SMSC in the relay's words: a Session whose operations are messages, statuses, their answers."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any, Final

from chalicelib import gsm7
from smsc_relay import foreign
from smsc_relay.protocol import (
    Accepted,
    Answered,
    Ended,
    Fault,
    Happening,
    NotOffered,
    Ready,
    Refused,
    Rejected,
    Role,
    Segment,
    Surroundings,
    Unanswered,
    Verdict,
)
from smsc_relay.said import name, reason
from smsc_relay.ucp import receipts, times
from smsc_relay.ucp.config import UcpConfig
from smsc_relay.ucp.constants import Ec, EcClass, error_class, error_name
from smsc_relay.ucp.deliveries import UcpDeliveries
from smsc_relay.ucp.errors import LocalProtocolError, UcpEncodeError
from smsc_relay.ucp.events import (
    Closed,
    Event,
    LoggedIn,
    LoginRefused,
    OperationReceived,
    ProtocolFault,
    Response,
    ResponseTimeout,
    Token,
)
from smsc_relay.ucp.operations import Alert, CallInput, Message, Nack, Result, SessionManagement, Transfer
from smsc_relay.ucp.session import Session, SessionConfig
from smsc_relay.ucp.spacing import Spacing
from smsc_relay.zones import CLOCK_FAULT, CLOCKS_APART

_VERDICTS: Final = {
    EcClass.PERMANENT: Verdict.PERMANENT,
    EcClass.TEMPORARY: Verdict.TEMPORARY,
    EcClass.ACCOUNT: Verdict.ACCOUNT,
}
_CREDENTIALS: Final = frozenset({Ec.AUTHENTICATION, Ec.NOT_ALLOWED, Ec.ADC_INVALID})
_BUSY: Final = frozenset({Ec.LOW_NETWORK_STATUS, Ec.NOT_SUCCESSFUL, Ec.SYSTEM_ERROR})
_REMEMBERED: Final = 1000  # keys of submits, to notice those that come twice
Submit = CallInput | Transfer | Message


class _Probe:
    """Context of a question whether the SMSC lives, to tell it from a submit's."""

    __slots__ = ("of",)

    def __init__(self, of: Any) -> None:
        self.of = of


class UcpConversation:
    """`smsc_relay.protocol.Conversation` over UCP; a token is the session's."""

    costs_nothing = False

    def __init__(self, config: UcpConfig, role: Role, now: float, surroundings: Surroundings) -> None:
        self._config = config
        self._role = role
        self._around = surroundings
        self._session = Session(_session(config), now)
        self._spacing = Spacing(config.recipient_gap)
        self._pending: list[Happening] = []  # from calls that answer nothing; the next one that does tells them
        self._pending_since = now
        self._deliveries = UcpDeliveries(config, surroundings)
        self._clock_seen = False  # the SMSC's: its times are what validity and deferral are written in
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._secrets = _secrets(config)
        self._throttled = re.compile(config.throttled_text, re.IGNORECASE) if config.throttled_text else None

    # --- what it is like now ------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Logged in, where the account has a login."""
        return self._session.ready

    @property
    def in_flight(self) -> int:
        """Submits without an answer so far."""
        return self._session.in_flight + self._spacing.held

    # --- what the owner does ------------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Log in."""
        config = self._config
        request = None
        if config.username:
            request = SessionManagement(
                oadc=config.username,
                oton=config.login_ton,
                onpi=config.login_npi,
                styp=config.login_type,
                pwd=_password(config),
                vers=config.login_version,
                ladc=config.login_list_address,
                lton=config.login_list_ton,
                lnpi=config.login_list_npi,
                opid=config.login_opid,
            )
        self._session.login(request, now)
        if request is None:
            self._deliveries.bound()
            self._later([Ready()], now)

    def submit(self, segment: Segment, context: Any, now: float) -> None:
        """Send a segment of `UcpDialect.plan`.

        Raises:
            RuntimeError: not logged in, or a receiver.
        """
        if not self._role.submits or not self._session.ready:
            raise RuntimeError("not logged in for submitting")
        body: Submit = segment.body
        if self._spacing.begin(body.adc, (body, context)):
            self._send(body, context, now)

    def _send(self, body: Submit, context: Any, now: float) -> None:
        try:
            self._session.send(self._dated(body), now, (context, body.adc))
        except UcpEncodeError as error:  # a plan made with another config
            self._spacing.answered(body.adc, now)
            self._later([Rejected(context, Verdict.PERMANENT, str(error), "", 0.0)], now)

    def _dated(self, body: Submit) -> Submit:
        """With times, which are the SMSC's local ones, counted from now."""
        config = self._config
        if isinstance(body, CallInput) or not (config.validity or config.deferral):
            return body
        wall, zone = self._around.wall_ms(), config.zone
        more: dict[str, Any] = {}
        if config.deferral:
            more |= {"dd": "1", "ddt": times.minute_after(config.deferral, wall, zone)}
        if config.validity:
            more["vp"] = times.minute_after(config.validity + (config.deferral or 0), wall, zone)
        return body._replace(**more) if isinstance(body, Message) else replace(body, **more)

    def probe(self, context: Any, now: float) -> None:
        """An alert (31), in its turn where one operation at a time may be open.

        Raises:
            NotOffered: the account has no address for alerts.
            RuntimeError: not logged in.
        """
        if not self._session.ready:
            raise RuntimeError("not logged in")
        alert = _session(self._config).alert
        if alert is None:
            raise NotOffered("alert_address is empty: the account has nothing to ask with")
        self._session.send(alert, now, _Probe(context))

    def acknowledge(self, token: Any, now: float) -> None:
        """A positive result."""
        self._answer(token, self._deliveries.ack(token))

    def decline(self, token: Any, now: float) -> None:
        """A negative result, or none, so that the SMSC tries again later."""
        self._deliveries.ack(token)
        code = self._config.decline_error
        self._answer(token, Nack(code, error_name(code)) if code else None)

    def _answer(self, token: Token, result: Result | None) -> None:
        try:
            if result is None:
                self._session.forgo(token)
            else:
                self._session.respond(token, result)
        except LocalProtocolError:  # closed meanwhile: the SMSC gives it again
            return

    def leave(self, now: float) -> None:
        """End the session: UCP has no logout, the connection is just closed."""
        self._later(self._told(self._session.leave(now), now), now)

    def data_to_send(self) -> bytes:
        """Octets for the SMSC since the last call."""
        return self._session.data_to_send()

    # --- what happens -------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> Sequence[Happening]:
        """Octets from the SMSC."""
        return self._happened(self._session.receive_data(data, now), now)

    def catch_up(self, now: float) -> Sequence[Happening]:
        """MOs and notifications in what has been received."""
        return self._deliveries.read(now)

    @property
    def more(self) -> bool:
        """Some of it has not been read yet."""
        return self._deliveries.unread

    def next_deadline(self) -> float | None:
        """When `tick` is due at the latest."""
        if self._pending:
            return self._pending_since
        session = self._session.next_deadline()
        deadline = min(inf if session is None else session, self._spacing.next_deadline())
        return None if deadline == inf else deadline

    def tick(self, now: float) -> Sequence[Happening]:
        """Time has passed."""
        events = self._session.tick(now)
        if self._session.ready:
            for body, context in self._spacing.due(now):
                self._send(body, context, now)
        return self._happened(events, now)

    def connection_lost(self, now: float) -> Sequence[Happening]:
        """The connection is gone."""
        return self._happened(self._session.connection_lost(now), now)

    def _later(self, happenings: list[Happening], now: float) -> None:
        self._pending += happenings
        self._pending_since = now

    def _happened(self, events: list[Event], now: float) -> list[Happening]:
        found = self._told(events, now)
        pending, self._pending = self._pending, []
        return pending + found

    def _told(self, events: list[Event], now: float) -> list[Happening]:
        found: list[Happening] = []
        for event in events:
            match event:
                case Response(context=_Probe()):
                    found.append(Answered(event.context.of))
                case ResponseTimeout(context=_Probe()):
                    found.append(Answered(event.context.of, problem=f"no answer for {event.waited:.0f} s"))
                case Response():
                    self._on_response(event, now, found)
                case OperationReceived():
                    self._deliveries.came(event)
                case ResponseTimeout():
                    context, recipient = event.context
                    self._spacing.answered(recipient, now)
                    found.append(Unanswered(context, event.waited))
                case LoggedIn():
                    self._deliveries.bound()
                    found.append(Ready(name(event.text, self._secrets)))
                case LoginRefused():
                    found.append(_refused(event.ec, self._why(event.ec, event.text)))
                case Closed():
                    self._on_closed(event, now, found)
                case ProtocolFault():
                    found.append(Fault(event.reason))
        return found

    def _on_closed(self, event: Closed, now: float, found: list[Happening]) -> None:
        found += self._deliveries.end(now)
        contexts = (*event.lost, *event.unsent)
        asked = [one.of for one in contexts if isinstance(one, _Probe)]
        found += [Answered(one, problem="the connection ended") for one in asked]
        waiting = [one for one in event.unsent if not isinstance(one, _Probe)]
        unsent = [context for context, _ in waiting] + [context for _, context in self._spacing.abandon()]
        found += [Rejected(context, Verdict.TEMPORARY, "the session ended before", "", 0.0) for context in unsent]
        lost = [one for one in event.lost if not isinstance(one, _Probe)]
        told = "" if self._session.heard else foreign.hint(self._session.noise, "a UCP")
        found.append(Ended(event.reason.value + told, tuple(context for context, _ in lost)))

    # --- answers to submits -------------------------------------------------------------------------------------------

    def _on_response(self, event: Response, now: float, found: list[Happening]) -> None:
        context, recipient = event.context
        result = event.result
        if not event.late:
            self._spacing.answered(recipient, now)
        if isinstance(result, Nack) and result.ec != Ec.PARTIALLY_SUCCESSFUL:
            verdict, why = self._verdict(result), self._why(result.ec, result.sm)
            found.append(Rejected(context, verdict, why, f"{result.ec:02d}", event.rtt, event.late))
            return
        key = receipts.result_id(result.sm, recipient, self._config)
        if key and self._config.receipts != "none" and self._twice(key):
            found.append(Fault("two messages to one recipient have the same time stamp: set recipient_gap"))
        if key and not self._clock_seen and not event.late:
            self._clock_seen = True
            stamped = times.moment(key.rpartition(":")[2], self._config.zone)
            if stamped is not None and abs(stamped - self._around.wall_ms()) > CLOCKS_APART:
                found.append(Fault(CLOCK_FAULT))
        found.append(Accepted(context, key, event.rtt, event.late))

    def _why(self, ec: int, sm: str) -> str:
        return reason(error_name(ec), sm, self._secrets)

    def _verdict(self, result: Nack) -> Verdict:
        own = self._config.error_classes.get(result.ec)
        if own:
            return Verdict(own)
        if self._throttled is not None and self._throttled.search(result.sm):
            return Verdict.THROTTLED
        return _VERDICTS[error_class(result.ec)]

    def _twice(self, key: str) -> bool:
        if key in self._keys:
            return True
        self._keys[key] = None
        if len(self._keys) > _REMEMBERED:
            self._keys.popitem(last=False)
        return False


def _session(config: UcpConfig) -> SessionConfig:
    return SessionConfig(
        alert=Alert(config.alert_address, config.keepalive_pid) if config.alert_address else None,
        alert_interval=config.keepalive or None,
        alert_fixed=config.keepalive_fixed,
        alert_misses=config.keepalive_misses,
        stop_and_wait=config.window == 1,
        login_timeout=config.login_timeout,
        response_timeout=config.response_timeout,
        close_after_timeout=config.after_timeout == "reconnect",
        inactivity_timeout=config.inactivity,
        lenient=config.lenient,
    )


def _secrets(config: UcpConfig) -> tuple[str, ...]:
    """The password, and how it is written in a login: an SMSC may say either."""
    written = _password(config)
    return (str(config.password or ""), written, written.lower())


def _password(config: UcpConfig) -> str:
    password = str(config.password or "")
    if config.login_encoding == "plain":
        return password
    septets = gsm7.encode(password)
    return (gsm7.pack(septets) if config.login_encoding == "packed" else septets).hex().upper()


def _refused(ec: int, why: str) -> Refused:
    """04 and 06 are what SMSCs say to accounts, addresses and passwords that they do not know."""
    return Refused(why, f"{ec:02d}", credentials=ec in _CREDENTIALS, busy=ec in _BUSY)
