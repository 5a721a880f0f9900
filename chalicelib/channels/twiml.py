"""Servers with Twilio's REST API and webhooks, Somleng (https://www.somleng.org) before all."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from pydantic import model_validator

from chalicelib.channels.base import Url
from chalicelib.channels.twilio import Twilio


class Twiml(Twilio):
    """Twilio at another place."""

    code = "TW"
    name = "TwiML API"

    class Config(Twilio.Config):
        """Keys of RapidPro's TW channel; `send_url` is the API's base, and `base_url` stands in for it."""

        send_url: Url | None = None
        base_url: Url | None = None
        max_concurrent_calls: int | None = None  # of voice; RapidPro writes it into every such channel

        @model_validator(mode="after")
        def _somewhere(self) -> Twiml.Config:
            if not self.send_url and not self.base_url:
                raise ValueError("send_url: required key is missing (or base_url)")
            return self

    config: Config

    @property
    def base_url(self) -> str:
        """The base with its path, tidied."""
        base = urlsplit(self.config.send_url or self.config.base_url or "")
        return urlunsplit((base.scheme, base.netloc, re.sub("/+", "/", base.path).rstrip("/"), "", ""))
