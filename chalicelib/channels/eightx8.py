"""8x8 Connect, once Wavecell: https://developer.8x8.com/connect/docs/getting-started-with-sms-api"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    ChannelConfig,
    HttpChannel,
    Ignored,
    Part,
    Request,
    Secret,
    Text,
    Url,
    route,
)
from chalicelib.channels.parts import short_name
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, Permanent
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http

_MAX_NAME: Final = 50  # characters of clientMessageId
_NO_ACCOUNT: Final = "1001"  # of the API's error codes: bad key, or no such sub-account


def judge_8x8(response: Response) -> None:
    """The error code says more than a 4xx."""
    code = response.pick_id("code") if 400 <= response.status < 500 else ""
    if code == _NO_ACCOUNT:
        raise ChannelDown("8x8 refuses the API key or the sub-account", code, credentials=True)
    if response.status == 426:
        raise ChannelDown("8x8 wants a newer TLS", code or "426")
    if code and response.status in (400, 404, 422):
        raise Permanent("response_status", code)
    judge(response)


class EightX8(HttpChannel):
    """JSON both ways, messages and receipts in one envelope. 8x8 signs nothing: `secret` in our URLs stands in."""

    code = "E8X"
    name = "8x8"
    max_length = 1530
    max_segments = 10  # 8x8 cuts what is longer without a word

    class Config(ChannelConfig):
        """Keys of this type; `username` is the sub-account's id, `base_url` that of the account's region."""

        api_key: Secret
        username: Text
        base_url: Url = "https://sms.8x8.com"

    config: Config
    statuses = {
        "queued": IGNORED,
        "sent": SENT,
        "delivered_to_operator": SENT,  # a detail of "delivered"
        "delivered": DELIVERED,
        "read": DELIVERED,
        "undelivered": FAILED,
        "rejected": FAILED,
    }

    @route("POST", "receive", "status")
    def on_event(self, request: Request) -> Event:
        """One URL may have messages and receipts."""
        envelope = request.json()
        space, kind = envelope.require("namespace", "eventType")
        payload = envelope.object("payload")
        if (space, kind) == ("SMS", "inbound_message_received"):
            return self._message(payload)
        if (space, kind) == ("SMS", "outbound_message_status_changed"):
            return self._status(payload)
        raise Ignored(f"neither message nor receipt: {kind[:64]!r} of {space[:64]!r}")

    def _message(self, item: JsonObject) -> Incoming:
        external_id, sender, to, text, stamp = item.require(
            "umid", "source", "destination", "body", "timestamp", may_be_empty=("body",)
        )
        self.only_ours(to)
        return self.incoming(sender, text, external_id=external_id, received_at=dates.rfc3339(stamp))

    def _status(self, item: JsonObject) -> StatusUpdate:
        (external_id,) = item.require("umid")
        status = item.object("status")
        state, detail, code = status.get("state"), status.get("detail"), status.scalar("errorCode")
        return self.update(
            detail if detail in self.statuses else state,
            external_id=external_id,
            destination=item.get("destination"),
            at=dates.if_readable(dates.rfc3339, status.get("timestamp")),
            code="" if code == "0" else code,
            reason=status.get("errorMessage"),
        )

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. A refusal may come as a 200."""
        config = self.config
        answer = http.post(
            f"{config.base_url.rstrip('/')}/api/v1/subaccounts/{config.username}/messages",
            json={
                "source": part.address,
                "destination": part.message.to,
                "text": part.text,
                "encoding": "AUTO",
                "clientMessageId": short_name(part.idempotency, _MAX_NAME),
                "dlrCallbackUrl": self.callback("status"),
            },
            headers={"Authorization": f"Bearer {config.api_key}"},
            judge=judge_8x8,
        )
        status = answer.pick_id("status", "code")
        if status != "QUEUED":
            raise Permanent("8x8 rejects the message" if status == "REJECTED" else "response_content", status)
        return Accepted(answer.pick_id("umid"))
