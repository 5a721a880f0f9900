"""ClickSend SMS: https://developers.clicksend.com/docs"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.channels.base import ChannelConfig, HttpChannel, Part, Request, Secret, Text, route
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, ChannelDown, Permanent, Temporary

if TYPE_CHECKING:
    from chalicelib.transport import Http

# https://developers.clicksend.com/docs/#application-status-codes
_ACCOUNT: Final = {
    "INSUFFICIENT_CREDIT": "no credit at ClickSend",
    "ACCOUNT_NOT_ACTIVATED": "the ClickSend account is not active",
    "MISSING_CREDENTIALS": "ClickSend refuses our credentials",
    "INVALID_CREDENTIALS": "ClickSend refuses our credentials",
}
_REPEATED: Final = "THROTTLED"  # of one recipient, for a few seconds; requests that come too fast are answered 429


class ClickSend(HttpChannel):
    """Forms in, JSON out, no delivery reports."""

    code = "CS"
    name = "ClickSend"
    max_length = 1224  # eight GSM 7-bit segments

    class Config(ChannelConfig):
        """Keys of RapidPro's CS channel."""

        username: Text
        password: Secret

    config: Config

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """What an inbound rule posts."""
        form = request.plain_form()
        (sender,) = form.require("from")
        return self.incoming(sender, form.get("body"), external_id=form.get("message_id"))

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. An answer that calls the request a success may still refuse its message."""
        message = {"to": part.message.to, "from": part.address, "body": part.text, "source": "jangada"}
        answer = http.post(
            "https://rest.clicksend.com/v3/sms/send",
            json={"messages": [message]},
            headers={"Accept": "application/json"},
            auth=(self.config.username, str(self.config.password)),
        )
        status = answer.pick_id("data", "messages", 0, "status")
        external_id = answer.pick_id("data", "messages", 0, "message_id")
        if status in _ACCOUNT:
            raise ChannelDown(_ACCOUNT[status], status, credentials=status.endswith("CREDENTIALS"))
        if status == _REPEATED:
            raise Temporary("ClickSend has just had the same text for the same recipient", status)
        if status != "SUCCESS" or not external_id:
            raise Permanent("response_content", status)
        return Accepted(external_id)
