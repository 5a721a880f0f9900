"""`jangada freeze` and `thaw`: a broadcast is stopped, its messages are seen to wait, and what is cancelled fails."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import app
from chalicelib import aws as clients
from chalicelib import freezes, queues
from chalicelib.settings import settings
from tests.cli.conftest import Jangada
from tests.support import Aws, Context
from tests.test_webhooks import asked as webhook
from tests.web import Site, serve

LANE = "lane-fast.fifo"


@pytest.fixture
def platform() -> Iterator[Site]:
    with serve() as site:
        yield site


@pytest.fixture
def aggregator(aws: Aws, platform: Site) -> Iterator[Site]:
    """Of the channel of workspace `unicef`."""
    with serve(lambda asked: (200, "accepted")) as site:
        aws.platform("main", platform.url)
        config = {"send_url": site.url + "/send", "body": "id={{id}}&text={{text}}&to={{to}}"}
        aws.aggregator("fast", lane="own", config=config)
        aws.channel(id=346)
        yield site


def broadcast(aws: Aws, first: int, count: int) -> None:
    """Messages of the platform, routed into their lane."""
    for number in range(first, first + count):
        to = f"+2507880{number:05d}"
        message = {"id": number, "text": "Hello", "to": to, "from": "8080", "channel": 346}
        aws.put_raw(queues.OUTBOUND, json.dumps(message), group=to)
    aws.drain(queues.OUTBOUND, app.route)


def told(platform: Site) -> list[tuple[str, str]]:
    return sorted((asked.path.rpartition("/")[2], asked.form["id"]) for asked in platform.asked)


@pytest.mark.usefixtures("aggregator")
def test_a_runaway_broadcast_is_stopped_seen_cancelled_and_told_once(
    aws: Aws, jangada: Jangada, aggregator: Site, platform: Site
) -> None:
    broadcast(aws, 1, 3)
    ran = jangada("freeze", "fast", "--reason", "runaway broadcast")
    assert ran.status == 0, ran.err
    assert ran.out.startswith("aggregator fast is frozen since ")
    send(aws)
    assert aggregator.asked == []
    rows = json.loads(jangada("lane", "list", "--json").out)
    (frozen,) = [row["frozen"] for row in rows if row["queue"] == LANE]
    assert [(one["aggregator"], one["reason"]) for one in frozen] == [("fast", "runaway broadcast")]
    assert "fast is frozen since" in jangada("lane", "list").out
    ran = jangada("why", "1")
    assert "aggregator fast is frozen: runaway broadcast; `jangada thaw fast` lets it go on" in ran.out, ran.err

    assert jangada("freeze", "fast", "--cancel", "--reason", "sent by mistake").status == 0
    broadcast(aws, 4, 1)
    send(aws)
    assert aggregator.asked == []
    assert told(platform) == [("failed", "1"), ("failed", "2"), ("failed", "3")]
    assert "cancelled with aggregator fast: sent by mistake" in jangada("why", "1").out

    ran = jangada("thaw", "fast")
    assert (ran.status, ran.out[:18]) == (0, "aggregator fast go"), ran.err
    send(aws)
    assert [asked.form["id"] for asked in aggregator.asked] == ["4"]
    assert told(platform)[:3] == [("failed", "1"), ("failed", "2"), ("failed", "3")], "each once"


def send(aws: Aws) -> None:
    """λ send on what is in the lane; what it holds is visible again at once."""
    freezes.reset()  # as it is read anew within seconds
    event = aws.receive(LANE)
    again = {item["itemIdentifier"] for item in app.send(event, Context())["batchItemFailures"]}
    for record in event["Records"]:
        known = {"QueueUrl": settings().queue_url(LANE), "ReceiptHandle": record["receiptHandle"]}
        if record["messageId"] in again:
            clients.sqs().change_message_visibility(**known, VisibilityTimeout=0)
        else:
            clients.sqs().delete_message(**known)
    for queue, handler in ((queues.EVENTS, app.record), ("deliver-main.fifo", app.deliver)):
        aws.drain(queue, handler)


@pytest.mark.usefixtures("aggregator")
def test_a_frozen_workspace_still_receives(aws: Aws, jangada: Jangada, aggregator: Site) -> None:
    assert jangada("freeze", "unicef").out.startswith("workspace unicef is frozen since ")
    assert "workspace unicef is frozen since" in jangada("lane", "list").out
    broadcast(aws, 1, 1)
    send(aws)
    assert aggregator.asked == []
    assert app.app(webhook(), Context())["statusCode"] == 200
    assert aws.depth(queues.EVENTS) == 1


@pytest.mark.usefixtures("aggregator")
@pytest.mark.parametrize(
    ("command", "says"),
    [
        pytest.param(["freeze", "fsat"], "no aggregator or workspace fsat; did you mean fast?", id="unknown"),
        pytest.param(["freeze", "workspace:fast"], "no aggregator or workspace workspace:fast", id="of-the-other-kind"),
        pytest.param(["thaw", "fast"], "aggregator fast is not frozen; frozen: workspace unicef", id="not-frozen"),
        pytest.param(["freeze", "fast", "--reason", "two\nlines"], "--reason: one line", id="two-lines"),
        pytest.param(["freeze", "fast", "--reason", "x" * 201], "--reason: one line", id="long"),
    ],
)
def test_what_cannot_be_done_is_said(jangada: Jangada, command: list[str], says: str) -> None:
    assert jangada("freeze", "unicef").status == 0
    ran = jangada(*command)
    assert ran.status == 1
    assert says in ran.err


@pytest.mark.usefixtures("aggregator")
def test_a_name_of_both_kinds_must_be_told_apart(aws: Aws, jangada: Jangada) -> None:
    aws.aggregator("unicef")
    ran = jangada("freeze", "unicef")
    assert (ran.status, "say aggregator:unicef or workspace:unicef" in ran.err) == (1, True)
    assert jangada("freeze", "aggregator:unicef").status == 0
    assert [one.key for one in freezes.load().all()] == ["aggregator:unicef"]
