"""thinQ: https://apidocs.thinq.com/"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import Sample, make, mo, multipart, offer, request, told, without

MMS = "https://api.thinq.com/account/10021/product/origination/mms/send"
SMS = "https://api.thinq.com/account/10021/product/origination/sms/send"
SAMPLE = Sample(
    code="TQ",
    config={"account_id": "10021", "api_token_user": "acme", "api_token": "tok-1&23"},
    url=SMS,
    answer=(200, {"guid": "g-1"}),
    external_id="g-1",
    also=(("POST", MMS, 200, {"guid": "g-mms"}),),
)
MO = {"from": "2065550142", "to": "2065550199", "type": "sms", "message": "Hello"}


def receive(**changes: str) -> Request:
    return request("TQ", "receive", {**MO, **changes})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+12065550142", "Hello"), id="as-documented"),
        pytest.param(receive(**{"from": "12065550142"}), mo("+12065550142", "Hello"), id="11-digits"),
        pytest.param(receive(message="Ünï 😀"), mo("+12065550142", "Ünï 😀"), id="unicode"),
        pytest.param(request("TQ", "receive", without(MO, "message")), mo("+12065550142", ""), id="no-text"),
        pytest.param(receive(type="mms", message="https://m.example.com/p1.jpg"),
                     mo("+12065550142", "", attachments=("https://m.example.com/p1.jpg",)), id="mms"),
        pytest.param(request("TQ", "receive", multipart(MO)[0], headers=multipart(MO)[1]), mo("+12065550142", "Hello"),
                     id="multipart"),
        pytest.param(receive(**{"from": "40404"}), mo("40404", "Hello"), id="short-code"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("TQ", country="US").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted"')


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(request("TQ", "receive", without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in ("from", "to", "type")],
        pytest.param(receive(type="SMS"), "field 'type' must be sms or mms", id="other-type"),
        pytest.param(receive(type="mms", message="/9j/4AAQSkZJRg=="), "inbound attachment type to URL",
                     id="mms-with-the-file-itself"),
        pytest.param(receive(**{"from": "Acme"}), "not a possible number", id="bad-sender"),
        pytest.param(request("TQ", "status", {"status": "DELIVRD"}), "field 'guid' required", id="status-no-id"),
        pytest.param(request("TQ", "status", {"guid": "1"}), "field 'status' required", id="status-no-status"),
        pytest.param(request("TQ", "status", {"guid": "1", "status": "delivrd"}), "unknown status", id="status-case"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("TQ", country="US").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


DLR = {"guid": "g-1", "account_id": "10021", "source_did": "2065550199", "destination_did": "2065550142",
       "send_status": "delivered", "error": "000"}  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("DELIVRD", "delivered"), ("EXPIRED", "failed"), ("DELETED", "failed"), ("UNDELIV", "failed"),
     ("UNKNOWN", "failed"), ("REJECTD", "failed")],
)  # fmt: skip
@pytest.mark.parametrize("in_parts", [False, True])
def test_statuses(raw: str, expected: str, in_parts: bool) -> None:
    data = {**DLR, "status": raw}
    body, headers = multipart(data)
    asked = request("TQ", "status", body, headers=headers) if in_parts else request("TQ", "status", data)
    reply = make("TQ").receive(asked)
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.destination, update.reason) == ("g-1", "2065550142", "delivered")


def test_an_expired_message_can_be_left_alone() -> None:
    reply = make("TQ", retry_errored=True).receive(request("TQ", "status", {**DLR, "status": "EXPIRED"}))
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


def test_request() -> None:
    done = offer("TQ", text="Hello ✓", to="+12065550142", address="+12065550199")
    assert json.loads(done.request.body) == {"from_did": "2065550199", "to_did": "2065550142", "message": "Hello ✓"}
    assert done.request.headers["Authorization"] == "Basic YWNtZTp0b2stMSYyMw=="
    assert done.request.headers["Accept"] == "application/json"


@pytest.mark.parametrize(
    ("number", "expected"),
    [("+12065550142", "2065550142"), ("12065550142", "2065550142"), ("20990", "20990"),
     ("+250788112233", "250788112233"), ("1234", "1234")],
)  # fmt: skip
def test_numbers(number: str, expected: str) -> None:
    assert json.loads(offer("TQ", to=number).request.body)["to_did"] == expected


def test_files_go_first_and_by_themselves() -> None:
    files = ["image/jpeg:https://x.org/a b\r\nc?d=é", "video/mp4:https://x.org/b"]
    done = offer("TQ", text="word " * 400, attachments=files, to="+12065550142", address="+12065550199")
    assert [call.url for call in done.calls] == [MMS, MMS, SMS, SMS]
    assert done.outcomes == [Accepted("g-mms"), Accepted("g-mms"), Accepted("g-1"), Accepted("g-1")]
    assert max(len(json.loads(call.body)["message"]) for call in done.calls[2:]) <= 1600
    first, second = done.calls[:2]
    assert first.headers["Content-Type"] != second.headers["Content-Type"]
    headers = {"content-type": first.headers["Content-Type"]}
    form = request("TQ", "receive", first.body, headers=headers).form()
    assert dict(form.items()) == {
        "from_did": "2065550199",
        "to_did": "2065550142",
        "media_url": "https://x.org/a bc?d=é",
    }


def test_a_file_without_text_is_one_request() -> None:
    done = offer("TQ", text="", attachments=["image/jpeg:https://x.org/a"])
    assert [call.url for call in done.calls] == [MMS]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param({"guid": 10021}, Accepted, id="id-as-number"),
        pytest.param({"guid": ""}, Permanent, id="empty-id"),
        pytest.param({"message": "no"}, Permanent, id="no-id"),
        pytest.param("ok", Permanent, id="no-json"),
    ],
)
def test_answers(answer: Any, expected: type[Accepted | NotAccepted]) -> None:
    assert type(offer("TQ", (200, answer)).outcome) is expected
