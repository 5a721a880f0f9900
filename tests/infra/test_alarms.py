"""Every alarm has its section in docs/operations.md, and says what is wrong, what to run first, and whom to call."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest

from cli.main import parser_for
from tests.infra.terraform import INFRA, ROOT, Plan, Terraform
from tests.relay.test_status import FACTS

pytestmark = pytest.mark.timeout(300)  # the first packaging on a machine resolves every wheel
PAGE = (ROOT / "docs" / "operations.md").read_text()
NAME = "jangada-example-"
AGGREGATORS = {"at-ug", "infobip-ke", "mtn-ug", "mtn-ug-2"}
SMSCS = {"mtn-ug", "mtn-ug-2"}
LINK = {"binds_up", "rate", "window_used", "round_trip_p99"}  # of `FACTS`, what the relay measures
CANARY = 'canary: {channel: 6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4, to: "+256770000000"}\n'
QUEUES = re.compile(r"(age|dlq|inflight)-")


@pytest.fixture(scope="module")
def alarms(example: Terraform) -> dict[str, dict[str, Any]]:
    """The example's alarms by name without the deployment's, with hours of traffic and with a canary."""
    main = example.folder / "main.tf"
    text = main.read_text()
    hours = '  alarms = { usual_hours = { mtn-ug = { from = 6, to = 18, metrics = ["received", "sent"] } } }\n'
    main.write_text(text.replace("  zone_id ", hours + "  zone_id "))
    smsc = example.folder / "aggregators" / "mtn-ug.yaml"
    said = smsc.read_text()
    smsc.write_text(said + CANARY)
    try:
        plan = example.plan()
    finally:
        main.write_text(text)
        smsc.write_text(said)
    (rule,) = plan.of("module.api.module.functions.aws_cloudwatch_event_rule.canary-event").values()
    assert rule["state"] == "ENABLED"
    return named(plan)


def named(plan: Plan) -> dict[str, dict[str, Any]]:
    found = [one for address, one in plan.resources.items() if ".aws_cloudwatch_metric_alarm." in address]
    return {one["alarm_name"].removeprefix(NAME): one for one in found}


def sections() -> dict[str, str]:
    """Patterns of alarms' names, by what stands in the headings of the page: `link-<aggregator>`."""
    headings = re.findall(r"^### `([^`]+)`", PAGE, re.MULTILINE)
    return {heading: re.sub(r"<\w+>", "[a-z0-9_-]+", heading) for heading in headings}


def test_every_alarm_has_its_section_and_every_section_its_alarm(alarms: dict[str, Any]) -> None:
    patterns = sections()
    used = set()
    for name in alarms:
        fitting = {heading for heading, pattern in patterns.items() if re.fullmatch(pattern, name)}
        assert fitting, f"docs/operations.md has no section for the alarm {name}"
        used |= fitting
    assert used == set(patterns)


def test_every_section_says_what_it_means_what_to_run_and_whom_to_call() -> None:
    for heading in sections():
        text = PAGE.split(f"### `{heading}`", 1)[1].split("\n#", 1)[0]
        for part in ("**Means**", "**First**", "**Call**"):
            assert part in text, f"{heading} has no {part}"


def test_every_alarm_names_the_first_command_and_whom_to_call(alarms: dict[str, Any]) -> None:
    for name, one in alarms.items():
        text = one.get("alarm_description") or ""
        if not text and name.startswith("vpn-"):  # it has an id that only AWS gives: the source is looked at below
            continue
        assert re.search(r"\. Run: \S.*\. Call: \S", text), f"{name}: {text}"
        assert len(text) <= 1024, f"{name}: CloudWatch takes 1,024 characters"


def test_texts_of_tunnels_name_the_first_command_and_whom_to_call() -> None:
    texts = re.findall(r'alarm_description\s+= "(.*)"\n', (INFRA / "modules" / "vpn" / "main.tf").read_text())
    assert len(texts) == 2
    for text in texts:
        assert re.search(r"Run: \S.*[cC]all:? \S", text), text


def test_an_alarm_about_an_aggregator_names_it_and_its_contacts(alarms: dict[str, Any]) -> None:
    about = {
        name: one.get("alarm_description") or ""
        for name, one in alarms.items()
        if not name.startswith("vpn-") and (not QUEUES.match(name) or "-lane-" in name)
    }
    looked_at = set()
    for name, text in about.items():
        aggregator = max((one for one in AGGREGATORS if one in name), key=len, default="")
        if aggregator:
            assert re.search(rf"\b{aggregator}\b(?!-)", text), f"{name}: {text}"
            looked_at.add(aggregator)
    assert looked_at == AGGREGATORS
    assert about["link-mtn-ug"].endswith("Call: mtn-ug's email noc@operator.example, mtn-ug's noc +256 770 000 000")
    assert about["link-mtn-ug-2"].endswith("Call: mtn-ug-2, which has no contacts in its file")
    assert "of the aggregators of the shared lane (at-ug)," in about["age-lane-shared"]


