"""Signing with RSA (RSASSA-PKCS1-v1_5 with SHA-256, RFC 8017 section 8.2.1) in Python's own integers.

For the few tokens an hour that an aggregator asks to have signed, a library of ten megabytes would be too much.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

# DigestInfo of SHA-256 before the digest itself (RFC 8017 section 9.2 note 1)
SHA256: Final = bytes.fromhex("3031300d060960864801650304020105000420")
RSA: Final = bytes.fromhex("06092a864886f70d010101")  # OID 1.2.840.113549.1.1.1

_PEM: Final = re.compile(r"-----BEGIN ((?:RSA )?PRIVATE KEY)-----([A-Za-z0-9+/=\s]+)-----END \1-----", re.ASCII)


@dataclass(frozen=True, repr=False)
class PrivateKey:
    """An RSA key's numbers as RFC 8017 section 3.2 names them, for signing with the Chinese remainder theorem."""

    n: int
    e: int
    p: int
    q: int
    dp: int
    dq: int
    q_inv: int

    def sign(self, message: bytes) -> bytes:
        """The signature of a SHA-256 of the octets.

        Raises:
            ValueError: the key is too short, or its numbers do not belong together.
        """
        length = (self.n.bit_length() + 7) // 8
        digest = SHA256 + hashlib.sha256(message).digest()
        padding = length - len(digest) - 3
        if padding < 8:
            raise ValueError("the RSA key is too short")
        value = int.from_bytes(b"\x00\x01" + b"\xff" * padding + b"\x00" + digest, "big")
        # blinded, so that how long it takes tells nothing of the key (Kocher 1996)
        blind = secrets.randbelow(self.n - 2) + 2
        hidden = value * pow(blind, self.e, self.n) % self.n
        left, right = pow(hidden, self.dp, self.p), pow(hidden, self.dq, self.q)
        signed = (right + self.q * (self.q_inv * (left - right) % self.p)) * pow(blind, -1, self.n) % self.n
        if pow(signed, self.e, self.n) != value:  # what a fault would give away is the key (Boneh et al. 1997)
            raise ValueError("the RSA key's numbers do not belong together")
        return signed.to_bytes(length, "big")


def private_key(pem: str) -> PrivateKey:
    """The RSA key in a PEM text: PKCS #8 (RFC 5958) or PKCS #1 (RFC 8017 appendix A.1.2), not encrypted.

    Line ends may be written as `\\n`, as they are in JSON and in environment files.

    Raises:
        ValueError: it is none. The text holds nothing of the key.
    """
    match = _PEM.search(pem.replace("\\n", "\n"))
    if match is None:
        raise ValueError("not a private key in PEM")
    try:
        der = base64.b64decode("".join(match[2].split()), validate=True)
        ((_, key),) = elements(der)
        if match[1] == "PRIVATE KEY":
            _, (_, algorithm), (_, inner) = elements(key)[:3]
            if not algorithm.startswith(RSA):
                raise ValueError("not an RSA key")
            ((_, key),) = elements(inner)
        _, n, e, _, p, q, dp, dq, q_inv = (int.from_bytes(value, "big") for _, value in elements(key)[:9])
        if min(n, e, p, q) < 3:
            raise ValueError("not an RSA key")
    except (ValueError, IndexError, binascii.Error):
        raise ValueError("not an RSA private key in PEM") from None
    return PrivateKey(n, e, p, q, dp, dq, q_inv)


def jwt(claims: Mapping[str, Any], key: PrivateKey) -> str:
    """A JWT (RFC 7519) signed with RS256 (RFC 7518 section 3.3).

    Raises:
        ValueError: as `PrivateKey.sign`.
    """
    parts = ({"alg": "RS256", "typ": "JWT"}, dict(claims))
    signed = ".".join(_segment(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{signed}.{_segment(key.sign(signed.encode('ascii')))}"


def _segment(octets: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(octets).decode("ascii").rstrip("=")


def elements(der: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of the DER elements that follow each other (X.690 section 8.1).

    Raises:
        ValueError | IndexError: that is not what it is.
    """
    found, at = [], 0
    while at < len(der):
        tag, length = der[at], der[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(der[at : at + size], "big")
            at += size
        if at + length > len(der):
            raise ValueError("DER element beyond the end")
        found.append((tag, der[at : at + length]))
        at += length
    return found
