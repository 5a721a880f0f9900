"""Messangi (Jamaica): http://www.messangi.com/"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote

from pydantic import Field

from chalicelib.channels.base import ChannelConfig, HttpChannel, Part, Request, Secret, Text, route
from chalicelib.channels.reading import child_text, parse_xml
from chalicelib.channels.signatures import hmac_of
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.transport import Http

_API: Final = "https://flow.messangi.me/mmc/rest/api/sendMT"
_COUNTRY: Final = "JM"


class Messangi(HttpChannel):
    """A form in; a signed path out, without query and body; no external ids, no delivery reports."""

    code = "MG"
    name = "Messangi"
    max_length = 160

    class Config(ChannelConfig):
        """Keys of RapidPro's MG channel, which counts -1 as a missing id."""

        public_key: Text
        private_key: Secret
        instance_id: Annotated[int, Field(ge=0)]
        carrier_id: Annotated[int, Field(ge=0)]

    config: Config

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO has neither id nor date."""
        form = request.plain_form()
        (sender,) = form.require("mobile")
        return self.incoming(sender, form.get("mo"), country=_COUNTRY)

    def send(self, part: Part, http: Http) -> Accepted:
        """One GET a part. The signature covers the path before the public key, as it is sent."""
        config = self.config
        text = base64.urlsafe_b64encode(part.text.encode("utf-8", "replace")).decode("ascii").rstrip("=")
        shortcode, to = (quote(one, safe="") for one in (part.address.removeprefix("+"), part.message.to_no_plus))
        path = f"{config.instance_id}/{shortcode}/{config.carrier_id}/{to}/{text}"
        signature = hmac_of(str(config.private_key), path.encode())
        answer = http.get(f"{_API}/{path}/{quote(config.public_key, safe='')}/{signature}")
        root = parse_xml(answer.body)
        if root is None:
            raise Permanent("response_unparseable")
        status = child_text(root, "status").strip()
        if status != "OK":
            raise Permanent("response_content", child_text(root, "description").strip()[:64] or status)
        return Accepted()
