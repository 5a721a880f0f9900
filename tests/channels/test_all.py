"""What holds of every channel type."""

from __future__ import annotations

import base64
import dataclasses
import html
import json
import socket
import subprocess
import sys
from urllib.parse import quote, quote_plus

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib import channels
from chalicelib.channels.base import MethodNotAllowed, NoRoute
from chalicelib.channels.config import ConfigError
from chalicelib.outcomes import Accepted, ChannelDown, InDoubt, NotAccepted, Permanent, Temporary, Throttled
from tests.channels.support import MESSAGE, make, message, offer, request, sample, unsigned

pytestmark = pytest.mark.parametrize("code", channels.CODES)

STATUSES: dict[int, type[NotAccepted]] = {
    400: Permanent, 401: ChannelDown, 402: ChannelDown, 403: ChannelDown, 404: Permanent, 422: Permanent,
    429: Throttled, 500: Temporary, 502: Temporary, 503: Temporary,
}  # fmt: skip
LONG = "Ein längerer Satz mit Umlauten und einem Emoji 😀, der sich wiederholt. " * 60


# --- sending what is no text ----------------------------------------------------------------------------------------


def test_octets_are_refused(code: str) -> None:
    """An empty text in their place would be worse."""
    with pytest.raises(Permanent, match="only links over SMPP carry data"):
        make(code).plan(message(text="", data="AA=="))


# --- receiving ------------------------------------------------------------------------------------------------------


def test_it_says_what_it_is(code: str) -> None:
    kind = channels.load(code)
    assert kind.code == code
    assert kind.name
    assert kind.__doc__
    assert kind.Config.__doc__


def test_unknown_actions_and_methods(code: str) -> None:
    channel = make(code)
    with pytest.raises(NoRoute):
        channel.receive(request(code, "nonsense"))
    for action, methods in channel.routes().items():
        with pytest.raises(MethodNotAllowed) as caught:
            channel.receive(request(code, action, method="PATCH"))
        assert caught.value.allowed == methods


def test_a_network_can_be_asked_for(code: str) -> None:
    for action, (method, *_) in make(code).routes().items():
        asked = request(code, action, method=method)
        assert make(code, allowed_networks=["192.0.2.0/24"]).receive(asked).status != 403
        assert make(code, allowed_networks=["198.51.100.0/24", "::/0"]).receive(asked).status == 403
        unknown = dataclasses.replace(asked, source_ip="")
        assert make(code, allowed_networks=["192.0.2.0/24"]).receive(unknown).status == 403


def test_a_token_can_be_asked_for(code: str) -> None:
    if not channels.load(code).token_in_url:  # the key `secret` is the aggregator's own
        assert not any("token=" in make(code).callback(action) for action in make(code).routes())
        return
    channel = make(code, secret="t&k n")
    for action, (method, *_) in channel.routes().items():
        for query in ("", "token=", "token=wrong", "TOKEN=t%26k"):
            reply = channel.receive(request(code, action, method=method, query=query))
            assert (reply.status, reply.kind) == (401, "forbidden")
        assert channel.callback(action).endswith(f"/{action}?token=t%26k%20n")
        signed = sample(code).sign(request(code, action, method=method, query="token=t%26k+n"))
        assert channel.receive(signed).status != 401


