"""Chikka (Philippines), an API that has been closed: for whoever still runs a gateway that speaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.channels import dates
from chalicelib.channels.base import (
    FAILED,
    SENT,
    BadRequest,
    ChannelConfig,
    HttpChannel,
    Ignored,
    Part,
    Request,
    Secret,
    Text,
    Url,
    message_id,
    route,
)
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.transport import Http

_USED: Final = "Invalid/Used Request ID"


def _is_used(response: Response) -> bool:
    """The service may or may not mean the backslash before its slash."""
    description = response.pick_id("description").replace("\\", "")
    return response.status == 400 and response.pick("message") == "BAD REQUEST" and description == _USED


def _judge_reply(response: Response) -> None:
    """A request id that has been used already is no failure: the message goes out as one of its own."""
    if not _is_used(response):
        judge(response)


class Chikka(HttpChannel):
    """Forms both ways, messages and reports on one URL; reports name our id, Chikka gives none."""

    code = "CK"
    name = "Chikka"
    max_length = 160

    class Config(ChannelConfig):
        """Keys of RapidPro's CK channel: `username` is the client id, `password` the secret key."""

        username: Text
        password: Secret
        send_url: Url = "https://post.chikka.com/smsapi/request"

    config: Config
    statuses = {"SENT": SENT, "FAILED": FAILED}  # there is none for delivered

    @route("POST", "receive")
    def on_event(self, request: Request) -> Incoming | StatusUpdate:
        """`message_type` tells them apart."""
        form = request.form()
        kind = form.get("message_type")
        if kind == "incoming":
            external_id, sender, at = form.require("request_id", "mobile_number", "timestamp")
            received_at = dates.epoch_fraction(at)
            return self.incoming(sender, form.get("message"), external_id=external_id, received_at=received_at)
        if kind == "outgoing":
            given, status = form.require("message_id", "status")
            ours = message_id(given)
            if ours is None:
                raise BadRequest("request failed validation", ["field 'message_id' must be our message id"])
            return self.update(status, id=ours)
        raise Ignored(f"neither message nor report: {kind[:64]!r}")

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part, as a reply where the message answers another: a request id is good for one reply only."""
        config, answered = self.config, part.message.response_to_external_id
        form = {
            "message_type": "SEND",
            "mobile_number": part.message.to_no_plus,
            "shortcode": part.address.removeprefix("+"),
            "message_id": part.message.key,
            "message": part.text,
            "request_cost": "FREE",
            "client_id": config.username,
            "secret_key": str(config.password),
        }
        if answered and part.index == 0:
            reply = {**form, "message_type": "REPLY", "request_id": answered}
            if not _is_used(http.post(config.send_url, form=reply, judge=_judge_reply)):
                return Accepted()
        http.post(config.send_url, form=form)
        return Accepted()
