"""The relay's image, as far as it can be made without Docker: what is in it, and its entry point as it will run.

What the Dockerfile does is done here, and the result started as its user, as process 1 and on a root that is read-only,
where this machine allows: for that, Linux's namespaces and root are needed.
"""

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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from local.emulator import Emulator, create_resources, environment, free_port
from tests.infra.conftest import alone
from tests.infra.terraform import INFRA, ROOT, tool

pytestmark = pytest.mark.timeout(300)  # an environment is made from the index
DOCKERFILE: Final = (ROOT / "smsc_relay" / "Dockerfile").read_text()
LOCK: Final = ROOT / "requirements-relay.lock"
USER: Final = 10001
LARGEST: Final = 120_000_000  # octets of what we add to the base image

# As root in a mount namespace of its own: the interpreter may be in a folder that only root can enter, /tmp is writable
# and empty, all else is read-only; then the image's user without any capability, and the command as process 1.
CONTAINER: Final = """
set -e
mount --make-rprivate /
closed=$1 python=$2; shift 2
mount -t tmpfs -o mode=1777 tmpfs /tmp
if [ -n "$closed" ]; then
    mkdir /tmp/python
    mount --bind "$python" /tmp/python
    mount -t tmpfs -o mode=755 tmpfs "$closed"
    mkdir -p "$python"
    mount --move /tmp/python "$python"
    rmdir /tmp/python
fi
mount -o remount,bind,ro /
exec setpriv --reuid $USER_ID --regid $USER_ID --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""


def instructions(name: str) -> list[str]:
    """What follows each `name` in the Dockerfile, continued lines joined."""
    return re.findall(rf"^{name} (.*)$", DOCKERFILE.replace("\\\n", " "), re.MULTILINE)


# --- what the files say ---------------------------------------------------------------------------------------------


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([tool("hadolint"), "smsc_relay/Dockerfile"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_it_is_built_in_two_steps_on_a_base_held_by_its_digest() -> None:
    assert instructions("FROM") == ["${BASE}@${BASE_DIGEST} AS build", "${BASE}@${BASE_DIGEST}"]
    assert "BASE_DIGEST" in instructions("ARG")


def test_user_health_and_entry_are_those_of_the_task_definition() -> None:
    task = (INFRA / "modules" / "relay" / "main.tf").read_text()
    assert instructions("USER") == [f"{USER}:{USER}"]
    assert f'"{USER}:{USER}"' in task
    assert 'containerPath = "/tmp"' in task
    assert instructions("VOLUME") == ["/tmp"]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    (entry,), (command,) = instructions("ENTRYPOINT"), instructions("CMD")[-1:]
    assert json.loads(entry) == ["python", "-m", "smsc_relay.supervisor"]
    port = json.loads(command)[json.loads(command).index("--health-port") + 1]
    assert f"health_port = {port}" in task
    assert f"127.0.0.1:{port}/health" in instructions("HEALTHCHECK")[0]


def test_nothing_else_is_sent_to_the_builder() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == {
        "requirements-relay.lock",
        "chalicelib",
        "smsc_relay",
    }


def test_the_lock_holds_what_the_requirements_say() -> None:
    pinned = re.findall(r"^[a-z0-9-]+==\S+", LOCK.read_text(), re.MULTILINE)
    wanted = re.findall(r"^[a-z0-9-]+==\S+", (ROOT / "requirements-relay.txt").read_text(), re.MULTILINE)
    assert set(wanted) <= set(pinned), "requirements-relay.lock is old: its first lines say how it is made"
    assert LOCK.read_text().count("--hash=sha256:") > len(pinned)


# --- what is made of them -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """What the Dockerfile makes of the project in /opt/relay: nobody but its owner may write there.

    The environment holds what requirements-relay.lock says and nothing else; it is made anew when that changes.
    """
    seed = LOCK.read_bytes() + "\n".join(instructions("RUN")).encode()
    kept = ROOT / ".cache" / "relay" / hashlib.sha256(seed).hexdigest()[:12]
    base = getattr(sys, "_base_executable", sys.executable)
    with alone(kept.parent / "lock"):
        if not (kept / "ready").exists():
            shutil.rmtree(kept, ignore_errors=True)
            subprocess.run([base, "-m", "venv", "--without-pip", str(kept)], check=True)
            assert "--without-pip /opt/relay" in instructions("RUN")[0]
            command = (
                instructions("RUN")[1].replace("/opt/relay/", f"{kept}/").replace("/tmp/requirements", "requirements")
            )
            assert command.startswith("python -m pip --python ")
            pip = [sys.executable, *command.split()[1:], "--quiet", "--disable-pip-version-check"]
            subprocess.run(pip, cwd=ROOT, check=True)
            (kept / "ready").touch()
    home = Path(tempfile.mkdtemp(prefix="relay-image-", dir="/var/tmp"))
    try:
        home.chmod(0o755)  # the user of the image is not the owner of the folder
        shutil.copytree(kept, home / "venv", symlinks=True)  # the project may be where that user cannot go
        ignore = shutil.ignore_patterns("simulator", "__pycache__")
        for package in ("chalicelib", "smsc_relay"):
            shutil.copytree(ROOT / package, home / "app" / package, ignore=ignore)
        compiled = [
            "-m",
            "compileall",
            "-q",
            "--invalidation-mode",
            "unchecked-hash",
            str(home / "venv" / "lib"),
            str(home / "app"),
        ]
        subprocess.run([str(home / "venv" / "bin" / "python"), *compiled], check=True)
        yield home
    finally:
        shutil.rmtree(home)


def test_our_layers_are_small(image: Path) -> None:
    sizes = {
        name: sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
        for name, folder in {"libraries": (image / "venv").resolve(), "our own": image / "app"}.items()
    }
    assert sizes["libraries"] > 10_000_000  # it is there
    assert sum(sizes.values()) < LARGEST, sizes


def test_there_is_no_installer_in_it(image: Path) -> None:
    names = {path.name.split("-")[0] for path in (image / "venv").resolve().glob("lib/python*/site-packages/*")}
    assert {"pydantic", "aiohttp"} <= names
    assert not names & {"pip", "setuptools", "wheel", "pytest", "boto3", "chalice"}


def closed_folder(path: Path) -> str:
    """The first folder above `path` that only its owner may enter; "" where there is none."""
    return next((str(one) for one in reversed(path.parents) if not one.stat().st_mode & 0o001), "")


def contained(*command: str | Path) -> list[str]:
    """The command as in a container; as it is where this machine has no namespaces for us."""
    prefix = Path(sys.base_prefix).resolve()
    shell = ["sh", "-c", CONTAINER, "sh", closed_folder(prefix), str(prefix)]
    wrapped = ["unshare", "--mount", "--pid", "--fork", "--kill-child", *shell]
    probe = [*wrapped, sys.executable, "-c", ""]
    options: dict[str, Any] = {"env": {**os.environ, "USER_ID": str(USER)}, "capture_output": True}
    if os.geteuid() == 0 and shutil.which("setpriv") and subprocess.run(probe, check=False, **options).returncode == 0:
        return [*wrapped, *map(str, command)]
    return list(map(str, command))


def child_of(process: subprocess.Popen[bytes]) -> int:
    """The id, out here, of process 1 in there."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0])


