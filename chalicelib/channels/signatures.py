"""Checking what a webhook is signed with. All comparisons take the same time whatever differs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Literal

Encoding = Literal["hex", "base64"]


def same(expected: str, given: str) -> bool:
    """Are the two texts equal? In constant time, whatever characters `given` holds."""
    return hmac.compare_digest(expected.encode("utf-8", "replace"), given.encode("utf-8", "replace"))


def hmac_of(key: str | bytes, message: bytes, *, algorithm: str = "sha256", encoding: Encoding = "hex") -> str:
    """HMAC (RFC 2104) of the octets, in lower-case hex or standard Base64 with padding."""
    octets = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
    digest = hmac.new(octets, message, getattr(hashlib, algorithm)).digest()
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode("ascii")


def hmac_valid(
    key: str | bytes, message: bytes, given: str, *, algorithm: str = "sha256", encoding: Encoding = "hex"
) -> bool:
    """Is `given` the HMAC of the octets? Hex is taken in either case; an empty one never is."""
    given = given.strip().lower() if encoding == "hex" else given.strip()
    return bool(given) and same(hmac_of(key, message, algorithm=algorithm, encoding=encoding), given)


def unbase64(text: str) -> bytes | None:
    """Octets of standard Base64, None where it is not."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
