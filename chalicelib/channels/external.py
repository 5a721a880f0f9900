"""Any HTTP API, described by templates in the channel's config: RapidPro's External API channel, on its other side."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote_plus

from pydantic import Field, field_validator

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    SENT,
    BadRequest,
    ChannelConfig,
    Flag,
    HttpChannel,
    Part,
    Reply,
    Request,
    Secret,
    Url,
    message_id,
    route,
)
from chalicelib.channels.request import Event
from chalicelib.channels.xmltext import escape
from chalicelib.messages import Incoming, OptOut, Status, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent
from chalicelib.redaction import template_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from chalicelib.transport import Http

_CONTENT_TYPES: Final = {
    "urlencoded": "application/x-www-form-urlencoded",
    "json": "application/json",
    "xml": "text/xml; charset=utf-8",
}
_PLAIN_HEADERS: Final = frozenset({"", "*/*", *_CONTENT_TYPES.values()})  # values that say nothing secret
_VARIABLE: Final = re.compile(r"\{\{(\w+)\}\}")
_XML_LIMIT: Final = 100_000
_JSON_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def _url(value: str) -> str:
    return quote_plus(value, safe="-_.~", errors="replace")


def _json(value: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    for character, escaped in _JSON_ESCAPES.items():
        text = text.replace(character, escaped)
    return text


def _as_is(value: str) -> str:
    return value


_ESCAPERS: Final = {"urlencoded": _url, "json": _json, "xml": escape}


def _quick_replies(replies: Sequence[str], style: str) -> str:
    if style == "json":
        return json.dumps(list(replies), ensure_ascii=False, separators=(",", ":"))
    if style == "xml":
        return "".join(f"<item>{escape(reply)}</item>" for reply in replies)
    return "".join(f"&quick_reply={_url(reply)}" for reply in replies)


def _first_match(root: Element, expression: str) -> str | None:
    """Inner text of the first node that an XPath 1.0 expression finds; 1.0 has no function that opens files or URLs."""
    from xml.etree.ElementTree import ElementTree

    import elementpath

    try:
        found: Any = elementpath.select(ElementTree(root), expression, parser=elementpath.XPath1Parser)
    except (elementpath.ElementPathError, ValueError, ArithmeticError, RecursionError) as error:
        raise BadRequest(f"from_xpath or text_xpath cannot be used: {type(error).__name__}") from None
    if isinstance(found, list):
        found = found[0] if found else None
    if isinstance(found, ElementTree):
        found = root
    if found is None or isinstance(found, str):
        return found
    return "".join(found.itertext()) if hasattr(found, "itertext") else str(found)


class ExternalReports(HttpChannel):
    """What the types of this family share: the callbacks that tell of a message by our id, and the answer to an MO."""

    class Config(ChannelConfig):
        """Keys of the family."""

        mo_response: str = ""
        mo_response_content_type: str = ""

    config: Config

    def accepted(self, request: Request, events: Sequence[Event], ids: Sequence[str]) -> Reply:
        """`mo_response` where the channel sets one, for messages only."""
        config = self.config
        if request.action != "receive" or not config.mo_response:
            return super().accepted(request, events, ids)
        kind = config.mo_response_content_type or "text/plain; charset=utf-8"
        return Reply(200, config.mo_response.encode("utf-8", "replace"), kind, events=tuple(events), ids=tuple(ids))

    def _status(self, request: Request, status: Status) -> StatusUpdate:
        form = request.form()
        ours = next(filter(None, (message_id(form.get(name)) for name in ("uuid", "id"))), None)
        if ours is None:
            raise BadRequest("request failed validation", ["field 'uuid' or 'id' must be our message id"])
        return StatusUpdate(channel=self.uuid, status=status, id=ours)

    @route("GET POST", "sent")
    def on_sent(self, request: Request) -> StatusUpdate:
        """Handed to the network."""
        return self._status(request, SENT)

    @route("GET POST", "delivered")
    def on_delivered(self, request: Request) -> StatusUpdate:
        """On the phone."""
        return self._status(request, DELIVERED)

    @route("GET POST", "failed")
    def on_failed(self, request: Request) -> StatusUpdate:
        """Never will be."""
        return self._status(request, FAILED)

    @route("GET POST", "stopped")
    def on_stopped(self, request: Request) -> OptOut:
        """The phone's owner wants no more messages."""
        (sender,) = request.form().require("from")
        return self.optout(sender, request.received_at)


