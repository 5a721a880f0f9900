"""`jangada channel move`: a channel goes to another aggregator, by an operator's decision.

Nothing moves a channel by itself: what one aggregator has taken, or may have, would be sent by the other too. For the
same reason what waits for the old aggregator stays with it. A move changes only where new messages go.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from cli import output
from cli.output import Problem

if TYPE_CHECKING:
    from chalicelib.registry import Aggregator, Channel


def arguments(commands: Any) -> None:
    """`move` among the actions of `jangada channel`."""
    one = commands.add_parser("move", help="have another aggregator send its messages from now on")
    one.add_argument("uuid", metavar="UUID", help="or the platform's integer id")
    one.add_argument("aggregator", metavar="AGGREGATOR")
    one.add_argument(
        "--config", action="append", default=[], metavar="KEY=VALUE", help="a config key of its own; VALUE is YAML"
    )
    one.add_argument("--dry-run", action="store_true", help="check, say what would happen, and write nothing")
    one.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Check, say what happens to what waits, and move it."""
    from chalicelib import registry, registry_store
    from cli.channels import by_reference, own_config
    from cli.kinds import meant

    registry.reset()
    one = registry.channel(by_reference(options.uuid))
    accounts = {account.name: account for account in registry.aggregators()}
    if options.aggregator not in accounts:
        raise Problem(f"no aggregator {options.aggregator}; {meant(options.aggregator, accounts)}")
    target = accounts[options.aggregator]
    if one.aggregator == target.name:
        print(f"channel {one.uuid} ({one.address}) is on {target.name} already: nothing to do")
        return
    given = own_config(options.config)
    config = {**(one.config if target.type == one.type else {}), **given}
    new = one.model_copy(update={"aggregator": target.name, "type": target.type, "config": config})
    problems = list(_problems(new, target))
    if problems:
        raise Problem("\n".join(problems))
    old = accounts.get(one.aggregator)

    def make(registered: Channel | None) -> Channel:
        if registered != one:
            raise registry_store.Conflict(f"channel {one.uuid} has been changed meanwhile: run it again")
        return new

    if not options.dry_run:
        registry_store.change_channel(one.uuid, make)
    for line in _told(one, new, old, target):
        print(line)
    if options.dry_run:
        output.note("nothing has been written (--dry-run)")


def _problems(new: Channel, target: Aggregator) -> Iterator[str]:
    """What the target lacks for the channel."""
    from chalicelib import depths, registry, registry_store
    from cli import aggregator_files

    fields = ("uuid", "id", "address", "country", "workspace", "platform", "config")
    entry = {name: value for name in fields if (value := getattr(new, name)) is not None}
    hidden = dict.fromkeys(target.secrets, aggregator_files.SECRET)
    _, found = aggregator_files.channel_entry(entry, target.type, {**target.config, **hidden})
    yield from (f"{problem}; give it with --config" if "config" in problem else problem for problem in found)
    stored = registry_store.read_secret("aggregators", target.name) if target.secrets else {}
    for key in target.secrets:
        if key not in stored:
            yield f"{target.name} has no secret {key} yet: `jangada aggregator secret {target.name} {key}`"
    for queue in _lanes(target):
        if depths.of(queue) is None:
            yield f"queue {queue} does not exist: `terraform apply` makes it from the file of {target.name}"
    try:
        holder = registry.channel_at(target.name, new.address)
    except registry.UnknownChannel:
        return
    if holder.uuid != new.uuid and holder.enabled and holder.aggregator == target.name:
        yield f"address {new.address} on {target.name} belongs to channel {holder.uuid}: disable or change that first"


def _lanes(account: Aggregator) -> list[str]:
    from chalicelib import queues

    names = [queues.lane_name(account.name, own=account.own_lane, bulk=bulk) for bulk in (False, True)]
    return [queues.lane_queue(name) for name in names]


def _told(one: Channel, new: Channel, old: Aggregator | None, target: Aggregator) -> Iterable[str]:
    yield f"channel {one.uuid} ({one.address}): {one.aggregator} ({one.type}) -> {target.name} ({target.type})"
    left = sorted(set(one.config) - set(new.config))
    if left:
        yield f"its own config of {one.aggregator} stays there: {', '.join(left)}"
    yield f"new messages go to {target.name} within 30 s"
    yield from _waiting(one, old)
    yield f"receipts and messages from phones that still come from {one.aggregator} reach it as before"
    if not target.is_smsc:
        yield f"to do: give {target.name} its callback URLs: `jangada channel url {one.uuid}`"
    yield (
        f"to do: move its line from the file of {one.aggregator} to that of {target.name}; applied as it is, the old"
        " file would move it back"
    )


def _waiting(one: Channel, old: Aggregator | None) -> Iterator[str]:
    """What happens to what has not been sent. What has no aggregator any more needs a human after an hour."""
    from chalicelib import depths

    if old is None:
        yield f"{one.aggregator} is not registered any more: what waits for it goes to the dead letters"
        return
    counts = []
    for queue in _lanes(old):
        depth = depths.of(queue)
        if depth is not None:
            counts.append(f"{depth.total} in {queue}")
    yield (
        f"what waits already stays with {one.aggregator}, so that nothing is sent twice: it sends it, or it fails when"
        f" too old. Waiting, of all channels: {', '.join(counts) or 'no lane'}"
    )
