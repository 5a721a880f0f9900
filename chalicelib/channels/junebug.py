"""Junebug, a gateway to run oneself: https://junebug.readthedocs.io"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    ChannelConfig,
    Forbidden,
    HttpChannel,
    Ignored,
    Part,
    Request,
    Secret,
    Text,
    Url,
    route,
)
from chalicelib.channels.signatures import same
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, Temporary
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.transport import Http

_DATES: Final = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S")  # in UTC


def judge_junebug(response: Response) -> None:
    """`send_url` names the channel at Junebug: where there is none, it is not the message's fault."""
    if response.status == 404:
        raise ChannelDown("Junebug has no channel at send_url", "404")
    judge(response)


class Junebug(HttpChannel):
    """JSON both ways. `secret` is in a header of what comes in, not in the URL."""

    code = "JN"
    name = "Junebug"
    proof = "Authorization is Token and `secret`"
    max_length = 1530
    token_in_url = False
    unknown_status = IGNORED

    class Config(ChannelConfig):
        """Keys of RapidPro's JN channel; `send_url` is the message resource of the channel at Junebug."""

        send_url: Url
        username: Text
        password: Secret

    config: Config
    statuses = {
        "submitted": SENT,
        "delivery_pending": IGNORED,  # says no more than our own "wired"
        "delivery_succeeded": DELIVERED,
        "delivery_failed": FAILED,
        "rejected": FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """Junebug's `mo_url_auth_token`, and the `event_auth_token` that we give it."""
        secret = self.config.secret
        if secret and not same(f"Token {secret}", request.header("authorization")):
            raise Forbidden("Authorization missing or wrong", 401)

    @route("POST", "inbound")
    def on_message(self, request: Request) -> Incoming:
        """An MO."""
        data = request.json()
        sender, _, external_id, date = data.require("from", "to", "message_id", "timestamp")
        received_at = dates.in_zone(date, *_DATES)
        return self.incoming(sender, data.get("content"), external_id=external_id, received_at=received_at)

    @route("POST", "event")
    def on_status(self, request: Request) -> StatusUpdate:
        """What has become of a message. An event of no type is one that Junebug has no word for."""
        data = request.json()
        if "event_type" in data.values and data.raw("event_type") is None:
            raise Ignored("an event of no type")
        kind, external_id = data.require("event_type", "message_id")
        details = data.raw("event_details")
        reason = details.get("reason") if isinstance(details, dict) else ""
        return self.update(kind, external_id=external_id, reason=reason if isinstance(reason, str) else "")

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. Junebug refuses fields that it does not know."""
        body: dict[str, Any] = {
            "to": part.message.to,
            "from": part.address,
            "content": part.text,
            "event_url": self.callback("event"),
        }
        if self.config.secret:
            body["event_auth_token"] = str(self.config.secret)
        answer = http.post(
            self.config.send_url,
            json=body,
            headers={"Accept": "application/json"},
            auth=(self.config.username, str(self.config.password)),
            judge=judge_junebug,
        )
        external_id = answer.pick_id("result", "message_id")
        if not external_id:
            raise Temporary("Junebug's answer holds no message_id")
        return Accepted(external_id)
