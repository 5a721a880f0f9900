"""OAuth access tokens, over a transport whose other end answers as it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
import responses

from chalicelib import transport
from chalicelib.channels.tokens import with_access_token
from chalicelib.outcomes import ChannelDown, NotAccepted, Temporary, Throttled
from chalicelib.transport import Http

URL = "https://api.example.org/token"
FORM = {"username": "acme", "password": "pw-1&23", "grant_type": "password"}


@pytest.fixture(autouse=True)
def web() -> Iterator[responses.RequestsMock]:
    transport.reset()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock
    transport.reset()


def used(form: dict[str, str] = FORM, http: Http | None = None, refused: tuple[str, ...] = ()) -> str:
    """The token that is used in the end, by an aggregator that refuses some."""

    def offer(token: str) -> str:
        if token in refused:
            raise ChannelDown("no", "401", credentials=True)
        return token

    return with_access_token(http or Http(allow_private=True), URL, form, offer)


def test_the_login_is_a_form_and_the_token_is_masked(web: responses.RequestsMock) -> None:
    web.add("POST", URL, json={"access_token": "tok-1", "expires_in": 60})
    http = Http(["pw-1&23"], allow_private=True)
    assert used(http=http) == "tok-1"
    request = web.calls[0].request
    assert parse_qs(request.body.decode()) == {name: [value] for name, value in FORM.items()}  # type: ignore[union-attr]
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Accept"] == "application/json"
    assert "pw-1" not in json.dumps(http.exchanges)
    assert http.redact("Bearer tok-1") == "Bearer **********"


@pytest.mark.parametrize("life", [{"expires_in": 3600}, {"expires_in": "3599"}, {}, {"expires_in": "soon"}])
def test_a_token_is_kept_for_its_login(web: responses.RequestsMock, life: dict[str, Any]) -> None:
    for name in ("tok-1", "tok-2"):
        web.add("POST", URL, json={"access_token": name, **life})
    assert [used(), used(), used({**FORM, "password": "new"}), used()] == ["tok-1", "tok-1", "tok-2", "tok-1"]


def test_a_token_without_life_is_not_kept(web: responses.RequestsMock) -> None:
    for name in ("tok-1", "tok-2"):
        web.add("POST", URL, json={"access_token": name, "expires_in": 0})
    assert [used(), used()] == ["tok-1", "tok-2"]


def test_a_refused_token_is_replaced_once(web: responses.RequestsMock) -> None:
    for name in ("tok-1", "tok-2"):
        web.add("POST", URL, json={"access_token": name})
    assert used(refused=("tok-1",)) == "tok-2"
    with pytest.raises(ChannelDown):
        used(refused=("tok-2",))


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        pytest.param((400, {"error": "invalid_grant"}), ChannelDown, "invalid_grant", id="login-refused"),
        pytest.param((401, {}), ChannelDown, "401", id="unauthorised"),
        pytest.param((403, {}), ChannelDown, "403", id="forbidden"),
        pytest.param((429, {}), Throttled, "429", id="throttled"),
        pytest.param((500, {}), Temporary, "500", id="server-error"),
        pytest.param((200, {}), Temporary, "", id="no-token"),
        pytest.param((200, []), Temporary, "", id="no-object"),
        pytest.param(requests.exceptions.ReadTimeout(), Temporary, "", id="a-lost-token-is-no-doubt"),
        pytest.param(requests.exceptions.ConnectTimeout(), Temporary, "", id="no-connection"),
    ],
)
def test_logins_that_fail(
    web: responses.RequestsMock, answer: tuple[int, Any] | Exception, expected: type[NotAccepted], code: str
) -> None:
    if isinstance(answer, Exception):
        web.add("POST", URL, body=answer)
    else:
        web.add("POST", URL, status=answer[0], json=answer[1])
    with pytest.raises(NotAccepted) as caught:
        used()
    assert type(caught.value) is expected
    assert caught.value.code == code
    assert len(web.calls) == 1
