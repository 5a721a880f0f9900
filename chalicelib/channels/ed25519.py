"""Ed25519 signatures, checked (RFC 8032 section 5.1.7). The keys are public ones: nothing needs constant time."""

from __future__ import annotations

import hashlib
from typing import Final

P: Final = 2**255 - 19
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, P) % P
_ROOT: Final = pow(2, (P - 1) // 4, P)  # of -1

Point = tuple[int, int, int, int]  # extended coordinates (section 5.1.4): x = X/Z, y = Y/Z, xy = T/Z

NEUTRAL: Final[Point] = (0, 1, 1, 0)


def add(one: Point, other: Point) -> Point:
    """The sum of two points, equal ones included (section 5.1.4)."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * _D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar: int, point: Point) -> Point:
    """A point, `scalar` times."""
    result = NEUTRAL
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def encode(point: Point) -> bytes:
    """A point in 32 octets (section 5.1.2)."""
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(octets: bytes) -> Point | None:
    """The point of 32 octets, None where there is none (section 5.1.3)."""
    number = int.from_bytes(octets, "little")
    y, odd = number & ((1 << 255) - 1), number >> 255
    if len(octets) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * _ROOT % P
    if (x * x - square) % P or (x == 0 and odd):
        return None
    if x & 1 != odd:
        x = P - x
    return x, y, 1, x * y % P


def _base() -> Point:
    point = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    assert point is not None  # noqa: S101 - section 5.1
    return point


BASE: Final = _base()


def valid(key: bytes, message: bytes, signature: bytes) -> bool:
    """Is it the signature of the message, by the private half of this public key of 32 octets?"""
    public, scalar = decode(key), int.from_bytes(signature[32:], "little")
    if public is None or len(signature) != 64 or scalar >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    # R = [S]B - [k]A; a point is negated by its x
    negated = (P - public[0], public[1], public[2], P - public[3])
    return encode(add(multiply(scalar, BASE), multiply(challenge, negated))) == signature[:32]
