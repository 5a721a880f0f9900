"""External API v2. Its template language is tested in test_templates.py, the callbacks in test_external.py too."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming, OptOut, StatusUpdate
from chalicelib.outcomes import Accepted, NotAccepted, Permanent
from tests.channels.support import MESSAGE, NOW, UUID, Json, Sample, make, mo, multipart, offer, request, told

IN = '{"messages":[{"id":"{{.mid}}","urn_path":"{{.from}}","text":"{{.body}}"}]}'
OUT = (
    '{"to":"{{.urn_path}}","message":"{{.text}}"{{if .attachments}},"media":"{{attURL (index .attachments 0)}}"{{end}}}'
)
SAMPLE = Sample(
    code="E2",
    config={
        "send_url": "https://chat.example.org/send", "content_type": "json", "send_template": OUT,
        "receive_template": IN, "send_authorization": "Token t-1&23",
    },
    url="https://chat.example.org/send",
    answer=(200, "ok"),
)  # fmt: skip
MO = {"mid": "m-77", "from": "+5511988887777", "body": "Oi"}
SENDER = "+5511988887777"


def receive(value: Any = MO) -> Request:
    return request("E2", "receive", Json(value))


@pytest.mark.parametrize(
    ("template", "asked", "expected"),
    [
        pytest.param(IN, receive(), [mo(SENDER, "Oi", external_id="m-77")], id="as-documented"),
        pytest.param(IN, receive({**MO, "body": 'a "b"\n\\ é 😀'}), [mo(SENDER, 'a "b"\n\\ é 😀', external_id="m-77")],
                     id="a-text-that-json-escapes"),
        pytest.param(IN, receive({**MO, "body": '"},{"urn_path":"+5511988880000'}),
                     [mo(SENDER, '"},{"urn_path":"+5511988880000', external_id="m-77")], id="nobody-speaks-for-others"),
        pytest.param(IN, receive({**MO, "mid": 12345678901234567890}),
                     [mo(SENDER, "Oi", external_id="12345678901234567890")], id="long-number"),
        pytest.param('{"messages":[{"urn_path":"{{.from}}","text":{{json .body}},"id":{{.n}}}]}',
                     receive({**MO, "n": 7}), [mo(SENDER, "Oi", external_id="7")], id="json-function-and-number"),
        pytest.param('{"messages":[{{range $i, $m := .data.list}}{{if $i}},{{end}}{"urn_path":"{{$m.who}}",'
                     '"text":"{{$m.t}}","date":"2026-03-01T10:11:12Z","contact_name":"{{$m.name}}"}{{end}}]}',
                     receive({"data": {"list": [{"who": "11988887777", "t": "a"}, {"who": "40404", "t": "b"}]}}),
                     [mo(SENDER, "a", received_at=1_772_359_872_000), mo("40404", "b", received_at=1_772_359_872_000)],
                     id="several"),
        pytest.param('{"messages":[{"urn_path":"{{.from}}","attachments":["image/png:{{.url}}"]}]}',
                     receive({**MO, "url": "https://x.org/a"}),
                     [mo(SENDER, "", attachments=("image/png:https://x.org/a",))], id="attachment"),
        pytest.param(IN, request("E2", "receive", *multipart({**MO, "x": "1"})[:1], headers=multipart(MO)[1]),
                     [mo(SENDER, "Oi", external_id="m-77")], id="multipart"),
        pytest.param(IN, request("E2", "receive", {**MO}), [mo(SENDER, "Oi", external_id="m-77")], id="form"),
        pytest.param(IN, request("E2", "receive", method="GET", query=urlencode(MO)),
                     [mo(SENDER, "Oi", external_id="m-77")], id="query"),
        pytest.param(IN, request("E2", "receive", {"from": SENDER, "body": "a"}, query="mid=q&body=b"),
                     [mo(SENDER, "a", external_id="q")], id="first-value-wins"),
    ],
)  # fmt: skip
def test_messages(template: str, asked: Request, expected: list[Incoming]) -> None:
    reply = make("E2", country="BR", receive_template=template).receive(asked)
    assert (reply.status, list(reply.events)) == (200, expected), reply.reason
    assert reply.body.startswith(b'{"message":"Message Accepted"')


@pytest.mark.parametrize(
    ("template", "value", "why"),
    [
        pytest.param("", MO, "the channel has no receive_template", id="no-template"),
        pytest.param("{{.from.x}}", MO, "receive_template cannot be used on this request: .x of what is no object",
                     id="failing"),
        pytest.param(" ", MO, "does not make a JSON object", id="empty-output"),
        pytest.param("[]", MO, "does not make a JSON object", id="an-array"),
        pytest.param('{"messages":[{{.body}}]}', MO, "does not make a JSON object", id="no-json"),
        pytest.param("{}", MO, "field 'messages' required", id="no-messages"),
        pytest.param('{"messages":7}', MO, "field 'messages' must be a list", id="messages-are-no-list"),
        pytest.param('{"messages":[]}', MO, "makes no messages", id="empty-messages"),
        pytest.param('{"messages":[{"text":"a"}]}', MO, "field 'urn_path' required", id="no-sender"),
        pytest.param(IN, {**MO, "from": "Acme"}, "not a possible number", id="bad-sender"),
        pytest.param('{"messages":[{"urn_path":"{{.from}}"},{"urn_path":"x"}]}', MO, "not a possible number",
                     id="one-bad-of-two"),
        pytest.param('{"messages":[{"urn_path":"{{.from}}","date":"today"}]}', MO, "invalid date", id="bad-date"),
        pytest.param('{"messages":[{"urn_path":"{{.from}}","attachments":["x"]}]}', MO, "'attachments' must be",
                     id="bad-attachment"),
        pytest.param('{"messages":[{"urn_path":"{{.from}}","attachments":["a/b:file:///x"]}]}', MO,
                     "'attachments' must be", id="attachment-elsewhere"),
        pytest.param(IN, [MO], "request JSON must be an object", id="a-json-array"),
    ],
)  # fmt: skip
def test_refused(template: str, value: Any, why: str) -> None:
    reply = make("E2", country="BR", receive_template=template).receive(receive(value))
    assert (reply.status, reply.events, reply.kind) == (400, (), "refused")
    assert why in reply.reason


def test_an_answer_of_the_channels_own() -> None:
    channel = make("E2", country="BR", mo_response="<ok/>", mo_response_content_type="text/xml")
    reply = channel.receive(receive())
    assert (reply.body, reply.content_type) == (b"<ok/>", "text/xml")


@pytest.mark.parametrize("action", ["sent", "delivered", "failed"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_statuses(action: str, method: str) -> None:
    for given in ("90211", MESSAGE):
        reply = make("E2").receive(request("E2", action, method=method, query=f"id={given}"))
        (update,) = reply.events
        assert isinstance(update, StatusUpdate)
        assert (told(reply), update.id) == ([action], given)
    assert make("E2").receive(request("E2", action, method=method, query="id=0")).status == 400


def test_stopped() -> None:
    asked = request("E2", "stopped", {"from": "+5511988887777"})
    assert make("E2").receive(asked).events == (OptOut(channel=UUID, sender=SENDER, received_at=NOW),)


# --- sending --------------------------------------------------------------------------------------------------------


def body_of(call: Any) -> Any:
    return json.loads(call.body)


def test_request() -> None:
    done = offer(
        "E2", text='Hi "you"\n✓', to=SENDER, attachments=["image/jpeg:https://x.org/a", "video/mp4:https://x.org/b"]
    )
    assert body_of(done.request) == {"to": SENDER, "message": 'Hi "you"\n✓', "media": "https://x.org/a"}
    assert done.request.headers["Content-Type"] == "application/json"
    assert done.request.headers["Authorization"] == "Token t-1&23"


def test_a_text_of_any_length_is_one_request() -> None:
    assert len(offer("E2", text="word " * 2000).calls) == 1


def test_a_form() -> None:
    template = ('{"to":"{{.urn_path}}","text":"{{.text}}","n":7,"on":true,"off":null,"list":[1,"é"],"o":{"a":1.50},'
                '"f":2.5}')  # fmt: skip
    done = offer("E2", text="a&b=c é", config={"content_type": "urlencoded", "send_template": template})
    assert done.form == {"to": ["+254700111222"], "text": ["a&b=c é"], "n": ["7"], "on": ["true"], "off": [""],
                         "list": ['[1,"é"]'], "o": ['{"a":1.5}'], "f": ["2.5"]}  # fmt: skip
    assert done.request.headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("id", MESSAGE), ("uuid", MESSAGE), ("text", "Hi"), ("urn_path", "+254700111222"),
        ("urn_identity", "tel:+254700111222"), ("contact_urn", "tel:+254700111222"), ("urn_auth", ""),
        ("urn.scheme", "tel"), ("urn.path", "+254700111222"), ("urn.identity", "tel:+254700111222"), ("urn.auth", ""),
        ("channel", "20990"), ("channel_uuid", UUID), ("quick_replies", "[Yes No]"), ("header", ""), ("footer", ""),
        ("buttons", "[]"), ("products", "[]"), ("nothing", "<no value>"),
    ],
)  # fmt: skip
def test_variables(name: str, expected: str) -> None:
    done = offer("E2", text="Hi", quick_replies=["Yes", "No"], config={"send_template": '{"x":"{{.' + name + '}}"}'})
    assert body_of(done.request) == {"x": expected}


URL = "https://chat.example.org/t"


@pytest.mark.parametrize(
    ("config", "text", "url"),
    [
        pytest.param({"send_url_template": URL + "/{{.urn_path}}?m={{.text}}"}, "a b&c",
                     URL + "/%2B254700111222?m=a+b%26c", id="escaped"),
        pytest.param({"send_url_template": URL + "?m={{urlquery .text}}"}, "a b&c", URL + "?m=a+b%26c",
                     id="escaped-once"),
        pytest.param({"send_url": None, "send_url_template": URL}, "a", URL, id="alone"),
        pytest.param({"send_media_url": URL}, "a", "https://chat.example.org/send", id="media-url-without-parts"),
    ],
)  # fmt: skip
def test_where_messages_go(config: dict[str, Any], text: str, url: str) -> None:
    assert offer("E2", text=text, config=config, url=url).request.url == url


@pytest.mark.parametrize(
    ("method", "style", "body"),
    [("POST", "json", True), ("PUT", "json", True), ("GET", "json", False), ("GET", "urlencoded", True),
     ("POST", "application/json", True), ("POST", "application/x-www-form-urlencoded", True)],
)  # fmt: skip
def test_methods(method: str, style: str, body: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SAMPLE, "method", method)
    done = offer("E2", config={"method": method, "content_type": style})
    assert done.outcomes == [Accepted()]
    assert (done.request.method, bool(done.request.body)) == (method, body)


@pytest.mark.parametrize(
    ("text", "flag", "expected"),
    [
        ("Look", "true", [("m", "", "https://x.org/a"), ("m", "", "https://x.org/b"), ("s", "Look", None)]),
        ("", "1", [("m", "", "https://x.org/a"), ("m", "", "https://x.org/b")]),
        ("Look", True, [("m", "", "https://x.org/a"), ("m", "", "https://x.org/b"), ("s", "Look", None)]),
        ("Look", "false", [("s", "Look", "https://x.org/a")]),
    ],
)
def test_attachments_in_parts(
    text: str, flag: Any, expected: list[tuple[str, str, str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SAMPLE, "also", (("POST", URL, 200, "ok"),))
    files = ["image/jpeg:https://x.org/a", "video/mp4:https://x.org/b"]
    config = {"send_attachment_in_parts": flag, "send_media_url": URL}
    done = offer("E2", text=text, attachments=files, config=config)
    made = [("m" if call.url == URL else "s", body_of(call)["message"], body_of(call).get("media"))
            for call in done.calls]  # fmt: skip
    assert made == expected
    assert done.outcomes == [Accepted()] * len(expected)


@pytest.mark.parametrize(
    ("config", "answer", "expected", "why"),
    [
        pytest.param({"mt_response_check": "ok"}, (200, "it is ok"), Accepted, "", id="check"),
        pytest.param({"mt_response_check": "OK"}, (200, "it is ok"), Permanent, "response_content", id="failed-check"),
        pytest.param({"send_template": "{{.text.x}}"}, None, Permanent, "send_template cannot be used", id="template"),
        pytest.param({"send_template": "[]", "content_type": "urlencoded"}, None, Permanent,
                     "does not make a JSON object", id="no-object"),
        pytest.param({"send_template": "x", "content_type": "urlencoded"}, None, Permanent,
                     "does not make a JSON object", id="no-json"),
        pytest.param({"send_url_template": "{{index .attachments 0}}"}, None, Permanent,
                     "send_url_template cannot be used", id="url-template"),
        pytest.param({"send_url_template": "x{{.text}}"}, None, Permanent, "does not make an http(s) URL", id="no-url"),
    ],
)  # fmt: skip
def test_answers(config: dict[str, Any], answer: Any, expected: type[Accepted | NotAccepted], why: str) -> None:
    done = offer("E2", answer, config=config)
    assert type(done.outcome) is expected
    assert why in getattr(done.outcome, "reason", "")
    assert bool(done.calls) is bool(answer)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"send_url": None}, "send_url: required key is missing"),
        ({"content_type": "xml"}, "content_type: "),
        ({"content_type": "urlencoded", "send_template": ""}, "send_template: required key is missing"),
        ({"send_template": "{{.text"}, "send_template: line 1: unexpected"),
        ({"receive_template": "{{end}}"}, "receive_template: {{end}} without a beginning"),
        ({"send_url_template": "https://x/{{nope}}"}, "send_url_template: unknown function 'nope'"),
        ({"send_attachment_in_parts": "maybe"}, "send_attachment_in_parts: "),
    ],
)
def test_settings_that_cannot_be_used(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make("E2", **config)
    assert why in str(caught.value)


def test_credentials_in_urls_and_templates_are_secrets() -> None:
    channel = make(
        "E2",
        send_url="https://x.org/?api_key=k1secret",
        send_template='{"password":"p2secret"}',
        send_url_template="https://y.org/?token=t3secret",
        send_media_url="https://z.org/?key=k4secret",
    )
    assert {"k1secret", "p2secret", "t3secret", "k4secret", "Token t-1&23"} <= set(channel.secrets())
