"""JustCall: https://developer.justcall.io/"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from chalicelib.channels import dates, signatures
from chalicelib.channels.base import (
    DELIVERED,
    ERRORED,
    FAILED,
    SENT,
    ChannelConfig,
    Flag,
    Forbidden,
    HttpChannel,
    Ignored,
    Part,
    Request,
    Secret,
    Share,
    route,
)
from chalicelib.messages import Incoming, Outgoing, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http

_DATE: Final = "%Y-%m-%d %H:%M:%S"  # in UTC
# JustCall repeats a webhook for hours; a replay within a day is a repeat by its id, which is known for two
_TOLERANCE: Final = timedelta(days=1)


class JustCall(HttpChannel):
    """JSON both ways. JustCall cuts long messages itself."""

    code = "JCL"
    name = "JustCall"
    proof = "x-justcall-signature (HMAC-SHA256), key `secret`, where `verify_signature` is set"
    max_length = None
    media = True
    max_media = 5
    token_in_url = False

    class Config(ChannelConfig):
        """Keys of RapidPro's JCL channel: API key and API secret."""

        api_key: Secret
        secret: Secret
        verify_signature: Flag = False  # webhooks must be signed, as those of JustCall's API v2 are

    config: Config
    statuses = {"sent": SENT, "delivered": DELIVERED, "undelivered": ERRORED, "failed": FAILED}

    def authenticate(self, request: Request) -> None:
        """HMAC over URL, type and time, not the body: https://developer.justcall.io/docs/dynamic-webhook-signatures

        JustCall knows our URL by our own domain, which a proxy may have replaced on the way.
        """
        if not self.config.verify_signature:
            return
        key, sent = str(self.config.secret), request.header("x-justcall-request-timestamp")
        kind, given = request.json().get("type"), request.header("x-justcall-signature")
        ours = self._base + request.url.removeprefix("{0.scheme}://{0.netloc}".format(urlsplit(request.url)))
        signed = [f"{key}|{quote(url, safe='', errors='replace')}|{kind}|{sent}" for url in (request.url, ours)]
        if not any(signatures.hmac_valid(key, one.encode("utf-8", "replace"), given) for one in signed):
            raise Forbidden("x-justcall-signature missing or wrong", 401)
        at = dates.if_readable(_date, sent)
        if at is None or not dates.within(at, request.received_at, _TOLERANCE):
            raise Forbidden("the webhook is more than a day old", 401)

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """SMS and MMS."""
        data = self._sms(request, "I")
        (sender,) = data.require("contact_number")
        date = data.get("datetime")
        return self.incoming(
            sender,
            data.get("content"),
            external_id=data.scalar("messageid"),
            received_at=_date(date) if date else None,
            attachments=filter(None, (item.get("media_url") for item in data.objects("mms"))),
        )

    @route("POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report."""
        data = self._sms(request, "O")
        return self.update(
            data.get("delivery_status"),
            external_id=data.scalar("messageid"),
            destination=data.get("contact_number"),
        )

    @staticmethod
    def _sms(request: Request, direction: str) -> JsonObject:
        data = request.json().object("data")
        if (data.get("type"), data.get("direction")) != ("sms", direction):
            raise Ignored(f"not an SMS of direction {direction}")
        return data

    def shares(self, message: Outgoing) -> list[Share]:
        """Media's URLs are joined by commas: where one holds a comma, they all travel in the text."""
        return self.shares_as_text(message) if "," in "".join(message.attachments) else super().shares(message)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a message."""
        body = {"from": part.address, "to": part.message.to, "body": part.text}
        if part.attachments:
            body["media_url"] = ",".join(url for _, url in part.attachments)
        answer = http.post(
            "https://api.justcall.io/v1/texts/new",
            json=body,
            headers={"Accept": "application/json", "Authorization": f"{self.config.api_key}:{self.config.secret}"},
        )
        status = answer.pick_id("status")
        if status != "success":
            raise Permanent("response_content", status)
        return Accepted(answer.pick_id("id"))


def _date(text: str) -> int:
    return dates.in_zone(text, _DATE)
