"""M3 Tech (Pakistan): http://m3techservice.com"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chalicelib.channels.base import ChannelConfig, HttpChannel, Part, Reply, Request, Secret, Text, route
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.transport import Http


class M3Tech(HttpChannel):
    """A form in, a query string out, no external ids, no delivery reports."""

    code = "M3"
    name = "M3 Tech"
    max_length = 160

    class Config(ChannelConfig):
        """Keys of RapidPro's M3 channel."""

        username: Text
        password: Secret

    config: Config

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO has neither id nor date."""
        form = request.plain_form()
        (sender,) = form.require("from")
        return self.incoming(sender, form.get("text"))

    def accepted(self, request: Request, events: Sequence[Event], ids: Sequence[str]) -> Reply:
        """The words M3 Tech is used to, which are no JSON whatever the header says."""
        return Reply(200, f"SMS Accepted: {ids[0]}".encode(), events=tuple(events), ids=tuple(ids))

    def send(self, part: Part, http: Http) -> Accepted:
        """One GET a part. What GSM 7-bit has no characters for goes out as it is.

        A refusal may come with HTTP 200 and another `Response` than 0.
        """
        from chalicelib import gsm7, text

        plain = text.substitute_gsm7(part.text)
        answer = http.get(
            "https://secure.m3techservice.com/GenericServiceRestAPI/api/SendSMS",
            params={
                "AuthKey": "m3-Tech",
                "UserId": self.config.username,
                "Password": str(self.config.password),
                "SMS": plain,
                "SMSType": "0" if gsm7.is_gsm7(plain) else "7",
                "MobileNo": part.message.to_no_plus,
                "MsgId": part.idempotency,
                "MsgHeader": part.address.removeprefix("+"),
                "HandsetPort": "0",
                "SMSChannel": "0",
                "Telco": "0",
            },
        )
        code = answer.pick_id(0, "Response")
        if code not in ("", "0"):
            raise Permanent("response_content", code)
        return Accepted()
