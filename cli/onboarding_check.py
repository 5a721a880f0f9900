"""`jangada smsc check`: the test phase from here, from a task of the relay's own kind (--ecs), or over the binds of the
relay that runs (--relay, `onboarding_relay.py`), and a report of it.

What only AWS can tell (tunnels, routes) is asked from here: a task has no way to EC2's API. ECS Exec is not used: it
needs a root file system that can be written to, and the relay's cannot. A task of the same definition, in the same
subnets and with the same role, sees what the relay sees.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli.output import Problem, note

if TYPE_CHECKING:
    from smsc_relay.check_steps import Step

START: Final = 300.0  # s that a task may take to be placed and to fetch its image
LOOK: Final = 2.0  # s between two looks at a task


def arguments(commands: Any) -> None:
    """`check` among the actions of `jangada smsc`."""
    from smsc_relay import check_command

    one = commands.add_parser("check", help="the test phase, step by step: at the first failure, what to ask of whom")
    check_command.add_options(one)
    where = one.add_mutually_exclusive_group()
    where.add_argument("--ecs", default="", metavar="CLUSTER/SERVICE", help="run it in a task like the relay's")
    where.add_argument("--relay", action="store_true", help="over the binds of the relay that runs")
    one.add_argument("--timeout", type=float, default=30, metavar="SECONDS", help="with --relay: for its tasks (30)")
    one.add_argument("--dry-run", action="store_true", help="with --ecs: print the command that starts the task")
    one.add_argument("--report", default="", metavar="FILE", help="write a report for the aggregator, as Markdown")
    one.set_defaults(run=check)


def check(options: argparse.Namespace) -> int:
    """Run the check; 1 where a step has failed."""
    from chalicelib import phones
    from smsc_relay import check_command
    from smsc_relay.check import Check
    from smsc_relay.check_steps import run_steps

    try:
        wishes = check_command.wishes(options)
    except phones.NotAPhoneNumber as error:
        raise Problem(f"--to {options.to}: {error}; write it as +256700123123") from None
    steps: list[Step] = []

    def tell(step: Step) -> None:
        print(check_command.line(step), flush=True)
        if step.state != "waiting":
            steps.append(step)

    if options.dry_run:
        print(shlex.join(["aws", "ecs", "run-task", *_words(_request(options, _service(options)))]))
        return 0
    more = _from_aws(options.name)
    if options.relay:
        from cli.onboarding_relay import RelayCheck

        well = RelayCheck(options.name, wishes, tell, more, options.timeout).run()
    elif options.ecs:
        well = asyncio.run(run_steps(more, tell)) and _in_task(options, tell)
    else:
        well = asyncio.run(Check(options.name, wishes, tell, more).run())
    if options.report:
        Path(options.report).write_text(report(options, steps), encoding="utf-8")
        note(f"wrote {options.report}")
    return 0 if well else 1


# --- what AWS tells -------------------------------------------------------------------------------------------------


def _from_aws(name: str) -> list[tuple[str, Callable[[], str]]]:
    from cli import onboarding_aws

    return [
        ("tunnel", lambda: onboarding_aws.tunnel(name)),
        ("route in AWS", lambda: onboarding_aws.route(name)),
    ]


# --- in a task ------------------------------------------------------------------------------------------------------


def _client(service: str) -> Any:
    import botocore.session

    return botocore.session.get_session().create_client(service)


def _service(options: argparse.Namespace) -> dict[str, Any]:
    """The relay's service, as ECS describes it."""
    cluster, slash, service = options.ecs.partition("/")
    if not (cluster and slash and service):
        raise Problem("--ecs wants CLUSTER/SERVICE, e.g. jangada-prod/jangada-prod-relay")
    found = _client("ecs").describe_services(cluster=cluster, services=[service])["services"]
    if not found:
        raise Problem(f"no service {service} in the cluster {cluster}")
    service_found: dict[str, Any] = found[0]
    return service_found


