"""Sinch, SMS REST API (XMS v1) with a service plan: https://developers.sinch.com/docs/sms/api-reference/"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from chalicelib.channels import dates, signatures
from chalicelib.channels.base import ChannelConfig, Flag, Forbidden, Part, Request, Secret, Share, Text, Url
from chalicelib.channels.xms import Xms
from chalicelib.messages import Outgoing
from chalicelib.outcomes import Accepted

if TYPE_CHECKING:
    from chalicelib.transport import Http

# Sinch repeats a callback for 22 h 45 min, perhaps as it was first signed; what comes twice is known by its id.
_TOLERANCE: Final = timedelta(days=1)
_HEADER: Final = "x-sinch-webhook-signature"


class Sinch(Xms):
    """XMS with a service plan, in the region that the plan is of; signed where Sinch has switched that on."""

    code = "SNC"
    name = "Sinch"
    proof = "X-Sinch-Webhook-Signature (HMAC-SHA256), key `secret`"
    media_when = "with `mms`"
    max_length = 1600
    token_in_url = False

    class Config(ChannelConfig):
        """Keys of this type; `username` is the service plan's id, `secret` what its webhooks are signed with."""

        username: Text
        auth_token: Secret
        region: Literal["us", "eu", "au", "br", "ca"] = "us"
        base_url: Url | None = None  # unset: the region's
        mms: Flag = False  # the plan has MMS: attachments travel as media

    config: Config

    def authenticate(self, request: Request) -> None:
        """HMAC-SHA256 over body, nonce and timestamp, where Sinch has switched signing on for the account."""
        if not self.config.secret:
            return
        nonce, sent = request.header(f"{_HEADER}-nonce"), request.header(f"{_HEADER}-timestamp")
        signed = request.body + f".{nonce}.{sent}".encode("utf-8", "replace")
        if not signatures.hmac_valid(str(self.config.secret), signed, request.header(_HEADER), encoding="base64"):
            raise Forbidden("x-sinch-webhook-signature missing or wrong", 401)
        if not dates.recent(sent, request.received_at, _TOLERANCE):
            raise Forbidden("the webhook is more than a day old", 401)

    def shares(self, message: Outgoing) -> list[Share]:
        """An MMS carries one file."""
        return self.shares_apart(message) if self.config.mms else super().shares(message)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part."""
        config = self.config
        base = config.base_url or f"https://{config.region}.sms.api.sinch.com"
        return self.offer(part, http, f"{base.rstrip('/')}/xms/v1/{config.username}", str(config.auth_token))
