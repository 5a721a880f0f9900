"""i2SMS: https://www.i2sms.com/

There are no ids of what comes in, and no delivery reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.channels.base import ChannelConfig, HttpChannel, Part, Reply, Request, Secret, Text, route
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.channels.request import Event
    from chalicelib.transport import Http


class I2Sms(HttpChannel):
    """Forms both ways, JSON answers. The channel's hash tells i2SMS which number to send from."""

    code = "I2"
    name = "I2SMS"
    max_length = 640

    class Config(ChannelConfig):
        """Keys of RapidPro's I2 channel."""

        username: Text
        password: Secret
        channel_hash: Secret

    config: Config

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO."""
        form = request.plain_form()
        (sender,) = form.require("mobile")
        return self.incoming(sender, form.get("message"))

    def accepted(self, request: Request, events: Sequence[Event], ids: Sequence[str]) -> Reply:
        """Nothing: a text might be taken for a reply to the phone."""
        return Reply(200, b"", "text/plain", events=tuple(events), ids=tuple(ids))

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. A refusal comes as a 200 too; "00" is a code of two characters."""
        answer = http.post(
            "https://mx2.i2sms.net/mxapi.php",
            form={
                "action": "send_single",
                "mobile": part.message.to_no_plus,
                "message": part.text,
                "channel": str(self.config.channel_hash),
            },
            headers={"Accept": "application/json"},
            auth=(self.config.username, str(self.config.password)),
        )
        answer.json()
        code = answer.pick_id("error_code")
        if code != "00":
            raise Permanent("response_content", code)
        return Accepted(answer.pick_id("result", "session_id"))
