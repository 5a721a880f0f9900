"""Vonage's Messages API, SMS and MMS: https://developer.vonage.com/en/messages/overview"""

from __future__ import annotations

import hashlib
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pydantic import model_validator

from chalicelib import clock
from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    ChannelConfig,
    Flag,
    Forbidden,
    HttpChannel,
    Ignored,
    Part,
    Request,
    Secret,
    Url,
    route,
)
from chalicelib.channels.parts import international, part_of
from chalicelib.channels.signatures import jwt_claims, same
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, Permanent, Temporary, Throttled
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.channels.base import Share
    from chalicelib.messages import Outgoing
    from chalicelib.transport import Http

_TOKEN_LIFE: Final = 900  # seconds
_MAX_REFERENCE: Final = 100  # characters of client_ref
# A webhook may be sent again for a day; a replay within it is a repeat by its id, which is known for two
_TOLERANCE: Final = timedelta(days=1)
_SMS: Final = ("sms", "mms")

# https://developer.vonage.com/en/api-errors/messages
_THROTTLED: Final = "1000"
_TEMPORARY: Final = frozenset({"1030", "1100"})  # internal error; communication failed
_QUOTA: Final = "1070"


def judge_messages(response: Response) -> None:
    """An error's number stands in the fragment of its type's URL: `https://.../api-errors/messages#1120`."""
    code = "" if response.ok else response.pick_id("type").rpartition("#")[2]
    if not code.isdigit() or response.status in (401, 402, 403):
        return judge(response)
    if code == _THROTTLED or response.status == 429:
        raise Throttled("connection_throttled", code, response.retry_after())
    if code in _TEMPORARY or response.status >= 500:
        raise Temporary("connection_failed", code)
    if code == _QUOTA:
        raise ChannelDown("our quota at Vonage is used up", code)
    raise Permanent("response_status", code)


class VonageMessages(HttpChannel):
    """JSON both ways, signed both ways: HS256 with the account's signature secret, RS256 with the application's key."""

    code = "VMS"
    name = "Vonage Messages"
    proof = "Authorization (a JWT), key `secret`"
    media_when = "with `mms`"
    max_length = 1600  # the API takes 3200
    token_in_url = False
    unknown_status = IGNORED

    class Config(ChannelConfig):
        """Keys of this type; `secret` is the account's signature secret. `mms` (US) sends attachments as media."""

        application_id: str = ""
        private_key: Secret | None = None
        api_key: str = ""
        api_secret: Secret | None = None
        base_url: Url = "https://api.nexmo.com"
        mms: Flag = False

        @model_validator(mode="after")
        def _credentials(self) -> VonageMessages.Config:
            if not (self.application_id and self.private_key) and not (self.api_key and self.api_secret):
                raise ValueError("private_key: application_id and private_key are needed, or api_key and api_secret")
            return self

    config: Config
    statuses = {
        "submitted": SENT,
        "delivered": DELIVERED,
        "read": DELIVERED,
        "rejected": FAILED,
        "undeliverable": FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """A JWT with a hash of the body: https://developer.vonage.com/en/getting-started/concepts/webhooks"""
        if not self.config.secret:
            return
        token = request.header("authorization").removeprefix("Bearer ").strip()
        claims = jwt_claims(token, str(self.config.secret), request.received_at)
        if claims is None:
            raise Forbidden("the token in Authorization is missing or wrong", 401)
        issued = claims.get("iat")
        fits = isinstance(issued, int) and dates.within(issued * 1000, request.received_at, _TOLERANCE)
        if not fits:
            raise Forbidden("the token's iat is missing or more than a day old", 401)
        given = claims.get("payload_hash")
        if given is not None and not same(hashlib.sha256(request.body).hexdigest(), str(given).lower()):
            raise Forbidden("the token is of another body", 401)

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """SMS, joined, and MMS of one file each; an application may serve other channels too."""
        data = request.json()
        channel, kind = data.require("channel", "message_type")
        if channel not in _SMS:
            raise Ignored(f"a message of channel {channel[:64]!r}")
        external_id, sender, to, date = data.require("message_uuid", "from", "to", "timestamp")
        self.only_ours(to)
        text, attachments = data.get("text") if kind == "text" else "", []
        if kind != "text":
            media = data.object(kind)
            if not media.get("url"):
                raise Ignored(f"a message of type {kind[:64]!r} without a url")
            text, attachments = media.get("caption"), [media.get("url")]
        return self.incoming(
            international(sender),
            text,
            external_id=external_id,
            received_at=dates.rfc3339(date),
            attachments=attachments,
        )

    @route("POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A status; an error's title is its code. Our reference also names a message whose acceptance got lost."""
        data = request.json()
        external_id, status = data.require("message_uuid", "status")
        error = data.object("error")
        ours, part = part_of(data.get("client_ref")) or ("", None)
        return self.update(
            status,
            id=ours,
            part=part,
            external_id=external_id,
            destination=data.get("to"),
            at=dates.if_readable(dates.rfc3339, data.get("timestamp")),
            code=error.scalar("title"),
            reason=error.get("detail"),
        )

    def shares(self, message: Outgoing) -> list[Share]:
        """An MMS carries one file."""
        return self.shares_apart(message) if self.config.mms else super().shares(message)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part."""
        body: dict[str, Any] = {
            "to": part.message.to_no_plus,
            "from": part.address.removeprefix("+"),
            "webhook_url": self.callback("status"),
            "webhook_version": "v1",
            **_content(part),
        }
        if len(part.idempotency) <= _MAX_REFERENCE:
            body["client_ref"] = part.idempotency
        headers, auth = {"Accept": "application/json"}, None
        if self.config.private_key and self.config.application_id:
            headers["Authorization"] = f"Bearer {self._token()}"
        else:
            auth = (self.config.api_key, str(self.config.api_secret))
        url = self.config.base_url.rstrip("/") + "/v1/messages"
        answer = http.post(url, json=body, headers=headers, auth=auth, judge=judge_messages)
        external_id = answer.pick_id("message_uuid")
        if not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)

    def _token(self) -> str:
        """A JWT of its own for each request, since each has its own `jti`.

        https://developer.vonage.com/en/getting-started/concepts/authentication#json-web-tokens
        """
        from chalicelib.channels import rsa

        now = clock.now_ms() // 1000
        claims = {
            "application_id": self.config.application_id,
            "iat": now,
            "exp": now + _TOKEN_LIFE,
            "jti": str(uuid.uuid4()),
        }
        try:
            return rsa.jwt(claims, rsa.private_key(str(self.config.private_key)))
        except ValueError as error:
            raise ChannelDown(f"private_key: {error}", credentials=True) from None


def _content(part: Part) -> dict[str, Any]:
    """Text as SMS; a file as MMS where MMS knows its kind, else as the SMS of its URL."""
    if not part.attachments:
        return {"channel": "sms", "message_type": "text", "text": part.text}
    ((content_type, url),) = part.attachments
    kind = "vcard" if content_type.lower() in ("text/vcard", "text/x-vcard") else content_type.lower().partition("/")[0]
    if kind not in ("image", "audio", "video", "vcard"):
        return {"channel": "sms", "message_type": "text", "text": url}
    return {"channel": "mms", "message_type": kind, kind: {"url": url}}
