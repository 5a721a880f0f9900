"""`POST /send/<channel>`: the platform's door where it cannot write to SQS, as stock RapidPro cannot.

It takes what RapidPro's External channel can be configured to send: JSON, a form, XML, or a GET. 202 means SQS has the
message. Our own faults are 503, and a channel added a moment ago is looked for where it must be: RapidPro tries a 503
again, and takes a 4xx for the message's end.
"""

from __future__ import annotations

import json
import uuid as uuid_module
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from chalicelib import canaries, registry, routing, telemetry, trace
from chalicelib.channels.request import BadRequest, Request
from chalicelib.clock import now_ms
from chalicelib.messages import Outgoing
from chalicelib.queues import RefusedBySqs
from chalicelib.records import explain
from chalicelib.webhooks import Answer, error, not_taken, request_from

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

METHODS: Final = ("POST", "GET", "PUT")  # those of RapidPro's External channel
YOUNG: Final = 60_000  # ms: a channel younger than this may still be in the making
_LISTS: Final = {
    "attachments": "attachments",
    "attachment": "attachments",
    "quick_replies": "quick_replies",
    "quick_reply": "quick_replies",
}
_FALSE: Final = frozenset({"", "0", "false", "no"})


def handle(event: Mapping[str, Any], ref: str) -> Answer:
    """Answer one request for the channel `ref`, its UUID or the platform's integer id."""
    try:
        return _handle(request_from(event, "send"), ref)
    except BadRequest as bad:
        return error(400, "; ".join((bad.reason, *bad.fields)))
    except ValidationError as bad:
        return error(400, explain(bad))
    except RefusedBySqs as bad:
        return error(400, f"text: {bad}")
    except Exception as failure:
        telemetry.logger().exception("send_failed", extra={"channel": ref[:40], "error": type(failure).__name__})
        return error(503, "temporarily unavailable, try again")
    finally:
        trace.flush()


def _handle(request: Request, ref: str) -> Answer:
    if request.method not in METHODS:
        return error(405, f"method not allowed, use {' or '.join(METHODS)}", {"Allow": ", ".join(METHODS)})
    refused = not_taken(request)
    if refused:
        return refused
    plain = _token(request)
    if not plain:
        return error(401, "give a token: Authorization: Token jgd_...", {"WWW-Authenticate": "Token"})
    token = registry.token(plain)
    channel = _channel(ref) if token else None
    # An unknown token, an unknown channel and somebody else's channel look the same from outside.
    if token is None or channel is None or channel.workspace != token.workspace:
        return error(403, "this token opens no such channel")
    if not channel.enabled:
        young = now_ms() - channel.created_at < YOUNG
        return error(503 if young else 403, "the channel is disabled")
    data = _data(request)
    data.setdefault("channel", channel.uuid)
    message = Outgoing.model_validate(data)
    if canaries.owns(message.key):
        return error(400, f"id: begins with {canaries.PREFIX}, which is the gateway's own: give the message another")
    if message.channel not in (channel.uuid, channel.id):
        return error(400, "channel: the body names another channel than the URL; leave it out of the body")
    routed = routing.forward(message, channel, bulk=_is_bulk(data), request=request.header("idempotency-key")[:128])
    body = {"id": message.id, "status": routed.status.value, "generation": routed.key.generation}
    text = json.dumps(body, separators=(",", ":")) + "\n"
    return Answer(202, text.encode(), {"Content-Type": "application/json"})


def _token(request: Request) -> str:
    scheme, _, value = request.header("authorization").strip().partition(" ")
    if scheme.lower() in ("token", "bearer") and value.strip():
        return value.strip()
    return request.query.get("token")


def _channel(ref: str) -> registry.Channel | None:
    """The channel; before it is called unknown, it is looked for among those added a moment ago."""
    try:
        named = int(ref) if ref.isascii() and ref.isdigit() else str(uuid_module.UUID(ref))
    except ValueError:
        return None
    try:
        return registry.channel_for(named)
    except registry.UnknownChannel:
        pass
    try:
        return registry.channel_for(named, fresh=True)
    except registry.UnknownChannel:
        return None


def _flag(value: Any) -> bool:
    return value is True or (isinstance(value, str | int) and str(value).strip().lower() not in _FALSE)


def _is_bulk(data: Mapping[str, Any]) -> bool:
    return _flag(data.get("bulk")) or str(data.get("priority", "")).strip().lower() in ("bulk", "low")


def _data(request: Request) -> dict[str, Any]:
    """The message's fields, whichever way they are written; the body's own look decides where its type is vague."""
    kind = request.header("content-type").lower()
    start = request.body.lstrip()[:1]
    if request.body and ("json" in kind or (start == b"{" and "form" not in kind)):
        data = dict(request.json().values)
    elif request.body and ("xml" in kind or (start == b"<" and "form" not in kind)):
        data = _gathered([pair for node in request.xml() for pair in _pairs(node)])
    else:
        form = request.plain_form(multipart=True)
        data = _gathered([(name, value) for name, value in form.items() if name != "token"])
    if "resend" in data:
        data["resend"] = _flag(data["resend"])
    return data


def _pairs(node: Element) -> list[tuple[str, str]]:
    """`<id>1</id>`, or the items of `<quick_replies><item>Yes</item></quick_replies>`, by local name."""
    name = node.tag.rpartition("}")[2]
    if name in _LISTS:
        return [(name, "".join(item.itertext())) for item in (node if len(node) else [node])]
    text = "".join(node.itertext())
    return [(name, text if name == "text" else text.strip())]


def _gathered(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Pairs as a message's fields: the first value of a name, all of those that are lists, no empty ones of these."""
    data: dict[str, Any] = {}
    for name, value in pairs:
        if name not in _LISTS:
            data.setdefault(name, value)
        elif value:
            data.setdefault(_LISTS[name], []).append(value)
    return {name: value for name, value in data.items() if value != "" or name == "text"}
