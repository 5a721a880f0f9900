"""Mblox, since then Sinch's SMS REST API: https://developers.sinch.com/docs/sms/"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from chalicelib.channels.base import ChannelConfig, Part, Secret, Text, Url
from chalicelib.channels.xms import Xms
from chalicelib.outcomes import Accepted

if TYPE_CHECKING:
    from chalicelib.transport import Http


class Mblox(Xms):
    """XMS at its old address, unsigned, under the names that RapidPro has for plan and token."""

    code = "MB"
    name = "Mblox"
    max_length = 459  # three GSM 7-bit segments

    class Config(ChannelConfig):
        """Keys of RapidPro's MB channel, and `base_url` for accounts on one of Sinch's regional hosts."""

        username: Text
        password: Secret
        base_url: Url = "https://api.mblox.com"

    config: Config

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part."""
        config = self.config
        plan = f"{config.base_url.rstrip('/')}/xms/v1/{quote(config.username, safe='')}"
        return self.offer(part, http, plan, str(config.password))
