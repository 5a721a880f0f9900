"""Webhooks: API Gateway's event -> request -> channel -> events.fifo; answered 200 only once SQS has the events."""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from chalicelib import channels, letters, queues, registry, telemetry, trace
from chalicelib.channels import request as replies
from chalicelib.channels.request import MAX_BODY, IncomingPiece, MethodNotAllowed, NoRoute, Reply, Request
from chalicelib.clock import now_ms
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.queues import RefusedBySqs
from chalicelib.records import Event, MoEvent, OptOutEvent, ReceiptEvent
from chalicelib.settings import settings

if TYPE_CHECKING:
    from chalicelib.channels.base import HttpChannel
    from chalicelib.redaction import Redactor

_SAFE: Final = "-._~!$'()*,;:@/?"  # characters of a query value that senders usually leave as they are
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TITLES: Final = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}
# Added by API Gateway and CloudFront on the way to us: they say nothing of the caller that the trace should keep.
_PROXY_HEADERS: Final = re.compile(r"x-forwarded-|x-amz|cloudfront-|via$")
_CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd"})


class Answer(NamedTuple):
    """What the HTTP side sends back."""

    status: int
    body: bytes
    headers: dict[str, str]


def error(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Answer:
    """The standard error body; 503 asks the caller to come again."""
    body = replies.render(_TITLES.get(status, "Error"), [{"type": "error", "error": reason}])
    retry = {"Retry-After": "5"} if status == 503 else {}
    return Answer(status, body, {"Content-Type": "application/json", **retry, **(headers or {})})


def not_taken(request: Request) -> Answer | None:
    """The answer to a body that is too long, or compressed; None: it can be read."""
    if len(request.body) > MAX_BODY:
        return error(413, f"the body has {len(request.body)} octets, at most {MAX_BODY} are taken")
    coding = request.header("content-encoding").strip().lower()
    if request.body and coding in _CODINGS:  # others are charsets that somebody put there
        return error(415, f"Content-Encoding {coding}: send the body as it is", {"Accept-Encoding": "identity"})
    return None


# --- API Gateway's event --------------------------------------------------------------------------------------------


def request_from(event: Mapping[str, Any], action: str) -> Request:
    """The one adapter from API Gateway's REST proxy event (payload format 1.0) to a request.

    Body octets from Base64, header names in lower case with all their values, the URL rebuilt from the configured
    public domain: API Gateway hands over the query decoded, so its percent-encoding is made anew. `chalice local`
    leaves out parts of the event, which are then taken from its `requestContext`.
    """
    context = event.get("requestContext") or {}
    headers: dict[str, tuple[str, ...]] = {}
    for name, values in (event.get("multiValueHeaders") or {}).items():
        headers[name.lower()] = (*headers.get(name.lower(), ()), *values)
    for name, value in (event.get("headers") or {}).items():
        headers.setdefault(name.lower(), (value,))
    return Request(
        method=str(event.get("httpMethod") or context["httpMethod"]).upper(),
        action=action,
        url=settings().callback_base + quote(_path(event, context), safe="/%:@!$&'()*+,;=~-._") + _query(event),
        headers=headers,
        body=_octets(event),
        source_ip=str((context.get("identity") or {}).get("sourceIp") or ""),
        received_at=now_ms(),
    )


def _path(event: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """The path as the caller wrote it; `requestContext.path` has the stage before it, `path` has not."""
    if event.get("path"):
        return str(event["path"])
    path, stage = str(context.get("path") or "/"), f"/{context.get('stage')}/"
    return path[len(stage) - 1 :] if path.startswith(stage) else path


def _octets(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or b""
    if isinstance(body, bytes):
        return body
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass")


def _query(event: Mapping[str, Any]) -> str:
    values = event.get("multiValueQueryStringParameters") or {
        name: [value] for name, value in (event.get("queryStringParameters") or {}).items()
    }
    pairs = [f"{_quoted(name)}={_quoted(one)}" for name, several in values.items() for one in several]
    return "?" + "&".join(pairs) if pairs else ""


def _quoted(text: str) -> str:
    return quote(text, safe=_SAFE, errors="surrogatepass")


# --- the use case ---------------------------------------------------------------------------------------------------


def handle(event: Mapping[str, Any], kind: str, uuid: str, action: str) -> Answer:
    """Answer `/c/<kind>/<uuid>/<action>`: never before what it told us is durable."""
    try:
        return _handle(event, kind, uuid, action)
    except registry.RegistryUnavailable:
        return error(503, "temporarily unavailable, try again")
    except Exception as failure:
        telemetry.logger().exception("webhook_failed", extra={"channel": uuid, "error": type(failure).__name__})
        return error(500, "internal error, try again")
    finally:
        trace.flush()


def _handle(event: Mapping[str, Any], kind: str, uuid: str, action: str) -> Answer:
    request = request_from(event, action)
    refused = not_taken(request)
    if refused:
        return refused
    found = _channel(kind, uuid)
    if isinstance(found, Answer):
        return found
    try:
        one = channels.make(found, registry.settings_of(found), settings().callback_base, queues.new_id)
        reply = one.receive(request)
    except NoRoute as unknown:
        return error(404, str(unknown))
    except channels.UnknownType:
        return error(404, f"channels of type {found.type} have no callbacks")
    except MethodNotAllowed as wrong:
        return error(405, str(wrong), {"Allow": ", ".join(wrong.allowed)})
    events = [_event(found, told, name, request) for told, name in zip(reply.events, reply.ids, strict=True)]
    entries = [queues.event_entry(one) for one in events]
    if any(len(entry.body) > queues.MAX_BATCH_OCTETS for entry in entries):
        return error(413, "one message of the request is longer than can be taken")
    if not _queue(entries):
        return error(503, "temporarily unavailable, try again")
    _trace(found, one, request, reply, events)
    return Answer(reply.status, reply.body, {"Content-Type": reply.content_type, **dict(reply.headers)})


def _channel(kind: str, uuid: str) -> registry.Channel | Answer:
    """The channel of a callback URL, or the 404 that says what is wrong with the URL."""
    try:
        if not _UUID.fullmatch(uuid):
            raise registry.UnknownChannel
        channel = registry.channel(uuid)
    except registry.UnknownChannel:
        return error(404, "channel not found")
    if channel.type.lower() != kind.lower():
        before = _before(channel, kind)
        if before is None:
            return error(404, "channel type wrong")
        channel = before
    if not channel.enabled:
        telemetry.logger().warning("channel_disabled", extra={"channel": uuid, "aggregator": channel.aggregator})
        return error(404, "channel is disabled")
    return channel


def _before(channel: registry.Channel, kind: str) -> registry.Channel | None:
    """A channel that has moved, as it was where `kind` was its type: what was sent from there is reported there."""
    for name in channel.former:
        try:
            one = registry.on(channel, name)
        except registry.UnknownChannel:
            continue
        if one.type.lower() == kind.lower():
            return one
    return None


def _event(channel: registry.Channel, told: replies.Event, name: str, request: Request) -> Event:
    at = request.received_at
    if isinstance(told, StatusUpdate):
        return ReceiptEvent(event_id=name, update=told, aggregator=channel.aggregator, at=at)
    if isinstance(told, Incoming):
        piece = told.piece if isinstance(told, IncomingPiece) else None
        message = Incoming.model_validate(told.model_dump(exclude={"piece"}))
        return MoEvent(event_id=name, message=message, aggregator=channel.aggregator, piece=piece, at=at)
    return OptOutEvent(event_id=name, optout=told, at=at)


def _queue(entries: list[queues.Entry]) -> bool:
    """Put the entries into events.fifo: False where the caller has to come again.

    What SQS calls invalid goes to the DLQ and counts as taken: no content may leave a webhook unanswered.
    """
    try:
        problems = queues.send_many(queues.EVENTS, entries)
        refused = [pair for pair in zip(entries, problems, strict=True) if isinstance(pair[1], RefusedBySqs)]
        failed = [problem for problem in problems if problem is not None and not isinstance(problem, RefusedBySqs)]
        if failed:
            telemetry.logger().error("events_not_queued", extra={"error": type(failed[0]).__name__})
            return False
        for entry, problem in refused:
            letters.bury(queues.EVENTS, entry.body, entry.group, str(problem))
    except Exception as failure:
        telemetry.logger().error("events_not_queued", extra={"error": type(failure).__name__})
        return False
    return True


def _trace(channel: registry.Channel, one: HttpChannel, request: Request, reply: Reply, events: list[Event]) -> None:
    """Keep the exchange, secrets masked, with each thing it told us. Best effort: the events are safe already.

    What was ignored or turned down is kept under the channel, where the engineer looks who hooks it up.
    """
    try:
        exchange = _exchange(one, request, reply)
        if reply.kind in ("ignored", "refused"):
            trace.hop(channel.uuid, reply.kind, channel=channel.uuid, reason=reply.reason, exchanges=[exchange])
        for told in events:
            if isinstance(told, ReceiptEvent):
                subject, hop = told.update.id or told.update.external_id, "callback"
            elif isinstance(told, MoEvent | OptOutEvent):
                subject, hop = told.event_id, "received"
            else:
                continue
            trace.hop(subject, hop, channel=channel.uuid, exchanges=[exchange])
    except Exception as failure:
        telemetry.logger().warning("trace_lost", extra={"error": type(failure).__name__})


def _exchange(one: HttpChannel, request: Request, reply: Reply) -> dict[str, Any]:
    from chalicelib.redaction import MAX_BODY as KEPT
    from chalicelib.redaction import MAX_URL

    redact = _redactor(one.config.secrets())
    head = "".join(
        f"{name}: {redact.header(name, value)}\r\n"
        for name, values in request.headers.items()
        if not _PROXY_HEADERS.match(name)
        for value in values
    )
    line = f"{request.method} {request.path}{'?' + request.raw_query if request.raw_query else ''} HTTP/1.1"
    return {
        "method": request.method,
        "url": redact.kept(request.url, MAX_URL),
        "status": reply.status,
        "request": redact.kept(f"{line}\r\n{head}\r\n{request.text()}", KEPT),
        "response": redact.kept(reply.body.decode("utf-8", "replace"), KEPT),
        "elapsed_ms": now_ms() - request.received_at,
        "error": "",
    }


@functools.lru_cache(maxsize=64)
def _redactor(secrets: tuple[str, ...]) -> Redactor:
    """Kept, since making its pattern takes longer than using it."""
    from chalicelib.redaction import Redactor

    return Redactor(secrets)
