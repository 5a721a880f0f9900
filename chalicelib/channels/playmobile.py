"""Play Mobile (Uzbekistan): http://playmobile.uz/"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.channels.base import BadRequest, ChannelConfig, HttpChannel, Part, Request, Secret, Text, Url, route
from chalicelib.channels.parts import international
from chalicelib.channels.reading import child_text, local_name
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from chalicelib.transport import Http

_COUNTRY: Final = "UZ"


class PlayMobile(HttpChannel):
    """XML in, several messages at once; JSON out; no external ids, no delivery reports."""

    code = "PM"
    name = "Play Mobile"
    max_length = 640

    class Config(ChannelConfig):
        """Keys of RapidPro's PM channel. Free accounts share a short code: `incoming_prefixes` are their keywords."""

        base_url: Url
        username: Text
        password: Secret
        incoming_prefixes: tuple[Text, ...] = ()

    config: Config

    @route("POST", "receive")
    def on_messages(self, request: Request) -> list[Event]:
        """`submit-date` has no zone and is not read."""
        root = request.xml()
        if local_name(root) != "sms-request":
            raise BadRequest("the XML's root must be 'sms-request'")
        return self.each((child for child in root if local_name(child) == "message"), self._message)

    def _message(self, element: Element) -> Incoming:
        values = {"id": element.get("id", ""), "msisdn": element.get("msisdn", "")}
        values["content"] = self._without_prefix(child_text(element, "content"))
        missing = [f"field '{name}' required" for name, value in values.items() if not value.strip()]
        if missing:
            raise BadRequest("request failed validation", missing)
        return self.incoming(
            international(values["msisdn"]), values["content"], external_id=values["id"], country=_COUNTRY
        )

    def _without_prefix(self, text: str) -> str:
        for prefix in self.config.incoming_prefixes:
            if text.lower().startswith(prefix.lower()):
                return text[len(prefix) :].strip()
        return text

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part, under our name for it."""
        sms = {"originator": part.address, "content": {"text": part.text}}
        message = {"recipient": part.message.to_no_plus, "message-id": part.idempotency, "sms": sms}
        http.post(
            self.config.base_url.rstrip("/") + "/broker-api/send",
            json={"messages": [message]},
            headers={"Accept": "application/json"},
            auth=(self.config.username, str(self.config.password)),
        )
        return Accepted()
