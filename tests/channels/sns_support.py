"""Amazon SNS's part in the tests: a key and its certificate made for the run, and envelopes signed with it."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.channels.support import NOW
from tests.tools import openssl

CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:sms"
TIMESTAMP = "2026-02-02T02:40:00.120Z"  # NOW and a bit
AT = NOW + 120
NAMES = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
PREFIXES = {"1": "3021300906052b0e03021a05000414", "2": "3031300d060960864801650304020105000420"}


@dataclass(frozen=True)
class Signer:
    """An RSA key: its certificate, its numbers, and the directory it is in, which goes with the run."""

    certificate: bytes
    modulus: int
    private: int
    directory: tempfile.TemporaryDirectory[str]

    def sign(self, message: bytes, version: str = "1") -> bytes:
        """RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.1)."""
        digest = bytes.fromhex(PREFIXES[version]) + hashlib.new({"1": "sha1", "2": "sha256"}[version], message).digest()
        length = (self.modulus.bit_length() + 7) // 8
        encoded = b"\x00\x01" + b"\xff" * (length - len(digest) - 3) + b"\x00" + digest
        return pow(int.from_bytes(encoded, "big"), self.private, self.modulus).to_bytes(length, "big")


@functools.cache
def signer() -> Signer:
    """The run's own key: none is kept in the repository."""
    directory = tempfile.TemporaryDirectory(prefix="sns-")
    key, certificate = (Path(directory.name) / name for name in ("key.pem", "certificate.pem"))
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate),
            "-subj", "/CN=sns.amazonaws.com", "-days", "1")  # fmt: skip
    text = openssl("pkey", "-in", str(key), "-noout", "-text").decode()

    def number(name: str) -> int:
        match = re.search(name + r":\n((?:\s+[0-9a-f:]+\n)+)", text)
        assert match is not None
        return int(re.sub(r"[\s:]", "", match[1]), 16)

    return Signer(certificate.read_bytes(), number("modulus"), number("privateExponent"), directory)


def sealed(fields: dict[str, Any], version: str = "1") -> dict[str, Any]:
    """The envelope with its signature."""
    names = NAMES.get(fields.get("Type", ""), NAMES["SubscriptionConfirmation"])
    signed = "".join(f"{name}\n{fields[name]}\n" for name in names if name in fields)
    signature = base64.b64encode(signer().sign(signed.encode(), version)).decode()
    return {**fields, "SignatureVersion": version, "Signature": signature, "SigningCertURL": CERTIFICATE_URL}


def notification(message: str, **changes: Any) -> dict[str, Any]:
    """An envelope, not yet signed."""
    return {"Type": "Notification", "MessageId": "22b80b92", "TopicArn": TOPIC, "Message": message,
            "Timestamp": TIMESTAMP, "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=x",
            **changes}  # fmt: skip
