"""Logs and metrics (powertools): JSON lines keyed by message id, channel and aggregator; metrics as EMF on stdout.

No message text and no full phone number goes in. Metrics have one dimension, the aggregator's or platform's name:
dimensions cost money, and a number is none of them.
"""

from __future__ import annotations

import functools
import os
import traceback
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final

_SERVICE: Final = "jangada"


@functools.cache
def logger() -> Any:
    """The logger; its `extra` takes the keys of a record, never its text. `exception` logs where, and not the words:
    the text of an error (a validation error's, say) quotes what it could not take."""
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

    class Formatter(LambdaPowertoolsFormatter):
        def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
            return where(ei[2])

    level = os.environ.get("JANGADA_LOG_LEVEL", "INFO")
    return Logger(
        service=_SERVICE, level=level, logger_formatter=Formatter(use_rfc3339=True, serialize_stacktrace=False)
    )


def where(trace: TracebackType | None) -> str:
    """The calls that led to an exception as "file:line function", innermost last."""
    frames = traceback.extract_tb(trace)
    return " > ".join(f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames)


def whereabouts(error: BaseException) -> str:
    """Kind and place of an error, without its text: that may hold a number, a message or a URL with a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + at


def _emit(name: str, unit: str, value: float, subject: str) -> None:
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    namespace = os.environ.get("JANGADA_METRICS", "Jangada")
    with single_metric(name=name, unit=MetricUnit(unit), value=value, namespace=namespace) as metric:
        metric.add_dimension(name="name", value=subject or "unknown")


def count(name: str, subject: str, value: int = 1) -> None:
    """Count `name` (sent, failed, retried, received, delivered_to_platform, …) for an aggregator or platform."""
    if os.environ.get("JANGADA_METRICS") != "off":
        _emit(name, "Count", value, subject)


def gauges(subject: str, values: Mapping[str, tuple[str, float]], said: Mapping[str, str | int] | None = None) -> None:
    """Several metrics of an aggregator in one line: name -> (CloudWatch's unit, value). `said`: what is no metric, and
    stands in the same line (properties of EMF: Logs Insights finds them)."""
    _together(subject, [(name, unit, value) for name, (unit, value) in values.items()], said)


def accepted(aggregator: str, took: Sequence[int]) -> None:
    """Of each accepted message, from our taking it to its acceptance (ms): `sent` and `latency` of a run in one line,
    which costs as much as one of a single number."""
    latencies = [("latency", "Milliseconds", max(0, ms)) for ms in took]
    _together(aggregator, [("sent", "Count", len(took)), *latencies])


def _together(
    subject: str, values: Sequence[tuple[str, str, float]], said: Mapping[str, str | int] | None = None
) -> None:
    if os.environ.get("JANGADA_METRICS") == "off" or not values:
        return
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    metrics = EphemeralMetrics(namespace=os.environ.get("JANGADA_METRICS", "Jangada"))
    metrics.add_dimension(name="name", value=subject or "unknown")
    for name, unit, value in values:
        metrics.add_metric(name=name, unit=MetricUnit(unit), value=value)
    for key, what in (said or {}).items():
        metrics.add_metadata(key, what)
    metrics.flush_metrics()


def latency(aggregator: str, ms: int) -> None:
    """From our taking the message to the aggregator's accepting it, in ms."""
    if os.environ.get("JANGADA_METRICS") != "off":
        _emit("latency", "Milliseconds", max(0, ms), aggregator)
