"""checkov on infra/: no finding is left, and every exception says why it is one."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.infra.terraform import INFRA, tool

pytestmark = pytest.mark.timeout(300)  # ten seconds on a machine of its own
SKIP = re.compile(r"#checkov:skip=(CKV2?_[A-Z]+_\d+)(.*)")


def test_no_finding_is_left() -> None:
    command = [tool("checkov"), "--directory", str(INFRA), "--framework", "terraform", "--skip-download", "--quiet"]
    command += ["--skip-path", "build", "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    found = json.loads(done.stdout)
    failed = {f"{one['check_id']} {one['resource']}" for one in found["results"]["failed_checks"]}
    assert sorted(failed) == []
    assert found["summary"]["passed"] > 200
    assert found["summary"]["parsing_errors"] == 0


def test_every_exception_says_why() -> None:
    for path in INFRA.rglob("*.tf"):
        for check, reason in SKIP.findall(path.read_text()):
            assert re.fullmatch(r":.{8,}\.", reason), f"{path}: {check}"
