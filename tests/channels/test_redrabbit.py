"""Red Rabbit."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.channels.request import NoRoute
from chalicelib.outcomes import Accepted
from tests.channels.support import Sample, make, offer, request

SAMPLE = Sample(
    code="RR",
    config={"username": "u", "password": "pw-1&23 é"},
    url="http://http1.javna.com/epicenter/GatewaySendG.asp",
    answer=(200, "SENT"),
    method="GET",
)


@pytest.mark.parametrize("action", ["receive", "status"])
def test_nothing_comes_in(action: str) -> None:
    assert make("RR").routes() == {}
    with pytest.raises(NoRoute):
        make("RR").receive(request("RR", action, {"from": "962790001122"}))


def query(call: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(call.url).query, keep_blank_values=True)


def test_request() -> None:
    done = offer("RR", text="salam", to="+962790001122", address="+INFO", attachments=["image/png:https://x/a"])
    assert query(done.request) == {
        "LoginName": ["u"], "Password": ["pw-1&23 é"], "Tracking": ["1"], "Mobtyp": ["1"],
        "MessageRecipients": ["962790001122"], "MessageBody": ["salam\nhttps://x/a"], "SenderName": ["INFO"],
    }  # fmt: skip
    assert done.request.body is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param("", None, id="empty"),
        pytest.param("é" * 160, None, id="160-septets"),
        pytest.param("é" * 161, ["5"], id="161-septets"),
        pytest.param("€" * 80, None, id="80-extension-characters"),
        pytest.param("€" * 81, ["5"], id="81-extension-characters"),
        pytest.param("س", ["9"], id="one-letter"),
        pytest.param("س" * 69, ["9"], id="69-letters"),
        pytest.param("س" * 70, ["10"], id="70-letters"),
        pytest.param("😀" * 34, ["9"], id="68-units"),
        pytest.param("😀" * 35, ["10"], id="70-units"),
    ],
)
def test_kinds_of_text(text: str, kind: list[str] | None) -> None:
    values = query(offer("RR", text=text).request)
    assert (values["MessageBody"], values.get("MsgTyp")) == ([text], kind)


def test_a_long_text_is_one_request() -> None:
    assert len(offer("RR", text="salam " * 200).calls) == 1


def test_another_place() -> None:
    url = "https://sms.example.org/send"
    assert offer("RR", config={"send_url": url}, url=url).outcomes == [Accepted()]


@pytest.mark.parametrize("body", ["SENT", "ERROR", ""])
def test_the_answers_words_are_not_known(body: str) -> None:
    assert offer("RR", (200, body)).outcomes == [Accepted()]
