"""The PDU log of a bind: what goes over its connection, redacted, while an operator wants it (`jangada smsc log`)."""

from __future__ import annotations

import asyncio
from typing import Final

from chalicelib import telemetry
from chalicelib.clock import now_ms
from smsc_relay.protocol import Dialect

MOST: Final = 200  # lines a second and bind: a log must not slow the messages down


class PduLog:
    """Of one connection. `until`: ms since the epoch."""

    def __init__(self, aggregator: str, bind: str, dialect: Dialect, until: int) -> None:
        self.until = until
        self._keys = {"aggregator": aggregator, "bind": bind}
        self._heard, self._said = dialect.transcript(), dialect.transcript()
        self._loop = asyncio.get_running_loop()
        self._second, self._lines, self._left_out = 0, 0, 0

    def heard(self, data: bytes) -> None:
        """Octets from the SMSC."""
        self._log("<-", self._heard.feed(data))

    def said(self, data: bytes) -> None:
        """Octets for it."""
        self._log("->", self._said.feed(data))

    def _log(self, direction: str, lines: list[dict[str, object]]) -> None:
        if now_ms() >= self.until:
            return
        for line in lines:
            second = int(self._loop.time())
            if second != self._second:
                self._second, self._lines = second, 0
            self._lines += 1
            if self._lines > MOST:
                self._left_out += 1
                continue
            extra = {**self._keys, "direction": direction, **line}
            if self._left_out:
                extra["left_out"], self._left_out = self._left_out, 0
            telemetry.logger().info("pdu", extra=extra)
