"""Twilio Messaging Services: https://www.twilio.com/docs/messaging/services"""

from __future__ import annotations

from chalicelib.channels.base import Text
from chalicelib.channels.twilio import Twilio


class TwilioMessagingService(Twilio):
    """Twilio that chooses the sender itself, from the service's pool: the channel has no address."""

    code = "TMS"
    name = "Twilio Messaging Service"

    class Config(Twilio.Config):
        """Keys of RapidPro's TMS channel."""

        messaging_service_sid: Text

    config: Config
