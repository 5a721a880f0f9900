"""Ed25519: RFC 8032, with the vectors of its section 7.1."""

from __future__ import annotations

import pytest

from chalicelib.channels.ed25519 import BASE, NEUTRAL, ORDER, P, add, decode, encode, multiply, valid
from tests.channels.ed25519_support import public_key, signature

VECTORS = [
    pytest.param(
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        id="test-1",
    ),
    pytest.param(
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        id="test-2",
    ),
    pytest.param(
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        id="test-3",
    ),
]


@pytest.mark.parametrize(("seed", "key", "message", "signed"), VECTORS)
def test_vectors(seed: str, key: str, message: str, signed: str) -> None:
    octets = bytes.fromhex(message)
    assert public_key(bytes.fromhex(seed)).hex() == key
    assert signature(bytes.fromhex(seed), octets).hex() == signed
    assert valid(bytes.fromhex(key), octets, bytes.fromhex(signed))
    assert not valid(bytes.fromhex(key), octets + b"x", bytes.fromhex(signed))


SEED = b"a seed of thirty-two octets long"
KEY = public_key(SEED)
GOOD = signature(SEED, b"message")


def flipped(octets: bytes, bit: int) -> bytes:
    return (int.from_bytes(octets, "little") ^ (1 << bit)).to_bytes(len(octets), "little")


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        *[pytest.param(KEY, flipped(GOOD, bit), id=f"bit-{bit}") for bit in (0, 17, 255, 256, 300, 511)],
        pytest.param(flipped(KEY, 3), GOOD, id="another-key"),
        pytest.param(KEY, GOOD[:63], id="short"),
        pytest.param(KEY, GOOD + b"\0", id="long"),
        pytest.param(KEY, b"", id="empty"),
        pytest.param(KEY[:31], GOOD, id="short-key"),
        pytest.param(b"\xff" * 32, GOOD, id="no-point"),
        pytest.param(KEY, GOOD[:32] + (int.from_bytes(GOOD[32:], "little") + ORDER).to_bytes(32, "little"),
                     id="malleable"),
    ],
)  # fmt: skip
def test_what_is_not_a_signature(key: bytes, signed: bytes) -> None:
    assert not valid(key, b"message", signed)


def test_the_group() -> None:
    assert encode(multiply(ORDER, BASE)) == encode(NEUTRAL)
    assert encode(add(multiply(5, BASE), multiply(7, BASE))) == encode(multiply(12, BASE))
    assert decode(encode(BASE)) == BASE


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param((P + 1).to_bytes(32, "little"), id="y-too-large"),
        pytest.param((1 | 1 << 255).to_bytes(32, "little"), id="minus-zero"),
        pytest.param((2).to_bytes(32, "little"), id="not-on-the-curve"),
        pytest.param(b"", id="empty"),
    ],
)
def test_what_is_no_point(octets: bytes) -> None:
    assert decode(octets) is None
