"""Webhooks: API Gateway's event -> request -> channel -> events.fifo; answered 200 only once SQS has the events."""

from __future__ import annotations

import base64
import json
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from chalicelib import channels, queues, registry, telemetry, trace
from chalicelib.channels import request as replies
from chalicelib.channels.request import MAX_BODY, IncomingPiece, MethodNotAllowed, NoRoute, Reply, Request
from chalicelib.clock import now_ms
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.queues import RefusedBySqs
from chalicelib.records import Event, MoEvent, OptOutEvent, ReceiptEvent
from chalicelib.settings import settings

_SAFE: Final = "-._~!$'()*,;:@/?"  # characters of a query value that senders usually leave as they are


class Answer(NamedTuple):
    """What the HTTP side sends back."""

    status: int
    body: bytes
    headers: dict[str, str]


def request_from(event: dict[str, Any], action: str) -> Request:
    """The one adapter from API Gateway's REST event to a request.

    Body octets from Base64, header names in lower case with all their values, the URL rebuilt from the configured
    public domain, since API Gateway hands the query over decoded.
    """
    headers: dict[str, tuple[str, ...]] = {}
    for name, values in (event.get("multiValueHeaders") or {}).items():
        headers[name.lower()] = (*headers.get(name.lower(), ()), *values)
    if not headers:
        headers = {name.lower(): (value,) for name, value in (event.get("headers") or {}).items()}
    raw = event.get("body") or ""
    body = base64.b64decode(raw) if event.get("isBase64Encoded") else raw.encode("utf-8", "surrogateescape")
    context = event.get("requestContext") or {}
    return Request(
        method=event["httpMethod"].upper(),
        action=action,
        url=settings().callback_base + quote(event["path"], safe="/%:@!$&'()*+,;=~-._") + _query(event),
        headers=headers,
        body=body,
        source_ip=str((context.get("identity") or {}).get("sourceIp") or ""),
        received_at=now_ms(),
    )


def _query(event: dict[str, Any]) -> str:
    values = event.get("multiValueQueryStringParameters") or {
        name: [value] for name, value in (event.get("queryStringParameters") or {}).items()
    }
    pairs = [f"{_quoted(name)}={_quoted(one)}" for name, several in values.items() for one in several]
    return "?" + "&".join(pairs) if pairs else ""


def _quoted(text: str) -> str:
    return quote(text, safe=_SAFE, errors="surrogatepass")


def handle(event: dict[str, Any], kind: str, uuid: str, action: str) -> Answer:
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


def _handle(event: dict[str, Any], kind: str, uuid: str, action: str) -> Answer:
    request = request_from(event, action)
    if len(request.body) > MAX_BODY:
        return error(413, f"body is over {MAX_BODY} octets")
    try:
        channel = registry.channel(uuid)
    except registry.UnknownChannel:
        return error(404, "channel not found")
    if channel.type.lower() != kind.lower() or not channel.enabled:
        return error(404, "channel not found")
    try:
        one = channels.make(channel, registry.settings_of(channel), settings().callback_base, queues.new_id)
        reply = one.receive(request)
    except (NoRoute, channels.UnknownType):
        return error(404, "Not Found")
    except MethodNotAllowed as refused:
        return error(405, str(refused), {"Allow": ", ".join(refused.allowed)})
    events = [_event(channel, told, name, request) for told, name in zip(reply.events, reply.ids, strict=True)]
    if not _queue(events):
        return error(503, "temporarily unavailable, try again")
    _trace(channel, request, reply, events)
    headers = {"Content-Type": reply.content_type, **dict(reply.headers)}
    return Answer(reply.status, reply.body, headers)


def _event(channel: registry.Channel, told: replies.Event, name: str, request: Request) -> Event:
    at = request.received_at
    if isinstance(told, StatusUpdate):
        return ReceiptEvent(event_id=name, update=told, aggregator=channel.aggregator, at=at)
    if isinstance(told, Incoming):
        piece = told.piece if isinstance(told, IncomingPiece) else None
        message = Incoming.model_validate(told.model_dump(exclude={"piece"}))
        return MoEvent(event_id=name, message=message, aggregator=channel.aggregator, piece=piece, at=at)
    return OptOutEvent(event_id=name, optout=told, at=at)


def _queue(events: list[Event]) -> bool:
    """Put the events into events.fifo. What SQS calls invalid goes to the DLQ: no content may go unanswered."""
    entries = [queues.event_entry(event) for event in events]
    try:
        problems = queues.send_many(queues.EVENTS, entries)
        for entry, problem in zip(entries, problems, strict=True):
            if isinstance(problem, RefusedBySqs):
                queues.bury(queues.EVENTS, entry.body, entry.group, str(problem))
            elif problem is not None:
                return False
    except Exception as failure:
        telemetry.logger().error("events_not_queued", extra={"error": type(failure).__name__})
        return False
    return True


def _trace(channel: registry.Channel, request: Request, reply: Reply, events: list[Event]) -> None:
    """Keep the exchange with each thing it told us, the channel's secrets masked."""
    if not events:
        return
    from chalicelib.redaction import Redactor

    mask = Redactor([str(value) for value in registry.secrets(channel.aggregator).values()])
    exchange = {
        "method": request.method,
        "url": mask(request.url),
        "status": reply.status,
        "request": mask(request.body.decode("utf-8", "replace")),
        "response": mask(reply.body.decode("utf-8", "replace")),
    }
    for told in events:
        if isinstance(told, ReceiptEvent):
            if told.update.id:
                trace.hop(told.update.id, "callback", channel=channel.uuid, exchanges=[exchange])
        elif isinstance(told, MoEvent | OptOutEvent):
            trace.hop(told.event_id, "received", channel=channel.uuid, exchanges=[exchange])


def error(status: int, reason: str, headers: dict[str, str] | None = None) -> Answer:
    """The standard error body; 5xx asks the caller to come again."""
    body = json.dumps({"message": "Error", "data": [{"type": "error", "error": reason}]}, separators=(",", ":"))
    retry = {"Retry-After": "5"} if status == 503 else {}
    return Answer(status, body.encode() + b"\n", {"Content-Type": "application/json", **retry, **(headers or {})})
