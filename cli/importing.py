"""`jangada channel import`: what RapidPro exports of its channels, checked and planned; `importing_writes` does it.

A row is `uuid, type, address, country, config`, as in RapidPro's table of channels; CSV with config as JSON, or a JSON
array of objects. RapidPro keeps an account's credentials with each channel: rows of one type that share them become one
aggregator, what differs between them stays with the channel. No value of a config is ever in what is said.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib import channels, registry, registry_store
from chalicelib.registry import SMSC_TYPES, Aggregator, Channel
from cli import aggregator_files, kinds
from cli.aggregator_files import SECRET
from cli.output import Problem

NEEDED: Final = ("uuid", "type", "address", "config")
# Keys that RapidPro keeps for itself, and why ours differ.
LEFT: Final[dict[str, str]] = {"callback_domain": "the aggregator calls this deployment from now on, not RapidPro"}
_CREDENTIAL: Final = ("is a secret", "seems to hold a credential")  # how `config_problems` begins to say it


@dataclass
class Row:
    """One channel of the export. `problems` are (key, what is wrong and what to do)."""

    line: int
    data: Mapping[str, Any]
    code: str = ""
    config: dict[str, Any] = field(default_factory=dict)  # without what is secret
    secrets: dict[str, str] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)  # (key, why it does not carry over)
    skipped: str = ""  # why the whole row does not
    channel: Channel | None = None
    here: bool = False  # it is registered already

    @property
    def uuid(self) -> str:
        """As it is written."""
        return str(self.data.get("uuid") or "").strip().lower()


@dataclass
class Account:
    """The aggregator of some rows. `new`: it is to be made, with its secrets."""

    aggregator: Aggregator
    secrets: dict[str, str]
    new: bool
    rows: list[Row] = field(default_factory=list)


@dataclass
class Plan:
    """What importing would do."""

    rows: list[Row]
    accounts: list[Account]


# --- reading --------------------------------------------------------------------------------------------------------


def read(path: str) -> list[Row]:
    """The rows of a file.

    Raises:
        Problem: it cannot be read as what it is said to be.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Problem(f"{path}: not UTF-8: {error.reason} at octet {error.start}") from None
    if not text.strip():
        raise Problem(f"{path}: no channels in it")
    rows = list(_json(text, path) if text.lstrip()[:1] in ("[", "{") else _csv(text, path))
    if not rows:
        raise Problem(f"{path}: no channels in it")
    return rows


