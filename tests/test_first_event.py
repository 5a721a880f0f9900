"""What the first event of each function loads in a fresh process: what it needs, and nothing beside."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chalicelib import channels, queues, registry_store
from chalicelib.records import LaterRecord
from tests.support import CHANNEL, Aws
from tests.web import Site, serve

ROOT = Path(__file__).resolve().parent.parent
AT = CHANNEL.replace("6f1d", "7f1d")
TYPES = {f"chalicelib.channels.{channels.load(code).__module__.rsplit('.', 1)[1]}" for code in channels.CODES}
HTTP = {"requests", "urllib3"}
PHONES = {"phonenumbers"}
NEVER = {"boto3", "botocore", "yaml", "cli", "local", "smsc_relay"}
REGION = "phonenumbers.data.region_"

FIRST = """
import json, sys
import app
from dataclasses import dataclass

class Context:
    function_name, memory_limit_in_mb, aws_request_id = "test", 512, "test"
    invoked_function_arn = "arn:aws:lambda:eu-west-1:000000000000:function:test"
    def get_remaining_time_in_millis(self):
        return 120_000

answer = getattr(app, sys.argv[1])(json.load(sys.stdin), Context())
from chalicelib import aws
clients = [name for name in ("sqs", "dynamodb", "ssm", "cloudwatch") if getattr(aws, name).cache_info().currsize]
print(json.dumps({"answer": answer, "modules": sorted(sys.modules), "clients": clients}))
"""


class Loaded(NamedTuple):
    """What one event has loaded."""

    types: set[str]  # channel types, by module
    packages: set[str]  # of those that a function can do without until it needs them
    clients: set[str]
    regions: set[str] = set()  # whose numbers are known


def first(function: str, event: dict[str, Any]) -> Loaded:
    """The first event of a function, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST, function],
        input=json.dumps(event),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["answer"].get("statusCode", 200) in (200, 202), told["answer"]
    assert not told["answer"].get("batchItemFailures")
    found = set(told["modules"])
    packages = {name.partition(".")[0] for name in found} & (NEVER | HTTP | PHONES)
    regions = {name.removeprefix(REGION) for name in found if name.startswith(REGION)}
    return Loaded({name.rsplit(".", 1)[1] for name in found & TYPES}, packages, set(told["clients"]), regions)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as running:
        yield running


@pytest.fixture
def gateway(aws: Aws, site: Site) -> Aws:
    """An External channel with a secret, and one of Africa's Talking without any on the shared lane."""
    aws.platform("main", site.url)
    config = {"send_url": site.url + "/send", "body": "id={{id}}&text={{text}}&to={{to}}"}
    aws.aggregator("fast", lane="own", config=config, secrets={"send_authorization": "Token s3cret"})
    aws.channel(id=346)
    aws.aggregator("at", "AT", config={"username": "acme"}, secrets={"api_key": "k"})
    aws.channel(AT, type="AT", aggregator="at", address="2020")
    return aws


def request(path: str, resource: str, parameters: dict[str, str], body: str, **headers: str) -> dict[str, Any]:
    """API Gateway's event of a POST."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "resource": resource,
        "path": path,
        "httpMethod": "POST",
        "headers": given,
        "multiValueHeaders": {name: [value] for name, value in given.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": parameters,
        "stageVariables": None,
        "requestContext": {"resourcePath": resource, "httpMethod": "POST", "identity": {"sourceIp": "192.0.2.1"}},
        "body": body,
        "isBase64Encoded": False,
    }


def taken(gateway: Aws, queue: str) -> dict[str, Any]:
    """What is in a queue, which is done with: its groups are free for the next."""
    event = gateway.receive(queue)
    for received in queues.received_from(event):
        queues.delete(received)
    return event


FORM = "application/x-www-form-urlencoded"
MESSAGE = {"id": 1, "text": "m", "to": "+250788123123", "from": "8080", "channel": 346}


def callback(code: str, channel: str, action: str, form: str) -> dict[str, Any]:
    parameters = {"kind": code, "channel": channel, "action": action}
    return request(f"/c/{code}/{channel}/{action}", "/c/{kind}/{channel}/{action}", parameters, form, Content_Type=FORM)


def test_a_receipt_loads_its_own_type_and_nothing_of_phones(gateway: Aws) -> None:
    event = callback("at", AT, "status", "id=x1&status=Success&phoneNumber=%2B250788123123")
    assert first("app", event) == ({"africastalking"}, set(), {"dynamodb", "sqs", "ssm"}, set())


def test_a_message_loads_what_is_known_of_its_senders_country_and_of_no_other(gateway: Aws) -> None:
    form = "id=x1&from=%2B250788123123&to=2020&text=Hello&date=2026-03-01T10:11:12Z"
    loaded = first("app", callback("at", AT, "receive", form))
    assert loaded == ({"africastalking"}, PHONES, {"dynamodb", "sqs", "ssm"}, {"RW"})


def test_a_webhook_of_an_unknown_channel_loads_no_type(gateway: Aws) -> None:
    unknown = CHANNEL.replace("6f1d", "9999")
    event = callback("at", unknown, "receive", "id=x1")
    done = subprocess.run(
        [sys.executable, "-c", FIRST, "app"], input=json.dumps(event), cwd=ROOT, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["answer"]["statusCode"] == 404
    assert set(told["modules"]) & TYPES == set()
    assert told["clients"] == ["dynamodb"]


def test_the_platforms_door_loads_no_type_and_no_http(gateway: Aws) -> None:
    plain = registry_store.new_token("unicef", "test")
    event = request(
        f"/send/{CHANNEL}", "/send/{channel}", {"channel": CHANNEL}, json.dumps(MESSAGE),
        Content_Type="application/json", Authorization=f"Token {plain}",
    )  # fmt: skip
    assert first("app", event) == (set(), set(), {"dynamodb", "sqs"}, set())


def test_every_stage_of_a_message(gateway: Aws, site: Site) -> None:
    """Out and back: each function's first event is what the one before it has queued."""
    gateway.put_raw(queues.OUTBOUND, json.dumps(MESSAGE))
    assert first("route", taken(gateway, queues.OUTBOUND)) == (set(), set(), {"dynamodb", "sqs"}, set())
    sent = first("send", taken(gateway, "lane-fast.fifo"))
    assert sent == ({"external"}, HTTP, {"dynamodb", "sqs", "ssm"}, set())
    assert site.asked[0].form["id"] == "1"
    assert first("record", taken(gateway, queues.EVENTS)) == (set(), set(), {"dynamodb"}, set())
    delivered = callback("ex", CHANNEL, "delivered", "id=1")
    assert first("app", delivered) == ({"external"}, set(), {"dynamodb", "sqs", "ssm"}, set())
    assert first("record", taken(gateway, queues.EVENTS)) == (set(), set(), {"dynamodb", "sqs"}, set())
    assert first("deliver", taken(gateway, "deliver-main.fifo")) == (set(), HTTP, {"dynamodb"}, set())
    assert site.asked[-1].path == f"/c/ex/{CHANNEL}/delivered"


def test_later_loads_next_to_nothing(gateway: Aws) -> None:
    record = LaterRecord(queue="lane-fast.fifo", group="g", body="{}", not_before=0)
    arn = f"arn:aws:sqs:eu-west-1:000000000000:jangada-local-{queues.LATER}"
    event = {
        "Records": [
            {"messageId": "1", "receiptHandle": "h", "body": record.to_body(), "attributes": {}, "eventSourceARN": arn}
        ]
    }
    assert first("later", event) == (set(), set(), {"sqs"}, set())
