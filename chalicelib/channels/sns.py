"""Amazon SNS over HTTPS: envelopes, and how they are signed.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from chalicelib.channels import dates
from chalicelib.channels.request import BadRequest, Forbidden
from chalicelib.channels.rsa import RSA, SHA256, elements
from chalicelib.channels.signatures import unbase64
from chalicelib.outcomes import Temporary
from chalicelib.transport import Http

_PLACE: Final = re.compile(r"https://sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(\.cn)?/[!-~]*")
_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_TIMEOUT: Final = 5.0  # seconds for a certificate or a confirmation; SNS gives us 15 in all
# SNS tries for an hour at most; a day leaves room for a redrive of what it could not deliver
_TOLERANCE: Final = timedelta(days=1)
# DigestInfo of SHA-1 and SHA-256 before the digest itself (RFC 8017 section 9.2 note 1), by SignatureVersion
_DIGESTS: Final = {
    "1": ("sha1", bytes.fromhex("3021300906052b0e03021a05000414")),
    "2": ("sha256", SHA256),
}
_VERSION: Final = 0xA0  # tag of the field that the first version of X.509 does not have

PublicKey = tuple[int, int]  # modulus, exponent


def verify(envelope: Mapping[str, Any], now: int) -> None:
    """Check an envelope's signature and age; `now` is in ms since the epoch.

    Raises:
        Forbidden: the signature is missing or wrong, or the certificate is not Amazon's.
        outcomes.NotAccepted: the certificate cannot be fetched.
    """
    values = {name: value for name, value in envelope.items() if isinstance(value, str)}
    algorithm = _DIGESTS.get(values.get("SignatureVersion", ""))
    signature = unbase64(values.get("Signature", ""))
    if algorithm is None or not signature:
        raise Forbidden("SNS signature missing, or of an unknown version")
    url = values.get("SigningCertURL", "")
    if not is_amazons(url) or not urlsplit(url).path.endswith(".pem"):
        raise Forbidden("the signing certificate is not at Amazon SNS")
    names = _NOTIFICATION if values.get("Type") == "Notification" else _CONFIRMATION
    signed = "".join(f"{name}\n{values[name]}\n" for name in names if name in values)
    if not rsa_valid(certificates(url), signature, signed.encode("utf-8", "replace"), *algorithm):
        raise Forbidden("SNS signature wrong")
    try:
        recent = dates.within(dates.rfc3339(values.get("Timestamp", "")), now, _TOLERANCE)
    except BadRequest:
        recent = False
    if not recent:
        raise Forbidden("the SNS notification is more than a day old")


def confirm(url: str) -> None:
    """Say yes to a subscription.

    Raises:
        Forbidden: `url` is not Amazon's.
        outcomes.NotAccepted: it did not work.
    """
    if not is_amazons(url):
        raise Forbidden("SubscribeURL is not at Amazon SNS")
    Http(timeout=_TIMEOUT).get(url, harmless=True)


def is_amazons(url: str) -> bool:
    """Is it an https URL of SNS's own hosts, on the usual port?"""
    return _PLACE.fullmatch(url) is not None


@functools.lru_cache(maxsize=16)
def certificates(url: str) -> PublicKey:
    """The key of the certificate at `url`, fetched once: Amazon's next certificate has another name.

    Raises:
        outcomes.NotAccepted: it cannot be had.
    """
    answer = Http(timeout=_TIMEOUT).get(url, harmless=True)
    try:
        return public_key(answer.body)
    except (ValueError, IndexError):
        raise Temporary("the signing certificate cannot be read") from None


def public_key(pem: bytes) -> PublicKey:
    """The RSA key of an X.509 certificate in PEM (RFC 5280 section 4.1, RFC 7468).

    Nothing else of it is looked at: that it is Amazon's follows from where it was fetched, over TLS.

    Raises:
        ValueError | IndexError: it is none.
    """
    match = re.search(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", pem, re.DOTALL)
    if match is None:
        raise ValueError("no certificate")
    try:
        der = base64.b64decode(b"".join(match.group(1).split()), validate=True)
    except binascii.Error:
        raise ValueError("no Base64") from None
    ((_, certificate),) = elements(der)
    fields = elements(elements(certificate)[0][1])
    # version (optional), serial number, signature, issuer, validity, subject, subjectPublicKeyInfo
    (_, algorithm), (_, bits) = elements(fields[6 if fields[0][0] == _VERSION else 5][1])
    if not algorithm.startswith(RSA):
        raise ValueError("no RSA key")
    ((_, key),) = elements(bits[1:])  # a bit string: its first octet counts unused bits
    (_, modulus), (_, exponent) = elements(key)
    return int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")


def rsa_valid(key: PublicKey, signature: bytes, message: bytes, algorithm: str, prefix: bytes) -> bool:
    """RSASSA-PKCS1-v1_5 verification by comparing encodings (RFC 8017 section 8.2.2)."""
    modulus, exponent = key
    length = (modulus.bit_length() + 7) // 8
    digest = prefix + hashlib.new(algorithm, message).digest()
    padding = length - len(digest) - 3
    value = int.from_bytes(signature, "big")
    if len(signature) != length or value >= modulus or padding < 8:
        return False
    encoded = pow(value, exponent, modulus).to_bytes(length, "big")
    return hmac.compare_digest(encoded, b"\x00\x01" + b"\xff" * padding + b"\x00" + digest)
