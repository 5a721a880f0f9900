"""The relay's image, as far as it can be looked at without Docker: what is in it, and its entry point where it runs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.emulator import Emulator, create_resources, environment, free_port
from tests.infra.conftest import alone
from tests.infra.terraform import INFRA, ROOT

pytestmark = pytest.mark.timeout(300)  # an environment is made from the index
DOCKERFILE = (ROOT / "smsc_relay" / "Dockerfile").read_text()
USER = 10001


def instructions(name: str) -> list[str]:
    """What follows each `name` in the Dockerfile, continued lines joined."""
    return re.findall(rf"^{name} (.*)$", DOCKERFILE.replace("\\\n", " "), re.MULTILINE)


def test_it_is_built_in_two_steps_on_a_base_held_by_its_digest() -> None:
    assert instructions("FROM") == ["${BASE}@${BASE_DIGEST} AS build", "${BASE}@${BASE_DIGEST}"]
    assert "BASE_DIGEST" in instructions("ARG")


def test_user_health_and_entry_are_those_of_the_task_definition() -> None:
    task = (INFRA / "modules" / "relay" / "main.tf").read_text()
    assert instructions("USER") == [f"{USER}:{USER}"]
    assert f'"{USER}:{USER}"' in task
    assert 'containerPath = "/tmp"' in task
    assert instructions("VOLUME") == ["/tmp"]
    (entry,), (command,) = instructions("ENTRYPOINT"), instructions("CMD")[-1:]
    assert json.loads(entry) == ["python", "-m", "smsc_relay.supervisor"]
    port = json.loads(command)[json.loads(command).index("--health-port") + 1]
    assert f"health_port = {port}" in task
    assert f"127.0.0.1:{port}/health" in instructions("HEALTHCHECK")[0]


def test_nothing_else_is_sent_to_the_builder() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == {
        "requirements-relay.txt",
        "chalicelib",
        "smsc_relay",
    }


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """What the Dockerfile makes of the project in /opt/relay: nobody but its owner may write there.

    The environment holds requirements-relay.txt and nothing else; it is made anew when that changes.
    """
    requirements = ROOT / "requirements-relay.txt"
    kept = ROOT / ".cache" / "relay" / hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    with alone(kept.parent / "lock"):
        if not (kept / "ready").exists():
            shutil.rmtree(kept, ignore_errors=True)
            subprocess.run([getattr(sys, "_base_executable", sys.executable), "-m", "venv", kept], check=True)
            pip = [kept / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--only-binary", ":all:", "--requirement", requirements], check=True)
            (kept / "ready").touch()
    home = Path(tempfile.mkdtemp(prefix="relay-image-", dir="/tmp"))
    try:
        home.chmod(0o755)  # the user of the image is not the owner of the folder
        (home / "venv").symlink_to(kept)
        ignore = shutil.ignore_patterns("simulator", "__pycache__")
        for package in ("chalicelib", "smsc_relay"):
            shutil.copytree(ROOT / package, home / "app" / package, ignore=ignore)
        yield home
    finally:
        shutil.rmtree(home)


def other_user(home: Path) -> dict[str, Any]:
    """Popen's options for the image's user: root can become it where it may run the interpreter."""
    if os.geteuid() != 0:
        return {}
    options = {"user": USER, "group": USER, "extra_groups": ()}
    probe: list[Any] = [home / "venv/bin/python", "-c", ""]
    try:
        subprocess.run(probe, check=True, capture_output=True, **options)
    except (PermissionError, subprocess.CalledProcessError):
        return {}  # an interpreter in root's own folder: nobody else may look in there
    return options


def test_the_entry_point_runs_with_what_is_in_the_image_and_ends_on_sigterm(image: Path, tmp_path: Path) -> None:
    port = free_port()
    with Emulator(log=tmp_path / "emulator.log") as emulator, (tmp_path / "relay.log").open("wb") as log:
        create_resources(emulator.endpoint)
        command: list[Any] = [image / "venv/bin/python", *json.loads(instructions("ENTRYPOINT")[0])[1:]]
        relay = subprocess.Popen(
            [*command, "--health-port", str(port)],
            cwd=image / "app",
            env={
                **environment(emulator.endpoint),
                "PATH": f"{image}/venv/bin:/usr/bin:/bin",
                "PYTHONPATH": str(image / "app"),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdout=log,
            stderr=subprocess.STDOUT,
            **other_user(image),
        )
        try:
            report = healthy(relay, port)
            assert report["status"] == "running"
            relay.send_signal(signal.SIGTERM)
            assert relay.wait(60) == 0, (tmp_path / "relay.log").read_text()
        finally:
            if relay.poll() is None:
                relay.kill()
                relay.wait()
    assert "relay_stopped" in (tmp_path / "relay.log").read_text()


def healthy(relay: subprocess.Popen[bytes], port: int) -> dict[str, Any]:
    """What it says of itself, as soon as it says something."""
    while relay.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except OSError:
            try:
                relay.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
    pytest.fail(f"the relay ended with status {relay.returncode}")
