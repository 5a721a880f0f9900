"""An aggregator's answer, and what its HTTP status means where the aggregator says nothing better."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib.outcomes import ChannelDown, Permanent, Temporary, Throttled

MAX_RETRY_AFTER: Final = 3600.0  # seconds: whoever says a year is asked again after an hour


@dataclass(frozen=True)
class Response:
    """An answer, read to its end. Header names are in lower case."""

    status: int
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    @functools.cached_property
    def text(self) -> str:
        """The body as UTF-8, or in the charset that the Content-Type names."""
        charset = "utf-8"
        for item in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = item.partition("=")
            if name.strip().lower() == "charset":
                charset = value.strip().strip("\"'")
        try:
            return self.body.decode(charset, "replace")
        except (LookupError, UnicodeError):
            return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            Permanent: "response_unparseable".
        """
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            raise Permanent("response_unparseable") from None

    def pick(self, *path: str | int) -> Any:
        """What lies at `path` in the JSON body; None where it is not JSON or something on the way is missing.

        >>> Response(200, "", body=b'{"messages":[{"id":"7"}]}').pick("messages", 0, "id")
        '7'
        """
        try:
            value: Any = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        for step in path:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def pick_id(self, *path: str | int) -> str:
        """As `pick`, for ids: a string or a number as text, else ""."""
        value = self.pick(*path)
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""

    def retry_after(self) -> float | None:
        """Seconds to wait by the Retry-After header, either form (RFC 9110 section 10.2.3), at most an hour."""
        value = self.headers.get("retry-after", "").strip()
        if not value:
            return None
        from email.utils import parsedate_to_datetime

        if value.isascii() and value.isdigit():
            seconds = float(value)
        else:
            try:
                seconds = parsedate_to_datetime(value).timestamp() - time.time()
            except (ValueError, TypeError, OverflowError):
                return None
        return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def judge(response: Response) -> None:
    """What an HTTP status means where the aggregator says nothing better; 2xx passes. `code` is the status.

    Raises:
        Throttled: 429. Temporary: 5xx. ChannelDown: 401, 402, 403. Permanent: everything else.
    """
    status = response.status
    code = str(status)
    if response.ok:
        return
    if status == 429:
        raise Throttled("connection_throttled", code, response.retry_after())
    if status >= 500:
        raise Temporary("connection_failed", code)
    if status == 401:
        raise ChannelDown("the aggregator refuses our credentials", code, credentials=True)
    if status == 402:
        raise ChannelDown("the aggregator wants payment", code)
    if status == 403:
        raise ChannelDown("the aggregator forbids it", code)
    raise Permanent("response_status", code)


Judge = Callable[[Response], None]
