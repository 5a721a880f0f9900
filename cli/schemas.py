"""`jangada schemas`: JSON Schemas of the words the gateway speaks, and of aggregator files, for editors and clients."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from cli.output import Problem

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """What the command takes."""
    parser.add_argument("directory", nargs="?", default="docs/schemas", metavar="DIR", help="default: docs/schemas")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit status 1 where a file is not up to date"
    )
    parser.set_defaults(run=schemas)


def made() -> dict[str, str]:
    """File name -> text of each schema."""
    from pydantic import BaseModel

    from chalicelib import messages
    from cli import aggregator_files

    models: dict[str, type[BaseModel]] = {
        "outgoing.json": messages.Outgoing,
        "incoming.json": messages.Incoming,
        "status-update.json": messages.StatusUpdate,
        "opt-out.json": messages.OptOut,
    }
    found: dict[str, Any] = {name: model.model_json_schema(by_alias=True) for name, model in models.items()}
    aggregator = aggregator_files.AggregatorFile.model_json_schema()
    platforms = aggregator_files.PlatformsFile.model_json_schema()
    known = {**aggregator.pop("$defs", {}), **platforms.pop("$defs", {})}
    found["aggregator-file.json"] = {"title": "Aggregator file", "anyOf": [aggregator, platforms], "$defs": known}
    return {
        name: json.dumps({"$schema": DIALECT, **schema}, indent=2, ensure_ascii=False) + "\n"
        for name, schema in found.items()
    }


def schemas(options: argparse.Namespace) -> None:
    """Write the schemas, or check that they are as written."""
    directory = Path(options.directory)
    files = made()
    if options.check:
        stale = [name for name, text in files.items() if _read(directory / name) != text]
        if stale:
            raise Problem(f"not up to date in {directory}: {', '.join(stale)}; run `jangada schemas {directory}`")
        print(f"{len(files)} schemas in {directory} are up to date")
        return
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    print(f"wrote {len(files)} schemas to {directory}")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
