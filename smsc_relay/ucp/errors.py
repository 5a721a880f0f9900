"""Whose fault it is: ours (LocalProtocolError) or the peer's (UcpDecodeError).

No text here ever contains a field's value: addresses, passwords and messages stay out of logs and traces.
"""

from __future__ import annotations


class UcpError(Exception):
    """Anything that goes against the protocol."""


class LocalProtocolError(UcpError):
    """We asked for something that the protocol does not allow now; nothing was sent."""


class UcpEncodeError(LocalProtocolError):
    """A field does not fit its place on the wire."""


class UcpDecodeError(UcpError):
    """A frame that cannot be read.

    `ec` is the error code to answer with. `trn` and `ot` are the frame's, -1 where they cannot be told: then no answer
    is possible. `result`: it is a result, which is never answered.
    """

    def __init__(self, ec: int, reason: str, trn: int = -1, ot: int = -1, *, result: bool = False) -> None:
        super().__init__(reason)
        self.ec, self.reason, self.trn, self.ot, self.result = ec, reason, trn, ot, result
