"""Yo! Uganda: http://www.yo.co.ug"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
import responses

from chalicelib.channels.base import Request
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, InDoubt, NotAccepted, OptedOut, Permanent, Temporary, Throttled
from chalicelib.transport import Http
from tests.channels.support import Sample, make, message, mo, offer, request

HOSTS = [f"http://{host}:9100/sendsms" for host in ("smgw1.yo.co.ug", "41.220.12.201", "164.40.148.210")]
GOOD = "ybs_autocreate_status=OK"
SAMPLE = Sample(
    code="YO",
    config={"username": "1000200", "password": "pw-1&23"},
    url=HOSTS[0],
    answer=(200, GOOD),
    method="GET",
)
MO = {"account": "1000200", "dest": "8500", "message": "Yego", "sender": "256772000111",
      "date": "2024-06-10T09:30:00Z"}  # fmt: skip
AT = 1_718_011_800_000


def ask(values: dict[str, str]) -> Request:
    return request("YO", "receive", method="GET", query=urlencode(values))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(ask(MO), mo("+256772000111", "Yego", received_at=AT), id="as-documented"),
        pytest.param(ask({"from": "0772000111", "message": "a", "time": "2024-06-10T12:30:00.000+03:00"}),
                     mo("+256772000111", "a", received_at=AT), id="other-names-and-zone"),
        pytest.param(ask({**MO, "sender": "", "from": "40404"}), mo("40404", "Yego", received_at=AT), id="from-second"),
        pytest.param(ask({**MO, "from": "40404"}), mo("+256772000111", "Yego", received_at=AT), id="sender-first"),
        pytest.param(ask({**MO, "date": "", "time": "2024-06-10T09:30:00Z"}),
                     mo("+256772000111", "Yego", received_at=AT), id="time-second"),
        pytest.param(ask({"sender": "256772000111"}), mo("+256772000111", ""), id="neither-text-nor-date"),
        pytest.param(ask({**MO, "message": "Ñ 😀"}), mo("+256772000111", "Ñ 😀", received_at=AT), id="unicode"),
        pytest.param(ask({k.upper(): v for k, v in MO.items()}), mo("+256772000111", "Yego", received_at=AT),
                     id="names-in-any-case"),
    ],
)  # fmt: skip
def test_messages(asked: Request, expected: Incoming) -> None:
    reply = make("YO", country="UG").receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted"')


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(ask({"message": "a"}), "field 'sender' or 'from' required", id="no-sender"),
        pytest.param(ask({**MO, "sender": "Yo"}), "not a possible number", id="bad-sender"),
        pytest.param(ask({**MO, "date": "10.06.2024"}), "invalid date", id="bad-date"),
        pytest.param(ask({**MO, "date": "2024-06-10T09:30:00"}), "invalid date", id="no-zone"),
        pytest.param(request("YO", "receive", method="GET", query="sender=256772000111&date=2024-06-10T09:30:00+03:00"),
                     "invalid date", id="plus-became-a-space"),
    ],
)  # fmt: skip
def test_refused(asked: Request, why: str) -> None:
    reply = make("YO", country="UG").receive(asked)
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


def query_of(call: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(call.url).query)


def test_request() -> None:
    done = offer("YO", text="Yego ✓", to="+256772000111", address="+8500", attachments=["image/png:https://x.org/a"])
    assert query_of(done.request) == {
        "origin": ["8500"], "sms_content": ["Yego ✓\nhttps://x.org/a"], "destinations": ["256772000111"],
        "ybsacctno": ["1000200"], "password": ["pw-1&23"],
    }  # fmt: skip


def test_every_part_is_sent() -> None:
    done = offer("YO", text="word " * 700)
    assert done.outcomes == [Accepted()] * 3
    assert max(len(query_of(call)["sms_content"][0]) for call in done.calls) <= 1600


@pytest.mark.parametrize(
    ("body", "expected", "code"),
    [
        pytest.param("ybs_autocreate_status=OK&x=1", Accepted, None, id="ok"),
        pytest.param("ybs_autocreate_status=ERROR&ybs_autocreate_message=256772000111%3ABLACKLISTED", OptedOut,
                     "BLACKLISTED", id="blacklisted"),
        pytest.param("ybs_autocreate_status=OK&ybs_autocreate_message=1%3ABLACKLISTED", OptedOut, "BLACKLISTED",
                     id="blacklisted-goes-first"),
        pytest.param("ybs_autocreate_status=ERROR&ybs_autocreate_message=no", Permanent, "ERROR", id="refused"),
        pytest.param("ybs_autocreate_status=ok", Permanent, "ok", id="other-case"),
        pytest.param("<html>", Permanent, "", id="no-query-string"),
    ],
)  # fmt: skip
def test_answers(body: str, expected: type[Accepted | NotAccepted], code: str | None) -> None:
    outcome = offer("YO", (200, body)).outcome
    assert type(outcome) is expected
    assert getattr(outcome, "code", None) == code


REFUSED = requests.exceptions.ConnectTimeout()
LOST = requests.exceptions.ReadTimeout()


@pytest.mark.parametrize(
    ("answers", "expected", "asked"),
    [
        pytest.param([REFUSED, (200, GOOD)], Accepted, 2, id="no-connection"),
        pytest.param([(503, ""), (502, ""), (200, GOOD)], Accepted, 3, id="trouble-of-its-own"),
        pytest.param([REFUSED, REFUSED, (500, "")], Temporary, 3, id="all-of-them"),
        pytest.param([LOST, (200, GOOD)], InDoubt, 1, id="a-lost-answer-is-not-offered-elsewhere"),
        pytest.param([(429, ""), (200, GOOD)], Throttled, 1, id="too-fast-everywhere"),
        pytest.param([(404, ""), (200, GOOD)], Permanent, 1, id="refused"),
    ],
)
def test_the_next_host(answers: list[Any], expected: type[Accepted | NotAccepted], asked: int) -> None:
    channel = make("YO")
    http = Http(channel.secrets(), allow_private=True)
    outcome: Accepted | NotAccepted
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        for host, answer in zip(HOSTS, answers, strict=False):
            if isinstance(answer, Exception):
                web.add("GET", host, body=answer)
            else:
                web.add("GET", host, status=answer[0], body=answer[1])
        try:
            outcome = channel.send(channel.plan(message())[0], http)
        except NotAccepted as ended:
            outcome = ended
        assert (type(outcome), len(web.calls)) == (expected, asked)
