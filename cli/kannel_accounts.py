"""SMPP groups of a Kannel configuration as accounts: one for the groups of one account, with a name and a file that
`jangada aggregator check` takes, or a remark on what it does not."""

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
    "dest_npi", "dest_rules", "dest_ton", "esm_mode", "in_doubt", "max_tps", "priority_flag", "response_timeout",
    "segment_limits", "service_type", "short_npi", "short_ton", "source_npi", "source_rules", "source_ton", "validity",
    "validity_form", "window",
))  # fmt: skip
_OF_RECEIVING: Final = frozenset({"address_range", "mo_address", "mo_source_rules"})
_PLACES: Final = frozenset({"bind", "host", "port", "rx_port"})


@dataclass
class Account:
    """A group, or several that are one: `config` as in an aggregator file, without the password."""

    group_id: str
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
    """A file for each account, groups of one smsc-id being one where they can be."""
    bunches: dict[str, list[Account]] = {}
    for one in accounts:
        bunches.setdefault(one.group_id or f"\0{one.config.get('host')}", []).append(one)
    found: list[Imported] = []
    for bunch in bunches.values():
        for one in _merged(bunch):
            found.append(_file(one, {other.name for other in found}))
    return found


def roles(config: dict[str, Any], remarks: list[str]) -> None:
    """Kannel's two ports as `bind`, `port` and `rx_port`; 0 is none."""
    transmit, receive = config.pop("port", 0), config.pop("rx_port", 0)
    if config.get("bind") == "transceiver":
        receive = 0
        if config.get("interface_version") == 33:
            # Kannel binds a transceiver as 33 all the same, which SMPP 3.3 does not have.
            del config["interface_version"]
            remarks.append("interface-version: 33 has no transceiver, so 34 is what the bind says; where the SMSC "
                           "refuses it, write interface_version: 33 with bind: pair")  # fmt: skip
    elif bool(transmit) == bool(receive):
        config["bind"] = "pair"
    else:
        config["bind"] = "transmitter" if transmit else "receiver"
    if not transmit and not receive:
        remarks.append("port: none is set, with which Kannel does not connect; 2775 is what counts here")
    elif transmit or receive:
        config["port"] = transmit or receive
    if transmit and receive and receive != transmit:
        config["rx_port"] = receive


# --- several groups, one account ------------------------------------------------------------------------------------


def _merged(bunch: list[Account]) -> list[Account]:
    """The accounts that groups of one smsc-id are: equal ones are several binds of one, and as many transmitters as
    receivers are pairs."""
    kinds: list[Account] = []
    for one in bunch:
        for known in kinds:
            if (known.config, known.password) == (one.config, one.password):
                known.count += 1
                known.remarks += one.remarks
                break
        else:
            kinds.append(one)
    if len(kinds) == 2:
        kinds = _paired(*kinds)
    if len(kinds) > 1:
        first = kinds[0]
        for one in kinds[1:]:
            keys = ", ".join(_differing(first, one, ()))
            one.remarks.insert(
                0,
                f"smsc-id: {one.group_id or 'none'}, as the group at line {first.line}, but not the same account "
                f"({keys} differ): an aggregator of its own; each channel sends over one of them",
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
    told = f"bind: pair is the groups at lines {one.line} and {two.line}: a transmitter and a receiver"
    return [replace(sending, config=config, remarks=[told, *one.remarks, *two.remarks])]


def _differing(one: Account, two: Account, but: Collection[str]) -> list[str]:
    """Keys whose values are not the same."""
    keys = sorted((one.config.keys() | two.config.keys()).difference(but))
    differing = [key for key in keys if one.config.get(key) != two.config.get(key)]
    return differing + ["password"] * (one.password != two.password) + ["number of groups"] * (one.count != two.count)


def _several_binds(one: Account) -> None:
    if one.count == 1:
        return
    one.config["binds"] = one.count
    one.remarks.insert(0, f"binds: {one.count} groups of this smsc-id are equal: one account with {one.count} binds")
    if "max_tps" in one.config:
        one.config["max_tps"] *= one.count
        one.remarks.append(f"throughput: max_tps is over all binds, so {one.count} times what each group has")


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
    """A name as aggregators have: of the smsc-id, else of the host; a queue's name is never another's."""
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
        remarks.insert(0, f"name: {name} is the group at line {one.line}, smsc-id {one.group_id or 'none'}")
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
