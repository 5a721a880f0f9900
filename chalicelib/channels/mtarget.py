"""Mtarget (France, francophone Africa): https://www.mtarget.fr/"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    SENT,
    WIRED,
    ChannelConfig,
    HttpChannel,
    Part,
    Request,
    Secret,
    Text,
    route,
)
from chalicelib.channels.parts import piece
from chalicelib.messages import Incoming, OptOut, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.transport import Http


class Mtarget(HttpChannel):
    """Forms in, a POST whose parameters are all in its query out; the channel's address is the service id."""

    code = "MT"
    name = "Mtarget"
    max_length = 765  # five GSM 7-bit segments

    class Config(ChannelConfig):
        """Keys of RapidPro's MT channel."""

        username: Text
        password: Secret

    config: Config
    statuses = {"0": WIRED, "1": WIRED, "2": SENT, "3": DELIVERED, "4": FAILED, "6": FAILED}

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming | OptOut:
        """Mtarget leaves the joining of long messages to us, and finds the word Stop in the first part of one."""
        form = request.plain_form()
        (sender,) = form.require("Msisdn")
        if form.get("Keyword") == "Stop":
            return self.optout(sender)
        name, part = form.get("msglong.id"), None
        if name:
            part = piece(name, form.integer("msglong.msgcount"), form.integer("msglong.msgref"))
        return self.incoming(sender, form.get("Content"), external_id=form.get("MsgId"), piece=part)

    @route("POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report, of the ticket that we got for the part."""
        external_id, status = request.plain_form().require("MsgId", "Status")
        return self.update(status, external_id=external_id)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part."""
        answer = http.post(
            "https://api-public.mtarget.fr/api-sms.json",
            params={
                "username": self.config.username,
                "password": str(self.config.password),
                "msisdn": part.message.to,
                "msg": part.text,
                "serviceid": part.address,
                "allowunicode": "true",
            },
        )
        code, ticket = (answer.pick_id("results", 0, name) for name in ("code", "ticket"))
        if code != "0" or not ticket:
            raise Permanent(answer.pick_id("results", 0, "reason")[:64] or "response_content", code)
        return Accepted(ticket)
