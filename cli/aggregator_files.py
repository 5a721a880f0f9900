"""Aggregator files: one YAML file per aggregator with its channels, or with platforms -> checked models.

An error names file, line, key and fix; unknown keys are refused; a secret is written `!secret` and lives in SSM.
Needs PyYAML, and the settings of both the HTTP channel types and the relay: never on a message's way.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from chalicelib.channels import UnknownType
from chalicelib.phones import contact_key
from chalicelib.redaction import SECRET_HEADERS, template_secrets
from cli import canary_entry, egress_entry, kinds, yaml_nodes
from cli.canary_entry import CanaryEntry
from cli.egress_entry import Egress
from cli.kinds import meant
from cli.yaml_nodes import Path

Found = tuple[Path, str]  # a problem: where, and what is wrong and what to do

SECRET: Final = "\x00secret\x00"  # noqa: S105  # stands for a value that is in SSM while a file is checked
STAND_IN: Final = "secret"  # for it, where a type checks its config
_HIDING: Final = re.compile(r"(?i)psk|pre_?shared|passw|secret|token|api_?key|credential")  # names of secrets

_PASSWORD: Final = re.compile(r"(?i)passw|secret|psk")  # always one, whatever the type says of the key
_NAME: Final = r"^[a-z0-9][a-z0-9-]{0,39}$"
_COUNTRY: Final = r"^([A-Z]{2})?$"
_BASE_URL: Final = r"^https?://[^\s/?#]+[^\s?#]*$"
_SHAPES: Final = {
    _NAME: "must be 1 to 40 of a-z, 0-9 and -, and begin with a letter or digit",
    _COUNTRY: 'must be the two capital letters of a country, e.g. "UG"',
    _BASE_URL: "must be an absolute URL without a query, e.g. https://rapidpro.example.org",
}
Name = Annotated[str, Field(pattern=_NAME)]


class FileError(ValueError):
    """The file cannot be used; the text has one line per problem: `file:line: key: what is wrong and what to do`."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ChannelEntry(_Strict):
    """A channel of the file's aggregator."""

    uuid: UUID = Field(description="the platform's UUID of the channel")
    id: int | None = Field(None, ge=1, description="the platform's integer id, where it uses one")
    address: str = Field(min_length=1, description="the number or short code, in quotes")
    country: str = Field("", pattern=_COUNTRY, description="ISO 3166 alpha-2, for national numbers")
    workspace: str = Field(min_length=1, description="whose channel it is; tokens of /send belong to a workspace")
    platform: Name = Field(description="one of `platforms`, of this file or registered already")
    config: dict[str, Any] = Field({}, description="keys of the type's config that differ for this channel")


