"""Wavy, formerly Movile, now Sinch: https://docs-en.sinch.com/technical-documentation/api-and-integrations/sms-api"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    ERRORED,
    FAILED,
    SENT,
    ChannelConfig,
    HttpChannel,
    Part,
    Request,
    Secret,
    Text,
    Url,
    route,
)
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted

if TYPE_CHECKING:
    from chalicelib.transport import Http


class Wavy(HttpChannel):
    """JSON both ways; Wavy cuts long messages itself, and its account decides on the sender."""

    code = "WV"
    name = "Movile/Wavy"
    max_length = None

    class Config(ChannelConfig):
        """Keys of RapidPro's WV channel."""

        username: Text
        auth_token: Secret
        send_url: Url = "https://api-messaging.movile.com/v1/send-sms"

    config: Config
    statuses = {
        2: SENT,
        4: DELIVERED,
        101: FAILED,
        102: FAILED,
        103: FAILED,
        104: SENT,  # neither delivered nor failed: the operator does not tell
        201: FAILED,
        202: FAILED,
        203: FAILED,
        204: FAILED,
        205: FAILED,
        207: FAILED,
        301: ERRORED,
    }

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An empty text is a message too: refusing it would have it sent again."""
        data = request.json()
        external_id, sender, _, text = data.require(
            "id", "source", "shortCode", "messageText", may_be_empty=("messageText",)
        )
        received_at = dates.epoch_millis(data.require_integer("receivedAt"))
        return self.incoming(sender, text, external_id=external_id, received_at=received_at)

    @route("POST", "sent")
    def on_sent(self, request: Request) -> StatusUpdate:
        """What became of handing it to the network."""
        return self._status(request, "sentStatusCode")

    @route("POST", "delivered")
    def on_delivered(self, request: Request) -> StatusUpdate:
        """What became of bringing it to the phone."""
        return self._status(request, "deliveredStatusCode")

    def _status(self, request: Request, field: str) -> StatusUpdate:
        data = request.json()
        (external_id,) = data.require("correlationId")
        return self.update(data.require_integer(field), external_id=external_id)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a message."""
        answer = http.post(
            self.config.send_url,
            json={"destination": part.message.to_no_plus, "messageText": part.text},
            headers={
                "Accept": "application/json",
                "username": self.config.username,
                "authenticationtoken": str(self.config.auth_token),
            },
        )
        return Accepted(answer.pick_id("id"))
