"""Terraform over infra/, with the stand-in for the AWS provider: what tests say of a plan."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent.parent
INFRA: Final = ROOT / "infra"
SCHEMAS: Final = Path(__file__).resolve().parent
PROVIDER: Final = "6.69.1"
OLDEST: Final = "5.99.1"  # that versions.tf still takes
LIMIT: Final = 280  # s for one run of Terraform


def tool(name: str) -> str:
    """A program of the environment of requirements-infra.txt; without it the test fails."""
    found = ROOT / ".venv-infra" / "bin" / name
    if not found.exists():
        pytest.fail(f"no {name} at {found}: run `make .venv-infra/.ready`, which installs requirements-infra.txt")
    return str(found)


def terraform() -> str:
    """Terraform; without it the test fails."""
    found = shutil.which(os.environ.get("TERRAFORM", "terraform"))
    if found is None:
        pytest.fail("no terraform on the PATH: install 1.5 or newer, or set TERRAFORM (docs/deploy.md)")
    return found


def copy_infra(target: Path, functions: Path) -> Path:
    """A copy of infra/ that a test may change, with the packaged functions in it."""
    ignore = shutil.ignore_patterns("build", ".terraform*", "*.tfstate*", "__pycache__")
    shutil.copytree(INFRA, target, ignore=ignore)
    shutil.copytree(functions, target / "build" / "functions")
    for path in target.rglob("environments/*/main.tf"):
        path.write_text(path.read_text().replace('backend "s3" {}', 'backend "local" {}'))
    return target


@dataclass(frozen=True)
class Ran:
    """What a run of Terraform has said."""

    status: int
    output: str

    @property
    def flat(self) -> str:
        """The output without the line breaks and frames that Terraform puts into its errors."""
        return " ".join(re.sub(r"[│╷╵]", " ", self.output).split())


@dataclass(frozen=True)
class Terraform:
    """Terraform in a folder, with the providers of a mirror."""

    folder: Path
    mirror: Path

    def run(self, *arguments: str) -> Ran:
        """Run it; the status is not looked at."""
        environment = {
            **os.environ,
            "TF_CLI_CONFIG_FILE": str(self.mirror / "terraformrc"),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }
        done = subprocess.run(
            [terraform(), *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        return Ran(done.returncode, done.stdout + done.stderr)

    def done(self, *arguments: str) -> str:
        """Run it, which must succeed."""
        ran = self.run(*arguments)
        assert ran.status == 0, ran.output
        return ran.output

    def init(self) -> None:
        """Make the folder ready."""
        self.done("init", "-no-color", "-input=false")

    def plan(self) -> Plan:
        """Plan everything."""
        self.done("plan", "-no-color", "-input=false", "-out=plan.out")
        return Plan(json.loads(self.done("show", "-json", "plan.out")))

    def refusal(self, target: str = "") -> str:
        """Plan, which must fail; what is said."""
        options = [f"-target={target}"] if target else []
        ran = self.run("plan", "-no-color", "-input=false", *options)
        assert ran.status == 1, ran.output
        return ran.flat


class Plan:
    """A plan: resources by address below module.jangada, as they will be."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.outputs: dict[str, Any] = plan["planned_values"].get("outputs", {})
        self.resources: dict[str, dict[str, Any]] = {
            change["address"].removeprefix("module.jangada."): change["change"]["after"]
            for change in plan["resource_changes"]
            if change["mode"] == "managed" and change["change"]["after"] is not None
        }

    def of(self, address: str) -> dict[str, dict[str, Any]]:
        """The instances of a resource, by key; "" where it has none."""
        pattern = re.compile(re.escape(address) + r'(?:\["?(.*?)"?\])?')
        found = {pattern.fullmatch(name): one for name, one in self.resources.items()}
        return {match[1] or "": one for match, one in found.items() if match}

    def one(self, address: str) -> dict[str, Any]:
        """The only instance of a resource."""
        (found,) = self.of(address).values()
        return found

    def kinds(self) -> set[str]:
        """The types of all resources."""
        return {re.sub(r"\[.*?\]", "", address).split(".")[-2] for address in self.resources}


def make_mirror(folder: Path, version: str = PROVIDER) -> Path:
    """A mirror of providers that holds the stand-in, and the settings that make Terraform use it."""
    stub, schema = INFRA / "check" / "stub_provider.py", SCHEMAS / f"aws-{version}-schema.json.gz"
    script = f"#!/bin/sh\nAWS_STUB_SCHEMA='{schema}' exec '{tool('python')}' '{stub}'\n"
    return make_providers(folder, {f"terraform-provider-aws_v{version}": script.encode()}, version)


def make_providers(folder: Path, files: dict[str, bytes], unpacked: str = "") -> Path:
    """A mirror that holds AWS providers: a program of the version `unpacked`, or archives. Answers `folder`."""
    probe = folder / "probe"
    probe.mkdir(parents=True)
    required = {"terraform": {"required_providers": {"aws": {"source": "hashicorp/aws"}}}}
    (probe / "main.tf.json").write_text(json.dumps(required))
    version = json.loads(subprocess.run([terraform(), "version", "-json"], capture_output=True, check=True).stdout)
    listed = subprocess.run([terraform(), "providers"], cwd=probe, capture_output=True, text=True, check=True).stdout
    address = re.search(r"provider\[(\S+/hashicorp/aws)\]", listed)
    assert address, listed
    home = folder / "mirror" / address[1]
    if unpacked:
        home = home / unpacked / version["platform"]
    home.mkdir(parents=True)
    for name, content in files.items():
        (home / name).write_bytes(content)
        (home / name).chmod(0o755)
    (folder / "terraformrc").write_text(
        "disable_checkpoint = true\n"
        "provider_installation {\n"
        f'  filesystem_mirror {{\n    path    = "{folder / "mirror"}"\n    include = ["*/*/*"]\n  }}\n'
        '  direct {\n    exclude = ["*/*/*"]\n  }\n'
        "}\n"
    )
    return folder
