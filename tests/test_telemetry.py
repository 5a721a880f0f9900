"""Logs and metrics: JSON by message, EMF on stdout, and no word of anybody's message in either."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import (
    channels,
    clock,
    delivery,
    later,
    ledger,
    queues,
    recording,
    registry,
    registry_store,
    routing,
    sending,
    telemetry,
)
from chalicelib.records import Outcome
from chalicelib.settings import settings
from tests.lane import Scripted, logged
from tests.support import CHANNEL, Aws
from tests.test_pipeline import LANE, TO_MAIN, callback, everything, http, outbound
from tests.web import Site, serve

PHONE, OTHER, TEXT = "+250788123123", "+254700111222", "zamani-za-kale"
NUMBERS = ("788123123", "700111222", "788999888")
SECRETS = ("s3cret-of-fast", "s3cret-of-main")


@contextmanager
def all_logged() -> Iterator[StringIO]:
    """As `logged`, and what libraries log as well."""
    root, lines = logging.getLogger(), StringIO()
    handler, level = logging.StreamHandler(lines), root.level
    ours_alone = telemetry.logger().name  # powertools keeps its lines from the handlers of the root, Lambda's own
    handler.addFilter(lambda record: record.name != ours_alone)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        with logged() as ours:
            yield lines
            lines.write(ours.getvalue())
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def metrics(out: str) -> list[dict[str, Any]]:
    """The EMF objects among the lines of stdout."""
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


# --- logs -----------------------------------------------------------------------------------------------------------


def test_a_line_is_one_json_object_with_the_records_keys() -> None:
    with logged() as lines:
        telemetry.logger().warning("retry", extra={"message_id": "7", "channel": CHANNEL, "aggregator": "fast"})
    (line,) = lines.getvalue().splitlines()
    found = json.loads(line)
    assert (found["level"], found["message"], found["service"]) == ("WARNING", "retry", "jangada")
    assert (found["message_id"], found["channel"], found["aggregator"]) == ("7", CHANNEL, "fast")


def test_an_exception_is_logged_by_its_place_and_not_by_its_words() -> None:
    """A validation error's text quotes what it could not take."""
    with logged() as lines:
        try:
            raise ValueError(f"cannot take {TEXT}")
        except ValueError:
            telemetry.logger().exception("failed")
    out = lines.getvalue()
    assert TEXT not in out
    assert len(out.splitlines()) == 1
    assert "test_an_exception_is_logged_by_its_place" in json.loads(out)["exception"]


# --- metrics --------------------------------------------------------------------------------------------------------


@pytest.fixture
def metered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JANGADA_METRICS", raising=False)


