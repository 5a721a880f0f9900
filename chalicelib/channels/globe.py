"""Globe Labs (Philippines): https://www.globelabs.com.ph/docs

There are no delivery reports, and no ids of what is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from chalicelib.channels import dates
from chalicelib.channels.base import (
    BadRequest,
    ChannelConfig,
    HttpChannel,
    Part,
    Request,
    Secret,
    Text,
    route,
)
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http

_DATE: Final = "%a %b %d %Y %H:%M:%S GMT+0000 (UTC)"


class Globe(HttpChannel):
    """JSON both ways, several messages in one callback. The passphrase stands for the subscribers' consent."""

    code = "GL"
    name = "Globe Labs"

    class Config(ChannelConfig):
        """Keys of RapidPro's GL channel."""

        app_id: Text
        app_secret: Secret
        passphrase: Secret

    config: Config

    @route("POST", "receive")
    def on_message(self, request: Request) -> list[Event]:
        """What Globe calls the notify URI."""
        return self.each(request.json().object("inboundSMSMessageList").objects("inboundSMSMessage"), self._message)

    def _message(self, item: JsonObject) -> Incoming:
        sender, date = item.require("senderAddress", "dateTime")
        scheme, colon, number = sender.partition(":")
        if (scheme, colon) != ("tel", ":"):
            raise BadRequest("senderAddress must begin with 'tel:'")
        return self.incoming(
            number,
            item.get("message"),
            external_id=item.scalar("messageId"),
            received_at=dates.in_zone(date, _DATE),
            country=self.country or "PH",
        )

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part."""
        config = self.config
        answer = http.post(
            "https://devapi.globelabs.com.ph/smsmessaging/v1/outbound/"
            f"{quote(part.address, safe='', errors='replace')}/requests",
            json={
                "address": part.message.to_no_plus,
                "message": part.text,
                "passphrase": str(config.passphrase),
                "app_id": config.app_id,
                "app_secret": str(config.app_secret),
            },
            headers={"Accept": "application/json"},
        )
        if answer.pick("error") is not None:
            raise Permanent("response_content")
        return Accepted()
