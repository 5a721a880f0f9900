"""The whole way of a message through the stages, each run as Lambda would run it on what is in its queue."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest

import app
from chalicelib import ledger, pauses, queues, registry_store, rendezvous, trace, waypoints
from chalicelib.messages import Status
from tests.support import CHANNEL, Aws, Context
from tests.web import Asked, Site, serve

LANE = "lane-fast.fifo"
TO_MAIN = "deliver-main.fifo"


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
    """An External channel on an aggregator and a platform that both answer."""
    aws.platform("main", platform.url)
    config = {"send_url": aggregator.url + "/send", "body": "id={{id}}&text={{text}}&to={{to}}"}
    aws.aggregator("fast", lane="own", config=config, secrets={"send_authorization": "Token s3cret"})
    aws.channel(id=346)
    return aws


def outbound(aws: Aws, number: int | str = 1, **fields: Any) -> None:
    message = {"id": number, "text": f"m{number}", "to": "+250788123123", "from": "8080", "channel": 346, **fields}
    aws.put_raw(queues.OUTBOUND, json.dumps(message), group=queues.digest(str(message["to"])))


def everything(aws: Aws) -> None:
    """Run every stage until nothing visible is left."""
    stages = [(queues.OUTBOUND, app.route), (LANE, app.send), (queues.EVENTS, app.record), (TO_MAIN, app.deliver),
              (queues.LATER, app.later)]  # fmt: skip
    while sum(aws.drain(queue, stage) for queue, stage in stages):
        pass


def http(
    method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, query: str = ""
) -> tuple[int, str]:
    """One request through API Gateway's event and chalice."""
    kind, _, rest = path.strip("/").partition("/")
    parts = rest.split("/")
    names = ("kind", "channel", "action") if kind == "c" else ("channel",)
    resource = "/" + "/".join([kind, *(f"{{{name}}}" for name in names)])
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    event = {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": headers or {},
        "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
        "queryStringParameters": {name: found[-1] for name, found in values.items()} or None,
        "multiValueQueryStringParameters": values or None,
        "pathParameters": dict(zip(names, parts, strict=False)),
        "stageVariables": None,
        "requestContext": {"resourcePath": resource, "httpMethod": method, "identity": {"sourceIp": "192.0.2.1"}},
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }
    answer = app.app(event, Context())
    text = answer["body"]
    return answer["statusCode"], base64.b64decode(text).decode() if answer.get("isBase64Encoded") else text


def callback(action: str, **fields: str) -> tuple[int, str]:
    body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    return http("POST", f"/c/ex/{CHANNEL}/{action}", body, {"Content-Type": "application/x-www-form-urlencoded"})


def test_out_and_back(gateway: Aws, aggregator: Site, platform: Site) -> None:
    outbound(gateway, 1241244, text="Love is patient.")
    everything(gateway)
    assert [asked.form["text"] for asked in aggregator.asked] == ["Love is patient."]
    assert aggregator.asked[0].headers["Authorization"] == "Token s3cret"
    for action in ("sent", "delivered", "sent"):
        assert callback(action, id="1241244")[0] == 200
        everything(gateway)
    assert [(asked.path, asked.form) for asked in platform.asked] == [
        (f"/c/ex/{CHANNEL}/sent", {"id": "1241244"}),
        (f"/c/ex/{CHANNEL}/delivered", {"id": "1241244"}),
    ]
    hops = [hop["hop"] for hop in trace.read("1241244")]
    assert [hop for hop in hops if hop in ("queued", "wired", "delivered", "platform_accepted")] == [
        "queued", "wired", "platform_accepted", "delivered", "platform_accepted",
    ]  # fmt: skip
    assert "s3cret" not in json.dumps(trace.read("1241244"))


def test_a_reply_reaches_the_platform_with_its_time(gateway: Aws, platform: Site) -> None:
    status, body = callback("receive", **{"from": "%2B250788112233", "text": "Join", "date": "2026-03-01T10:11:12.5Z"})
    assert (status, json.loads(body)["message"]) == (200, "Message Accepted")
    everything(gateway)
    assert [asked.form for asked in platform.asked] == [
        {"from": "+250788112233", "text": "Join", "date": "2026-03-01T10:11:12.500Z"}
    ]