def _csv(text: str, path: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        heads = [head.strip().lower() for head in next(reader, [])]
        missing = [name for name in NEEDED if name not in heads]
        if missing:
            raise Problem(
                f"{path}:1: no column {', '.join(missing)}: uuid, type, address, country, config are expected"
            )
        line = reader.line_num + 1
        for cells in reader:
            if any(cells):
                row = Row(line, dict(zip(heads, cells, strict=False)))
                if len(cells) != len(heads):
                    row.problems.append(("", f"{len(cells)} cells, {len(heads)} columns: quote the JSON of config"))
                yield row
            line = reader.line_num + 1
    except csv.Error as error:
        raise Problem(f"{path}:{reader.line_num}: not CSV: {error}") from None


def _json(text: str, path: str) -> Iterator[Row]:
    """Items of an array, each with the line it begins in."""
    decoder, at = json.JSONDecoder(), len(text) - len(text.lstrip())
    if text[at] != "[":
        raise Problem(f"{path}:1: must be an array of objects with uuid, type, address, country and config")
    at += 1
    try:
        while True:
            at += len(text[at:]) - len(text[at:].lstrip(" \t\r\n,"))
            if text[at : at + 1] == "]":
                return
            item, end = decoder.raw_decode(text, at)
            line = text.count("\n", 0, at) + 1
            yield Row(line, item) if isinstance(item, dict) else Row(line, {}, problems=[("", "is no object")])
            at = end
    except json.JSONDecodeError as error:
        raise Problem(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise Problem(f"{path}: nested too deeply") from None


# --- one row --------------------------------------------------------------------------------------------------------


def check(row: Row) -> None:
    """Sort a row's config into what is secret, what is not and what does not carry over."""
    row.code = str(row.data.get("type") or "").strip().upper()
    if not row.code:
        row.problems.append(("type", "is missing"))
    elif row.code in SMSC_TYPES:
        row.skipped = (
            f"{row.code}: an SMSC is brought with a file: `jangada smsc import`, or `jangada aggregator apply`"
        )
    elif row.code not in channels.CODES:
        row.skipped = f"type {row.code[:20]} is not served here: `jangada types` lists those that are"
    if row.skipped or row.problems:
        return
    config = row.data.get("config")
    if isinstance(config, str):
        try:
            config = json.loads(config) if config.strip() else {}
        except (ValueError, RecursionError):
            row.problems.append(("config", "is not JSON"))
            return
    if not isinstance(config, dict) and config is not None:
        row.problems.append(("config", "must be a JSON object"))
        return
    _sort(row, config or {})


def _sort(row: Row, config: dict[str, Any]) -> None:
    model = kinds.config_of(row.code)
    known, hidden = model.model_fields, kinds.secret_keys(model)
    for key, value in config.items():
        required = key in known and known[key].is_required()
        if key in LEFT:
            row.left.append((key, LEFT[key]))
        elif key not in known:
            row.left.append((str(key)[:64], f"{row.code} has no such key here"))
        elif value is None or (value == "" and not required):
            row.left.append((key, "is empty"))
        elif key in hidden and isinstance(value, dict | list):
            row.problems.append((f"config.{key}", "must be text"))
        elif key in hidden:
            row.secrets[key] = _text(value)
        else:
            row.config[key] = value
    for path, what in aggregator_files.config_problems(row.code, row.config):
        key = str(path[1]) if len(path) > 1 else ""  # what is wrong with all of it has no key
        if what.startswith(_CREDENTIAL) and key in row.config:
            row.secrets[key] = _text(row.config.pop(key))
    clear = {**row.config, **row.secrets}
    for path, what in aggregator_files.config_problems(row.code, clear, clear=tuple(row.secrets)):
        row.problems.append((".".join(map(str, path)), _in_export(what)))


def _in_export(what: str) -> str:
    """In a file a secret is written `!secret`; in an export it is simply there."""
    return what.split(": write `")[0]


def _text(value: Any) -> str:
    """A secret as it is kept: text, of anything else its JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# --- all of them ----------------------------------------------------------------------------------------------------


def plan(rows: Sequence[Row], workspace: str, platform: str) -> Plan:
    """What is to be written, with the problems of each row; nothing is."""
    registry.reset()
    known = {one.uuid: one for one in registry.channels()}
    made = Plan(list(rows), [])
    for row in rows:
        if not row.problems:
            check(row)
    seen: dict[str, int] = {}
    for row in rows:
        first = seen.setdefault(row.uuid, row.line) if row.uuid else row.line
        if first != row.line:
            row.problems.append(("uuid", f"is that of line {first} already"))
    wanted = [row for row in rows if not row.skipped and not row.problems]
    for row in wanted:
        found = known.get(row.uuid)
        if found is not None:
            row.here = found.type == row.code
            if not row.here:
                what = f"is registered with type {found.type} already, on {found.aggregator}"
                row.problems.append(("uuid", what))
    fresh = [row for row in wanted if not row.here and not row.problems]
    _accounts(made, fresh)
    for account in made.accounts:
        for row in account.rows:
            _channel(row, account, workspace, platform)
    _claims(made, list(known.values()))
    return made


def _accounts(made: Plan, rows: list[Row]) -> None:
    """Rows of the same login go to one aggregator, a registered one where there is such."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        model = kinds.config_of(row.code)
        needed = {key: row.config.get(key) for key, info in model.model_fields.items() if info.is_required()}
        own = row.config if not row.secrets else needed
        groups.setdefault(json.dumps([row.code, row.secrets, own], sort_keys=True), []).append(row)
    registered = [(one, registry_store.read_secret("aggregators", one.name)) for one in registry.aggregators()]
    taken = {one.name for one, _ in registered}
    for group in groups.values():
        first = group[0]
        common = {key: value for key, value in first.config.items() if all(_has(row, key, value) for row in group)}
        account = next(
            (
                Account(one, secrets, new=False)
                for one, secrets in registered
                if one.type == first.code
                and {key: secrets.get(key) for key in one.secrets} == first.secrets
                and (first.secrets or one.config == first.config)
                and all(key in row.config for row in group for key in one.config)
            ),
            None,
        )
        if account is None:
            name = _name(group, taken)
            taken.add(name)
            made_now = Aggregator(name=name, type=first.code, config=common, secrets=tuple(first.secrets))
            account = Account(made_now, first.secrets, new=True)
        account.rows = group
        made.accounts.append(account)


def _has(row: Row, key: str, value: Any) -> bool:
    return key in row.config and row.config[key] == value


def _name(group: list[Row], taken: set[str]) -> str:
    """`at-6f1d2c3b`: the type, and the beginning of its first channel's UUID."""
    first = min(row.uuid for row in group)
    name = f"{group[0].code.lower()}-{''.join(c for c in first if c.isalnum())[:8] or 'x'}"
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def _channel(row: Row, account: Account, workspace: str, platform: str) -> None:
    one = account.aggregator
    own = {key: value for key, value in row.config.items() if key not in one.config or one.config[key] != value}
    entry: dict[str, Any] = {
        "uuid": row.uuid,
        "address": str(row.data.get("address") or "").strip(),
        "country": str(row.data.get("country") or "").strip().upper(),
        "workspace": str(row.data.get("workspace") or workspace),
        "platform": platform,
        "config": own,
    }
    if row.data.get("id") not in (None, ""):
        entry["id"] = row.data["id"]
    shared = {**one.config, **dict.fromkeys(one.secrets, SECRET)}
    checked, problems = aggregator_files.channel_entry(entry, one.type, shared)
    for problem in problems:
        key, _, what = problem.partition(": ")
        row.problems.append((key, what))
    if checked is not None and not problems:
        fields = checked.model_dump(exclude={"uuid"})
        row.channel = Channel(uuid=str(checked.uuid), aggregator=one.name, type=one.type, **fields)


def _claims(made: Plan, registered: list[Channel]) -> None:
    """An address of an aggregator, and an integer id, belong to one channel."""
    held = {
        claim: f"channel {one.uuid}" for one in registered if one.enabled for claim in registry_store.claims_of(one)
    }
    for row in made.rows:
        if row.channel is None or row.problems:
            continue
        for claim, what in registry_store.claims_of(row.channel).items():
            key = "address" if claim.startswith("addr#") else "id"
            if claim in held:
                row.problems.append((key, f"{what} belongs to {held[claim]} already"))
            else:
                held[claim] = f"line {row.line}"
