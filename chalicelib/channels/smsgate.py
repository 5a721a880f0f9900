"""SMS Gateway for Android, through its cloud or a server of one's own: https://docs.sms-gate.app"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, model_validator

from chalicelib.channels import dates, signatures
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    SENT,
    BadRequest,
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
from chalicelib.channels.parts import short_name
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http

_MAX_ID: Final = 36  # characters of a message's id
_HAD_IT: Final = 409


def judge_smsgate(response: Response) -> None:
    """An id that is taken is our own request repeated: nobody else makes such."""
    if response.status != _HAD_IT:
        judge(response)


class SmsGate(HttpChannel):
    """Signed JSON from the phone itself, JSON to the server; ids are ours. Text only: the phone sends no MMS."""

    code = "SGA"
    name = "SMS Gateway for Android"
    proof = "X-Signature (HMAC-SHA256), key `secret`"
    max_length = 1600
    names = True
    token_in_url = False

    class Config(ChannelConfig):
        """Keys of this type; `secret` is the signing key of the app's webhooks."""

        username: str = ""
        password: Secret | None = None
        auth_token: Secret | None = None  # instead of user and password
        base_url: Url = "https://api.sms-gate.app/3rdparty/v1"
        device_id: str = ""  # of one phone: others of the account are left alone, both ways
        sim_number: int | None = Field(None, ge=1, le=3)  # likewise of one SIM
        ttl: int = Field(86_400, ge=5, description="seconds for which the phone may try to send a message")

        @model_validator(mode="after")
        def _credentials(self) -> SmsGate.Config:
            if not self.auth_token and not (self.username and self.password):
                raise ValueError("username: required key is missing (and password; or auth_token)")
            return self

    config: Config
    statuses = {
        "sms:sent": SENT,
        "sms:delivered": DELIVERED,
        "sms:failed": FAILED,
        "sms:cancelled": FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """HMAC-SHA256 over body and timestamp, at most five minutes old.

        https://docs.sms-gate.app/features/webhooks/#payload-signing
        """
        if not self.config.secret:
            return
        sent = request.header("x-timestamp")
        signed = request.body + sent.encode("utf-8", "replace")
        if not signatures.hmac_valid(str(self.config.secret), signed, request.header("x-signature")):
            raise Forbidden("X-Signature missing or wrong", 401)
        if not dates.recent(sent, request.received_at):
            raise Forbidden("the webhook is more than five minutes old, or the phone's clock is wrong", 401)

    @route("POST", "receive", "status")
    def on_event(self, request: Request) -> Event:
        """One URL may have all events."""
        event = request.json()
        (kind,) = event.require("event")
        payload = event.object("payload")
        if kind in self.statuses:
            moment = kind.removeprefix("sms:") + "At"
            return self.update(
                kind,
                external_id=payload.get("messageId"),
                destination=payload.first_of("recipient", "phoneNumber"),
                reason=payload.get("reason"),
                at=dates.if_readable(dates.rfc3339, payload.get(moment)),
            )
        if kind not in ("sms:received", "mms:downloaded"):
            raise Ignored(f"neither message nor report: {kind[:64]!r}")
        return self._message(kind, event, payload)

    def _message(self, kind: str, event: JsonObject, payload: JsonObject) -> Incoming:
        """The event's id names the message: `messageId` is made from the content, which people repeat.

        An MMS comes with its files inside, not with URLs of them: only its text goes further.
        """
        config = self.config
        (external_id,) = event.require("id")
        if config.device_id and event.get("deviceId") not in ("", config.device_id):
            raise Ignored("from another phone than this channel's")
        if config.sim_number and payload.integer("simNumber") not in (None, config.sim_number):
            raise Ignored("from another SIM than this channel's")
        sender = payload.first_of("sender", "phoneNumber")
        if not sender:
            raise BadRequest("request failed validation", ["field 'payload.sender' required"])
        if kind == "sms:received":
            (text,) = payload.require("message", may_be_empty=("message",))
        else:
            text = "\n".join(filter(None, (payload.get("subject"), payload.get("body"))))
        date = payload.get("receivedAt")
        return self.incoming(sender, text, external_id=external_id, received_at=dates.rfc3339(date) if date else None)

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part; the phone cuts it into segments."""
        config = self.config
        name = short_name(part.idempotency, _MAX_ID)
        body: dict[str, Any] = {
            "id": name,
            "textMessage": {"text": part.text},
            "phoneNumbers": [part.message.to],
            "ttl": config.ttl,
        }
        if config.device_id:
            body["deviceId"] = config.device_id
        if config.sim_number:
            body["simNumber"] = config.sim_number
        bearer = {"Authorization": f"Bearer {config.auth_token}"} if config.auth_token else {}
        answer = http.post(
            config.base_url.rstrip("/") + "/messages",
            params=None if part.message.to.startswith("+") else {"skipPhoneValidation": "true"},  # short codes
            json=body,
            headers={"Accept": "application/json", **bearer},
            auth=None if bearer else (config.username, str(config.password)),
            judge=judge_smsgate,
        )
        return Accepted(name if answer.status == _HAD_IT else answer.pick_id("id") or name)
