"""Zenvia, SMS channel of API v2: https://zenvia.github.io/zenvia-openapi-spec/"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    BadRequest,
    ChannelConfig,
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
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http

_LONGEST: Final = 1152  # characters of one content


class Zenvia(HttpChannel):
    """JSON both ways; a message has one or more contents, all under one id."""

    code = "ZVS"
    name = "Zenvia SMS"
    max_length = None  # a long text is cut into contents of one request
    unknown_status = IGNORED  # RapidPro takes such for errors, and may send twice

    class Config(ChannelConfig):
        """Keys of RapidPro's ZVS channel; the subscriptions' ids are kept for whoever removes them."""

        api_key: Secret
        send_url: Url = "https://api.zenvia.com/v2/channels/sms/messages"
        zenvia_message_subscription_id: str = ""
        zenvia_status_subscription_id: str = ""

    config: Config
    statuses = {
        "SENT": SENT,
        "DELIVERED": DELIVERED,
        "READ": DELIVERED,
        "REJECTED": FAILED,
        "NOT_DELIVERED": FAILED,
    }

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """All contents are one message: they share its id, by which what comes twice is known."""
        event = request.json()
        kind, timestamp = event.require("type", "timestamp")
        message = event.object("message")
        external_id, sender, _, direction = message.require("id", "from", "to", "direction")
        contents = message.require_objects("contents")
        if kind.upper() != "MESSAGE":
            raise BadRequest(f"type must be MESSAGE, not {kind[:64]!r}")
        received_at = dates.utc_z(timestamp)
        if direction.upper() != "IN":
            raise Ignored("not a message to us")
        if not (sender.isascii() and sender.isdigit()):
            raise BadRequest("request failed validation", ["field 'message.from' must be digits"])
        found = [pair for one in contents if (pair := _content(one)) is not None]
        if not found:
            raise Ignored("no content of a known type")
        return self.incoming(
            international(sender),
            "\n".join(text for text, _ in found if text),
            external_id=external_id,
            received_at=received_at,
            attachments=[attachment for _, attachment in found if attachment],
        )

    @route("POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report."""
        event = request.json()
        kind, external_id = event.require("type", "messageId")
        if kind.upper() != "MESSAGE_STATUS":
            raise BadRequest(f"type must be MESSAGE_STATUS, not {kind[:64]!r}")
        status = event.object("messageStatus")
        at = dates.if_readable(dates.utc_z, status.get("timestamp"))
        return self.update(status.get("code").upper(), external_id=external_id, at=at)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a message."""
        from chalicelib.text import split

        texts = split(part.text, self.config.max_length or _LONGEST)
        answer = http.post(
            self.config.send_url,
            json={
                "from": part.address.removeprefix("+"),
                "to": part.message.to_no_plus,
                "contents": [{"type": "text", "text": text} for text in texts],
            },
            headers={"Accept": "application/json", "X-API-TOKEN": str(self.config.api_key)},
        )
        external_id = answer.pick("id")
        if not isinstance(external_id, str) or not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)


def _content(item: JsonObject) -> tuple[str, str] | None:
    """Text and attachment of one content, either may be ""; None where it is of no known type."""
    kind = item.get("type").lower()
    if kind == "text":
        return item.get("text"), ""
    if kind == "file":
        (url,) = item.require("fileUrl")
        return item.get("fileCaption"), f"{item.get('fileMimeType')}:{url}".removeprefix(":")
    if kind == "location":
        return "", f"geo:{_degrees(item, 'latitude'):.6f},{_degrees(item, 'longitude'):.6f}"
    return None


def _degrees(item: JsonObject, name: str) -> float:
    value = item.raw(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 360:
        raise BadRequest("request failed validation", [f"field '{name}' must be degrees"])
    return value
