"""External API: templates out; forms, multipart or XML in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.base import Request
from chalicelib.channels.config import ConfigError
from chalicelib.messages import Incoming, OptOut, StatusUpdate
from chalicelib.outcomes import Accepted, Permanent
from tests.channels.support import MESSAGE, NOW, UUID, Sample, make, mo, multipart, offer, request, told

URL = "https://gateway.example.org/send"
SAMPLE = Sample(
    code="EX",
    config={"send_url": URL, "send_authorization": "Token s3cr&t/+\u00e9"},
    url=URL,
    answer=(200, "ok"),
)
SENDER = "+254700111222"


def receive(data: Any = None, query: str = "", method: str = "POST", **headers: str) -> Request:
    return request("EX", "receive", data, method=method, query=query, headers=headers)


# --- messages -------------------------------------------------------------------------------------------------------

FORM, BOUNDARY = multipart({"from": SENDER, "text": "Ünï 😀"})


@pytest.mark.parametrize(
    ("asked", "config", "expected"),
    [
        pytest.param(receive({"from": SENDER, "text": "Join now", "date": "2026-03-01T10:11:12Z"}), {},
                     mo(SENDER, "Join now", received_at=1_772_359_872_000), id="as-documented"),
        pytest.param(receive({"sender": "0700111222", "time": "2026-03-01T12:11:12.5+02:00"}), {},
                     mo(SENDER, "", received_at=1_772_359_872_500), id="other-names-no-text"),
        pytest.param(receive(query="from=%2B254700111222&text=h%C3%A9", method="GET"), {}, mo(SENDER, "hé"), id="get"),
        pytest.param(receive({"from": SENDER, "date": ""}), {}, mo(SENDER, ""), id="empty-date"),
        pytest.param(receive(b"from=0700111222&from=0700999999&text=a&text=b"), {}, mo(SENDER, "a"), id="first-wins"),
        pytest.param(receive({"text": "body"}, query="text=query&from=0700111222"), {}, mo(SENDER, "body"),
                     id="body-before-query"),
        pytest.param(receive({"from": SENDER, "From": "0700999999", "TEXT": "x"}), {}, mo(SENDER, ""), id="exact-case"),
        pytest.param(receive({"from": "40404"}), {}, mo("40404", ""), id="short-code"),
        pytest.param(receive(FORM, **BOUNDARY), {}, mo(SENDER, "Ünï 😀"), id="multipart"),
        pytest.param(receive(FORM, query="text=query", **BOUNDARY), {}, mo(SENDER, "query"), id="query-first"),
        pytest.param(receive({"who": "0700111222", "from": "0700999999", "what": "w", "when": "2026-03-01T10:11:12Z"}),
                     {"mo_from_field": "who", "mo_text_field": "what", "mo_date_field": "when"},
                     mo(SENDER, "w", received_at=1_772_359_872_000), id="names-of-its-own"),
        pytest.param(receive({"from": SENDER, "text": "usual", "what": ""}), {"mo_text_field": "what"}, mo(SENDER, ""),
                     id="its-own-name-wins-though-empty"),
        pytest.param(receive({"from": SENDER, "text": "usual"}), {"mo_text_field": "what", "mo_from_field": "who"},
                     mo(SENDER, "usual"), id="usual-names-where-its-own-are-absent"),
        pytest.param(receive({"from": SENDER, "text": "x"}), {"from_xpath": "//a"}, mo(SENDER, "x"), id="one-xpath"),
        pytest.param(receive({"from": "Bank MTN", "text": "x"}), {"alphanumeric_mo": "deliver"}, mo("Bank MTN", "x"),
                     id="alphanumeric-where-wanted"),
        pytest.param(receive(b"from=0700111222&text=tr%E8s", **{"Content-Type":
                             "application/x-www-form-urlencoded; charset=iso-8859-1"}), {}, mo(SENDER, "très"),
                     id="latin-1"),
    ],
)  # fmt: skip
def test_messages(asked: Request, config: dict[str, Any], expected: Incoming) -> None:
    reply = make("EX", **config).receive(asked)
    assert (reply.status, reply.events) == (200, (expected,))
    assert reply.body.startswith(b'{"message":"Message Accepted","data":[{"type":"msg",')


XML = "<req><msisdn n='0700111222'>254700<b>111</b>222</msisdn><sms>Join <![CDATA[<us>]]><!-- not this --></sms></req>"


@pytest.mark.parametrize(
    ("sender", "text", "expected"),
    [
        ("//req/msisdn", "//req/sms", "Join <us>"),
        ("/req/msisdn", "req/sms", "Join <us>"),
        ("//msisdn/@n", "//*[2]", "Join <us>"),
        ("string(//msisdn)", "count(//sms)", "1"),
        ("//msisdn/@n", "//msisdn/text()", "254700"),
        ("//@n", "/", "254700111222Join <us>"),
        ("//@n", "//b[. = '111']", "111"),
    ],
)
def test_xml(sender: str, text: str, expected: str) -> None:
    channel = make("EX", from_xpath=sender, text_xpath=text)
    for method, kind in (("POST", "text/xml"), ("POST", "application/x-www-form-urlencoded"), ("GET", "")):
        asked = receive(XML.encode(), method=method, **({"Content-Type": kind} if kind else {}))
        assert channel.receive(asked).events == (mo(SENDER, expected),)


def test_xml_in_another_charset() -> None:
    body = "<?xml version='1.0' encoding='iso-8859-1'?><r><a>0700111222</a><b>très</b></r>".encode("latin-1")
    assert make("EX", from_xpath="//a", text_xpath="//b").receive(receive(body)).events == (mo(SENDER, "très"),)


@pytest.mark.parametrize(
    ("sender", "text", "body", "why"),
    [
        ("//msisdn", "//nope", XML, "nothing in the XML for text_xpath"),
        ("//nope", "//sms", XML, "nothing in the XML for from_xpath"),
        ("//a", "//b", "<r><a/><b>x</b></r>", "the sender is empty"),
        ("//a", "//b", "<r><a>MTN</a><b>x</b></r>", "not a possible number"),
        ("//a", "//b", "<r><a>", "unable to parse request XML"),
        ("//a", "//b", "", "unable to parse request XML"),
        ("//a", "//b", "<r><a>0700111222</a><b>" + "x" * 100_000 + "</b></r>", "unable to parse request XML"),
        ("//[", "//b", XML, "cannot be used"),
        ("//x:a", "//b", XML, "cannot be used"),
        ("doc('file:///etc/passwd')", "//b", XML, "cannot be used"),
        ("unparsed-text('file:///etc/passwd')", "//b", XML, "cannot be used"),
        (
            "//a",
            "//b",
            '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r><a>&e;</a><b/></r>',
            "unable to parse",
        ),
    ],
)
def test_xml_refused(sender: str, text: str, body: str, why: str) -> None:
    reply = make("EX", from_xpath=sender, text_xpath=text).receive(receive(body.encode()))
    assert (reply.status, reply.events) == (400, ())
    assert why in reply.reason


@pytest.mark.parametrize(
    ("asked", "config", "why"),
    [
        pytest.param(receive({"text": "x"}), {}, "must have one of 'sender' or 'from' set", id="no-sender"),
        pytest.param(receive({"from": SENDER, "who": ""}), {"mo_from_field": "who"}, "must have", id="own-empty"),
        pytest.param(receive({"from": "MTN"}), {}, "not a possible number", id="alphanumeric"),
        pytest.param(receive({"from": SENDER, "date": "2026-03-01 10:11:12"}), {}, "invalid date", id="no-t"),
        pytest.param(receive({"from": SENDER, "date": "2026-03-01T10:11:12"}), {}, "invalid date", id="no-zone"),
        pytest.param(receive({"from": SENDER, "time": "now"}), {}, "invalid date", id="bad-date"),
        pytest.param(receive(b'{"from":"0700111222"}', **{"Content-Type": "application/json"}), {}, "must have one of",
                     id="json-is-not-read"),
        pytest.param(receive(b"x", **{"Content-Type": "multipart/form-data"}), {}, "boundary", id="no-boundary"),
        pytest.param(request("EX", "stopped", {}), {}, "field 'from' required", id="stopped-nobody"),
        pytest.param(request("EX", "stopped", {"from": "MTN"}), {"alphanumeric_mo": "deliver"}, "not a possible number",
                     id="stopped-no-phone"),
        pytest.param(request("EX", "sent", {}), {}, "must be our message id", id="status-nothing"),
        pytest.param(request("EX", "sent", {"uuid": "x", "id": "0"}), {}, "must be our message id", id="status-no-id"),
    ],
)  # fmt: skip
def test_refused(asked: Request, config: dict[str, Any], why: str) -> None:
    reply = make("EX", mo_response="OK", **config).receive(asked)
    assert (reply.status, reply.events, reply.content_type) == (400, (), "application/json")
    assert why in reply.reason


@pytest.mark.parametrize(
    ("config", "kind"),
    [({"mo_response_content_type": "text/x-own"}, "text/x-own"), ({}, "text/plain; charset=utf-8")],
)
def test_a_literal_answer_is_for_messages_only(config: dict[str, str], kind: str) -> None:
    channel = make("EX", mo_response="Ødanke", **config)
    reply = channel.receive(receive({"from": SENDER}))
    assert (reply.body.decode(), reply.content_type, len(reply.events)) == ("Ødanke", kind, 1)
    for action, data in (("sent", {"id": MESSAGE}), ("stopped", {"from": SENDER})):
        assert channel.receive(request("EX", action, data)).body.startswith(b'{"message":"')


# --- statuses and opt-outs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["sent", "delivered", "failed"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("fields", "ours"),
    [
        ({"uuid": MESSAGE}, MESSAGE),
        ({"id": MESSAGE}, MESSAGE),
        ({"id": "1241244"}, "1241244"),
        ({"UUID": MESSAGE}, MESSAGE),
        ({"uuid": MESSAGE, "id": "7"}, MESSAGE),
        ({"uuid": "nonsense", "id": "1241244"}, "1241244"),
        ({"uuid": "", "id": MESSAGE}, MESSAGE),
    ],
)
def test_statuses(action: str, method: str, fields: dict[str, str], ours: str) -> None:
    query = "&".join(f"{name}={value}" for name, value in fields.items()) if method == "GET" else ""
    reply = make("EX").receive(request("EX", action, None if query else fields, method=method, query=query))
    assert told(reply) == [action]
    (update,) = reply.events
    assert isinstance(update, StatusUpdate)
    assert (update.id, update.part) == (ours, None)


def test_a_status_in_multipart() -> None:
    body, headers = multipart({"uuid": MESSAGE})
    assert told(make("EX").receive(request("EX", "sent", body, headers=headers))) == ["sent"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_opt_out(method: str) -> None:
    reply = make("EX").receive(request("EX", "stopped", method=method, query="from=0700111222"))
    assert reply.events == (OptOut(channel=UUID, sender=SENDER, received_at=NOW),)
    assert reply.body.decode() == (
        '{"message":"Event Accepted","data":[{"type":"event","channel_uuid":"' + UUID + '",'
        '"event_type":"stop_contact","urn":"tel:+254700111222","received_on":"2026-02-02T02:40:00Z"}]}\n'
    )


# --- sending --------------------------------------------------------------------------------------------------------

AWKWARD = 'Hi "you" <{{from}}> & ü\u2028\n\'\t\x01'


@pytest.mark.parametrize(
    ("style", "kind", "template", "expected"),
    [
        pytest.param("json", "application/json", '{"t":{{text}},"q":{{quick_replies}},"x":{{unknown}}}',
                     '{"t":"Hi \\"you\\" \\u003c{{from}}\\u003e \\u0026 ü\\u2028\\n\'\\t\\u0001",'
                     '"q":["Yes","No & <thanks>"],"x":{{unknown}}}', id="json"),
        pytest.param("xml", "text/xml; charset=utf-8", "<t>{{text}}</t>{{quick_replies}}",
                     "<t>Hi &#34;you&#34; &lt;{{from}}&gt; &amp; ü\u2028&#xA;&#39;&#x9;\ufffd</t>"
                     "<item>Yes</item><item>No &amp; &lt;thanks&gt;</item>", id="xml"),
        pytest.param("urlencoded", "application/x-www-form-urlencoded", "t={{text}}{{quick_replies}}",
                     "t=Hi+%22you%22+%3C%7B%7Bfrom%7D%7D%3E+%26+%C3%BC%E2%80%A8%0A%27%09%01"
                     "&quick_reply=Yes&quick_reply=No+%26+%3Cthanks%3E", id="urlencoded"),
        pytest.param("text/x-own", "text/x-own", "{{to_no_plus}} {{text}}{{quick_replies}}",
                     "254700111222 " + AWKWARD + "&quick_reply=Yes&quick_reply=No+%26+%3Cthanks%3E", id="verbatim"),
    ],
)  # fmt: skip
def test_templates(style: str, kind: str, template: str, expected: str) -> None:
    """Substitution is one pass: a text that holds a variable's name is not expanded."""
    replies = ["Yes", "No & <thanks>"]
    done = offer("EX", text=AWKWARD, quick_replies=replies, config={"content_type": style, "body": template})
    assert done.request.body.decode() == expected
    assert done.request.headers["Content-Type"] == kind


