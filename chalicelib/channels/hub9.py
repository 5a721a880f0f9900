"""Hub9, Indonesia: DartMedia's protocol at another place."""

from __future__ import annotations

from chalicelib.channels.base import Url
from chalicelib.channels.dart import DartMedia


class Hub9(DartMedia):
    """DartMedia with longer parts."""

    code = "H9"
    name = "Hub9"
    max_length = 1600

    class Config(DartMedia.Config):
        """Keys of RapidPro's H9 channel. The path says "testing" and is the one in use."""

        send_url: Url = "http://175.103.48.29:28078/testing/smsmt.php"

    config: Config
