"""A copy of infra/ that provider 3.39 can apply: the newest one that comes in a Python package.

What it does not know is cut, statement by statement, by Terraform's own word. The ways to the SMSCs go as a whole:
private NAT gateways and single rules of a security group are younger than it. The same HCL in full is checked against
the newest provider's schema in test_plan.py.
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
_CUT: Final = ("Unsupported argument", "Unsupported block type", "Invalid resource type", "Invalid data source")
_DOMAIN: Final = ("aws_route53_record", "aws_api_gateway_base_path_mapping", "aws_api_gateway_domain_name")
_WITHOUT: Final = ("network", "vpn", "relay")


def statement(lines: list[str], start: int) -> int:
    """The line after the statement that begins at `start`: where all of its brackets are closed."""
    depth, end = 0, start
    while True:
        code = re.sub(r'"(\\.|[^"\\])*"', '""', lines[end]).split("#")[0]
        depth += sum(code.count(one) for one in "{[(") - sum(code.count(one) for one in "}])")
        end += 1
        if depth <= 0:
            return end


def cut(path: Path, start: int) -> None:
    """Remove a statement, by its first line (from 0)."""
    lines = path.read_text().split("\n")
    path.write_text("\n".join(lines[:start] + lines[statement(lines, start) :]))


def make_older(infra: Path, endpoint: str) -> None:
    """Change the copy so that 3.39 takes it, all but what Terraform will name; AWS is at `endpoint`."""
    for path in infra.rglob("*.tf"):
        path.write_text(path.read_text().replace('version = ">= 5.99, < 7.0"', 'version = ">= 3.39"'))
    main = infra / "main.tf"
    for name in _WITHOUT:
        lines = main.read_text().split("\n")
        cut(main, lines.index(f'module "{name}" {{'))
    main.write_text(re.sub(r"relay = local\.any_smsc \? \{.*?\} : null", "relay = null", main.read_text(), flags=re.S))
    api = infra / "modules" / "api"
    for kind in _DOMAIN:  # the emulator's answer about a domain has no date, at which 3.39 crashes
        lines = (api / "main.tf").read_text().split("\n")
        cut(api / "main.tf", lines.index(f'resource "{kind}" "this" {{'))
    lines = (api / "waf.tf").read_text().split("\n")  # which the emulator does not have
    cut(api / "waf.tf", lines.index('resource "aws_wafv2_web_acl_logging_configuration" "this" {'))
    target = (api / "outputs.tf").read_text().replace("aws_api_gateway_domain_name.this.regional_domain_name", "null")
    (api / "outputs.tf").write_text(target)
    outputs = infra / "outputs.tf"
    outputs.write_text(re.sub(r"one\(module\.(network|vpn|relay)\[\*\]\.\w+\)", "null", outputs.read_text()))
    module = infra / "build" / "functions" / "main.tf.json"
    doc = json.loads(module.read_text())
    doc["terraform"]["required_providers"]["aws"]["version"] = ">= 3.39"
    for function in doc["resource"]["aws_lambda_function"].values():
        function["runtime"] = "python3.8"  # the newest name that 3.39 takes; the emulator runs its own interpreter
        del function["architectures"]
    for layer in doc["resource"]["aws_lambda_layer_version"].values():
        layer["compatible_runtimes"] = ["python3.8"]
        del layer["compatible_architectures"]
    module.write_text(json.dumps(doc, indent=1))
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


def cut_unknown(terraform: Terraform) -> list[str]:
    """Remove what Terraform says the provider does not know, until it is valid; answers the first line of each."""
    removed: list[str] = []
    while True:
        said = json.loads(terraform.run("validate", "-json").output)
        errors = [one for one in said["diagnostics"] if one["severity"] == "error"]
        if not errors:
            return removed
        places = {
            (one["range"]["filename"], one["range"]["start"]["line"] - 1)
            for one in errors
            if one["summary"] in _CUT and "range" in one
        }
        assert places, errors
        for name, line in sorted(places, reverse=True):
            path = (terraform.folder / name).resolve()
            removed.append(f"{path.name}: {path.read_text().splitlines()[line].strip()}")
            cut(path, line)
