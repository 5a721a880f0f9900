"""Aggregator files: one YAML file per aggregator (and its channels and platforms) -> the registry.

An error names file, line, key and fix; unknown keys are refused; a secret is written `!secret` and lives in SSM.
Needs PyYAML, and the settings of both the HTTP channel types and the relay: never on a message's way.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib import channels, registry_store
from chalicelib.channels.config import ConfigError
from chalicelib.clock import now_ms
from chalicelib.registry import SMSC_TYPES, Aggregator, Channel, Platform

SECRET: Final = "\x00secret\x00"  # noqa: S105  # stands for a value that is in SSM while a file is checked
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class FileError(ValueError):
    """The file cannot be used; the text has one line per problem: `file:line: key: what is wrong and what to do`."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ChannelEntry(_Strict):
    """A channel of the file's aggregator."""

    uuid: UUID
    id: int | None = None
    address: str = Field(min_length=1)
    country: str = Field("", pattern=r"^([A-Z]{2})?$")
    workspace: str = Field(min_length=1)
    platform: Name
    config: dict[str, Any] = {}


class PlatformEntry(_Strict):
    """A platform: its base URL, and whether it has a credential."""

    base_url: str = Field(pattern=r"^https?://")
    credential: str = ""
    concurrency: int = Field(5, ge=1, le=1000)
    report_wired: bool = False


class AggregatorFile(_Strict):
    """One file."""

    name: Name
    type: str
    config: dict[str, Any] = {}
    lane: Literal["own", "shared"] = "shared"
    vpn: dict[str, Any] = {}
    contacts: dict[str, str] = {}
    channels: tuple[ChannelEntry, ...] = ()
    platforms: dict[Name, PlatformEntry] = {}


@dataclass(frozen=True)
class Loaded:
    """A checked file."""

    file: AggregatorFile
    source: str
    secrets: tuple[str, ...]


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_constructor("!secret", lambda loader, node: SECRET)


def _lines(node: yaml.Node, path: tuple[str | int, ...] = ()) -> dict[tuple[str | int, ...], int]:
    """The line (from 1) of every key and item."""
    found = {path: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            found.update(_lines(value, (*path, key.value)))
            found[(*path, key.value)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            found.update(_lines(value, (*path, index)))
    return found


def _repeated(node: yaml.Node, source: str) -> list[str]:
    problems = []
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                problems.append(f"{source}:{line}: {key.value}: is there twice, first in line {seen[key.value]}")
            seen[key.value] = line
            problems += _repeated(value, source)
    elif isinstance(node, yaml.SequenceNode):
        problems = [problem for value in node.value for problem in _repeated(value, source)]
    return problems


def load(text: str, source: str) -> Loaded:
    """Check the text of a file.

    Raises:
        FileError: with a line for each problem.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with one more tag
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise FileError(
            f"{source}:{mark.line + 1 if mark else 1}: not YAML: {getattr(error, 'problem', error)}"
        ) from None
    if node is None or not isinstance(data, dict):
        raise FileError(f"{source}:1: the file must be a mapping with name, type, config and channels")
    lines = _lines(node)
    problems = _repeated(node, source)
    try:
        file = AggregatorFile.model_validate(data)
    except ValidationError as error:
        problems += [_explain(dict(item), lines, source) for item in error.errors(include_url=False)]
        raise FileError("\n".join(problems)) from None
    problems += [f"{source}:{_line(lines, 'config', key)}: {message}" for key, message in _config_problems(file)]
    if problems:
        raise FileError("\n".join(problems))
    return Loaded(file, source, tuple(key for key, value in file.config.items() if value == SECRET))


def _line(lines: Mapping[tuple[str | int, ...], int], *path: str | int) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _explain(error: dict[str, Any], lines: Mapping[tuple[str | int, ...], int], source: str) -> str:
    path = tuple(step for step in error["loc"] if step != "[key]")
    where = f"{source}:{_line(lines, *path)}: {'.'.join(str(step) for step in path)}"
    if error["type"] == "extra_forbidden":
        inner: dict[str, type[BaseModel]] = {"channels": ChannelEntry, "platforms": PlatformEntry}
        model = inner.get(str(path[0]), AggregatorFile) if len(path) > 1 else AggregatorFile
        return f"{where}: unknown key{_meant(str(path[-1]), list(model.model_fields))}"
    if error["type"] == "missing":
        return f"{where}: required key is missing"
    return f"{where}: {error['msg'].removeprefix('Value error, ')}"


def _meant(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, 1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"


def _config_problems(file: AggregatorFile) -> list[tuple[str, str]]:
    """(key, message) for what the type's own Config says of `config`."""
    if file.type.upper() in SMSC_TYPES:
        return []
    try:
        config = channels.load(file.type).Config
    except channels.UnknownType as error:
        return [("", f"type: {error}")]
    problems = [
        (key, f"config.{key}: is a secret; write `{key}: !secret` and give its value when you apply the file")
        for key in config.secret_keys()
        if file.config.get(key) not in (None, SECRET)
    ]
    try:
        config.read({key: "secret" if value == SECRET else value for key, value in file.config.items()})
    except ConfigError as error:
        for message in str(error).split("; "):
            key, _, rest = message.partition(": ")
            if rest.startswith("unknown key"):
                rest = "unknown key" + _meant(key, list(config.model_fields))
            problems.append((key, f"config.{key}: {rest}"))
    return problems


def apply(loaded: Loaded, secrets: Mapping[str, str] | None = None) -> list[str]:
    """Write a checked file to the registry; says what it wrote. `secrets` go to SSM, others stay as they are.

    Raises:
        registry_store.Conflict: an address or id belongs to a channel elsewhere.
    """
    file, now = loaded.file, now_ms()
    given = {key: value for key, value in (secrets or {}).items() if key in loaded.secrets}
    if given:
        registry_store.put_secret("aggregators", file.name, json.dumps(given))
    for name, entry in file.platforms.items():
        hidden = entry.credential == SECRET
        registry_store.put_platform(Platform(name=name, secret=hidden, **entry.model_dump(exclude={"credential"})))
    registry_store.put_aggregator(
        Aggregator(
            name=file.name,
            type=file.type.upper(),
            config={key: value for key, value in file.config.items() if value != SECRET},
            secrets=loaded.secrets,
            lane=file.lane,
            vpn=file.vpn,
            contacts=dict(file.contacts),
            version=now,
        )
    )
    for one in file.channels:
        fields = one.model_dump(exclude={"uuid"})
        registry_store.put_channel(
            Channel(uuid=str(one.uuid), aggregator=file.name, type=file.type.upper(), created_at=now, **fields)
        )
    said = [f"platform {name}" for name in file.platforms]
    return [*said, f"aggregator {file.name}", *(f"channel {one.uuid} ({one.address})" for one in file.channels)]
