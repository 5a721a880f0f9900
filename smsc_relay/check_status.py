"""What a running relay has written down of a link, as the steps of the check: TCP, TLS and bind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chalicelib.clock import iso
from smsc_relay import check_faults, dialects
from smsc_relay.accounts import Account
from smsc_relay.check_faults import AGGREGATOR, US, Skip, Stop
from smsc_relay.protocol import Refused, Role
from smsc_relay.status import BindStatus, LinkStatus

TCP: Final = "TCP"
TLS: Final = "TLS"
BIND: Final = "bind"
_ORDER: Final = (TCP, TLS, BIND)
_UNCONNECTED: Final = "no connection: "
_REFUSED: Final = "refused: "
_SHOWN: Final = 8  # characters of a task's name


def serving(name: str, found: Sequence[LinkStatus], now: int) -> list[LinkStatus]:
    """The tasks that serve the link now.

    Raises:
        Stop: none does.
    """
    here = [one for one in found if one.state != "stopped" and not one.silent(now)]
    if here:
        return here
    last = f"; the last word of one is of {iso(max(one.at for one in found))}" if found else ""
    raise Stop(
        f"no relay task serves {name}{last}",
        "does the relay run (`aws ecs describe-services`, its log), and has it taken the account up? "
        f"`jangada smsc status {name}`. Before the first deployment, check without --relay",
        US,
    )


def told(step: str, account: Account, role: Role, here: Sequence[LinkStatus]) -> str:
    """What the relay has to say of TCP, TLS or bind of one role.

    Raises:
        Skip: the account has no TLS.
        Stop: no task has such a bind up, and this is the step that fails.
    """
    binds = [(one, bind) for one in here for bind in one.binds if bind.role == role.value]
    up = [(one, bind) for one, bind in binds if bind.state == "up"]
    if up:
        if step == TLS and not account.config.tls:
            raise Skip("tls is false: plain TCP, as inside a VPN")
        return "; ".join(
            f"{bind.bind} is up since {iso(bind.since)}, held by task {one.task[:_SHOWN]}" for one, bind in up
        )
    failed, why = fault(account, [bind for _, bind in binds], here)
    if _ORDER.index(step) >= _ORDER.index(failed):
        raise why
    if step == TLS and not account.config.tls:
        raise Skip("tls is false: plain TCP, as inside a VPN")
    return "the relay gets this far"


def fault(account: Account, binds: Sequence[BindStatus], here: Sequence[LinkStatus]) -> tuple[str, Stop]:
    """Why none of the binds is up: the step that fails, and what to ask."""
    config = account.config
    bind = max(binds, key=lambda one: (bool(one.reason), one.since), default=None)
    reason = bind.reason if bind else ""
    if bind is not None and reason.startswith(_UNCONNECTED):
        why = reason.removeprefix(_UNCONNECTED)
        return TLS if check_faults.in_tls(why) else TCP, check_faults.unconnected(why)
    if bind is not None and reason.startswith(_REFUSED):
        # What is no answer to credentials is tried again soon, and then the bind waits.
        refused = Refused(reason.removeprefix(_REFUSED), bind.code, credentials=bind.state == "refused")
        return BIND, check_faults.refused(refused, dialects.advice_of(account.dialect.name), 0)
    if any(one.state == "awaiting" for one in binds):
        ask = "does their SMSC open the connection, and to which address and port of ours?"
        return TCP, Stop("the SMSC has not called: the link listens for it", ask, AGGREGATOR)
    if reason:
        return BIND, check_faults.no_login(reason, config.tls)
    error = next((one.error for one in here if one.error), "")
    if error:
        return BIND, check_faults.no_login(error, config.tls)
    return TCP, Stop(
        "no task has this bind up, and none says why",
        f"it may be connecting just now: ask again in a minute, and see `jangada smsc status {account.name}`",
        US,
    )
