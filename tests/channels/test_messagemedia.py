"""Sinch MessageMedia."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, OptOut, StatusUpdate
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import MESSAGE, UUID, Json, Sample, make, mo, offer, request, told, without

TOKEN = {"X-Channel-Token": "tok-1&2"}
SAMPLE = Sample(
    code="MMD",
    config={"api_key": "k1", "api_secret": "s-1&23 é"},
    url="https://api.messagemedia.com/v1/messages",
    answer=(202, {"messages": [{"message_id": "877c19ef-fa2e", "status": "queued"}]}),
    external_id="877c19ef-fa2e",
)
MO = {
    "type": "SMS", "replyId": "a175e797", "messageId": "877c19ef", "from": "+61491570111", "to": "+61491570222",
    "text": "yes", "receivedAt": "2024-05-02T10:00:00.850Z",
}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "a175e797", "received_at": 1_714_644_000_850}
REPLY = {
    "reply_id": "a175e797", "message_id": "877c19ef", "source_number": "+61491570111", "content": "yes",
    "destination_number": "+61491570222", "date_received": "2024-05-02T10:00:00.850Z", "metadata": {"msg_id": "8812"},
    "vendor_account_id": {"vendor_id": "MessageMedia", "account_id": "a"}, "callback_url": "https://x.org",
}  # fmt: skip
REPORT = {
    "type": "DELIVERED_DR", "messageId": "877c19ef", "reportId": "r-1", "status": "delivered", "statusCode": "220",
    "receivedAt": "2024-05-02T10:00:09.000Z",
}  # fmt: skip


def receive(data: dict[str, Any] | None = None, **changes: Any) -> Request:
    return request("MMD", "receive", Json({**(data or MO), **changes}))


def status(data: dict[str, Any] | None = None, **changes: Any) -> Request:
    return request("MMD", "status", Json({**(data or REPORT), **changes}))


def raw(body: str) -> Request:
    return request("MMD", "receive", body.encode(), headers={"content-type": "application/json"})


TEMPLATE = ('{{"type":"SMS","replyId":"a175e797","messageId":"877c19ef","from":"+61491570111","to":"+61491570222",'
            '"text":"{}","receivedAt":"2024-05-02T10:00:00.850Z"}}')  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+61491570111", "yes", **KNOWN), id="template"),
        pytest.param(request("MMD", "receive", MO), mo("+61491570111", "yes", **KNOWN), id="form-encoded"),
        pytest.param(receive(REPLY), mo("+61491570111", "yes", **KNOWN), id="the-apis-words"),
        pytest.param(request("MMD", "status", Json(REPLY)), mo("+61491570111", "yes", **KNOWN), id="callback-url"),
        pytest.param(receive(text=""), mo("+61491570111", "", **KNOWN), id="empty"),
        pytest.param(receive(text="Ünï 😀\x00"), mo("+61491570111", "Ünï 😀", **KNOWN), id="unicode"),
        pytest.param(receive({**MO, "from": "61491570111"}), mo("+61491570111", "yes", **KNOWN), id="no-plus"),
        pytest.param(receive({**MO, "from": "40404"}), mo("40404", "yes", **KNOWN), id="short-code"),
        pytest.param(receive(receivedAt=""), mo("+61491570111", "yes", external_id="a175e797"), id="no-date"),
        pytest.param(receive(receivedAt="soon"), mo("+61491570111", "yes", external_id="a175e797"), id="bad-date"),
        pytest.param(raw(TEMPLATE.format("two\nlines")), mo("+61491570111", "two\nlines", **KNOWN), id="raw-line-feed"),
        pytest.param(raw(TEMPLATE.format('say "hi", "x" or ""')), mo("+61491570111", 'say "hi", "x" or ""', **KNOWN),
                     id="raw-quotes"),
        pytest.param(raw(TEMPLATE.format(r"a\q é").replace(",", " , ")), mo("+61491570111", r"a\q é", **KNOWN),
                     id="raw-backslash"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("MMD").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(without(MO, "from")), "field 'from' required", id="no-sender"),
        pytest.param(receive({**MO, "from": "Acme"}), "not a possible number", id="bad-sender"),
        pytest.param(receive({**MO, "from": "", "type": "OPT_OUT_SMS"}), "not a possible number", id="nobody-opts-out"),
        pytest.param(status(status="dancing"), "unknown status: 'dancing'", id="another-status"),
        pytest.param(status(without(REPORT, "messageId")), "external id", id="report-no-id"),
        pytest.param(raw("["), "JSON", id="no-json"),
        pytest.param(raw('{"text":"cut'), "JSON", id="cut"),
        pytest.param(raw('{"text" "x"}'), "JSON", id="no-member"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("MMD").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("kind", ["OPT_OUT_SMS", "opt_out"])
def test_opt_outs(kind: str) -> None:
    reply = make("MMD").receive(receive(type=kind))
    assert reply.events == (OptOut(channel=UUID, sender="+61491570111", received_at=1_714_644_000_850),)


@pytest.mark.parametrize(
    ("raw_status", "expected"),
    [("queued", None), ("processed", None), ("scheduled", None), ("enroute", "sent"), ("submitted", "sent"),
     ("delivered", "delivered"), ("DELIVERED", "delivered"), ("expired", "failed"), ("rejected", "failed"),
     ("undeliverable", "failed"), ("failed", "failed"), ("cancelled", "failed")],
)  # fmt: skip
def test_statuses(raw_status: str, expected: str | None) -> None:
    reply = make("MMD").receive(status(status=raw_status))
    assert (reply.status, told(reply)) == (200, [expected] if expected else [])
    assert reply.kind == ("accepted" if expected else "ignored")


def test_what_a_report_says() -> None:
    own = {"delivery_report_id": "r-1", "message_id": "877c19ef", "status": "failed", "source_number": "+61491570111",
           "date_received": "2024-05-02T10:00:09.000Z", "delay": 0, "status_code": "301"}  # fmt: skip
    for asked, to, code in ((status(status="failed"), "", "220"), (status(own), "+61491570111", "301")):
        (update,) = make("MMD").receive(asked).events
        assert isinstance(update, StatusUpdate)
        assert (update.external_id, update.at) == ("877c19ef", 1_714_644_009_000)
        assert (update.code, update.destination) == (code, to)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [(MESSAGE, (MESSAGE, 0)), (MESSAGE + ".2", (MESSAGE, 1)), (MESSAGE + "~2", ("", None)), ("theirs", ("", None))],
)
def test_our_reference_names_the_message_too(reference: str, expected: tuple[str, int | None]) -> None:
    (update,) = make("MMD").receive(request("MMD", "status", Json(REPORT), query=f"ref={reference}")).events
    assert isinstance(update, StatusUpdate)
    assert ((update.id, update.part), update.external_id) == (expected, "877c19ef")


# --- who calls ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "query", "code"),
    [
        pytest.param(TOKEN, "", 200, id="header"),
        pytest.param({}, "token=tok-1%262", 200, id="query"),
        pytest.param({}, "", 401, id="missing"),
        pytest.param({"X-Channel-Token": "tok"}, "", 401, id="wrong"),
        pytest.param({"X-Channel-Token": "tok"}, "token=tok-1%262", 401, id="wrong-header"),
        pytest.param({}, "token=", 401, id="empty"),
    ],
)
def test_our_token(headers: dict[str, str], query: str, code: int) -> None:
    for action, body in (("receive", MO), ("status", REPORT)):
        asked = request("MMD", action, Json(body), query=query, headers=headers)
        assert make("MMD", secret="tok-1&2").receive(asked).status == code


# --- sending --------------------------------------------------------------------------------------------------------


def body_of(call: Any) -> dict[str, Any]:
    (message,) = json.loads(call.body)["messages"]
    assert isinstance(message, dict)
    return message


def test_request() -> None:
    done = offer("MMD", text="Hi ✓", address="+61491570222", attachments=["image/png:https://x/a"])
    assert body_of(done.request) == {
        "content": "Hi ✓\nhttps://x/a", "destination_number": "+254700111222", "source_number": "+61491570222",
        "source_number_type": "INTERNATIONAL", "delivery_report": True, "metadata": {"msg_id": MESSAGE},
        "callback_url": f"https://sms.example.org/c/mmd/{UUID}/status?ref={MESSAGE}",
    }  # fmt: skip
    assert done.request.headers["Authorization"] == "Basic " + base64.b64encode("k1:s-1&23 é".encode()).decode()
    assert done.request.headers["Content-Type"] == "application/json; charset=utf-8"


def test_the_callback_bears_our_token() -> None:
    done = offer("MMD", config={"secret": "tok-1&2"})
    assert body_of(done.request)["callback_url"].endswith(f"/status?ref={MESSAGE}&token=tok-1%262")


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("61491570222", {"source_number": "+61491570222", "source_number_type": "INTERNATIONAL"}),
        ("20990", {"source_number": "20990", "source_number_type": "SHORTCODE"}),
        ("Acme", {"source_number": "Acme", "source_number_type": "ALPHANUMERIC"}),
        ("", {}),
    ],
)
def test_sources(address: str, source: dict[str, str]) -> None:
    sent = body_of(offer("MMD", address=address).request)
    assert {name: value for name, value in sent.items() if name.startswith("source")} == source


@pytest.mark.parametrize(
    ("files", "media"),
    [
        pytest.param(["image/png:https://x/a", "image/JPEG:https://x/b"], ["https://x/a", "https://x/b"], id="both"),
        pytest.param(["image/png:https://x/a", "video/mp4:https://x/b"], None, id="a-video"),
        pytest.param([], None, id="none"),
    ],
)
def test_media(files: list[str], media: list[str] | None) -> None:
    done = offer("MMD", config={"mms": True}, text="Look", attachments=files)
    sent = body_of(done.request)
    assert (sent.get("media"), sent.get("format")) == (media, "MMS" if media else None)
    assert ("https://x/a" in sent["content"]) == bool(files and not media)


def test_every_part_keeps_its_id() -> None:
    assert offer("MMD", text="word " * 400).outcomes == [Accepted("877c19ef-fa2e")] * 2


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((202, {"messages": [{"status": "rejected"}]}), Permanent, "rejected", id="no-id"),
        pytest.param((202, {"messages": []}), Permanent, "", id="nothing"),
        pytest.param((400, {"message": "bad", "details": ["why"]}), Permanent, "400", id="invalid"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str) -> None:
    outcome = offer("MMD", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
