"""High Connexion."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import MESSAGE, UUID, Sample, make, mo, multipart, offer, request, told, without

SAMPLE = Sample(
    code="HX",
    config={"username": "acme", "password": "pw-1&23"},
    url=re.compile(r"https://highpushfastapi-v2\.hcnx\.eu/api\?"),
    answer=(200, ""),
)
MO = {"FROM": "+33611223344", "TO": "5151", "MESSAGE": "Oui", "RECEPTION_DATE": "2026-03-01T10:11:12", "ID": "771200"}
KNOWN: dict[str, Any] = {"external_id": "771200", "received_at": 1_772_359_872_000}
FIELDS, HEADERS = multipart(MO)


def receive(**changes: str) -> Request:
    return request("HX", "receive", {**MO, **changes})


def written(message: bytes) -> Request:
    """With the text as these octets of the body."""
    body = urlencode(without(MO, "MESSAGE")).encode() + b"&MESSAGE=" + message
    return request("HX", "receive", body, headers={"Content-Type": "application/x-www-form-urlencoded"})


def report(**values: str) -> Request:
    return request("HX", "status", method="GET", query=urlencode(values))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(receive(), mo("+33611223344", "Oui", **KNOWN), id="as-documented"),
        pytest.param(receive(FROM="33611223344"), mo("+33611223344", "Oui", **KNOWN), id="no-plus"),
        pytest.param(receive(FROM=" 33611223344"), mo("+33611223344", "Oui", **KNOWN), id="plus-as-it-is"),
        pytest.param(receive(FROM="36105"), mo("36105", "Oui", **KNOWN), id="short-code"),
        pytest.param(receive(MESSAGE=""), mo("+33611223344", "", **KNOWN), id="empty"),
        pytest.param(request("HX", "receive", without(MO, "MESSAGE")), mo("+33611223344", "", **KNOWN), id="no-text"),
        pytest.param(receive(ID="0"), mo("+33611223344", "Oui", received_at=1_772_359_872_000), id="id-0"),
        pytest.param(request("HX", "receive", without(MO, "ID")),
                     mo("+33611223344", "Oui", received_at=1_772_359_872_000), id="no-id"),
        pytest.param(request("HX", "receive", without(MO, "RECEPTION_DATE")),
                     mo("+33611223344", "Oui", external_id="771200"), id="no-date"),
        pytest.param(request("HX", "receive", {k.lower(): v for k, v in MO.items()}),
                     mo("+33611223344", "Oui", **KNOWN), id="names-in-any-case"),
        pytest.param(request("HX", "receive", FIELDS, headers=HEADERS), mo("+33611223344", "Oui", **KNOWN),
                     id="multipart"),
        pytest.param(receive(MESSAGE="a" * 1000), mo("+33611223344", "a" * 1000, **KNOWN), id="long"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("HX", country="FR").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        pytest.param(b"d%E9j%E0+fait", "déjà fait", id="once"),
        pytest.param(b"d%25E9j%25E0%2Bfait", "déjà fait", id="twice"),
        pytest.param(b"d\xe9j\xe0 fait", "déjà fait", id="bare-octets"),
        pytest.param(b"tr%E8s", "très", id="once-a-word"),
        pytest.param(b"tr%25E8s", "très", id="twice-a-word"),
        pytest.param(b"100%25", "100%", id="once-percent"),
        pytest.param(b"100%", "100%", id="bare-percent"),
        pytest.param(b"100%2525", "100%", id="twice-percent"),
        pytest.param(b"1+%2B+1+%3D+2", "1 + 1 = 2", id="once-plus"),
        pytest.param(b"1%2B%252B%2B1", "1 + 1", id="twice-plus"),
        pytest.param(b"%25E9+est+un+code", "%E9 est un code", id="once-an-escape-as-text"),
        pytest.param(b"a%00b", "ab", id="nul"),
    ],
)
def test_texts_are_in_latin_1_and_may_be_encoded_twice(octets: bytes, text: str) -> None:
    (event,) = make("HX", country="FR").receive(written(octets)).events
    assert event == mo("+33611223344", text, **KNOWN)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(request("HX", "receive", without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in ("FROM", "TO")],
        *[pytest.param(receive(**{name: ""}), f"field '{name}' required", id=f"empty-{name}")
          for name in ("FROM", "TO")],
        pytest.param(receive(ID="x1"), "field 'ID' must be an integer", id="bad-id"),
        pytest.param(receive(RECEPTION_DATE="2026-03-01T10:11:12Z"), "invalid date", id="date-with-zone"),
        pytest.param(receive(RECEPTION_DATE="01/03/2026"), "invalid date", id="bad-date"),
        pytest.param(receive(FROM="Orange"), "not a possible number", id="alphanumeric"),
        pytest.param(report(status="6"), "field 'ret_id' required", id="status-no-id"),
        pytest.param(report(ret_id=MESSAGE), "field 'status' required", id="status-no-status"),
        pytest.param(report(ret_id=MESSAGE, status="0"), "field 'status' required", id="status-0"),
        pytest.param(report(ret_id=MESSAGE, status="x"), "field 'status' must be an integer", id="status-text"),
        pytest.param(report(ret_id=MESSAGE, status="5"), "unknown status", id="unknown-status"),
        pytest.param(report(ret_id="nonsense", status="6"), "field 'ret_id' must be our message id", id="bad-ret-id"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("HX", country="FR").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(4, "sent"), (6, "delivered"), *[(code, "failed") for code in (2, 11, 12, 13, 14, 15, 16)]],
)
@pytest.mark.parametrize(("name", "part"), [(MESSAGE, 0), (f"{MESSAGE}.2", 1), (f"{MESSAGE}.2~3", 1), ("8812", 0)])
def test_statuses(raw: int, expected: str, name: str, part: int) -> None:
    reply = make("HX").receive(report(ret_id=name, status=str(raw)))
    assert (reply.status, told(reply)) == (200, [expected])
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.id, update.part) == (name.partition(".")[0], part)


def query(call: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(call.url).query, keep_blank_values=True)


def test_request() -> None:
    done = offer("HX", text="Déjà ✓", config={"secret": "t&k"}, attachments=["image/jpeg:https://x.org/a.jpg"])
    ours = f"https://sms.example.org/c/hx/{UUID}"
    assert query(done.request) == {
        "accountid": ["acme"], "password": ["pw-1&23"], "text": ["Déjà ✓\nhttps://x.org/a.jpg"],
        "to": ["+254700111222"], "ret_id": [MESSAGE], "datacoding": ["8"], "user_data": [""],
        "ret_url": [f"{ours}/status?token=t%26k"], "ret_mo_url": [f"{ours}/receive?token=t%26k"],
    }  # fmt: skip
    assert not done.request.body


def test_every_part_has_a_name_of_its_own() -> None:
    done = offer("HX", text="word " * 400, generation=2)
    assert done.outcomes == [Accepted()] * 2
    queries = [query(call) for call in done.calls]
    assert [one["ret_id"] for one in queries] == [[f"{MESSAGE}~2"], [f"{MESSAGE}.2~2"]]
    assert max(len(one["text"][0]) for one in queries) <= 1500


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param((202, "anything"), Accepted, id="any-2xx"),
        pytest.param((400, "no"), Permanent, id="refused"),
        pytest.param((401, "no"), ChannelDown, id="credentials"),
        pytest.param((429, "no"), Throttled, id="throttled"),
        pytest.param((503, "no"), Temporary, id="server-error"),
    ],
)
def test_answers(answer: tuple[int, Any], expected: type[Accepted | NotAccepted]) -> None:
    assert type(offer("HX", answer).outcome) is expected
