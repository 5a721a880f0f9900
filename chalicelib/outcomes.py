"""How an offer to an aggregator can end: `Accepted`, or one of the exceptions below.

The exceptions say whose trouble it is, since that decides what happens next: the message's (`Permanent`, `OptedOut`),
the moment's (`Temporary`, `Throttled`), the account's (`ChannelDown`), or nobody knows (`InDoubt`).
Their texts go to traces and to the platform's operators: no secret belongs in them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accepted:
    """The aggregator has taken the part. `external_id` is its name for it, "" where it gives none."""

    external_id: str = ""


class NotAccepted(Exception):  # noqa: N818 - outcomes, not errors of ours
    """Base of all other ends. `code` is the aggregator's own code, "" where it gives none."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class Temporary(NotAccepted):
    """Not accepted, and worth another try: no connection, 5xx, a transient code."""


class Throttled(NotAccepted):
    """Too fast: slow this channel down; never a reason to fail the message.

    `retry_after` is in seconds, None where the aggregator does not say.
    """

    def __init__(self, reason: str, code: str = "", retry_after: float | None = None) -> None:
        super().__init__(reason, code)
        self.retry_after = retry_after


class Permanent(NotAccepted):
    """This message will never be accepted."""


class OptedOut(Permanent):
    """Refused because the recipient wants no messages: the platform is told `stopped`."""


class ChannelDown(NotAccepted):
    """The account is in trouble (401, 402, 403, no balance, missing configuration): the lane pauses, nothing fails.

    `credentials` is True where a secret that has just been rotated may be the cause: it is read again once.
    """

    def __init__(self, reason: str, code: str = "", credentials: bool = False) -> None:
        super().__init__(reason, code)
        self.credentials = credentials


class InDoubt(NotAccepted):
    """The request went out and no answer came: it may have been accepted."""
