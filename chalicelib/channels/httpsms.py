"""httpSMS, an Android phone as a gateway: https://docs.httpsms.com"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

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
    Share,
    Url,
    route,
)
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming, Outgoing, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http

_EXPIRED: Final = "message.send.expired"


class HttpSms(HttpChannel):
    """CloudEvents in, signed with a JWT, messages and reports alike; JSON out."""

    code = "HSM"
    name = "httpSMS"
    proof = "Authorization (a JWT), key `secret`"
    max_length = 1600
    media = True
    max_media = 10
    names = True
    token_in_url = False
    unknown_status = IGNORED

    class Config(ChannelConfig):
        """Keys of this type; `secret` is the webhook's signing key, `base_url` a server of one's own."""

        api_key: Secret
        base_url: Url = "https://api.httpsms.com"

    config: Config
    statuses = {
        "message.phone.sent": SENT,
        "message.phone.delivered": DELIVERED,
        "message.send.failed": FAILED,
        _EXPIRED: FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """A JWT of ten minutes whose audience is the webhook's URL; it says nothing of the body."""
        if not self.config.secret:
            return
        scheme, _, token = request.header("authorization").partition(" ")
        claims = signatures.jwt_claims(token.strip(), str(self.config.secret), request.received_at)
        if claims is None or scheme.lower() != "bearer":
            raise Forbidden("Authorization missing or wrong", 401)
        audience = claims.get("aud")
        urls = audience if isinstance(audience, list) else [audience]
        if not any(isinstance(url, str) and _path(url) == request.path.rstrip("/") for url in urls):
            raise Forbidden("Authorization is for another URL", 401)

    @route("POST", "receive", "status")
    def on_event(self, request: Request) -> Event:
        """One webhook may have all events of an account."""
        event = request.json()
        (kind,) = event.require("type")
        data = event.object("data")
        return self._message(data) if kind == "message.phone.received" else self._status(kind, data)

    def _message(self, data: JsonObject) -> Incoming:
        external_id, owner, sender, stamp = data.require("message_id", "owner", "contact", "timestamp")
        self.only_ours(owner)
        if data.boolean("encrypted"):
            raise Ignored("the message is encrypted from end to end")
        (text,) = data.require("content", may_be_empty=("content",))
        return self.incoming(
            sender,
            text,
            external_id=external_id,
            received_at=dates.rfc3339(stamp),
            attachments=data.strings("attachments"),
        )

    def _status(self, kind: str, data: JsonObject) -> StatusUpdate:
        if kind == _EXPIRED and not data.boolean("is_final"):
            raise Ignored("expired, and will be tried again")
        return self.update(
            kind,
            external_id=data.first_of("id", "message_id"),
            destination=data.get("contact"),
            at=dates.if_readable(dates.rfc3339, data.get("timestamp")),
            reason=data.get("error_message"),
        )

    def shares(self, message: Outgoing) -> list[Share]:
        """httpSMS wants a text: links alone are one, files alone are none."""
        return super().shares(message) if message.text else self.shares_as_text(message)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part; attachments make an MMS of it."""
        body: dict[str, Any] = {
            "from": part.address,
            "to": part.message.to,
            "content": part.text,
            "request_id": part.idempotency,
        }
        if part.attachments:
            body["attachments"] = [url for _, url in part.attachments]
        answer = http.post(
            self.config.base_url.rstrip("/") + "/v1/messages/send",
            json=body,
            headers={"Accept": "application/json", "x-api-key": str(self.config.api_key)},
        )
        external_id = answer.pick_id("data", "id")
        if not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)


def _path(url: str) -> str:
    try:
        return urlsplit(url).path.rstrip("/")
    except ValueError:
        return ""
