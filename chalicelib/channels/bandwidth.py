"""Bandwidth's Messaging API v2: https://dev.bandwidth.com/docs/messaging/webhooks"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    SENT,
    ChannelConfig,
    HttpChannel,
    Part,
    Request,
    Secret,
    Text,
    route,
)
from chalicelib.channels.request import Event
from chalicelib.outcomes import Accepted, Permanent
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http


def judge_bandwidth(response: Response) -> None:
    """Refusals have a type and a description, except those that are about the account or the moment."""
    kind = response.pick_id("type")
    if 400 <= response.status < 500 and response.status not in (401, 402, 403, 429) and kind:
        raise Permanent(response.pick_id("description")[:200] or "response_status", kind)
    judge(response)


class Bandwidth(HttpChannel):
    """JSON arrays in, JSON out; media as URLs on the first part. What comes in says itself what it is."""

    code = "BW"
    name = "Bandwidth"
    max_length = 2048
    media = True

    class Config(ChannelConfig):
        """Keys of RapidPro's BW channel; `application_id` is an older name."""

        username: Text
        password: Secret
        account_id: Text
        messaging_application_id: str = ""
        application_id: str = ""

        @model_validator(mode="after")
        def _application(self) -> Bandwidth.Config:
            if not self.messaging_application_id and not self.application_id:
                raise ValueError("messaging_application_id: required key is missing")
            return self

    config: Config
    statuses = {"message-sending": SENT, "message-delivered": DELIVERED, "message-failed": FAILED}

    @route("POST", "receive", "status")
    def on_events(self, request: Request) -> list[Event]:
        """Messages and reports; on `receive`, what is no report is a message whatever its type."""

        def read(item: JsonObject) -> Event:
            (kind,) = item.require("type")
            message = item.object("message")
            (external_id,) = message.require("id")
            if kind == "message-received" or (request.action == "receive" and kind not in self.statuses):
                sender, date = message.require("from", "time")
                return self.incoming(
                    sender,
                    message.get("text"),
                    external_id=external_id,
                    received_at=dates.utc_z(date),
                    attachments=message.strings("media"),
                )
            code = str(item.integer("errorCode") or "")
            return self.update(kind, external_id=external_id, code=code, reason=item.get("description") if code else "")

        return self.each(request.json_array(), read)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part; `tag` comes back in the reports, for whoever reads them."""
        if not part.text and not part.attachments:
            return Accepted()  # Bandwidth refuses an empty message, and there is nothing to lose
        config = self.config
        body: dict[str, Any] = {
            "applicationId": config.messaging_application_id or config.application_id,
            "to": [part.message.to],
            "from": part.address,
            "text": part.text,
            "tag": part.idempotency,
        }
        if part.attachments:
            body["media"] = [url for _, url in part.attachments]
        answer = http.post(
            f"https://messaging.bandwidth.com/api/v2/users/{config.account_id}/messages",
            json=body,
            headers={"Accept": "application/json"},
            auth=(config.username, str(config.password)),
            judge=judge_bandwidth,
        )
        return Accepted(answer.pick_id("id"))