@pytest.mark.usefixtures("metered")
def test_a_metric_is_emf_with_one_dimension(capsys: pytest.CaptureFixture[str]) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html"""
    telemetry.count("sent", "mtn-ug", 3)
    telemetry.latency("mtn-ug", 250)
    telemetry.latency("mtn-ug", -5)  # a clock that was set back
    telemetry.count("sent", "")
    found = metrics(capsys.readouterr().out)
    assert [[one["name"], one.get("sent"), one.get("latency")] for one in found] == [
        ["mtn-ug", [3.0], None], ["mtn-ug", None, [250.0]], ["mtn-ug", None, [0.0]], ["unknown", [1.0], None],
    ]  # fmt: skip
    for one, (name, unit) in zip(found, [("sent", "Count"), *[("latency", "Milliseconds")] * 2], strict=False):
        (directive,) = one["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "Jangada"
        assert directive["Dimensions"] == [["name"]]
        assert [{key: value for key, value in metric.items() if key != "StorageResolution"} for metric in
                directive["Metrics"]] == [{"Name": name, "Unit": unit}]  # fmt: skip


@pytest.mark.usefixtures("metered")
def test_a_run_tells_what_was_accepted_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.accepted("fast", [250, -5, 40])
    (found,) = metrics(capsys.readouterr().out)
    assert (found["name"], found["sent"], found["latency"]) == ("fast", [3.0], [250.0, 0.0, 40.0])
    assert {metric["Unit"] for metric in found["_aws"]["CloudWatchMetrics"][0]["Metrics"]} == {"Count", "Milliseconds"}


@pytest.mark.usefixtures("metered")
def test_none_of_many_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """A metric has up to 100 values in one line."""
    telemetry.accepted("fast", list(range(250)))
    found = metrics(capsys.readouterr().out)
    assert sum(sum(one.get("sent", ())) for one in found) == 250
    assert [ms for one in found for ms in one.get("latency", ())] == list(range(250))
    assert {one["name"] for one in found} == {"fast"}


def test_metrics_can_be_switched_off(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JANGADA_METRICS", "off")
    telemetry.count("sent", "fast")
    telemetry.latency("fast", 1)
    telemetry.accepted("fast", [1])
    assert capsys.readouterr().out == ""


# --- a message's whole life -----------------------------------------------------------------------------------------


@pytest.fixture
def aggregator() -> Iterator[Site]:
    with serve() as site:
        yield site


@pytest.fixture
def platform() -> Iterator[Site]:
    with serve() as site:
        yield site


@pytest.fixture
def gateway(aws: Aws, aggregator: Site, platform: Site) -> Aws:
    aws.platform("main", platform.url)
    registry_store.put_credential("main", "Token s3cret-of-main")
    config = {"send_url": aggregator.url + "/send", "body": "id={{id}}&text={{text}}&to={{to}}"}
    aws.aggregator("fast", lane="own", config=config, secrets={"send_authorization": "Token s3cret-of-fast"})
    aws.channel(id=346)
    registry.reset()
    return aws


def nothing_private(out: str, *more: str) -> None:
    assert [word for word in (TEXT, *NUMBERS, *SECRETS, *more) if word in out] == []


@pytest.mark.usefixtures("metered")
def test_a_message_that_arrives(gateway: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    """Out, its receipts, an answer, a stop: counted by aggregator and platform, and not a word logged."""
    with all_logged() as lines:
        outbound(gateway, 1, text=TEXT, to=PHONE)
        everything(gateway)
        for action in ("sent", "delivered", "sent"):
            callback(action, id="1")
        callback("receive", **{"from": "%2B250788123123", "text": TEXT})
        callback("stopped", **{"from": "%2B254700111222"})
        everything(gateway)
    out = capsys.readouterr().out
    nothing_private(lines.getvalue() + out)
    assert lines.getvalue() == ""
    counted = [(one["name"], name) for one in metrics(out) for name in one if isinstance(one[name], list)]
    expected = {("fast", "sent"), ("fast", "latency"), ("fast", "received"), ("main", "delivered_to_platform")}
    assert expected <= set(counted)
    assert counted.count(("fast", "sent")) == 1
    assert counted.count(("main", "delivered_to_platform")) == 4


@pytest.mark.usefixtures("metered")
def test_a_message_that_meets_all_the_trouble_there_is(
    gateway: Aws,
    aggregator: Site,
    platform: Site,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = registry_store.new_token("unicef")
    with all_logged() as lines:
        # No message at all, no such channel, a text that no queue takes.
        gateway.put_raw(queues.OUTBOUND, json.dumps({"id": {"x": TEXT}, "to": PHONE}))
        outbound(gateway, 2, text=TEXT, to=PHONE, channel=999)
        http("POST", "/send/346", f'{{"id": [], "text": "{TEXT}", "to": "{PHONE}"}}'.encode(),
             {"Authorization": f"Token {token}", "Content-Type": "application/json"})  # fmt: skip
        http("POST", f"/c/ex/{CHANNEL}/receive", f"from={TEXT}&text={TEXT}".encode())
        # Refused for good, for now, for want of money, and by nobody at all; with answers that repeat everything.
        answers = {"3": (400, "bad"), "4": (503, "later"), "5": (429, "slower"), "6": (402, "pay"), "7": (200, "ok")}
        aggregator.answer = lambda asked: (answers[asked.form["id"]][0], f"{asked.body} {asked.headers}")
        for number in answers:
            outbound(gateway, int(number), text=TEXT, to=f"+25078899988{number}")
        everything(gateway)
        gateway.aggregator("fast", lane="own", config={"send_url": "http://127.0.0.1:9/x?text={{text}}"})
        registry.reset()
        outbound(gateway, 8, text=TEXT, to="+250788999888")
        everything(gateway)
        # A platform that is down and says everything again, one that cannot be reached.
        platform.answer = lambda asked: (500, f"{asked.body} {asked.headers}")
        for last in range(6):
            callback("receive", **{"from": f"%2B25478899988{last}", "text": TEXT})
        everything(gateway)
        gateway.platform("main", "http://127.0.0.1:9")
        registry.reset()
        callback("receive", **{"from": "%2B250788123123", "text": TEXT})
        everything(gateway)
        # A code path that nobody foresaw, in every stage.
        for module, name in ((routing, "_open"), (recording, "_one")):
            monkeypatch.setattr(module, name, lambda *given, **named: _fail(f"{given} {named} {TEXT} {PHONE}"))
        outbound(gateway, 9, text=TEXT, to="+250788999889")
        callback("receive", **{"from": "%2B254700111222", "text": TEXT})
        everything(gateway)
        # SQS away.
        clients.sqs().delete_queue(QueueUrl=settings().queue_url(queues.EVENTS))
        callback("receive", **{"from": "%2B254700111222", "text": TEXT})
    found = [json.loads(line) for line in lines.getvalue().splitlines() if line.startswith("{")]
    said = {line["message"] for line in found}
    assert {"buried", "channel_down", "platform_down", "route_again", "record_again", "events_not_queued"} <= said
    nothing_private(lines.getvalue() + capsys.readouterr().out, token)


def _fail(words: str) -> Any:
    raise RuntimeError(words)


def test_a_line_about_a_message_names_it(gateway: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its id, its channel and its aggregator, under the names by which logs are searched."""

    def send(*given: Any) -> Any:
        raise RuntimeError(TEXT)

    monkeypatch.setattr(Scripted, "send", send)
    monkeypatch.setattr(channels, "load", lambda code: Scripted)
    gateway.aggregator("fast", "XX", lane="own", config={"url": "http://127.0.0.1:9"})
    gateway.channel(id=346, type="XX")
    registry.reset()
    outbound(gateway, 1, text=TEXT, to=PHONE)
    with logged() as lines:
        everything(gateway)
    (line,) = [json.loads(text) for text in lines.getvalue().splitlines()]
    assert line["message"] == "channel_type_failed"
    assert (line["message_id"], line["channel"], line["aggregator"]) == ("1", CHANNEL, "fast")