@pytest.mark.parametrize(("style", "expected"), [("json", "[]"), ("xml", ""), ("urlencoded", ""), ("x/y", "")])
def test_no_quick_replies(style: str, expected: str) -> None:
    done = offer("EX", config={"content_type": style, "body": "-{{quick_replies}}-"})
    assert done.request.body.decode() == f"-{expected}-"


EVERY = "|".join(f"{{{{{name}}}}}" for name in ("id", "uuid", "to", "to_no_plus", "from", "from_no_plus", "channel",
                                                "session_status"))  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "config", "expected"),
    [
        ({}, {}, f"{MESSAGE}|{MESSAGE}|+254700111222|254700111222|+2542|2542|{UUID}|"),
        ({"id": 7, "session_status": "W"}, {}, f"7|7|+254700111222|254700111222|+2542|2542|{UUID}|W"),
        ({}, {"use_national": True}, f"{MESSAGE}|{MESSAGE}|700111222|700111222|+2542|2542|{UUID}|"),
        ({"to": "40404"}, {"use_national": True}, f"{MESSAGE}|{MESSAGE}|40404|40404|+2542|2542|{UUID}|"),
    ],
)
def test_variables(fields: dict[str, Any], config: dict[str, Any], expected: str) -> None:
    done = offer("EX", address="+2542", config={"content_type": "x/y", "body": EVERY, **config}, **fields)
    assert done.request.body.decode() == expected


