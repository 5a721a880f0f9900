"""Fixtures that every test may use: a real SQS/DynamoDB/SSM API on a socket, empty at the start of each test."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator

import hypothesis
import pytest

from chalicelib import aws as clients
from chalicelib import freezes, pacing, registry, settings, tokens
from local.emulator import Emulator, create_resources, environment
from tests.support import Aws

os.environ.setdefault("JANGADA_METRICS", "off")
# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("jangada", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("jangada")


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One emulator for the test process."""
    with Emulator(log=tmp_path_factory.mktemp("emulator") / "log") as started:
        yield started


@pytest.fixture(autouse=True)
def _logs() -> None:
    """The logger writes to what was stdout when it was made: in another test, and closed since."""
    for handler in logging.getLogger("jangada").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.stream = sys.stdout


@pytest.fixture
def aws(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """The deployment's queues and tables, empty, with two platforms (`main`, `other`) and one own lane (`fast`)."""
    emulator.reset()
    for name, value in environment(emulator.endpoint).items():
        monkeypatch.setenv(name, value)
    _forget(emulator.endpoint)
    create_resources(emulator.endpoint, own_lanes=["fast"], platforms=["main", "other"])
    yield Aws()
    _forget(emulator.endpoint)


def _forget(endpoint: str) -> None:
    for module in (settings, registry, pacing, tokens, freezes):
        module.reset()
    # Making them takes longer than most tests: they stay, unless a test has pointed them elsewhere.
    if any(client().url.rstrip("/") != endpoint for client in (clients.sqs, clients.dynamodb, clients.ssm)):
        clients.reset()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what a passed test says that it could not prove."""
    for report in terminalreporter.getreports("passed"):
        for heading in dict.fromkeys(name for name, _ in report.user_properties):
            terminalreporter.write_sep("-", f"{heading} ({report.nodeid.rpartition('::')[2]})")
            for name, value in report.user_properties:
                if name == heading:
                    terminalreporter.write_line(f"- {value}")
