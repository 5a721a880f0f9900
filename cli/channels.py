"""`jangada channel`: channels one by one, and the URLs that their aggregators call."""

from __future__ import annotations

import argparse
from typing import Any

from cli import moving, output
from cli.output import Problem


def arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """What the command takes."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)
    one = commands.add_parser("add", help="add a channel to an aggregator that has been applied, or change one")
    one.add_argument("uuid", metavar="UUID", help="the platform's UUID of the channel")
    one.add_argument("--aggregator", required=True, metavar="NAME")
    one.add_argument("--address", required=True, help="number or short code")
    one.add_argument("--workspace", required=True, metavar="NAME")
    one.add_argument("--platform", required=True, metavar="NAME")
    one.add_argument("--id", metavar="NUMBER", help="the platform's integer id of the channel")
    one.add_argument("--country", default="", metavar="CC", help="ISO 3166 alpha-2")
    one.add_argument(
        "--config", action="append", default=[], metavar="KEY=VALUE", help="a config key of its own; VALUE is YAML"
    )
    one.set_defaults(run=add)
    one = commands.add_parser("import", help="bring channels from RapidPro, with their config and credentials")
    one.add_argument("file", metavar="FILE", help="CSV or JSON: uuid, type, address, country, config")
    one.add_argument("--workspace", required=True, metavar="NAME", help="where the file has no column of that name")
    one.add_argument("--platform", required=True, metavar="NAME")
    one.add_argument("--dry-run", action="store_true", help="say what would be done and what does not carry over")
    one.set_defaults(run=bring)
    one = commands.add_parser("list", help="all channels")
    one.add_argument("--aggregator", default="", metavar="NAME")
    one.add_argument("--workspace", default="", metavar="NAME")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=listing)
    for action, summary, run in (
        ("show", "one channel with what it inherits", show),
        ("disable", "its messages wait, its callbacks get 404", disable),
        ("enable", "undo disable", enable),
        ("url", "the callback URLs to give to the aggregator, and the platform's send URL", url),
    ):
        one = commands.add_parser(action, help=summary)
        one.add_argument("uuid", metavar="UUID", help="or the platform's integer id")
        if action in ("show", "url"):
            one.add_argument("--json", action="store_true")
        one.set_defaults(run=run)
    moving.arguments(commands)
    one = commands.add_parser("test", help="send one message through it and follow it, or show the requests of one")
    one.add_argument("uuid", metavar="UUID", help="or the platform's integer id")
    one.add_argument("--to", required=True, metavar="NUMBER", help="E.164, e.g. +256700123123, or a short code")
    one.add_argument("--text", default="", metavar="TEXT")
    one.add_argument("--attachment", action="append", default=[], metavar="TYPE:URL", help="e.g. image/png:https://...")
    one.add_argument("--timeout", type=float, default=60, metavar="SECONDS", help="how long to follow it (default: 60)")
    one.add_argument("--dry-run", action="store_true", help="make no request: print those that would be made")
    one.set_defaults(run=test)


def test(options: argparse.Namespace) -> None:
    """Try a channel."""
    from cli import trying

    if not options.text and not options.attachment:
        raise Problem("nothing to send: give --text, or --attachment")
    trying.run(by_reference(options.uuid), options)


def by_reference(ref: str) -> str:
    """The UUID of the channel with that UUID or integer id.

    Raises:
        Problem: there is none.
    """
    from chalicelib import registry

    try:
        return registry.channel_for(int(ref) if ref.isdigit() else ref.lower()).uuid
    except registry.UnknownChannel as error:
        raise Problem(f"{error}; `jangada channel list` shows all") from None


def own_config(pairs: list[str]) -> dict[str, Any]:
    """The config keys of `--config KEY=VALUE`.

    Raises:
        Problem: one is not written like that.
    """
    import yaml

    config: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise Problem(f"--config {pair}: write KEY=VALUE")
        try:
            config[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise Problem(f"--config {key}: the value is not YAML") from None
    return config


def add(options: argparse.Namespace) -> None:
    """Add a channel, checked exactly as one in a file is."""
    from chalicelib import registry, registry_store
    from chalicelib.clock import now_ms
    from cli import aggregator_files
    from cli.kinds import meant

    accounts = {one.name: one for one in registry.aggregators()}
    if options.aggregator not in accounts:
        raise Problem(f"no aggregator {options.aggregator}; {meant(options.aggregator, accounts)}")
    account = accounts[options.aggregator]
    platforms = [one.name for one in registry.platforms()]
    if options.platform not in platforms:
        raise Problem(f"no platform {options.platform}; {meant(options.platform, platforms)}")
    entry = {
        "uuid": options.uuid,
        "address": options.address,
        "country": options.country,
        "workspace": options.workspace,
        "platform": options.platform,
        "config": own_config(options.config),
    }
    if options.id is not None:
        entry["id"] = options.id
    hidden = dict.fromkeys(account.secrets, aggregator_files.SECRET)
    checked, problems = aggregator_files.channel_entry(entry, account.type, {**account.config, **hidden})
    if problems or checked is None:
        raise Problem("; ".join(problems))
    fields = checked.model_dump(exclude={"uuid"})
    new = registry.Channel(uuid=str(checked.uuid), aggregator=account.name, type=account.type, **fields)

    def make(old: registry.Channel | None) -> registry.Channel:
        kept = {"created_at": old.created_at, "enabled": old.enabled} if old else {"created_at": now_ms()}
        return new.model_copy(update=kept)

    made = registry_store.change_channel(new.uuid, make)
    print(f"channel {made.uuid} ({made.address}) is on {made.aggregator}{'' if made.enabled else ', disabled'}")


def bring(options: argparse.Namespace) -> None:
    """Import channels."""
    from chalicelib import registry
    from cli import importing, importing_writes
    from cli.kinds import meant

    platforms = [one.name for one in registry.platforms()]
    if options.platform not in platforms:
        raise Problem(
            f"no platform {options.platform}; {meant(options.platform, platforms) if platforms else 'add it'}"
        )
    plan = importing.plan(importing.read(options.file), options.workspace, options.platform)
    failed = importing_writes.say(plan, options.file)
    if failed:
        raise Problem(f"{failed} of {len(plan.rows)} channels cannot be brought: nothing has been written")
    if options.dry_run:
        print("nothing has been written (--dry-run)")
        return
    importing_writes.write(plan)
    print("to do: have each aggregator call this deployment: `jangada channel url UUID`")


def listing(options: argparse.Namespace) -> None:
    """List channels."""
    from chalicelib import registry

    found = [
        one
        for one in registry.channels()
        if options.aggregator in ("", one.aggregator) and options.workspace in ("", one.workspace)
    ]
    if options.json:
        output.as_json([one.model_dump(mode="json") for one in found])
        return
    heads = ("channel", "id", "aggregator", "type", "address", "country", "workspace", "platform", "enabled")
    rows = [
        (
            c.uuid,
            c.id,
            c.aggregator,
            c.type,
            c.address,
            c.country,
            c.workspace,
            c.platform,
            "yes" if c.enabled else "no",
        )
        for c in found
    ]
    output.table(heads, rows, "no channels: `jangada aggregator apply FILE` or `jangada channel add`")


def show(options: argparse.Namespace) -> None:
    """Show one channel, its config merged with its aggregator's, secrets by name only."""
    from chalicelib import registry

    one = registry.channel(by_reference(options.uuid))
    account = registry.aggregator(one.aggregator)
    merged = {**account.config, **one.config}
    if options.json:
        output.as_json({**one.model_dump(mode="json"), "merged_config": merged, "secrets": list(account.secrets)})
        return
    output.fields(
        [
            ("channel", one.uuid),
            ("id", one.id),
            ("address", one.address),
            ("country", one.country),
            ("aggregator", f"{one.aggregator} ({one.type})"),
            ("workspace", one.workspace),
            ("platform", one.platform),
            ("enabled", "yes" if one.enabled else "no"),
            ("created", output.moment(one.created_at)),
            *((f"config.{key}", f"{value}{' (its own)' * (key in one.config)}") for key, value in merged.items()),
            ("secrets", ", ".join(account.secrets)),
        ]
    )


