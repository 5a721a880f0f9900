"""JustCall: https://developer.justcall.io/"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import UUID, Json, Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="JCL",
    config={"api_key": "key-1&23", "secret": "sec/4=5"},
    url="https://api.justcall.io/v1/texts/new",
    answer=(200, {"status": "success", "message": "Text sent", "id": 30112299}),
    external_id="30112299",
)
MO: dict[str, Any] = {
    "type": "sms", "direction": "I", "justcall_number": "15550001111", "contact_name": "Customer 2",
    "contact_number": "+15557654321", "content": "On my way", "signature": "5d0c", "datetime": "2024-06-11 08:15:02",
    "delivery_status": "received", "requestid": "88120", "messageid": 30112233, "is_mms": "0", "mms": [],
}  # fmt: skip
DLR: dict[str, Any] = {**MO, "direction": "O", "messageid": 30112299, "delivery_status": "delivered"}
KNOWN: dict[str, Any] = {"external_id": "30112233", "received_at": 1_718_093_702_000}


def ask(action: str, data: Any) -> Request:
    return request("JCL", action, Json({"data": data}))


def media(*urls: str | None) -> list[dict[str, Any]]:
    return [{"media_url": url, "content_type": "image/jpeg"} for url in urls]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, mo("+15557654321", "On my way", **KNOWN), id="as-documented"),
        pytest.param({"datetime": ""}, mo("+15557654321", "On my way", external_id="30112233"), id="no-date"),
        pytest.param({"messageid": None},
                     mo("+15557654321", "On my way", received_at=1_718_093_702_000), id="no-id"),
        pytest.param({"messageid": 2**40}, mo("+15557654321", "On my way", external_id="1099511627776",
                                              received_at=1_718_093_702_000), id="large-id"),
        pytest.param({"content": ""}, mo("+15557654321", "", **KNOWN), id="empty"),
        pytest.param({"content": None}, mo("+15557654321", "", **KNOWN), id="no-text"),
        pytest.param({"content": "Ünï 😀\x00"}, mo("+15557654321", "Ünï 😀", **KNOWN), id="unicode"),
        pytest.param({"content": "a" * 1000}, mo("+15557654321", "a" * 1000, **KNOWN), id="long"),
        pytest.param({"contact_number": "72345"}, mo("72345", "On my way", **KNOWN), id="short-code"),
        pytest.param({"mms": media("https://x/a.jpg", None, "https://x/b.jpg")},
                     mo("+15557654321", "On my way", attachments=("https://x/a.jpg", "https://x/b.jpg"), **KNOWN),
                     id="mms"),
        pytest.param({"mms": None}, mo("+15557654321", "On my way", **KNOWN), id="null-mms"),
    ],
)  # fmt: skip
def test_messages(changes: dict[str, Any], expected: Incoming) -> None:
    reply = make("JCL", country="US").receive(ask("receive", {**MO, **changes}))
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    "asked",
    [
        *[pytest.param(ask("receive", {**MO, name: value}), id=f"receive-{name}-{value}")
          for name, value in (("type", "call"), ("type", None), ("direction", "O"), ("direction", "i"))],
        pytest.param(ask("status", MO), id="status-direction-I"),
        pytest.param(ask("status", {**DLR, "type": "call"}), id="status-of-a-call"),
        pytest.param(ask("receive", None), id="no-data"),
    ],
)  # fmt: skip
def test_ignored(asked: Request) -> None:
    reply = make("JCL").receive(asked)
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(
            ask("receive", without(MO, "contact_number")), "field 'data.contact_number' required", id="sender"
        ),
        pytest.param(ask("receive", {**MO, "datetime": "2024-06-11T08:15:02Z"}), "invalid date", id="bad-date"),
        pytest.param(ask("receive", {**MO, "contact_number": "JustCall"}), "not a possible number", id="alphanumeric"),
        pytest.param(ask("receive", {**MO, "content": 7}), "field 'data.content' must be a string", id="number"),
        pytest.param(ask("receive", {**MO, "messageid": [1]}), "field 'data.messageid' must be", id="id-list"),
        pytest.param(ask("receive", {**MO, "mms": ["x"]}), "must be a list of objects", id="mms-strings"),
        pytest.param(request("JCL", "receive", b"x"), "unable to parse request JSON", id="no-json"),
        pytest.param(ask("status", {**DLR, "delivery_status": "queued"}), "unknown status", id="unknown-status"),
        pytest.param(ask("status", without(DLR, "delivery_status")), "unknown status: ''", id="no-status"),
        pytest.param(ask("status", without(DLR, "messageid")), "external id", id="status-no-id"),
    ],
)
def test_refused(asked: Request, why: str) -> None:
    reply = make("JCL", country="US").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("sent", "sent"), ("delivered", "delivered"), ("undelivered", "failed"), ("failed", "failed")],
)
def test_statuses(raw: str, expected: str) -> None:
    reply = make("JCL").receive(ask("status", {**DLR, "delivery_status": raw}))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.destination) == ("30112299", "+15557654321")


def test_what_is_not_final_can_be_left_alone() -> None:
    reply = make("JCL", retry_errored=True).receive(ask("status", {**DLR, "delivery_status": "undelivered"}))
    assert (reply.status, reply.kind) == (200, "ignored")


# --- signatures -----------------------------------------------------------------------------------------------------

OURS = f"https://sms.example.org/c/jcl/{UUID}/receive"
SIGNED_AT = "2026-02-02 02:40:00"  # the tests' now


def signed(
    key: str = "sec/4=5", url: str = OURS, at: str = SIGNED_AT, kind: str = "sms.received", **headers: str
) -> Request:
    payload = f"{key}|{quote(url, safe='')}|sms.received|{at}"
    given = {"X-JustCall-Signature": hmac.digest(key.encode(), payload.encode(), hashlib.sha256).hex(),
             "X-JustCall-Signature-Version": "v1", "X-JustCall-Request-Timestamp": at, **headers}  # fmt: skip
    return request("JCL", "receive", Json({"type": kind, "webhook_url": url, "data": MO}), headers=given)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        pytest.param(signed(), 200, id="good"),
        pytest.param(signed(at="2026-02-01 20:40:00"), 200, id="hours-ago"),
        pytest.param(signed("other"), 401, id="other-key"),
        pytest.param(signed(url="https://sms.example.org/c/jcl/other/receive"), 401, id="other-url"),
        pytest.param(signed(kind="sms.deleted"), 401, id="other-type"),
        pytest.param(signed(at="2026-01-31 02:00:00"), 401, id="replayed"),
        pytest.param(signed(at="yesterday"), 401, id="no-date"),
        pytest.param(signed(**{"X-JustCall-Request-Timestamp": "2026-02-02 02:40:01"}), 401, id="other-time"),
        pytest.param(signed(**{"X-JustCall-Signature": ""}), 401, id="missing"),
        pytest.param(ask("receive", MO), 401, id="unsigned"),
        pytest.param(ask("status", DLR), 401, id="unsigned-report"),
    ],
)
def test_signatures_can_be_asked_for(asked: Request, status: int) -> None:
    assert make("JCL", country="US", verify_signature=True).receive(asked).status == status


def test_the_signature_in_justcalls_documentation() -> None:
    headers = {
        "x-justcall-signature": "56761bae5b27a784a3ddd2af828bc5def7176bc0a8650199b04c737bd39bbecf",
        "x-justcall-request-timestamp": "2024-03-21 17:08:22",
    }
    asked = request("JCL", "receive", Json({"type": "call.completed", "data": {}}), headers=headers)
    asked = replace(
        asked, url="https://webhook.site/3bcea770-370a-4b09-8b66-426f687e08a4", received_at=1_711_040_902_000
    )
    channel = make("JCL", secret="ea39089c40790e9dc7a080ec95e849b8fa0fa5fb", verify_signature=True)
    assert channel.receive(asked).kind == "ignored"


def test_a_proxy_may_change_the_host() -> None:
    asked = signed(url=f"https://hooks.example.net/c/jcl/{UUID}/receive")
    channel = make("JCL", country="US", verify_signature=True, callback_domain="hooks.example.net")
    assert channel.receive(asked).status == 200


# --- sending --------------------------------------------------------------------------------------------------------

FILES = [f"image/jpeg:https://x.org/{number}.jpg" for number in range(6)]
LINKS = [file.removeprefix("image/jpeg:") for file in FILES]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param([], {"body": "Hello ✓"}, id="text"),
        pytest.param(FILES[:1], {"body": "Hello ✓", "media_url": LINKS[0]}, id="one"),
        pytest.param(FILES[:5], {"body": "Hello ✓", "media_url": ",".join(LINKS[:5])}, id="five"),
        pytest.param(FILES, {"body": "\n".join(["Hello ✓", *LINKS])}, id="six-are-links"),
        pytest.param(
            [FILES[0], "image/png:https://x/a,b"], {"body": f"Hello ✓\n{LINKS[0]}\nhttps://x/a,b"}, id="comma"
        ),
    ],
)
def test_request(files: list[str], expected: dict[str, str]) -> None:
    done = offer("JCL", text="Hello ✓", address="15550001111", attachments=files)
    assert json.loads(done.request.body) == {"from": "15550001111", "to": "+254700111222", **expected}
    headers = done.request.headers
    assert headers["Authorization"] == "key-1&23:sec/4=5"
    assert (headers["Content-Type"], headers["Accept"]) == ("application/json", "application/json")


def test_a_long_text_is_one_request() -> None:
    done = offer("JCL", text="word " * 400, config={"max_length": 100})
    assert done.outcomes == [Accepted("30112299")]
    assert json.loads(done.request.body)["body"] == "word " * 400


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"status": "success"}), Accepted, None, id="no-id-is-accepted"),
        pytest.param((200, {"status": "fail", "message": "no"}), Permanent, "fail", id="refused-with-200"),
        pytest.param((200, {"id": 7}), Permanent, "", id="no-status"),
        pytest.param((200, "ok"), Permanent, "", id="no-json"),
        pytest.param((400, {"status": "fail"}), Permanent, "400", id="refused"),
        pytest.param((401, {"status": "fail"}), ChannelDown, "401", id="credentials"),
        pytest.param((429, ""), Throttled, "429", id="throttled"),
        pytest.param((500, ""), Temporary, "500", id="server-error"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("JCL", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
