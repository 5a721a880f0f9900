"""Telesom: an HTTP API without public documentation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.telesom import Telesom
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import Sample, make, mo, multipart, offer, request, without

SAMPLE = Sample(
    code="TS",
    config={"username": "acme", "password": "pw&1", "secret": "k3 y"},
    url="http://telesom.com/sendsms",
    answer=(200, "<return>Success</return>"),
)
MO = {"mobile": "+252634123456", "msg": "Haa"}
BODY, HEADERS = multipart(MO)


def get(query: str) -> Request:
    return request("TS", "receive", method="GET", query=query)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(get("mobile=%2B252634123456&msg=Haa"), mo("+252634123456", "Haa"), id="get"),
        pytest.param(request("TS", "receive", MO), mo("+252634123456", "Haa"), id="post"),
        pytest.param(request("TS", "receive", BODY, headers=HEADERS), mo("+252634123456", "Haa"), id="multipart"),
        pytest.param(request("TS", "receive", query="mobile=252634123456&msg=Haa"), mo("+252634123456", "Haa"),
                     id="query-of-a-post"),
        pytest.param(get("MOBILE=0634123456&Msg=a&msg=b"), mo("+252634123456", "b"), id="names-and-repeats"),
        pytest.param(get("mobile=700&msg=%D9%86%D8%B9%D9%85%00"), mo("700", "نعم"), id="short-code-and-arabic"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("TS", country="SO").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        *[pytest.param(without(MO, name), f"field '{name}' required", id=f"no-{name}") for name in MO],
        *[pytest.param({**MO, name: ""}, f"field '{name}' required", id=f"empty-{name}") for name in MO],
        pytest.param({**MO, "mobile": "Telesom"}, "not a possible number", id="alphanumeric"),
    ],
)
def test_refused(data: dict[str, str], why: str) -> None:
    reply = make("TS", country="SO").receive(request("TS", "receive", data))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


def signature(config: dict[str, Any], **values: str) -> str:
    channel = make("TS", **config)
    assert isinstance(channel, Telesom)
    return channel.signature(**values)


def test_signature_vector() -> None:
    given = signature({"password": "pw1", "secret": "k3y"}, to="0634123456", msg="Hello there", date="05/03/2025",
                      **{"from": "700"})  # fmt: skip
    assert given == "4CAD6ABD6077B71EB99F7E261DC65F50"


def test_request() -> None:
    """The day may change while this runs."""
    days = [datetime.now(UTC) + timedelta(days=offset) for offset in (0, 1)]
    done = offer("TS", address="+700", to="+252634123456", text="Haa ✓", attachments=["image/jpeg:https://x.org/a.jpg"])
    assert done.outcomes == [Accepted("")]
    form = {name: value for name, (value,) in done.form.items()}
    key = form.pop("key")
    assert form == {"to": "0634123456", "from": "700", "msg": "Haa ✓\nhttps://x.org/a.jpg"}
    assert key in [signature({}, **form, date=day.strftime("%d/%m/%Y")) for day in days]


def test_each_part_is_signed_by_itself() -> None:
    forms = list(offer("TS", text="x" * 170).forms())
    assert [len(form["msg"][0]) for form in forms] == [160, 10]
    assert len({form["key"][0] for form in forms}) == 2


@pytest.mark.parametrize(
    ("to", "expected"),
    [("+252634123456", "0634123456"), ("+254700111222", "0700111222"), ("+999123456", "0+999123456")],
)
def test_numbers_are_national(to: str, expected: str) -> None:
    assert offer("TS", to=to).form["to"] == [expected]


def test_another_url() -> None:
    url = "https://sms.telesom.example/send"
    assert offer("TS", config={"send_url": url}, url=url).outcome == Accepted("")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((202, "Success"), Accepted),
        ((200, "<return>success</return>"), Permanent),
        ((200, "<return>Wrong key</return>"), Permanent),
        ((200, ""), Permanent),
        ((404, "Success"), Permanent),
    ],
)
def test_answers(answer: tuple[int, str], expected: type[Accepted | NotAccepted]) -> None:
    assert type(offer("TS", answer).outcome) is expected
