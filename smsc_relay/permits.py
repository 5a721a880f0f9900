"""Who may hold a bind: an SMSC counts them, and several processes may serve one account."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, Self


@dataclass(frozen=True, slots=True)
class Claim:
    """A bind that a process would like to hold: the `number`th, from 1, `of` those that an account has in a role."""

    account: str
    role: str
    number: int
    of: int

    @property
    def bind(self) -> str:
        """Its name within the account: "1-transceiver"."""
        return f"{self.number}-{self.role}"


class Holder(Protocol):
    """A bind that is held."""

    def drop(self) -> None:
        """Close the socket at once."""

    def give_up(self) -> None:
        """Another is to have the bind: submit nothing more, wait for the answers, log out."""

    def shared(self, part: float) -> None:
        """This process holds that part of the pool's binds that are held now: 0 < part <= 1."""


class Permits(Protocol):
    """Open within `async with`; leaving it gives everything back. `task`: what this process is called."""

    task: str

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...

    def hold(self, claim: Claim, holder: Holder, failures: int) -> AbstractAsyncContextManager[Any]:
        """Entered when the bind may be opened; it is another's when left. `failures`: attempts in a row that have not
        led to a session."""

    def close(self, account: str) -> None:
        """No bind of the account is taken any more; those that are held stay until they are left."""

    def report(self) -> dict[str, Any]:
        """How it is, for people."""


class Free:
    """The only process there is needs no permission."""

    task = "alone"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        return

    def hold(self, claim: Claim, holder: Holder, failures: int) -> AbstractAsyncContextManager[Any]:
        """At once."""
        return nullcontext()

    def close(self, account: str) -> None:
        """Nothing is taken."""

    def report(self) -> dict[str, Any]:
        """There is nothing to say."""
        return {}
