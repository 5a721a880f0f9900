"""`POST /send/<channel>`: the platform's door where it cannot write to SQS, as stock RapidPro cannot.

It takes what RapidPro's External channel can be configured to send: JSON, a form, XML, or a GET. 202 means SQS has the
message. Our own faults, and a channel that may just have been added, are 503: RapidPro then tries again.
"""

from __future__ import annotations

import json
import uuid as uuid_module
from typing import Any, Final

from pydantic import ValidationError

from chalicelib import registry, routing, telemetry, trace
from chalicelib.channels.request import MAX_BODY, BadRequest, Request
from chalicelib.clock import now_ms
from chalicelib.messages import Outgoing
from chalicelib.webhooks import Answer, error, request_from

YOUNG: Final = 60_000  # ms: a channel younger than this may be unknown to a part of the deployment
_LISTS: Final = {"attachments": "attachments", "attachment": "attachments", "quick_reply": "quick_replies",
                 "quick_replies": "quick_replies"}  # fmt: skip
_FALSE: Final = frozenset({"", "0", "false", "no"})


def handle(event: dict[str, Any], ref: str) -> Answer:
    """Answer one request."""
    try:
        return _handle(request_from(event, "send"), ref)
    except BadRequest as bad:
        return error(400, "; ".join((bad.reason, *bad.fields)))
    except ValidationError as bad:
        return error(400, routing.explain(bad))
    except Exception as failure:
        telemetry.logger().error("send_failed", extra={"error": type(failure).__name__})
        return error(503, "temporarily unavailable, try again")
    finally:
        trace.flush()


def _handle(request: Request, ref: str) -> Answer:
    if len(request.body) > MAX_BODY:
        return error(413, f"body is over {MAX_BODY} octets")
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
    given = data.setdefault("channel", channel.uuid)
    message = Outgoing.model_validate(data)
    if message.channel not in (channel.uuid, channel.id):
        return error(400, f"channel: the body says {str(given)[:40]!r}, the URL another; leave it out of the body")
    bulk = _flag(data.get("bulk")) or str(data.get("priority", "")).lower() in ("bulk", "low")
    routed = routing.forward(message, channel, bulk=bulk)
    body = {"id": message.id, "status": routed.status.value, "generation": routed.key.generation}
    text = json.dumps(body, separators=(",", ":")) + "\n"
    return Answer(202, text.encode(), {"Content-Type": "application/json"})


def _token(request: Request) -> str:
    scheme, _, value = request.header("authorization").strip().partition(" ")
    if scheme.lower() in ("token", "bearer") and value.strip():
        return value.strip()
    return request.query.get("token")


def _channel(ref: str) -> registry.Channel | None:
    try:
        return registry.channel_for(int(ref) if ref.isascii() and ref.isdigit() else str(uuid_module.UUID(ref)))
    except (registry.UnknownChannel, ValueError):
        return None


def _flag(value: Any) -> bool:
    return value is True or (isinstance(value, str | int) and str(value).strip().lower() not in _FALSE)


def _data(request: Request) -> dict[str, Any]:
    """The message's fields, whichever way they are written."""
    kind = request.header("content-type").lower()
    start = request.body.lstrip()[:1]
    if request.body and ("json" in kind or (start == b"{" and "form" not in kind)):
        return dict(request.json().values)
    if request.body and ("xml" in kind or start == b"<"):
        pairs = [(node.tag.rpartition("}")[2], "".join(node.itertext())) for node in request.xml()]
    else:
        pairs = [(name, value) for name, value in request.plain_form(multipart=True).items() if name != "token"]
    data: dict[str, Any] = {}
    for name, value in pairs:
        if name in _LISTS:
            data.setdefault(_LISTS[name], []).append(value)
        else:
            data.setdefault(name, value)
    if "resend" in data:
        data["resend"] = _flag(data["resend"])
    return data
