"""LOX24: https://doc.lox24.eu"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    Text,
    Url,
    route,
)
from chalicelib.channels.parts import part_of
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http


class Lox24(HttpChannel):
    """JSON both ways, messages and reports in one envelope. LOX24 signs nothing: `secret` in the URLs stands in."""

    code = "LOX"
    name = "LOX24"
    max_length = 1600

    class Config(ChannelConfig):
        """Keys of this type: user id and API token, and LOX24's product."""

        username: Text
        auth_token: Secret
        service_code: Text = "direct"
        base_url: Url = "https://api.lox24.eu"

    config: Config
    # Numbers are dlr_code's; the texts, where that is 0, status_code's
    statuses = {1: DELIVERED, 2: IGNORED, 4: SENT, 8: FAILED, 16: FAILED, "0": IGNORED, "100": SENT, "error": FAILED}

    @route("POST", "receive", "status")
    def on_event(self, request: Request) -> Event:
        """One URL may have messages and reports."""
        envelope = request.json()
        (kind,) = envelope.require("name")
        if kind == "sms.incoming":
            return self._message(envelope.object("data"))
        if kind == "sms.delivery":
            return self._status(envelope.object("data"))
        raise Ignored(f"neither message nor report: {kind[:64]!r}")

    def _message(self, data: JsonObject) -> Incoming:
        external_id, sender, _, text = data.require("id", "from", "to", "text", may_be_empty=("text",))
        received_at = dates.epoch_seconds(data.require_integer("received_at"))
        return self.incoming(sender, text, external_id=external_id, received_at=received_at)

    def _status(self, data: JsonObject) -> StatusUpdate:
        """`dlr_code` 0 says nothing; then `status_code` says whether the message was sent: 0 not yet, 100 yes."""
        (external_id,) = data.require("id")
        report, status = data.integer("dlr_code"), data.integer("status_code")
        if report is None:
            raise BadRequest("request failed validation", ["field 'data.dlr_code' required"])
        failed = not report and status not in (None, 0, 100)
        ours, part = part_of(data.scalar("callback_data")) or ("", None)
        return self.update(
            report or ("error" if failed else str(status or 0)),
            external_id=external_id,
            id=ours,
            part=part,
            code=str(status) if failed else "",
        )

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part."""
        config = self.config
        answer = http.post(
            config.base_url.rstrip("/") + "/sms",
            json={
                "sender_id": part.address,
                "phone": part.message.to,
                "text": part.text,
                "service_code": config.service_code,
                "callback_data": part.idempotency,
                "is_text_deleted": False,
                "delivery_at": 0,
            },
            headers={"Accept": "application/json", "X-LOX24-AUTH-TOKEN": f"{config.username}:{config.auth_token}"},
        )
        external_id = answer.pick_id("uuid")
        if not external_id:
            raise Permanent("response_content", str(answer.status))
        return Accepted(external_id)
