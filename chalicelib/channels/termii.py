"""Termii, Nigeria and other countries of Africa: https://developers.termii.com"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

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
from chalicelib.channels.parts import international
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, ChannelDown, Permanent
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http


def judge_termii(response: Response) -> None:
    """Termii has no error codes; its text alone tells an empty account from a bad message."""
    if not response.ok and response.status < 500 and "insufficient balance" in response.pick_id("message").lower():
        raise ChannelDown("no balance at Termii", str(response.status))
    judge(response)


class Termii(HttpChannel):
    """Signed JSON in, JSON out; one URL has all of an account's messages and reports."""

    code = "TRM"
    name = "Termii"
    proof = "X-Termii-Signature (HMAC-SHA512), key `secret`"
    max_length = 918  # six GSM 7-bit segments
    token_in_url = False
    unknown_status = IGNORED

    class Config(ChannelConfig):
        """Keys of this type; `secret` is the account's secret key, `channel` the route messages take."""

        api_key: Secret
        channel: Literal["generic", "dnd", "whatsapp"] = "generic"
        base_url: Url = "https://api.ng.termii.com"

    config: Config
    # A status is a sentence, worded differently from account to account: these are the beginnings, in lower case.
    statuses = {
        "delivered": DELIVERED,
        "message sent": SENT,
        "message failed": FAILED,
        "dnd active on phone number": FAILED,
        "rejected": FAILED,
        "expired": FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """HMAC-SHA512 over the body."""
        secret, given = self.config.secret, request.header("x-termii-signature")
        if secret and not signatures.hmac_valid(str(secret), request.body, given, algorithm="sha512"):
            raise Forbidden("X-Termii-Signature missing or wrong", 401)

    @route("POST", "receive", "status")
    def on_event(self, request: Request) -> Event:
        """The type tells messages and reports apart."""
        event = request.json()
        (kind,) = event.require("type")
        if kind == "outbound":
            return self._status(event)
        if kind != "inbound":
            raise Ignored(f"neither message nor report: {kind[:64]!r}")
        return self._message(event)

    def _message(self, event: JsonObject) -> Incoming:
        external_id, sender, _, to = event.require("message_id", "sender", "message", "receiver",
                                                   may_be_empty=("message",))  # fmt: skip
        self.only_ours(to)
        date = event.get("received_at")
        return self.incoming(
            international(sender),
            event.get("message"),
            external_id=external_id,
            received_at=dates.rfc3339(date) if date else None,
        )

    def _status(self, event: JsonObject) -> Event:
        said = event.get("status").strip()
        wording = said.lower()
        begins = next((str(known) for known in self.statuses if wording.startswith(str(known))), wording)
        return self.update(
            begins,
            external_id=event.scalar("message_id"),
            destination=event.get("receiver"),
            code="DND" if begins.startswith("dnd") else "",
            reason=said[:200],
        )

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part."""
        config = self.config
        answer = http.post(
            config.base_url.rstrip("/") + "/api/sms/send",
            json={
                "api_key": str(config.api_key),
                "to": part.message.to_no_plus,
                "from": part.address,
                "sms": part.text,
                "type": "plain",
                "channel": config.channel,
            },
            headers={"Accept": "application/json"},
            judge=judge_termii,
        )
        external_id = answer.pick_id("message_id")
        if not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)
