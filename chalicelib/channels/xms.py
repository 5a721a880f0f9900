"""The XMS API, once Mblox's and now Sinch's: https://developers.sinch.com/docs/sms/api-reference/"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    BadRequest,
    HttpChannel,
    Ignored,
    Part,
    Request,
    route,
)
from chalicelib.channels.parts import international, part_of
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, Permanent
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http


def judge_xms(response: Response) -> None:
    """A refusal's own code says more than 400 does."""
    code = response.pick_id("code")
    if code and response.status in (400, 404, 422):
        raise Permanent("response_status", code)
    judge(response)


class Xms(HttpChannel):
    """JSON both ways; one URL has a service plan's messages and reports. Types say where the plan is, and its token."""

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

    def offer(self, part: Part, http: Http, plan: str, token: str) -> Accepted:
        """One POST, one batch, a part. `plan` is the URL of the service plan.

        Raises:
            outcomes.NotAccepted: one of its kinds.
        """
        content: dict[str, Any] = {"body": part.text, "type": "mt_text"}
        if part.attachments:
            content = {"body": {"url": part.attachments[0][1]}, "type": "mt_media"}
        answer = http.post(
            f"{plan}/batches",
            json={
                "from": part.address.removeprefix("+"),
                "to": [part.message.to_no_plus],
                **content,
                "delivery_report": "per_recipient",
                "callback_url": self.callback("status"),
                "client_reference": part.idempotency,
            },
            headers={"Accept": "application/json", "Authorization": f"Bearer {token}"},
            judge=judge_xms,
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
