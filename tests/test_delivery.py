"""λ deliver against real HTTP servers: what an answer means, order, and a platform's outage that stays its own."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import breaker, clock, delivery, platform, queues, registry, registry_store, trace
from chalicelib.messages import Status
from chalicelib.queues import Received
from chalicelib.records import DeliveryRecord, MessageKey
from tests.lane import logged
from tests.support import CHANNEL, Aws, Context
from tests.web import Asked, Site, serve

TO_MAIN = "deliver-main.fifo"
PHONE, OTHER = "+250788123123", "+250788999999"


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as running:
        yield running


@pytest.fixture
def gateway(aws: Aws, site: Site) -> Aws:
    """The platform `main`, with a credential."""
    aws.platform("main", site.url)
    registry_store.put_credential("main", "Token s3cret-of-main")
    registry.reset()
    return aws


@pytest.fixture
def holds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], int]]:
    """Each change of visibility: the texts of the records, and the seconds. The records are hidden for real."""
    found: list[tuple[list[str], int]] = []
    real = queues.hold

    def hold(records: Any, seconds: float) -> None:
        found.append(([text_of(record) for record in records], round(seconds)))
        real(records, seconds)

    monkeypatch.setattr(queues, "hold", hold)
    return found


def text_of(received: Received) -> str:
    return DeliveryRecord.from_body(received.body).fields.get("text", "")


def mo(text: str, sender: str = PHONE, name: str = "main", **fields: Any) -> None:
    """Put an MO into a platform's queue, as λ record does."""
    values = {"from": sender, "text": text, "date": "2026-03-01T10:11:12.500Z"}
    record = DeliveryRecord(
        kind="receive", platform=name, channel=CHANNEL, fields=values,
        **{"subject": f"{name}-{text}", "first_seen": clock.now_ms(), **fields},
    )  # fmt: skip
    queues.send(queues.deliver_queue(name), queues.mo_entry(record, sender))


def status(number: int, kind: Any = "sent", state: Status = Status.SENT) -> None:
    record = DeliveryRecord(kind=kind, platform="main", channel=CHANNEL, fields={"id": str(number)}, subject="s")
    queues.send(TO_MAIN, queues.status_entry(record, MessageKey(channel=CHANNEL, id=str(number)), state))


def run(aws: Aws, queue: str = TO_MAIN) -> list[str]:
    """One invocation; the texts of what is to be given again."""
    event = aws.receive(queue)
    failed = [item["itemIdentifier"] for item in delivery.deliver(event, Context())["batchItemFailures"]]
    left = [received for received in queues.received_from(event) if received.message_id in failed]
    for received in queues.received_from(event):
        if received.message_id not in failed:
            queues.delete(received)
    return [text_of(received) for received in left]


def texts(site: Site) -> list[str]:
    return [asked.form["text"] for asked in site.asked]


def answering(code: int, body: str = "") -> Any:
    return lambda asked: (code, body)


# --- the request ----------------------------------------------------------------------------------------------------


def test_the_request_is_the_external_apis(gateway: Aws, site: Site) -> None:
    mo("Ubuntu & 😀 = é")
    status(7, "delivered", Status.DELIVERED)
    assert run(gateway) == []
    asked = {one.path.rsplit("/", 1)[1]: one for one in site.asked}
    assert asked["receive"].form == {"from": PHONE, "text": "Ubuntu & 😀 = é", "date": "2026-03-01T10:11:12.500Z"}
    assert asked["delivered"].form == {"id": "7"}
    for kind, one in asked.items():
        assert (one.method, one.path) == ("POST", f"/c/ex/{CHANNEL}/{kind}")
        assert one.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert one.headers["Authorization"] == "Token s3cret-of-main"


@pytest.mark.parametrize("base", ["{}", "{}/", "{}/prefix/"])
def test_base_urls(gateway: Aws, site: Site, base: str) -> None:
    gateway.platform("main", base.format(site.url))
    mo("a")
    assert run(gateway) == []
    assert site.asked[0].path == base.format("").rstrip("/") + f"/c/ex/{CHANNEL}/receive"
    assert "Authorization" not in site.asked[0].headers


# --- what an answer means -------------------------------------------------------------------------------------------

