"""Twilio Programmable Messaging: https://www.twilio.com/docs/messaging/api/message-resource"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from chalicelib.channels import signatures
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    MAX_NAME,
    SENT,
    ChannelConfig,
    Flag,
    Forbidden,
    HttpChannel,
    Ignored,
    Part,
    Reply,
    Request,
    Secret,
    Text,
    message_id,
    route,
)
from chalicelib.channels.reading import parse_urlencoded
from chalicelib.channels.request import Event
from chalicelib.channels.twilio_errors import title
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, ChannelDown, OptedOut, Permanent, Throttled
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.transport import Http

STOPPED: Final = "21610"  # the recipient has unsubscribed
LATER: Final = "63018"  # rate limit of the channel: reported after acceptance, and not final
_ACCOUNT: Final = frozenset({"20003", "20005", "30002"})  # permission denied, not active, suspended
_TOO_FAST: Final = frozenset({"20429", "21611"})  # too many requests, too many messages queued for this number
_URL: Final = "%/:=&?~#+!$,;'@()*[]"  # what a URL may hold as it is (RFC 3986); the rest is made valid
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>'


def judge_twilio(response: Response) -> None:
    """Twilio's own code says whose trouble a 4xx is (https://www.twilio.com/docs/api/errors)."""
    code = "" if response.ok or response.status >= 500 else response.pick_id("code")
    if code == STOPPED:
        raise OptedOut(title(code), code)
    if code in _ACCOUNT:
        raise ChannelDown(title(code), code, credentials=code == "20003")
    if code in _TOO_FAST:
        raise Throttled(title(code), code, response.retry_after())
    if code and code != "0" and response.status != 429:
        raise Permanent(title(code), code)
    judge(response)


