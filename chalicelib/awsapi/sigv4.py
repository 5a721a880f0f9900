"""AWS Signature Version 4 of a POST to `/` without a query.

Rule: AWS General Reference, "Signing AWS API requests", "Create a signed AWS API request".
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import time
from typing import Final, NamedTuple

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """An access key; `token` is that of a role's session, or ""."""

    key_id: str
    secret: str
    token: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.key_id!r}, ...)"  # never the secret


def signed(
    credentials: Credentials, region: str, service: str, headers: dict[str, str], body: bytes, now: float
) -> dict[str, str]:
    """`headers` (names in lower case, `host` among them), and those that sign the request at `now` (Unix time, s)."""
    moment = _moment(int(now))
    day = moment[:8]
    headers = {**headers, "x-amz-date": moment}
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    names = sorted(headers)
    listed = ";".join(names)
    lines = "".join(f"{name}:{headers[name]}\n" for name in names)
    request = f"POST\n/\n\n{lines}\n{listed}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{day}/{region}/{service}/aws4_request"
    to_sign = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(_key(credentials.secret, day, region, service), to_sign.encode(), "sha256").hex()
    headers["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.key_id}/{scope}, SignedHeaders={listed}, Signature={signature}"
    )
    return headers


@functools.lru_cache(maxsize=4)
def _moment(now: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


@functools.lru_cache(maxsize=16)
def _key(secret: str, day: str, region: str, service: str) -> bytes:
    """The key of a day: four of the five HMACs of a signature."""
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
