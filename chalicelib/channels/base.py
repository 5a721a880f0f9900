"""What every HTTP channel type shares, so that a type's own file reads as a list of differences.

A type is pure: it is handed its settings, the request or the part, and a transport; it never touches AWS, the
environment or the clock. docs/adding-a-channel.md takes a newcomer through one. It is long so that seventy files are
short: what a type may override is one class, with no helper of its own state.
"""

from __future__ import annotations

import enum
import math
import uuid as uuid_module
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeVar
from urllib.parse import quote

from chalicelib.channels import request as replies
from chalicelib.channels.config import ChannelConfig, Flag, Secret, Text, Url
from chalicelib.channels.parts import Part, message_id, split_attachment, within_segments
from chalicelib.channels.request import (
    BadRequest,
    Event,
    Forbidden,
    Ignored,
    IncomingPiece,
    MethodNotAllowed,
    NoRoute,
    Reply,
    Request,
)
from chalicelib.channels.signatures import same
from chalicelib.messages import NO_DATA, Incoming, OptOut, Outgoing, Status, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent
from chalicelib.records import Piece

if TYPE_CHECKING:
    from chalicelib.transport import Http

__all__ = [
    "DELIVERED",
    "ERRORED",
    "FAILED",
    "IGNORED",
    "MAX_NAME",
    "SENT",
    "WIRED",
    "BadRequest",
    "ChannelConfig",
    "Flag",
    "Forbidden",
    "HttpChannel",
    "Ignored",
    "IncomingPiece",
    "Meaning",
    "Part",
    "Reply",
    "Request",
    "Secret",
    "Share",
    "Text",
    "Url",
    "message_id",
    "route",
]


class Special(enum.Enum):
    """Reports that are no status of ours."""

    IGNORED = "ignored"  # known, and says nothing new
    ERRORED = "errored"  # a temporary failure: counts as failed unless the channel sets retry_errored


Meaning = Status | Special
Share = tuple[str, tuple[tuple[str, str], ...]]  # one request's text, and its ("content/type", "url") pairs

WIRED: Final = Status.WIRED
SENT: Final = Status.SENT
DELIVERED: Final = Status.DELIVERED
FAILED: Final = Status.FAILED
IGNORED: Final = Special.IGNORED
ERRORED: Final = Special.ERRORED

MAX_NAME: Final = 64  # characters of an alphanumeric sender, as of any address of the platform's

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")


def route(methods: str, *actions: str) -> Callable[[_F], _F]:
    """Serve `/c/<code>/<uuid>/<action>` with the decorated method: `@route("GET POST", "receive")`.

    The method takes the `Request` and returns an event, several, or a whole `Reply`; it may raise `BadRequest`,
    `Forbidden` and `Ignored`.
    """

    def mark(function: _F) -> _F:
        function.routes = [(method, action) for method in methods.split() for action in actions]  # type: ignore[attr-defined]
        return function

    return mark


