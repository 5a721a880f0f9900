"""Africa's Talking SMS: https://developers.africastalking.com/docs/sms/overview"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    BadRequest,
    ChannelConfig,
    Flag,
    HttpChannel,
    Part,
    Request,
    Secret,
    Text,
    Url,
    route,
)
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, Permanent

if TYPE_CHECKING:
    from chalicelib.transport import Http


class AfricasTalking(HttpChannel):
    """Urlencoded both ways, JSON answers; Africa's Talking joins and cuts long messages itself."""

    code = "AT"
    name = "Africa's Talking"
    max_length = None

    class Config(ChannelConfig):
        """Keys of RapidPro's AT channel."""

        username: Text
        api_key: Secret
        is_shared: Flag = False  # a short code shared with other customers: `from` is left out
        send_url: Url = "https://api.africastalking.com/version1/messaging"

    config: Config
    # `Success` in a report means delivered; in the answer to a send it only means accepted.
    statuses = {
        "Success": DELIVERED,
        "Sent": SENT,
        "Buffered": SENT,
        "Submitted": IGNORED,  # says no more than our own "wired"
        "Rejected": FAILED,
        "Failed": FAILED,
        "Expired": FAILED,
        "AbsentSubscriber": FAILED,
    }

    @route("POST", "receive", "callback")
    def on_message(self, request: Request) -> Incoming:
        """An empty text is a message too: refusing it would have it sent again for ever."""
        form = request.form()
        external_id, sender, _, text, date = form.require("id", "from", "to", "text", "date", may_be_empty=("text",))
        try:
            received_at = dates.utc_z(date)
        except BadRequest:
            received_at = dates.in_zone(date, "%Y-%m-%d %H:%M:%S")
        return self.incoming(sender, text, external_id=external_id, received_at=received_at)

    @route("POST", "status", "delivery")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report."""
        form = request.form()
        external_id, status = form.require("id", "status")
        return self.update(
            status, external_id=external_id, destination=form.get("phoneNumber"), reason=form.get("failureReason")
        )

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a message."""
        form = {"username": self.config.username, "to": part.message.to, "message": part.text}
        if not self.config.is_shared:
            form["from"] = part.address
        headers = {"Accept": "application/json", "apikey": str(self.config.api_key)}
        answer = http.post(self.config.send_url, form=form, headers=headers)
        recipient = ("SMSMessageData", "Recipients", 0)
        status = answer.pick(*recipient, "status")
        if status == "Success":
            return Accepted(answer.pick_id(*recipient, "messageId"))
        if status == "InsufficientBalance":
            raise ChannelDown("no balance at Africa's Talking", status)
        code = answer.pick_id(*recipient, "statusCode")
        raise Permanent("response_content", status if isinstance(status, str) else code)
