"""The schema of Terraform's AWS provider, out of a CDK bindings wheel: no provider and no network are needed.

    pip download --no-deps cdktn-provider-aws==25.8.1    # the bindings of provider 6.69.1
    python infra/check/schema.py cdktn_provider_aws-25.8.1-py3-none-any.whl tests/infra/aws-6.69.1-schema.json.gz

The JavaScript in the wheel says of every argument its name and type, whether it is a block, and in a comment whether it
is computed, optional or required. The result has the shape of `terraform providers schema -json`, for the types that
infra/ uses. It does not say which values are allowed, nor which arguments exclude each other.

Bindings of provider 5 have no such comments. What they leave out, attributes that are computed only, is taken from the
newer schema, so that it still tells which arguments there are:

    pip download --no-deps cdktf-cdktf-provider-aws==19.65.1    # the bindings of provider 5.99.1
    cd tests/infra
    python ../../infra/check/schema.py --computed-of aws-6.69.1-schema.json.gz WHEEL aws-5.99.1-schema.json.gz
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
CHALICE: Final = {
    "aws_api_gateway_deployment",
    "aws_api_gateway_rest_api",
    "aws_cloudwatch_event_rule",
    "aws_cloudwatch_event_target",
    "aws_lambda_function",
    "aws_lambda_layer_version",
    "aws_lambda_permission",
}
_USE: Final = re.compile(r'^(resource|data) "(aws_\w+)"', re.MULTILINE)
_ENTRY: Final = re.compile(
    r"(\w+): \{\s+value: (.*),\s+isBlock: (true|false),\s+type: \"(\w+)\",\s+storageClassType: \"(\w+)\""
)
_FLAGS: Final = re.compile(
    r"// (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\s+"
    r"(?:_\w+[^\n]*\s+)?get \w+\(\) \{\s+return ([^\n]*);"
)
_SIMPLE: Final = {"string": "string", "number": "number", "boolean": "bool"}
_GETTERS: Final = (
    (re.compile(r"getStringAttribute"), "string"),
    (re.compile(r"getNumberAttribute"), "number"),
    (re.compile(r"getBooleanAttribute"), "bool"),
    (re.compile(r"getStringMapAttribute"), ["map", "string"]),
    (re.compile(r"tolist.*getListAttribute"), ["set", "string"]),
    (re.compile(r"getListAttribute"), ["list", "string"]),
)
Block = dict[str, Any]


def used() -> set[str]:
    """The types in infra/ and in what chalice makes: `aws_sqs_queue`, `data.aws_region`."""
    found = set(CHALICE)
    for path in (ROOT / "infra").rglob("*.tf"):
        for kind, name in _USE.findall(path.read_text()):
            found.add(name if kind == "resource" else f"data.{name}")
    return found


def _braces(text: str, start: int) -> str:
    """From the first brace at or after `start` to the one that closes it."""
    begin = text.index("{", start)
    depth = 0
    for at in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[begin : at + 1]
    raise ValueError("a brace is never closed: not the bindings this was written for")


def _attribute_type(kind: str, stored: str) -> Any:
    element = _SIMPLE.get(re.sub(r"(List|Map)$", "", stored))
    if kind == "simple":
        return _SIMPLE.get(stored, "dynamic")
    if stored.endswith("MapList"):
        return [kind, ["map", _SIMPLE.get(stored.removesuffix("MapList"), "string")]]
    return [kind, element] if element else "dynamic"


def _computed_type(expression: str) -> Any:
    return next((found for pattern, found in _GETTERS if pattern.search(expression)), "dynamic")


def _block(script: str, entries: str, accessors: str) -> Block:
    """A block from its list of entries and the class with its getters."""
    flags = {
        name: ({"computed": c == "true", "optional": o == "true", "required": r == "true"}, expression)
        for name, c, o, r, expression in _FLAGS.findall(accessors)
    }
    block: Block = {"attributes": {}, "block_types": {}}
    for name, value, is_block, kind, stored in _ENTRY.findall(entries):
        flag = flags.get(name, ({"optional": True, "computed": False, "required": False}, ""))[0]
        if is_block == "true":
            block["block_types"][name] = _nested(script, value, kind, required=flag["required"])
        else:
            block["attributes"][name] = {"type": _attribute_type(kind, stored), **_true(flag)}
    for name, (flag, expression) in flags.items():
        if flag["computed"] and name not in block["attributes"] and name not in block["block_types"]:
            block["attributes"][name] = {"type": _computed_type(expression), **_true(flag)}
    return block


def _nested(script: str, value: str, kind: str, *, required: bool) -> Block:
    writer = re.search(r"(\w+)ToHclTerraform", value)
    if writer is None:
        raise ValueError(f"a block without a writer: {value[:80]}")
    name = writer[1]
    entries = re.search(rf"function {name}ToHclTerraform\(", script)
    accessors = re.search(rf"class {name[0].upper()}{name[1:]}OutputReference ", script)
    inner = _block(
        script,
        _braces(script, script.index(")", entries.end())) if entries else "",
        _braces(script, accessors.start()) if accessors else "",
    )
    single = kind == "struct"
    return {
        "nesting_mode": "single" if single else kind,
        "block": inner,
        "min_items": int(required),
        "max_items": 0 if single or "listMapperHcl(" in value else 1,
    }


def _true(flags: dict[str, bool]) -> dict[str, bool]:
    return {name: value for name, value in flags.items() if value}


def _without_dynamic(block: Block, *, in_set: bool = False) -> None:
    """Terraform forbids dynamic types below a set."""
    for attribute in block["attributes"].values():
        if in_set and attribute["type"] == "dynamic":
            attribute["type"] = "string"
    for nested in block["block_types"].values():
        _without_dynamic(nested["block"], in_set=in_set or nested["nesting_mode"] == "set")


def _schema(script: str) -> dict[str, Any]:
    """One type, from its script."""
    begin = re.search(r"class \w+ extends cdkt[nf]\.Terraform(Resource|DataSource|Provider) ", script)
    if begin is None:
        raise ValueError("no resource in it: not the bindings this was written for")
    whole = _braces(script, begin.start())
    accessors, _, entries = whole.partition("synthesizeHclAttributes()")
    block = _block(script, entries, accessors)
    block["attributes"].setdefault("id", {"type": "string", "optional": True, "computed": True})
    _without_dynamic(block)
    return {"version": 0, "block": block}


def _provider(script: str) -> dict[str, Any]:
    schema = _schema(script)
    attributes = schema["block"]["attributes"]
    del attributes["id"]
    for attribute in attributes.values():
        attribute.pop("required", None)
        attribute.pop("computed", None)
        attribute["optional"] = True
    return schema


def read(wheel: Path, wanted: set[str]) -> dict[str, Any]:
    """The schema of the provider and of the `wanted` types.

    Raises:
        ValueError: one of them is not in the wheel.
    """
    with zipfile.ZipFile(wheel) as archive:
        inner = next(name for name in archive.namelist() if name.endswith(".tgz"))
        packed = io.BytesIO(archive.read(inner))
    doc: dict[str, Any] = {"resource_schemas": {}, "data_source_schemas": {}}
    missing = set(wanted)
    with tarfile.open(fileobj=packed) as tar:
        for member in tar:
            folder = re.search(r"/lib/([a-z0-9-]+)/index\.js$", member.name)
            if folder is None:
                continue
            name = folder[1].replace("-", "_")
            data = name.startswith("data_aws_")
            kind = f"aws_{name.removeprefix('data_aws_')}"
            if name != "provider" and (f"data.{kind}" if data else kind) not in wanted:
                continue
            file = tar.extractfile(member)
            script = file.read().decode() if file else ""
            if name == "provider":
                doc["provider"] = _provider(script)
                continue
            version = re.search(r"providerVersion: '([^']+)'", script)
            doc["provider_version"] = version[1] if version else doc.get("provider_version")
            doc["data_source_schemas" if data else "resource_schemas"][kind] = _schema(script)
            missing.discard(f"data.{kind}" if data else kind)
    if missing:
        raise ValueError(f"not in {wheel.name}: {', '.join(sorted(missing))}")
    return doc


def complete(block: Block, newer: Block) -> None:
    """Give a block the attributes that are computed in the newer one, and are no arguments of it."""
    for name, one in newer["attributes"].items():
        if one.get("computed") and not one.get("optional"):
            block["attributes"].setdefault(name, one)
    for name, one in newer["block_types"].items():
        if name in block["block_types"]:
            complete(block["block_types"][name]["block"], one["block"])


def main() -> int:
    """Write the schema of what infra/ uses."""
    parser = argparse.ArgumentParser(prog="infra/check/schema.py", description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="bindings: cdktn_provider_aws-*.whl")
    parser.add_argument("out", type=Path, help="*.json.gz to write")
    parser.add_argument("--computed-of", type=Path, help="*.json.gz of a newer provider, for bindings without flags")
    options = parser.parse_args()
    doc = read(options.wheel, used())
    if options.computed_of:
        newer = json.loads(gzip.decompress(options.computed_of.read_bytes()))
        for kind in ("resource_schemas", "data_source_schemas"):
            for name, one in doc[kind].items():
                complete(one["block"], newer[kind][name]["block"])
    text = json.dumps(doc, sort_keys=True, separators=(",", ":"))
    options.out.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"provider {doc['provider_version']}: {len(doc['resource_schemas'])} resources")
    return 0


if __name__ == "__main__":
    sys.exit(main())
