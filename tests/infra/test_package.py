"""infra/package.py on what chalice really writes for this project."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from chalice.app import EventSourceHandler

import app
from local.emulator import free_port
from tests.infra.terraform import ROOT

pytestmark = pytest.mark.timeout(300)  # the first packaging on a machine resolves every wheel
CONSUMERS = {"route", "route_bulk", "send", "send_nat", "send_vpc", "later", "record", "deliver"}
FUNCTIONS = {"api_handler", "canary", *CONSUMERS}


@pytest.fixture(scope="module")
def module(functions: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((functions / "main.tf.json").read_text())
    return found


def chalice_document(**resources: Any) -> dict[str, Any]:
    """The least that chalice writes, and `resources`."""
    return {
        "resource": {
            "aws_lambda_function": {"api_handler": {"timeout": 29, "tags": {}}},
            "aws_api_gateway_rest_api": {"rest_api": {"name": "jangada"}},
            "aws_api_gateway_deployment": {"rest_api": {"stage_name": "api", "stage_description": "x"}},
            **resources,
        },
        "locals": {"chalice_api_swagger": json.dumps({"info": {"title": "jangada"}, "paths": {}})},
        "data": {"aws_region": {"chalice": {}}, "null_data_source": {"chalice": {}}},
    }


def test_every_handler_of_the_app_is_a_function(module: dict[str, Any]) -> None:
    assert set(module["resource"]["aws_lambda_function"]) == FUNCTIONS
    consumers = {name for name, one in app.app.handler_map.items() if isinstance(one, EventSourceHandler)}
    assert consumers == CONSUMERS | {"canary"}
    assert set(module["output"]["consumers"]["value"]) == CONSUMERS


def test_the_schedule_is_switched_by_a_variable(module: dict[str, Any]) -> None:
    ((key, rule),) = module["resource"]["aws_cloudwatch_event_rule"].items()
    assert (rule["name"], rule["schedule_expression"]) == ("${var.name}-canary", "rate(5 minutes)")
    assert rule["state"] == '${var.schedules ? "ENABLED" : "DISABLED"}'
    assert module["variable"]["schedules"]["default"] is False
    assert module["resource"]["aws_cloudwatch_event_target"][key]["arn"] == "${aws_lambda_function.canary.arn}"
    permission = module["resource"]["aws_lambda_permission"][key]
    assert (permission["principal"], permission["function_name"]) == (
        "events.amazonaws.com",
        "${aws_lambda_function.canary.arn}",
    )
    assert permission["source_arn"] == f"${{aws_cloudwatch_event_rule.{key}.arn}}"


def test_nothing_is_of_one_deployment(module: dict[str, Any], package: ModuleType) -> None:
    for key, function in module["resource"]["aws_lambda_function"].items():
        assert function["function_name"] == "${var.name}-" + package.function_key(key)
        assert function["role"] == f'${{var.role_arns["{key}"]}}'
        told = "${var.environment}"
        if key in ("send_nat", "send_vpc"):
            told = f'${{merge(var.environment, var.networks["{key}"].environment)}}'
        assert function["environment"] == {"variables": told}
        assert function["architectures"] == ["arm64"]
    text = json.dumps(module)
    assert "jangada-" not in text.replace("jangada-prod; begins", "")
    assert set(re.findall(r"\$\{var\.(\w+)", text)) == set(module["variable"])


def test_functions_of_a_vpc_are_made_where_there_is_one(module: dict[str, Any]) -> None:
    functions = module["resource"]["aws_lambda_function"]
    inside = {key: one["vpc_config"] for key, one in functions.items() if "vpc_config" in one}
    assert set(inside) == {"send_nat", "send_vpc"} == {key for key, one in functions.items() if "count" in one}
    for key, one in inside.items():
        assert one["subnet_ids"] == f'${{var.networks["{key}"].subnet_ids}}'
        assert functions[key]["handler"] == f"app.{key}"
        assert functions[key]["timeout"] == functions["send"]["timeout"]


def test_the_provider_is_a_current_one_and_the_stage_is_not_chalices(module: dict[str, Any]) -> None:
    assert module["terraform"] == {
        "required_version": ">= 1.5",
        "required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.99"}},
    }
    (deployment,) = module["resource"]["aws_api_gateway_deployment"].values()
    assert not deployment.keys() & {"stage_name", "stage_description"}
    assert "invoke_url" not in json.dumps(module)
    assert "null_data_source" not in json.dumps(module)
    assert "aws_lambda_event_source_mapping" not in module["resource"]


def test_routes_and_binary_bodies_reach_the_api(module: dict[str, Any]) -> None:
    described = json.loads(module["locals"]["chalice_api_swagger"])
    assert set(described["paths"]) == {"/c/{kind}/{channel}/{action}", "/send/{channel}", "/health"}
    assert described["x-amazon-apigateway-binary-media-types"] == ["*/*"]
    assert described["info"]["title"] == "${var.name}"


def test_time_outs_are_those_of_the_config(module: dict[str, Any]) -> None:
    timeouts = module["output"]["timeouts"]["value"]
    assert timeouts["api_handler"] == 29  # API Gateway waits no longer
    assert (timeouts["route"], timeouts["record"], timeouts["send"]) == (30, 30, 90)


def test_archives_hold_the_code_and_its_libraries(functions: Path) -> None:
    with zipfile.ZipFile(functions / "deployment.zip") as archive:
        names = set(archive.namelist())
    assert {"app.py", "chalicelib/sending.py", "chalicelib/channels/africastalking.py"} <= names
    assert not [name for name in names if name.endswith(".pyc") or name.startswith(("tests", "smsc_relay", "cli"))]
    with zipfile.ZipFile(functions / "layer-deployment.zip") as archive:
        libraries = set(archive.namelist())
    for library in ("aws_lambda_powertools", "phonenumbers", "pydantic", "requests", "defusedxml", "elementpath"):
        assert any(f"/site-packages/{library}/" in name for name in libraries), library
    assert [name for name in libraries if "_pydantic_core" in name and "aarch64" in name]


def test_packages_can_be_for_either_processor(native: Path, functions: Path) -> None:
    """arm64 is what .chalice/config.json says; the other one is for `ARCH=x86_64`."""
    for folder, architecture, library in (
        (native, "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64", platform.machine()),
        (functions, "arm64", "aarch64"),
    ):
        resources = json.loads((folder / "main.tf.json").read_text())["resource"]
        assert {tuple(one["architectures"]) for one in resources["aws_lambda_function"].values()} == {(architecture,)}
        with zipfile.ZipFile(folder / "layer-deployment.zip") as archive:
            compiled = [name for name in archive.namelist() if "_pydantic_core" in name and name.endswith(".so")]
        assert [name for name in compiled if library in name] == compiled != []


@pytest.mark.parametrize(
    ("resources", "named"),
    [
        pytest.param({"aws_api_gateway_domain_name": {"x": {}}}, "aws_api_gateway_domain_name", id="domain"),
        pytest.param({"aws_cloudwatch_event_rule": {"x": {"event_pattern": "{}"}}}, "no schedule", id="event"),
        pytest.param({"aws_sns_topic_subscription": {"x": {}}}, "aws_sns_topic_subscription", id="topic"),
        pytest.param({"aws_api_gateway_rest_api": {}}, "aws_api_gateway_rest_api", id="no API"),
        pytest.param(
            {"aws_lambda_event_source_mapping": {"x": {"function_name": "other", "batch_size": 10}}},
            "names no function",
            id="mapping of nothing",
        ),
    ],
)
def test_what_would_be_deployed_wrongly_is_refused(package: ModuleType, resources: dict[str, Any], named: str) -> None:
    with pytest.raises(package.PackageError, match=named):
        package.convert(chalice_document(**resources))


def test_what_chalice_has_said_is_told(package: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "project"
    (source / "chalicelib").mkdir(parents=True)
    (source / ".chalice").mkdir()
    (source / "app.py").write_text("raise RuntimeError('not today')\n")
    (source / "requirements.txt").write_text("")
    (source / ".chalice/config.json").write_text('{"version": "2.0", "app_name": "x"}')
    with pytest.raises(package.PackageError, match="not today"):
        package.build(tmp_path / "out", source=source, work=tmp_path / "work")


def test_chalice_local_still_serves_the_routes() -> None:
    port = free_port()
    command = [sys.executable, "-u", "-c", "from chalice.cli import main; main()"]
    command += ["local", "--no-autoreload", "--port", str(port)]
    environment = {**os.environ, "AWS_DEFAULT_REGION": "eu-west-1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as server:
        try:
            assert server.stdout is not None
            said = b""
            while b"Serving on" not in said:
                line = server.stdout.readline()
                assert line, said
                said += line
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
                assert (answer.status, answer.read()) == (200, b"ok\n")
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/nothing", timeout=10)
            assert refused.value.code == 403  # as API Gateway answers where there is no route
        finally:
            server.kill()
