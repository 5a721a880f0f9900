"""Kaleyra's WhatsApp channel: https://developers.kaleyra.io/

Media are not linked but uploaded: what the platform links to is fetched first. What comes in has no id.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    WIRED,
    BadRequest,
    ChannelConfig,
    HttpChannel,
    Ignored,
    Part,
    Request,
    Secret,
    Share,
    Text,
    route,
)
from chalicelib.channels.parts import split_attachment
from chalicelib.messages import Incoming, Outgoing, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent, Temporary
from chalicelib.transport import Response

if TYPE_CHECKING:
    from chalicelib.transport import Http

_TYPES: Final = frozenset({"text", "image", "video", "voice", "document"})
_WHATSAPP_ID: Final = re.compile(r"[0-9]{1,64}|[A-Z]{2}\.[0-9A-Za-z]{1,61}")  # the second: an id within a business
_LINK: Final = re.compile(r"https?://", re.IGNORECASE)
_UNSAFE: Final = re.compile(r'[^\w.,()\[\]@+ -]|["\\]')
_MAX_FILE: Final = 16_777_216  # octets: WhatsApp's limit for sound and video, and what a function can hold
_LATER: Final = frozenset({408, 425, 429})


def judge_file(response: Response) -> None:
    """Where the platform's media are is none of Kaleyra's business, and not the account's either."""
    code = str(response.status)
    if response.status >= 500 or response.status in _LATER:
        raise Temporary("the attachment cannot be fetched now", code)
    if not response.ok:
        raise Permanent("the attachment cannot be fetched", code)


class Kaleyra(HttpChannel):
    """Query strings in, forms out; the API key is one of the fields. Each file is a message of its own."""

    code = "KWA"
    name = "Kaleyra WhatsApp"
    max_length = None
    media = True
    unknown_status = IGNORED

    class Config(ChannelConfig):
        """Keys of RapidPro's KWA channel. Ids within a business are no numbers: they are delivered all the same."""

        account_sid: Text
        api_key: Secret
        max_tps: float | None = Field(45, gt=0, description="messages a second")
        alphanumeric_mo: Literal["drop", "deliver"] = "deliver"

    config: Config
    statuses = {"0": FAILED, "sent": WIRED, "delivered": DELIVERED, "read": DELIVERED}

    def sender(self, raw: str, country: str | None = None) -> str:
        """A WhatsApp id, as it is: a number without plus, or an id within a business."""
        if not _WHATSAPP_ID.fullmatch(raw):
            raise BadRequest("invalid WhatsApp id")
        return raw

    @route("GET", "receive")
    def on_message(self, request: Request) -> Incoming:
        """Text or one file."""
        form = request.form()
        (sender,) = form.require("from")
        if form.get("type") not in _TYPES:
            raise Ignored(f"unknown message type: {form.get('type')[:64]!r}")
        text, link = form.get("body"), form.get("media_url")
        if not text and not link:
            raise BadRequest("no text and no media")
        return self.incoming(
            sender,
            text,
            received_at=dates.epoch_seconds(form.require_integer("created_at")),
            attachments=filter(None, [link]),
        )

    @route("GET", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report."""
        external_id, status = request.form().require("id", "status")
        return self.update(status, external_id=external_id)

    def shares(self, message: Outgoing) -> list[Share]:
        """One request a file, the text as the first one's caption."""
        files = [file for file in map(split_attachment, message.attachments) if file]
        return [("" if index else message.text, (file,)) for index, file in enumerate(files)] or [(message.text, ())]

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part."""
        fields = {
            "api-key": str(self.config.api_key),
            "channel": "WhatsApp",
            "from": part.address,
            "to": part.message.to_no_plus,
            "callback_url": self.callback("status"),
            "type": "media" if part.attachments else "text",
        }
        url = f"https://api.kaleyra.io/v1/{self.config.account_sid}/messages"
        headers = {"Accept": "application/json"}
        if part.attachments:
            ((_, link),) = part.attachments
            file = http.get(link, judge=judge_file, harmless=True, limit=_MAX_FILE)
            if not part.index:
                fields["caption"] = part.text
            boundary = uuid.uuid4().hex
            headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
            answer = http.post(url, body=_multipart(fields, link, file.body, boundary), headers=headers)
        else:
            fields["body"] = part.text
            if _LINK.search(part.text):
                fields["preview_url"] = "true"
            answer = http.post(url, form=fields, headers=headers)
        return Accepted(answer.pick_id("id"))


def _multipart(fields: dict[str, str], url: str, file: bytes, boundary: str) -> bytes:
    """A form with a file in the field `media` (RFC 7578), named as the last segment of its URL."""
    name = _UNSAFE.sub("_", unquote(urlsplit(url).path.rpartition("/")[2])) or "file"
    start = f"--{boundary}\r\nContent-Disposition: form-data; name="
    head = [f'{start}"{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()]
    head.append(f'{start}"media"; filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n')
    return "".join(head).encode("utf-8", "replace") + file + f"\r\n--{boundary}--\r\n".encode()
