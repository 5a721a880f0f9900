"""What comes in from an aggregator, what it is answered, and the ways a request is turned down."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote, urlsplit

from chalicelib.messages import Incoming, OptOut, Status, StatusUpdate
from chalicelib.records import Piece

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from chalicelib.channels.reading import Form, JsonObject

MAX_BODY: Final = 1_048_576  # octets of a JSON or XML body; what API Gateway lets through is larger


class IncomingPiece(Incoming):
    """One part of a long MO, from an aggregator that leaves the joining to us."""

    piece: Piece


Event = Incoming | StatusUpdate | OptOut


class BadRequest(Exception):  # noqa: N818 - named as the field names it
    """The request cannot be read: answered 400. `fields` holds one line per bad field, e.g. "field 'from' required"."""

    def __init__(self, reason: str, fields: Iterable[str] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fields = tuple(fields)


class Forbidden(Exception):  # noqa: N818
    """The caller is not who it should be: 401 (token, signature, credentials) or 403 (network)."""

    def __init__(self, reason: str, status: Literal[401, 403] = 403) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class Ignored(Exception):  # noqa: N818
    """The request is fine and there is nothing to do: answered 200."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoRoute(LookupError):  # noqa: N818
    """The channel type has no such action: answered 404."""


class MethodNotAllowed(LookupError):  # noqa: N818
    """The action exists, not with this method: answered 405. `allowed` are the methods that would do."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(f"method not allowed, use {' or '.join(allowed)}")
        self.allowed = tuple(allowed)


@dataclass(frozen=True)
class Request:
    """One HTTP request, as received.

    `url` is absolute, as the aggregator wrote it: its query is still percent-encoded (signatures cover it).
    `headers` map lower-case names to all values in the order received. `received_at` is in ms since the epoch.
    """

    method: str
    action: str  # last path segment, e.g. "receive"
    url: str
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    body: bytes = b""
    source_ip: str = ""
    received_at: int = 0

    def header(self, name: str, default: str = "") -> str:
        """The first value of header `name` (any case)."""
        values = self.headers.get(name.lower())
        return values[0] if values else default

    @functools.cached_property
    def path(self) -> str:
        """Path of the URL, percent-encoded as received."""
        return urlsplit(self.url).path

    @functools.cached_property
    def raw_query(self) -> str:
        """Query of the URL without "?", percent-encoded as received."""
        return urlsplit(self.url).query

    @functools.cached_property
    def query(self) -> Form:
        """The query string's parameters alone, names matched ignoring case, last value first."""
        from chalicelib.channels import reading

        return reading.query_form(self)

    def form(self, charset: str = "") -> Form:
        """Query and form body merged: names ignore case, the last value of a repeated name wins, multipart is read.

        `charset` overrides the one the Content-Type names (UTF-8 where it names none).

        Raises:
            BadRequest: a multipart body without a boundary, or too many parameters.
        """
        from chalicelib.channels import reading

        return reading.schema_form(self, charset)

    def plain_form(self, charset: str = "", *, multipart: bool = False) -> Form:
        """Query and form body merged: exact names, the first value of a repeated name wins.

        Raises:
            BadRequest: as `form`.
        """
        from chalicelib.channels import reading

        return reading.plain_form(self, charset, multipart=multipart)

    def form_or_json(self) -> Form:
        """As `form`; of a JSON body its members that hold one value, for senders that may be set to either.

        Raises:
            BadRequest: as `form` and `json`.
        """
        from chalicelib.channels import reading

        return reading.form_or_json(self)

    def json(self) -> JsonObject:
        """The body as a JSON object whose keys are matched ignoring case.

        Raises:
            BadRequest: not JSON, not an object, or over 1 MiB.
        """
        from chalicelib.channels import reading

        return reading.json_object(self)

    def json_array(self) -> list[JsonObject]:
        """The body as a JSON array of objects.

        Raises:
            BadRequest: as `json`.
        """
        from chalicelib.channels import reading

        return reading.json_array(self)

    def xml(self, limit: int = MAX_BODY) -> Element:
        """Root element of the XML body, read without DTDs, entities or external references.

        `limit` is in octets: a longer body is cut there, and then no longer parses.

        Raises:
            BadRequest: not well-formed, or it carries a DTD.
        """
        from chalicelib.channels import reading

        return reading.xml_root(self, limit)

    def text(self, charset: str = "") -> str:
        """The body as text; octets that `charset` (default: the Content-Type's, else UTF-8) cannot read are U+FFFD."""
        from chalicelib.channels import reading

        return reading.decode(self.body, charset or reading.charset_of(self))