def test_a_stop_reaches_the_platform(gateway: Aws, platform: Site) -> None:
    assert callback("stopped", **{"from": "%2B250788112233"})[0] == 200
    everything(gateway)
    assert [(asked.path, asked.form) for asked in platform.asked] == [
        (f"/c/ex/{CHANNEL}/stopped", {"from": "+250788112233"})
    ]


def test_the_same_id_is_sent_once_and_again_after_a_failure(gateway: Aws, aggregator: Site, platform: Site) -> None:
    outbound(gateway, 7)
    outbound(gateway, 7)
    everything(gateway)
    assert len(aggregator.asked) == 1
    callback("failed", id="7")
    everything(gateway)
    outbound(gateway, 7)
    everything(gateway)
    assert len(aggregator.asked) == 2
    state = ledger.get(CHANNEL, "7")
    assert state is not None
    assert (state.key.generation, state.status) == (2, Status.WIRED)
    assert [asked.path.rsplit("/", 1)[1] for asked in platform.asked] == ["failed"]


def test_a_permanent_failure_does_not_hold_up_the_contact(gateway: Aws, aggregator: Site, platform: Site) -> None:
    aggregator.answer = lambda asked: (404, "no") if asked.form["id"] == "1" else (200, "ok")
    for number in (1, 2, 3):
        outbound(gateway, number)
    everything(gateway)
    assert [asked.form["id"] for asked in aggregator.asked] == ["1", "2", "3"]
    assert [(asked.path.rsplit("/", 1)[1], asked.form["id"]) for asked in platform.asked] == [("failed", "1")]


def test_a_failing_message_keeps_its_contacts_order_and_nobody_elses(gateway: Aws, aggregator: Site) -> None:
    aggregator.answer = lambda asked: (503, "later") if asked.form["id"] == "1" else (200, "ok")
    for number, to in ((1, "+250788000001"), (2, "+250788000001"), (3, "+250788000002")):
        outbound(gateway, number, to=to)
    gateway.drain(queues.OUTBOUND, app.route)
    while gateway.depth(LANE):
        gateway.run(LANE, app.send)
    assert sorted(asked.form["id"] for asked in aggregator.asked) == ["1", "3"]


@pytest.mark.parametrize("point", ["route.opened", "route.queued", "route.forwarded", "send.claimed", "send.requested",
                                   "send.concluded", "send.reported", "record.met", "record.queued", "record.settled",
                                   "deliver.posted"])  # fmt: skip
