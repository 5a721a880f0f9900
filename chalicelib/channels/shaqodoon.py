"""Shaqodoon, Somalia: an HTTP gateway without public documentation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from chalicelib.channels import dates
from chalicelib.channels.base import (
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
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted

if TYPE_CHECKING:
    from chalicelib.transport import Http

_INTERNATIONAL: Final = re.compile(r"\+[0-9]{7,15}")


class Shaqodoon(HttpChannel):
    """Query strings both ways, no ids, no reports; the gateway cuts long messages itself."""

    code = "SQ"
    name = "Shaqodoon"
    max_length = None

    class Config(ChannelConfig):
        """Keys of RapidPro's SQ channel, and whether to check the gateway's certificate (RapidPro never does)."""

        send_url: Url
        username: Text
        password: Secret
        verify_ssl: Flag = True

    config: Config

    def phone(self, raw: str, country: str | None = None) -> str:
        """As every type's, and a number in international form that libphonenumber does not know stays as it is."""
        try:
            return super().phone(raw, country)
        except BadRequest:
            if not _INTERNATIONAL.fullmatch(raw):
                raise
            return raw

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """In the query string of a POST, or in its body. The gateway's unencoded plus has become a space."""
        form = request.form()
        (sender,) = form.require("from")
        if sender.startswith(" "):
            sender = "+" + sender[1:]
        date = form.first_of("date", "time")
        received_at = dates.rfc3339(date) if date else None
        return self.incoming(sender, form.get("text"), received_at=received_at)

    def send(self, part: Part, http: Http) -> Accepted:
        """One GET a message; what its answer says is not documented."""
        config = self.config
        params = {
            "from": part.address.removeprefix("+"),
            "msg": part.text,
            "to": part.message.to_no_plus,
            "username": config.username,
            "password": str(config.password),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        http.get(config.send_url, params=params, headers=headers, verify=config.verify_ssl)
        return Accepted()