ANSWERS = [
    *[pytest.param(code, "", "done", id=str(code)) for code in (200, 201, 202, 204)],
    *[pytest.param(400, body, "refused", id=f"400 {body}") for body in (
        '{"message":"Error","data":[{"type":"error","error":"field \'from\' required"}]}', "invalid phone number",
        "phone number supplied is not a possible number", "field 'date' must be ISO 8601", "missing field: text",
    )],
    *[pytest.param(400, body, "again", id=f"400 {body}") for body in (
        "", "channel not found", "channel type wrong", '{"error": "database is down"}', "<html>Bad Request</html>",
    )],
    *[pytest.param(code, "field 'from' required", "again", id=str(code)) for code in (401, 403, 404, 405, 408, 409, 410,
      422, 429, 500, 502, 503, 504, 301, 302, 307)],
]  # fmt: skip


@pytest.mark.parametrize(("code", "body", "verdict"), ANSWERS)
def test_what_an_answer_means(code: int, body: str, verdict: str) -> None:
    assert platform.verdict_of(code, body) == verdict


@pytest.mark.parametrize(
    ("code", "body", "hop", "again"),
    [
        pytest.param(201, "", "platform_accepted", [], id="done"),
        pytest.param(400, "field 'from' required", "platform_refused", [], id="refused for good"),
        pytest.param(400, "channel not found", "platform_retry", ["a", "b"], id="another 400"),
        pytest.param(401, "", "platform_retry", ["a", "b"], id="our credential"),
        pytest.param(503, "", "platform_retry", ["a", "b"], id="down"),
    ],
)
def test_a_records_end(gateway: Aws, site: Site, code: int, body: str, hop: str, again: list[str]) -> None:
    site.answer = answering(code, body)
    mo("a")
    mo("b")
    assert run(gateway) == again
    assert texts(site) == (["a", "b"] if not again else ["a"])
    (found,) = trace.read("main-a")
    assert (found["hop"], found["exchanges"][0]["status"]) == (hop, code)
    assert gateway.depth("deliver-main-dlq.fifo") == 0


def test_a_redirect_is_not_followed(gateway: Aws, site: Site) -> None:
    """The credential is for this address alone."""
    with serve() as elsewhere, socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        seen: list[bytes] = []

        def redirect() -> None:
            peer, _ = server.accept()
            with peer:
                seen.append(peer.recv(65_536))
                location = f"Location: {elsewhere.url}/x\r\n"
                peer.sendall(f"HTTP/1.1 307 Moved\r\n{location}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())

        thread = threading.Thread(target=redirect, daemon=True)
        thread.start()
        gateway.platform("main", f"http://127.0.0.1:{port}")
        registry_store.put_credential("main", "Token s3cret-of-main")
        registry.reset()
        mo("a")
        assert run(gateway) == ["a"]
        thread.join(20)
        assert b"s3cret-of-main" in seen[0]
        assert elsewhere.asked == []


@pytest.mark.parametrize("how", ["nobody listens", "hangs up", "never answers", "no HTTP"])
def test_no_answer_is_tried_again(gateway: Aws, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "TIMEOUT", (2, 0.3))
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def misbehave() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65_536)
                if how == "never answers":
                    done.wait(20)
                elif how == "no HTTP":
                    peer.sendall(b"\x05\x00\x00\r\n\r\n")

        thread = threading.Thread(target=misbehave, daemon=True)
        if how == "nobody listens":
            server.close()
            gateway.platform("main", "http://127.0.0.1:9")
        else:
            thread.start()
            gateway.platform("main", f"http://127.0.0.1:{server.getsockname()[1]}")
        mo("a")
        assert run(gateway) == ["a"]
        done.set()
    (hop,) = trace.read("main-a")
    assert (hop["hop"], hop["exchanges"][0]["status"]) == ("platform_retry", 0)


def test_an_endless_answer_is_read_to_a_limit(gateway: Aws, site: Site) -> None:
    site.answer = answering(200, "x" * 1_000_000)
    mo("a")
    assert run(gateway) == []
    (hop,) = trace.read("main-a")
    assert len(hop["exchanges"][0]["response"]) <= 2000


def test_a_secret_that_the_platform_repeats_is_masked(gateway: Aws, site: Site) -> None:
    site.answer = lambda asked: (200, f"you said {asked.headers['Authorization']}")
    mo("a")
    run(gateway)
    (hop,) = trace.read("main-a")
    assert "s3cret" not in json.dumps(hop)
    assert "you said **********" in hop["exchanges"][0]["response"]


# --- order ----------------------------------------------------------------------------------------------------------


def test_a_contact_waits_for_its_first_message_and_nobody_else_does(
    gateway: Aws, site: Site, holds: list[tuple[list[str], int]]
) -> None:
    site.answer = lambda asked: (404, "") if asked.form["text"] == "1" else (200, "")
    for text, sender in (("1", PHONE), ("2", PHONE), ("3", OTHER), ("4", PHONE)):
        mo(text, sender)
    assert sorted(run(gateway)) == ["1", "2", "4"]
    assert sorted(texts(site)) == ["1", "3"]
    assert holds == [(["1", "2", "4"], delivery.BACKOFF[0])]  # one value for the whole group
    assert gateway.depth(TO_MAIN) == 0


