"""Plivo's Message API: https://www.plivo.com/docs/"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    WIRED,
    BadRequest,
    ChannelConfig,
    Flag,
    Forbidden,
    HttpChannel,
    Part,
    Request,
    Secret,
    Text,
    route,
)
from chalicelib.channels.signatures import hmac_valid
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.transport import Http

# of the account or subaccount whose number it is, and of the main account
_SIGNATURES = ("x-plivo-signature-v2", "x-plivo-signature-ma-v2")


class Plivo(HttpChannel):
    """Signed forms in, JSON out."""

    code = "PL"
    name = "Plivo"
    proof = "X-Plivo-Signature-V2 (HMAC-SHA256), key `PLIVO_AUTH_TOKEN`"
    max_length = 1600
    unknown_status = IGNORED

    class Config(ChannelConfig):
        """Keys of RapidPro's PL channel."""

        PLIVO_AUTH_ID: Text
        PLIVO_AUTH_TOKEN: Secret
        PLIVO_APP_ID: Text
        verify_signature: Flag = True  # false where the URL that Plivo calls is not the one that reaches us

    config: Config
    # RapidPro takes `undelivered` for sent and passes over `failed`; both mean that the message will not arrive
    statuses = {
        "queued": WIRED,
        "sent": SENT,
        "delivered": DELIVERED,
        "undelivered": FAILED,
        "rejected": FAILED,
        "failed": FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """HMAC-SHA256 over URL without query, and nonce.

        https://docs.plivo.com/docs/messaging/concepts/signature-validation
        """
        if not self.config.verify_signature:
            return
        nonce = request.header("x-plivo-signature-v2-nonce")
        given = [value for name in _SIGNATURES if (value := request.header(name))]
        if not given or not nonce:
            raise Forbidden("missing request signature", 401)
        key = str(self.config.PLIVO_AUTH_TOKEN)
        bases = dict.fromkeys((f"https://{urlsplit(request.url).netloc}", self._base))
        urls = [f"{base}{request.path}{nonce}".encode("utf-8", "replace") for base in bases]
        if not any(hmac_valid(key, url, value, encoding="base64") for url in urls for value in given):
            raise Forbidden("invalid request signature", 401)

    def _is_ours(self, number: str, name: str) -> None:
        if number.removeprefix("+") != self.address.removeprefix("+"):
            raise BadRequest("request failed validation", [f"field '{name}' must be this channel's number"])

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO."""
        form = request.form()
        sender, ours, external_id = form.require("From", "To", "MessageUUID")
        self._is_ours(ours, "To")
        return self.incoming(sender, form.get("Text"), external_id=external_id)

    @route("POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report. The segments of a long message have ids of their own, and ours as their parent."""
        form = request.form()
        ours, phone, external_id, status = form.require("From", "To", "MessageUUID", "Status")
        update = self.update(
            status,
            external_id=form.get("ParentMessageUUID") or external_id,
            destination=phone,
            code=form.get("ErrorCode"),
        )
        self._is_ours(ours, "From")
        return update

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part."""
        config = self.config
        answer = http.post(
            f"https://api.plivo.com/v1/Account/{config.PLIVO_AUTH_ID}/Message/",
            json={
                "src": part.address.removeprefix("+"),
                "dst": part.message.to_no_plus,
                "text": part.text,
                "url": self.callback("status"),
                "method": "POST",
            },
            headers={"Accept": "application/json"},
            auth=(config.PLIVO_AUTH_ID, str(config.PLIVO_AUTH_TOKEN)),
        )
        external_id = answer.pick("message_uuid", 0)
        if not isinstance(external_id, str) or not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)
