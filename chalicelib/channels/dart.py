"""DartMedia, Indonesia (http://dartmedia.biz): its API has no public documentation.

Names are the aggregator's: `original` is always who sends and `sendto` who gets, whichever way the message goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    SENT,
    BadRequest,
    ChannelConfig,
    HttpChannel,
    Part,
    Reply,
    Request,
    Secret,
    Text,
    Url,
    route,
)
from chalicelib.channels.parts import part_of
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming, Status, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, Permanent
from chalicelib.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chalicelib.channels.base import Meaning
    from chalicelib.transport import Http

_MAX_IDENTIFIER = 200  # characters of an address of the platform's


class DartMedia(HttpChannel):
    """Query strings both ways; our id travels as `messageid` and comes back in the reports. All is well with "000"."""

    code = "DA"
    name = "DartMedia"
    max_length = 160

    class Config(ChannelConfig):
        """Keys of RapidPro's DA channel."""

        username: Text
        password: Secret
        send_url: Url = "http://202.43.169.11/APIhttpU/receive2waysms.php"
        alphanumeric_mo: Literal["drop", "deliver"] = "deliver"  # operators give identifiers in place of numbers

    config: Config
    statuses = {10: DELIVERED, 11: DELIVERED, 12: DELIVERED}
    unknown_status = SENT  # up to 20; what is above has failed

    def meaning(self, raw: str | int, table: Mapping[str | int, Meaning] | None = None) -> Status:
        """Numbers above 20 are failures."""
        return FAILED if int(raw) > 20 else super().meaning(raw, table)

    def sender_name(self, raw: str) -> str | None:
        """The identifier of a subscriber whose number is not told, as it is."""
        name = clean(raw).strip()
        return name if 0 < len(name) <= _MAX_IDENTIFIER else None

    @route("GET", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO."""
        form = request.form()
        sender, _ = form.require("original", "sendto")
        return self.incoming(
            sender, form.get("message"), external_id=form.get("messageid"), country=self.country or "ID"
        )

    @route("GET", "delivered")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report. The id is ours, with the part's number after a full stop and the attempt's after a ~."""
        form = request.form()
        (given,) = form.require("messageid")
        status = form.integer("status")
        if status is None:
            raise BadRequest("request failed validation", ["field 'status' required"])
        ours = part_of(given.partition("~")[0])
        if ours is None:
            raise BadRequest("request failed validation", ["field 'messageid' must be our message id"])
        return self.update(status, id=ours[0], part=ours[1])

    def accepted(self, request: Request, events: Sequence[Event], ids: Sequence[str]) -> Reply:
        """Exactly what the aggregator waits for."""
        return Reply(200, b"000", "text/plain", events=tuple(events), ids=tuple(ids))

    def send(self, part: Part, http: Http) -> Accepted:
        """One GET a part."""
        params = {
            "userid": self.config.username,
            "password": str(self.config.password),
            "sendto": part.message.to_no_plus,
            "original": part.address.removeprefix("+"),
            "udhl": "0",
            "dcs": "0",
            "message": part.text,
            "messageid": part.idempotency,
        }
        code = http.get(self.config.send_url, params=params).text[:3]
        if code == "001":
            raise ChannelDown(f"{self.name} refuses our credentials", code, credentials=True)
        if code != "000":
            raise Permanent("account expired or invalid parameters" if code == "101" else "response_content", code)
        return Accepted()
