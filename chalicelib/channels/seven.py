"""seven (seven.io, formerly sms77): https://docs.seven.io/en/rest-api/endpoints/sms"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from chalicelib import clock
from chalicelib.channels import dates, signatures
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    ChannelConfig,
    Forbidden,
    HttpChannel,
    Ignored,
    Part,
    Request,
    Secret,
    Url,
    route,
)
from chalicelib.channels.parts import international, short_name
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, ChannelDown, Permanent, Temporary
from chalicelib.transport import judge

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http, Response

_ACCEPTED: Final = frozenset({"100", "101"})
_ACCOUNT: Final = {
    "300": "seven misses our credentials",
    "500": "no credit at seven",
    "900": "seven refuses our API key",
    "902": "the API is switched off for our key",
    "903": "our address may not use the API key",
}
_LATER: Final = {
    "403": "the number has had its messages of today",
    "600": "the carrier answered with an error",
    "700": "unknown error",
}
_FINAL: Final = {
    "201": "the recipient's country is not served",
    "202": "the recipient is no valid number",
    "305": "the text is not valid",
    "306": "the sender is not valid",
    "401": "the text is too long",
    "402": "the same text was sent to this number a short while ago",
}
_MAX_NAME: Final = 64  # characters of foreign_id


def judge_seven(response: Response) -> None:
    """Errors come with HTTP 200 too: as a code inside the answer, or as a bare number that is all of it."""
    success = response.pick_id("success")
    code = response.pick_id("messages", 0, "error") or success or response.pick_id()
    if response.ok and success in _ACCEPTED and response.pick("messages", 0, "success") is True:
        return
    if response.status >= 500:
        judge(response)
    if code in _ACCOUNT:
        raise ChannelDown(_ACCOUNT[code], code, credentials=code in ("300", "900"))
    if code in _LATER:
        raise Temporary(_LATER[code], code)
    judge(response)
    raise Permanent(_FINAL.get(code, "response_content"), "" if code in _ACCEPTED else code)


class Seven(HttpChannel):
    """Signed JSON events in, messages and reports alike; a form out, signed too where the API key has a secret."""

    code = "SVN"
    name = "seven"
    proof = "X-Signature (HMAC-SHA256), key `secret`"
    max_length = 1520
    token_in_url = False

    class Config(ChannelConfig):
        """Keys of this type; `secret` is the API key's signing secret."""

        api_key: Secret
        base_url: Url = "https://gateway.seven.io/api"

    config: Config
    statuses = {
        "DELIVERED": DELIVERED,
        "TRANSMITTED": SENT,
        "ACCEPTED": SENT,
        "BUFFERED": IGNORED,
        "UNKNOWN": IGNORED,
        "NOTDELIVERED": FAILED,
        "EXPIRED": FAILED,
        "REJECTED": FAILED,
        "FAILED": FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """HMAC over timestamp, nonce, method, URL and the body's digest, at most five minutes old.

        seven knows our URL by our own domain, which a proxy may have replaced on the way.
        """
        if not self.config.secret:
            return
        sent, nonce, given = (request.header(f"x-{name}") for name in ("timestamp", "nonce", "signature"))
        ours = self._base + request.url.removeprefix("{0.scheme}://{0.netloc}".format(urlsplit(request.url)))
        signed = [self._signed(sent, nonce, request.method, url, request.body) for url in (request.url, ours)]
        if not any(signatures.hmac_valid(str(self.config.secret), one, given) for one in signed):
            raise Forbidden("X-Signature missing or wrong", 401)
        if not dates.recent(sent, request.received_at):
            raise Forbidden("the webhook is more than five minutes old", 401)

    @staticmethod
    def _signed(timestamp: str, nonce: str, method: str, url: str, body: bytes) -> bytes:
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()  # seven's choice; the HMAC is SHA-256
        return "\n".join((timestamp, nonce, method, url, digest)).encode("utf-8", "replace")

    @route("POST", "receive", "status")
    def on_event(self, request: Request) -> Event:
        """One URL may have messages and reports."""
        event = request.json()
        (kind,) = event.require("webhook_event")
        data = event.object("data")
        if kind == "dlr":
            return self.update(data.get("status"), external_id=data.scalar("msg_id"))
        if kind != "sms_mo":
            raise Ignored(f"neither message nor report: {kind[:64]!r}")
        return self._message(data)

    def _message(self, data: JsonObject) -> Incoming:
        if data.get("message_type", "SMS").upper() != "SMS":
            raise Ignored("not an SMS")
        external_id, sender = data.require("id", "sender")
        self.only_ours(data.get("system"))
        time = data.scalar("time")
        return self.incoming(
            international(sender),
            data.get("text"),
            external_id=external_id,
            received_at=dates.epoch_fraction(time) if time else None,
        )

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part; seven finds the encoding itself."""
        url = self.config.base_url.rstrip("/") + "/sms"
        form = {
            "to": part.message.to,
            "from": part.address,
            "text": part.text,
            "foreign_id": short_name(part.message.key, _MAX_NAME),
        }
        body = urlencode(form, errors="replace").encode()
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Api-Key": str(self.config.api_key),
            **self._signature(url, body),
        }
        answer = http.post(url, body=body, headers=headers, judge=judge_seven)
        return Accepted(answer.pick_id("messages", 0, "id"))

    def _signature(self, url: str, body: bytes) -> dict[str, str]:
        """Headers for API keys whose requests must be signed; others take them too."""
        if not self.config.secret:
            return {}
        timestamp, nonce = str(clock.now_ms() // 1000), uuid.uuid4().hex
        signed = self._signed(timestamp, nonce, "POST", url, body)
        signature = signatures.hmac_of(str(self.config.secret), signed)
        return {"X-Timestamp": timestamp, "X-Nonce": nonce, "X-Signature": signature}
