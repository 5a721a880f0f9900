"""`jangada smsc check`: with what EC2 tells of tunnels and routes, in a task, and its report."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli import onboarding_check
from smsc_relay.simulator.simulator import Simulator
from tests.cli.aws_stub import Stub, serving
from tests.cli.conftest import Jangada
from tests.support import CHANNEL, Aws

TO = "+250788123123"
VPN = {"peer_ip": "196.0.0.10", "their_networks": ["127.0.0.0/8"]}


@contextmanager
def simulated() -> Iterator[Simulator]:
    """An SMSC in a thread of its own, for commands that have their own event loop."""
    up, over = threading.Event(), threading.Event()
    smsc = Simulator({"accounts": {"ilha": {"password": "hunter2"}}})

    async def run() -> None:
        async with smsc:
            up.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    up.wait()
    try:
        yield smsc
    finally:
        over.set()
        thread.join()


@pytest.fixture
def smsc(aws: Aws) -> Iterator[Simulator]:
    """The account `fast` at a simulated SMSC behind a VPN."""
    with simulated() as smsc:
        config = {"host": "127.0.0.1", "port": smsc.smpp_port, "system_id": "ilha", "response_timeout": 2}
        aws.aggregator("fast", "SMPP", config=config, secrets={"password": "hunter2"}, vpn=VPN)
        aws.channel(CHANNEL, type="SMPP")
        yield smsc


@pytest.fixture
def stub(smsc: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """EC2, ECS and Logs."""
    stub = Stub()
    stub.port = smsc.smpp_port
    with serving(stub) as url:
        for service in ("EC2", "ECS", "CLOUDWATCH_LOGS"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", url)
        yield stub


def test_from_here(jangada: Jangada, stub: Stub, tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    ran = jangada("smsc", "check", "fast", "--to", TO, "--report", path)
    assert ran.status == 0, ran.out
    names = [line[9:].partition(":")[0] for line in ran.out.splitlines() if not line.startswith("...")]
    assert names[:4] == ["configuration", "tunnel", "route in AWS", "route"]
    assert names[-3:] == ["its receipt", "test MO", "logout"]
    assert TO[1:] not in ran.out
    report = path.read_text()
    assert "Every step that was taken is well." in report
    assert f"went to {TO}" in report
    assert "2 of 2 up: 192.0.2.1 UP; 192.0.2.2 UP" in report
    assert stub.asked[0]["Filter.1.Value.1"] == ["jangada-local-fast"]


@pytest.mark.parametrize(
    ("tunnels", "state", "routes", "port", "step", "said"),
    [
        pytest.param(None, "available", None, 0, "tunnel", "terraform apply", id="no-vpn"),
        pytest.param(("DOWN", "DOWN"), "available", None, 0, "tunnel", "192.0.2.1 DOWN IPSEC IS DOWN", id="both-down"),
        pytest.param(("DOWN", "DOWN"), "available", None, 0, "tunnel", "UDP 500 and 4500", id="what-to-ask"),
        pytest.param((), "pending", None, 0, "tunnel", "is pending", id="pending"),
        pytest.param(("UP", "UP"), "available", [], 0, "route in AWS", "no route to 127.0.0.1", id="no-route"),
        pytest.param(("UP", "UP"), "available", [("127.0.0.0/8", "vgw-1", "blackhole")], 0, "route in AWS", "blackhole",
                     id="blackhole"),
        pytest.param(("UP", "UP"), "available", [("0.0.0.0/0", "igw-1", "active")], 0, "route in AWS", "not into a VPN",
                     id="internet"),
        pytest.param(("UP", "DOWN"), "available", None, 1, "route in AWS", "lets nothing out", id="security-group"),
    ],
)  # fmt: skip
def test_what_aws_tells_fails(
    jangada: Jangada, stub: Stub, tunnels: tuple[str, ...] | None, state: str,
    routes: list[tuple[str, str, str]] | None, port: int, step: str, said: str, tmp_path: Path,
) -> None:  # fmt: skip
    stub.tunnels, stub.state = tunnels, state
    stub.routes = stub.routes if routes is None else routes
    stub.port = port or stub.port
    ran = jangada("smsc", "check", "fast", "--report", tmp_path / "report.md")
    assert ran.status == 1
    assert f"FAILED   {step}: " in ran.out
    assert said in ran.out
    assert "bind" not in ran.out.replace("FAILED", "")
    assert f"**{step}**" in (tmp_path / "report.md").read_text()


def test_who_may_not_look_goes_on(jangada: Jangada, stub: Stub) -> None:
    stub.refuses = True
    ran = jangada("smsc", "check", "fast")
    assert ran.status == 0
    assert "skipped  tunnel: AWS does not let us look (UnauthorizedOperation)" in ran.out


def test_without_a_vpn(aws: Aws, jangada: Jangada, smsc: Simulator) -> None:
    config = {"host": "127.0.0.1", "port": smsc.smpp_port, "system_id": "ilha"}
    aws.aggregator("slow", "SMPP", config={**config, "host": "127.0.0.2"}, secrets={"password": "hunter2"})
    aws.aggregator("fast", "SMPP", config=config, secrets={"password": "hunter2"})
    assert "skipped  tunnel: there is no vpn in its file" in jangada("smsc", "check", "fast").out


def test_the_vpn_of_another_account(aws: Aws, jangada: Jangada, stub: Stub, smsc: Simulator) -> None:
    config = {"host": "127.0.0.1", "port": smsc.smpp_port, "system_id": "ilha"}
    aws.aggregator("second", "SMPP", config=config, secrets={"password": "hunter2"})
    assert jangada("smsc", "check", "second").status == 0
    assert stub.asked[0]["Filter.1.Value.1"] == ["jangada-local-fast"]


def test_in_a_task(jangada: Jangada, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The container's own entry point runs; its log is where the steps come from."""
    monkeypatch.setattr(onboarding_check, "LOOK", 0.0)
    ran = jangada("smsc", "check", "fast", "--ecs", "jangada-local/jangada-local-relay", "--to", TO, "--burst", "2")
    assert ran.status == 0, ran.out + ran.err
    for line in ("ok       tunnel: ", "ok       configuration: ", "ok       its receipt: ", "ok       logout: "):
        assert line in ran.out
    (request,) = stub.requests
    assert request["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"] == ["sg-1"]
    assert request["launchType"] == "FARGATE"


def test_in_a_task_a_step_fails(aws: Aws, jangada: Jangada, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onboarding_check, "LOOK", 0.0)
    aws.aggregator("fast", "SMPP", config={"host": "127.0.0.1", "port": stub.port, "system_id": "other"}, vpn=VPN)
    ran = jangada("smsc", "check", "fast", "--ecs", "c/s")
    assert ran.status == 1
    assert "FAILED   bind: the login is refused: ESME_R" in ran.out


def test_the_command_that_starts_a_task(jangada: Jangada, stub: Stub) -> None:
    ran = jangada("smsc", "check", "fast", "--ecs", "jangada-local/relay", "--dry-run")
    assert ran.out.startswith(
        "aws ecs run-task --cluster jangada-local --task-definition relay:1 --launch-type FARGATE"
    )
    assert '"command":["check","fast","--json"' in ran.out
    assert not stub.requests


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--to", "hello"), "write it as +256700123123"), (("--ecs", "cluster", "--dry-run"), "CLUSTER/SERVICE")],
)
def test_arguments_that_cannot_be_used(jangada: Jangada, arguments: tuple[str, ...], said: str) -> None:
    ran = jangada("smsc", "check", "fast", *arguments)
    assert ran.status == 1
    assert said in ran.err
