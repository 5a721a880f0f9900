"""Signing with RSA, checked by OpenSSL."""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import subprocess
import tempfile
from pathlib import Path

import pytest

from chalicelib.channels import rsa
from tests.tools import openssl


@functools.cache
def pem(form: str = "pkcs8", bits: int = 2048) -> str:
    """A key made for the run: none is kept in the repository."""
    if form == "pkcs8":
        return openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}").decode()
    return openssl("pkey", "-traditional", data=pem().encode()).decode()


def is_signed(signature: bytes, message: bytes) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        key, file = (Path(directory) / name for name in ("key.pem", "signature"))
        key.write_bytes(openssl("pkey", "-pubout", data=pem().encode()))
        file.write_bytes(signature)
        command = ["openssl", "dgst", "-sha256", "-verify", str(key), "-signature", str(file)]
        return subprocess.run(command, input=message, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda: pem(), id="pkcs-8"),
        pytest.param(lambda: pem("pkcs1"), id="pkcs-1"),
        pytest.param(lambda: pem().replace("\n", "\\n"), id="escaped-line-ends"),
        pytest.param(lambda: "some words before\r\n" + pem().replace("\n", "\r\n"), id="carriage-returns"),
    ],
)
def test_openssl_takes_our_signatures(written: object) -> None:
    assert callable(written)
    signature = rsa.private_key(written()).sign(b"message")
    assert is_signed(signature, b"message")
    assert not is_signed(signature, b"another")


def test_tokens() -> None:
    token = rsa.jwt({"application_id": "a-1", "iat": 7}, rsa.private_key(pem()))
    signed, _, signature = token.rpartition(".")
    head, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in signed.split("."))
    assert head == {"alg": "RS256", "typ": "JWT"}
    assert claims == {"application_id": "a-1", "iat": 7}
    assert "=" not in token
    assert is_signed(base64.urlsafe_b64decode(signature + "=="), signed.encode())


def block(label: str, octets: bytes) -> str:
    return f"-----BEGIN {label}-----\n{base64.b64encode(octets).decode()}\n-----END {label}-----\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("hush-hush", id="no-pem"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nhush=hush\n-----END PRIVATE KEY-----", id="no-base64"),
        pytest.param(block("PRIVATE KEY", b""), id="empty"),
        pytest.param(block("PRIVATE KEY", b"\x30"), id="cut"),
        pytest.param(block("RSA PRIVATE KEY", b"\x30\x82\xff\xff\x02\x01\x00"), id="beyond-the-end"),
        pytest.param(block("RSA PRIVATE KEY", b"\x30\x1b" + b"\x02\x01\x00" * 9), id="zeros"),
        pytest.param(block("PUBLIC KEY", b"\x30\x00"), id="public"),
    ],
)
def test_no_keys(text: str) -> None:
    with pytest.raises(ValueError, match="private key in PEM") as caught:
        rsa.private_key(text)
    assert "hush" not in str(caught.value)


def test_a_key_of_another_kind() -> None:
    other = openssl("genpkey", "-algorithm", "ED25519").decode()
    with pytest.raises(ValueError, match="not an RSA private key in PEM"):
        rsa.private_key(other)


def test_keys_that_cannot_sign() -> None:
    key = rsa.private_key(pem())
    with pytest.raises(ValueError, match="do not belong together"):
        dataclasses.replace(key, dp=key.dp + 2).sign(b"message")
    with pytest.raises(ValueError, match="too short"):
        dataclasses.replace(key, n=2**300 + 1).sign(b"message")


def test_a_key_does_not_show_itself() -> None:
    key = rsa.private_key(pem())
    assert str(key.p) not in repr(key)
