"""ArabiaCell (Jordan): https://www.arabiacell.com"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from chalicelib.channels.base import ChannelConfig, HttpChannel, Part, Request, Secret, Text, route
from chalicelib.channels.reading import child_text, parse_xml
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.transport import Http


class ArabiaCell(HttpChannel):
    """Forms both ways, XML answers, no delivery reports; the service id stands for the short code."""

    code = "AC"
    name = "ArabiaCell"
    max_length = 1530  # ten GSM 7-bit segments

    class Config(ChannelConfig):
        """Keys of RapidPro's AC channel."""

        username: Text
        password: Secret
        service_id: Text
        charging_level: Literal["0", "1"]  # free, billed

    config: Config

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO has neither id nor date."""
        form = request.plain_form()
        (sender,) = form.require("M")
        return self.incoming(sender, form.get("B"))

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part; the answer's code 204 inside the XML means accepted."""
        config = self.config
        form = {
            "userName": config.username,
            "password": str(config.password),
            "handlerType": "send_msg",
            "serviceId": config.service_id,
            "msisdn": part.message.to,
            "messageBody": part.text,
            "chargingLevel": config.charging_level,
        }
        answer = http.post("https://acsdp.arabiacell.net", form=form, headers={"Accept": "application/xml"})
        root = parse_xml(answer.body)
        if root is None:
            raise Permanent("response_unparseable")
        code = child_text(root, "code").strip()
        if code != "204":
            raise Permanent("response_content", code)
        return Accepted(child_text(root, "message_id").strip())
