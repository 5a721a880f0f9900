"""Azure Communication Services SMS: https://learn.microsoft.com/azure/communication-services/concepts/sms/concepts"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from chalicelib import clock
from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    ChannelConfig,
    HttpChannel,
    Ignored,
    Part,
    Reply,
    Request,
    Secret,
    Url,
    route,
)
from chalicelib.channels.parts import international
from chalicelib.channels.request import Event
from chalicelib.channels.signatures import hmac_of, unbase64
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, Permanent
from chalicelib.transport import judge

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http

_VALIDATION: Final = "Microsoft.EventGrid.SubscriptionValidationEvent"
_MESSAGE: Final = "Microsoft.Communication.SMSReceived"
_REPORT: Final = "Microsoft.Communication.SMSDeliveryReportReceived"
_PATH: Final = "/sms?api-version=2021-03-07"


class AzureSms(HttpChannel):
    """Event Grid's arrays in, signed JSON out. Event Grid signs nothing: `secret` in its URL stands in for that."""

    code = "ACS"
    name = "Azure Communication Services SMS"
    max_length = 1600
    unknown_status = IGNORED

    class Config(ChannelConfig):
        """Keys of this type: the resource's endpoint and its access key."""

        base_url: Url
        api_key: Secret

    config: Config
    statuses = {"Delivered": DELIVERED, "Failed": FAILED}

    @route("POST", "receive", "status")
    def on_events(self, request: Request) -> Reply | list[Event]:
        """Messages and reports, or Event Grid's question whether we want them."""
        events = request.json_array()
        for event in events:
            if event.get("eventType") == _VALIDATION:
                (code,) = event.object("data").require("validationCode")
                return Reply(200, json.dumps({"validationResponse": code}).encode())
        return self.each(events, self._event)

    def _event(self, event: JsonObject) -> Event:
        kind, data = event.get("eventType"), event.object("data")
        if kind == _MESSAGE:
            return self._message(data)
        if kind == _REPORT:
            return self._status(data)
        raise Ignored(f"an event of another type: {kind[:100]!r}")

    def _message(self, data: JsonObject) -> Incoming:
        external_id, sender, to, text, date = data.require(
            "messageId", "from", "to", "message", "receivedTimestamp", may_be_empty=("message",)
        )
        self.only_ours(to)  # one subscription serves all numbers of the resource
        received_at = dates.rfc3339(date)
        return self.incoming(international(sender), text, external_id=external_id, received_at=received_at)

    def _status(self, data: JsonObject) -> StatusUpdate:
        return self.update(
            data.get("deliveryStatus"),
            external_id=data.get("messageId"),
            destination=data.get("to"),
            reason=data.get("deliveryStatusDetails"),
        )

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. The request is accepted as a whole, its one recipient may yet be refused."""
        date = http_date(clock.now_ms())
        recipient = {
            "to": part.message.to,
            "repeatabilityRequestId": str(uuid.uuid5(uuid.UUID(part.channel_uuid), part.idempotency)),
            "repeatabilityFirstSent": date,
        }
        content = {
            "from": part.address,
            "smsRecipients": [recipient],
            "message": part.text,
            "smsSendOptions": {"enableDeliveryReport": True, "tag": part.message.key},
        }
        body = json.dumps(content).encode()
        url = self.config.base_url.rstrip("/") + _PATH
        headers = {"Accept": "application/json", "Content-Type": "application/json", **self._signature(url, body, date)}
        answer = http.post(url, body=body, headers=headers)
        status = answer.pick("value", 0, "httpStatusCode")
        if answer.pick("value", 0, "successful") is not True:
            if isinstance(status, int):
                judge(dataclasses.replace(answer, status=status))
            raise Permanent("response_content", answer.pick_id("value", 0, "httpStatusCode"))
        external_id = answer.pick_id("value", 0, "messageId")
        if not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)

    def _signature(self, url: str, body: bytes, date: str) -> dict[str, str]:
        """HMAC of method, path, date, host and the body's digest.

        https://learn.microsoft.com/azure/communication-services/tutorials/hmac-header-tutorial

        Raises:
            ChannelDown: the access key is not Base64.
        """
        key = unbase64(self.config.api_key)
        if not key:
            raise ChannelDown("api_key is not an access key: Base64 was expected", credentials=True)
        place = urlsplit(url)
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        signed = f"POST\n{place.path}?{place.query}\n{date};{place.netloc.lower()};{digest}"
        signature = hmac_of(key, signed.encode(), encoding="base64")
        return {
            "x-ms-date": date,
            "x-ms-content-sha256": digest,
            "Authorization": f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}",
        }


def http_date(ms: int) -> str:
    """IMF-fixdate (RFC 9110 section 5.6.7): `Thu, 02 May 2024 10:00:00 GMT`."""
    from email.utils import formatdate

    return formatdate(ms / 1000, usegmt=True)