@pytest.mark.parametrize(
    ("encoding", "text", "expected"),
    [("S", "Olá “x”", 'Ola "x"'), ("S", "Olá Да", "Olá Да"), ("D", "Olá", "Olá"), ("U", "Olá", "Olá")],
)
def test_encodings(encoding: str, text: str, expected: str) -> None:
    done = offer("EX", text=text, config={"encoding": encoding, "content_type": "x/y", "body": "{{text}}"})
    assert done.request.body.decode() == expected


@pytest.mark.parametrize(("method", "body"), [("POST", b"b"), ("PUT", b"b"), ("GET", None), ("DELETE", None)])
def test_methods(method: str, body: bytes | None) -> None:
    """Only POST and PUT have a body; every one says its Content-Type."""
    import responses

    from chalicelib.transport import Http
    from tests.channels.support import message

    channel = make("EX", method=method, body="b", send_url=URL + "?to={{to}}&t={{text}}{{quick_replies}}")
    with responses.RequestsMock() as web:
        web.add(method, URL, body="ok")
        part = channel.plan(message("a b&", quick_replies=["Y"]))[0]
        assert channel.send(part, Http(allow_private=True)) == Accepted()
        asked = web.calls[0].request
    assert asked.method == method
    assert asked.url == URL + "?to=%2B254700111222&t=a+b%26&quick_reply=Y"
    assert asked.body == body
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_parts_share_the_id_and_the_last_has_the_quick_replies() -> None:
    config = {"content_type": "json", "body": "[{{id}},{{text}},{{quick_replies}}]", "max_length": 20}
    done = offer("EX", text="hello world foo bar baz qux", quick_replies=["Yes"], config=config)
    assert [json.loads(call.body) for call in done.calls] == [
        [MESSAGE, "hello world foo", []],
        [MESSAGE, "bar baz qux", ["Yes"]],
    ]