class Twilio(HttpChannel):
    """Signed forms in, TwiML out; media as MediaUrl on the first part."""

    code = "T"
    name = "Twilio"
    proof = "X-Twilio-Signature (HMAC-SHA1), key `auth_token`"
    max_length = 1600
    media = True

    class Config(ChannelConfig):
        """Keys of RapidPro's T channel."""

        account_sid: Text
        auth_token: Secret
        number_sid: str = ""
        application_sid: str = ""
        messaging_service_sid: str = ""
        link_shortening: Flag = False
        ignore_dlrs: Flag = False

    config: Config
    statuses = {
        "accepted": IGNORED,
        "scheduled": IGNORED,
        "sending": IGNORED,
        "receiving": IGNORED,
        "received": IGNORED,
        "queued": SENT,
        "sent": SENT,
        "delivered": DELIVERED,
        "read": DELIVERED,
        "failed": FAILED,
        "undelivered": FAILED,
        "canceled": FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """X-Twilio-Signature: HMAC-SHA1 over URL and sorted body (https://www.twilio.com/docs/usage/security)."""
        given = request.header("x-twilio-signature")
        if not given:
            raise Forbidden("missing request signature", 401)
        if not self.signed(request, given, str(self.config.auth_token)):
            raise Forbidden("invalid request signature", 401)

    def signed(self, request: Request, given: str, key: str) -> bool:
        """Is `given` the family's signature of the request?"""
        values: dict[str, bytes] = {}
        for name, value in parse_urlencoded(request.body):
            values[name] = values.get(name, b"") + value
        fields = b"".join(name.encode() + values[name] for name in sorted(values, key=str.encode))
        urls = [url.encode("utf-8", "replace") + fields for url in self.signed_urls(request)]
        return any(signatures.hmac_valid(key, url, given, algorithm="sha1", encoding="base64") for url in urls)

    def signed_urls(self, request: Request) -> list[str]:
        """Every form of our URL that the signer can have been given.

        Proxies on the way may change the host or write the query in another way; what holds of one form was signed.
        The scheme is https whatever reached us; X-Forwarded-Path stands for path and query.
        """
        hosts = [request.header("host"), urlsplit(request.url).netloc, self.config.callback_domain]
        targets = [request.header("x-forwarded-path")]
        if not targets[0]:
            strict = "&".join(
                f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in request.query.items()
            )
            targets = [request.path + (f"?{query}" if query else "") for query in (request.raw_query, strict)]
        return [
            f"https://{host}{target}"
            for host in dict.fromkeys(filter(None, hosts))
            for target in dict.fromkeys(targets)
        ]

    def sender_name(self, raw: str) -> str | None:
        """3 to 64 letters and digits, in lower case; whether such messages are delivered is decided with the MO."""
        name = "".join(character for character in raw if character.isascii() and character.isalnum()).lower()
        return name if 3 <= len(name) <= MAX_NAME else None

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """SMS and MMS."""
        form = request.form()
        external_id, _, sender, _ = form.require("MessageSid", "AccountSid", "From", "To")
        count = min(form.integer("NumMedia") or 0, 50)
        media = [url for index in range(count) if (url := form.get(f"MediaUrl{index}"))]
        return self.incoming(
            sender,
            unwrapped(form.get("Body")),
            external_id=external_id,
            attachments=media,
            country=form.get("FromCountry").upper(),
        )

    @route("POST", "status")
    def on_status(self, request: Request) -> list[Event]:
        """A delivery report; our id and the part are in the URL that we gave."""
        form, query = request.form(), request.query
        external_id, status = form.get("MessageSid"), form.get("MessageStatus")
        if not external_id or not status:
            raise Ignored("no message and status")
        code = str(form.integer("ErrorCode") or "")
        ours = message_id(query.get("uuid") or query.get("id"))
        part = (query.integer("part") or 0) if ours else None
        reason = title(code) if code else ""
        update = self.update(status, external_id=external_id, code=code, reason=reason, id=ours or "", part=part)
        if self.config.ignore_dlrs and update.status is not FAILED:
            raise Ignored("ignore_dlrs is set")
        if code == LATER:
            update = update.model_copy(update={"status": self.errored(code)})
        events: list[Event] = [update]
        if code == STOPPED:
            events.append(self.optout(form.get("To"), country=""))
        return events

    def accepted(self, request: Request, events: Sequence[Event], ids: Sequence[str]) -> Reply:
        """Twilio reads a message's answer as TwiML: an empty one says nothing back."""
        if request.action != "receive":
            return super().accepted(request, events, ids)
        return Reply(200, f"{_DECLARATION}<Response/>".encode(), "text/xml", events=tuple(events), ids=tuple(ids))

    def ignored(self, request: Request, reason: str) -> Reply:
        """As `accepted`, with the reason as a comment."""
        said = reason.replace("--", "- -")
        body = f"{_DECLARATION}<!-- {said} --><Response/>".encode()
        return Reply(200, body, "text/xml", kind="ignored", reason=reason)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part."""
        config = self.config
        ours = f"uuid={part.quoted_key}&action=callback" + (f"&part={part.index}" if part.index else "")
        form: list[tuple[str, str]] = [("To", part.message.to)]
        if part.address:
            form.append(("From", part.address))
        if config.messaging_service_sid:
            form.append(("MessagingServiceSid", config.messaging_service_sid))
            if config.link_shortening:
                form.append(("ShortenUrls", "true"))
        form.append(("Body", part.text))
        form += [("MediaUrl", quote(url, safe=_URL)) for _, url in part.attachments]
        form.append(("StatusCallback", self.callback("status", ours)))
        answer = http.post(
            f"{self.base_url}/2010-04-01/Accounts/{config.account_sid}/Messages.json",
            form=form,
            headers={"Accept": "application/json"},
            auth=(config.account_sid, str(config.auth_token)),
            judge=judge_twilio,
        )
        return Accepted(answer.pick_id("sid"))

    @property
    def base_url(self) -> str:
        """Where the API is; other types of the family have their own."""
        return "https://api.twilio.com"


def unwrapped(body: str) -> str:
    """Twilio at times hands on a concatenated SMS as Base64: long, strict Base64 of mostly ASCII text is decoded."""
    packed = body.replace("\r", "").replace("\n", "").strip()
    if len(packed) < 60 or len(packed) % 4:
        return body
    octets = signatures.unbase64(packed)
    if octets is None:
        return body
    text = octets.decode("utf-8", "ignore")
    ascii_characters = sum(character.isascii() for character in text)
    return text if text and ascii_characters * 2 >= len(text) else body