class PlatformEntry(_Strict):
    """A platform: where its External API is."""

    base_url: str = Field(pattern=_BASE_URL, description="without /c/ex")
    credential: str = Field("", description="`!secret` where the platform wants an Authorization header")
    concurrency: int = Field(5, ge=1, le=1000, description="requests at a time")
    report_wired: bool = Field(False, description="tell `sent` as soon as the aggregator has accepted a message")

    @field_validator("base_url")
    @classmethod
    def _usable(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.username or parts.password:
            raise ValueError("a URL with a password in it is refused: write `credential: !secret`")
        if not parts.hostname or parts.port == 0:
            raise ValueError("must be an absolute URL, e.g. https://rapidpro.example.org")
        return value

    @field_validator("credential")
    @classmethod
    def _hidden(cls, value: str) -> str:
        if value not in ("", SECRET):
            raise ValueError("is a secret: write `credential: !secret`, then `jangada platform credential NAME`")
        return value


class PlatformsFile(_Strict):
    """A file of platforms only."""

    platforms: dict[Name, PlatformEntry] = Field(min_length=1)


class AggregatorFile(_Strict):
    """One aggregator: an account at an SMS company, HTTP API or SMSC."""

    name: Name = Field(description="names its queue and its secrets; cannot be changed later")
    type: str = Field(description="a code of `jangada types`, e.g. AT or SMPP")
    config: dict[str, Any] = Field({}, description="keys of the type: `jangada types CODE`; secrets as `!secret`")
    lane: Literal["own", "shared"] = Field("shared", description="a queue of its own; an SMSC always has one")
    egress: Egress = Field(
        "public", description="nat: from fixed addresses; vpc: through its VPN; both of HTTP types, with lane: own"
    )
    vpn: dict[str, Any] = Field({}, description="what the aggregator's VPN form says; Terraform builds from it")
    contacts: dict[str, str] = Field({}, description="whom to call")
    canary: CanaryEntry | None = Field(None, description="of an SMSC: a test message every so often; default: none")
    channels: tuple[ChannelEntry, ...] = ()
    platforms: dict[Name, PlatformEntry] = {}

    @field_validator("name")
    @classmethod
    def _free(cls, value: str) -> str:
        """Queues are called lane-<name>, lane-<name>-bulk, and the same with -dlq."""
        if value == "shared" or value.startswith("shared-") or value.endswith(("-bulk", "-dlq")):
            raise ValueError('its queue would be another\'s: not "shared", and no name that ends in -bulk or -dlq')
        return value

    @field_validator("type")
    @classmethod
    def _known(cls, value: str) -> str:
        if value.upper() not in kinds.codes():
            raise ValueError(f"no such type; {meant(value, kinds.codes())}")
        return value.upper()


@dataclass(frozen=True)
class Loaded:
    """A checked file."""

    source: str
    lines: Mapping[Path, int]
    aggregator: AggregatorFile | None
    platforms: Mapping[str, PlatformEntry]
    secrets: tuple[str, ...] = ()  # config keys that are in SSM

    def at(self, *path: str | int) -> str:
        """`file:line` of a key, or of what it is in."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.source}:{self.lines.get(path, 1)}"


# --- YAML -----------------------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_constructor("!secret", lambda loader, node: SECRET)
_CROWDED: Final = re.compile(r"(?<=:[ \t])!secret(?=[],}])")  # YAML would take `,` or `}` for a part of the tag


def load(text: str, source: str) -> Loaded:
    """Check the text of a file. What the registry has is not looked at.

    Raises:
        FileError: with a line for each problem.
    """
    lines: dict[Path, int] = {}
    texts: dict[Path, str] = {}
    problems: list[Found] = []
    text = _CROWDED.sub("!secret ", text)
    try:
        node = yaml.compose(text, Loader=_Loader)
        for path, key, value in yaml_nodes.nodes(node) if node is not None else ():
            line = (key or value).start_mark.line + 1
            if path in lines and key is not None and path[-1] != "<<" and lines[path] != line:
                problems.append((path, f"is there twice, first in line {lines[path]}"))
            lines[path] = line
            if isinstance(value, yaml.ScalarNode):
                texts[path] = value.value
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with one more tag
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise FileError(
            f"{source}:{mark.line + 1 if mark else 1}: not YAML: {getattr(error, 'problem', error)}"
        ) from None
    if not isinstance(data, dict):
        raise FileError(f"{source}:1: the file must be a mapping with name, type, config and channels")
    file: AggregatorFile | PlatformsFile | None = None
    only_platforms = data.keys() <= {"platforms"}
    try:
        file = (PlatformsFile if only_platforms else AggregatorFile).model_validate(data)
    except ValidationError as error:
        problems += [_explain(dict(item), texts) for item in error.errors(include_url=False)]
    problems += _misplaced(data)
    code, config = str(data.get("type")).upper(), data.get("config", {})
    if not only_platforms and code in kinds.codes() and isinstance(config, dict):
        problems += config_problems(code, config)
    aggregator = file if isinstance(file, AggregatorFile) else None
    problems += _channel_problems(aggregator) if aggregator else []
    loaded = Loaded(
        source,
        lines,
        aggregator,
        file.platforms if file else {},
        tuple(key for key, value in aggregator.config.items() if value == SECRET) if aggregator else (),
    )
    if problems:
        raise FileError(report((loaded.at(*path), path, what) for path, what in problems))
    return loaded


def report(problems: Iterable[tuple[str, Path, str]]) -> str:
    """Problems as `file:line: key: what`, in the order of the lines, each once."""
    lines = {
        f"{at}: {'.'.join(map(str, path))}: {what}" if path else f"{at}: {what}": at for at, path, what in problems
    }

    def place(line: str) -> tuple[str, int]:
        file, _, number = lines[line].rpartition(":")
        return file, int(number)

    return "\n".join(sorted(lines, key=place))


def _explain(error: dict[str, Any], texts: Mapping[Path, str]) -> Found:
    path = tuple(step for step in error["loc"] if step != "[key]")
    if error["type"] == "extra_forbidden":
        inner: dict[str, type[BaseModel]] = {
            "channels": ChannelEntry,
            "platforms": PlatformEntry,
            "canary": CanaryEntry,
        }
        model = inner.get(str(path[0]), AggregatorFile) if len(path) > 1 else AggregatorFile
        return path, f"unknown key; {meant(str(path[-1]), model.model_fields)}"
    if error["type"] == "missing":
        return path, "required key is missing"
    if error["type"] == "string_type" and path in texts:
        return path, f'must be text: put it in quotes, "{texts[path]}"'
    if error["type"] == "string_pattern_mismatch":
        return path, _SHAPES.get(error["ctx"]["pattern"], str(error["msg"]))
    return path, str(error["msg"]).removeprefix("Value error, ")


# --- what a schema cannot say ---------------------------------------------------------------------------------------


def _misplaced(data: Mapping[str, Any]) -> Iterator[Found]:
    """`!secret` where nothing reads it, and what looks like a secret in clear where no type says which keys are."""
    for path, value in _leaves(data):
        allowed = (len(path) == 2 and path[0] == "config") or (
            len(path) == 3 and path[::2] == ("platforms", "credential")
        )
        if value == SECRET and not allowed:
            yield path, "`!secret` is for the keys of the aggregator's config and for a platform's credential"
        elif path[0] == "vpn" and value != SECRET and _HIDING.search(str(path[-1])):
            yield path, "looks like a secret: keep it out of the file; Terraform has AWS make the VPN's keys"


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index))
    else:
        yield path, value


def _channel_problems(file: AggregatorFile) -> Iterator[Found]:
    """What the channels of a file say of each other, and what the type says of the config keys of their own."""
    taken: dict[tuple[str, Any], int] = {}
    configs = [file.config, *(one.config for one in file.channels)]
    yield from egress_entry.problems(file.egress, file.type, file.lane, file.vpn, configs)
    if file.canary:
        yield from canary_entry.problems(file.canary, file.type, {one.uuid for one in file.channels})
    for index, one in enumerate(file.channels):
        for key, value in (("uuid", one.uuid), ("id", one.id), ("address", contact_key(one.address))):
            first = taken.setdefault((key, value), index)
            if value is not None and first != index:
                yield ("channels", index, key), f"is that of channels.{first} already"
        for path, what in _own_config_problems(file.type, file.config, one.config):
            yield ("channels", index, *path), what


def _own_config_problems(code: str, account: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[Found]:
    """What is wrong with the config keys of a channel that are its own."""
    model = _model(code)
    hidden = kinds.secret_keys(model) if model else ()
    shared = kinds.account_keys(model) if model else ()
    for key in own:
        if key in hidden:
            yield ("config", key), "is a secret: it goes into the aggregator's config, as `!secret`"
        elif key in shared:
            yield ("config", key), "is one for all channels of an account: it goes into the aggregator's config"
    for path, what in config_problems(code, {**account, **own}) if own else ():
        if len(path) == 1 or (path[1] in own and path[1] not in hidden):
            yield path, what


def channel_entry(
    data: Mapping[str, Any], code: str, account: Mapping[str, Any]
) -> tuple[ChannelEntry | None, list[str]]:
    """One channel of an aggregator with the type `code` and the config `account`, or what is wrong with it."""
    try:
        entry = ChannelEntry.model_validate(data)
    except ValidationError as error:
        found = [_explain(dict(item), {}) for item in error.errors(include_url=False)]
        return None, [f"{'.'.join(map(str, path))}: {what}" for path, what in found]
    problems = _own_config_problems(code, account, entry.config)
    return entry, [f"{'.'.join(map(str, path))}: {what}" for path, what in problems]


def _model(code: str) -> type[BaseModel] | None:
    try:
        return kinds.config_of(code)
    except (ModuleNotFoundError, UnknownType):
        return None


def config_problems(code: str, config: Mapping[str, Any], clear: Collection[str] = ()) -> list[Found]:
    """What is wrong with an aggregator's config, by the key: `SECRET` values are taken to be right.

    The values of `clear` are the secrets themselves; they are not repeated in what is answered.
    """
    model = _model(code)
    hidden = kinds.secret_keys(model) if model else ()
    problems: list[Found] = []
    for key, value in config.items():
        if value == SECRET or value is None or key in clear:
            continue
        if key in hidden or _PASSWORD.search(key):
            problems.append((("config", key), f"is a secret: write `{key}: !secret`, {_give(key)}"))
        elif key == "headers" and isinstance(value, dict):
            named = (name for name in value if str(name).lower() in SECRET_HEADERS or _HIDING.search(str(name)))
            problems += [
                (("config", key, name), "is a secret: write `headers: !secret`, and give all headers as JSON text")
                for name in named
            ]
        elif isinstance(value, str) and template_secrets(value):
            problems.append((("config", key), f"seems to hold a credential: write `{key}: !secret`, {_give(key)}"))
    if model is None:
        return problems
    try:
        model.model_validate({key: STAND_IN if value == SECRET else value for key, value in config.items()})
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=False):
            path = item["loc"]
            if path and config.get(str(path[0])) == SECRET:
                continue  # it is the stand-in that does not fit
            if item["type"] == "extra_forbidden":
                what = f"unknown key; {meant(str(path[-1]), model.model_fields) if len(path) == 1 else 'remove it'}"
            elif item["type"] == "missing" and str(path[0]) in hidden:
                what = f"required key is missing: write `{path[0]}: !secret`, {_give(str(path[0]))}"
            elif item["type"] == "missing":
                what = "required key is missing"
            else:
                what = str(item["msg"]).removeprefix("Value error, ")
            problems.append((("config", *path), what))
    return problems


def _give(key: str) -> str:
    return f"then `jangada aggregator secret NAME {key}`"


def read(path: str) -> Loaded:
    """Read and check a file.

    Raises:
        FileError: it cannot be read, or used.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return load(file.read(), path)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not UTF-8: {error.reason} at octet {error.start}") from None


def read_all(paths: Iterable[str]) -> list[Loaded]:
    """Read and check several files.

    Raises:
        FileError: with the problems of all of them.
    """
    found, problems = [], []
    for path in paths:
        try:
            found.append(read(path))
        except FileError as error:
            problems.append(str(error))
    if problems:
        raise FileError("\n".join(problems))
    return found
