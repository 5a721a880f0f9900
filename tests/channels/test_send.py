"""What the types send: message, mocked answer, expected request and outcome."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import pytest
import responses

from chalicelib import channels
from chalicelib.channels.config import ConfigError
from chalicelib.channels.reading import parse_urlencoded
from chalicelib.outcomes import ChannelDown, InDoubt, NotAccepted, OptedOut, Permanent, Temporary, Throttled
from chalicelib.transport import Http
from tests.channels.support import CONFIGS, MESSAGE, UUID, make, message

URLS = {
    "AT": ("POST", "https://api.africastalking.com/version1/messaging"),
    "EX": ("POST", "https://gateway.example.org/send"),
    "IB": ("POST", "https://ab1cd.api.infobip.com/sms/3/messages"),
    "KN": ("GET", "https://kannel.example.org/cgi-bin/sendsms"),
    "T": ("POST", "https://api.twilio.com/2010-04-01/Accounts/AC123/Messages.json"),
}
GOOD: dict[str, tuple[int, Any, str]] = {
    "AT": (201, {"SMSMessageData": {"Recipients": [{"status": "Success", "messageId": "ATX"}]}}, "ATX"),
    "EX": (200, "ok", ""),
    "IB": (200, {"messages": [{"messageId": MESSAGE, "status": {"groupId": 1}}]}, MESSAGE),
    "KN": (202, "0: Accepted for delivery", ""),
    "T": (201, {"sid": "SM1"}, "SM1"),
}


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mocked:
        yield mocked


def answer(web: responses.RequestsMock, code: str, status: int, body: Any, **fields: Any) -> None:
    method, url = URLS[code]
    text = body if isinstance(body, str) else json.dumps(body)
    web.add(method, fields.pop("url", url), body=text, status=status, **fields)


def offer(code: str, http: Http | None = None, **fields: Any) -> str:
    """Send the message's first part; answers the external id."""
    config = fields.pop("config", {})
    channel = make(code, **config)
    part = channel.plan(message(**fields))[0]
    return channel.send(part, http or Http(channel.secrets(), allow_private=True)).external_id


def sent(web: responses.RequestsMock) -> tuple[Any, dict[str, list[str]]]:
    asked = web.calls[-1].request
    body = asked.body.decode() if isinstance(asked.body, bytes) else asked.body or ""
    return asked, parse_qs(body, keep_blank_values=True, strict_parsing=False)


@pytest.mark.parametrize("code", channels.CODES)
def test_accepted(web: responses.RequestsMock, code: str) -> None:
    status, body, external_id = GOOD[code]
    answer(web, code, status, body)
    assert offer(code) == external_id


def test_africas_talking(web: responses.RequestsMock) -> None:
    answer(web, "AT", *GOOD["AT"][:2])
    offer("AT", text="Habari ✓", attachments=["image/jpeg:https://x.org/a.jpg"])
    asked, form = sent(web)
    assert asked.headers["apikey"] == "k-1&23"
    assert form == {"username": ["acme"], "to": ["+254700111222"], "from": ["20990"],
                    "message": ["Habari ✓\nhttps://x.org/a.jpg"]}  # fmt: skip
    answer(web, "AT", *GOOD["AT"][:2])
    offer("AT", config={"is_shared": True})
    assert "from" not in sent(web)[1]


@pytest.mark.parametrize(
    ("text", "config", "expected", "coding"),
    [
        ("Olá", {}, b"Ola", None),
        ("Да", {}, "Да".encode("utf-16-be"), b"2"),
        ("Да", {"encoding": "D"}, "Да".encode(), None),
        ("Hi", {"encoding": "U"}, "Hi".encode("utf-16-be"), b"2"),
    ],
)
def test_kannel(
    web: responses.RequestsMock, text: str, config: dict[str, str], expected: bytes, coding: bytes | None
) -> None:
    answer(web, "KN", *GOOD["KN"][:2])
    offer("KN", text=text, config=config)
    query = urlsplit(sent(web)[0].url).query
    pairs = dict(parse_urlencoded(query.encode()))
    assert pairs["text"] == expected
    assert pairs.get("coding") == coding
    report = f"https://sms.example.org/c/kn/{UUID}/status?uuid={MESSAGE}&status=%d"
    assert pairs["dlr-url"] == report.encode()
    assert pairs["dlr-mask"] == b"27"


def test_infobip_mms(web: responses.RequestsMock) -> None:
    answer(web, "IB", *GOOD["IB"][:2], url="https://ab1cd.api.infobip.com/mms/2/messages")
    offer("IB", text="Look", attachments=["image/jpeg:https://x.org/a.jpg"])
    asked, _ = sent(web)
    assert asked.headers["Authorization"] == "App k-1&23"
    (body,) = json.loads(asked.body)["messages"]
    assert body["destinations"] == [{"to": "254700111222", "messageId": MESSAGE}]
    assert [one["type"] for one in body["content"]["messageSegments"]] == ["TEXT", "LINK"]
    assert body["webhooks"]["delivery"]["url"] == f"https://sms.example.org/c/ib/{UUID}/delivered"


