"""`jangada platform`: where messages go to, and the credentials that go with them."""

from __future__ import annotations

import argparse

from cli import output
from cli.output import Problem


def arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """What the command takes."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)
    one = commands.add_parser("list", help="all platforms; they come from `platforms:` in aggregator files")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=listing)
    one = commands.add_parser("show", help="one platform with its queue")
    one.add_argument("name", metavar="NAME")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=show)
    one = commands.add_parser("credential", help="give the value of the Authorization header, from a prompt or a pipe")
    one.add_argument("name", metavar="NAME")
    one.add_argument("--base-url", default="", metavar="URL", help="move the platform there, with this credential")
    one.add_argument("--from-env", metavar="VARIABLE", default="")
    one.add_argument("--drop", action="store_true", help="forget the credential; requests go without one")
    one.set_defaults(run=credential)


def _found(name: str) -> str:
    from chalicelib import registry
    from cli.kinds import meant

    known = [one.name for one in registry.platforms()]
    if name not in known:
        raise Problem(f"no platform {name}; {meant(name, known) if known else 'there are none'}")
    return name


def _credential(name: str) -> str:
    """Whether there is one, and that it is for this URL."""
    from chalicelib import registry, registry_store

    one = registry.platform(name)
    held = registry_store.read_secret("platforms", name)
    if not one.secret:
        return "none"
    if not held:
        return "missing"
    return "given" if registry.base_of(held["base_url"]) == registry.base_of(one.base_url) else "for another base URL"


def listing(options: argparse.Namespace) -> None:
    """List platforms."""
    from chalicelib import registry

    rows = [
        {
            "name": one.name,
            "base_url": one.base_url,
            "credential": _credential(one.name),
            "concurrency": one.concurrency,
            "report_wired": one.report_wired,
        }
        for one in registry.platforms()
    ]
    if options.json:
        output.as_json(rows)
        return
    heads = ("name", "base url", "credential", "concurrency", "report wired")
    shown = [(*list(row.values())[:4], "yes" if row["report_wired"] else "no") for row in rows]
    output.table(heads, shown, "no platforms: put them under `platforms:` in a file, and apply it")


def show(options: argparse.Namespace) -> None:
    """Show one platform."""
    from chalicelib import depths, queues, registry

    one = registry.platform(_found(options.name))
    channels = [channel for channel in registry.channels() if channel.platform == one.name]
    queue = queues.deliver_queue(one.name)
    depth = depths.of(queue)
    about = {
        "name": one.name,
        "base_url": one.base_url,
        "credential": _credential(one.name),
        "concurrency": one.concurrency,
        "report_wired": one.report_wired,
        "channels": len(channels),
        "queue": queue,
        "waiting": depth.total if depth else None,
        "changed": one.version,
    }
    if options.json:
        output.as_json(about)
        return
    about |= {"report_wired": "yes" if one.report_wired else "no", "changed": output.moment(one.version)}
    if depth is None:
        about["waiting"] = "the queue does not exist: `terraform apply`"
    output.fields((name.replace("_", " "), value) for name, value in about.items())


def credential(options: argparse.Namespace) -> None:
    """Give, move or drop a credential."""
    from pydantic import ValidationError

    from chalicelib import registry_store
    from cli.aggregator_files import PlatformEntry

    name = _found(options.name)
    if options.drop and (options.base_url or options.from_env):
        raise Problem("--drop goes alone")
    if options.base_url:
        try:
            PlatformEntry(base_url=options.base_url)
        except ValidationError:
            raise Problem("--base-url must be an absolute URL, e.g. https://rapidpro.example.org") from None
    value = "" if options.drop else output.ask_secret(f"Authorization header for {name}", options.from_env)
    if not value.isprintable() or not value.isascii():
        raise Problem("a header has printable ASCII characters only")
    one = registry_store.put_credential(name, value, options.base_url)
    if options.drop:
        print(f"platform {name} has no credential any more")
    else:
        print(f"the credential of {name} is stored for {one.base_url}, and goes to no other place")