Kind = Literal["accepted", "ignored", "refused", "forbidden"]


@dataclass(frozen=True)
class Reply:
    """What the aggregator is answered, and what it told us.

    `ids[n]` is the event id of `events[n]`: what the reply calls `msg_uuid`. `reason` says why a request was ignored
    or turned down, for the trace. The caller sends `body` only once the events are safe.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    events: tuple[Event, ...] = ()
    ids: tuple[str, ...] = ()
    kind: Kind = "accepted"
    reason: str = ""

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.events):
            raise ValueError(f"{len(self.events)} events need as many ids, not {len(self.ids)}")


# Go's encoding/json escapes these five, and RapidPro's replies are written by it
_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_STATUS_LETTERS: Final = {
    Status.QUEUED: "Q",
    Status.WIRED: "W",
    Status.SENT: "S",
    Status.DELIVERED: "D",
    Status.FAILED: "F",
}


def escape_html(text: str) -> str:
    """JSON text with `<`, `>`, `&` and the two line separators as `\\u` escapes."""
    for plain, escaped in _ESCAPES.items():
        text = text.replace(plain, escaped)
    return text


def render(message: str, data: Sequence[Mapping[str, Any]]) -> bytes:
    """The standard reply body: one JSON object and a final newline."""
    text = json.dumps({"message": message, "data": list(data)}, ensure_ascii=False, separators=(",", ":"))
    return (escape_html(text) + "\n").encode("utf-8", "replace")


def rfc3339(ms: int) -> str:
    """UTC without superfluous zeros: `2026-03-01T10:11:12Z`, `2026-03-01T10:11:12.5Z`."""
    whole = datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{ms % 1000:03d}".rstrip("0").rstrip(".")
    return f"{whole}{fraction}Z"


def urn(sender: str) -> str:
    """`tel:` and the address, with the characters escaped that mean something in a URN."""
    return "tel:" + quote(sender, safe="+-._~!$&'()*,;=:@/ ", encoding="utf-8", errors="replace")


def describe(event: Event, event_id: str) -> dict[str, Any]:
    """The entry of one event in a reply's `data`; empty values are left out."""
    entry: dict[str, Any]
    if isinstance(event, Incoming):
        entry = {
            "type": "msg",
            "channel_uuid": event.channel,
            "msg_uuid": event_id,
            "text": event.text,
            "urn": urn(event.sender),
        }
        optional = {
            "attachments": list(event.attachments),
            "external_id": event.external_id,
            "received_on": rfc3339(event.received_at) if event.received_at else "",
        }
    elif isinstance(event, StatusUpdate):
        entry = {"type": "status", "channel_uuid": event.channel, "status": _STATUS_LETTERS[event.status]}
        optional = {"external_id": event.external_id}
    else:
        entry = {
            "type": "event",
            "channel_uuid": event.channel,
            "event_type": "stop_contact",
            "urn": urn(event.sender),
        }
        optional = {"received_on": rfc3339(event.received_at) if event.received_at else ""}
    return entry | {name: value for name, value in optional.items() if value}


def accepted(events: Sequence[Event], ids: Sequence[str], message: str = "") -> Reply:
    """200 with one entry per event; the first event's kind gives the message where none is given."""
    if not message:
        kinds = {Incoming: "Message", StatusUpdate: "Status Update", OptOut: "Event"}
        message = next(name for kind, name in kinds.items() if isinstance(events[0], kind)) + " Accepted"
    data = [describe(event, event_id) for event, event_id in zip(events, ids, strict=True)]
    return Reply(body=render(message, data), events=tuple(events), ids=tuple(ids))


def ignored(reason: str) -> Reply:
    """200: nothing to do."""
    return Reply(body=render("Ignored", [{"type": "info", "info": reason}]), kind="ignored", reason=reason)


def refused(reason: str, fields: Sequence[str] = (), status: int = 400, message: str = "Error") -> Reply:
    """An error of the caller's: one entry for the reason and one per bad field."""
    data = [{"type": "error", "error": text} for text in (reason, *fields)]
    detail = "; ".join((reason, *fields))
    return Reply(status=status, body=render(message, data), kind="refused", reason=detail)


def forbidden(reason: str, status: int = 403) -> Reply:
    """The caller is not who it should be: 401, 403 or 400."""
    message = {401: "Unauthorized", 403: "Forbidden"}.get(status, "Error")
    body = render(message, [{"type": "error", "error": reason}])
    return Reply(status=status, body=body, kind="forbidden", reason=reason)
