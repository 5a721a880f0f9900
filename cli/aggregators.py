"""`jangada aggregator`: files in, registry out."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cli import output
from cli.output import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.registry import Aggregator
    from cli.aggregator_files import Loaded


def arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """What the command takes."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)
    one = commands.add_parser("check", help="check files, or ask aggregators whether they know our credentials")
    one.add_argument("files", nargs="+", metavar="FILE", help="with --credentials: names of applied aggregators")
    one.add_argument("--credentials", action="store_true", help="one harmless request each: nothing is sent")
    one.set_defaults(run=check)
    one = commands.add_parser("new", help="ask for what an aggregator needs, and write its file")
    one.add_argument("name", nargs="?", default="", metavar="NAME", help="names its queue and its secrets")
    one.add_argument("--type", default="", metavar="CODE", help="one of `jangada types`")
    one.add_argument("--from", dest="answers", default="", metavar="FILE", help="answers as in an aggregator file: ask"
                     " nothing")  # fmt: skip
    one.add_argument("--output", default="", metavar="FILE", help="where to write (default: NAME.yaml)")
    one.set_defaults(run=new)
    one = commands.add_parser("apply", help="make the registry say what the files say")
    one.add_argument("files", nargs="+", metavar="FILE")
    one.add_argument("--prune", action="store_true", help="disable the channels that have left their file")
    one.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    one.set_defaults(run=apply)
    one = commands.add_parser("list", help="all aggregators")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=listing)
    one = commands.add_parser("show", help="one aggregator with its channels")
    one.add_argument("name", metavar="NAME")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=show)
    one = commands.add_parser("secret", help="give a secret, from a prompt, a pipe or an environment variable")
    one.add_argument("name", metavar="NAME")
    one.add_argument("key", metavar="KEY", help="a config key that the file marks as !secret")
    one.add_argument("--from-env", metavar="VARIABLE", default="")
    one.set_defaults(run=secret)


def new(options: argparse.Namespace) -> None:
    """Questions made from the type's settings, and a file."""
    from cli import new_aggregator

    new_aggregator.new(options)


def check(options: argparse.Namespace) -> None:
    """Check files, which looks at no registry; or credentials."""
    from cli import aggregator_files, remarks

    if options.credentials:
        check_credentials(options.files)
        return
    for file in aggregator_files.read_all(options.files):
        print(f"{file.source}: ok, {_about(file)}")
        remarks.of_file(file)


def check_credentials(names: Sequence[str]) -> None:
    """Ask each aggregator.

    Raises:
        Problem: one of them does not know us, has not said so, or has no such request.
    """
    from chalicelib import registry_store
    from cli import credentials

    accounts = [_found(name) for name in names]
    known = 0
    for one in accounts:
        if one.type not in credentials.CHECKS:
            better = "`jangada smsc`" if one.is_smsc else "`jangada channel test`"
            print(f"{one.name}: {one.type} has no harmless request for this that we know of: try {better}")
            continue
        verdict = credentials.ask(credentials.channel_of(one, registry_store.read_secret("aggregators", one.name)))
        known += verdict.state == "good"
        told = "".join(f", {name} {value}" for name, value in verdict.told.items())
        print(output.plain(f"{one.name}: {verdict.state}: {verdict.means}{told}"))
        print(output.plain(f"  {verdict.called} -> {verdict.status or 'no answer'}"))
    if known < len(accounts):
        raise Problem(f"{len(accounts) - known} of {len(accounts)} not verified")


def _about(file: Loaded) -> str:
    if not file.aggregator:
        return f"platforms {', '.join(file.platforms)}"
    secrets = f", secrets {', '.join(file.secrets)}" if file.secrets else ""
    count = len(file.aggregator.channels)
    return f"{file.aggregator.type} aggregator {file.aggregator.name}, {count} channel{'s' * (count != 1)}{secrets}"


