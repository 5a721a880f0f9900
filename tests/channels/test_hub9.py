"""Hub9. What it shares with DartMedia is tested in test_dart.py."""

from __future__ import annotations

import pytest

from chalicelib.messages import Incoming
from chalicelib.outcomes import ChannelDown
from tests.channels.support import MESSAGE, Sample, make, mo, offer, told
from tests.channels.test_dart import ask, query_of

SAMPLE = Sample(
    code="H9",
    config={"username": "acc", "password": "pw-1&23"},
    url="http://175.103.48.29:28078/testing/smsmt.php",
    answer=(200, "000"),
    method="GET",
)
MO = {"original": "6281234500011", "sendto": "92033", "messageid": "240611081500@h9-77", "message": "Halo"}


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("6281234500011", mo("+6281234500011", "Halo", external_id="240611081500@h9-77")),
        ("cmp-1", mo("cmp-1", "Halo", external_id="240611081500@h9-77")),
    ],
)
def test_messages(sender: str, expected: Incoming) -> None:
    reply = make("H9", country="ID").receive(ask("receive", {**MO, "original": sender}, "H9"))
    assert (reply.status, reply.body, reply.events) == (200, b"000", (expected,))


@pytest.mark.parametrize("name", ["original", "sendto"])
def test_required_fields(name: str) -> None:
    assert make("H9").receive(ask("receive", {**MO, name: ""}, "H9")).status == 400


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("-3", "sent"), ("9", "sent"), ("10", "delivered"), ("11", "delivered"), ("12", "delivered"), ("13", "sent"),
     ("20", "sent"), ("21", "failed")],
)  # fmt: skip
def test_statuses(raw: str, expected: str) -> None:
    reply = make("H9").receive(ask("delivered", {"messageid": MESSAGE + ".2", "status": raw}, "H9"))
    assert (reply.body, told(reply)) == (b"000", [expected])


def test_request() -> None:
    done = offer("H9", text="word " * 700, address="92033", to="+6281234500011")
    first, second, third = map(query_of, done.calls)
    assert {name: value for name, value in first.items() if name != "message"} == {
        "userid": ["acc"], "password": ["pw-1&23"], "sendto": ["6281234500011"], "original": ["92033"],
        "udhl": ["0"], "dcs": ["0"], "messageid": [MESSAGE],
    }  # fmt: skip
    assert [part["messageid"] for part in (second, third)] == [[MESSAGE + ".2"], [MESSAGE + ".3"]]
    assert max(len(part["message"][0]) for part in (first, second, third)) <= 1600


def test_bad_credentials() -> None:
    outcome = offer("H9", (200, "001")).outcome
    assert isinstance(outcome, ChannelDown)
    assert outcome.reason == "Hub9 refuses our credentials"
