"""AWS clients, made when first used and kept while the process lives.

Importing boto3 and making a client costs 20 to 500 ms, so nothing here happens at import time. Connections idle for
longer than a frozen Lambda keeps its sockets are replaced by botocore itself, which retries on a dead connection.
"""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def _session() -> Any:
    import botocore.session

    return botocore.session.get_session()


def _client(service: str, **options: Any) -> Any:
    import botocore
    from botocore.config import Config

    config = Config(
        connect_timeout=2,
        read_timeout=options.pop("read_timeout", 5),
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=16,
        tcp_keepalive=True,
        # Making these two anew for each call is a fifth of what it costs us.
        user_agent=f"jangada botocore/{botocore.__version__}",
        parameter_validation=False,  # the service validates as well, and types are checked before anything runs
    )
    return _session().create_client(service, config=config)


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
    return _client("cloudwatch")


def reset() -> None:
    """Forget every client (tests, after the endpoint changed)."""
    for cached in (_session, sqs, dynamodb, ssm, cloudwatch):
        cached.cache_clear()


def error_code(error: BaseException) -> str:
    """The AWS error code of a botocore ClientError, e.g. "ConditionalCheckFailedException"; "" for anything else."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
