"""AWS clients, made when first used and kept while the process lives.

DynamoDB, SQS and SSM are called by `chalicelib.awsapi`, with the methods and answers of botocore's clients, wherever
the environment is a function's or a task's: importing botocore and making its clients is most of a cold start. Where it
asks for more (a profile, a proxy), as an operator's shell may, botocore serves. Nothing happens at import.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from chalicelib.awsapi.sigv4 import Credentials

_CONNECT_TIMEOUT: Final = 2  # s
_READ_TIMEOUT: Final = 5  # s
_ASKS_FOR_MORE: Final = ("AWS_PROFILE", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")
_ROLE: Final = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")


@functools.cache
def _session() -> Any:
    import botocore.session

    return botocore.session.get_session()


def _of_botocore(service: str, read_timeout: int) -> Any:
    import botocore
    from botocore.config import Config

    config = Config(
        connect_timeout=_CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=16,
        tcp_keepalive=True,
        # Making these two anew for each call is a fifth of what it costs us.
        user_agent=f"jangada botocore/{botocore.__version__}",
        parameter_validation=False,  # the service validates as well, and types are checked before anything runs
    )
    return _session().create_client(service, config=config)


def plain(name: str) -> bool:
    """Whether the environment asks for nothing on the way to a service that only botocore can: see above."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    known = os.environ.get("AWS_ACCESS_KEY_ID") or any(os.environ.get(role) for role in _ROLE)
    if not (region and known) or any(os.environ.get(more) for more in _ASKS_FOR_MORE):
        return False
    from chalicelib.awsapi.calls import service

    to = service(name)
    if not (os.environ.get(f"{to.scheme}_proxy") or os.environ.get(f"{to.scheme.upper()}_PROXY")):
        return True
    from urllib.request import proxy_bypass

    return bool(proxy_bypass(to.authority))


def credentials() -> Callable[[], Credentials]:
    """What gives the credentials of the moment: a function has them in its environment, a task's are renewed."""
    from chalicelib.awsapi.sigv4 import Credentials

    key_id = os.environ.get("AWS_ACCESS_KEY_ID")
    if key_id:
        token = os.environ.get("AWS_SESSION_TOKEN", "")
        fixed = Credentials(key_id, os.environ.get("AWS_SECRET_ACCESS_KEY", ""), token)
        return lambda: fixed
    renewed = _session().get_credentials()

    def now() -> Credentials:
        frozen = renewed.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")

    return now


def _client(name: str, read_timeout: int = _READ_TIMEOUT) -> Any:
    if not plain(name):
        return _of_botocore(name, read_timeout)
    from chalicelib.awsapi.calls import service
    from chalicelib.awsapi.client import Client

    return Client(service(name), credentials(), connect_timeout=_CONNECT_TIMEOUT, read_timeout=read_timeout)


@functools.cache
def sqs() -> Any:
    """The SQS client; read time-out above the longest long poll."""
    return _client("sqs", read_timeout=25)


@functools.cache
def dynamodb() -> Any:
    """The low-level DynamoDB client."""
    return _client("dynamodb")


@functools.cache
def ssm() -> Any:
    """The SSM client."""
    return _client("ssm")


@functools.cache
def cloudwatch() -> Any:
    """The CloudWatch client, for tools: functions write their metrics to the log."""
    return _of_botocore("cloudwatch", _READ_TIMEOUT)


def reset() -> None:
    """Forget every client (tests, after the endpoint changed)."""
    for cached in (_session, sqs, dynamodb, ssm, cloudwatch):
        cached.cache_clear()


def pages(call: Callable[..., dict[str, Any]], **request: Any) -> Iterator[dict[str, Any]]:
    """Every answer of a query or scan of DynamoDB, until there is no LastEvaluatedKey."""
    while True:
        answer = call(**request)
        yield answer
        if not answer.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def error_code(error: BaseException) -> str:
    """The AWS error code of a botocore ClientError, e.g. "ConditionalCheckFailedException"; "" for anything else."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
