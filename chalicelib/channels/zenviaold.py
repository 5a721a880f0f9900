"""Zenvia's older REST API: http://docs.zenviasms.apiary.io"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
    Url,
    route,
)
from chalicelib.channels.parts import short_name
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, Permanent, Temporary
from chalicelib.transport import judge

if TYPE_CHECKING:
    from chalicelib.transport import Http, Response

_MAX_ID: Final = 20  # characters of an id that Zenvia is sure to take; the limit (detail 016) is not published
_ACCEPTED: Final = frozenset({"00", "01", "02", "03"})
_HAD_IT: Final = "080"
_FINAL: Final = {
    "04": "not received",
    "05": "no coverage",
    "06": "the recipient is on a black list",
    "07": "the recipient is no valid number",
    "08": "content not allowed, or expired",
    "09": "blocked",
}
_DETAILS: Final = {
    "010": "the text is empty",
    "012": "the text is too long",
    "013": "the recipient is no valid number",
    "014": "there is no recipient",
    "016": "our id is too long",
}


def judge_zenvia(response: Response) -> None:
    """Refusals come with HTTP 200 too; the status tells, and the detail tells more."""
    judge(response)
    status = response.pick_id("sendSmsResponse", "statusCode")
    detail = response.pick_id("sendSmsResponse", "detailCode")
    if status in _ACCEPTED or detail == _HAD_IT:  # nobody else has our ids: that was our own request, repeated
        return
    if detail == "900":
        raise ChannelDown("Zenvia refuses our credentials", detail, credentials=True)
    if status in _FINAL or detail in _DETAILS:
        raise Permanent(_DETAILS.get(detail) or _FINAL[status], detail or status)
    raise Temporary("received non-success response", detail or status)


class ZenviaOld(HttpChannel):
    """JSON both ways. Zenvia gives no ids: each part's is ours, and comes back in its report."""

    code = "ZV"
    name = "Zenvia (older API)"
    max_length = 1152
    unknown_status = FAILED

    class Config(ChannelConfig):
        """Keys of RapidPro's ZV channel, and where to send."""

        username: Text
        password: Secret
        send_url: Url = "https://api-rest.zenvia.com/services/send-sms"

    config: Config
    statuses = {
        "00": SENT,
        "01": SENT,
        "02": SENT,
        "03": DELIVERED,
        "04": FAILED,
        "05": FAILED,
        "06": FAILED,
        "07": FAILED,
        "08": FAILED,
        "09": FAILED,
        "10": FAILED,
    }

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An empty text is a message too."""
        data = request.json().object("callbackMoRequest")
        external_id, sender, date = data.require("id", "mobile", "received")
        return self.incoming(sender, data.get("body"), external_id=external_id, received_at=dates.rfc3339(date))

    @route("POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report."""
        data = request.json().object("callbackMtRequest")
        (status,) = data.require("status")
        detail = data.scalar("statusDetail") if status not in _ACCEPTED else ""
        return self.update(status, external_id=data.scalar("id"), code=detail, reason=data.get("statusDetailMessage"))

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. Zenvia refuses an id that it has seen, so that a repeated request does no harm."""
        config = self.config
        name = short_name(part.idempotency, _MAX_ID)
        message = {"to": part.message.to_no_plus, "msg": part.text, "callbackOption": "FINAL", "id": name}
        http.post(
            config.send_url,
            json={"sendSmsRequest": message},
            headers={"Accept": "application/json"},
            auth=(config.username, str(config.password)),
            judge=judge_zenvia,
        )
        return Accepted(name)