def test_a_crash_anywhere_loses_nothing_and_repeats_only_what_is_in_doubt(
    gateway: Aws, aggregator: Site, platform: Site, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler dies at the point as in a power cut; what it held becomes visible again; everything goes on."""
    monkeypatch.setattr("chalicelib.offering.TIMEOUT", 0.0)  # so that the claim of the dead lapses at once
    monkeypatch.setattr("chalicelib.offering.SPARE", 0.0)
    outbound(gateway, 9)
    crashed = crash_once(gateway, point, lambda: callback("delivered", id="9"))
    assert crashed
    everything(gateway)
    state = ledger.get(CHANNEL, "9")
    assert state is not None
    assert state.status is Status.DELIVERED
    assert len(aggregator.asked) == (2 if point == "send.requested" else 1)
    told = [asked.path.rsplit("/", 1)[1] for asked in platform.asked]
    assert told == ["delivered"] * (2 if point == "deliver.posted" else 1)


class PowerCut(BaseException):
    """Nothing in the code catches it."""


def crash_once(aws: Aws, point: str, receipt: Any) -> bool:
    """Run the stages one after the other; the first time `point` is reached the running handler dies."""
    fired: list[str] = []

    def hook(name: str) -> None:
        if name == point and not fired:
            fired.append(name)
            raise PowerCut

    waypoints.install(hook)
    try:
        for queue, stage in ((queues.OUTBOUND, app.route), (LANE, app.send), (queues.EVENTS, app.record)):
            step(aws, queue, stage)
        receipt()
        for queue, stage in ((queues.EVENTS, app.record), (TO_MAIN, app.deliver)):
            step(aws, queue, stage)
    finally:
        waypoints.install(None)
    return bool(fired)


def step(aws: Aws, queue: str, stage: Any) -> None:
    """One invocation; after a power cut its records are visible again at once, and are taken up again."""
    event = aws.receive(queue)
    if not event["Records"]:
        return
    try:
        failed = stage(event, Context())["batchItemFailures"]
    except PowerCut:
        queues.hold(queues.received_from(event), 0)
        step(aws, queue, stage)
        return
    assert failed == []
    url = queues.settings().queue_url(queue)
    for record in event["Records"]:
        queues.aws.sqs().delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])


def test_receipts_and_outcomes_meet_whoever_comes_first(aws: Aws, platform: Site) -> None:
    """Africa's Talking names a message by an id of its own."""
    aws.platform("main", platform.url)
    with serve() as site:
        site.answer = lambda asked: (201, json.dumps({"SMSMessageData": {"Recipients": [
            {"status": "Success", "messageId": f"AT-{asked.form['message']}"}]}}))  # fmt: skip
        aws.aggregator("fast", "AT", lane="own", config={"username": "u", "send_url": site.url},
                       secrets={"api_key": "k"})  # fmt: skip
        aws.channel(type="AT", id=346)
        receipt = b"id=AT-m1&status=Success&phoneNumber=%2B250788123123"
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert http("POST", f"/c/at/{CHANNEL}/status", receipt, form)[0] == 200
        everything(aws)
        assert [parked.external_id for parked in rendezvous.unmatched("fast")] == ["AT-m1"]
        outbound(aws, 1)
        outbound(aws, 2)
        everything(aws)
        assert rendezvous.unmatched("fast") == []
        assert http("POST", f"/c/at/{CHANNEL}/status", receipt.replace(b"m1", b"m2"), form)[0] == 200
        everything(aws)
    assert sorted((asked.path.rsplit("/", 1)[1], asked.form["id"]) for asked in platform.asked) == [
        ("delivered", "1"),
        ("delivered", "2"),
    ]


def test_one_platforms_outage_is_its_own(aws: Aws, aggregator: Site, platform: Site) -> None:
    aws.platform("main", platform.url)
    aws.platform("other", "http://127.0.0.1:9")  # nobody listens there
    aws.aggregator("fast", lane="own", config={"send_url": aggregator.url})
    other = CHANNEL.replace("6f1d", "7f1d")
    aws.channel()
    aws.channel(other, address="9090", platform="other")
    for channel in (other, CHANNEL):
        for text in ("one", "two"):
            body = f"from=%2B250788112233&text={text}".encode()
            assert (
                http("POST", f"/c/ex/{channel}/receive", body, {"Content-Type": "application/x-www-form-urlencoded"})[0]
                == 200
            )
    aws.drain(queues.EVENTS, app.record)
    aws.drain(TO_MAIN, app.deliver)
    assert [asked.form["text"] for asked in platform.asked] == ["one", "two"]
    assert len(aws.run("deliver-other.fifo", app.deliver)) == 2  # both held, in order, nothing lost
    with serve() as back:
        aws.platform("other", back.url)
        again = aws.receive("deliver-other.fifo")
        assert again["Records"] == []  # the contact waits as a whole


def test_send_answers_only_to_the_workspaces_token(gateway: Aws, aggregator: Site) -> None:
    token, foreign = registry_store.new_token("unicef"), registry_store.new_token("somebody-else")
    body = json.dumps({"id": 5, "text": "hi", "to": "+250788123123"}).encode()

    def ask(given: str, path: str = "/send/346", data: bytes = body) -> tuple[int, str]:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Token {given}"} if given else {})}
        return http("POST", path, data, headers)

    assert ask("")[0] == 401
    assert {ask("jgd_nonsense"), ask(foreign), ask(token, "/send/347")} == {ask(foreign)}
    assert ask(foreign)[0] == 403
    assert ask(token, data=b'{"id": 5}') == (
        400,
        '{"message":"Error","data":[{"type":"error","error":"to: Field required"}]}\n',
    )
    assert ask(token) == (202, '{"id":5,"status":"queued","generation":1}\n')
    assert ask(token) == (202, '{"id":5,"status":"queued","generation":1}\n')
    everything(gateway)
    assert len(aggregator.asked) == 1
    headers = {"Authorization": f"Token {token}"}
    assert http("GET", f"/send/{CHANNEL}", b"", headers, query="id=6&text=h%C3%A9&to=%2B250788123123")[0] == 202
    xml = b"<m><id>8</id><text>hi &amp; ho</text><to>+250788123123</to></m>"
    assert http("POST", f"/send/{CHANNEL}", xml, {**headers, "Content-Type": "text/xml"})[0] == 202
    everything(gateway)
    assert [asked.form["text"] for asked in aggregator.asked] == ["hi", "hé", "hi & ho"]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", f"/c/ex/{CHANNEL}/nonsense", b"", {}, 404),
        ("PATCH", f"/c/ex/{CHANNEL}/receive", b"", {}, 405),
        ("POST", f"/c/at/{CHANNEL}/receive", b"", {}, 404),
        ("POST", "/c/ex/00000000-0000-4000-8000-000000000000/receive", b"", {}, 404),
        ("POST", f"/c/ex/{CHANNEL}/receive", b"text=x", {}, 400),
        ("POST", f"/c/ex/{CHANNEL}/receive", b"x" * 1_048_577, {}, 413),
        ("POST", f"/c/ex/{CHANNEL}/receive", b"from=%2B250788112233&text=x", {"Accept": "image/png"}, 200),
        ("POST", f"/c/ex/{CHANNEL}/receive", b"from=%2B250788112233&text=x", {"Content-Type": "odd/one"}, 400),
        ("GET", f"/c/ex/{CHANNEL}/receive", b"", {}, 400),
    ],
)
def test_answers(gateway: Aws, method: str, path: str, body: bytes, headers: dict[str, str], status: int) -> None:
    assert http(method, path, body, headers)[0] == status


