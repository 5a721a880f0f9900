"""What a table of a channel type's tests needs: a channel with its settings, requests, and answers to them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from chalicelib import channels
from chalicelib.channels.base import HttpChannel, Request
from chalicelib.messages import Outgoing

UUID = "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"
MESSAGE = "0199df08-dcf8-7507-b84b-3fdc26a7a0f5"

CONFIGS: dict[str, dict[str, Any]] = {
    "AT": {"username": "acme", "api_key": "k-1&23"},
    "EX": {"send_url": "https://gateway.example.org/send", "send_authorization": "Token s3cr&t/+\u00e9"},
    "IB": {"api_key": "k-1&23", "base_url": "https://ab1cd.api.infobip.com"},
    "KN": {"send_url": "https://kannel.example.org/cgi-bin/sendsms", "username": "acc", "password": "p&w d"},
    "T": {"account_sid": "AC123", "auth_token": "t0k3n-example"},
}


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
    return channels.make(record, {**CONFIGS[code], **config}, "https://sms.example.org", lambda: f"ev-{next(numbers)}")


def request(
    code: str,
    action: str,
    data: Any = None,
    *,
    method: str = "POST",
    query: str = "",
    headers: dict[str, str] | None = None,
) -> Request:
    """A request as the webhook's door hands it over: a dict is a form, a list or JsonBody JSON, octets a body."""
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
    return Request(method, action, url, {"host": ("sms.example.org",), **given}, body, "192.0.2.1", 1_770_000_000_000)


@dataclass
class Json:
    """A JSON body."""

    value: Any


def message(text: str = "Hello", **fields: Any) -> Outgoing:
    """An MT to a Kenyan phone."""
    values = {"id": MESSAGE, "text": text, "to": "+254700111222", "from": "20990", "channel": UUID}
    return Outgoing.model_validate({**values, **fields})
