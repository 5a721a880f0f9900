"""Bird's SMS API of 2026, with bk_ keys: https://bird.com/docs

MessageBird's older API is a type of its own (messagebird.py).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from pydantic import model_validator

from chalicelib.channels import dates, signatures
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    BadRequest,
    ChannelConfig,
    Forbidden,
    HttpChannel,
    Part,
    Request,
    Secret,
    Url,
    route,
)
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, ChannelDown, OptedOut, Permanent, Temporary, Throttled
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http

_REGION: Final = re.compile(r"bk_([a-z]{2}[0-9]+)_")
_TOLERANCE: Final = timedelta(minutes=5)  # Standard Webhooks' own
_OPTED_OUT: Final = "recipient_opted_out"
_ACCOUNT: Final = {
    "billing_error": "Bird wants payment",
    "auth_error": "Bird refuses our key",
    "permission_error": "our key may not send",
    "misdirected_error": "base_url is not of our key's region",
}


def judge_bird(response: Response) -> None:
    """The error's type says whose trouble it is; its code is kept."""
    if response.ok:
        return
    kind = response.pick_id("error", "type")
    code = response.pick_id("error", "code") or kind
    if _OPTED_OUT in (code, response.pick_id("error", "name")):
        raise OptedOut("the recipient has opted out", code)
    if kind == "rate_limit_error":
        raise Throttled("connection_throttled", code, response.retry_after())
    if kind in ("internal_error", "service_unavailable_error"):
        raise Temporary("connection_failed", code)
    if kind in _ACCOUNT:
        raise ChannelDown(_ACCOUNT[kind], code, credentials=kind == "auth_error")
    if kind and 400 <= response.status < 500 and response.status not in (401, 402, 403, 429):
        raise Permanent("response_status", code)
    judge(response)


class Bird(HttpChannel):
    """Signed events in (Standard Webhooks), messages and reports alike; JSON out."""

    code = "BRD"
    name = "Bird"
    proof = "webhook-signature (Standard Webhooks, HMAC-SHA256), key `secret`"
    max_length = 1600
    max_segments = 12  # the API refuses more
    token_in_url = False
    unknown_status = IGNORED  # the list of event types is open

    class Config(ChannelConfig):
        """Keys of this type; `secret` is the webhook's signing secret, `whsec_` and Base64."""

        api_key: Secret
        base_url: Url | None = None  # unset: from the region in the key
        category: Literal["transactional", "marketing", "authentication", "service"] = "transactional"

        @model_validator(mode="after")
        def _place(self) -> Bird.Config:
            if self.base_url is None and not _REGION.match(self.api_key):
                raise ValueError("base_url: required key is missing, since api_key does not begin with bk_<region>_")
            return self

    config: Config
    statuses = {
        "sms.accepted": IGNORED,
        "sms.sent": SENT,
        "sms.delivered": DELIVERED,
        "sms.undelivered": FAILED,
        "sms.failed": FAILED,
        "sms.rejected": FAILED,
        "sms.expired": FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """Standard Webhooks: HMAC-SHA256 over id, timestamp and body, at most five minutes old."""
        if not self.config.secret:
            return
        key = signatures.unbase64(self.config.secret.removeprefix("whsec_"))
        if not key:
            raise Forbidden("the channel's secret is not a signing secret: whsec_ and Base64", 401)
        sent = request.header("webhook-timestamp")
        try:
            at = dates.epoch_fraction(sent)
        except BadRequest:
            raise Forbidden("webhook-timestamp missing or wrong", 401) from None
        given = request.header("webhook-signature")
        if not signatures.standard_webhook_valid(key, request.header("webhook-id"), sent, request.body, given):
            raise Forbidden("webhook-signature missing or wrong", 401)
        if not dates.within(at, request.received_at, _TOLERANCE):
            raise Forbidden("the webhook is more than five minutes old", 401)

    @route("POST", "receive", "status")
    def on_event(self, request: Request) -> Event | list[Event]:
        """One endpoint can have all events."""
        event = request.json()
        (kind,) = event.require("type")
        data = event.object("data")
        return self._message(event, data) if kind == "sms.received" else self._status(kind, data)

    def _message(self, event: JsonObject, data: JsonObject) -> Incoming:
        (date,) = event.require("timestamp")
        external_id, sender, to = data.require("sms_id", "from", "to")
        self.only_ours(to)
        received_at = dates.in_zone(date.replace("T", " "), "%Y-%m-%d %H:%M:%S%z", "%Y-%m-%d %H:%M:%S.%f%z")
        return self.incoming(sender, data.get("text"), external_id=external_id, received_at=received_at)

    def _status(self, kind: str, data: JsonObject) -> list[Event]:
        """Webhooks come in any order; only the ledger knows which status is news."""
        error = data.object("error")
        code = error.scalar("code")
        events: list[Event] = [
            self.update(
                kind,
                external_id=data.get("sms_id"),
                destination=data.get("to"),
                code=code,
                reason=error.get("description"),
            )
        ]
        if code == _OPTED_OUT:
            events.append(self.optout(data.get("to")))
        return events

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. The idempotency key makes a repeated request harmless."""
        config = self.config
        region = _REGION.match(config.api_key)
        base = config.base_url or f"https://{region.group(1) if region else ''}.platform.bird.com"
        answer = http.post(
            base.rstrip("/") + "/v1/sms/messages",
            json={
                "from": part.address,
                "to": part.message.to,
                "text": part.text,
                "category": config.category,
                "metadata": {"msg_id": part.message.key},
            },
            headers={
                "Accept": "application/json",
                "Authorization": f"Bearer {config.api_key}",
                "Idempotency-Key": part.idempotency,
            },
            judge=judge_bird,
        )
        external_id = answer.pick_id("id")
        if not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)
