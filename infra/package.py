"""`python infra/package.py`: the Lambda functions and the API as a Terraform module, infra/build/functions.

Chalice routes and packages; what it writes for Terraform is for old versions and for one deployment per account, so it
is converted (chalice 1.34.0, `chalice package --pkg-format terraform`):

- it shuts out Terraform from 1.4 and AWS provider from 5 (aws/chalice issues 1951 and 2014);
- `stage_name`, `stage_description` and `invoke_url` of a deployment are gone in provider 6 (issue 1838): the stage is
  modules/api's, which also has its throttling, logs, domain and firewall;
- it cannot ask for ReportBatchItemFailures, nor for a mapping per lane and per platform: mappings are modules/api's,
  and the module says what it expects of them (output `consumers`);
- schedules are on from the start: here `schedules` switches them, for who needs none of it;
- every function is made: here those that run in a VPC only where `networks` says in which;
- names hold the stage of chalice's config, roles and variables are its strings: all are variables here, so that one
  package serves every deployment.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
OUT: Final = ROOT / "infra" / "build" / "functions"
STAGE: Final = "aws"  # chalice's own name for what is packaged; deployments are Terraform's
API: Final = "api_handler"
ARCHITECTURES: Final = ("arm64", "x86_64")
_SOURCES: Final = ("app.py", "requirements.txt", "chalicelib", ".chalice/config.json")

_IN_VPC: Final = ("send_nat", "send_vpc")  # made only where an aggregator's `egress` asks for one
_SWITCH: Final = '${var.schedules ? "ENABLED" : "DISABLED"}'
_UNDERSTOOD: Final = {
    "aws_api_gateway_deployment",
    "aws_api_gateway_rest_api",
    "aws_cloudwatch_event_rule",
    "aws_cloudwatch_event_target",
    "aws_lambda_event_source_mapping",
    "aws_lambda_function",
    "aws_lambda_layer_version",
    "aws_lambda_permission",
}
VARIABLES: Final[dict[str, dict[str, Any]]] = {
    "name": {"type": "string", "description": "Name of the deployment, e.g. jangada-prod; begins every name."},
    "role_arns": {"type": "map(string)", "description": "ARN of the role of each function, by the function's key."},
    "environment": {"type": "map(string)", "description": "Environment variables of every function."},
    "networks": {
        "type": (
            "map(object({ subnet_ids = list(string), security_group_ids = list(string), environment = map(string) }))"
        ),
        "default": {},
        "description": "Where functions that run in a VPC do, and their own environment variables, by the function's "
        "key; those that are not named are not made.",
    },
    "api_concurrency": {
        "type": "number",
        "default": -1,
        "description": "Concurrent executions reserved for the API's function; -1: none.",
    },
    "schedules": {
        "type": "bool",
        "default": False,
        "description": "Run the functions that have a schedule.",
    },
    "disable_execute_api_endpoint": {
        "type": "bool",
        "default": True,
        "description": "Serve the API on its own domain only, not on execute-api's.",
    },
}


class PackageError(RuntimeError):
    """The functions cannot be packaged; the text says what to do."""


def convert(doc: dict[str, Any]) -> dict[str, Any]:
    """What chalice has written to chalice.tf.json, as a module for Terraform >= 1.5 and AWS provider >= 5.99.

    Raises:
        PackageError: there is something in it that would be deployed wrongly.
    """
    resources = json.loads(json.dumps(doc["resource"]))
    unknown = resources.keys() - _UNDERSTOOD
    if unknown:
        raise PackageError(
            f"chalice has made {', '.join(sorted(unknown))}, which this conversion does not know: a domain "
            "or policy belongs into infra/modules, not into app.py or .chalice/config.json"
        )
    functions: dict[str, Any] = resources["aws_lambda_function"]
    for key, function in functions.items():
        function |= {
            "function_name": f"${{var.name}}-{function_key(key)}",
            "role": f'${{var.role_arns["{key}"]}}',
            "environment": {"variables": "${var.environment}"},
        }
        if key in _IN_VPC:
            own = f'var.networks["{key}"]'
            function |= {
                "count": f'${{contains(keys(var.networks), "{key}") ? 1 : 0}}',
                "environment": {"variables": f"${{merge(var.environment, {own}.environment)}}"},
                "vpc_config": {
                    "subnet_ids": f"${{{own}.subnet_ids}}",
                    "security_group_ids": f"${{{own}.security_group_ids}}",
                },
            }
        if key == API:
            function["reserved_concurrent_executions"] = "${var.api_concurrency}"
        function.pop("tags", None)  # of chalice's own deployer; ours are the provider's default_tags
    for key, layer in resources.get("aws_lambda_layer_version", {}).items():
        layer["layer_name"] = f"${{var.name}}-{key}"
    for key, rule in resources.get("aws_cloudwatch_event_rule", {}).items():
        if "schedule_expression" not in rule:
            raise PackageError(f"the rule {key} has no schedule: events of other services are not understood here")
        rule |= {"name": f"${{var.name}}-{key.removesuffix('-event')}", "state": _SWITCH}
    api, deployment = _one(resources, "aws_api_gateway_rest_api"), _one(resources, "aws_api_gateway_deployment")
    api["name"] = "${var.name}"
    api["disable_execute_api_endpoint"] = "${var.disable_execute_api_endpoint}"
    deployment.pop("stage_name", None)
    deployment.pop("stage_description", None)
    deployment["triggers"] = {"redeployment": "${sha1(local.chalice_api_swagger)}"}
    mappings = resources.pop("aws_lambda_event_source_mapping", {})
    return {
        "//": "Made by infra/package.py from what chalice wrote; not for editing.",
        "terraform": {
            "required_version": ">= 1.5",
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.99"}},
        },
        "variable": VARIABLES,
        "data": {kind: found for kind, found in doc["data"].items() if kind != "null_data_source"},
        "locals": {"chalice_api_swagger": _title(doc["locals"]["chalice_api_swagger"])},
        "resource": resources,
        "output": _outputs(functions, mappings),
    }


def function_key(key: str) -> str:
    """The last part of a function's name."""
    return "api" if key == API else key


