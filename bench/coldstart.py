"""Cold starts: `python -m bench.coldstart` prints import time and first event of each function, beside the floor.

Every figure is of a fresh process, from its first line on (the interpreter's own start is not in it), CPU and wall; the
median of several, taken in turn. The floor of an event imports boto3, pydantic and requests and makes the clients that
the function has made by the end of its event, and does nothing else: no call, no event.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import uuid
from itertools import count
from typing import Any

CASES = ("webhook AT", "send EX", "send AT", "send TW", "record", "deliver", "route")
numbers = count(1)


# --- in the fresh process: nothing is imported before the clock runs ------------------------------------------------


def child(case: str) -> None:
    """Run one case; its event comes on stdin, the figures go to stdout."""
    event = json.load(sys.stdin)
    told: dict[str, Any]
    wall, cpu = time.perf_counter(), time.process_time()

    def so_far() -> list[float]:
        return [(time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000]

    if case == "floor":
        import boto3
        import pydantic  # noqa: F401
        import requests  # noqa: F401

        imported = so_far()
        session = boto3.session.Session()
        for service in event["clients"]:
            session.client(service)
        told = {"imported": imported, "total": so_far()}
    else:
        import app

        imported = so_far()
        from bench.context import Context

        answer = (app.app if case.startswith("webhook") else getattr(app, case.split()[0]))(event, Context())
        total = so_far()
        assert answer.get("statusCode", 200) == 200, answer
        assert not answer.get("batchItemFailures"), answer
        from chalicelib import aws

        made = [name for name in ("sqs", "dynamodb", "ssm") if getattr(aws, name).cache_info().currsize]
        told = {"imported": imported, "total": total, "clients": made}
    print(json.dumps(told))


def run(case: str, event: dict[str, Any]) -> dict[str, Any]:
    """The figures of one fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.coldstart", "--child", case],
        input=json.dumps(event),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{case} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# --- events ---------------------------------------------------------------------------------------------------------


def event_for(case: str) -> dict[str, Any]:
    """A new event of one record."""
    from bench import world
    from chalicelib import queues
    from chalicelib.clock import now_ms
    from chalicelib.messages import Incoming
    from chalicelib.records import DeliveryRecord, MoEvent

    number = next(numbers)
    phone = f"+250788{number:06d}"
    if case.startswith("webhook"):
        channel = world.CHANNELS["AT"]
        form = f"id=x{number}&from=%2B250788{number:06d}&to=8080&text=Hello&date=2026-03-01T10:11:12Z"
        return {
            "resource": "/c/{kind}/{channel}/{action}",
            "path": f"/c/at/{channel}/receive",
            "httpMethod": "POST",
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
            "multiValueHeaders": {"Content-Type": ["application/x-www-form-urlencoded"]},
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "pathParameters": {"kind": "at", "channel": channel, "action": "receive"},
            "stageVariables": None,
            "requestContext": {
                "resourcePath": "/c/{kind}/{channel}/{action}",
                "httpMethod": "POST",
                "identity": {"sourceIp": "192.0.2.1"},
            },
            "body": form,
            "isBase64Encoded": False,
        }
    if case.startswith("send"):
        code = case.split()[1]
        return world.batch(f"lane-{code.lower()}.fifo", [world.record(code, number)])
    channel = world.CHANNELS["EX"]
    if case == "record":
        message = Incoming(channel=channel, sender=phone, text="Hello", external_id=f"x{number}")
        entry = queues.event_entry(MoEvent(event_id=str(uuid.uuid4()), message=message, aggregator="ex", at=now_ms()))
        return world.batch(queues.EVENTS, [(entry.body, entry.group)])
    if case == "deliver":
        fields = {"from": phone, "text": "Hello"}
        record = DeliveryRecord(
            kind="receive", channel=channel, platform="main", fields=fields, subject=str(number), first_seen=now_ms()
        )
        return world.batch("deliver-main.fifo", [(record.to_body(), "g")])
    body = {"id": number, "text": "Hello", "to": phone, "from": "8080", "channel": channel}
    return world.batch(queues.OUTBOUND, [(json.dumps(body), "g")])


# --- the run --------------------------------------------------------------------------------------------------------


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="import time and first event of each function, beside the floor")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    from bench import world

    ours: dict[str, list[dict[str, Any]]] = {case: [] for case in CASES}
    floors: dict[str, list[dict[str, Any]]] = {case: [] for case in CASES}
    with world.deployment(), world.stub(0) as url:
        world.register(url)
        for case in CASES:
            run(case, event_for(case))  # byte code is written, files are in memory
        for _ in range(options.runs):
            for case in CASES:
                ours[case].append(run(case, event_for(case)))
                floors[case].append(run("floor", {"clients": ours[case][-1]["clients"]}))
    print(f"{'':12} {'CPU ms':>7} {'floor':>6} {'ratio':>6}   {'wall ms':>7} {'floor':>6} {'ratio':>6}  clients")
    _line("import app", [one for found in ours.values() for one in found],
          [one for found in floors.values() for one in found], "imported", "")  # fmt: skip
    for case in CASES:
        _line(case, ours[case], floors[case], "total", " ".join(ours[case][-1]["clients"]))


def _line(name: str, ours: list[dict[str, Any]], floors: list[dict[str, Any]], what: str, clients: str) -> None:
    def medians(found: list[dict[str, Any]]) -> tuple[float, float]:
        wall, cpu = (statistics.median(column) for column in zip(*(one[what] for one in found), strict=True))
        return wall, cpu

    (wall, cpu), (floor_wall, floor_cpu) = medians(ours), medians(floors)
    cpus = f"{cpu:7.0f} {floor_cpu:6.0f} {cpu / floor_cpu:6.2f}"
    print(f"{name:12} {cpus}   {wall:7.0f} {floor_wall:6.0f} {wall / floor_wall:6.2f}  {clients}")


if __name__ == "__main__":
    main()
