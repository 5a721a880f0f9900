"""DMark Mobile (Uganda, Congo): http://dmarkmobile.com"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    ERRORED,
    SENT,
    ChannelConfig,
    HttpChannel,
    Part,
    Request,
    Secret,
    route,
)
from chalicelib.channels.parts import our_part
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.transport import Http


class DMark(HttpChannel):
    """Forms both ways, JSON answers. Reports bear Kannel's numbers, at a URL that has our id."""

    code = "DK"
    name = "DMark Mobile"
    max_length = 453

    class Config(ChannelConfig):
        """Keys of RapidPro's DK channel; user name and password are what `auth_token` was once got with."""

        auth_token: Secret
        username: str = ""
        password: Secret | None = None

    config: Config
    statuses = {"1": DELIVERED, "2": ERRORED, "4": SENT, "8": SENT, "16": ERRORED}

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO. DMark gives it no id."""
        sender, text, _, stamp = request.form().require("msisdn", "text", "short_code", "tstamp")
        return self.incoming(sender, text, received_at=dates.rfc3339(stamp))

    @route("POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report."""
        name, status = request.form().require("uuid", "status")
        ours, part = our_part(name, "uuid")
        return self.update(status, id=ours, part=part)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part; DMark puts the status in the place of `%s`."""
        answer = http.post(
            "https://smsapi1.dmarkmobile.com/sms/",
            form={
                "sender": part.address.removeprefix("+"),
                "receiver": part.message.to_no_plus,
                "text": part.text,
                "dlr_url": self.callback("status", f"uuid={quote(part.idempotency)}&status=%s"),
            },
            headers={"Authorization": f"Token {self.config.auth_token}", "Accept": "application/json"},
        )
        external_id = answer.pick_id("sms_id")
        if not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)
