"""thinQ, now Commio: https://apidocs.thinq.com/"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from chalicelib.channels.base import (
    DELIVERED,
    ERRORED,
    FAILED,
    BadRequest,
    ChannelConfig,
    HttpChannel,
    Part,
    Request,
    Secret,
    Text,
    route,
)
from chalicelib.messages import Incoming, Outgoing, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.channels.base import Share
    from chalicelib.transport import Http


class ThinQ(HttpChannel):
    """Forms in; JSON out for texts, a multipart form for each file. The URLs of callbacks are set in the account."""

    code = "TQ"
    name = "ThinQ"
    max_length = 1600
    media = True

    class Config(ChannelConfig):
        """Keys of RapidPro's TQ channel."""

        account_id: Text
        api_token_user: Text
        api_token: Secret

    config: Config
    statuses = {
        "DELIVRD": DELIVERED,
        "EXPIRED": ERRORED,
        "DELETED": FAILED,
        "UNDELIV": FAILED,
        "UNKNOWN": FAILED,
        "REJECTD": FAILED,
    }

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO; that of an MMS is the URL of its file. A file in the request itself cannot be handed on."""
        form = request.form()
        sender, _, kind = form.require("from", "to", "type")
        text = form.get("message")
        if kind == "sms":
            return self.incoming(sender, text)
        if kind != "mms":
            raise BadRequest("request failed validation", ["field 'type' must be sms or mms"])
        if not text.startswith(("http://", "https://")):
            raise BadRequest("an MMS must come as a URL: set the account's inbound attachment type to URL")
        return self.incoming(sender, "", attachments=[text])

    @route("POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report."""
        form = request.form()
        external_id, status = form.require("guid", "status")
        return self.update(
            status, external_id=external_id, destination=form.get("destination_did"), reason=form.get("send_status")
        )

    def shares(self, message: Outgoing) -> list[Share]:
        """A file travels without text."""
        return self.shares_apart(message)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part."""
        config = self.config
        fields = {"from_did": did(part.address), "to_did": did(part.message.to)}
        headers = {"Accept": "application/json"}
        if part.attachments:
            kind = "mms"
            boundary = hashlib.sha256(part.idempotency.encode("utf-8", "replace")).hexdigest()
            headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
            sent: dict[str, Any] = {"body": multipart({**fields, "media_url": part.attachments[0][1]}, boundary)}
        else:
            kind = "sms"
            sent = {"json": {**fields, "message": part.text}}
        answer = http.post(
            f"https://api.thinq.com/account/{config.account_id}/product/origination/{kind}/send",
            headers=headers,
            auth=(config.api_token_user, str(config.api_token)),
            **sent,
        )
        external_id = answer.pick_id("guid")
        if not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)


def did(number: str) -> str:
    """A number of the North American plan without its country code; others, and short codes, as they are less the +."""
    digits = number.removeprefix("+")
    return digits[1:] if len(digits) == 11 and digits.startswith("1") else digits


def multipart(fields: dict[str, str], boundary: str) -> str:
    """A multipart/form-data body (RFC 7578) of texts; line breaks in them are left out."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{"".join(value.splitlines())}\r\n'
        for name, value in fields.items()
    ]
    return "".join(parts) + f"--{boundary}--\r\n"