def test_no_event_is_lost_when_sqs_fails(gateway: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JANGADA_QUEUE_BASE", "http://127.0.0.1:9/x/")
    queues.settings.cache_clear()
    status, body = callback("receive", **{"from": "%2B250788112233", "text": "x"})
    assert status >= 500
    assert "Traceback" not in body


@pytest.mark.parametrize(
    "body",
    ["nonsense", '{"id": 1}', '{"id": 1, "to": "+250788123123", "channel": true}', "[]"],
)
def test_an_invalid_record_goes_to_the_dlq_with_its_reason(gateway: Aws, body: str) -> None:
    gateway.put_raw(queues.OUTBOUND, body)
    everything(gateway)
    (record,) = gateway.receive("outbound-dlq.fifo")["Records"]
    assert record["body"] == body
    assert record["messageAttributes"]["reason"]["StringValue"].startswith("invalid record: ")


@pytest.mark.parametrize("to", ["MTN Info", "شركة الاتصالات", "\ud83d broken", "+250 788 123 123"])
def test_any_recipient_travels(gateway: Aws, aggregator: Site, to: str) -> None:
    outbound(gateway, 3, to=to) if to.isascii() else gateway.put_raw(
        queues.OUTBOUND, json.dumps({"id": 3, "text": "m", "to": to, "from": "8080", "channel": 346})
    )
    everything(gateway)
    assert len(aggregator.asked) + gateway.depth("outbound-dlq.fifo") == 1


def test_an_account_in_trouble_pauses_its_lane_and_fails_nothing(gateway: Aws, aggregator: Site) -> None:
    aggregator.answer = lambda asked: (402, "pay")
    for number in range(3):
        outbound(gateway, number, to=f"+25078800000{number}")
    gateway.drain(queues.OUTBOUND, app.route)
    gateway.run(LANE, app.send)
    (pause,) = pauses.lanes_paused()
    assert (pause.aggregator, pause.reason) == ("fast", "the aggregator wants payment")
    assert gateway.depth(queues.EVENTS) == 0
    for number in range(3):
        state = ledger.get(CHANNEL, str(number))
        assert state is not None
        assert state.status is Status.QUEUED


def asked_ids(site: Site) -> list[str]:
    def number(asked: Asked) -> str:
        return asked.form["id"]

    return [number(asked) for asked in site.asked]


def test_many_messages_arrive_once_each(gateway: Aws, aggregator: Site) -> None:
    for number in range(200):
        outbound(gateway, number, to=f"+2507880{number % 40:05d}")
    everything(gateway)
    assert sorted(asked_ids(aggregator), key=int) == [str(number) for number in range(200)]
