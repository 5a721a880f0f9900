"""PDUs as they may be written down: headers, lengths and tags; never a text, a whole number or a password."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.phones import mask
from smsc_relay.smpp.codec import FrameReader, decode
from smsc_relay.smpp.constants import HEADER_SIZE, RESPONSE_BIT, CommandId, status_name
from smsc_relay.smpp.errors import SmppDecodeError, SmppFramingError
from smsc_relay.smpp.pdus import Pdu, ShortMessage

_NUMBERS: Final = ("esm_class", "data_coding", "registered_delivery", "message_state", "error_code")
_ADDRESSES: Final = ("source_addr", "destination_addr")
_KNOWN: Final = frozenset(int(one) for one in CommandId)
_LONGEST: Final = 0x1FFFF  # a command_length that is believed where the stream is entered
_HIGHEST: Final = 0xFFFF  # a command_status that is


class SmppTranscript:
    """`smsc_relay.protocol.Transcript` over SMPP."""

    def __init__(self) -> None:
        self._reader: FrameReader | None = None
        self._before = b""  # octets in which no header has been found

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The PDUs that are complete now. The first may be one that began before we listened: it is passed over."""
        if self._reader is None:
            data = self._entered(self._before + data)
        if self._reader is None:
            return []
        self._reader.feed(data)
        found: list[dict[str, Any]] = []
        try:
            while (frame := self._reader.next_frame()) is not None:
                found.append(_line(frame))
        except SmppFramingError as error:
            self._reader = None
            found.append({"pdu": "(none)", "flaw": str(error)})
        return found

    def _entered(self, data: bytes) -> bytes:
        """From the first octets on that look like a header."""
        for at in range(max(0, len(data) - HEADER_SIZE + 1)):
            length = int.from_bytes(data[at : at + 4], "big")
            command = int.from_bytes(data[at + 4 : at + 8], "big")
            status = int.from_bytes(data[at + 8 : at + 12], "big")
            known = command in _KNOWN or command & ~RESPONSE_BIT in _KNOWN
            if known and HEADER_SIZE <= length <= _LONGEST and status <= _HIGHEST:
                self._reader, self._before = FrameReader(), b""
                return data[at:]
        self._before = data[-HEADER_SIZE:]
        return b""


def _line(frame: bytes) -> dict[str, Any]:
    header = {"header": frame[:HEADER_SIZE].hex(), "octets": len(frame)}
    try:
        pdu, sequence, status, flaws = decode(frame)
    except SmppDecodeError as error:
        return {"pdu": f"0x{error.command_id:08X}", "sequence": error.sequence, **header, "flaw": error.reason}
    line = {"pdu": type(pdu).__name__, "sequence": sequence, **header, **_fields(pdu)}
    if status:
        line["status"] = status_name(status)
    if flaws:
        line["flaw"] = flaws[0].reason
    return line


def _fields(pdu: Pdu) -> dict[str, Any]:
    found: dict[str, Any] = {name: getattr(pdu, name) for name in _NUMBERS if hasattr(pdu, name)}
    found |= {name: mask(getattr(pdu, name)) for name in _ADDRESSES if hasattr(pdu, name)}
    message_id = getattr(pdu, "message_id", None)
    if message_id:
        found["message_id"] = message_id
    if isinstance(pdu, ShortMessage):
        found["sm_length"] = len(pdu.short_message)
    if pdu.tlvs:
        found["tlvs"] = [f"0x{tag:04X}:{len(value)}" for tag, value in pdu.tlvs]
    return found