def test_a_refused_message_does_not_hold_up_its_contact(gateway: Aws, site: Site) -> None:
    site.answer = lambda asked: (400, "field 'text' required") if asked.form["text"] == "1" else (200, "")
    for text in ("1", "2", "3"):
        mo(text)
    assert run(gateway) == []
    assert texts(site) == ["1", "2", "3"]


def test_statuses_of_one_message_keep_their_order(gateway: Aws, site: Site) -> None:
    status(7, "sent", Status.SENT)
    status(7, "delivered", Status.DELIVERED)
    status(8, "failed", Status.FAILED)
    assert run(gateway) == []
    kinds = [(asked.path.rsplit("/", 1)[1], asked.form["id"]) for asked in site.asked]
    assert [kind for kind, number in kinds if number == "7"] == ["sent", "delivered"]
    assert ("failed", "8") in kinds


def test_contacts_go_side_by_side(gateway: Aws, site: Site) -> None:
    """The first one's answer comes only when all the others have been asked."""
    asked_all = threading.Barrier(5)

    def answer(asked: Asked) -> tuple[int, str]:
        asked_all.wait(30)
        return 200, ""

    site.answer = answer
    for number in range(5):
        mo(str(number), f"+25078812312{number}")
    assert run(gateway) == []
    assert sorted(texts(site)) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(("receives", "seconds"), [(1, 2), (2, 5), (3, 15), (7, 300), (99, 300)])
def test_the_wait_grows(
    gateway: Aws, site: Site, receives: int, seconds: int, holds: list[tuple[list[str], int]]
) -> None:
    site.answer = answering(404)
    mo("a")
    event = gateway.receive(TO_MAIN)
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = str(receives)
    assert len(delivery.deliver(event, Context())["batchItemFailures"]) == 1
    assert holds == [(["a"], seconds)]


def test_no_request_is_begun_without_the_time_to_end_it(gateway: Aws, site: Site) -> None:
    mo("a")
    event = gateway.receive(TO_MAIN)
    assert len(delivery.deliver(event, Context(delivery.SPARE - 0.1))["batchItemFailures"]) == 1
    assert site.asked == []
    assert delivery.deliver(event, Context(delivery.SPARE)) == {"batchItemFailures": []}


# --- for a human ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "given_up"),
    [pytest.param(delivery.GIVE_UP - 60_000, False, id="not yet"), pytest.param(delivery.GIVE_UP + 1, True, id="72 h")],
)
def test_after_72_hours_a_record_is_for_a_human(gateway: Aws, site: Site, age: int, given_up: bool) -> None:
    site.answer = answering(503)
    mo("old", first_seen=clock.now_ms() - age)
    mo("new", OTHER)
    assert ("old" in run(gateway)) is not given_up
    assert ("old" in texts(site)) is not given_up
    dead = gateway.receive("deliver-main-dlq.fifo")["Records"]
    reasons = [record["messageAttributes"]["reason"]["StringValue"] for record in dead]
    assert reasons == (["the platform has not taken it for 72 hours"] if given_up else [])
    if given_up:
        assert [hop["reason"] for hop in trace.read("main-old")] == ["72 hours"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param("nonsense", "cannot be delivered: body: Invalid JSON", id="no record"),
        pytest.param(
            '{"kind":"sent","platform":"gone","channel":"c","fields":{},"subject":"s"}',
            "cannot be delivered: unknown platform: no platform gone", id="unknown platform",
        ),
    ],
)  # fmt: skip
def test_what_can_never_be_delivered_is_for_a_human(gateway: Aws, site: Site, body: str, reason: str) -> None:
    gateway.put_raw(TO_MAIN, body, group="g")
    mo("a")
    assert delivery.deliver(gateway.receive(TO_MAIN), Context()) == {"batchItemFailures": []}
    (dead,) = gateway.receive("deliver-main-dlq.fifo")["Records"]
    assert dead["messageAttributes"]["reason"]["StringValue"].startswith(reason)
    assert texts(site) == ["a"]


# --- the credential -------------------------------------------------------------------------------------------------


