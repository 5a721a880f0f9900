"""Bongo Live (East Africa)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.channels.base import (
    DELIVERED,
    ERRORED,
    SENT,
    ChannelConfig,
    Flag,
    HttpChannel,
    Part,
    Reply,
    Request,
    Secret,
    Text,
    Url,
    route,
)
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent, Temporary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.transport import Http


class BongoLive(HttpChannel):
    """Forms in, messages and reports on one URL; a query string out, in a POST without a body."""

    code = "BL"
    name = "Bongo Live"
    max_length = 160

    class Config(ChannelConfig):
        """Keys of RapidPro's BL channel."""

        username: Text
        password: Secret
        send_url: Url = "https://api.blsmsgw.com:8443/bin/send.json"
        verify_ssl: Flag = True  # false takes a certificate that nobody signed

    config: Config
    statuses = {1: DELIVERED, 2: SENT, 8: SENT, **dict.fromkeys((3, 4, 5, 6, 7, 9, 10, 11), ERRORED)}

    @route("POST", "receive")
    def on_event(self, request: Request) -> Incoming | StatusUpdate:
        """MSGTYPE 5 is a report, all else a message."""
        form = request.form()
        if form.integer("MSGTYPE") == 5:
            return self.update(form.integer("STATUS") or 0, external_id=form.get("DLRID"))
        (sender,) = form.require("SOURCEADDR")
        return self.incoming(sender, form.get("MESSAGE"), external_id=form.get("ID"))

    def accepted(self, request: Request, events: Sequence[Event], ids: Sequence[str]) -> Reply:
        """Bongo Live wants an empty answer."""
        return Reply(200, b"", "text/plain", events=tuple(events), ids=tuple(ids))

    def ignored(self, request: Request, reason: str) -> Reply:
        """As `accepted`."""
        return Reply(200, b"", "text/plain", kind="ignored", reason=reason)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. Bongo Live says of no status but 0 what it means: another may be over next time."""
        from chalicelib import gsm7, text

        config = self.config
        plain = text.substitute_gsm7(part.text)
        params = {
            "USERNAME": config.username,
            "PASSWORD": str(config.password),
            "SOURCEADDR": part.address.removeprefix("+"),
            "DESTADDR": part.message.to_no_plus,
            "MESSAGE": plain,
            "DLR": "1",
        }
        if not gsm7.is_gsm7(plain):
            params["CHARCODE"] = "2"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = http.post(config.send_url, params=params, headers=headers, verify=config.verify_ssl)
        status = answer.pick_id("results", 0, "status")
        if not status:
            raise Permanent("response_content")
        if status != "0":
            raise Temporary("response_content", status)
        return Accepted(answer.pick_id("results", 0, "msgid"))