@pytest.mark.usefixtures("metered")
def test_an_smscs_messages_are_counted_and_timed(gateway: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    """The relay claims nothing: λ record counts its outcomes, and knows when the message was taken."""
    now = clock.now_ms()
    opened = [
        ledger.open_message(CHANNEL, name, aggregator="smsc", lane="lane-smsc", destination=PHONE, now=now - 2_500)
        for name in ("1", "2")
    ]
    for one, accepted in zip(opened, (True, False), strict=True):
        outcome = Outcome(key=one.key, aggregator="smsc", accepted=accepted, external_id="x", destination=PHONE, at=now)
        queues.send(queues.EVENTS, queues.event_entry(outcome))
    gateway.drain(queues.EVENTS, recording.record)
    found = metrics(capsys.readouterr().out)
    told = [(name, one[name]) for one in found for name in ("sent", "failed", "latency") if name in one]
    assert sorted(told) == [("failed", [1.0]), ("latency", [2500.0]), ("sent", [1.0])]
    assert {one["name"] for one in found if "latency" in one} == {"smsc"}


@pytest.mark.usefixtures("metered")
def test_what_needs_a_human_is_logged_and_counted_wherever_it_is_buried(
    gateway: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = {queues.OUTBOUND: routing.route, LANE: sending.send, queues.EVENTS: recording.record,
              queues.LATER: later.later, TO_MAIN: delivery.deliver}  # fmt: skip
    with logged() as lines:
        for queue, stage in stages.items():
            gateway.put_raw(queue, f'{{"text": "{TEXT}", "kind": "receive"}}')
            gateway.run(queue, stage)
    found = [json.loads(text) for text in lines.getvalue().splitlines()]
    assert [(line["message"], line["queue"]) for line in found] == [("buried", queue) for queue in stages]
    nothing_private(lines.getvalue())
    counted = [one["name"] for one in metrics(capsys.readouterr().out) if "buried" in one]
    assert counted == list(stages)
