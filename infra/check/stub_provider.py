"""Stands in for Terraform's AWS provider: its real schema, and no AWS behind it.

Terraform starts it as a plugin (protocol 6, by the `tf` package). AWS_STUB_SCHEMA names the file that schema.py has
made. A plan leaves computed values unknown, an apply makes them up, and policy documents are real. What it cannot know:
allowed values, arguments that exclude each other, and what the provider thinks of a plan.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Callable
from typing import Any, Final

import tf.provider
from tf import runner
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc
from tf.types import Unknown
from tf.utils import read_dynamic_value, to_dynamic_value

with gzip.open(os.environ["AWS_STUB_SCHEMA"], "rt", encoding="utf-8") as _file:
    DOC: Final[dict[str, Any]] = json.load(_file)
REGION: Final = "eu-west-1"
ACCOUNT: Final = "123456789012"
KNOWN: Final[dict[str, dict[str, Any]]] = {
    "aws_caller_identity": {"account_id": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:user/stub", "user_id": "stub"},
    "aws_partition": {"partition": "aws", "dns_suffix": "amazonaws.com"},
    "aws_region": {"id": REGION, "name": REGION, "region": REGION},
    "aws_availability_zones": {"names": [REGION + zone for zone in "abc"]},
}
_SHORT: Final = {"route_table": "rtb", "security_group": "sg"}  # how ids of these begin
_NESTING: Final = {"single": 1, "list": 2, "set": 3, "map": 4}
Block = dict[str, Any]
Make = Callable[[str, str, Any, str], Any]


def _type(kind: Any) -> bytes:
    return json.dumps(kind).encode()


def _pb_block(block: Block) -> Any:
    return pb.Schema.Block(
        attributes=[
            pb.Schema.Attribute(
                name=name,
                type=_type(one["type"]),
                required=one.get("required", False),
                optional=one.get("optional", False),
                computed=one.get("computed", False),
            )
            for name, one in sorted(block["attributes"].items())
        ],
        block_types=[_pb_nested(name, one) for name, one in sorted(block["block_types"].items())],
    )


def _pb_nested(name: str, one: Block) -> Any:
    counted = one["nesting_mode"] in ("list", "set")
    return pb.Schema.NestedBlock(
        type_name=name,
        block=_pb_block(one["block"]),
        nesting=_NESTING[one["nesting_mode"]],
        min_items=one["min_items"] if counted else 0,
        max_items=one["max_items"] if counted else 0,
    )


def _pb_schema(schema: dict[str, Any]) -> Any:
    return pb.Schema(version=schema["version"], block=_pb_block(schema["block"]))


def _wire(kind: Any, value: Any) -> Any:
    """A value of dynamic type travels together with its type."""
    return [_type("string"), value] if kind == "dynamic" and value is not None and value is not Unknown else value


def _made_up(resource: str, name: str, kind: Any, seed: str) -> Any:
    tag = hashlib.sha256(seed.encode()).hexdigest()[:12]
    if kind == "number":
        return 0
    if kind == "bool":
        return False
    if isinstance(kind, list):
        return {} if kind[0] == "map" else []
    if name == "arn" or name.endswith("_arn"):
        return f"arn:aws:{resource.split('_')[1]}:{REGION}:{ACCOUNT}:{tag}"
    kind = resource.removeprefix("aws_")
    return f"{_SHORT.get(kind, kind.replace('_', '-'))}-{tag}"


def _fill(resource: str, block: Block, value: Any, make: Make, path: str = "") -> Any:
    """`value` with its computed attributes made."""
    if value is None or value is Unknown:
        return value
    out = dict(value)
    for name, one in block["attributes"].items():
        if one.get("computed") and (out.get(name) is None or out.get(name) is Unknown):
            out[name] = make(resource, name, one["type"], path + name)
    for name, one in block["block_types"].items():
        if isinstance(out.get(name), list):
            out[name] = [
                _fill(resource, one["block"], item, make, f"{path}{name}.{index}.")
                for index, item in enumerate(out[name])
            ]
        elif isinstance(out.get(name), dict):
            out[name] = _fill(resource, one["block"], out[name], make, f"{path}{name}.")
    return out


_PLAIN: Final = (("sid", "Sid"), ("actions", "Action"), ("not_actions", "NotAction"), ("resources", "Resource"))


def _has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_unknown(item) for item in value)
    return value is Unknown


def policy_document(config: dict[str, Any]) -> Any:
    """The JSON of a data.aws_iam_policy_document; Unknown while part of it is."""
    if _has_unknown(config.get("statement")):
        return Unknown
    statements = []
    for given in config.get("statement") or []:
        statement: dict[str, Any] = {"Effect": given.get("effect") or "Allow"}
        statement |= {key: given[name] for name, key in _PLAIN if given.get(name)}
        for one in given.get("principals") or []:
            statement.setdefault("Principal", {})[one["type"]] = one["identifiers"]
        for one in given.get("condition") or []:
            statement.setdefault("Condition", {}).setdefault(one["test"], {})[one["variable"]] = one["values"]
        statements.append(statement)
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class Servicer(rpc.ProviderServicer):  # type: ignore[misc]
    """The calls of plugin protocol 6."""

    def __init__(self, provider: Any = None) -> None:
        super().__init__()

    def GetMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's names, here and below
        return pb.GetMetadata.Response(
            resources=[pb.GetMetadata.ResourceMetadata(type_name=name) for name in DOC["resource_schemas"]],
            data_sources=[pb.GetMetadata.DataSourceMetadata(type_name=name) for name in DOC["data_source_schemas"]],
        )

    def GetProviderSchema(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.GetProviderSchema.Response(
            provider=_pb_schema(DOC["provider"]),
            resource_schemas={name: _pb_schema(one) for name, one in DOC["resource_schemas"].items()},
            data_source_schemas={name: _pb_schema(one) for name, one in DOC["data_source_schemas"].items()},
        )

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ValidateProviderConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ConfigureProvider.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ValidateDataResourceConfig.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.UpgradeResourceState.Response(upgraded_state=pb.DynamicValue(json=request.raw_state.json))

    def ReadResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ReadResource.Response(new_state=request.current_state)

    def PlanResourceChange(self, request: Any, context: Any) -> Any:  # noqa: N802
        proposed, prior = read_dynamic_value(request.proposed_new_state), read_dynamic_value(request.prior_state)
        if proposed is not None and prior is None:
            block = DOC["resource_schemas"][request.type_name]["block"]
            proposed = _fill(request.type_name, block, proposed, lambda *_: Unknown)
            return pb.PlanResourceChange.Response(planned_state=to_dynamic_value(proposed))
        return pb.PlanResourceChange.Response(planned_state=request.proposed_new_state)

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:  # noqa: N802
        planned = read_dynamic_value(request.planned_state)
        if planned is None:
            return pb.ApplyResourceChange.Response(new_state=request.planned_state)
        block = DOC["resource_schemas"][request.type_name]["block"]
        seed = request.type_name + repr(
            sorted((key, value) for key, value in planned.items() if isinstance(value, str))
        )

        def make(resource: str, name: str, kind: Any, path: str) -> Any:
            return _wire(kind, _made_up(resource, name, kind, seed + path))

        return pb.ApplyResourceChange.Response(
            new_state=to_dynamic_value(_fill(request.type_name, block, planned, make))
        )

    def ReadDataSource(self, request: Any, context: Any) -> Any:  # noqa: N802
        config = read_dynamic_value(request.config)
        block = DOC["data_source_schemas"][request.type_name]["block"]
        known = dict(KNOWN.get(request.type_name, {}))
        if request.type_name == "aws_iam_policy_document":
            known["json"] = known["minified_json"] = policy_document(config)

        def make(resource: str, name: str, kind: Any, path: str) -> Any:
            return known[name] if name in known else _wire(kind, _made_up(resource, name, kind, path))

        return pb.ReadDataSource.Response(state=to_dynamic_value(_fill(request.type_name, block, config, make)))

    def ImportResourceState(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ImportResourceState.Response()

    def StopProvider(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.StopProvider.Response()


class _Named:
    def full_name(self) -> str:
        return "stub"


if __name__ == "__main__":
    tf.provider.ProviderServicer = Servicer
    runner.run_provider(_Named(), ["stub"])
