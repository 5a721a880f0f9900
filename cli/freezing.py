"""`jangada freeze` and `jangada thaw`: stop what goes out at once, and let it go on."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cli import output
from cli.output import Problem, moment

if TYPE_CHECKING:
    from chalicelib.freezes import Freeze, Kind


def arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """What the command `name` takes."""
    parser.add_argument("what", metavar="NAME", help="an aggregator or a workspace; workspace:NAME where both have it")
    if name == "freeze":
        parser.add_argument("--reason", default="", help="shown wherever it is asked why messages wait")
        parser.add_argument("--cancel", action="store_true", help="what waits now fails, each message once")
        parser.set_defaults(run=freeze)
    else:
        parser.set_defaults(run=thaw)


def _meant(what: str) -> tuple[Kind, str]:
    """The aggregator or workspace that `what` names.

    Raises:
        Problem: there is none, or there are both.
    """
    from chalicelib import freezes, registry
    from cli.kinds import meant

    frozen = freezes.load().all()
    aggregators = {one.name for one in registry.aggregators()}
    workspaces = {one.workspace for one in registry.channels() if one.workspace}
    kind, colon, name = what.partition(":")
    known: dict[Kind, set[str]] = {
        "aggregator": aggregators | {one.name for one in frozen if one.kind == "aggregator"},
        "workspace": workspaces | {one.name for one in frozen if one.kind == "workspace"},
    }
    for one, names in known.items():
        if colon and kind == one and name in names:
            return one, name
    found = [one for one, names in known.items() if what in names]
    if len(found) == 2:
        raise Problem(f"{what} is an aggregator and a workspace: say aggregator:{what} or workspace:{what}")
    if not found:
        every = known["aggregator"] | known["workspace"]
        raise Problem(f"no aggregator or workspace {what}; {meant(what, every) if every else 'there are none'}")
    return found[0], what


def freeze(options: argparse.Namespace) -> None:
    """Freeze, and perhaps cancel."""
    from chalicelib import depths, freezes, queues
    from chalicelib.clock import now_ms

    if not output.plain(options.reason) == options.reason or len(options.reason) > 200:
        raise Problem("--reason: one line of at most 200 characters")
    kind, name = _meant(options.what)
    one = freezes.freeze(kind, name, options.reason, now_ms(), cancel=options.cancel)
    print(
        f"{kind} {name} is frozen since {moment(one.since)}: within seconds nothing more is sent; what comes in goes on"
    )
    if not options.cancel:
        print(f"its messages wait: `jangada thaw {options.what}`, or `jangada freeze {options.what} --cancel`")
        return
    print("what waits in its lanes is failing now; what waits aside, as soon as it comes back, after an hour at most")
    for queue in (queues.OUTBOUND, queues.OUTBOUND_BULK):
        depth = depths.of(queue)
        if depth and depth.total:
            print(f"{depth.total} in {queue} are in no lane yet and will wait: once they are, cancel again")


def thaw(options: argparse.Namespace) -> None:
    """Thaw."""
    from chalicelib import freezes
    from chalicelib.clock import now_ms

    kind, name = _meant(options.what)
    before = freezes.load().get(kind, name)
    if not before.since:
        others = ", ".join(_named(one) for one in freezes.load().all() if one.since) or "nothing"
        raise Problem(f"{kind} {name} is not frozen; frozen: {others}")
    freezes.thaw(kind, name, now_ms())
    print(f"{kind} {name} goes on; it was frozen since {moment(before.since)}")
    print("what waits aside comes back within five minutes")


def _named(one: Freeze) -> str:
    return f"{one.kind} {one.name}"
