"""Start Mobile, Ukraine: https://bulk.startmobile.ua/"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.channels import dates
from chalicelib.channels.base import BadRequest, ChannelConfig, HttpChannel, Part, Reply, Request, Secret, Text, route
from chalicelib.channels.reading import child_text, local_name, parse_xml, to_integer
from chalicelib.channels.xmltext import escape
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.channels.request import Event
    from chalicelib.transport import Http

_ANSWER: Final = b'<answer type="async"><state>Accepted</state></answer>'


class StartMobile(HttpChannel):
    """XML both ways, no reports."""

    code = "ST"
    name = "Start Mobile"
    max_length = 1600

    class Config(ChannelConfig):
        """Keys of RapidPro's ST channel."""

        username: Text
        password: Secret

    config: Config

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An empty text is a message too."""
        root = request.xml()
        if local_name(root) != "message":
            raise BadRequest("the root element must be 'message'")
        service = next((child for child in root if local_name(child) == "service"), None)
        attributes = {} if service is None else service.attrib
        external_id, timestamp = attributes.get("request_id", ""), attributes.get("timestamp", "")
        sender = child_text(root, "from")
        given = {
            "service/@request_id": external_id,
            "service/@timestamp": timestamp,
            "from": sender,
            "to": child_text(root, "to"),
        }
        missing = [name for name, value in given.items() if not value.strip()]
        if missing:
            raise BadRequest("request failed validation", [f"field '{name}' required" for name in missing])
        received_at = dates.epoch_seconds(to_integer("service/@timestamp", timestamp) or 0)
        return self.incoming(sender, child_text(root, "body"), external_id=external_id, received_at=received_at)

    def accepted(self, request: Request, events: Sequence[Event], ids: Sequence[str]) -> Reply:
        """Start Mobile reads the answer: our own answer to the phone will come later."""
        return Reply(200, _ANSWER, "text/xml", events=tuple(events), ids=tuple(ids))

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. Start Mobile knows the elements and attributes in this order, and this content type."""
        config = self.config
        body = (
            f'<message><service id="single" source="{escape(part.address)}" validity="+12 hours"></service>'
            f"<to>{escape(part.message.to)}</to>"
            f'<body content-type="plain/text" encoding="plain">{escape(part.text)}</body></message>'
        )
        answer = http.post(
            "https://bulk.startmobile.ua/clients.php",
            body=body,
            headers={"Content-Type": "application/xml; charset=utf8"},
            auth=(config.username, str(config.password)),
        )
        root = parse_xml(answer.body)
        if root is None or local_name(root) != "status":
            raise Permanent("response_unparseable")
        external_id = child_text(root, "id").strip()
        if not external_id:
            raise Permanent("response_content", child_text(root, "state").strip()[:64])
        return Accepted(external_id)
