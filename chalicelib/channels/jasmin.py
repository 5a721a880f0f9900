"""Jasmin's HTTP API and HTTP connector: https://docs.jasminsms.com/en/latest/apis/http/index.html"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from chalicelib.channels.base import (
    DELIVERED,
    ERRORED,
    FAILED,
    SENT,
    WIRED,
    BadRequest,
    ChannelConfig,
    HttpChannel,
    Part,
    Reply,
    Request,
    Secret,
    Text,
    Url,
    route,
)
from chalicelib.channels.request import Event
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown
from chalicelib.transport import Response, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.channels.reading import Form
    from chalicelib.transport import Http

_SUCCESS: Final = re.compile(r'Success\s+"([^"]+)"')
# data_coding (SMPP 3.4 section 5.2.19), with the message classes of 3GPP TS 23.038 section 4
_GSM: Final = frozenset({0x00, *range(0x10, 0x14), *range(0xF0, 0xF4)})
_UCS2: Final = frozenset({0x08, *range(0x18, 0x1C)})


def judge_jasmin(response: Response) -> None:
    """403 is about the user: credentials, rights or credit; its text tells which."""
    if response.status == 403 and "authentication" in response.text.lower():
        raise ChannelDown("Jasmin refuses our credentials", "403", credentials=True)
    judge(response)


class Jasmin(HttpChannel):
    """A query string out, forms in. Jasmin cuts long messages and joins them; what is not answered ACK comes again."""

    code = "JS"
    name = "Jasmin"
    max_length = None

    class Config(ChannelConfig):
        """Keys of RapidPro's JS channel."""

        send_url: Url
        username: Text
        password: Secret

    config: Config
    # of receipts; ESME_* are an SMSC's answers to the submission, where those that are not listed refuse it for good
    statuses = {
        "DELIVRD": DELIVERED,
        "ACCEPTD": SENT,
        "ESME_ROK": SENT,
        "UNKNOWN": WIRED,
        "UNDELIV": FAILED,
        "REJECTD": FAILED,
        "EXPIRED": FAILED,
        "DELETED": FAILED,
        "ESME_RTHROTTLED": ERRORED,
        "ESME_RMSGQFUL": ERRORED,
        "ESME_RSYSERR": ERRORED,
    }

    @route("POST", "receive")
    def on_message(self, request: Request) -> Incoming:
        """`content` holds the octets of the short message, and `binary` the same in hex."""
        form = request.form()
        external_id, sender, _, _ = form.require("id", "from", "to", "coding")
        return self.incoming(sender, _text(form, form.integer("coding")), external_id=external_id)

    @route("POST", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A receipt. Jasmin writes ND where it could not read a field: such a field says nothing."""
        form = request.form()
        (external_id,) = form.require("id")
        status, error = form.get("message_status").upper(), form.get("err")
        if status.startswith("ESME_"):
            status = status if status in self.statuses else "REJECTD"
        elif status not in self.statuses:
            if _number(form.get("dlvrd")) == 1:
                status = "DELIVRD"
            elif _number(error) == 1:
                status = "UNDELIV"
            else:
                raise BadRequest(f"unknown status: {status[:64]!r}, and neither 'dlvrd' nor 'err' is 1")
        code = error if (_number(error) or 0) else form.get("message_status")
        return self.update(status, external_id=external_id, code=code)

    def accepted(self, request: Request, events: Sequence[Event], ids: Sequence[str]) -> Reply:
        """Exactly what Jasmin waits for."""
        return Reply(200, b"ACK/Jasmin", "text/plain", events=tuple(events), ids=tuple(ids))

    def ignored(self, request: Request, reason: str) -> Reply:
        """As `accepted`."""
        return Reply(200, b"ACK/Jasmin", "text/plain", kind="ignored", reason=reason)

    def send(self, part: Part, http: Http) -> Accepted:
        """One GET a message. `dlr-level` 3 asks for the SMSC's answer as well as for the phone's receipt."""
        from chalicelib import gsm7, text

        plain = text.substitute_gsm7(part.text)
        params = {
            "username": self.config.username,
            "password": str(self.config.password),
            "from": part.address.removeprefix("+"),
            "to": part.message.to_no_plus,
            "dlr": "yes",
            "dlr-url": self.callback("status"),
            "dlr-level": "3",
            "dlr-method": "POST",
        }
        if gsm7.is_gsm7(plain):
            params |= {"coding": "0", "content": plain}
        else:
            params |= {"coding": "8", "hex-content": part.text.encode("utf-16-be", "replace").hex()}
        url = urlsplit(self.config.send_url)._replace(query="", fragment="").geturl()
        answer = http.get(url, params=params, judge=judge_jasmin)
        found = _SUCCESS.search(answer.text)
        return Accepted(found[1] if found else "")


def _text(form: Form, coding: int | None) -> str:
    octets = form.octets("content") or b""
    if coding in _GSM:
        from chalicelib import gsm7

        return gsm7.decode(bytes(octet if octet < 0x80 else ord("?") for octet in octets))
    if coding in _UCS2:
        with contextlib.suppress(ValueError):  # `content` has them too
            octets = bytes.fromhex(form.get("binary")) or octets
        return octets.decode("utf-16-be", "replace")
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
