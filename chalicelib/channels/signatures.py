"""Checking what a webhook is signed with. All comparisons take the same time whatever differs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any, Final, Literal

Encoding = Literal["hex", "base64"]

_JWT_ALGORITHMS: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}  # RFC 7518 section 3.1
_JWT_LEEWAY: Final = 60  # seconds by which the signer's clock may differ from ours (RFC 7519 section 4.1.4)


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


def standard_webhook_valid(key: bytes, message_id: str, timestamp: str, body: bytes, given: str) -> bool:
    """Is one of the `v1` signatures in the space-separated list `given` right?

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#verifying-signatures
    """
    signed = f"{message_id}.{timestamp}.".encode("utf-8", "replace") + body
    expected = "v1," + hmac_of(key, signed, encoding="base64")
    return any(same(expected, one) for one in given.split())


def jwt_claims(token: str, key: str, now: int) -> dict[str, Any] | None:
    """The claims of a JWT (RFC 7519) signed with an HMAC of SHA-2; `now` is in ms since the epoch.

    None where the signature is wrong or of another algorithm, or `exp` or `nbf` says that it does not hold now.
    """
    head, _, given = token.rpartition(".")
    header, claims = (_json_segment(segment) for segment in (head.partition(".")[0], head.partition(".")[2]))
    algorithm = _JWT_ALGORITHMS.get(str((header or {}).get("alg")))
    if algorithm is None or claims is None:
        return None
    expected = hmac_of(key, head.encode("utf-8", "replace"), algorithm=algorithm, encoding="base64")
    if not same(expected.translate({43: "-", 47: "_"}).rstrip("="), given.rstrip("=")):
        return None
    expires, begins = (claims.get(name) for name in ("exp", "nbf"))
    seconds = now / 1000
    if expires is not None and not (_is_number(expires) and seconds < expires + _JWT_LEEWAY):
        return None
    if begins is not None and not (_is_number(begins) and seconds >= begins - _JWT_LEEWAY):
        return None
    return claims


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _json_segment(segment: str) -> dict[str, Any] | None:
    """A JSON object in base64url without padding (RFC 7515 section 2)."""
    octets = unbase64(segment.replace("-", "+").replace("_", "/") + "=" * (-len(segment) % 4))
    try:
        value = json.loads(octets or b"")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
