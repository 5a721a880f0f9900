"""`jangada lane`: how deep the lanes are, which are paused or frozen, and why."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from cli import output
from cli.output import Problem, clock, moment, span


def arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """What the command takes."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)
    one = commands.add_parser("list", help="the lanes in front of the aggregators")
    one.add_argument("--all", action="store_true", help="every queue of the deployment")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=listing)
    one = commands.add_parser("resume", help="lift the pause of an aggregator now, rather than by its next probe")
    one.add_argument("aggregator", metavar="AGGREGATOR")
    one.set_defaults(run=resume)


def lanes() -> dict[str, list[str]]:
    """The queue of each lane, and whose it is."""
    from chalicelib import queues, registry

    found: dict[str, list[str]] = {}
    for bulk in (False, True):
        found[queues.lane_queue(queues.lane_name("", own=False, bulk=bulk))] = []
    for one in registry.aggregators():
        for bulk in (False, True):
            queue = queues.lane_queue(queues.lane_name(one.name, own=one.own_lane, bulk=bulk))
            found.setdefault(queue, []).append(one.name)
    return found


def every_queue() -> list[str]:
    """All queues of the deployment but the DLQs, in the order of a message's way."""
    from chalicelib import queues, registry

    deliver = [queues.deliver_queue(one.name) for one in registry.platforms()]
    return [queues.OUTBOUND, queues.OUTBOUND_BULK, *lanes(), queues.LATER, queues.EVENTS, *deliver]


def oldest(names: Sequence[str], now: int) -> dict[str, int]:
    """Age (ms) of the oldest message of each queue, where CloudWatch knows one.

    SQS itself does not tell; the metric is a few minutes late, and an emulated AWS has none.
    """
    from datetime import UTC, datetime

    from chalicelib import aws
    from chalicelib.settings import settings

    end = datetime.fromtimestamp(now / 1000, UTC) + timedelta(minutes=1)
    found: dict[str, int] = {}
    for start in range(0, len(names), 500):  # a request's most (CloudWatch API reference, GetMetricData)
        some = names[start : start + 500]
        metric = {"Namespace": "AWS/SQS", "MetricName": "ApproximateAgeOfOldestMessage"}
        queries = [
            {
                "Id": f"q{index}",
                "MetricStat": {
                    "Metric": {**metric, "Dimensions": [{"Name": "QueueName", "Value": settings().prefix + name}]},
                    "Period": 60,
                    "Stat": "Maximum",
                },
            }
            for index, name in enumerate(some)
        ]
        try:
            answer = aws.cloudwatch().get_metric_data(
                MetricDataQueries=queries,
                StartTime=end - timedelta(minutes=15),
                EndTime=end,
            )
        except Exception as error:
            output.note(f"note: no ages, CloudWatch does not tell: {aws.error_code(error) or type(error).__name__}")
            return found
        for result in answer["MetricDataResults"]:
            if result["Values"]:
                _, newest = max(zip(result["Timestamps"], result["Values"], strict=True))
                found[some[int(result["Id"][1:])]] = round(newest * 1000)
    return found


def listing(options: argparse.Namespace) -> None:
    """List lanes, or all queues."""
    from chalicelib import depths, freezes, pauses
    from chalicelib.clock import now_ms

    owners = lanes()
    names = every_queue() if options.all else list(owners)
    stopped = {pause.aggregator: pause for pause in pauses.lanes_paused()}
    frozen = freezes.load()
    ages = oldest(names, now_ms())
    rows: list[dict[str, Any]] = []
    for name in names:
        found = depths.of(name)
        paused = [stopped[owner] for owner in owners.get(name, ()) if owner in stopped]
        rows.append(
            {
                "queue": name,
                "exists": found is not None,
                "waiting": found.visible + found.delayed if found else None,
                "in_flight": found.in_flight if found else None,
                "oldest_ms": ages.get(name),
                "paused": [
                    {"aggregator": p.aggregator, "since": p.since, "probe_at": p.probe_at, "reason": p.reason}
                    for p in paused
                ],
                "frozen": [
                    {"aggregator": one.name, "since": one.since, "reason": one.reason}
                    for owner in owners.get(name, ())
                    if (one := frozen.get("aggregator", owner)).since
                ],
            }
        )
    if options.json:
        output.as_json(rows)
        return
    output.table(("queue", "waiting", "in flight", "oldest", "paused"), [_row(row) for row in rows])
    for one in frozen.all():
        if one.since and one.kind == "workspace":
            print(f"workspace {one.name} is {_frozen(one.since, one.reason)}")


def _frozen(since: int, reason: str) -> str:
    return f"frozen since {moment(since)}" + (reason and f": {reason}")


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    if not row["exists"]:
        return (row["queue"], "-", "-", "-", "the queue does not exist: `terraform apply`")
    told = [f"{one['aggregator']} is {_frozen(one['since'], one['reason'])}" for one in row["frozen"]]
    told += [
        f"{p['aggregator']} since {moment(p['since'])}: {p['reason']}; next probe {clock(p['probe_at'])[:8]}"
        for p in row["paused"]
    ]
    age = span(row["oldest_ms"]) if row["oldest_ms"] is not None else "-"
    return (row["queue"], str(row["waiting"]), str(row["in_flight"]), age, "; ".join(told) or "no")


def resume(options: argparse.Namespace) -> None:
    """Lift a pause."""
    from chalicelib import pauses

    pause = pauses.lane_pause(options.aggregator)
    if pause is None:
        paused = ", ".join(one.aggregator for one in pauses.lanes_paused()) or "none"
        raise Problem(f"{options.aggregator} is not paused; paused: {paused}")
    pauses.resume_lane(options.aggregator)
    print(f"{options.aggregator} goes on; it was paused since {moment(pause.since)}: {pause.reason}")