def _request(options: argparse.Namespace, service: dict[str, Any]) -> dict[str, Any]:
    """RunTask: as the service's own tasks, with another command."""
    command = ["check", options.name, "--json", "--burst", str(options.burst)]
    for flag, value in (("--to", options.to), ("--from", options.sender), ("--wait-receipt", options.wait_receipt),
                        ("--wait-mo", options.wait_mo)):  # fmt: skip
        command += [flag, f"{value:g}" if isinstance(value, float) else str(value)] if value else []
    return {
        "cluster": options.ecs.partition("/")[0],
        "taskDefinition": service["taskDefinition"],
        "launchType": "FARGATE",
        "networkConfiguration": service["networkConfiguration"],
        "overrides": {"containerOverrides": [{"name": "relay", "command": command}]},
    }


def _words(request: dict[str, Any]) -> Iterator[str]:
    names = {"cluster": "--cluster", "taskDefinition": "--task-definition", "launchType": "--launch-type",
             "networkConfiguration": "--network-configuration", "overrides": "--overrides"}  # fmt: skip
    for key, value in request.items():
        yield names[key]
        yield value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _in_task(options: argparse.Namespace, tell: Callable[[Step], None]) -> bool:
    """Start a task, tell its steps as they come, and answer whether it has ended well.

    Raises:
        Problem: it has not run.
    """
    from smsc_relay.check_steps import Step

    ecs = _client("ecs")
    request = _request(options, _service(options))
    answer = ecs.run_task(**request)
    if not answer["tasks"]:
        raise Problem(f"ECS starts no task: {answer['failures'][0].get('reason', 'it does not say why')}")
    arn = str(answer["tasks"][0]["taskArn"])
    note(f"task {arn.rsplit('/', 1)[-1]} is starting")
    group, stream = _log_of(ecs, request["taskDefinition"], arn)
    logs, token = _client("logs"), ""
    told, began = 0, time.monotonic()
    while True:
        task = ecs.describe_tasks(cluster=request["cluster"], tasks=[arn])["tasks"][0]
        over = task["lastStatus"] == "STOPPED"
        lines, token = _lines(logs, group, stream, token)
        for line in lines:
            if line.startswith('{"name": '):
                tell(Step(**json.loads(line)))
                told += 1
        if over and not lines:
            break
        if not told and not over and time.monotonic() - began > START:
            raise Problem(f"the task has not begun in {START:g} s: `aws ecs describe-tasks --tasks {arn}`")
        _pause()
    code = task["containers"][0].get("exitCode")
    if not told:
        raise Problem(f"the task has told nothing: {task.get('stoppedReason', f'exit status {code}')}")
    return bool(code == 0)


def _log_of(ecs: Any, definition: str, arn: str) -> tuple[str, str]:
    """Log group and stream of a task."""
    found = ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]["containerDefinitions"][0]
    options = found["logConfiguration"]["options"]
    return options["awslogs-group"], f"{options['awslogs-stream-prefix']}/{found['name']}/{arn.rsplit('/', 1)[-1]}"


def _lines(logs: Any, group: str, stream: str, token: str) -> tuple[list[str], str]:
    more = {"nextToken": token} if token else {}
    try:
        answer = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **more)
    except logs.exceptions.ResourceNotFoundException:
        return [], token
    return [str(one["message"]) for one in answer["events"]], str(answer["nextForwardToken"])


def _pause() -> None:
    time.sleep(LOOK)


# --- the report -----------------------------------------------------------------------------------------------------


def report(options: argparse.Namespace, steps: list[Step]) -> str:
    """What came of it, for the aggregator: no secret, no text."""
    failed = next((one for one in steps if one.state == "failed"), None)
    begun = steps[0].at[:19] if steps else ""
    lines = [f"# Test of {options.name}", ""]
    lines += [f"Begun {begun}Z (all times are UTC)." if begun else ""]
    lines += [f"Test messages went to {options.to}." if options.to else "No test message was sent.", ""]
    if failed is None:
        lines += ["Every step that was taken is well.", ""]
    else:
        lines += [f"**{failed.name}**: {failed.detail}.", ""]
        lines += [f"Our question, to {failed.whom}: {failed.ask}", ""] if failed.ask else []
    lines += ["| time | step | result | |", "|---|---|---|---|"]
    lines += [f"| {one.at[11:23]} | {one.name} | {one.state} | {one.detail.replace('|', '/')} |" for one in steps]
    return "\n".join([*lines, ""])
