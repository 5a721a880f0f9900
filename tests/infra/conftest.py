"""The packaged functions and the stand-in provider, made once for all tests of infra/."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.infra.terraform import INFRA, ROOT, Terraform, copy_infra, make_mirror

# Aggregators that are reached from fixed addresses, and through a VPN.
FIXED = """
name: fixed
type: KN
lane: own
egress: nat
config: {send_url: "https://kannel.example.org:13013/cgi-bin/sendsms", username: ilha, password: !secret }
contacts: {noc: "+250 788 000 000"}
"""
INSIDE = """
name: inside
type: KN
lane: own
egress: vpc
config: {send_url: "http://10.99.1.5:13013/cgi-bin/sendsms", username: ilha, password: !secret }
contacts: {noc: "+250 788 000 001"}
vpn: {peer_ip: 197.99.0.1, their_networks: [10.99.1.0/24]}
"""

WORK = ROOT / ".cache" / "package"  # wheels that chalice has resolved are used again


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One test process at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def package() -> ModuleType:
    """infra/package.py, a program, as a module."""
    spec = importlib.util.spec_from_file_location("infra_package", INFRA / "package.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def functions(package: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module that `make package` makes of the project."""
    out: Path = tmp_path_factory.mktemp("functions") / "functions"
    with alone(WORK.parent / "package.lock"):
        package.build(out, work=WORK)
    return out


@pytest.fixture(scope="session")
def native(package: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions with libraries for this machine's processor: the emulator runs them here."""
    out: Path = tmp_path_factory.mktemp("native") / "functions"
    arch = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    with alone(WORK.parent / "native.lock"):
        package.build(out, work=WORK.parent / "native", arch=arch)
    return out


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Terraform finds the stand-in provider."""
    return make_mirror(tmp_path_factory.mktemp("provider"))


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory, functions: Path, mirror: Path) -> Terraform:
    """infra/environments/example, ready to be planned."""
    infra = copy_infra(tmp_path_factory.mktemp("example") / "infra", functions)
    ready = Terraform(infra / "environments" / "example", mirror)
    ready.init()
    return ready


@pytest.fixture(scope="session")
def made(example: Terraform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The example, with an egress of each kind, as the stand-in provider has made it: values by address."""
    target = tmp_path_factory.mktemp("made") / "infra"
    shutil.copytree(example.folder.parent.parent, target, symlinks=True)
    aggregators = target / "environments" / "example" / "aggregators"
    (aggregators / "fixed.yaml").write_text(FIXED)
    (aggregators / "inside.yaml").write_text(INSIDE)
    there = Terraform(target / "environments" / "example", example.mirror)
    there.done("apply", "-no-color", "-auto-approve", "-input=false")
    found: dict[str, dict[str, Any]] = {}

    def walk(module: dict[str, Any]) -> None:
        found.update(
            (one["address"].removeprefix("module.jangada."), one["values"])
            for one in module.get("resources", [])
            if one["mode"] == "managed"
        )
        for child in module.get("child_modules", []):
            walk(child)

    walk(json.loads(there.done("show", "-json"))["values"]["root_module"])
    return found
