"""Telesom, Somalia: an HTTP API without public documentation."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chalicelib import clock
from chalicelib.channels.base import ChannelConfig, HttpChannel, Part, Request, Secret, Text, Url, route
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.transport import Http


class Telesom(HttpChannel):
    """Queries or forms in, signed forms out, no ids, no reports."""

    code = "TS"
    name = "Telesom"
    token_in_url = False

    class Config(ChannelConfig):
        """Keys of RapidPro's TS channel: user, password and `secret` (the private key) go into the signature only."""

        username: Text
        password: Secret
        secret: Secret  # the private key that goes into the signature of each request
        send_url: Url = "http://telesom.com/sendsms"

    config: Config

    @route("GET POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """Telesom sends no empty texts."""
        sender, text = request.form().require("mobile", "msg")
        return self.incoming(sender, text)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. The signature holds for a day, and for this part alone."""
        from chalicelib.phones import national

        form = {
            "to": f"0{national(part.message.to)}",
            "from": part.address.removeprefix("+"),
            "msg": part.text,
        }
        today = datetime.fromtimestamp(clock.now_ms() / 1000, UTC).strftime("%d/%m/%Y")
        answer = http.post(self.config.send_url, form={**form, "key": self.signature(**form, date=today)})
        if "Success" not in answer.text:
            raise Permanent("response_content")
        return Accepted()

    def signature(self, **values: str) -> str:
        """Telesom's key of a message: upper-case hex of the MD5 of seven values; `date` is DD/MM/YYYY in UTC."""
        config = self.config
        signed = (
            config.username,
            str(config.password),
            values["to"],
            values["msg"],
            values["from"],
            values["date"],
            str(config.secret),
        )
        octets = "|".join(signed).encode("utf-8", "replace")
        return hashlib.md5(octets, usedforsecurity=False).hexdigest().upper()  # Telesom's choice
