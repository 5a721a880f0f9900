"""The exported JSON Schemas are those of the code, and say what is true of real messages and files."""

from __future__ import annotations

import json
from pathlib import Path

from cli import schemas
from tests.cli.conftest import Jangada

DOCS = Path(__file__).resolve().parents[2] / "docs" / "schemas"


def test_the_committed_schemas_are_fresh(cli: Jangada) -> None:
    ran = cli("schemas", "--check", str(DOCS))
    assert (ran.status, ran.err) == (0, "")


def test_a_schema_that_is_stale_or_missing_is_named(cli: Jangada, tmp_path: Path) -> None:
    assert cli("schemas", str(tmp_path)).status == 0
    (tmp_path / "incoming.json").write_text("{}")
    (tmp_path / "opt-out.json").unlink()
    ran = cli("schemas", "--check", str(tmp_path))
    assert ran.status == 1
    assert "incoming.json, opt-out.json; run `jangada schemas" in ran.err
    assert (tmp_path / "incoming.json").read_text() == "{}"


def test_outgoing_is_written_as_the_platform_writes_it() -> None:
    schema = json.loads(schemas.made()["outgoing.json"])
    assert set(schema["required"]) == {"id", "to", "channel"}
    assert "from" in schema["properties"]
    assert "from_" not in schema["properties"]


def test_an_aggregator_file_may_have_an_aggregator_or_only_platforms() -> None:
    schema = json.loads(schemas.made()["aggregator-file.json"])
    assert [one["required"] for one in schema["anyOf"]] == [["name", "type"], ["platforms"]]
    assert all(one["additionalProperties"] is False for one in schema["anyOf"])
    assert set(schema["$defs"]) == {"CanaryEntry", "ChannelEntry", "PlatformEntry"}
