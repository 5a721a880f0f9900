"""Azure Communication Services SMS: https://learn.microsoft.com/azure/communication-services/concepts/sms/concepts"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from chalicelib.channels.azuresms import http_date
from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import MESSAGE, Json, Sample, make, mo, offer, request, told, without

KEY = b"access key, octets"


def value(**changes: Any) -> dict[str, Any]:
    known = {"to": "+254700111222", "messageId": "Outgoing_1_noam", "httpStatusCode": 202, "successful": True}
    return {"value": [{**known, **changes}]}


SAMPLE = Sample(
    code="ACS",
    config={"base_url": "https://contoso.communication.azure.com/", "api_key": base64.b64encode(KEY).decode()},
    url="https://contoso.communication.azure.com/sms?api-version=2021-03-07",
    answer=(202, value(repeatabilityResult="accepted")),
    external_id="Outgoing_1_noam",
)
ADDRESS = "+18445550122"
MO = {"messageId": "Incoming_1", "from": "13125550111", "to": "18445550122", "message": "yes", "segmentCount": 1,
      "receivedTimestamp": "2024-05-02T10:00:00.32Z"}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "Incoming_1", "received_at": 1_714_644_000_320}
REPORT = {"messageId": "Outgoing_1", "from": "18445550122", "to": "13125550111", "deliveryStatus": "Delivered",
          "deliveryStatusDetails": "No error.", "deliveryAttempts": [], "tag": "8812"}  # fmt: skip


def event(data: Any, kind: str = "Microsoft.Communication.SMSReceived") -> dict[str, Any]:
    return {"id": "1", "topic": "/subscriptions/x", "subject": "/phonenumber/18445550122", "eventType": kind,
            "eventTime": "2024-05-02T10:00:02Z", "dataVersion": "1.0", "data": data}  # fmt: skip


def report(**changes: Any) -> dict[str, Any]:
    return event({**REPORT, **changes}, "Microsoft.Communication.SMSDeliveryReportReceived")


def receive(*events: Any, action: str = "receive", query: str = "") -> Request:
    return request("ACS", action, Json(list(events)), query=query, headers={"aeg-event-type": "Notification"})


@pytest.mark.parametrize("action", ["receive", "status"])
@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([event(MO)], [mo("+13125550111", "yes", **KNOWN)], id="as-documented"),
        pytest.param([event({**MO, "from": "+13125550111", "to": ADDRESS})], [mo("+13125550111", "yes", **KNOWN)],
                     id="with-plus"),
        pytest.param([event({name[0].upper() + name[1:]: one for name, one in MO.items()})],
                     [mo("+13125550111", "yes", **KNOWN)], id="older-names"),
        pytest.param([event({**MO, "receivedTimestamp": "2024-05-02T10:00:00.3212345+00:00"})],
                     [mo("+13125550111", "yes", external_id="Incoming_1", received_at=1_714_644_000_321)],
                     id="seven-digits"),
        pytest.param([event({**MO, "message": ""})], [mo("+13125550111", "", **KNOWN)], id="empty-text"),
        pytest.param([event({**MO, "message": "Ünï 😀\x00"})], [mo("+13125550111", "Ünï 😀", **KNOWN)], id="unicode"),
        pytest.param([event({**MO, "from": "40404"})], [mo("40404", "yes", **KNOWN)], id="short-code"),
        pytest.param([event(MO), event({}, "Microsoft.Other"), event({**MO, "to": "18445550123"})],
                     [mo("+13125550111", "yes", **KNOWN)], id="among-others"),
    ],
)  # fmt: skip
def test_messages(action: str, events: list[Any], expected: list[Incoming]) -> None:
    reply = make("ACS", address=ADDRESS).receive(receive(*events, action=action))
    assert (reply.status, list(reply.events)) == (200, expected)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(receive(), id="nothing"),
        pytest.param(receive(event({**MO, "to": "18445550123"})), id="for-another-number"),
        pytest.param(receive(event({}, "Microsoft.Communication.ChatMessageReceived")), id="another-event"),
        pytest.param(receive({}), id="no-type"),
        pytest.param(receive(report(deliveryStatus="Pending")), id="another-status"),
    ],
)
def test_ignored(asked: Request) -> None:
    reply = make("ACS", address=ADDRESS).receive(asked)
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(receive(event(without(MO, name))), f"field '[0].data.{name}' required", id=f"no-{name}")
          for name in ("messageId", "from", "to", "message", "receivedTimestamp")],
        pytest.param(receive(event({**MO, "receivedTimestamp": "soon"})), "invalid date", id="bad-date"),
        pytest.param(receive(event(MO), event({**MO, "from": "Acme"})), "not a possible number", id="one-bad-sender"),
        pytest.param(receive(event([])), "data' must be an object", id="wrong-type"),
        pytest.param(receive(report(messageId=None)), "external id", id="report-no-id"),
        pytest.param(request("ACS", "receive", Json({})), "must be an array", id="object"),
        pytest.param(request("ACS", "receive", b"["), "unable to parse request JSON", id="no-json"),
        pytest.param(receive(event({}, "Microsoft.EventGrid.SubscriptionValidationEvent")),
                     "field '[0].data.validationCode' required", id="validation-without-code"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("ACS", address=ADDRESS).receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("action", ["receive", "status"])
@pytest.mark.parametrize(("raw", "expected"), [("Delivered", "delivered"), ("Failed", "failed")])
def test_statuses(action: str, raw: str, expected: str) -> None:
    reply = make("ACS").receive(receive(report(deliveryStatus=raw, deliveryStatusDetails="Why"), action=action))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.destination, update.reason) == ("Outgoing_1", "13125550111", "Why")


def test_the_subscription_is_validated() -> None:
    """With exactly 200 and the code, and only for who knows the token."""
    asked = event({"validationCode": "512d38b6-<&>"}, "Microsoft.EventGrid.SubscriptionValidationEvent")
    channel = make("ACS", secret="s3")
    reply = channel.receive(receive(asked, query="token=s3"))
    assert (reply.status, reply.content_type, reply.events) == (200, "application/json", ())
    assert json.loads(reply.body) == {"validationResponse": "512d38b6-<&>"}
    assert channel.receive(receive(asked, query="token=s4")).status == 401


# --- sending --------------------------------------------------------------------------------------------------------


def test_request() -> None:
    done = offer("ACS", id=8812, text="Hi ✓", address=ADDRESS, attachments=["image/jpeg:https://x.org/a.jpg"])
    body = json.loads(done.request.body)
    recipient = body["smsRecipients"][0]
    assert uuid.UUID(recipient.pop("repeatabilityRequestId"))
    assert recipient.pop("repeatabilityFirstSent") == done.request.headers["x-ms-date"]
    assert body == {
        "from": ADDRESS, "smsRecipients": [{"to": "+254700111222"}], "message": "Hi ✓\nhttps://x.org/a.jpg",
        "smsSendOptions": {"enableDeliveryReport": True, "tag": "8812"},
    }  # fmt: skip
    assert (done.request.headers["Accept"], done.request.headers["Content-Type"]) == ("application/json",) * 2


@pytest.mark.parametrize(
    ("base_url", "host", "path"),
    [
        ("https://contoso.communication.azure.com", "contoso.communication.azure.com", "/sms"),
        ("https://Contoso.communication.azure.com:8443/a/", "contoso.communication.azure.com:8443", "/a/sms"),
    ],
)
def test_the_signature_covers_what_is_sent(base_url: str, host: str, path: str) -> None:
    url = base_url.rstrip("/").lower() + "/sms?api-version=2021-03-07"
    done = offer("ACS", config={"base_url": base_url}, url=url)
    headers = done.request.headers
    digest = base64.b64encode(hashlib.sha256(done.request.body).digest()).decode()
    assert headers["x-ms-content-sha256"] == digest
    assert parsedate_to_datetime(headers["x-ms-date"]).utcoffset() is not None
    assert headers["x-ms-date"].endswith(" GMT")
    signed = f"POST\n{path}?api-version=2021-03-07\n{headers['x-ms-date']};{host};{digest}"
    expected = base64.b64encode(hmac.digest(KEY, signed.encode(), "sha256")).decode()
    assert headers["Authorization"] == (
        f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={expected}"
    )
    assert done.request.path_url == f"{path}?api-version=2021-03-07"


def test_dates() -> None:
    assert http_date(1_714_644_000_999) == "Thu, 02 May 2024 10:00:00 GMT"


def names(**fields: Any) -> list[str]:
    calls = offer("ACS", text="word " * 400, **fields).calls
    assert max(len(json.loads(call.body)["message"]) for call in calls) <= 1600
    return [json.loads(call.body)["smsRecipients"][0]["repeatabilityRequestId"] for call in calls]


def test_repeated_requests_have_the_same_id_and_others_another() -> None:
    assert names() == names()
    assert len({*names(), *names(generation=2), *names(id=MESSAGE[:-1] + "6")}) == 6


def test_a_key_that_is_none_is_the_accounts_trouble() -> None:
    done = offer("ACS", config={"api_key": "not Base64!"})
    assert isinstance(done.outcome, ChannelDown)
    assert done.outcome.credentials
    assert not done.calls


def refused(status: Any) -> dict[str, Any]:
    return value(successful=False, httpStatusCode=status, errorMessage="no", messageId=None)


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param(refused(400), Permanent, "400", id="refused-within-a-202"),
        pytest.param(refused(404), Permanent, "404", id="not-found"),
        pytest.param(refused(429), Throttled, "429", id="throttled"),
        pytest.param(refused(503), Temporary, "503", id="server-error"),
        pytest.param(refused(401), ChannelDown, "401", id="credentials"),
        pytest.param(refused(202), Permanent, "202", id="not-successful-and-no-reason"),
        pytest.param(refused(None), Permanent, "", id="no-status"),
        pytest.param(value(successful="true"), Permanent, "202", id="text-is-not-true"),
        pytest.param(value(messageId=None), Permanent, "", id="no-id"),
        pytest.param({"value": []}, Permanent, "", id="nothing"),
        pytest.param("ok", Permanent, "", id="no-json"),
    ],
)
def test_answers(answer: Any, expected: type[NotAccepted], code: str) -> None:
    outcome = offer("ACS", (202, answer), headers={"Retry-After": "9"}).outcome
    assert isinstance(outcome, NotAccepted)
    assert (type(outcome), outcome.code) == (expected, code)
    if isinstance(outcome, Throttled):
        assert outcome.retry_after == 9


def test_accepted() -> None:
    assert offer("ACS", (202, value(httpStatusCode=None))).outcomes == [Accepted("Outgoing_1_noam")]
