"""Client of a platform's External API: `POST <base>/c/ex/<channel uuid>/<kind>`, a form, as RapidPro serves it.

What an answer means: 2xx is done; a 400 that names a bad field or an impossible number is refused for good;
everything else may pass (other 400, 401, 403, 404, 408, 429, 5xx, no answer) and is tried again.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any, Final, Literal

from chalicelib.records import DeliveryRecord
from chalicelib.registry import Platform

TIMEOUT: Final = (5, 20)  # seconds to connect, and between two octets of the answer
MAX_BODY: Final = 65_536  # octets of an answer that are read

Verdict = Literal["done", "refused", "again"]
_REFUSALS: Final = re.compile(
    r"field '?\w+'? (required|must|is )|invalid (phone|number|urn|sender|date)|not a possible number"
    r"|missing (field|from|id)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform answered: the verdict, the HTTP status (0: none), and the exchange for the trace."""

    verdict: Verdict
    status: int
    reason: str
    exchange: dict[str, Any]

    @property
    def host_in_trouble(self) -> bool:
        """Counts against the host: no answer, 5xx or 429. A 4xx is about the request or the channel."""
        return self.status == 0 or self.status >= 500 or self.status in (408, 429)


def url_of(platform: Platform, record: DeliveryRecord) -> str:
    """The External API's address for `record`."""
    return f"{platform.base_url.rstrip('/')}/c/ex/{record.channel}/{record.kind}"


def post(session: Any, platform: Platform, credential: str, record: DeliveryRecord) -> Answer:
    """Make the request with a `requests.Session`; never raises for what the network or the platform does.

    `credential` is the value of the Authorization header, bound to this platform's base URL: redirects are not
    followed, so that it goes nowhere else.
    """
    import requests

    url = url_of(platform, record)
    headers = {"User-Agent": "Jangada/0.1", "Accept": "application/json"}
    if credential:
        headers["Authorization"] = credential
    began = time.monotonic()
    exchange: dict[str, Any] = {"method": "POST", "url": url, "request": dict(record.fields)}
    try:
        with session.post(
            url, data=record.fields, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True
        ) as response:
            body = response.raw.read(MAX_BODY, decode_content=True).decode("utf-8", "replace")
            status = int(response.status_code)
    except (requests.RequestException, OSError, ValueError) as error:
        name = type(error).__name__
        exchange |= {"status": 0, "error": name, "elapsed_ms": _ms(began)}
        return Answer("again", 0, f"no answer: {name}", exchange)
    if credential:
        body = body.replace(credential, "**********")
    exchange |= {"status": status, "response": body[:2000], "elapsed_ms": _ms(began)}
    return Answer(verdict_of(status, body), status, f"HTTP {status}", exchange)


def verdict_of(status: int, body: str) -> Verdict:
    """What an HTTP status with this body means for the record."""
    if 200 <= status < 300:
        return "done"
    if status == 400 and _REFUSALS.search(body):
        return "refused"
    return "again"


def _ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
