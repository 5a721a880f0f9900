"""The world around the gateway of one machine: aggregators with phones behind them, an SMSC, and a platform."""

from __future__ import annotations

import json
import threading
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib import queues
from chalicelib.clock import iso, now_ms
from chalicelib.messages import Outgoing
from chalicelib.registry import SMSC_TYPES

PHONE: Final = "+250788123123"


@dataclass(frozen=True)
class Line:
    """A demo channel: its type's code, its UUID and its address. `account`: at the SMSC, where there is one."""

    code: str
    channel: str
    address: str
    label: str
    account: str = ""


LINES: Final = (
    Line("EX", "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4", "8080", "External API (HTTP)"),
    Line("AT", "2b7c6f0e-51d3-4c1a-9a3e-0d4c8f6b7a21", "20880", "Africa's Talking (HTTP)"),
    Line("SMPP", "9d0f4a5c-7e21-4b8d-8a66-5c3b1e9f0d42", "8090", "SMSC (SMPP)", "jangada"),
    Line("UCP", "4e8b1d7a-3c62-4f95-b0d1-7a2e6c9f8b30", "8095", "SMSC (UCP/EMI)", "1234"),
    Line("CIMD2", "c7a2f6b4-18d9-4e03-9b5c-6d1e0f8a3b57", "8099", "SMSC (CIMD2)", "ilha"),
)
SECRETS: Final = {
    "demo-ex": {"send_authorization": "Token demo"},
    "demo-at": {"api_key": "demo"},
    "demo-smpp": {"password": "demo"},
    "demo-ucp": {"password": "demo"},
    "demo-cimd2": {"password": "demo"},
}


def line(code: str) -> Line:
    """The demo channel of a type.

    Raises:
        LookupError: there is none.
    """
    for one in LINES:
        if one.code == code:
            return one
    raise LookupError(f"no demo channel of type {code}; there are {', '.join(one.code for one in LINES)}")


def ask(url: str, data: bytes | None = None, kind: str = "application/x-www-form-urlencoded") -> bytes:
    """GET, or POST of `data`, to a part of this machine."""
    request = urllib.request.Request(url, data=data, headers={"Content-Type": kind} if data else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        body: bytes = answer.read()
        return body


@dataclass
class World:
    """What the phones and the platform have got, in order, and how to make them speak.

    `api`: base URL of the gateway; `control`: of the SMSC simulator.
    """

    api: str
    control: str
    lines: tuple[Line, ...] = LINES
    receipt_delay: float = 0.4  # seconds until an aggregator reports that a message is on the phone
    platform: list[dict[str, Any]] = field(default_factory=list)
    _phones: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # --- what others ask of it ------------------------------------------------------------------------------------

    def asked(self, path: str, form: dict[str, str]) -> Any:
        """A request of the gateway: what to answer, as JSON."""
        if path == "/aggregator/ex":
            self._got("EX", form["to"], form["text"])
            self._report("EX", ("sent", "delivered"), {"id": form["id"]})
            return {"accepted": form["id"]}
        if path == "/aggregator/at":
            name = f"ATXid_{uuid.uuid4().hex}"
            self._got("AT", form["to"], form["message"])
            self._report("AT", ("status",), {"id": name, "status": "Success", "phoneNumber": form["to"]})
            recipient = {"statusCode": 101, "number": form["to"], "status": "Success", "messageId": name}
            return {"SMSMessageData": {"Message": "Sent to 1/1", "Recipients": [recipient]}}
        with self._lock:
            _, _, _, _, channel, kind = path.split("/")  # /platform/c/ex/<uuid>/<kind>
            code = next(one.code for one in LINES if one.channel == channel)
            self.platform.append({"at": now_ms(), "kind": kind, "line": code, **form})
        return {"ok": True}

    def _got(self, code: str, to: str, text: str) -> None:
        with self._lock:
            self._phones.append({"at": now_ms(), "line": code, "to": to, "text": text})

    def _report(self, code: str, actions: tuple[str, ...], fields: dict[str, str]) -> None:
        for number, action in enumerate(actions, 1):
            timer = threading.Timer(self.receipt_delay * number, self._call_back, (code, action, fields))
            timer.daemon = True
            timer.start()

    def _call_back(self, code: str, action: str, fields: dict[str, str]) -> None:
        url = f"{self.api}/c/{code.lower()}/{line(code).channel}/{action}"
        ask(url, urllib.parse.urlencode(fields).encode())

    # --- what people do with it -----------------------------------------------------------------------------------

    def phone(self) -> list[dict[str, Any]]:
        """What the phone has got over every line, by time."""
        with self._lock:
            found = list(self._phones)
        smscs = {one.address: one.code for one in self.lines if one.code in SMSC_TYPES}
        for message in json.loads(ask(f"{self.control}/messages"))["messages"] if smscs else ():
            code = smscs.get(message["from"], "")
            found.append({"at": message["at"], "line": code, "to": message["to"], "text": message["text"]})
        return sorted(found, key=lambda one: int(one["at"]))

    def phone_sends(self, code: str, text: str, sender: str = PHONE) -> None:
        """The phone writes to the address of a line."""
        to, account = line(code).address, line(code).account
        if account:
            message = {"from": sender.removeprefix("+"), "to": to, "text": text, "account": account}
            body = json.dumps(message).encode()
            ask(f"{self.control}/mo", body, "application/json")
        elif code == "AT":
            fields = {"id": str(uuid.uuid4()), "from": sender, "to": to, "text": text, "date": iso(now_ms())}
            self._call_back("AT", "receive", fields)
        else:
            self._call_back(code, "receive", {"from": sender, "text": text})

    def platform_sends(self, code: str, text: str, to: str = PHONE) -> str:
        """The platform enqueues a message to outbound.fifo; answers its id."""
        one, message_id = line(code), str(uuid.uuid4())
        message = Outgoing.model_validate(
            {"id": message_id, "text": text, "to": to, "from": one.address, "channel": one.channel}
        )
        body = message.model_dump_json(by_alias=True, exclude_defaults=True)
        group = queues.digest(one.channel, to)
        queues.send(queues.OUTBOUND, queues.Entry(body=body, group=group, dedup=queues.digest(message_id)))
        return message_id
