"""What a failed step of the check means, and what to ask of whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chalicelib import rendezvous
from smsc_relay import connecting
from smsc_relay.config import Address, LinkConfig
from smsc_relay.lease_table import LEASE, DynamoTable
from smsc_relay.protocol import Ended, Refused, Rejected
from smsc_relay.terms import Terms

US: Final = "ourselves"
AGGREGATOR: Final = "the aggregator"
NETWORK: Final = "the aggregator's network team"


# Words of why there is no connection: what to ask, of whom. What came farthest is first.
_ASKS: Final = (
    (
        connecting.NOT_ACCEPTED,
        "who has issued the certificate, and for which name? Put them into tls_ca and tls_server_name",
        AGGREGATOR,
    ),
    (
        connecting.NO_TLS,
        "does this port speak TLS, which versions, and does it want a certificate of ours?",
        AGGREGATOR,
    ),
    (
        connecting.REFUSES,
        "does the SMSC listen on this port, on this address, and for our source addresses?",
        AGGREGATOR,
    ),
    (
        connecting.NO_ANSWER,
        "does their firewall let our source addresses through to this address and port, and are both in the VPN's "
        "encryption domain? If we are not where the relay runs, try it there: --ecs",
        NETWORK,
    ),
    (connecting.NO_WAY, "see the routes, and local_host if it is set", US),
    (connecting.NOT_KNOWN, "write the IP address of the SMSC, which a VPN's names need", US),
)


class Skip(Exception):  # noqa: N818 - not an error
    """The step does not apply; the text says why."""


class Stop(Exception):  # noqa: N818 - says what it does
    """The step has failed."""

    def __init__(self, detail: str, ask: str, whom: str) -> None:
        super().__init__(detail)
        self.detail, self.ask, self.whom = detail, ask, whom


def no_connection(address: Address, error: OSError, waited: float) -> Stop:
    """TCP."""
    return unconnected(connecting.no_tcp(address, error, waited))


def no_tls(address: Address, error: Exception, waited: float) -> Stop:
    """The handshake."""
    return unconnected(connecting.no_tls(address, error, waited))


def unconnected(why: str) -> Stop:
    """Either; `why` as `connecting` says it, of one address or of several."""
    found = next((each for words, *each in _ASKS if words in why), None)
    return Stop(why, *(found or ("is this host and port right?", AGGREGATOR)))


def in_tls(why: str) -> bool:
    """TCP was made, and it is the handshake that has failed."""
    return connecting.NOT_ACCEPTED in why or connecting.NO_TLS in why


def no_login(ended: str, tls: bool) -> Stop:
    """Neither accepted nor refused."""
    more = "" if tls else ", and is this port plain TCP (else: tls: true)"
    return Stop(
        f"the login was not answered: {ended}",
        f"is our source address allowed for this account{more}? What does their log say of our login?",
        AGGREGATOR,
    )


def refused(answer: Refused, advice: Mapping[str, str], ours: int) -> Stop:
    """The login. `ours`: binds of the account that our own relay holds."""
    said = f"the login is refused: {answer.reason}" + (f" ({answer.code})" if answer.code else "")
    if answer.busy and ours:
        return Stop(
            f"{said}; our own relay holds {ours} of the account's binds now, so the login itself works",
            "`--relay` takes the steps over the binds that it holds; for the others, ask the aggregator for one more "
            "session for the time of the test",
            US,
        )
    generic = (
        "are user name, password and bind type right, and our source address allowed?"
        if answer.credentials
        else "what does this code mean on this SMSC?"
    )
    return Stop(said, advice.get(answer.code, generic), AGGREGATOR)


def rejected(answer: Rejected, advice: Mapping[str, str]) -> Stop:
    """A submit."""
    said = f"refused: {answer.reason}" + (f" ({answer.code})" if answer.code else "")
    return Stop(said, advice.get(answer.code, "what does this code mean on this SMSC?"), AGGREGATOR)


def not_all_answered(answered: int, of: int, ended: Ended | None) -> Stop:
    """Submits."""
    if ended is not None:
        return Stop(
            f"the connection ended after {answered} of {of} answers: {ended.reason}",
            "why does the SMSC hang up on our submits? What window and rate does the account have?",
            AGGREGATOR,
        )
    return Stop(
        f"{answered} of {of} submits were answered in time",
        "why are submits not answered? How many may be open at a time (window)?",
        AGGREGATOR,
    )


def over(ended: Ended | None) -> Stop:
    """While something was waited for."""
    return Stop(
        f"the connection ended: {ended.reason if ended else ''}", "why does the SMSC hang up on us?", AGGREGATOR
    )


def throttled(count: int, of: int, answer: Rejected, config: LinkConfig) -> Stop:
    """More than the account may."""
    rate = f"{config.max_tps:g}" if config.max_tps else "unlimited"
    return Stop(
        f"{count} of {of} submits at once were refused as too many: {answer.reason} ({answer.code})",
        f"what window and rate does the account have? We have window: {config.window} and max_tps: {rate}",
        AGGREGATOR,
    )


def no_receipt(waited: float, others: int, relay: int) -> Stop:
    """None that names the test message."""
    if others:
        return Stop(
            f"{others} receipts came, none with the id of the test MT",
            "how are message ids written in answers, and how in receipts (hexadecimal, decimal)?",
            AGGREGATOR,
        )
    beside = "; `jangada unmatched` lists those that came over the running relay" if relay else ""
    return Stop(
        f"no final receipt in {waited:g} s{beside}",
        "are delivery receipts enabled on this account, and for which kind of bind? Is the phone on?",
        AGGREGATOR,
    )


def no_mo(waited: float, to: str, relay: int) -> Stop:
    """None at all."""
    beside = "; it may have come over the running relay: look at the platform" if relay else ""
    return Stop(
        f"no MO in {waited:g} s{beside}",
        f"is {to} routed to this account, for every network, and over this kind of bind?",
        AGGREGATOR,
    )


# --- what the running relay has -------------------------------------------------------------------------------------


async def held_by_relay(name: str) -> int:
    """Binds of the account that are leased now; 0 too where nobody can tell."""
    try:
        async with DynamoTable(Terms().call) as table:
            return sum(item.key.startswith(f"{LEASE}{name}#") for item in await table.look())
    except Exception:  # it is a remark, no more
        return 0


def parked(name: str, external_id: str) -> bool:
    """The receipt has come over another connection, and waits for a message that nobody has sent."""
    try:
        return any(one.external_id == external_id for one in rendezvous.unmatched(name))
    except Exception:  # a task's role need not be allowed to list them
        return False
