"""make plan and make deploy, with the stand-in for the provider behind them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.infra.conftest import WORK, alone
from tests.infra.terraform import ROOT, copy_infra

pytestmark = pytest.mark.timeout(300)


def make(
    *words: str, mirror: Path | None = None, said: str = "", environments: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run make with `said` on its input. The environments of Python are taken as they are."""
    command = ["make", "--no-print-directory", "-o", ".venv/.ready", "-o", ".venv-emulator/.ready", *words]
    command += [f"ENVIRONMENTS={environments}"] if environments else []
    variables = {**os.environ, "TF_CLI_ARGS": "-no-color", "CHECKPOINT_DISABLE": "1"}
    if mirror:
        variables["TF_CLI_CONFIG_FILE"] = str(mirror / "terraformrc")
    return subprocess.run(command, cwd=ROOT, env=variables, input=said, capture_output=True, text=True, check=False)


def test_deploy_checks_packages_plans_asks_and_applies(functions: Path, mirror: Path, tmp_path: Path) -> None:
    environments = copy_infra(tmp_path / "infra", functions) / "environments"
    with alone(WORK.parent / "package.lock"):
        done = make("deploy", "STAGE=example", mirror=mirror, said="no\n", environments=environments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Apply this plan to example? Type yes: " in done.stdout
    assert "Plan: " in done.stdout
    assert (environments / "example" / "plan.out").exists()
    assert "Apply complete" not in done.stdout
    assert (ROOT / "infra" / "build" / "functions" / "main.tf.json").exists()
    # What was planned is what a yes applies: the same commands again, without checking and packaging once more.
    done = make("deploy", "STAGE=example", "-o", "plan", mirror=mirror, said="yes\n", environments=environments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Apply complete" in done.stdout
    assert not (environments / "example" / "plan.out").exists()


def test_a_file_that_is_wrong_stops_it_before_terraform(functions: Path, mirror: Path, tmp_path: Path) -> None:
    environments = copy_infra(tmp_path / "infra", functions) / "environments"
    (environments / "example" / "aggregators" / "at-ug.yaml").write_text("name: at-ug\ntype: NOSUCH\n")
    done = make("plan", "STAGE=example", "-o", "package", mirror=mirror, environments=environments)
    assert done.returncode == 2
    assert "at-ug.yaml:2" in done.stderr
    assert "Terraform" not in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["plan"], "say which: make plan STAGE=example", id="no stage"),
        pytest.param(["deploy", "STAGE=nowhere"], "copy infra/environments/example", id="unknown stage"),
        pytest.param(
            ["plan", "STAGE=example", "TERRAFORM=no-such"], "no no-such: install Terraform", id="no Terraform"
        ),
        pytest.param(["image", "IMAGE=relay:v1"], "BASE_DIGEST=sha256:", id="no digest"),
    ],
)
def test_what_is_missing_is_named(words: list[str], said: str) -> None:
    done = make(*words)
    assert done.returncode == 2
    assert said in done.stderr
