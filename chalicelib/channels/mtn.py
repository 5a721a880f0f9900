"""MTN's Developer Portal, SMS v2: https://developers.mtn.com/"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    ERRORED,
    FAILED,
    IGNORED,
    SENT,
    ChannelConfig,
    HttpChannel,
    Ignored,
    Part,
    Request,
    Secret,
    Url,
    route,
)
from chalicelib.channels.parts import international
from chalicelib.channels.request import Event
from chalicelib.channels.tokens import with_access_token
from chalicelib.outcomes import Accepted

if TYPE_CHECKING:
    from chalicelib.transport import Http


class Mtn(HttpChannel):
    """JSON both ways, messages and reports at one URL; OAuth; MTN cuts long messages itself."""

    code = "MTN"
    name = "MTN Developer Portal"
    max_length = None

    class Config(ChannelConfig):
        """Keys of RapidPro's MTN channel: consumer key and consumer secret; the subscription is of our callback."""

        api_key: Secret
        auth_token: Secret
        cp_address: str = ""
        api_host: Url = "https://api.mtn.com"
        mtn_subscription_id: str = ""

    config: Config
    statuses = {
        "DELIVRD": DELIVERED,
        "DeliveredToTerminal": DELIVERED,
        "DeliveredToNetwork": SENT,
        "DeliveryUncertain": SENT,
        "EXPIRED": FAILED,
        "DeliveryImpossible": ERRORED,
        "MessageWaiting": IGNORED,
        "DeliveryNotificationNotSupported": IGNORED,
    }

    @route("POST", "receive")
    def on_event(self, request: Request) -> Event:
        """What has a message is one; everything else is a report."""
        data = request.json()
        text = data.get("message")
        if text:
            (sender,) = data.require("senderAddress")
            created = data.integer("created")
            received_at = None if created is None else dates.epoch_millis(created)
            return self.incoming(international(sender), text, received_at=received_at)
        external_id = data.scalar("transactionId")
        if not external_id:
            raise Ignored("neither a message nor a transactionId")
        return self.update(data.get("deliveryStatus"), external_id=external_id)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a message; our id is the correlator, by which MTN knows a repeated request."""
        body: dict[str, Any] = {
            "senderAddress": part.address.removeprefix("+"),
            "receiverAddress": [part.message.to_no_plus],
            "message": part.text,
            "clientCorrelator": part.idempotency,
        }
        if self.config.cp_address:
            body["cpAddress"] = self.config.cp_address

        def offer(token: str) -> Accepted:
            headers = {"Accept": "application/json", "Authorization": f"Bearer {token}"}
            answer = http.post(f"{self._host}/v2/messages/sms/outbound", json=body, headers=headers)
            return Accepted(answer.pick_id("transactionId"))

        login = {"client_id": str(self.config.api_key), "client_secret": str(self.config.auth_token)}
        place = f"{self._host}/v1/oauth/access_token?grant_type=client_credentials"
        return with_access_token(http, place, login, offer)

    @property
    def _host(self) -> str:
        return self.config.api_host.rstrip("/")
