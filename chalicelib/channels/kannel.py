"""Kannel's sendsms interface: https://kannel.org/download/1.5.0/userguide-1.5.0/userguide.html chapter 6"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    ERRORED,
    IGNORED,
    SENT,
    BadRequest,
    ChannelConfig,
    Flag,
    HttpChannel,
    Ignored,
    Part,
    Request,
    Secret,
    Text,
    Url,
    message_id,
    route,
)
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, Permanent
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.transport import Http


def judge_kannel(response: Response) -> None:
    """403 is a bad login ("Authorization failed for sendsms") or a message that cannot be routed: the text tells."""
    if response.status == 403 and "authorization" not in response.text.lower():
        raise Permanent("response_status", "403")
    if response.status == 403:
        raise ChannelDown("Kannel refuses our login", "403", credentials=True)
    judge(response)


class Kannel(HttpChannel):
    """Everything in query strings; our id travels in the report URL, Kannel gives none."""

    code = "KN"
    name = "Kannel"
    max_length = None

    class Config(ChannelConfig):
        """Keys of RapidPro's KN channel."""

        send_url: Url
        username: Text
        password: Secret
        encoding: Literal["D", "S", "U"] = "S"
        use_national: Flag = False
        dlr_mask: str = "27"
        ignore_sent: Flag = False
        verify_ssl: Flag = True

    config: Config
    statuses = {1: DELIVERED, 2: ERRORED, 4: SENT, 8: SENT, 16: ERRORED}
    unknown_status = IGNORED

    @route("POST GET", "receive")
    def on_message(self, request: Request) -> Incoming:
        """Kannel's post-url puts everything in the query; the POST body repeats the text and is not read.

        Without `mo-recode` a UCS-2 text comes as raw UTF-16BE, which X-Kannel-Coding: 2 tells.
        """
        utf16 = request.header("x-kannel-coding") == "2" and "utf-16be" in request.header("content-type").lower()
        form = request.form("utf-8")  # whatever charset the body is said to be in
        external_id, sender = form.require("id", "sender")
        received_at = dates.epoch_seconds(form.require_integer("ts"))
        # a proxy may have read the query as UTF-8 on its way, the body is as Kannel wrote it
        octets = request.body or form.octets("message") or b""
        text = octets.decode("utf-16-be", "replace") if utf16 else form.get("message")
        return self.incoming(sender, text, external_id=external_id, received_at=received_at)

    @route("GET POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report; our message id sits in its URL."""
        form = request.form()
        given = form.get("uuid") or form.get("id")
        status = form.require_integer("status")
        ours = message_id(given)
        if ours is None:
            raise BadRequest("request failed validation", ["field 'uuid' must be our message id"])
        if self.config.ignore_sent and status in (4, 8):
            raise Ignored("ignoring sent report")
        return self.update(status, id=ours)

    def send(self, part: Part, http: Http) -> Accepted:
        """One GET a message."""
        from chalicelib import gsm7, phones, text

        message, config = part.message, self.config
        report = self.callback("status", f"uuid={part.quoted_key}&status=%d")
        params: dict[str, str | bytes] = {
            "username": config.username,
            "password": str(config.password),
            "from": part.address,
            "to": phones.national(message.to) if config.use_national else message.to,
            "dlr-url": report,
            "dlr-mask": config.dlr_mask,
        }
        plain = text.substitute_gsm7(part.text) if config.encoding == "S" else part.text
        if config.encoding == "U" or (config.encoding == "S" and not gsm7.is_gsm7(plain)):
            params["text"] = part.text.encode("utf-16-be", "replace")
            params["coding"] = "2"
        else:
            params["text"] = plain
        if part.urgent:
            params["priority"] = "1"
        http.get(config.send_url, params=params, judge=judge_kannel, verify=config.verify_ssl)
        return Accepted()
