"""Infobip SMS and MMS: https://www.infobip.com/docs/api/channels/sms"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import model_validator

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    SENT,
    ChannelConfig,
    HttpChannel,
    Ignored,
    Part,
    Request,
    Secret,
    Url,
    route,
)
from chalicelib.channels.request import Event, Reply, accepted
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, ChannelDown, Permanent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http


# https://www.infobip.com/docs/essentials/api-essentials/response-status-and-error-codes
_NO_MONEY: Final = frozenset({"REJECTED_NOT_ENOUGH_CREDITS", "REJECTED_PREPAID_PACKAGE_EXPIRED"})


class Infobip(HttpChannel):
    """JSON both ways, several messages or reports in one callback; Infobip cuts long messages itself."""

    code = "IB"
    name = "Infobip"
    max_length = None
    media = True

    class Config(ChannelConfig):
        """Keys of RapidPro's IB channel."""

        api_key: Secret | None = None
        username: str = ""
        password: Secret | None = None
        base_url: Url = "https://api.infobip.com"
        transliteration: str = ""

        @model_validator(mode="after")
        def _credentials(self) -> Infobip.Config:
            if not self.api_key and not (self.username and self.password):
                raise ValueError("api_key: required key is missing (or username and password)")
            return self

    config: Config
    # EXPIRED counts as sent in RapidPro; it means that the validity is over, so the message will not arrive.
    statuses = {
        "PENDING": SENT,
        "DELIVERED": DELIVERED,
        "EXPIRED": FAILED,
        "REJECTED": FAILED,
        "UNDELIVERABLE": FAILED,
    }

    @route("POST", "receive")
    def on_message(self, request: Request) -> list[Event]:
        """SMS and MMS share the envelope."""
        return self.each(request.json().require_objects("results"), self._message)

    def _message(self, item: JsonObject) -> Incoming:
        text, attachments = item.get("text"), []
        segments = item.objects("message") if isinstance(item.raw("message"), list) else []
        if segments:
            plain = [one.get("value") for one in segments if one.get("contentType").lower().startswith("text/plain")]
            text = "\n".join(filter(None, plain))
            attachments = [
                f"{one.get('contentType')}:{one.get('url')}"
                for one in segments
                if one.get("url") and not one.get("contentType").lower().startswith("text/plain")
            ]
        if not text and not attachments:
            raise Ignored("no text and no attachment")
        date = item.get("receivedAt")
        return self.incoming(
            item.scalar("from"),
            text,
            external_id=item.scalar("messageId"),
            received_at=dates.rfc3339(date) if date else None,
            attachments=attachments,
        )

    @route("POST", "delivered")
    def on_status(self, request: Request) -> list[Event]:
        """Delivery reports."""
        return self.each(
            request.json().require_objects("results"),
            lambda item: self.update(
                item.object("status").get("groupName"),
                external_id=item.scalar("messageId"),
                destination=item.scalar("to"),
                code=item.object("error").get("name"),
            ),
        )

    def accepted(self, request: Request, events: Sequence[Event], ids: Sequence[str]) -> Reply:
        """RapidPro's own words for a batch of reports."""
        return accepted(events, ids, "statuses handled" if request.action == "delivered" else "")

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a message; our id is Infobip's id of it, so that a repeated request is known."""
        report = {
            "url": self.callback("delivered"),
            "intermediateReport": True,
            "contentType": "application/json",
        }
        message: dict[str, Any] = {
            "destinations": [{"to": part.message.to_no_plus, "messageId": part.idempotency}],
            "webhooks": {"delivery": report},
        }
        if part.attachments:
            path, message["sender"] = "/mms/2/messages", part.address
            segments = [{"type": "TEXT", "text": part.text}] if part.text else []
            links = [{"type": "LINK", "contentUrl": url, "contentType": kind} for kind, url in part.attachments]
            message["content"] = {"title": "", "messageSegments": [*segments, *links]}
        else:
            path, message["from"] = "/sms/3/messages", part.address
            message["content"] = {"text": part.text}
            if self.config.transliteration:
                message["content"]["transliteration"] = self.config.transliteration
        headers = {"Accept": "application/json"}
        auth = None
        if self.config.api_key:
            headers["Authorization"] = f"App {self.config.api_key}"
        else:
            auth = (self.config.username, str(self.config.password))
        url = self.config.base_url.rstrip("/") + path
        answer = http.post(url, json={"messages": [message]}, headers=headers, auth=auth)
        name = answer.pick_id("messages", 0, "status", "name")
        if name == "REJECTED_DUPLICATE_MESSAGE_ID":  # only our own repeated request bears our id
            return Accepted(part.idempotency)
        if name in _NO_MONEY:
            raise ChannelDown("no balance at Infobip", name)
        if answer.pick_id("messages", 0, "status", "groupId") not in ("1", "3"):  # pending, delivered
            raise Permanent("response_content", name)
        return Accepted(answer.pick_id("messages", 0, "messageId"))
