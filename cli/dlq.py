"""`jangada dlq`: what needs a human: which, why, what to do, and back on its way."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from cli import output
from cli.output import Problem, span

if TYPE_CHECKING:
    from chalicelib.queues import Received

# What the reason says -> what to do. The first that fits.
HINTS: Final = (
    ("is disabled", "enable the channel, then redrive"),
    ("unknown platform", "apply a file with the platform, then redrive"),
    ("unknown aggregator", "apply the aggregator's file, then redrive"),
    ("unknown", "add the channel, then redrive"),
    ("in doubt", "ask the aggregator whether it has it; redrive sends it again"),
    ("has not taken it", "see `jangada why ID` for its answers; redrive when it is well"),
    ("SQS refuses", "too long for SQS: have it sent shorter"),
    ("invalid record", "the sender's JSON is wrong: mend it there"),
    ("not a", "not ours: find out who writes to the queue"),
    ("", "tried until SQS gave up: see the function's log, then redrive"),
)


def arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """What the command takes."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)
    one = commands.add_parser("list", help="every DLQ that is not empty, with its reasons")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=listing)
    one = commands.add_parser("show", help="the records in the DLQ of one queue")
    one.add_argument("queue", metavar="QUEUE", help="as `jangada dlq list` names it, e.g. lane-shared")
    one.add_argument("--limit", type=int, default=50, metavar="N")
    one.add_argument("--body", action="store_true", help="whole records: they hold texts and numbers")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=show)
    one = commands.add_parser("redrive", help="send records on their way again: sent first, then taken out of the DLQ")
    one.add_argument("queue", metavar="QUEUE")
    one.add_argument(
        "--id", action="append", default=[], metavar="ID", help="of a record or a message; may be repeated"
    )
    one.add_argument("--reason", default="", metavar="TEXT", help="those whose reason contains this")
    one.add_argument("--all", action="store_true")
    one.add_argument(
        "--renew",
        action="store_true",
        help="give messages their full time again, rather than failed(expired) if too old",
    )
    one.set_defaults(run=redrive)


def hint(reason: str) -> str:
    """What to do about a record that is in a DLQ for `reason`."""
    return next(what for sign, what in HINTS if sign in reason)


def _sources() -> list[str]:
    from cli.lanes import every_queue

    return every_queue()


def _source(name: str) -> str:
    """The queue that is meant: with or without .fifo, or by its DLQ's name."""
    from chalicelib import queues
    from cli.kinds import meant

    known = _sources()
    for queue in known:
        if name in (
            queue,
            queue.removesuffix(".fifo"),
            queues.dlq_of(queue),
            queues.dlq_of(queue).removesuffix(".fifo"),
        ):
            return queue
    raise Problem(f"no queue {name}; {meant(name, known)}")


def _about(record: Received) -> tuple[str, str]:
    """The message's id and channel, as far as the record says."""
    try:
        data = json.loads(record.body)
    except ValueError:
        return "", ""
    if not isinstance(data, dict):
        return "", ""
    inner = data.get("event", data)
    key = inner.get("key") or {}
    told = inner.get("message") or inner.get("update") or inner.get("optout") or {}
    found = key.get("id") or inner.get("subject") or inner.get("event_id") or inner.get("id") or ""
    return str(found), str(key.get("channel") or inner.get("channel") or told.get("channel") or "")


def listing(options: argparse.Namespace) -> None:
    """List the DLQs."""
    from chalicelib import depths, queues
    from cli import redriving

    rows: list[dict[str, Any]] = []
    for queue in _sources():
        depth = depths.of(queues.dlq_of(queue))
        if not depth or not depth.total:
            continue
        reasons = Counter(record.reason for record in redriving.look(queue))
        rows += [
            {"queue": queue.removesuffix(".fifo"), "records": count, "reason": reason, "hint": hint(reason)}
            for reason, count in reasons.most_common()
        ]
        unseen = depth.total - reasons.total()
        if unseen > 0:
            rows.append({"queue": queue.removesuffix(".fifo"), "records": unseen, "reason": "(not seen)",
                         "hint": "behind ten others of their contact, or being looked at"})  # fmt: skip
    if options.json:
        output.as_json(rows)
        return
    shown = [(r["queue"], r["records"], _short(r["reason"] or "(none)"), r["hint"]) for r in rows]
    output.table(("queue", "records", "reason", "what to do"), shown, "every DLQ is empty")


def _short(reason: str) -> str:
    return reason if len(reason) <= 80 else reason[:77] + "..."


def show(options: argparse.Namespace) -> None:
    """Show the records of one DLQ."""
    from chalicelib.clock import now_ms
    from cli import redriving

    found = redriving.look(_source(options.queue), options.limit)
    now = now_ms()
    if options.json:
        output.as_json([_as_json(record, whole=options.body) for record in found])
        return
    rows = [(r.message_id, *_about(r), span(now - r.sent_at), r.reason or "(none)", hint(r.reason)) for r in found]
    output.table(("record", "message", "channel", "age", "reason", "what to do"), rows, "the DLQ is empty")
    if options.body:
        for record in found:
            print(f"\n{record.message_id}\n{output.plain(record.body)}")


def _as_json(record: Received, *, whole: bool) -> dict[str, Any]:
    message, channel = _about(record)
    about = {
        "record": record.message_id,
        "message": message,
        "channel": channel,
        "sent_at": record.sent_at,
        "reason": record.reason,
        "hint": hint(record.reason),
    }
    return about | ({"body": record.body} if whole else {})


def redrive(options: argparse.Namespace) -> int:
    """Redrive what is chosen; exit status 1 where some of it has to stay."""
    from chalicelib.clock import now_ms
    from cli import redriving

    if bool(options.id) + bool(options.reason) + options.all != 1:
        raise Problem("say which: --id ID, --reason TEXT or --all")
    source = _source(options.queue)
    chosen = set(options.id)

    def wanted(record: Received) -> bool:
        if chosen:
            return record.message_id in chosen or _about(record)[0] in chosen
        return options.all or options.reason in record.reason

    tally = redriving.redrive(source, wanted, now_ms(), renew=options.renew)
    print(f"{_records(len(tally.redriven))} on the way again, {len(tally.left)} left")
    output_left(tally.left)
    if not tally.redriven and not tally.left:
        raise Problem(f"nothing in the DLQ of {source} is meant by that; `jangada dlq show {options.queue}`")
    return 1 if tally.left else 0


def output_left(left: Sequence[tuple[str, str]]) -> None:
    """Say what stays and why."""
    for name, why in left:
        print(f"{name}: {output.plain(why)}")


def _records(count: int) -> str:
    return f"{count} record{'' if count == 1 else 's'}"
