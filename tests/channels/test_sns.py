"""Amazon SNS: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from chalicelib import transport
from chalicelib.channels import sns
from chalicelib.channels.request import Forbidden
from chalicelib.outcomes import NotAccepted, Temporary
from tests.channels.sns_support import AT, CERTIFICATE_URL, notification, sealed, signer
from tests.channels.support import NOW, without
from tests.tools import openssl

DAY = 86_400_000
GOOD = notification('{"a":1}')
CONFIRMATION = {**GOOD, "Type": "SubscriptionConfirmation", "Token": "2336", "Message": "You have chosen to subscribe",
                "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"}  # fmt: skip


@pytest.fixture(autouse=True)
def web() -> Iterator[responses.RequestsMock]:
    """Amazon's host, with the certificate."""
    transport.reset()
    sns.certificates.cache_clear()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(CERTIFICATE_URL, body=signer().certificate)
        yield mock
    sns.certificates.cache_clear()


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(GOOD, id="notification"),
        pytest.param({**GOOD, "Subject": "Hi ✓"}, id="with-subject"),
        pytest.param({**GOOD, "SubscribeURL": "x", "Token": "y"}, id="what-is-not-signed-is-left-out"),
        pytest.param(CONFIRMATION, id="confirmation"),
        pytest.param({**CONFIRMATION, "Type": "UnsubscribeConfirmation"}, id="unsubscribe"),
        pytest.param(notification("Ünïcode \n 😀"), id="unicode"),
    ],
)
def test_good_signatures(fields: dict[str, Any], version: str) -> None:
    sns.verify(sealed(fields, version), NOW)


def test_openssl_agrees(tmp_path: Path) -> None:
    """A signature that our own arithmetic has no part in."""
    signed = "".join(f"{name}\n{GOOD[name]}\n" for name in ("Message", "MessageId", "Timestamp", "TopicArn", "Type"))
    (tmp_path / "message").write_bytes(signed.encode())
    key = str(Path(signer().directory.name) / "key.pem")
    for version, algorithm in (("1", "-sha1"), ("2", "-sha256")):
        signature = openssl("dgst", algorithm, "-sign", key, str(tmp_path / "message"))
        known = {"SignatureVersion": version, "SigningCertURL": CERTIFICATE_URL}
        sns.verify({**GOOD, **known, "Signature": base64.b64encode(signature).decode()}, NOW)


def test_the_certificate_is_fetched_once(web: responses.RequestsMock) -> None:
    for _ in range(3):
        sns.verify(sealed(GOOD), NOW)
    assert len(web.calls) == 1


@pytest.mark.parametrize("name", ["Message", "MessageId", "Timestamp", "TopicArn", "Type"])
def test_every_signed_field_counts(name: str) -> None:
    for changed in ({**sealed(GOOD), name: sealed(GOOD)[name] + "0"}, without(sealed(GOOD), name)):
        with pytest.raises(Forbidden):
            sns.verify(changed, NOW)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"Signature": None}, "missing", id="none"),
        pytest.param({"Signature": ""}, "missing", id="empty"),
        pytest.param({"Signature": "%%%"}, "missing", id="no-base64"),
        pytest.param({"Signature": "AAAA"}, "wrong", id="short"),
        pytest.param({"Signature": base64.b64encode(b"\xff" * 256).decode()}, "wrong", id="beyond-the-modulus"),
        pytest.param({"Signature": base64.b64encode(b"\0" * 256).decode()}, "wrong", id="zero"),
        pytest.param({"SignatureVersion": "2"}, "wrong", id="another-version"),
        pytest.param({"SignatureVersion": "3"}, "unknown version", id="unknown-version"),
        pytest.param({"SignatureVersion": 1}, "unknown version", id="version-is-no-text"),
        pytest.param({"Subject": "added"}, "wrong", id="field-added"),
    ],
)
def test_bad_signatures(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(Forbidden, match=why):
        sns.verify({**sealed(GOOD), **changes}, NOW)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="none"),
        pytest.param("http://sns.eu-west-1.amazonaws.com/a.pem", id="http"),
        pytest.param("https://sns.eu-west-1.amazonaws.com/a.txt", id="no-pem"),
        pytest.param("https://sns.eu-west-1.amazonaws.com/?a.pem", id="pem-in-the-query"),
        pytest.param("https://sns.eu-west-1.amazonaws.com.example.org/a.pem", id="another-domain"),
        pytest.param("https://example.org/sns.eu-west-1.amazonaws.com/a.pem", id="host-in-the-path"),
        pytest.param("https://sns.eu-west-1.amazonaws.com@example.org/a.pem", id="host-as-user"),
        pytest.param("https://example.org@sns.eu-west-1.amazonaws.com/a.pem", id="user"),
        pytest.param("https://sns.eu-west-1.amazonaws.com:8443/a.pem", id="port"),
        pytest.param("https://evil.sns.eu-west-1.amazonaws.com/a.pem", id="host-below"),
        pytest.param("https://xsns.eu-west-1.amazonaws.com/a.pem", id="host-beside"),
        pytest.param("https://sns.eu.amazonaws.com/a.pem", id="short-region"),
        pytest.param("https://sns.eu-west-1.amazonaws.com\n/a.pem", id="newline"),
        pytest.param("https://[sns/a.pem", id="no-url"),
    ],
)
def test_the_certificate_must_be_amazons(url: str, web: responses.RequestsMock) -> None:
    with pytest.raises(Forbidden, match="not at Amazon"):
        sns.verify({**sealed(GOOD), "SigningCertURL": url}, NOW)
    assert not web.calls