def apply(options: argparse.Namespace) -> None:
    """Apply files."""
    from cli import aggregator_files, applying, remarks

    files = aggregator_files.read_all(options.files)
    plan = applying.plan(files, prune=options.prune)
    if not options.dry_run:
        plan.run()
    output.table(("what", "name", "is", "detail"), [(s.kind, s.name, s.action, s.detail) for s in plan.steps])
    for file in files:
        remarks.of_file(file)
    for line in plan.to_do:
        print(f"to do: {line}")
    if any(step.action == "left" and not step.detail.endswith("disabled") for step in plan.steps):
        print("to do: channels that are not in the file go on working: list them, or apply with --prune")
    if options.dry_run:
        print("nothing has been written (--dry-run)")


def listing(options: argparse.Namespace) -> None:
    """List aggregators."""
    from chalicelib import registry

    counts: dict[str, int] = {}
    for channel in registry.channels():
        counts[channel.aggregator] = counts.get(channel.aggregator, 0) + 1
    rows: list[dict[str, Any]] = [
        {
            "name": one.name,
            "type": one.type,
            "lane": "own" if one.own_lane else "shared",
            "channels": counts.get(one.name, 0),
            "secrets": list(one.secrets),
            "version": one.version,
        }
        for one in registry.aggregators()
    ]
    if options.json:
        output.as_json(rows)
        return
    heads = ("name", "type", "lane", "channels", "secrets", "changed")
    shown = [[*list(row.values())[:4], ", ".join(row["secrets"]), output.moment(row["version"])] for row in rows]
    output.table(heads, shown, "no aggregators: `jangada aggregator apply FILE`")


def _found(name: str) -> Aggregator:
    from chalicelib import registry
    from cli.kinds import meant

    known = {one.name: one for one in registry.aggregators()}
    if name not in known:
        raise Problem(f"no aggregator {name}; {meant(name, known) if known else 'there are none'}")
    return known[name]


def show(options: argparse.Namespace) -> None:
    """Show one aggregator; of its secrets only whether they are there."""
    from chalicelib import registry, registry_store
    from cli import egress_entry

    one = _found(options.name)
    given = registry_store.read_secret("aggregators", one.name)
    secrets = {key: "given" if key in given else "missing" for key in one.secrets}
    channels = registry.channels_of(one.name)
    if options.json:
        about: dict[str, Any] = one.model_dump(mode="json") | {"secrets": secrets}
        output.as_json(about | {"channels": [channel.model_dump(mode="json") for channel in channels]})
        return
    output.fields(
        [
            ("name", one.name),
            ("type", one.type),
            ("lane", "own" if one.own_lane else "shared"),
            ("egress", egress_entry.told(one.egress)),
            *((f"config.{key}", value) for key, value in one.config.items()),
            *((f"secret {key}", state) for key, state in secrets.items()),
            *((f"vpn.{key}", value) for key, value in one.vpn.items()),
            *((f"contact {key}", value) for key, value in one.contacts.items()),
            ("changed", output.moment(one.version)),
        ]
    )
    print()
    heads = ("channel", "id", "address", "country", "workspace", "platform", "enabled")
    rows = [
        (c.uuid, c.id, c.address, c.country, c.workspace, c.platform, "yes" if c.enabled else "no") for c in channels
    ]
    output.table(heads, rows, "no channels")


def secret(options: argparse.Namespace) -> None:
    """Give a secret of an aggregator that has been applied."""
    from chalicelib import registry_store
    from cli import aggregator_files, remarks
    from cli.kinds import meant

    one = _found(options.name)
    if options.key not in one.secrets:
        fix = meant(options.key, one.secrets) if one.secrets else f"write `{options.key}: !secret` there, and apply it"
        raise Problem(f"the file of {one.name} does not name {options.key} as a secret; {fix}")
    value = output.ask_secret(f"{options.key} of {one.name}", options.from_env)
    given = {**registry_store.read_secret("aggregators", one.name), options.key: value}
    known = {**one.config, **{key: given.get(key, aggregator_files.SECRET) for key in one.secrets}}
    for path, what in aggregator_files.config_problems(one.type, known, clear=one.secrets):
        if path[1:] == (options.key,):
            raise Problem(f"{options.key} of {one.name}: {what}")
    registry_store.put_secrets(one.name, {options.key: value})
    print(f"{options.key} of {one.name} is stored; it is in use within 30 s")
    remarks.of(one.name, one.type, known, only=(options.key,))
    missing = [key for key in one.secrets if key not in given]
    if missing:
        print(f"still missing: {', '.join(missing)}")