def test_what_is_not_signed_is_turned_away(code: str) -> None:
    if sample(code).sign is unsigned:  # the aggregator signs nothing, or only where the channel has a key for it
        return
    more = {"verify_status": True} if "verify_status" in channels.load(code).Config.model_fields else {}
    channel = make(code, **more)
    for action, methods in channel.routes().items():
        for method in methods:
            reply = channel.receive(request(code, action, b"{}", method=method))
            assert (reply.status in (401, 403), reply.kind, reply.events) == (True, "forbidden", ())


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "application/json",
        "application/json; charset=utf-16",
        "text/xml",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/x-www-form-urlencoded; charset=idna",
        "\u20ac; charset=\u20ac",
    ],
)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=300) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["results", "id", "from", "message", "status", "messageId", "receivedAt", "text"]), inner,
    ), max_leaves=8).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_octets_get_an_answer_below_500(code: str, kind: str, body: bytes) -> None:
    channel = make(code)
    for action, methods in channel.routes().items():
        for method in methods:
            asked = request(code, action, body, method=method, headers={"content-type": kind} if kind else {})
            reply = channel.receive(sample(code).sign(asked))
            assert 200 <= reply.status < 500
            assert len(reply.ids) == len(reply.events)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 50_000, id="deep-json"),
        pytest.param(b'{"a":' * 50_000, id="deep-objects"),
        pytest.param(b"1" * 10_000, id="long-number"),
        pytest.param(b'{"results":[{"messageId":1e999,"status":{"groupName":"X"}}]}', id="infinite"),
        pytest.param(b"\xff\xfe{\x00}\x00", id="utf-16"),
        pytest.param(b"<a>" * 20_000, id="deep-xml"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', id="entities"),
        pytest.param(b"a=1&" * 2_000, id="many-fields"),
        pytest.param(b"%" * 1_000, id="percents"),
        pytest.param(b"x" * 1_048_577, id="large"),
    ],
)
def test_hostile_bodies(code: str, body: bytes) -> None:
    channel = make(code)
    for kind in ("application/json", "application/x-www-form-urlencoded", "text/xml", ""):
        for action, (method, *_) in channel.routes().items():
            asked = request(code, action, body, method=method, headers={"content-type": kind})
            assert channel.receive(sample(code).sign(asked)).status < 500


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets and names are refused; what `responses` answers never comes as far."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
def test_receiving_needs_no_network(code: str) -> None:
    channel = make(code)
    for action, (method, *_) in channel.routes().items():
        channel.receive(sample(code).sign(request(code, action, {"from": "+254700111222", "id": "1"}, method=method)))


def test_importing_it_is_cheap(code: str) -> None:
    """A cold start pays for what is imported; a webhook needs none of these."""
    module = channels.load(code).__module__
    heavy = ("requests", "boto3", "phonenumbers", "elementpath", "defusedxml", "http.client", "xml.etree.ElementTree")
    script = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- settings -------------------------------------------------------------------------------------------------------


def test_config_names_what_is_unknown_and_what_is_missing(code: str) -> None:
    with pytest.raises(ConfigError, match="nonsense: unknown key"):
        make(code, nonsense=1)
    required = [name for name, info in channels.load(code).Config.model_fields.items() if info.is_required()]
    for name in required:
        with pytest.raises(ConfigError, match=f"{name}: required key is missing"):
            make(code, **{name: None})
        with pytest.raises(ConfigError, match=f"{name}: "):
            make(code, **{name: ""})


def test_errors_and_representations_hold_no_secret(code: str) -> None:
    kind = channels.load(code).Config
    for name in kind.secret_keys():
        config = make(code, **{name: "hush-hush"}).config
        assert "hush-hush" not in repr(config)
        assert "hush-hush" in config.secrets()
        with pytest.raises(ConfigError) as caught:
            make(code, **{name: ["hush-hush"]})
        assert "hush-hush" not in str(caught.value)


def test_its_settings_have_a_json_schema(code: str) -> None:
    schema = channels.load(code).Config.model_json_schema()
    assert schema["additionalProperties"] is False
    assert {"max_length", "callback_domain", "secret", "allowed_networks", "max_tps", "max_age", "in_doubt",
            "retry_errored", "alphanumeric_mo"} <= set(schema["properties"])  # fmt: skip


# --- sending --------------------------------------------------------------------------------------------------------


def test_accepted(code: str) -> None:
    assert offer(code).outcomes == [Accepted(sample(code).external_id)]


@pytest.mark.usefixtures("no_network")
def test_sending_makes_no_requests_but_those_of_the_sample(code: str) -> None:
    for text in ("Hello", LONG):
        assert {type(one) for one in offer(code, text=text).outcomes} == {Accepted}


