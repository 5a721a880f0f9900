"""One connection to an SMSC in the relay's words: a Session whose packets are messages, statuses and their answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final

from smsc_relay import foreign
from smsc_relay.cimd2 import receipts, times
from smsc_relay.cimd2.answers import refusal
from smsc_relay.cimd2.codec import Parameters, parameters
from smsc_relay.cimd2.config import Cimd2Config
from smsc_relay.cimd2.constants import Error, ErrorClass, Operation, Tag, error_class, error_name
from smsc_relay.cimd2.deliveries import Cimd2Deliveries
from smsc_relay.cimd2.errors import Cimd2EncodeError, LocalProtocolError
from smsc_relay.cimd2.events import (
    Closed,
    CloseReason,
    Event,
    LoggedIn,
    LoginRefused,
    ProtocolFault,
    RequestReceived,
    Response,
    ResponseTimeout,
)
from smsc_relay.cimd2.session import Session, State
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
    Segment,
    Surroundings,
    Unanswered,
    Verdict,
)
from smsc_relay.said import name, reason
from smsc_relay.zones import CLOCK_FAULT, CLOCKS_APART

_VERDICTS: Final = {
    ErrorClass.PERMANENT: Verdict.PERMANENT,
    ErrorClass.TEMPORARY: Verdict.TEMPORARY,
    ErrorClass.THROTTLED: Verdict.THROTTLED,
    ErrorClass.ACCOUNT: Verdict.ACCOUNT,
    ErrorClass.SESSION: Verdict.TEMPORARY,  # not the message's fault: another session may take it
}
_BUSY: Final = frozenset({ErrorClass.TEMPORARY, ErrorClass.THROTTLED, ErrorClass.SESSION})
_WINDOW_ERRORS: Final = frozenset({int(Error.INVALID_WINDOW), int(Error.WINDOWING_DISABLED)})
_DELIVERY_FAILED: Final = 710  # generic failure of a delivery
_ALL_MESSAGES: Final = 2  # mode of a delivery request


class _Probe:
    """Context of a question whether the SMSC lives, to tell it from a submit's."""

    __slots__ = ("of",)

    def __init__(self, of: Any) -> None:
        self.of = of