class ChannelRecord(Protocol):
    """What a type needs to know of its channel; `registry.Channel` is one."""

    @property
    def type(self) -> str: ...
    @property
    def uuid(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def country(self) -> str: ...


class HttpChannel:
    """One channel on one aggregator with an HTTP API. A type overrides the class attributes and the last methods."""

    code: ClassVar[str]  # RapidPro's type code, e.g. "AT"
    name: ClassVar[str]
    proof: ClassVar[str] = ""  # header and config key that prove a callback's sender; "": no more than ?token= does
    max_length: ClassVar[int | None] = 160  # characters of a part; None: never split
    max_segments: ClassVar[int | None] = None  # short messages that a part may become on the air; None: any number
    media: ClassVar[bool] = False  # attachments travel as media; False: their URLs are appended to the text
    media_when: ClassVar[str] = ""  # where `media` is not set: when attachments travel as media all the same
    names: ClassVar[bool] = False  # senders may be names: what becomes of such messages is decided with the MO
    max_media: ClassVar[float] = math.inf  # attachments of a request; of more, the URLs are appended to the text
    statuses: ClassVar[Mapping[str | int, Meaning]] = {}
    unknown_status: ClassVar[Meaning | None] = None  # None: a 400 that names the status
    token_in_url: ClassVar[bool] = True  # False: the type has its own use for the key `secret`

    Config: ClassVar[type[ChannelConfig]] = ChannelConfig

    _routes: ClassVar[dict[str, dict[str, str]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        routes: dict[str, dict[str, str]] = {}
        for base in reversed(cls.__mro__):
            for attribute, value in vars(base).items():
                for method, action in getattr(value, "routes", ()):
                    routes.setdefault(action, {})[method] = attribute
        cls._routes = routes

    def __init__(
        self,
        channel: ChannelRecord,
        config: ChannelConfig,
        callback_base: str,
        new_id: Callable[[], str] = lambda: str(uuid_module.uuid4()),
    ) -> None:
        """`callback_base` is scheme and host of our callbacks; `new_id` names the events that come in."""
        self.uuid = channel.uuid
        self.address = channel.address
        self.country = channel.country
        self.config = config
        self._new_id = new_id
        self._base = callback_base.rstrip("/")
        if config.callback_domain:
            scheme = self._base.partition("://")[0] or "https"
            self._base = f"{scheme}://{config.callback_domain}"

    # --- incoming -------------------------------------------------------------------------------------------------

    @classmethod
    def routes(cls) -> dict[str, tuple[str, ...]]:
        """Action -> the methods it is served with."""
        return {action: tuple(methods) for action, methods in cls._routes.items()}

    def receive(self, request: Request) -> Reply:
        """Read one callback.

        Raises:
            NoRoute: no such action (404).
            MethodNotAllowed: not with this method (405).
        """
        methods = self._routes.get(request.action)
        if methods is None:
            raise NoRoute(f"no such action: {request.action}")
        handler = methods.get(request.method)
        if handler is None:
            raise MethodNotAllowed(list(methods))
        try:
            self._check_caller(request)
            self.authenticate(request)
            result = getattr(self, handler)(request)
            if isinstance(result, Reply):
                return result
            events = [result] if isinstance(result, Incoming | StatusUpdate | OptOut) else list(result)
            if not events:
                raise Ignored("nothing in the request")
            return self.accepted(request, events, [self._new_id() for _ in events])
        except Ignored as error:
            return self.ignored(request, error.reason)
        except BadRequest as error:
            return self.refused(request, error)
        except Forbidden as error:
            return replies.forbidden(error.reason, error.status)

    def _check_caller(self, request: Request) -> None:
        networks = self.config.allowed_networks
        if networks:
            import ipaddress

            try:
                address = ipaddress.ip_address(request.source_ip)
            except ValueError:
                raise Forbidden("the caller's address is unknown") from None
            if not any(address in network for network in networks):
                raise Forbidden("the caller's address is not in allowed_networks")
        secret = self.config.secret
        if secret and self.token_in_url and not same(str(secret), request.query.get("token")):
            raise Forbidden("token missing or wrong", 401)

    def authenticate(self, request: Request) -> None:
        """Check the request's signature, where the aggregator signs.

        Raises:
            Forbidden | BadRequest: it is missing or wrong.
        """

    def accepted(self, request: Request, events: Sequence[Event], ids: Sequence[str]) -> Reply:
        """The answer once the events are safe. RapidPro's own, unless the aggregator reads it."""
        return replies.accepted(events, ids)

    def ignored(self, request: Request, reason: str) -> Reply:
        """The answer to what there is nothing to do for."""
        return replies.ignored(reason)

    def refused(self, request: Request, error: BadRequest) -> Reply:
        """The answer to what cannot be read."""
        return replies.refused(error.reason, error.fields)

    def phone(self, raw: str, country: str | None = None) -> str:
        """A phone's number as E.164 or short code; `country` stands in for the channel's.

        Raises:
            BadRequest: not a possible number.
        """
        from chalicelib import phones, text

        try:
            return phones.normalise_sender(text.clean(raw), self.country if country is None else country)
        except phones.NotAPhoneNumber:
            raise BadRequest("phone number supplied is not a possible number") from None

    def sender(self, raw: str, country: str | None = None) -> str:
        """As `phone`; or a sender name, where the channel takes messages from such.

        Raises:
            BadRequest: neither.
        """
        try:
            return self.phone(raw, country)
        except BadRequest:
            name = self.sender_name(raw)
            if name is None:
                raise
            return name

    def sender_name(self, raw: str) -> str | None:
        """An alphanumeric sender as the platform gets it, None where it is not taken for one."""
        from chalicelib.text import clean

        name = clean(raw).strip()
        taken = self.names or self.config.alphanumeric_mo == "deliver"
        return name if taken and any(map(str.isalpha, name)) and len(name) <= MAX_NAME else None

    def only_ours(self, to: str) -> None:
        """For aggregators that send what all of an account's numbers get to one URL.

        A name as the channel's address is no number to compare with: what is for a number is taken.

        Raises:
            Ignored: `to` is another number than the channel's.
        """
        from chalicelib.phones import digits_match

        a_name = any(map(str.isalpha, self.address)) and not any(map(str.isalpha, to))
        if to and self.address and not a_name and not digits_match(self.address, to):
            raise Ignored("for another number than this channel's")

    def incoming(
        self,
        sender: str,
        text: str,
        *,
        external_id: str = "",
        received_at: int | None = None,
        attachments: Iterable[str] = (),
        country: str | None = None,
        piece: Piece | None = None,
    ) -> Incoming:
        """An MO; `sender` as the aggregator writes it, `received_at` in ms (None: when we got it).

        Raises:
            BadRequest: `sender` is not a possible number.
        """
        from chalicelib.text import clean

        values: dict[str, Any] = {
            "channel": self.uuid,
            "sender": self.sender(sender, country),
            "text": clean(text),
            "external_id": clean(external_id),
            "received_at": received_at,
            "attachments": tuple(clean(url) for url in attachments),
        }
        return IncomingPiece(**values, piece=piece) if piece else Incoming(**values)

    def meaning(self, raw: str | int, table: Mapping[str | int, Meaning] | None = None) -> Status:
        """What the aggregator's status `raw` means.

        Raises:
            Ignored: nothing new, or a temporary failure on a channel that sets `retry_errored`.
            BadRequest: not in the table, and the type does not say what to do with such.
        """
        found = (self.statuses if table is None else table).get(raw, self.unknown_status)
        if found is None:
            raise BadRequest(f"unknown status: {str(raw)[:64]!r}")
        if found is IGNORED:
            raise Ignored(f"nothing to do for status {str(raw)[:64]!r}")
        if found is ERRORED:
            return self.errored(raw)
        assert isinstance(found, Status)  # noqa: S101 - for the type checker; Special has two members
        return found

    def errored(self, raw: str | int) -> Status:
        """What a temporary failure means that the aggregator reports after it had accepted the message.

        Raises:
            Ignored: the channel sets `retry_errored`: what is not final is not told.
        """
        if self.config.retry_errored:
            raise Ignored(f"temporary failure, status {str(raw)[:64]!r}: retry_errored is set")
        return FAILED

    def update(self, raw: str | int, table: Mapping[str | int, Meaning] | None = None, **details: Any) -> StatusUpdate:
        """A DLR with the status `raw`; `details` are `StatusUpdate`'s other fields.

        Raises:
            Ignored | BadRequest: as `meaning`; also without our id or theirs.
        """
        status = self.meaning(raw, table)
        if not details.get("id") and not details.get("external_id"):
            raise BadRequest("neither our message id nor the aggregator's external id is given")
        if status is FAILED and not details.get("code"):
            details["code"] = str(raw)
        return StatusUpdate(channel=self.uuid, status=status, **details)

    def optout(self, sender: str, received_at: int | None = None, country: str | None = None) -> OptOut:
        """The phone's owner has opted out.

        Raises:
            BadRequest: `sender` is not a possible number.
        """
        return OptOut(channel=self.uuid, sender=self.phone(sender, country), received_at=received_at or None)

    def each(self, items: Iterable[_T], read: Callable[[_T], Event | Iterable[Event]]) -> list[Event]:
        """The events of a batch. Items that are ignored are left out; one that cannot be read rejects the request.

        Raises:
            Ignored: every item is, with the first one's reason; or there is none.
            BadRequest: from `read`.
        """
        events: list[Event] = []
        reasons = []
        for item in items:
            try:
                result = read(item)
            except Ignored as error:
                reasons.append(error.reason)
                continue
            events.extend([result] if isinstance(result, Incoming | StatusUpdate | OptOut) else result)
        if not events:
            raise Ignored(reasons[0] if reasons else "nothing in the request")
        return events

    # --- outgoing -------------------------------------------------------------------------------------------------

    def callback(self, action: str, query: str = "") -> str:
        """Our URL for `action`, with the channel's token where it has one. `query` is put in as it is."""
        url = f"{self._base}/c/{self.code.lower()}/{self.uuid}/{action}"
        secret = self.config.secret
        if secret and self.token_in_url:
            query = "&".join(filter(None, (query, f"token={quote(str(secret), safe='')}")))
        return f"{url}?{query}" if query else url

    def plan(self, message: Outgoing, generation: int = 1, *, urgent: bool = False) -> tuple[Part, ...]:
        """Cut the message into what single requests carry; the same message is always cut the same way.

        `generation` counts the platform's attempts to have it sent, so that an aggregator which knows our id does
        not take a wanted resend for a duplicate. `urgent` is for aggregators that have a fast lane of their own.

        Raises:
            Permanent: the message is no text, which aggregators do not take.
        """
        if message.data:
            raise Permanent(NO_DATA)
        shares = self.shares(message)
        suffix = f"~{generation}" if generation > 1 else ""
        return tuple(
            Part(
                message=message,
                index=index,
                total=len(shares),
                text=text,
                attachments=media,
                address=self.address,
                channel_uuid=self.uuid,
                idempotency=message.key + (f".{index + 1}" if index else "") + suffix,
                urgent=urgent,
            )
            for index, (text, media) in enumerate(shares)
        )

    def shares(self, message: Outgoing) -> list[Share]:
        """Text and media of each request: a long text is cut, media travel with the first request."""
        if self.media and len(message.attachments) <= self.max_media:
            return self.shares_with_media(message)
        return self.shares_as_text(message)

    def shares_as_text(self, message: Outgoing) -> list[Share]:
        """As `shares` where `media` is not set: the text with the URLs after it, cut where it is long."""
        from chalicelib.text import with_attachments

        return [(text, ()) for text in self._cut(with_attachments(message.text, message.attachments))]

    def shares_with_media(self, message: Outgoing) -> list[Share]:
        """As `shares` where `media` is set, for types whose channels choose."""
        first, *others = self._cut(message.text)
        return [(first, _media(message)), *((text, ()) for text in others)]

    def shares_apart(self, message: Outgoing) -> list[Share]:
        """As `shares`, for aggregators that take media without text and one at a time: those first, then the text."""
        apart: list[Share] = [("", (one,)) for one in _media(message)]
        return apart if apart and not message.text else [*apart, *((text, ()) for text in self._cut(message.text))]

    def _cut(self, text: str) -> list[str]:
        from chalicelib.text import split

        parts = split(text, self.limit) if self.limit else [text]
        most = self.max_segments
        return [piece for part in parts for piece in within_segments(part, most)] if most else parts

    @property
    def limit(self) -> int | None:
        """Longest part in characters, None where the aggregator cuts for itself."""
        return None if self.max_length is None else self.config.max_length or self.max_length

    def secrets(self) -> tuple[str, ...]:
        """Every value that must not be seen in a log: the transport masks them."""
        return self.config.secrets()

    def send(self, part: Part, http: Http) -> Accepted:
        """Offer one part to the aggregator.

        Raises:
            outcomes.NotAccepted: one of its kinds.
        """
        raise NotImplementedError(f"{self.code} cannot send")


def _media(message: Outgoing) -> tuple[tuple[str, str], ...]:
    return tuple(filter(None, map(split_attachment, message.attachments)))
