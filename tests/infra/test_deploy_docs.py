"""docs/deploy.md: its commands, targets, outputs and addresses are there."""

from __future__ import annotations

import re
import shlex

import pytest

from cli.main import parser_for
from tests.infra.terraform import INFRA, ROOT

PAGE = (ROOT / "docs" / "deploy.md").read_text()


def test_targets_of_make_are_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z]+)(?= STAGE| IMAGE|`)", PAGE))
    assert {"plan", "deploy", "image", "setup", "test"} <= named
    assert named <= targets


@pytest.mark.parametrize("command", re.findall(r"^\$ jangada (.*)$", PAGE, re.MULTILINE))
def test_commands_are_there(command: str) -> None:
    words = shlex.split(command)
    assert callable(parser_for(words).parse_args(words).run)


def test_outputs_are_there() -> None:
    outputs = set(re.findall(r'^output "(\w+)"', (INFRA / "outputs.tf").read_text(), re.MULTILINE))
    named = {"source_addresses", "public_addresses", "domain_target", "relay_repository_url", "cli_environment"}
    named |= {"planned_concurrency"}
    assert named <= outputs
    assert all(name in PAGE for name in named)


def test_variables_are_there() -> None:
    variables = set(re.findall(r'^variable "(\w+)"', (INFRA / "variables.tf").read_text(), re.MULTILINE))
    named = {"account_concurrency", "emails", "zone_id", "transit_gateway", "deletion_protection"}
    assert named <= variables
    assert all(f"`{name}" in PAGE for name in named)


def test_the_sample_of_a_vpn_is_made_of_keys_that_are_read() -> None:
    import yaml

    (sample,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    vpn = yaml.safe_load(sample)["vpn"]
    text = (INFRA / "aggregators.tf").read_text()
    for keys, found in (("vpn", vpn), ("vpn.ike", vpn["ike"]), ("vpn.ike.phase1", vpn["ike"]["phase1"])):
        (listed,) = re.findall(rf'"{re.escape(keys)}"\s+= \[(.*)\]', text)
        assert {f'"{key}"' for key in found} <= set(listed.split(", "))
