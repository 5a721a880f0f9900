"""46elks: https://46elks.com/docs"""

from __future__ import annotations

import re
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
    Reply,
    Request,
    Secret,
    Text,
    Url,
    route,
)
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.channels.request import Event
    from chalicelib.transport import Http

_DATES: Final = ("%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S")  # in UTC
_IMAGE: Final = re.compile("image[0-9]*")


def _date(text: str) -> int:
    return dates.in_zone(text, *_DATES)


class Elks46(HttpChannel):
    """Forms both ways, JSON answers. 46elks signs nothing: `secret` in our URLs stands in."""

    code = "ELK"
    name = "46elks"
    max_length = 1600
    names = True
    unknown_status = IGNORED

    class Config(ChannelConfig):
        """Keys of this type: user name and password of the API."""

        username: Text
        password: Secret
        base_url: Url = "https://api.46elks.com"

    config: Config
    statuses = {"created": IGNORED, "sent": SENT, "delivered": DELIVERED, "failed": FAILED}

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """SMS and MMS; the latter's pictures are `image`, `image2` and so on, and its text may be missing."""
        form = request.form()
        external_id, sender, _, direction = form.require("id", "from", "to", "direction")
        if direction != "incoming":
            raise Ignored(f"not incoming: {direction[:64]!r}")
        images = [value for name, value in form.items() if _IMAGE.fullmatch(name) and value]
        if not images and "message" not in form:
            raise BadRequest("request failed validation", ["field 'message' required"])
        created = form.get("created")
        return self.incoming(
            sender,
            form.get("message"),
            external_id=external_id,
            received_at=_date(created) if created else None,
            attachments=images,
        )

    @route("POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report."""
        form = request.form()
        external_id, status = form.require("id", "status")
        at = dates.if_readable(_date, form.get("delivered"))
        return self.update(status, external_id=external_id, at=at)

    def accepted(self, request: Request, events: Sequence[Event], ids: Sequence[str]) -> Reply:
        """Nothing: what is answered to a message is sent to the phone as an SMS."""
        return Reply(204, b"", "text/plain", events=tuple(events), ids=tuple(ids))

    def ignored(self, request: Request, reason: str) -> Reply:
        """As `accepted`."""
        return Reply(204, b"", "text/plain", kind="ignored", reason=reason)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part; 46elks finds the encoding and cuts into short messages itself."""
        answer = http.post(
            self.config.base_url.rstrip("/") + "/a1/sms",
            form={
                "from": part.address,
                "to": part.message.to,
                "message": part.text,
                "whendelivered": self.callback("status"),
            },
            auth=(self.config.username, str(self.config.password)),
        )
        external_id = answer.pick_id("id")
        if not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)
