"""A copy of infra/ that provider 3.39 can apply: the newest one that comes in a Python package.

What has another name in it is renamed: rules of security groups, domains of addresses. What it does not know is cut,
statement by statement, by Terraform's own word, and `Older.cut` says what that was. The same HCL in full is checked
against the newest provider's schema in test_plan.py.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from tests.infra.terraform import Terraform

SERVICES: Final = (
    *("acm", "apigateway", "cloudwatch", "cloudwatchevents", "cloudwatchlogs", "dynamodb", "ec2", "ecr", "ecs", "iam"),
    *("kms", "lambda", "route53", "s3", "secretsmanager", "sns", "sqs", "ssm", "sts", "wafv2"),
)
_CUT: Final = (
    "Unsupported argument",
    "Unsupported block type",
    "Invalid resource type",
    "Invalid data source",
    "Computed attributes cannot be set",
)
_RULE: Final = re.compile(r'resource "aws_vpc_security_group_(egress|ingress)_rule" "(\w+)" \{')
_RULE_ARGUMENTS: Final = (
    (re.compile(r"referenced_security_group_id +="), "source_security_group_id ="),
    (re.compile(r"cidr_ipv4 += (.*)"), r"cidr_blocks = [\1]"),
    (re.compile(r"prefix_list_id +="), "prefix_list_ids ="),
    (re.compile(r"(prefix_list_ids =) (.*)"), r"\1 [\2]"),
    (re.compile(r"ip_protocol +="), "protocol ="),
)
# Where the provider itself is wrong: what goes, in which file, and why.
_WRONG: Final = (
    ("vpn", "local_ipv4_network_cidr", "3.39 takes nothing but a /32"),
    ("vpn", "remote_ipv4_network_cidr", "3.39 takes nothing but a /32"),
    ("relay", "deployment_circuit_breaker", "3.39 forgets the percentages beside it"),
)


def statement(lines: list[str], start: int) -> int:
    """The line after the statement that begins at `start`: where all of its brackets are closed."""
    depth, end = 0, start
    while True:
        code = re.sub(r'"(\\.|[^"\\])*"', '""', lines[end]).split("#")[0]
        depth += sum(code.count(one) for one in "{[(") - sum(code.count(one) for one in "}])")
        end += 1
        if depth <= 0:
            return end


def cut(path: Path, start: int) -> str:
    """Remove a statement, by its first line (from 0); answers `module: argument of type`."""
    lines = path.read_text().split("\n")
    owner = next((line for line in reversed(lines[: start + 1]) if line.startswith(("resource", "data"))), "")
    path.write_text("\n".join(lines[:start] + lines[statement(lines, start) :]))
    first = lines[start].strip()
    what = "all of" if lines[start].startswith("resource") else f"{re.split(r'[ ={]', first)[0]} of"
    kind = re.search(r'"(\w+)"', owner)
    return f"{path.parent.name}: {what} {kind[1] if kind else path.name}"


def _rules(text: str) -> str:
    """Rules of security groups, one resource each, by their older name and arguments."""
    lines, at = text.split("\n"), 0
    while at < len(lines):
        found = _RULE.match(lines[at])
        if found:
            end = statement(lines, at)
            block = "\n".join(lines[at + 1 : end])
            for pattern, to in _RULE_ARGUMENTS:
                block = pattern.sub(to, block)
            lines[at:end] = [f'resource "aws_security_group_rule" "{found[2]}" {{', f'  type = "{found[1]}"', block]
        at += 1
    return "\n".join(lines)


def make_older(infra: Path, endpoint: str) -> list[str]:
    """Change the copy so that 3.39 takes it, all but what Terraform will name; AWS is at `endpoint`.

    Answers what was changed or cut, for people.
    """
    told = []
    for path in infra.rglob("*.tf"):
        text = _rules(path.read_text().replace('version = ">= 5.99, < 7.0"', 'version = ">= 3.39"'))
        path.write_text(re.sub(r'domain += "vpc"', "vpc = true", text))
    told.append("aws_vpc_security_group_*_rule: applied as aws_security_group_rule")
    network = infra / "modules" / "network" / "main.tf"
    private = re.compile(r'connectivity_type += "private"')
    assert private.search(network.read_text())
    network.write_text(private.sub('allocation_id = "eipalloc-00000000"', network.read_text()))
    told.append("network: connectivity_type of aws_nat_gateway: 3.39 knows public ones only")
    for module, argument, why in _WRONG:
        path = infra / "modules" / module / "main.tf"
        lines = path.read_text().split("\n")
        (line,) = [number for number, one in enumerate(lines) if one.strip().startswith(argument)]
        told.append(f"{cut(path, line)}: {why}")
    _functions(infra / "build" / "functions" / "main.tf.json")
    told.append("functions: architectures and runtime; they run on this machine's Python")
    told.append("functions: state of aws_cloudwatch_event_rule: applied as is_enabled")
    example = infra / "environments" / "example" / "main.tf"
    provider = 'provider "aws" {\n  region = var.region\n  access_key = "test"\n  secret_key = "test"\n'
    for option in ("credentials_validation", "metadata_api_check", "requesting_account_id", "region_validation"):
        provider += f"  skip_{option} = true\n"
    provider += "  s3_force_path_style = true\n  max_retries = 2\n  endpoints {\n"
    provider += "".join(f'    {one} = "{endpoint}"\n' for one in SERVICES) + "  }\n}\n"
    lines = example.read_text().split("\n")
    start = lines.index('provider "aws" {')
    lines[start : statement(lines, start)] = [provider]
    example.write_text("\n".join(lines))
    return told


def _functions(module: Path) -> None:
    doc = json.loads(module.read_text())
    doc["terraform"]["required_providers"]["aws"]["version"] = ">= 3.39"
    for function in doc["resource"]["aws_lambda_function"].values():
        function["runtime"] = "python3.8"  # the newest name that 3.39 takes; the emulator runs its own interpreter
        del function["architectures"]
    for layer in doc["resource"]["aws_lambda_layer_version"].values():
        layer["compatible_runtimes"] = ["python3.8"]
        del layer["compatible_architectures"]
    for rule in doc["resource"]["aws_cloudwatch_event_rule"].values():
        del rule["state"]
        rule["is_enabled"] = "${var.schedules}"
    module.write_text(json.dumps(doc, indent=1))


def cut_unknown(terraform: Terraform) -> list[str]:
    """Remove what Terraform says the provider does not know, until it is valid; answers what that was, for people."""
    removed: list[str] = []
    while True:
        said = json.loads(terraform.run("validate", "-json").output)
        errors = [one for one in said["diagnostics"] if one["severity"] == "error"]
        if not errors:
            return sorted(set(removed))
        places = {
            (one["range"]["filename"], one["range"]["start"]["line"] - 1)
            for one in errors
            if one["summary"] in _CUT and "range" in one
        }
        assert places, errors
        for name, line in sorted(places, reverse=True):
            removed.append(cut((terraform.folder / name).resolve(), line))
