"""Every channel type behind its door: webhooks.handle with API Gateway's events, the registry, SQS and the trace."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import uuid
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as rules
from hypothesis import strategies as st

from chalicelib import aws as clients
from chalicelib import channels, queues, registry, trace, webhooks
from chalicelib.channels.base import HttpChannel, Request
from chalicelib.messages import Incoming
from chalicelib.settings import settings
from tests.channels.support import sample
from tests.lane import logged
from tests.support import Aws

OTHER = "11111111-2222-4333-8444-555555555555"
CHANNELS = {code: str(uuid.uuid5(uuid.NAMESPACE_DNS, code)) for code in channels.CODES}
KINDS = ("application/json", "application/x-www-form-urlencoded", "text/xml", "multipart/form-data; boundary=x",
         "multipart/form-data", "text/plain; charset=utf-16", "\u20ac", "")  # fmt: skip
HOSTILE = st.binary(max_size=200) | st.sampled_from(
    [b"{", b"[[", b'{"a":1', b"<a", b"<a/><b/>", b"a=%zz&a", b"--x\r\n", b"\xff\xfe\x00", b"null", b"[null]", b"{}"]
)
EACH = [(code, action, method) for code in channels.CODES
        for action, methods in channels.load(code).routes().items() for method in methods]  # fmt: skip


@pytest.fixture
def door(aws: Aws) -> Aws:
    """A channel of every type, their secrets where secrets are."""
    aws.platform()
    for code, name in CHANNELS.items():
        config = dict(sample(code).config)
        hidden = {key: config.pop(key) for key in channels.load(code).Config.secret_keys() if key in config}
        aws.aggregator(code.lower(), code, config=config, secrets=hidden)
        aws.channel(name, aggregator=code.lower(), type=code, address="20990", country="KE")
    return aws


def ask(
    code: str, action: str, method: str = "POST", body: bytes = b"", channel: str = "", query: str = "", **more: str
) -> webhooks.Answer:
    name = channel or CHANNELS[code]
    event: dict[str, Any] = {
        "httpMethod": method,
        "path": f"/c/{code.lower()}/{name}/{action}",
        "headers": {header.replace("_", "-"): value for header, value in more.items()},
        "queryStringParameters": dict(parse_qsl(query)) or None,
        "requestContext": {"identity": {"sourceIp": "192.0.2.1"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
    return webhooks.handle(event, code, name, action)


def test_who_is_unknown_is_told_so(door: Aws) -> None:
    for code, action, method in EACH:
        another = "at" if code != "AT" else "t"
        answers = [
            ask(code, action, method, channel=OTHER),
            ask(code, action, method, channel="not-a-uuid"),
            ask(code, "nonsense", method),
            ask(another.upper(), action, method, channel=CHANNELS[code]),
        ]
        assert [answer.status for answer in answers] == [404] * 4, code
    assert door.depth(queues.EVENTS) == 0


@pytest.mark.usefixtures("door")
def test_a_body_that_is_too_long_is_refused_unread() -> None:
    for code, action, method in EACH:
        answer = ask(code, action, method, b"x" * 1_048_577, Content_Type="application/json")
        assert (answer.status, b"1048577 octets" in answer.body) == (413, True), code


@rules(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    one=st.sampled_from(EACH),
    body=HOSTILE,
    kind=st.sampled_from(KINDS),
    query=st.sampled_from(["", "id=1", "from=%2B254700111222&text=x"]),
)
@pytest.mark.usefixtures("door")
def test_any_octets_get_an_answer_below_500(one: tuple[str, str, str], body: bytes, kind: str, query: str) -> None:
    answer = ask(*one, body, query=query, Content_Type=kind)
    assert 200 <= answer.status < 500


@pytest.mark.usefixtures("door")
def test_a_malformed_body_of_any_kind_is_no_event_of_any_type() -> None:
    for code, action, method in EACH:
        for kind in KINDS:
            answer = ask(code, action, method, b"{<--x\r\n\xff", Content_Type=kind)
            assert 200 <= answer.status < 500, (code, kind)
            assert b'"msg_uuid"' not in answer.body, (code, kind)


@pytest.mark.usefixtures("door")
def test_secrets_are_in_neither_trace_nor_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls may write them anywhere; an error may quote them."""
    for code in channels.CODES:
        one = registry.settings_of(registry.channel(CHANNELS[code]))
        hidden = [str(one[key]) for key in channels.load(code).Config.secret_keys() if key in one]
        forms = sorted({form for secret in hidden for form in written(secret)})
        said = {"application/json": json.dumps({"a": forms}).encode(),
                "application/x-www-form-urlencoded": "&".join(f"f={form}" for form in forms).encode()}  # fmt: skip

        def fails(self: HttpChannel, request: Request, quoted: str = " ".join(forms)) -> None:
            raise RuntimeError(quoted)

        with logged() as lines:
            for action, methods in channels.load(code).routes().items():
                for kind, body in said.items():
                    for secret in hidden:
                        bearer = {"Authorization": f"Bearer {secret}", "X_Api_Key": secret}
                        ask(code, action, methods[0], body, query=f"token={quote(secret)}", Content_Type=kind, **bearer)
            with monkeypatch.context() as patched:
                patched.setattr(HttpChannel, "_check_caller", fails)
                for action, methods in channels.load(code).routes().items():
                    assert ask(code, action, methods[0]).status == 500
        kept = json.dumps(trace.read(CHANNELS[code]), ensure_ascii=False) + lines.getvalue()
        assert [form for form in forms if form in kept] == [], code


def written(secret: str) -> set[str]:
    """A secret as it may stand in a URL, a form, JSON, XML or a Basic header (a short one shows little in the last)."""
    escaped = quote(secret, safe="")
    small = re.sub("%..", lambda octet: octet.group().lower(), escaped)
    basic = {base64.b64encode(f"user:{secret}".encode()).decode()} if len(secret) >= 12 else set()
    return {secret, escaped, small, quote_plus(secret), json.dumps(secret)[1:-1], html.escape(secret),
            base64.b64encode(secret.encode()).decode()} | basic  # fmt: skip


def test_no_event_is_lost_while_sqs_is_away(door: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a type answers to its aggregator, it does so only once the event is safe; till then 503."""
    for kind in map(channels.load, channels.CODES):
        for name in {name for methods in kind._routes.values() for name in methods.values()}:
            monkeypatch.setattr(kind, name, told)
        monkeypatch.setattr(kind, "authenticate", lambda self, request: None)
    url = settings().queue_url(queues.EVENTS)
    clients.sqs().delete_queue(QueueUrl=url)
    for one in EACH:
        answer = ask(*one)
        assert (answer.status, answer.headers.get("Retry-After")) == (503, "5"), one
    clients.sqs().create_queue(QueueName=url.rsplit("/", 1)[1], Attributes={"FifoQueue": "true"})
    for one in EACH:
        assert ask(*one).status in (200, 202, 204), one
    assert sorted(body["event"]["message"]["text"] for body in door.bodies(queues.EVENTS)) == sorted(
        map(" ".join, EACH)
    )


def told(self: HttpChannel, request: Request) -> Incoming:
    """In the place of a type's own reading."""
    text = f"{self.code} {request.action} {request.method}"
    return Incoming(channel=self.uuid, sender="+254700111222", text=text, external_id=os.urandom(8).hex())
