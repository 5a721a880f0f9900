"""High Connexion (France): http://www.highconnexion.com/en/"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from chalicelib.channels import dates
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
    route,
)
from chalicelib.channels.parts import our_part
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted

if TYPE_CHECKING:
    from chalicelib.transport import Http

_FORM_ENCODED: Final = re.compile(rb"(?:[0-9A-Za-z*._+~-]|%[0-9A-Fa-f]{2})*")  # WHATWG URL 5.2, RFC 3986's ~ as well


def decoded(octets: bytes) -> str:
    """Latin-1 text that may be form-encoded once more: where it holds nothing else than such an encoding may."""
    if _FORM_ENCODED.fullmatch(octets):
        octets = unquote_to_bytes(octets.replace(b"+", b" "))
    return octets.decode("iso-8859-1")


class HighConnection(HttpChannel):
    """Forms in Latin-1 in, a query string in UTF-8 out. Our id comes back in the reports; there is no other."""

    code = "HX"
    name = "High Connection"
    max_length = 1500

    class Config(ChannelConfig):
        """Keys of RapidPro's HX channel: account id and password."""

        username: Text
        password: Secret

    config: Config
    statuses = {
        4: SENT,
        6: DELIVERED,
        2: FAILED,
        11: FAILED,
        12: FAILED,
        13: FAILED,
        14: FAILED,
        15: FAILED,
        16: FAILED,
    }

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO; its date has no zone and is taken as UTC."""
        form = request.form("iso-8859-1")
        sender, _ = form.require("FROM", "TO")
        date = form.get("RECEPTION_DATE")
        return self.incoming(
            sender,
            decoded(form.octets("MESSAGE") or b""),
            external_id=str(form.integer("ID") or ""),
            received_at=dates.in_zone(date, "%Y-%m-%dT%H:%M:%S") if date else None,
        )

    @route("GET", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report."""
        form = request.form()
        (name,) = form.require("ret_id")
        status = form.require_integer("status")
        ours, part = our_part(name, "ret_id")
        return self.update(status, id=ours, part=part)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part, all of it in the query."""
        http.post(
            "https://highpushfastapi-v2.hcnx.eu/api",
            params={
                "accountid": self.config.username,
                "password": str(self.config.password),
                "text": part.text,
                "to": part.message.to,
                "ret_id": part.idempotency,
                "datacoding": "8",  # UCS-2
                "user_data": "",
                "ret_url": self.callback("status"),
                "ret_mo_url": self.callback("receive"),
            },
        )
        return Accepted()
