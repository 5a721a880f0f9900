"""The world around the gateway, for `make run`: a demo aggregator with a phone behind it, and a demo platform."""

from __future__ import annotations

import threading
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass, field
from typing import Any

from chalicelib import queues
from chalicelib.clock import now_ms
from chalicelib.messages import Outgoing

CHANNEL = "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"
NUMBER = "8080"


def post(url: str, fields: dict[str, str]) -> int:
    """POST a form to a part of this machine."""
    data = urllib.parse.urlencode(fields).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data, method="POST"), timeout=10) as answer:
        return int(answer.status)


@dataclass
class World:
    """What the phones and the platform have got, in order, and how to make them speak."""

    base: str
    phone: list[dict[str, Any]] = field(default_factory=list)
    platform: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    receipt_delay: float = 0.4  # seconds until the aggregator reports sent, and again until delivered
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def aggregator_takes(self, fields: dict[str, str]) -> None:
        """The demo aggregator accepts a message: the phone gets it, receipts follow."""
        with self._lock:
            self.phone.append({"at": now_ms(), **fields})
        for number, action in enumerate(("sent", "delivered"), 1):
            timer = threading.Timer(self.receipt_delay * number, self._report, (action, fields["id"]))
            timer.daemon = True
            timer.start()

    def _report(self, action: str, message_id: str) -> None:
        post(f"{self.base}/c/ex/{CHANNEL}/{action}", {"id": message_id})

    def platform_takes(self, path: str, fields: dict[str, str]) -> None:
        """The demo platform's External API: `/platform/c/ex/<uuid>/<kind>`."""
        with self._lock:
            self.platform.append({"at": now_ms(), "kind": path.rsplit("/", 1)[-1], **fields})

    def phone_sends(self, sender: str, text: str) -> None:
        """A phone writes: the demo aggregator calls our webhook."""
        post(f"{self.base}/c/ex/{CHANNEL}/receive", {"from": sender, "text": text})

    def platform_sends(self, to: str, text: str) -> str:
        """The platform enqueues a message to outbound.fifo; answers its id."""
        message_id = str(uuid.uuid4())
        message = Outgoing.model_validate(
            {"id": message_id, "text": text, "to": to, "from": NUMBER, "channel": CHANNEL}
        )
        with self._lock:
            self.ids.append(message_id)
        body = message.model_dump_json(by_alias=True, exclude_defaults=True)
        queues.send(queues.OUTBOUND, queues.Entry(body=body, group=queues.digest(to), dedup=queues.digest(message_id)))
        return message_id
