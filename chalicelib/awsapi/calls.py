"""A call as octets, and its answer as what botocore's clients answer: no I/O here.

Protocol: AWS JSON 1.0 and 1.1 (smithy.io, "AWS JSON protocols"). Names of operations are those of botocore's methods,
parameters and answers have botocore's shapes, and what fails raises botocore's ClientError.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pydantic_core import from_json, to_json

from chalicelib.awsapi.sigv4 import Credentials, signed

_TARGETS: Final = {"dynamodb": "DynamoDB_20120810", "sqs": "AmazonSQS", "ssm": "AmazonSSM"}
_BACKOFF: Final = 0.2  # s
_TRANSIENT: Final = frozenset((500, 502, 503, 504))
# What the SDKs of AWS try again ("Retry behavior", AWS SDKs and Tools Reference Guide).
_TRY_AGAIN: Final = frozenset(
    (
        "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestTimeout",
        "RequestTimeoutException", "SlowDown", "Throttling", "ThrottledException", "ThrottlingException",
        "TooManyRequestsException", "TransactionInProgressException",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Service:
    """Where a service's calls go."""

    name: str  # dynamodb, sqs, ssm
    region: str
    scheme: str
    host: str
    port: int  # 0: the scheme's

    @property
    def authority(self) -> str:
        """The Host header."""
        return f"{self.host}:{self.port}" if self.port else self.host

    @property
    def url(self) -> str:
        """For messages."""
        return f"{self.scheme}://{self.authority}/"


def service(name: str, environment: Mapping[str, str] = os.environ) -> Service:
    """As the SDKs of AWS find it: AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, or the region's.

    Raises:
        ValueError: no region is set.
    """
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or ""
    if not region:
        raise ValueError("no AWS region: set AWS_REGION, e.g. AWS_REGION=eu-west-1")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    url = environment.get(f"AWS_ENDPOINT_URL_{name.upper()}") or environment.get("AWS_ENDPOINT_URL")
    parts = urlsplit(url or f"https://{name}.{region}.{suffix}")
    return Service(name, region, parts.scheme, parts.hostname or "", parts.port or 0)


class Answer(NamedTuple):
    """What came back; of the headers those that matter here, by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Damaged(Exception):  # noqa: N818 - says what happened
    """The answer is not what the service has sent (x-amz-crc32, JSON): the call may have been done."""


def request(
    to: Service,
    operation: str,
    parameters: dict[str, Any],
    credentials: Credentials,
    now: float,
    agent: str = "jangada",
) -> tuple[dict[str, str], bytes]:
    """Headers and body of the POST that makes a call; `operation` as botocore's method: `put_item`."""
    body = _body(to, parameters)
    headers = {
        "content-type": f"application/x-amz-json-{'1.1' if to.name == 'ssm' else '1.0'}",
        "host": to.authority,
        "x-amz-target": f"{_TARGETS[to.name]}.{camel(operation)}",
    }
    headers = signed(credentials, to.region, to.name, headers, body, now)
    headers["user-agent"] = agent
    return headers, body


def result(to: Service, operation: str, answer: Answer) -> dict[str, Any]:
    """What botocore's method would answer.

    Raises:
        botocore.exceptions.ClientError: the service has not done it.
        Damaged: the answer is not whole.
    """
    checksum = answer.headers.get("x-amz-crc32")
    if checksum and int(checksum) != zlib.crc32(answer.body):
        raise Damaged(f"{to.name} {operation}: the answer's x-amz-crc32 does not fit")
    if answer.status == 200:
        try:
            found: dict[str, Any] = _parsed(answer.body)
        except ValueError:
            raise Damaged(f"{to.name} {operation}: the answer is not JSON") from None
        return found
    raise _error(operation, answer)


def try_again(error: Exception) -> bool:
    """Whether the same call may well succeed in a moment."""
    if isinstance(error, (OSError, Damaged)):
        return True
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return False
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    return status in _TRANSIENT or response["Error"]["Code"] in _TRY_AGAIN


def backoff(attempt: int) -> float:
    """Seconds to wait after the n-th attempt (from 1): a random part of 0.2 s, doubled each time ("full jitter")."""
    return secrets.randbelow(1000) / 1000 * _BACKOFF * 2.0 ** (attempt - 1)


def _error(operation: str, answer: Answer) -> Exception:
    from botocore.exceptions import ClientError

    try:
        told = _parsed(answer.body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        told = {}  # of a proxy, or cut
    # SQS names its errors twice: in this header as before it spoke JSON, which is what botocore's users know.
    code = answer.headers.get("x-amzn-query-error", "").partition(";")[0]
    code = code or str(told.get("__type", "")).rpartition("#")[2] or str(answer.status)
    error = {"Code": code, "Message": told.get("message") or told.get("Message") or ""}
    response: Any = {**told, "Error": error, "ResponseMetadata": {"HTTPStatusCode": answer.status}}
    failed: Exception = ClientError(response, camel(operation))
    return failed


def camel(operation: str) -> str:
    """`PutItem` for `put_item`."""
    return "".join(word.capitalize() for word in operation.split("_"))


def _parsed(body: bytes) -> Any:
    if b'"B"' in body:
        return json.loads(body, object_hook=_value)
    try:
        return from_json(body)
    except ValueError:  # lone surrogates: the fast way knows none
        return json.loads(body)


def _body(to: Service, parameters: dict[str, Any]) -> bytes:
    if to.name == "sqs":  # has no octets among its parameters, which the fast way takes for text
        try:
            return to_json(parameters)
        except ValueError:  # lone surrogates again
            pass
    return _written(parameters).encode()


def _octets(value: object) -> str:
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"{type(value).__name__} in the parameters of a call")


_written = json.JSONEncoder(separators=(",", ":"), default=_octets).encode


def _value(found: dict[str, Any]) -> dict[str, Any]:
    """An attribute value of DynamoDB that is binary, as octets."""
    if len(found) == 1 and isinstance(found.get("B"), str):
        return {"B": base64.b64decode(found["B"])}
    return found