def test_twilio_parts_and_media(web: responses.RequestsMock) -> None:
    channel = make("T", address="+12065550199")
    parts = channel.plan(message("word " * 400, attachments=["image/jpeg:https://x.org/a.jpg"]))
    assert [len(part.text) <= 1600 for part in parts] == [True, True]
    for part in parts:
        answer(web, "T", *GOOD["T"][:2])
        channel.send(part, Http(channel.secrets(), allow_private=True))
    first, second = (parse_qs(call.request.body.decode()) for call in web.calls)
    assert first["MediaUrl"] == ["https://x.org/a.jpg"]
    assert "MediaUrl" not in second
    assert second["StatusCallback"][0].endswith(f"?uuid={MESSAGE}&action=callback&part=1")


@pytest.mark.parametrize(
    ("style", "template", "expected"),
    [
        ("json", '{"t":{{text}},"q":{{quick_replies}},"x":{{unknown}}}',
         '{"t":"Hi \\"you\\" \\u003c{{from}}\\u003e","q":["Yes","No thanks"],"x":{{unknown}}}'),
        ("xml", "<t>{{text}}</t>{{quick_replies}}",
         "<t>Hi &#34;you&#34; &lt;{{from}}&gt;</t><item>Yes</item><item>No thanks</item>"),
        ("urlencoded", "t={{text}}{{quick_replies}}",
         "t=Hi+%22you%22+%3C%7B%7Bfrom%7D%7D%3E&quick_reply=Yes&quick_reply=No+thanks"),
        ("text/plain", "{{to_no_plus}} {{text}}", '254700111222 Hi "you" <{{from}}>'),
    ],
)  # fmt: skip
def test_external_templates(web: responses.RequestsMock, style: str, template: str, expected: str) -> None:
    """Substitution is one pass: a text that holds a variable's name is not expanded."""
    answer(web, "EX", 200, "ok")
    config = {"content_type": style, "body": template, "headers": {"X-Key": "v"}}
    offer("EX", text='Hi "you" <{{from}}>', quick_replies=["Yes", "No thanks"], config=config)
    asked, _ = sent(web)
    assert asked.body.decode() == expected
    assert asked.headers["X-Key"] == "v"


def test_external_checks_the_answer_and_knows_national_numbers(web: responses.RequestsMock) -> None:
    url = "https://gateway.example.org/send"
    answer(web, "EX", 200, "QUEUED", url=url)
    config = {"send_url": url + "?to={{to}}", "use_national": True, "mt_response_check": "OK"}
    with pytest.raises(Permanent, match="response_content"):
        offer("EX", config=config)
    assert urlsplit(sent(web)[0].url).query == "to=700111222"


ERRORS = [
    *[pytest.param(code, status, "no", expected, id=f"{code}-{status}")
      for code in channels.CODES
      for status, expected in [(400, Permanent), (401, ChannelDown), (402, ChannelDown), (404, Permanent),
                               (429, Throttled), (500, Temporary), (503, Temporary)]],
    pytest.param("AT", 201, {"SMSMessageData": {"Recipients": []}}, Permanent, id="AT-nobody"),
    pytest.param("AT", 201, {"SMSMessageData": {"Recipients": [{"status": "InsufficientBalance"}]}}, ChannelDown,
                 id="AT-balance"),
    pytest.param("AT", 201, "not json", Permanent, id="AT-not-json"),
    pytest.param("IB", 200, {"messages": [{"status": {"groupId": 5}}]}, Permanent, id="IB-rejected"),
    pytest.param("KN", 403, "Authorization failed for sendsms", ChannelDown, id="KN-login"),
    pytest.param("KN", 403, "Not routable", Permanent, id="KN-route"),
    pytest.param("T", 400, {"code": 21610}, OptedOut, id="T-stopped"),
    pytest.param("T", 400, {"code": 21211}, Permanent, id="T-number"),
    pytest.param("T", 401, {"code": 20003}, ChannelDown, id="T-account"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "status", "body", "expected"), ERRORS)
def test_errors(web: responses.RequestsMock, code: str, status: int, body: Any, expected: type[NotAccepted]) -> None:
    answer(web, code, status, body)
    with pytest.raises(expected):
        offer(code)


@pytest.mark.parametrize("code", channels.CODES)
def test_a_lost_answer_is_in_doubt(web: responses.RequestsMock, code: str) -> None:
    import requests

    answer(web, code, 200, "")
    web.replace(URLS[code][0], URLS[code][1], body=requests.exceptions.ReadTimeout())
    with pytest.raises((InDoubt, Temporary)):
        offer(code)


@pytest.mark.parametrize("code", channels.CODES)
def test_secrets_are_in_no_exchange_in_any_written_form(web: responses.RequestsMock, code: str) -> None:
    channel = make(code)
    http = Http(channel.secrets(), allow_private=True)
    echo = " ".join(channel.secrets())
    answer(web, code, 500, echo)
    with pytest.raises(Temporary):
        offer(code, http)
    trace = json.dumps(http.exchanges, ensure_ascii=False)
    for secret in channel.secrets():
        account = CONFIGS[code].get("account_sid", "")
        forms = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1],
                 secret.replace("&", "&amp;"), base64.b64encode(f"{account}:{secret}".encode()).decode()}  # fmt: skip
        assert [form for form in forms if form in trace] == []
    assert "**********" in trace


@pytest.mark.parametrize("code", channels.CODES)
def test_config_names_what_is_unknown_and_what_is_missing(code: str) -> None:
    with pytest.raises(ConfigError, match="nonsense: unknown key"):
        make(code, nonsense=1)
    required = [name for name, field in channels.load(code).Config.model_fields.items() if field.is_required()]
    for name in required:
        with pytest.raises(ConfigError, match=f"{name}: required key is missing"):
            make(code, **{name: None})
