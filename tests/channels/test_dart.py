"""DartMedia."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, NotAccepted, Permanent
from tests.channels.support import MESSAGE, Sample, make, mo, offer, request, without

SAMPLE = Sample(
    code="DA",
    config={"username": "acme", "password": "pw-1&23"},
    url="http://202.43.169.11/APIhttpU/receive2waysms.php",
    answer=(200, "000"),
    method="GET",
)
MO = {"userid": "acme", "password": "pw", "original": "6281234567890", "sendto": "2020", "messagetype": "0",
      "messageid": "260301@SMS77", "message": "Ya", "date": "20260301101112", "dcs": "0", "udhl": "0",
      "charset": "utf-8"}  # fmt: skip


def ask(action: str, values: dict[str, str], code: str = "DA") -> Request:
    return request(code, action, method="GET", query=urlencode(values))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, mo("+6281234567890", "Ya", external_id="260301@SMS77"), id="as-documented"),
        pytest.param({"message": ""}, mo("+6281234567890", "", external_id="260301@SMS77"), id="empty"),
        pytest.param({"message": "Ünï 😀"}, mo("+6281234567890", "Ünï 😀", external_id="260301@SMS77"), id="unicode"),
        pytest.param({"messageid": ""}, mo("+6281234567890", "Ya"), id="no-id"),
        pytest.param({"original": "081234567890"}, mo("+6281234567890", "Ya", external_id="260301@SMS77"),
                     id="national"),
        pytest.param({"original": "92033"}, mo("92033", "Ya", external_id="260301@SMS77"), id="short-code"),
        pytest.param({"original": "cmp-KJqwe81"}, mo("cmp-KJqwe81", "Ya", external_id="260301@SMS77"),
                     id="identifier"),
        pytest.param({"original": "0254"}, mo("0254", "Ya", external_id="260301@SMS77"), id="impossible-number"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("country", ["ID", ""])
def test_messages(changes: dict[str, str], expected: Incoming, country: str) -> None:
    reply = make("DA", country=country).receive(ask("receive", {**MO, **changes}))
    assert reply.events == (expected,)
    assert (reply.status, reply.content_type, reply.body) == (200, "text/plain", b"000")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        *[pytest.param(ask("receive", without(MO, name)), f"field '{name}' required", id=f"no-{name}")
          for name in ("original", "sendto")],
        pytest.param(ask("receive", {**MO, "original": "x" * 201}), "not a possible number", id="long-identifier"),
        pytest.param(ask("delivered", {"status": "10"}), "field 'messageid' required", id="status-no-id"),
        pytest.param(ask("delivered", {"messageid": MESSAGE}), "field 'status' required", id="status-no-status"),
        pytest.param(ask("delivered", {"messageid": MESSAGE, "status": "x"}), "must be an integer", id="bad-status"),
        pytest.param(ask("delivered", {"messageid": "x.2", "status": "10"}), "must be our message id", id="bad-id"),
        pytest.param(ask("delivered", {"messageid": MESSAGE + ".x", "status": "10"}), "must be our message id",
                     id="bad-part"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("DA").receive(asked)
    assert (reply.status, reply.events, reply.content_type) == (400, (), "application/json")
    assert why in reply.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("-1", "sent"), ("0", "sent"), ("9", "sent"), ("10", "delivered"), ("11", "delivered"), ("12", "delivered"),
     ("13", "sent"), ("20", "sent"), ("21", "failed"), ("99", "failed")],
)  # fmt: skip
def test_statuses(raw: str, expected: str) -> None:
    reply = make("DA").receive(ask("delivered", {"messageid": MESSAGE, "status": raw}))
    assert (reply.status, reply.body) == (200, b"000")
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.status.value, update.code) == (expected, raw if expected == "failed" else "")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (MESSAGE, (MESSAGE, 0)),
        (MESSAGE + ".2", (MESSAGE, 1)),
        (MESSAGE + ".12~3", (MESSAGE, 11)),
        (MESSAGE + "~2", (MESSAGE, 0)),
        (MESSAGE.upper(), (MESSAGE, 0)),
        ("1241244.3", ("1241244", 2)),
    ],
)
def test_whose_status_it_is(given: str, expected: tuple[str, int]) -> None:
    (update,) = make("DA").receive(ask("delivered", {"messageid": given, "status": "10"})).events
    assert isinstance(update, StatusUpdate)
    assert (update.id, update.part) == expected


def query_of(call: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(call.url).query)


def test_request() -> None:
    done = offer("DA", text="Halo ✓", to="+6281234567890", address="+2020", attachments=["image/png:https://x.org/a"])
    assert query_of(done.request) == {
        "userid": ["acme"], "password": ["pw-1&23"], "sendto": ["6281234567890"], "original": ["2020"], "udhl": ["0"],
        "dcs": ["0"], "message": ["Halo ✓\nhttps://x.org/a"], "messageid": [MESSAGE],
    }  # fmt: skip


def test_parts_have_names_of_their_own_which_come_back() -> None:
    done = offer("DA", text="word " * 80, generation=2)
    names = [query_of(call)["messageid"][0] for call in done.calls]
    assert names == [f"{MESSAGE}~2", f"{MESSAGE}.2~2", f"{MESSAGE}.3~2"]
    for index, name in enumerate(names):
        (update,) = make("DA").receive(ask("delivered", {"messageid": name, "status": "10"})).events
        assert (update.id, update.part) == (MESSAGE, index)  # type: ignore[union-attr]


def test_an_identifier_can_be_answered() -> None:
    assert query_of(offer("DA", to="cmp-KJqwe81").request)["sendto"] == ["cmp-KJqwe81"]


@pytest.mark.parametrize(
    ("body", "expected", "code"),
    [
        ("000 queued", Accepted, None),
        ("001", ChannelDown, "001"),
        ("101", Permanent, "101"),
        ("555 no", Permanent, "555"),
        ("00", Permanent, "00"),
        ("", Permanent, ""),
    ],
)
def test_answers(body: str, expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("DA", (200, body)).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code
