"""Hormuud (Somalia): http://www.hormuud.com/

The callback gives neither an id nor a date that could be relied on, and there are no delivery reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.channels.base import ChannelConfig, HttpChannel, Part, Request, Secret, Text, route
from chalicelib.channels.tokens import with_access_token
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, ChannelDown, Permanent, Temporary

if TYPE_CHECKING:
    from chalicelib.transport import Http

# ResCode of Hormuud's SMS API documentation
_ACCOUNT: Final = {
    "201": "Hormuud refuses our login",
    "204": "no balance at Hormuud",
    "205": "not enough balance at Hormuud",
}
_FINAL: Final = {
    "203": "the sender id is not ours",
    "206": "more parts than Hormuud allows",
    "207": "not a mobile number",
}
_TEMPORARY: Final = "500"


class Hormuud(HttpChannel):
    """A form or a query string in, JSON out with a bearer token that is got for the login."""

    code = "HM"
    name = "Hormuud"
    max_length = 160

    class Config(ChannelConfig):
        """Keys of RapidPro's HM channel."""

        username: Text
        password: Secret

    config: Config

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO. TimeSent is a number of some kind, not always a time: it is not used."""
        form = request.form()
        sender, _ = form.require("Sender", "ShortCode")
        form.integer("TimeSent")
        return self.incoming(sender, form.get("MessageText"))

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. A ResCode counts where there is no message id."""
        login = {"Username": self.config.username, "Password": str(self.config.password), "grant_type": "password"}
        body = {
            "mobile": part.message.to_no_plus,
            "message": part.text,
            "senderid": part.address,
            "mType": -1,
            "eType": -1,
            "UDH": "",
        }

        def offer(token: str) -> Accepted:
            headers = {"Accept": "application/json", "Authorization": f"Bearer {token}"}
            answer = http.post("https://smsapi.hormuud.com/api/SendSMS", json=body, headers=headers)
            external_id = answer.pick_id("Data", "MessageID")
            code = answer.pick_id("ResCode") or answer.pick_id("ResponseCode")  # both are met
            if external_id not in ("", "null"):
                return Accepted(external_id)
            if code in _ACCOUNT:
                raise ChannelDown(_ACCOUNT[code], code, credentials=code == "201")
            if code == _TEMPORARY:
                raise Temporary("Hormuud has an unknown error", code)
            if code not in ("", "200"):
                raise Permanent(_FINAL.get(code, "response_content"), code)
            return Accepted()

        return with_access_token(http, "https://smsapi.hormuud.com/token", login, offer)
