"""Vonage's Messages API."""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import MESSAGE, NOW, UUID, Json, Sample, jwt, make, mo, offer, request, told, without

SECRET = "signature secret"


def signed(asked: Request, key: str = SECRET, **claims: Any) -> Request:
    """As Vonage signs; a claim of None is left out."""
    values = {"iat": NOW // 1000, "iss": "Vonage", "payload_hash": hashlib.sha256(asked.body).hexdigest(), **claims}
    kept = {name: value for name, value in values.items() if value is not None}
    return dataclasses.replace(asked, headers={**asked.headers, "authorization": (f"Bearer {jwt(kept, key)}",)})


SAMPLE = Sample(
    code="VMS",
    config={"api_key": "k1", "api_secret": "s-1&23 é", "secret": SECRET},
    url="https://api.nexmo.com/v1/messages",
    answer=(202, {"message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ac"}),
    external_id="aaaaaaaa-bbbb-4ccc-8ddd-0123456789ac",
    sign=signed,
)
MO: dict[str, Any] = {
    "message_uuid": "m-1", "to": "20990", "from": "447700900111", "timestamp": "2024-05-02T10:00:00Z",
    "channel": "sms", "message_type": "text", "text": "yes", "sms": {"num_messages": "1"},
}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "m-1", "received_at": 1_714_644_000_000}
REPORT: dict[str, Any] = {
    "message_uuid": "m-2", "to": "447700900111", "from": "20990", "timestamp": "2024-05-02T10:00:09Z",
    "status": "delivered", "channel": "sms", "client_ref": MESSAGE,
}  # fmt: skip


def receive(data: dict[str, Any] | None = None, **changes: Any) -> Request:
    return signed(request("VMS", "receive", Json({**(data or MO), **changes})))


def status(data: dict[str, Any] | None = None, **changes: Any) -> Request:
    return signed(request("VMS", "status", Json({**(data or REPORT), **changes})))


def media(kind: str, **fields: str) -> Request:
    return receive({**without(MO, "text"), "message_type": kind, "channel": "mms", kind: fields})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+447700900111", "yes", **KNOWN), id="as-documented"),
        pytest.param(receive(text="Ünï 😀\x00"), mo("+447700900111", "Ünï 😀", **KNOWN), id="unicode"),
        pytest.param(receive(without(MO, "text")), mo("+447700900111", "", **KNOWN), id="no-text"),
        pytest.param(receive({**MO, "from": "40404"}), mo("40404", "yes", **KNOWN), id="short-code"),
        *[pytest.param(media(kind, url="https://x.org/a"),
                       mo("+447700900111", "", attachments=("https://x.org/a",), **KNOWN), id=kind)
          for kind in ("image", "audio", "video", "file", "vcard")],
        pytest.param(media("image", url="https://x.org/a", caption="Look"),
                     mo("+447700900111", "Look", attachments=("https://x.org/a",), **KNOWN), id="caption"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("VMS").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(receive(without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in ("message_uuid", "to", "from", "timestamp", "channel", "message_type")],
        pytest.param(receive(timestamp="yesterday"), "invalid date", id="bad-date"),
        pytest.param(receive({**MO, "from": "Acme"}), "not a possible number", id="bad-sender"),
        pytest.param(receive({**MO, "from": {"type": "sms"}}), "field 'from' must be a string", id="beta"),
        pytest.param(receive(message_type="image", image="x"), "field 'image' must be an object", id="bad-media"),
        pytest.param(status(without(REPORT, "message_uuid")), "field 'message_uuid' required", id="report-no-id"),
        pytest.param(status(without(REPORT, "status")), "field 'status' required", id="report-no-status"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("VMS").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(receive(channel="whatsapp"), "'whatsapp'", id="another-channel"),
        pytest.param(receive(to="447700900999"), "another number", id="another-number"),
        pytest.param(receive(message_type="location"), "'location'", id="nothing-to-hand-on"),
        pytest.param(status(status="clicked"), "'clicked'", id="another-status"),
    ],
)
def test_ignored(asked: Request, why: str) -> None:
    reply = make("VMS").receive(asked)
    assert (reply.status, reply.kind, reply.events) == (200, "ignored", ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("submitted", "sent"), ("delivered", "delivered"), ("read", "delivered"), ("rejected", "failed"),
     ("undeliverable", "failed")],
)  # fmt: skip
def test_statuses(raw: str, expected: str) -> None:
    reply = make("VMS").receive(status(status=raw))
    assert (reply.status, told(reply)) == (200, [expected])