def test_it_runs_as_its_user_on_a_read_only_root_and_ends_on_sigterm(
    image: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    port = free_port()
    python = image / "venv/bin/python"
    command = contained(python, *json.loads(instructions("ENTRYPOINT")[0])[1:], "--health-port", str(port))
    isolated = command[0] == "unshare"
    if not isolated:
        record_property("not proved of the image", "user, read-only root, process 1: no root or no namespaces here")
    record_property("not proved of the image", "the build itself, the base image and arm64: there is no Docker")
    with Emulator(log=tmp_path / "emulator.log") as emulator, (tmp_path / "relay.log").open("wb") as log:
        create_resources(emulator.endpoint)
        settings = {
            **environment(emulator.endpoint),
            "PATH": f"{image}/venv/bin:/usr/bin:/bin",
            "PYTHONPATH": str(image / "app"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "USER_ID": str(USER),
        }
        relay = subprocess.Popen(command, cwd=image / "app", env=settings, stdout=log, stderr=subprocess.STDOUT)
        try:
            report = healthy(relay, port)
            assert report["status"] == "running"
            first = child_of(relay) if isolated else relay.pid
            if isolated:
                told = dict(re.findall(r"^(\w+):\s+(.*)$", Path(f"/proc/{first}/status").read_text(), re.MULTILINE))
                assert told["NSpid"].split()[-1] == "1"
                assert told["Uid"].split() == [str(USER)] * 4
                assert int(told["CapBnd"], 16) == int(told["CapEff"], 16) == 0
                mounts = Path(f"/proc/{first}/mounts").read_text()
                assert re.search(r"^\S+ / \S+ ro[, ]", mounts, re.MULTILINE)
            os.kill(first, signal.SIGTERM)
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
