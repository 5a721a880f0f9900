"""Logs and metrics (powertools): JSON lines keyed by message id, channel and aggregator; metrics as EMF on stdout.

No message text and no full phone number goes in. Metrics have one dimension, the aggregator's or platform's name:
dimensions cost money, and a number is none of them.
"""

from __future__ import annotations

import functools
import os
from typing import Any, Final

_SERVICE: Final = "jangada"


@functools.cache
def logger() -> Any:
    """The logger; its `extra` takes the keys of a record, never its text."""
    from aws_lambda_powertools import Logger

    return Logger(service=_SERVICE, level=os.environ.get("JANGADA_LOG_LEVEL", "INFO"), use_rfc3339=True)


def _emit(name: str, unit: str, value: float, subject: str) -> None:
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    namespace = os.environ.get("JANGADA_METRICS", "Jangada")
    with single_metric(name=name, unit=MetricUnit(unit), value=value, namespace=namespace) as metric:
        metric.add_dimension(name="name", value=subject or "unknown")


def count(name: str, subject: str, value: int = 1) -> None:
    """Count `name` (sent, failed, retried, received, delivered_to_platform, …) for an aggregator or platform."""
    if os.environ.get("JANGADA_METRICS") != "off":
        _emit(name, "Count", value, subject)


def latency(aggregator: str, ms: int) -> None:
    """From our taking the message to the aggregator's accepting it, in ms."""
    if os.environ.get("JANGADA_METRICS") != "off":
        _emit("latency", "Milliseconds", max(0, ms), aggregator)
