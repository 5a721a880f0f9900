"""Vonage's SMS API, once Nexmo's: https://developer.vonage.com/en/messaging/sms/overview"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    WIRED,
    ChannelConfig,
    Forbidden,
    HttpChannel,
    Ignored,
    Part,
    Request,
    Secret,
    Text,
    route,
)
from chalicelib.channels.parts import international, part_of, piece
from chalicelib.channels.signatures import hmac_of, same
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, Permanent, Temporary, Throttled
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from chalicelib.transport import Http

_THROUGHPUT: Final = re.compile(r"Throughput Rate Exceeded - please wait \[ (\d{1,9}) \] and retry")  # ms
_MAX_REFERENCE: Final = 100  # characters of client-ref
# A webhook is sent again for a day; a replay within it is a repeat by its id, which is known for two
_TOLERANCE: Final = timedelta(days=1)

# https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts
_REPORT_ERRORS: Final = {
    "1": "Unknown", "2": "Absent Subscriber - Temporary", "3": "Absent Subscriber - Permanent",
    "4": "Call Barred by User", "5": "Portability Error", "6": "Anti-Spam Rejection", "7": "Handset Busy",
    "8": "Network Error", "9": "Illegal Number", "10": "Illegal Message", "11": "Unroutable",
    "12": "Destination Unreachable", "13": "Subscriber Age Restriction", "14": "Number Blocked by Carrier",
    "15": "Prepaid Insufficient Funds", "16": "Gateway Quota Exceeded", "50": "Entity Filter", "51": "Header Filter",
    "52": "Content Filter", "53": "Consent Filter", "54": "Regulation Error", "99": "General Error",
}  # fmt: skip
# https://developer.vonage.com/en/messaging/sms/guides/troubleshooting-sms
_SEND_ERRORS: Final = {
    "2": "Missing Parameters", "3": "Invalid Parameters", "6": "Invalid Message", "7": "Number Barred",
    "12": "Message Too Long", "15": "Invalid Sender Address", "22": "Invalid Network Code",
    "23": "Invalid Callback URL", "29": "Non-Whitelisted Destination", "33": "Number De-activated",
}  # fmt: skip
_ACCOUNT_ERRORS: Final = {
    "4": "Invalid Credentials", "8": "Partner Account Barred", "9": "Partner Quota Violation",
    "11": "Account Not Enabled For HTTP", "14": "Invalid Signature", "32": "Signature And API Secret Disallowed",
}  # fmt: skip
_THROTTLED: Final = frozenset({"1", "10"})  # too fast; too many binds
_TEMPORARY: Final = "5"  # internal error


def judge_vonage(response: Response) -> None:
    """How long to wait stands in the text, whatever the HTTP status."""
    wait = _THROUGHPUT.search(response.text)
    if wait:
        raise Throttled("connection_throttled", "1", int(wait[1]) / 1000)
    judge(response)


class Nexmo(HttpChannel):
    """Forms or JSON in, signed where the account has that; a form out, 200 with a status inside for most errors."""

    code = "NX"
    name = "Vonage"
    proof = "the parameter sig, key `signature_secret`"
    max_length = 1600
    unknown_status = IGNORED

    class Config(ChannelConfig):
        """Keys of RapidPro's NX channel; `nexmo_app_*` are of its voice calls. `signature_*` are the account's."""

        nexmo_api_key: Text
        nexmo_api_secret: Secret
        nexmo_app_id: str = ""
        nexmo_app_private_key: Secret | None = None
        signature_secret: Secret | None = None
        signature_method: Literal["md5hash", "md5", "sha1", "sha256", "sha512"] = "md5hash"

    config: Config
    statuses = {
        "delivered": DELIVERED,
        "accepted": SENT,
        "buffered": SENT,
        "unknown": WIRED,
        "failed": FAILED,
        "expired": FAILED,
        "rejected": FAILED,
    }

    def authenticate(self, request: Request) -> None:
        """`sig` over the sorted parameters: https://developer.vonage.com/en/getting-started/concepts/signing-messages

        A bare request is let through: Vonage makes one when the URL is saved, and there is nothing in it.
        """
        form = request.form_or_json()
        if not self.config.signature_secret or not form.pairs:
            return
        # our own token may have been in the URL before Vonage signed what it added
        signed = [
            self._signature({name: value for name, value in form.items() if name not in left_out})
            for left_out in (("sig",), ("sig", "token"))
        ]
        given = form.get("sig").lower()
        if not any(same(one, given) for one in signed):
            raise Forbidden("sig missing or wrong", 401)
        if not dates.recent(form.get("timestamp"), request.received_at, _TOLERANCE):
            raise Forbidden("the request's timestamp is missing or more than a day old", 401)

    def _signature(self, values: dict[str, str]) -> str:
        joined = "".join(
            f"&{name}={value.replace('&', '_').replace('=', '_')}" for name, value in sorted(values.items())
        )
        secret, method = str(self.config.signature_secret), self.config.signature_method
        if method == "md5hash":
            return hashlib.md5((joined + secret).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
        return hmac_of(secret, joined.encode("utf-8", "replace"), algorithm=method)

    @route("GET POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """Vonage leaves the joining of long messages to us."""
        form = request.form_or_json()
        if not form.get("to"):
            raise Ignored("no 'to' parameter")
        (sender,) = form.require("msisdn")
        part = None
        if form.get("concat-ref"):
            part = piece(form.get("concat-ref"), form.integer("concat-total"), form.integer("concat-part"))
        return self.incoming(international(sender), form.get("text"), external_id=form.get("messageId"), piece=part)

    @route("GET POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery receipt; `msisdn` is the phone, as in a message.

        Our own reference also names a message whose acceptance got lost on the way to us.
        """
        form = request.form_or_json()
        external_id, status, code = form.get("messageId"), form.get("status"), form.get("err-code")
        if not external_id:
            raise Ignored("no 'messageId' parameter")
        code = "" if code == "0" else code
        ours, part = part_of(form.get("client-ref")) or ("", None)
        return self.update(
            status,
            id=ours,
            part=part,
            external_id=external_id,
            destination=form.get("msisdn"),
            code=code,
            reason=_REPORT_ERRORS.get(code, ""),
        )

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part."""
        from chalicelib.gsm7 import is_gsm7

        form = {
            "api_key": self.config.nexmo_api_key,
            "api_secret": str(self.config.nexmo_api_secret),
            "from": part.address.removeprefix("+"),
            "to": part.message.to_no_plus,
            "text": part.text,
            "type": "text" if is_gsm7(part.text) else "unicode",
            "status-report-req": "1",
            "callback": self.callback("status"),
        }
        if len(part.idempotency) <= _MAX_REFERENCE:
            form["client-ref"] = part.idempotency
        answer = http.post("https://rest.nexmo.com/sms/json", form=form, judge=judge_vonage)
        status = answer.pick_id("messages", 0, "status")
        if status == "0":
            return Accepted(answer.pick_id("messages", 0, "message-id"))
        if status in _THROTTLED:
            raise Throttled("connection_throttled", status)
        if status == _TEMPORARY:
            raise Temporary("Vonage has an internal error", status)
        if status in _ACCOUNT_ERRORS:
            raise ChannelDown(f"Vonage: {_ACCOUNT_ERRORS[status]}", status, credentials=status in ("4", "14"))
        raise Permanent(_SEND_ERRORS.get(status, "response_content"), status)