@pytest.mark.parametrize("status", STATUSES)
def test_what_http_statuses_mean(code: str, status: int) -> None:
    expected = {**STATUSES, **sample(code).outcomes}[status]
    outcome = offer(code, (status, "no"), headers={"Retry-After": "7"}).outcome
    assert type(outcome) is expected
    if isinstance(outcome, Throttled):
        assert outcome.retry_after == 7


def test_a_lost_answer_is_in_doubt(code: str) -> None:
    assert type(offer(code, requests.exceptions.ReadTimeout()).outcome) is InDoubt


def test_no_connection_is_temporary(code: str) -> None:
    assert type(offer(code, requests.exceptions.ConnectTimeout()).outcome) is Temporary


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", "<html/>", '"x"', "[[[", '{"messages":7,"sid":[]}'])
def test_odd_answers_are_outcomes_too(code: str, body: str) -> None:
    for status in (200, 400):
        assert isinstance(offer(code, (status, body)).outcome, Accepted | NotAccepted)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"text": "Ünïcode 😀 ✓ \u200f\u0645\u0631\u062d\u0628\u0627"}, id="unicode"),
        pytest.param({"text": ""}, id="empty"),
        pytest.param({"text": "a\ud800b\x00c"}, id="broken-characters"),
        pytest.param({"text": LONG}, id="long"),
        pytest.param({"id": 1241244}, id="numeric-id"),
        pytest.param({"id": "a&b=c#d %e?"}, id="awkward-id"),
        pytest.param({"to": "40404"}, id="short-code"),
        pytest.param({"quick_replies": ["Yes", "No"]}, id="quick-replies"),
    ],
)
def test_any_message_can_be_offered(code: str, fields: dict[str, object]) -> None:
    outcomes = offer(code, **fields).outcomes  # type: ignore[arg-type]
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)


def test_parts_are_within_the_limit_and_always_the_same(code: str) -> None:
    for limit in (None, 70):
        channel = make(code, max_length=limit)
        parts = channel.plan(message(LONG))
        assert parts == channel.plan(message(LONG))
        assert [part.index for part in parts] == list(range(parts[0].total))
        if channel.limit:
            assert max(len(part.text) for part in parts) <= channel.limit
            assert len(parts) > 1
        else:
            assert [part.text for part in parts] == [LONG]


def test_each_part_of_each_generation_has_a_name_of_its_own(code: str) -> None:
    channel = make(code, max_length=70)
    names = [part.idempotency for generation in (1, 2) for part in channel.plan(message(LONG), generation)]
    assert names[0] == MESSAGE
    assert len(set(names)) == len(names)


def test_attachments_reach_the_aggregator(code: str) -> None:
    channel = make(code)
    url = "https://cdn.example.org/a.jpg"
    for text in ("Look", ""):
        parts = channel.plan(message(text, attachments=[f"image/jpeg:{url}"]))
        assert (url in parts[0].text) != (("image/jpeg", url) in parts[0].attachments)
        assert not [part for part in parts[1:] if part.attachments]
        assert not parts[0].text.startswith("\n")


def test_secrets_are_in_no_exchange_in_any_written_form(code: str) -> None:
    channel = make(code)
    secrets = channel.secrets()
    assert secrets
    echo = " ".join(secrets)
    done = offer(code, (500, echo))
    assert type(done.outcome) is Temporary
    assert done.http.exchanges
    trace = json.dumps(done.http.exchanges, ensure_ascii=False)
    users = [str(value) for value in sample(code).config.values()]
    for secret in secrets:
        forms = {secret, quote(secret, safe=""), quote_plus(secret), quote(secret, safe="").lower(),
                 json.dumps(secret)[1:-1], html.escape(secret), base64.b64encode(secret.encode()).decode(),
                 *(base64.b64encode(f"{user}:{secret}".encode()).decode() for user in users)}  # fmt: skip
        assert [form for form in forms if form in trace] == []
        assert secret not in str(done.outcome)
    assert "**********" in trace
