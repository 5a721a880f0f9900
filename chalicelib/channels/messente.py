"""Messente's Omnichannel API: https://messente.com/documentation/omnichannel-api/"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
from chalicelib.channels.signatures import hmac_valid
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, Permanent, Temporary
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.transport import Http

# https://messente.com/documentation/omnichannel-api/error-codes
_FORBIDDEN: Final = "102"
_UNAUTHORIZED: Final = "103"
_INTERNAL: Final = "104"


def judge_messente(response: Response) -> None:
    """The error's code says whose trouble it is; 429 and 5xx need none."""
    code = "" if response.ok else response.pick_id("errors", 0, "code")
    if code in (_FORBIDDEN, _UNAUTHORIZED):
        raise ChannelDown("Messente refuses our credentials", code, credentials=code == _UNAUTHORIZED)
    if code == _INTERNAL:
        raise Temporary("connection_failed", code)
    if code and response.status in (400, 404, 405, 422):
        raise Permanent("response_status", code)
    judge(response)


class Messente(HttpChannel):
    """JSON both ways, what comes in is signed; Messente cuts what is longer than an SMS itself."""

    code = "MSS"
    name = "Messente"
    proof = "X-Messente-Signature (HMAC-SHA256), key `secret`"
    max_length = 1600
    token_in_url = False

    class Config(ChannelConfig):
        """Keys of this type; `secret` is the shared secret that callbacks are signed with."""

        username: Text
        password: Secret
        base_url: Url = "https://api.messente.com/v1"

    config: Config
    statuses = {
        "ACK": SENT,
        "ACCEPTD": SENT,
        "DELIVRD": DELIVERED,
        "SEEN": DELIVERED,
        "UNDELIV": FAILED,
        "FAILED": FAILED,
        "REJECTD": FAILED,
        "DELETED": FAILED,
        "EXPIRED": FAILED,
        "NACK": FAILED,
        "UNKNOWN": IGNORED,
        "": IGNORED,  # null: still in the making
    }

    def authenticate(self, request: Request) -> None:
        """HMAC-SHA256 of the body, in hex. It covers no time: a replayed message is known by its id."""
        secret, given = self.config.secret, request.header("x-messente-signature")
        if secret and not hmac_valid(str(secret), request.body, given):
            raise Forbidden("X-Messente-Signature missing or wrong", 401)

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO; Messente joins long ones."""
        data = request.json()
        external_id, channel, sender, _, text, date = data.require(
            "msg_id", "channel", "sender", "recipient", "text", "time", may_be_empty=("text",)
        )
        if channel != "sms":
            raise Ignored(f"a message of channel {channel[:64]!r}")
        return self.incoming(sender, text, external_id=external_id, received_at=dates.rfc3339(date))

    @route("POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report, in UTC without saying so."""
        data = request.json()
        code = data.scalar("err")
        return self.update(
            data.get("status"),
            external_id=data.get("message_id"),
            destination=data.get("to"),
            at=dates.if_readable(lambda text: dates.utc_z(f"{text}Z"), data.get("timestamp").removesuffix("Z")),
            code="" if code == "0" else code,
            reason=data.scalar("error"),
        )

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. `autoconvert` would otherwise replace characters by the account's table."""
        message = {"channel": "sms", "sender": part.address, "text": part.text, "autoconvert": "off"}
        answer = http.post(
            self.config.base_url.rstrip("/") + "/omnimessage",
            json={"to": part.message.to, "messages": [message], "dlr_url": self.callback("status")},
            headers={"Accept": "application/json"},
            auth=(self.config.username, str(self.config.password)),
            judge=judge_messente,
        )
        external_id = answer.pick_id("messages", 0, "message_id")
        if not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)
