"""MessageBird's SMS and MMS API: https://developers.messagebird.com/api/sms-messaging/"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from chalicelib.channels import dates, signatures
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    SENT,
    BadRequest,
    ChannelConfig,
    Flag,
    Forbidden,
    HttpChannel,
    Part,
    Reply,
    Request,
    Secret,
    message_id,
    route,
)
from chalicelib.channels.parts import international
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, ChannelDown
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.transport import Http

STOPPED: Final = 103  # the recipient has unsubscribed
_NO_ACCESS: Final = "2"  # of the API's error codes: request not allowed
_NO_BALANCE: Final = "25"


def judge_messagebird(response: Response) -> None:
    """The access key and the balance are the account's trouble, whatever HTTP status says so."""
    code = "" if response.ok else response.pick_id("errors", 0, "code")
    if code == _NO_BALANCE:
        raise ChannelDown("no balance at MessageBird", code)
    if code == _NO_ACCESS:
        raise ChannelDown("MessageBird refuses our access key", code, credentials=True)
    judge(response)


def _sha256(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


class MessageBird(HttpChannel):
    """Forms in, signed with a JWT; JSON out; MessageBird cuts long messages itself."""

    code = "MBD"
    name = "MessageBird"
    proof = "MessageBird-Signature-JWT, key `secret`; reports where `verify_status` is set"
    max_length = None
    media = True
    token_in_url = False

    class Config(ChannelConfig):
        """Keys of RapidPro's MBD channel; `secret` is the signing key, without which nothing is received."""

        auth_token: Secret
        verify_status: Flag = False  # reports must be signed as well

    config: Config
    statuses = {
        "scheduled": SENT,
        "sent": SENT,
        "buffered": SENT,
        "delivered": DELIVERED,
        "delivery_failed": FAILED,
        "expired": FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """A JWT with hashes of URL and body: https://developers.messagebird.com/api/#verifying-http-requests

        MessageBird knows our URL by our own domain, which a proxy may have replaced on the way.
        """
        if request.action == "status" and not self.config.verify_status:
            return
        if not self.config.secret:
            raise Forbidden("the channel has no secret, so nothing signed can be checked", 401)
        token = request.header("messagebird-signature-jwt")
        claims = signatures.jwt_claims(token, str(self.config.secret), request.received_at)
        if claims is None:
            raise Forbidden("request signature missing or wrong", 401)
        bases = dict.fromkeys((self._base, f"https://{urlsplit(request.url).netloc}"))
        paths = dict.fromkeys((request.path, request.path + (f"?{request.raw_query}" if request.raw_query else "")))
        urls = [_sha256(f"{base}{path}".encode("utf-8", "replace")) for base in bases for path in paths]
        given = claims.get("url_hash")
        if not isinstance(given, str) or not any(signatures.same(url, given) for url in urls):
            raise Forbidden("the signature is of another URL", 401)
        given = claims.get("payload_hash")
        if given is not None and not signatures.same(_sha256(request.body), str(given)):
            raise Forbidden("the signature is of another body", 401)

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """SMS and MMS; those to a short code come with names of their own."""
        form = request.form()
        short = bool(form.get("shortcode"))
        (sender,) = form.require("originator")
        text = form.get("message" if short else "body")
        media = [value for name, value in form.items() if name.lower() == "mediaurls" and value]
        if not text and not media:
            raise BadRequest("no text and no media")
        name, pattern = (
            ("receive_datetime", "%Y%m%d%H%M%S") if short else ("createdDatetime", "%Y-%m-%dT%H:%M:%S+00:00")
        )
        return self.incoming(
            sender,
            text,
            external_id=form.get("mid" if short else "id"),
            received_at=dates.in_zone(form.get(name), pattern),
            attachments=media,
        )

    @route("GET", "status")
    def on_status(self, request: Request) -> list[Event]:
        """A delivery report. A date or code that cannot be read does not cost us the status."""
        form = request.form()
        code = form.get("statusErrorCode")
        update = self.update(
            form.get("status"),
            id=message_id(form.get("reference")) or "",
            external_id=form.get("id"),
            destination=form.get("recipient"),
            at=dates.if_readable(dates.rfc3339, form.get("statusDatetime")),
            code=code,
            reason=form.get("statusReason"),
        )
        events: list[Event] = [update]
        if code == str(STOPPED):
            events.append(self.optout(international(form.get("recipient")), country=""))
        return events

    def accepted(self, request: Request, events: Sequence[Event], ids: Sequence[str]) -> Reply:
        """MessageBird wants "OK" for a message."""
        if request.action != "receive":
            return super().accepted(request, events, ids)
        return Reply(200, b"OK", "text/plain", events=tuple(events), ids=tuple(ids))

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a message. `plain`, the default data coding, makes "?" of what is not GSM 7-bit."""
        from chalicelib.gsm7 import is_gsm7

        body: dict[str, Any] = {
            "recipients": [part.message.to],
            "reference": part.message.key,
            "originator": part.address,
        }
        if part.text:
            body["body"] = part.text
        if part.attachments:
            body["mediaUrls"] = [url for _, url in part.attachments]
        elif not is_gsm7(part.text):
            body["datacoding"] = "auto"
        answer = http.post(
            f"https://rest.messagebird.com/{'mms' if part.attachments else 'messages'}",
            json=body,
            headers={"Authorization": f"AccessKey {self.config.auth_token}"},
            judge=judge_messagebird,
        )
        return Accepted(answer.pick_id("id"))
