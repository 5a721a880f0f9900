"""Novo (Trinidad and Tobago): http://www.novotechnologyinc.com/"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from chalicelib.channels.base import ChannelConfig, Forbidden, HttpChannel, Part, Request, Secret, Text, route
from chalicelib.channels.signatures import hmac_of, same
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, Permanent

if TYPE_CHECKING:
    from chalicelib.transport import Http

_COUNTRY: Final = "TT"


class Novo(HttpChannel):
    """A form in, a signed query string out over plain HTTP; no external ids, no delivery reports."""

    code = "NV"
    name = "Novo"
    proof = "Authorization is `secret`"
    max_length = 160
    token_in_url = False

    class Config(ChannelConfig):
        """Keys of RapidPro's NV channel; `secret` is what Novo puts into Authorization, bare."""

        merchant_id: Text
        merchant_secret: Secret

    config: Config

    def authenticate(self, request: Request) -> None:
        """Novo signs nothing: its requests bear the channel's secret."""
        secret = self.config.secret
        if secret and not same(str(secret), request.header("authorization")):
            raise Forbidden("Authorization missing or wrong", 401)

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO has neither id nor date."""
        form = request.plain_form()
        (sender,) = form.require("from")
        return self.incoming(sender, form.get("text"), country=_COUNTRY)

    def send(self, part: Part, http: Http) -> Accepted:
        """One GET a part, signed over the values before they are encoded. An error, too, comes with HTTP 200."""
        values = {"from": part.address.removeprefix("+"), "to": part.message.to_no_plus, "msg": part.text}
        signed = "".join(f"{value};" for value in values.values()).encode("utf-8", "replace")
        answer = http.get(
            f"http://novosmstools.com/novo_te/{quote(self.config.merchant_id, safe='')}/sendSMS",
            params={**values, "signature": hmac_of(str(self.config.merchant_secret), signed)},
        )
        status = answer.pick_id("status")
        if status != "FINISHED":
            raise Permanent("response_content", status)
        return Accepted()
