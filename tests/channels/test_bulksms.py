"""BulkSMS.com: https://www.bulksms.com/developer/json/v1/"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, OptOut, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent
from chalicelib.transport import Http
from tests.channels.support import UUID, Json, Sample, make, message, mo, offer, request, told, without

SAMPLE = Sample(
    code="BKS",
    config={"username": "token-id", "password": "p&w d"},
    url="https://api.bulksms.com/v1/messages",
    answer=(201, [{"id": "312123871239126", "type": "SENT", "status": {"id": "ACCEPTED.null", "type": "ACCEPTED"}}]),
    external_id="312123871239126",
)
MO = {"id": "312123871239125", "type": "RECEIVED", "from": "27831110000", "to": "27007654321", "body": "ewe",
      "encoding": "TEXT", "relatedSentMessageId": None, "status": {"type": "DELIVERED"}}  # fmt: skip
NESTED = {"id": "312123871239125", "from": {"type": "INTERNATIONAL", "address": "27831110000"},
          "to": {"address": "27007654321"}, "body": {"value": "ewe", "encoding": "UNICODE"}}  # fmt: skip
REPORT = {"id": "9", "type": "SENT", "from": "27007654321", "to": "27831110000"}
ID = "312123871239125"


def receive(*items: Any, action: str = "receive", event: str = "") -> Request:
    return request("BKS", action, Json(list(items)), headers={"X-BulkSMS-Event": event} if event else None)


def report(kind: str, subtype: str | None = None, **fields: Any) -> Request:
    status = {"id": f"{kind}.{subtype or 'null'}", "type": kind, "subtype": subtype}
    return receive({**REPORT, "status": status, **fields}, action="status", event="status-report")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(MO), [mo("+27831110000", "ewe", external_id=ID)], id="flat"),
        pytest.param(receive(NESTED, event="incoming-message"), [mo("+27831110000", "ewe", external_id=ID)],
                     id="nested-by-the-header"),
        pytest.param(receive(NESTED), [mo("+27831110000", "ewe", external_id=ID)], id="nested-by-the-action"),
        pytest.param(receive(MO, action="status"), [mo("+27831110000", "ewe", external_id=ID)], id="on-the-other-url"),
        pytest.param(receive({**MO, "from": "+27831110000"}), [mo("+27831110000", "ewe", external_id=ID)], id="plus"),
        pytest.param(receive({**MO, "from": "4791234567"}), [mo("+4791234567", "ewe", external_id=ID)],
                     id="short-international"),
        pytest.param(receive({**MO, "from": 27831110000, "id": 312123871239125}),
                     [mo("+27831110000", "ewe", external_id=ID)], id="numbers"),
        pytest.param(receive({**MO, "from": "40404"}), [mo("40404", "ewe", external_id=ID)], id="short-code"),
        pytest.param(receive({**MO, "body": "", "x": 1}), [mo("+27831110000", "", external_id=ID)], id="empty-text"),
        pytest.param(receive({**MO, "body": "ẅ 😀\x00"}), [mo("+27831110000", "ẅ 😀", external_id=ID)], id="unicode"),
        pytest.param(receive(MO, {**MO, "encoding": "BINARY"}, {**MO, "id": "2"}),
                     [mo("+27831110000", "ewe", external_id=ID), mo("+27831110000", "ewe", external_id="2")],
                     id="several-less-the-binary-one"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: list[Incoming]) -> None:
    reply = make("BKS").receive(asked)
    assert (reply.status, list(reply.events)) == (200, expected)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(receive(), id="webhook-is-being-made"),
        pytest.param(receive(action="status"), id="webhook-for-reports-is-being-made"),
        pytest.param(receive({**MO, "encoding": "BINARY"}), id="binary"),
        pytest.param(receive({**NESTED, "body": {"value": "ff", "encoding": "BINARY"}}), id="binary-nested"),
        pytest.param(receive({**MO, "type": "SOMETHING"}), id="another-type"),
        *[pytest.param(report(kind), id=kind) for kind in ("ACCEPTED", "SCHEDULED", "UNKNOWN")],
    ],
)
def test_ignored(asked: Request) -> None:
    reply = make("BKS").receive(asked)
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(receive(without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in ("id", "from", "body")],
        pytest.param(receive({**NESTED, "from": {}}), "field 'from' required", id="no-address"),
        pytest.param(receive(MO, {**MO, "from": "Acme"}), "not a possible number", id="one-bad-sender"),
        pytest.param(receive({**MO, "body": 7}), "body' must be a string", id="wrong-type"),
        pytest.param(request("BKS", "receive", Json({})), "must be an array", id="object"),
        pytest.param(request("BKS", "receive", b"["), "unable to parse request JSON", id="no-json"),
        pytest.param(report("DANCING"), "unknown status", id="unknown-status"),
        pytest.param(receive(REPORT, action="status"), "unknown status", id="no-status"),
        pytest.param(report("SENT", id=""), "external id", id="report-without-id"),
        pytest.param(report("FAILED", "BLOCKED", to="Acme"), "not a possible number", id="opt-out-of-nobody"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("BKS").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("asked", "expected", "code"),
    [
        pytest.param(report("SENT"), "sent", "", id="sent"),
        pytest.param(report("DELIVERED"), "delivered", "", id="delivered"),
        *[pytest.param(report("FAILED", why), "failed", why, id=why) for why in
          ("EXPIRED", "HANDSET_ERROR", "NOT_SENT")],
        pytest.param(report("FAILED"), "failed", "FAILED", id="failed-without-subtype"),
        pytest.param(report("X", status={"id": "FAILED.EXPIRED", "type": "FAILED"}), "failed", "EXPIRED",
                     id="subtype-in-the-id-alone"),
        pytest.param(report("X", status={"condition": "DELIVERED"}), "delivered", "", id="condition"),
        pytest.param(receive({**without(REPORT, "type"), "status": {"type": "SENT"}}, event="Status-Report"), "sent",
                     "", id="by-the-header"),
    ],
)  # fmt: skip
def test_statuses(asked: Request, expected: str, code: str) -> None:
    reply = make("BKS").receive(asked)
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.destination, update.code) == ("9", "27831110000", code)


@pytest.mark.parametrize("phone", ["27831110000", {"address": "+27831110000"}])
def test_a_blocked_recipient_is_a_failure_and_an_opt_out(phone: Any) -> None:
    reply = make("BKS").receive(report("FAILED", "BLOCKED", to=phone))
    assert told(reply) == ["failed"]
    assert reply.events[1] == OptOut(channel=UUID, sender="+27831110000")


def test_the_token_stands_in_for_a_signature() -> None:
    channel = make("BKS", secret="s3")
    for query, status in (("token=s3", 200), ("token=s4", 401), ("", 401)):
        assert channel.receive(request("BKS", "receive", Json([MO]), query=query)).status == status


# --- sending --------------------------------------------------------------------------------------------------------


def entry(done: Any) -> Any:
    (found,) = json.loads(done.request.body)
    return found


def query(call: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(call.url).query)


def test_request() -> None:
    done = offer("BKS", id=8812, text="Molo", address="+27007654321", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert entry(done) == {"to": "+254700111222", "body": "Molo\nhttps://x.org/a.jpg", "from": "+27007654321",
                           "userSuppliedId": "8812", "longMessageMaxParts": 10}  # fmt: skip
    assert done.request.headers["Authorization"] == "Basic dG9rZW4taWQ6cCZ3IGQ="
    (number,) = query(done.request)["deduplication-id"]
    assert 0 < int(number) < 2**31
    assert query(done.request)["auto-unicode"] == ["true"]


@pytest.mark.parametrize(
    ("address", "config", "expected"),
    [
        ("20990", {}, {"type": "SHORTCODE", "address": "20990"}),
        ("Acme", {}, "Acme"),
        ("27007654321", {}, "27007654321"),
        ("", {}, None),
        ("20990", {"repliable": True}, {"type": "REPLIABLE"}),
    ],
)
def test_senders(address: str, config: dict[str, Any], expected: Any) -> None:
    assert entry(offer("BKS", address=address, config=config)).get("from") == expected


def test_parts_and_retries() -> None:
    """A retry is the same request; every part, and every wanted resend, is another."""
    first, again = offer("BKS", text="ẅ " * 900), offer("BKS", text="ẅ " * 900)
    resent = offer("BKS", text="ẅ " * 900, generation=2)
    numbers = [[query(call)["deduplication-id"][0] for call in done.calls] for done in (first, again, resent)]
    assert numbers[0] == numbers[1]
    assert len({*numbers[0], *numbers[2]}) == 4
    names = [json.loads(call.body)[0]["userSuppliedId"] for done in (first, resent) for call in done.calls]
    assert len(set(names)) == 4
    assert {len(name) for name in names} == {20}
    assert entry(first)["longMessageMaxParts"] == 10
    assert json.loads(first.calls[0].body)[0]["longMessageMaxParts"] == 24


def test_another_messages_number_is_not_taken_for_ours() -> None:
    """Two ids may share their 31 bits: the answer then names the other message."""
    channel = make("BKS")
    with responses.RequestsMock() as web:
        web.post(SAMPLE.url, json=[{"id": "1", "userSuppliedId": "8811"}], status=201)
        web.post(SAMPLE.url, json=[{"id": "2", "userSuppliedId": "8812"}], status=201)
        (part,) = channel.plan(message(id=8812))
        assert channel.send(part, Http(allow_private=True)) == Accepted("2")
        assert ["deduplication-id" in query(call.request) for call in web.calls] == [True, False]


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((201, [{"id": "7", "userSuppliedId": None}]), Accepted, None, id="no-name-back"),
        pytest.param((201, []), Permanent, "", id="nothing"),
        pytest.param((201, [{"status": {}}]), Permanent, "", id="no-id"),
        pytest.param((400, {"title": "Bad Request", "status": 400}), Permanent, "400", id="refused"),
        pytest.param((403, {"title": "Forbidden", "detail": "no credits"}), ChannelDown, "403", id="no-credits"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("BKS", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
