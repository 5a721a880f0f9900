"""Text inside XML that we write."""

from __future__ import annotations

import re
from typing import Final

_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"}
)


def escape(text: str) -> str:
    """The text as content of an element or of an attribute; characters that no XML 1.0 holds (section 2.2) are U+FFFD.

    Line breaks and tabs are written as references, since readers make spaces of them in attributes (section 3.3.3).
    """
    return _ILLEGAL.sub("\ufffd", text).translate(_ESCAPES)
