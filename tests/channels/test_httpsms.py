"""httpSMS: https://docs.httpsms.com"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, Status, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import MESSAGE, NOW, UUID, Json, Sample, jwt, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="HSM",
    config={"api_key": "k-1&23"},
    url="https://api.httpsms.com/v1/messages/send",
    answer=(200, {"status": "success", "data": {"id": "32343a19", "status": "pending", "request_id": MESSAGE}}),
    external_id="32343a19",
)
PHONE = "+237699111222"
MO = {"message_id": "5a1c", "user_id": "u1", "owner": PHONE, "encrypted": False, "contact": "+237677333444",
      "timestamp": "2024-05-02T10:00:00Z", "content": "oui", "sim": "SIM1", "attachments": None}  # fmt: skip
DLR = {"id": "3234", "request_id": MESSAGE, "owner": PHONE, "contact": "+237677333444",
       "timestamp": "2024-05-02T10:00:00Z"}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "5a1c", "received_at": 1_714_644_000_000}
RECEIVED = "message.phone.received"
KEY = "signing-key"
SECONDS = NOW // 1000
CLAIMS = {"iss": "api.httpsms.com", "aud": [f"https://sms.example.org/c/hsm/{UUID}/receive"], "sub": "u1",
          "iat": SECONDS - 5, "nbf": SECONDS - 605, "exp": SECONDS + 595}  # fmt: skip


def event(kind: str, data: Any, action: str = "receive", **headers: str) -> Request:
    envelope = {"specversion": "1.0", "id": "2f1c", "source": "/v1/x", "type": kind, "time": "2024-05-02T10:00:00Z",
                "datacontenttype": "application/json", "data": data}  # fmt: skip
    return request("HSM", action, Json(envelope), headers=headers)


def receive(**changes: Any) -> Request:
    return event(RECEIVED, {**MO, **changes})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+237677333444", "oui", **KNOWN), id="as-documented"),
        pytest.param(event(RECEIVED, MO, "status"), mo("+237677333444", "oui", **KNOWN), id="other-path"),
        pytest.param(receive(owner="237699111222"), mo("+237677333444", "oui", **KNOWN), id="ours-without-plus"),
        pytest.param(receive(content="Ünï 😀\x00"), mo("+237677333444", "Ünï 😀", **KNOWN), id="unicode"),
        pytest.param(receive(content="a" * 1000), mo("+237677333444", "a" * 1000, **KNOWN), id="long"),
        pytest.param(receive(contact="8080"), mo("8080", "oui", **KNOWN), id="short-code"),
        pytest.param(receive(contact="Orange"), mo("Orange", "oui", **KNOWN), id="alphanumeric"),
        pytest.param(receive(content="", attachments=["https://x/a.jpg", "https://x/b.jpg"]),
                     mo("+237677333444", "", attachments=("https://x/a.jpg", "https://x/b.jpg"), **KNOWN), id="mms"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("HSM", PHONE, country="CM").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(receive(owner="+237699999999"), id="another-phone"),
        pytest.param(receive(encrypted=True, content="c2VjcmV0"), id="encrypted"),
        pytest.param(event("phone.heartbeat.online", {}), id="heartbeat"),
        pytest.param(event("message.call.missed", DLR), id="call"),
        pytest.param(event("message.send.expired", {**DLR, "is_final": False}), id="will-be-tried-again"),
        pytest.param(event("message.send.expired", DLR), id="not-said-to-be-final"),
    ],
)
def test_ignored(asked: Request) -> None:
    reply = make("HSM", PHONE).receive(asked)
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[
            pytest.param(event(RECEIVED, without(MO, name)), f"field 'data.{name}' required", id=f"no-{name}")
            for name in ("message_id", "owner", "contact", "content", "timestamp")
        ],
        pytest.param(request("HSM", "receive", Json({"data": MO})), "field 'type' required", id="no-type"),
        pytest.param(receive(timestamp="02.05.2024"), "invalid date", id="bad-date"),
        pytest.param(receive(contact="+2376"), "not a possible number", id="bad-number"),
        pytest.param(receive(attachments=[1]), "must be a list of strings", id="bad-attachments"),
        pytest.param(event(RECEIVED, "x"), "field 'data' must be an object", id="no-object"),
        pytest.param(request("HSM", "receive", b"x"), "unable to parse request JSON", id="no-json"),
        pytest.param(event("message.phone.sent", without(DLR, "id")), "external id", id="status-no-id"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("HSM", PHONE, country="CM").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize("action", ["status", "receive"])
@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("message.phone.sent", {}, "sent"),
        ("message.phone.delivered", {}, "delivered"),
        ("message.send.failed", {"error_message": "GENERIC_FAILURE"}, "failed"),
        ("message.send.expired", {"id": None, "message_id": "3234", "is_final": True}, "failed"),
    ],
)
def test_statuses(action: str, kind: str, changes: dict[str, Any], expected: str) -> None:
    reply = make("HSM", PHONE).receive(event(kind, {**DLR, **changes}, action))
    assert (reply.status, told(reply)) == (200, [expected])
    assert reply.events == (
        StatusUpdate(channel=UUID, status=Status(expected), external_id="3234", destination="+237677333444",
                     at=1_714_644_000_000, code=kind if expected == "failed" else "",
                     reason=changes.get("error_message", "")),
    )  # fmt: skip


# --- signatures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param(CLAIMS, id="as-documented"),
        pytest.param({**CLAIMS, "aud": CLAIMS["aud"][0]}, id="one-audience"),  # type: ignore[index]
        pytest.param({**CLAIMS, "aud": ["https://proxy.example.org/c/hsm/" + UUID + "/receive/"]}, id="another-host"),
    ],
)
def test_good_signatures(claims: dict[str, Any]) -> None:
    asked = event(RECEIVED, MO, Authorization="Bearer " + jwt(claims, KEY))
    assert len(make("HSM", PHONE, secret=KEY).receive(asked).events) == 1


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="none"),
        pytest.param("Bearer x.y.z", id="nonsense"),
        pytest.param("Basic " + jwt(CLAIMS, KEY), id="other-scheme"),
        pytest.param("Bearer " + jwt(CLAIMS, "other"), id="other-key"),
        pytest.param("Bearer " + jwt(CLAIMS, KEY).rpartition(".")[0] + ".", id="unsigned"),
        pytest.param("Bearer " + jwt({**CLAIMS, "exp": SECONDS - 600}, KEY), id="replayed"),
        pytest.param("Bearer " + jwt({**CLAIMS, "nbf": SECONDS + 600}, KEY), id="not-yet"),
        pytest.param("Bearer " + jwt({**CLAIMS, "aud": ["https://x.org/c/hsm/other/receive"]}, KEY), id="other-url"),
        pytest.param("Bearer " + jwt({**CLAIMS, "aud": ["https://[x"]}, KEY), id="no-url"),
        pytest.param("Bearer " + jwt({**CLAIMS, "aud": 7}, KEY), id="odd-audience"),
        pytest.param("Bearer " + jwt(without(CLAIMS, "aud"), KEY), id="no-audience"),
    ],
)
def test_bad_signatures(header: str) -> None:
    for action in ("receive", "status"):
        reply = make("HSM", PHONE, secret=KEY).receive(event(RECEIVED, MO, action, Authorization=header))
        assert (reply.status, reply.kind, reply.events) == (401, "forbidden", ())


# --- sending --------------------------------------------------------------------------------------------------------


def sent(call: Any) -> Any:
    return json.loads(call.body)


def test_request() -> None:
    done = offer("HSM", text="Bonjour ✓", address=PHONE)
    assert sent(done.request) == {"from": PHONE, "to": "+254700111222", "content": "Bonjour ✓", "request_id": MESSAGE}
    assert done.request.headers["x-api-key"] == "k-1&23"
    assert done.request.headers["Content-Type"] == "application/json"


def test_mms() -> None:
    links = [f"https://x.org/{number}.jpg" for number in range(11)]
    files = [f"image/jpeg:{link}" for link in links]
    assert sent(offer("HSM", attachments=files[:10]).request)["attachments"] == links[:10]
    eleven = sent(offer("HSM", attachments=files).request)
    assert (eleven["content"], "attachments" in eleven) == ("\n".join(["Hello", *links]), False)
    alone = sent(offer("HSM", text="", attachments=files[:1]).request)
    assert (alone["content"], "attachments" in alone) == (links[0], False)


def test_each_part_is_named() -> None:
    done = offer(
        "HSM",
        text="word " * 400,
        generation=2,
        attachments=["image/jpeg:https://x.org/a.jpg"],
        config={"base_url": "https://h.example.org/"},
        url="https://h.example.org/v1/messages/send",
    )
    assert done.outcomes == [Accepted("32343a19")] * 2
    bodies = [sent(call) for call in done.calls]
    assert [body["request_id"] for body in bodies] == [f"{MESSAGE}~2", f"{MESSAGE}.2~2"]
    assert ["attachments" in body for body in bodies] == [True, False]
    assert max(len(body["content"]) for body in bodies) <= 1600


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"status": "success"}), Permanent, "", id="no-id"),
        pytest.param((200, "ok"), Permanent, "", id="no-json"),
        pytest.param((400, {"status": "error"}), Permanent, "400", id="refused"),
        pytest.param((401, {"status": "error"}), ChannelDown, "401", id="key"),
        pytest.param((402, {"status": "error"}), ChannelDown, "402", id="plan"),
        pytest.param((422, {"status": "error", "data": {"to": ["bad"]}}), Permanent, "422", id="validation"),
        pytest.param((429, ""), Throttled, "429", id="throttled"),
        pytest.param((500, ""), Temporary, "500", id="server-error"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[NotAccepted], code: str) -> None:
    outcome = offer("HSM", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
