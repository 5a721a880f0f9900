"""SMPP connections of another gateway as accounts: one for the groups, or connectors, of one account, with a name and a
file that `jangada aggregator check` takes, or a remark on what it does not."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cli import aggregator_files

_NAME_MAX: Final = 40
_FILLED: Final = "before the file can be applied: "
_NEEDED: Final = frozenset({"host", "system_id"})  # never left out: a wrong one tells more than none

# Of a transmitter and a receiver that are two groups, these count in one of them only.
_OF_SENDING: Final = frozenset((
    "data_coding", "dest_npi", "dest_rules", "dest_ton", "encoding", "esm_mode", "in_doubt", "max_tps",
    "priority_flag", "protocol_id", "replace_if_present", "response_timeout", "segment_limits", "service_type",
    "short_npi", "short_ton", "source_npi", "source_rules", "source_ton", "tlvs", "validity", "validity_form", "window",
))  # fmt: skip
_OF_RECEIVING: Final = frozenset({"address_range", "mo_address", "mo_source_rules"})
_PLACES: Final = frozenset({"bind", "host", "port", "rx_port"})


class UnreadableError(ValueError):
    """The text cannot be used; what is said names line and fix."""


@dataclass(frozen=True)
class Peer:
    """How a gateway calls what becomes an account: in Kannel a group, which its smsc-id names, and joins to others."""

    group: str
    name: str
    joined_by: str
    rate: str


@dataclass
class Account:
    """A group, or several that are one: `config` as in an aggregator file, without the password.

    Those whose `bunch` is the same may be one account; what it ends with is the value of `Peer.joined_by`.
    """

    peer: Peer
    group_id: str
    bunch: tuple[str, str]
    line: int
    config: dict[str, Any]
    password: str | None = field(default=None, repr=False)  # to tell groups apart; it is written nowhere
    remarks: list[str] = field(default_factory=list)
    count: int = 1


@dataclass
class Imported:
    """One aggregator file, and what a person must look at."""

    name: str
    text: str
    remarks: list[str] = field(default_factory=list)


def files(accounts: Iterable[Account]) -> list[Imported]:
    """A file for each account, groups of one bunch being one where they can be."""
    bunches: dict[tuple[str, str], list[Account]] = {}
    for one in accounts:
        bunches.setdefault(one.bunch, []).append(one)
    found: list[Imported] = []
    for bunch in bunches.values():
        for one in _merged(bunch):
            found.append(_file(one, {other.name for other in found}))
    return found


# --- several groups, one account ------------------------------------------------------------------------------------


def _merged(bunch: list[Account]) -> list[Account]:
    """The accounts that groups of one bunch are: equal ones are several binds of one, and as many transmitters as
    receivers are pairs."""
    kinds: list[Account] = []
    for one in bunch:
        for known in kinds:
            if (known.config, known.password) == (one.config, one.password):
                known.count += 1
                known.remarks += one.remarks
                if one.group_id != known.group_id:
                    known.remarks.append(
                        f"{one.peer.name}: {one.group_id}, at line {one.line}, is a bind of this account"
                    )
                break
        else:
            kinds.append(one)
    if len(kinds) == 2:
        kinds = _paired(*kinds)
    if len(kinds) > 1:
        first = kinds[0]
        for one in kinds[1:]:
            keys = ", ".join(_differing(first, one, ()))
            peer = one.peer
            one.remarks.insert(
                0,
                f"{peer.joined_by}: {one.bunch[-1] or 'none'}, as the {peer.group} at line {first.line}, but not the "
                f"same account ({keys} differ): an aggregator of its own; each channel sends over one of them",
            )
    for one in kinds:
        _several_binds(one)
    return kinds


def _paired(one: Account, two: Account) -> list[Account]:
    by_role = {account.config["bind"]: account for account in (one, two)}
    if by_role.keys() != {"transmitter", "receiver"} or one.count != two.count:
        return [one, two]
    sending, receiving = by_role["transmitter"], by_role["receiver"]
    if _differing(one, two, _OF_SENDING | _OF_RECEIVING | _PLACES):
        return [one, two]
    config = {key: value for key, value in sending.config.items() if key not in _OF_RECEIVING}
    config |= {key: value for key, value in receiving.config.items() if key in _OF_RECEIVING}
    config["bind"] = "pair"
    if receiving.config.get("host") != sending.config.get("host"):
        config["rx_host"] = receiving.config.get("host", "")
    if receiving.config["port"] != sending.config["port"]:
        config["rx_port"] = receiving.config["port"]
    told = f"bind: pair is the {one.peer.group}s at lines {one.line} and {two.line}: a transmitter and a receiver"
    return [replace(sending, config=config, remarks=[told, *one.remarks, *two.remarks])]


def _differing(one: Account, two: Account, but: Collection[str]) -> list[str]:
    """Keys whose values are not the same."""
    keys = sorted((one.config.keys() | two.config.keys()).difference(but))
    differing = [key for key in keys if one.config.get(key) != two.config.get(key)]
    differing += ["password"] * (one.password != two.password)
    return differing + [f"number of {one.peer.group}s"] * (one.count != two.count)


def _several_binds(one: Account) -> None:
    if one.count == 1:
        return
    one.config["binds"] = one.count
    peer = one.peer
    told = f"binds: {one.count} {peer.group}s of this {peer.joined_by} are equal: one account with {one.count} binds"
    one.remarks.insert(0, told)
    if "max_tps" in one.config:
        one.config["max_tps"] *= one.count
        one.remarks.append(f"{peer.rate}: max_tps is over all binds, so {one.count} times what each {peer.group} has")


# --- the file -------------------------------------------------------------------------------------------------------


def _file(one: Account, taken: Collection[str]) -> Imported:
    remarks = one.remarks
    _leave_out(one.config, remarks)
    name = _name(one, taken, remarks)
    text = _written(name, one.config, one.password is not None)
    if one.password is not None:
        remarks.append(f"password: give it with `jangada aggregator secret {name} password`")
    try:
        aggregator_files.load(text, f"{name}.yaml")
    except aggregator_files.FileError as error:
        remarks += [_FILLED + line for line in str(error).splitlines()]
    return Imported(name, text, list(dict.fromkeys(remarks)))


def _leave_out(config: dict[str, Any], remarks: list[str]) -> None:
    """Drop what SMPP accounts do not take: a file with defaults can be applied, one with errors cannot."""
    while True:
        found = {str(path[1]): what for path, what in aggregator_files.config_problems("SMPP", config) if path[1:]}
        wrong = {key: what for key, what in found.items() if key in config and key not in _NEEDED}
        if not wrong:
            break
        for key, what in wrong.items():
            remarks.append(f"{key}: {config.pop(key)!r} is left out: {what}")
    if "validity" not in config:
        config.pop("validity_form", None)


def _name(one: Account, taken: Collection[str], remarks: list[str]) -> str:
    """A name as aggregators have: of the group's own, else of the host; a queue's name is never another's."""
    words = (
        re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-") for text in (one.group_id, one.config.get("host", ""))
    )
    base = next(filter(None, words), "smsc")
    if base == "shared" or base.startswith("shared-"):
        base = f"smsc-{base}"
    base = base[:_NAME_MAX].rstrip("-")
    if base.endswith(("-bulk", "-dlq")):
        base = f"{base[: _NAME_MAX - 5]}-smsc"
    name, number = base, 1
    while name in taken:
        number += 1
        suffix = f"-{number}"
        name = base[: _NAME_MAX - len(suffix)].rstrip("-") + suffix
    if name != one.group_id.lower().replace("_", "-"):
        peer = one.peer
        remarks.insert(0, f"name: {name} is the {peer.group} at line {one.line}, {peer.name} {one.group_id or 'none'}")
    return name


def _written(name: str, config: Mapping[str, Any], password: bool) -> str:
    # Quotes, as YAML has words and numbers that are names here: no, on, 0123.
    lines = [f"name: {json.dumps(name)}", "type: SMPP", "config:"]
    lines += [f"  {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in config.items()]
    if password:
        lines.append("  password: !secret")
    lines += [
        'channels: []  # - {uuid: ..., address: "...", country: ..., workspace: ..., platform: ...}',
    ]
    return "\n".join(lines) + "\n"
