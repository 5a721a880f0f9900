"""Infobip: https://www.infobip.com/docs/api/channels/sms"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent
from tests.channels.support import MESSAGE, UUID, Json, Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="IB",
    config={"api_key": "k-1&23", "base_url": "https://ab1cd.api.infobip.com"},
    url="https://ab1cd.api.infobip.com/sms/3/messages",
    answer=(200, {"messages": [{"messageId": MESSAGE, "status": {"groupId": 1, "groupName": "PENDING"}}]}),
    external_id=MESSAGE,
)
MMS_URL = "https://ab1cd.api.infobip.com/mms/2/messages"
SMS = {"messageId": "7713300918", "from": "254700111222", "to": "40404", "text": "JOIN now", "cleanText": "now",
       "receivedAt": "2024-06-11T08:15:02.120+0000", "price": {"pricePerMessage": 0, "currency": "EUR"}}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "7713300918", "received_at": 1_718_093_702_120}
PICTURE = {"contentType": "image/jpeg", "url": "https://x.org/a.jpg"}


def receive(*items: Any, **envelope: Any) -> Request:
    return request("IB", "receive", Json({"results": list(items), "messageCount": len(items), **envelope}))


def delivered(*items: Any) -> Request:
    return request("IB", "delivered", Json({"results": list(items)}))


def report(group: Any, **fields: Any) -> dict[str, Any]:
    return {"messageId": MESSAGE, "status": {"groupId": 3, "groupName": group}, **fields}


def mms(*segments: dict[str, str]) -> dict[str, Any]:
    return {**SMS, "message": list(segments)}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(SMS), [mo("+254700111222", "JOIN now", **KNOWN)], id="sms"),
        pytest.param(receive(SMS, {**SMS, "messageId": "2", "text": "è 😀"}),
                     [mo("+254700111222", "JOIN now", **KNOWN), mo("+254700111222", "è 😀", **{**KNOWN,
                      "external_id": "2"})], id="two"),
        pytest.param(receive({**SMS, "messageId": 7713300918, "from": 254700111222}),
                     [mo("+254700111222", "JOIN now", **KNOWN)], id="numbers-for-ids"),
        pytest.param(receive(without(SMS, "receivedAt")),
                     [mo("+254700111222", "JOIN now", external_id="7713300918")], id="no-date"),
        pytest.param(receive(without(SMS, "messageId")),
                     [mo("+254700111222", "JOIN now", received_at=KNOWN["received_at"])], id="no-id"),
        pytest.param(receive({**SMS, "from": "40404"}), [mo("40404", "JOIN now", **KNOWN)], id="short-code"),
        pytest.param(receive({**SMS, "message": []}), [mo("+254700111222", "JOIN now", **KNOWN)], id="empty-segments"),
        pytest.param(receive({**SMS, "receivedAt": "2024-06-11T11:15:02.1234567+0300"}),
                     [mo("+254700111222", "JOIN now", external_id="7713300918", received_at=1_718_093_702_123)],
                     id="long-fraction-other-zone"),
        pytest.param(receive({**SMS, "text": ""}, SMS), [mo("+254700111222", "JOIN now", **KNOWN)], id="one-is-empty"),
        pytest.param(receive(SMS, messageCount=None), [mo("+254700111222", "JOIN now", **KNOWN)], id="no-count"),
        pytest.param(receive(mms({"contentType": "text/plain", "value": "one"}, PICTURE,
                                 {"contentType": "text/plain; charset=utf-8", "value": "two"})),
                     [mo("+254700111222", "one\ntwo", attachments=("image/jpeg:https://x.org/a.jpg",), **KNOWN)],
                     id="mms"),
        pytest.param(receive(mms(PICTURE, {"contentType": "application/smil", "value": "<smil/>"})),
                     [mo("+254700111222", "", attachments=("image/jpeg:https://x.org/a.jpg",), **KNOWN)],
                     id="mms-without-text"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: list[Incoming]) -> None:
    reply = make("IB").receive(asked)
    assert (reply.status, list(reply.events)) == (200, expected)
    assert reply.ids == tuple(f"ev-{n}" for n in range(1, len(expected) + 1))


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(receive(), id="no-messages"),
        pytest.param(receive({**SMS, "text": ""}), id="empty-text-is-not-sent-for-ever"),
        pytest.param(receive(without(SMS, "text")), id="no-text"),
        pytest.param(receive(mms({"contentType": "application/smil", "value": "x"})), id="mms-of-nothing"),
        pytest.param(delivered(), id="no-reports"),
    ],
)
def test_ignored(asked: Request) -> None:
    reply = make("IB").receive(asked)
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())
    assert reply.body.startswith(b'{"message":"Ignored","data":[{"type":"info","info":"')


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(request("IB", "receive", b"{"), "unable to parse request JSON", id="no-json"),
        pytest.param(request("IB", "receive", Json([])), "must be an object", id="array"),
        pytest.param(request("IB", "receive", Json({"messageCount": 1})), "field 'results' required", id="no-results"),
        pytest.param(request("IB", "receive", Json({"results": {}})), "'results' must be a list", id="no-list"),
        pytest.param(receive("x"), "must be a list of objects", id="no-objects"),
        pytest.param(receive(SMS, {**SMS, "from": "MTN"}), "not a possible number", id="one-bad-sender"),
        pytest.param(receive(without(SMS, "from")), "not a possible number", id="no-sender"),
        pytest.param(receive({**SMS, "receivedAt": "soon"}), "invalid date", id="bad-date"),
        pytest.param(receive({**SMS, "text": 7}), "field 'results[0].text' must be a string", id="wrong-type"),
        pytest.param(request("IB", "delivered", Json({})), "field 'results' required", id="report-no-results"),
        pytest.param(delivered(report("SENT")), "unknown status", id="report-unknown"),
        pytest.param(delivered({"messageId": "1"}), "unknown status", id="report-no-status"),
        pytest.param(delivered({**report("DELIVERED"), "messageId": ""}), "external id", id="report-no-id"),
        pytest.param(delivered(report("DELIVERED"), report("?")), "unknown status", id="one-bad-report"),
    ],
)
def test_refused_whole(asked: Request, why: str) -> None:
    reply = make("IB").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("group", "expected"),
    [("PENDING", "sent"), ("DELIVERED", "delivered"), ("EXPIRED", "failed"), ("REJECTED", "failed"),
     ("UNDELIVERABLE", "failed")],
)  # fmt: skip
def test_statuses(group: str, expected: str) -> None:
    assert told(make("IB").receive(delivered(report(group)))) == [expected]


def test_several_reports() -> None:
    failed = report("UNDELIVERABLE", messageId="2", to="254700111222", error={"name": "EC_ABSENT_SUBSCRIBER"})
    reply = make("IB").receive(delivered(report("DELIVERED"), failed))
    first, second = reply.events
    assert isinstance(first, StatusUpdate)
    assert isinstance(second, StatusUpdate)
    assert first.external_id == MESSAGE
    assert (second.external_id, second.code, second.destination) == ("2", "EC_ABSENT_SUBSCRIBER", "254700111222")
    assert reply.body.decode() == (
        '{"message":"statuses handled","data":['
        f'{{"type":"status","channel_uuid":"{UUID}","status":"D","external_id":"{MESSAGE}"}},'
        f'{{"type":"status","channel_uuid":"{UUID}","status":"F","external_id":"2"}}]}}\n'
    )


REPORT = {"delivery": {"url": f"https://sms.example.org/c/ib/{UUID}/delivered", "intermediateReport": True,
                       "contentType": "application/json"}}  # fmt: skip
PHONE = [{"to": "254700111222", "messageId": MESSAGE}]


def test_sms_request() -> None:
    done = offer("IB", text="Hello ✓")
    assert json.loads(done.request.body) == {
        "messages": [{"from": "20990", "destinations": PHONE, "content": {"text": "Hello ✓"}, "webhooks": REPORT}]
    }
    assert done.request.headers["Authorization"] == "App k-1&23"
    assert done.request.headers["Accept"] == "application/json"
    assert done.request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(("text", "said"), [("Look", [{"type": "TEXT", "text": "Look"}]), ("", [])])
def test_mms_request(text: str, said: list[dict[str, str]]) -> None:
    files = ["image/jpeg:https://x.org/a.jpg", "malformed", "video/mp4:https://x.org/b.mp4"]
    done = offer("IB", url=MMS_URL, text=text, attachments=files)
    links = [{"type": "LINK", "contentUrl": f"https://x.org/{name}", "contentType": kind}
             for name, kind in (("a.jpg", "image/jpeg"), ("b.mp4", "video/mp4"))]  # fmt: skip
    assert json.loads(done.request.body) == {
        "messages": [{"sender": "20990", "destinations": PHONE, "webhooks": REPORT,
                      "content": {"title": "", "messageSegments": [*said, *links]}}]
    }  # fmt: skip


def test_transliteration_is_for_sms_only() -> None:
    config = {"transliteration": "TURKISH"}
    (sms,) = json.loads(offer("IB", config=config).request.body)["messages"]
    assert sms["content"] == {"text": "Hello", "transliteration": "TURKISH"}
    (picture,) = json.loads(
        offer("IB", config=config, url=MMS_URL, attachments=["image/jpeg:https://x.org/a.jpg"]).request.body
    )["messages"]
    assert "transliteration" not in json.dumps(picture)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"api_key": None, "username": "u", "password": "p"}, "Basic " + base64.b64encode(b"u:p").decode()),
        ({"username": "u", "password": "p"}, "App k-1&23"),
    ],
)
def test_credentials(config: dict[str, Any], expected: str) -> None:
    assert offer("IB", config=config).request.headers["Authorization"] == expected


@pytest.mark.parametrize("config", [{}, {"username": "u"}, {"password": "p"}])
def test_some_credentials_are_needed(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="api_key: required key is missing"):
        make("IB", **{"api_key": None, **config})


def test_a_wanted_resend_has_an_id_of_its_own() -> None:
    (body,) = json.loads(offer("IB", generation=2).request.body)["messages"]
    assert body["destinations"][0]["messageId"] == MESSAGE + "~2"


def answered(**status: Any) -> dict[str, Any]:
    return {"messages": [{"messageId": "m", "status": status}]}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(answered(groupId=1), Accepted("m"), id="pending"),
        pytest.param(answered(groupId=3), Accepted("m"), id="delivered"),
        pytest.param({"messages": [{"status": {"groupId": 1}}]}, Accepted(""), id="no-id"),
        pytest.param(answered(groupId=5, name="REJECTED_DUPLICATE_MESSAGE_ID"), Accepted(MESSAGE), id="had-it-already"),
        pytest.param(answered(groupId=5, name="REJECTED_NOT_ENOUGH_CREDITS"), ChannelDown, id="no-credits"),
        pytest.param(answered(groupId=5, name="REJECTED_PREPAID_PACKAGE_EXPIRED"), ChannelDown, id="package-expired"),
        pytest.param(answered(groupId=5, name="REJECTED_SENDER"), Permanent, id="rejected"),
        pytest.param(answered(groupId=2), Permanent, id="undeliverable"),
        pytest.param(answered(groupId=True), Permanent, id="true-is-not-1"),
        pytest.param(answered(), Permanent, id="no-group"),
        pytest.param({"messages": []}, Permanent, id="nothing"),
        pytest.param("ok", Permanent, id="no-json"),
    ],
)
def test_answers(answer: Any, expected: Accepted | type[NotAccepted]) -> None:
    outcome = offer("IB", (200, answer)).outcome
    assert outcome == expected or type(outcome) is expected