def test_headers_are_put_on_top() -> None:
    given = {"X-Key": "v", "content-type": "x/y", "AUTHORIZATION": "mine", "User-Agent": "none", "X-Number": 7,
             "X-Flag": True}  # fmt: skip
    for headers in (given, json.dumps(given)):
        sent = offer("EX", config={"headers": headers}).request.headers
        assert (sent["X-Key"], sent["Content-Type"], sent["X-Number"], sent["X-Flag"]) == ("v", "x/y", "7", "true")
        assert sent["Authorization"] == "mine"
        assert sent["User-Agent"].startswith("Jangada/")
    assert offer("EX").request.headers["Authorization"] == "Token s3cr&t/+\u00e9"


@pytest.mark.parametrize("headers", [["x"], "text", "[1]", 7])
def test_headers_must_be_an_object(headers: Any) -> None:
    with pytest.raises(ConfigError, match="headers: "):
        make("EX", headers=headers)


def test_credentials_anywhere_in_the_settings_are_masked() -> None:
    url = "https://gateway.example.org/hooks/T0123456789abcdef?api_key=url%20key&x=y"
    config = {"send_url": url, "headers": {"X-Mine": "header-key", "Accept": "*/*"}, "content_type": "json",
              "body": '{"token":"body-key","text":{{text}}}'}  # fmt: skip
    done = offer("EX", (200, "header-key body-key url+key T0123456789abcdef */*"), config=config)
    trace = json.dumps(done.http.exchanges)
    for secret in ("header-key", "body-key", "url%20key", "url key", "url+key", "T0123456789abcdef", "s3cr"):
        assert secret not in trace
    assert "*/*" in trace
    assert '\\"text\\":\\"Hello\\"' in trace


@pytest.mark.parametrize(
    ("answer", "accepted"), [("status OK 7", True), ("status ok", False), ("", False), ("QUEUED", False)]
)
def test_the_answer_can_be_checked(answer: str, accepted: bool) -> None:
    outcome = offer("EX", (200, answer), config={"mt_response_check": "OK"}).outcome
    assert type(outcome) is (Accepted if accepted else Permanent)
    assert accepted or str(outcome) == "response_content"