def test_commands_of_ours_are_there(alarms: dict[str, Any]) -> None:
    commands = set()
    for one in alarms.values():
        commands |= set(re.findall(r"\b(jangada [a-z][^.;]*?)(?=[.;]| +then|$)", one.get("alarm_description") or ""))
    assert len(commands) > 10
    for command in commands:
        words = shlex.split(command)[1:]
        assert callable(parser_for(words).parse_args(words).run), command


def test_what_does_not_come_is_missed(alarms: dict[str, Any]) -> None:
    one = alarms["receipts-at-ug"]
    queries = {query["id"]: query for query in one["metric_query"]}
    assert queries["wrong"]["expression"] == "IF(FILL(sent, 0) >= 20 AND FILL(receipts, 0) < 1, 1, 0)"
    metrics = {name: query["metric"][0] for name, query in queries.items() if query["metric"]}
    assert {name: metric["metric_name"] for name, metric in metrics.items()} == {"sent": "sent", "receipts": "receipts"}
    assert {tuple(metric["dimensions"].items()) for metric in metrics.values()} == {(("name", "at-ug"),)}
    silent = {name for name in alarms if name.startswith("silent-")}
    assert silent == {"silent-received-mtn-ug", "silent-sent-mtn-ug"}
    (clock,) = [query for query in alarms["silent-sent-mtn-ug"]["metric_query"] if query["id"] == "clock"]
    assert clock["metric"][0]["dimensions"] == {"QueueName": "jangada-example-events.fifo"}


def test_two_canaries_in_a_row_are_an_alarm_where_there_is_one(alarms: dict[str, Any]) -> None:
    assert {name for name in alarms if name.startswith("canary-")} == {"canary-mtn-ug"}
    one = alarms["canary-mtn-ug"]
    assert (one["metric_name"], one["dimensions"]) == ("canary_failed", {"name": "mtn-ug"})
    assert (one["statistic"], one["threshold"], one["comparison_operator"]) == (
        "Maximum",
        2,
        "GreaterThanOrEqualToThreshold",
    )
    assert one["treat_missing_data"] == "ignore"


def counted() -> set[str]:
    """The metrics that the code counts."""
    sources = "".join(
        path.read_text() for folder in ("chalicelib", "smsc_relay") for path in (ROOT / folder).rglob("*.py")
    )
    return set(re.findall(r"count\((?:\s*)\"(\w+)\"", sources)) | {"sent", "failed"}


def test_metrics_of_the_alarms_are_counted_by_the_code(alarms: dict[str, Any]) -> None:
    wanted = {one["metric_name"] for one in alarms.values() if one.get("namespace") == "Jangada"}
    for one in alarms.values():
        for query in one["metric_query"] or ():
            wanted |= {metric["metric_name"] for metric in query["metric"] if metric["namespace"] == "Jangada"}
    by_filter = {"link_trouble"}  # modules/observability makes it of the relay's log
    assert {"in_doubt", "receipts", "receipts_parked", "received"} <= wanted
    assert wanted - by_filter <= counted()


def test_the_dashboard_shows_what_the_code_counts(made: dict[str, dict[str, Any]]) -> None:
    """Of each aggregator, and of each link what the relay measures: a link that is not shown is looked for in vain."""
    body = json.loads(made["module.observability.aws_cloudwatch_dashboard.this"]["dashboard_body"])
    charts = [widget["properties"] for widget in body["widgets"]]
    shown = {(metric[1], metric[3]) for chart in charts for metric in chart["metrics"] if metric[0] == "Jangada"}
    assert {metric for metric, _ in shown} <= counted() | {"latency", "frozen"} | LINK
    assert {one for metric, one in shown if metric == "proven"} == AGGREGATORS | {"fixed", "inside"}
    assert LINK <= FACTS
    for metric in LINK:
        assert {one for name, one in shown if name == metric} == SMSCS, metric
    statistics = {metric[1]: chart["stat"] for chart in charts for metric in chart["metrics"]}
    assert [statistics[one] for one in ("binds_up", "rate", "window_used", "round_trip_p99")] == [
        "Sum", "Sum", "Average", "Maximum",
    ]  # fmt: skip
    places = [(widget["x"], widget["y"]) for widget in body["widgets"]]
    assert len(set(places)) == len(places)


def test_types_without_receipts_are_those_of_the_code(alarms: dict[str, dict[str, Any]]) -> None:
    rows = [line.split("|") for line in (ROOT / "docs" / "channels" / "README.md").read_text().splitlines()]
    silent = {row[1].strip(" `") for row in rows if row[1:2] and row[1].startswith(" `") and row[4].strip() == "no"}
    (listed,) = re.findall(r"no_receipt_types = \[(.*)\]", (INFRA / "aggregators.tf").read_text())
    assert set(re.findall(r'"(\w+)"', listed)) == silent
    assert silent
    assert {"receipts-at-ug", "receipts-infobip-ke", "receipts-mtn-ug"} <= set(alarms)
