"""Frames as they may be written down: headers and the lengths of fields; never what is in one."""

from __future__ import annotations

from typing import Any

from smsc_relay.ucp.codec import FrameReader, decode
from smsc_relay.ucp.errors import UcpDecodeError


class UcpTranscript:
    """`smsc_relay.protocol.Transcript` over UCP."""

    def __init__(self) -> None:
        self._reader = FrameReader()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The frames that are complete now."""
        self._reader.feed(data)
        found: list[dict[str, Any]] = []
        while (body := self._reader.next_frame()) is not None:
            try:
                frame = decode(body, lenient=True)
            except UcpDecodeError as error:
                found.append({"pdu": "(none)", "octets": len(body) + 2, "flaw": str(error)})
                continue
            kind = "R" if frame.result else "O"
            header = f"{frame.trn:02d}/{len(body):05d}/{kind}/{frame.ot:02d}"
            lengths = ["/".join(str(len(field)) for field in frame.fields)]
            answer = {"answer": frame.fields[0]} if frame.result and frame.fields[0] in ("A", "N") else {}
            found.append({"pdu": f"{kind}{frame.ot:02d}", "header": header, **answer, "lengths": lengths[0]})
        return found