def test_china_is_amazons_too(web: responses.RequestsMock) -> None:
    url = "https://sns.cn-north-1.amazonaws.com.cn/a.pem"
    web.get(url, body=signer().certificate)
    sns.verify({**sealed(GOOD), "SigningCertURL": url}, NOW)


@pytest.mark.parametrize(("ms", "fine"), [(-DAY, True), (DAY, True), (-DAY - 1, False), (DAY + 1, False)])
def test_replays(ms: int, fine: bool) -> None:
    if fine:
        sns.verify(sealed(GOOD), AT + ms)
    else:
        with pytest.raises(Forbidden, match="more than a day old"):
            sns.verify(sealed(GOOD), AT + ms)


def test_a_date_that_is_none() -> None:
    with pytest.raises(Forbidden, match="more than a day old"):
        sns.verify(sealed({**GOOD, "Timestamp": "soon"}), NOW)


def test_the_samples_date() -> None:
    assert datetime.fromtimestamp(AT / 1000, UTC).isoformat(timespec="milliseconds") == "2026-02-02T02:40:00.120+00:00"


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b""), (503, b""), (200, b"no certificate"), (200, requests.exceptions.ConnectTimeout()),
     (200, b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----"),
     (200, b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"),
     (200, b"-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----")],
)  # fmt: skip
def test_a_certificate_that_cannot_be_had_is_asked_for_again(
    status: int, body: Any, web: responses.RequestsMock
) -> None:
    web.replace(responses.GET, CERTIFICATE_URL, body=body, status=status)
    with pytest.raises(NotAccepted):
        sns.verify(sealed(GOOD), NOW)
    web.replace(responses.GET, CERTIFICATE_URL, body=signer().certificate)
    sns.verify(sealed(GOOD), NOW)


def test_a_certificate_of_another_kind_of_key(tmp_path: Path, web: responses.RequestsMock) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key),
            "-out", str(certificate), "-subj", "/CN=x", "-days", "1")  # fmt: skip
    web.replace(responses.GET, CERTIFICATE_URL, body=certificate.read_bytes())
    with pytest.raises(Temporary, match="cannot be read"):
        sns.verify(sealed(GOOD), NOW)


def test_confirming(web: responses.RequestsMock) -> None:
    web.get("https://sns.eu-west-1.amazonaws.com/", body="<ok/>")
    sns.confirm(CONFIRMATION["SubscribeURL"])
    assert web.calls[0].request.url == CONFIRMATION["SubscribeURL"]
    with pytest.raises(Forbidden, match="not at Amazon"):
        sns.confirm("https://example.org/?Action=ConfirmSubscription")