def test_a_credential_goes_to_no_other_url_than_the_one_it_was_given_for(gateway: Aws, site: Site) -> None:
    with serve() as elsewhere:
        found = registry.platform("main")
        registry_store.put_platform(found.model_copy(update={"base_url": elsewhere.url}))
        registry.reset()
        mo("a")
        with logged() as lines:
            assert run(gateway) == ["a"]
        assert (elsewhere.asked, site.asked) == ([], [])
        assert "CredentialUnbound" in lines.getvalue()
        registry_store.put_credential("main", "Token of-elsewhere")
        registry.reset()
        mo("b", OTHER)
        assert run(gateway) == []
        assert elsewhere.asked[0].headers["Authorization"] == "Token of-elsewhere"


# --- the breaker ----------------------------------------------------------------------------------------------------


def trouble(aws: Aws, site: Site, times: int, code: int = 503) -> None:
    site.answer = answering(code)
    for number in range(times):
        mo(f"t{number}", f"+25078800000{number}")
        run(aws)
    site.asked.clear()


@pytest.mark.parametrize("code", [500, 503, 429, 408])
def test_after_five_troubles_the_whole_queue_is_held(
    gateway: Aws, site: Site, code: int, holds: list[tuple[list[str], int]]
) -> None:
    trouble(gateway, site, breaker.OPENS_AT, code)
    holds.clear()
    for number in range(3):
        mo(f"n{number}", f"+25078811111{number}")
    with logged() as lines:
        assert sorted(run(gateway)) == ["n0", "n1", "n2"]
    assert site.asked == []
    assert {texts[0] for texts, _ in holds} == {"n0", "n1", "n2"}
    assert all(0 < seconds <= breaker.PROBE_EVERY / 1000 for _, seconds in holds)
    assert lines.getvalue() == ""  # told once, when it opened


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_what_is_about_the_request_does_not_count_against_the_host(gateway: Aws, site: Site, code: int) -> None:
    trouble(gateway, site, breaker.OPENS_AT + 2, code)
    mo("n")
    site.answer = answering(200)
    assert run(gateway) == []


def test_four_troubles_are_not_enough(gateway: Aws, site: Site) -> None:
    trouble(gateway, site, breaker.OPENS_AT - 1)
    site.answer = answering(200)
    mo("n")
    assert run(gateway) == []


def test_an_answer_in_between_begins_the_count_anew(gateway: Aws, site: Site) -> None:
    for number in range(3):
        trouble(gateway, site, breaker.OPENS_AT - 1)
        site.answer = answering(200)
        mo(f"good {number}")
        assert run(gateway) == []


def test_an_open_breaker_lets_one_probe_through_and_a_good_answer_closes_it(
    gateway: Aws, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble(gateway, site, breaker.OPENS_AT)
    ahead = [breaker.PROBE_EVERY + 1_000]
    monkeypatch.setattr(delivery, "now_ms", lambda: clock.now_ms() + ahead[0])
    for number in range(4):
        mo(f"n{number}", f"+25078811111{number}")
    assert len(run(gateway)) == 4  # one was asked, and the host is still in trouble
    assert len(site.asked) == 1
    site.asked.clear()
    mo("m", OTHER)
    assert run(gateway) == ["m"]  # the next probe is 30 s away again
    assert site.asked == []
    ahead[0] *= 3
    site.answer = answering(200)
    mo("probe", "+250788222222")
    assert run(gateway) == []
    assert texts(site) == ["probe"]
    for number in range(3):
        mo(f"after {number}", f"+25078833333{number}")
    assert run(gateway) == []


def test_of_many_that_ask_an_open_breaker_one_is_let_through(gateway: Aws) -> None:
    now = clock.now_ms()
    for _ in range(breaker.OPENS_AT):
        breaker.trouble("h:1", now)
    assert breaker.may_go("h:1", now) == breaker.Pass(False, breaker.PROBE_EVERY)
    due = now + breaker.PROBE_EVERY
    barrier, found = threading.Barrier(8), []

    def ask() -> None:
        barrier.wait(30)
        found.append(breaker.may_go("h:1", due).goes)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == [False] * 7 + [True]


def test_one_hosts_breaker_is_its_own(gateway: Aws, site: Site) -> None:
    trouble(gateway, site, breaker.OPENS_AT)
    with serve() as other:
        gateway.platform("other", other.url)
        mo("n", name="other")
        mo("held")
        assert run(gateway, "deliver-other.fifo") == []
        assert texts(other) == ["n"]
    assert run(gateway) == ["held"]


def test_the_alarm_names_the_platform_once_it_is_down(gateway: Aws, site: Site) -> None:
    trouble(gateway, site, breaker.OPENS_AT - 1)
    mo("n")
    with logged() as lines:
        run(gateway)
    (line,) = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert (line["level"], line["message"], line["platform"], line["status"]) == ("ERROR", "platform_down", "main", 503)
