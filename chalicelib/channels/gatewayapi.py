"""GatewayAPI: https://gatewayapi.com/docs/apis/rest/"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chalicelib.channels import dates, signatures
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
    Url,
    route,
)
from chalicelib.channels.parts import international
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, Permanent
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.transport import Http

# Of the error code index, in lower case
_ACCOUNT: Final = {
    "0x0213": "GatewayAPI does not allow our IP address",
    "0x0216": "no credit at GatewayAPI",
    "0x0229": "GatewayAPI refuses our token",
    "0x022a": "the GatewayAPI account is frozen",
}
_FINAL: Final = {
    "0x0214": "the number is blacklisted",
    "0x0215": "the number is blacklisted",
    "0x0217": "the country is not allowed",
    "0x0312": "the content is filtered",
}


def judge_gatewayapi(response: Response) -> None:
    """The error code says whose trouble a 4xx is."""
    code = response.pick_id("code") if 400 <= response.status < 500 else ""
    known = code.lower()
    if known in _ACCOUNT:
        raise ChannelDown(_ACCOUNT[known], code, credentials=known == "0x0229")
    if known in _FINAL or (code and response.status in (400, 422)):
        raise Permanent(_FINAL.get(known, "response_status"), code)
    judge(response)


class GatewayApi(HttpChannel):
    """JSON both ways, signed with a JWT where the webhook has a token; GatewayAPI cuts into short messages itself."""

    code = "GWA"
    name = "GatewayAPI"
    proof = "X-Gwapi-Signature (a JWT), key `secret`"
    max_length = 1600
    names = True
    token_in_url = False

    class Config(ChannelConfig):
        """`secret` is the webhook's token; for the EU's accounts `base_url` is https://gatewayapi.eu."""

        auth_token: Secret
        base_url: Url = "https://gatewayapi.com"

    config: Config
    statuses = {
        "UNKNOWN": IGNORED,
        "SCHEDULED": IGNORED,
        "BUFFERED": IGNORED,
        "ENROUTE": SENT,
        "ACCEPTED": SENT,
        "DELIVERED": DELIVERED,
        "EXPIRED": FAILED,
        "DELETED": FAILED,
        "UNDELIVERABLE": FAILED,
        "REJECTED": FAILED,
        "SKIPPED": FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """The JWT's claims are the body's fields, and it never ends: it must be of this very body."""
        if not self.config.secret:
            return
        given = request.header("x-gwapi-signature")
        claims = signatures.jwt_claims(given, str(self.config.secret), request.received_at)
        if claims is None:
            raise Forbidden("X-Gwapi-Signature missing or wrong", 401)
        body = request.json()
        signed = {"id", "msisdn", *({"message", "sender", "receiver", "status"} & claims.keys())}
        if any(name not in claims or claims[name] != body.raw(name) for name in signed):
            raise Forbidden("X-Gwapi-Signature is of another request", 401)

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO. The numbers are JSON numbers; a sender that is none is in a field of its own."""
        item = request.json()
        name = item.get("sender")
        if not any(map(str.isalpha, name)):
            name = international(str(item.require_integer("msisdn")))
        external_id, sent = item.require_integer("id"), item.require_integer("senttime")
        if item.get("payload") and not item.get("message"):
            raise Ignored("a binary message")
        (text,) = item.require("message", may_be_empty=("message",))
        return self.incoming(name, text, external_id=str(external_id), received_at=dates.epoch_seconds(sent))

    @route("POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report."""
        item = request.json()
        (status,) = item.require("status")
        return self.update(
            status,
            external_id=str(item.require_integer("id")),
            destination=item.scalar("msisdn"),
            at=dates.if_readable(dates.epoch_fraction, item.scalar("time")),
            code=item.scalar("code"),
            reason=item.get("error"),
        )

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. What GatewayAPI calls UTF8 is GSM 7-bit on the air, and loses what that does not have."""
        from chalicelib.gsm7 import is_gsm7

        to = part.message.to_no_plus
        body: dict[str, Any] = {
            "message": part.text,
            "recipients": [{"msisdn": int(to) if to.isascii() and to.isdigit() else to}],
            "sender": part.address.removeprefix("+"),
            "encoding": "UTF8" if is_gsm7(part.text) else "UCS2",
            "userref": part.idempotency,
            "callback_url": self.callback("status"),
        }
        answer = http.post(
            self.config.base_url.rstrip("/") + "/rest/mtsms",
            json=body,
            auth=(str(self.config.auth_token), ""),
            judge=judge_gatewayapi,
        )
        external_id = answer.pick_id("ids", 0)
        if not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)
