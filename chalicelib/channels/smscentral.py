"""SMSCentral, Nepal: http://smscentral.com.np/"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.channels.base import ChannelConfig, HttpChannel, Part, Request, Secret, Text, Url, route
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted

if TYPE_CHECKING:
    from chalicelib.transport import Http


class SmsCentral(HttpChannel):
    """Forms both ways, no ids, no reports; SMSCentral cuts long messages itself."""

    code = "SC"
    name = "SMSCentral"
    max_length = None

    class Config(ChannelConfig):
        """Keys of RapidPro's SC channel. SMSCentral offers its API without TLS only: the password is in the clear."""

        username: Text
        password: Secret
        send_url: Url = "http://smail.smscentral.com.np/bp/ApiSms.php"

    config: Config

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An empty text is a message too."""
        form = request.form()
        (sender,) = form.require("mobile")
        return self.incoming(sender, form.get("message"))

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a message; what its answer says is not documented."""
        form = {
            "user": self.config.username,
            "pass": str(self.config.password),
            "mobile": part.message.to_no_plus,
            "content": part.text,
        }
        http.post(self.config.send_url, form=form)
        return Accepted()
