"""textbee, an Android phone as gateway, hosted or on a server of one's own: https://textbee.dev"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from chalicelib.channels import dates, signatures
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    ChannelConfig,
    Forbidden,
    HttpChannel,
    Ignored,
    Part,
    Request,
    Secret,
    Text,
    Url,
    route,
)
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, Permanent, Temporary
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http

_PASSING: Final = ("failed to send sms", "failed to add sms to queue")
_MOMENTS: Final = {"MESSAGE_SENT": "sentAt", "MESSAGE_DELIVERED": "deliveredAt", "MESSAGE_FAILED": "failedAt"}


def judge_textbee(response: Response) -> None:
    """Two of the errors that come as 400 are the server's trouble, not the message's."""
    if response.status == 400 and response.pick_id("error").lower().startswith(_PASSING):
        raise Temporary("connection_failed: textbee could not hand it to the phone", "400")
    judge(response)


class Textbee(HttpChannel):
    """Signed JSON in, JSON out. Webhooks are of an account, which may have several phones."""

    code = "TXB"
    name = "textbee"
    proof = "X-Signature (HMAC-SHA256), key `secret`"
    max_length = 1600
    names = True
    token_in_url = False
    unknown_status = IGNORED  # other events of the account

    class Config(ChannelConfig):
        """Keys of this type; `secret` is the signing secret of the webhook."""

        api_key: Secret
        device_id: Text
        base_url: Url = "https://api.textbee.dev"
        sim_subscription_id: int | None = None  # the SIM to send with

    config: Config
    statuses = {
        "MESSAGE_SENT": SENT,
        "MESSAGE_DELIVERED": DELIVERED,
        "MESSAGE_FAILED": FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """HMAC-SHA256 over the body as it came."""
        secret, given = self.config.secret, request.header("x-signature")
        if secret and not signatures.hmac_valid(str(secret), request.body, given):
            raise Forbidden("X-Signature missing or wrong", 401)

    @route("POST", "receive", "status")
    def on_event(self, request: Request) -> Event:
        """One URL may have all events."""
        event = request.json()
        (kind,) = event.require("webhookEvent")
        return self._message(event) if kind == "MESSAGE_RECEIVED" else self._status(kind, event)

    def _message(self, event: JsonObject) -> Incoming:
        external_id, sender, text, date, device = event.require(
            "smsId", "sender", "message", "receivedAt", "deviceId", may_be_empty=("message",)
        )
        if device != self.config.device_id:
            raise Ignored("from another phone than this channel's")
        return self.incoming(sender, text, external_id=external_id, received_at=dates.rfc3339(date))

    def _status(self, kind: str, event: JsonObject) -> Event:
        """The batch is what sending gave us the id of: one message."""
        return self.update(
            kind,
            external_id=event.get("smsBatchId"),
            destination=event.get("recipient"),
            at=dates.if_readable(dates.rfc3339, event.get(_MOMENTS.get(kind, ""))),
            code=event.scalar("errorCode"),
            reason=event.get("errorMessage"),
        )

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. A server without a queue gives no id."""
        config = self.config
        body: dict[str, Any] = {"recipients": [part.message.to], "message": part.text}
        if config.sim_subscription_id is not None:
            body["simSubscriptionId"] = config.sim_subscription_id
        device = quote(config.device_id, safe="")
        answer = http.post(
            f"{config.base_url.rstrip('/')}/api/v1/gateway/devices/{device}/send-sms",
            json=body,
            headers={"Accept": "application/json", "x-api-key": str(config.api_key)},
            judge=judge_textbee,
        )
        if answer.pick("data", "success") is not True:
            raise Permanent("response_content")
        return Accepted(answer.pick_id("data", "smsBatchId"))
