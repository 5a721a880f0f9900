"""What the tables of a channel type's tests need: a channel with its settings, requests, and answers to them.

Every type has a module `test_<module>.py` here with a `SAMPLE`: the shared cases of test_all.py find it there.
"""

from __future__ import annotations

import base64
import hmac
import importlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import responses

from chalicelib import channels
from chalicelib.channels.base import HttpChannel, Reply, Request
from chalicelib.messages import Incoming, Outgoing, StatusUpdate
from chalicelib.outcomes import Accepted, NotAccepted
from chalicelib.transport import Http

UUID = "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"
MESSAGE = "0199df08-dcf8-7507-b84b-3fdc26a7a0f5"
NOW = 1_770_000_000_000


def unsigned(request: Request) -> Request:
    """For types whose aggregator does not sign."""
    return request


@dataclass
class Sample:
    """A working channel of a type, and its aggregator's good answer."""

    code: str
    config: dict[str, Any]
    url: str | re.Pattern[str]  # of the request that offers a message
    answer: tuple[int, Any]  # status and body (an object: JSON) of an acceptance
    external_id: str = ""
    method: str = "POST"
    outcomes: Mapping[int, type[NotAccepted]] = field(default_factory=dict)  # where a status is judged in another way
    sign: Callable[[Request], Request] = unsigned
    also: tuple[tuple[str, str, int, Any], ...] = ()  # other requests it makes: method, URL, status, body


def sample(code: str) -> Sample:
    """The type's sample, from the module named as the type's own."""
    module = channels.load(code).__module__.rsplit(".", 1)[1]
    found: Sample = importlib.import_module(f"tests.channels.test_{module}").SAMPLE
    return found


@dataclass
class Record:
    """A channel's record."""

    type: str
    uuid: str = UUID
    address: str = "20990"
    country: str = "KE"


def make(code: str, address: str = "20990", country: str = "KE", **config: Any) -> HttpChannel:
    """A channel of the type; `config` on top of a working one. Events are named ev-1, ev-2, ..."""
    numbers = iter(range(1, 1000))
    record = Record(code, address=address, country=country)
    settings = {**sample(code).config, **config}
    return channels.make(record, settings, "https://sms.example.org", lambda: f"ev-{next(numbers)}")


@dataclass
class Json:
    """A JSON body."""

    value: Any


def request(
    code: str,
    action: str,
    data: Any = None,
    *,
    method: str = "POST",
    query: str = "",
    headers: dict[str, str] | None = None,
) -> Request:
    """A request as the webhook's door hands it over: a dict is a form, `Json` JSON, octets a body as it is."""
    given = {name.lower(): (value,) for name, value in (headers or {}).items()}
    if isinstance(data, Json):
        body, kind = json.dumps(data.value).encode(), "application/json"
    elif isinstance(data, dict):
        body, kind = urlencode(data).encode(), "application/x-www-form-urlencoded"
    else:
        body, kind = data or b"", ""
    if kind:
        given.setdefault("content-type", (kind,))
    url = f"https://sms.example.org/c/{code.lower()}/{UUID}/{action}" + (f"?{query}" if query else "")
    return Request(method, action, url, {"host": ("sms.example.org",), **given}, body, "192.0.2.1", NOW)


def multipart(fields: Mapping[str, str], boundary: str = "xYz") -> tuple[bytes, dict[str, str]]:
    """Body and header of a multipart/form-data request."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    body = "".join(parts) + f"--{boundary}--\r\n"
    return body.encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def jwt(claims: Mapping[str, Any], key: str, algorithm: str = "HS256") -> str:
    """A JWT signed with an HMAC (RFC 7515 appendix A.1)."""

    def packed(octets: bytes) -> str:
        return base64.urlsafe_b64encode(octets).decode().rstrip("=")

    head = f"{packed(json.dumps({'alg': algorithm}).encode())}.{packed(json.dumps(dict(claims)).encode())}"
    return f"{head}.{packed(hmac.digest(key.encode(), head.encode(), 'sha' + algorithm[2:]))}"


def mo(sender: str, text: str, **fields: Any) -> Incoming:
    """An MO of the tests' channel."""
    return Incoming(channel=UUID, sender=sender, text=text, **fields)


def told(reply: Reply) -> list[str]:
    """The statuses of the reply's DLRs."""
    return [event.status.value for event in reply.events if isinstance(event, StatusUpdate)]


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """The fields less one."""
    return {key: value for key, value in fields.items() if key != name}


def message(text: str = "Hello", **fields: Any) -> Outgoing:
    """An MT to a Kenyan phone."""
    values = {"id": MESSAGE, "text": text, "to": "+254700111222", "from": "20990", "channel": UUID}
    return Outgoing.model_validate({**values, **fields})


@dataclass
class Offered:
    """What happened when a message was sent: the outcomes of its parts, and the requests made."""

    outcomes: list[Accepted | NotAccepted]
    calls: list[Any]
    http: Http

    @property
    def outcome(self) -> Accepted | NotAccepted:
        """Of the first part."""
        return self.outcomes[0]

    @property
    def request(self) -> Any:
        """The last one."""
        return self.calls[-1]

    def forms(self) -> Iterator[dict[str, list[str]]]:
        """The urlencoded body of each request."""
        for call in self.calls:
            body = call.body if isinstance(call.body, str) else (call.body or b"").decode()
            yield parse_qs(body, keep_blank_values=True)

    @property
    def form(self) -> dict[str, list[str]]:
        """Of the first request."""
        return next(self.forms())


def offer(
    code: str,
    answer: tuple[int, Any] | Exception | None = None,
    *,
    config: dict[str, Any] | None = None,
    url: str = "",
    address: str = "20990",
    generation: int = 1,
    urgent: bool = False,
    headers: dict[str, str] | None = None,
    **fields: Any,
) -> Offered:
    """Send a message of `fields`, every part of it, to an aggregator that gives `answer` (default: the sample's).

    Any other request than the sample's fails.
    """
    known = sample(code)
    channel = make(code, address=address, **(config or {}))
    http = Http(channel.secrets(), allow_private=True)
    outcomes: list[Accepted | NotAccepted] = []
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        for method, place, status, body in known.also:
            web.add(method, place, body=_text(body), status=status)
        if isinstance(answer, Exception):
            web.add(known.method, url or known.url, body=answer)
        else:
            status, body = answer or known.answer
            web.add(known.method, url or known.url, body=_text(body), status=status, headers=headers)
        for part in channel.plan(message(**fields), generation, urgent=urgent):
            try:
                outcomes.append(channel.send(part, http))
            except NotAccepted as ended:
                outcomes.append(ended)
        return Offered(outcomes, [call.request for call in web.calls], http)


def _text(body: Any) -> str:
    return body if isinstance(body, str) else json.dumps(body)
