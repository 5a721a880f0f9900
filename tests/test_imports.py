"""What a cold start pays for: `import app` brings in nothing that a function can do without until it needs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib import channels

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"boto3", "botocore", "requests", "urllib3", "phonenumbers", "yaml", "elementpath",
         "aws_lambda_powertools"}  # fmt: skip
TYPES = {f"chalicelib.channels.{channels.load(code).__module__.rsplit('.', 1)[1]}" for code in channels.CODES}
SHELLS = {"cli", "local", "smsc_relay"}  # what the Lambda package does not hold


def imported(statement: str) -> set[str]:
    """The modules that are there after `statement` in an interpreter of its own."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return set(json.loads(done.stdout))


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_app_brings_in_chalice_and_nothing_else() -> None:
    modules = imported("import app")
    assert "chalice" in modules
    assert packages(modules) & (HEAVY | SHELLS | {"pydantic"}) == set()
    assert modules & TYPES == set()


@pytest.mark.parametrize(
    "name", ["webhooks", "sendapi", "routing", "sending", "recording", "delivery", "later", "registry", "ledger"]
)
def test_a_use_case_brings_in_no_client_and_no_channel_type_before_it_is_called(name: str) -> None:
    modules = imported(f"import chalicelib.{name}")
    assert packages(modules) & (HEAVY | SHELLS) == set()
    assert modules & TYPES == set()


def test_a_channel_type_brings_in_no_other_and_no_client() -> None:
    modules = imported("from chalicelib import channels; channels.load('AT')")
    assert modules & TYPES == {"chalicelib.channels.africastalking"}
    assert packages(modules) & (HEAVY | SHELLS) == set()


def test_the_local_runner_is_not_needed_to_serve() -> None:
    """Lambda's package has app.py, chalicelib and requirements.txt; YAML is the CLI's."""
    statement = "import app, importlib, pkgutil, chalicelib\n" + (
        "for found in pkgutil.walk_packages(chalicelib.__path__, 'chalicelib.'): importlib.import_module(found.name)"
    )
    assert packages(imported(statement)) & (SHELLS | {"yaml"}) == set()
