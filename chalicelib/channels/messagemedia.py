"""Sinch MessageMedia: https://messagemedia.github.io/documentation/

A webhook's body is what its owner makes of it (docs: Webhooks Management, templates). Expected are these two, as JSON
or FORM_ENCODED; without a webhook the API posts replies and reports in its own words to each message's callback_url:

    {"type":"$type","replyId":"$moId","messageId":"$mtId","from":"$sourceAddress","to":"$destinationAddress",
     "text":"$moContent","receivedAt":"$receivedTimestamp"}
    {"type":"$type","messageId":"$mtId","reportId":"$drId","status":"$status","statusCode":"$statusCode",
     "receivedAt":"$receivedTimestamp"}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from chalicelib.channels import dates
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
    Part,
    Request,
    Secret,
    Text,
    Url,
    route,
)
from chalicelib.channels.parts import international, part_of
from chalicelib.channels.reading import Form
from chalicelib.channels.request import Event
from chalicelib.channels.signatures import same
from chalicelib.messages import Incoming, OptOut, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.channels.base import Share
    from chalicelib.messages import Outgoing
    from chalicelib.transport import Http

_TOKEN_HEADER: Final = "x-channel-token"  # noqa: S105 - the header's name
_OPT_OUT: Final = "OPT_OUT"  # how the type of such a webhook event begins
_MEDIA: Final = frozenset({"image/png", "image/jpeg", "image/jpg", "image/gif"})
# where one value of a filled template ends and the next begins, whatever quotes are inside the values
_NEXT: Final = re.compile(r'(?:^\{|"\s*,)\s*"(\w{1,32})"\s*:\s*"', re.ASCII)
_END: Final = re.compile(r'"\s*\}$')


class MessageMedia(HttpChannel):
    """JSON out; in come templates of our own, or the API's words."""

    code = "MMD"
    name = "Sinch MessageMedia"
    proof = "X-Channel-Token, or the URL's token, is `secret`"
    media_when = "with `mms`: pictures"
    max_length = 1600  # the API takes 5000
    token_in_url = False

    class Config(ChannelConfig):
        """Keys of this type; `secret` is what the webhook sends as X-Channel-Token. `mms` sends pictures as MMS."""

        api_key: Text
        api_secret: Secret
        base_url: Url = "https://api.messagemedia.com"
        mms: Flag = False

    config: Config
    statuses = {
        "queued": IGNORED,
        "processed": IGNORED,
        "scheduled": IGNORED,
        "enroute": SENT,
        "submitted": SENT,
        "delivered": DELIVERED,
        "expired": FAILED,
        "rejected": FAILED,
        "undeliverable": FAILED,
        "failed": FAILED,
        "cancelled": FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """A webhook bears our secret in a header, a callback_url in its query."""
        secret = self.config.secret
        given = request.header(_TOKEN_HEADER) or request.query.get("token")
        if secret and not same(str(secret), given):
            raise Forbidden("X-Channel-Token missing or wrong", 401)

    @route("POST", "receive", "status")
    def on_event(self, request: Request) -> Event:
        """A callback_url gets replies and reports alike."""
        form = _read(request)
        if form.get("type").upper().startswith(_OPT_OUT):
            return self._opt_out(form)
        return self._report(form) if form.get("status") else self._message(form)

    def _message(self, form: Form) -> Incoming:
        sender = form.first_of("from", "source_number")
        if not sender:
            raise BadRequest("request failed validation", ["field 'from' required"])
        return self.incoming(
            international(sender),
            form.first_of("text", "content"),
            external_id=form.first_of("replyId", "reply_id"),
            received_at=_date(form),
        )

    def _opt_out(self, form: Form) -> OptOut:
        return self.optout(international(form.first_of("from", "source_number")), _date(form))

    def _report(self, form: Form) -> StatusUpdate:
        """In the API's words, `source_number` is the phone: source and destination are those of a reply.

        `ref`, in a callback_url, also names a message whose acceptance got lost on the way to us.
        """
        ours, part = part_of(form.get("ref")) or ("", None)
        return self.update(
            form.get("status").lower(),
            id=ours,
            part=part,
            external_id=form.first_of("messageId", "message_id"),
            destination=form.get("source_number"),
            at=_date(form),
            code=form.first_of("statusCode", "status_code"),
        )

    def shares(self, message: Outgoing) -> list[Share]:
        """An MMS takes pictures only; a message with anything else goes as SMS."""
        kinds = {attachment.partition(":")[0].lower() for attachment in message.attachments}
        return self.shares_with_media(message) if self.config.mms and kinds <= _MEDIA else super().shares(message)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. Without `delivery_report` there are no reports."""
        secret, query = self.config.secret, f"ref={quote(part.idempotency, safe='')}"
        if secret:
            query += f"&token={quote(str(secret), safe='')}"
        message: dict[str, Any] = {
            "content": part.text,
            "destination_number": part.message.to,
            "delivery_report": True,
            "callback_url": self.callback("status", query),
            "metadata": {"msg_id": part.message.key},
            **_source(part.address),
        }
        if part.attachments:
            message |= {"format": "MMS", "media": [url for _, url in part.attachments]}
        answer = http.post(
            self.config.base_url.rstrip("/") + "/v1/messages",
            json={"messages": [message]},
            headers={"Accept": "application/json", "Content-Type": "application/json; charset=utf-8"},
            auth=(self.config.api_key, str(self.config.api_secret)),
        )
        external_id = answer.pick_id("messages", 0, "message_id")
        if not external_id:
            raise Permanent("response_content", answer.pick_id("messages", 0, "status"))
        return Accepted(external_id)


def _source(address: str) -> dict[str, str]:
    if not address:
        return {}
    number = international(address)
    if number.startswith("+"):
        return {"source_number": number, "source_number_type": "INTERNATIONAL"}
    return {"source_number": address, "source_number_type": "SHORTCODE" if address.isdigit() else "ALPHANUMERIC"}


def _date(form: Form) -> int | None:
    return dates.if_readable(dates.rfc3339, form.first_of("receivedAt", "date_received"))


def _read(request: Request) -> Form:
    """Form or JSON. Whether a template's values are escaped is not documented: what is no JSON for want of that is
    read by what stands between the values."""
    try:
        return request.form_or_json()
    except BadRequest:
        text = request.text().strip()
        names, end = list(_NEXT.finditer(text)), _END.search(text)
        if not names or end is None:
            raise
        ends = [*(name.start() for name in names[1:]), end.start()]
        values = [text[name.end() : at].encode("utf-8", "replace") for name, at in zip(names, ends, strict=True)]
        return Form(tuple(zip((name[1] for name in names), values, strict=True)), fold=True, last=True)