def disable(options: argparse.Namespace) -> None:
    """Disable a channel."""
    from chalicelib import registry_store

    one = registry_store.set_enabled(by_reference(options.uuid), False)
    print(f"channel {one.uuid} ({one.address}) is disabled; within 30 s its messages wait and its callbacks get 404")


def enable(options: argparse.Namespace) -> None:
    """Enable a channel."""
    from chalicelib import registry_store

    one = registry_store.set_enabled(by_reference(options.uuid), True)
    print(f"channel {one.uuid} ({one.address}) is enabled")


def url(options: argparse.Namespace) -> None:
    """The URLs of a channel. A callback token is a secret: it is named, not shown."""
    from chalicelib import channels, registry
    from chalicelib.settings import settings

    one = registry.channel(by_reference(options.uuid))
    rows: list[dict[str, Any]] = []
    if not registry.aggregator(one.aggregator).is_smsc:
        made = channels.make(one, registry.settings_of(one), settings().callback_base)
        guarded = made.config.secret is not None and made.token_in_url
        made.config = made.config.model_copy(update={"secret": None})
        for action, methods in sorted(made.routes().items(), key=lambda one: one[0] != "receive"):
            found = made.callback(action) + ("?token=SECRET" if guarded else "")
            rows.append({"for": f"aggregator: {action}", "methods": list(methods), "url": found})
        if guarded:
            output.note("put the value of the config key `secret` where SECRET stands")
    send = f"{settings().callback_base}/send/{one.uuid}"
    rows.append({"for": "platform: send", "methods": ["POST"], "url": send})
    if options.json:
        output.as_json(rows)
        return
    output.table(("for", "methods", "url"), [(row["for"], ", ".join(row["methods"]), row["url"]) for row in rows])
    if one.type in registry.SMSC_TYPES:
        print("an SMSC calls nobody: the relay is connected to it")
