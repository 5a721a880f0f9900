"""Blackmyna, Nepal: its API has no public documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.channels.base import (
    DELIVERED,
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
from chalicelib.outcomes import Accepted, Temporary

if TYPE_CHECKING:
    from chalicelib.transport import Http


class Blackmyna(HttpChannel):
    """Query strings in, a form out, an array back."""

    code = "BM"
    name = "Blackmyna"
    max_length = None

    class Config(ChannelConfig):
        """Keys of RapidPro's BM channel; the API key is in no request."""

        username: Text
        password: Secret
        api_key: Secret | None = None
        send_url: Url = "http://api.blackmyna.com/2/smsmessaging/outbound"

    config: Config
    statuses = {1: DELIVERED, 2: FAILED, 8: SENT, 16: FAILED}  # Kannel's numbers

    @route("GET", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO; Blackmyna gives it no id."""
        sender, _, text = request.form().require("from", "to", "text")
        return self.incoming(sender, text)

    @route("GET", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report, by Blackmyna's id."""
        form = request.form()
        (external_id,) = form.require("id")
        return self.update(form.require_integer("status"), external_id=external_id)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a message."""
        answer = http.post(
            self.config.send_url,
            form={"address": part.message.to, "senderaddress": part.address, "message": part.text},
            auth=(self.config.username, str(self.config.password)),
        )
        external_id = answer.pick(0, "id")
        if not isinstance(external_id, str) or not external_id:
            raise Temporary("no external id returned in body")
        return Accepted(external_id)
