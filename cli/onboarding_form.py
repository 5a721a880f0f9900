"""`jangada smsc form`: our side of an aggregator's VPN and connection form. What nobody has said is left open."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cli import kinds
from cli.aggregator_files import AggregatorFile, Loaded
from cli.onboarding_questions import LONGEST, PHASE
from cli.output import Problem
from smsc_relay import dialects

LATER: Final = "known after `terraform apply`"
OPEN: Final = "to be filled in"


def page(loaded: Loaded, options: argparse.Namespace) -> str:
    """The form.

    Raises:
        Problem: the outputs cannot be read, or a contact.
    """
    file = loaded.aggregator
    assert file is not None  # noqa: S101 - the caller has seen to it
    outputs = _outputs(options.outputs)
    vpn = (outputs.get("vpn_connections") or {}).get(file.name) or {}
    lines = [f"# Connection of {file.name}: our side", ""]
    if file.vpn:
        lines += _vpn(file, vpn, outputs)
    else:
        lines += ["## Network", "", "No VPN of this account: see below for the addresses that we come from.", ""]
    lines += _connection(file, outputs)
    lines += _traffic(file, options)
    lines += _contacts(file, options.contact)
    lines += _wanted(file)
    return "\n".join(lines)


def _outputs(path: str) -> Mapping[str, Any]:
    """The outputs by name: those of the root, or of the module that an environment calls `jangada`."""
    if not path:
        return {}
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        values = {name: one["value"] for name, one in data.items()}
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Problem(f"{path}: not what `terraform output -json` prints") from None
    inner = values.get("jangada")
    found = inner if isinstance(inner, dict) else values
    if "source_addresses" not in found:
        raise Problem(f"{path}: has no source_addresses: take it where main.tf of the environment is")
    return found


def _table(rows: Iterable[tuple[str, Any]]) -> list[str]:
    shown = [f"| {name} | {_cell(value)} |" for name, value in rows]
    return ["| | |", "|---|---|", *shown, ""]


def _cell(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _vpn(file: AggregatorFile, made: Mapping[str, Any], outputs: Mapping[str, Any]) -> list[str]:
    said = file.vpn
    ike = made.get("ike") or {}
    theirs = made.get("their_selector") or said.get("selector")
    if not theirs:
        networks = said.get("their_networks") or [OPEN]
        theirs = networks[0] if len(networks) == 1 else "0.0.0.0/0"
    versions = said.get("ike", {}).get("version", 2)
    versions = [f"IKEv{one}" for one in (versions if isinstance(versions, list) else [versions])]
    found = ["## VPN", ""]
    found += _table([
        ("Kind", "route-based IPsec, AWS Site-to-Site VPN, two tunnels; both are to be up"),
        ("Our gateway, tunnel 1", made.get("tunnel1_address", LATER)),
        ("Our gateway, tunnel 2", made.get("tunnel2_address", LATER)),
        ("Your gateway", made.get("peer_ip") or said.get("peer_ip", OPEN)),
        ("Authentication", "a pre-shared key for each tunnel; sent by a way of its own, never with this form"),
        ("Encryption domain, ours", made.get("our_selector", LATER)),
        ("Encryption domain, yours", theirs),
        ("Traffic selectors", "one pair, as above: more pairs are not offered"),
        ("Routing", made.get("routing") or said.get("routing", "static")),
        ("NAT traversal", "UDP 500 and 4500, IP protocol 50"),
        ("Who begins", "we do, and again when the peer is gone (dead peer detection, 30 s)"),
    ])  # fmt: skip
    found += ["| | Phase 1 (IKE) | Phase 2 (IPsec) |", "|---|---|---|"]
    found.append(f"| Protocol | {_cell(versions)} | ESP, tunnel mode |")
    for key, name in (("encryption", "Encryption"), ("integrity", "Integrity"), ("dh_groups", "Diffie-Hellman group"),
                      ("lifetime", "Lifetime, s")):  # fmt: skip
        cells = [_cell(_phase(ike, said, phase, key)) for phase in ("phase1", "phase2")]
        found.append(f"| {name}{' (phase 2: PFS)' if key == 'dh_groups' else ''} | {cells[0]} | {cells[1]} |")
    return [*found, ""]


def _phase(made: Mapping[str, Any], said: Mapping[str, Any], phase: str, key: str) -> Any:
    """As Terraform has it, as the file says it, or the default of infra/modules/vpn."""
    for where in (made, said.get("ike") or {}):
        value = (where.get(phase) or {}).get(key)
        if value is not None:
            return value
    return LONGEST[phase] if key == "lifetime" else PHASE[key]


def _connection(file: AggregatorFile, outputs: Mapping[str, Any]) -> list[str]:
    config = dialects.config_of(file.type).model_construct(**file.config)
    behind = bool(file.vpn)
    ours = outputs.get("source_addresses" if behind else "public_addresses") or LATER
    hosts = dict.fromkeys(f"{host}:{port}" for host, port in _hosts(file, config))
    rate = f"{config.max_tps:g} a second" if config.max_tps else OPEN
    return ["## Connection", "", *_table([
        ("Protocol", kinds.name_of(file.type)),
        ("We connect from", ours),
        ("To your host and port (TCP)", list(hosts) or "none"),
        *_direction(config, outputs),
        ("TLS", "yes" if config.tls else "no"),
        ("Account", file.config.get("system_id") or file.config.get("username") or OPEN),
        ("Bind", file.config.get("bind", getattr(config, "bind", "one connection for everything"))),
        ("Connections at a time", config.binds),
        ("Window, per connection", config.window),
        ("Rate, over all connections", rate),
        ("Keepalive", f"after {config.keepalive:g} s of silence" if config.keepalive else "none"),
        ("Our numbers", [one.address for one in file.channels] or OPEN),
    ])]  # fmt: skip


def _direction(config: Any, outputs: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    port = getattr(config, "outbind_port", None)
    if port is None:
        yield "Direction", "we open every connection; none is opened to us"
        return
    yield "Direction", "you open the connection to our receiver, with an outbind; we open the others"
    yield "You connect to", [f"{one}:{port}" for one in outputs.get("outbind_addresses") or ()] or LATER
    yield "You connect from", [str(one) for one in config.outbind_networks]


def _hosts(file: AggregatorFile, config: Any) -> Iterable[tuple[str, int]]:
    for role in dialects.load(file.type).roles(config):
        if config.listens(role) is None:
            yield from config.addresses(role)


def _traffic(file: AggregatorFile, options: argparse.Namespace) -> list[str]:
    return ["## Traffic expected", "", *_table([
        ("Messages a second, usual", options.tps or OPEN),
        ("Messages a second, peak", options.peak or file.config.get("max_tps") or OPEN),
        ("Messages a day", options.per_day or OPEN),
        ("Receipts", file.config.get("receipts", "all")),
    ])]  # fmt: skip


def _contacts(file: AggregatorFile, given: list[str]) -> list[str]:
    ours = []
    for one in given:
        kind, equals, who = one.partition("=")
        if not (kind and equals and who):
            raise Problem(f"--contact {one}: write KIND=WHO, e.g. noc=+256700000000")
        ours.append((f"Ours: {kind}", who))
    theirs = [(f"Yours, as we know it: {kind}", who) for kind, who in file.contacts.items()]
    return ["## Contacts", "", *_table([*(ours or [("Ours", OPEN)]), *(theirs or [("Yours", OPEN)])])]


def _wanted(file: AggregatorFile) -> list[str]:
    wanted = ["that both tunnels are up, and that our source addresses may reach your host and port"] if file.vpn else [
        "that our source addresses may reach your host and port"
    ]  # fmt: skip
    wanted += [
        "credentials of the account, by a way that is fit for secrets",
        "how many connections, what window and what rate the account has",
        "which senders we may use, and that our numbers are routed to this account",
        "delivery receipts enabled",
        "a person who watches your log while we test",
    ]
    return ["## What we need from you", "", *(f"- {one}" for one in wanted), ""]
