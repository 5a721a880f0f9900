"""BulkSMS.com, JSON REST API v1: https://www.bulksms.com/developer/json/v1/"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
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
    route,
)
from chalicelib.channels.parts import international, short_name
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.channels.reading import JsonObject
    from chalicelib.transport import Http, Response

_MAX_NAME: Final = 20  # characters of userSuppliedId
_PARTS: Final = 10  # short messages a request may become; BulkSMS's default of 3 refuses longer texts
_EVENTS: Final = {"incoming-message": "RECEIVED", "status-report": "SENT"}
_ACTIONS: Final = {"receive": "RECEIVED", "status": "SENT"}


class BulkSms(HttpChannel):
    """JSON arrays both ways. BulkSMS signs nothing: `secret` in the webhook's URL stands in for that.

    A webhook is called with an empty array when it is made; the answer to nothing is a 200.
    """

    code = "BKS"
    name = "BulkSMS.com"
    max_length = 1600

    class Config(ChannelConfig):
        """Keys of this type; user name and password may be an API token's id and secret."""

        username: Text
        password: Secret
        base_url: Url = "https://api.bulksms.com/v1"
        repliable: Flag = False  # send from BulkSMS's reply numbers

    config: Config
    statuses = {
        "ACCEPTED": IGNORED,
        "SCHEDULED": IGNORED,
        "UNKNOWN": IGNORED,
        "SENT": SENT,
        "DELIVERED": DELIVERED,
        "FAILED": FAILED,
    }

    @route("POST", "receive", "status")
    def on_event(self, request: Request) -> list[Event]:
        """One URL may have messages and reports; an item says what it is, else the header does."""
        usual = _EVENTS.get(request.header("x-bulksms-event").lower(), _ACTIONS[request.action])

        def read(item: JsonObject) -> Event | list[Event]:
            kind = item.get("type") or usual
            if kind not in _ACTIONS.values():
                raise Ignored(f"neither message nor report: {kind[:64]!r}")
            return self._message(item) if kind == "RECEIVED" else self._status(item)

        return self.each(request.json_array(), read)

    def _message(self, item: JsonObject) -> Incoming:
        """BulkSMS writes sender and text flat (its reference) or as objects (its webhook guide)."""
        body = item.object("body") if isinstance(item.raw("body"), dict) else None
        encoding = (body or item).get("encoding")
        if encoding.upper() == "BINARY":
            raise Ignored("a binary message")
        sender, external_id = _address(item, "from"), item.scalar("id")
        missing = [n for n, there in (("id", external_id), ("from", sender), ("body", "body" in item)) if not there]
        if missing:
            raise BadRequest("request failed validation", [f"field '{name}' required" for name in missing])
        text = body.get("value") if body else item.get("body")
        return self.incoming(international(sender), text, external_id=external_id)

    def _status(self, item: JsonObject) -> list[Event]:
        status = item.object("status")
        # `id` is type and subtype joined by a full stop
        subtype = status.get("subtype") or status.get("id").partition(".")[2].replace("null", "")
        external_id, phone = item.scalar("id"), _address(item, "to")
        kind = status.first_of("type", "condition")
        events: list[Event] = [self.update(kind, external_id=external_id, destination=phone, code=subtype)]
        if (kind, subtype) == ("FAILED", "BLOCKED"):
            events.append(self.optout(international(phone)))
        return events

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part.

        BulkSMS answers a deduplication id it has seen in the last twelve hours with the message that had it. The id
        is a number of 31 bits, so now and then that is another message than ours: it is offered again without.
        """
        name = short_name(part.idempotency, _MAX_NAME)
        number = int.from_bytes(hashlib.sha256(part.idempotency.encode()).digest()[:4], "big") & 0x7FFF_FFFF or 1
        answer = self._offer(part, name, http, {"deduplication-id": str(number)})
        if answer.pick_id(0, "userSuppliedId") not in ("", name):
            answer = self._offer(part, name, http, {})
        external_id = answer.pick_id(0, "id")
        if not external_id:
            raise Permanent("response_content")
        return Accepted(external_id)

    def _offer(self, part: Part, name: str, http: Http, params: dict[str, str]) -> Response:
        from chalicelib.text import segments

        config = self.config
        entry: dict[str, Any] = {
            "to": part.message.to,
            "body": part.text,
            "longMessageMaxParts": max(_PARTS, segments(part.text).count),
            "userSuppliedId": name,
        }
        if config.repliable:
            entry["from"] = {"type": "REPLIABLE"}
        elif part.address.isdigit() and len(part.address) < 8:
            entry["from"] = {"type": "SHORTCODE", "address": part.address}
        elif part.address:
            entry["from"] = part.address
        return http.post(
            config.base_url.rstrip("/") + "/messages",
            params={"auto-unicode": "true", **params},
            json=[entry],
            auth=(config.username, str(config.password)),
        )


def _address(item: JsonObject, name: str) -> str:
    return item.object(name).scalar("address") if isinstance(item.raw(name), dict) else item.scalar(name)