def _one(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = resources.get(kind, {})
    if list(found) != ["rest_api"]:
        raise PackageError(f"expected one {kind}.rest_api, chalice has made {', '.join(found) or 'none'}")
    return found["rest_api"]


def _title(swagger: str) -> str:
    """The API's own name is the title in its description, which wins over the resource's."""
    described = json.loads(swagger)
    described["info"]["title"] = "${var.name}"
    return json.dumps(described)


def _outputs(functions: dict[str, Any], mappings: dict[str, Any]) -> dict[str, Any]:
    consumers = {}
    for mapping in mappings.values():
        found = re.fullmatch(r"\$\{aws_lambda_function\.(\w+)\.arn\}", mapping["function_name"])
        if found is None:
            raise PackageError(f"an event source mapping names no function: {mapping['function_name']}")
        consumers[found[1]] = {"batch_size": mapping["batch_size"]}
    return {
        "rest_api_id": {"value": "${aws_api_gateway_rest_api.rest_api.id}", "description": "Id of the REST API."},
        "rest_api_name": {"value": "${aws_api_gateway_rest_api.rest_api.name}", "description": "Its name."},
        "deployment_id": {
            "value": "${aws_api_gateway_deployment.rest_api.id}",
            "description": "Deployment that a stage serves.",
        },
        "function_names": {
            "value": _of_each(functions, "function_name"),
            "description": "Name of each function, by key.",
        },
        "function_arns": {
            "value": _of_each(functions, "arn"),
            "description": "ARN of each function, by key.",
        },
        "timeouts": {
            "value": {key: function["timeout"] for key, function in functions.items()},
            "description": "Seconds that each function may take, by key.",
        },
        "consumers": {"value": consumers, "description": "Functions that take from queues, and how many at a time."},
    }


def _of_each(functions: dict[str, Any], attribute: str) -> str:
    """An expression: the attribute of each function that is made, by its key."""
    found = ", ".join(f"{key} = aws_lambda_function.{key}[*].{attribute}" for key in functions)
    return f"${{{{ for key, one in {{ {found} }} : key => one[0] if length(one) > 0 }}}}"


def chalice_output(source: Path, work: Path, arch: str = "") -> Path:
    """Have chalice package the project in `source`; the folder with chalice.tf.json and the archives.

    `arch` is arm64 or x86_64, "" what .chalice/config.json says. `work` keeps what can be used again: wheels that
    have been resolved stay until requirements.txt changes.

    Raises:
        PackageError: chalice has failed; with what it said.
    """
    for name in _SOURCES:
        target = work / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source / name, target)
    if arch:
        settings = work / "source" / ".chalice" / "config.json"
        settings.write_text(json.dumps(json.loads(settings.read_text()) | {"lambda_architecture": arch}))
    out = work / "chalice"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-c", "from chalice.cli import main; main()"]
    command += ["package", "--pkg-format", "terraform", "--stage", STAGE, str(out)]
    region = os.environ.get("AWS_DEFAULT_REGION") or "eu-west-1"  # chalice wants one; nothing it writes holds it
    done = subprocess.run(
        command,
        cwd=work / "source",
        env={**os.environ, "AWS_DEFAULT_REGION": region},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not (out / "chalice.tf.json").exists():
        raise PackageError(f"chalice package has failed:\n{done.stdout}{done.stderr}".rstrip())
    return out


def build(out: Path = OUT, *, source: Path = ROOT, work: Path | None = None, arch: str = "") -> Path:
    """Package and convert; the folder is the module. Each architecture has wheels of its own, and its own work folder.

    Raises:
        PackageError: it cannot be done.
    """
    made = chalice_output(source, (work or out.parent / "work") / arch, arch)
    module = convert(json.loads((made / "chalice.tf.json").read_text()))
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for archive in made.glob("*.zip"):
        shutil.copy(archive, out)
    (out / "main.tf.json").write_text(json.dumps(module, indent=2) + "\n")
    return out


def main() -> int:
    """Package into --out; 1 with the reason on stderr when it cannot be done."""
    parser = argparse.ArgumentParser(prog="infra/package.py", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the module (default: infra/build/functions)")
    parser.add_argument("--arch", choices=ARCHITECTURES, default="", help="default: what .chalice/config.json says")
    options = parser.parse_args()
    try:
        out = build(options.out.resolve(), arch=options.arch)
    except PackageError as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    sizes = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in sorted(out.glob("*.zip")))
    print(f"packaged into {out}: {sizes}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
