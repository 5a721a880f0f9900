"""The questions of `jangada smsc new`: generated from the types' config models, each answer checked at once."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import yaml

from chalicelib.registry import SMSC_TYPES
from cli import aggregator_files, kinds
from cli.aggregator_files import SECRET
from cli.output import Problem, note

# What aggregators' forms say, where a type has it; --all asks about the rest.
ASKED: Final = ("host", "port", "bind", "system_id", "username", "password", "system_type", "interface_version", "tls",
                "binds", "window", "max_tps", "source_addr", "country")  # fmt: skip
ENCRYPTION: Final = ("AES128", "AES256", "AES128-GCM-16", "AES256-GCM-16")
INTEGRITY: Final = ("SHA1", "SHA2-256", "SHA2-384", "SHA2-512")
GROUPS: Final = {"phase1": (2, *range(14, 25)), "phase2": (2, 5, *range(14, 25))}
LONGEST: Final = {"phase1": 28_800, "phase2": 3_600}  # s
PHASE: Final[dict[str, Any]] = {"encryption": "AES256", "integrity": "SHA2-256", "dh_groups": [14]}

Check = Callable[[Any], Iterable[str]]  # answers problems


def types() -> list[str]:
    """SMSC types."""
    return sorted(SMSC_TYPES)


def ask(name: str, *, every: bool) -> dict[str, Any]:
    """Ask for everything; answers what an aggregator file has.

    Raises:
        Problem: the answers have ended.
    """
    try:
        aggregator_files.load(f"name: {json.dumps(name)}\ntype: SMPP\nconfig: {{host: a, system_id: a}}\n", "NAME")
    except aggregator_files.FileError as error:
        raise Problem(f"{name}: {str(error).rpartition('name: ')[2]}") from None
    code = _ask("type", f"one of {', '.join(types())}", "SMPP", str.upper, _one_of(types()))
    config = _config(name, code, every=every)
    vpn = _vpn(str(config["host"]))
    contacts = {
        key: said
        for key, about in (("noc", "their network operations: a phone number"), ("email", "whom to write to"))
        if (said := _ask(f"contacts.{key}", about, "", str.strip, _nothing))
    }
    return {"name": name, "type": code, "config": config, "vpn": vpn, "contacts": contacts,
            "channels": _channels(code, config)}  # fmt: skip


def _ask(key: str, about: str, default: Any, read: Callable[[str], Any], check: Check) -> Any:
    """Ask until the answer is one that can be used; an empty one is the default."""
    shown = "" if default in ("", None) else f" [{_plain(default)}]"
    while True:
        try:
            said = input(f"{key}: {about}{shown}\n> ").strip()
        except EOFError:
            raise Problem(f"no answer for {key}: give all of them, or a file with --from") from None
        if not said and default is not None:
            return default
        try:
            value = read(said)
        except (ValueError, yaml.YAMLError):
            note(f"  {key}: cannot be read: write it as in YAML, e.g. [a, b] or true")
            continue
        found = list(check(value)) if said else ["needs an answer"]
        if not found:
            return value
        for what in found:
            note(f"  {key}: {what}")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _nothing(value: Any) -> Iterable[str]:
    return ()


def _one_of(known: Iterable[Any]) -> Check:
    all_ = list(known)
    return lambda value: [] if value in all_ else [f"must be one of {', '.join(map(str, all_))}"]


# --- config ---------------------------------------------------------------------------------------------------------


def _config(name: str, code: str, *, every: bool) -> dict[str, Any]:
    known = {one["key"]: one for one in kinds.keys(code)}
    config: dict[str, Any] = {}
    wanted = [key for key in ASKED if key in known] + [
        key for key, one in known.items() if key not in ASKED and (every or one["required"])
    ]
    for key in wanted:
        one = known[key]
        if one["secret"]:
            if one["required"] or _wanted(key, code, config):
                config[key] = SECRET
                note(f"  {key}: kept in SSM alone: `jangada smsc secret {name}` asks for it")
            continue
        default = None if one["required"] and one["default"] is None else one["default"]
        default = "" if default is None and not one["required"] else default
        about = f"{one['about']} ({one['kind']})"

        def check(value: Any, key: str = key) -> Iterable[str]:
            found = aggregator_files.config_problems(code, {**config, key: value})
            return [what for path, what in found if path[1:2] in ((key,), ())]

        value = _ask(key, about, default, _reader(str(one["kind"])), check)
        if value != default or one["required"]:
            config[key] = value
    return config


def _wanted(key: str, code: str, config: Mapping[str, Any]) -> bool:
    """Whether an optional secret is to be had: asked, but never for the secret itself."""
    if any("username" in what for path, what in aggregator_files.config_problems(code, {**config, key: SECRET})):
        return False  # there is no login
    usual = key == "password"
    return bool(_ask(key, "is there one? (true or false; the secret itself is not asked here)", usual, yaml.safe_load,
                     _one_of([True, False])))  # fmt: skip


def _reader(kind: str) -> Callable[[str], Any]:
    return str if kind.startswith(("text", "one of")) else yaml.safe_load


# --- VPN ------------------------------------------------------------------------------------------------------------


def _vpn(host: str) -> dict[str, Any]:
    peer = _ask("vpn.peer_ip", "public address of their VPN gateway; empty: no VPN, an SMSC on the internet", "", str,
                lambda value: vpn_problems({"peer_ip": value}, "", ("peer_ip",)))  # fmt: skip
    if not peer:
        return {}
    vpn: dict[str, Any] = {"peer_ip": peer}
    vpn["their_networks"] = _ask(
        "vpn.their_networks", "what is behind it, e.g. 10.64.10.0/24; several with commas", None, _list,
        lambda value: vpn_problems({"their_networks": value}, host, ("their_networks",)),
    )  # fmt: skip
    version = _ask("vpn.ike.version", "of IKE: 1 or 2", 2, int, _one_of([1, 2]))
    ike: dict[str, Any] = {"version": version}
    for phase, about in (("phase1", "IKE"), ("phase2", "IPsec")):
        ike[phase] = {}
        for key, default, read in (
            ("encryption", PHASE["encryption"], str),
            ("integrity", PHASE["integrity"], str),
            ("dh_groups", PHASE["dh_groups"], lambda said: [int(one) for one in _list(said)]),
            ("lifetime", LONGEST[phase], int),
        ):

            def check(value: Any, phase: str = phase, key: str = key) -> Iterable[str]:
                return vpn_problems({"ike": {phase: {key: value}}}, "", ("ike",))

            ike[phase][key] = _ask(f"vpn.ike.{phase}.{key}", f"of {about}, as their form says", default, read, check)
    return {**vpn, "ike": ike}


def _list(said: str) -> list[str]:
    return [one.strip() for one in said.strip("[]").split(",") if one.strip()]


def vpn_problems(
    vpn: Mapping[str, Any], host: str, only: tuple[str, ...] = ("peer_ip", "their_networks", "ike")
) -> list[str]:
    """What is wrong with a `vpn` block, by what AWS takes; Terraform refuses the same. `host`: of the SMSC."""
    found: list[str] = []
    if not vpn:
        return found
    if "peer_ip" in only and not _is(ipaddress.IPv4Address, vpn.get("peer_ip")):
        found.append("vpn.peer_ip must be the public IPv4 address of their gateway, e.g. 196.0.0.10")
    if "their_networks" in only:
        networks = vpn.get("their_networks")
        if not networks or not all(_is(ipaddress.IPv4Network, one) for one in networks):
            found.append("vpn.their_networks must be IPv4 networks without host bits, e.g. 10.64.10.0/24")
        elif _is(ipaddress.IPv4Address, host) and not any(
            ipaddress.IPv4Address(host) in ipaddress.IPv4Network(one) for one in networks
        ):
            found.append(f"vpn.their_networks must contain the SMSC's host {host}, or nothing leads to it")
    if "ike" in only:
        for phase in ("phase1", "phase2"):
            found += _phase_problems(phase, vpn.get("ike", {}).get(phase, {}))
    return found


def _phase_problems(phase: str, said: Mapping[str, Any]) -> Iterable[str]:
    for key, known in (("encryption", ENCRYPTION), ("integrity", INTEGRITY), ("dh_groups", GROUPS[phase])):
        value = said.get(key, [])
        for one in value if isinstance(value, list | tuple) else [value]:
            if one not in known:
                yield f"vpn.ike.{phase}.{key}: AWS has no {one}; ask them for one of {', '.join(map(str, known))}"
    if not 900 <= int(said.get("lifetime", 900)) <= LONGEST[phase]:
        yield f"vpn.ike.{phase}.lifetime must be 900 to {LONGEST[phase]} s; of two, the shorter one wins"


def _is(kind: type, value: Any) -> bool:
    try:
        kind(value)
    except ValueError:
        return False
    return True


# --- channels -------------------------------------------------------------------------------------------------------


def _channels(code: str, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        said: dict[str, Any] = {}
        which = "the platform's UUID of a channel on it; empty: no more" if found else (
            "the platform's UUID of a channel on it; empty: none yet"
        )  # fmt: skip
        for key, about, default in (
            ("uuid", which, ""),
            ("address", "its number or short code, or the sender's name", None),
            ("country", "ISO 3166, e.g. UG", config.get("country", "")),
            ("workspace", "whose channel it is", None),
            ("platform", "one of `platforms`, of another file or registered already", "main"),
        ):

            def check(value: Any, key: str = key) -> Iterable[str]:
                _, problems = aggregator_files.channel_entry({key: value}, code, config)
                return [one.partition(": ")[2] for one in problems if one.startswith(f"{key}: ")]

            said[key] = _ask(f"channel.{key}", about, default, str, check)
            if not said["uuid"]:
                return found
        found.append({key: value for key, value in said.items() if value})