class External(ExternalReports):
    """Templates out; forms, multipart or XML in."""

    code = "EX"
    name = "External API"
    max_length = 160

    class Config(ExternalReports.Config):
        """Keys of RapidPro's EX channel."""

        send_url: Url
        method: str = "POST"
        content_type: str = "urlencoded"
        body: str = ""
        encoding: Literal["D", "S", "U"] = "D"
        send_authorization: Secret | None = None
        headers: dict[str, str] = Field(default_factory=dict)
        mt_response_check: str = ""
        use_national: Flag = False
        from_xpath: str = ""
        text_xpath: str = ""
        mo_from_field: str = ""
        mo_text_field: str = ""
        mo_date_field: str = ""

        @field_validator("headers", mode="before")
        @classmethod
        def _as_text(cls, value: Any) -> Any:
            """Values are converted to text; all of it may be one JSON text, as a secret is kept."""
            if isinstance(value, str):
                try:
                    value = json.loads(value)
                except ValueError:
                    raise ValueError("must be an object, or one as JSON text") from None
            if isinstance(value, dict):
                return {name: one if isinstance(one, str) else json.dumps(one) for name, one in value.items()}
            return value

        def secrets(self) -> tuple[str, ...]:
            """Also the values of `headers`, and what looks like a credential in the templates."""
            hidden = (value for value in self.headers.values() if value not in _PLAIN_HEADERS)
            return (*super().secrets(), *hidden, *template_secrets(self.send_url), *template_secrets(self.body))

    config: Config

    # --- incoming -------------------------------------------------------------------------------------------------

    @route("POST GET", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO: XML by XPath where both expressions are set, else a form."""
        config = self.config
        if config.from_xpath and config.text_xpath:
            sender, text = self._by_xpath(request)
            return self.incoming(sender, text)
        form = request.plain_form(multipart=True)

        def pick(own: str, *usual: str) -> str:
            """A field of the channel's own name wins when it is there, even empty."""
            return form.get(own) if own and own in form else form.first_of(*usual)

        sender = pick(config.mo_from_field, "from", "sender")
        if not sender:
            raise BadRequest("must have one of 'sender' or 'from' set")
        date = pick(config.mo_date_field, "date", "time")
        received_at = dates.rfc3339(date) if date else None
        return self.incoming(sender, pick(config.mo_text_field, "text"), received_at=received_at)

    def _by_xpath(self, request: Request) -> tuple[str, str]:
        root = request.xml(_XML_LIMIT)
        sender, text = (_first_match(root, path) for path in (self.config.from_xpath, self.config.text_xpath))
        if sender is None or text is None:
            raise BadRequest(f"nothing in the XML for {'from' if sender is None else 'text'}_xpath")
        if not sender.strip():
            raise BadRequest("the sender is empty")
        return sender, text

    # --- outgoing -------------------------------------------------------------------------------------------------

    def send(self, part: Part, http: Http) -> Accepted:
        """One request a part, made from the templates."""
        config = self.config
        style = config.content_type
        url = self._filled(config.send_url, part, "urlencoded")
        body = self._filled(config.body, part, style) if config.method in ("POST", "PUT") else None
        headers = {"Content-Type": _CONTENT_TYPES.get(style, style)}
        if config.send_authorization:
            headers["Authorization"] = str(config.send_authorization)
        headers.update({name: str(value) for name, value in config.headers.items()})
        answer = http.request(config.method, url, body=body, headers=headers)
        if config.mt_response_check and config.mt_response_check not in answer.text:
            raise Permanent("response_content")
        return Accepted()

    def _filled(self, template: str, part: Part, style: str) -> str:
        """The template with its variables, in one pass: a text that holds `{{from}}` stays as it is."""
        escaper = _ESCAPERS.get(style, _as_is)
        values = self._values(part)
        replies = part.message.quick_replies if part.last else ()

        def value_of(match: re.Match[str]) -> str:
            name = match.group(1)
            if name == "quick_replies":
                return _quick_replies(replies, style)
            return escaper(values[name]) if name in values else match.group(0)

        return _VARIABLE.sub(value_of, template)

    def _values(self, part: Part) -> dict[str, str]:
        message, config = part.message, self.config
        text, to, to_no_plus = part.text, message.to, message.to_no_plus
        if config.encoding == "S":
            from chalicelib.text import substitute_gsm7

            text = substitute_gsm7(text)
        if config.use_national:
            from chalicelib.phones import national

            to = to_no_plus = national(message.to)
        return {
            "id": message.key,
            "uuid": message.key,
            "text": text,
            "to": to,
            "to_no_plus": to_no_plus,
            "from": part.address,
            "from_no_plus": part.address.removeprefix("+"),
            "channel": self.uuid,
            "session_status": message.session_status,
        }
