"""PDUs that a session writes by itself: a header, and hardly ever more."""

from __future__ import annotations

from struct import Struct
from typing import Final

from smsc_relay.smpp.constants import HEADER_SIZE, RESPONSE_BIT, CommandId
from smsc_relay.smpp.state import WITH_RESPONSE, WITHOUT_RESPONSE

_HEADER: Final = Struct(">IIII")
# SMPP 3.4 sections 4.1.2 and 4.4.2 leave out the body of a negative bind or submit_sm response. They say no such thing
# of these two, whose unused message_id is one NUL.
_BODY_WHEN_REFUSED: Final[dict[int, bytes]] = {CommandId.DELIVER_SM: b"\0", CommandId.DATA_SM: b"\0"}


def header_only(command_id: int, sequence: int, status: int = 0) -> bytes:
    """A PDU without body, such as enquire_link."""
    return _HEADER.pack(HEADER_SIZE, command_id, status, sequence)


def refusal(command_id: int, sequence: int, status: int) -> bytes:
    """The negative answer to a request: its response; generic_nack for an unknown one; nothing where none is due."""
    if command_id in WITHOUT_RESPONSE:
        return b""
    if command_id not in WITH_RESPONSE:
        return header_only(CommandId.GENERIC_NACK, sequence, status)
    body = _BODY_WHEN_REFUSED.get(command_id, b"")
    return _HEADER.pack(HEADER_SIZE + len(body), command_id | RESPONSE_BIT, status, sequence) + body
