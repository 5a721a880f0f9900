"""Whose fault it is: ours (LocalProtocolError) or the peer's (RemoteProtocolError).

No text here ever contains a field's value: addresses, passwords and messages stay out of logs and traces.
"""

from __future__ import annotations

from smsc_relay import foreign


class SmppError(Exception):
    """Anything that goes against the protocol."""


class LocalProtocolError(SmppError):
    """We asked for something that the protocol does not allow now; nothing was sent."""


class RemoteProtocolError(SmppError):
    """The peer sent something that the protocol does not allow."""


class SmppEncodeError(LocalProtocolError):
    """A field does not fit its place on the wire.

    ``pdu`` and ``field`` are the specification's names, ``length`` is what was given (octets, a closing NUL included;
    the number itself for an integer), ``limit`` says in words what is allowed.
    """

    def __init__(self, pdu: str, field: str, length: int, limit: str) -> None:
        super().__init__(f"{pdu}.{field} is {length}; allowed: {limit}")
        self.pdu, self.field, self.length, self.limit = pdu, field, length, limit


class SmppDecodeError(RemoteProtocolError):
    """A whole PDU arrived whose content cannot be read.

    ``status`` is the command_status to answer with, ``sequence``, ``command_id`` and ``command_status`` are the PDU's.
    """

    def __init__(
        self, status: int, reason: str, sequence: int = 0, command_id: int = 0, command_status: int = 0
    ) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason
        self.sequence, self.command_id, self.command_status = sequence, command_id, command_status


class SmppFramingError(RemoteProtocolError):
    """A command_length that cannot be true: where the next PDU begins is lost, so the connection is over."""

    def __init__(self, length: int, limit: int) -> None:
        said = foreign.hint(length.to_bytes(4, "big"), "an SMPP")
        super().__init__(f"command_length {length} is outside 16..{limit}{said}")
        self.length, self.limit, self.reason = length, limit, str(self)
