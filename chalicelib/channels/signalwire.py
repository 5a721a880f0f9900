"""SignalWire's Compatibility API: https://developer.signalwire.com/compatibility-api/"""

from __future__ import annotations

from chalicelib.channels.base import Forbidden, Request, Secret
from chalicelib.channels.signatures import hmac_valid
from chalicelib.channels.twiml import Twiml


class SignalWire(Twiml):
    """Twilio's API at `https://<space>.signalwire.com/api/laml`, signed with a key of its own."""

    code = "SW"
    name = "SignalWire"
    proof = "X-SignalWire-Signature (HMAC-SHA1), key `signing_key`"

    class Config(Twiml.Config):
        """Keys of RapidPro's SW channel, and the project's signing key."""

        signing_key: Secret | None = None  # without it requests are known by their URL alone, as in RapidPro

    config: Config

    def authenticate(self, request: Request) -> None:
        """X-SignalWire-Signature, over URL and sorted fields as Twilio's, or over URL and body as they are.

        https://developer.signalwire.com/guides/webhook-security
        """
        if not self.config.signing_key:
            return
        key, given = str(self.config.signing_key), request.header("x-signalwire-signature")
        if not given:
            raise Forbidden("missing request signature", 401)
        bodies = (url.encode("utf-8", "replace") + request.body for url in self.signed_urls(request))
        if not self.signed(request, given, key) and not any(
            hmac_valid(key, signed, given, algorithm="sha1") for signed in bodies
        ):
            raise Forbidden("invalid request signature", 401)
