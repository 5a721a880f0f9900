"""Red Rabbit (Middle East), a gateway by Javna that sends only; RapidPro's type RR is its reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.channels.base import ChannelConfig, HttpChannel, Part, Secret, Text, Url
from chalicelib.outcomes import Accepted

if TYPE_CHECKING:
    from chalicelib.transport import Http

_GSM7: Final = 160  # septets of one short message
_UNICODE: Final = 70  # UTF-16 units from which on the gateway wants a text declared long


class RedRabbit(HttpChannel):
    """A query string out; nothing comes in. The gateway cuts long messages itself, and does not say if it refuses."""

    code = "RR"
    name = "Red Rabbit"
    max_length = None

    class Config(ChannelConfig):
        """Keys of RapidPro's RR channel, and `send_url`: the gateway's own is plain HTTP, so use a VPN."""

        username: Text
        password: Secret
        send_url: Url = "http://http1.javna.com/epicenter/GatewaySendG.asp"

    config: Config

    def send(self, part: Part, http: Http) -> Accepted:
        """One GET a message."""
        params = {
            "LoginName": self.config.username,
            "Password": str(self.config.password),
            "Tracking": "1",
            "Mobtyp": "1",
            "MessageRecipients": part.message.to_no_plus,
            "MessageBody": part.text,
            "SenderName": part.address.removeprefix("+"),
        }
        kind = _kind(part.text)
        if kind:
            params["MsgTyp"] = kind
        http.get(self.config.send_url, params=params)
        return Accepted()


def _kind(text: str) -> str:
    """The gateway's MsgTyp: a short text in GSM 7-bit has none."""
    from chalicelib import gsm7
    from chalicelib.text import utf16_units

    if gsm7.is_gsm7(text):
        return "5" if gsm7.septets(text) > _GSM7 else ""
    return "10" if utf16_units(text) >= _UNICODE else "9"
