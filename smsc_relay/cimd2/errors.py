"""Whose fault it is: ours (LocalProtocolError) or the peer's (Cimd2DecodeError).

No text here ever contains a parameter's value: addresses, passwords and messages stay out of logs and traces.
"""

from __future__ import annotations


class Cimd2Error(Exception):
    """Anything that goes against the protocol."""


class LocalProtocolError(Cimd2Error):
    """We asked for something that the protocol does not allow now; nothing was sent."""


class Cimd2EncodeError(LocalProtocolError):
    """A parameter does not fit its place on the wire."""


class Cimd2DecodeError(Cimd2Error):
    """A packet that cannot be read: none, or damaged. `operation` is the packet's where its header could be read, else
    -1."""

    def __init__(self, reason: str, operation: int = -1) -> None:
        super().__init__(reason)
        self.reason, self.operation = reason, operation
