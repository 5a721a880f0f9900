"""46elks: https://46elks.com/docs"""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import UUID, Sample, make, mo, offer, request, told, without

SAMPLE = Sample(
    code="ELK",
    config={"username": "u1234", "password": "pw-1&23"},
    url="https://api.46elks.com/a1/sms",
    answer=(200, {"status": "created", "direction": "outgoing", "parts": 1, "cost": 3900, "id": "s0231"}),
    external_id="s0231",
)
MO = {"direction": "incoming", "id": "sf84", "from": "+46701112233", "to": "+46766860022",
      "created": "2024-05-02T10:00:00.741000", "message": "ja"}  # fmt: skip
KNOWN: dict[str, Any] = {"external_id": "sf84", "received_at": 1_714_644_000_741}
IMAGES = ["https://api.46elks.com/a1/i1.jpg", "https://api.46elks.com/a1/i2.png"]


def receive(**changes: str) -> Request:
    return request("ELK", "receive", {**MO, **changes})


def report(**values: str) -> Request:
    return request("ELK", "status", {"id": "s0231", **values})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+46701112233", "ja", **KNOWN), id="as-documented"),
        pytest.param(receive(created="2024-05-02T10:00:00"),
                     mo("+46701112233", "ja", external_id="sf84", received_at=1_714_644_000_000), id="no-fraction"),
        pytest.param(request("ELK", "receive", without(MO, "created")),
                     mo("+46701112233", "ja", external_id="sf84"), id="no-date"),
        pytest.param(receive(message="Räksmörgås 😀\x00"), mo("+46701112233", "Räksmörgås 😀", **KNOWN), id="unicode"),
        pytest.param(receive(message=""), mo("+46701112233", "", **KNOWN), id="empty"),
        pytest.param(receive(message="a" * 1000), mo("+46701112233", "a" * 1000, **KNOWN), id="long"),
        pytest.param(receive(image=IMAGES[0], image2=IMAGES[1], imagery="x"),
                     mo("+46701112233", "ja", attachments=tuple(IMAGES), **KNOWN), id="mms"),
        pytest.param(request("ELK", "receive", {**without(MO, "message"), "image": IMAGES[0]}),
                     mo("+46701112233", "", attachments=(IMAGES[0],), **KNOWN), id="mms-without-text"),
        pytest.param(receive(**{"from": "Acme"}), mo("Acme", "ja", **KNOWN), id="alphanumeric"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("ELK", country="SE").receive(asked)
    assert reply.events == (expected,)
    assert (reply.status, reply.content_type, reply.body) == (204, "text/plain", b"")


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(receive(direction="outgoing"), id="outgoing"),
        pytest.param(report(status="created"), id="created"),
        pytest.param(report(status="Delivered"), id="unknown-status"),
    ],
)
def test_what_is_ignored_is_not_texted_to_the_phone_either(asked: Request) -> None:
    reply = make("ELK").receive(asked)
    assert (reply.kind, reply.events, reply.status, reply.body) == ("ignored", (), 204, b"")
    assert reply.reason


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(request("ELK", "receive", without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in ("id", "from", "to", "direction", "message")],
        *[pytest.param(receive(**{name: ""}), f"field '{name}' required", id=f"empty-{name}")
          for name in ("id", "from", "to", "direction")],
        pytest.param(receive(created="2024-05-02 10:00"), "invalid date", id="bad-date"),
        pytest.param(receive(**{"from": "+4670"}), "not a possible number", id="bad-number"),
        pytest.param(request("ELK", "status", {"status": "sent"}), "field 'id' required", id="status-no-id"),
        pytest.param(report(), "field 'status' required", id="status-no-status"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("ELK", country="SE").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(("raw", "expected"), [("sent", "sent"), ("delivered", "delivered"), ("failed", "failed")])
def test_statuses(raw: str, expected: str) -> None:
    reply = make("ELK").receive(report(status=raw))
    assert (reply.status, reply.body, told(reply)) == (204, b"", [expected])


@pytest.mark.parametrize(
    ("delivered", "at"), [("2024-05-02T10:00:20.120000", 1_714_644_020_120), ("", None), ("soon", None)]
)
def test_the_time_of_delivery(delivered: str, at: int | None) -> None:
    (update,) = make("ELK").receive(report(status="delivered", delivered=delivered)).events
    assert isinstance(update, StatusUpdate)
    assert (update.external_id, update.at) == ("s0231", at)


def test_request() -> None:
    done = offer("ELK", text="Hej ✓", address="Acme", config={"secret": "t&k"},
                 attachments=["image/jpeg:https://x.org/a.jpg"])  # fmt: skip
    assert done.form == {
        "from": ["Acme"], "to": ["+254700111222"], "message": ["Hej ✓\nhttps://x.org/a.jpg"],
        "whendelivered": [f"https://sms.example.org/c/elk/{UUID}/status?token=t%26k"],
    }  # fmt: skip
    assert done.request.headers["Authorization"] == "Basic dTEyMzQ6cHctMSYyMw=="


def test_every_part_keeps_its_id() -> None:
    done = offer("ELK", text="word " * 400, config={"base_url": "https://elk.example.org/"},
                 url="https://elk.example.org/a1/sms")  # fmt: skip
    assert done.outcomes == [Accepted("s0231")] * 2
    assert max(len(form["message"][0]) for form in done.forms()) <= 1600


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((200, {"status": "created"}), Permanent, "", id="no-id"),
        pytest.param((200, "ok"), Permanent, "", id="no-json"),
        pytest.param((400, "Invalid to number"), Permanent, "400", id="refused"),
        pytest.param((401, "API access requires Basic HTTP authentication"), ChannelDown, "401", id="credentials"),
        pytest.param((403, "Not enough credits"), ChannelDown, "403", id="balance"),
        pytest.param((429, "Too many requests"), Throttled, "429", id="throttled"),
        pytest.param((500, "oops"), Temporary, "500", id="server-error"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[NotAccepted], code: str) -> None:
    outcome = offer("ELK", answer).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
