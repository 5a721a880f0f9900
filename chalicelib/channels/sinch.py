"""Sinch, SMS REST API (XMS v1) with a service plan: https://developers.sinch.com/docs/sms/api-reference/"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from chalicelib.channels import dates, signatures
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    BadRequest,
    ChannelConfig,
    Flag,
    Forbidden,
    HttpChannel,
    Ignored,
    Part,
    Request,
    Secret,
    Share,
    Text,
    Url,
    route,
)
from chalicelib.channels.parts import international, part_of
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming, Outgoing
from chalicelib.outcomes import Accepted, Permanent
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http

# Sinch repeats a callback for 22 h 45 min, perhaps as it was first signed; what comes twice is known by its id.
_TOLERANCE: Final = timedelta(days=1)
_HEADER: Final = "x-sinch-webhook-signature"


def judge_sinch(response: Response) -> None:
    """A refusal's own code says more than 400 does."""
    code = response.pick_id("code")
    if code and response.status in (400, 404, 422):
        raise Permanent("response_status", code)
    judge(response)


class Sinch(HttpChannel):
    """JSON both ways; one URL has a service plan's messages and reports."""

    code = "SNC"
    name = "Sinch"
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
    statuses = {
        "queued": IGNORED,
        "dispatched": SENT,
        "delivered": DELIVERED,
        "unknown": SENT,  # the operator gives no final report
        "aborted": FAILED,
        "rejected": FAILED,
        "deleted": FAILED,
        "failed": FAILED,
        "expired": FAILED,
        "cancelled": FAILED,
    }

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

    @route("POST", "receive", "status")
    def on_event(self, request: Request) -> Event:
        """The type tells messages and reports apart."""
        event = request.json()
        (kind,) = event.require("type")
        if kind in ("mo_text", "mo_media"):
            return self._message(event)
        if kind.startswith("recipient_delivery_report_"):
            return self._status(event, event, event.get("recipient"))
        if kind.startswith("delivery_report_"):  # of a batch; ours have one recipient each
            found = event.objects("statuses")
            if not found:
                raise BadRequest("request failed validation", ["field 'statuses' required"])
            return self._status(event, found[0], next(iter(found[0].strings("recipients")), ""))
        raise Ignored(f"neither message nor report: {kind[:64]!r}")

    def _message(self, event: JsonObject) -> Incoming:
        external_id, sender, date = event.require("id", "from", "received_at")
        if isinstance(event.raw("body"), dict):
            body = event.object("body")
            text = body.first_of("message", "subject")
            found = [one for one in body.objects("media") if one.get("url")]  # what Sinch could not fetch has none
            attachments = [f"{one.get('content_type')}:{one.get('url')}".removeprefix(":") for one in found]
        else:
            text, attachments = event.get("body"), []
            if "body" not in event:
                raise BadRequest("request failed validation", ["field 'body' required"])
        if event.get("type") == "mo_media" and not text and not attachments:
            raise Ignored("no text and no attachment")
        return self.incoming(
            international(sender), text, external_id=external_id, received_at=_moment(date), attachments=attachments
        )

    def _status(self, event: JsonObject, status: JsonObject, phone: str) -> Event:
        """Our own reference also names a message whose acceptance got lost on the way to us."""
        ours, part = part_of(event.get("client_reference")) or ("", None)
        code = status.scalar("code")
        return self.update(
            status.get("status").lower(),
            id=ours,
            part=part,
            external_id=event.get("batch_id"),
            destination=phone,
            code="" if code == "0" else code,
        )

    def shares(self, message: Outgoing) -> list[Share]:
        """An MMS carries one file."""
        return self.shares_apart(message) if self.config.mms else super().shares(message)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST, one batch, a part."""
        config = self.config
        content: dict[str, Any] = {"body": part.text, "type": "mt_text"}
        if part.attachments:
            content = {"body": {"url": part.attachments[0][1]}, "type": "mt_media"}
        base = config.base_url or f"https://{config.region}.sms.api.sinch.com"
        answer = http.post(
            f"{base.rstrip('/')}/xms/v1/{config.username}/batches",
            json={
                "from": part.address.removeprefix("+"),
                "to": [part.message.to_no_plus],
                **content,
                "delivery_report": "per_recipient",
                "callback_url": self.callback("status"),
                "client_reference": part.idempotency,
            },
            headers={"Accept": "application/json", "Authorization": f"Bearer {config.auth_token}"},
            judge=judge_sinch,
        )
        external_id = answer.pick_id("id")
        if not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)


def _moment(date: str) -> int:
    """A date without a zone is in UTC."""
    try:
        return dates.rfc3339(date)
    except BadRequest:
        return dates.rfc3339(f"{date}Z")
