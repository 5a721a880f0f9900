"""Brevo's transactional SMS: https://developers.brevo.com/docs/send-transactional-sms

Send only: what Brevo's webhook says of a reply is not documented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    ChannelConfig,
    HttpChannel,
    Part,
    Request,
    Secret,
    Url,
    route,
)
from chalicelib.channels.parts import international
from chalicelib.channels.request import Event
from chalicelib.outcomes import Accepted, ChannelDown, Permanent
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.transport import Http

_OPT_OUTS: Final = frozenset({"unsubscribe", "unsubscription"})
# `code` of an error as the ErrorModel of Brevo's API clients lists them
_ACCOUNT: Final = {
    "not_enough_credits": "no credits at Brevo",
    "account_under_validation": "the Brevo account is not yet valid",
    "permission_denied": "the Brevo account may not send",
    "unauthorized": "Brevo refuses our key",
}


def judge_brevo(response: Response) -> None:
    """The account's troubles have codes of their own, whatever HTTP status they come with."""
    code = "" if response.ok else response.pick_id("code")
    if code in _ACCOUNT:
        raise ChannelDown(_ACCOUNT[code], code, credentials=code == "unauthorized")
    if code and response.status in (400, 404, 406):
        raise Permanent("response_status", code)
    judge(response)


class Brevo(HttpChannel):
    """JSON both ways; reports come to the URL that each message names. Nothing is signed: `secret` stands in."""

    code = "BRV"
    name = "Brevo"
    max_length = 1600
    unknown_status = IGNORED

    class Config(ChannelConfig):
        """Keys of this type."""

        api_key: Secret
        message_type: Literal["transactional", "marketing"] = "transactional"
        base_url: Url = "https://api.brevo.com/v3"

    config: Config
    # Brevo writes its words in several ways: they are compared without case, underscores and a final s
    statuses = {
        "sent": SENT,
        "delivered": DELIVERED,
        "softbounce": FAILED,
        "hardbounce": FAILED,
        "bounce": FAILED,
        "rejected": FAILED,
        "blocked": FAILED,
        "skipped": FAILED,
        "skip": FAILED,
        "accepted": IGNORED,
        "replied": IGNORED,
    }

    @route("POST", "status")
    def on_status(self, request: Request) -> Event:
        """A delivery report, or an opt-out."""
        data = request.json()
        (word,) = data.require("msg_status")
        word = word.strip().lower().replace("_", "").removesuffix("s")
        phone = data.scalar("to")
        if word in _OPT_OUTS:
            return self.optout(international(phone), request.received_at)
        return self.update(word, external_id=data.scalar("messageId"), destination=phone)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part; Brevo makes short messages of it."""
        from chalicelib.gsm7 import is_gsm7

        config = self.config
        answer = http.post(
            config.base_url.rstrip("/") + "/transactionalSMS/send",
            json={
                "sender": part.address.removeprefix("+"),
                "recipient": part.message.to_no_plus,
                "content": part.text,
                "type": config.message_type,
                "unicodeEnabled": not is_gsm7(part.text),
                "webUrl": self.callback("status"),
                "tag": part.message.key,
            },
            headers={"Accept": "application/json", "api-key": str(config.api_key)},
            judge=judge_brevo,
        )
        external_id = answer.pick_id("messageId")
        if not external_id:
            raise Permanent("response_content", answer.pick_id("code"))
        return Accepted(external_id)
