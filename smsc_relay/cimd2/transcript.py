"""Packets as they may be written down: operations, tags and lengths; never a value but an error's number."""

from __future__ import annotations

from typing import Any

from smsc_relay.cimd2.codec import FrameReader, decode
from smsc_relay.cimd2.constants import Tag
from smsc_relay.cimd2.errors import Cimd2DecodeError


class Cimd2Transcript:
    """`smsc_relay.protocol.Transcript` over CIMD2."""

    def __init__(self) -> None:
        self._reader = FrameReader()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The packets that are complete now."""
        self._reader.feed(data)
        found: list[dict[str, Any]] = []
        while True:
            try:
                frame = self._reader.next_frame()
                if frame is None:
                    return found
                packet = decode(frame, verify=False)
            except Cimd2DecodeError as error:
                found.append({"pdu": "(none)", "flaw": str(error)})
                continue
            error_code = packet.integer(Tag.ERROR)
            line: dict[str, Any] = {"pdu": f"{packet.operation:02d}:{packet.number:03d}", "octets": len(frame)}
            if error_code is not None:
                line["error"] = error_code
            found.append({**line, "tags": [f"{tag:03d}:{len(value)}" for tag, value in packet.parameters]})
