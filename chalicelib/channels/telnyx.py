"""Telnyx's Messaging API v2: https://developers.telnyx.com/docs/messaging/messages/send-message"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pydantic import field_validator

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    BadRequest,
    ChannelConfig,
    Forbidden,
    HttpChannel,
    Ignored,
    Part,
    Request,
    Secret,
    Url,
    route,
)
from chalicelib.channels.request import Event
from chalicelib.channels.signatures import unbase64
from chalicelib.outcomes import Accepted, ChannelDown, OptedOut, Permanent, Throttled
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http

STOPPED: Final = "40300"  # https://developers.telnyx.com/docs/messaging/messages/error-codes
LATER: Final = "40006"  # the recipient's carrier is down
_TOO_FAST: Final = "10011"
_ACCOUNT: Final = {
    "10009": "Telnyx refuses our key",
    "10010": "our key may not send",
    "40333": "the messaging profile's spend limit is reached",  # comes as a 429
}
_TOLERANCE: Final = timedelta(minutes=5)


def judge_telnyx(response: Response) -> None:
    """The first error's code says whose trouble a 4xx is."""
    if response.ok or response.status >= 500:
        return judge(response)
    code, title = response.pick_id("errors", 0, "code"), response.pick_id("errors", 0, "title")[:200]
    if code == STOPPED or "STOP message" in title:
        raise OptedOut(title or "the recipient has opted out", code)
    if code in _ACCOUNT:
        raise ChannelDown(_ACCOUNT[code], code, credentials=code != "40333")
    if code == _TOO_FAST:
        raise Throttled("connection_throttled", code, response.retry_after())
    if code and response.status not in (401, 402, 429):
        raise Permanent(title or "response_status", code)
    return judge(response)


class Telnyx(HttpChannel):
    """JSON both ways; webhooks signed with Ed25519, messages and reports on the same URL."""

    code = "TLX"
    name = "Telnyx"
    proof = "Telnyx-Signature-Ed25519, key `public_key`"
    max_length = 1600
    media = True

    class Config(ChannelConfig):
        """Keys of this type. Without the account's public key webhooks are known by their URL alone."""

        api_key: Secret
        public_key: str = ""
        messaging_profile_id: str = ""
        base_url: Url = "https://api.telnyx.com/v2"

        @field_validator("public_key")
        @classmethod
        def _a_key(cls, value: str) -> str:
            if value and len(unbase64(value) or b"") != 32:
                raise ValueError("must be the Base64 of 32 octets, as the Telnyx portal shows it")
            return value

    config: Config
    statuses = {
        "queued": IGNORED,
        "sending": IGNORED,
        "webhook_delivered": IGNORED,
        "sent": SENT,
        "delivery_unconfirmed": SENT,  # final: the carrier gives no receipt
        "delivered": DELIVERED,
        "read": DELIVERED,
        "sending_failed": FAILED,
        "delivery_failed": FAILED,
        "expired": FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """Ed25519 over timestamp, "|" and body: https://developers.telnyx.com/docs/development/sdk/python/webhooks"""
        if not self.config.public_key:
            return
        from chalicelib.channels import ed25519

        key, signature = (unbase64(text) for text in (self.config.public_key,
                                                      request.header("telnyx-signature-ed25519")))  # fmt: skip
        timestamp = request.header("telnyx-timestamp")
        signed = timestamp.encode("utf-8", "replace") + b"|" + request.body
        if not key or not signature or not ed25519.valid(key, signed, signature):
            raise Forbidden("request signature missing or wrong", 401)
        at = dates.if_readable(dates.epoch_fraction, timestamp)
        if at is None or not dates.within(at, request.received_at, _TOLERANCE):
            raise Forbidden("the request is more than five minutes old", 401)

    @route("POST", "receive", "status")
    def on_event(self, request: Request) -> list[Event]:
        """One event a request."""
        data = request.json().object("data")
        (kind,) = data.require("event_type")
        if kind == "message.received":
            return self._message(data)
        if kind in ("message.sent", "message.finalized"):
            return self._status(data.object("payload"))
        raise Ignored(f"an event of another type: {kind[:64]!r}")

    def _message(self, data: JsonObject) -> list[Event]:
        payload = data.object("payload")
        if payload.get("type", "SMS").upper() not in ("SMS", "MMS") or payload.get("direction", "inbound") != "inbound":
            raise Ignored("neither an SMS nor an MMS to us")
        (external_id,) = payload.require("id")
        (sender,) = payload.object("from").require("phone_number")
        date = payload.get("received_at") or data.get("occurred_at")
        message = self.incoming(
            sender,
            payload.get("text"),
            external_id=external_id,
            received_at=dates.rfc3339(date) if date else None,
            attachments=[":".join(filter(None, (one.get("content_type"), one.get("url"))))
                         for one in payload.objects("media") if one.get("url")],
        )  # fmt: skip
        if payload.get("autoresponse_type") != "STOP":
            return [message]
        return [message, self.optout(sender, message.received_at)]  # Telnyx has answered the keyword itself

    def _status(self, payload: JsonObject) -> list[Event]:
        (external_id,) = payload.require("id")
        recipients, errors = payload.objects("to"), payload.objects("errors")
        if not recipients:
            raise BadRequest("request failed validation", ["field 'data.payload.to' required"])
        phone, code = recipients[0].get("phone_number"), errors[0].scalar("code") if errors else ""
        update = self.update(
            recipients[0].get("status"),
            external_id=external_id,
            destination=phone,
            code=code,
            reason=errors[0].first_of("detail", "title") if errors else "",
        )
        if update.status is FAILED and code == LATER:
            update = update.model_copy(update={"status": self.errored(code)})
        return [update, self.optout(phone)] if code == STOPPED else [update]

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part."""
        config = self.config
        body: dict[str, Any] = {"from": part.address, "to": part.message.to, "webhook_url": self.callback("status")}
        if part.text or not part.attachments:
            body["text"] = part.text
        if part.attachments:
            body |= {"type": "MMS", "media_urls": [url for _, url in part.attachments]}
        if config.messaging_profile_id:
            body["messaging_profile_id"] = config.messaging_profile_id
        answer = http.post(
            config.base_url.rstrip("/") + "/messages",
            json={name: value for name, value in body.items() if value or name == "text"},
            headers={"Authorization": f"Bearer {config.api_key}", "Idempotency-Key": part.idempotency},
            judge=judge_telnyx,
        )
        external_id = answer.pick_id("data", "id")
        if not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)
