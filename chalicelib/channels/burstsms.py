"""Burst SMS (TransmitSMS, Kudosity): https://developer.transmitsms.com"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.channels.base import (
    DELIVERED,
    ERRORED,
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
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, Permanent, Throttled
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.transport import Http

# https://developers.kudosity.com/reference/status-codes
_ACCOUNT: Final = {
    "AUTH_FAILED": "Burst SMS refuses our credentials",
    "AUTH_FAILED_NO_DATA": "Burst SMS refuses our credentials",
    "LEDGER_ERROR": "no balance at Burst SMS",
    "NO_ACCESS": "the Burst SMS account may not send",
}


def judge_burst(response: Response) -> None:
    """The error code says more than the HTTP status; it comes with a success too."""
    code = response.pick_id("error", "code")
    if code in _ACCOUNT:
        raise ChannelDown(_ACCOUNT[code], code, credentials=code.startswith("AUTH"))
    if code == "OVER_LIMIT":
        raise Throttled("connection_throttled", code, response.retry_after())
    if code and response.status in (400, 404):
        raise Permanent("response_status", code)
    judge(response)


class BurstSms(HttpChannel):
    """Query strings in, a form out, JSON answers."""

    code = "BS"
    name = "Burst SMS"
    max_length = 612  # four GSM 7-bit segments

    class Config(ChannelConfig):
        """Keys of RapidPro's BS channel: the API key and the API secret."""

        username: Text
        password: Secret

    config: Config
    statuses = {"delivered": DELIVERED, "pending": SENT, "soft-bounce": ERRORED, "hard-bounce": FAILED}

    @route("GET", "receive")
    def on_message(self, request: Request) -> Incoming:
        """A reply or a forwarded message."""
        form = request.plain_form()
        (sender,) = form.require("mobile")
        return self.incoming(sender, form.get("response"))

    @route("GET", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report."""
        form = request.plain_form()
        (external_id,) = form.require("message_id")
        return self.update(form.get("status"), external_id=external_id, destination=form.get("mobile"))

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part."""
        answer = http.post(
            "https://api.transmitsms.com/send-sms.json",
            form={"to": part.message.to_no_plus, "from": part.address, "message": part.text},
            headers={"Accept": "application/json"},
            auth=(self.config.username, str(self.config.password)),
            judge=judge_burst,
        )
        external_id = answer.pick_id("message_id")
        if external_id in ("", "0"):
            raise Permanent("response_content", answer.pick_id("error", "code"))
        return Accepted(external_id)