class Cimd2Conversation:
    """`smsc_relay.protocol.Conversation` over CIMD2; a token is a packet number.

    `take` and `give_back` lend a subaddress from login to the end; None: no subaddress. It is given back with
    whether the SMSC has refused it as one that is in use.
    """

    costs_nothing = True

    def __init__(
        self,
        config: Cimd2Config,
        now: float,
        surroundings: Surroundings,
        take: Callable[[], int | None],
        give_back: Callable[[int | None, bool], None],
    ) -> None:
        self._config = config
        self._around = surroundings
        self._session = Session(config.session(), now)
        self._take, self._give_back = take, give_back
        self._subaddress: int | None = None
        self._in_use = False  # by another session, the SMSC says
        self._deliveries = Cimd2Deliveries(config, surroundings)
        self._pending: list[Happening] = []  # from calls that answer nothing; the next one that does tells them
        self._pending_since = now
        self._login_at = inf  # when the greeting is not waited for any longer
        self._poll_at = inf
        self._window = config.window
        self._windowed = config.negotiates
        self._waiting: deque[tuple[Segment, Any]] = deque()  # submits for which the SMSC's window has no room
        self._clock_seen = False  # the SMSC's: its times are what absolute validity is written in
        self._reports = True  # status reports may be asked for

    # --- what it is like now ------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Logged in, and not logging out."""
        return self._session.is_up

    @property
    def in_flight(self) -> int:
        """Submits without an answer so far."""
        return self._session.in_flight + len(self._waiting)

    # --- what the owner does ------------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Log in, once the SMSC has greeted or has not for a while: some do not hear what comes before."""
        self._subaddress = self._take()
        if self._config.greeting_wait:
            self._login_at = now + self._config.greeting_wait
        else:
            self._login(now)

    def _login(self, now: float) -> None:
        config = self._config
        self._login_at = inf
        self._session.login(
            parameters(
                (Tag.USER, config.username),
                (Tag.PASSWORD, str(config.password)),
                (Tag.SUBADDRESS, self._subaddress),
                (Tag.WINDOW, config.window if self._windowed else None),
                (Tag.IP_ADDRESS, config.ip_address or None),
            ),
            now,
        )

    def submit(self, segment: Segment, context: Any, now: float) -> None:
        """Send a segment of `Cimd2Dialect.plan`.

        Raises:
            RuntimeError: not logged in.
        """
        if not self._session.is_up:
            raise RuntimeError("not logged in for submitting")
        self._waiting.append((segment, context))
        self._submit_waiting(now)

    def _submit_waiting(self, now: float) -> None:
        session = self._session
        while self._waiting and session.is_up and session.in_flight < self._window and session.has_number:
            segment, context = self._waiting.popleft()
            body: Parameters = segment.body
            if not self._reports:
                body = _without(body, Tag.STATUS_REPORT)
            if self._config.validity and self._config.validity_form == "absolute" and (zone := self._config.zone):
                until = times.absolute(self._around.wall_ms() + self._config.validity * 1000, zone)
                body += parameters((Tag.VALIDITY_ABSOLUTE, until))
            try:
                session.send(Operation.SUBMIT, body, now, context)
            except Cimd2EncodeError as error:  # a plan made with another config
                self._later([Rejected(context, Verdict.PERMANENT, str(error), "", 0.0)], now)

    def probe(self, context: Any, now: float) -> None:
        """alive (40).

        Raises:
            NotOffered: every packet number waits for its answer.
            RuntimeError: not logged in.
        """
        if not self._session.is_up:
            raise RuntimeError("not logged in")
        if not self._session.has_number:
            raise NotOffered("no packet number is free for an alive")
        self._session.alive(now, _Probe(context))

    def acknowledge(self, token: Any, now: float) -> None:
        """The positive answer (70 or 73)."""
        try:
            self._session.respond(token)
        except LocalProtocolError:  # closed meanwhile: the SMSC gives it again
            return

    def decline(self, token: Any, now: float) -> None:
        """As `declined` says: no answer, an error, or the end of the connection."""
        try:
            match self._config.declined:
                case "hold":
                    self._session.withhold(token)
                case "error":
                    self._session.respond(token, refusal(_DELIVERY_FAILED))
                case "close":
                    self._later(self._told(self._session.abort(now, CloseReason.ABORTED), now), now)
        except LocalProtocolError:
            return

    def leave(self, now: float) -> None:
        """Log out; or give up at once where there is no login."""
        if self._session.is_up:
            self._session.logout(now)
        elif self._session.state is not State.LOGGING_OUT:
            self._later(self._told(self._session.abort(now), now), now)

    def data_to_send(self) -> bytes:
        """Octets for the SMSC since the last call."""
        return self._session.data_to_send()

    # --- what happens -------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> Sequence[Happening]:
        """Octets from the SMSC."""
        events = self._session.receive_data(data, now)
        if self._login_at < inf and "\n" in self._session.noise and not self._session.closed:
            self._login(now)
        return self._happened(events, now)

    def catch_up(self, now: float) -> Sequence[Happening]:
        """MOs and status reports in what has been received."""
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
        own = inf if self._session.closed else min(self._login_at, self._poll_at)
        found = min(own, inf if due is None else due)
        return None if found == inf else found

    def tick(self, now: float) -> Sequence[Happening]:
        """Time has passed."""
        events = self._session.tick(now)
        if self._login_at <= now and not self._session.closed:
            self._login(now)
        if self._poll_at <= now:
            self._poll(now)
        return self._happened(events, now)

    def connection_lost(self, now: float) -> Sequence[Happening]:
        """The connection is gone."""
        found = self._happened(self._session.connection_lost(now), now)
        self._return_subaddress()  # where a fault of ours has kept the end from being told
        return found

    def _poll(self, now: float) -> None:
        """A delivery request, where the account has to ask for its messages."""
        self._poll_at = inf if self._config.poll is None else now + self._config.poll
        if self._poll_at < inf and self._session.is_up and self._session.has_number:
            given = parameters((Tag.REQUEST_MODE, _ALL_MESSAGES))
            self._session.send(Operation.DELIVERY_REQUEST, given, now, automatic=True)

    def _later(self, happenings: list[Happening], now: float) -> None:
        self._pending += happenings
        self._pending_since = now

    def _happened(self, events: list[Event], now: float) -> list[Happening]:
        found, self._pending = self._pending, []
        found += self._told(events, now)
        self._submit_waiting(now)
        return found

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
                case RequestReceived():
                    self._deliveries.came(event.packet)
                case ResponseTimeout():
                    found.append(Unanswered(event.context, event.waited))
                case LoggedIn():
                    self._deliveries.bound()
                    peer = name(self._session.noise.partition("\n")[0], (self._config.password,))
                    found.append(Ready(peer, window=self._window if self._window < self._config.window else 0))
                    self._poll(now)
                case LoginRefused():
                    self._on_refused(event, now, found)
                case Closed():
                    self._on_closed(event, now, found)
                case ProtocolFault():
                    found.append(Fault(event.reason))
        return found

    def _on_refused(self, event: LoginRefused, now: float, found: list[Happening]) -> None:
        """An SMSC that knows no windows is asked again without, at once."""
        code = event.code
        if code in _WINDOW_ERRORS and self._windowed:
            self._windowed, self._window = False, 1
            found.append(Fault(f"{error_name(code)}: going on with a window of 1"))
            if self._session.state is State.OPEN:  # not closed by what came with it
                self._login(now)
                return
        self._in_use = code == Error.TOO_MANY_USERS
        told = error_class(code)
        credentials = told is ErrorClass.ACCOUNT and code not in _WINDOW_ERRORS
        found.append(Refused(self._why(code, event.text), str(code), credentials, busy=told in _BUSY))
        found += self._told(self._session.abort(now, CloseReason.LOGIN_REFUSED), now)

    def _on_closed(self, event: Closed, now: float, found: list[Happening]) -> None:
        found += self._deliveries.end(now)
        for _, context in self._waiting:
            found.append(Rejected(context, Verdict.TEMPORARY, "not sent", "", 0.0))
        self._waiting.clear()
        self._return_subaddress()
        asked = [one.of for one in event.lost if isinstance(one, _Probe)]
        found += [Answered(one, problem="the connection ended") for one in asked]
        lost = tuple(one for one in event.lost if not isinstance(one, _Probe))
        told = "" if self._session.heard else foreign.hint(self._session.noise.encode("latin-1"), "a CIMD2")
        found.append(Ended(event.reason.value + told, lost))

    def _return_subaddress(self) -> None:
        taken, self._subaddress = self._subaddress, None
        if taken is not None:
            self._give_back(taken, self._in_use)

    # --- answers to submits -------------------------------------------------------------------------------------------

    def _on_response(self, event: Response, now: float, found: list[Happening]) -> None:
        code = event.code
        if not code:
            written = event.packet.get(Tag.DESTINATION) or event.request.get(Tag.DESTINATION) or ""
            name = receipts.external_id(written, event.packet.get(Tag.TIMESTAMP) or "")
            zone = self._config.zone
            if zone and name and not self._clock_seen and not event.late:
                self._clock_seen = True
                stamped = times.moment(name.rpartition("-")[2], zone)
                if stamped is not None and abs(stamped - self._around.wall_ms()) > CLOCKS_APART:
                    found.append(Fault(CLOCK_FAULT))
            found.append(Accepted(event.context, name, event.rtt, event.late))
            return
        asked = event.request.get(Tag.STATUS_REPORT) is not None
        if code == Error.STATUS_REPORT and asked and not event.late and self._session.is_up:
            if self._reports:
                self._reports = False
                found.append(Fault("the account has no status reports: receipts should be none"))
            self._session.send(
                Operation.SUBMIT, _without(event.request.parameters, Tag.STATUS_REPORT), now, event.context
            )  # fmt: skip
            return
        told = error_class(code)
        own = self._config.error_classes.get(code)
        verdict = Verdict(own) if own else _VERDICTS[told]
        why = self._why(code, event.packet.get(Tag.ERROR_TEXT) or "")
        found.append(Rejected(event.context, verdict, why, str(code), event.rtt, event.late))
        if told is ErrorClass.SESSION and not own and not event.late and self._session.is_up:
            self.leave(now)

    def _why(self, code: int, text: str) -> str:
        return reason(error_name(code), text, (self._config.password,))


def _without(given: Parameters, tag: int) -> Parameters:
    return tuple((known, value) for known, value in given if known != tag)
