"""Clickatell's platform, one-way HTTP API: https://docs.clickatell.com"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_plus, unquote_to_bytes

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    SENT,
    WIRED,
    BadRequest,
    ChannelConfig,
    HttpChannel,
    Part,
    Request,
    Secret,
    route,
)
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.transport import Http


class Clickatell(HttpChannel):
    """JSON in, a query string out."""

    code = "CT"
    name = "Clickatell"
    max_length = 640

    class Config(ChannelConfig):
        """Keys of RapidPro's CT channel."""

        api_key: Secret

    config: Config
    statuses = {
        1: FAILED,  # unknown message id
        2: WIRED,  # queued
        3: SENT,  # passed upstream
        4: DELIVERED,  # received by recipient; RapidPro takes it for sent, and so has nothing for delivered
        5: FAILED,  # error with the message
        6: FAILED,  # terminated by user
        7: FAILED,  # error delivering
        8: WIRED,  # accepted by the gateway
        9: FAILED,  # routing error
        10: FAILED,  # expired
        11: WIRED,  # queued for later
        12: FAILED,  # out of credit
        14: FAILED,  # longer than allowed
    }

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An empty text is a message too: refusing it would have it sent again."""
        data = request.json()
        external_id, sender, text = data.require("messageId", "fromNumber", "text", may_be_empty=("text",))
        received_at = dates.epoch_millis(data.require_integer("timestamp"))
        return self.incoming(
            sender, decoded(text, data.get("charset")), external_id=external_id, received_at=received_at
        )

    @route("POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report."""
        data = request.json()
        (external_id,) = data.require("messageId")
        status = data.integer("statusCode")
        if status is None:
            raise BadRequest("request failed validation", ["field 'statusCode' required"])
        return self.update(status, external_id=external_id, reason=data.scalar("status"))

    def send(self, part: Part, http: Http) -> Accepted:
        """One GET a part; Clickatell finds the encoding itself."""
        params = {
            "apiKey": str(self.config.api_key),
            "content": part.text,
            "from": part.address.removeprefix("+"),
            "to": part.message.to_no_plus,
        }
        answer = http.get(
            "https://platform.clickatell.com/messages/http/send",
            params=params,
            headers={"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"},
        )
        external_id = answer.pick("messages", 0, "apiMessageId")
        if not isinstance(external_id, str) or not external_id:
            raise Permanent("response_content", answer.pick_id("messages", 0, "errorCode"))
        return Accepted(external_id)


def decoded(text: str, charset: str) -> str:
    """The text of a message: in two charsets it comes percent-encoded, else as it is.

    What is not ASCII has been decoded on the way and stays as it is.
    """
    charset = charset.upper()
    if charset == "ISO-8859-1":
        return unquote_plus(text, encoding="iso-8859-1")
    if charset == "UTF-16BE" and text.isascii():
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-16-be", "replace")
    return text