def test_what_a_report_says() -> None:
    error = {"type": "https://developer.vonage.com/api-errors/messages#1050", "title": 1050, "detail": "Barred"}
    (update,) = make("VMS").receive(status(status="rejected", error=error)).events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.destination, update.code, update.reason, update.at) == (
        "m-2", "447700900111", "1050", "Barred", 1_714_644_009_000,
    )  # fmt: skip
    (update,) = make("VMS").receive(status(timestamp="soon")).events
    assert isinstance(update, StatusUpdate)
    assert update.at is None


@pytest.mark.parametrize(
    ("reference", "expected"),
    [(MESSAGE, (MESSAGE, 0)), (MESSAGE + ".2", (MESSAGE, 1)), (MESSAGE + "~2", ("", None)), ("theirs", ("", None))],
)
def test_our_reference_names_the_message_too(reference: str, expected: tuple[str, int | None]) -> None:
    (update,) = make("VMS").receive(status(client_ref=reference)).events
    assert isinstance(update, StatusUpdate)
    assert ((update.id, update.part), update.external_id) == (expected, "m-2")


# --- signatures -----------------------------------------------------------------------------------------------------

UNSIGNED = request("VMS", "receive", Json(MO))


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param(signed(UNSIGNED), 200, id="good"),
        pytest.param(signed(UNSIGNED, payload_hash=None), 200, id="no-hash"),
        pytest.param(signed(UNSIGNED, iat=NOW // 1000 - 86_000), 200, id="sent-again"),
        pytest.param(UNSIGNED, 401, id="missing"),
        pytest.param(signed(UNSIGNED, key="another"), 401, id="wrong-key"),
        pytest.param(signed(UNSIGNED, payload_hash="0" * 64), 401, id="another-body"),
        pytest.param(signed(UNSIGNED, iat=None), 401, id="no-iat"),
        pytest.param(signed(UNSIGNED, iat=NOW // 1000 - 90_000), 401, id="replayed"),
        pytest.param(signed(UNSIGNED, iat=NOW // 1000 + 90_000), 401, id="from-the-future"),
        pytest.param(signed(UNSIGNED, exp=NOW // 1000 - 90), 401, id="expired"),
        pytest.param(dataclasses.replace(UNSIGNED, headers={"authorization": ("Bearer a.b",)}), 401, id="no-token"),
    ],
)
def test_signatures(asked: Request, code: int) -> None:
    assert make("VMS").receive(asked).status == code


def test_without_a_secret_nothing_is_checked() -> None:
    assert make("VMS", secret=None).receive(UNSIGNED).status == 200


# --- sending --------------------------------------------------------------------------------------------------------


def test_request() -> None:
    done = offer("VMS", text="Hi ✓", address="+447700900222", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert json.loads(done.request.body) == {
        "channel": "sms", "message_type": "text", "to": "254700111222", "from": "447700900222",
        "text": "Hi ✓\nhttps://x.org/a.jpg", "client_ref": MESSAGE, "webhook_version": "v1",
        "webhook_url": f"https://sms.example.org/c/vms/{UUID}/status",
    }  # fmt: skip
    assert done.request.headers["Authorization"] == "Basic " + base64.b64encode("k1:s-1&23 é".encode()).decode()


def test_another_region() -> None:
    url = "https://api-eu.vonage.com/v1/messages"
    assert offer("VMS", config={"base_url": "https://api-eu.vonage.com/"}, url=url).outcomes == [
        Accepted(SAMPLE.external_id)
    ]


def test_a_long_id_is_no_reference() -> None:
    assert "client_ref" not in json.loads(offer("VMS", id="x" * 101).request.body)


def test_media() -> None:
    files = ["image/png:https://x/a", "text/vcard:https://x/b", "application/pdf:https://x/c", "Video/MP4:https://x/d"]
    done = offer("VMS", config={"mms": True}, text="Look", attachments=files)
    assert done.outcomes == [Accepted(SAMPLE.external_id)] * 5
    bodies = [json.loads(call.body) for call in done.calls]
    assert [(body["channel"], body["message_type"], body[body["message_type"]]) for body in bodies] == [
        ("mms", "image", {"url": "https://x/a"}), ("mms", "vcard", {"url": "https://x/b"}),
        ("sms", "text", "https://x/c"), ("mms", "video", {"url": "https://x/d"}), ("sms", "text", "Look"),
    ]  # fmt: skip
    assert [body["client_ref"] for body in bodies][:2] == [MESSAGE, MESSAGE + ".2"]


@functools.cache
def application_key() -> str:
    return subprocess.run(["openssl", "genpkey", "-algorithm", "RSA"], capture_output=True, check=True).stdout.decode()


JWT = {"api_key": None, "api_secret": None, "application_id": "app-1"}


def test_an_applications_token() -> None:
    done = offer("VMS", config={**JWT, "private_key": application_key()}, text="word " * 400)
    tokens = [call.headers["Authorization"].removeprefix("Bearer ") for call in done.calls]
    claims = [json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==")) for token in tokens]
    assert [one["application_id"] for one in claims] == ["app-1"] * 2
    assert [one["exp"] - one["iat"] for one in claims] == [900, 900]
    assert claims[0]["jti"] != claims[1]["jti"]
    head, _, signature = tokens[0].rpartition(".")
    with tempfile.TemporaryDirectory() as directory:
        key, file = Path(directory) / "key", Path(directory) / "signature"
        key.write_text(application_key())
        file.write_bytes(base64.urlsafe_b64decode(signature + "=="))
        command = ["openssl", "dgst", "-sha256", "-prverify", str(key), "-signature", str(file)]
        assert subprocess.run(command, input=head.encode(), capture_output=True).returncode == 0
    assert tokens[0] not in json.dumps(done.http.exchanges)


def test_a_key_that_is_none() -> None:
    done = offer("VMS", config={**JWT, "private_key": "hush-hush"})
    assert isinstance(done.outcome, ChannelDown)
    assert (str(done.outcome), done.outcome.credentials) == ("private_key: not a private key in PEM", True)
    assert done.calls == []


@pytest.mark.parametrize(
    "config", [{"api_key": None}, {"api_secret": None}, {**JWT, "private_key": None}, {**JWT, "application_id": ""}]
)
def test_one_kind_of_credentials_is_needed(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="application_id and private_key are needed, or api_key and api_secret"):
        make("VMS", **config)


def problem(code: str) -> dict[str, Any]:
    return {"type": f"https://developer.vonage.com/api-errors/messages#{code}", "title": "t", "detail": "d"}


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((202, {}), Permanent, "", id="no-id"),
        pytest.param((422, problem("1120")), Permanent, "1120", id="illegal-sender"),
        pytest.param((422, problem("1050")), Permanent, "1050", id="barred"),
        pytest.param((422, problem("1000")), Throttled, "1000", id="throttled-by-code"),
        pytest.param((429, problem("1001")), Throttled, "1001", id="throttled-by-status"),
        pytest.param((422, problem("1030")), Temporary, "1030", id="internal-error"),
        pytest.param((422, problem("1100")), Temporary, "1100", id="communication-failed"),
        pytest.param((500, problem("1000")), Throttled, "1000", id="code-before-status"),
        pytest.param((503, problem("1200")), Temporary, "1200", id="status-5xx"),
        pytest.param((422, problem("1070")), ChannelDown, "1070", id="quota"),
        pytest.param((402, problem("1070")), ChannelDown, "402", id="payment"),
        pytest.param((401, {"type": "https://x#UNAUTHORIZED"}), ChannelDown, "401", id="credentials"),
        pytest.param((422, {"type": "https://x"}), Permanent, "422", id="no-code"),
    ],
)  # fmt: skip
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted], code: str) -> None:
    outcome = offer("VMS", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
