"""Macrokiosk (Malaysia): http://www.macrokiosk.com/"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Final

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    WIRED,
    BadRequest,
    ChannelConfig,
    HttpChannel,
    Part,
    Reply,
    Request,
    Secret,
    Text,
    route,
)
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted

if TYPE_CHECKING:
    from chalicelib.transport import Http

_MALAYSIA: Final = timezone(timedelta(hours=8))  # Asia/Kuala_Lumpur, without summer time since 1982
_DATE: Final = "%Y-%m-%d%H:%M:%S"  # nothing between date and time


class Macrokiosk(HttpChannel):
    """Forms in, with names of their own for short codes and long codes; JSON out."""

    code = "MK"
    name = "Macrokiosk"
    max_length = 1600
    unknown_status = IGNORED

    class Config(ChannelConfig):
        """Keys of RapidPro's MK channel; the sender is not the channel's address but `macrokiosk_sender_id`."""

        username: Text
        password: Secret
        macrokiosk_sender_id: Text
        macrokiosk_service_id: Text

    config: Config
    statuses = {"ACCEPTED": SENT, "DELIVERED": DELIVERED, "UNDELIVERED": FAILED, "PROCESSING": WIRED}

    @route("GET POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """Our number decides which pair of names is meant."""
        from chalicelib.phones import digits_match

        form = request.form()
        names = ("shortcode", "from", "time") if form.get("shortcode") else ("longcode", "msisdn", "time")
        to, sender, date = form.require(*names)
        if not digits_match(self.address, to):
            raise BadRequest(f"field '{names[0]}' is another number than this channel's")
        received_at = dates.in_zone(date, _DATE, zone=_MALAYSIA)
        return self.incoming(sender, form.get("text"), external_id=form.get("msgid"), received_at=received_at)

    @route("GET POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report."""
        external_id, status = request.form().require("msgid", "status")
        return self.update(status, external_id=external_id)

    def accepted(self, request: Request, events: Sequence[Event], ids: Sequence[str]) -> Reply:
        """Macrokiosk wants "-1" for a message."""
        if request.action != "receive":
            return super().accepted(request, events, ids)
        return Reply(200, b"-1", "text/plain", events=tuple(events), ids=tuple(ids))

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. What GSM 7-bit has no characters for goes out as it is."""
        from chalicelib import gsm7, text

        config = self.config
        plain = text.substitute_gsm7(part.text)
        answer = http.post(
            "https://www.etracker.cc/bulksms/send",
            json={
                "user": config.username,
                "pass": str(config.password),
                "to": part.message.to_no_plus,
                "text": plain,
                "from": config.macrokiosk_sender_id,
                "servid": config.macrokiosk_service_id,
                "type": "0" if gsm7.is_gsm7(plain) else "5",
            },
            headers={"Accept": "application/json"},
        )
        return Accepted(answer.pick_id("MsgID"))
