"""Making Ed25519 signatures (RFC 8032 section 5.1.6), as an aggregator does."""

from __future__ import annotations

import hashlib

from chalicelib.channels.ed25519 import BASE, ORDER, encode, multiply


def _halves(seed: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & ((1 << 254) - 8) | (1 << 254), digest[32:]


def public_key(seed: bytes) -> bytes:
    """The public key of a private one."""
    return encode(multiply(_halves(seed)[0], BASE))


def signature(seed: bytes, message: bytes) -> bytes:
    """64 octets."""
    scalar, prefix = _halves(seed)
    key = encode(multiply(scalar, BASE))
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % ORDER
    point = encode(multiply(nonce, BASE))
    challenge = int.from_bytes(hashlib.sha512(point + key + message).digest(), "little") % ORDER
    return point + ((nonce + challenge * scalar) % ORDER).to_bytes(32, "little")
