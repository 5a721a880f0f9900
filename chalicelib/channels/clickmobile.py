"""Click Mobile (Ghana, Malawi): https://www.click-mobile.com

XML in, JSON out, no delivery reports.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from chalicelib import clock
from chalicelib.channels.base import (
    BadRequest,
    ChannelConfig,
    HttpChannel,
    Part,
    Request,
    Secret,
    Text,
    Url,
    route,
)
from chalicelib.channels.reading import child_text, local_name
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.transport import Http


class ClickMobile(HttpChannel):
    """The password itself never travels: each request bears a hash of it and of the time."""

    code = "CM"
    name = "Click Mobile"
    max_length = 160

    class Config(ChannelConfig):
        """Keys of RapidPro's CM channel. The default `send_url` is Click Mobile's own: plain HTTP, so use a VPN."""

        username: Text
        password: Secret
        app_id: Text
        org_id: Text
        send_url: Url = "http://206.225.81.36/ucm_api/index.php"

    config: Config

    @route("POST GET", "receive")
    def on_message(self, request: Request) -> Incoming:
        """The document is in the body, whatever the method."""
        root = request.xml()
        if local_name(root) != "request":
            raise BadRequest("the XML's root must be 'request'")
        values = {name: child_text(root, name) for name in ("shortCode", "mobile", "referenceID", "text")}
        missing = [name for name in ("shortCode", "mobile") if not values[name].strip()]
        if missing:
            raise BadRequest("request failed validation", [f"field '{name}' required" for name in missing])
        return self.incoming(values["mobile"], values["text"], external_id=values["referenceID"].strip())

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. Click Mobile's record id is in no report, so it is of no use to us."""
        config = self.config
        stamp = "".join(character for character in clock.iso(clock.now_ms())[:19] if character.isdigit())
        seed = f"{config.app_id}{stamp}{config.password}"
        answer = http.post(
            config.send_url,
            json={
                "app_id": config.app_id,
                "org_id": config.org_id,
                "user_id": config.username,
                "timestamp": stamp,
                "auth_key": hashlib.md5(seed.encode(), usedforsecurity=False).hexdigest(),
                "operation": "send",
                "reference": part.idempotency,
                "message_type": "1",
                "src_address": part.address,
                "dst_address": part.message.to,
                "message": part.text,
            },
            headers={"Accept": "application/json"},
        )
        if answer.pick("code") != "000":
            raise Permanent("response_content", answer.pick_id("code"))
        return Accepted()
